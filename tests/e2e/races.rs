//! Several workers, and several tellings of one payment: one payment in Odoo.

use concilia_tests::harness::http::under_another_id;
use concilia_tests::harness::shop::{Fault, Point};
use concilia_tests::harness::system::{Options, PATIENCE, System};
use futures_util::future::join_all;

crate::on!(
    postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    four_workers_told_eight_times_of_one_checkout_book_it_once
);
crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_19_json2:
    a_worker_that_slept_through_its_lease_changes_nothing
);
crate::on!(
    sqlite_odoo_17_jsonrpc, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_worker_that_slept_in_the_middle_of_a_booking_books_once
);

const WORKERS: usize = 4;
const TELLINGS: usize = 8;

async fn four_workers_told_eight_times_of_one_checkout_book_it_once(options: Options) {
    let mut system = System::start(options).await;
    for _ in 1..WORKERS {
        system.start_worker(&[]);
    }
    system.workers_are_ready().await;

    let order = system.shop.order(15_990, "name", "EIGHT-TIMES");
    system.shop.invoice(&order);
    let payment = system.pay(15_990, &order.key);
    // Somebody else is first, and the answers come after the caller has gone.
    system.shop.fail_bookings(Fault::Race, 1);
    system.shop.fail_bookings(Fault::Delay { ms: options.odoo_timeout_ms + 500 }, 2);
    let tellings = (0..TELLINGS).map(|number| {
        let body = under_another_id(&payment.body, &format!("evt_telling_{number}"));
        system.received(None, body)
    });
    join_all(tellings).await;

    let mut outcomes = Vec::new();
    for number in 0..TELLINGS {
        let row = system.rests(&format!("evt_telling_{number}")).await;
        outcomes.push(row.status);
    }
    outcomes.sort();
    let mut expected = vec!["reconciled"];
    expected.resize(TELLINGS, "recorded");
    expected.sort_unstable();
    assert_eq!(outcomes, expected);
    assert_eq!(system.shop.booked().len(), 1);
    system.finish().await;
}

async fn a_worker_that_slept_through_its_lease_changes_nothing(options: Options) {
    let mut system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "ASLEEP");
    let payment = system.pay(15_990, &order.key);
    let held = system.shop.hold_observation("asleep");
    system.received(None, payment.body.clone()).await;
    assert!(held.arrived(1, PATIENCE).await, "the first worker looks");
    system.workers[0].process.signal("STOP").unwrap();
    held.release();

    system.start_worker(&[]);
    let row = system.rests_as(&payment.event, "reconciled").await;
    system.workers[0].process.signal("CONT").unwrap();
    system.workers_are_ready().await;
    system.is_ready().await;
    // It wakes in the middle of its settling; only after being told to end is it surely done.
    let mut sleeper = system.workers.remove(0);
    assert!(sleeper.process.terminate(PATIENCE).await.unwrap().success());
    assert_eq!(system.facts(&row.stream).await, ["webhook_received", "booked"]);
    system.finish().await;
}

/// It sleeps through its lease while Odoo has its booking, not yet done or done and not yet
/// answered; another worker goes on, and then it wakes.
async fn a_worker_that_slept_in_the_middle_of_a_booking_books_once(options: Options) {
    let mut system = System::start(options).await;
    for (number, point) in [Point::Before, Point::After].into_iter().enumerate() {
        let order = system.shop.order(15_990, "name", &format!("ASLEEP-{number}"));
        system.shop.invoice(&order);
        let payment = system.pay(15_990, &order.key);
        let held = system.shop.hold_booking(&format!("asleep-{number}"), point);
        system.received(None, payment.body.clone()).await;
        assert!(held.arrived(1, PATIENCE).await, "the first worker books");
        system.workers[0].process.signal("STOP").unwrap();

        system.start_worker(&[]);
        let row = system.rests_as(&payment.event, "reconciled").await;
        held.release();
        system.workers[0].process.signal("CONT").unwrap();
        system.workers_are_ready().await;
        system.is_ready().await;
        let mut sleeper = system.workers.remove(0);
        assert!(sleeper.process.terminate(PATIENCE).await.unwrap().success());
        assert_eq!(system.facts(&row.stream).await, ["webhook_received", "booked"]);
    }
    system.finish().await;
}
