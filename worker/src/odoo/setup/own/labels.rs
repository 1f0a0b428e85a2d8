//! The Spanish of models, fields and choices.
//!
//! Written by one momentary action, past the ORM: `write` on a field makes Odoo build its
//! registry anew, once for each text and in every one of its processes, which is a minute of a
//! busy server for sixty labels. The columns hold a text a language (`jsonb`, 17 to 19).
//! Measured on the three: seen at once in `fields_get`, English stays.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use crate::odoo::setup::SetupError;
use crate::odoo::setup::momentary;
use crate::odoo::setup::records::{Records, SPANISH};

/// Where a text stands, and what it must be: records by table and text.
pub(super) type Texts = BTreeMap<(&'static str, &'static str), Vec<i64>>;

/// Table of the models, by their name.
pub(super) const MODELS: &str = "ir_model";
/// Table of the fields, by their label.
pub(super) const FIELDS: &str = "ir_model_fields";
/// Table of the choices, by their name.
pub(super) const CHOICES: &str = "ir_model_fields_selection";

/// Of the action that writes them.
const ACTION_NAME: &str = "Concilia: labels";

const CODE: &str = "\
asked = env.context['concilia']
columns = {'ir_model': 'name', 'ir_model_fields': 'field_description', 'ir_model_fields_selection': 'name'}
for table in asked['texts']:
    for text, ids in asked['texts'][table]:
        query = 'UPDATE ' + table + ' SET ' + columns[table] + ' = ' + columns[table]
        query = query + ' || jsonb_build_object(%s::text, %s::text) WHERE id IN %s'
        env.cr.execute(query, (asked['language'], text, tuple(ids)))
env.invalidate_all()
env.registry.clear_all_caches()";

/// Writes them all in one call.
pub(super) async fn write(
    records: &Records<'_>,
    step: &'static str,
    texts: &Texts,
) -> Result<(), SetupError> {
    if texts.is_empty() {
        return Ok(());
    }
    let mut tables: Map<String, serde_json::Value> = Map::new();
    for ((table, text), ids) in texts {
        let listed = tables.entry((*table).to_owned()).or_insert(json!([]));
        if let Some(listed) = listed.as_array_mut() {
            listed.push(json!([text, ids]));
        }
    }
    let request = json!({"language": SPANISH, "texts": tables});
    momentary::run(records, step, (ACTION_NAME, CODE), request).await?;
    Ok(())
}
