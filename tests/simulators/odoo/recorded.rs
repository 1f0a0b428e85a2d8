//! WORLD and AFTER of a case (`tests/actions/README.md`), as far as the action *record* is
//! concerned: records of our own, activities, customers, saved cards.

use concilia_tests::odoo::seed;
use concilia_tests::odoo::value::{Id, Record, Value};
use concilia_tests::odoo::world::Tx;
use serde_json::{Map, Value as Json, json};

use super::given::external_id;

const KINDS: [&str; 4] = ["event", "checkout", "dispute", "subscription"];
/// Somebody who makes an activity by hand.
const PERSON: Id = 77;
const GONE: Id = 999_999;

fn rows<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    json[key].as_array().into_iter().flatten()
}

fn text<'j>(row: &'j Json, key: &str) -> &'j str {
    row[key].as_str().unwrap_or_default()
}

/// Models of our own, unless the case has none.
pub(super) fn put_models(tx: &mut Tx<'_>, given: &Json) {
    for kind in KINDS.into_iter().filter(|_| given["own_models"] != false) {
        let model = Record::default().with("model", format!("x_ventipay_{kind}"));
        tx.insert("ir.model", model.with("state", "manual")).unwrap();
    }
}

/// Rows that may be there before, or that others commit meanwhile.
pub(super) fn put_rows(tx: &mut Tx<'_>, given: &Json) {
    for row in rows(given, "partners") {
        put_partner(tx, row);
    }
    for row in rows(given, "records") {
        put_record(tx, row);
    }
    for row in rows(given, "tokens") {
        let token = Record::default()
            .with("provider_id", Value::Ref(row["provider"].as_i64().unwrap_or(7)))
            .with("partner_id", Value::Ref(row["partner"].as_i64().unwrap()))
            .with("provider_ref", text(row, "provider_ref"))
            .with("payment_details", text(row, "details"))
            .with("active", row["active"] == true);
        let id = tx.insert("payment.token", token).unwrap();
        external_id(tx, &format!("card-{}", text(row, "provider_ref")), "payment.token", id);
    }
    for row in rows(given, "activities") {
        let (model, id) = led(tx, text(row, "record"));
        let by = if row["by"] == "person" { PERSON } else { tx.caller.uid };
        let kind = if row["type"] == "warning" { 6 } else { 4 };
        let activity = Record::default()
            .with("res_model", model)
            .with("res_id", Value::Int(id))
            .with("user_id", Value::Ref(row["user"].as_i64().unwrap()))
            .with("create_uid", Value::Ref(by))
            .with("activity_type_id", Value::Ref(kind))
            .with("summary", text(row, "summary"))
            .with("note", format!("<p>{}</p>", text(row, "note")))
            .with("date_deadline", row["deadline"].as_str().unwrap_or("2026-11-24"))
            .with("active", true);
        tx.insert("mail.activity", activity).unwrap();
    }
}

/// What others wrote of the rows these names lead to.
pub(super) fn touch(tx: &mut Tx<'_>, others: &Json) {
    for name in rows(others, "touched_names").filter_map(Json::as_str) {
        let (model, id) = led(tx, name);
        tx.touch(&model, id).unwrap();
        let row = tx.tables().find("ir.model.data", |row| row.text("name") == name).unwrap().0;
        tx.touch("ir.model.data", row).unwrap();
    }
}

fn led(tx: &Tx<'_>, name: &str) -> (String, Id) {
    let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
    let (_, row) = tx.tables().find("ir.model.data", ours).unwrap();
    (row.text("model").to_owned(), row.int("res_id"))
}

fn put_partner(tx: &mut Tx<'_>, row: &Json) {
    let mut partner = Record::default()
        .with("name", row["name"].as_str().unwrap_or("Cliente"))
        .with("active", row["active"] != false);
    for field in ["vat", "email"] {
        if let Some(text) = row[field].as_str() {
            partner.set(field, text);
        }
    }
    // With a RUT somebody is complete: invoices of theirs can be posted.
    if row["vat"].is_string() {
        partner.set("l10n_cl_sii_taxpayer_type", "1");
    }
    for (field, column) in [("parent_id", "parent"), ("company_id", "company_id")] {
        if let Some(id) = row[column].as_i64() {
            partner.set(field, Value::Ref(id));
        }
    }
    let id = row["id"].as_i64().unwrap();
    tx.put_at("res.partner", id, partner);
    if let Some(name) = row["called"].as_str() {
        external_id(tx, name, "res.partner", id);
    }
}

/// A record of our own; one that exists under its name is replaced.
fn put_record(tx: &mut Tx<'_>, row: &Json) {
    let (kind, id) = (text(row, "kind"), text(row, "id"));
    let model = format!("x_ventipay_{kind}");
    let name = row["name"].as_str().map_or_else(|| format!("{kind}-{id}"), str::to_owned);
    if row["gone"] == true {
        external_id(tx, &name, &model, GONE);
        return;
    }
    let mut record = Record::default()
        .with("x_name", id)
        .with("x_account", "main")
        .with("x_company_id", Value::Ref(row["company_id"].as_i64().unwrap_or(1)))
        .with("x_revision", Value::Int(row["revision"].as_i64().unwrap_or(1)));
    for field in ["status", "state"] {
        if let Some(text) = row[field].as_str() {
            record.set(&format!("x_{field}"), text);
        }
    }
    let known = tx.tables().find("ir.model.data", |row| row.text("name") == name);
    let known = known.map(|(_, row)| row.int("res_id"));
    let at = known.unwrap_or_else(|| tx.world.next(&model));
    tx.put_at(&model, at, record);
    external_id(tx, &name, &model, at);
}

/// The lists AFTER can speak of.
pub(super) fn rows_after(tx: &Tx<'_>, key: &str) -> Vec<Json> {
    match key {
        "records" => KINDS.iter().flat_map(|kind| records(tx, kind)).collect(),
        "told" => {
            let living = tx.rows("mail.activity").filter(|(_, row)| row.flag("active"));
            living.map(|(_, row)| activity(tx, row)).collect()
        }
        "feedbacks" => {
            tx.rows("mail.message").map(|(_, row)| json!({"text": row.text("body")})).collect()
        }
        "partners" => {
            let named = |id: Id| first_name(tx, "res.partner", id) != json!(false);
            let ours = tx.rows("res.partner").filter(|(id, _)| *id > 99 && *id < 1000 || named(*id));
            ours.map(|(_, row)| partner(tx, row)).collect()
        }
        "tokens" => tx
            .rows("payment.token")
            .map(|(_, row)| {
                json!({"provider_ref": row.text("provider_ref"), "details": row.text("payment_details"),
                       "active": row.flag("active"), "partner": row.reference("partner_id")})
            })
            .collect(),
        "own_names" => {
            let ours = |model: &str| {
                model.starts_with("x_ventipay_") || matches!(model, "res.partner" | "payment.token")
            };
            let named = tx.rows("ir.model.data").filter(|(_, row)| {
                row.text("module") == "concilia" && ours(row.text("model"))
            });
            named.map(|(_, row)| json!({"name": row.text("name"), "model": row.text("model")})).collect()
        }
        other => panic!("no such list after a case: {other}"),
    }
}

fn or_false(text: &str) -> Json {
    if text.is_empty() { json!(false) } else { json!(text) }
}

fn first_name(tx: &Tx<'_>, model: &str, id: Id) -> Json {
    let found = tx.tables().find("ir.model.data", |row| {
        row.text("module") == "concilia" && row.text("model") == model && row.int("res_id") == id
    });
    found.map_or(json!(false), |(_, row)| or_false(row.text("name")))
}

fn activity(tx: &Tx<'_>, row: &Record) -> Json {
    let kind = if row.reference("activity_type_id") == Some(6) { "warning" } else { "todo" };
    json!({"record": first_name(tx, row.text("res_model"), row.int("res_id")), "type": kind,
           "user": row.reference("user_id"), "summary": row.text("summary"), "note": row.text("note"),
           "deadline": row.text("date_deadline")})
}

fn partner(tx: &Tx<'_>, row: &Record) -> Json {
    let called = |model: &str, field: &str| {
        let found = row.reference(field).and_then(|id| tx.get(model, id));
        found.map_or(json!(false), |row| or_false(row.text("name")))
    };
    let kind = called("l10n_latam.identification.type", "l10n_latam_identification_type_id");
    json!({"name": row.text("name"), "vat": or_false(row.text("vat")), "email": or_false(row.text("email")),
           "country": called("res.country", "country_id"),
           "identification": if kind == "RUT" { kind } else { json!(false) },
           "taxpayer": or_false(row.text("l10n_cl_sii_taxpayer_type"))})
}

fn records(tx: &Tx<'_>, kind: &str) -> Vec<Json> {
    let model = format!("x_ventipay_{kind}");
    tx.rows(&model).map(|(_, row)| Json::Object(shown(tx, kind, row))).collect()
}

fn shown(tx: &Tx<'_>, kind: &str, row: &Record) -> Map<String, Json> {
    let currency = row.reference("x_currency_id").and_then(|id| tx.get("res.currency", id));
    let places = currency.map_or(0, |row| usize::try_from(row.int("decimal_places")).unwrap());
    let called = |field: &str, model: &str, label: &str| {
        let found = row.reference(field).and_then(|id| tx.get(model, id));
        found.map_or(json!(false), |row| or_false(row.text(label)))
    };
    let mut shown = Map::new();
    let mut put = |key: &str, value: Json| shown.insert(key.to_owned(), value);
    put("kind", json!(kind));
    put("currency", currency.map_or(json!(false), |row| json!(row.text("name"))));
    put("company_id", json!(row.reference("x_company_id")));
    put("transaction", called("x_transaction_id", "payment.transaction", "reference"));
    put("payment", called("x_payment_id", "account.payment", "name"));
    put("order", called("x_order_id", "sale.order", "name"));
    put("invoice", called("x_invoice_id", "account.move", "name"));
    put("checkout", called("x_checkout_id", "x_ventipay_checkout", "x_name"));
    let partner = row.reference("x_partner_id");
    // The customer of orders and payments, whom a case calls 1.
    let partner = partner.map(|id| if id == seed::CUSTOMER { 1 } else { id });
    put("partner", partner.map_or(json!(false), Json::from));
    put("live", json!(row.flag("x_live")));
    put("disputed", json!(row.flag("x_disputed")));
    for (key, field) in [
        ("id", "x_name"),
        ("account", "x_account"),
        ("type", "x_type"),
        ("status", "x_status"),
        ("mode", "x_mode"),
        ("state", "x_state"),
        ("result", "x_result"),
        ("reason", "x_reason"),
        ("received_at", "x_received_at"),
        ("paid_at", "x_paid_at"),
        ("deadline", "x_deadline"),
        ("period_start", "x_period_start"),
        ("period_end", "x_period_end"),
        ("console_url", "x_console_url"),
        ("payload", "x_payload"),
    ] {
        put(key, or_false(row.text(field)));
    }
    for (key, field) in [
        ("amount", "x_amount"),
        ("refunded_amount", "x_refunded_amount"),
        ("booked_amount", "x_booked_amount"),
    ] {
        put(key, json!(row.amount(field).text(places)));
    }
    for (key, field) in [("revision", "x_revision"), ("renewals", "x_renewals")] {
        put(key, json!(row.int(field)));
    }
    let mut invoices: Vec<&str> = row
        .references("x_invoice_ids")
        .iter()
        .filter_map(|id| tx.get("account.move", *id))
        .map(|row| row.text("name"))
        .collect();
    invoices.sort_unstable();
    put("invoices", json!(invoices));
    shown
}
