//! Who sees our models: billing reads, accounting managers too, each their companies' records.
//!
//! Nobody makes, changes or deletes a record by hand: the actions write them, with rights of
//! their own. A manager may write where there is a chatter, because notes and activities ask for
//! that; the form shows every value read-only. Without these Odoo shows a model to nobody.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::wanted::{self, Wanted, together};
use crate::odoo::setup::SetupError;
use crate::odoo::setup::models::{self, Model};
use crate::odoo::setup::records::{Records, access_name, rule_name};
use crate::odoo::setup::report::SetupReport;

const STEP: &str = "the rights on Ventipay's models";

pub(super) async fn ensure_rights(
    records: &mut Records<'_>,
    ids: &BTreeMap<&'static str, i64>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let billing = records.known("account.group_account_invoice")?;
    let manager = records.known("account.group_account_manager")?;
    let id = |model: &Model| ids.get(model.name).copied().unwrap_or(0);
    let access: Vec<Wanted> = models::MENU
        .into_iter()
        .flat_map(|model| {
            let of = |who, group, write| access(model, id(model), who, group, write);
            [of("billing", billing, false), of("manager", manager, model.chatter)]
        })
        .collect();
    let rules: Vec<Wanted> = models::MENU.into_iter().map(|model| rule(model, id(model))).collect();
    let access = wanted::ensure(records, STEP, "ir.model.access", &access).await?;
    let rules = wanted::ensure(records, STEP, "ir.rule", &rules).await?;
    let mut access = access.into_iter().map(|(_, change)| change);
    for (model, (_, rule)) in models::MENU.into_iter().zip(rules) {
        let mut parts = vec![("company rule", rule)];
        parts.extend(["right of billing", "right of managers"].into_iter().zip(access.by_ref()));
        report.line(format!("access to {}", model.name), together(parts));
    }
    Ok(())
}

fn access(model: &Model, id: i64, who: &'static str, group: i64, write: bool) -> Wanted {
    let values = json!({
        "name": format!("{} {who}", model.name), "model_id": id, "group_id": group, "active": true,
        "perm_read": true, "perm_write": write, "perm_create": false, "perm_unlink": false,
    });
    plain(access_name(model, who), values)
}

fn rule(model: &Model, id: i64) -> Wanted {
    let values = json!({
        "name": format!("{} company", model.name), "model_id": id, "active": true,
        "domain_force": "[('x_company_id', 'in', company_ids)]", "groups": [[6, 0, []]],
    });
    plain(rule_name(model), values)
}

fn plain(name: String, values: Value) -> Wanted {
    let Value::Object(values) = values else { unreachable!("an object was written above") };
    Wanted { name, values, spanish: Vec::new(), words: Vec::new() }
}
