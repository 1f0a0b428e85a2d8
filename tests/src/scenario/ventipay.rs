//! The simulated Ventipay, seen from the scenario: what happens there, and its deliveries, one
//! at a time and in an order of the scenario's choosing.
//!
//! Not here: what a story is made of ([`super::act`], `follow`).

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::ventipay::{Charge, Deliver, Made, Paid, Pay, Sent};

/// Longest one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The key objects are made and read with; any of test mode does.
const API_KEY: &str = "key_test_quickstart";

/// The control routes of a simulated Ventipay, and its API.
#[derive(Debug)]
pub struct Ventipay {
    pub(super) http: reqwest::Client,
    base: String,
}

impl Ventipay {
    /// The simulator at this base address.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let base = format!("{}/sim", base.trim_end_matches('/'));
        Ok(Self { http: reqwest::Client::builder().timeout(TIMEOUT).build()?, base })
    }

    /// A checkout is made and paid.
    pub async fn pay(&self, pay: &Pay) -> anyhow::Result<Paid> {
        let answer = self.post("/pay", &json!(pay)).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Delivers an event once, signed `age_s` seconds ago; it must be taken.
    pub async fn send(&self, event: &str, url: &str, age_s: i64) -> anyhow::Result<()> {
        let body = json!({"url": url, "age_s": age_s});
        let answer = self.post(&format!("/events/{event}/send"), &body).await?;
        let sent: Sent = serde_json::from_value(answer)?;
        ensure!(sent.status == 200, "the ingress answered {}", sent.status);
        Ok(())
    }

    /// `checkout.created` about an unpaid checkout; answers the event's id.
    pub async fn created(&self, amount: i64) -> anyhow::Result<String> {
        let fields = json!({"status": "unpaid", "amount": amount});
        self.checkout_event("checkout.created", &new_id("chk_created"), fields).await
    }

    /// A checkout made for `reference` and canceled on Ventipay's page: its id, and the event's.
    pub async fn canceled(&self, amount: i64, reference: &str) -> anyhow::Result<(String, String)> {
        let wanted = json!({
            "currency": "clp", "items": [{"unit_price": amount, "quantity": 1}],
            "external_id": reference, "authorize": true,
        });
        let made = self.api(reqwest::Method::POST, "/checkouts", &wanted).await?;
        let checkout = made["id"].as_str().context("the checkout has no id")?;
        let path = format!("/checkouts/{checkout}/cancel");
        self.api(reqwest::Method::POST, &path, &json!({})).await?;
        let fields = json!({"status": "canceled", "amount": amount, "external_id": reference});
        let event = self.checkout_event("checkout.canceled", checkout, fields).await?;
        Ok((checkout.to_owned(), event))
    }

    /// Refunds a part of a checkout, or all that is left; answers the event's id.
    pub async fn refund(&self, checkout: &str, amount: Option<i64>) -> anyhow::Result<String> {
        let path = format!("/checkouts/{checkout}/refund");
        last(&self.make(&path, json!({"amount": amount})).await?)
    }

    /// A checkout is disputed.
    pub async fn dispute(&self, checkout: &str) -> anyhow::Result<Made> {
        self.make(&format!("/checkouts/{checkout}/dispute"), json!({})).await
    }

    /// An object of a kind is made.
    pub async fn object(&self, kind: &str, fields: Value) -> anyhow::Result<Made> {
        self.make(&format!("/objects/{kind}"), json!({"fields": fields})).await
    }

    /// An object takes a step of its life; answers the event's id.
    pub async fn step(
        &self,
        kind: &str,
        id: &str,
        step: &str,
        fields: Value,
    ) -> anyhow::Result<String> {
        let path = format!("/objects/{kind}/{id}/{step}");
        last(&self.make(&path, json!({"fields": fields})).await?)
    }

    /// A charge is tried; answers the id of the event that says what came of it.
    pub async fn charge(&self, mut charge: Charge) -> anyhow::Result<String> {
        charge.deliver = Deliver::Nowhere;
        last(&serde_json::from_value(self.post("/charge", &json!(charge)).await?)?)
    }

    /// A customer saves a card, of which only these fields are known.
    pub async fn enrol(&self, customer: &str, card: Value) -> anyhow::Result<Made> {
        self.make("/enrol", json!({"customer": customer, "card": card})).await
    }

    /// An event of any type about anything; answers its id.
    pub async fn event(&self, kind: &str, data: &Value) -> anyhow::Result<String> {
        let body = json!({"type": kind, "data": data, "deliver": Deliver::Nowhere});
        let answer = self.post("/events", &body).await?;
        answer["event"].as_str().map(str::to_owned).context("the event has no id")
    }

    /// An object as the API shows it; `path` is `/checkouts/chk_1`.
    pub async fn read(&self, path: &str) -> anyhow::Result<Value> {
        self.api(reqwest::Method::GET, path, &Value::Null).await
    }

    async fn checkout_event(
        &self,
        kind: &str,
        checkout: &str,
        fields: Value,
    ) -> anyhow::Result<String> {
        let mut data = json!({
            "id": checkout, "object": "checkout", "currency": "clp", "refunded": false,
            "disputed": false,
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        self.event(kind, &data).await
    }

    /// Something happens that nobody is told of yet.
    async fn make(&self, path: &str, mut body: Value) -> anyhow::Result<Made> {
        body["deliver"] = json!(Deliver::Nowhere);
        Ok(serde_json::from_value(self.post(path, &body).await?)?)
    }

    /// A call of Ventipay's own API, as whoever makes checkouts makes it.
    async fn api(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let base = self.base.trim_end_matches("/sim");
        let request = self.http.request(method, format!("{base}/v1{path}"));
        let request = request.basic_auth(API_KEY, None::<&str>);
        let request = if body.is_null() { request } else { request.json(body) };
        read(request.send().await).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(self.http.post(format!("{}{path}", self.base)).json(body).send().await).await
    }
}

/// An id that no other run uses.
pub(super) fn new_id(prefix: &str) -> String {
    format!("{prefix}{:016x}", rand::random::<u64>())
}

/// The last event that tells of something.
fn last(made: &Made) -> anyhow::Result<String> {
    made.events.last().cloned().context("nobody is told of it")
}

async fn read(sent: reqwest::Result<reqwest::Response>) -> anyhow::Result<Value> {
    let response = sent.context("the simulated Ventipay does not answer")?;
    let status = response.status();
    let answer: Value = response.json().await.context("the simulated Ventipay babbles")?;
    if !status.is_success() {
        bail!("the simulated Ventipay says {status}: {}", answer["error"]["messages"]);
    }
    Ok(answer)
}
