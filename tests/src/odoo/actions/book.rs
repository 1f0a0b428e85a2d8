//! `book.py`: enters payments that were decided upon outside, each exactly once.

use serde_json::{Value as Json, json};

use super::common::{
    Provider, Request, booking_row, currency_of, database, named, need, read_request,
    text_or_false, version,
};
use crate::odoo::errors::{Outcome, PostgresError, Raise, UNIQUE_VIOLATION};
use crate::odoo::faults::{FailingStep, Step};
use crate::odoo::models::{payment, sale};
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// Why an item is not booked: `(status, why)`.
type Stopped = (&'static str, &'static str);

/// What the fences let through.
enum Fenced {
    Already(Id),
    Stopped(Stopped),
    Clear(Id),
}

fn result(name: &str, status: &str, why: &str, detail: &str, booking: &Json) -> Json {
    json!({
        "name": name, "status": status, "why": text_or_false(why),
        "detail": text_or_false(detail), "booking": booking,
    })
}

pub(super) fn book(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    // Worked in the order of the orders' ids, answered in the order asked.
    let order_of = |item: &Json| item.pointer("/order/id").and_then(Json::as_i64).unwrap_or(0);
    let mut work: Vec<usize> = (0..request.items.len()).collect();
    work.sort_by_key(|place| order_of(&request.items[*place]));
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = book_isolated(tx, &request, &request.items[place])?;
    }
    Ok(json!({
        "protocol": 1, "action": "book", "version": version(code),
        "database": database(tx), "items": answers,
    }))
}

/// A savepoint an item: what fails leaves nothing, and the others stay.
fn book_isolated(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let point = tx.savepoint();
    let failed = match book_item(tx, request, item, name) {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let detail = match &failed {
        Raise::Postgres(error) if error.leaves_the_action() => return Err(failed),
        Raise::Postgres(error) if is_race(error) => {
            return Ok(result(name, "again", "race", "", &json!(false)));
        }
        Raise::Postgres(error) => first_line(error).to_owned(),
        Raise::Odoo(error) => error.message.clone(),
    };
    let detail: String = detail.chars().take(500).collect();
    Ok(result(name, "failed", "odoo", &detail, &json!(false)))
}

/// Another module's unique constraint is no race for our name.
fn is_race(error: &PostgresError) -> bool {
    let ours = ["payment_transaction_reference_uniq", "ir_model_data_module_name_uniq_index"];
    error.code == UNIQUE_VIOLATION && ours.iter().any(|name| first_line(error).contains(name))
}

/// The next lines quote the row.
fn first_line(error: &PostgresError) -> &str {
    error.message.lines().next().unwrap_or_default()
}

fn book_item(tx: &mut Tx<'_>, request: &Request, item: &Json, name: &str) -> Outcome<Json> {
    match fences(tx, request, item, name)? {
        Fenced::Already(known) => Ok(result(name, "already", "", "", &booking_row(tx, known))),
        Fenced::Stopped((status, why)) => Ok(result(name, status, why, "", &json!(false))),
        Fenced::Clear(order) => {
            // The mutex: a row both write, or two bookings of one order pass side by side.
            tx.touch("sale.order", order)?;
            let booked = enter(tx, request, item, order)?;
            Ok(result(name, "booked", "", "", &booking_row(tx, booked)))
        }
    }
}

fn fences(tx: &Tx<'_>, request: &Request, item: &Json, name: &str) -> Outcome<Fenced> {
    let letters =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !name.starts_with("chk_") || !(5..=128).contains(&name.len()) || !letters {
        return Ok(Fenced::Stopped(("refused", "name")));
    }
    match named(tx, name, "payment.transaction") {
        (_, Some(known)) => return Ok(Fenced::Already(known)),
        (true, None) => {
            let text = format!("The name {name} leads to a transaction that is gone.");
            return Err(Raise::user(text));
        }
        (false, None) => {}
    }
    let others_name = |row: &Record| {
        let dead = matches!(row.text("state"), "cancel" | "error");
        row.text("reference") == name || (row.text("provider_reference") == name && !dead)
    };
    if tx.tables().find("payment.transaction", others_name).is_some() {
        return Ok(Fenced::Stopped(("changed", "other_transaction")));
    }
    if let Some(why) = provider_fence(request.provider.as_ref()) {
        return Ok(Fenced::Stopped(("refused", why)));
    }
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    if units(amount) == 0 {
        return Ok(Fenced::Stopped(("refused", "amount")));
    }
    let wanted = need(item, "order")?;
    let order = need(wanted, "id")?.as_i64().unwrap_or(0);
    Ok(match order_fence(tx, request, item, order)? {
        Some(stopped) => Fenced::Stopped(stopped),
        None => Fenced::Clear(order),
    })
}

fn provider_fence(provider: Option<&Provider>) -> Option<&'static str> {
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
fn units(amount: &str) -> u128 {
    let digits = amount.replacen('.', "", 1);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u128::MAX)
}

/// Python's `'%.*f' % (places, float(amount))`: whether the text has the currency's decimals.
fn as_currency_writes(amount: &str, places: usize) -> String {
    let float = amount.parse::<f64>();
    float.map_or_else(|_| String::new(), |float| format!("{float:.places$}"))
}

fn order_fence(tx: &Tx<'_>, request: &Request, item: &Json, id: Id) -> Outcome<Option<Stopped>> {
    let wanted = need(item, "order")?;
    let Some(order) = tx.get("sale.order", id) else {
        return Ok(Some(("changed", "order_gone")));
    };
    let (currency, places) = currency_of(tx, order);
    let active = order
        .reference("currency_id")
        .and_then(|id| tx.get("res.currency", id))
        .is_some_and(|row| row.flag("active"));
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
    } else if !active {
        ("refused", "inactive_currency")
    } else if need(wanted, "total")? != total.as_str() {
        ("changed", "order_total")
    } else if need(wanted, "state")? != order.text("state") || order.text("state") == "cancel" {
        ("changed", "order_state")
    } else if paid() {
        ("changed", "order_paid")
    } else if as_currency_writes(amount, places) != amount {
        ("refused", "amount")
    } else if units(amount) > units(&total) {
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
    let mut found = Vec::new();
    for id in posted_invoices(tx, order) {
        let invoice = tx.record("account.move", id)?;
        if invoice.reference("company_id") != Some(request.company) {
            return Ok(Some(("changed", "company")));
        }
        let (_, places) = currency_of(tx, &invoice);
        found.push((id, invoice.amount("amount_residual").text(places)));
    }
    let mut decided = Vec::new();
    for row in need(item, "invoices")?.as_array().into_iter().flatten() {
        let residual = need(row, "residual")?.as_str().unwrap_or_default();
        decided.push((need(row, "id")?.as_i64().unwrap_or(0), residual.to_owned()));
    }
    decided.sort();
    Ok((found != decided).then_some(("changed", "invoices")))
}

/// Enters the payment: what `enter` of `book.py` does after its mutex.
fn enter(tx: &mut Tx<'_>, request: &Request, item: &Json, order_id: Id) -> Outcome<Id> {
    let name = need(item, "name")?.as_str().unwrap_or_default().to_owned();
    confirm(tx, item, order_id)?;
    let transaction = create_transaction(tx, request, item, order_id)?;
    step(tx, Step::Name, Some(&name))?;
    let external_id = Record::default()
        .with("module", "concilia")
        .with("name", name.as_str())
        .with("model", "payment.transaction")
        .with("res_id", Value::Int(transaction))
        .with("noupdate", true);
    tx.insert("ir.model.data", external_id)?;
    if step(tx, Step::PostProcess, Some(&name))?.is_none() {
        let date = need(item, "date")?.as_str();
        payment::post_process(tx, transaction, date)?;
    }
    step(tx, Step::Link, Some(&name))?;
    // Linked only now: post-processing a transaction that has an order writes to the customer.
    tx.update("payment.transaction", transaction, |row| row.set("sale_order_ids", vec![order_id]))?;
    check_entered(tx, item, transaction)?;
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

/// What stands in the books must be what was asked for.
fn check_entered(tx: &Tx<'_>, item: &Json, transaction: Id) -> Outcome<()> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let row = tx.record("payment.transaction", transaction)?;
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let Some(payment) = payment.filter(|row| row.text("payment_type") == "inbound") else {
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

fn create_transaction(
    tx: &mut Tx<'_>,
    request: &Request,
    item: &Json,
    order_id: Id,
) -> Outcome<Id> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let wrong = step(tx, Step::Create, Some(name))?.and_then(|failing| failing.stores);
    let amount = wrong.as_deref().or(need(item, "amount")?.as_str());
    let amount = amount.and_then(Amount::parse).unwrap_or_default();
    let order = tx.record("sale.order", order_id)?;
    let mut unpaid = posted_invoices(tx, order_id);
    unpaid.retain(|id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| row.amount("amount_residual") != Amount(0))
    });
    let mut record = Record::default()
        .with("operation", "online_redirect")
        .with("state", "done")
        .with("reference", name)
        .with("provider_reference", name)
        .with("amount", amount)
        .with("invoice_ids", unpaid);
    let provider = request.provider.as_ref();
    for (field, id) in [
        ("provider_id", provider.map(|provider| provider.id)),
        ("payment_method_id", provider.and_then(|provider| provider.method)),
        ("currency_id", order.reference("currency_id")),
        ("partner_id", order.reference("partner_invoice_id")),
    ] {
        if let Some(id) = id {
            record.set(field, Value::Ref(id));
        }
    }
    payment::prepare_transaction(tx, &mut record)?;
    tx.insert("payment.transaction", record)
}

/// Tests can have a step of booking fail, or go wrong: then it is given back.
fn step(tx: &Tx<'_>, at: Step, item: Option<&str>) -> Outcome<Option<FailingStep>> {
    let asked = tx.failing.iter().find(|failing| {
        let same = failing.item.is_none() || item.is_none() || failing.item.as_deref() == item;
        failing.at == at && same
    });
    match asked.and_then(FailingStep::raise) {
        Some(raise) => Err(raise),
        None => Ok(asked.cloned()),
    }
}

/// Somebody else (Mode A, another worker that never saw the order) books the same names and
/// commits: what a race leaves for a call whose snapshot is older. For fault injection.
pub fn book_beside(tx: &mut Tx<'_>) -> Outcome<()> {
    let request = read_request(tx)?;
    for item in &request.items {
        let name = need(item, "name")?.as_str().unwrap_or_default();
        if let Fenced::Clear(order) = fences(tx, &request, item, name)? {
            enter(tx, &request, item, order)?;
        }
    }
    Ok(())
}
