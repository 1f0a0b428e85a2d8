//! Activities: told once for every accounting manager, moved, and closed with a word.

use serde_json::Value as Json;

use super::{Call, external_id, is_name};
use crate::odoo::actions::common::need;
use crate::odoo::actions::effects::{name_of, step};
use crate::odoo::errors::Outcome;
use crate::odoo::faults::Step;
use crate::odoo::fields::Series;
use crate::odoo::rights;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// Ids of Odoo's activity types (`odoo-api.md` 6).
const TODO: Id = 4;
/// See [`TODO`].
const WARNING: Id = 6;

/// What cannot be told.
pub(super) fn is_wrong(activity: &Json) -> bool {
    let text = |key: &str| activity[key].as_str().unwrap_or_default();
    activity["open"] == true
        && (!matches!(text("type"), "warning" | "todo")
            || !is_name(text("key"), "")
            || text("summary").is_empty())
}

/// Works an item's activities in order; how many were opened and closed.
pub(super) fn work(
    tx: &mut Tx<'_>,
    call: &mut Call,
    item: &Json,
    model: &str,
    record: Id,
) -> Outcome<(usize, usize)> {
    let (mut opened, mut closed) = (0, 0);
    for activity in item["activities"].as_array().into_iter().flatten() {
        if activity["open"] == true {
            opened += open(tx, call, name_of(item)?, activity, (model, record))?;
        } else {
            closed += close(tx, activity, (model, record))?;
        }
    }
    Ok((opened, closed))
}

/// Accounting managers of the company who can log in.
fn managers(tx: &Tx<'_>, company: Id) -> Vec<Id> {
    let group = tx.tables().find("ir.model.data", |row| {
        row.text("module") == "account" && row.text("name") == "group_account_manager"
    });
    let Some(group) = group.map(|(_, row)| row.int("res_id")) else { return Vec::new() };
    let in_service = |row: &Record| {
        row.flag("active") && !row.flag("share") && row.leads_to("company_ids", company)
    };
    let users = tx.rows("res.users").filter(|(_, row)| in_service(row)).map(|(id, _)| id);
    users.filter(|id| rights::groups(tx, *id).contains(&group)).collect()
}

fn of_bot(tx: &Tx<'_>, row: &Record, (model, record): (&str, Id)) -> bool {
    row.text("res_model") == model
        && row.int("res_id") == record
        && row.reference("create_uid") == Some(tx.caller.uid)
        && row.flag("active")
}

fn open(
    tx: &mut Tx<'_>,
    call: &mut Call,
    name: &str,
    activity: &Json,
    on: (&str, Id),
) -> Outcome<usize> {
    let text = |key: &str| activity[key].as_str().unwrap_or_default();
    let flag = format!("{name}-told-{}", text("key"));
    if call.known_as(&flag, on.0)?.is_some() {
        return Ok(0);
    }
    let escaped = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", "<br/>")]
        .iter()
        .fold(text("note").to_owned(), |note, (letter, written)| note.replace(letter, written));
    let note = format!("<p>{escaped}</p>");
    let users = managers(tx, call.company());
    for user in &users {
        let there = tx.ids_where("mail.activity", |row| {
            of_bot(tx, row, on)
                && row.reference("user_id") == Some(*user)
                && row.text("summary") == text("summary")
        });
        if let Some(there) = there.first() {
            tx.update("mail.activity", *there, |row| {
                row.set("date_deadline", text("deadline"));
                row.set("note", note.as_str());
            })?;
            continue;
        }
        step(tx, Step::Activity, Some(text("summary")))?;
        let kind = if text("type") == "warning" { WARNING } else { TODO };
        let row = Record::default()
            .with("res_model", on.0)
            .with("res_id", Value::Int(on.1))
            .with("user_id", Value::Ref(*user))
            .with("create_uid", Value::Ref(tx.caller.uid))
            .with("activity_type_id", Value::Ref(kind))
            .with("summary", text("summary"))
            .with("note", note.as_str())
            .with("date_deadline", text("deadline"))
            .with("active", true);
        tx.insert("mail.activity", row)?;
    }
    if !users.is_empty() {
        step(tx, Step::Name, Some(&flag))?;
        tx.insert("ir.model.data", external_id(&flag, on.0, on.1))?;
        call.known.insert(flag, (on.0.to_owned(), on.1));
    }
    Ok(users.len())
}

/// `action_feedback`: a word in the record's history; on 19 the activity is archived, before it
/// is deleted.
fn close(tx: &mut Tx<'_>, activity: &Json, on: (&str, Id)) -> Outcome<usize> {
    let summary = activity["summary"].as_str().unwrap_or_default();
    let ours = tx.ids_where("mail.activity", |row| {
        of_bot(tx, row, on) && (summary.is_empty() || row.text("summary") == summary)
    });
    let word = need(activity, "note")?.as_str().unwrap_or_default();
    for id in &ours {
        let message = Record::default()
            .with("model", on.0)
            .with("res_id", Value::Int(on.1))
            .with("author_id", Value::Ref(tx.caller.uid))
            .with("body", word);
        tx.insert("mail.message", message)?;
        if tx.series() == Series::V19 {
            tx.update("mail.activity", *id, |row| row.set("active", false))?;
        } else {
            tx.delete("mail.activity", *id)?;
        }
    }
    Ok(ours.len())
}
