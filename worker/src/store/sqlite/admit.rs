//! Admitting a batch, in one transaction that holds the write lock from its first word.
//!
//! Statement by statement: within the process a statement costs microseconds, and the batch
//! shares one sync.

use std::collections::{BTreeMap, HashMap};

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::{BEGIN, work};
use crate::store::admission::{self, How, Key, Known};
use crate::store::chain::{Head, Link};
use crate::store::row::{self, Moment};
use crate::store::{Admission, Arrival, StoreError};

pub(super) async fn admit(
    writer: &SqlitePool,
    arrivals: &[Arrival],
    how: How,
    now: Moment,
) -> Result<Vec<Admission>, StoreError> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = writer.begin_with(BEGIN).await?;
    let firsts = admission::firsts(arrivals);
    let known = enter(&mut transaction, &firsts).await?;
    let judgement = admission::judge(arrivals, &firsts, &known);
    let conflicts = enter_conflicts(&mut transaction, &judgement.conflicts).await?;
    let facts = admission::facts(arrivals, &firsts, &known, &conflicts, how);
    let mut heads = HashMap::new();
    for stream in admission::streams(facts.iter().map(|fact| &fact.stream)) {
        match how {
            How::Fresh => work::wake_stream(&mut transaction, stream, true, now).await?,
            How::Held => work::keep_stream(&mut transaction, stream).await?,
        }
        heads.insert(stream.to_owned(), head(&mut transaction, stream).await?);
    }
    let pairs = facts.iter().map(|fact| (&fact.stream, &fact.event));
    append(&mut transaction, &admission::link(pairs, heads, now)?).await?;
    for arrival in facts.iter().filter_map(|fact| fact.arrival) {
        keep_payload(&mut transaction, arrival).await?;
    }
    if how == How::Fresh {
        for arrival in arrivals {
            note_position(&mut transaction, arrival).await?;
        }
    }
    transaction.commit().await?;
    Ok(judgement.admissions)
}

/// Enters the webhooks that are new; answers what was known of the others.
async fn enter(
    connection: &mut SqliteConnection,
    firsts: &BTreeMap<Key<'_>, &Arrival>,
) -> Result<HashMap<(String, String), Known>, StoreError> {
    let mut known = HashMap::new();
    for ((account, event), first) in firsts {
        let before: Option<(String, String)> = sqlx::query_as(
            "select body_hash, stream from webhooks where account = $1 and event_id = $2",
        )
        .bind(*account)
        .bind(*event)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some((body_hash, stream)) = before {
            let key = ((*account).to_owned(), (*event).to_owned());
            known.insert(key, Known::read(body_hash, stream)?);
            continue;
        }
        sqlx::query(
            "insert into webhooks (account, event_id, body_hash, stream, broker_stream,
                                   broker_sequence)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(*account)
        .bind(*event)
        .bind(&first.told.body_hash)
        .bind(first.stream.as_str())
        .bind(&first.position.stream)
        .bind(row::column(first.position.sequence)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(known)
}

/// Enters other bodies under known ids; answers the arrivals nobody entered before.
async fn enter_conflicts<'a>(
    connection: &mut SqliteConnection,
    conflicts: &BTreeMap<(Key<'a>, &'a str), &'a Arrival>,
) -> Result<Vec<&'a Arrival>, StoreError> {
    let mut new = Vec::new();
    for (((account, event), hash), arrival) in conflicts {
        let entered = sqlx::query(
            "insert into conflicts (account, event_id, body_hash)
             select $1, $2, $3
             where not exists (select 1 from conflicts
                               where account = $1 and event_id = $2 and body_hash = $3)",
        )
        .bind(*account)
        .bind(*event)
        .bind(*hash)
        .execute(&mut *connection)
        .await?;
        if entered.rows_affected() == 1 {
            new.push(*arrival);
        }
    }
    Ok(new)
}

/// The end of one stream; before its first event, nothing.
pub(super) async fn head(
    connection: &mut SqliteConnection,
    stream: &str,
) -> Result<Head, StoreError> {
    let last: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "select sequence, hash from events where stream = $1 order by sequence desc limit 1",
    )
    .bind(stream)
    .fetch_optional(connection)
    .await?;
    last.map_or(Ok(Head::default()), |(sequence, hash)| row::head(stream, sequence, &hash))
}

/// Appends links, in order.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    links: &[Link],
) -> Result<(), StoreError> {
    for link in links {
        sqlx::query(
            "insert into events (stream, sequence, account, about, kind, version, data,
                                 recorded_at, previous, hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&link.stream)
        .bind(link.sequence)
        .bind(&link.account)
        .bind(&link.about)
        .bind(&link.kind)
        .bind(link.version)
        .bind(&link.data)
        .bind(link.recorded_at_us)
        .bind(&link.previous)
        .bind(&link.hash)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn keep_payload(
    connection: &mut SqliteConnection,
    arrival: &Arrival,
) -> Result<(), StoreError> {
    let webhook = &arrival.webhook;
    sqlx::query(
        "insert into payloads (account, event_id, body_hash, signature, late_s, received_at,
                               traceparent, bytes)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(webhook.account.as_str())
    .bind(arrival.told.event_id.as_str())
    .bind(&arrival.told.body_hash)
    .bind(row::header(&webhook.signature))
    .bind(webhook.late_s)
    .bind(Moment::from(webhook.received_at))
    .bind(webhook.traceparent.as_deref().map(row::header))
    .bind(&webhook.body)
    .execute(connection)
    .await?;
    Ok(())
}

async fn note_position(
    connection: &mut SqliteConnection,
    arrival: &Arrival,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into broker_positions (broker_stream, sequence) values ($1, $2)
         on conflict do nothing",
    )
    .bind(&arrival.position.stream)
    .bind(row::column(arrival.position.sequence)?)
    .execute(connection)
    .await?;
    Ok(())
}
