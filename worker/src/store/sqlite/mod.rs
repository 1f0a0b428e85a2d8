//! The event store on SQLite: embedded, for trying it out and for one small shop.
//!
//! For one worker process. A second one corrupts nothing, since every write takes the file's
//! write lock first (`begin immediate`), but the two wait for each other. Within a process
//! one connection writes; a few others read, undisturbed by it (write-ahead log).
//!
//! In reading order: `open` (set-up and refusals), `admit`, `work`, `record`, `positions`, `project`, `lists`,
//! `raw`.
//! What each table means stands in PostgreSQL's migration.

mod admit;
mod lists;
mod mirror;
mod open;
mod positions;
mod project;
mod raw;
mod record;
mod work;

use async_trait::async_trait;
use concilia_shared::id::{AccountName, EventId, StreamId};
use concilia_shared::webhook::Webhook;
use jiff::Timestamp;
use sqlx::SqlitePool;

use super::admission::How;
use super::chain::{self, Break, Link};
use super::error::bounded;
use super::lease::{Claimed, Lease};
use super::row::{self, EventRow, PayloadRow, Placed};
use super::{Admission, Arrival, Claim, Cursor, EventStore, Recorded, Step, StoreError, gaps};
use crate::domain::event::Event;

/// How every transaction that writes begins: with the write lock, so that it cannot find
/// later that another process wrote since it read.
const BEGIN: &str = "begin immediate";

/// The event store on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// One connection.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    async fn rows(&self, stream: &StreamId, after: i64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as(
            "select position, 0, stream, sequence, account, about, kind, version,
                    data, recorded_at, previous, hash
             from events where stream = $1 and sequence > $2 order by sequence",
        )
        .bind(stream.as_str())
        .bind(after)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows)
    }

    async fn rows_since(&self, cursor: Cursor, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as(
            "select position, 0, stream, sequence, account, about, kind, version,
                    data, recorded_at, previous, hash
             from events
             -- One writer at a time: positions appear in order.
             where position > $1
             order by position
             limit $2",
        )
        .bind(cursor.position)
        .bind(row::limit(limit))
        .fetch_all(&self.readers)
        .await?;
        Ok(rows)
    }

    async fn webhook(
        &self,
        account: &AccountName,
        event: &EventId,
    ) -> Result<Option<Webhook>, StoreError> {
        let kept: Option<PayloadRow> = sqlx::query_as(
            "select body_hash, signature, received_at, late_s, traceparent, bytes
             from webhooks join payloads using (account, event_id, body_hash)
             where account = $1 and event_id = $2",
        )
        .bind(account.as_str())
        .bind(event.as_str())
        .fetch_optional(&self.readers)
        .await?;
        kept.map(|kept| row::webhook(account, event, kept)).transpose()
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn admit(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        bounded(admit::admit(&self.writer, arrivals, How::Fresh, now.into())).await
    }

    async fn admit_held(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        bounded(admit::admit(&self.writer, arrivals, How::Held, now.into())).await
    }

    async fn stream(&self, stream: &StreamId) -> Result<Vec<Recorded>, StoreError> {
        row::recorded(bounded(self.rows(stream, 0)).await?)
    }

    async fn verify(&self, stream: &StreamId) -> Result<Result<(), Break>, StoreError> {
        let rows = bounded(self.rows(stream, 0)).await?;
        let links: Vec<Link> = rows.into_iter().map(|row| Placed::from(row).link).collect();
        Ok(chain::verify(stream.as_str(), &links))
    }

    async fn payload(
        &self,
        account: &AccountName,
        event: &EventId,
    ) -> Result<Option<Webhook>, StoreError> {
        bounded(self.webhook(account, event)).await
    }

    async fn since(&self, cursor: Cursor, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        row::recorded(bounded(self.rows_since(cursor, limit)).await?)
    }

    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        let lease = Lease::new(holder, now, lease_until);
        bounded(work::claim(&self.writer, &lease, limit)).await
    }

    async fn advance(&self, claim: &Claim, step: &Step, now: Timestamp) -> Result<(), StoreError> {
        bounded(work::advance(&self.writer, claim, step, now.into())).await
    }

    async fn record(
        &self,
        facts: &[(StreamId, Event)],
        wake: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        bounded(record::record(&self.writer, facts, wake, now.into())).await
    }

    async fn record_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let end = (stream, after_sequence);
        bounded(record::record_after(&self.writer, end, events, Claimed::Too, now.into())).await
    }

    async fn record_unclaimed(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let end = (stream, after_sequence);
        bounded(record::record_after(&self.writer, end, events, Claimed::Never, now.into())).await
    }

    async fn stream_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        row::recorded(bounded(self.rows(stream, after_sequence)).await?)
    }

    async fn wake_streams(&self, streams: &[StreamId], now: Timestamp) -> Result<u64, StoreError> {
        work::wake_streams(&self.writer, streams, now.into()).await
    }

    async fn lead(
        &self,
        role: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let lease = Lease::new(holder, now, until);
        bounded(record::lead(&self.writer, role, &lease)).await
    }

    async fn mirrored(&self, account: &AccountName) -> Result<Cursor, StoreError> {
        bounded(mirror::mirrored(&self.readers, account)).await
    }

    async fn set_mirrored(&self, account: &AccountName, to: Cursor) -> Result<(), StoreError> {
        bounded(mirror::set_mirrored(&self.writer, account, to)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        bounded(work::next_due(&self.readers)).await
    }

    async fn wake(&self, account: Option<&AccountName>, now: Timestamp) -> Result<u64, StoreError> {
        bounded(work::wake(&self.writer, account, now.into())).await
    }

    async fn missing(
        &self,
        broker_stream: &str,
        from: u64,
        through: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        bounded(gaps::missing(self, broker_stream, (from, through), limit)).await
    }

    async fn first_known(&self, broker_stream: &str) -> Result<Option<u64>, StoreError> {
        bounded(positions::first_known(&self.readers, broker_stream)).await
    }

    async fn note_gone(
        &self,
        broker_stream: &str,
        ranges: &[(u64, u64)],
    ) -> Result<(), StoreError> {
        bounded(positions::note_gone(&self.writer, broker_stream, ranges)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        bounded(async {
            sqlx::query("select 1").execute(&self.readers).await?;
            Ok(())
        })
        .await
    }
}
