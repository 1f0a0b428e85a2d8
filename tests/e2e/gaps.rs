//! The database is set back to an older copy while the broker went on: what the log lost is
//! read again from the broker, and nothing is booked twice.

use concilia_tests::harness::http::event;
use concilia_tests::harness::system::{Options, System};
use serde_json::json;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_log_set_back_to_an_older_copy_is_filled_again_from_the_broker
);

async fn a_log_set_back_to_an_older_copy_is_filled_again_from_the_broker(options: Options) {
    let mut system = System::start(options.of_all_modes()).await;
    let pay = |system: &System, key: &str| {
        let order = system.shop.order(15_990, "name", key);
        system.shop.invoice(&order);
        system.pay(15_990, &order.key)
    };
    let kept = pay(&system, "KEPT");
    system.received(None, kept.body.clone()).await;
    system.rests_as(&kept.event, "reconciled").await;
    system.stop_workers().await;
    system.database.back_up().await.unwrap();

    system.start_worker(&[]);
    system.workers_are_ready().await;
    let lost = [pay(&system, "LOST-1"), pay(&system, "LOST-2")];
    for payment in &lost {
        system.received(None, payment.body.clone()).await;
        system.rests_as(&payment.event, "reconciled").await;
    }
    // Odoo's own transactions: one paid, one left unpaid and canceled.
    let order = system.shop.order(7_000, "name", "LOST-A");
    let in_a = system.pay(7_000, &system.shop.begins_to_pay(&order));
    let order = system.shop.order(8_000, "name", "LEFT");
    let left = system.shop.begins_to_pay(&order);
    let canceled = system.cancel(8_000, &left);
    for told in [&in_a, &canceled] {
        system.received(Some("portal"), told.body.clone()).await;
        system.rests_as(&told.event, "reconciled").await;
    }
    assert_eq!(system.shop.transaction_state(&left).as_deref(), Some("cancel"));
    let nothing_to_do = event("evt_lost", "checkout.created", json!({"id": "chk_lost"}));
    system.received(None, nothing_to_do).await;
    system.rests_as("evt_lost", "recorded").await;
    let before = (system.shop.booked(), system.shop.writes());
    system.stop_workers().await;
    system.database.restore().await.unwrap();
    let left: Vec<String> = system.events().await.into_iter().map(|row| row.event_id).collect();
    assert_eq!(left, [kept.event], "the database did lose them");

    system.start_worker(&[]);
    system.workers_are_ready().await;
    for payment in &lost {
        let row = system.rests_as(&payment.event, "reconciled").await;
        assert_eq!(row.odoo.unwrap().transaction, payment.checkout);
    }
    for told in [&in_a, &canceled] {
        system.rests_as(&told.event, "reconciled").await;
    }
    system.rests_as("evt_lost", "recorded").await;
    let after = (system.shop.booked(), system.shop.writes());
    assert_eq!(after, before, "Odoo is as it was, and nothing was written");
    system.finish().await;
}
