//! `odoo remove`: undoes the set-up of a company, and leaves the money alone.
//!
//! Payments, transactions, saved cards, the clearing account, and the names under which all of
//! them are known (`ir.model.data`) stay: they are the books, and they are what keeps a payment
//! from being entered twice should the set-up come back. The provider is disabled, which
//! archives its payment method and its saved cards; the lines leave the journal.
//! What all companies share (menus, views, models with their rows, actions, the bot and its
//! group) goes with the last company. In the order Odoo accepts (`odoo-api-2.md` 5). What is
//! archived is found again and revived by the next `odoo setup`.

use serde_json::json;

use super::models;
use super::people::{self, GROUP_NAME};
use super::records::{
    Mode, ROOT_MENU, Records, id, is, link, links, menu_name, model_name, text, view_name,
    window_name,
};
use super::report::{Change, SetupReport};
use super::{SetupError, SetupRequest, bot_key, checks};
use crate::odoo::actions;
use crate::odoo::transport::Rpc;

const STEP: &str = "the removal";

/// Takes the set-up of one company away; `planned`: tells what would be taken, and takes nothing.
pub async fn remove(
    admin: &Rpc,
    request: &SetupRequest,
    planned: bool,
) -> Result<SetupReport, SetupError> {
    let ground = checks::check(admin, request).await?;
    let mode = if planned { Mode::Plan } else { Mode::Apply };
    let records = Records::load(admin, request.company_id, ground.series, mode).await?;
    let mut report = SetupReport::new(ground.series, &ground.company, planned);
    disable_provider(&records, &mut report).await?;
    unlink_lines(&records, &mut report).await?;
    keep_account(&records, &mut report).await?;
    let others = other_companies(&records).await?;
    if others.is_empty() {
        remove_screens(&records, &mut report).await?;
        remove_models(&records, &mut report).await?;
        remove_people(&records, &mut report).await?;
        checks::remove_version(&records, ground.version, &mut report).await?;
    } else {
        let why = format!("{} still works with them", others.join(", "));
        report.line("menus, models, server actions, bot", Change::Kept(why));
    }
    Ok(report)
}

fn removed(how: &str) -> Change {
    Change::Removed(how.to_owned())
}

async fn disable_provider(
    records: &Records<'_>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let model = "payment.provider";
    let name = format!("provider_company_{}", records.company_id);
    let Some(row) = records.ours(STEP, &name, model, &["state"]).await? else {
        return Ok(());
    };
    let change = if text(&row, "state") == "disabled" {
        Change::Unchanged
    } else {
        records.write(STEP, model, id(&row), json!({"state": "disabled"})).await?;
        removed("disabled; its method and saved cards are archived, its transactions stay")
    };
    report.line("payment provider Ventipay", change);
    Ok(())
}

async fn unlink_lines(records: &Records<'_>, report: &mut SetupReport) -> Result<(), SetupError> {
    let model = "account.payment.method.line";
    for (short, direction) in [("in", "inbound"), ("out", "outbound")] {
        let name = format!("method_line_{short}_company_{}", records.company_id);
        let Some(row) = records.ours(STEP, &name, model, &["journal_id"]).await? else {
            continue;
        };
        let change = if link(&row, "journal_id").is_none() {
            Change::Kept("payments were entered by it".to_owned())
        } else {
            // Odoo deletes a line nobody used, and only takes the journal from one in use.
            records.unlink(STEP, model, &[id(&row)]).await?;
            removed("taken off its journal")
        };
        report.line(format!("{direction} payment method line"), change);
    }
    Ok(())
}

async fn keep_account(records: &Records<'_>, report: &mut SetupReport) -> Result<(), SetupError> {
    let name = format!("account_clearing_company_{}", records.company_id);
    let fields = ["code", "name"];
    if let Some(row) = records.ours(STEP, &name, "account.account", &fields).await? {
        let object = format!("clearing account {} {}", text(&row, "code"), text(&row, "name"));
        report.line(object, Change::Kept("it is part of the books".to_owned()));
    }
    Ok(())
}

/// Names of the other companies whose provider is in use. One that this administrator may not
/// see counts as in use.
async fn other_companies(records: &Records<'_>) -> Result<Vec<String>, SetupError> {
    let own = format!("provider_company_{}", records.company_id);
    let domain = json!([
        ["module", "=", "concilia"],
        ["model", "=", "payment.provider"],
        ["name", "=like", "provider_company_%"],
        ["name", "!=", own],
    ]);
    let names = records.search(STEP, "ir.model.data", domain, &["name", "res_id"]).await?;
    let ids: Vec<i64> = names
        .iter()
        .filter_map(|row| row.get("res_id").and_then(serde_json::Value::as_i64))
        .collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let of_all = json!([["id", "in", ids]]);
    let rows = records.search_everywhere(STEP, "payment.provider", of_all, &["state"]).await?;
    let state =
        |provider: i64| rows.iter().find(|row| id(row) == provider).map(|row| text(row, "state"));
    let used = names.iter().zip(&ids).filter(|(_, id)| state(**id) != Some("disabled"));
    Ok(used.map(|(row, _)| text(row, "name").replace("provider_company_", "company ")).collect())
}

/// Menus, then the windows they open, then the server actions, then the views.
async fn remove_screens(records: &Records<'_>, report: &mut SetupReport) -> Result<(), SetupError> {
    let mut menus: Vec<String> = models::MENU.into_iter().map(menu_name).collect();
    menus.push(ROOT_MENU.to_owned());
    let windows: Vec<String> = models::MENU.into_iter().map(window_name).collect();
    let texts: Vec<String> = actions::ALL.iter().map(|one| one.external_id.to_owned()).collect();
    let views: Vec<String> = models::MENU
        .into_iter()
        .flat_map(|model| ["list", "form", "search"].map(|kind| view_name(model, kind)))
        .collect();
    for (what, model, names) in [
        ("menus", "ir.ui.menu", menus),
        ("windows", "ir.actions.act_window", windows),
        ("server actions", "ir.actions.server", texts),
        ("views", "ir.ui.view", views),
    ] {
        unlink_named(records, what, model, &names, report).await?;
    }
    Ok(())
}

/// The models in one call, with their fields, rights, rules, rows and the rows' names.
async fn remove_models(records: &Records<'_>, report: &mut SetupReport) -> Result<(), SetupError> {
    // What links to another goes before it.
    let names: Vec<String> = models::MADE.into_iter().rev().map(model_name).collect();
    unlink_named(records, "models, with the rows in them", "ir.model", &names, report).await
}

async fn unlink_named(
    records: &Records<'_>,
    what: &str,
    model: &str,
    names: &[String],
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let mut ids = Vec::new();
    for name in names {
        ids.extend(records.named(name, model)?);
    }
    let there = records.search(STEP, model, json!([["id", "in", ids]]), &["name"]).await?;
    ids.retain(|wanted| there.iter().any(|row| id(row) == *wanted));
    if !ids.is_empty() {
        records.unlink(STEP, model, &ids).await?;
        report.line(format!("Ventipay's {} {what}", ids.len()), removed("deleted"));
    }
    Ok(())
}

/// The bot is archived, unless it is somebody's own login: then it only leaves the group. A
/// user cannot be deleted who has written something.
async fn remove_people(records: &Records<'_>, report: &mut SetupReport) -> Result<(), SetupError> {
    let (users, groups) = ("res.users", records.groups_field());
    let group = records.ours(STEP, "group_bot", "res.groups", &["name"]).await?;
    let fields = ["login", "active", groups];
    if let Some(row) = records.ours(STEP, "user_bot", users, &fields).await? {
        let group = group.as_ref().map_or(0, id);
        let own = people::extra_groups(records, &links(&row, groups), group).await?;
        let object = format!("bot {}", text(&row, "login"));
        let keys = bot_key::remove_keys(records, id(&row)).await?;
        if keys > 0 {
            report.line(format!("{keys} API keys of {object}"), removed("deleted"));
        }
        if !own.is_empty() {
            let why = format!("it has groups of its own ({})", own.join(", "));
            report.line(object, Change::Kept(why));
        } else if is(&row, "active") {
            records.write(STEP, users, id(&row), json!({"active": false})).await?;
            report.line(object, removed("archived"));
        } else {
            report.line(object, Change::Unchanged);
        }
    }
    if let Some(row) = group {
        records.unlink(STEP, "res.groups", &[id(&row)]).await?;
        report.line(format!("group {GROUP_NAME}"), removed("deleted"));
    }
    Ok(())
}
