//! What a test sends to the system, and what it reads back of it.

use std::time::Duration;

use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use concilia_worker::domain::event::Booking;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::WEBHOOK_SECRET;
use super::system::System;
use super::wait;

/// Stands in every body a test sends, and in no log.
pub const MARKER: &str = "marker-of-a-body-4711";

/// How long an event may take to rest.
const REST: Duration = Duration::from_secs(20);

/// What the ingress answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body, null if it is not JSON.
    pub body: Value,
}

/// A row of `concilia-worker events list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// Ventipay's id of the event.
    pub event_id: String,
    /// The account.
    pub account: String,
    /// Where it rests.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Its stream.
    pub stream: String,
    /// Seconds by which it was late.
    pub late_s: Option<i64>,
    /// What stands in Odoo.
    pub odoo: Option<Booking>,
}

impl Row {
    /// Status and reason.
    pub fn rest(&self) -> (&str, Option<&str>) {
        (&self.status, self.reason.as_deref())
    }
}

impl System {
    /// Posts a body with these signature headers to an account, or to the default one. `None`
    /// if there was no answer.
    pub async fn post(
        &self,
        account: Option<&str>,
        signatures: &[&str],
        body: impl Into<Vec<u8>>,
    ) -> Option<Answer> {
        let base = self.ingress.public_url.as_deref().unwrap_or_default();
        let url = match account {
            None => format!("{base}/ventipay/webhook"),
            Some(account) => format!("{base}/ventipay/webhook/{account}"),
        };
        let mut request = self.http.post(url).header("content-type", "application/json");
        for signature in signatures {
            request = request.header(SIGNATURE_HEADER, *signature);
        }
        let response = request.body(body.into()).send().await.ok()?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = serde_json::from_slice(&response.bytes().await.ok()?).unwrap_or_default();
        Some(Answer { status, retry_after, body })
    }

    /// Posts a body as Ventipay would, signed this moment.
    pub async fn deliver(&self, account: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let answer = self.post(account, &[&signed(&body, 0)], body).await;
        answer.expect("the ingress answers")
    }

    /// Delivers and expects that it is received.
    pub async fn received(&self, account: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let answer = self.deliver(account, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Every webhook event, as an operator lists them.
    pub async fn events(&self) -> Vec<Row> {
        let rows = self.operator_json(&["events", "list", "--json"]).await;
        serde_json::from_value(rows).expect("the rows read")
    }

    /// Waits until an event has this status; returns its row.
    pub async fn rests_as(&self, event_id: &str, status: &str) -> Row {
        wait::until(&format!("{event_id} to be {status}"), REST, async || {
            let row = self.events().await.into_iter().find(|row| row.event_id == event_id);
            match row {
                Some(row) if row.status == status => Ok(row),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Kinds of the facts of a stream, as they stand in the log.
    pub async fn facts(&self, stream: &str) -> Vec<&'static str> {
        let stream = concilia_shared::id::StreamId::parse(stream).expect("a stream's name");
        let recorded = self.log().await.stream(&stream).await.expect("the log reads");
        recorded.iter().map(|recorded| recorded.event.kind()).collect()
    }
}

/// The signature header of a body by the system's first secret, made so many seconds ago.
pub fn signed(body: &[u8], age_s: i64) -> String {
    signed_by(WEBHOOK_SECRET, body, age_s)
}

/// The same by any secret.
pub fn signed_by(secret: &str, body: &[u8], age_s: i64) -> String {
    sign(&Secret::new(secret), now_s() - age_s, body)
}

/// An event of any type in test mode about anything.
pub fn event(id: &str, event_type: &str, mut data: Value) -> Vec<u8> {
    data["description"] = json!(MARKER);
    json!({"data": data, "id": id, "live": false, "type": event_type}).to_string().into_bytes()
}

/// The same body under another event id: one payment told twice.
pub fn under_another_id(body: &[u8], id: &str) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(body).expect("the body is JSON");
    value["id"] = json!(id);
    value.to_string().into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "the outside world has a clock of its own")]
fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}
