//! The database is gone: the log is rebuilt from the broker and held while a worker runs, people
//! see what would be done, and once released everything is as it was, with nothing written twice.

use std::collections::BTreeMap;

use concilia_tests::harness::http::{event, under_another_id};
use concilia_tests::harness::shop::Payment;
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use serde_json::{Value, json};

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_lost_log_is_rebuilt_held_and_released
);

/// The webhooks of [`given`]: one of them waits for ever.
const GIVEN: u64 = 8;

async fn a_lost_log_is_rebuilt_held_and_released(options: Options) {
    let mut system = System::start(options.of_all_modes()).await;
    let waiting = given(&system).await;
    let before = statuses(&system).await;
    let booked = system.shop.booked();
    system.stop_workers().await;
    system.database.lose().await.unwrap();

    system.start_worker(&[]);
    system.workers_are_ready().await;
    let warned = |line: &str| line.contains("run `concilia-worker replay stream`").then_some(());
    system.workers[0].process.wait_for_line("that the log is empty", PATIENCE, warned).await;
    says_empty(&system, 1).await;
    let fresh = paid_and_booked(&system, "FRESH").await;
    assert_eq!(statuses(&system).await.len(), 1, "what is new is consumed, and nothing else");

    let writes = system.shop.writes();
    let planned = system.operator_json(&["replay", "stream", "--plan", "--json"]).await;
    assert_eq!((&planned["read"], &planned["new"]), (&json!(GIVEN + 1), &json!(GIVEN)));
    assert_eq!(planned["known"], 1, "the fresh one");
    assert_eq!(statuses(&system).await.len(), 1, "a plan writes nothing");
    let rebuilt = system.operator_json(&["replay", "stream", "--json"]).await;
    assert_eq!(rebuilt, planned);
    says_empty(&system, 0).await;
    let again = system.operator_json(&["replay", "stream", "--json"]).await;
    assert_eq!(
        (&again["new"], &again["streams"]),
        (&json!(0), &json!(0)),
        "what is known is skipped"
    );
    assert_eq!(system.shop.writes(), writes, "nothing held is acted upon");

    // The worker goes its rounds, and acts on what is new alone.
    let other = paid_and_booked(&system, "OTHER").await;
    for (event, (status, _)) in statuses(&system).await {
        let is_new = [&fresh.event, &other.event].contains(&&event);
        assert_eq!(status, if is_new { "reconciled" } else { "received" }, "{event}");
    }
    let writes = system.shop.writes();
    what_would_be_done_is_seen(&system).await;
    assert_eq!(system.shop.writes(), writes, "a plan writes nothing");

    let one = "replay release --by ana generic/checkout-chk_nobody --json";
    let released = system.operator_json(&one.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(released, json!({"released": 0, "not_held": 1}));
    let all = ["replay", "release", "--all", "--by", "ana", "--json"];
    assert_eq!(system.operator_json(&all).await["released"], planned["streams"]);
    wait::until("everything to be as before", PATIENCE, async || {
        let mut now = statuses(&system).await;
        now.retain(|event, _| before.contains_key(event));
        if now == before { Ok(()) } else { Err(format!("{now:?}, before {before:?}")) }
    })
    .await;
    assert_eq!(system.shop.writes(), writes, "nothing is written twice");
    let mut after = system.shop.booked();
    for new in [fresh, other] {
        assert!(after.remove(&new.checkout).is_some());
    }
    assert_eq!(after, booked);
    let report = system.operator_json(&["verify", "--strict", "--broker", "--json"]).await;
    assert_eq!(report["problem"], Value::Null, "a rebuilt log is whole");
    system.finish_with_pending(&[&waiting.event]).await;
}

/// Something of every kind; answers what waits.
async fn given(system: &System) -> Payment {
    let order = system.shop.order(15_990, "name", "KEPT-B");
    system.shop.invoice(&order);
    let in_b = system.pay(15_990, &order.key);
    system.received(None, in_b.body.clone()).await;
    let telling = under_another_id(&in_b.body, "evt_telling");
    let in_a = system.shop.order(7_000, "name", "KEPT-A");
    let in_a = system.pay(7_000, &system.shop.begins_to_pay(&in_a));
    system.received(Some("portal"), in_a.body.clone()).await;
    let in_hybrid = system.shop.order(8_000, "name", "KEPT-HYBRID");
    let in_hybrid = system.pay(8_000, &in_hybrid.key);
    system.received(Some("hybrid"), in_hybrid.body.clone()).await;
    for paid in [&in_b, &in_a, &in_hybrid] {
        system.rests_as(&paid.event, "reconciled").await;
    }
    system.received(None, telling.clone()).await;
    system.rests_as("evt_telling", "recorded").await;

    let left = system.shop.order(9_000, "name", "LEFT");
    let left = system.cancel(9_000, &system.shop.begins_to_pay(&left));
    system.received(Some("portal"), left.body.clone()).await;
    system.rests_as(&left.event, "reconciled").await;

    system.shop.order(5_000, "name", "MISMATCH");
    let mismatch = system.pay(4_999, "MISMATCH");
    system.received(None, mismatch.body.clone()).await;
    system.rests_as(&mismatch.event, "parked").await;
    let nothing = event("evt_nothing", "checkout.created", json!({"id": "chk_nothing"}));
    system.received(None, nothing).await;
    system.rests_as("evt_nothing", "recorded").await;
    let waiting = system.pay(3_000, "NO-SUCH-ORDER");
    system.received(None, waiting.body.clone()).await;
    system.rests_as(&waiting.event, "pending").await;
    system.everything_is_acknowledged().await;
    waiting
}

async fn paid_and_booked(system: &System, key: &str) -> Payment {
    let order = system.shop.order(1_000, "name", key);
    let payment = system.pay(1_000, &order.key);
    system.received(None, payment.body.clone()).await;
    system.rests_as(&payment.event, "reconciled").await;
    payment
}

/// With Odoo away the plan says so; with Odoo there it says what would be done.
async fn what_would_be_done_is_seen(system: &System) {
    let plan = async || system.operator_json(&["replay", "plan", "--json"]).await["sums"].clone();
    let events = |sums: &Value, would: &str| sums[would]["events"].as_u64().unwrap_or(0);
    system.shop.goes_down();
    let sums = plan().await;
    assert_eq!((events(&sums, "unknown"), events(&sums, "in_odoo")), (6, 0), "{sums}");
    system.shop.is_well_again();
    let sums = plan().await;
    let expected = [("in_odoo", 4), ("record", 2), ("park", 1), ("wait", 1)];
    for (would, count) in expected {
        assert_eq!(events(&sums, would), count, "{would}: {sums}");
    }
    assert_eq!(sums["in_odoo"]["amounts"]["CLP"], 15_990 + 7_000 + 8_000, "{sums}");
    for would in ["book", "confirm", "cancel", "unknown"] {
        assert_eq!(events(&sums, would), 0, "{would}: {sums}");
    }
}

/// Waits until the worker's gauge says so.
async fn says_empty(system: &System, empty: u8) {
    let wanted = format!("concilia_worker_log_empty {empty}");
    let url = format!("{}/metrics", system.workers[0].admin_url);
    wait::until(&wanted, PATIENCE, async || {
        let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.lines().any(|line| line == wanted) { Ok(()) } else { Err(text) }
    })
    .await;
}

async fn statuses(system: &System) -> BTreeMap<String, (String, Option<String>)> {
    let rows = system.events().await.into_iter();
    rows.map(|row| (row.event_id, (row.status, row.reason))).collect()
}
