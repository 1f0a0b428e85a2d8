//! `ir.actions.server.run` for the two actions of Concilia, in Rust.
//!
//! It follows `worker/actions/observe.py` and `book.py` step by step, under the names they
//! use; both are run against the same cases (`tests/actions/cases`). An action is recognised
//! by its external id, and its hash is that of the stored text: an action somebody edited
//! still answers here, but tells on itself. Any other text cannot be run, and says so.
//! Contract: `worker/actions/README.md`.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::errors::{Outcome, RUN_AGAIN, Raise, UNIQUE_VIOLATION, names};
use super::faults::{FailingStep, Step};
use super::fields::Kind;
use super::models::{accounting, payment, sale};
use super::orm::{self, Paging};
use super::rights;
use super::value::{Amount, Id, Record, Value};
use super::world::Tx;

/// The texts of this build.
pub const OBSERVE: &str = include_str!("../../../worker/actions/observe.py");
/// See [`OBSERVE`].
pub const BOOK: &str = include_str!("../../../worker/actions/book.py");

/// Which of our actions a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `observe.py`
    Observe,
    /// `book.py`
    Book,
    /// The one `odoo setup` makes for a moment, to give the bot an API key.
    Key,
}

/// `ir.actions.server.run` on one action.
pub fn run(tx: &mut Tx<'_>, id: Id) -> Outcome<Json> {
    let record = tx.record("ir.actions.server", id)?;
    rights::may_run(tx, &record)?;
    let code = record.text("code").to_owned();
    let answer = match which(tx, id) {
        Some(Action::Observe) => observe(tx, &code),
        Some(Action::Book) => book(tx, &code),
        Some(Action::Key) => make_key(tx, &code),
        None => Err(Raise::odoo(
            "builtins.NotImplementedError",
            "the simulated Odoo runs Concilia's own actions only",
        )),
    };
    let answer = answer.map_err(|raise| outside(tx, raise, &code))?;
    Ok(json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}}))
}

/// A serialization failure must stay one, so that the call is run again.
fn outside(tx: &Tx<'_>, raise: Raise, code: &str) -> Raise {
    match &raise {
        Raise::Postgres(error) if RUN_AGAIN.contains(&error.code.as_str()) => raise,
        _ => raise.out_of_action(tx.series(), code),
    }
}

/// Which action a record is, by its external id, else by its text.
pub fn which(tx: &Tx<'_>, id: Id) -> Option<Action> {
    let ours = |row: &Record| {
        row.text("module") == "concilia"
            && row.text("model") == "ir.actions.server"
            && row.int("res_id") == id
    };
    match tx.tables().find("ir.model.data", ours).map(|(_, row)| row.text("name")) {
        Some("action_observe") => return Some(Action::Observe),
        Some("action_book") => return Some(Action::Book),
        _ => {}
    }
    let record = tx.get("ir.actions.server", id)?;
    match record.text("code").trim() {
        code if code == OBSERVE.trim() => Some(Action::Observe),
        code if code == BOOK.trim() => Some(Action::Book),
        _ if record.text("name") == "Concilia: key" => Some(Action::Key),
        _ => None,
    }
}

// What both actions begin with.

struct Provider {
    id: Id,
    state: String,
    method: Option<Id>,
    ready: bool,
}

struct Request {
    company: Id,
    domain: Vec<Json>,
    items: Vec<Json>,
    ours: Vec<Id>,
    provider: Option<Provider>,
}

fn read_request(tx: &Tx<'_>) -> Outcome<Request> {
    let request = need(&tx.caller.context, "concilia")?;
    let items = need(request, "items")?.as_array().cloned().unwrap_or_default();
    if need(request, "protocol")? != &json!(1) || items.len() > 100 {
        return Err(Raise::user(
            "Concilia: this action speaks protocol 1, with at most 100 items a call.",
        ));
    }
    let company = need(request, "company_id")?.as_i64().unwrap_or(0);
    let ours = tx
        .rows("ir.model.data")
        .filter(|(_, row)| {
            row.text("module") == "concilia" && row.text("model") == "payment.provider"
        })
        .map(|(_, row)| row.int("res_id"))
        .collect();
    Ok(Request {
        company,
        domain: request.get("domain").and_then(Json::as_array).cloned().unwrap_or_default(),
        items,
        ours,
        provider: find_provider(tx, company),
    })
}

fn find_provider(tx: &Tx<'_>, company: Id) -> Option<Provider> {
    let (_, found) = named(tx, &format!("provider_company_{company}"), "payment.provider");
    let id = found?;
    let row = tx.get("payment.provider", id)?;
    if row.reference("company_id") != Some(company) {
        return None;
    }
    let method = orm::related(tx, "payment.provider", id, "payment_method_ids").first().copied();
    let has_account = tx.rows("account.payment.method.line").any(|(_, line)| {
        line.reference("payment_provider_id") == Some(id)
            && line.text("payment_type") == "inbound"
            && line.reference("payment_account_id").is_some()
    });
    Some(Provider {
        id,
        state: row.text("state").to_owned(),
        method,
        ready: method.is_some() && has_account,
    })
}

/// The external id of that name and the record it leads to, each perhaps absent.
fn named(tx: &Tx<'_>, name: &str, model: &str) -> (bool, Option<Id>) {
    let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
    let Some((_, row)) = tx.tables().find("ir.model.data", ours) else {
        return (false, None);
    };
    let id = row.int("res_id");
    let led = row.text("model") == model && tx.get(model, id).is_some();
    (true, led.then_some(id))
}

fn need<'j>(json: &'j Json, key: &str) -> Outcome<&'j Json> {
    json.get(key).ok_or_else(|| Raise::odoo("builtins.KeyError", format!("'{key}'")))
}

fn database(tx: &Tx<'_>) -> Json {
    let found = tx.tables().find("ir.config_parameter", |row| row.text("key") == "database.uuid");
    found.map_or(json!(false), |(_, row)| json!(row.text("value")))
}

/// The `VERSION` line of the stored text.
fn version(code: &str) -> &str {
    let line = code.lines().find_map(|line| line.strip_prefix("VERSION = '"));
    line.and_then(|rest| rest.strip_suffix('\'')).unwrap_or("")
}

// What records look like in answers.

fn text_or_false(text: &str) -> Json {
    if text.is_empty() { json!(false) } else { json!(text) }
}

fn currency_of(tx: &Tx<'_>, row: &Record) -> (String, usize) {
    let currency = row.reference("currency_id").and_then(|id| tx.get("res.currency", id));
    currency.map_or_else(Default::default, |row| {
        let places = usize::try_from(row.int("decimal_places")).unwrap_or(0);
        (row.text("name").to_owned(), places)
    })
}

fn transaction_row(tx: &Tx<'_>, ours: &[Id], row: &Record) -> Json {
    let (currency, places) = currency_of(tx, row);
    json!({
        "reference": row.text("reference"),
        "provider_reference": text_or_false(row.text("provider_reference")),
        "ours": row.reference("provider_id").is_some_and(|id| ours.contains(&id)),
        "state": row.text("state"), "amount": row.amount("amount").text(places),
        "currency": currency, "company_id": row.reference("company_id"),
    })
}

fn invoice_row(tx: &Tx<'_>, id: Id) -> Json {
    let Some(row) = tx.get("account.move", id) else {
        return Json::Null;
    };
    let (currency, places) = currency_of(tx, row);
    let name = row.text("name");
    let live = |payment: &Id| {
        let payment = tx.get("account.payment", *payment);
        payment.is_some_and(|row| ["posted", "in_process", "paid"].contains(&row.text("state")))
    };
    let payments = accounting::payments_of_invoice(tx, id).iter().filter(|one| live(one)).count();
    json!({
        "id": id, "name": text_or_false(if name == "/" { "" } else { name }),
        "type": row.text("move_type"), "state": row.text("state"), "payment_state": row.text("payment_state"),
        "company_id": row.reference("company_id"), "currency": currency,
        "total": row.amount("amount_total").text(places),
        "residual": row.amount("amount_residual").text(places), "payments": payments,
    })
}

fn booking_row(tx: &Tx<'_>, id: Id) -> Json {
    let Some(row) = tx.get("payment.transaction", id) else {
        return json!(false);
    };
    let (currency, places) = currency_of(tx, row);
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let payment_text =
        |field: &str| payment.map_or(json!(false), |row| text_or_false(row.text(field)));
    let sorted = |field: &str| {
        let mut ids = row.references(field).to_vec();
        ids.sort_unstable();
        ids
    };
    let orders: Vec<&str> = sorted("sale_order_ids")
        .into_iter()
        .filter_map(|id| tx.get("sale.order", id))
        .map(|order| order.text("name"))
        .collect();
    let invoices: Vec<Json> =
        sorted("invoice_ids").into_iter().map(|id| invoice_row(tx, id)).collect();
    json!({
        "transaction": row.text("reference"), "state": row.text("state"),
        "amount": row.amount("amount").text(places), "currency": currency,
        "company_id": row.reference("company_id"), "payment": payment_text("name"),
        "date": payment_text("date"), "orders": orders, "invoices": invoices,
    })
}

// observe.py

fn observe(tx: &Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    let mut items = Vec::new();
    for item in &request.items {
        items.push(observe_item(tx, &request, item)?);
    }
    let provider = request.provider.as_ref().map_or(
        json!(false),
        |provider| json!({"id": provider.id, "state": provider.state, "ready": provider.ready}),
    );
    Ok(json!({
        "protocol": 1, "action": "observe", "version": version(code), "database": database(tx),
        "actions": {"observe": stored_hash(tx, "action_observe"), "book": stored_hash(tx, "action_book")},
        "provider": provider, "items": items,
    }))
}

/// SHA-256 of a stored action's text without the white space around it, in hex.
fn stored_hash(tx: &Tx<'_>, name: &str) -> Json {
    let (_, found) = named(tx, name, "ir.actions.server");
    let Some(row) = found.and_then(|id| tx.get("ir.actions.server", id)) else {
        return json!(false);
    };
    json!(text_hash(row.text("code")))
}

/// The hash both sides compare an action's text by.
pub fn text_hash(code: &str) -> String {
    let stripped = code.trim_matches([' ', '\n', '\r', '\t']);
    let digest = Sha256::digest(stripped.as_bytes());
    digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn observe_item(tx: &Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let (_, booked) = named(tx, name, "payment.transaction");
    let others: Vec<Json> = tx
        .rows("payment.transaction")
        .filter(|(id, row)| {
            let carries = row.text("reference") == name || row.text("provider_reference") == name;
            carries && Some(*id) != booked
        })
        .take(20)
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect();
    let mut probes = Vec::new();
    for probe in need(item, "probes")?.as_array().into_iter().flatten() {
        probes.push(probe_row(tx, request, probe)?);
    }
    Ok(json!({
        "name": name, "booked": booked.map_or(json!(false), |id| booking_row(tx, id)),
        "transactions": others, "probes": probes,
    }))
}

fn probe_row(tx: &Tx<'_>, request: &Request, probe: &Json) -> Outcome<Json> {
    let field = need(probe, "field")?.as_str().unwrap_or_default();
    let value = need(probe, "value")?;
    let kind = orm::field(tx, "sale.order", field).map(|field| &field.kind);
    let known = matches!(kind, Some(Kind::Char | Kind::Text));
    let mut orders = Vec::new();
    if known && value.as_str().is_some_and(|text| !text.is_empty()) {
        let mut domain = request.domain.clone();
        domain.push(json!(["company_id", "=", request.company]));
        domain.push(json!([field, "=", value]));
        let paging = Paging { order: Some("id"), limit: Some(5), ..Paging::default() };
        let found = orm::search(tx, "sale.order", &Json::Array(domain), &paging)?;
        orders = found.into_iter().map(|id| order_row(tx, request, id)).collect();
    }
    Ok(json!({"field": field, "value": value, "unknown_field": !known, "orders": orders}))
}

fn order_row(tx: &Tx<'_>, request: &Request, id: Id) -> Json {
    let Some(order) = tx.get("sale.order", id) else {
        return Json::Null;
    };
    let (currency, places) = currency_of(tx, order);
    let paid: Vec<Json> = tx
        .rows("payment.transaction")
        .filter(|(_, row)| row.leads_to("sale_order_ids", id))
        .filter(|(_, row)| matches!(row.text("state"), "authorized" | "done"))
        .map(|(_, row)| transaction_row(tx, &request.ours, row))
        .collect();
    let invoices: Vec<Json> = orm::related(tx, "sale.order", id, "invoice_ids")
        .into_iter()
        .map(|invoice| invoice_row(tx, invoice))
        .collect();
    json!({
        "id": id, "name": order.text("name"), "state": order.text("state"),
        "company_id": order.reference("company_id"), "currency": currency,
        "total": order.amount("amount_total").text(places), "transactions": paid, "invoices": invoices,
    })
}

// book.py

/// Why an item is not booked: `(status, why)`.
type Stopped = (&'static str, &'static str);

/// What the fences let through.
enum Fenced {
    Already(Id),
    Stopped(Stopped),
    Clear(Id),
}

fn result(name: &str, status: &str, why: &str, detail: &str, booking: Json) -> Json {
    json!({
        "name": name, "status": status, "why": text_or_false(why),
        "detail": text_or_false(detail), "booking": booking,
    })
}

fn book(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    // Worked in the order of the orders' ids, answered in the order asked.
    let order_of = |item: &Json| item.pointer("/order/id").and_then(Json::as_i64).unwrap_or(0);
    let mut work: Vec<usize> = (0..request.items.len()).collect();
    work.sort_by_key(|place| order_of(&request.items[*place]));
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = book_isolated(tx, &request, &request.items[place])?;
    }
    Ok(json!({
        "protocol": 1, "action": "book", "version": version(code),
        "database": database(tx), "items": answers,
    }))
}

/// A savepoint an item: what fails leaves nothing, and the others stay.
fn book_isolated(tx: &mut Tx<'_>, request: &Request, item: &Json) -> Outcome<Json> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let point = tx.savepoint();
    let failed = match book_item(tx, request, item, name) {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let detail = match &failed {
        Raise::Postgres(error) if RUN_AGAIN.contains(&error.code.as_str()) => return Err(failed),
        Raise::Postgres(error) if error.code == UNIQUE_VIOLATION => {
            return Ok(result(name, "again", "race", "", json!(false)));
        }
        Raise::Postgres(error) => error.message.lines().next().unwrap_or_default().to_owned(),
        Raise::Odoo(error) => error.message.clone(),
    };
    let detail: String = detail.chars().take(500).collect();
    Ok(result(name, "failed", "odoo", &detail, json!(false)))
}

fn book_item(tx: &mut Tx<'_>, request: &Request, item: &Json, name: &str) -> Outcome<Json> {
    match fences(tx, request, item, name)? {
        Fenced::Already(known) => Ok(result(name, "already", "", "", booking_row(tx, known))),
        Fenced::Stopped((status, why)) => Ok(result(name, status, why, "", json!(false))),
        Fenced::Clear(order) => {
            // The mutex: a row both write, or two bookings of one order pass side by side.
            tx.touch("sale.order", order)?;
            let booked = enter(tx, request, item, order)?;
            Ok(result(name, "booked", "", "", booking_row(tx, booked)))
        }
    }
}

fn fences(tx: &Tx<'_>, request: &Request, item: &Json, name: &str) -> Outcome<Fenced> {
    let letters =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !name.starts_with("chk_") || !(5..=128).contains(&name.len()) || !letters {
        return Ok(Fenced::Stopped(("refused", "name")));
    }
    match named(tx, name, "payment.transaction") {
        (_, Some(known)) => return Ok(Fenced::Already(known)),
        (true, None) => {
            let text = format!("The name {name} leads to a transaction that is gone.");
            return Err(Raise::user(text));
        }
        (false, None) => {}
    }
    let others_name = |row: &Record| {
        let dead = matches!(row.text("state"), "cancel" | "error");
        row.text("reference") == name || (row.text("provider_reference") == name && !dead)
    };
    if tx.tables().find("payment.transaction", others_name).is_some() {
        return Ok(Fenced::Stopped(("changed", "other_transaction")));
    }
    if let Some(why) = provider_fence(request.provider.as_ref()) {
        return Ok(Fenced::Stopped(("refused", why)));
    }
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    if units(amount) == 0 {
        return Ok(Fenced::Stopped(("refused", "amount")));
    }
    let wanted = need(item, "order")?;
    let order = need(wanted, "id")?.as_i64().unwrap_or(0);
    Ok(match order_fence(tx, request, item, order)? {
        Some(stopped) => Fenced::Stopped(stopped),
        None => Fenced::Clear(order),
    })
}

fn provider_fence(provider: Option<&Provider>) -> Option<&'static str> {
    match provider {
        None => Some("no_provider"),
        Some(provider) if !matches!(provider.state.as_str(), "enabled" | "test") => {
            Some("provider_disabled")
        }
        Some(provider) if !provider.ready => Some("not_ready"),
        Some(_) => None,
    }
}

/// `'2.50'` → 250; 0 for what is no plain decimal number.
fn units(amount: &str) -> u128 {
    let digits = amount.replacen('.', "", 1);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u128::MAX)
}

/// Python's `'%.*f' % (places, float(amount))`: whether the text has the currency's decimals.
fn as_currency_writes(amount: &str, places: usize) -> String {
    let float = amount.parse::<f64>();
    float.map_or_else(|_| String::new(), |float| format!("{float:.places$}"))
}

fn order_fence(tx: &Tx<'_>, request: &Request, item: &Json, id: Id) -> Outcome<Option<Stopped>> {
    let wanted = need(item, "order")?;
    let Some(order) = tx.get("sale.order", id) else {
        return Ok(Some(("changed", "order_gone")));
    };
    let (currency, places) = currency_of(tx, order);
    let active = order
        .reference("currency_id")
        .and_then(|id| tx.get("res.currency", id))
        .is_some_and(|row| row.flag("active"));
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    let total = order.amount("amount_total").text(places);
    let paid = || {
        tx.rows("payment.transaction").any(|(_, row)| {
            row.leads_to("sale_order_ids", id) && matches!(row.text("state"), "authorized" | "done")
        })
    };
    let stopped = if need(wanted, "name")? != order.text("name") {
        ("changed", "order_name")
    } else if order.reference("company_id") != Some(request.company) {
        ("changed", "company")
    } else if need(item, "currency")? != currency.as_str() {
        ("changed", "currency")
    } else if !active {
        ("refused", "inactive_currency")
    } else if need(wanted, "total")? != total.as_str() {
        ("changed", "order_total")
    } else if need(wanted, "state")? != order.text("state") || order.text("state") == "cancel" {
        ("changed", "order_state")
    } else if paid() {
        ("changed", "order_paid")
    } else if as_currency_writes(amount, places) != amount {
        ("refused", "amount")
    } else if units(amount) > units(&total) {
        ("refused", "above_document")
    } else {
        return invoices_fence(tx, request, item, id);
    };
    Ok(Some(stopped))
}

fn posted_invoices(tx: &Tx<'_>, order: Id) -> Vec<Id> {
    tx.ids_where("account.move", |row| {
        row.leads_to("sim_orders", order)
            && row.text("state") == "posted"
            && row.text("move_type") == "out_invoice"
    })
}

fn invoices_fence(
    tx: &Tx<'_>,
    request: &Request,
    item: &Json,
    order: Id,
) -> Outcome<Option<Stopped>> {
    let mut found = Vec::new();
    for id in posted_invoices(tx, order) {
        let invoice = tx.record("account.move", id)?;
        if invoice.reference("company_id") != Some(request.company) {
            return Ok(Some(("changed", "company")));
        }
        let (_, places) = currency_of(tx, &invoice);
        found.push((id, invoice.amount("amount_residual").text(places)));
    }
    let mut decided = Vec::new();
    for row in need(item, "invoices")?.as_array().into_iter().flatten() {
        let residual = need(row, "residual")?.as_str().unwrap_or_default();
        decided.push((need(row, "id")?.as_i64().unwrap_or(0), residual.to_owned()));
    }
    decided.sort();
    Ok((found != decided).then_some(("changed", "invoices")))
}

/// Enters the payment: what `enter` of `book.py` does after its mutex.
fn enter(tx: &mut Tx<'_>, request: &Request, item: &Json, order_id: Id) -> Outcome<Id> {
    let name = need(item, "name")?.as_str().unwrap_or_default().to_owned();
    confirm(tx, item, order_id)?;
    let transaction = create_transaction(tx, request, item, order_id)?;
    step(tx, Step::Name, Some(&name))?;
    let external_id = Record::default()
        .with("module", "concilia")
        .with("name", name.as_str())
        .with("model", "payment.transaction")
        .with("res_id", Value::Int(transaction))
        .with("noupdate", true);
    tx.insert("ir.model.data", external_id)?;
    if step(tx, Step::PostProcess, Some(&name))?.is_none() {
        let date = need(item, "date")?.as_str();
        payment::post_process(tx, transaction, date)?;
    }
    step(tx, Step::Link, Some(&name))?;
    // Linked only now: post-processing a transaction that has an order writes to the customer.
    tx.update("payment.transaction", transaction, |row| row.set("sale_order_ids", vec![order_id]))?;
    check_entered(tx, item, transaction)?;
    Ok(transaction)
}

fn confirm(tx: &mut Tx<'_>, item: &Json, order_id: Id) -> Outcome<()> {
    let order = tx.record("sale.order", order_id)?;
    let wanted = item.get("confirm") == Some(&json!(true));
    if !wanted || !matches!(order.text("state"), "draft" | "sent") {
        return Ok(());
    }
    if step(tx, Step::Confirm, None)?.is_some() {
        let text = format!("The quotation {} was not confirmed.", order.text("name"));
        return Err(Raise::user(text));
    }
    sale::action_confirm(tx, &[order_id]).map(|_| ())
}

/// What stands in the books must be what was asked for.
fn check_entered(tx: &Tx<'_>, item: &Json, transaction: Id) -> Outcome<()> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let row = tx.record("payment.transaction", transaction)?;
    let payment = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
    let Some(payment) = payment.filter(|row| row.text("payment_type") == "inbound") else {
        return Err(Raise::user(format!("Odoo made no entry for {name}.")));
    };
    let amount = need(item, "amount")?;
    let stored = [&row, payment].map(|row| {
        let (_, places) = currency_of(tx, row);
        row.amount("amount").text(places)
    });
    if stored.iter().any(|text| amount != text.as_str()) {
        return Err(Raise::user(format!("Odoo stored another amount for {name}.")));
    }
    Ok(())
}

fn create_transaction(tx: &mut Tx<'_>, request: &Request, item: &Json, order_id: Id) -> Outcome<Id> {
    let name = need(item, "name")?.as_str().unwrap_or_default();
    let wrong = step(tx, Step::Create, Some(name))?.and_then(|failing| failing.stores);
    let amount = wrong.as_deref().or(need(item, "amount")?.as_str());
    let amount = amount.and_then(Amount::parse).unwrap_or_default();
    let order = tx.record("sale.order", order_id)?;
    let mut unpaid = posted_invoices(tx, order_id);
    unpaid.retain(|id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| row.amount("amount_residual") != Amount(0))
    });
    let mut record = Record::default()
        .with("operation", "online_redirect")
        .with("state", "done")
        .with("reference", name)
        .with("provider_reference", name)
        .with("amount", amount)
        .with("invoice_ids", unpaid);
    let provider = request.provider.as_ref();
    for (field, id) in [
        ("provider_id", provider.map(|provider| provider.id)),
        ("payment_method_id", provider.and_then(|provider| provider.method)),
        ("currency_id", order.reference("currency_id")),
        ("partner_id", order.reference("partner_invoice_id")),
    ] {
        if let Some(id) = id {
            record.set(field, Value::Ref(id));
        }
    }
    payment::prepare_transaction(tx, &mut record)?;
    tx.insert("payment.transaction", record)
}

/// Tests can have a step of booking fail, or go wrong: then it is given back.
fn step(tx: &Tx<'_>, at: Step, item: Option<&str>) -> Outcome<Option<FailingStep>> {
    let asked = tx.failing.iter().find(|failing| {
        let same = failing.item.is_none() || item.is_none() || failing.item.as_deref() == item;
        failing.at == at && same
    });
    match asked.and_then(FailingStep::raise) {
        Some(raise) => Err(raise),
        None => Ok(asked.cloned()),
    }
}

/// Somebody else (Mode A, another worker that never saw the order) books the same names and
/// commits: what a race leaves for a call whose snapshot is older. For fault injection.
pub fn book_beside(tx: &mut Tx<'_>) -> Outcome<()> {
    let request = read_request(tx)?;
    for item in &request.items {
        let name = need(item, "name")?.as_str().unwrap_or_default();
        if let Fenced::Clear(order) = fences(tx, &request, item, name)? {
            enter(tx, &request, item, order)?;
        }
    }
    Ok(())
}

// The key action of `odoo setup`.

/// Gives a user an API key, as the action does that `odoo setup` runs once and deletes. Whose
/// it is stands in its text: `with_user(7)`.
fn make_key(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let user = code.split_once("with_user(").and_then(|(_, rest)| rest.split_once(')'));
    let user = user.and_then(|(id, _)| id.parse::<Id>().ok());
    let Some(user) = user.filter(|id| tx.get("res.users", *id).is_some()) else {
        return Err(Raise::odoo(names::ATTRIBUTE, "the key action names no user"));
    };
    let number = tx.world.next("api key");
    let seed = format!("{user}:{number}:{}", tx.caller.now);
    let key: String = text_hash(&seed).chars().take(40).collect();
    super::seed::add_key(tx, user, &key);
    Ok(json!({"key": key}))
}
