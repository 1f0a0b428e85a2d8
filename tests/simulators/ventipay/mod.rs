//! The simulated Ventipay is held to `ventipay-api.md`. Here: what its tests share.
//!
//! [`api`] (bodies, signatures, resends, pages, errors), [`families`] (every event type and who
//! tells one payment), [`refunds`], [`lives`] (disputes, subscriptions, cards), [`order`] (held
//! deliveries), [`steering`] (all of it over HTTP). The worker's real client is among the
//! callers.

mod api;
mod families;
mod lives;
mod order;
mod refunds;
mod steering;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use concilia_shared::secret::Secret;
use concilia_shared::signature::SIGNATURE_HEADER;
use concilia_tests::ventipay::{Options, Resend, SimVentipay};
use concilia_worker::ventipay::Client;
use serde_json::Value;
use tokio::net::TcpListener;

/// Longest wait for something that happens by itself.
const DEADLINE: Duration = Duration::from_secs(20);

const KEY: &str = "key_test_simulated";

/// A receiver of webhooks: answers as scripted, then 200, and keeps what it got.
struct Receiver {
    url: String,
    got: Got,
}

type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;
type Script = (Got, Arc<Mutex<Vec<u16>>>);

impl Receiver {
    async fn answering(statuses: &[u16]) -> Self {
        async fn receive(
            State((got, left)): State<Script>,
            headers: HeaderMap,
            body: Bytes,
        ) -> StatusCode {
            let header = headers.get(SIGNATURE_HEADER);
            let header = header.map_or("", |value| value.to_str().unwrap());
            got.lock().unwrap().push((header.to_owned(), body.to_vec()));
            let mut left = left.lock().unwrap();
            let status = if left.is_empty() { 200 } else { left.remove(0) };
            StatusCode::from_u16(status).unwrap()
        }
        let got = Got::default();
        let script: Script = (Arc::clone(&got), Arc::new(Mutex::new(statuses.to_vec())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let routes = Router::new().route("/hook", post(receive)).with_state(script);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, got }
    }

    fn got(&self) -> Vec<(String, Vec<u8>)> {
        self.got.lock().unwrap().clone()
    }

    async fn wait_for(&self, deliveries: usize) -> Vec<(String, Vec<u8>)> {
        until(|| self.got().len() >= deliveries).await;
        self.got()
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it happens in time");
}

fn secret() -> Secret {
    Options::default().secret
}

async fn start() -> SimVentipay {
    start_with(Options::default()).await
}

async fn start_with(options: Options) -> SimVentipay {
    SimVentipay::start(options).await.unwrap()
}

/// Eager resends, so that a test need not wait long.
fn eager() -> Resend {
    Resend { first_ms: 20, cap_ms: 100, ..Resend::default() }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().timeout(DEADLINE).build().unwrap()
}

async fn call(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.basic_auth(KEY, None::<&str>).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn get(sim: &SimVentipay, path: &str) -> (u16, Value) {
    call(http().get(format!("{}{path}", sim.api_url()))).await
}

async fn put(sim: &SimVentipay, path: &str, body: Value) -> (u16, Value) {
    call(http().post(format!("{}{path}", sim.api_url())).json(&body)).await
}

fn client(sim: &SimVentipay, key: &str) -> Client {
    Client::new(&sim.api_url(), Secret::new(key), Duration::from_secs(5)).unwrap()
}
