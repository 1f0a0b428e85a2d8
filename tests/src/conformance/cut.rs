//! A road to Odoo on which an answer can be lost: the request arrives, Odoo acts, the
//! connection is cut before a word of the answer is through.
//!
//! Plain HTTP on a free port of this machine, whatever the real address speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// No request of ours comes near it.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// Stops when dropped.
#[derive(Debug)]
pub(super) struct Cut {
    /// Its address.
    pub(super) url: String,
    answers_to_lose: Arc<AtomicU32>,
    serving: JoinHandle<()>,
}

impl Cut {
    /// Opens a road to `url`.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the cut road")?;
        let address = listener.local_addr()?;
        let answers_to_lose = Arc::new(AtomicU32::new(0));
        let (to, lose) = (url.to_owned(), Arc::clone(&answers_to_lose));
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (http, to, lose) = (http.clone(), to.clone(), Arc::clone(&lose));
                let service = service_fn(move |request| {
                    let (http, to, lose) = (http.clone(), to.clone(), Arc::clone(&lose));
                    async move { forward(&http, &to, &lose, request).await }
                });
                tokio::spawn(async move {
                    let io = TokioIo::new(stream);
                    let served = hyper::server::conn::http1::Builder::new();
                    // A cut connection is what this is for.
                    let _ = served.serve_connection(io, service).await;
                });
            }
        });
        Ok(Self { url: format!("http://{address}"), answers_to_lose, serving })
    }

    /// Loses the next answer.
    pub(super) fn lose_one(&self) {
        self.answers_to_lose.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether every answer that was to be lost is.
    pub(super) fn lost_all(&self) -> bool {
        self.answers_to_lose.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(
    http: &reqwest::Client,
    to: &str,
    lose: &AtomicU32,
    request: Request<Incoming>,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut sent = http.request(parts.method, format!("{to}{path}"));
    for (name, value) in &parts.headers {
        if !["host", "connection", "content-length", "transfer-encoding"].contains(&name.as_str()) {
            sent = sent.header(name, value);
        }
    }
    let body = axum::body::to_bytes(Body::new(body), BODY_LIMIT).await?;
    let answer = sent.body(body).send().await?;
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let bytes = answer.bytes().await?;
    let spared = lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    anyhow::ensure!(spared.is_err(), "the answer is lost on purpose");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert("content-type", kind);
    }
    Ok(response)
}
