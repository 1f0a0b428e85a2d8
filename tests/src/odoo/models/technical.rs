//! Models, fields, views, menus, rights made through the API: defaults, what Odoo refuses, what
//! goes along when one is deleted; and texts in a second language.
//!
//! Sentences as 17.0 and 19.0 gave them. Views are not parsed: their root, their fields and the
//! group of a search view are looked at, no more.

use serde_json::{Map, Value as Json};

use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::manual;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// Fields with a text a language.
const TRANSLATED: [(&str, &str); 6] = [
    ("ir.model", "name"),
    ("ir.model.fields", "field_description"),
    ("ir.model.fields.selection", "name"),
    ("ir.ui.menu", "name"),
    ("ir.actions.act_window", "name"),
    ("ir.actions.server", "name"),
];

/// What a mail thread adds to a model.
const MAIL: [&str; 3] = ["message_follower_ids", "message_ids", "activity_ids"];

/// Defaults of a new one.
pub fn prepare(tx: &Tx<'_>, model: &str, record: &mut Record) {
    let of_model = record.reference("model_id").and_then(|id| tx.get("ir.model", id));
    match model {
        "ir.model" => {
            record.fill("state", "manual");
            record.fill("is_mail_thread", false);
            record.fill("is_mail_activity", false);
        }
        "ir.model.fields" => {
            if let Some(of_model) = of_model {
                record.set("model", of_model.text("model"));
            }
            record.fill("state", "manual");
            record.fill("store", true);
            record.fill("copied", true);
            if record.text("ttype") == "many2one" {
                record.fill("on_delete", "set null");
            }
        }
        "ir.ui.view" => {
            record.fill("active", true);
            record.fill("priority", Value::Int(16));
            record.fill("mode", "primary");
        }
        "ir.ui.menu" => {
            record.fill("active", true);
            record.fill("sequence", Value::Int(10));
        }
        "ir.actions.act_window" => {
            record.fill("type", "ir.actions.act_window");
            record.fill("context", "{}");
            record.fill("target", "current");
            record.fill("binding_type", "action");
            record.fill(
                "view_mode",
                if tx.series() == Series::V17 { "tree,form" } else { "list,form" },
            );
        }
        "ir.model.access" | "ir.rule" => {
            record.fill("active", true);
            for right in ["perm_read", "perm_write", "perm_create", "perm_unlink"] {
                record.fill(right, model == "ir.rule");
            }
        }
        _ => {}
    }
}

/// What Odoo's constraints refuse.
pub fn check(tx: &Tx<'_>, model: &str, record: &Record) -> Outcome<()> {
    match model {
        "ir.model"
            if record.text("state") == "manual" && !record.text("model").starts_with("x_") =>
        {
            Err(Raise::validation("The model name must start with 'x_'."))
        }
        "ir.model.fields" => check_field(tx, record),
        "ir.ui.view" => check_view(tx, record),
        _ => Ok(()),
    }
}

fn check_field(tx: &Tx<'_>, record: &Record) -> Outcome<()> {
    if !record.text("name").starts_with("x_") {
        return Err(Raise::validation(
            "The operation cannot be completed: Custom fields must have a name that starts with 'x_'!",
        ));
    }
    let relation = record.text("relation");
    if !relation.is_empty() && manual::known(tx, relation).is_none() {
        return Err(Raise::validation(format!("Unknown model name '{relation}' in Related Model")));
    }
    Ok(())
}

fn check_view(tx: &Tx<'_>, record: &Record) -> Outcome<()> {
    let (arch, kind, model) = (record.text("arch"), record.text("type"), record.text("model"));
    if kind == "qweb" {
        return Ok(());
    }
    let near = |text: String| {
        let (root, rest) = arch.split_once('>').unwrap_or((arch, ""));
        Raise::validation(format!(
            "Error while validating view near:\n\n{root} __validate__=\"1\">{rest}\n{text}"
        ))
    };
    let root = arch.trim_start_matches('<').split([' ', '>', '/']).next().unwrap_or_default();
    if root != kind {
        return Err(near(format!(
            "The root node of a {kind} view should be a <{kind}>, not a <{root}>"
        )));
    }
    if kind == "search" && tx.series() == Series::V19 && arch.contains("<group expand=") {
        let name = record.text("name");
        return Err(Raise::validation(format!("Invalid view {name} definition in False")));
    }
    let Some(known) = manual::known(tx, model) else {
        return Err(Raise::validation(format!("Model not found: {model}")));
    };
    let mail = |name: &str| {
        let found = tx.tables().find("ir.model", |row| row.text("model") == model);
        MAIL.contains(&name) && found.is_some_and(|(_, row)| row.flag("is_mail_thread"))
    };
    let unknown = |name: &&str| !known.fields.contains_key(*name) && !mail(name) && *name != "id";
    match fields_in(arch).into_iter().find(unknown) {
        Some(name) => Err(near(format!("Field \"{name}\" does not exist in model \"{model}\""))),
        None => Ok(()),
    }
}

/// The fields a view shows of its own model: not those of a view within it.
fn fields_in(arch: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = arch;
    while let Some((_, after)) = rest.split_once("<field ") {
        let (tag, behind) = after.split_once('>').unwrap_or((after, ""));
        let name = tag.split_once("name=\"").and_then(|(_, name)| name.split_once('"'));
        names.extend(name.map(|(name, _)| name));
        rest = match behind.split_once("</field>") {
            Some((_, outside)) if !tag.ends_with('/') => outside,
            _ => behind,
        };
    }
    names
}

/// What must be so before one is deleted, and what is deleted with it.
pub fn unlinking(tx: &mut Tx<'_>, model: &str, id: Id) -> Outcome<()> {
    match model {
        "ir.model" => unlink_model(tx, id),
        "ir.model.fields" => {
            let row = tx.record(model, id)?;
            refuse_shown(tx, row.text("model"), &[row.text("name").to_owned()])?;
            delete_all(tx, "ir.model.fields.selection", "field_id", id)
        }
        "res.groups" => {
            // Who had it, implied it or asked for it has, implies and asks for it no more.
            let field = tx.series().groups_field();
            let of = [("res.users", field), ("ir.actions.server", field), (model, "implied_ids")];
            for (other, field) in of {
                for row in tx.ids_where(other, |row| row.leads_to(field, id)) {
                    let held = tx.record(other, row)?;
                    let left = held.references(field).iter().copied().filter(|one| *one != id);
                    let left: Vec<Id> = left.collect();
                    tx.update(other, row, |row| row.set(field, left))?;
                }
            }
            Ok(())
        }
        "ir.ui.menu" => {
            for child in tx.ids_where(model, |row| row.reference("parent_id") == Some(id)) {
                tx.update(model, child, |row| row.clear("parent_id"))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn unlink_model(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    let row = tx.record("ir.model", id)?;
    let name = row.text("model").to_owned();
    if row.text("state") != "manual" {
        let label = row.text("name");
        let text = format!("Model “{label}” contains module data and cannot be removed.");
        return Err(Raise::user(text));
    }
    let own = tx.ids_where("ir.model.fields", |field| field.reference("model_id") == Some(id));
    let names: Vec<String> = own
        .iter()
        .filter_map(|field| Some(tx.get("ir.model.fields", *field)?.text("name").to_owned()))
        .collect();
    refuse_shown(tx, &name, &names)?;
    for field in &own {
        delete_all(tx, "ir.model.fields.selection", "field_id", *field)?;
    }
    for of in ["ir.model.fields", "ir.model.access", "ir.rule"] {
        delete_all(tx, of, "model_id", id)?;
    }
    for record in tx.ids_where(&name, |_| true) {
        tx.delete(&name, record)?;
        forget(tx, &name, record)?;
    }
    Ok(())
}

/// A field a view shows cannot go.
fn refuse_shown(tx: &Tx<'_>, model: &str, fields: &[String]) -> Outcome<()> {
    let shows = |view: &Record| {
        view.text("model") == model
            && fields_in(view.text("arch")).iter().any(|name| fields.iter().any(|one| one == name))
    };
    let Some((_, view)) = tx.rows("ir.ui.view").find(|(_, view)| shows(view)) else {
        return Ok(());
    };
    let list: Vec<String> = fields.iter().map(|field| format!("{model}.{field}")).collect();
    Err(Raise::user(format!(
        "Cannot rename/delete fields that are still present in views:\nFields: {}\nView: {}",
        list.join(", "),
        view.text("name")
    )))
}

fn delete_all(tx: &mut Tx<'_>, model: &str, link: &str, to: Id) -> Outcome<()> {
    for id in tx.ids_where(model, |row| row.reference(link) == Some(to)) {
        tx.delete(model, id)?;
        forget(tx, model, id)?;
    }
    Ok(())
}

/// The external ids that lead to a record go with it.
pub fn forget(tx: &mut Tx<'_>, model: &str, id: Id) -> Outcome<()> {
    let leads = |row: &Record| row.text("model") == model && row.int("res_id") == id;
    for name in tx.ids_where("ir.model.data", leads) {
        tx.delete("ir.model.data", name)?;
    }
    Ok(())
}

/// The language a call speaks, if it is another than English and active.
fn language<'t>(tx: &'t Tx<'_>) -> Option<&'t str> {
    let language = tx.caller.context.get("lang")?.as_str()?;
    let active = |row: &Record| row.text("code") == language && row.flag("active");
    (language != "en_US" && tx.rows("res.lang").any(|(_, row)| active(row))).then_some(language)
}

/// Where a text is stored that is written now.
pub fn stored_as(tx: &Tx<'_>, model: &str, field: &str) -> String {
    match language(tx) {
        Some(language) if TRANSLATED.contains(&(model, field)) => format!("{field}@{language}"),
        _ => field.to_owned(),
    }
}

/// A text in the language of the call, if the field has one a language.
pub fn translated(tx: &Tx<'_>, model: &str, id: Id, field: &str) -> Option<Value> {
    let arch = model == "ir.ui.view" && ["arch", "arch_db", "arch_base"].contains(&field);
    let row = tx.get(model, id)?;
    let language = language(tx);
    if arch {
        let text = row.text("arch").to_owned();
        let words = language.map_or("", |language| row.text(&format!("words@{language}")));
        let words: Map<String, Json> = serde_json::from_str(words).unwrap_or_default();
        let spoken = words.iter().fold(text, |text, (from, to)| {
            let to = to.as_str().unwrap_or_default();
            text.replace(&format!("=\"{from}\""), &format!("=\"{to}\""))
        });
        return Some(Value::Text(spoken));
    }
    let language = language.filter(|_| TRANSLATED.contains(&(model, field)))?;
    row.get(&format!("{field}@{language}")).cloned()
}

/// `update_field_translations`: a text a language, or the words of a view.
pub fn update_translations(
    tx: &mut Tx<'_>,
    model: &str,
    id: Id,
    field: &str,
    translations: &Map<String, Json>,
) -> Outcome<()> {
    let active = |code: &str| {
        code == "en_US"
            || tx.rows("res.lang").any(|(_, row)| row.text("code") == code && row.flag("active"))
    };
    let missing: Vec<&str> =
        translations.keys().map(String::as_str).filter(|code| !active(code)).collect();
    if !missing.is_empty() {
        let list = missing.join(", ");
        return Err(Raise::user(format!("The following languages are not activated: {list}")));
    }
    for (language, said) in translations {
        match said {
            Json::Object(words) if model == "ir.ui.view" => {
                let key = format!("words@{language}");
                let before = tx.record(model, id)?;
                let mut all: Map<String, Json> =
                    serde_json::from_str(before.text(&key)).unwrap_or_default();
                all.extend(words.clone());
                tx.update(model, id, |row| row.set(&key, Json::Object(all).to_string()))?;
            }
            Json::String(text) => {
                let key = if language == "en_US" {
                    field.to_owned()
                } else {
                    format!("{field}@{language}")
                };
                tx.update(model, id, |row| row.set(&key, text.as_str()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_view_within_are_not_the_model_s() {
        let arch = "<form><field name=\"a\"/><field name=\"b\"><list><field name=\"c\"/></list></field>\
                    <field class=\"x\" name=\"d\"/></form>";
        assert_eq!(fields_in(arch), ["a", "b", "d"]);
    }
}
