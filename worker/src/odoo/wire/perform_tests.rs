//! What is performed and what came of it, as `worker/actions/README.md` shows them.

use concilia_shared::money::{Currency, Money};
use serde_json::json;

use super::rows::{InvoiceRow, OrderRow};
use super::tests::{booked, enveloped, invoice, name, order};
use super::*;
use crate::domain::observe::{
    Accepted, Book, Cancel, Candidate, Command, Confirm, MakeInvoice, Outcome, PayInvoice, Refund,
    Transaction,
};
use crate::domain::record::Customer;

fn book() -> Command {
    let order = serde_json::from_value::<OrderRow>(order()).unwrap().into_domain();
    Command::Book(Box::new(Book {
        names: vec![name("chk_1"), name("payment-pay_1")],
        amount: Money::new(15_990, Currency::Clp),
        date: "2026-11-22".parse().unwrap(),
        order,
        currency: "CLP".to_owned(),
        invoices: vec![(9, "15990".to_owned())],
        confirm: false,
        accepted: Accepted::default(),
    }))
}

fn confirm() -> Command {
    let transaction = Transaction {
        reference: "S00042-1".to_owned(),
        provider_reference: None,
        ours: true,
        state: "pending".to_owned(),
        amount: "15990".to_owned(),
        currency: "CLP".to_owned(),
        company_id: 1,
    };
    Command::Confirm(Box::new(Confirm {
        names: vec![name("chk_1"), name("payment-pay_1")],
        amount: Money::new(15_990, Currency::Clp),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        candidate: Candidate {
            id: 5,
            found_by: "checkout".to_owned(),
            transaction,
            orders: vec![serde_json::from_value::<OrderRow>(order()).unwrap().into_domain()],
            invoices: vec![serde_json::from_value::<InvoiceRow>(invoice()).unwrap().into_domain()],
        },
        accepted: Accepted { amount: false, paid: true },
    }))
}

fn cancel() -> Command {
    Command::Cancel(Box::new(Cancel {
        name: name("chk_1"),
        id: 5,
        reference: "S00042-1".to_owned(),
        state: "draft".to_owned(),
        message: "Canceled at Ventipay.".to_owned(),
    }))
}

fn complete() -> Command {
    Command::Complete { name: name("chk_1") }
}

/// What comes of a command that was answered so; what is not given is `false`.
fn answered(command: &Command, given: &Value) -> Result<Outcome, NotReady> {
    let mut item = json!({"name": "chk_1", "why": false, "detail": false, "booking": false, "transaction": false});
    for (key, value) in given.as_object().unwrap() {
        item[key] = value.clone();
    }
    let action = perform::action(command);
    let answer = json!({"protocol": actions::PROTOCOL, "action": action.kind, "version": actions::VERSION,
                        "database": "uuid-1", "items": [item]});
    let mut told = perform::answer(enveloped(&answer), &action, &[command])?;
    Ok(told.answer.remove(0))
}

fn outcome(given: &Value) -> Result<Outcome, NotReady> {
    answered(&book(), given)
}

#[test]
fn what_is_to_be_performed_is_written_as_documented() {
    assert_eq!(
        perform::request(1, &[&book(), &confirm(), &cancel(), &complete()]),
        json!({"protocol": actions::PROTOCOL, "company_id": 1, "items": [
            {"kind": "book", "name": "chk_1", "aliases": ["payment-pay_1"], "amount": "15990", "currency": "CLP", "date": "2026-11-22",
             "confirm": false, "accepted": [],
             "order": {"id": 42, "name": "S00042", "total": "15990", "state": "sale"},
             "invoices": [{"id": 9, "residual": "15990"}]},
            {"kind": "confirm", "name": "chk_1", "aliases": ["payment-pay_1"], "amount": "15990", "currency": "CLP", "date": "2026-11-22",
             "accepted": ["paid"], "transaction": {"id": 5, "reference": "S00042-1", "state": "pending"},
             "orders": [{"id": 42, "name": "S00042", "total": "15990", "state": "sale"}],
             "invoices": [{"id": 9, "residual": "0"}]},
            {"kind": "cancel", "name": "chk_1", "message": "Canceled at Ventipay.",
             "transaction": {"id": 5, "reference": "S00042-1", "state": "draft"}},
            {"kind": "complete", "name": "chk_1"}]})
    );
}

fn refund(currency: Currency, named: &str) -> Command {
    Command::Refund(Box::new(Refund {
        name: "chk_1-refund-after-10000".to_owned(),
        of: vec![name("chk_1"), name("payment-pay_1")],
        after: Money::new(10_000, currency),
        amount: Money::new(5_000, currency),
        date: "2026-11-22".parse().unwrap(),
        currency: named.to_owned(),
        draft_credit_note: false,
        dispute: None,
    }))
}

#[test]
fn a_refund_says_what_it_is_of_and_what_it_follows() {
    let request = perform::request(1, &[&refund(Currency::Clf, "UF")]);
    let item = &request["items"][0];
    let of = (&item["of"], &item["aliases_of"], &item["credit_note"]);
    assert_eq!(of, (&json!("chk_1"), &json!(["payment-pay_1"]), &json!("activity")));
    assert_eq!((&item["after"], &item["amount"]), (&json!("1.00"), &json!("0.50")));
    assert!(item["summary"].as_str().unwrap().contains("nota de crédito"), "{item}");
    let clp = perform::request(1, &[&refund(Currency::Clp, "CLP")]);
    assert_eq!(clp["items"][0]["after"], "10000");
}

#[test]
fn what_a_lost_dispute_took_back_asks_for_no_credit_note() {
    let Command::Refund(mut refund) = refund(Currency::Clp, "CLP") else { panic!("no refund") };
    refund.name = "chk_1-dispute-dp_1".to_owned();
    refund.dispute = crate::domain::name::ObjectId::parse("dp_1");
    let request = perform::request(1, &[&Command::Refund(refund)]);
    let item = &request["items"][0];
    assert_eq!(
        (&item["name"], &item["credit_note"]),
        (&json!("chk_1-dispute-dp_1"), &json!("none"))
    );
    for text in ["summary", "note"].map(|key| item[key].as_str().unwrap()) {
        assert!(!text.contains("crédito") && text.to_lowercase().contains("disputa"), "{text}");
    }
}

#[test]
fn a_refund_that_is_entered_or_was_before_comes_back_with_its_payment() {
    let row = json!({"transaction": "chk_1-refund-after-10000", "amount": "5000", "payment": "PBNK1/2026/00002",
                     "date": "2026-11-22", "credit_note": "/"});
    for status in ["booked", "already"] {
        let given = json!({"name": "chk_1-refund-after-10000", "status": status, "booking": booked(), "refund": row});
        let outcome = answered(&refund(Currency::Clp, "CLP"), &given).unwrap();
        let Outcome::Refunded(refund, booking) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refund.refunded, Money::new(15_000, Currency::Clp));
        assert_eq!(
            (refund.credit_note.as_deref(), booking.transaction.as_str()),
            (Some("/"), "chk_1")
        );
    }
    let given =
        json!({"name": "chk_1-refund-after-10000", "status": "booked", "booking": booked()});
    let why = answered(&refund(Currency::Clp, "CLP"), &given).unwrap_err();
    assert_eq!(why, NotReady::ActionMissing, "entered, but nobody says what");
}

#[test]
fn a_failed_payment_and_a_paid_invoice_are_written_as_documented() {
    let Command::Cancel(cancel) = cancel() else { panic!("not a cancel") };
    let invoice = serde_json::from_value::<InvoiceRow>(invoice()).unwrap().into_domain();
    let pay = Command::PayInvoice(Box::new(PayInvoice {
        names: vec![name("payment-pay_2"), name("invoice-in_1")],
        amount: Money::new(15_990, Currency::Clp),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        invoice,
        accepted: Accepted::default(),
    }));
    assert_eq!(
        perform::request(1, &[&Command::Fail(cancel.clone()), &pay])["items"],
        json!([
            {"kind": "fail", "name": "chk_1", "message": "Canceled at Ventipay.",
             "transaction": {"id": 5, "reference": "S00042-1", "state": "draft"}},
            {"kind": "pay_invoice", "name": "payment-pay_2", "aliases": ["invoice-in_1"], "amount": "15990",
             "currency": "CLP", "date": "2026-11-22", "accepted": [],
             "invoice": {"id": 9, "name": "FAC 000001", "total": "15990", "residual": "0", "state": "posted"}}])
    );
    let failed = json!({"status": "errored", "transaction": "S00042-1"});
    let outcome = answered(&Command::Fail(cancel), &failed).unwrap();
    assert_eq!(outcome, Outcome::Failed { transaction: "S00042-1".to_owned() });
}

fn make_invoice() -> Command {
    Command::MakeInvoice(Box::new(MakeInvoice {
        invoice: crate::domain::name::ObjectId::parse("in_1").unwrap(),
        customer: Customer { email: Some("ana@example.com".to_owned()), ..Customer::default() },
        product: "PLAN".to_owned(),
        amount: Money::new(15_990, Currency::Clp),
        currency: "CLP".to_owned(),
        date: "2026-11-22".parse().unwrap(),
        post: true,
    }))
}

#[test]
fn an_invoice_to_make_is_written_as_documented_and_what_came_of_it_is_read() {
    assert_eq!(perform::action(&make_invoice()), actions::INVOICE);
    assert_eq!(
        perform::request(1, &[&make_invoice()])["items"],
        json!([
            {"kind": "make_invoice", "name": "made-invoice-in_1", "id": "in_1", "product": "PLAN", "amount": "15990",
             "currency": "CLP", "date": "2026-11-22", "post": true,
             "customer": {"id": false, "rut": false, "email": "ana@example.com", "name": false, "create": false}}])
    );
    let made = |invoice: &str| Ok(Outcome::InvoiceMade { invoice: invoice.to_owned() });
    let mut unnamed = invoice();
    unnamed["name"] = json!(false);
    let table = [
        (json!({"status": "made", "invoice": invoice()}), made("FAC 000001")),
        (json!({"status": "already", "invoice": unnamed}), made("/")),
        (json!({"status": "no_customer"}), Ok(Outcome::WhoseUnclear { ambiguous: false })),
        (json!({"status": "ambiguous_customer"}), Ok(Outcome::WhoseUnclear { ambiguous: true })),
        (json!({"status": "again", "why": "race"}), Ok(Outcome::Again)),
        (json!({"status": "refused", "why": "no_provider"}), Err(NotReady::NoProvider)),
        (json!({"status": "made"}), Err(NotReady::ActionMissing)),
        (json!({"status": "booked", "booking": booked()}), Err(NotReady::ActionMissing)),
    ];
    for (given, expected) in table {
        let mut item =
            json!({"name": "made-invoice-in_1", "why": false, "detail": false, "invoice": false});
        for (key, value) in given.as_object().unwrap() {
            item[key] = value.clone();
        }
        let answer = json!({"protocol": actions::PROTOCOL, "action": "invoice", "version": actions::VERSION,
                            "database": "uuid-1", "items": [item]});
        let told = perform::answer(enveloped(&answer), &actions::INVOICE, &[&make_invoice()]);
        assert_eq!(told.map(|mut told| told.answer.remove(0)), expected, "{given}");
    }
}

#[test]
fn each_status_becomes_its_outcome() {
    let stands = outcome(&json!({"status": "booked", "booking": booked()})).unwrap();
    let Outcome::Booked(booking) = stands else { panic!("{stands:?}") };
    assert_eq!(booking.invoices[0].name, "FAC 000001");
    assert_eq!(booking.credit.as_deref(), Some("0"));
    let refused = |why: &str, detail: &str| Outcome::Refused {
        why: why.to_owned(),
        detail: detail.to_owned(),
    };
    let table = [
        (json!({"status": "already", "booking": booked()}), Outcome::Already(booking)),
        (
            json!({"status": "changed", "why": "order_total"}),
            Outcome::Changed { what: "order_total".to_owned() },
        ),
        (json!({"status": "again", "why": "race"}), Outcome::Again),
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
    let other = json!({"protocol": actions::PROTOCOL, "action": "book", "version": actions::VERSION, "database": "u", "items": []});
    let told = perform::answer(enveloped(&other), &actions::BOOK, &[&book()]);
    assert_eq!(told, Err(NotReady::ActionMissing));
    let named = json!({"status": "again", "name": "chk_2"});
    assert_eq!(outcome(&named), Err(NotReady::ActionMissing));
}

#[test]
fn a_document_without_a_name_has_odoo_s_sign_for_it() {
    let mut row = booked();
    row["invoices"][0]["name"] = json!(false);
    let outcome = outcome(&json!({"status": "booked", "booking": row})).unwrap();
    let Outcome::Booked(booking) = outcome else { panic!("{outcome:?}") };
    assert_eq!(booking.invoices[0].name, "/");
}

#[test]
fn a_cancelled_transaction_is_told_to_whoever_cancelled_and_to_nobody_else() {
    let given = json!({"status": "canceled", "transaction": "S00042-1"});
    let canceled = Outcome::Canceled { transaction: "S00042-1".to_owned() };
    assert_eq!(answered(&cancel(), &given), Ok(canceled));
    for command in [book(), confirm(), complete()] {
        assert_eq!(answered(&command, &given), Err(NotReady::ActionMissing));
    }
    let booked = json!({"status": "booked", "booking": booked()});
    assert_eq!(answered(&cancel(), &booked), Err(NotReady::ActionMissing));
    let already = answered(&cancel(), &json!({"status": "already", "booking": booked["booking"]}));
    assert!(matches!(already, Ok(Outcome::Already(_))), "{already:?}");
    for command in [confirm(), complete()] {
        assert!(matches!(answered(&command, &booked), Ok(Outcome::Booked(_))));
    }
}
