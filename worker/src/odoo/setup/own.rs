//! Our own models, as Odoo must hold them: the model and its fields here; who may see them
//! ([`rights`]), how they look and where they hang ([`screens`]).
//!
//! A model is made with all its fields in one call: a field a call costs Odoo a second each
//! (`odoo-api-2.md` 5). Everything is read in a few calls, compared, and written only where it
//! differs. What a person added (a field, a view of their own) is left alone.
//! What there is to be: [`super::models`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::SetupError;
use super::models::{self, Field, Kind, Model};
use super::records::{Records, Row, id, is, link, model_name, text};
use super::report::{Change, Repair, SetupReport};

mod labels;
mod rights;
mod screens;
pub(super) mod wanted;

const STEP: &str = "Ventipay's models";

/// Models, rights, windows, views and menus.
pub(super) async fn ensure(
    records: &mut Records<'_>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let ids = ensure_models(records, report).await?;
    rights::ensure_rights(records, &ids, report).await?;
    screens::ensure_screens(records, report).await
}

/// What Odoo holds of our models, in one language.
struct Held {
    models: Vec<Row>,
    fields: Vec<Row>,
    choices: Vec<Row>,
}

impl Held {
    async fn read(records: &Records<'_>, spanish: bool) -> Result<Self, SetupError> {
        let names = models::MADE.map(|model| model.name);
        let read = async |of: &str, domain: Value, fields: &[&str]| {
            if spanish {
                records.search_spanish(STEP, of, domain, fields).await
            } else {
                records.search(STEP, of, domain, fields).await
            }
        };
        let of_models = json!([["model", "in", names]]);
        let model_fields = ["name", "model", "state", "is_mail_thread", "is_mail_activity"];
        let fields_fields = [
            "name",
            "model",
            "ttype",
            "relation",
            "currency_field",
            "required",
            "field_description",
        ];
        let ours = json!([["model", "in", names], ["name", "=like", "x_%"]]);
        let of_fields = json!([["field_id.model", "in", names]]);
        Ok(Self {
            models: read("ir.model", of_models, &model_fields).await?,
            fields: read("ir.model.fields", ours, &fields_fields).await?,
            choices: read("ir.model.fields.selection", of_fields, &["field_id", "value", "name"])
                .await?,
        })
    }

    fn model(&self, model: &Model) -> Option<&Row> {
        self.models.iter().find(|row| text(row, "model") == model.name)
    }

    fn field(&self, model: &Model, field: &Field) -> Option<&Row> {
        let is_it =
            |row: &&Row| text(row, "model") == model.name && text(row, "name") == field.name;
        self.fields.iter().find(is_it)
    }

    fn choice(&self, field: i64, value: &str) -> Option<&Row> {
        let is_it =
            |row: &&Row| link(row, "field_id") == Some(field) && text(row, "value") == value;
        self.choices.iter().find(is_it)
    }
}

async fn ensure_models(
    records: &mut Records<'_>,
    report: &mut SetupReport,
) -> Result<BTreeMap<&'static str, i64>, SetupError> {
    let held = Held::read(records, false).await?;
    let mut ids = BTreeMap::new();
    let mut changes = BTreeMap::new();
    for model in models::MADE {
        let (id, change) = match held.model(model) {
            None => (create_model(records, model).await?, Change::Created),
            Some(row) => (id(row), Change::of(repair_model(records, model, row, &held).await?)),
        };
        if records.named(&model_name(model), "ir.model")? != Some(id) {
            records.bind(STEP, &model_name(model), "ir.model", id).await?;
        }
        ids.insert(model.name, id);
        changes.insert(model.name, change);
    }
    if records.spanish {
        translate(records, &held, &mut changes).await?;
    }
    for model in models::MENU {
        let change = changes.remove(model.name).unwrap_or(Change::Unchanged);
        report.line(format!("model {} ({})", model.name, model.menu.en), change);
    }
    Ok(ids)
}

async fn create_model(records: &Records<'_>, model: &Model) -> Result<i64, SetupError> {
    let fields: Vec<Value> =
        model.fields.iter().map(|field| json!([0, 0, field_values(field)])).collect();
    let values = json!({
        "name": model.label.en, "model": model.name, "state": "manual",
        "is_mail_thread": model.chatter, "is_mail_activity": model.chatter, "field_id": fields,
    });
    records.create(STEP, "ir.model", values).await
}

fn field_values(field: &Field) -> Value {
    let mut values = json!({
        "name": field.name, "field_description": field.label.en, "ttype": field.kind.ttype(),
        "required": field.required,
    });
    if let Some(model) = field.kind.relation() {
        values["relation"] = json!(model);
    }
    if matches!(field.kind, Kind::Money) {
        values["currency_field"] = json!("x_currency_id");
    }
    if matches!(field.kind, Kind::Choice(_)) {
        values["selection_ids"] =
            field.kind.choices().iter().enumerate().map(choice_command).collect();
    }
    values
}

fn choice_command((at, (value, words)): (usize, &(&str, models::Words))) -> Value {
    json!([0, 0, {"value": value, "name": words.en, "sequence": at}])
}

/// Puts right what is there, all fields in one call.
async fn repair_model(
    records: &Records<'_>,
    model: &Model,
    row: &Row,
    held: &Held,
) -> Result<Vec<Repair>, SetupError> {
    if text(row, "state") != "manual" {
        return Err(SetupError::Refused(format!(
            "A module of this Odoo has a model {}: Concilia cannot make its own. Remove that module.",
            model.name
        )));
    }
    let (mut values, mut repairs) = (Map::new(), Vec::new());
    if text(row, "name") != model.label.en {
        values.insert("name".to_owned(), json!(model.label.en));
        repairs.push(Repair::new("was renamed", "renamed"));
    }
    for mail in ["is_mail_thread", "is_mail_activity"] {
        if model.chatter && !is(row, mail) {
            values.insert(mail.to_owned(), json!(true));
            repairs.push(Repair::new("lacks its chatter", "given its chatter"));
        }
    }
    let mut commands = Vec::new();
    for field in model.fields {
        match held.field(model, field) {
            None => {
                commands.push(json!([0, 0, field_values(field)]));
                let name = field.name;
                repairs.push(Repair::new(
                    format!("lacks the field {name}"),
                    format!("given the field {name}"),
                ));
            }
            Some(row) => {
                let (changed, what) = field_difference(model, field, row, held)?;
                if !changed.is_empty() {
                    commands.push(json!([1, id(row), changed]));
                    repairs.push(Repair::new(
                        format!("has a changed field {} ({what})", field.name),
                        format!("given back the field {} ({what})", field.name),
                    ));
                }
            }
        }
    }
    if !commands.is_empty() {
        values.insert("field_id".to_owned(), commands.into());
    }
    if !values.is_empty() {
        records.write(STEP, "ir.model", id(row), values.into()).await?;
    }
    Ok(repairs)
}

/// What to write to a field, and what that is called.
fn field_difference(
    model: &Model,
    field: &Field,
    row: &Row,
    held: &Held,
) -> Result<(Map<String, Value>, String), SetupError> {
    let relation = field.kind.relation().unwrap_or_default();
    if text(row, "ttype") != field.kind.ttype() || text(row, "relation") != relation {
        return Err(SetupError::Refused(format!(
            "The field {} of {} is of another type in Odoo: delete it there (Settings, Technical, Fields) and \
             run this again.",
            field.name, model.name
        )));
    }
    let (mut values, mut what) = (Map::new(), Vec::new());
    if text(row, "field_description") != field.label.en {
        values.insert("field_description".to_owned(), json!(field.label.en));
        what.push("label");
    }
    if is(row, "required") != field.required {
        values.insert("required".to_owned(), json!(field.required));
        what.push("whether it must be filled in");
    }
    if matches!(field.kind, Kind::Money) && text(row, "currency_field") != "x_currency_id" {
        values.insert("currency_field".to_owned(), json!("x_currency_id"));
        what.push("currency");
    }
    let mut choices = Vec::new();
    for (at, choice) in field.kind.choices().iter().enumerate() {
        match held.choice(id(row), choice.0) {
            None => choices.push(choice_command((at, choice))),
            Some(held) if text(held, "name") != choice.1.en => {
                choices.push(json!([1, id(held), {"name": choice.1.en}]));
            }
            Some(_) => {}
        }
    }
    if !choices.is_empty() {
        values.insert("selection_ids".to_owned(), choices.into());
        what.push("choices");
    }
    Ok((values, what.join(", ")))
}

/// The Spanish of what is there. What this run has made is made in both languages: no word of
/// it in the report.
async fn translate(
    records: &Records<'_>,
    before: &Held,
    changes: &mut BTreeMap<&'static str, Change>,
) -> Result<(), SetupError> {
    let held = Held::read(records, true).await?;
    let mut texts = labels::Texts::new();
    let mut add = |table, text, row: &Row| texts.entry((table, text)).or_default().push(id(row));
    for model in models::MADE {
        let Some(row) = held.model(model) else { continue };
        let mut missing = BTreeSet::new();
        if text(row, "name") != model.label.es {
            add(labels::MODELS, model.label.es, row);
            missing.insert(before.model(model).is_some());
        }
        for field in model.fields {
            let Some(row) = held.field(model, field) else { continue };
            let old = before.field(model, field).is_some();
            if text(row, "field_description") != field.label.es {
                add(labels::FIELDS, field.label.es, row);
                missing.insert(old);
            }
            for (value, words) in field.kind.choices() {
                let Some(choice) = held.choice(id(row), value) else { continue };
                if text(choice, "name") != words.es {
                    add(labels::CHOICES, words.es, choice);
                    missing.insert(old && before.choice(id(row), value).is_some());
                }
            }
        }
        if missing.contains(&true)
            && let Some(change) = changes.get_mut(model.name)
        {
            wanted::add(change, wanted::spanish_labels());
        }
    }
    labels::write(records, STEP, &texts).await
}
