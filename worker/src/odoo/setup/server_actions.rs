//! The server actions, as this build carries them.
//!
//! Each carries the group: on 19 an action without one is open to every login, portal customers
//! included (`odoo-api-2.md` 1.1). Each is bound to its model, which is how the bot finds it
//! without a right to read actions; members of the group only, so nobody, see it in a menu.

use serde_json::{Map, json};

use super::SetupError;
use super::records::{Records, Row, id, link, links, text};
use super::report::{Change, Repair, SetupReport};
use crate::odoo::actions::{self, Action, stripped};

const MODEL: &str = "ir.actions.server";

/// All actions.
pub(super) async fn ensure_actions(
    records: &mut Records<'_>,
    group: i64,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let of_model = records.model_id("the server actions", actions::MODEL).await?;
    for action in actions::ALL {
        let repairs = ensure_action(records, &action, of_model, group).await?;
        let change = repairs.map_or(Change::Created, Change::of);
        let object = format!("server action {} (version {})", action.name, actions::VERSION);
        report.line(object, change);
    }
    Ok(())
}

/// `None`: made.
async fn ensure_action(
    records: &mut Records<'_>,
    action: &Action,
    of_model: i64,
    group: i64,
) -> Result<Option<Vec<Repair>>, SetupError> {
    let step = "the server actions";
    let groups = records.groups_field();
    let fields = ["name", "model_id", "binding_model_id", "state", "code", groups];
    let (record, mut repairs) = match records.ours(step, action.external_id, MODEL, &fields).await?
    {
        None => {
            let values = json!({
                "name": action.name, "model_id": of_model, "binding_model_id": of_model, "state": "code",
                "code": action.text(), groups: [[6, 0, [group]]],
            });
            let record = records.create(step, MODEL, values).await?;
            records.bind(step, action.external_id, MODEL, record).await?;
            (record, None)
        }
        Some(row) => {
            let (values, repairs) = difference(&row, action, of_model, (groups, group));
            if !values.is_empty() {
                records.write(step, MODEL, id(&row), values.into()).await?;
            }
            (id(&row), Some(repairs))
        }
    };
    // What a run that was cut off left behind would stand beside it under the same name.
    let domain = json!([["name", "=", action.name], ["id", "!=", record]]);
    for row in records.search(step, MODEL, domain, &["name"]).await? {
        records.unlink(step, MODEL, &[id(&row)]).await?;
        if let Some(repairs) = &mut repairs {
            repairs.push(Repair::new(
                "has a double of the same name",
                "rid of a double of the same name",
            ));
        }
    }
    Ok(repairs)
}

/// What to write to an existing action, and what that is called.
fn difference(
    row: &Row,
    action: &Action,
    of_model: i64,
    (groups, group): (&str, i64),
) -> (Map<String, serde_json::Value>, Vec<Repair>) {
    let mut values = Map::new();
    let mut repairs = Vec::new();
    let mut differs = |field: &str, value: serde_json::Value, wrong: &str, cure: &str| {
        values.insert(field.to_owned(), value);
        repairs.push(Repair::new(wrong, cure));
    };
    if text(row, "name") != action.name {
        differs("name", json!(action.name), "was renamed", "renamed");
    }
    if link(row, "model_id") != Some(of_model) {
        differs("model_id", json!(of_model), "is on another model", "put back on its model");
    }
    if link(row, "binding_model_id") != Some(of_model) {
        differs(
            "binding_model_id",
            json!(of_model),
            "is not bound to its model",
            "bound to its model",
        );
    }
    if text(row, "state") != "code" {
        differs("state", json!("code"), "does not run its text", "made to run its text");
    }
    if links(row, groups) != [group] {
        let cure = "restricted to the group";
        differs(groups, json!([[6, 0, [group]]]), "is open to others than the bot's group", cure);
    }
    if stripped(text(row, "code")) != action.text() {
        let wrong = "holds a text of another version, or one edited by hand";
        differs("code", json!(action.text()), wrong, "given this version's text");
    }
    (values, repairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(changes: &serde_json::Value) -> Row {
        let mut row = json!({
            "id": 5, "name": "Concilia: book", "model_id": [40, "m"], "binding_model_id": [40, "m"],
            "state": "code", "code": format!("\n{}\n", actions::BOOK.code), "groups_id": [7],
        });
        for (field, value) in changes.as_object().unwrap() {
            row[field] = value.clone();
        }
        serde_json::from_value(row).unwrap()
    }

    fn compare(changes: &serde_json::Value) -> (serde_json::Value, Change) {
        let row = stored(changes);
        let (values, repairs) = difference(&row, &actions::BOOK, 40, ("groups_id", 7));
        (values.into(), Change::of(repairs))
    }

    #[test]
    fn an_action_as_it_must_be_is_left_alone() {
        assert_eq!(compare(&json!({})), (json!({}), Change::Unchanged));
    }

    #[test]
    fn an_open_action_is_closed_again() {
        for groups in [json!([]), json!([7, 1]), json!(false)] {
            let (values, change) = compare(&json!({"groups_id": groups}));
            assert_eq!(values, json!({"groups_id": [[6, 0, [7]]]}));
            assert_eq!(change.to_string(), "restricted to the group");
        }
    }

    #[test]
    fn a_text_edited_by_hand_or_of_another_version_is_replaced() {
        let (values, change) = compare(&json!({"code": "action = 1", "binding_model_id": false}));
        assert_eq!(values["code"], actions::BOOK.text());
        assert_eq!(values["binding_model_id"], 40);
        assert!(change.to_string().contains("given this version's text"), "{change}");
    }
}
