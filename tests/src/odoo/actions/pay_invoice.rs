//! `book.py`, the kind `pay_invoice`: a payment for a customer invoice that is there.

use serde_json::Value as Json;

use super::book::{Entered, enter};
use super::common::{Request, booking_row, currency_of, need};
use super::effects::{
    Stopped, accepted, active_currency, as_currency_writes, name_of, payment_names, provider_fence,
    result, stopped, taken, units,
};
use crate::odoo::errors::Outcome;
use crate::odoo::value::Id;
use crate::odoo::world::Tx;

pub(super) fn pay_invoice(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    if let Some(why) = fences(tx, request, item)? {
        return Ok(stopped(name, why));
    }
    let id = invoice_of(item)?;
    tx.touch("account.move", id)?;
    let invoice = tx.record("account.move", id)?;
    let mut orders = invoice.references("sim_orders").to_vec();
    orders.sort_unstable();
    for order in &orders {
        tx.touch("sale.order", *order)?;
    }
    let partner = invoice.reference("partner_id");
    let entered = Entered { of: &invoice, partner, invoices: vec![id], orders };
    let booked = enter(tx, request, item, &entered)?;
    Ok(result(name, "booked", "", "", &booking_row(tx, name, booked)))
}

fn invoice_of(item: &Json) -> Outcome<Id> {
    Ok(need(need(item, "invoice")?, "id")?.as_i64().unwrap_or(0))
}

fn fences(tx: &Tx<'_>, request: &Request, item: &Json) -> Outcome<Option<Stopped>> {
    if taken(tx, &payment_names(item)?, None) {
        return Ok(Some(("changed", "other_transaction")));
    }
    if let Some(why) = provider_fence(request.provider.as_ref()) {
        return Ok(Some(("refused", why)));
    }
    if units(need(item, "amount")?.as_str().unwrap_or_default()) == 0 {
        return Ok(Some(("refused", "amount")));
    }
    invoice_fence(tx, request, item)
}

fn invoice_fence(tx: &Tx<'_>, request: &Request, item: &Json) -> Outcome<Option<Stopped>> {
    let (wanted, gone) = (need(item, "invoice")?, Ok(Some(("changed", "invoice_gone"))));
    let Some(invoice) = tx.get("account.move", invoice_of(item)?) else {
        return gone;
    };
    if invoice.text("move_type") != "out_invoice" {
        return gone;
    }
    let (currency, places) = currency_of(tx, invoice);
    let written = |field: &str| invoice.amount(field).text(places);
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    let (state, residual) = (invoice.text("state"), written("amount_residual"));
    let open = ["not_paid", "partial"].contains(&invoice.text("payment_state"));
    let anything = need(item, "accepted")?.as_array().is_some_and(|words| !words.is_empty());
    Ok(Some(if need(wanted, "name")? != invoice.text("name") {
        ("changed", "invoice_name")
    } else if invoice.reference("company_id") != Some(request.company) {
        ("changed", "company")
    } else if need(item, "currency")? != currency.as_str() {
        ("changed", "currency")
    } else if !active_currency(tx, invoice) {
        ("refused", "inactive_currency")
    } else if need(wanted, "state")? != state || state != "posted" {
        ("changed", "invoice_state")
    } else if need(wanted, "total")? != written("amount_total").as_str() {
        ("changed", "invoice_total")
    } else if need(wanted, "residual")? != residual.as_str() {
        ("changed", "invoice_residual")
    } else if !accepted(item, "paid") && !open {
        ("changed", "invoice_paid")
    } else if as_currency_writes(amount, places) != amount {
        ("refused", "amount")
    } else if !anything && units(amount) > units(&residual) {
        ("refused", "above_document")
    } else {
        return Ok(None);
    }))
}
