//! The event store: the log, the raw payloads, the broker's positions, and the work table.
//!
//! The port is the trait [`EventStore`]; [`postgres`] and [`sqlite`] implement it, and one
//! contract suite in `tests/` holds both to the same behaviour. The log is append-only by
//! permission and by trigger. Not here: what an event means ([`crate::domain`]).
//!
//! # The chain
//! Each stream is a hash chain: `hash = sha256(previous hash ‖ canonical(event))`, where the
//! first previous hash is 32 zero bytes; see [`chain`].
//!
//! Read next: [`open`], [`chain`], `admission` (what becomes of a batch, purely), `gaps`
//! (which broker positions were never seen), [`Views`] (the tables that follow the log), then one of the stores; the tables are in
//! `migrations/`.

pub mod chain;

pub mod postgres;

pub mod sqlite;

mod admission;

mod error;

mod gaps;

mod lease;

mod migrate;

pub mod raw;

mod row;

mod view_row;

mod views;

use std::sync::Arc;

use async_trait::async_trait;
use concilia_shared::config;
use concilia_shared::id::{AccountName, EventId, StreamId};
use concilia_shared::webhook::Webhook;
use jiff::Timestamp;

pub use raw::RawLog;
pub use views::{ViewCursor, ViewSizes, Views};

use crate::domain::event::{Event, WebhookReceived};

/// Most facts [`EventStore::record`] takes in one call.
pub const FACTS_MAX: usize = 1_000;

/// A place in the log for a follower that must not skip a late commit: everything up to it
/// has been seen. Opaque to callers; starts at the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// PostgreSQL: the transaction id of the last event seen; SQLite: 0.
    pub transaction: i64,
    /// The position of the last event seen.
    pub position: i64,
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where a follower stands after seeing it.
    pub cursor: Cursor,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream, from 1, without gaps.
    pub sequence: i64,
    /// When it was appended.
    pub recorded_at: Timestamp,
    /// The fact.
    pub event: Event,
    /// The link of the chain: lower-case hex.
    pub hash: String,
}

/// Where a message stands in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerPosition {
    /// Identity of the JetStream stream: its name and when it was created, so that a stream
    /// made anew is not taken for the old one.
    pub stream: String,
    /// The sequence in it, from 1.
    pub sequence: u64,
}

impl BrokerPosition {
    /// Of what never stood in the broker: no stream of its is called so. All that was read from
    /// the API shares this one place, so that every webhook of the log has one.
    pub fn none() -> Self {
        Self { stream: "-".to_owned(), sequence: 1 }
    }
}

/// A webhook as it comes off the broker, interpreted.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The webhook, raw bytes and all.
    pub webhook: Webhook,
    /// What it says.
    pub told: WebhookReceived,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Where it stood in the broker.
    pub position: BrokerPosition,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// New: appended, and its stream is due.
    Appended,
    /// The log has this event with this body.
    Duplicate,
    /// The log has this event id with another body; that is now a fact of its own (once).
    Conflict,
}

/// A stream claimed for settling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The stream.
    pub stream: StreamId,
    /// Who holds it; a token nobody else has.
    pub holder: String,
    /// What the work row said when it was claimed; changes when something new arrives.
    pub generation: i64,
}

/// What the log is appended with when a claim is settled a step further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// New facts, in order; may be empty.
    pub events: Vec<Event>,
    /// The sequence of the stream's last event when this was decided.
    pub after_sequence: i64,
    /// What becomes of the claim.
    pub then: Then,
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It goes on: only the events are appended.
    Continue,
    /// Released; the stream is due at this time, or earlier if something new arrived.
    DueAt(Timestamp),
    /// Released and at rest, unless something new arrived: then due at once.
    Rest,
}

/// Why the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else appended to the stream first, or the claim is no longer ours: start over.
    #[error("somebody else was first")]
    Conflict,
    /// A worker holds the stream, or died while it did: what it did in Odoo may not be in the
    /// log yet.
    #[error("a worker holds the stream until {until}")]
    Claimed {
        /// When its lease ends; past: nobody took the stream over yet.
        until: Timestamp,
    },
    /// The database is unavailable: try again.
    #[error("the event store is unavailable: {0}")]
    Unavailable(String),
    /// A row does not read: a bug, or a hand in the database.
    #[error("the event store holds something unreadable: {0}")]
    Corrupt(String),
    /// The database is set up in a way that can lose what was committed, or cannot be used.
    #[error("{0}")]
    Refused(String),
}

/// The event store.
#[async_trait]
pub trait EventStore: Views + RawLog + Send + Sync {
    /// Appends webhooks and enqueues their streams, in one transaction, idempotently: an
    /// event is known for ever by (account, event id). Every arrival's broker position is
    /// kept, duplicates' too. New streams, and streams with something new, become due `now`.
    /// Answers in the order given; the same id twice in one batch is Appended, then Duplicate.
    async fn admit(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError>;

    /// As [`Self::admit`], for webhooks read again from the broker into a log that may lack what
    /// followed from them: every new one is followed by [`Event::Held`] in the same transaction,
    /// and no stream becomes due. Positions are not kept: whoever reads a range again notes all
    /// of it at the end ([`Self::note_gone`]), so that until then nobody takes the log for one
    /// that was filled up to here.
    async fn admit_held(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError>;

    /// A whole stream, in order.
    async fn stream(&self, stream: &StreamId) -> Result<Vec<Recorded>, StoreError>;

    /// The webhook of an event, raw bytes exactly as signed; `None` if erased or unknown.
    async fn payload(
        &self,
        account: &AccountName,
        event: &EventId,
    ) -> Result<Option<Webhook>, StoreError>;

    /// Checks the hash chain of a stream; says where it breaks, if it does.
    async fn verify(&self, stream: &StreamId) -> Result<Result<(), chain::Break>, StoreError>;

    /// The log after `cursor`, at most `limit` events, in an order in which no late commit can
    /// appear behind a cursor already passed. For that, an event shows once every transaction
    /// of the server that began before its own has ended: on PostgreSQL a long one, even in
    /// another database, delays followers, and never makes them skip.
    async fn since(&self, cursor: Cursor, limit: usize) -> Result<Vec<Recorded>, StoreError>;

    /// Claims up to `limit` due streams until `lease_until`, as `holder`; a claim whose lease
    /// has passed can be claimed anew. Streams with something never tried before come first,
    /// then those that wait, the longest due first in each; at rest costs nothing.
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Appends a step's events and settles the claim, in one transaction.
    ///
    /// [`StoreError::Conflict`] if the stream has grown past `after_sequence` or the claim is
    /// no longer held; then nothing was written. When it has grown, the claim is still held:
    /// read the stream again and go on. A claim whose lease has passed is held for as long as
    /// nobody claimed the stream anew. A release with something new since the claim (an
    /// arrival, a wake) makes the stream due `now`, whatever `then` says: at worst that costs
    /// one more look.
    async fn advance(&self, claim: &Claim, step: &Step, now: Timestamp) -> Result<(), StoreError>;

    /// Appends facts that no claim made (a person's decision, a fact of an account), in one
    /// transaction; with `wake`, makes their streams due `now`, else creates no work. Facts of
    /// one stream stay in order. With `wake`, a stream that is claimed at this moment becomes
    /// due once released. Woken streams wait their turn: new webhooks go first, however many
    /// are woken. At most [`FACTS_MAX`] facts.
    async fn record(
        &self,
        facts: &[(StreamId, Event)],
        wake: bool,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// As [`Self::record`] for one stream, but only if its last sequence is still
    /// `after_sequence`: [`StoreError::Conflict`] if somebody appended meanwhile.
    async fn record_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// As [`Self::record_after`], but only while no worker holds the stream:
    /// [`StoreError::Claimed`] from a claim to its release, an expired one included. For facts
    /// that end the stream's work: nobody looks again for what such a worker has done.
    async fn record_unclaimed(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The events of a stream after `after_sequence`, in order.
    async fn stream_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// Makes these streams due `now`, those at rest too; unknown ones are left out. Answers how
    /// many.
    async fn wake_streams(&self, streams: &[StreamId], now: Timestamp) -> Result<u64, StoreError>;

    /// Takes or keeps the lead of a role (`news`, `views`, …) until `until`: one holder at a
    /// time, whatever crashes. Answers whether `holder` has it.
    async fn lead(
        &self,
        role: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// How far the account's Odoo has been shown the log; from the beginning where it never was.
    async fn mirrored(&self, account: &AccountName) -> Result<Cursor, StoreError>;

    /// Notes how far the account's Odoo has been shown the log.
    async fn set_mirrored(&self, account: &AccountName, to: Cursor) -> Result<(), StoreError>;

    /// When the next stream is due, if any waits (leases included).
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Makes every waiting stream of the account (or of all) due `now`; one that is claimed at
    /// this moment becomes due once released. Answers how many.
    async fn wake(&self, account: Option<&AccountName>, now: Timestamp) -> Result<u64, StoreError>;

    /// Broker sequences of `broker_stream` from `from` to `through`, both included, that the
    /// store has never seen, as inclusive ranges, lowest first, at most `limit` ranges. Looks
    /// through at most 100,000 positions it does not know to be without gaps; the next call
    /// goes on from there.
    async fn missing(
        &self,
        broker_stream: &str,
        from: u64,
        through: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, StoreError>;

    /// The lowest sequence of `broker_stream` the store has seen or noted: where the log
    /// begins. `None` if it knows none at all.
    async fn first_known(&self, broker_stream: &str) -> Result<Option<u64>, StoreError>;

    /// Notes broker sequences that need not be asked for again, because the broker no longer
    /// has them or they were read again; inclusive ranges.
    async fn note_gone(&self, broker_stream: &str, ranges: &[(u64, u64)])
    -> Result<(), StoreError>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Opens the store the configuration names: `postgres://…` or `sqlite://path`. Creates or
/// upgrades its tables where they are not this build's.
///
/// [`StoreError::Refused`] with a sentence for people if the database could lose what it
/// committed, or cannot be used; [`StoreError::Unavailable`] if it does not answer.
pub async fn open(config: &config::Store) -> Result<Arc<dyn EventStore>, StoreError> {
    let url = config.url.expose();
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Arc::new(postgres::PostgresStore::open(config).await?))
    } else if url.starts_with("sqlite:") {
        Ok(Arc::new(sqlite::SqliteStore::open(config).await?))
    } else {
        Err(StoreError::Refused("store.url must start with postgres:// or sqlite://.".to_owned()))
    }
}
