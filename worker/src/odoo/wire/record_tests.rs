//! What is recorded and what came of it, as `worker/actions/README.md` shows them.

use concilia_shared::id::{AccountName, CheckoutId, EventId};
use concilia_shared::money::{Currency, Money};
use serde_json::json;

use super::tests::enveloped;
use super::*;
use crate::domain::record::{
    Activity, Amount, Card, CheckoutRecord, CheckoutStatus, Customer, DisputeRecord, DisputeState,
    Done, EnteredBy, EventRecord, EventStatus, FoundBy, Head, Last4, Payload, Record, Recorded,
    SubscriptionInvoice, SubscriptionRecord, SubscriptionState,
};
use crate::domain::rut::Rut;

fn head(id: &str) -> Head {
    Head { id: id.to_owned(), account: AccountName::parse("main").unwrap(), revision: 3 }
}

fn clp(minor: i64) -> Amount {
    Amount { money: Money::new(minor, Currency::Clp), currency: "CLP".to_owned() }
}

fn customer() -> Customer {
    Customer {
        id: Some("cus_1".to_owned()),
        rut: Rut::parse("12.345.678-5"),
        email: None,
        name: Some("Ana".to_owned()),
        create: true,
    }
}

fn event(id: &str) -> Record {
    Record::Event(Box::new(EventRecord {
        account: AccountName::parse("main").unwrap(),
        id: EventId::parse(id).unwrap(),
        revision: 3,
        kind: "checkout.paid".to_owned(),
        status: EventStatus::Reconciled,
        mode: Some(EnteredBy::B),
        result: Some("Booked on S00042.".to_owned()),
        reason: None,
        live: false,
        received_at: "2026-11-22T15:00:00.7Z".parse().unwrap(),
        checkout: Some(CheckoutId::parse("chk_1").unwrap()),
        amount: Some(clp(15_990)),
        console_url: None,
        payload: Some(Payload("{}".to_owned())),
    }))
}

fn checkout() -> Record {
    let uf = |minor| Some(Money::new(minor, Currency::Clf));
    Record::Checkout(Box::new(CheckoutRecord {
        head: head("chk_1"),
        status: CheckoutStatus::PartiallyRefunded,
        disputed: true,
        currency: "UF".to_owned(),
        amount: uf(25_000),
        refunded: uf(5_000),
        booked: None,
        paid_at: Some("2026-11-22T15:00:00Z".parse().unwrap()),
        of: vec!["chk_1".to_owned(), "payment-pay_1".to_owned()],
        customer: None,
        activities: Vec::new(),
    }))
}

fn dispute() -> Record {
    Record::Dispute(Box::new(DisputeRecord {
        head: head("dp_1"),
        state: DisputeState::NeedsResponse,
        amount: Some(clp(15_990)),
        reason: Some("fraudulent".to_owned()),
        deadline: None,
        checkout: Some(CheckoutId::parse("chk_1").unwrap()),
        of: vec!["chk_1".to_owned()],
        customer: None,
        activities: vec![
            Activity::Close { summary: None, note: "Won.".to_owned() },
            Activity::Open {
                key: "asked".to_owned(),
                urgent: true,
                summary: "Answer it".to_owned(),
                note: "Amount: 15990 CLP".to_owned(),
                deadline: "2026-11-24".parse().unwrap(),
            },
        ],
    }))
}

fn subscription() -> Record {
    Record::Subscription(Box::new(SubscriptionRecord {
        head: head("sub_1"),
        state: SubscriptionState::Active,
        amount: None,
        period_start: None,
        period_end: None,
        renewals: 2,
        reason: None,
        of: Vec::new(),
        customer: Some(customer()),
        activities: Vec::new(),
    }))
}

fn subscription_invoice() -> Record {
    Record::SubscriptionInvoice(Box::new(SubscriptionInvoice {
        subscription: "sub_1".to_owned(),
        account: AccountName::parse("main").unwrap(),
        of: vec!["payment-pay_1".to_owned(), "invoice-in_1".to_owned()],
    }))
}

fn card() -> Record {
    Record::Card(Box::new(Card {
        id: "pm_1".to_owned(),
        last4: Last4::parse("4242").unwrap(),
        brand: Some("Visa".to_owned()),
        active: false,
        customer: customer(),
    }))
}

#[test]
fn what_is_to_be_recorded_is_written_as_documented() {
    let whose =
        json!({"id": "cus_1", "rut": "12345678-5", "email": false, "name": "Ana", "create": true});
    assert_eq!(
        record::request(
            1,
            &[
                event("evt_1"),
                checkout(),
                dispute(),
                subscription(),
                subscription_invoice(),
                card()
            ]
        ),
        json!({"protocol": 3, "company_id": 1, "items": [
            {"kind": "event", "name": "event-main-evt_1", "id": "evt_1", "account": "main", "revision": 3,
             "checkout": "chk_1",
             "values": {"type": "checkout.paid", "status": "reconciled", "mode": "B", "result": "Booked on S00042.",
                        "reason": false, "live": false, "received_at": "2026-11-22 15:00:00", "amount": "15990",
                        "currency": "CLP", "console_url": false, "payload": "{}"}},
            {"kind": "checkout", "name": "checkout-chk_1", "id": "chk_1", "account": "main", "revision": 3,
             "of": ["chk_1", "payment-pay_1"], "activities": [],
             "values": {"status": "partially_refunded", "disputed": true, "currency": "UF", "amount": "2.5000",
                        "refunded_amount": "0.5000", "booked_amount": false, "paid_at": "2026-11-22 15:00:00"}},
            {"kind": "dispute", "name": "dispute-dp_1", "id": "dp_1", "account": "main", "revision": 3,
             "checkout": "chk_1", "of": ["chk_1"],
             "values": {"state": "needs_response", "reason": "fraudulent", "deadline": false, "amount": "15990",
                        "currency": "CLP"},
             "activities": [{"open": false, "summary": false, "note": "Won."},
                            {"open": true, "key": "asked", "type": "warning", "summary": "Answer it",
                             "note": "Amount: 15990 CLP", "deadline": "2026-11-24"}]},
            {"kind": "subscription", "name": "subscription-sub_1", "id": "sub_1", "account": "main", "revision": 3,
             "of": [], "customer": whose, "activities": [],
             "values": {"state": "active", "period_start": false, "period_end": false, "renewals": 2, "reason": false}},
            {"kind": "subscription_invoice", "name": "subscription-sub_1", "id": "sub_1", "account": "main",
             "of": ["payment-pay_1", "invoice-in_1"]},
            {"kind": "card", "name": "card-pm_1", "provider_ref": "pm_1", "last4": "4242", "brand": "Visa",
             "active": false, "customer": whose}]})
    );
}

#[test]
fn a_checkout_that_cannot_be_named_is_not_linked() {
    let Record::Dispute(mut dispute) = dispute() else { panic!() };
    let long = format!("chk_{}", "x".repeat(124));
    dispute.checkout = Some(CheckoutId::parse(long).unwrap());
    let request = record::request(1, &[Record::Dispute(dispute)]);
    assert_eq!(request["items"][0].get("checkout"), None);
}

fn outcome(given: &Value) -> Result<Recorded, NotReady> {
    let mut item = json!({"name": "event-main-evt_1", "why": false, "detail": false, "transaction": false,
                          "customer": false, "partner": false, "opened": 0, "closed": 0});
    for (key, value) in given.as_object().unwrap() {
        item[key] = value.clone();
    }
    let answer = json!({"protocol": 3, "action": "record", "version": actions::VERSION, "database": "uuid-1",
                        "items": [item]});
    record::answer(enveloped(&answer), &[event("evt_1")]).map(|mut told| told.answer.remove(0))
}

#[test]
fn each_status_becomes_its_outcome() {
    let refused = |why: &str, detail: &str| Recorded::Refused {
        why: why.to_owned(),
        detail: detail.to_owned(),
    };
    let done = Done {
        transaction: Some("chk_1".to_owned()),
        customer: Some(FoundBy::Created),
        partner: Some(12),
        opened: 2,
        closed: 1,
    };
    for (given, expected) in [
        (json!({"status": "done"}), Recorded::Done(Done::default())),
        (
            json!({"status": "done", "transaction": "chk_1", "customer": "created", "partner": 12, "opened": 2, "closed": 1}),
            Recorded::Done(done),
        ),
        (json!({"status": "same"}), Recorded::Same),
        (
            json!({"status": "changed", "why": "partner", "partner": 12, "customer": "id"}),
            Recorded::Changed { what: "partner".to_owned() },
        ),
        (json!({"status": "no_customer", "customer": "none"}), Recorded::NoCustomer),
        (
            json!({"status": "ambiguous_customer", "customer": "ambiguous"}),
            Recorded::AmbiguousCustomer,
        ),
        (json!({"status": "again", "why": "race"}), Recorded::Again),
        (json!({"status": "refused", "why": "no_models"}), Recorded::NoModels),
        // No verdict on the account: it may book all the same.
        (json!({"status": "refused", "why": "no_provider"}), refused("no_provider", "")),
        (json!({"status": "failed", "why": "odoo", "detail": "No."}), refused("odoo", "No.")),
    ] {
        assert_eq!(outcome(&given), Ok(expected), "{given}");
    }
}

#[test]
fn what_nobody_documented_is_not_guessed_at() {
    for given in [
        json!({"status": "booked"}),
        json!({"status": "done", "customer": "guessed"}),
        json!({"status": "done", "name": "event-main-evt_2"}),
        json!({"status": "done", "opened": -1}),
    ] {
        assert_eq!(outcome(&given), Err(NotReady::ActionMissing), "{given}");
    }
    let none = json!({"protocol": 3, "action": "record", "version": actions::VERSION, "database": "u", "items": []});
    assert_eq!(record::answer(enveloped(&none), &[event("evt_1")]), Err(NotReady::ActionMissing));
    let other = json!({"protocol": 3, "action": "book", "version": actions::VERSION, "database": "u", "items": []});
    assert_eq!(record::answer(enveloped(&other), &[]), Err(NotReady::ActionMissing));
}
