//! Every event type of `ventipay-api.md` 4.5 with the body it is told in, and one payment told
//! by several families.

use concilia_tests::ventipay::{Charge, Deliver, Families, Pay, SimVentipay};
use concilia_worker::domain::observe::Shown;
use concilia_worker::ventipay::Ventipay as _;
use serde_json::{Value, json};

use super::{KEY, client, get, start};

const NOBODY: &Deliver = &Deliver::Nowhere;

/// What each event tells, as delivered.
fn told(sim: &SimVentipay, events: &[String]) -> Vec<(String, Value)> {
    events.iter().map(|event| sim.told(event).unwrap()).collect()
}

fn types(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(event_type, _)| event_type.as_str()).collect()
}

/// Takes an object through these steps and answers the status told at each, its birth first.
fn statuses(sim: &SimVentipay, kind: &str, steps: &str) -> Vec<(String, String)> {
    let fields = json!({"amount": 990, "currency": "clp"});
    let made = sim.make(kind, fields, false, NOBODY).unwrap();
    let mut events = made.events;
    for step in steps.split_whitespace() {
        events.extend(sim.advance(kind, &made.id, step, NOBODY).unwrap().events);
    }
    told(sim, &events)
        .into_iter()
        .map(|(event_type, data)| {
            assert_eq!((&data["id"], &data["object"]), (&json!(made.id), &json!(kind)));
            assert_eq!(data["live"], false);
            let (family, step) = event_type.split_once('.').unwrap();
            assert_eq!(family, kind);
            (step.to_owned(), data["status"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_type_is_told_with_the_state_it_names() {
    let sim = start().await;
    for (kind, steps, expected) in [
        (
            "dispute",
            "under_review needs_response under_review won",
            "needs_response under_review needs_response under_review won",
        ),
        ("dispute", "lost", "needs_response lost"),
        (
            "dispute",
            "needs_response charge_refunded",
            "needs_response needs_response charge_refunded",
        ),
        (
            "subscription",
            "trialing activated past_due activated suspended activated canceled",
            "incomplete trialing active past_due active suspended active canceled",
        ),
        ("subscription", "activated past_due unpaid", "incomplete active past_due unpaid"),
        (
            "invoice",
            "draft open retrying uncollectible paid",
            "draft draft open open uncollectible paid",
        ),
        ("invoice", "open void", "draft open void"),
        ("setup_intent", "succeeded", "created succeeded"),
        ("setup_intent", "canceled", "created canceled"),
        ("setup_intent", "expired", "created expired"),
        ("charge", "failed", "pending failed"),
        (
            "payment",
            "authorized captured refunded",
            "requires_authorization requires_capture succeeded succeeded",
        ),
        ("payment", "failed", "requires_authorization failed"),
        ("payment", "authorized canceled", "requires_authorization requires_capture canceled"),
        ("mandate", "activated deactivated", "created active inactive"),
        ("loan", "authorized disputed refunded", "created authorized disputed refunded"),
        ("loan_intent", "approved authorized", "created approved authorized"),
    ] {
        let told = statuses(&sim, kind, steps);
        let (events, states): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        assert_eq!(events.join(" "), format!("created {steps}"), "{kind}");
        assert_eq!(states.join(" "), expected, "{kind} {steps}");
    }
}

#[tokio::test]
async fn what_is_over_takes_no_further_step_and_nothing_is_told_of_the_try() {
    let sim = start().await;
    for (kind, last) in [
        ("dispute", "won"),
        ("charge", "failed"),
        ("setup_intent", "expired"),
        ("subscription", "canceled"),
    ] {
        let fields = json!({"amount": 990, "currency": "clp"});
        let made = sim.make(kind, fields, false, NOBODY).unwrap();
        sim.advance(kind, &made.id, last, NOBODY).unwrap();
        let before = get(&sim, "/events?limit=1").await.1["data"][0].clone();
        assert!(sim.advance(kind, &made.id, last, NOBODY).is_err(), "{kind}");
        assert_eq!(get(&sim, "/events?limit=1").await.1["data"][0], before, "{kind}");
    }
    assert!(sim.make("transaction", json!({}), false, NOBODY).is_err());
    assert!(sim.advance("dispute", "dsp_unknown", "won", NOBODY).is_err());
}

#[tokio::test]
async fn one_payment_is_told_by_three_families_that_name_each_other() {
    let sim = start().await;
    let pay = Pay::clp(15_990).with("customer_id", "cus_1").untold().told_by(Families::ALL);
    let paid = sim.pay(&pay).unwrap();
    let told = told(&sim, &paid.others);
    assert_eq!(
        types(&told),
        [
            "payment.created",
            "payment.authorized",
            "payment.captured",
            "charge.created",
            "charge.succeeded"
        ]
    );
    let (_, checkout) = sim.told(&paid.event).unwrap();
    let payment = &told[2].1;
    let charge = &told[4].1;
    assert_eq!(checkout["payment_id"], payment["id"]);
    assert_eq!(charge["payment_id"], payment["id"]);
    for object in [payment, charge] {
        assert_eq!(object["checkout_id"], json!(paid.checkout));
        assert_eq!((&object["amount"], &object["currency"]), (&json!(15_990), &json!("clp")));
        assert_eq!(
            (&object["status"], &object["customer_id"]),
            (&json!("succeeded"), &json!("cus_1"))
        );
    }
    assert_eq!((&payment["authorized"], &payment["captured"]), (&json!(true), &json!(true)));
    let id = payment["id"].as_str().unwrap();
    let (status, read) = get(&sim, &format!("/payments/{id}?expand[]=checkout")).await;
    assert_eq!((status, &read["status"]), (200, &json!("succeeded")));
    assert_eq!(read["checkout"]["id"], json!(paid.checkout));
    let Shown::Now(read) = client(&sim, KEY).payment(id).await.unwrap() else { panic!("reads") };
    assert_eq!(read.checkout.unwrap().as_str(), paid.checkout, "a charge's payment leads there");
    let charge = charge["id"].as_str().unwrap();
    assert_eq!(get(&sim, &format!("/charges/{charge}")).await.0, 404, "there is no such resource");
}

#[tokio::test]
async fn families_need_not_name_the_checkout_nor_it_the_payment() {
    let sim = start().await;
    sim.hide("checkout", &["payment_id", "successful_object_id"]).unwrap();
    let paid = sim.pay(&Pay::clp(1000).untold().told_by(Families::UNLINKED)).unwrap();
    for (event_type, data) in told(&sim, &paid.others) {
        assert_eq!(data.get("checkout_id"), None, "{event_type}");
    }
    let (_, payment) = sim.told(&paid.others[2]).unwrap();
    let id = payment["id"].as_str().unwrap();
    assert_eq!(get(&sim, &format!("/payments/{id}")).await.1.get("checkout_id"), None);
    let (_, checkout) = sim.told(&paid.event).unwrap();
    assert!(!checkout.to_string().contains(id), "{checkout}");
    sim.unhide("checkout", &["payment_id"]).unwrap();
    let (_, checkout) = get(&sim, &format!("/checkouts/{}", paid.checkout)).await;
    assert_eq!(checkout["payment_id"], json!(id), "it was only hidden");
    let list = get(&sim, "/payments").await.1;
    assert_eq!(list["data"][0].get("checkout_id"), None);
}

#[tokio::test]
async fn the_other_families_are_silent_unless_asked_for_but_the_payment_exists() {
    let sim = start().await;
    let paid = sim.pay(&Pay::clp(1000).untold()).unwrap();
    assert_eq!(paid.others, Vec::<String>::new());
    let (_, payments) = get(&sim, "/payments").await;
    assert_eq!(payments["data"][0]["checkout_id"], json!(paid.checkout));
    assert_eq!(payments["data"][0]["status"], "succeeded");
}

#[tokio::test]
async fn a_charge_stands_alone_fails_or_belongs_to_a_checkout() {
    let sim = start().await;
    let mut alone = Charge::clp(2500).with("external_id", "S00077");
    alone.deliver = Deliver::Nowhere;
    let made = sim.charge(&alone).unwrap();
    let told_of = told(&sim, &made.events);
    assert_eq!(types(&told_of), ["charge.created", "charge.succeeded"]);
    let (_, charge) = &told_of[1];
    assert_eq!((&charge["external_id"], &charge["amount"]), (&json!("S00077"), &json!(2500)));
    assert!(charge["paid_at"].is_string());
    assert_eq!((charge.get("checkout_id"), charge.get("payment_id")), (None, None));

    let mut failing = Charge { payment: true, ..alone.clone() }.failing("insufficient_funds");
    failing.live = true;
    let told_of = told(&sim, &sim.charge(&failing).unwrap().events);
    let expected = ["payment.created", "charge.created", "charge.failed", "payment.failed"];
    assert_eq!(types(&told_of), expected);
    let (_, charge) = &told_of[2];
    assert_eq!((&charge["status"], &charge["live"]), (&json!("failed"), &json!(true)));
    assert_eq!(charge["failure_code"], "insufficient_funds");
    assert_eq!(charge["payment_id"], told_of[3].1["id"]);

    let (_, unpaid) =
        super::put(&sim, "/checkouts", json!({"currency": "clf", "amount": 25_000})).await;
    let id = unpaid["id"].as_str().unwrap();
    let mut of_checkout = Charge::of_checkout(id).failing("expired_card");
    of_checkout.deliver = Deliver::Nowhere;
    let told_of = told(&sim, &sim.charge(&of_checkout).unwrap().events);
    let (_, charge) = &told_of[1];
    assert_eq!((&charge["checkout_id"], &charge["amount"]), (&json!(id), &json!(25_000)));
    assert_eq!(charge["currency"], "clf");
    assert_eq!(get(&sim, &format!("/checkouts/{id}")).await.1["status"], "unpaid");
    assert!(sim.charge(&Charge::of_checkout("chk_unknown")).is_err());
}
