//! What tests are given: webhooks, events, moments, a follower.

use std::time::{Duration, Instant};

use concilia_shared::id::{AccountName, EventId, StreamId};
use concilia_shared::webhook::{Webhook, body_hash};
use concilia_worker::domain::event::{Event, Fact, WebhookReceived};
use concilia_worker::domain::reason::{ParkReason, RecordReason};
use concilia_worker::store::{Arrival, BrokerPosition, Cursor, EventStore, Recorded, Step, Then};
use jiff::{SignedDuration, Timestamp};

/// The broker stream arrivals come from.
pub(crate) const BROKER: &str = "VENTIPAY@2026-01-01T00:00:00Z";

/// A fixed moment and some seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-01-05T12:00:00.123456Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

pub(crate) fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

pub(crate) fn event_id(id: &str) -> EventId {
    EventId::parse(id).unwrap()
}

pub(crate) fn stream_of(account: &str, object: &str) -> StreamId {
    StreamId::parse(format!("{account}/{object}")).unwrap()
}

/// A stream of account `main`.
pub(crate) fn stream(object: &str) -> StreamId {
    stream_of("main", object)
}

/// An event of account `main` about `object`, at place `position` in the broker.
pub(crate) fn arrival(id: &str, object: &str, position: u64) -> Arrival {
    arrival_of("main", id, object, position)
}

pub(crate) fn arrival_of(account_name: &str, id: &str, object: &str, position: u64) -> Arrival {
    let body = format!(r#"{{"id":"{id}","type":"checkout.other"}}"#);
    arrival_with_body(account_name, id, object, position, body.as_bytes())
}

pub(crate) fn arrival_with_body(
    account_name: &str,
    id: &str,
    object: &str,
    position: u64,
    body: &[u8],
) -> Arrival {
    let received_at = at(-1);
    Arrival {
        webhook: Webhook {
            account: account(account_name),
            signature: "t=1,v1=aa".to_owned(),
            received_at,
            late_s: None,
            traceparent: None,
            body: body.to_vec(),
        },
        told: WebhookReceived {
            event_id: event_id(id),
            event_type: Some("checkout.other".to_owned()),
            live: Some(false),
            body_hash: body_hash(body),
            received_at,
            late_s: None,
            fact: Fact::Other,
            source: None,
        },
        stream: stream_of(account_name, object),
        position: BrokerPosition { stream: BROKER.to_owned(), sequence: position },
    }
}

/// The fact that settles an event.
pub(crate) fn settled(id: &str) -> Event {
    Event::Recorded { about: event_id(id), reason: RecordReason::NothingToDo }
}

/// A fact that holds a text of anybody's making.
pub(crate) fn parked_with(id: &str, text: &str) -> Event {
    Event::Parked {
        about: event_id(id),
        reason: ParkReason::OrderCancelled { order: text.to_owned() },
    }
}

pub(crate) fn step(events: Vec<Event>, after_sequence: i64, then: Then) -> Step {
    Step { events, after_sequence, then }
}

/// Longest a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Follows the log from `cursor` in pages of `limit` until `count` events were seen: other
/// transactions of the server, those of other tests included, may delay them.
pub(crate) async fn follow(
    store: &dyn EventStore,
    cursor: &mut Cursor,
    count: usize,
    limit: usize,
) -> Vec<Recorded> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while seen.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", seen.len());
        let page = store.since(*cursor, limit).await.unwrap();
        assert!(page.len() <= limit);
        for recorded in page {
            assert!(recorded.cursor > *cursor, "out of order");
            *cursor = recorded.cursor;
            seen.push(recorded);
        }
    }
    seen
}

/// The events webhooks are about.
pub(crate) fn abouts(log: &[Recorded]) -> Vec<String> {
    log.iter().map(|it| it.event.about().to_owned()).collect()
}
