//! What a customer begins in the portal: the draft transaction of an order or invoice.
//!
//! Facts: `odoo-api.md` 3. Not here: the public routes ([`crate::odoo`]'s `portal`).

use super::payment;
use crate::odoo::actions::text_hash;
use crate::odoo::errors::Outcome;
use crate::odoo::orm;
use crate::odoo::seed;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// `get_portal_url`: the document's address with its token, which is made at the first call.
pub fn url(tx: &mut Tx<'_>, model: &str, id: Id) -> Outcome<String> {
    let row = tx.record(model, id)?;
    let mut token = row.text("access_token").to_owned();
    if token.is_empty() {
        let digits = text_hash(&format!("{model}:{id}:{}", tx.caller.now));
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        token = parts.map(|part| digits.get(part).unwrap_or_default().to_owned()).join("-");
        tx.update(model, id, |row| row.set("access_token", token.as_str()))?;
    }
    let folder = if model == "sale.order" { "orders" } else { "invoices" };
    Ok(format!("/my/{folder}/{id}?access_token={token}"))
}

/// The transaction: called as the document, with `-1`, `-2`, … from the second try on. The
/// amount is whatever the visitor says.
pub fn transaction(
    tx: &mut Tx<'_>,
    model: &str,
    id: Id,
    provider: Id,
    amount: Amount,
) -> Outcome<(Id, String)> {
    let row = tx.record(model, id)?;
    let link = if model == "sale.order" { "sale_order_ids" } else { "invoice_ids" };
    let reference = next_reference(tx, row.text("name"));
    let mut record = Record::default()
        .with("provider_id", Value::Ref(provider))
        .with("operation", "online_redirect")
        .with("reference", reference.as_str())
        .with("amount", amount)
        .with(link, vec![id]);
    let method = orm::related(tx, "payment.provider", provider, "payment_method_ids");
    for (field, id) in [
        ("payment_method_id", method.first().copied()),
        ("currency_id", row.reference("currency_id")),
        ("partner_id", row.reference("partner_id")),
    ] {
        if let Some(id) = id {
            record.set(field, Value::Ref(id));
        }
    }
    payment::prepare_transaction(tx, &mut record)?;
    Ok((tx.insert("payment.transaction", record)?, reference))
}

/// Our provider in the document's company.
pub fn our_provider(tx: &Tx<'_>, document: &Record) -> Option<Id> {
    let company = document.reference("company_id").unwrap_or(seed::COMPANY);
    let ours = format!("provider_company_{company}");
    let row = tx.tables().find("ir.model.data", |row| row.text("name") == ours);
    row.map(|(_, row)| row.int("res_id"))
}

/// A document's name, or the first free `-1`, `-2`, … of it.
fn next_reference(tx: &Tx<'_>, document: &str) -> String {
    let taken = |reference: &str| {
        tx.rows("payment.transaction").any(|(_, row)| row.text("reference") == reference)
    };
    let more = (1..).map(|number| format!("{document}-{number}"));
    let mut all = std::iter::once(document.to_owned()).chain(more);
    all.find(|reference| !taken(reference)).unwrap_or_default()
}
