//! The routes of the API, `/v1/…` (`ventipay-api.md` section 6), and its two habits: every
//! answer carries a request id, and every failure an error object.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::auth::{self, Live};
use super::error::ApiError;
use super::faults;
use super::page::Query;
use super::world::Sim;

/// The header with the request's id (`ventipay-api.md` 3.2).
const REQUEST_ID_HEADER: &str = "venti-request-id";

type Answer = Result<Json<Value>, ApiError>;

/// `/v1/…`.
pub(super) fn routes(sim: &Arc<Sim>) -> Router {
    let api = Router::new()
        .route("/checkouts", get(list_checkouts).post(create_checkout))
        .route("/checkouts/{id}", get(read_checkout))
        .route("/checkouts/{id}/cancel", post(cancel_checkout))
        .route("/checkouts/{id}/refund", post(refund_checkout))
        .route("/events", get(list_events))
        .route("/events/{id}", get(read_event))
        .fallback(|| async { ApiError::not_found("address") })
        .method_not_allowed_fallback(|| async {
            ApiError {
                status: StatusCode::METHOD_NOT_ALLOWED,
                ..ApiError::invalid("the address knows no such method")
            }
        })
        .layer(middleware::from_fn_with_state(Arc::clone(sim), faults::inject))
        .layer(middleware::from_fn_with_state(Arc::clone(sim), note));
    Router::new().nest("/v1", api).with_state(Arc::clone(sim))
}

/// Notes the call and gives the answer a request id.
async fn note(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    // Without the query: it is told by cursors and says nothing a test asks for.
    let call = format!("{} /v1{}", request.method(), request.uri().path());
    sim.note_call(auth::key(request.headers()).unwrap_or_default(), call);
    let mut response = next.run(request).await;
    let id = format!("req_{:016x}", rand::random::<u64>());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, id);
    }
    response
}

async fn list_checkouts(State(sim): State<Arc<Sim>>, Live(live): Live, uri: Uri) -> Answer {
    sim.checkouts(&query(&uri)?, live).map(Json)
}

async fn create_checkout(State(sim): State<Arc<Sim>>, Live(live): Live, body: Bytes) -> Answer {
    sim.create(&object(&body)?, live).map(Json)
}

async fn read_checkout(
    State(sim): State<Arc<Sim>>,
    Live(live): Live,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let mut checkout = sim.checkout(&id, live)?;
    if expands(&uri, "payment_method") && checkout["status"] == "paid" {
        checkout["payment_method"] = json!({"brand": "visa", "funding": "debit", "last4": "4242"});
    }
    Ok(Json(checkout))
}

async fn cancel_checkout(
    State(sim): State<Arc<Sim>>,
    Live(live): Live,
    Path(id): Path<String>,
) -> Answer {
    sim.cancel(&id, live).map(Json)
}

async fn refund_checkout(
    State(sim): State<Arc<Sim>>,
    Live(live): Live,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    sim.refund(&id, &object(&body)?, live).map(Json)
}

async fn list_events(State(sim): State<Arc<Sim>>, Live(live): Live, uri: Uri) -> Answer {
    sim.events(&query(&uri)?, live).map(Json)
}

async fn read_event(
    State(sim): State<Arc<Sim>>,
    Live(live): Live,
    Path(id): Path<String>,
) -> Answer {
    sim.event(&id, Some(live)).map(Json)
}

/// A JSON object; an empty body is an empty one.
fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|_| ApiError::invalid("the body is not a JSON object"))
}

fn query(uri: &Uri) -> Result<Query, ApiError> {
    let pairs = pairs(uri);
    Query::read(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// `expand[]=x`, `expand[0]=x` or `expand=x` (`ventipay-api.md` 3.3).
fn expands(uri: &Uri, what: &str) -> bool {
    pairs(uri).iter().any(|(key, value)| key.starts_with("expand") && value == what)
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    // The base only lends a scheme: the parser wants a whole address.
    let whole = format!("http://ventipay/?{}", uri.query().unwrap_or_default());
    reqwest::Url::parse(&whole)
        .map_or_else(|_| Vec::new(), |url| url.query_pairs().into_owned().collect())
}
