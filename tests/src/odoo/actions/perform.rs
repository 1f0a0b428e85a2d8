//! `book.py` and `refund.py`: carry out what was decided upon outside, each effect exactly once.
//!
//! Here is what holds for a batch; an item's kind is in [`super::book`], [`super::pay_invoice`],
//! [`super::own`], [`super::complete`] and [`super::refund`].

use serde_json::{Value as Json, json};

use super::common::{Request, booking_row, database, held, need, read_request, version};
use super::effects::{Stopped, good_name, name_of, payment_names, result, stopped};
use super::{Action, book, complete, own, pay_invoice, refund};
use crate::odoo::errors::{Outcome, PostgresError, Raise, UNIQUE_VIOLATION};
use crate::odoo::world::Tx;

pub(super) fn perform_all(tx: &mut Tx<'_>, code: &str, action: Action) -> Outcome<Json> {
    let request = read_request(tx)?;
    let refunds = action == Action::Refund;
    // Worked in the order of the orders' ids (refunds: of the payments' names), answered in the
    // order asked.
    let mut work: Vec<usize> = (0..request.items.len()).collect();
    if refunds {
        work.sort_by_key(|place| request.items[*place]["of"].as_str().unwrap_or_default());
    } else {
        work.sort_by_key(|place| first_order(&request.items[*place]));
    }
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = isolated(tx, &request, &request.items[place], refunds)?;
    }
    Ok(json!({
        "protocol": 3, "action": if refunds { "refund" } else { "book" }, "version": version(code),
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
fn isolated(tx: &mut Tx<'_>, request: &Request, item: &Json, refunds: bool) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let result = |why: (&str, &str), detail: &str| {
        if refunds {
            refund::result(name, why, detail, None, None)
        } else {
            result(name, why.0, why.1, detail, &json!(false))
        }
    };
    let point = tx.savepoint();
    let done =
        if refunds { refund::perform(tx, request, item) } else { perform(tx, request, item) };
    let failed = match done {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let (why, detail) = failure(failed)?;
    Ok(result(why, &detail))
}

/// What is told of an item that failed, `(status, why)` and the sentence; what no item is to
/// blame for leaves the action.
pub(super) fn failure(failed: Raise) -> Outcome<(Stopped, String)> {
    let detail = match &failed {
        Raise::Postgres(error) if error.leaves_the_action() => return Err(failed),
        Raise::Postgres(error) if is_race(error) => return Ok((("again", "race"), String::new())),
        Raise::Postgres(error) => first_line(error),
        Raise::Odoo(error) => &error.message,
    };
    Ok((("failed", "odoo"), detail.chars().take(500).collect()))
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
    let names = payment_names(item)?;
    if !names.iter().all(|name| good_name(name)) {
        return Ok(stopped(name, ("refused", "name")));
    }
    let (found, known, gone) = held(tx, &names);
    if kind == "complete" {
        return complete::complete(tx, request, name, found, known);
    }
    if let Some(known) = known {
        return Ok(result(name, "already", "", "", &booking_row(tx, found, known)));
    }
    if let Some(gone) = gone {
        return Err(leads_nowhere(gone));
    }
    match kind {
        "book" => book::book(tx, request, item),
        "confirm" => own::confirm(tx, request, item),
        "pay_invoice" => pay_invoice::pay_invoice(tx, request, item),
        "cancel" | "fail" => own::give_up(tx, request, item),
        _ => Ok(stopped(name, ("refused", "kind"))),
    }
}

pub(super) fn leads_nowhere(name: &str) -> Raise {
    Raise::user(format!("The name {name} leads to a transaction that is gone."))
}

/// Somebody else (Mode A, another worker that never saw the order) carries the same effects out
/// and commits: what a race leaves for a call whose snapshot is older. For fault injection.
pub fn perform_beside(tx: &mut Tx<'_>) -> Outcome<()> {
    let request = read_request(tx)?;
    for item in &request.items {
        let (_, known, gone) = held(tx, &payment_names(item)?);
        let kind = need(item, "kind")?;
        if kind != "book" {
            isolated(tx, &request, item, kind == "refund")?;
        } else if known.is_none() && gone.is_none() {
            book::book_beside(tx, &request, item)?;
        }
    }
    Ok(())
}
