//! The lives of all objects, steered over HTTP: `/sim/…`. Each answers [`Made`] unless
//! another answer is named; `"deliver"?` is everywhere as of [`Deliver`].
//!
//! | Call | Body |
//! |---|---|
//! | `POST /sim/objects/{kind}` | `{"fields"?, "live"?}`: `subscription`, `dispute`, `mandate`, … |
//! | `POST /sim/objects/{kind}/{id}/{step}` | `{"fields"?}`: the step is half an event type |
//! | `POST /sim/checkouts/{id}/refund` | `{"amount"?, "destination"?, "pending"?}` |
//! | `POST /sim/refunds/{id}/settle` | `{"succeeds"}` |
//! | `POST /sim/checkouts/{id}/dispute` | `{"fields"?}` |
//! | `POST /sim/subscriptions/{id}/renew` | [`Collect`]: the first period or a further one |
//! | `POST /sim/invoices/{id}/retry` | [`Collect`] |
//! | `POST /sim/charge` | [`Charge`] |
//! | `POST /sim/enrol` | `{"customer"?, "card"?, "live"?}` |
//! | `POST /sim/events/{id}/deliver` | an old event again: `{}` |
//! | `POST /sim/hide` | `{"of", "fields", "hidden"?}`, an id or a kind: `{}` |
//! | `PUT /sim/clock` | a time or `null`: `{}` |
//! | `POST /sim/hold` | from now on deliveries wait: `{}` |
//! | `GET /sim/held` | `{"events"}` |
//! | `POST /sim/release` | [`Order`]: `{"events"}` in the order they were delivered |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Answer;
use crate::ventipay::delivery::Deliver;
use crate::ventipay::error::ApiError;
use crate::ventipay::hold::Order;
use crate::ventipay::life::Made;
use crate::ventipay::life::payments::Charge;
use crate::ventipay::life::subscriptions::Collect;
use crate::ventipay::world::Sim;

pub(super) fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/sim/objects/{kind}", post(make))
        .route("/sim/objects/{kind}/{id}/{step}", post(advance))
        .route("/sim/checkouts/{id}/refund", post(refund))
        .route("/sim/refunds/{id}/settle", post(settle))
        .route("/sim/checkouts/{id}/dispute", post(dispute))
        .route("/sim/subscriptions/{id}/renew", post(renew))
        .route("/sim/invoices/{id}/retry", post(retry))
        .route("/sim/charge", post(charge))
        .route("/sim/enrol", post(enrol))
        .route("/sim/events/{id}/deliver", post(redeliver))
        .route("/sim/hide", post(hide))
        .route("/sim/clock", put(set_clock))
        .route("/sim/hold", post(hold))
        .route("/sim/held", get(held))
        .route("/sim/release", post(release))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refund {
    amount: Option<i64>,
    destination: Option<String>,
    #[serde(default)]
    pending: bool,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    succeeds: bool,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    customer: Option<String>,
    #[serde(default)]
    card: Map<String, Value>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hide {
    of: String,
    fields: Vec<String>,
    #[serde(default = "yes")]
    hidden: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    #[serde(default)]
    deliver: Deliver,
}

fn yes() -> bool {
    true
}

fn made(made: Result<Made, ApiError>) -> Answer {
    made.map(|made| Json(json!(made)))
}

type TheSim = State<Arc<Sim>>;

async fn make(State(sim): TheSim, Path(kind): Path<String>, Json(of): Json<Of>) -> Answer {
    made(sim.make(&kind, &of.fields, of.live, &of.deliver))
}

async fn advance(
    State(sim): TheSim,
    Path((kind, id, step)): Path<(String, String, String)>,
    Json(of): Json<Of>,
) -> Answer {
    made(sim.advance(&kind, &id, &step, &of.fields, &of.deliver))
}

async fn refund(State(sim): TheSim, Path(id): Path<String>, Json(asked): Json<Refund>) -> Answer {
    let request = json!({"amount": asked.amount, "destination": asked.destination});
    let request = request.as_object().cloned().unwrap_or_default();
    made(sim.refund_checkout(&id, &request, asked.pending, &asked.deliver))
}

async fn settle(State(sim): TheSim, Path(id): Path<String>, Json(asked): Json<Settle>) -> Answer {
    made(sim.settle_refund(&id, asked.succeeds, &asked.deliver))
}

async fn dispute(State(sim): TheSim, Path(id): Path<String>, Json(of): Json<Of>) -> Answer {
    let mut fields = of.fields;
    fields.insert("checkout_id".to_owned(), json!(id));
    made(sim.make("dispute", &fields, of.live, &of.deliver))
}

async fn renew(State(sim): TheSim, Path(id): Path<String>, Json(how): Json<Collect>) -> Answer {
    made(sim.renew(&id, &how))
}

async fn retry(State(sim): TheSim, Path(id): Path<String>, Json(how): Json<Collect>) -> Answer {
    made(sim.retry_invoice(&id, &how))
}

async fn charge(State(sim): TheSim, Json(charge): Json<Charge>) -> Answer {
    made(sim.charge(&charge))
}

async fn enrol(State(sim): TheSim, Json(body): Json<Enrol>) -> Answer {
    made(sim.enrol(body.customer.as_deref(), &body.card, body.live, &body.deliver))
}

async fn redeliver(State(sim): TheSim, Path(id): Path<String>, Json(again): Json<Again>) -> Answer {
    sim.deliver(&sim.event(&id, None)?, &again.deliver);
    Ok(Json(json!({})))
}

async fn hide(State(sim): TheSim, Json(body): Json<Hide>) -> Answer {
    sim.hide(&body.of, &body.fields, body.hidden)?;
    Ok(Json(json!({})))
}

async fn set_clock(State(sim): TheSim, Json(clock): Json<Option<Timestamp>>) -> Answer {
    sim.set_clock(clock)?;
    Ok(Json(json!({})))
}

async fn hold(State(sim): TheSim) -> Json<Value> {
    sim.hold();
    Json(json!({}))
}

async fn held(State(sim): TheSim) -> Json<Value> {
    Json(json!({"events": sim.held()}))
}

async fn release(State(sim): TheSim, Json(order): Json<Order>) -> Answer {
    let events = sim.release(&order).await?;
    Ok(Json(json!({"events": events})))
}
