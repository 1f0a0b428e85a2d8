//! The routes of the API, `/v1/…` (`ventipay-api.md` section 6), and its two habits: every
//! answer carries a request id, and every failure an error object.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::{Map, Value};

use super::auth::{self, Live};
use super::error::ApiError;
use super::faults;
use super::objects::{KINDS, customer, payment_method};
use super::page::Query;
use super::table::{CHECKOUTS, EVENTS};
use super::world::Sim;

/// The header with the request's id (`ventipay-api.md` 3.2).
const REQUEST_ID_HEADER: &str = "venti-request-id";

type Answer = Result<Json<Value>, ApiError>;

/// `/v1/…`.
pub(super) fn routes(sim: &Arc<Sim>) -> Router {
    let api = Router::new()
        .route("/checkouts", list(CHECKOUTS).post(create_checkout))
        .route("/checkouts/{id}", read(CHECKOUTS))
        .route("/checkouts/{id}/cancel", post(cancel_checkout))
        .route("/checkouts/{id}/refund", post(refund_checkout))
        .route("/events", list(EVENTS))
        .route("/events/{id}", read(EVENTS))
        .route("/customers/{id}/payment_methods", get(list_methods))
        .merge(others())
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

/// Every other kind the API shows can be read and listed. A charge cannot: the newest client
/// knows no such resource (`ventipay-api.md` 5.7).
fn others() -> Router<Arc<Sim>> {
    KINDS.into_iter().filter(|kind| kind.shown).fold(Router::new(), |router, kind| {
        let one = format!("/{}/{{id}}", kind.path);
        router.route(&format!("/{}", kind.path), list(kind.path)).route(&one, read(kind.path))
    })
}

fn list(path: &'static str) -> MethodRouter<Arc<Sim>> {
    get(async move |State(sim): State<Arc<Sim>>, Live(live): Live, uri: Uri| -> Answer {
        sim.list(path, &query(&uri)?, live).map(Json)
    })
}

fn read(path: &'static str) -> MethodRouter<Arc<Sim>> {
    get(
        async move |State(sim): State<Arc<Sim>>,
                    Live(live): Live,
                    Path(id): Path<String>,
                    uri: Uri|
                    -> Answer { sim.read(path, &id, live, &expands(&uri)).map(Json) },
    )
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

async fn create_checkout(State(sim): State<Arc<Sim>>, Live(live): Live, body: Bytes) -> Answer {
    sim.create(&object(&body)?, live).map(Json)
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

async fn list_methods(
    State(sim): State<Arc<Sim>>,
    Live(live): Live,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    sim.read(customer::KIND.path, &id, live, &[])?;
    let mut pairs = pairs(&uri);
    pairs.push(("customer_id".to_owned(), id));
    sim.list(payment_method::KIND.path, &read_query(&pairs)?, live).map(Json)
}

/// A JSON object; an empty body is an empty one.
fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|_| ApiError::invalid("the body is not a JSON object"))
}

fn query(uri: &Uri) -> Result<Query, ApiError> {
    read_query(&pairs(uri))
}

fn read_query(pairs: &[(String, String)]) -> Result<Query, ApiError> {
    Query::read(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// The values of `expand[]`, `expand[0]` or `expand` (`ventipay-api.md` 3.3).
fn expands(uri: &Uri) -> Vec<String> {
    let pairs = pairs(uri).into_iter();
    pairs.filter(|(key, _)| key.starts_with("expand")).map(|(_, value)| value).collect()
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    // The base only lends a scheme: the parser wants a whole address.
    let whole = format!("http://ventipay/?{}", uri.query().unwrap_or_default());
    reqwest::Url::parse(&whole)
        .map_or_else(|_| Vec::new(), |url| url.query_pairs().into_owned().collect())
}
