//! The generic part of every model: create, read, write, search, unlink.
//!
//! Table-driven by [`super::fields`]. What a model adds to it (defaults, checks, computed
//! fields, consequences) is in [`super::models`]. Rights are checked before ([`super::rights`]).

use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use super::domain::Domain;
use super::errors::{Outcome, Raise, python_repr};
use super::fields::{Field, Kind, stored_elsewhere};
use super::manual::{self, known};
use super::models;
use super::value::{Amount, Id, Record, Value};
use super::world::Tx;

/// Named values of a record, as they come over the wire.
pub type Values = Map<String, Json>;

/// A field of a model, if it has it.
pub fn field<'t>(tx: &'t Tx<'_>, model: &str, name: &str) -> Option<&'t Field> {
    static ADDED: LazyLock<Field> =
        LazyLock::new(|| Field { kind: Kind::Char, type_name: "char".to_owned(), required: false });
    if model == "sale.order" && tx.world.order_fields.iter().any(|added| added == name) {
        return Some(&ADDED);
    }
    known(tx, model)?.fields.get(name)
}

/// What a field holds, stored or computed.
pub fn value(tx: &Tx<'_>, model: &str, id: Id, name: &str) -> Option<Value> {
    if let Some(computed) = models::computed(tx, model, id, name) {
        return computed;
    }
    tx.get(model, id)?.get(name).cloned()
}

/// The records a relation leads to, lowest id first.
pub fn related(tx: &Tx<'_>, model: &str, id: Id, name: &str) -> Vec<Id> {
    if let Some((other, back)) = stored_elsewhere(tx.series(), model, name) {
        return tx.ids_where(other, |row| row.leads_to(back, id));
    }
    match value(tx, model, id, name) {
        Some(Value::Ref(one)) => vec![one],
        Some(Value::Refs(many)) => many,
        _ => Vec::new(),
    }
}

/// What Odoo shows for a record.
pub fn display_name(tx: &Tx<'_>, model: &str, id: Id) -> String {
    tx.get(model, id).map_or_else(String::new, |row| models::display_name(tx, model, row))
}

/// Creates a record.
pub fn create(tx: &mut Tx<'_>, model: &str, values: &Values) -> Outcome<Id> {
    let mut record = Record::default();
    let mut elsewhere = Vec::new();
    for (name, json) in values {
        let Some(field) = field(tx, model, name).cloned() else {
            return Err(Raise::unknown_field(tx.series(), model, name));
        };
        if stored_elsewhere(tx.series(), model, name).is_some() {
            elsewhere.push((name.clone(), json.clone()));
        } else if let Some(value) = convert(tx, model, name, &field, json, &[])? {
            record.set(name, value);
        }
    }
    models::prepare(tx, model, &mut record)?;
    check_required(tx, model, &record)?;
    models::check(tx, model, &record)?;
    let id = tx.insert(model, record)?;
    for (name, json) in elsewhere {
        relate(tx, model, id, &name, &json)?;
    }
    models::created(tx, model, id)?;
    refresh(tx, model);
    Ok(id)
}

/// Changes records.
pub fn write(tx: &mut Tx<'_>, model: &str, ids: &[Id], values: &Values) -> Outcome<()> {
    must_exist(tx, model, ids)?;
    for id in ids {
        let mut changed = Vec::new();
        for (name, json) in values {
            let Some(field) = field(tx, model, name).cloned() else {
                return Err(Raise::unknown_field(tx.series(), model, name));
            };
            if stored_elsewhere(tx.series(), model, name).is_some() {
                relate(tx, model, *id, name, json)?;
            } else {
                let before = tx.record(model, *id)?.references(name).to_vec();
                let stored = models::technical::stored_as(tx, model, name);
                changed.push((stored, convert(tx, model, name, &field, json, &before)?));
            }
        }
        let before = tx.record(model, *id)?;
        let mut after = before.clone();
        for (name, value) in changed {
            match value {
                Some(value) => after.set(&name, value),
                None => after.clear(&name),
            }
        }
        models::check(tx, model, &after)?;
        tx.update(model, *id, |row| *row = after)?;
        models::written(tx, model, *id, &before)?;
    }
    refresh(tx, model);
    Ok(())
}

/// A model made through the API is there at once, and so is a field.
fn refresh(tx: &mut Tx<'_>, model: &str) {
    if manual::DEFINING.contains(&model) {
        tx.world.manual = manual::read(tx.tables());
    }
}

/// Deletes records, and the external ids that lead to them.
pub fn unlink(tx: &mut Tx<'_>, model: &str, ids: &[Id]) -> Outcome<()> {
    must_exist(tx, model, ids)?;
    for id in ids {
        if models::unlinking(tx, model, *id)? {
            tx.delete(model, *id)?;
            models::technical::forget(tx, model, *id)?;
        }
    }
    refresh(tx, model);
    Ok(())
}

/// Reads records that are there; the others are left out, as Odoo does.
pub fn read(tx: &Tx<'_>, model: &str, ids: &[Id], fields: Option<&[String]>) -> Outcome<Vec<Json>> {
    let names: Vec<String> = match fields {
        Some(names) if !names.is_empty() => names.to_vec(),
        _ => known(tx, model).into_iter().flat_map(|known| known.fields.keys().cloned()).collect(),
    };
    for name in &names {
        if name != "id" && name != "display_name" && field(tx, model, name).is_none() {
            return Err(Raise::unknown_field_read(tx.series(), model, name));
        }
    }
    let present = ids.iter().filter(|id| tx.get(model, **id).is_some());
    Ok(present.map(|id| Json::Object(read_one(tx, model, *id, &names))).collect())
}

fn read_one(tx: &Tx<'_>, model: &str, id: Id, names: &[String]) -> Values {
    let mut row = Values::new();
    row.insert("id".to_owned(), json!(id));
    for name in names {
        let shown = match name.as_str() {
            "id" => json!(id),
            "display_name" => json!(display_name(tx, model, id)),
            _ => show(tx, model, id, name),
        };
        row.insert(name.clone(), shown);
    }
    row
}

/// One field as Odoo's `read` writes it.
fn show(tx: &Tx<'_>, model: &str, id: Id, name: &str) -> Json {
    let Some(field) = field(tx, model, name) else {
        return Json::Null;
    };
    if let Kind::Many(other) = &field.kind {
        let mut led = related(tx, model, id, name);
        if stored_elsewhere(tx.series(), model, name).is_some() {
            sort(tx, other, &mut led, models::default_order(other));
        }
        return json!(led);
    }
    match (&field.kind, value(tx, model, id, name)) {
        (Kind::Many2one(other), Some(Value::Ref(led))) if tx.get(other, led).is_some() => {
            json!([led, display_name(tx, other, led)])
        }
        (Kind::Amount, Some(Value::Amount(amount))) => amount.to_json(),
        (Kind::Amount, _) => Amount(0).to_json(),
        (Kind::Integer, Some(Value::Int(number))) => json!(number),
        (Kind::Integer, _) => json!(0),
        (_, Some(Value::Bool(flag))) => json!(flag),
        (
            Kind::Char | Kind::Text | Kind::Selection(_) | Kind::Other(_),
            Some(Value::Text(text)),
        ) if !text.is_empty() => {
            json!(text)
        }
        _ => json!(false),
    }
}

/// How to search.
#[derive(Debug, Default)]
pub struct Paging<'a> {
    /// `"date desc, id"`.
    pub order: Option<&'a str>,
    /// How many to leave out.
    pub offset: usize,
    /// How many at most.
    pub limit: Option<usize>,
}

/// Ids of the records in the domain.
pub fn search(tx: &Tx<'_>, model: &str, domain: &Json, paging: &Paging<'_>) -> Outcome<Vec<Id>> {
    let domain = Domain::read(tx, model, domain)?;
    let all = tx.caller.context.get("active_test") == Some(&json!(false));
    let hide_archived = !all && field(tx, model, "active").is_some() && !domain.names("active");
    let mut found: Vec<Id> = tx
        .rows(model)
        .filter(|(_, row)| !hide_archived || row.get("active") != Some(&Value::Bool(false)))
        .map(|(id, _)| id)
        .filter(|id| domain.holds(tx, model, *id))
        .collect();
    sort(tx, model, &mut found, paging.order.unwrap_or(models::default_order(model)));
    let page = found.into_iter().skip(paging.offset);
    Ok(match paging.limit {
        Some(limit) => page.take(limit).collect(),
        None => page.collect(),
    })
}

fn sort(tx: &Tx<'_>, model: &str, ids: &mut [Id], order: &str) {
    let terms: Vec<(&str, bool)> = order
        .split(',')
        .map(|term| term.trim().split_once(' ').unwrap_or((term.trim(), "asc")))
        .map(|(name, direction)| (name, direction.trim().eq_ignore_ascii_case("desc")))
        .collect();
    ids.sort_by(|left, right| {
        for (name, descending) in &terms {
            let order = sort_key(tx, model, *left, name).cmp(&sort_key(tx, model, *right, name));
            let order = if *descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        left.cmp(right)
    });
}

fn sort_key(tx: &Tx<'_>, model: &str, id: Id, name: &str) -> (i64, String) {
    if name == "id" {
        return (id, String::new());
    }
    match value(tx, model, id, name) {
        Some(Value::Int(number) | Value::Ref(number) | Value::Amount(Amount(number))) => {
            (number, String::new())
        }
        Some(Value::Bool(flag)) => (i64::from(flag), String::new()),
        Some(Value::Text(text)) => (0, text),
        _ => (0, String::new()),
    }
}

/// Every id must be there, or nothing is done.
pub fn must_exist(tx: &Tx<'_>, model: &str, ids: &[Id]) -> Outcome<()> {
    let gone: Vec<Id> = ids.iter().copied().filter(|id| tx.get(model, *id).is_none()).collect();
    if gone.is_empty() { Ok(()) } else { Err(Raise::missing(model, &gone, tx.caller.uid)) }
}

fn check_required(tx: &Tx<'_>, model: &str, record: &Record) -> Outcome<()> {
    let Some(known) = known(tx, model) else { return Ok(()) };
    let missing = known.fields.iter().find(|(name, field)| {
        let elsewhere = stored_elsewhere(tx.series(), model, name).is_some();
        let empty = !record.has(name) || record.get(name) == Some(&Value::Refs(Vec::new()));
        field.required && empty && !elsewhere && field.kind != Kind::Amount
    });
    let Some((name, _)) = missing else {
        return Ok(());
    };
    Err(models::missing_required(tx.series(), model, &known.label, name))
}

/// A value from the wire, for a field that is stored where it stands.
fn convert(
    tx: &mut Tx<'_>,
    model: &str,
    name: &str,
    field: &Field,
    json: &Json,
    before: &[Id],
) -> Outcome<Option<Value>> {
    let nothing = matches!(json, Json::Null | Json::Bool(false));
    Ok(match &field.kind {
        Kind::Boolean => {
            Some(Value::Bool(json.as_bool().unwrap_or_else(|| json.as_i64() == Some(1))))
        }
        Kind::Many(other) => Some(Value::Refs(command_targets(tx, other, json, before)?)),
        _ if nothing => None,
        Kind::Selection(keys) => match json {
            Json::String(key) if keys.contains(key) => Some(Value::Text(key.clone())),
            other => {
                let shown = other.as_str().map_or_else(|| other.to_string(), python_repr);
                return Err(Raise::value(format!("Wrong value for {model}.{name}: {shown}")));
            }
        },
        Kind::Integer => json.as_i64().map(Value::Int),
        Kind::Many2one(_) => json.as_i64().map(Value::Ref),
        Kind::Amount => Amount::from_json(json).map(Value::Amount),
        Kind::Char | Kind::Text | Kind::Other(_) => Some(Value::Text(match json {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })),
    })
}

/// What a list of commands (`[[6, 0, ids]]`, `[[4, id]]`, …) makes of a list of ids.
fn command_targets(tx: &mut Tx<'_>, model: &str, json: &Json, before: &[Id]) -> Outcome<Vec<Id>> {
    let mut ids = before.to_vec();
    for command in json.as_array().into_iter().flatten() {
        let Json::Array(parts) = command else {
            ids.extend(command.as_i64());
            continue;
        };
        let id = parts.get(1).and_then(Json::as_i64).unwrap_or(0);
        match (parts.first().and_then(Json::as_i64), parts.get(2)) {
            (Some(0), Some(Json::Object(values))) => ids.push(create(tx, model, values)?),
            (Some(1), Some(Json::Object(values))) => write(tx, model, &[id], values)?,
            (Some(2), _) => {
                unlink(tx, model, &[id])?;
                ids.retain(|one| *one != id);
            }
            (Some(3), _) => ids.retain(|one| *one != id),
            (Some(4), _) if !ids.contains(&id) => ids.push(id),
            (Some(5), _) => ids.clear(),
            (Some(6), Some(Json::Array(list))) => {
                ids = list.iter().filter_map(Json::as_i64).collect();
            }
            _ => {}
        }
    }
    must_exist(tx, model, &ids)?;
    Ok(ids)
}

/// Carries commands out on a relation that the other side stores.
fn relate(tx: &mut Tx<'_>, model: &str, id: Id, name: &str, json: &Json) -> Outcome<()> {
    let Some((other, back)) = stored_elsewhere(tx.series(), model, name) else {
        return Ok(());
    };
    let before = related(tx, model, id, name);
    let many2one =
        matches!(field(tx, other, back).map(|field| &field.kind), Some(Kind::Many2one(_)));
    let json = with_back_reference(json, id, back, many2one);
    let after = command_targets(tx, other, &json, &before)?;
    for gone in before.iter().filter(|one| !after.contains(one)) {
        if tx.get(other, *gone).is_some() {
            tx.update(other, *gone, |row| link(row, back, id, many2one, false))?;
        }
    }
    for new in after.iter().filter(|one| !before.contains(one)) {
        tx.update(other, *new, |row| link(row, back, id, many2one, true))?;
    }
    Ok(())
}

/// Lines that are created with their document know it from the start.
fn with_back_reference(json: &Json, id: Id, back: &str, many2one: bool) -> Json {
    let mut json = json.clone();
    for command in json.as_array_mut().into_iter().flatten() {
        if let Some(Json::Object(values)) = command.get_mut(2)
            && many2one
        {
            values.insert(back.to_owned(), json!(id));
        }
    }
    json
}

fn link(row: &mut Record, back: &str, id: Id, many2one: bool, linked: bool) {
    if many2one {
        if linked {
            row.set(back, Value::Ref(id));
        } else {
            row.clear(back);
        }
        return;
    }
    let mut ids: Vec<Id> = row.references(back).iter().copied().filter(|one| *one != id).collect();
    if linked {
        ids.push(id);
    }
    row.set(back, ids);
}
