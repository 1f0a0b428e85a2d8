//! What holds of any log: delivering n times leaves the same log as once; of two bodies under
//! one event id the first counts.

use concilia_shared::id::StreamId;
use concilia_tests::harness::http::event;
use concilia_tests::harness::system::{Options, System};
use concilia_worker::views;
use futures_util::future::join_all;
use serde_json::json;

crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    delivering_many_times_leaves_the_same_log_as_once
);
crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_19_json2:
    another_body_under_a_known_id_is_a_recorded_conflict
);

const TIMES: usize = 5;

async fn delivering_many_times_leaves_the_same_log_as_once(options: Options) {
    let mut system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "MANY-TIMES");
    system.shop.order(1_000, "name", "MANY-TIMES-MISMATCH");
    let bodies = [
        system.pay(15_990, &order.key).body,
        system.pay(2_000, "MANY-TIMES-MISMATCH").body,
        event("evt_many", "refund.created", json!({"id": "ref_many"})),
        b"signed, and no JSON".to_vec(),
    ];
    for body in &bodies {
        system.received(None, body.clone()).await;
    }
    system.all_rest(bodies.len()).await;
    let once = whole_log(&system).await;

    let again = (0..TIMES * bodies.len()).map(|number| {
        let body = bodies[number % bodies.len()].clone();
        system.received(None, body)
    });
    join_all(again).await;
    system.stop_workers().await;
    // With the memory of the ingress gone too.
    system.restart_ingress().await;
    system.start_worker(&[]);
    system.workers_are_ready().await;
    for body in &bodies {
        let answer = system.received(None, body.clone()).await;
        assert_eq!(answer.body["duplicate"], false, "the ingress does remember");
    }
    system.everything_is_acknowledged().await;
    assert_eq!(whole_log(&system).await, once);
    system.finish().await;
}

async fn another_body_under_a_known_id_is_a_recorded_conflict(options: Options) {
    let system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "CONFLICT");
    let payment = system.pay(15_990, &order.key);
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "reconciled").await;

    let mut other: serde_json::Value = serde_json::from_slice(&payment.body).unwrap();
    other["data"]["amount"] = json!(1);
    for _ in 0..3 {
        let answer = system.received(None, other.to_string()).await;
        assert_eq!(answer.body["id"], payment.event.as_str());
    }
    system.everything_is_acknowledged().await;
    let facts = system.facts(&row.stream).await;
    assert_eq!(facts, ["webhook_received", "booked", "payload_conflicted"]);
    let after = system.rests_as(&payment.event, "reconciled").await;
    assert_eq!(after, row, "the first body counts");
    system.finish().await;
}

/// Every link of every chain, stream by stream.
async fn whole_log(system: &System) -> Vec<(StreamId, i64, String)> {
    let log = system.log().await;
    let mut links = Vec::new();
    views::follow(log.as_ref(), |recorded| {
        links.push((recorded.stream.clone(), recorded.sequence, recorded.hash.clone()));
    })
    .await
    .unwrap();
    links.sort();
    links
}
