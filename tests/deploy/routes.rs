//! Health checks ask for what is there: each path, asked of the real router or server.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use concilia_ingress::admin as ingress;
use concilia_tests::harness::nats::NatsServer;
use concilia_tests::ventipay::{self, SimVentipay};
use concilia_worker::{admin as worker, wire};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::ServiceExt as _;

use super::compose::Compose;

/// The path of a service's health check.
fn path(service: &str) -> String {
    let compose = Compose::real();
    let url = compose.service(service).health_url().expect("it has a health check").to_owned();
    let (_, path) =
        url.split_once("//").and_then(|(_, rest)| rest.split_once('/')).expect("a path");
    format!("/{path}")
}

async fn status(router: &Router, path: &str) -> u16 {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    router.clone().oneshot(request).await.expect("an answer").status().as_u16()
}

async fn get(address: &str) -> u16 {
    // Another test may have been first; one provider is as good as the next.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(address).await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn the_ingress_is_asked_for_a_route_it_has() {
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let admin = |not_ready: Option<String>| {
        let readiness = ingress::Readiness { not_ready, warnings: Vec::new() };
        let readiness = Arc::new(move || readiness.clone());
        ingress::router(ingress::Admin { metrics: metrics.clone(), readiness })
    };
    let asked = path("ingress");
    assert_eq!(status(&admin(None), &asked).await, 200);
    // Not merely alive: without a broker it must not look healthy.
    assert_eq!(status(&admin(Some("no broker".to_owned())), &asked).await, 503);
    assert_eq!(status(&admin(None), "/elsewhere").await, 404, "the router knows what it has not");
}

#[tokio::test]
async fn the_worker_is_asked_for_a_route_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[store]\nurl = \"sqlite://{}/log.db\"\n", folder.path().display());
    let config = concilia_shared::config::load(&text, []).unwrap();
    let shell = Arc::new(wire::shell(&config).await.unwrap());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let admin = |broker| {
        worker::router(worker::Admin { shell: shell.clone(), broker, metrics: metrics.clone() })
    };
    let asked = path("worker");
    assert_eq!(status(&admin(None), &asked).await, 200);
    assert_eq!(status(&admin(Some(Arc::default())), &asked).await, 503, "no broker yet");
    assert_eq!(status(&admin(None), "/elsewhere").await, 404, "the router knows what it has not");
}

#[tokio::test]
async fn the_broker_is_asked_for_a_route_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let server = NatsServer::start(folder.path()).await.unwrap();
    assert_eq!(get(&format!("{}{}", server.monitor_url(), path("nats"))).await, 200);
    let variables = reqwest::get(format!("{}/varz", server.monitor_url())).await.unwrap();
    let variables: serde_json::Value = variables.json().await.unwrap();
    assert_eq!(variables["jetstream"]["config"]["sync_always"], true, "as deploy/nats.conf says");
}

#[tokio::test]
async fn the_simulator_is_asked_for_a_route_it_has() {
    let sim = SimVentipay::start(ventipay::Options::default()).await.unwrap();
    let base = sim.url();
    let (base, _) = base.rsplit_once("/v1").unwrap_or((&base, ""));
    assert_eq!(get(&format!("{base}{}", path("sim"))).await, 200);
    sim.stop().await;
}
