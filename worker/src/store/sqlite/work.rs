//! The work table: claims as leases, release together with what was found out, waking.

use concilia_shared::id::{AccountName, StreamId};
use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::{BEGIN, admit};
use crate::store::error::bounded;
use crate::store::lease::{self, Lease};
use crate::store::row::{self, Moment};
use crate::store::{Claim, Step, StoreError, admission};

/// Named streams one transaction of a wake changes.
const STREAMS_PAGE: usize = 1_000;

/// Makes a stream due. `fresh`: it goes before what waits; else it keeps its place.
pub(super) async fn wake_stream(
    connection: &mut SqliteConnection,
    stream: &str,
    fresh: bool,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into work (stream, account, due_at, fresh, generation)
         values ($1, substr($1, 1, instr($1, '/') - 1), $2, $3, 1)
         on conflict (stream) do update
         set due_at = min(coalesce(due_at, excluded.due_at), excluded.due_at),
             fresh = max(fresh, excluded.fresh),
             -- A claim that is released later sees by it that something came meanwhile.
             generation = generation + 1",
    )
    .bind(stream)
    .bind(now)
    .bind(fresh)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes sure that a stream has its row, and makes nothing due.
pub(super) async fn keep_stream(
    connection: &mut SqliteConnection,
    stream: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into work (stream, account, fresh, generation)
         values ($1, substr($1, 1, instr($1, '/') - 1), 0, 1)
         on conflict (stream) do nothing",
    )
    .bind(stream)
    .execute(connection)
    .await?;
    Ok(())
}

/// When the lease of whoever holds the stream ends, or ended; `None`: nobody does. The caller
/// keeps it from being claimed meanwhile.
pub(super) async fn claimed_until(
    connection: &mut SqliteConnection,
    stream: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let until: Option<Moment> = sqlx::query_scalar(
        "select lease_until from work
         where stream = $1 and holder is not null and lease_until is not null",
    )
    .bind(stream)
    .fetch_optional(connection)
    .await?;
    until.map(|moment| moment.timestamp("work.lease_until")).transpose()
}

pub(super) async fn claim(
    writer: &SqlitePool,
    lease: &Lease<'_>,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let mut claims = Vec::new();
    for fresh in [true, false] {
        if claims.len() < limit {
            claims.extend(claim_some(writer, lease, fresh, limit - claims.len()).await?);
        }
    }
    Ok(claims)
}

async fn claim_some(
    writer: &SqlitePool,
    lease: &Lease<'_>,
    fresh: bool,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let due: Vec<String> = sqlx::query_scalar(
        "select stream from work
         where fresh = $1 and ready_at <= $2
         order by ready_at
         limit $3",
    )
    .bind(fresh)
    .bind(lease.now)
    .bind(row::limit(limit))
    .fetch_all(&mut *transaction)
    .await?;
    let mut rows = Vec::with_capacity(due.len());
    for stream in due {
        let generation: i64 = sqlx::query_scalar(
            "update work
             set holder = $2, lease_until = $3, generation = generation + 1,
                 claimed = generation + 1
             where stream = $1
             returning generation",
        )
        .bind(&stream)
        .bind(lease.holder)
        .bind(lease.until)
        .fetch_one(&mut *transaction)
        .await?;
        rows.push((stream, generation));
    }
    transaction.commit().await?;
    lease.claims(rows)
}

pub(super) async fn advance(
    writer: &SqlitePool,
    claim: &Claim,
    step: &Step,
    now: Moment,
) -> Result<(), StoreError> {
    let stream = claim.stream.as_str();
    let mut transaction = writer.begin_with(BEGIN).await?;
    let generation: Option<i64> = sqlx::query_scalar(
        "select generation from work where stream = $1 and holder = $2 and claimed = $3",
    )
    .bind(stream)
    .bind(&claim.holder)
    .bind(claim.generation)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(generation) = generation else {
        return Err(StoreError::Conflict);
    };
    let head = admit::head(&mut transaction, stream).await?;
    if head.sequence != step.after_sequence {
        return Err(StoreError::Conflict);
    }
    let links = admission::link_to(&claim.stream, &step.events, head, now)?;
    admit::append(&mut transaction, &links).await?;
    if let Some(release) = lease::release(step.then, generation != claim.generation, now) {
        sqlx::query(
            "update work
             set due_at = $2, fresh = $3, holder = null, lease_until = null, claimed = null
             where stream = $1",
        )
        .bind(stream)
        .bind(release.due_at)
        .bind(release.fresh)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn next_due(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    // One step into the index for each half; min() over both would walk all of it.
    let next: Option<Moment> = sqlx::query_scalar(
        "select min(ready_at) from (
             select (select ready_at from work where fresh = 1 and ready_at is not null
                     order by ready_at limit 1) as ready_at
             union all
             select (select ready_at from work where fresh = 0 and ready_at is not null
                     order by ready_at limit 1))",
    )
    .fetch_one(readers)
    .await?;
    next.map(|moment| moment.timestamp("work.ready_at")).transpose()
}

/// In one statement: nobody else writes meanwhile, and 100,000 rows take well under a second.
pub(super) async fn wake(
    writer: &SqlitePool,
    account: Option<&AccountName>,
    now: Moment,
) -> Result<u64, StoreError> {
    let woken = sqlx::query(
        "update work
         set due_at = min(due_at, $2), generation = generation + 1
         where due_at is not null and ($1 is null or account = $1)
           and (due_at > $2 or holder is not null)",
    )
    .bind(account.map(AccountName::as_str))
    .bind(now)
    .execute(writer)
    .await?;
    Ok(woken.rows_affected())
}

/// Page by page, so that no transaction takes long.
pub(super) async fn wake_streams(
    writer: &SqlitePool,
    streams: &[StreamId],
    now: Moment,
) -> Result<u64, StoreError> {
    let mut woken = 0;
    for page in admission::streams(streams).chunks(STREAMS_PAGE) {
        woken += bounded(wake_page(writer, page, now)).await?;
    }
    Ok(woken)
}

async fn wake_page(writer: &SqlitePool, streams: &[&str], now: Moment) -> Result<u64, StoreError> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let mut woken = 0;
    for stream in streams {
        let done = sqlx::query(
            "update work
             set due_at = min(coalesce(due_at, $2), $2), generation = generation + 1
             where stream = $1",
        )
        .bind(*stream)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        woken += done.rows_affected();
    }
    transaction.commit().await?;
    Ok(woken)
}
