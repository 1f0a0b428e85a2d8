//! Disputes and the flag they set, subscriptions and their periods, enrolled cards, customers;
//! and what the worker's client reads of them.

use concilia_shared::money::{Currency, Money};
use concilia_tests::ventipay::{Collect, Deliver, Families, Pay, SimVentipay};
use concilia_worker::domain::observe::Shown;
use concilia_worker::ventipay::Ventipay as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{KEY, client, get, start};

const NOBODY: &Deliver = &Deliver::Nowhere;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn types(sim: &SimVentipay, events: &[String]) -> Vec<String> {
    events.iter().map(|event| sim.told(event).unwrap().0).collect()
}

fn now<T: std::fmt::Debug>(shown: Shown<T>) -> T {
    match shown {
        Shown::Now(now) => now,
        other => panic!("it reads: {other:?}"),
    }
}

#[tokio::test]
async fn a_dispute_sets_the_flag_of_what_it_is_about_and_clears_it_when_it_is_won() {
    let sim = start().await;
    let families = Families { charge: true, ..Families::default() };
    let pay = Pay { live: false, ..Pay::clp(15_990).untold().told_by(families) };
    let paid = sim.pay(&pay).unwrap();
    let disputed = async || {
        let (_, checkout) = get(&sim, &format!("/checkouts/{}", paid.checkout)).await;
        let payment = checkout["payment_id"].as_str().unwrap();
        let (_, payment) = get(&sim, &format!("/payments/{payment}")).await;
        assert_eq!(checkout["disputed"], payment["disputed"]);
        checkout["disputed"] == true
    };
    for (steps, still) in [
        (&["under_review", "won"][..], false),
        (&["charge_refunded"], false),
        (&["under_review", "needs_response", "lost"], true),
    ] {
        let made = sim.dispute(&paid.checkout, json!({}), NOBODY).unwrap();
        assert_eq!(types(&sim, &made.events), ["dispute.created"]);
        assert!(disputed().await);
        for step in steps {
            sim.advance("dispute", &made.id, step, NOBODY).unwrap();
        }
        assert_eq!(disputed().await, still, "{steps:?}");
    }
    // One that is lost is enough, whatever becomes of another.
    let partial = json!({"amount": 990, "reason": "duplicate"});
    let made = sim.dispute(&paid.checkout, partial, NOBODY).unwrap();
    sim.advance("dispute", &made.id, "won", NOBODY).unwrap();
    assert!(disputed().await);
    assert!(sim.dispute("chk_unknown", json!({}), NOBODY).is_err());
    assert_eq!(get(&sim, "/disputes?status=lost").await.1["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_dispute_says_what_it_is_about_until_when_and_the_worker_reads_it() {
    let sim = start().await;
    sim.set_clock(Some(at("2026-01-05T12:00:00Z"))).unwrap();
    let paid = sim.pay(&Pay::clp(15_990).untold().told_by(Families::ALL)).unwrap();
    let made = sim.dispute(&paid.checkout, json!({}), NOBODY).unwrap();
    let (_, told) = sim.told(&made.events[0]).unwrap();
    assert_eq!(get(&sim, &format!("/disputes/{}", made.id)).await.1["status"], "needs_response");
    let read = now(client(&sim, KEY).dispute(&made.id).await.unwrap());
    assert_eq!(read.status, "needs_response");
    assert_eq!(read.amount, Some(Money::new(15_990, Currency::Clp)));
    assert_eq!(read.checkout.unwrap().as_str(), paid.checkout);
    assert_eq!(read.reason.as_deref(), Some("fraudulent"));
    assert_eq!(read.deadline, Some(at("2026-01-12T12:00:00Z")));
    assert_eq!(read.payment_id.as_deref(), told["payment_id"].as_str());
    assert!(read.charge_id.unwrap().starts_with("ch_"));
    assert_eq!(client(&sim, KEY).dispute("dsp_unknown").await, Ok(Shown::Unknown));
}

fn subscription(sim: &SimVentipay) -> String {
    let fields = json!({"amount": 9990, "currency": "clp", "customer_id": "cus_1"});
    sim.make("subscription", fields, false, NOBODY).unwrap().id
}

#[tokio::test]
async fn a_subscription_begins_and_is_renewed_with_an_invoice_each() {
    let sim = start().await;
    sim.set_clock(Some(at("2026-01-31T12:00:00Z"))).unwrap();
    let id = subscription(&sim);
    let collect = Collect { deliver: Deliver::Nowhere, ..Collect::default() };
    let first = sim.renew(&id, &collect).unwrap();
    let expected = ["invoice.created", "invoice.open", "invoice.paid", "subscription.activated"];
    assert_eq!(types(&sim, &first.events), expected);
    let worker = client(&sim, KEY);
    let begun = now(worker.subscription(&id).await.unwrap());
    assert_eq!((begun.status.as_str(), begun.customer_id.as_deref()), ("active", Some("cus_1")));
    assert_eq!(begun.period_start, Some(at("2026-01-31T12:00:00Z")));
    assert_eq!(begun.period_end, Some(at("2026-02-28T12:00:00Z")));

    sim.set_clock(Some(at("2026-02-28T13:00:00Z"))).unwrap();
    let with_families = Collect { families: Families::ALL, ..collect };
    let second = sim.renew(&id, &with_families).unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(
        types(&sim, &second.events),
        [
            "invoice.created",
            "invoice.open",
            "payment.created",
            "payment.authorized",
            "payment.captured",
            "charge.created",
            "charge.succeeded",
            "invoice.paid",
            "subscription.activated"
        ]
    );
    let renewed = now(worker.subscription(&id).await.unwrap());
    assert_eq!(renewed.period_start, begun.period_end);
    assert_eq!(renewed.period_end, Some(at("2026-03-28T12:00:00Z")));
    let invoice = now(worker.invoice(&second.id).await.unwrap());
    assert_eq!(
        (invoice.status.as_str(), invoice.subscription_id.as_deref()),
        ("paid", Some(id.as_str()))
    );
    assert_eq!(invoice.amount, Some(Money::new(9990, Currency::Clp)));
    assert_eq!(invoice.paid_at, Some(at("2026-02-28T13:00:00Z")));
    let (_, charge) = sim.told(&second.events[6]).unwrap();
    assert_eq!(invoice.charge_id.as_deref(), charge["id"].as_str());
    assert_eq!(invoice.payment_id.as_deref(), charge["payment_id"].as_str());
    assert_eq!(invoice.checkout, None);
    let (_, list) = get(&sim, "/invoices").await;
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|i| i["id"].clone()).collect();
    assert_eq!(ids, [json!(second.id), json!(first.id)]);
}

#[tokio::test]
async fn a_period_that_is_not_collected_is_retried_and_the_subscription_past_due() {
    let sim = start().await;
    let id = subscription(&sim);
    let silent = |collect: Collect| Collect { deliver: Deliver::Nowhere, ..collect };
    sim.renew(&id, &silent(Collect::default())).unwrap();
    let due = sim.renew(&id, &silent(Collect::failing())).unwrap();
    let expected = ["invoice.created", "invoice.open", "invoice.retrying", "subscription.past_due"];
    assert_eq!(types(&sim, &due.events), expected);
    let again = sim.retry_invoice(&due.id, &silent(Collect::failing())).unwrap();
    assert_eq!(types(&sim, &again.events), ["invoice.retrying"], "it is past due already");
    assert_eq!(get(&sim, &format!("/invoices/{}", due.id)).await.1["attempts"], 2);
    let paid = sim.retry_invoice(&due.id, &silent(Collect::default())).unwrap();
    assert_eq!(types(&sim, &paid.events), ["invoice.paid", "subscription.activated"]);
    assert!(sim.retry_invoice(&due.id, &silent(Collect::default())).is_err(), "it is paid");

    let reason = json!({"status_reason": "canceled_by_merchant"});
    sim.advance_with("subscription", &id, "canceled", reason, NOBODY).unwrap();
    let read = now(client(&sim, KEY).subscription(&id).await.unwrap());
    assert_eq!(
        (read.status.as_str(), read.reason.as_deref()),
        ("canceled", Some("canceled_by_merchant"))
    );
    assert!(read.canceled_at.is_some());
    let before = get(&sim, "/invoices").await.1;
    assert!(sim.renew(&id, &silent(Collect::default())).is_err());
    assert_eq!(get(&sim, "/invoices").await.1, before, "a refused period makes no invoice");
    let filter = "/subscriptions?status[]=canceled&status[]=active&customer_id=cus_1";
    assert_eq!(get(&sim, filter).await.1["data"].as_array().unwrap().len(), 1);
    assert_eq!(get(&sim, "/subscriptions?customer_id=cus_2").await.1["data"], json!([]));
}

#[tokio::test]
async fn a_card_is_enrolled_for_a_customer() {
    let sim = start().await;
    let who = json!({"email": "ana@example.cl", "country": "CL", "taxid": "12.345.678-5"});
    let customer = sim.make("customer", who, false, NOBODY).unwrap();
    assert_eq!(customer.events, Vec::<String>::new(), "no event is about a customer");
    let card = json!({"brand": "mastercard", "last4": "4444"});
    let made = sim.enrol(Some(&customer.id), card, false, NOBODY).unwrap();
    assert_eq!(types(&sim, &made.events), ["setup_intent.created", "setup_intent.succeeded"]);
    let (_, told) = sim.told(&made.events[1]).unwrap();
    assert_eq!((&told["status"], &told["customer_id"]), (&json!("succeeded"), &json!(customer.id)));
    let method = &told["payment_method"];
    assert_eq!((&method["brand"], &method["last4"]), (&json!("mastercard"), &json!("4444")));
    assert_eq!(told["payment_method_id"], method["id"]);

    let path = format!("/setup_intents/{}?expand[]=customer", made.id);
    assert_eq!(get(&sim, &path).await.1["customer"]["taxid"], "12.345.678-5");
    let methods = format!("/customers/{}/payment_methods", customer.id);
    assert_eq!(get(&sim, &methods).await.1["data"][0]["id"], method["id"]);
    assert_eq!(get(&sim, "/customers/cus_unknown/payment_methods").await.0, 404);
    let id = method["id"].as_str().unwrap();
    let worker = client(&sim, KEY);
    let read = now(worker.customer(&customer.id).await.unwrap());
    assert_eq!(read.email.as_deref(), Some("ana@example.cl"));
    assert_eq!(read.taxid.as_deref(), Some("12.345.678-5"));
    let read = now(worker.payment_method(id).await.unwrap());
    assert_eq!(
        (read.last4.as_deref(), read.customer_id),
        (Some("4444"), Some(customer.id.clone()))
    );
    assert_eq!(get(&sim, &format!("/payment_methods/{id}")).await.1["funding"], "debit");
    let found =
        async |query: &str| get(&sim, &format!("/customers?{query}")).await.1["data"].clone();
    assert_eq!(found("email=ana@example.cl&country=CL").await[0]["id"], json!(customer.id));
    assert_eq!(found("email=eva@example.cl").await, json!([]));
}

#[tokio::test]
async fn every_kind_the_api_shows_is_read_and_paged_in_its_own_mode() {
    let sim = start().await;
    for (kind, path) in [
        ("payment", "payments"),
        ("refund", "refunds"),
        ("dispute", "disputes"),
        ("subscription", "subscriptions"),
        ("invoice", "invoices"),
        ("setup_intent", "setup_intents"),
        ("customer", "customers"),
        ("payment_method", "payment_methods"),
        ("mandate", "mandates"),
        ("loan", "loans"),
    ] {
        let make = |live| {
            let fields =
                json!({"amount": 1, "currency": "clp", "email": "a@b.cl", "country": "CL"});
            sim.make(kind, fields, live, NOBODY).unwrap().id
        };
        let ids: Vec<String> = (0..3).map(|_| make(false)).collect();
        let live = make(true);
        let (status, one) = get(&sim, &format!("/{path}/{}", ids[0])).await;
        assert_eq!((status, &one["object"]), (200, &json!(kind)));
        assert_eq!(get(&sim, &format!("/{path}/{live}")).await.0, 404, "{kind}");
        let (_, first) = get(&sim, &format!("/{path}?limit=2")).await;
        let (_, rest) = get(&sim, &format!("/{path}?limit=2&starting_after={}", ids[1])).await;
        let id = |page: &Value, place: usize| page["data"][place]["id"].clone();
        assert_eq!(
            [id(&first, 0), id(&first, 1), id(&rest, 0)],
            [&ids[2], &ids[1], &ids[0]].map(|id| json!(id))
        );
        assert_eq!((&first["has_more"], &rest["has_more"]), (&json!(true), &json!(false)));
    }
}
