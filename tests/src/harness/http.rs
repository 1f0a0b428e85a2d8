//! What a test sends to the system, and what it reads back of it.

use std::time::Duration;

use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::domain::account::AccountState;
use concilia_worker::domain::event::{Booking, Event};
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{WEBHOOK_SECRET, secret_of};
use super::system::System;
use super::wait;

/// Stands in every body a test sends, and in no log.
pub const MARKER: &str = "marker-of-a-body-4711";

/// How long an event may take to rest.
const REST: Duration = Duration::from_secs(20);

/// How long it may take until a webhook is received, should it be refused for a while.
const DELIVERED: Duration = Duration::from_mins(1);

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
    /// The type as sent.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
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
    /// The checkout it is about, if it is about one.
    pub fn checkout(&self) -> Option<&str> {
        self.stream.split_once("/checkout-").map(|(_, checkout)| checkout)
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_at_rest(&self) -> bool {
        !["received", "pending"].contains(&self.status.as_str())
    }

    /// Status and reason.
    pub fn rest(&self) -> (&str, Option<&str>) {
        (&self.status, self.reason.as_deref())
    }
}

/// What sends to one ingress, as it was when this was made.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
    base: String,
}

impl Sender {
    /// Posts a body with these signature headers to an account, or to the default one. `None`
    /// if there was no answer.
    pub async fn post(
        &self,
        account: Option<&str>,
        signatures: &[&str],
        body: impl Into<Vec<u8>>,
    ) -> Option<Answer> {
        let url = match account {
            None => format!("{}/ventipay/webhook", self.base),
            Some(account) => format!("{}/ventipay/webhook/{account}", self.base),
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
}

impl Sender {
    /// Posts a body to an account as Ventipay would, signed anew each time, until it is received.
    /// Panics if it is refused for good or takes too long.
    pub async fn received(&self, account: &str, body: &[u8]) {
        let secret = secret_of(Some(account));
        wait::until("a webhook to be received", DELIVERED, async || {
            let signature = signed_by(&secret, body, 0);
            match self.post(Some(account), &[&signature], body.to_vec()).await {
                Some(answer) if answer.status == 200 => Ok(()),
                Some(answer) if answer.status < 500 => panic!("refused: {answer:?}"),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

impl System {
    /// What sends to the ingress that runs now.
    pub fn sender(&self) -> Sender {
        let base = self.ingress.public_url.clone().unwrap_or_default();
        Sender { http: self.http.clone(), base }
    }

    /// See [`Sender::post`].
    pub async fn post(
        &self,
        account: Option<&str>,
        signatures: &[&str],
        body: impl Into<Vec<u8>>,
    ) -> Option<Answer> {
        self.sender().post(account, signatures, body).await
    }

    /// Posts a body as Ventipay would, signed this moment.
    pub async fn deliver(&self, account: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let answer = self.post(account, &[&signed_by(&secret_of(account), &body, 0)], body).await;
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

    /// Waits until an event is neither fresh nor pending; returns its row.
    pub async fn rests(&self, event_id: &str) -> Row {
        wait::until(&format!("{event_id} to rest"), REST, async || {
            let row = self.events().await.into_iter().find(|row| row.event_id == event_id);
            row.clone().filter(Row::is_at_rest).ok_or_else(|| format!("{row:?}"))
        })
        .await
    }

    /// Waits until so many events are listed, and all rest.
    pub async fn all_rest(&self, count: usize) -> Vec<Row> {
        wait::until(&format!("{count} events to rest"), REST, async || {
            let rows = self.events().await;
            let at_rest = rows.iter().filter(|row| row.is_at_rest()).count();
            if at_rest == count { Ok(rows) } else { Err(format!("{rows:?}")) }
        })
        .await
    }

    /// Waits until so many bodies that do not name themselves are parked; returns their rows.
    pub async fn parked_unread(&self, count: usize) -> Vec<Row> {
        wait::until(&format!("{count} unread bodies to be parked"), REST, async || {
            let mut rows = self.events().await;
            rows.retain(|row| row.event_id.starts_with("unread-") && row.status == "parked");
            if rows.len() == count { Ok(rows) } else { Err(format!("{rows:?}")) }
        })
        .await
    }

    /// The facts of an account's own stream.
    pub async fn account_facts(&self, account: &str) -> Vec<Event> {
        let name = AccountName::parse(account).expect("an account's name");
        let recorded = self.log().await.stream(&AccountState::stream(&name)).await;
        recorded.expect("the log reads").into_iter().map(|recorded| recorded.event).collect()
    }

    /// Waits until the stream of an account holds a fact; returns it.
    pub async fn account_tells(&self, account: &str, fits: impl Fn(&Event) -> bool) -> Event {
        wait::until(&format!("a fact of {account}"), REST, async || {
            let facts = self.account_facts(account).await;
            facts.iter().find(|fact| fits(fact)).cloned().ok_or_else(|| format!("{facts:?}"))
        })
        .await
    }

    /// Appends a fact to the stream of an account and wakes what waits, as commands do.
    pub async fn decide(&self, account: &str, fact: Event) {
        let name = AccountName::parse(account).expect("an account's name");
        let (log, now) = (self.log().await, SystemClock.now());
        let facts = [(AccountState::stream(&name), fact)];
        log.record(&facts, false, now).await.expect("the log takes it");
        log.wake(Some(&name), now).await.expect("the log takes it");
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
