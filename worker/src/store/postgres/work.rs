//! The work table: claims as leases, release together with what was found out, waking.

use concilia_shared::id::{AccountName, StreamId};
use jiff::Timestamp;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use super::admit;
use crate::store::error::bounded;
use crate::store::lease::{self, Lease};
use crate::store::row::{self, Moment};
use crate::store::{Claim, Step, StoreError, admission};

/// Rows one statement of a wake changes.
const WAKE_PAGE: i64 = 5_000;

/// Named streams one statement of a wake looks for.
const STREAMS_PAGE: usize = 1_000;

/// Makes streams due and locks their rows, in the order given (bytes): from here to the end
/// of the transaction they grow by its hand only. `fresh`: they go before what waits; else
/// they keep their place.
pub(super) async fn lock_and_wake(
    connection: &mut PgConnection,
    streams: &[&str],
    fresh: bool,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into work (stream, account, due_at, fresh, generation)
         select stream, split_part(stream, '/', 1), $2, $3, 1
         from unnest($1::text[]) as new (stream)
         on conflict (stream) do update
         set due_at = least(work.due_at, excluded.due_at),
             fresh = work.fresh or excluded.fresh,
             -- A claim that is released later sees by it that something came meanwhile.
             generation = work.generation + 1",
    )
    .bind(streams)
    .bind(now)
    .bind(fresh)
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks the rows of streams, in the order given (bytes), and makes nothing due; a stream
/// without a row gets one at rest.
pub(super) async fn lock(
    connection: &mut PgConnection,
    streams: &[&str],
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into work (stream, account, fresh, generation)
         select stream, split_part(stream, '/', 1), false, 1
         from unnest($1::text[]) as new (stream)
         on conflict (stream) do update set generation = work.generation",
    )
    .bind(streams)
    .execute(connection)
    .await?;
    Ok(())
}

/// When the lease of whoever holds the stream ends, or ended; `None`: nobody does. The caller
/// keeps it from being claimed meanwhile.
pub(super) async fn claimed_until(
    connection: &mut PgConnection,
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
    pool: &PgPool,
    lease: &Lease<'_>,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let mut claims = Vec::new();
    for fresh in [true, false] {
        if claims.len() < limit {
            claims.extend(claim_some(pool, lease, fresh, limit - claims.len()).await?);
        }
    }
    Ok(claims)
}

async fn claim_some(
    pool: &PgPool,
    lease: &Lease<'_>,
    fresh: bool,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "with chosen as (
             select stream, ready_at from work
             where fresh = $1 and ready_at <= $2
             order by ready_at
             limit $3
             -- Rows others are claiming or appending to at this moment are theirs.
             for update skip locked
         ), claimed as (
             update work
             set holder = $4, lease_until = $5, generation = generation + 1,
                 claimed = generation + 1
             from chosen where work.stream = chosen.stream
             returning work.stream, work.generation, chosen.ready_at
         )
         select stream, generation from claimed order by ready_at",
    )
    .bind(fresh)
    .bind(lease.now)
    .bind(row::limit(limit))
    .bind(lease.holder)
    .bind(lease.until)
    .fetch_all(pool)
    .await?;
    lease.claims(rows)
}

pub(super) async fn advance(
    pool: &PgPool,
    claim: &Claim,
    step: &Step,
    now: Moment,
) -> Result<(), StoreError> {
    let stream = claim.stream.as_str();
    let mut transaction = pool.begin().await?;
    let generation: Option<i64> = sqlx::query_scalar(
        "select generation from work
         where stream = $1 and holder = $2 and claimed = $3
         for update",
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
    if !step.events.is_empty() {
        let links = admission::link_to(&claim.stream, &step.events, head, now)?;
        admit::append(&mut transaction, &links).await?;
    }
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

pub(super) async fn next_due(pool: &PgPool) -> Result<Option<Timestamp>, StoreError> {
    // One step into the index for each half; min() over both would walk all of it.
    let next: Option<Moment> = sqlx::query_scalar(
        "select least(
             (select ready_at from work where fresh and ready_at is not null
              order by ready_at limit 1),
             (select ready_at from work where not fresh and ready_at is not null
              order by ready_at limit 1))",
    )
    .fetch_one(pool)
    .await?;
    next.map(|moment| moment.timestamp("work.ready_at")).transpose()
}

/// Page by page, so that no statement takes long and no row stays locked for long.
pub(super) async fn wake(
    pool: &PgPool,
    account: Option<&AccountName>,
    now: Moment,
) -> Result<u64, StoreError> {
    let mut woken = 0;
    let mut after = String::new();
    loop {
        let (count, last): (i64, Option<String>) = bounded(async {
            let page = sqlx::query_as(
                "with page as (
                     select stream from work
                     where due_at is not null and stream > $1
                       and ($2::text is null or account = $2)
                       and (due_at > $3 or holder is not null)
                     order by stream
                     limit $4
                     -- In byte order, as admitting locks them.
                     for update
                 ), woken as (
                     update work
                     set due_at = least(due_at, $3), generation = generation + 1
                     from page where work.stream = page.stream
                 )
                 select count(*), max(stream) from page",
            )
            .bind(&after)
            .bind(account.map(AccountName::as_str))
            .bind(now)
            .bind(WAKE_PAGE)
            .fetch_one(pool)
            .await?;
            Ok(page)
        })
        .await?;
        woken += count.unsigned_abs();
        match last {
            Some(last) if count == WAKE_PAGE => after = last,
            _ => return Ok(woken),
        }
    }
}

/// Page by page, as [`wake`] does.
pub(super) async fn wake_streams(
    pool: &PgPool,
    streams: &[StreamId],
    now: Moment,
) -> Result<u64, StoreError> {
    let mut woken = 0;
    for page in admission::streams(streams).chunks(STREAMS_PAGE) {
        woken += bounded(async {
            let woken = sqlx::query(
                "with page as (
                     select stream from work where stream = any ($1::text[])
                     order by stream
                     -- In byte order, as admitting locks them.
                     for update
                 )
                 update work
                 set due_at = least(due_at, $2), generation = generation + 1
                 from page where work.stream = page.stream",
            )
            .bind(page)
            .bind(now)
            .execute(pool)
            .await?;
            Ok(woken.rows_affected())
        })
        .await?;
    }
    Ok(woken)
}
