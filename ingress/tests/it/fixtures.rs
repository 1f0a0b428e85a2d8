//! A router over a broker made of paper, and signed requests for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use concilia_ingress::accounts::Accounts;
use concilia_ingress::publish::{Message, PublishError, Publisher};
use concilia_ingress::{Ingress, Rules, queue, router};
use concilia_shared::config::{self, LatePolicy};
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use concilia_shared::webhook::Webhook;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const SECRET: &str = "whs_test_secret";
pub(crate) const BODY: &str = r#"{"data":{"amount":1000,"currency":"CLP","id":"chk_1"},"id":"evt_1","live":false,"type":"checkout.paid"}"#;

/// What time it always is.
pub(crate) const NOW_S: i64 = 1_700_000_010;

pub(crate) fn clock() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

/// A broker that keeps what it is given, answers as told, and takes as long as it is held.
pub(crate) struct Paper {
    pub(crate) batches: Mutex<Vec<Vec<Message>>>,
    pub(crate) fails: Mutex<Option<PublishError>>,
    /// One permit lets one batch through.
    pub(crate) gate: Semaphore,
    /// Counts the batches that came in, let through or not.
    pub(crate) begun: watch::Sender<usize>,
    in_flight: AtomicUsize,
    pub(crate) in_flight_most: AtomicUsize,
}

impl Paper {
    pub(crate) fn held() -> Arc<Self> {
        Arc::new(Self {
            batches: Mutex::default(),
            fails: Mutex::default(),
            gate: Semaphore::new(0),
            begun: watch::Sender::new(0),
            in_flight: AtomicUsize::new(0),
            in_flight_most: AtomicUsize::new(0),
        })
    }

    pub(crate) fn open() -> Arc<Self> {
        let paper = Self::held();
        paper.gate.add_permits(Semaphore::MAX_PERMITS);
        paper
    }

    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.batches.lock().unwrap().iter().map(Vec::len).collect()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.batches.lock().unwrap().concat()
    }

    /// Waits until so many batches came in.
    pub(crate) async fn begun(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        let waited = begun.wait_for(|begun| *begun >= count);
        tokio::time::timeout(Duration::from_secs(10), waited)
            .await
            .expect("the batch did not come")
            .unwrap();
    }
}

#[async_trait]
impl Publisher for Paper {
    async fn publish(&self, messages: &[Message]) -> Result<(), PublishError> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.in_flight_most.fetch_max(in_flight, Ordering::SeqCst);
        let _left = Left(&self.in_flight);
        self.begun.send_modify(|begun| *begun += 1);
        self.gate.acquire().await.unwrap().forget();
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        self.batches.lock().unwrap().push(messages.to_vec());
        Ok(())
    }
}

/// Counts down however the future ends.
struct Left<'a>(&'a AtomicUsize);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A router with what stands behind it.
pub(crate) struct Desk {
    pub(crate) router: Router,
    pub(crate) paper: Arc<Paper>,
    pub(crate) accounts: watch::Sender<Arc<Accounts>>,
    pub(crate) stop: CancellationToken,
}

/// The configuration most tests use: one account, hence the default one.
pub(crate) fn one_account() -> String {
    format!("[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = [\"{SECRET}\"]\n")
}

pub(crate) fn accounts(text: &str) -> Arc<Accounts> {
    Arc::new(Accounts::load(&config::load(text, []).unwrap()).unwrap())
}

impl Desk {
    pub(crate) fn with(text: &str, paper: Arc<Paper>, change: impl Fn(&mut Rules)) -> Self {
        let mut rules = Rules {
            request_timeout: Duration::from_secs(10),
            tolerance_s: 300,
            late_policy: LatePolicy::Keep,
        };
        change(&mut rules);
        let stop = CancellationToken::new();
        let deadline = Duration::from_millis(300);
        let (queue, _) = queue::start(paper.clone(), 2, deadline, stop.clone());
        let (sender, receiver) = watch::channel(accounts(text));
        let ingress = Ingress::new(receiver, queue, clock, rules);
        Self { router: router(Arc::new(ingress)), paper, accounts: sender, stop }
    }

    pub(crate) fn new() -> Self {
        Self::with(&one_account(), Paper::open(), |_| {})
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        Reply::of(response).await
    }

    /// Signs and posts a body to the default account.
    pub(crate) async fn post(&self, body: impl Into<Vec<u8>>) -> Reply {
        self.send(signed(body)).await
    }

    /// What the broker was given, read back as the worker will.
    pub(crate) fn webhooks(&self) -> Vec<Webhook> {
        self.paper.messages().iter().map(webhook_of).collect()
    }
}

pub(crate) fn webhook_of(message: &Message) -> Webhook {
    let get = |name: &str| {
        let found = message.headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.as_str())
    };
    Webhook::from_message(get, message.body.to_vec()).unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) json: serde_json::Value,
}

impl Reply {
    pub(crate) async fn of(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Self {
            status: head.status,
            headers: head.headers,
            json: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and error code, the way the tables of the tests write it.
    pub(crate) fn told(&self) -> (u16, &str) {
        let error = self.json["error"].as_str().unwrap_or("");
        assert!(
            self.status == 200 || self.json["message"].as_str().is_some_and(|m| m.ends_with('.')),
            "an error comes with a sentence: {self:?}"
        );
        (self.status.as_u16(), error)
    }
}

/// A request with the header lines given, none other.
pub(crate) fn request(path: &str, signatures: &[&[u8]], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path);
    for signature in signatures {
        request = request.header(SIGNATURE_HEADER, *signature);
    }
    request.body(body.into()).unwrap()
}

/// A request signed now.
pub(crate) fn signed(body: impl Into<Vec<u8>>) -> Request<Body> {
    signed_at(NOW_S, body)
}

pub(crate) fn signed_at(t: i64, body: impl Into<Vec<u8>>) -> Request<Body> {
    let body = body.into();
    let signature = sign(&Secret::new(SECRET), t, &body);
    request("/ventipay/webhook", &[signature.as_bytes()], body)
}
