//! `book.py`, the kind `book`: a payment for an order of an external shop.

use serde_json::{Value as Json, json};

use super::common::{Request, booking_row, currency_of, need};
use super::effects::{
    Stopped, accepted, active_currency, as_currency_writes, check_entered, claim, name_of,
    payment_names, post_process, provider_fence, result, same_invoices, step, stopped, taken,
    units, ventipay_id,
};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::Step;
use crate::odoo::models::{payment, sale};
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

pub(super) fn book(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    if let Some(why) = fences(tx, request, item)? {
        return Ok(stopped(name, why));
    }
    // The mutex: a row both write, or two bookings of one order pass side by side.
    tx.touch("sale.order", order_of(item)?)?;
    let booked = enter_order(tx, request, item)?;
    Ok(result(name, "booked", "", "", &booking_row(tx, name, booked)))
}

/// The same by somebody who never saw the order, and so does not touch its row.
pub(super) fn book_beside(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<()> {
    if fences(tx, request, item)?.is_none() {
        enter_order(tx, request, item)?;
    }
    Ok(())
}

fn order_of(item: &Json) -> Outcome<Id> {
    Ok(need(need(item, "order")?, "id")?.as_i64().unwrap_or(0))
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
    order_fence(tx, request, item, order_of(item)?)
}

fn order_fence(tx: &Tx<'_>, request: &Request, item: &Json, id: Id) -> Outcome<Option<Stopped>> {
    let wanted = need(item, "order")?;
    let Some(order) = tx.get("sale.order", id) else {
        return Ok(Some(("changed", "order_gone")));
    };
    let (currency, places) = currency_of(tx, order);
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    let total = order.amount("amount_total").text(places);
    let paid = || {
        tx.rows("payment.transaction").any(|(_, row)| {
            row.leads_to("sale_order_ids", id) && matches!(row.text("state"), "authorized" | "done")
        })
    };
    let stopped = if need(wanted, "name")? != order.text("name") {
        ("changed", "order_name")
    } else if order.reference("company_id") != Some(request.company) {
        ("changed", "company")
    } else if need(item, "currency")? != currency.as_str() {
        ("changed", "currency")
    } else if !active_currency(tx, order) {
        ("refused", "inactive_currency")
    } else if need(wanted, "total")? != total.as_str() {
        ("changed", "order_total")
    } else if need(wanted, "state")? != order.text("state") || order.text("state") == "cancel" {
        ("changed", "order_state")
    } else if !accepted(item, "paid") && paid() {
        ("changed", "order_paid")
    } else if as_currency_writes(amount, places) != amount {
        ("refused", "amount")
    } else if !accepted(item, "amount") && units(amount) > units(&total) {
        ("refused", "above_document")
    } else {
        return invoices_fence(tx, request, item, id);
    };
    Ok(Some(stopped))
}

fn posted_invoices(tx: &Tx<'_>, order: Id) -> Vec<Id> {
    tx.ids_where("account.move", |row| {
        row.leads_to("sim_orders", order)
            && row.text("state") == "posted"
            && row.text("move_type") == "out_invoice"
    })
}

fn invoices_fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    order: Id,
) -> Outcome<Option<Stopped>> {
    let invoices = posted_invoices(tx, order);
    let foreign = invoices.iter().any(|id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| row.reference("company_id") != Some(request.company))
    });
    if foreign {
        return Ok(Some(("changed", "company")));
    }
    Ok((!same_invoices(tx, item, &invoices)?).then_some(("changed", "invoices")))
}

/// What `book` of `book.py` does after its mutex.
fn enter_order(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Id> {
    let order_id = order_of(item)?;
    confirm(tx, item, order_id)?;
    let mut unpaid = posted_invoices(tx, order_id);
    unpaid.retain(|id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| row.amount("amount_residual") != Amount(0))
    });
    let order = tx.record("sale.order", order_id)?;
    let partner = order.reference("partner_invoice_id");
    enter(
        tx,
        request,
        item,
        &Entered { of: &order, partner, invoices: unpaid, orders: vec![order_id] },
    )
}

/// What a payment is entered for.
pub(super) struct Entered<'r> {
    /// The record whose currency it is in.
    pub(super) of: &'r Record,
    /// Who pays.
    pub(super) partner: Option<Id>,
    /// Invoices it pays.
    pub(super) invoices: Vec<Id>,
    /// Orders it is linked to afterwards.
    pub(super) orders: Vec<Id>,
}

/// Enters the payment: what `enter` of `book.py` does.
pub(super) fn enter(
    tx: &mut Tx<'_>,
    request: &Request,
    item: &Json,
    entered: &Entered<'_>,
) -> Outcome<Id> {
    let name = name_of(item)?;
    let transaction = create_transaction(tx, request, item, entered)?;
    claim(tx, &payment_names(item)?, transaction)?;
    post_process(tx, item, transaction)?;
    step(tx, Step::Link, Some(name))?;
    // Linked only now: post-processing a transaction that has an order writes to the customer.
    tx.update("payment.transaction", transaction, |row| {
        row.set("sale_order_ids", entered.orders.clone());
    })?;
    check_entered(tx, item, transaction, "inbound")?;
    Ok(transaction)
}

fn confirm(tx: &mut Tx<'_>, item: &Json, order_id: Id) -> Outcome<()> {
    let order = tx.record("sale.order", order_id)?;
    let wanted = item.get("confirm") == Some(&json!(true));
    if !wanted || !matches!(order.text("state"), "draft" | "sent") {
        return Ok(());
    }
    if step(tx, Step::Confirm, None)?.is_some() {
        let text = format!("The quotation {} was not confirmed.", order.text("name"));
        return Err(Raise::user(text));
    }
    sale::action_confirm(tx, &[order_id]).map(|_| ())
}

fn create_transaction(
    tx: &mut Tx<'_>,
    request: &Request,
    item: &Json,
    entered: &Entered<'_>,
) -> Outcome<Id> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let wrong = step(tx, Step::Create, Some(name))?.and_then(|failing| failing.stores);
    let amount = wrong.as_deref().or(need(item, "amount")?.as_str());
    let amount = amount.and_then(Amount::parse).unwrap_or_default();
    let mut record = Record::default()
        .with("operation", "online_redirect")
        .with("state", "done")
        .with("reference", name)
        .with("provider_reference", ventipay_id(name))
        .with("amount", amount)
        .with("invoice_ids", entered.invoices.clone());
    let provider = request.provider.as_ref();
    for (field, id) in [
        ("provider_id", provider.map(|provider| provider.id)),
        ("payment_method_id", provider.and_then(|provider| provider.method)),
        ("currency_id", entered.of.reference("currency_id")),
        ("partner_id", entered.partner),
    ] {
        if let Some(id) = id {
            record.set(field, Value::Ref(id));
        }
    }
    payment::prepare_transaction(tx, &mut record)?;
    tx.insert("payment.transaction", record)
}
