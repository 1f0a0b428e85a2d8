//! Facts that no claim made: a person's decision, a fact of an account; and who leads a role.
//!
//! Not here: facts found out under a claim ([`super::work`]), webhooks ([`super::admit`]).

use std::collections::HashMap;

use concilia_shared::id::StreamId;
use sqlx::SqlitePool;

use super::{BEGIN, admit, work};
use crate::domain::event::Event;
use crate::store::lease::{Claimed, Lease};
use crate::store::row::Moment;
use crate::store::{StoreError, admission};

pub(super) async fn record(
    writer: &SqlitePool,
    facts: &[(StreamId, Event)],
    wake: bool,
    now: Moment,
) -> Result<(), StoreError> {
    admission::refuse_too_many(facts)?;
    if facts.is_empty() {
        return Ok(());
    }
    let mut transaction = writer.begin_with(BEGIN).await?;
    let mut heads = HashMap::new();
    for stream in admission::streams(facts.iter().map(|(stream, _)| stream)) {
        if wake {
            work::wake_stream(&mut transaction, stream, false, now).await?;
        } else {
            work::keep_stream(&mut transaction, stream).await?;
        }
        heads.insert(stream.to_owned(), admit::head(&mut transaction, stream).await?);
    }
    let pairs = facts.iter().map(|(stream, event)| (stream, event));
    admit::append(&mut transaction, &admission::link(pairs, heads, now)?).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn record_after(
    writer: &SqlitePool,
    (stream, after_sequence): (&StreamId, i64),
    events: &[Event],
    claimed: Claimed,
    now: Moment,
) -> Result<(), StoreError> {
    admission::refuse_too_many(events)?;
    let mut transaction = writer.begin_with(BEGIN).await?;
    work::keep_stream(&mut transaction, stream.as_str()).await?;
    if claimed == Claimed::Never
        && let Some(until) = work::claimed_until(&mut transaction, stream.as_str()).await?
    {
        transaction.rollback().await?;
        return Err(StoreError::Claimed { until });
    }
    let head = admit::head(&mut transaction, stream.as_str()).await?;
    if head.sequence != after_sequence {
        return Err(StoreError::Conflict);
    }
    admit::append(&mut transaction, &admission::link_to(stream, events, head, now)?).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn lead(
    writer: &SqlitePool,
    role: &str,
    lease: &Lease<'_>,
) -> Result<bool, StoreError> {
    let taken = sqlx::query(
        "insert into leases (role, holder, until) values ($1, $2, $3)
         on conflict (role) do update
         set holder = excluded.holder, until = excluded.until
         where leases.holder = excluded.holder or leases.until <= $4",
    )
    .bind(role)
    .bind(lease.holder)
    .bind(lease.until)
    .bind(lease.now)
    .execute(writer)
    .await?;
    Ok(taken.rows_affected() == 1)
}
