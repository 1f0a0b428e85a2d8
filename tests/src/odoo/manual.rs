//! Models made through the API (`ir.model`, state `manual`): Ventipay's own, as `odoo setup`
//! makes them.
//!
//! Their fields are read from the rows of `ir.model.fields`, so that what was not set up is not
//! there; records of them are created, read and searched as those of any model ([`super::orm`]).
//! [`upsert`] is Odoo's `_load_records` as the action *record* uses it. What Odoo refuses when
//! such a model is changed is in [`super::models::technical`].

use super::errors::{Outcome, Raise};
use super::fields::{Field, Kind, Model, Schema, schema};
use super::orm::{self, Values};
use super::value::{Id, Record, Value};
use super::world::{Tables, Tx};

/// The tables the models are read from.
pub const DEFINING: [&str; 3] = ["ir.model", "ir.model.fields", "ir.model.fields.selection"];

/// The module of our external ids.
const MODULE: &str = "concilia";

/// The models as the rows define them.
pub fn read(tables: &Tables) -> Schema {
    let mut models = Schema::new();
    for (id, row) in tables.rows("ir.model").filter(|(_, row)| row.text("state") == "manual") {
        let own = tables
            .rows("ir.model.fields")
            .filter(|(_, field)| field.reference("model_id") == Some(id));
        let fields = own
            .map(|(number, field)| (field.text("name").to_owned(), field_of(tables, number, field)))
            .collect();
        models.insert(
            row.text("model").to_owned(),
            Model { label: row.text("name").to_owned(), fields },
        );
    }
    models
}

fn field_of(tables: &Tables, id: Id, row: &Record) -> Field {
    let relation = row.text("relation").to_owned();
    let kind = match row.text("ttype") {
        "char" => Kind::Char,
        "text" => Kind::Text,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "float" | "monetary" => Kind::Amount,
        "many2one" => Kind::Many2one(relation),
        "many2many" => Kind::Many(relation),
        "selection" => Kind::Selection(
            tables
                .rows("ir.model.fields.selection")
                .filter(|(_, choice)| choice.reference("field_id") == Some(id))
                .map(|(_, choice)| choice.text("value").to_owned())
                .collect(),
        ),
        other => Kind::Other(other.to_owned()),
    };
    Field { kind, type_name: row.text("ttype").to_owned(), required: row.flag("required") }
}

/// A model, recorded or made through the API.
pub fn known<'t>(tx: &'t Tx<'_>, model: &str) -> Option<&'t Model> {
    schema(tx.series()).get(model).or_else(|| tx.world.manual.get(model))
}

/// Whether a model was made through the API.
pub fn is_manual(tx: &Tx<'_>, model: &str) -> bool {
    tx.world.manual.contains_key(model)
}

/// The record under an external id of the module `concilia`: its model and id. A name whose
/// record was deleted leads nowhere.
pub fn named(tx: &Tx<'_>, name: &str) -> Option<(String, Id)> {
    let is_it = |row: &Record| row.text("module") == MODULE && row.text("name") == name;
    let (_, row) = tx.tables().find("ir.model.data", is_it)?;
    let (model, id) = (row.text("model").to_owned(), row.int("res_id"));
    tx.get(&model, id)?;
    Some((model, id))
}

/// `_load_records` of one record: writes to the record under the external id, or creates it and
/// names it. Values as they come over the wire. Of two that race one meets PostgreSQL's refusal
/// and is run again, as in Odoo (`odoo-api-2.md` 1.4).
pub fn upsert(tx: &mut Tx<'_>, model: &str, name: &str, values: &Values) -> Outcome<Id> {
    if known(tx, model).is_none() {
        return Err(Raise::odoo("builtins.KeyError", format!("'{model}'")));
    }
    if let Some((_, id)) = named(tx, name).filter(|(of, _)| of == model) {
        orm::write(tx, model, &[id], values)?;
        return Ok(id);
    }
    let id = orm::create(tx, model, values)?;
    let is_it = |row: &Record| row.text("module") == MODULE && row.text("name") == name;
    let stale = tx.tables().find("ir.model.data", is_it).map(|(row, _)| row);
    if let Some(stale) = stale {
        tx.update("ir.model.data", stale, |row| {
            row.set("model", model);
            row.set("res_id", Value::Int(id));
        })?;
    } else {
        let row = Record::default()
            .with("module", MODULE)
            .with("name", name)
            .with("model", model)
            .with("res_id", Value::Int(id))
            .with("noupdate", false);
        tx.insert("ir.model.data", row)?;
    }
    Ok(id)
}
