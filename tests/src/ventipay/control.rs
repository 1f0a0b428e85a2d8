//! What only a simulator can do, over HTTP: `/sim/…`. No key is asked for.
//!
//! | Call | Body | Answer |
//! |---|---|---|
//! | `GET /healthz` | | `ok` |
//! | `POST /sim/pay` | [`Pay`] | [`Paid`](super::Paid): created and paid in one go |
//! | `POST /sim/checkouts/{id}/pay` | `{"families"?, "deliver"?}` | [`Paid`](super::Paid) |
//! | `PATCH /sim/checkouts/{id}` | fields | the checkout, overwritten without any event |
//! | `POST /sim/events` | `{"type", "live"?, "data", "deliver"?}` | `{"event"}` |
//! | `POST /sim/events/{id}/send` | `{"url", "age_s"?}` | [`Sent`]: once more, and no resend |
//! | `POST /sim/send` | [`Send`] | [`Sent`]: any body, signed as told |
//! | `POST /sim/webhooks` | `{"url", "live"?, "events"?, "secret"?}` | `{}`: a further webhook |
//! | `PUT /sim/fault` | [`FaultPlan`] or `null` | `{}` |
//! | `GET /sim/attempts` | | deliveries tried, oldest first |
//! | `GET /sim/world` | | every checkout, event and other object |
//!
//! Refunds, disputes, subscriptions and the like are under [`lives`].

pub mod lives;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use concilia_shared::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::delivery::{Deliver, Send, Sent, Webhook};
use super::error::ApiError;
use super::faults::FaultPlan;
use super::life::payments::Families;
use super::world::{Pay, Sim};

type Answer = Result<Json<Value>, ApiError>;

/// `/sim/…` and `/healthz`.
pub(super) fn routes(sim: &Arc<Sim>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/sim/pay", post(create_and_pay))
        .route("/sim/checkouts/{id}/pay", post(pay))
        .route("/sim/checkouts/{id}", patch(edit))
        .route("/sim/events", post(emit))
        .route("/sim/events/{id}/send", post(send_event))
        .route("/sim/send", post(send))
        .route("/sim/webhooks", post(register))
        .route("/sim/fault", put(set_fault))
        .route("/sim/attempts", get(attempts))
        .route("/sim/world", get(world))
        .merge(lives::routes())
        .with_state(Arc::clone(sim))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayOne {
    #[serde(default)]
    families: Families,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit {
    r#type: String,
    #[serde(default)]
    live: bool,
    data: Value,
    #[serde(default)]
    deliver: Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendEvent {
    url: String,
    #[serde(default)]
    age_s: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    url: String,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    events: Vec<String>,
    secret: Option<Secret>,
}

async fn create_and_pay(State(sim): State<Arc<Sim>>, Json(body): Json<Pay>) -> Answer {
    Ok(Json(json!(sim.create_and_pay(&body)?)))
}

async fn pay(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    Json(body): Json<PayOne>,
) -> Answer {
    Ok(Json(json!(sim.pay(&id, None, body.families, &body.deliver)?)))
}

async fn edit(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    Json(fields): Json<Map<String, Value>>,
) -> Answer {
    sim.edit(&id, &fields).map(Json)
}

async fn emit(State(sim): State<Arc<Sim>>, Json(body): Json<Emit>) -> Answer {
    let event = sim.emit(&body.r#type, body.live, &body.data, &body.deliver)?;
    Ok(Json(json!({ "event": event })))
}

async fn send_event(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    Json(body): Json<SendEvent>,
) -> Answer {
    sim.event(&id, None)?;
    answered(sim.send_event(&id, &body.url, body.age_s).await)
}

async fn send(State(sim): State<Arc<Sim>>, Json(body): Json<Send>) -> Answer {
    answered(sim.send(&body).await)
}

async fn register(State(sim): State<Arc<Sim>>, Json(body): Json<Register>) -> Json<Value> {
    sim.register(Webhook {
        url: body.url,
        secret: body.secret.unwrap_or_else(|| sim.options.secret.clone()),
        live: body.live,
        events: body.events,
    });
    Json(json!({}))
}

async fn set_fault(
    State(sim): State<Arc<Sim>>,
    Json(plan): Json<Option<FaultPlan>>,
) -> Json<Value> {
    sim.set_fault(plan);
    Json(json!({}))
}

async fn attempts(State(sim): State<Arc<Sim>>) -> Json<Value> {
    Json(json!(sim.attempts()))
}

async fn world(State(sim): State<Arc<Sim>>) -> Json<Value> {
    Json(sim.everything())
}

/// What the receiver answered; 502 if it answered nothing.
fn answered(sent: anyhow::Result<Sent>) -> Answer {
    sent.map(|sent| Json(json!(sent))).map_err(|_| ApiError::failing(StatusCode::BAD_GATEWAY))
}
