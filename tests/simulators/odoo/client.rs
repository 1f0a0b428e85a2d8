//! A plain caller for these tests, and a database that is set up to book.
//!
//! Not the worker's client, which [`super::worker`] uses: here the bytes are to be seen.

use std::sync::LazyLock;

use concilia_tests::odoo::actions::{BOOK, OBSERVE};
use concilia_tests::odoo::value::{Record, Value};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use serde_json::{Value as Json, json};

/// The recorded series.
pub(super) const ALL: [Series; 3] = [Series::V17, Series::V18, Series::V19];

/// Where [`ready`] puts the action observe.
pub(super) const OBSERVE_ID: i64 = 901;
/// Where [`ready`] puts the action book.
pub(super) const BOOK_ID: i64 = 902;

/// An answer as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) retry_after: Option<String>,
}

impl Answer {
    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// One client for all tests. It keeps no connections, which would belong to one test's runtime.
pub(super) fn http() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
    });
    &CLIENT
}

/// Sends a body and reads what comes back; an error is a connection that was cut or refused.
pub(super) async fn send(
    odoo: &SimOdoo,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> reqwest::Result<Answer> {
    let mut request = http().post(format!("{}{path}", odoo.url())).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.send().await?).await
}

pub(super) async fn read(response: reqwest::Response) -> reqwest::Result<Answer> {
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let (kind, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    Ok(Answer {
        status: response.status().as_u16(),
        kind,
        retry_after,
        text: response.text().await?,
    })
}

/// The administrator's call over `/jsonrpc`.
pub(super) async fn rpc(
    odoo: &SimOdoo,
    model: &str,
    method: &str,
    args: Json,
    kwargs: Json,
) -> Json {
    let who = json!([odoo.database, seed::ADMIN, "admin", model, method, args, kwargs]);
    let answer = send(odoo, "/jsonrpc", &[JSON], envelope("object", "execute_kw", &who)).await;
    answer.unwrap().json()
}

/// The administrator's call over `/json/2`.
pub(super) async fn json2(odoo: &SimOdoo, model: &str, method: &str, body: Json) -> Answer {
    let path = format!("/json/2/{model}/{method}");
    let answer = send(odoo, &path, &[JSON, KEY], body.to_string()).await;
    answer.unwrap()
}

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const KEY: (&str, &str) = ("authorization", "bearer admin-key");

pub(super) fn envelope(service: &str, method: &str, args: &Json) -> String {
    json!({"jsonrpc": "2.0", "method": "call", "id": 1,
           "params": {"service": service, "method": method, "args": args}})
    .to_string()
}

/// A simulated Odoo in which the administrator may run both actions.
pub(super) async fn ready(series: Series) -> SimOdoo {
    ready_with(SimOdooOptions::new(series)).await
}

pub(super) async fn ready_with(options: SimOdooOptions) -> SimOdoo {
    let odoo = SimOdoo::start(options).await.unwrap();
    odoo.edit(|tx| {
        let groups = tx.series().groups_field();
        for (id, name, code) in [(OBSERVE_ID, "observe", OBSERVE), (BOOK_ID, "book", BOOK)] {
            let action = Record::default()
                .with("name", format!("Concilia: {name}"))
                .with("code", code)
                .with("state", "code")
                .with(groups, vec![seed::GROUP_SYSTEM]);
            tx.put_at("ir.actions.server", id, action);
            name_record(tx, &format!("action_{name}"), "ir.actions.server", id);
        }
        let provider = Record::default()
            .with("name", "Ventipay")
            .with("state", "test")
            .with("company_id", Value::Ref(seed::COMPANY));
        tx.put_at("payment.provider", 7, provider);
        name_record(tx, "provider_company_1", "payment.provider", 7);
        let method = Record::default().with("name", "Ventipay").with("provider_ids", vec![7]);
        tx.put_at("payment.method", 207, method);
        let line = Record::default()
            .with("name", "Ventipay")
            .with("payment_type", "inbound")
            .with("journal_id", Value::Ref(seed::BANK))
            .with("payment_provider_id", Value::Ref(7))
            .with("payment_account_id", Value::Ref(202));
        tx.put_at("account.payment.method.line", 27, line);
    });
    odoo
}

fn name_record(tx: &mut concilia_tests::odoo::world::Tx<'_>, name: &str, model: &str, id: i64) {
    let row = Record::default()
        .with("module", "concilia")
        .with("name", name)
        .with("model", model)
        .with("res_id", Value::Int(id));
    tx.insert("ir.model.data", row).unwrap();
}

/// A request of book for one order of whole pesos without invoices.
pub(super) fn booking(name: &str, order: i64, order_name: &str, total: i64) -> Json {
    json!({"protocol": 3, "company_id": 1, "items": [{
        "kind": "book", "name": name, "accepted": false, "amount": total.to_string(), "currency": "CLP", "date": "2026-11-22", "confirm": false,
        "order": {"id": order, "name": order_name, "total": total.to_string(), "state": "sale"},
        "invoices": [],
    }]})
}

fn run(action: i64, request: &Json) -> (Json, Json) {
    let context = json!({"active_model": "payment.transaction", "tz": "America/Santiago", "concilia": request});
    (json!([[action]]), json!({"context": context}))
}

/// Runs an action; the answer's envelope is left as it came.
pub(super) async fn act(odoo: &SimOdoo, action: i64, request: &Json) -> reqwest::Result<Answer> {
    let (args, kwargs) = run(action, request);
    let who =
        json!([odoo.database, seed::ADMIN, "admin", "ir.actions.server", "run", args, kwargs]);
    send(odoo, "/jsonrpc", &[JSON], envelope("object", "execute_kw", &who)).await
}

/// The status of the first item of a booking's answer.
pub(super) fn status(answer: &Json) -> &str {
    let found = answer.pointer("/result/infos/concilia/items/0/status");
    found.and_then(Json::as_str).unwrap_or_else(|| panic!("no status: {answer}"))
}
