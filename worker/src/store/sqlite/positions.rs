//! The broker's positions on SQLite; the walk over them is [`crate::store::gaps`].

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{BEGIN, SqliteStore};
use crate::store::StoreError;
use crate::store::gaps::{Positions, Range};
use crate::store::row;

#[async_trait]
impl Positions for SqliteStore {
    async fn watermark(&self, broker_stream: &str) -> Result<Option<Range>, StoreError> {
        let range: Option<(i64, i64)> =
            sqlx::query_as("select first, last from broker_watermarks where broker_stream = $1")
                .bind(broker_stream)
                .fetch_optional(&self.readers)
                .await?;
        range.map(row::range).transpose()
    }

    async fn set_watermark(
        &self,
        broker_stream: &str,
        (first, last): Range,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into broker_watermarks (broker_stream, first, last) values ($1, $2, $3)
             on conflict (broker_stream) do update
             set first = excluded.first, last = excluded.last",
        )
        .bind(broker_stream)
        .bind(row::column(first)?)
        .bind(row::column(last)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn seen(
        &self,
        broker_stream: &str,
        (from, through): Range,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let seen: Vec<i64> = sqlx::query_scalar(
            "select sequence from broker_positions
             where broker_stream = $1 and sequence between $2 and $3
             order by sequence
             limit $4",
        )
        .bind(broker_stream)
        .bind(row::column(from)?)
        .bind(row::column(through)?)
        .bind(row::limit(limit))
        .fetch_all(&self.readers)
        .await?;
        seen.into_iter().map(row::sequence).collect()
    }

    async fn gone(
        &self,
        broker_stream: &str,
        (from, through): Range,
        limit: usize,
    ) -> Result<Vec<Range>, StoreError> {
        let gone: Vec<(i64, i64)> = sqlx::query_as(
            "select first, last from broker_gone
             where broker_stream = $1 and first <= $3 and last >= $2
             order by first, last
             limit $4",
        )
        .bind(broker_stream)
        .bind(row::column(from)?)
        .bind(row::column(through)?)
        .bind(row::limit(limit))
        .fetch_all(&self.readers)
        .await?;
        gone.into_iter().map(row::range).collect()
    }
}

pub(super) async fn note_gone(
    writer: &SqlitePool,
    broker_stream: &str,
    ranges: &[Range],
) -> Result<(), StoreError> {
    let (firsts, lasts) = row::columns(ranges)?;
    let mut transaction = writer.begin_with(BEGIN).await?;
    for (first, last) in firsts.into_iter().zip(lasts) {
        sqlx::query(
            "insert into broker_gone (broker_stream, first, last) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(broker_stream)
        .bind(first)
        .bind(last)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn first_known(
    pool: &SqlitePool,
    broker_stream: &str,
) -> Result<Option<u64>, StoreError> {
    let first: Option<i64> = sqlx::query_scalar(
        "select min(first) from (
             select min(sequence) as first from broker_positions where broker_stream = $1
             union all
             select min(first) from broker_gone where broker_stream = $1
         ) as known",
    )
    .bind(broker_stream)
    .fetch_one(pool)
    .await?;
    first.map(row::sequence).transpose()
}
