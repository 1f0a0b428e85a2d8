//! Health and metrics of the worker, on a port of their own that is not public.
//!
//! `/healthz`: the process answers. `/readyz`: what it needs answers too. `/metrics`:
//! Prometheus text. Not here: what operators look at (`views`, `commands`).

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::shell::Shell;

/// What the routes need.
#[derive(Clone)]
pub struct Admin {
    /// The store is asked whether it answers.
    pub shell: Arc<Shell>,
    /// The broker's connection, once there is one; absent where no role needs one.
    pub broker: Option<Arc<OnceLock<async_nats::Client>>>,
    /// Where metrics are collected.
    pub metrics: PrometheusHandle,
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async |State(admin): State<Admin>| admin.metrics.render()))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut missing = Vec::new();
    if let Err(error) = admin.shell.store.ping().await {
        missing.push(format!("{error}"));
    }
    let connected = |broker: &Arc<OnceLock<async_nats::Client>>| {
        broker.get().is_some_and(|client| {
            client.connection_state() == async_nats::connection::State::Connected
        })
    };
    if !admin.broker.as_ref().is_none_or(connected) {
        missing.push("the broker is not connected".to_owned());
    }
    if missing.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join("; ")))
    }
}
