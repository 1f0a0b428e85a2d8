//! The second port, not public: is the process alive, is it ready, what has it counted.
//!
//! Not here: what is counted ([`crate::measure`]).

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

/// What an operator should know right now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Why webhooks would be answered 503; `None` when they are received.
    pub not_ready: Option<String>,
    /// What is wrong with single accounts, which takes nothing from the others.
    pub warnings: Vec<String>,
}

/// What the admin routes show.
#[derive(Clone)]
pub struct Admin {
    /// The metrics.
    pub metrics: PrometheusHandle,
    /// Asked anew for each request.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The routes: `/healthz`, `/readyz`, `/metrics`.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"ok": true})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    let readiness = (admin.readiness)();
    let status = match readiness.not_ready {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "ready": readiness.not_ready.is_none(),
        "reason": readiness.not_ready,
        "warnings": readiness.warnings,
    });
    (status, Json(body)).into_response()
}

async fn show(State(admin): State<Admin>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, admin.metrics.render())
}
