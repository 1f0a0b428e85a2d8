//! Four workers, three modes, a busy hour in a minute, and workers that are killed in between:
//! each payment stands in Odoo once, and what was paid is booked, waits, or is parked.

use std::collections::BTreeSet;
use std::time::Duration;

use concilia_tests::harness::http::under_another_id;
use concilia_tests::harness::system::{Options, System};
use concilia_tests::harness::wait;
use futures_util::{StreamExt as _, stream};

crate::on!(
    postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    four_workers_in_three_modes_book_each_payment_once_whoever_is_killed
);

const CHECKOUTS: usize = 200;

/// Webhooks on their way at once.
const AT_ONCE: usize = 16;

/// How long two cores may take for all of it.
const SETTLED: Duration = Duration::from_secs(90);

/// One checkout and what is to become of it.
struct Told {
    account: &'static str,
    event: String,
    bodies: Vec<Vec<u8>>,
    status: &'static str,
    paid: i64,
}

async fn four_workers_in_three_modes_book_each_payment_once_whoever_is_killed(options: Options) {
    let mut system = System::start(options.of_all_modes()).await;
    for _ in 1..4 {
        system.start_worker(&[]);
    }
    system.workers_are_ready().await;
    let all: Vec<Told> = (0..CHECKOUTS).map(|number| one(&system, number)).collect();
    let expected: BTreeSet<(&str, &str)> =
        all.iter().map(|told| (told.event.as_str(), told.status)).collect();

    let sender = system.sender();
    let bodies = all.iter().flat_map(|told| told.bodies.iter().map(|body| (told.account, body)));
    let sending = stream::iter(bodies).for_each_concurrent(AT_ONCE, |(account, body)| {
        let sender = &sender;
        async move { sender.received(account, body).await }
    });
    let killing = async {
        for booked in [30, 60, 90] {
            wait::until(&format!("{booked} to be booked"), SETTLED, async || {
                let now = system.shop.odoo.payments().len();
                if now >= booked { Ok(()) } else { Err(now.to_string()) }
            })
            .await;
            system.workers[0].process.kill9();
            system.workers.remove(0);
            system.start_worker(&[]);
        }
    };
    tokio::join!(sending, killing);
    system.workers_are_ready().await;

    wait::until("everything to be settled", SETTLED, async || {
        let rows = system.events().await;
        let now: BTreeSet<(&str, &str)> = rows
            .iter()
            .filter(|row| !row.event_id.starts_with("evt_again"))
            .map(|row| (row.event_id.as_str(), row.status.as_str()))
            .collect();
        let differ: Vec<_> = expected.symmetric_difference(&now).take(6).collect();
        if differ.is_empty() { Ok(()) } else { Err(format!("{differ:?}")) }
    })
    .await;
    let sum = |status: &str| {
        let such = all.iter().filter(|told| told.status == status);
        such.map(|told| told.paid).sum::<i64>()
    };
    let balance = system.operator_json(&["balance", "--json"]).await["currencies"][0].clone();
    for (side, status) in [("booked", "reconciled"), ("pending", "pending"), ("parked", "parked")] {
        assert_eq!(balance[side], sum(status), "{side}: {balance}");
    }
    assert_eq!(balance["paid"], all.iter().map(|told| told.paid).sum::<i64>());
    let reconciled = all.iter().filter(|told| told.status == "reconciled" && told.paid > 0);
    assert_eq!(system.shop.booked().len(), reconciled.count());
    let pending = all.iter().filter(|told| told.status == "pending");
    let pending: Vec<&str> = pending.map(|told| told.event.as_str()).collect();
    system.finish_with_pending(&pending).await;
}

/// Every account in turn; some without an order, some of another amount, some canceled, some told
/// twice under two ids, all sent twice.
fn one(system: &System, number: usize) -> Told {
    let account = ["generic", "portal", "hybrid"][number % 3];
    let total = 10_000 + i64::try_from(number).unwrap();
    let key = format!("LOAD-{number}");
    let fate = number / 3 % 10;
    if fate == 1 {
        let payment = system.pay(total, &key);
        return told(account, payment.event, vec![payment.body], "pending", total);
    }
    let order = system.shop.order(total, "name", &key);
    if fate > 5 {
        system.shop.invoice(&order);
    }
    let key = match account {
        "portal" => system.shop.begins_to_pay(&order),
        "hybrid" if fate.is_multiple_of(2) => system.shop.begins_to_pay(&order),
        _ => order.key,
    };
    if fate == 2 && account == "portal" {
        let canceled = system.cancel(total, &key);
        return told(account, canceled.event, vec![canceled.body], "reconciled", 0);
    }
    let (paid, status) = if fate == 3 { (total - 1, "parked") } else { (total, "reconciled") };
    let payment = system.pay(paid, &key);
    let mut bodies = vec![payment.body.clone()];
    if fate == 4 {
        bodies.push(under_another_id(&payment.body, &format!("evt_again_{number}")));
    }
    told(account, payment.event, bodies, status, paid)
}

fn told(
    account: &'static str,
    event: String,
    mut bodies: Vec<Vec<u8>>,
    status: &'static str,
    paid: i64,
) -> Told {
    bodies.extend(bodies.clone());
    Told { account, event, bodies, status, paid }
}
