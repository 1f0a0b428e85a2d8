//! `observe.py`: tells what is there. Writes nothing.

use serde_json::{Value as Json, json};

use super::common::{
    Request, booking_row, currency_of, database, invoice_row, named, need, read_request,
    transaction_row, version,
};
use super::text_hash;
use crate::odoo::errors::Outcome;
use crate::odoo::fields::Kind;
use crate::odoo::orm::{self, Paging};
use crate::odoo::value::Id;
use crate::odoo::world::Tx;

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
    Ok(json!({
        "protocol": 1, "action": "observe", "version": version(code), "database": database(tx),
        "actions": {"observe": stored_hash(tx, "action_observe"), "book": stored_hash(tx, "action_book")},
        "provider": provider, "items": items,
    }))
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
    let (_, booked) = named(tx, name, "payment.transaction");
    let others: Vec<Json> = tx
        .rows("payment.transaction")
        .filter(|(id, row)| {
            let carries = row.text("reference") == name || row.text("provider_reference") == name;
            carries && Some(*id) != booked
        })
        .take(20)
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect();
    let mut probes = Vec::new();
    for probe in need(item, "probes")?.as_array().into_iter().flatten() {
        probes.push(probe_row(tx, request, probe)?);
    }
    Ok(json!({
        "name": name, "booked": booked.map_or(json!(false), |id| booking_row(tx, id)),
        "transactions": others, "probes": probes,
    }))
}

fn probe_row(tx: &Tx<'_>, request: &Request, probe: &Json) -> Outcome<Json> {
    let field = need(probe, "field")?.as_str().unwrap_or_default();
    let value = need(probe, "value")?;
    let kind = orm::field(tx, "sale.order", field).map(|field| &field.kind);
    let known = matches!(kind, Some(Kind::Char | Kind::Text));
    let mut orders = Vec::new();
    if known && value.as_str().is_some_and(|text| !text.is_empty()) {
        let mut domain = request.domain.clone();
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
    let paid: Vec<Json> = tx
        .rows("payment.transaction")
        .filter(|(_, row)| row.leads_to("sale_order_ids", id))
        .filter(|(_, row)| matches!(row.text("state"), "authorized" | "done"))
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect();
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
