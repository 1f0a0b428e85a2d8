//! Records that must be as they are wanted: found by their external id, compared, and made or
//! put right. For what is no more than its values: rights, rules, windows, views, menus.
//!
//! Records of one model are read in one call (and one more in Spanish), whatever their number.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::odoo::setup::SetupError;
use crate::odoo::setup::records::{Records, Row, id, text};
use crate::odoo::setup::report::{Change, Repair};
use crate::odoo::transport::Args;

/// A record as it must be.
#[derive(Debug)]
pub(in crate::odoo::setup) struct Wanted {
    /// Its external id.
    pub(in crate::odoo::setup) name: String,
    /// Its values, in the form in which they are written.
    pub(in crate::odoo::setup) values: Map<String, Value>,
    /// Fields and their Spanish.
    pub(in crate::odoo::setup) spanish: Vec<(&'static str, &'static str)>,
    /// Words of `arch` and their Spanish.
    pub(in crate::odoo::setup) words: Vec<(&'static str, &'static str)>,
}

/// Where translations are missing.
pub(super) fn spanish_labels() -> Repair {
    Repair::new("lacks Spanish labels", "given its Spanish labels")
}

/// Adds a repair to a change that is no creation.
pub(super) fn add(change: &mut Change, repair: Repair) {
    match change {
        Change::Unchanged => *change = Change::Changed(vec![repair]),
        Change::Changed(repairs) => repairs.push(repair),
        _ => {}
    }
}

/// Makes or puts right records of `model`; answers ids and changes in the order asked.
pub(super) async fn ensure(
    records: &mut Records<'_>,
    step: &'static str,
    model: &'static str,
    wanted: &[Wanted],
) -> Result<Vec<(i64, Change)>, SetupError> {
    let mut ids = Vec::new();
    for one in wanted {
        ids.extend(records.named(&one.name, model)?);
    }
    let mut fields: Vec<&str> =
        wanted.iter().flat_map(|one| one.values.keys().map(String::as_str)).collect();
    fields.sort_unstable();
    fields.dedup();
    let domain = json!([["id", "in", ids]]);
    let rows = by_id(records.search(step, model, domain.clone(), &fields).await?);
    let spanish = if records.spanish {
        by_id(records.search_spanish(step, model, domain, &fields).await?)
    } else {
        BTreeMap::new()
    };
    let mut missing = Vec::new();
    for one in wanted {
        if records.named(&one.name, model)?.is_none_or(|id| !rows.contains_key(&id)) {
            missing.push(one);
        }
    }
    let values = missing.iter().map(|one| one.values.clone().into()).collect();
    let made = if missing.is_empty() {
        Vec::new()
    } else {
        records.create_all(step, model, values).await?
    };
    let named: Vec<_> = missing.iter().map(|one| one.name.clone()).zip(made).collect();
    records.bind_all(step, model, &named).await?;
    let mut done = Vec::new();
    for one in wanted {
        let found = records.named(&one.name, model)?.unwrap_or(0);
        let (id, mut change) = match rows.get(&found) {
            None => (found, Change::Created),
            Some(row) => {
                let (values, repairs) = difference(row, one);
                if !values.is_empty() {
                    records.write(step, model, id(row), values.into()).await?;
                }
                (id(row), Change::of(repairs))
            }
        };
        let held = spanish.get(&id);
        if records.spanish && translate(records, (step, model), id, one, held).await? {
            add(&mut change, spanish_labels());
        }
        done.push((id, change));
    }
    Ok(done)
}

/// Several changes of one object as one.
pub(super) fn together(parts: Vec<(&'static str, Change)>) -> Change {
    if parts.iter().all(|(_, change)| *change == Change::Created) {
        return Change::Created;
    }
    let mut repairs: Vec<Repair> = Vec::new();
    for (called, change) in parts {
        match change {
            Change::Created => repairs.push(Repair::new(
                format!("lacks its {called}"),
                format!("given its {called} again"),
            )),
            Change::Changed(list) => repairs.extend(list.into_iter().map(|repair| Repair {
                wrong: repair.wrong.replace("{it}", called),
                cure: repair.cure.replace("{it}", called),
            })),
            _ => {}
        }
    }
    repairs.dedup();
    Change::of(repairs)
}

fn by_id(rows: Vec<Row>) -> BTreeMap<i64, Row> {
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

/// What differs. `{it}` in the words is the record's name in the report.
fn difference(row: &Row, wanted: &Wanted) -> (Map<String, Value>, Vec<Repair>) {
    let mut values = Map::new();
    let mut repairs = Vec::new();
    for (field, value) in &wanted.values {
        if !same(row.get(field).unwrap_or(&Value::Null), value) {
            values.insert(field.clone(), value.clone());
            repairs.push(if field == "active" {
                Repair::new("has its {it} archived", "given its {it} back")
            } else {
                let what = what(field);
                Repair::new(
                    format!("has another {what} in its {{it}}"),
                    format!("given back the {what} of its {{it}}"),
                )
            });
        }
    }
    (values, repairs)
}

/// What people call a field.
fn what(field: &str) -> &str {
    match field {
        "arch" => "text",
        "domain_force" => "domain",
        "web_icon_data" => "icon",
        "res_model" | "model_id" | "model" => "model",
        "view_mode" => "order of views",
        "parent_id" | "sequence" => "place",
        "group_id" => "group",
        "perm_read" | "perm_write" | "perm_create" | "perm_unlink" => "permission",
        other => other,
    }
}

/// Whether a field as it was read is what is to be written.
fn same(held: &Value, wanted: &Value) -> bool {
    match (held, wanted) {
        (Value::Array(link), Value::Number(_)) => link.first() == Some(wanted),
        (Value::Bool(false) | Value::Null, Value::String(text)) => text.is_empty(),
        (Value::Bool(false) | Value::Null, Value::Array(commands)) => {
            commands.first().and_then(|command| command.get(2)) == Some(&json!([]))
        }
        (Value::Array(ids), Value::Array(commands)) => {
            commands.first().and_then(|command| command.get(2)) == Some(&json!(ids))
        }
        (Value::String(held), Value::String(wanted)) => plain(held) == plain(wanted),
        _ => held == wanted,
    }
}

/// Without white space between tags, which Odoo may add.
fn plain(text: &str) -> String {
    if !text.starts_with('<') {
        return text.to_owned();
    }
    text.split('<').map(str::trim_end).collect::<Vec<_>>().join("<")
}

/// Writes the Spanish that is missing; tells whether any was missing. Nothing is imagined of a
/// record that a plan only imagines.
async fn translate(
    records: &Records<'_>,
    (step, model): (&'static str, &'static str),
    record: i64,
    wanted: &Wanted,
    held: Option<&Row>,
) -> Result<bool, SetupError> {
    let empty = Row::new();
    let held = held.unwrap_or(&empty);
    let mut values = Map::new();
    for (field, spanish) in &wanted.spanish {
        if text(held, field) != *spanish {
            values.insert((*field).to_owned(), json!(spanish));
        }
    }
    let missing = !values.is_empty();
    if missing {
        records.write_spanish(step, model, &[record], values.into()).await?;
    }
    let arch = text(held, "arch");
    let lacks = |(english, spanish): &&(&str, &str)| {
        english != spanish && !arch.contains(&format!("\"{spanish}\""))
    };
    if wanted.words.iter().any(|words| lacks(&words)) {
        let words: Map<String, Value> = wanted
            .words
            .iter()
            .map(|(english, spanish)| ((*english).to_owned(), json!(spanish)))
            .collect();
        let args = Args::on(&[record])
            .with("field_name", "arch_db")
            .with("translations", json!({"es_CL": words}));
        records.change(step, model, "update_field_translations", args).await?;
        return Ok(true);
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_compared_as_odoo_writes_it() {
        for (held, wanted) in [
            (json!([7, "Sales"]), json!(7)),
            (json!("a"), json!("a")),
            (json!(false), json!("")),
            (json!([7, 8]), json!([[6, 0, [7, 8]]])),
            (json!([]), json!([[6, 0, []]])),
            (json!(true), json!(true)),
            (
                json!("<form>\n  <field name=\"a\"/>\n</form>\n"),
                json!("<form><field name=\"a\"/></form>"),
            ),
        ] {
            assert!(same(&held, &wanted), "{held} {wanted}");
        }
        for (held, wanted) in [
            (json!([7, "Sales"]), json!(8)),
            (json!(false), json!(8)),
            (json!([7]), json!([[6, 0, [7, 8]]])),
            (json!("<form><field name=\"b\"/></form>"), json!("<form><field name=\"a\"/></form>")),
            (json!(false), json!(true)),
        ] {
            assert!(!same(&held, &wanted), "{held} {wanted}");
        }
    }

    #[test]
    fn parts_make_one_line() {
        let changed =
            || Change::Changed(vec![Repair::new("has its {it} archived", "given its {it} back")]);
        assert_eq!(
            together(vec![("list", Change::Created), ("form", Change::Created)]),
            Change::Created
        );
        assert_eq!(together(vec![("list", Change::Unchanged)]), Change::Unchanged);
        assert_eq!(
            together(vec![
                ("list", Change::Created),
                ("form", changed()),
                ("search", Change::Unchanged)
            ])
            .to_string(),
            "given its list again, given its form back"
        );
    }
}
