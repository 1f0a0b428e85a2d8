//! Four workers, three modes, a busy hour in a minute, and workers that are killed in between:
//! each payment stands in Odoo once, and what was paid is booked, waits, or is parked.

use std::collections::BTreeMap;
use std::time::Duration;

use concilia_tests::harness::http::under_another_id;
use concilia_tests::harness::shop::Payment;
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
    checkout: String,
    event: String,
    bodies: Vec<Vec<u8>>,
    is_told_twice: bool,
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
    // Of two tellings of one payment, whichever is first counts.
    let mut expected = BTreeMap::new();
    for told in &all {
        let both =
            if told.is_told_twice { vec!["reconciled", "recorded"] } else { vec![told.status] };
        expected.insert(told.checkout.clone(), both.join(", "));
    }

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
        let now = statuses(&system).await;
        let differ = now.iter().find(|(checkout, now)| expected.get(*checkout) != Some(now));
        match (now.len() == expected.len(), differ) {
            (true, None) => Ok(()),
            other => {
                let mut facts = Vec::new();
                for account in ["generic", "portal", "hybrid"] {
                    facts.extend(system.account_facts(account).await);
                }
                Err(format!("{other:?}, {facts:?}"))
            }
        }
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

/// Where the events of each checkout rest, by word.
async fn statuses(system: &System) -> BTreeMap<String, String> {
    let mut by_checkout: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in system.events().await {
        let checkout = row.checkout().expect("every event is about a checkout").to_owned();
        by_checkout.entry(checkout).or_default().push(row.status);
    }
    let words = |(checkout, mut statuses): (String, Vec<String>)| {
        statuses.sort();
        (checkout, statuses.join(", "))
    };
    by_checkout.into_iter().map(words).collect()
}

/// Every account in turn; some without an order, some of another amount, some canceled, some told
/// under a second id too.
fn one(system: &System, number: usize) -> Told {
    let account = ["generic", "portal", "hybrid"][number % 3];
    let total = 10_000 + i64::try_from(number).unwrap();
    let key = format!("LOAD-{number}");
    let fate = number / 3 % 10;
    if fate == 1 {
        return told(account, system.pay(total, &key), "pending", total);
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
        return told(account, system.cancel(total, &key), "reconciled", 0);
    }
    if fate == 3 {
        return told(account, system.pay(total - 1, &key), "parked", total - 1);
    }
    let mut told = told(account, system.pay(total, &key), "reconciled", total);
    if fate == 4 {
        told.bodies.push(under_another_id(&told.bodies[0], &format!("evt_again_{number}")));
        told.is_told_twice = true;
    }
    told
}

/// All of it is sent twice.
fn told(account: &'static str, payment: Payment, status: &'static str, paid: i64) -> Told {
    let Payment { checkout, event, body } = payment;
    let bodies = vec![body.clone(), body];
    Told { account, checkout, event, bodies, is_told_twice: false, status, paid }
}
