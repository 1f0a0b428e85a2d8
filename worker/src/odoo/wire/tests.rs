//! Questions and their answers, as `worker/actions/README.md` shows them. What is performed:
//! `perform_tests`.

use concilia_shared::money::{Currency, Money};
use serde_json::json;

use super::*;
use crate::domain::observe::{InOdoo, Lookup, News, NewsQuery, Probe, Reference};

pub(super) fn name(text: &str) -> PaymentName {
    PaymentName::parse(text).unwrap()
}

fn lookup() -> Lookup {
    Lookup {
        names: vec![name("chk_1"), name("payment-pay_1")],
        carried: vec!["chk_1".to_owned(), "pay_1".to_owned()],
        probes: vec![Probe {
            path: "external_id".to_owned(),
            field: "client_order_ref".to_owned(),
            value: "1001".to_owned(),
        }],
        ..Lookup::default()
    }
}

pub(super) fn booked() -> Value {
    json!({"name": "chk_1", "provider_reference": "chk_1", "refunds": [], "refunded": "0", "transaction": "chk_1", "state": "done", "amount": "15990", "currency": "CLP", "company_id": 1,
           "payment": "PBNK1/2026/00001", "date": "2026-11-22", "orders": ["S00042"], "invoices": [invoice()], "credit": "0"})
}

pub(super) fn invoice() -> Value {
    json!({"id": 9, "name": "FAC 000001", "type": "out_invoice", "state": "posted", "payment_state": "paid",
           "company_id": 1, "currency": "CLP", "total": "15990", "residual": "0", "payments": 1})
}

pub(super) fn order() -> Value {
    let transaction = json!({"reference": "S00042-1", "provider_reference": false, "ours": false, "state": "authorized",
                             "amount": "15990", "currency": "UF", "company_id": 1});
    json!({"id": 42, "name": "S00042", "state": "sale", "company_id": 1, "currency": "CLP", "total": "15990",
           "transactions": [transaction], "invoices": [invoice()]})
}

/// The answer of *observe* to [`lookup`], with `changes` laid over it.
fn observed(changes: &Value) -> Value {
    let mut answer = json!({
        "protocol": actions::PROTOCOL, "action": "observe", "version": actions::VERSION, "database": "uuid-1",
        "actions": {"observe": actions::OBSERVE.sha256(), "book": actions::BOOK.sha256(),
                    "refund": actions::REFUND.sha256(), "record": false},
        "provider": {"id": 7, "state": "test", "ready": true},
        "items": [{"name": "chk_1", "booked": false, "transactions": [], "candidates": [], "invoices": [], "probes": [
            {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": [order()]}]}],
        "news": false,
    });
    for (key, value) in changes.as_object().unwrap() {
        answer[key] = value.clone();
    }
    enveloped(&answer)
}

pub(super) fn enveloped(answer: &Value) -> Value {
    json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}})
}

fn read_one(changes: &Value) -> Result<InOdoo, NotReady> {
    let mut told = observe::answer(observed(changes), &[lookup()], None)?;
    Ok(told.answer.remove(0))
}

fn reference(path: &str, value: &str) -> Reference {
    Reference { path: path.to_owned(), value: value.to_owned() }
}

fn candidate(reference: &str, found_by: &Value) -> Value {
    json!({"id": 5, "found_by": found_by, "reference": reference, "provider_reference": false, "ours": true,
           "state": "draft", "amount": "15990", "currency": "CLP", "company_id": 1,
           "orders": [order()], "invoices": [invoice()]})
}

#[test]
fn the_question_is_the_documented_one() {
    let lookup = Lookup {
        references: vec![reference("metadata.reference", "S00042")],
        domain: Some(r#"[["team_id", "=", 3]]"#.to_owned()),
        ..lookup()
    };
    assert_eq!(
        observe::request(1, &[lookup]).unwrap(),
        json!({"protocol": actions::PROTOCOL, "company_id": 1, "items": [
            {"name": "chk_1", "aliases": ["payment-pay_1"], "carried": ["chk_1", "pay_1"],
             "references": [{"value": "S00042"}], "domain": [["team_id", "=", 3]],
             "probes": [{"field": "client_order_ref", "value": "1001"}], "invoice_probes": []}]})
    );
    let nothing = json!({"protocol": actions::PROTOCOL, "company_id": 1, "items": []});
    assert_eq!(observe::request(1, &[]).unwrap(), nothing);
}

#[test]
fn a_domain_that_does_not_read_pauses_the_account() {
    let lookup = Lookup { domain: Some("team_id = 3".to_owned()), ..lookup() };
    let why = observe::request(1, &[lookup]).unwrap_err();
    assert!(matches!(why, NotReady::Misconfigured { .. }), "{why:?}");
}

#[test]
fn orders_arrive_with_their_invoices_and_transactions() {
    let told = observe::answer(observed(&json!({})), &[lookup()], None).unwrap();
    assert_eq!(told.database, "uuid-1");
    let seen = &told.answer[0];
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
    let items = json!([{"name": "chk_1", "booked": booked(), "transactions": [], "candidates": [], "invoices": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": true, "orders": []}]}]);
    let seen = read_one(&json!({"items": items})).unwrap();
    let booking = seen.booked.unwrap();
    assert_eq!(booking.amount, Money::new(15_990, Currency::Clp));
    assert_eq!(booking.date, Some("2026-11-22".parse().unwrap()));
    assert_eq!((seen.booked_company_id, seen.booked_state.as_deref()), (Some(1), Some("done")));
    assert!(seen.probes[0].unknown_field);
}

#[test]
fn what_is_booked_in_uf_is_clf_and_says_under_which_name_it_was_booked() {
    let mut row = booked();
    row["amount"] = json!("2.50");
    row["currency"] = json!("UF");
    row["name"] = json!("payment-pay_1");
    row["provider_reference"] = json!("chk_2");
    row["refunds"] = json!([
        {"transaction": "chk_2-refund-after-0", "amount": "1.00", "payment": "PBNK1/2026/00002", "date": "2026-11-23"},
        {"transaction": "R-1", "amount": "0.50", "payment": false, "date": false}]);
    let items = json!([{"name": "chk_1", "booked": row, "transactions": [], "candidates": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}], "invoices": []}]);
    let seen = read_one(&json!({"items": items})).unwrap();
    assert_eq!(seen.booked.as_ref().unwrap().amount, Money::new(25_000, Currency::Clf));
    assert_eq!(seen.booked_name.as_deref(), Some("chk_2"));
    assert_eq!(seen.booked_currency.as_deref(), Some("UF"));
    assert_eq!(seen.refunded(Currency::Clf), Some(Money::new(15_000, Currency::Clf)));
    assert_eq!(seen.refunds[1].payment, None);
}

#[test]
fn a_booking_is_told_by_the_name_it_was_booked_under() {
    let table = [
        // What it carries, found by, booked under.
        (json!("chk_1"), "payment-pay_1", "chk_1"),
        (json!("pay_1"), "chk_1", "payment-pay_1"),
        (json!("chk_9"), "payment-pay_1", "chk_9"),
        (json!("pay_9"), "payment-pay_1", "payment-pay_1"),
        (json!("S00042-1"), "chk_1", "chk_1"),
        (json!(false), "payment-pay_1", "payment-pay_1"),
    ];
    for (carried, found, expected) in table {
        let mut row = booked();
        row["provider_reference"] = carried.clone();
        row["name"] = json!(found);
        let items = json!([{"name": "chk_1", "booked": row, "transactions": [], "candidates": [], "probes": [
            {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}], "invoices": []}]);
        let seen = read_one(&json!({"items": items})).unwrap();
        assert_eq!(seen.booked_name.as_deref(), Some(expected), "{carried} found by {found}");
    }
}

#[test]
fn invoices_arrive_with_the_transactions_they_are_linked_to_in_the_order_asked() {
    let probe = |field: &str| Probe {
        path: "external_id".to_owned(),
        field: field.to_owned(),
        value: "F".to_owned(),
    };
    let lookup = Lookup {
        probes: Vec::new(),
        invoice_probes: vec![probe("name"), probe("ref")],
        ..lookup()
    };
    let mut found = invoice();
    found["partner"] = json!("Ana");
    found["transactions"] = order()["transactions"].clone();
    let invoices = json!([{"field": "name", "value": "F", "invoices": []}, {"field": "ref", "value": "F", "invoices": [found]}]);
    let items = json!([{"name": "chk_1", "booked": false, "transactions": [], "candidates": [], "probes": [], "invoices": invoices}]);
    let told =
        observe::answer(observed(&json!({"items": items})), std::slice::from_ref(&lookup), None)
            .unwrap();
    let seen = &told.answer[0].invoices;
    assert_eq!((seen[0].invoices.len(), &seen[1].probe), (0, &probe("ref")));
    assert_eq!((seen[1].invoices[0].0.id, seen[1].invoices[0].1.len()), (9, 1));
    let other = json!([{"name": "chk_1", "booked": false, "transactions": [], "candidates": [], "probes": [], "invoices": []}]);
    let why = observe::answer(observed(&json!({"items": other})), &[lookup], None).unwrap_err();
    assert_eq!(why, NotReady::ActionMissing);
}

#[test]
fn an_amount_that_cannot_be_held_exactly_pauses_the_account() {
    for (amount, currency) in [("2.50", "UTM"), ("2.50001", "UF"), ("15990.5", "CLP"), ("x", "CLP")]
    {
        let mut row = booked();
        row["amount"] = json!(amount);
        row["currency"] = json!(currency);
        let items = json!([{"name": "chk_1", "booked": row, "transactions": [], "candidates": [], "invoices": [], "probes": [
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
    let ours = || {
        json!({"observe": actions::OBSERVE.sha256(), "book": actions::BOOK.sha256(),
               "refund": actions::REFUND.sha256(), "record": actions::RECORD.sha256(),
               "invoice": actions::INVOICE.sha256()})
    };
    let text = |name: &str, stored: Value| {
        let mut texts = ours();
        texts[name] = stored;
        json!({"actions": texts})
    };
    let table = [
        (json!({"provider": false}), NotReady::NoProvider),
        (provider("test", false), NotReady::NoProvider),
        (provider("disabled", false), NotReady::ProviderDisabled),
        (text("book", json!(false)), NotReady::ActionMissing),
        (text("refund", json!(false)), NotReady::ActionMissing),
        (text("observe", json!("00")), NotReady::ActionDiffers),
        (text("book", json!("00")), NotReady::ActionDiffers),
        (text("refund", json!("00")), NotReady::ActionDiffers),
        (json!({"version": "1"}), NotReady::ActionDiffers),
        (json!({"protocol": 1}), NotReady::ActionDiffers),
        (json!({"action": "book"}), NotReady::ActionMissing),
        (json!({"items": []}), NotReady::ActionMissing),
        (json!({"items": [{"name": "chk_2"}]}), NotReady::ActionMissing),
        (json!({"provider": true}), NotReady::ActionMissing),
    ];
    for (changes, expected) in table {
        assert_eq!(read_one(&changes).unwrap_err(), expected, "{changes}");
    }
    // What records and what makes invoices is no payment: without it payments are booked.
    for (action, stored) in [("record", json!(false)), ("record", json!("00"))]
        .into_iter()
        .chain([("invoice", json!(false)), ("invoice", json!("00"))])
    {
        assert!(read_one(&text(action, stored)).is_ok());
    }
}

#[test]
fn an_answer_about_something_else_is_not_believed() {
    let other_name = json!([{"name": "chk_2", "booked": false, "transactions": [], "candidates": [], "invoices": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}]}]);
    let other_probe = json!([{"name": "chk_1", "booked": false, "transactions": [], "candidates": [], "invoices": [], "probes": [
        {"field": "origin", "value": "1001", "unknown_field": false, "orders": []}]}]);
    for items in [other_name, other_probe] {
        assert_eq!(read_one(&json!({"items": items})).unwrap_err(), NotReady::ActionMissing);
    }
    for result in
        [json!(false), json!(null), json!({"type": "ir.actions.client"}), enveloped(&json!([]))]
    {
        assert_eq!(
            observe::answer(result, &[lookup()], None).unwrap_err(),
            NotReady::ActionMissing
        );
    }
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
        let read = observe::answer(answer(state), &[lookup()], Some(environment));
        match read {
            Ok(_) => assert!(expected, "{state} {environment:?} was believed"),
            Err(why) => {
                assert!(!expected, "{state} {environment:?}: {why:?}");
                assert_eq!(why, NotReady::ProviderDiffers { state: state.to_owned() });
            }
        }
    }
}

/// The candidates an answer tells of a lookup for the references `A` and `B`.
fn candidates(rows: &Value) -> Result<InOdoo, NotReady> {
    let asked = vec![reference("metadata.a", "A"), reference("metadata.b", "B")];
    let lookup = Lookup { references: asked, ..lookup() };
    let items = json!([{"name": "chk_1", "booked": false, "transactions": [], "candidates": rows, "invoices": [], "probes": [
        {"field": "client_order_ref", "value": "1001", "unknown_field": false, "orders": []}]}]);
    let mut told = observe::answer(observed(&json!({"items": items})), &[lookup], None)?;
    Ok(told.answer.remove(0))
}

#[test]
fn candidates_arrive_with_their_documents_and_the_path_they_were_found_by() {
    let rows = json!([candidate("X", &json!("checkout")), candidate("B", &json!(1))]);
    let seen = candidates(&rows).unwrap();
    let found: Vec<&str> = seen.candidates.iter().map(|one| one.found_by.as_str()).collect();
    assert_eq!(found, ["checkout", "metadata.b"]);
    let second = &seen.candidates[1];
    assert_eq!((second.id, second.transaction.state.as_str()), (5, "draft"));
    assert_eq!((second.orders.len(), second.invoices[0].id), (1, 9));
}

#[test]
fn a_candidate_found_by_what_nobody_asked_is_not_believed() {
    for row in [
        candidate("A", &json!(1)),
        candidate("C", &json!(2)),
        candidate("A", &json!("reference")),
        candidate("A", &json!(false)),
    ] {
        assert_eq!(candidates(&json!([row])).unwrap_err(), NotReady::ActionMissing, "{row}");
    }
}

fn news(row: &Value) -> Result<News, NotReady> {
    let answer = observed(&json!({"items": [], "news": row}));
    news::answer(answer, None).map(|told| told.answer)
}

#[test]
fn news_are_asked_and_told_by_odoo_s_own_clock() {
    let query = NewsQuery {
        since: "2026-11-23T15:00:00.9Z".parse().unwrap(),
        fields: vec!["client_order_ref".to_owned()],
        domain: None,
    };
    assert_eq!(
        news::request(1, &query).unwrap(),
        json!({"protocol": actions::PROTOCOL, "company_id": 1, "items": [], "news": {
            "since": "2026-11-23 15:00:00", "fields": ["client_order_ref"], "domain": []}})
    );
    let told = news(&json!({"until": "2026-11-23 15:00:30", "values": ["S00042", "1001"],
                            "credits": ["chk_1", "somebody else's"], "more": true}));
    let expected = News {
        until: Some("2026-11-23T15:00:30Z".parse().unwrap()),
        values: vec!["S00042".to_owned(), "1001".to_owned()],
        credits: vec![name("chk_1")],
        more: true,
    };
    assert_eq!(told, Ok(expected));
}

#[test]
fn news_that_were_asked_for_must_be_told() {
    let time = json!({"until": "yesterday", "values": [], "credits": [], "more": false});
    for row in [json!(false), json!({"values": []}), time] {
        assert_eq!(news(&row), Err(NotReady::ActionMissing), "{row}");
    }
}
