//! `book.py`, the kinds `confirm`, `cancel` and `fail`: a transaction of Odoo's own making.

use serde_json::{Value as Json, json};

use super::common::{Request, booking_row, currency_of, need};
use super::effects::{
    Stopped, accepted, active_currency, check_entered, claim, name_of, payment_names, post_process,
    provider_fence, result, same_invoices, step, stopped, taken, units, ventipay_id,
};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::Step;
use crate::odoo::models::payment;
use crate::odoo::value::{Amount, Id, Record};
use crate::odoo::world::Tx;

const PAID: [&str; 2] = ["authorized", "done"];
const OPEN: [&str; 4] = ["draft", "pending", "cancel", "error"];

pub(super) fn confirm(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?.to_owned();
    let provider = provider_fence(request.provider.as_ref());
    let id = match transaction_fence(tx, request, item, provider)? {
        Ok(id) => id,
        Err(why) => return Ok(stopped(&name, why)),
    };
    if let Some(why) = confirm_fence(tx, request, item, id)? {
        return Ok(stopped(&name, why));
    }
    tx.touch("payment.transaction", id)?;
    for order in sorted(&tx.record("payment.transaction", id)?, "sale_order_ids") {
        tx.touch("sale.order", order)?;
    }
    claim(tx, &payment_names(item)?, id)?;
    let reference = tx.record("payment.transaction", id)?.text("reference").to_owned();
    step(tx, Step::Done, Some(&reference))?;
    let now = tx.caller.now.clone();
    // Without is_post_processed 18 and 19 pass over what they have seen as a draft before.
    tx.update("payment.transaction", id, |row| {
        row.set("state", "done");
        row.set("provider_reference", ventipay_id(&name));
        row.set("last_state_change", now);
        row.set("is_post_processed", false);
        row.clear("state_message");
    })?;
    post_process(tx, item, id)?;
    check_entered(tx, item, id, "inbound")?;
    Ok(result(&name, "booked", "", "", &booking_row(tx, &name, id)))
}

/// `give_up` of `book.py`: cancels, or sets to error, what is not paid.
pub(super) fn give_up(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?.to_owned();
    let cancels = need(item, "kind")? == "cancel";
    let (wanted, status) = if cancels { ("cancel", "canceled") } else { ("error", "errored") };
    let provider = request.provider.is_none().then_some("no_provider");
    let id = match transaction_fence(tx, request, item, provider)? {
        Ok(id) => id,
        Err(why) => return Ok(stopped(&name, why)),
    };
    let row = tx.record("payment.transaction", id)?;
    let mut given_up = result(&name, status, "", "", &json!(false));
    given_up["transaction"] = json!(row.text("reference"));
    let (state, carried) = (row.text("state"), row.text("provider_reference"));
    let why = if state == wanted {
        return Ok(given_up);
    } else if PAID.contains(&state) {
        "transaction_done"
    } else if need(need(item, "transaction")?, "state")? != state || (!cancels && state == "cancel")
    {
        "transaction_state"
    } else if !carried.is_empty()
        && !payment_names(item)?.into_iter().any(|name| ventipay_id(name) == carried)
    {
        "other_checkout"
    } else {
        tx.touch("payment.transaction", id)?;
        let (at, verb) = if cancels { (Step::Cancel, "cancel") } else { (Step::Fail, "fail") };
        if step(tx, at, Some(row.text("reference")))?.is_some() {
            let text = format!("Odoo did not {verb} {}.", row.text("reference"));
            return Err(Raise::user(text));
        }
        let message = need(item, "message")?.as_str().unwrap_or_default();
        payment::set_state(tx, id, wanted, message)?;
        return Ok(given_up);
    };
    Ok(stopped(&name, ("changed", why)))
}

/// The transaction must be the one that was decided upon, and be ours. `provider`: what the
/// kind of effect has against the provider.
fn transaction_fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    provider: Option<&'static str>,
) -> Outcome<Result<Id, Stopped>> {
    let wanted = need(item, "transaction")?;
    let id = need(wanted, "id")?.as_i64().unwrap_or(0);
    let Some(row) = tx.get("payment.transaction", id) else {
        return Ok(Err(("changed", "transaction_gone")));
    };
    let own = request.provider.as_ref().map(|provider| provider.id);
    Ok(Err(if need(wanted, "reference")? != row.text("reference") {
        ("changed", "transaction_reference")
    } else if let Some(why) = provider {
        ("refused", why)
    } else if row.reference("provider_id") != own {
        ("refused", "other_provider")
    } else if row.reference("company_id") != Some(request.company) {
        ("changed", "company")
    } else {
        return Ok(Ok(id));
    }))
}

fn confirm_fence(tx: &Tx<'_>, request: &Request, item: &Json, id: Id) -> Outcome<Option<Stopped>> {
    let row = tx.record("payment.transaction", id)?;
    let (currency, places) = currency_of(tx, &row);
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    let state = row.text("state");
    let seen = need(need(item, "transaction")?, "state")?;
    Ok(Some(if need(item, "currency")? != currency.as_str() {
        ("changed", "currency")
    } else if !active_currency(tx, &row) {
        ("refused", "inactive_currency")
    } else if units(amount) == 0 {
        ("refused", "amount")
    } else if row.amount("amount").text(places) != amount {
        ("changed", "amount")
    } else if PAID.contains(&state) {
        ("changed", "transaction_done")
    } else if seen != state || !OPEN.contains(&state) {
        ("changed", "transaction_state")
    } else if taken(tx, &payment_names(item)?, Some(id)) {
        ("changed", "other_transaction")
    } else {
        return match linked_invoices_fence(tx, request, item, &row)? {
            None => linked_orders_fence(tx, request, item, id, &row),
            stopped => Ok(stopped),
        };
    }))
}

fn sorted(row: &Record, field: &str) -> Vec<Id> {
    let mut ids = row.references(field).to_vec();
    ids.sort_unstable();
    ids
}

fn linked_invoices_fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    row: &Record,
) -> Outcome<Option<Stopped>> {
    let ids = sorted(row, "invoice_ids");
    let invoices: Vec<&Record> = ids.iter().filter_map(|id| tx.get("account.move", *id)).collect();
    let any = |holds: &dyn Fn(&Record) -> bool| invoices.iter().any(|invoice| holds(invoice));
    let left: u128 = invoices
        .iter()
        .map(|invoice| {
            let (_, places) = currency_of(tx, invoice);
            units(&invoice.amount("amount_residual").text(places))
        })
        .sum();
    let amount = units(need(item, "amount")?.as_str().unwrap_or_default());
    Ok(if any(&|one| one.reference("company_id") != Some(request.company)) {
        Some(("changed", "company"))
    } else if any(&|one| one.text("state") != "posted" || one.text("move_type") != "out_invoice") {
        Some(("changed", "invoices"))
    } else if any(&|one| one.reference("currency_id") != row.reference("currency_id")) {
        Some(("changed", "currency"))
    } else if !same_invoices(tx, item, &ids)? {
        Some(("changed", "invoices"))
    } else if !ids.is_empty() && !accepted(item, "paid") && left < amount {
        Some(("refused", "above_document"))
    } else {
        None
    })
}

fn linked_orders_fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    own: Id,
    row: &Record,
) -> Outcome<Option<Stopped>> {
    let wanted = need(item, "orders")?.as_array().cloned().unwrap_or_default();
    let mut decided: Vec<i64> = wanted.iter().filter_map(|order| order["id"].as_i64()).collect();
    decided.sort_unstable();
    let ids = sorted(row, "sale_order_ids");
    if ids != decided {
        return Ok(Some(("changed", "orders")));
    }
    let amount = need(item, "amount")?.as_str().and_then(Amount::parse).unwrap_or_default();
    for id in ids {
        let order = tx.record("sale.order", id)?;
        let seen = wanted.iter().find(|order| order["id"] == id).unwrap_or(&Json::Null);
        let (_, places) = currency_of(tx, &order);
        let state = order.text("state");
        let why = if order.reference("company_id") != Some(request.company) {
            "company"
        } else if order.reference("currency_id") != row.reference("currency_id") {
            "currency"
        } else if seen["name"] != order.text("name") {
            "order_name"
        } else if seen["state"] != state || state == "cancel" {
            "order_state"
        } else if seen["total"] != order.amount("amount_total").text(places).as_str() {
            "order_total"
        } else if !accepted(item, "paid") && is_paid(tx, own, id, &order, amount) {
            "order_paid"
        } else {
            continue;
        };
        return Ok(Some(("changed", why)));
    }
    Ok(None)
}

/// Whether what others have paid of an order leaves no room for this amount.
fn is_paid(tx: &Tx<'_>, own: Id, id: Id, order: &Record, amount: Amount) -> bool {
    let paid: Vec<&Record> = tx
        .rows("payment.transaction")
        .filter(|(other, row)| {
            *other != own && row.leads_to("sale_order_ids", id) && PAID.contains(&row.text("state"))
        })
        .map(|(_, row)| row)
        .collect();
    // Amounts of two currencies do not add up: that is for a person to see.
    let foreign =
        paid.iter().any(|row| row.reference("currency_id") != order.reference("currency_id"));
    let sum: Amount = paid.iter().map(|row| row.amount("amount")).sum();
    !paid.is_empty() && (foreign || sum + amount > order.amount("amount_total"))
}
