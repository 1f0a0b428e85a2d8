//! Requests and answers, as `worker/actions/README.md` shows them.

use concilia_shared::id::CheckoutId;

use super::*;
use crate::domain::observe::Probe;

fn checkout(id: &str) -> CheckoutId {
    CheckoutId::parse(id).unwrap()
}

fn lookup() -> Lookup {
    Lookup {
        checkout: checkout("chk_1"),
        probes: vec![Probe {
            path: "external_id".to_owned(),
            field: "client_order_ref".to_owned(),
            value: "1001".to_owned(),
        }],
    }
}

fn booked() -> Value {
    json!({"transaction": "chk_1", "state": "done", "amount": "15990", "currency": "CLP", "company_id": 1,
           "payment": "PBNK1/2026/00001", "date": "2026-11-22", "orders": ["S00042"], "invoices": [invoice()]})
}

fn invoice() -> Value {
    json!({"id": 9, "name": "FAC 000001", "type": "out_invoice", "state": "posted", "payment_state": "paid",
           "company_id": 1, "currency": "CLP", "total": "15990", "residual": "0", "payments": 1})
}

fn order() -> Value {
    let transaction = json!({"reference": "S00042-1", "provider_reference": false, "ours": false, "state": "authorized",
                             "amount": "15990", "currency": "UF", "company_id": 1});
    json!({"id": 42, "name": "S00042", "state": "sale", "company_id": 1, "currency": "CLP", "total": "15990",
           "transactions": [transaction], "invoices": [invoice()]})
}

/// The answer of *observe* to [`lookup`], with `changes` laid over it.
fn observed(changes: &Value) -> Value {
    let mut answer = json!({
        "protocol": 1, "action": "observe", "version": actions::VERSION, "database": "uuid-1",
        "actions": {"observe": actions::OBSERVE.sha256(), "book": actions::BOOK.sha256()},
        "provider": {"id": 7, "state": "test", "ready": true},
        "items": [{"name": "chk_1", "booked": false, "transactions": [], "probes": [
            {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": [order()]}]}],
    });
    for (key, value) in changes.as_object().unwrap() {
        answer[key] = value.clone();
    }
    enveloped(&answer)
}

fn enveloped(answer: &Value) -> Value {
    json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}})
}

fn read_one(changes: &Value) -> Result<InOdoo, NotReady> {
    let mut told = read_observe(observed(changes), &[lookup()], None)?;
    Ok(told.items.remove(0))
}

#[test]
fn the_question_is_the_documented_one() {
    let domain = [json!(["team_id", "=", 3])];
    assert_eq!(
        observe_request(1, &domain, &[lookup()]),
        json!({"protocol": 1, "company_id": 1, "domain": [["team_id", "=", 3]],
               "items": [{"name": "chk_1", "probes": [{"field": "client_order_ref", "value": "1001"}]}]})
    );
}

#[test]
fn orders_arrive_with_their_invoices_and_transactions() {
    let told = read_observe(observed(&json!({})), &[lookup()], None).unwrap();
    assert_eq!(told.database, "uuid-1");
    let seen = &told.items[0];
    assert_eq!((&seen.booked, seen.booked_company_id, &seen.booked_state), (&None, None, &None));
    let found = &seen.probes[0];
    assert_eq!(found.probe, lookup().probes[0]);
    let order = &found.orders[0];
    assert_eq!((order.id, order.total.as_str(), order.state.as_str()), (42, "15990", "sale"));
    assert_eq!((order.invoices[0].kind.as_str(), order.invoices[0].payments), ("out_invoice", 1));
    let transaction = &order.transactions[0];
    assert_eq!((&transaction.provider_reference, transaction.currency.as_str()), (&None, "UF"));
}

#[test]
fn what_stands_under_our_name_is_read_in_minor_units() {
    let items = json!([{"name": "chk_1", "booked": booked(), "transactions": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": true, "orders": []}]}]);
    let seen = read_one(&json!({"items": items})).unwrap();
    let booking = seen.booked.unwrap();
    assert_eq!(booking.amount, Money::new(15_990, Currency::Clp));
    assert_eq!(booking.date, Some("2026-11-22".parse().unwrap()));
    assert_eq!((seen.booked_company_id, seen.booked_state.as_deref()), (Some(1), Some("done")));
    assert!(seen.probes[0].unknown_field);
}

#[test]
fn an_amount_that_cannot_be_held_exactly_pauses_the_account() {
    for (amount, currency) in [("2.50", "UF"), ("15990.5", "CLP"), ("x", "CLP")] {
        let mut row = booked();
        row["amount"] = json!(amount);
        row["currency"] = json!(currency);
        let items = json!([{"name": "chk_1", "booked": row, "transactions": [], "probes": [
            {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}]}]);
        let why = read_one(&json!({"items": items})).unwrap_err();
        assert!(
            matches!(&why, NotReady::Misconfigured { detail } if detail.contains(amount)),
            "{why:?}"
        );
    }
}

#[test]
fn an_account_that_cannot_book_is_told_why() {
    let provider =
        |state: &str, ready: bool| json!({"provider": {"id": 7, "state": state, "ready": ready}});
    let texts =
        |observe: Value, book: Value| json!({"actions": {"observe": observe, "book": book}});
    let (observe, book) = (json!(actions::OBSERVE.sha256()), json!(actions::BOOK.sha256()));
    let table = [
        (json!({"provider": false}), NotReady::NoProvider),
        (provider("test", false), NotReady::NoProvider),
        (provider("disabled", false), NotReady::ProviderDisabled),
        (texts(observe.clone(), json!(false)), NotReady::ActionMissing),
        (texts(observe, json!("00")), NotReady::ActionDiffers),
        (texts(json!("00"), book), NotReady::ActionDiffers),
        (json!({"version": "0"}), NotReady::ActionDiffers),
        (json!({"protocol": 2}), NotReady::ActionDiffers),
        (json!({"action": "book"}), NotReady::ActionMissing),
        (json!({"items": []}), NotReady::ActionMissing),
        (json!({"items": [{"name": "chk_2"}]}), NotReady::ActionMissing),
        (json!({"provider": true}), NotReady::ActionMissing),
    ];
    for (changes, expected) in table {
        assert_eq!(read_one(&changes).unwrap_err(), expected, "{changes}");
    }
}

#[test]
fn an_answer_about_something_else_is_not_believed() {
    let other_name = json!([{"name": "chk_2", "booked": false, "transactions": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}]}]);
    let other_probe = json!([{"name": "chk_1", "booked": false, "transactions": [], "probes": [
        {"field": "origin", "value": "1001", "unknown_field": false, "orders": []}]}]);
    for items in [other_name, other_probe] {
        assert_eq!(read_one(&json!({"items": items})).unwrap_err(), NotReady::ActionMissing);
    }
    for result in
        [json!(false), json!(null), json!({"type": "ir.actions.client"}), enveloped(&json!([]))]
    {
        assert_eq!(read_observe(result, &[lookup()], None).unwrap_err(), NotReady::ActionMissing);
    }
}

fn booking() -> Book {
    let order = serde_json::from_value::<OrderRow>(order()).unwrap().into_domain();
    Book {
        checkout: checkout("chk_1"),
        amount: Money::new(15_990, Currency::Clp),
        date: "2026-11-22".parse().unwrap(),
        order,
        currency: "CLP".to_owned(),
        invoices: vec![(9, "15990".to_owned())],
        confirm: false,
    }
}

/// What comes of an item that was answered so; what is not given is `false`.
fn outcome(given: &Value) -> Result<BookOutcome, NotReady> {
    let mut item = json!({"name": "chk_1", "why": false, "detail": false, "booking": false});
    for (key, value) in given.as_object().unwrap() {
        item[key] = value.clone();
    }
    let answer = json!({"protocol": 1, "action": "book", "version": actions::VERSION, "database": "uuid-1",
                        "items": [item]});
    let mut told = read_book(enveloped(&answer), &[booking()])?;
    Ok(told.items.remove(0))
}

#[test]
fn the_order_to_book_is_the_documented_one() {
    assert_eq!(
        book_request(1, &[booking()]),
        json!({"protocol": 1, "company_id": 1, "items": [
            {"name": "chk_1", "amount": "15990", "currency": "CLP", "date": "2026-11-22", "confirm": false,
             "order": {"id": 42, "name": "S00042", "total": "15990", "state": "sale"},
             "invoices": [{"id": 9, "residual": "15990"}]}]})
    );
}

#[test]
fn each_status_becomes_its_outcome() {
    let stands = outcome(&json!({"status": "booked", "booking": booked()})).unwrap();
    let BookOutcome::Booked(booking) = stands else { panic!("{stands:?}") };
    assert_eq!(booking.invoices[0].name, "FAC 000001");
    let refused = |why: &str, detail: &str| BookOutcome::Refused {
        why: why.to_owned(),
        detail: detail.to_owned(),
    };
    let table = [
        (json!({"status": "already", "booking": booked()}), BookOutcome::Already(booking)),
        (
            json!({"status": "changed", "why": "order_total"}),
            BookOutcome::Changed { what: "order_total".to_owned() },
        ),
        (json!({"status": "again", "why": "race"}), BookOutcome::Again),
        (json!({"status": "refused", "why": "above_document"}), refused("above_document", "")),
        (
            json!({"status": "failed", "why": "odoo", "detail": "No journal."}),
            refused("odoo", "No journal."),
        ),
    ];
    for (given, expected) in table {
        assert_eq!(outcome(&given), Ok(expected), "{given}");
    }
}

#[test]
fn a_fence_of_the_account_is_no_verdict_on_the_payment() {
    let refused = |why: &str| outcome(&json!({"status": "refused", "why": why}));
    assert_eq!(refused("no_provider"), Err(NotReady::NoProvider));
    assert_eq!(refused("not_ready"), Err(NotReady::NoProvider));
    assert_eq!(refused("provider_disabled"), Err(NotReady::ProviderDisabled));
}

#[test]
fn a_status_nobody_documented_is_not_guessed_at() {
    for given in [json!({"status": "done", "booking": booked()}), json!({"status": "booked"})] {
        assert_eq!(outcome(&given), Err(NotReady::ActionMissing), "{given}");
    }
    let other = json!({"protocol": 1, "action": "book", "version": actions::VERSION, "database": "u", "items": []});
    assert_eq!(read_book(enveloped(&other), &[booking()]), Err(NotReady::ActionMissing));
}

#[test]
fn a_document_without_a_name_has_odoo_s_sign_for_it() {
    let mut row = booked();
    row["invoices"][0]["name"] = json!(false);
    let outcome = outcome(&json!({"status": "booked", "booking": row})).unwrap();
    let BookOutcome::Booked(booking) = outcome else { panic!("{outcome:?}") };
    assert_eq!(booking.invoices[0].name, "/");
}

#[test]
fn a_provider_of_the_other_environment_is_not_booked_into() {
    use concilia_shared::config::Environment::{Live, Test};
    let answer =
        |state: &str| observed(&json!({"provider": {"id": 7, "state": state, "ready": true}}));
    for (state, environment, expected) in [
        ("test", Test, true),
        ("enabled", Live, true),
        ("enabled", Test, false),
        ("test", Live, false),
    ] {
        let read = read_observe(answer(state), &[lookup()], Some(environment));
        match read {
            Ok(_) => assert!(expected, "{state} {environment:?} was believed"),
            Err(why) => {
                assert!(!expected, "{state} {environment:?}: {why:?}");
                assert_eq!(why, NotReady::ProviderDiffers { state: state.to_owned() });
            }
        }
    }
}
