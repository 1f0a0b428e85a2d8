//! PostgreSQL and the broker crash and come back in the middle of the work: what was answered 200
//! is booked, once.

use std::time::Duration;

use concilia_tests::harness::postgres::Postgres;
use concilia_tests::harness::shop::Payment;
use concilia_tests::harness::system::{Options, System};
use concilia_tests::harness::wait;
use futures_util::{StreamExt as _, stream};

crate::on!(
    postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    both_servers_crash_and_come_back_in_the_middle
);

const PAYMENTS: usize = 60;

/// Webhooks on their way at once.
const AT_ONCE: usize = 8;

/// How long two cores may take for all of it, the servers' starts included.
const SETTLED: Duration = Duration::from_mins(1);

async fn both_servers_crash_and_come_back_in_the_middle(options: Options) {
    let mut system = System::start(Options { publish_deadline_ms: 1_000, ..options }).await;
    system.start_worker(&[]);
    system.workers_are_ready().await;
    let payments: Vec<Payment> = (0..PAYMENTS)
        .map(|number| {
            let order = system.shop.order(15_990, "name", &format!("RESTART-{number}"));
            system.pay(15_990, &order.key)
        })
        .collect();
    let sender = system.sender();
    let sending = stream::iter(&payments).for_each_concurrent(AT_ONCE, |payment| {
        let sender = &sender;
        async move { sender.received("generic", &payment.body).await }
    });
    let crashing = async {
        at_least(&system, 10).await;
        tokio::task::spawn_blocking(|| Postgres::shared().unwrap().crash().unwrap()).await.unwrap();
        at_least(&system, 20).await;
        system.nats.kill9();
        system.nats.restart().await.unwrap();
        at_least(&system, 40).await;
        // Both at once.
        system.nats.kill9();
        tokio::task::spawn_blocking(|| Postgres::shared().unwrap().crash().unwrap()).await.unwrap();
        system.nats.restart().await.unwrap();
    };
    tokio::join!(sending, crashing);
    at_least(&system, PAYMENTS).await;
    for payment in &payments {
        let row = system.rests_as(&payment.event, "reconciled").await;
        assert_eq!(system.facts(&row.stream).await, ["webhook_received", "booked"]);
    }
    system.finish().await;
}

/// Waits until so many payments stand in Odoo.
async fn at_least(system: &System, count: usize) {
    wait::until(&format!("{count} payments"), SETTLED, async || {
        let now = system.shop.odoo.payments().len();
        if now >= count { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}
