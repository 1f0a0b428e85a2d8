//! `/sim/…`: the simulator's controls over HTTP, for tests and the quickstart in other
//! processes. Off unless asked for ([`super::SimOdooOptions::control`]).
//!
//! | route | what it does |
//! |---|---|
//! | `GET /healthz` | `ok` |
//! | `GET /sim/world` | payments, booked sums, orders, invoices, transactions, names |
//! | `GET /sim/counters` | calls by name, writes, payments |
//! | `GET /sim/writes` | calls that committed a change, and rows written by model |
//! | `POST /sim/orders` | makes orders: one [`NewOrder`] or a list |
//! | `POST /sim/invoice` | `{"order": "S00001", "post": true, "amount": 300}` (a down payment; else the rest) |
//! | `POST /sim/post` | `{"invoice": 7}`: posts a draft |
//! | `POST /sim/portal` | `{"document": "S00001", "amount": 300}`: a customer begins to pay an order or invoice |
//! | `POST /sim/transaction` | `{"reference": "S00001", "set": {"state": "pending"}}` |
//! | `POST /sim/cron` | Odoo's own post-processing of transactions |
//! | `POST /sim/order` | `{"order": "S00001", "set": {"state": "cancel"}}` |
//! | `POST /sim/faults` | one [`Fault`] or a list |
//! | `DELETE /sim/faults` | takes faults back, releases holds |
//! | `GET /sim/holds/{name}` | how many calls were held |
//! | `POST /sim/holds/{name}/release` | lets them go |
//! | `POST /sim/keys` | `{"login": "concilia", "key": "…"}`: an API key for a user |
//! | `POST /sim/down` | `{"for_ms": 500}`: refuses connections so long |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json as Body, Router};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::engine::{Engine, lock};
use super::errors::{Outcome, Raise};
use super::faults::Fault;
use super::fixtures::{self, NewOrder};
use super::models::{accounting, payment};
use super::value::{Amount, Id, Record};
use super::{http, orm, seed};

#[derive(Clone)]
struct Controls {
    engine: Arc<Engine>,
    up: watch::Sender<bool>,
}

/// One or many.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn list(self) -> Vec<T> {
        match self {
            Self::Many(list) => list,
            Self::One(one) => vec![one],
        }
    }
}

pub(super) fn router(engine: Arc<Engine>, up: watch::Sender<bool>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/sim/world", get(world))
        .route("/sim/counters", get(counters))
        .route("/sim/writes", get(writes))
        .route("/sim/orders", post(orders))
        .route("/sim/invoice", post(invoice))
        .route("/sim/post", post(post_draft))
        .route("/sim/portal", post(portal))
        .route("/sim/transaction", post(transaction))
        .route("/sim/cron", post(cron))
        .route("/sim/order", post(order))
        .route("/sim/faults", post(faults).delete(clear))
        .route("/sim/holds/{name}", get(held))
        .route("/sim/holds/{name}/release", post(release))
        .route("/sim/keys", post(keys))
        .route("/sim/down", post(down))
        .with_state(Controls { engine, up })
}

fn done(outcome: Outcome<Json>) -> Response {
    match outcome.map_err(Raise::to_odoo) {
        Ok(body) => http::json(StatusCode::OK, &body),
        Err(error) => {
            let body = json!({"error": error.message});
            http::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
        }
    }
}

async fn world(State(controls): State<Controls>) -> Response {
    let mut body = controls.engine.inspect(fixtures::dump);
    body["database"] = json!(controls.engine.database);
    done(Ok(body))
}

async fn counters(State(controls): State<Controls>) -> Response {
    let counters = lock(&controls.engine.counters).clone();
    let payments = controls.engine.inspect(|tx| fixtures::payments(tx).len());
    done(Ok(json!({
        "calls": counters.calls, "writes": counters.writes, "run_again": counters.run_again, "payments": payments,
    })))
}

async fn writes(State(controls): State<Controls>) -> Response {
    let counters = lock(&controls.engine.counters).clone();
    done(Ok(json!({"calls": counters.writes, "rows": counters.rows})))
}

async fn orders(
    State(controls): State<Controls>,
    Body(new): Body<OneOrMany<NewOrder>>,
) -> Response {
    done(controls.engine.edit(|tx| {
        let mut made = Vec::new();
        for new in new.list() {
            let order = fixtures::add_order(tx, &new)?;
            made.push(json!({"id": order.id, "name": order.name, "invoice": order.invoice}));
        }
        Ok(json!(made))
    }))
}

#[derive(Deserialize)]
struct InvoiceOf {
    order: String,
    #[serde(default = "yes")]
    post: bool,
    /// What it asks for; else what is still to be invoiced.
    #[serde(default)]
    amount: Option<Json>,
}

fn yes() -> bool {
    true
}

async fn invoice(State(controls): State<Controls>, Body(wanted): Body<InvoiceOf>) -> Response {
    done(controls.engine.edit(|tx| {
        let order = named(tx, &wanted.order)?;
        let amount = amount(wanted.amount.as_ref())?;
        let id = fixtures::invoice_part(tx, order, amount, wanted.post)?;
        let row = tx.record("account.move", id)?;
        Ok(json!({"id": id, "name": row.text("name"), "payment_state": row.text("payment_state")}))
    }))
}

fn amount(json: Option<&Json>) -> Outcome<Option<Amount>> {
    let read = |json: &Json| Amount::from_json(json).ok_or_else(|| Raise::user("no amount"));
    json.map(read).transpose()
}

#[derive(Deserialize)]
struct PostInvoice {
    invoice: Id,
}

async fn post_draft(State(controls): State<Controls>, Body(wanted): Body<PostInvoice>) -> Response {
    done(controls.engine.edit(|tx| {
        accounting::action_post(tx, &[wanted.invoice])?;
        let row = tx.record("account.move", wanted.invoice)?;
        Ok(json!({"name": row.text("name"), "payment_state": row.text("payment_state")}))
    }))
}

#[derive(Deserialize)]
struct Begun {
    /// Name of an order or an invoice.
    document: String,
    #[serde(default)]
    amount: Option<Json>,
}

async fn portal(State(controls): State<Controls>, Body(wanted): Body<Begun>) -> Response {
    done(controls.engine.edit(|tx| {
        let amount = amount(wanted.amount.as_ref())?;
        let (id, reference) = fixtures::portal_transaction(tx, &wanted.document, amount)?;
        Ok(json!({"id": id, "reference": reference}))
    }))
}

#[derive(Deserialize)]
struct ChangeTransaction {
    reference: String,
    set: orm::Values,
}

async fn transaction(
    State(controls): State<Controls>,
    Body(wanted): Body<ChangeTransaction>,
) -> Response {
    done(controls.engine.edit(|tx| {
        let called = |row: &Record| row.text("reference") == wanted.reference;
        let found = tx.tables().find("payment.transaction", called).map(|(id, _)| id);
        let id =
            found.ok_or_else(|| Raise::user(format!("no transaction {}", wanted.reference)))?;
        orm::write(tx, "payment.transaction", &[id], &wanted.set)?;
        Ok(json!({"id": id}))
    }))
}

async fn cron(State(controls): State<Controls>) -> Response {
    done(Ok(controls.engine.edit(payment::run_cron)))
}

#[derive(Deserialize)]
struct ChangeOrder {
    order: String,
    set: orm::Values,
}

async fn order(State(controls): State<Controls>, Body(wanted): Body<ChangeOrder>) -> Response {
    done(controls.engine.edit(|tx| {
        let order = named(tx, &wanted.order)?;
        orm::write(tx, "sale.order", &[order], &wanted.set)?;
        Ok(json!({"id": order}))
    }))
}

fn named(tx: &super::world::Tx<'_>, name: &str) -> Outcome<super::value::Id> {
    fixtures::order_named(tx, name).ok_or_else(|| Raise::user(format!("no order {name}")))
}

async fn faults(State(controls): State<Controls>, Body(new): Body<OneOrMany<Fault>>) -> Response {
    for fault in new.list() {
        controls.engine.faults.add(fault);
    }
    done(Ok(json!({})))
}

async fn clear(State(controls): State<Controls>) -> Response {
    controls.engine.faults.clear();
    done(Ok(json!({})))
}

async fn held(State(controls): State<Controls>, Path(name): Path<String>) -> Response {
    done(Ok(json!({"arrived": controls.engine.faults.hold(&name).count()})))
}

async fn release(State(controls): State<Controls>, Path(name): Path<String>) -> Response {
    controls.engine.faults.hold(&name).release();
    done(Ok(json!({})))
}

#[derive(Deserialize)]
struct NewKey {
    login: String,
    key: String,
}

async fn keys(State(controls): State<Controls>, Body(new): Body<NewKey>) -> Response {
    done(controls.engine.edit(|tx| {
        let found = tx.tables().find("res.users", |row| row.text("login") == new.login);
        let Some((user, _)) = found else {
            return Err(Raise::user(format!("no user {}", new.login)));
        };
        seed::add_key(tx, user, &new.key);
        Ok(json!({"user": user}))
    }))
}

#[derive(Deserialize)]
struct Down {
    for_ms: u64,
}

/// Answers first, then goes down, then comes up again.
async fn down(State(controls): State<Controls>, Body(wanted): Body<Down>) -> Response {
    let pause = Duration::from_millis(wanted.for_ms.min(120_000));
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        controls.up.send_replace(false);
        tokio::time::sleep(pause).await;
        controls.up.send_replace(true);
    });
    done(Ok(json!({})))
}
