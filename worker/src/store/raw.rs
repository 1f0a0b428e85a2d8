//! The log as it stands, link by link and byte by byte: for those who check it or copy it.
//!
//! Not here: what a link means ([`Link::read`] answers the fact), checking ([`crate::verify`]),
//! files ([`crate::replay`]).

use std::collections::HashMap;

use async_trait::async_trait;
use concilia_shared::id::StreamId;
use concilia_shared::webhook::body_hash;
use jiff::Timestamp;

use super::chain::{Digest, Head, Link};
use super::row::{Moment, Placed};
use super::{BrokerPosition, Cursor, Recorded, StoreError};
use crate::domain::event::Event;

/// What makes a body one: account, event id, SHA-256 in lower-case hex.
pub type BodyKey = (String, String, String);

/// A row of `webhooks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEntry {
    /// The account.
    pub account: String,
    /// Ventipay's id of the event.
    pub event_id: String,
    /// SHA-256 of the body that came first.
    pub body_hash: String,
    /// The stream it went to.
    pub stream: String,
    /// Where it stood in the broker.
    pub position: BrokerPosition,
}

/// A row of `payloads`.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Which body.
    pub key: BodyKey,
    /// The header that proves it, verbatim.
    pub signature: String,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// When it was received, in microseconds since 1970, UTC.
    pub received_at_us: i64,
    /// W3C trace context of the request, if it brought one.
    pub traceparent: Option<String>,
    /// The bytes, exactly as signed.
    pub bytes: Vec<u8>,
}

/// Never the bytes, never the signature.
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("key", &self.key).finish_non_exhaustive()
    }
}

/// An event of the log with what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub link: Link,
    /// Of a webhook and of a contradicting one: its body, unless it was erased.
    pub payload: Option<Payload>,
    /// Of a webhook: where it stood in the broker.
    pub position: Option<BrokerPosition>,
}

/// When a stream is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The stream.
    pub stream: StreamId,
    /// When; `None`: at rest.
    pub at: Option<Timestamp>,
    /// Goes before everything that waits.
    pub fresh: bool,
}

/// What became of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Events that are new.
    pub new: usize,
    /// Events the log had, and has alike.
    pub known: usize,
}

/// The log as it stands.
#[async_trait]
pub trait RawLog: Send + Sync {
    /// As [`super::EventStore::since`], link by link.
    async fn links_since(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<(Cursor, Link)>, StoreError>;

    /// Whole streams, each in order, the streams in byte order.
    async fn links_of(&self, streams: &[String]) -> Result<Vec<Link>, StoreError>;

    /// Names of streams after `after`, in byte order.
    async fn stream_names(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError>;

    /// About how many events there are: never fewer than were seen so far.
    async fn log_size(&self) -> Result<u64, StoreError>;

    /// The rows of `webhooks` under these (account, event id); unknown ones are left out.
    async fn entries(&self, keys: &[(String, String)]) -> Result<Vec<WebhookEntry>, StoreError>;

    /// Which of these bodies stand in `conflicts`.
    async fn conflicts(&self, keys: &[BodyKey]) -> Result<Vec<BodyKey>, StoreError>;

    /// The rows of `payloads` of these bodies; erased ones are left out. A body has up to
    /// 256 KiB: ask for some at a time.
    async fn payloads(&self, keys: &[BodyKey]) -> Result<Vec<Payload>, StoreError>;

    /// A row, beside the log, that no event of it accounts for: table and row.
    async fn stranger(&self) -> Result<Option<String>, StoreError>;

    /// Appends records as they are, in one transaction: their streams' chains must hold and
    /// go on from what is there; what is there already must be alike. [`StoreError::Refused`]
    /// names the first place that is not so; then nothing was written. Makes no work.
    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError>;

    /// Until when a worker may be at work here: the end of the last lease that has not ended
    /// `now`, of a role or of a stream. `None`: nobody is.
    async fn worked_until(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Sets when streams at rest are due, after an import; claimed ones are left alone.
    async fn schedule(&self, due: &[Due]) -> Result<(), StoreError>;
}

impl Link {
    /// The fact, if the link reads; its hash is not looked at.
    pub fn read(&self) -> Result<Recorded, StoreError> {
        Placed { cursor: Cursor::default(), link: self.clone() }.try_into()
    }
}

/// The streams of records, in order.
pub(super) fn streams_of(records: &[Record]) -> Result<Vec<StreamId>, StoreError> {
    let read = |record: &Record| {
        StreamId::parse(record.link.stream.clone())
            .map_err(|error| StoreError::Refused(format!("{}: {error}", record.link.stream)))
    };
    records.iter().map(read).collect()
}

/// What of a batch is to be written, in order. `heads` are the ends of its streams, `known` the
/// hashes of those of its events the log has.
pub(super) fn judge<'a>(
    records: &'a [Record],
    mut heads: HashMap<String, Head>,
    known: &HashMap<(String, i64), Vec<u8>>,
) -> Result<Vec<&'a Record>, StoreError> {
    let mut new = Vec::new();
    for record in records {
        let link = &record.link;
        let refuse = |why: &str| {
            let place = format!("{}#{}", link.stream, link.sequence);
            Err(StoreError::Refused(format!("The file and the log part at {place}: {why}.")))
        };
        if let Some(hash) = known.get(&(link.stream.clone(), link.sequence)) {
            if *hash != link.hash {
                return refuse("another event stands in the log");
            }
            continue;
        }
        let head = heads.entry(link.stream.clone()).or_default();
        if link.sequence != head.sequence + 1 {
            return refuse("the events before it are missing");
        }
        if link.previous != head.hash {
            return refuse("it does not follow the event before it");
        }
        let hash: Digest = link.content_hash();
        if link.hash != hash {
            return refuse("its content is not what was hashed");
        }
        if let Err(error) = consistent(record) {
            return refuse(&error);
        }
        *head = Head { sequence: link.sequence, hash };
        new.push(record);
    }
    Ok(new)
}

/// Whether an event reads, and what stands beside it is its own.
fn consistent(record: &Record) -> Result<(), String> {
    let recorded = record.link.read().map_err(|error| error.to_string())?;
    let hashed = hash_told(&recorded.event);
    if hashed.is_none() && (record.payload.is_some() || record.position.is_some()) {
        return Err("a body stands beside an event that tells of none".to_owned());
    }
    let received = matches!(recorded.event, Event::WebhookReceived(_));
    if received != record.position.is_some() {
        return Err("its place in the broker is missing, or should be".to_owned());
    }
    match (&record.payload, hashed) {
        (Some(payload), Some(hash))
            if payload.key.2 != hash || body_hash(&payload.bytes) != hash =>
        {
            Err("the body beside it is not the one that was hashed".to_owned())
        }
        _ => Ok(()),
    }
}

/// The hash of the body a fact tells of.
pub fn hash_told(event: &Event) -> Option<&str> {
    match event {
        Event::WebhookReceived(told) => Some(&told.body_hash),
        Event::PayloadConflicted { body_hash, .. } => Some(body_hash),
        _ => None,
    }
}

/// A question for the end of the last lease that has not ended at $1. The same text on both
/// databases.
pub(super) const WORKED_UNTIL: &str = "select max(until) from (
     select until from leases where until > $1
     union all
     select lease_until from work where holder is not null and lease_until > $1) as held";

/// A row of `webhooks` as columns: account, event id, body hash, stream, broker stream and
/// sequence.
pub(super) type EntryColumns = (String, String, String, String, String, i64);

pub(super) fn entry(row: EntryColumns) -> Result<WebhookEntry, StoreError> {
    let (account, event_id, body_hash, stream, broker_stream, sequence) = row;
    let position =
        BrokerPosition { stream: broker_stream, sequence: super::row::sequence(sequence)? };
    Ok(WebhookEntry { account, event_id, body_hash, stream, position })
}

/// A row of `payloads` as columns: account, event id, body hash, signature, `late_s`,
/// `received_at`, traceparent, bytes.
pub(super) type PayloadColumns =
    (String, String, String, String, Option<i64>, Moment, Option<String>, Vec<u8>);

pub(super) fn payload(row: PayloadColumns) -> Payload {
    let (account, event_id, hash, signature, late_s, received_at, traceparent, bytes) = row;
    Payload {
        key: (account, event_id, hash),
        signature,
        late_s,
        received_at_us: received_at.microseconds(),
        traceparent,
        bytes,
    }
}

/// What new records put beside the log, table by table.
#[derive(Default)]
pub(super) struct Beside<'a> {
    pub(super) webhooks: Vec<(&'a Link, &'a str, &'a BrokerPosition)>,
    pub(super) conflicts: Vec<(&'a Link, &'a str)>,
    pub(super) payloads: Vec<&'a Payload>,
}

/// Body hashes by link are read anew: they stand inside the data.
pub(super) fn beside<'a>(new: &[&'a Record], hashes: &'a [Option<String>]) -> Beside<'a> {
    let mut beside = Beside::default();
    for (record, hash) in new.iter().zip(hashes) {
        let Some(hash) = hash else { continue };
        match &record.position {
            Some(position) => beside.webhooks.push((&record.link, hash, position)),
            None => beside.conflicts.push((&record.link, hash)),
        }
        beside.payloads.extend(&record.payload);
    }
    beside
}

/// The hash of the body each record tells of.
pub(super) fn hashes(new: &[&Record]) -> Result<Vec<Option<String>>, StoreError> {
    let hash = |record: &&Record| {
        let recorded = record.link.read()?;
        Ok(hash_told(&recorded.event).map(str::to_owned))
    };
    new.iter().map(hash).collect()
}

/// A question for a row no event accounts for: the table, and SQL that answers a name of the
/// first. The same text on both databases.
pub(super) const STRANGERS: [(&str, &str); 8] = [
    (
        "webhooks",
        "select account || '/' || event_id from webhooks as it where not exists (
             select 1 from events where events.stream = it.stream and events.account = it.account
                and kind = 'webhook_received' and about = it.event_id) limit 1",
    ),
    (
        "conflicts",
        "select account || '/' || event_id from conflicts as it where not exists (
             select 1 from webhooks join events using (stream)
             where webhooks.account = it.account and webhooks.event_id = it.event_id
               and kind = 'payload_conflicted' and about = it.event_id
               and data like '%' || it.body_hash || '%') limit 1",
    ),
    (
        "payloads",
        "select account || '/' || event_id from payloads as it where not exists (
             select 1 from webhooks where webhooks.account = it.account
                and webhooks.event_id = it.event_id and webhooks.body_hash = it.body_hash)
           and not exists (
             select 1 from conflicts where conflicts.account = it.account
                and conflicts.event_id = it.event_id and conflicts.body_hash = it.body_hash)
         limit 1",
    ),
    (
        "broker_positions",
        "select broker_stream || '#' || broker_sequence from webhooks as it where not exists (
             select 1 from broker_positions where broker_positions.broker_stream = it.broker_stream
                and sequence = it.broker_sequence)
           -- A log rebuilt from the broker keeps what it read as a range.
           and not exists (
             select 1 from broker_gone where broker_gone.broker_stream = it.broker_stream
                and it.broker_sequence between first and last) limit 1",
    ),
    (
        "work",
        "select stream from events as it where sequence = 1 and not exists (
             select 1 from work where work.stream = it.stream) limit 1",
    ),
    (
        "view_events",
        "select event_id from view_events as it where not exists (
             select 1 from events where events.stream = it.stream
                and kind = 'webhook_received' and about = it.event_id) limit 1",
    ),
    (
        "view_payments",
        "select stream from view_payments as it where not exists (
             select 1 from events where events.stream = it.stream) limit 1",
    ),
    (
        "view_keys",
        "select stream from view_keys as it where not exists (
             select 1 from events where events.stream = it.stream) limit 1",
    ),
];

/// The sentence about such a row.
pub(super) fn stranger(table: &str, name: &str) -> String {
    if table == "broker_positions" {
        return format!("broker_positions: {name} is missing, though its webhook is in the log");
    }
    if table == "work" {
        return format!("work: {name} has no row, so nobody will look at it");
    }
    format!("{table}: {name} is not in the log")
}
