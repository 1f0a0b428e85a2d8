//! `tests/actions/cases/*.json`, run against the Rust emulation of the actions.
//!
//! The format is described in `tests/actions/README.md`; Python runs the same files against
//! the texts themselves.

use std::collections::BTreeSet;
use std::path::Path;

use concilia_tests::odoo::actions::{self, TEXTS};
use concilia_tests::odoo::errors::{Raise, names};
use concilia_tests::odoo::faults::FailingStep;
use concilia_tests::odoo::models::accounting;
use concilia_tests::odoo::value::Id;
use concilia_tests::odoo::world::{Caller, Tx, World};
use concilia_tests::odoo::{Series, fixtures, seed};
use serde_json::{Value as Json, json};

use super::given::{build, expanded, ids, put_rows};
use super::recorded;

/// The id of the first action, the others follow.
pub(super) const FIRST_ACTION: Id = 901;

#[test]
fn every_case_of_the_actions_holds_in_the_emulation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("actions/cases");
    let mut run = 0;
    let mut failed = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for case in cases.iter().map(expanded) {
            let series = case["series"].as_array().cloned();
            for number in series.unwrap_or_else(|| vec![json!(17), json!(18), json!(19)]) {
                let series = Series::from_number(number.as_u64().unwrap()).unwrap();
                run += 1;
                if let Err(difference) = run_case(series, &case) {
                    let file = path.file_name().unwrap().to_string_lossy().into_owned();
                    failed.push(format!("{file}, {number}: {}\n  {difference}", case["title"]));
                }
            }
        }
    }
    assert!(run >= 6, "only {run} cases were found");
    assert!(failed.is_empty(), "{} of {run} cases failed:\n{}", failed.len(), failed.join("\n"));
}

fn run_case(series: Series, case: &Json) -> Result<(), String> {
    let today = case["world"]["today"].as_str().unwrap_or("2026-11-23").to_owned();
    // The clock is that of the run; all cases tell the same, but those about time.
    let now = case["world"]["now"].as_str().unwrap_or("2026-11-23 15:00:00");
    let today = Clock { today, now: now.to_owned() };
    let today = &today;
    let mut world = build(series, &case["world"], today);
    for call in case["calls"].as_array().unwrap() {
        run_call(&mut world, call, today)?;
    }
    match &case["after"] {
        Json::Null => Ok(()),
        after => check_after(&mut world, after, today),
    }
}

/// When a case plays.
pub(super) struct Clock {
    pub(super) today: String,
    now: String,
}

fn caller(context: Json, today: &Clock) -> Caller {
    Caller { uid: seed::ADMIN, context, today: today.today.clone(), now: today.now.clone() }
}

pub(super) fn edit<T>(
    world: &mut World,
    today: &Clock,
    change: impl FnOnce(&mut Tx<'_>) -> T,
) -> T {
    let snapshot = world.committed.clone();
    let mut tx = Tx::begin(world, snapshot, caller(json!({}), today));
    let outcome = change(&mut tx);
    tx.commit();
    outcome
}

// One call.

fn run_call(world: &mut World, call: &Json, today: &Clock) -> Result<(), String> {
    let series = world.series;
    let snapshot = world.committed.clone();
    if call["others"].is_object() {
        edit(world, today, |tx| {
            put_rows(tx, &call["others"], today);
            for order in ids(&call["others"]["touched"]) {
                tx.touch("sale.order", order).unwrap();
            }
            for transaction in ids(&call["others"]["touched_transactions"]) {
                tx.touch("payment.transaction", transaction).unwrap();
            }
            recorded::touch(tx, &call["others"]);
            for invoice in ids(&call["others"]["touched_invoices"]) {
                tx.touch("account.move", invoice).unwrap();
            }
            for partner in ids(&call["others"]["touched_partners"]) {
                tx.touch("res.partner", seed::CUSTOMER - 1 + partner).unwrap();
            }
        });
    }
    let before = world.committed.clone();
    let context = json!({"active_model": "payment.transaction", "concilia": call["request"]});
    let mut tx = Tx::begin(world, snapshot, caller(context, today));
    for fault in call["faults"].as_array().into_iter().flatten() {
        let step: FailingStep = serde_json::from_value(fault.clone()).unwrap();
        tx.failing.push(step);
    }
    let place = TEXTS.iter().position(|(name, ..)| call["action"] == *name).unwrap();
    let id = FIRST_ACTION + Id::try_from(place).unwrap();
    match (actions::run(&mut tx, id), call.get("raises")) {
        (Err(Raise::Postgres(error)), Some(raises)) => {
            drop(tx);
            assert_eq!(
                world.committed.rows("payment.transaction").count(),
                before.rows("payment.transaction").count()
            );
            same(&json!({"pgcode": error.code}), raises, series, "raises")
        }
        (Err(Raise::Odoo(error)), Some(raises)) => {
            assert_eq!(error.name, names::USER, "{error:?}");
            same(&json!({"user_error": error.message}), raises, series, "raises")
        }
        (Ok(answer), None) => {
            tx.commit();
            same(&answer["infos"]["concilia"], &call["answer"], series, "answer")
        }
        (outcome, _) => Err(format!("unexpected outcome: {outcome:?}")),
    }
}

/// Compares a value with what a case expects, key by key.
fn same(found: &Json, expected: &Json, series: Series, path: &str) -> Result<(), String> {
    let differs = || Err(format!("{path}: found {found}, expected {expected}"));
    match expected {
        Json::String(text) if text == "*" => Ok(()),
        Json::String(text) if text.starts_with('@') => {
            let known = TEXTS.iter().find(|(name, ..)| text[1..] == **name);
            let hash = known.map_or(json!(false), |(.., code)| json!(actions::text_hash(code)));
            same(found, &hash, series, path)
        }
        Json::Object(keys)
            if keys.len() == 3 && keys.contains_key("17") && keys.contains_key("19") =>
        {
            same(found, &keys[&series.number().to_string()], series, path)
        }
        Json::Object(keys) => {
            let Json::Object(own) = found else {
                return differs();
            };
            let names: BTreeSet<&String> = keys.keys().chain(own.keys()).collect();
            for name in names {
                let (Some(left), Some(right)) = (own.get(name), keys.get(name)) else {
                    return Err(format!("{path}.{name}: found {found}, expected {expected}"));
                };
                same(left, right, series, &format!("{path}.{name}"))?;
            }
            Ok(())
        }
        Json::Array(items) => match found {
            Json::Array(own) if own.len() == items.len() => {
                for (at, (left, right)) in own.iter().zip(items).enumerate() {
                    same(left, right, series, &format!("{path}[{at}]"))?;
                }
                Ok(())
            }
            _ => differs(),
        },
        expected if expected == found => Ok(()),
        _ => differs(),
    }
}

// The world after.

fn check_after(world: &mut World, after: &Json, today: &Clock) -> Result<(), String> {
    let series = world.series;
    edit(world, today, |tx| {
        for (key, expected) in after.as_object().unwrap() {
            if key == "mails" {
                same(&json!(fixtures::mails(tx)), expected, series, "after.mails")?;
                continue;
            }
            let found = rows_after(tx, key);
            let expected = expected.as_array().unwrap();
            let mut left = found.clone();
            for row in expected {
                let fits = |one: &Json| {
                    let columns = row.as_object().unwrap().iter();
                    columns
                        .into_iter()
                        .all(|(name, value)| same(&one[name], value, series, "").is_ok())
                };
                let Some(at) = left.iter().position(fits) else {
                    return Err(format!("after.{key}: no {row} among {left:?}"));
                };
                left.remove(at);
            }
            if !left.is_empty() {
                return Err(format!("after.{key}: {left:?} was not expected"));
            }
        }
        Ok(())
    })
}

fn rows_after(tx: &Tx<'_>, key: &str) -> Vec<Json> {
    let dump = fixtures::dump(tx);
    let list = dump[key].as_array().cloned().unwrap_or_default();
    match key {
        // Those the case put there to begin with have no transaction.
        "payments" => list
            .iter()
            .filter(|row| row["transaction"].is_string())
            .map(|row| renamed(row, "company", "company_id"))
            .collect(),
        "invoices" => list.into_iter().map(|row| with_payments(tx, row)).collect(),
        "orders" => list,
        "transactions" => list.into_iter().map(|row| tidy_transaction(tx, &row)).collect(),
        "activities" => list.into_iter().map(tidy_activity).collect(),
        "names" => list.iter().filter_map(|row| name_row(tx, row)).collect(),
        other => recorded::rows_after(tx, other),
    }
}

fn renamed(row: &Json, from: &str, to: &str) -> Json {
    let mut row = row.clone();
    row[to] = row[from].clone();
    row
}

fn with_payments(tx: &Tx<'_>, mut row: Json) -> Json {
    let id = row["id"].as_i64();
    let matches = tx.rows(accounting::MATCH);
    row["payments"] = json!(matches.filter(|(_, row)| row.reference("move") == id).count());
    if row["reverses"].is_null() {
        row["reverses"] = json!(false);
    }
    row
}

/// Partners count from the customer of the cases.
fn tidy_activity(mut row: Json) -> Json {
    if row["model"] == "res.partner" {
        row["record"] = json!(row["record"].as_i64().unwrap() - seed::CUSTOMER + 1);
    }
    row
}

fn tidy_transaction(tx: &Tx<'_>, row: &Json) -> Json {
    let mut row = renamed(row, "company", "company_id");
    for field in ["provider_reference", "payment"] {
        if row[field].is_null() || row[field] == "" {
            row[field] = json!(false);
        }
    }
    let source = row["source"].as_i64().and_then(|id| tx.get("payment.transaction", id));
    row["source"] = source.map_or(json!(false), |row| json!(row.text("reference")));
    for field in ["orders", "invoices"] {
        let mut sorted = ids(&row[field]);
        sorted.sort_unstable();
        row[field] = json!(sorted);
    }
    row
}

fn name_row(tx: &Tx<'_>, row: &Json) -> Option<Json> {
    if row["model"] != "payment.transaction" {
        return None;
    }
    let transaction = tx.get("payment.transaction", row["id"].as_i64().unwrap());
    Some(json!({"name": row["name"], "transaction": transaction.map(|row| row.text("reference"))}))
}
