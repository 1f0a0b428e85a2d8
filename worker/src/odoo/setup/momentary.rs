//! A server action that lives for one call: for the few things the external API has no method
//! for. It carries the administrators' group, and is deleted whatever came of it. In a plan it
//! is neither made nor run.

use serde_json::{Value, json};

use super::SetupError;
use super::records::{Records, id};
use crate::odoo::transport::Args;

const ACTIONS: &str = "ir.actions.server";

/// Runs `code` with `request` as `env.context['concilia']`; answers what it set as its result.
/// One of the same name that an earlier run left behind goes first.
pub(super) async fn run(
    records: &Records<'_>,
    step: &'static str,
    (name, code): (&str, &str),
    request: Value,
) -> Result<Value, SetupError> {
    if records.is_plan() {
        return Ok(Value::Null);
    }
    for row in records.search(step, ACTIONS, json!([["name", "=", name]]), &["name"]).await? {
        records.unlink(step, ACTIONS, &[id(&row)]).await?;
    }
    let of_model = records.model_id(step, "res.users").await?;
    let administrators = records.known("base.group_system")?;
    let values = json!({
        "name": name, "model_id": of_model, "state": "code", "code": code,
        records.groups_field(): [[6, 0, [administrators]]],
    });
    let action = records.create(step, ACTIONS, values).await?;
    let args =
        Args::on(&[action]).context("active_model", "res.users").context("concilia", request);
    let answer = records.change(step, ACTIONS, "run", args).await;
    records.unlink(step, ACTIONS, &[action]).await?;
    answer
}
