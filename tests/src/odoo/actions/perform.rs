//! `book.py`: carries out what was decided upon outside, each effect exactly once.
//!
//! Here is what holds for a batch; an item's kind is in [`super::book`], [`super::own`] and
//! [`super::complete`].

use serde_json::{Value as Json, json};

use super::common::{Request, booking_row, database, named, need, read_request, version};
use super::effects::{name_of, result, stopped};
use super::{book, complete, own};
use crate::odoo::errors::{Outcome, PostgresError, Raise, UNIQUE_VIOLATION};
use crate::odoo::world::Tx;

pub(super) fn perform_all(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    // Worked in the order of the orders' ids, answered in the order asked.
    let mut work: Vec<usize> = (0..request.items.len()).collect();
    work.sort_by_key(|place| first_order(&request.items[*place]));
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = isolated(tx, &request, &request.items[place])?;
    }
    Ok(json!({
        "protocol": 3, "action": "book", "version": version(code),
        "database": database(tx), "items": answers,
    }))
}

fn first_order(item: &Json) -> i64 {
    let id = |order: &Json| order["id"].as_i64().unwrap_or(0);
    match item.get("order") {
        Some(order) => id(order),
        None => item["orders"].as_array().into_iter().flatten().map(id).min().unwrap_or(0),
    }
}

/// A savepoint an item: what fails leaves nothing, and the others stay.
fn isolated(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let point = tx.savepoint();
    let failed = match perform(tx, request, item) {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let detail = match &failed {
        Raise::Postgres(error) if error.leaves_the_action() => return Err(failed),
        Raise::Postgres(error) if is_race(error) => {
            return Ok(result(name, "again", "race", "", &json!(false)));
        }
        Raise::Postgres(error) => first_line(error).to_owned(),
        Raise::Odoo(error) => error.message.clone(),
    };
    let detail: String = detail.chars().take(500).collect();
    Ok(result(name, "failed", "odoo", &detail, &json!(false)))
}

/// Another module's unique constraint is no race for our name.
fn is_race(error: &PostgresError) -> bool {
    let ours = ["payment_transaction_reference_uniq", "ir_model_data_module_name_uniq_index"];
    error.code == UNIQUE_VIOLATION && ours.iter().any(|name| first_line(error).contains(name))
}

/// The next lines quote the row.
pub(super) fn first_line(error: &PostgresError) -> &str {
    error.message.lines().next().unwrap_or_default()
}

fn perform(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let (name, kind) = (name_of(item)?, need(item, "kind")?.as_str().unwrap_or_default());
    let letters =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !name.starts_with("chk_") || !(5..=128).contains(&name.len()) || !letters {
        return Ok(stopped(name, ("refused", "name")));
    }
    let (row, known) = named(tx, name, "payment.transaction");
    if kind == "complete" {
        return complete::complete(tx, request, name, known);
    }
    if let Some(known) = known {
        return Ok(result(name, "already", "", "", &booking_row(tx, known)));
    }
    if row {
        let text = format!("The name {name} leads to a transaction that is gone.");
        return Err(Raise::user(text));
    }
    match kind {
        "book" => book::book(tx, request, item),
        "confirm" => own::confirm(tx, request, item),
        "cancel" => own::cancel(tx, request, item),
        _ => Ok(stopped(name, ("refused", "kind"))),
    }
}

/// Somebody else (Mode A, another worker that never saw the order) carries the same effects out
/// and commits: what a race leaves for a call whose snapshot is older. For fault injection.
pub fn perform_beside(tx: &mut Tx<'_>) -> Outcome<()> {
    let request = read_request(tx)?;
    for item in &request.items {
        let unnamed = !named(tx, name_of(item)?, "payment.transaction").0;
        if need(item, "kind")? != "book" {
            isolated(tx, &request, item)?;
        } else if unnamed {
            book::book_beside(tx, &request, item)?;
        }
    }
    Ok(())
}
