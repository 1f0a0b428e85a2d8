//! The log on SQLite, link by link.
//!
//! Not here: what is checked and copied ([`crate::verify`], [`crate::replay`]).

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::{BEGIN, SqliteStore, admit, work};
use crate::store::chain::Link;
use crate::store::error::bounded;
use crate::store::raw::{
    self, Beside, BodyKey, Due, EntryColumns, Imported, Payload, PayloadColumns, RawLog, Record,
    STRANGERS, WORKED_UNTIL, WebhookEntry,
};
use crate::store::row::{self, EventRow, Moment, Placed};
use crate::store::{Cursor, StoreError, admission, view_row};

/// Longest one question about strangers may take: it walks a whole table.
const WALK_MAX: Duration = Duration::from_mins(10);

#[async_trait]
impl RawLog for SqliteStore {
    async fn links_since(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<(Cursor, Link)>, StoreError> {
        let rows = bounded(self.rows_since(cursor, limit)).await?;
        Ok(rows.into_iter().map(|row| Placed::from(row).into_parts()).collect())
    }

    async fn links_of(&self, streams: &[String]) -> Result<Vec<Link>, StoreError> {
        let rows: Vec<EventRow> = bounded(async {
            let rows = sqlx::query_as(
                "select position, 0, stream, sequence, account, about, kind,
                        version, data, recorded_at, previous, hash
                 from events where stream in (select value from json_each($1))
                 order by stream, sequence",
            )
            .bind(view_row::json(&streams)?)
            .fetch_all(&self.readers)
            .await?;
            Ok(rows)
        })
        .await?;
        Ok(rows.into_iter().map(|row| Placed::from(row).link).collect())
    }

    async fn stream_names(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        bounded(async {
            // From name to name along the key, past the events of each.
            let names = sqlx::query_scalar(
                "with recursive names (stream) as (
                     select * from (
                         select stream from events where stream > $1 order by stream limit 1)
                     union all
                     select (select events.stream from events
                             where events.stream > names.stream
                             order by events.stream limit 1)
                     from names where names.stream is not null
                 )
                 select stream from names where stream is not null limit $2",
            )
            .bind(after)
            .bind(row::limit(limit))
            .fetch_all(&self.readers)
            .await?;
            Ok(names)
        })
        .await
    }

    async fn log_size(&self) -> Result<u64, StoreError> {
        bounded(async {
            let last: i64 = sqlx::query_scalar("select coalesce(max(position), 0) from events")
                .fetch_one(&self.readers)
                .await?;
            row::sequence(last)
        })
        .await
    }

    async fn entries(&self, keys: &[(String, String)]) -> Result<Vec<WebhookEntry>, StoreError> {
        let rows: Vec<EntryColumns> = bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash, stream, broker_stream, broker_sequence
                 from webhooks where (account, event_id) in (
                     select value ->> 0, value ->> 1 from json_each($1))",
            )
            .bind(view_row::json(&keys)?)
            .fetch_all(&self.readers)
            .await?;
            Ok(rows)
        })
        .await?;
        rows.into_iter().map(raw::entry).collect()
    }

    async fn conflicts(&self, keys: &[BodyKey]) -> Result<Vec<BodyKey>, StoreError> {
        bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash
                 from conflicts where (account, event_id, body_hash) in (
                     select value ->> 0, value ->> 1, value ->> 2 from json_each($1))",
            )
            .bind(view_row::json(&keys)?)
            .fetch_all(&self.readers)
            .await?;
            Ok(rows)
        })
        .await
    }

    async fn payloads(&self, keys: &[BodyKey]) -> Result<Vec<Payload>, StoreError> {
        let rows: Vec<PayloadColumns> = bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash, signature, late_s, received_at, traceparent,
                        bytes
                 from payloads where (account, event_id, body_hash) in (
                     select value ->> 0, value ->> 1, value ->> 2 from json_each($1))",
            )
            .bind(view_row::json(&keys)?)
            .fetch_all(&self.readers)
            .await?;
            Ok(rows)
        })
        .await?;
        Ok(rows.into_iter().map(raw::payload).collect())
    }

    async fn stranger(&self) -> Result<Option<String>, StoreError> {
        for (table, question) in STRANGERS {
            let asked = sqlx::query_scalar(question).fetch_optional(&self.readers);
            let found: Option<String> = tokio::time::timeout(WALK_MAX, asked)
                .await
                .map_err(|_| StoreError::Unavailable("no answer in time".to_owned()))??;
            if let Some(name) = found {
                return Ok(Some(raw::stranger(table, &name)));
            }
        }
        Ok(None)
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        bounded(import(self, records)).await
    }

    async fn worked_until(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let until: Option<Moment> = bounded(async {
            let query = sqlx::query_scalar(WORKED_UNTIL).bind(Moment::from(now));
            Ok(query.fetch_one(&self.readers).await?)
        })
        .await?;
        until.map(|moment| moment.timestamp("leases.until")).transpose()
    }

    async fn schedule(&self, due: &[Due]) -> Result<(), StoreError> {
        bounded(async {
            let mut transaction = self.writer.begin_with(BEGIN).await?;
            for due in due {
                sqlx::query(
                    "update work set due_at = $2, fresh = $3, generation = generation + 1
                     where stream = $1 and holder is null",
                )
                .bind(due.stream.as_str())
                .bind(due.at.map(Moment::from))
                .bind(due.fresh)
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}

async fn import(store: &SqliteStore, records: &[Record]) -> Result<Imported, StoreError> {
    let streams = raw::streams_of(records)?;
    let mut transaction = store.writer.begin_with(BEGIN).await?;
    let mut heads = HashMap::new();
    for stream in admission::streams(&streams) {
        work::keep_stream(&mut transaction, stream).await?;
        heads.insert(stream.to_owned(), admit::head(&mut transaction, stream).await?);
    }
    let known = known(&mut transaction, records).await?;
    let new = raw::judge(records, heads, &known)?;
    let links: Vec<Link> = new.iter().map(|record| record.link.clone()).collect();
    admit::append(&mut transaction, &links).await?;
    let hashes = raw::hashes(&new)?;
    put_beside(&mut transaction, &raw::beside(&new, &hashes)).await?;
    transaction.commit().await?;
    Ok(Imported { new: new.len(), known: records.len() - new.len() })
}

async fn known(
    connection: &mut SqliteConnection,
    records: &[Record],
) -> Result<HashMap<(String, i64), Vec<u8>>, StoreError> {
    let mut known = HashMap::new();
    for Record { link, .. } in records {
        let hash: Option<Vec<u8>> =
            sqlx::query_scalar("select hash from events where stream = $1 and sequence = $2")
                .bind(&link.stream)
                .bind(link.sequence)
                .fetch_optional(&mut *connection)
                .await?;
        if let Some(hash) = hash {
            known.insert((link.stream.clone(), link.sequence), hash);
        }
    }
    Ok(known)
}

async fn put_beside(connection: &mut SqliteConnection, new: &Beside<'_>) -> Result<(), StoreError> {
    for (link, hash, position) in &new.webhooks {
        sqlx::query(
            "insert into webhooks (account, event_id, body_hash, stream, broker_stream,
                                   broker_sequence)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&link.account)
        .bind(&link.about)
        .bind(*hash)
        .bind(&link.stream)
        .bind(&position.stream)
        .bind(row::column(position.sequence)?)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "insert into broker_positions (broker_stream, sequence) values ($1, $2)
             on conflict do nothing",
        )
        .bind(&position.stream)
        .bind(row::column(position.sequence)?)
        .execute(&mut *connection)
        .await?;
    }
    for (link, hash) in &new.conflicts {
        sqlx::query("insert into conflicts (account, event_id, body_hash) values ($1, $2, $3)")
            .bind(&link.account)
            .bind(&link.about)
            .bind(*hash)
            .execute(&mut *connection)
            .await?;
    }
    for payload in &new.payloads {
        sqlx::query(
            "insert into payloads (account, event_id, body_hash, signature, late_s, received_at,
                                   traceparent, bytes)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&payload.key.0)
        .bind(&payload.key.1)
        .bind(&payload.key.2)
        .bind(row::header(&payload.signature))
        .bind(payload.late_s)
        .bind(Moment::from_microseconds(payload.received_at_us))
        .bind(payload.traceparent.as_deref().map(row::header))
        .bind(&payload.bytes)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
