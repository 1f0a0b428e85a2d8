//! `refund.py`: gives back what was paid, each part exactly once.
//!
//! What Odoo does by itself, the credit note above all, is in [`crate::odoo::models::refund`].

use serde_json::{Value as Json, json};

use super::common::{
    Request, booking_row, currency_of, held, names_of, need, open_credit, order_invoices,
    payment_text, refunded, text_or_false,
};
use super::effects::{
    Stopped, active_currency, as_currency_writes, check_entered, claim, good_name, name_of,
    post_process, posted, provider_fence, step, taken, units,
};
use super::perform::leads_nowhere;
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::Step;
use crate::odoo::models::{accounting, payment, refund};
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// An answer; `why` is `(status, why)`.
pub(super) fn result(
    name: &str,
    why: (&str, &str),
    detail: &str,
    booking: Option<Json>,
    refund: Option<Json>,
) -> Json {
    json!({
        "name": name, "status": why.0, "why": text_or_false(why.1), "detail": text_or_false(detail),
        "booking": booking.unwrap_or(json!(false)), "refund": refund.unwrap_or(json!(false)),
    })
}

pub(super) fn perform(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    if need(item, "kind")? != "refund" {
        return Ok(result(name, ("refused", "kind"), "", None, None));
    }
    let sources = names_of(item, "of", "aliases_of")?;
    let good = good_name(name) && sources.iter().all(|source| good_name(source));
    if !good || !is_refund_of(name, sources[0]) {
        return Ok(result(name, ("refused", "name"), "", None, None));
    }
    if !["activity", "draft", "none"].iter().any(|one| item["credit_note"] == *one) {
        return Ok(result(name, ("refused", "credit_note"), "", None, None));
    }
    let (_, known, gone) = held(tx, &[name]);
    if gone.is_some() {
        return Err(leads_nowhere(name));
    }
    let Some(known) = known else { return give_back(tx, request, item, &sources) };
    let source = tx.record("payment.transaction", known)?.reference("source_transaction_id");
    let booking = source.map(|source| booking_row(tx, held(tx, &sources).0, source));
    Ok(result(name, ("already", ""), "", booking, Some(refund_row(tx, known)?)))
}

/// One refund of a payment follows a sum given back before, or is a dispute's.
fn is_refund_of(name: &str, of: &str) -> bool {
    let tail = |kind: &str| {
        let rest = name.strip_prefix(of)?.strip_prefix(kind)?;
        (!rest.is_empty()).then_some(rest)
    };
    let number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    tail("-refund-after-").is_some_and(number) || tail("-dispute-").is_some()
}

fn refund_row(tx: &Tx<'_>, child: Id) -> Outcome<Json> {
    let row = tx.record("payment.transaction", child)?;
    let (_, places) = currency_of(tx, &row);
    let mut notes = row.references("invoice_ids").iter().filter_map(|id| {
        let row = tx.get("account.move", *id)?;
        (row.text("move_type") == "out_refund").then_some(row)
    });
    let note = notes.next().map(|row| match row.text("name") {
        "" => "/",
        name => name,
    });
    Ok(json!({
        "transaction": row.text("reference"), "amount": (Amount(0) - row.amount("amount")).text(places),
        "payment": payment_text(tx, &row, "name"), "date": payment_text(tx, &row, "date"),
        "credit_note": note.map_or(json!(false), |name| json!(name)),
    }))
}

fn fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    source: Option<Id>,
) -> Outcome<Result<(Id, Record), Stopped>> {
    let Some((id, row)) = source.and_then(|id| Some((id, tx.get("payment.transaction", id)?)))
    else {
        return Ok(Err(("changed", "not_booked")));
    };
    let (currency, places) = currency_of(tx, row);
    let provider = request.provider.as_ref();
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    let given = refunded(tx, id).text(places);
    Ok(Err(if row.reference("company_id") != Some(request.company) {
        ("changed", "company")
    } else if let Some(why) = provider_fence(provider) {
        ("refused", why)
    } else if row.reference("provider_id") != provider.map(|provider| provider.id) {
        ("refused", "other_provider")
    } else if row.text("state") != "done" {
        ("changed", "transaction_state")
    } else if need(item, "currency")? != currency.as_str() {
        ("changed", "currency")
    } else if !active_currency(tx, row) {
        ("refused", "inactive_currency")
    } else if units(amount) == 0 || as_currency_writes(amount, places) != amount {
        ("refused", "amount")
    } else if need(item, "after")? != given.as_str() {
        ("changed", "refunds")
    } else if units(&given) + units(amount) > units(&row.amount("amount").text(places)) {
        ("refused", "above_payment")
    } else if taken(tx, &[name_of(item)?], None) {
        ("changed", "other_transaction")
    } else {
        return Ok(Ok((id, row.clone())));
    }))
}

fn give_back(tx: &mut Tx<'_>, request: &Request, item: &Json, sources: &[&str]) -> Outcome<Json> {
    let name = name_of(item)?;
    let (found, source, _) = held(tx, sources);
    let (source, row) = match fence(tx, request, item, source)? {
        Ok(source) => source,
        Err(why) => return Ok(result(name, why, "", None, None)),
    };
    tx.touch("payment.transaction", source)?;
    let money = row.reference("payment_id");
    let credit = money.is_some_and(|payment| open_credit(tx, payment).is_positive());
    let linked = row.references("invoice_ids").to_vec();
    let invoices = posted(tx, &[linked.clone(), order_invoices(tx, &row)].concat());
    let mut note = if credit { None } else { refund::posted_note(tx, item, &invoices)? };
    let child = enter(tx, item, source, &row, note)?;
    give_back_credit(tx, money, child)?;
    if need(item, "credit_note")? == "draft" && !credit && note.is_none() && invoices.len() == 1 {
        note = draft_note(tx, item, invoices[0])?;
    }
    step(tx, Step::Link, Some(name))?;
    tx.update("payment.transaction", child, |child| {
        child.set("sale_order_ids", row.references("sale_order_ids").to_vec());
        child.set("invoice_ids", linked.into_iter().chain(note).collect::<Vec<Id>>());
    })?;
    if note.is_none() && need(item, "credit_note")? != "none" {
        remind(tx, request, item, &invoices, &row)?;
    }
    let booking = booking_row(tx, found, source);
    Ok(result(name, ("booked", ""), "", Some(booking), Some(refund_row(tx, child)?)))
}

fn enter(tx: &mut Tx<'_>, item: &Json, source: Id, of: &Record, note: Option<Id>) -> Outcome<Id> {
    let name = name_of(item)?;
    let wrong = step(tx, Step::Create, Some(name))?.and_then(|failing| failing.stores);
    let asked = need(item, "amount")?.as_str().and_then(Amount::parse).unwrap_or_default();
    let stored = wrong.as_deref().and_then(Amount::parse).unwrap_or(Amount(0) - asked);
    let mut record = Record::default()
        .with("operation", "refund")
        .with("state", "done")
        .with("source_transaction_id", Value::Ref(source))
        .with("reference", name)
        .with("provider_reference", name)
        .with("amount", stored)
        .with("invoice_ids", note.into_iter().collect::<Vec<Id>>());
    for field in ["provider_id", "payment_method_id", "currency_id", "partner_id"] {
        if let Some(id) = of.reference(field) {
            record.set(field, Value::Ref(id));
        }
    }
    payment::prepare_transaction(tx, &mut record)?;
    let child = tx.insert("payment.transaction", record)?;
    claim(tx, &[name], child)?;
    post_process(tx, item, child)?;
    check_entered(tx, item, child, "outbound")?;
    Ok(child)
}

/// What was paid and not yet invoiced is the customer's credit.
fn give_back_credit(tx: &mut Tx<'_>, money: Option<Id>, child: Id) -> Outcome<()> {
    let given = tx.record("payment.transaction", child)?.reference("payment_id");
    let (Some(money), Some(given)) = (money, given) else { return Ok(()) };
    // Accounts are not modelled; a case says of a payment that it stands on another one.
    let elsewhere = tx.record("account.payment", money)?.flag("sim_other_account");
    let open = |payment| open_credit(tx, payment).is_positive();
    if !elsewhere && open(money) && open(given) {
        step(tx, Step::GiveBack, None)?;
        accounting::set_off(tx, money, given)?;
    }
    Ok(())
}

/// A draft of exactly the amount, or nothing of it: that it cannot be had is no reason not to
/// book the refund.
fn draft_note(tx: &mut Tx<'_>, item: &Json, invoice: Id) -> Outcome<Option<Id>> {
    let point = tx.savepoint();
    let name = tx.record("account.move", invoice)?.text("name").to_owned();
    let made = step(tx, Step::Draft, Some(&name));
    match made.and_then(|_| refund::draft_note(tx, item, invoice)) {
        Ok(Some(note)) => return Ok(Some(note)),
        Err(Raise::Postgres(error)) if error.leaves_the_action() => {
            return Err(Raise::Postgres(error));
        }
        Ok(None) | Err(_) => tx.rollback_to(point),
    }
    Ok(None)
}

/// Every accountant in charge once; by what it is about, whoever was reminded before.
fn remind(
    tx: &mut Tx<'_>,
    request: &Request,
    item: &Json,
    invoices: &[Id],
    source: &Record,
) -> Outcome<()> {
    let orders = source.references("sale_order_ids").iter().min();
    let about = invoices.first().map(|id| ("account.move", *id));
    let about = about.or(orders.map(|id| ("sale.order", *id)));
    let about = about.or(source.reference("partner_id").map(|id| ("res.partner", id)));
    let Some((model, id)) = about else { return Ok(()) };
    tx.touch(model, id)?;
    let text = |key: &str| Ok(need(item, key)?.as_str().unwrap_or_default().to_owned());
    let note = text("note")?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let reminder = refund::Reminder {
        model,
        id,
        summary: text("summary")?,
        note,
        deadline: text("deadline")?,
    };
    for user in refund::to_be_reminded(tx, request.company, &reminder) {
        step(tx, Step::Remind, None)?;
        refund::schedule(tx, user, &reminder)?;
    }
    Ok(())
}
