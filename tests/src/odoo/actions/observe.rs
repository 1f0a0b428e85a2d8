//! `observe.py`: tells what is there. Writes nothing.

use serde_json::{Value as Json, json};

use super::common::{
    Request, booking_row, currency_of, database, held, invoice_row, named, names_of, need,
    read_request, transaction_row, version,
};
use super::{news, text_hash};
use crate::odoo::errors::Outcome;
use crate::odoo::fields::Kind;
use crate::odoo::orm::{self, Paging};
use crate::odoo::value::{Id, Record};
use crate::odoo::world::Tx;

/// Most candidates told of one checkout.
const CANDIDATES_MAX: usize = 20;

pub(super) fn observe(tx: &Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    let mut items = Vec::new();
    for item in &request.items {
        items.push(observe_item(tx, &request, item)?);
    }
    let provider = request.provider.as_ref().map_or(
        json!(false),
        |provider| json!({"id": provider.id, "state": provider.state, "ready": provider.ready}),
    );
    let news = match &request.news {
        Some(asked) => news::news(tx, &request, asked)?,
        None => json!(false),
    };
    Ok(json!({
        "protocol": 3, "action": "observe", "version": version(code), "database": database(tx),
        "actions": stored_hashes(tx),
        "provider": provider, "items": items, "news": news,
    }))
}

fn stored_hashes(tx: &Tx<'_>) -> Json {
    let names = ["observe", "book", "refund", "record", "invoice"];
    let row = |name: &str| (name.to_owned(), stored_hash(tx, &format!("action_{name}")));
    Json::Object(names.into_iter().map(row).collect())
}

/// SHA-256 of a stored action's text without the white space around it, in hex.
fn stored_hash(tx: &Tx<'_>, name: &str) -> Json {
    let (_, found) = named(tx, name, "ir.actions.server");
    let Some(row) = found.and_then(|id| tx.get("ir.actions.server", id)) else {
        return json!(false);
    };
    json!(text_hash(row.text("code")))
}

fn observe_item(tx: &Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let names = names_of(item, "name", "aliases")?;
    let (found, booked, _) = held(tx, &names);
    let carried = carried(item, name);
    let others: Vec<Json> = tx
        .rows("payment.transaction")
        .filter(|(id, row)| {
            let is_it = names.contains(&row.text("reference"))
                || carried.contains(&row.text("provider_reference"));
            is_it && Some(*id) != booked
        })
        .take(20)
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect();
    let domain = need(item, "domain")?.as_array().cloned().unwrap_or_default();
    let mut probes = Vec::new();
    for probe in need(item, "probes")?.as_array().into_iter().flatten() {
        probes.push(probe_row(tx, request, probe, &domain)?);
    }
    Ok(json!({
        "name": name, "booked": booked.map_or(json!(false), |id| booking_row(tx, found, id)),
        "transactions": others, "candidates": candidate_rows(tx, request, item, booked)?, "probes": probes,
        "invoices": invoice_probes(tx, request, item)?,
    }))
}

/// The values of `provider_reference` that mean this payment.
fn carried<'j>(item: &'j Json, name: &'j str) -> Vec<&'j str> {
    let given: Vec<&str> =
        item["carried"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if given.is_empty() { vec![name] } else { given }
}

fn invoice_probes(tx: &Tx<'_>, request: &Request, item: &Json) -> Outcome<Vec<Json>> {
    let mut rows = Vec::new();
    for probe in item["invoice_probes"].as_array().into_iter().flatten() {
        let field = need(probe, "field")?.as_str().unwrap_or_default();
        let value = need(probe, "value")?;
        let text = value.as_str().unwrap_or_default();
        let wanted = ["name", "ref", "payment_reference"].contains(&field) && !text.is_empty();
        let invoices: Vec<Json> = tx
            .rows("account.move")
            .filter(|(_, row)| {
                wanted
                    && row.text("move_type") == "out_invoice"
                    && row.reference("company_id") == Some(request.company)
                    && row.text(field) == text
            })
            .take(5)
            .map(|(id, row)| found_invoice(tx, request, id, row))
            .collect();
        rows.push(json!({"field": field, "value": value, "invoices": invoices}));
    }
    Ok(rows)
}

/// An invoice that was asked for, whose it is, and what has paid it.
fn found_invoice(tx: &Tx<'_>, request: &Request, id: Id, row: &Record) -> Json {
    let partner = row.reference("partner_id").and_then(|id| tx.get("res.partner", id));
    let mut shown = invoice_row(tx, id);
    shown["partner"] = partner.map_or(json!(false), |row| json!(row.text("name")));
    shown["transactions"] = json!(paid_rows(tx, request, "invoice_ids", id));
    shown
}

/// What has paid an order or an invoice.
fn paid_rows(tx: &Tx<'_>, request: &Request, link: &str, id: Id) -> Vec<Json> {
    tx.rows("payment.transaction")
        .filter(|(_, row)| row.leads_to(link, id))
        .filter(|(_, row)| matches!(row.text("state"), "authorized" | "done"))
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect()
}

/// Those that carry an id of the payment's first, then those called as asked, in the order asked;
/// each once.
fn candidate_rows(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    booked: Option<Id>,
) -> Outcome<Vec<Json>> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let carried = carried(item, name);
    let ours = |row: &Record| {
        carried.contains(&row.text("provider_reference"))
            && row.reference("provider_id").is_some_and(|id| request.ours.contains(&id))
    };
    let mut found: Vec<(Id, Json)> = tx
        .rows("payment.transaction")
        .filter(|(_, row)| ours(row))
        .map(|(id, _)| (id, json!("checkout")))
        .collect();
    for (place, reference) in need(item, "references")?.as_array().into_iter().flatten().enumerate()
    {
        let value = need(reference, "value")?.as_str().unwrap_or_default();
        let called = tx.tables().find("payment.transaction", |row| row.text("reference") == value);
        if let Some((id, _)) = called
            && found.iter().all(|(known, _)| *known != id)
        {
            found.push((id, json!(place)));
        }
    }
    found.retain(|(id, _)| Some(*id) != booked);
    found.truncate(CANDIDATES_MAX);
    Ok(found.into_iter().map(|(id, by)| candidate_row(tx, request, id, &by)).collect())
}

fn candidate_row(tx: &Tx<'_>, request: &Request, id: Id, found_by: &Json) -> Json {
    let Some(row) = tx.get("payment.transaction", id) else {
        return Json::Null;
    };
    let sorted = |field: &str| {
        let mut ids = row.references(field).to_vec();
        ids.sort_unstable();
        ids
    };
    let orders: Vec<Json> =
        sorted("sale_order_ids").into_iter().map(|id| order_row(tx, request, id)).collect();
    let invoices: Vec<Json> =
        sorted("invoice_ids").into_iter().map(|id| invoice_row(tx, id)).collect();
    let mut shown = transaction_row(tx, &request.ours, row);
    shown["id"] = json!(id);
    shown["found_by"] = found_by.clone();
    shown["orders"] = json!(orders);
    shown["invoices"] = json!(invoices);
    shown
}

/// Whether one can search orders by a field's text.
pub(super) fn searchable(tx: &Tx<'_>, field: &str) -> bool {
    let kind = orm::field(tx, "sale.order", field).map(|field| &field.kind);
    matches!(kind, Some(Kind::Char | Kind::Text))
}

fn probe_row(tx: &Tx<'_>, request: &Request, probe: &Json, domain: &[Json]) -> Outcome<Json> {
    let field = need(probe, "field")?.as_str().unwrap_or_default();
    let value = need(probe, "value")?;
    let known = searchable(tx, field);
    let mut orders = Vec::new();
    if known && value.as_str().is_some_and(|text| !text.is_empty()) {
        let mut domain = domain.to_vec();
        domain.push(json!(["company_id", "=", request.company]));
        domain.push(json!([field, "=", value]));
        let paging = Paging { order: Some("id"), limit: Some(5), ..Paging::default() };
        let found = orm::search(tx, "sale.order", &Json::Array(domain), &paging)?;
        orders = found.into_iter().map(|id| order_row(tx, request, id)).collect();
    }
    Ok(json!({"field": field, "value": value, "unknown_field": !known, "orders": orders}))
}

fn order_row(tx: &Tx<'_>, request: &Request, id: Id) -> Json {
    let Some(order) = tx.get("sale.order", id) else {
        return Json::Null;
    };
    let (currency, places) = currency_of(tx, order);
    let paid = paid_rows(tx, request, "sale_order_ids", id);
    let invoices: Vec<Json> = orm::related(tx, "sale.order", id, "invoice_ids")
        .into_iter()
        .map(|invoice| invoice_row(tx, invoice))
        .collect();
    json!({
        "id": id, "name": order.text("name"), "state": order.text("state"),
        "company_id": order.reference("company_id"), "currency": currency,
        "total": order.amount("amount_total").text(places), "transactions": paid, "invoices": invoices,
    })
}
