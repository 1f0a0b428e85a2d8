//! What every action begins with, and what records look like in their answers.
//!
//! The part that stands letter by letter in every action.

use serde_json::{Value as Json, json};

use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::models::accounting;
use crate::odoo::orm;
use crate::odoo::value::{Amount, Id, Record};
use crate::odoo::world::Tx;

/// States of a payment that counts: 17 says posted, 18 and 19 the other two.
pub(super) const LIVE_PAYMENT: [&str; 3] = ["posted", "in_process", "paid"];

pub(super) struct Provider {
    pub(super) id: Id,
    pub(super) state: String,
    pub(super) method: Option<Id>,
    pub(super) ready: bool,
}

pub(super) struct Request {
    pub(super) company: Id,
    pub(super) items: Vec<Json>,
    /// What news are asked for, if they are.
    pub(super) news: Option<Json>,
    pub(super) ours: Vec<Id>,
    pub(super) provider: Option<Provider>,
}

pub(super) fn read_request(tx: &Tx<'_>) -> Outcome<Request> {
    let request = need(&tx.caller.context, "concilia")?;
    let items = need(request, "items")?.as_array().cloned().unwrap_or_default();
    if need(request, "protocol")? != &json!(3) || items.len() > 100 {
        return Err(Raise::user(
            "Concilia: this action speaks protocol 3, with at most 100 items a call.",
        ));
    }
    let company = need(request, "company_id")?.as_i64().unwrap_or(0);
    let ours = tx
        .rows("ir.model.data")
        .filter(|(_, row)| {
            row.text("module") == "concilia" && row.text("model") == "payment.provider"
        })
        .map(|(_, row)| row.int("res_id"))
        .collect();
    Ok(Request {
        company,
        items,
        news: request.get("news").filter(|news| news.is_object()).cloned(),
        ours,
        provider: find_provider(tx, company),
    })
}

pub(super) fn find_provider(tx: &Tx<'_>, company: Id) -> Option<Provider> {
    let (_, found) = named(tx, &format!("provider_company_{company}"), "payment.provider");
    let id = found?;
    let row = tx.get("payment.provider", id)?;
    if row.reference("company_id") != Some(company) {
        return None;
    }
    let method = orm::related(tx, "payment.provider", id, "payment_method_ids").first().copied();
    let has_account = tx.rows("account.payment.method.line").any(|(_, line)| {
        line.reference("payment_provider_id") == Some(id)
            && line.text("payment_type") == "inbound"
            && line.reference("payment_account_id").is_some()
    });
    Some(Provider {
        id,
        state: row.text("state").to_owned(),
        method,
        ready: method.is_some() && has_account,
    })
}

/// The external id of that name and the record it leads to, each perhaps absent.
pub(super) fn named(tx: &Tx<'_>, name: &str, model: &str) -> (bool, Option<Id>) {
    let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
    let Some((_, row)) = tx.tables().find("ir.model.data", ours) else {
        return (false, None);
    };
    let id = row.int("res_id");
    let led = row.text("model") == model && tx.get(model, id).is_some();
    (true, led.then_some(id))
}

/// The names of a payment: its own and its aliases.
pub(super) fn names_of<'j>(item: &'j Json, own: &str, aliases: &str) -> Outcome<Vec<&'j str>> {
    let mut names = vec![need(item, own)?.as_str().unwrap_or_default()];
    names.extend(item[aliases].as_array().into_iter().flatten().filter_map(Json::as_str));
    Ok(names)
}

/// The first of these names that leads to a transaction, that transaction, and the first name
/// that leads nowhere while none leads anywhere.
pub(super) fn held<'j>(tx: &Tx<'_>, names: &[&'j str]) -> (&'j str, Option<Id>, Option<&'j str>) {
    let mut gone = None;
    for name in names {
        match named(tx, name, "payment.transaction") {
            (_, Some(id)) => return (name, Some(id), None),
            (true, None) => gone = gone.or(Some(*name)),
            (false, None) => {}
        }
    }
    (names.first().copied().unwrap_or_default(), None, gone)
}

pub(super) fn need<'j>(json: &'j Json, key: &str) -> Outcome<&'j Json> {
    json.get(key).ok_or_else(|| Raise::odoo("builtins.KeyError", format!("'{key}'")))
}

pub(super) fn database(tx: &Tx<'_>) -> Json {
    let found = tx.tables().find("ir.config_parameter", |row| row.text("key") == "database.uuid");
    found.map_or(json!(false), |(_, row)| json!(row.text("value")))
}

/// The `VERSION` line of the stored text.
pub(super) fn version(code: &str) -> &str {
    let line = code.lines().find_map(|line| line.strip_prefix("VERSION = '"));
    line.and_then(|rest| rest.strip_suffix('\'')).unwrap_or("")
}

pub(super) fn text_or_false(text: &str) -> Json {
    if text.is_empty() { json!(false) } else { json!(text) }
}

pub(super) fn currency_of(tx: &Tx<'_>, row: &Record) -> (String, usize) {
    let currency = row.reference("currency_id").and_then(|id| tx.get("res.currency", id));
    currency.map_or_else(Default::default, |row| {
        let places = usize::try_from(row.int("decimal_places")).unwrap_or(0);
        (row.text("name").to_owned(), places)
    })
}

pub(super) fn transaction_row(tx: &Tx<'_>, ours: &[Id], row: &Record) -> Json {
    let (currency, places) = currency_of(tx, row);
    json!({
        "reference": row.text("reference"),
        "provider_reference": text_or_false(row.text("provider_reference")),
        "ours": row.reference("provider_id").is_some_and(|id| ours.contains(&id)),
        "state": row.text("state"), "amount": row.amount("amount").text(places),
        "currency": currency, "company_id": row.reference("company_id"),
    })
}

pub(super) fn invoice_row(tx: &Tx<'_>, id: Id) -> Json {
    let Some(row) = tx.get("account.move", id) else {
        return Json::Null;
    };
    let (currency, places) = currency_of(tx, row);
    let name = row.text("name");
    let live = |payment: &Id| {
        let payment = tx.get("account.payment", *payment);
        payment.is_some_and(|row| LIVE_PAYMENT.contains(&row.text("state")))
    };
    let payments = accounting::payments_of_invoice(tx, id).iter().filter(|one| live(one)).count();
    json!({
        "id": id, "name": text_or_false(if name == "/" { "" } else { name }),
        "type": row.text("move_type"), "state": row.text("state"), "payment_state": row.text("payment_state"),
        "company_id": row.reference("company_id"), "currency": currency,
        "total": row.amount("amount_total").text(places),
        "residual": row.amount("amount_residual").text(places), "payments": payments,
    })
}

/// Posted invoices of a transaction's orders, also those that came after the payment.
pub(super) fn order_invoices(tx: &Tx<'_>, transaction: &Record) -> Vec<Id> {
    let orders = transaction.references("sale_order_ids");
    tx.ids_where("account.move", |row| {
        row.text("state") == "posted"
            && row.text("move_type") == "out_invoice"
            && orders.iter().any(|order| row.leads_to("sim_orders", *order))
    })
}

/// What nothing has used up yet of a payment that counts.
pub(super) fn open_credit(tx: &Tx<'_>, payment: Id) -> Amount {
    let state = tx.get("account.payment", payment).map_or("", |row| row.text("state"));
    let live = LIVE_PAYMENT.contains(&state);
    if live { accounting::credit(tx, payment) } else { Amount(0) }
}

/// An outgoing payment leaves a debt instead.
fn signed_credit(tx: &Tx<'_>, id: Id, payment: &Record) -> Amount {
    let open = open_credit(tx, id);
    if payment.text("payment_type") == "outbound" { Amount(0) - open } else { open }
}

/// Which invoices of its own orders could take a booking's open credit, oldest first.
pub(super) fn owed(tx: &Tx<'_>, transaction: &Record) -> Vec<Id> {
    let Some(payment) = transaction.reference("payment_id") else {
        return Vec::new();
    };
    let Some(money) = tx.get("account.payment", payment) else {
        return Vec::new();
    };
    if money.reference("move_id").is_none() || !open_credit(tx, payment).is_positive() {
        return Vec::new();
    }
    let mut found: Vec<(String, Id)> = Vec::new();
    for id in order_invoices(tx, transaction) {
        let Some(invoice) = tx.get("account.move", id) else { continue };
        let fits = invoice.reference("company_id") == transaction.reference("company_id")
            && invoice.reference("currency_id") == money.reference("currency_id")
            && invoice.reference("partner_id") == money.reference("partner_id")
            && !invoice.flag("sim_other_account");
        let open = invoice.amount("amount_residual").is_positive()
            && matches!(invoice.text("payment_state"), "not_paid" | "partial");
        if fits && open {
            found.push((invoice.text("invoice_date").to_owned(), id));
        }
    }
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

/// What was given back of a payment, by whomever, lowest id first.
pub(super) fn refunds<'t>(tx: &'t Tx<'_>, source: Id) -> Vec<&'t Record> {
    let of_source = |row: &Record| {
        row.reference("source_transaction_id") == Some(source)
            && row.text("operation") == "refund"
            && row.text("state") == "done"
    };
    let rows = tx.rows("payment.transaction").map(|(_, row)| row);
    rows.filter(|row| of_source(row)).collect()
}

/// The sum of what was given back, a positive amount.
pub(super) fn refunded(tx: &Tx<'_>, source: Id) -> Amount {
    Amount(0) - refunds(tx, source).iter().map(|row| row.amount("amount")).sum()
}

/// The payment of a transaction, and the text of one of its fields.
pub(super) fn payment_text(tx: &Tx<'_>, row: &Record, field: &str) -> Json {
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    payment.map_or(json!(false), |row| text_or_false(row.text(field)))
}

fn refund_told(tx: &Tx<'_>, row: &Record) -> Json {
    let (_, places) = currency_of(tx, row);
    json!({
        "transaction": row.text("reference"), "amount": (Amount(0) - row.amount("amount")).text(places),
        "payment": payment_text(tx, row, "name"), "date": payment_text(tx, row, "date"),
    })
}

pub(super) fn booking_row(tx: &Tx<'_>, name: &str, id: Id) -> Json {
    let Some(row) = tx.get("payment.transaction", id) else {
        return json!(false);
    };
    let (currency, places) = currency_of(tx, row);
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let sorted = |field: &str| {
        let mut ids = row.references(field).to_vec();
        ids.sort_unstable();
        ids
    };
    let orders: Vec<&str> = sorted("sale_order_ids")
        .into_iter()
        .filter_map(|id| tx.get("sale.order", id))
        .map(|order| order.text("name"))
        .collect();
    let mut invoices = order_invoices(tx, row);
    invoices.extend(row.references("invoice_ids"));
    invoices.sort_unstable();
    invoices.dedup();
    let invoices: Vec<Json> = invoices.into_iter().map(|id| invoice_row(tx, id)).collect();
    let credit = payment.filter(|row| row.reference("move_id").is_some()).map(|payment_row| {
        let (_, places) = currency_of(tx, payment_row);
        let id = row.reference("payment_id").unwrap_or_default();
        signed_credit(tx, id, payment_row).text(places)
    });
    json!({
        "name": name, "transaction": row.text("reference"),
        "provider_reference": text_or_false(row.text("provider_reference")), "state": row.text("state"),
        "amount": row.amount("amount").text(places), "currency": currency,
        "company_id": row.reference("company_id"), "payment": payment_text(tx, row, "name"),
        "date": payment_text(tx, row, "date"), "orders": orders, "invoices": invoices,
        "credit": credit.map_or(json!(false), Json::from),
        "refunded": refunded(tx, id).text(places),
        "refunds": refunds(tx, id).into_iter().map(|row| refund_told(tx, row)).collect::<Vec<_>>(),
    })
}
