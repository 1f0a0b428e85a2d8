//! The WORLD of a case (`tests/actions/README.md`) as records of the simulated Odoo, and rows
//! that are written out by number.

use concilia_tests::odoo::actions::TEXTS;
use concilia_tests::odoo::models::accounting;
use concilia_tests::odoo::value::{Amount, Id, Record, Value};
use concilia_tests::odoo::world::{Tx, World};
use concilia_tests::odoo::{Login, Series, seed};
use serde_json::{Map, Value as Json, json};

use super::cases::{Clock, FIRST_ACTION, edit};
use super::recorded;

/// An id that leads nowhere.
const GONE: Id = 999_999;

/// The value with every `numbered` row written out.
pub(super) fn expanded(value: &Json) -> Json {
    match value {
        Json::Object(keys) => {
            keys.iter().map(|(key, each)| (key.clone(), expanded(each))).collect()
        }
        Json::Array(items) => Json::Array(items.iter().flat_map(rows_of).collect()),
        other => other.clone(),
    }
}

fn rows_of(item: &Json) -> Vec<Json> {
    let Some(range) = item.get("numbered").and_then(Json::as_array) else {
        return vec![expanded(item)];
    };
    let bound = |at: usize| range[at].as_i64().unwrap();
    let row = |number| numbered(&item["row"], number);
    // The third bound can only be -1: counting down.
    if range.len() == 3 {
        return (bound(1) + 1..=bound(0)).rev().map(row).collect();
    }
    (bound(0)..bound(1)).map(row).collect()
}

fn numbered(value: &Json, number: i64) -> Json {
    match value {
        Json::Object(keys) => {
            let keys = keys.iter().map(|(key, each)| (key.clone(), numbered(each, number)));
            Json::Object(keys.collect::<Map<_, _>>())
        }
        Json::Array(items) => items.iter().map(|each| numbered(each, number)).collect(),
        Json::String(text) => numbered_text(text, number),
        other => other.clone(),
    }
}

fn rows<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    json[key].as_array().into_iter().flatten()
}

fn numbered_text(text: &str, number: i64) -> Json {
    if let Some(base) = text.strip_prefix("#+") {
        return json!(base.parse::<i64>().unwrap() + number);
    }
    let time = format!("2026-11-23 14:{:02}:{:02}", number / 60, number % 60);
    json!(text.replace("{n}", &format!("{number:04}")).replace("{time}", &time))
}

pub(super) fn build(series: Series, given: &Json, today: &Clock) -> World {
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
        put_managers(tx, given);
        put_providers(tx, given);
        recorded::put_models(tx, given);
        put_products(tx, given);
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
    let wanted = given["actions"].as_array();
    let groups = tx.series().groups_field();
    for (id, (name, _, code)) in (FIRST_ACTION..).zip(TEXTS) {
        let record = Record::default()
            .with("name", format!("Concilia: {name}"))
            .with("state", "code")
            .with("code", code)
            .with(groups, vec![seed::GROUP_SYSTEM]);
        tx.put_at("ir.actions.server", id, record);
        if wanted.is_none_or(|wanted| wanted.iter().any(|one| one == name)) {
            external_id(tx, &format!("action_{name}"), "ir.actions.server", id);
        }
    }
}

/// Who is in charge of the accounts, and nobody else.
fn put_managers(tx: &mut Tx<'_>, given: &Json) {
    let groups = tx.series().groups_field();
    tx.update("res.users", seed::ADMIN, |row| row.set(groups, vec![seed::GROUP_SYSTEM])).unwrap();
    let usual = json!([{"id": 11, "companies": [1, 2]}]);
    for row in given.get("managers").unwrap_or(&usual).as_array().unwrap() {
        let companies =
            row["companies"].as_array().map_or_else(|| vec![1], |_| ids(&row["companies"]));
        let user = Record::default()
            .with("name", "Contadora")
            .with("active", row["active"].as_bool().unwrap_or(true))
            .with("share", row["share"].as_bool().unwrap_or(false))
            .with("company_ids", companies)
            .with(groups, vec![seed::group_manager(tx.series())]);
        tx.put_at("res.users", row["id"].as_i64().unwrap(), user);
    }
}

pub(super) fn external_id(tx: &mut Tx<'_>, name: &str, model: &str, id: Id) {
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
pub(super) fn put_rows(tx: &mut Tx<'_>, given: &Json, today: &Clock) {
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
    recorded::put_rows(tx, given);
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
    for field in ["name", "ref", "payment_reference"] {
        if let Some(text) = row[field].as_str() {
            invoice.set(field, text);
        }
    }
    if let Some(reversed) = row["reverses"].as_i64() {
        invoice.set("reversed_entry_id", Value::Ref(reversed));
    }
    let id = row["id"].as_i64().unwrap();
    tx.put_at("account.move", id, invoice);
    for line in rows(row, "lines") {
        put_line(tx, id, line);
    }
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

fn put_line(tx: &mut Tx<'_>, invoice: Id, row: &Json) {
    let number = |field: &str, usual: i64| {
        Amount::from_json(&row[field]).unwrap_or_else(|| Amount::whole(usual))
    };
    let mut line = Record::default()
        .with("move_id", Value::Ref(invoice))
        .with("price_unit", amount(&row["price"]))
        .with("quantity", number("quantity", 1))
        .with("discount", number("discount", 0));
    line.set("tax_ids", taxes(tx, row));
    tx.insert("account.move.line", line).unwrap();
}

/// The tax of a row's per cent, if any.
fn taxes(tx: &mut Tx<'_>, row: &Json) -> Vec<Id> {
    let percent = Amount::from_json(&row["tax"]).unwrap_or_default();
    if !percent.is_positive() {
        return Vec::new();
    }
    let known = tx.tables().find("account.tax", |row| row.amount("amount") == percent);
    let known = known.map(|(id, _)| id);
    vec![known.unwrap_or_else(|| {
        tx.insert("account.tax", Record::default().with("amount", percent)).unwrap()
    })]
}

fn put_products(tx: &mut Tx<'_>, given: &Json) {
    for row in rows(given, "products") {
        let mut product = Record::default()
            .with("name", "Plan")
            .with("default_code", row["code"].as_str().unwrap())
            .with("active", true)
            .with("taxes_id", taxes(tx, row));
        if let Some(company) = row["company_id"].as_i64() {
            product.set("company_id", Value::Ref(company));
        }
        tx.put_at("product.product", row["id"].as_i64().unwrap(), product);
    }
}

/// A payment that paid an invoice before; how much does not matter any more.
fn reconciled(tx: &mut Tx<'_>, payment: Id, invoice: Id) {
    let row =
        Record::default().with("payment", Value::Ref(payment)).with("move", Value::Ref(invoice));
    tx.insert(accounting::MATCH, row).unwrap();
}

pub(super) fn ids(json: &Json) -> Vec<Id> {
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
    let source = row["source"].as_str();
    let source = source.and_then(|source| {
        tx.tables().find("payment.transaction", |row| row.text("reference") == source)
    });
    if let Some((source, _)) = source {
        record.set("source_transaction_id", Value::Ref(source));
    }
    record.set("operation", row["operation"].as_str().unwrap_or("online_redirect"));
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
    let total = amount(&row["amount"]);
    let direction = if total.0 < 0 { "outbound" } else { "inbound" };
    tx.put_at("account.move", id + 8000, Record::default().with("move_type", "entry"));
    let mut payment = Record::default()
        .with("name", name)
        .with("state", is("state", state))
        .with("date", row["date"].as_str().unwrap_or(&today.today))
        .with("amount", Amount(total.0.abs()))
        .with("currency_id", currency(tx, row))
        .with("company_id", Value::Ref(company))
        .with("partner_id", Value::Ref(seed::CUSTOMER))
        .with("payment_type", is("payment_type", direction))
        .with("payment_transaction_id", Value::Ref(id))
        .with("sim_other_account", row["other_account"].as_bool().unwrap_or(false));
    if row["payment_is"]["move_id"] != json!(false) {
        payment.set("move_id", Value::Ref(id + 8000));
    }
    tx.put_at("account.payment", id + 7000, payment);
    let credit = row["credit"].as_str().and_then(Amount::parse).unwrap_or_default();
    for (place, invoice) in ids(&row["invoices"]).into_iter().chain([GONE]).enumerate() {
        let used = if place == 0 { Amount(total.0.abs()) - credit } else { Amount(0) };
        let matched = Record::default()
            .with("payment", Value::Ref(id + 7000))
            .with("move", Value::Ref(invoice))
            .with("amount", used);
        tx.insert(accounting::MATCH, matched).unwrap();
    }
}
