//! The news of `observe.py`: what changed lately, and whose credit Odoo left unused.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::common::{Request, need, owed};
use super::observe::searchable;
use crate::odoo::errors::Outcome;
use crate::odoo::orm::{self, Paging};
use crate::odoo::value::{Id, Record};
use crate::odoo::world::Tx;

const VALUES_MAX: usize = 1000;
const CREDITS_MAX: usize = 50;

/// When something was written, and the values it is told by.
type Change = (String, Vec<String>);

pub(super) fn news(tx: &Tx<'_>, request: &Request, asked: &Json) -> Outcome<Json> {
    let since = need(asked, "since")?.as_str().unwrap_or_default().to_owned();
    let (rows, whole) = changes(tx, request, asked, &since)?;
    let (mut values, mut last, mut more): (Vec<String>, _, _) = (Vec::new(), since.clone(), false);
    for (moment, names) in rows {
        let full = !values.is_empty() && values.len() + names.len() > VALUES_MAX;
        if moment > whole || full {
            more = true;
            break;
        }
        for name in names {
            if !values.contains(&name) {
                values.push(name);
            }
        }
        last = moment.chars().take(19).collect();
    }
    if !more {
        last = tx.caller.now.chars().take(19).collect();
    } else if last <= since {
        last = a_second_after(&since);
    }
    let credits = credit_names(tx, request);
    Ok(json!({"until": last, "values": values, "credits": credits, "more": more}))
}

/// Orders, our transactions, and orders whose invoices were written, oldest first; and the
/// moment up to which this is whole.
fn changes(
    tx: &Tx<'_>,
    request: &Request,
    asked: &Json,
    since: &str,
) -> Outcome<(Vec<Change>, String)> {
    let domain = need(asked, "domain")?.as_array().cloned().unwrap_or_default();
    let wanted = [
        domain,
        vec![json!(["company_id", "=", request.company]), json!(["state", "!=", "cancel"])],
    ]
    .concat();
    let orders: BTreeSet<Id> =
        orm::search(tx, "sale.order", &Json::Array(wanted), &Paging::default())?
            .into_iter()
            .collect();
    let fields: Vec<&str> =
        need(asked, "fields")?.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let provider = request.provider.as_ref().map(|provider| provider.id);
    let of_orders = changed(tx, "sale.order", since, |id, _| orders.contains(&id));
    let of_ours = changed(tx, "payment.transaction", since, |_, row| {
        provider.is_some() && row.reference("provider_id") == provider
    });
    let of_invoices = changed(tx, "account.move", since, |_, row| {
        row.reference("company_id") == Some(request.company)
            && row.text("move_type") == "out_invoice"
            && row.text("state") == "posted"
    });
    let whole = [&of_orders, &of_ours, &of_invoices].map(|(_, whole)| whole.clone());
    let mut rows = Vec::new();
    for (moment, id) in of_orders.0 {
        rows.push((moment, order_values(tx, id, &fields)));
    }
    for (moment, id) in of_ours.0 {
        let row = tx.record("payment.transaction", id)?;
        rows.push((moment, vec![row.text("reference").to_owned()]));
    }
    for (moment, id) in of_invoices.0 {
        let row = tx.record("account.move", id)?;
        for order in row.references("sim_orders").iter().filter(|id| orders.contains(id)) {
            rows.push((moment.clone(), order_values(tx, *order, &fields)));
        }
    }
    rows.sort();
    Ok((rows, whole.into_iter().min().unwrap_or_default()))
}

fn order_values(tx: &Tx<'_>, id: Id, fields: &[&str]) -> Vec<String> {
    let Some(order) = tx.get("sale.order", id) else { return Vec::new() };
    let own = fields.iter().filter(|field| searchable(tx, field)).map(|field| order.text(field));
    let all = [order.text("name")].into_iter().chain(own);
    all.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// What was written since, oldest first, one more than is told.
fn changed(
    tx: &Tx<'_>,
    model: &str,
    since: &str,
    fits: impl Fn(Id, &Record) -> bool,
) -> (Vec<(String, Id)>, String) {
    let rows = tx.rows(model).filter(|(id, row)| row.text("write_date") >= since && fits(*id, row));
    let mut found: Vec<(String, Id)> =
        rows.map(|(id, row)| (row.text("write_date").to_owned(), id)).collect();
    found.sort();
    found.truncate(VALUES_MAX + 1);
    let whole = match found.last() {
        Some((moment, _)) if found.len() > VALUES_MAX => moment.clone(),
        _ => "9999".to_owned(),
    };
    (found, whole)
}

fn credit_names(tx: &Tx<'_>, request: &Request) -> Vec<String> {
    let Some(provider) = &request.provider else { return Vec::new() };
    let mut open: Vec<Id> = tx
        .rows("payment.transaction")
        .filter(|(_, row)| row.reference("provider_id") == Some(provider.id))
        .filter(|(_, row)| row.text("state") == "done" && !owed(tx, row).is_empty())
        .map(|(id, _)| id)
        .collect();
    // Newest first, as every name below.
    open.reverse();
    open.truncate(4 * CREDITS_MAX);
    let rows = tx.rows("ir.model.data").filter(|(_, row)| {
        row.text("module") == "concilia"
            && row.text("model") == "payment.transaction"
            && open.contains(&row.int("res_id"))
    });
    let mut names: Vec<String> = rows.map(|(_, row)| row.text("name").to_owned()).collect();
    names.reverse();
    names.truncate(CREDITS_MAX);
    names
}

fn a_second_after(moment: &str) -> String {
    const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
    let read = jiff::civil::DateTime::strptime(FORMAT, moment);
    let next = read.and_then(|moment| moment.checked_add(jiff::SignedDuration::from_secs(1)));
    next.map_or_else(|_| moment.to_owned(), |next| next.strftime(FORMAT).to_string())
}
