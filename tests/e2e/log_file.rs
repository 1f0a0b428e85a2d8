//! The database is gone, and a file of the log is left: read in again, everything goes on where
//! it was, outcomes and all, and Odoo is not written to.

use std::collections::BTreeMap;

use concilia_tests::harness::system::{Options, System};
use serde_json::Value;

crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    a_log_carried_out_and_in_again_books_nothing_twice
);

async fn a_log_carried_out_and_in_again_books_nothing_twice(options: Options) {
    let mut system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "FILE-1");
    let booked = system.pay(15_990, &order.key);
    system.shop.order(1_000, "name", "FILE-2");
    let parked = system.pay(2_000, "FILE-2");
    for body in [booked.body.clone(), parked.body, b"signed, and no JSON".to_vec()] {
        system.received(None, body).await;
    }
    system.all_rest(3).await;
    system.everything_is_acknowledged().await;
    is_whole(&system).await;
    system.operator(&["replay", "views"]).await;
    system.stop_workers().await;

    let before = (statuses(&system).await, balance(&system).await, system.shop.writes());
    let file = system.folder().join("log.gz");
    let file = file.to_str().unwrap();
    let said = system.operator(&["replay", "export", file]).await;
    assert!(said.contains("are in"), "{said}");
    system.database.lose().await.unwrap();
    system.operator(&["replay", "import", file]).await;

    assert_eq!(statuses(&system).await, before.0);
    assert_eq!(balance(&system).await, before.1);
    is_whole(&system).await;
    system.start_worker(&[]);
    system.workers_are_ready().await;
    // Told again, it is known: the ingress may have forgotten, the log has not.
    system.received(None, booked.body).await;
    system.everything_is_acknowledged().await;
    assert_eq!(statuses(&system).await, before.0);
    assert_eq!(system.shop.writes(), before.2, "nothing is booked by importing");
    system.finish().await;
}

async fn is_whole(system: &System) {
    let report = system.operator_json(&["verify", "--strict", "--broker", "--json"]).await;
    assert_eq!(report["problem"], Value::Null);
    assert_eq!(report["proven"], report["webhooks"], "{report}");
    assert_eq!(report["webhooks"], 3, "{report}");
}

/// Each event with where it rests, and why.
async fn statuses(system: &System) -> BTreeMap<String, (String, Option<String>)> {
    let rows = system.events().await;
    rows.into_iter().map(|row| (row.event_id, (row.status, row.reason))).collect()
}

async fn balance(system: &System) -> Value {
    system.operator_json(&["balance", "--by-day", "--json"]).await
}
