//! Records of our own: what may be written of each kind, and what they are linked to.

use serde_json::{Value as Json, json};

use super::{Call, Told, activities, customers, is_name, texts};
use crate::odoo::actions::common::need;
use crate::odoo::actions::effects::name_of;
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Kind;
use crate::odoo::manual;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

const PREFIX: &str = "x_ventipay_";
const AMOUNTS: [&str; 3] = ["amount", "refunded_amount", "booked_amount"];

/// What may be written of a kind as it is given.
fn values_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "event" => &[
            "type",
            "status",
            "mode",
            "result",
            "reason",
            "live",
            "received_at",
            "amount",
            "currency",
            "console_url",
            "payload",
        ],
        "checkout" => &[
            "status",
            "disputed",
            "amount",
            "refunded_amount",
            "booked_amount",
            "currency",
            "paid_at",
        ],
        "dispute" => &["state", "amount", "currency", "reason", "deadline"],
        _ => &["state", "amount", "currency", "period_start", "period_end", "renewals", "reason"],
    }
}

/// The words a selection knows; `None` for a field that is none.
fn choices(kind: &str, field: &str) -> Option<&'static [&'static str]> {
    Some(match (kind, field) {
        ("event", "status") => {
            &["received", "reconciled", "pending", "parked", "ignored", "recorded"]
        }
        ("event", "mode") => &["A", "B"],
        ("checkout", "status") => &["unpaid", "paid", "partially_refunded", "refunded", "canceled"],
        ("dispute", "state") => {
            &["needs_response", "under_review", "won", "lost", "charge_refunded"]
        }
        ("subscription", "state") => {
            &["incomplete", "trialing", "active", "past_due", "suspended", "unpaid", "canceled"]
        }
        _ => return None,
    })
}

pub(super) fn own(tx: &mut Tx<'_>, call: &mut Call, item: &Json, kind: &str) -> Outcome<Told> {
    let (name, model) = (name_of(item)?, format!("{PREFIX}{kind}"));
    if let Some(why) = fence(tx, call, item, kind)? {
        return Ok(Told::stopped("refused", why));
    }
    let revision = need(item, "revision")?.as_i64().unwrap_or(0);
    let known = call.known_as(name, &model)?;
    if let Some(row) = known.and_then(|id| tx.get(&model, id)) {
        if row.reference("x_company_id") != Some(call.company()) {
            return Ok(Told::stopped("changed", "company"));
        }
        if row.int("x_revision") >= revision {
            return Ok(Told::status("same"));
        }
    }
    let mut values = match plain_values(tx, item, kind)? {
        Ok(values) => values,
        Err(why) => return Ok(Told::stopped("refused", why)),
    };
    let (by, partner) = customers::customer_of(tx, call, item)?;
    let payments = transactions_of(tx, call, item)?;
    link(tx, call, item, kind, &payments, partner, &mut values)?;
    values.push(("x_revision".to_owned(), Some(Value::Int(revision))));
    check_fields(tx, &model, &values)?;
    let id = if let Some(id) = known {
        tx.update(&model, id, |row| apply(row, values))?;
        id
    } else {
        let mut row = bare(call, item, need(item, "id")?)?;
        apply(&mut row, values);
        call.make(tx, name, &model, row)?
    };
    let (opened, closed) = activities::work(tx, call, item, &model, id)?;
    let reference = payments.first().and_then(|id| tx.get("payment.transaction", *id));
    let transaction = reference.map_or(json!(false), |row| json!(row.text("reference")));
    Ok(Told { transaction, opened, closed, ..Told::status("done") }.of((by, partner)))
}

/// The invoices of its payments, nothing else of it: a bare record, when nothing was told yet.
pub(super) fn subscription_invoice(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Told> {
    let (name, model) = (name_of(item)?, "x_ventipay_subscription");
    if tx.tables().find("ir.model", |row| row.text("model") == model).is_none() {
        return Ok(Told::stopped("refused", "no_models"));
    }
    let known = call.known_as(name, model)?;
    let row = known.and_then(|id| tx.get(model, id));
    if row.is_some_and(|row| row.reference("x_company_id") != Some(call.company())) {
        return Ok(Told::stopped("changed", "company"));
    }
    let held = row.map_or_else(Vec::new, |row| row.references("x_invoice_ids").to_vec());
    let payments = transactions_of(tx, call, item)?;
    let first = payments.first().and_then(|id| tx.get("payment.transaction", *id));
    let transaction = first.map_or(json!(false), |row| json!(row.text("reference")));
    let mut all = [held.clone(), invoices_of(tx, call, &payments)].concat();
    all.sort_unstable();
    all.dedup();
    if all.len() == held.len() {
        return Ok(Told { transaction, ..Told::status("same") });
    }
    let id = if let Some(id) = known {
        id
    } else {
        let row = bare(call, item, need(item, "id")?)?.with("x_revision", Value::Int(0));
        call.make(tx, name, model, row)?
    };
    tx.update(model, id, |row| row.set("x_invoice_ids", Value::Refs(all)))?;
    Ok(Told { transaction, ..Told::status("done") })
}

fn fence(tx: &Tx<'_>, call: &Call, item: &Json, kind: &str) -> Outcome<Option<&'static str>> {
    let model = format!("{PREFIX}{kind}");
    let checkout = item["checkout"].as_str().map(|id| format!("checkout-{id}"));
    let known = |name: &String| values_of(kind).contains(&name.as_str());
    Ok(Some(if tx.tables().find("ir.model", |row| row.text("model") == model).is_none() {
        "no_models"
    } else if need(item, "revision")?.as_i64().unwrap_or(0) < 1 {
        "revision"
    } else if checkout.is_some_and(|name| !is_name(&name, "checkout-")) {
        "checkout"
    } else if !need(item, "values")?.as_object().is_some_and(|values| values.keys().all(known)) {
        "values"
    } else if item["activities"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|one| kind == "event" || activities::is_wrong(one))
    {
        "activities"
    } else if item["customer"].is_object() {
        return Ok(customers::fence(call, tx, &item["customer"]));
    } else {
        return Ok(None);
    }))
}

/// What the set-up made of the model knows each field, and each word of a selection.
fn check_fields(tx: &Tx<'_>, model: &str, values: &[Change]) -> Outcome<()> {
    let made = manual::known(tx, model).filter(|known| known.fields.contains_key("x_revision"));
    let Some(known) = made else { return Ok(()) };
    for (name, value) in values {
        match (known.fields.get(name).map(|field| &field.kind), value) {
            (None, _) => return Err(Raise::unknown_field(tx.series(), model, name)),
            (Some(Kind::Selection(keys)), Some(Value::Text(word))) if !keys.contains(word) => {
                return Err(Raise::value(format!("Wrong value for {model}.{name}: '{word}'")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A field and what it is to hold; nothing empties it.
type Change = (String, Option<Value>);

fn apply(row: &mut Record, changes: Vec<Change>) {
    for (field, value) in changes {
        match value {
            Some(value) => row.set(&field, value),
            None => row.clear(&field),
        }
    }
}

fn plain_values(
    tx: &Tx<'_>,
    item: &Json,
    kind: &str,
) -> Outcome<Result<Vec<Change>, &'static str>> {
    let given = need(item, "values")?.as_object().cloned().unwrap_or_default();
    let code = given.get("currency").and_then(Json::as_str);
    let currency =
        code.and_then(|code| tx.tables().find("res.currency", |row| row.text("name") == code));
    let mut values = Vec::new();
    for (name, value) in &given {
        let field =
            if name == "currency" { "x_currency_id".to_owned() } else { format!("x_{name}") };
        let new = match value {
            _ if name == "currency" => currency.map(|(id, _)| Value::Ref(id)),
            Json::String(text) if AMOUNTS.contains(&name.as_str()) => {
                let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
                let digits = format!("{whole}{rest}");
                if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Ok(Err("amount"));
                }
                let Some((_, currency)) = currency else { return Ok(Err("currency")) };
                let places = usize::try_from(currency.int("decimal_places")).unwrap_or(0);
                if rest.trim_end_matches('0').len() > places {
                    return Ok(Err("amount"));
                }
                Some(Value::Amount(Amount::parse(text).unwrap_or_default()))
            }
            Json::String(text) => {
                if choices(kind, name).is_some_and(|words| !words.contains(&text.as_str())) {
                    return Err(Raise::value(format!(
                        "Wrong value for {PREFIX}{kind}.x_{name}: '{text}'"
                    )));
                }
                Some(Value::Text(text.clone()))
            }
            Json::Bool(true) => Some(Value::Bool(true)),
            Json::Number(number) => number.as_i64().map(Value::Int),
            _ => None,
        };
        values.push((field, new));
    }
    Ok(if code.is_some() && currency.is_none() { Err("currency") } else { Ok(values) })
}

/// The payments the names lead to, each once, in the order of the names.
fn transactions_of(tx: &Tx<'_>, call: &Call, item: &Json) -> Outcome<Vec<Id>> {
    let mut found = Vec::new();
    for name in texts(item, "of") {
        let Some(id) = call.known_as(name, "payment.transaction")? else { continue };
        let own = tx.get("payment.transaction", id);
        let ours = own.is_some_and(|row| row.reference("company_id") == Some(call.company()));
        if ours && !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Invoices of payments and, if posted, of their orders: of the company, lowest id first.
fn invoices_of(tx: &Tx<'_>, call: &Call, payments: &[Id]) -> Vec<Id> {
    let payments: Vec<&Record> =
        payments.iter().filter_map(|id| tx.get("payment.transaction", *id)).collect();
    let linked = |id: Id| payments.iter().any(|row| row.leads_to("invoice_ids", id));
    let of_order = |invoice: &Record| {
        let mut orders = payments.iter().flat_map(|row| row.references("sale_order_ids"));
        orders.any(|order| invoice.leads_to("sim_orders", *order))
    };
    let of_company = tx
        .rows("account.move")
        .filter(|(_, row)| row.reference("company_id") == Some(call.company()));
    of_company
        .filter(|(id, row)| {
            let posted = row.text("state") == "posted" && row.text("move_type") == "out_invoice";
            linked(*id) || (posted && of_order(row))
        })
        .map(|(id, _)| id)
        .collect()
}

fn bare(call: &Call, item: &Json, id: &Json) -> Outcome<Record> {
    Ok(Record::default()
        .with("x_name", id.as_str().unwrap_or_default())
        .with("x_account", need(item, "account")?.as_str().unwrap_or_default())
        .with("x_company_id", Value::Ref(call.company())))
}

fn checkout_of(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Option<Id>> {
    let Some(id) = item["checkout"].as_str() else { return Ok(None) };
    let (name, model) = (format!("checkout-{id}"), format!("{PREFIX}checkout"));
    if let Some(known) = call.known_as(&name, &model)? {
        return Ok(Some(known));
    }
    let row = bare(call, item, &item["checkout"])?.with("x_revision", Value::Int(0));
    call.make(tx, &name, &model, row).map(Some)
}

fn link(
    tx: &mut Tx<'_>,
    call: &mut Call,
    item: &Json,
    kind: &str,
    payments: &[Id],
    partner: Option<Id>,
    values: &mut Vec<Change>,
) -> Outcome<()> {
    let first = payments.first().map(|id| tx.record("payment.transaction", *id)).transpose()?;
    let of_first = |field: &str| first.as_ref().and_then(|row| row.reference(field));
    let order =
        first.as_ref().and_then(|row| row.references("sale_order_ids").iter().min().copied());
    let invoices = invoices_of(tx, call, payments);
    let invoice = invoices_of(tx, call, payments.get(..1).unwrap_or_default()).first().copied();
    let found = [
        ("transaction", payments.first().copied()),
        ("payment", of_first("payment_id")),
        ("order", order),
        ("invoice", invoice),
        ("partner", partner.or_else(|| of_first("partner_id"))),
    ];
    let links: &[&str] = match kind {
        "event" => &[],
        "checkout" => &["transaction", "payment", "order", "invoice", "partner"],
        "dispute" => &["transaction", "invoice", "partner"],
        _ => &["partner"],
    };
    for (name, id) in found.into_iter().filter(|(name, _)| links.contains(name)) {
        if let Some(id) = id {
            values.push((format!("x_{name}_id"), Some(Value::Ref(id))));
        }
    }
    if matches!(kind, "event" | "dispute")
        && let Some(checkout) = checkout_of(tx, call, item)?
    {
        values.push(("x_checkout_id".to_owned(), Some(Value::Ref(checkout))));
    }
    if kind == "subscription" {
        let held = call.known_as(name_of(item)?, &format!("{PREFIX}subscription"))?;
        let held = held.and_then(|id| tx.get("x_ventipay_subscription", id));
        let mut all = held.map_or_else(Vec::new, |row| row.references("x_invoice_ids").to_vec());
        all.extend(invoices);
        all.sort_unstable();
        all.dedup();
        values.push(("x_invoice_ids".to_owned(), Some(Value::Refs(all))));
    }
    Ok(())
}
