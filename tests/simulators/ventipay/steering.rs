//! All lives, steered over HTTP; and kept across a restart.

use concilia_tests::ventipay::{Options, SimVentipay};
use serde_json::{Value, json};

use super::{Receiver, get, http, start, start_with};

async fn post(sim: &SimVentipay, path: &str, body: Value) -> Value {
    let request = http().post(format!("{}/sim{path}", sim.url())).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}: {body}");
    response.json().await.unwrap()
}

async fn refused(sim: &SimVentipay, path: &str, body: Value) -> u16 {
    let request = http().post(format!("{}/sim{path}", sim.url())).json(&body);
    request.send().await.unwrap().status().as_u16()
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_life_can_be_steered_over_http() {
    let sim = start().await;
    let paid = post(&sim, "/pay", json!({"amount": 1000, "families": {"charge": true}})).await;
    assert_eq!(paid["others"].as_array().unwrap().len(), 2);
    let checkout = paid["checkout"].as_str().unwrap();

    let pending = json!({"amount": 400, "pending": true, "destination": "merchant_balance"});
    let refund = id(&post(&sim, &format!("/checkouts/{checkout}/refund"), pending).await);
    assert_eq!(get(&sim, &format!("/refunds/{refund}")).await.1["destination"], "merchant_balance");
    post(&sim, &format!("/refunds/{refund}/settle"), json!({"succeeds": true})).await;
    post(&sim, "/hide", json!({"of": checkout, "fields": ["refunded_amount"]})).await;
    let (_, shown) = get(&sim, &format!("/checkouts/{checkout}")).await;
    assert_eq!((shown.get("refunded_amount"), &shown["available_for_refund"]), (None, &json!(600)));
    let again = json!({"of": checkout, "fields": ["refunded_amount"], "hidden": false});
    post(&sim, "/hide", again).await;
    assert_eq!(get(&sim, &format!("/checkouts/{checkout}")).await.1["refunded_amount"], 400);

    let fields = json!({"fields": {"reason": "duplicate"}});
    let dispute = id(&post(&sim, &format!("/checkouts/{checkout}/dispute"), fields).await);
    post(&sim, &format!("/objects/dispute/{dispute}/lost"), json!({})).await;
    let (_, read) = get(&sim, &format!("/disputes/{dispute}")).await;
    assert_eq!((&read["status"], &read["reason"]), (&json!("lost"), &json!("duplicate")));

    let fields = json!({"fields": {"amount": 990, "currency": "clp"}});
    let subscription = id(&post(&sim, "/objects/subscription", fields).await);
    let renew = format!("/subscriptions/{subscription}/renew");
    let invoice = id(&post(&sim, &renew, json!({"collected": false})).await);
    post(&sim, &format!("/invoices/{invoice}/retry"), json!({})).await;
    assert_eq!(get(&sim, &format!("/invoices/{invoice}")).await.1["status"], "paid");
    let (_, read) = get(&sim, &format!("/subscriptions/{subscription}")).await;
    assert_eq!(read["status"], "active");

    let charge = json!({"fields": {"amount": 5, "currency": "clp"}, "failure": "no_funds"});
    assert_eq!(post(&sim, "/charge", charge).await["events"].as_array().unwrap().len(), 2);
    let enrolled = id(&post(&sim, "/enrol", json!({"card": {"last4": "1111"}})).await);
    let (_, read) = get(&sim, &format!("/setup_intents/{enrolled}")).await;
    assert_eq!(read["payment_method"]["last4"], "1111");

    assert_eq!(refused(&sim, &format!("/objects/dispute/{dispute}/won"), json!({})).await, 400);
    assert_eq!(refused(&sim, "/objects/transaction", json!({})).await, 404);
    assert_eq!(refused(&sim, "/checkouts/chk_unknown/refund", json!({})).await, 404);
    assert_eq!(
        refused(&sim, &format!("/refunds/{refund}/settle"), json!({"succeeds": false})).await,
        400
    );
}

#[tokio::test]
async fn the_order_of_deliveries_can_be_steered_over_http() {
    let receiver = Receiver::answering(&[]).await;
    let sim = start().await;
    post(&sim, "/webhooks", json!({"url": receiver.url})).await;
    post(&sim, "/hold", json!(null)).await;
    let clock = http().put(format!("{}/sim/clock", sim.url())).json(&json!("2026-01-05T00:00:00Z"));
    assert_eq!(clock.send().await.unwrap().status(), 200);
    let paid = post(&sim, "/pay", json!({"amount": 1000})).await;
    let held = http().get(format!("{}/sim/held", sim.url())).send().await.unwrap();
    let held: Value = held.json().await.unwrap();
    assert_eq!(held["events"].as_array().unwrap().len(), 2);
    let given = json!({"given": [paid["event"]]});
    assert_eq!(post(&sim, "/release", given).await["events"], json!([paid["event"]]));
    post(&sim, "/release", json!({"shuffled": 3})).await;
    assert_eq!(receiver.got().len(), 2);
    let event = paid["event"].as_str().unwrap();
    post(&sim, &format!("/events/{event}/deliver"), json!({})).await;
    receiver.wait_for(3).await;
    let (_, told) = sim.told(event).unwrap();
    assert_eq!(told["paid_at"], "2026-01-05T00:00:00.000Z");
}

#[tokio::test]
async fn all_of_it_is_kept_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = Some(folder.path().to_owned());
    let options = Options { state_dir, ..Options::default() };
    let sim = start_with(options.clone()).await;
    let paid = post(&sim, "/pay", json!({"amount": 1000, "deliver": "nowhere"})).await;
    let checkout = paid["checkout"].as_str().unwrap();
    let refund = json!({"amount": 400, "pending": true});
    let refund = id(&post(&sim, &format!("/checkouts/{checkout}/refund"), refund).await);
    post(&sim, "/hide", json!({"of": "checkout", "fields": ["refunded"]})).await;
    sim.stop().await;

    let again = start_with(options).await;
    assert_eq!(get(&again, &format!("/refunds/{refund}")).await.1["status"], "pending");
    post(&again, &format!("/refunds/{refund}/settle"), json!({"succeeds": true})).await;
    let (_, shown) = get(&again, &format!("/checkouts/{checkout}")).await;
    assert_eq!((shown.get("refunded"), &shown["refunded_amount"]), (None, &json!(400)));
    let world: Value = http()
        .get(format!("{}/sim/world", again.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    for (path, count) in [("checkouts", 1), ("refunds", 1), ("payments", 1), ("events", 3)] {
        assert_eq!(world[path].as_array().unwrap().len(), count, "{path}");
    }
}
