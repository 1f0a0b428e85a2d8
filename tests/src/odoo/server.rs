//! The HTTP side: routes, what faults do to a call, and connections that can be cut.
//!
//! A call acts in a task of its own, so that a client who gives up changes nothing about what
//! Odoo does, as with the real one. What a call does is in [`super::engine`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::engine::{Acting, Engine, Job, lock};
use super::errors::OdooError;
use super::faults::{Kind, Point};
use super::{control, http, json2, jsonrpc, portal};

/// Bodies beyond this are refused: no call of ours comes near it.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// The routes of an Odoo, with `/sim/…` where wanted.
pub(super) fn router(engine: Arc<Engine>, up: watch::Sender<bool>, with_control: bool) -> Router {
    let odoo = Router::new()
        .route("/jsonrpc", any(json_rpc))
        .route("/json/2/{model}/{method}", any(json_2))
        .with_state(engine.clone())
        .merge(portal::router(engine.clone()));
    let all = if with_control { odoo.merge(control::router(engine, up)) } else { odoo };
    all.layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn json_rpc(
    State(engine): State<Arc<Engine>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let series = lock(&engine.world).series;
    match jsonrpc::read(series, method == Method::POST, &headers, &body) {
        Err(refused) => *refused,
        Ok(request) => {
            let id = request.id;
            detached(engine, request.job, move |answer| jsonrpc::write(series, &id, answer)).await
        }
    }
}

async fn json_2(
    State(engine): State<Arc<Engine>>,
    Path((model, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let series = lock(&engine.world).series;
    let request = json2::Request {
        post: method == Method::POST,
        model: &model,
        method: &name,
        headers: &headers,
        body: &body,
    };
    match json2::read(series, &engine.database, &request) {
        Err(refused) => *refused,
        Ok(job) => detached(engine, job, json2::write).await,
    }
}

/// Runs a call to its end even if the client goes away meanwhile.
async fn detached(
    engine: Arc<Engine>,
    job: Job,
    write: impl Fn(Result<serde_json::Value, OdooError>) -> Response + Send + 'static,
) -> Response {
    let call = tokio::spawn(async move { with_faults(&engine, job, write).await });
    call.await.unwrap_or_else(|_| http::close())
}

async fn with_faults(
    engine: &Engine,
    job: Job,
    write: impl Fn(Result<serde_json::Value, OdooError>) -> Response,
) -> Response {
    let operation = engine.operation(&job);
    engine.count(&job, operation);
    let faults = engine.faults.take(operation);
    let snapshot = engine.snapshot();
    let mut acting = Acting::default();
    for fault in &faults {
        match fault {
            Kind::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Kind::Hold { name, point: Point::Before } => engine.faults.hold(name).stay().await,
            Kind::Status { status, retry_after_s } => return status_page(*status, *retry_after_s),
            Kind::Html => return http::html(StatusCode::OK, MAINTENANCE),
            Kind::Close => return http::close(),
            Kind::DatabaseGone => return write(Err(engine.gone())),
            Kind::Error { name, message } => return write(Err(injected(name, message))),
            Kind::Race => acting.race = true,
            Kind::Fail(step) => acting.failing.push(step.clone()),
            Kind::ActAndClose | Kind::Hold { .. } => {}
        }
    }
    let answer = engine.perform(job, snapshot, &acting);
    for fault in &faults {
        match fault {
            Kind::ActAndClose => return http::close(),
            Kind::Hold { name, point: Point::After } => engine.faults.hold(name).stay().await,
            _ => {}
        }
    }
    write(answer)
}

const MAINTENANCE: &str =
    "<!DOCTYPE html>\n<title>Maintenance</title>\n<h1>We will be back soon.</h1>\n";

fn status_page(status: u16, retry_after_s: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let reason = status.canonical_reason().unwrap_or("Error");
    let page =
        format!("<html>\n<head><title>{} {reason}</title></head>\n</html>\n", status.as_u16());
    let mut response = http::html(status, &page);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn injected(name: &str, message: &str) -> OdooError {
    use super::errors::names;
    let known = [
        names::ACCESS_DENIED,
        names::ACCESS,
        names::MISSING,
        names::USER,
        names::VALIDATION,
        names::ATTRIBUTE,
        names::TYPE,
    ];
    let name = known.into_iter().find(|one| *one == name).unwrap_or(names::VALUE);
    OdooError::new(name, message)
}

/// Serves until told to stop. While it is not up, the port refuses connections and those
/// there were are cut.
pub(super) async fn serve(listener: TcpListener, router: Router, mut up: watch::Receiver<bool>) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let wanted = *up.borrow_and_update();
        if !wanted {
            listener = None;
            connections.shutdown().await;
        } else if listener.is_none() {
            listener = rebind(address).await;
        }
        tokio::select! {
            changed = up.changed() => if changed.is_err() { return },
            accepted = accept(listener.as_ref()) => {
                connections.spawn(connection(accepted, router.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => return stream,
                // Out of descriptors, or the peer is gone already: let others run, then go on.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::error!(%address, %error, "the simulated Odoo cannot come up again");
            None
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<http::CloseConnection>().is_some() {
                return Err(std::io::Error::other("the connection is cut on purpose"));
            }
            Ok(response)
        }
    });
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "a connection to the simulated Odoo ended early");
    }
}
