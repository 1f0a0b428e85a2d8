//! The worker is killed between any two steps, and while Odoo acts; Odoo's answer is lost.
//! Each time another worker goes on, and Odoo holds the payment exactly once.

use std::os::unix::process::ExitStatusExt as _;

use concilia_tests::harness::shop::{Fault, Point};
use concilia_tests::harness::system::{Options, PATIENCE, System};

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_worker_killed_between_any_two_steps_books_exactly_once
);
crate::on!(
    sqlite_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_worker_killed_while_odoo_acts_books_exactly_once
);
crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_booking_whose_answer_is_lost_is_booked_exactly_once
);

/// Where a worker dies (`worker/src/crash.rs`), and whether Odoo holds the payment by then.
const POINTS: [(&str, bool); 6] = [
    ("consume.admitted", false),
    ("settle.claimed", false),
    ("settle.observed", false),
    ("settle.decided", false),
    ("settle.booked", true),
    ("settle.appended", true),
];

async fn a_worker_killed_between_any_two_steps_books_exactly_once(options: Options) {
    let mut system = System::start_without_worker(options).await;
    for (point, is_booked) in POINTS {
        let order = system.shop.order(15_990, "name", &format!("CRASH-{point}"));
        system.shop.invoice(&order);
        let payment = system.pay(15_990, &order.key);
        system.received(None, payment.body.clone()).await;

        system.start_worker(&[("CONCILIA_CRASH_AT", point)]);
        let mut worker = system.workers.pop().unwrap();
        let ended = worker.process.wait(PATIENCE).await;
        assert_eq!(ended.signal(), Some(9), "at {point} it ended with {ended}");
        let booked = system.shop.booked().contains_key(&payment.checkout);
        assert_eq!(booked, is_booked, "dead at {point}");

        system.start_worker(&[]);
        system.workers_are_ready().await;
        let row = system.rests_as(&payment.event, "reconciled").await;
        assert_eq!(row.odoo.unwrap().transaction, payment.checkout);
        let facts = system.facts(&row.stream).await;
        assert_eq!(facts, ["webhook_received", "booked"], "dead at {point}");
        system.stop_workers().await;
    }
    system.start_worker(&[]);
    system.workers_are_ready().await;
    system.finish().await;
}

async fn a_worker_killed_while_odoo_acts_books_exactly_once(options: Options) {
    let mut system = System::start_without_worker(options).await;
    for (number, point) in [Point::Before, Point::After].into_iter().enumerate() {
        let order = system.shop.order(15_990, "name", &format!("HELD-{number}"));
        let payment = system.pay(15_990, &order.key);
        system.received(None, payment.body.clone()).await;
        let held = system.shop.hold_booking(&format!("hold-{number}"), point);

        system.start_worker(&[]);
        assert!(held.arrived(1, PATIENCE).await, "a booking is asked for");
        system.workers.pop().unwrap().process.kill9();
        held.release();

        system.start_worker(&[]);
        system.workers_are_ready().await;
        system.rests_as(&payment.event, "reconciled").await;
        system.stop_workers().await;
    }
    system.start_worker(&[]);
    system.workers_are_ready().await;
    system.finish().await;
}

async fn a_booking_whose_answer_is_lost_is_booked_exactly_once(options: Options) {
    let system = System::start(options).await;
    // Once: asked again, it tells. As often as it is asked within one claim: the next look
    // finds it.
    for (lost, asked) in [(1, 2), (3, 3)] {
        let order = system.shop.order(15_990, "name", &format!("LOST-{lost}"));
        system.shop.invoice(&order);
        let (_, before) = system.shop.calls();
        system.shop.fail_bookings(Fault::ActAndClose, lost);
        let payment = system.pay(15_990, &order.key);
        system.received(None, payment.body.clone()).await;
        let row = system.rests_as(&payment.event, "reconciled").await;
        assert_eq!(row.odoo.unwrap().orders, [order.key]);
        let (_, after) = system.shop.calls();
        assert_eq!(after - before, asked, "the same call, and no more of it");
    }
    system.finish().await;
}
