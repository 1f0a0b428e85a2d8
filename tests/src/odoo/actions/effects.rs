//! What `book.py` and `refund.py` are made of whatever the kind of effect: answers, names, amounts, and the steps
//! an effect is carried out in.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::common::{LIVE_PAYMENT, Provider, currency_of, names_of, need, text_or_false};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::{FailingStep, Step};
use crate::odoo::models::payment;
use crate::odoo::value::{Amount, Id, Record, Value};
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

/// The names of the payment an item is about.
pub(super) fn payment_names(item: &Json) -> Outcome<Vec<&str>> {
    names_of(item, "name", "aliases")
}

/// Whether it may be a name of ours.
pub(super) fn good_name(name: &str) -> bool {
    let tail = ["chk_", "payment-", "charge-", "invoice-"]
        .into_iter()
        .find_map(|beginning| name.strip_prefix(beginning));
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    tail.is_some_and(|tail| !tail.is_empty()) && name.len() <= 128 && name.bytes().all(letter)
}

/// What Ventipay calls it: `chk_1` of `chk_1`, `pay_1` of `payment-pay_1`.
pub(super) fn ventipay_id(name: &str) -> &str {
    match name.split_once('-') {
        Some((_, id)) if !name.starts_with("chk_") => id,
        _ => name,
    }
}

/// Somebody else's transaction of one of these names, which is not `own`.
pub(super) fn taken(tx: &Tx<'_>, names: &[&str], own: Option<Id>) -> bool {
    tx.rows("payment.transaction").any(|(id, row)| {
        let dead = matches!(row.text("state"), "cancel" | "error");
        let carried = row.text("provider_reference");
        let is_it = names.contains(&row.text("reference"))
            || (!dead && names.iter().any(|name| ventipay_id(name) == carried));
        is_it && Some(id) != own
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

/// Python's `'%.*f' % (places, float(amount))`: whether the text has the currency's decimals.
pub(super) fn as_currency_writes(amount: &str, places: usize) -> String {
    let float = amount.parse::<f64>();
    float.map_or_else(|_| String::new(), |float| format!("{float:.places$}"))
}

/// Whether the currency a record is in may be used.
pub(super) fn active_currency(tx: &Tx<'_>, row: &Record) -> bool {
    let currency = row.reference("currency_id").and_then(|id| tx.get("res.currency", id));
    currency.is_some_and(|row| row.flag("active"))
}

/// Those of the invoices that are posted customer invoices, lowest id first.
pub(super) fn posted(tx: &Tx<'_>, invoices: &[Id]) -> Vec<Id> {
    let fits = |id: &Id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| {
            row.text("state") == "posted" && row.text("move_type") == "out_invoice"
        })
    };
    let found: BTreeSet<Id> = invoices.iter().copied().filter(fits).collect();
    found.into_iter().collect()
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

/// The external ids: one effect a name, whatever crashes. In one order, whoever calls a payment
/// by which name first.
pub(super) fn claim(tx: &mut Tx<'_>, names: &[&str], transaction: Id) -> Outcome<()> {
    let names: BTreeSet<&str> = names.iter().copied().collect();
    for name in names {
        step(tx, Step::Name, Some(name))?;
        let external_id = Record::default()
            .with("module", "concilia")
            .with("name", name)
            .with("model", "payment.transaction")
            .with("res_id", Value::Int(transaction))
            .with("noupdate", true);
        tx.insert("ir.model.data", external_id)?;
    }
    Ok(())
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
pub(super) fn check_entered(
    tx: &Tx<'_>,
    item: &Json,
    transaction: Id,
    direction: &str,
) -> Outcome<()> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let row = tx.record("payment.transaction", transaction)?;
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let Some(payment) = payment.filter(|row| {
        row.reference("move_id").is_some()
            && row.text("payment_type") == direction
            && LIVE_PAYMENT.contains(&row.text("state"))
    }) else {
        return Err(Raise::user(format!("Odoo made no entry for {name}.")));
    };
    let amount = need(item, "amount")?;
    let given = row.amount("amount");
    let given = if direction == "inbound" { given } else { Amount(0) - given };
    let stored = [(&row, given), (payment, payment.amount("amount"))].map(|(row, amount)| {
        let (_, places) = currency_of(tx, row);
        amount.text(places)
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
