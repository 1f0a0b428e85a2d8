//! A new company: its journals come with the chart of accounts.
//!
//! Facts: `odoo-api-2.md` 3. 18 and 19 load the chart of its country at once, 17 when it is
//! asked to. Accounts are not simulated by company: all use the first one's.

use serde_json::{Value as Json, json};

use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::seed;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// Defaults of a new company.
pub fn prepare(tx: &mut Tx<'_>, record: &mut Record) -> Outcome<()> {
    record.fill("currency_id", Value::Ref(seed::CLP));
    record.fill("active", true);
    let partner = Record::default().with("name", record.text("name")).with("active", true);
    let partner = tx.insert("res.partner", partner)?;
    record.set("partner_id", Value::Ref(partner));
    Ok(())
}

/// Whoever makes a company may see it.
pub fn created(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    let maker = tx.caller.uid;
    tx.update("res.users", maker, |user| {
        let mut companies = user.references("company_ids").to_vec();
        companies.push(id);
        user.set("company_ids", companies);
    })?;
    if tx.series() == Series::V17 { Ok(()) } else { load(tx, id) }
}

/// `account.chart.template.try_loading`.
pub fn try_loading(tx: &mut Tx<'_>, template: &str, company: Id) -> Outcome<Json> {
    if template != "cl" {
        return Err(Raise::user(format!("the simulated Odoo knows no chart {template}")));
    }
    tx.record("res.company", company)?;
    load(tx, company)?;
    Ok(json!(null))
}

fn load(tx: &mut Tx<'_>, company: Id) -> Outcome<()> {
    if tx.world_journal("sale", company).is_none() {
        seed::journals(tx, company);
    }
    tx.update("res.company", company, |row| row.set("chart_template", "cl"))
}
