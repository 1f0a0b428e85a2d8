//! `tests/actions/cases/*.json`, run against the Rust emulation of the two actions.
//!
//! The format is described in `tests/actions/README.md`; Python runs the same files against
//! the texts themselves.

use std::collections::BTreeSet;
use std::path::Path;

use concilia_tests::odoo::actions::{self, BOOK, OBSERVE};
use concilia_tests::odoo::errors::{Raise, names};
use concilia_tests::odoo::faults::FailingStep;
use concilia_tests::odoo::models::accounting;
use concilia_tests::odoo::value::{Amount, Id, Record, Value};
use concilia_tests::odoo::world::{Caller, Tx, World};
use concilia_tests::odoo::{Login, Series, fixtures, seed};
use serde_json::{Value as Json, json};

const OBSERVE_ID: Id = 901;
const BOOK_ID: Id = 902;
/// An id that leads nowhere.
const GONE: Id = 999_999;

#[test]
fn every_case_of_the_actions_holds_in_the_emulation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("actions/cases");
    let mut run = 0;
    let mut failed = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for case in &cases {
            let series = case["series"].as_array().cloned();
            for number in series.unwrap_or_else(|| vec![json!(17), json!(18), json!(19)]) {
                let series = Series::from_number(number.as_u64().unwrap()).unwrap();
                run += 1;
                if let Err(difference) = run_case(series, case) {
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
struct Clock {
    today: String,
    now: String,
}

fn caller(context: Json, today: &Clock) -> Caller {
    Caller { uid: seed::ADMIN, context, today: today.today.clone(), now: today.now.clone() }
}

fn edit<T>(world: &mut World, today: &Clock, change: impl FnOnce(&mut Tx<'_>) -> T) -> T {
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
        });
    }
    let before = world.committed.clone();
    let context = json!({"active_model": "payment.transaction", "concilia": call["request"]});
    let mut tx = Tx::begin(world, snapshot, caller(context, today));
    for fault in call["faults"].as_array().into_iter().flatten() {
        let step: FailingStep = serde_json::from_value(fault.clone()).unwrap();
        tx.failing.push(step);
    }
    let id = if call["action"] == "observe" { OBSERVE_ID } else { BOOK_ID };
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
        Json::String(text) if text == "@observe" => {
            same(found, &json!(actions::text_hash(OBSERVE)), series, path)
        }
        Json::String(text) if text == "@book" => {
            same(found, &json!(actions::text_hash(BOOK)), series, path)
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

// The world before.

fn rows<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    json[key].as_array().into_iter().flatten()
}

fn build(series: Series, given: &Json, today: &Clock) -> World {
    let admin = Login { login: "admin".to_owned(), password: "admin".to_owned(), api_key: None };
    let uuid = given["database"].as_str().unwrap_or("db-uuid");
    let mut world = seed::world(series, &admin, uuid);
    world.order_fields =
        rows(given, "order_fields").map(|name| name.as_str().unwrap().to_owned()).collect();
    edit(&mut world, today, |tx| {
        put_currencies(tx, given);
        for company in rows(given, "companies") {
            seed::company(tx, company["id"].as_i64().unwrap(), "Another");
        }
        if given["companies"].is_null() {
            seed::company(tx, 2, "Another");
        }
        put_actions(tx, given);
        put_providers(tx, given);
        put_rows(tx, given, today);
    });
    world
}

fn put_currencies(tx: &mut Tx<'_>, given: &Json) {
    for row in rows(given, "currencies") {
        let name = row["name"].as_str().unwrap();
        let known =
            tx.tables().find("res.currency", |row| row.text("name") == name).map(|(id, _)| id);
        let record = Record::default()
            .with("name", name)
            .with("decimal_places", Value::Int(row["decimals"].as_i64().unwrap_or(0)))
            .with("active", row["active"].as_bool().unwrap_or(true));
        let id = known.unwrap_or_else(|| 300 + tx.world.next("test currency"));
        tx.put_at("res.currency", id, record);
    }
}

fn put_actions(tx: &mut Tx<'_>, given: &Json) {
    let all = json!(["observe", "book"]);
    let wanted = given.get("actions").unwrap_or(&all);
    let groups = tx.series().groups_field();
    for (name, id, code) in [("observe", OBSERVE_ID, OBSERVE), ("book", BOOK_ID, BOOK)] {
        let record = Record::default()
            .with("name", format!("Concilia: {name}"))
            .with("state", "code")
            .with("code", code)
            .with(groups, vec![seed::GROUP_SYSTEM]);
        tx.put_at("ir.actions.server", id, record);
        if wanted.as_array().unwrap().iter().any(|one| one == name) {
            external_id(tx, &format!("action_{name}"), "ir.actions.server", id);
        }
    }
}

fn external_id(tx: &mut Tx<'_>, name: &str, model: &str, id: Id) {
    let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
    let known = tx.tables().find("ir.model.data", ours).map(|(id, _)| id);
    let row = Record::default()
        .with("module", "concilia")
        .with("name", name)
        .with("model", model)
        .with("res_id", Value::Int(id));
    let at = known.unwrap_or_else(|| 5000 + tx.world.next("test external id"));
    tx.put_at("ir.model.data", at, row);
}

fn put_providers(tx: &mut Tx<'_>, given: &Json) {
    let usual = json!([{"id": 7, "company_id": 1}, {"id": 8, "company_id": 2}]);
    let wanted = given.get("providers").unwrap_or(&usual);
    for row in wanted.as_array().unwrap() {
        let id = row["id"].as_i64().unwrap();
        let company = row["company_id"].as_i64().unwrap_or(1);
        let provider = Record::default()
            .with("name", "Ventipay")
            .with("code", "none")
            .with("state", row["state"].as_str().unwrap_or("test"))
            .with("company_id", Value::Ref(company));
        tx.put_at("payment.provider", id, provider);
        let method = Record::default().with("name", "Ventipay").with("provider_ids", vec![id]);
        tx.put_at("payment.method", id + 200, method);
        let bank = tx.world_journal("bank", company).unwrap();
        let line = Record::default()
            .with("name", "Ventipay")
            .with("payment_type", "inbound")
            .with("journal_id", Value::Ref(bank))
            .with("payment_provider_id", Value::Ref(id));
        let line = if row["ready"].as_bool().unwrap_or(true) {
            line.with("payment_account_id", Value::Ref(202))
        } else {
            line
        };
        tx.put_at("account.payment.method.line", id + 20, line);
        if row["ours"].as_bool().unwrap_or(true) {
            let named_for = row["named_for"].as_i64().unwrap_or(company);
            external_id(tx, &format!("provider_company_{named_for}"), "payment.provider", id);
        }
    }
}

/// Rows that may be there before, or that others commit meanwhile.
fn put_rows(tx: &mut Tx<'_>, given: &Json, today: &Clock) {
    for row in rows(given, "orders") {
        put_order(tx, row);
    }
    for row in rows(given, "invoices") {
        put_invoice(tx, row);
    }
    for row in rows(given, "transactions") {
        put_transaction(tx, row, today);
    }
    for row in rows(given, "names") {
        let reference = row["transaction"].as_str().unwrap();
        let found =
            tx.tables().find("payment.transaction", |row| row.text("reference") == reference);
        let id = found.map_or(GONE, |(id, _)| id);
        external_id(tx, row["name"].as_str().unwrap(), "payment.transaction", id);
    }
}

fn amount(json: &Json) -> Amount {
    Amount::from_json(json).unwrap()
}

fn currency(tx: &Tx<'_>, row: &Json) -> Value {
    let name = row["currency"].as_str().unwrap_or("CLP");
    let found = tx.tables().find("res.currency", |row| row.text("name") == name);
    Value::Ref(found.unwrap_or_else(|| panic!("no currency {name}")).0)
}

/// When a row was written last.
fn written(row: &Json) -> &str {
    row["written"].as_str().unwrap_or("2026-11-01 12:00:00")
}

/// A partner of a case: 1 is the customer.
fn partner(row: &Json) -> Value {
    Value::Ref(seed::CUSTOMER - 1 + row["partner"].as_i64().unwrap_or(1))
}

fn put_order(tx: &mut Tx<'_>, row: &Json) {
    let mut order = Record::default()
        .with("state", row["state"].as_str().unwrap_or("sale"))
        .with("company_id", Value::Ref(row["company_id"].as_i64().unwrap_or(1)))
        .with("currency_id", currency(tx, row))
        .with("amount_total", amount(&row["total"]))
        .with("partner_id", Value::Ref(seed::CUSTOMER))
        .with("partner_invoice_id", Value::Ref(seed::CUSTOMER))
        .with("write_date", written(row));
    for (name, value) in row.as_object().unwrap() {
        if let (Json::String(text), false) =
            (value, ["state", "currency", "total", "written"].contains(&name.as_str()))
        {
            order.set(name, text.as_str());
        }
    }
    tx.put_at("sale.order", row["id"].as_i64().unwrap(), order);
}

fn put_invoice(tx: &mut Tx<'_>, row: &Json) {
    let payment_state = row["payment_state"].as_str().unwrap_or("not_paid");
    let residual = match &row["residual"] {
        Json::Null if matches!(payment_state, "paid" | "reversed") => Amount(0),
        Json::Null => amount(&row["total"]),
        given => amount(given),
    };
    let mut invoice = Record::default()
        .with("move_type", row["type"].as_str().unwrap_or("out_invoice"))
        .with("state", row["state"].as_str().unwrap_or("posted"))
        .with("payment_state", payment_state)
        .with("company_id", Value::Ref(row["company_id"].as_i64().unwrap_or(1)))
        .with("currency_id", currency(tx, row))
        .with("amount_total", amount(&row["total"]))
        .with("amount_residual", residual)
        .with("sim_orders", row["order"].as_i64().into_iter().collect::<Vec<Id>>());
    invoice.set("partner_id", partner(row));
    invoice.set("write_date", written(row));
    invoice.set("invoice_date", row["date"].as_str().unwrap_or("2026-11-23"));
    invoice.set("sim_other_account", row["other_account"].as_bool().unwrap_or(false));
    if let Some(name) = row["name"].as_str() {
        invoice.set("name", name);
    }
    let id = row["id"].as_i64().unwrap();
    tx.put_at("account.move", id, invoice);
    let living = if tx.series() == Series::V17 { "posted" } else { "in_process" };
    for (column, state, entered) in [
        ("payments", living, true),
        ("unentered_payments", living, false),
        ("cancelled_payments", "canceled", false),
    ] {
        for _ in 0..row[column].as_i64().unwrap_or(0) {
            let payment = Record::default().with("state", state);
            let linked = if entered { Vec::new() } else { vec![id] };
            let payment =
                tx.insert("account.payment", payment.with("invoice_ids", linked)).unwrap();
            if entered {
                reconciled(tx, payment, id);
            }
        }
    }
}

/// A payment that paid an invoice before; how much does not matter any more.
fn reconciled(tx: &mut Tx<'_>, payment: Id, invoice: Id) {
    let row =
        Record::default().with("payment", Value::Ref(payment)).with("move", Value::Ref(invoice));
    tx.insert(accounting::MATCH, row).unwrap();
}

fn ids(json: &Json) -> Vec<Id> {
    json.as_array().into_iter().flatten().filter_map(Json::as_i64).collect()
}

fn put_transaction(tx: &mut Tx<'_>, row: &Json, today: &Clock) {
    let id = row["id"].as_i64().unwrap();
    let provider = row["provider"].as_i64().unwrap_or(7);
    let of_provider =
        tx.get("payment.provider", provider).and_then(|row| row.reference("company_id"));
    let company = row["company_id"].as_i64().or(of_provider).unwrap_or(1);
    let mut record = Record::default()
        .with("reference", row["reference"].as_str().unwrap())
        .with("provider_id", Value::Ref(provider))
        .with("state", row["state"].as_str().unwrap_or("done"))
        .with("amount", amount(&row["amount"]))
        .with("currency_id", currency(tx, row))
        .with("company_id", Value::Ref(company))
        .with("is_post_processed", row["is_post_processed"].as_bool().unwrap_or(false))
        .with("partner_id", Value::Ref(seed::CUSTOMER))
        .with("write_date", written(row))
        .with("sale_order_ids", ids(&row["orders"]))
        .with("invoice_ids", ids(&row["invoices"]));
    for field in ["provider_reference", "state_message"] {
        if let Some(text) = row[field].as_str() {
            record.set(field, text);
        }
    }
    if let Some(name) = row["payment"].as_str() {
        put_payment(tx, row, id, company, name, today);
        record.set("payment_id", Value::Ref(id + 7000));
    }
    tx.put_at("payment.transaction", id, record);
}

/// The payment of a transaction, with its entry; what is not credit has paid its invoices, or
/// something long gone.
fn put_payment(tx: &mut Tx<'_>, row: &Json, id: Id, company: Id, name: &str, today: &Clock) {
    let state = if tx.series() == Series::V17 { "posted" } else { "paid" };
    let is = |field: &str, usual: &str| {
        row["payment_is"][field].as_str().map_or_else(|| usual.to_owned(), str::to_owned)
    };
    tx.put_at("account.move", id + 8000, Record::default().with("move_type", "entry"));
    let mut payment = Record::default()
        .with("name", name)
        .with("state", is("state", state))
        .with("date", row["date"].as_str().unwrap_or(&today.today))
        .with("amount", amount(&row["amount"]))
        .with("currency_id", currency(tx, row))
        .with("company_id", Value::Ref(company))
        .with("partner_id", Value::Ref(seed::CUSTOMER))
        .with("payment_type", is("payment_type", "inbound"))
        .with("payment_transaction_id", Value::Ref(id));
    if row["payment_is"]["move_id"] != json!(false) {
        payment.set("move_id", Value::Ref(id + 8000));
    }
    tx.put_at("account.payment", id + 7000, payment);
    let credit = row["credit"].as_str().and_then(Amount::parse).unwrap_or_default();
    for (place, invoice) in ids(&row["invoices"]).into_iter().chain([GONE]).enumerate() {
        let used = if place == 0 { amount(&row["amount"]) - credit } else { Amount(0) };
        let matched = Record::default()
            .with("payment", Value::Ref(id + 7000))
            .with("move", Value::Ref(invoice))
            .with("amount", used);
        tx.insert(accounting::MATCH, matched).unwrap();
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
        "transactions" => list.into_iter().map(|row| tidy_transaction(&row)).collect(),
        "names" => list.iter().filter_map(|row| name_row(tx, row)).collect(),
        other => panic!("no such list after a case: {other}"),
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
    row
}

fn tidy_transaction(row: &Json) -> Json {
    let mut row = renamed(row, "company", "company_id");
    for field in ["provider_reference", "payment"] {
        if row[field].is_null() || row[field] == "" {
            row[field] = json!(false);
        }
    }
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
