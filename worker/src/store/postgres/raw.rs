//! The log on PostgreSQL, link by link.
//!
//! Not here: what is checked and copied ([`crate::verify`], [`crate::replay`]).

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::{PostgresStore, admit, work};
use crate::store::chain::Link;
use crate::store::error::bounded;
use crate::store::raw::{
    self, Beside, BodyKey, Due, EntryColumns, Imported, Payload, PayloadColumns, RawLog, Record,
    STRANGERS, WORKED_UNTIL, WebhookEntry,
};
use crate::store::row::{self, EventRow, Moment, Placed};
use crate::store::{Cursor, StoreError, admission};

/// Longest one question about strangers may take: it walks a whole table.
const WALK_MAX: Duration = Duration::from_mins(10);

/// Three columns of keys.
fn columns(keys: &[BodyKey]) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
    (
        keys.iter().map(|key| key.0.as_str()).collect(),
        keys.iter().map(|key| key.1.as_str()).collect(),
        keys.iter().map(|key| key.2.as_str()).collect(),
    )
}

#[async_trait]
impl RawLog for PostgresStore {
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
                "select position, txid::text::bigint, stream, sequence, account, about, kind,
                        version, data, recorded_at, previous, hash
                 from events where stream = any ($1::text[]) order by stream, sequence",
            )
            .bind(streams)
            .fetch_all(&self.pool)
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
                     (select stream from events where stream > $1 order by stream limit 1)
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
            .fetch_all(&self.pool)
            .await?;
            Ok(names)
        })
        .await
    }

    async fn log_size(&self) -> Result<u64, StoreError> {
        bounded(async {
            let last: i64 = sqlx::query_scalar("select coalesce(max(position), 0) from events")
                .fetch_one(&self.pool)
                .await?;
            row::sequence(last)
        })
        .await
    }

    async fn entries(&self, keys: &[(String, String)]) -> Result<Vec<WebhookEntry>, StoreError> {
        let rows: Vec<EntryColumns> = bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash, stream, broker_stream, broker_sequence
                 from unnest($1::text[], $2::text[]) as asked (account, event_id)
                 join webhooks using (account, event_id)",
            )
            .bind(keys.iter().map(|key| key.0.as_str()).collect::<Vec<_>>())
            .bind(keys.iter().map(|key| key.1.as_str()).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
            Ok(rows)
        })
        .await?;
        rows.into_iter().map(raw::entry).collect()
    }

    async fn conflicts(&self, keys: &[BodyKey]) -> Result<Vec<BodyKey>, StoreError> {
        let (accounts, events, hashes) = columns(keys);
        bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash
                 from unnest($1::text[], $2::text[], $3::text[])
                      as asked (account, event_id, body_hash)
                 join conflicts using (account, event_id, body_hash)",
            )
            .bind(accounts)
            .bind(events)
            .bind(hashes)
            .fetch_all(&self.pool)
            .await?;
            Ok(rows)
        })
        .await
    }

    async fn payloads(&self, keys: &[BodyKey]) -> Result<Vec<Payload>, StoreError> {
        let (accounts, events, hashes) = columns(keys);
        let rows: Vec<PayloadColumns> = bounded(async {
            let rows = sqlx::query_as(
                "select account, event_id, body_hash, signature, late_s, received_at, traceparent,
                        bytes
                 from unnest($1::text[], $2::text[], $3::text[])
                      as asked (account, event_id, body_hash)
                 join payloads using (account, event_id, body_hash)",
            )
            .bind(accounts)
            .bind(events)
            .bind(hashes)
            .fetch_all(&self.pool)
            .await?;
            Ok(rows)
        })
        .await?;
        Ok(rows.into_iter().map(raw::payload).collect())
    }

    async fn stranger(&self) -> Result<Option<String>, StoreError> {
        for (table, question) in STRANGERS {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("set local statement_timeout = '10min'").execute(&mut *transaction).await?;
            let asked = sqlx::query_scalar(question).fetch_optional(&mut *transaction);
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
            Ok(query.fetch_one(&self.pool).await?)
        })
        .await?;
        until.map(|moment| moment.timestamp("leases.until")).transpose()
    }

    async fn schedule(&self, due: &[Due]) -> Result<(), StoreError> {
        let mut due: Vec<_> = due.iter().collect();
        due.sort_unstable_by_key(|it| &it.stream);
        bounded(async {
            sqlx::query(
                "with asked as (
                     select work.stream, new.due_at, new.fresh
                     from unnest($1::text[], $2::timestamptz[], $3::boolean[])
                          as new (stream, due_at, fresh)
                     join work on work.stream = new.stream
                     where work.holder is null
                     order by work.stream
                     for update of work
                 )
                 update work set due_at = asked.due_at, fresh = asked.fresh,
                     generation = generation + 1
                 from asked where work.stream = asked.stream",
            )
            .bind(due.iter().map(|it| it.stream.as_str()).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.at.map(Moment::from)).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.fresh).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}

async fn import(store: &PostgresStore, records: &[Record]) -> Result<Imported, StoreError> {
    let streams = raw::streams_of(records)?;
    let names = admission::streams(&streams);
    let mut transaction = store.pool.begin().await?;
    work::lock(&mut transaction, &names).await?;
    let heads = admit::heads(&mut transaction, &names).await?;
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
    connection: &mut PgConnection,
    records: &[Record],
) -> Result<HashMap<(String, i64), Vec<u8>>, StoreError> {
    let rows: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(
        "select stream, sequence, hash
         from unnest($1::text[], $2::bigint[]) as asked (stream, sequence)
         join events using (stream, sequence)",
    )
    .bind(records.iter().map(|record| record.link.stream.as_str()).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.link.sequence).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(stream, sequence, hash)| ((stream, sequence), hash)).collect())
}

async fn put_beside(connection: &mut PgConnection, new: &Beside<'_>) -> Result<(), StoreError> {
    let sequences: Result<Vec<i64>, _> =
        new.webhooks.iter().map(|it| row::column(it.2.sequence)).collect();
    let sequences = sequences?;
    sqlx::query(
        "insert into webhooks (account, event_id, body_hash, stream, broker_stream, broker_sequence)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])",
    )
    .bind(new.webhooks.iter().map(|it| it.0.account.as_str()).collect::<Vec<_>>())
    .bind(new.webhooks.iter().map(|it| it.0.about.as_str()).collect::<Vec<_>>())
    .bind(new.webhooks.iter().map(|it| it.1).collect::<Vec<_>>())
    .bind(new.webhooks.iter().map(|it| it.0.stream.as_str()).collect::<Vec<_>>())
    .bind(new.webhooks.iter().map(|it| it.2.stream.as_str()).collect::<Vec<_>>())
    .bind(&sequences)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into broker_positions (broker_stream, sequence)
         select * from unnest($1::text[], $2::bigint[])
         on conflict do nothing",
    )
    .bind(new.webhooks.iter().map(|it| it.2.stream.as_str()).collect::<Vec<_>>())
    .bind(&sequences)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into conflicts (account, event_id, body_hash)
         select * from unnest($1::text[], $2::text[], $3::text[])",
    )
    .bind(new.conflicts.iter().map(|it| it.0.account.as_str()).collect::<Vec<_>>())
    .bind(new.conflicts.iter().map(|it| it.0.about.as_str()).collect::<Vec<_>>())
    .bind(new.conflicts.iter().map(|it| it.1).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let payloads = &new.payloads;
    sqlx::query(
        "insert into payloads (account, event_id, body_hash, signature, late_s, received_at,
                               traceparent, bytes)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[],
                              $6::timestamptz[], $7::text[], $8::bytea[])",
    )
    .bind(payloads.iter().map(|it| it.key.0.as_str()).collect::<Vec<_>>())
    .bind(payloads.iter().map(|it| it.key.1.as_str()).collect::<Vec<_>>())
    .bind(payloads.iter().map(|it| it.key.2.as_str()).collect::<Vec<_>>())
    .bind(payloads.iter().map(|it| row::header(&it.signature)).collect::<Vec<_>>())
    .bind(payloads.iter().map(|it| it.late_s).collect::<Vec<_>>())
    .bind(
        payloads.iter().map(|it| Moment::from_microseconds(it.received_at_us)).collect::<Vec<_>>(),
    )
    .bind(payloads.iter().map(|it| it.traceparent.as_deref().map(row::header)).collect::<Vec<_>>())
    .bind(payloads.iter().map(|it| it.bytes.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
