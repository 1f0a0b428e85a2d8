//! The event store on PostgreSQL: production, many workers.
//!
//! Locks are always taken in one order, so that no two calls wait for each other: webhooks,
//! conflicts, the stream's row in `work`, events, positions; many rows of a table in byte
//! order of their key. A stream grows only under its row in `work`.
//!
//! In reading order: `open` (set-up and refusals), `admit`, `work`, `record`, `positions`, `project`, `lists`,
//! `raw`.

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
use sqlx::PgPool;

use super::admission::How;
use super::chain::{self, Break, Link};
use super::error::bounded;
use super::lease::{Claimed, Lease};
use super::row::{self, EventRow, PayloadRow, Placed};
use super::{Admission, Arrival, Claim, Cursor, EventStore, Recorded, Step, StoreError, gaps};
use crate::domain::event::Event;

/// Tries of a batch that meets another worker on one stream; the locks leave no way to.
const ADMIT_TRIES: usize = 5;

/// The event store on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    async fn admit_as(
        &self,
        how: How,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        bounded(async {
            for _ in 0..ADMIT_TRIES {
                match admit::admit(&self.pool, arrivals, how, now.into()).await {
                    Err(StoreError::Conflict) => {}
                    answer => return answer,
                }
            }
            let why = format!("a batch lost {ADMIT_TRIES} races");
            Err(StoreError::Unavailable(why))
        })
        .await
    }

    async fn rows(&self, stream: &StreamId, after: i64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as(
            "select position, txid::text::bigint, stream, sequence, account, about, kind, version,
                    data, recorded_at, previous, hash
             from events where stream = $1 and sequence > $2 order by sequence",
        )
        .bind(stream.as_str())
        .bind(after)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    async fn rows_since(&self, cursor: Cursor, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as(
            "select position, txid::text::bigint, stream, sequence, account, about, kind, version,
                    data, recorded_at, previous, hash
             from events
             where (txid, position) > ($1::text::xid8, $2)
               -- Transactions below it are over: nothing can still appear among their events.
               and txid < pg_snapshot_xmin(pg_current_snapshot())
             order by txid, position
             limit $3",
        )
        .bind(cursor.transaction.to_string())
        .bind(cursor.position)
        .bind(row::limit(limit))
        .fetch_all(&self.pool)
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
        .fetch_optional(&self.pool)
        .await?;
        kept.map(|kept| row::webhook(account, event, kept)).transpose()
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn admit(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        self.admit_as(How::Fresh, arrivals, now).await
    }

    async fn admit_held(
        &self,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        self.admit_as(How::Held, arrivals, now).await
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
        bounded(work::claim(&self.pool, &lease, limit)).await
    }

    async fn advance(&self, claim: &Claim, step: &Step, now: Timestamp) -> Result<(), StoreError> {
        bounded(work::advance(&self.pool, claim, step, now.into())).await
    }

    async fn record(
        &self,
        facts: &[(StreamId, Event)],
        wake: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        bounded(record::record(&self.pool, facts, wake, now.into())).await
    }

    async fn record_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let end = (stream, after_sequence);
        bounded(record::record_after(&self.pool, end, events, Claimed::Too, now.into())).await
    }

    async fn record_unclaimed(
        &self,
        stream: &StreamId,
        after_sequence: i64,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let end = (stream, after_sequence);
        bounded(record::record_after(&self.pool, end, events, Claimed::Never, now.into())).await
    }

    async fn stream_after(
        &self,
        stream: &StreamId,
        after_sequence: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        row::recorded(bounded(self.rows(stream, after_sequence)).await?)
    }

    async fn wake_streams(&self, streams: &[StreamId], now: Timestamp) -> Result<u64, StoreError> {
        work::wake_streams(&self.pool, streams, now.into()).await
    }

    async fn lead(
        &self,
        role: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let lease = Lease::new(holder, now, until);
        bounded(record::lead(&self.pool, role, &lease)).await
    }

    async fn mirrored(&self, account: &AccountName) -> Result<Cursor, StoreError> {
        bounded(mirror::mirrored(&self.pool, account)).await
    }

    async fn set_mirrored(&self, account: &AccountName, to: Cursor) -> Result<(), StoreError> {
        bounded(mirror::set_mirrored(&self.pool, account, to)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        bounded(work::next_due(&self.pool)).await
    }

    async fn wake(&self, account: Option<&AccountName>, now: Timestamp) -> Result<u64, StoreError> {
        work::wake(&self.pool, account, now.into()).await
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
        bounded(positions::first_known(&self.pool, broker_stream)).await
    }

    async fn note_gone(
        &self,
        broker_stream: &str,
        ranges: &[(u64, u64)],
    ) -> Result<(), StoreError> {
        bounded(positions::note_gone(&self.pool, broker_stream, ranges)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        bounded(async {
            sqlx::query("select 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }
}
