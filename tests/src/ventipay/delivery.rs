//! Signed deliveries (`ventipay-api.md` 4.2 to 4.4), and resends of what was not answered 2xx.
//!
//! How often and when Ventipay resends is unknown (4.7); here it is bounded and exponential,
//! and whether a resend carries its first `t` or a new one is an option. Deliveries under way
//! die with the simulator. Addresses and bodies are not logged.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::table::text;
use super::world::{Sim, locked, push_bounded};
use super::{canonical, now};

/// Longest a receiver may take: what the official forwarder waits (4.7).
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most deliveries on their way at once.
const CONCURRENCY: usize = 64;

/// Most bytes kept of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A registered webhook: gets what happens in one mode.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// What it is signed with.
    pub secret: Secret,
    /// Which mode.
    pub live: bool,
    /// The types it wants; empty: all.
    pub events: Vec<String>,
}

/// When a delivery that was not answered 2xx is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    /// Wait before the second attempt, in milliseconds.
    pub first_ms: u64,
    /// Each wait is so many times the one before.
    pub factor: u64,
    /// Longest wait, in milliseconds.
    pub cap_ms: u64,
    /// Attempts in all.
    pub attempts_max: u32,
    /// Sign each attempt anew; else all carry the first `t`.
    pub renew_t: bool,
}

impl Default for Resend {
    fn default() -> Self {
        Self { first_ms: 500, factor: 2, cap_ms: 10_000, attempts_max: 30, renew_t: false }
    }
}

impl Resend {
    /// The wait after `attempt` (from 1).
    fn wait(&self, attempt: u32) -> Duration {
        let factor = self.factor.saturating_pow(attempt.saturating_sub(1));
        Duration::from_millis(self.first_ms.saturating_mul(factor).min(self.cap_ms))
    }
}

/// Whom an event is delivered to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deliver {
    /// The webhooks registered for its mode and type.
    #[default]
    Registered,
    /// These addresses only, signed with the simulator's secret.
    To(Vec<String>),
    /// Nobody: it can only be read with `GET /events`.
    Nowhere,
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The event.
    pub event: String,
    /// Where to.
    pub url: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// `t` of the signature.
    pub signed_at_s: i64,
    /// The answer's status; absent if there was no answer.
    pub status: Option<u16>,
}

/// A body to be posted once, whatever it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Where to.
    pub url: String,
    /// The raw body.
    pub body: Body,
    /// How it is signed.
    #[serde(default)]
    pub signature: Signature,
    /// How many seconds ago it was signed; negative: in the future.
    #[serde(default)]
    pub age_s: i64,
}

/// A raw body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Any bytes, in hexadecimal.
    Hex(String),
}

/// How a body is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// With the simulator's secret.
    #[default]
    Genuine,
    /// Well-formed, by somebody who does not know the secret.
    Forged,
    /// With another secret, as in a rotation.
    By(String),
    /// So many foreign `v1` before the genuine one.
    AmongOthers(usize),
    /// This header, verbatim.
    Header(String),
    /// No header.
    Absent,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its status.
    pub status: u16,
    /// Its body, as text.
    pub body: String,
}

/// What is on its way, and what became of what was.
#[derive(Debug)]
pub struct Outbox {
    http: reqwest::Client,
    webhooks: Mutex<Vec<Webhook>>,
    under_way: Mutex<JoinSet<()>>,
    /// What waits to be released; absent: nothing is held.
    pub(super) held: Mutex<Option<Vec<Delivery>>>,
    slots: Semaphore,
    attempts: Mutex<VecDeque<Attempt>>,
}

/// One delivery: an event to one address.
#[derive(Clone)]
pub(super) struct Delivery {
    /// The event's id.
    pub(super) event: String,
    url: String,
    secret: Secret,
    body: Vec<u8>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("event", &self.event).finish_non_exhaustive()
    }
}

impl Outbox {
    pub(super) fn new(webhooks: Vec<Webhook>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            webhooks: Mutex::new(webhooks),
            under_way: Mutex::default(),
            held: Mutex::default(),
            slots: Semaphore::new(CONCURRENCY),
            attempts: Mutex::default(),
        })
    }

    async fn post(
        &self,
        url: &str,
        signature: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<Sent> {
        let mut request = self.http.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(signature) = signature {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        let mut response = request.body(body).send().await?;
        let status = response.status().as_u16();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = ANSWER_BYTES_MAX - answer.len();
            answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if answer.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        let body = String::from_utf8_lossy(&answer).into_owned();
        Ok(Sent { status, body })
    }
}

impl Sim {
    /// Registers a further webhook.
    pub(super) fn register(&self, webhook: Webhook) {
        locked(&self.outbox.webhooks).push(webhook);
    }

    /// Sends an event on its way. Returns at once; see [`Sim::attempts`] for what comes of it.
    /// While deliveries are held, it waits with the others.
    pub(super) fn deliver(self: &Arc<Self>, event: &Value, whom: &Deliver) {
        let (id, event_type) = (text(event, "id"), text(event, "type"));
        let live = event["live"] == true;
        let targets: Vec<(String, Secret)> = match whom {
            Deliver::Nowhere => Vec::new(),
            Deliver::To(urls) => {
                urls.iter().map(|url| (url.clone(), self.options.secret.clone())).collect()
            }
            Deliver::Registered => locked(&self.outbox.webhooks)
                .iter()
                .filter(|webhook| webhook.live == live)
                .filter(|webhook| webhook.events.is_empty() || webhook.events.contains(&event_type))
                .map(|webhook| (webhook.url.clone(), webhook.secret.clone()))
                .collect(),
        };
        let body = body_of(event);
        let deliveries = targets.into_iter().map(|(url, secret)| {
            let (event, body) = (id.clone(), body.clone());
            Delivery { event, url, secret, body }
        });
        if let Some(held) = locked(&self.outbox.held).as_mut() {
            held.extend(deliveries);
            return;
        }
        let mut under_way = locked(&self.outbox.under_way);
        while under_way.try_join_next().is_some() {}
        for delivery in deliveries {
            let sim = Arc::clone(self);
            under_way.spawn(async move { sim.deliver_until_taken(delivery).await });
        }
    }

    pub(super) async fn deliver_until_taken(&self, delivery: Delivery) {
        let resend = &self.options.resend;
        let first_s = now().as_second();
        for attempt in 1..=resend.attempts_max {
            let signed_at_s = if resend.renew_t { now().as_second() } else { first_s };
            let header = sign(&delivery.secret, signed_at_s, &delivery.body);
            let slot = self.outbox.slots.acquire().await;
            let sent = self.outbox.post(&delivery.url, Some(&header), delivery.body.clone()).await;
            drop(slot);
            let status = sent.ok().map(|sent| sent.status);
            self.note_attempt(&delivery, attempt, signed_at_s, status);
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            tokio::time::sleep(resend.wait(attempt)).await;
        }
        tracing::warn!(event = delivery.event, "never delivered");
    }

    fn note_attempt(
        &self,
        delivery: &Delivery,
        attempt: u32,
        signed_at_s: i64,
        status: Option<u16>,
    ) {
        tracing::debug!(event = delivery.event, attempt, status, "delivery");
        let attempt = Attempt {
            event: delivery.event.clone(),
            url: delivery.url.clone(),
            attempt,
            signed_at_s,
            status,
        };
        push_bounded(&mut locked(&self.outbox.attempts), attempt);
    }

    /// Deliveries tried, oldest first.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        locked(&self.outbox.attempts).iter().cloned().collect()
    }

    /// Posts a body once.
    pub(super) async fn send(&self, send: &Send) -> anyhow::Result<Sent> {
        let body = match &send.body {
            Body::Text(text) => text.clone().into_bytes(),
            Body::Hex(hex) => decode_hex(hex)?,
        };
        let header = header(&send.signature, &self.options.secret, send.age_s, &body);
        self.outbox.post(&send.url, header.as_deref(), body).await
    }

    /// Sends an event once more, signed `age_s` seconds ago.
    pub(super) async fn send_event(&self, id: &str, url: &str, age_s: i64) -> anyhow::Result<Sent> {
        let body = body_of(&self.event(id, None)?);
        let header = header(&Signature::Genuine, &self.options.secret, age_s, &body);
        self.outbox.post(url, header.as_deref(), body).await
    }

    /// Gives up what is on its way.
    pub(super) fn stop_deliveries(&self) {
        locked(&self.outbox.under_way).abort_all();
    }
}

/// The bytes of an event, as delivered.
pub(super) fn body_of(event: &Value) -> Vec<u8> {
    let live = event["live"] == true;
    canonical::envelope(&text(event, "id"), &text(event, "type"), live, &event["data"])
}

fn header(how: &Signature, secret: &Secret, age_s: i64, body: &[u8]) -> Option<String> {
    let signed_at_s = signed_at_s(now(), age_s);
    let by = |secret: &Secret| sign(secret, signed_at_s, body);
    match how {
        Signature::Genuine => Some(by(secret)),
        Signature::Forged => Some(by(&foreign(0))),
        Signature::By(other) => Some(by(&Secret::new(other))),
        Signature::Header(header) => Some(header.clone()),
        Signature::Absent => None,
        Signature::AmongOthers(others) => {
            let v1 = |header: String| header.split_once(',').map(|(_, v1)| v1.to_owned());
            let candidates = (0..*others).filter_map(|n| v1(by(&foreign(n)))).chain(v1(by(secret)));
            let candidates: Vec<String> = candidates.collect();
            Some(format!("t={signed_at_s},{}", candidates.join(",")))
        }
    }
}

fn signed_at_s(now: Timestamp, age_s: i64) -> i64 {
    now.as_second().saturating_sub(age_s)
}

/// A secret nobody configures.
fn foreign(n: usize) -> Secret {
    Secret::new(&format!("whs_of_somebody_else_{n}"))
}

fn decode_hex(hex: &str) -> anyhow::Result<Vec<u8>> {
    anyhow::ensure!(hex.is_ascii() && hex.len().is_multiple_of(2), "not hexadecimal");
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?)).collect()
}
