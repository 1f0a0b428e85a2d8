//! What `book.py` is made of whatever the kind of effect: answers, names, amounts, and the steps
//! an effect is carried out in.

use serde_json::{Value as Json, json};

use super::common::{LIVE_PAYMENT, Provider, currency_of, need, text_or_false};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::{FailingStep, Step};
use crate::odoo::models::payment;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// Why an item is not carried out: `(status, why)`.
pub(super) type Stopped = (&'static str, &'static str);

pub(super) fn result(name: &str, status: &str, why: &str, detail: &str, booking: &Json) -> Json {
    json!({
        "name": name, "status": status, "why": text_or_false(why),
        "detail": text_or_false(detail), "booking": booking, "transaction": false,
    })
}

pub(super) fn stopped(name: &str, (status, why): Stopped) -> Json {
    result(name, status, why, "", &json!(false))
}

pub(super) fn name_of(item: &Json) -> Outcome<&str> {
    Ok(need(item, "name")?.as_str().unwrap_or_default())
}

pub(super) fn accepted(item: &Json, what: &str) -> bool {
    item["accepted"].as_array().is_some_and(|words| words.contains(&json!(what)))
}

/// Somebody else's transaction of this name, which is not `own`.
pub(super) fn taken(tx: &Tx<'_>, name: &str, own: Option<Id>) -> bool {
    tx.rows("payment.transaction").any(|(id, row)| {
        let dead = matches!(row.text("state"), "cancel" | "error");
        let carries =
            row.text("reference") == name || (row.text("provider_reference") == name && !dead);
        carries && Some(id) != own
    })
}

pub(super) fn provider_fence(provider: Option<&Provider>) -> Option<&'static str> {
    match provider {
        None => Some("no_provider"),
        Some(provider) if !matches!(provider.state.as_str(), "enabled" | "test") => {
            Some("provider_disabled")
        }
        Some(provider) if !provider.ready => Some("not_ready"),
        Some(_) => None,
    }
}

/// `'2.50'` → 250; 0 for what is no plain decimal number.
pub(super) fn units(amount: &str) -> u128 {
    let digits = amount.replacen('.', "", 1);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u128::MAX)
}

/// The invoices decided upon are those found: ids and residuals.
pub(super) fn same_invoices(tx: &Tx<'_>, item: &Json, invoices: &[Id]) -> Outcome<bool> {
    let mut found = Vec::new();
    for id in invoices {
        let invoice = tx.record("account.move", *id)?;
        let (_, places) = currency_of(tx, &invoice);
        found.push((*id, invoice.amount("amount_residual").text(places)));
    }
    found.sort();
    let mut decided = Vec::new();
    for row in need(item, "invoices")?.as_array().into_iter().flatten() {
        let residual = need(row, "residual")?.as_str().unwrap_or_default();
        decided.push((need(row, "id")?.as_i64().unwrap_or(0), residual.to_owned()));
    }
    decided.sort();
    Ok(found == decided)
}

/// The external id: one effect a name, whatever crashes.
pub(super) fn claim(tx: &mut Tx<'_>, name: &str, transaction: Id) -> Outcome<()> {
    step(tx, Step::Name, Some(name))?;
    let external_id = Record::default()
        .with("module", "concilia")
        .with("name", name)
        .with("model", "payment.transaction")
        .with("res_id", Value::Int(transaction))
        .with("noupdate", true);
    tx.insert("ir.model.data", external_id).map(|_| ())
}

pub(super) fn post_process(tx: &mut Tx<'_>, item: &Json, transaction: Id) -> Outcome<()> {
    let name = name_of(item)?;
    // The faults of a case name the transaction by its reference.
    let reference = tx.record("payment.transaction", transaction)?.text("reference").to_owned();
    if step(tx, Step::PostProcess, Some(&reference))?.is_some() {
        return Ok(());
    }
    if payment::confirms_a_quotation(tx, transaction)? {
        step(tx, Step::Mail, Some(name))?;
    }
    payment::post_process(tx, transaction, need(item, "date")?.as_str())
}

/// What stands in the books must be what was asked for.
pub(super) fn check_entered(tx: &Tx<'_>, item: &Json, transaction: Id) -> Outcome<()> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let row = tx.record("payment.transaction", transaction)?;
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let Some(payment) = payment.filter(|row| {
        row.reference("move_id").is_some()
            && row.text("payment_type") == "inbound"
            && LIVE_PAYMENT.contains(&row.text("state"))
    }) else {
        return Err(Raise::user(format!("Odoo made no entry for {name}.")));
    };
    let amount = need(item, "amount")?;
    let stored = [&row, payment].map(|row| {
        let (_, places) = currency_of(tx, row);
        row.amount("amount").text(places)
    });
    if stored.iter().any(|text| amount != text.as_str()) {
        return Err(Raise::user(format!("Odoo stored another amount for {name}.")));
    }
    Ok(())
}

/// Tests can have a step of booking fail, or go wrong: then it is given back.
pub(super) fn step(tx: &Tx<'_>, at: Step, item: Option<&str>) -> Outcome<Option<FailingStep>> {
    let asked = tx.failing.iter().find(|failing| {
        let same = failing.item.is_none() || item.is_none() || failing.item.as_deref() == item;
        failing.at == at && same
    });
    match asked.and_then(FailingStep::raise) {
        Some(raise) => Err(raise),
        None => Ok(asked.cloned()),
    }
}
