//! Admitting a batch: eight statements, whatever its size, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use super::work;
use crate::store::admission::{self, How, Key, Known};
use crate::store::chain::{Head, Link};
use crate::store::row::{self, Moment};
use crate::store::{Admission, Arrival, StoreError};

pub(super) async fn admit(
    pool: &PgPool,
    arrivals: &[Arrival],
    how: How,
    now: Moment,
) -> Result<Vec<Admission>, StoreError> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = pool.begin().await?;
    let firsts = admission::firsts(arrivals);
    let known = enter(&mut transaction, &firsts).await?;
    let judgement = admission::judge(arrivals, &firsts, &known);
    let conflicts = enter_conflicts(&mut transaction, &judgement.conflicts).await?;
    let facts = admission::facts(arrivals, &firsts, &known, &conflicts, how);
    if !facts.is_empty() {
        let streams: Vec<&str> = admission::streams(facts.iter().map(|fact| &fact.stream));
        match how {
            How::Fresh => work::lock_and_wake(&mut transaction, &streams, true, now).await?,
            How::Held => work::lock(&mut transaction, &streams).await?,
        }
        let heads = heads(&mut transaction, &streams).await?;
        let pairs = facts.iter().map(|fact| (&fact.stream, &fact.event));
        append(&mut transaction, &admission::link(pairs, heads, now)?).await?;
        let kept: Vec<&Arrival> = facts.iter().filter_map(|fact| fact.arrival).collect();
        keep_payloads(&mut transaction, &kept).await?;
    }
    if how == How::Fresh {
        note_positions(&mut transaction, arrivals).await?;
    }
    transaction.commit().await?;
    Ok(judgement.admissions)
}

/// Enters the webhooks that are new; answers what was known of the others. Waits for other
/// workers that are entering the same ones at this moment.
async fn enter(
    connection: &mut PgConnection,
    firsts: &BTreeMap<Key<'_>, &Arrival>,
) -> Result<HashMap<(String, String), Known>, StoreError> {
    let (accounts, events): (Vec<&str>, Vec<&str>) = firsts.keys().copied().unzip();
    let mut hashes = Vec::with_capacity(firsts.len());
    let mut streams = Vec::with_capacity(firsts.len());
    let mut broker_streams = Vec::with_capacity(firsts.len());
    let mut sequences = Vec::with_capacity(firsts.len());
    for first in firsts.values() {
        hashes.push(first.told.body_hash.as_str());
        streams.push(first.stream.as_str());
        broker_streams.push(first.position.stream.as_str());
        sequences.push(row::column(first.position.sequence)?);
    }
    let entered: Vec<(String, String)> = sqlx::query_as(
        "insert into webhooks (account, event_id, body_hash, stream, broker_stream, broker_sequence)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         on conflict (account, event_id) do nothing
         returning account, event_id",
    )
    .bind(&accounts)
    .bind(&events)
    .bind(&hashes)
    .bind(&streams)
    .bind(&broker_streams)
    .bind(&sequences)
    .fetch_all(&mut *connection)
    .await?;
    if entered.len() == firsts.len() {
        return Ok(HashMap::new());
    }
    let entered: HashSet<(String, String)> = entered.into_iter().collect();
    // A new statement sees what the worker it waited for has committed.
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "select account, event_id, body_hash, stream
         from unnest($1::text[], $2::text[]) as asked (account, event_id)
         join webhooks using (account, event_id)",
    )
    .bind(&accounts)
    .bind(&events)
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::new();
    for (account, event, body_hash, stream) in rows {
        let key = (account, event);
        if !entered.contains(&key) {
            known.insert(key, Known::read(body_hash, stream)?);
        }
    }
    Ok(known)
}

/// Enters other bodies under known ids; answers the arrivals nobody entered before.
async fn enter_conflicts<'a>(
    connection: &mut PgConnection,
    conflicts: &BTreeMap<(Key<'a>, &'a str), &'a Arrival>,
) -> Result<Vec<&'a Arrival>, StoreError> {
    if conflicts.is_empty() {
        return Ok(Vec::new());
    }
    let (keys, hashes): (Vec<Key<'_>>, Vec<&str>) = conflicts.keys().copied().unzip();
    let (accounts, events): (Vec<&str>, Vec<&str>) = keys.into_iter().unzip();
    let entered: Vec<(String, String, String)> = sqlx::query_as(
        "insert into conflicts (account, event_id, body_hash)
         select * from unnest($1::text[], $2::text[], $3::text[])
         on conflict do nothing
         returning account, event_id, body_hash",
    )
    .bind(&accounts)
    .bind(&events)
    .bind(&hashes)
    .fetch_all(connection)
    .await?;
    Ok(entered
        .iter()
        .filter_map(|(account, event, hash)| {
            conflicts.get(&((account.as_str(), event.as_str()), hash.as_str()))
        })
        .copied()
        .collect())
}

/// The ends of the streams that have begun; their rows in `work` are locked by now.
pub(super) async fn heads(
    connection: &mut PgConnection,
    streams: &[&str],
) -> Result<HashMap<String, Head>, StoreError> {
    let rows: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(
        "select asked.stream, last.sequence, last.hash
         from unnest($1::text[]) as asked (stream)
         cross join lateral (
             select sequence, hash from events
             where events.stream = asked.stream
             order by sequence desc
             limit 1
         ) as last",
    )
    .bind(streams)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(stream, sequence, hash)| {
            let head = row::head(&stream, sequence, &hash)?;
            Ok((stream, head))
        })
        .collect()
}

/// The end of one stream; before its first event, nothing.
pub(super) async fn head(connection: &mut PgConnection, stream: &str) -> Result<Head, StoreError> {
    let mut heads = heads(connection, &[stream]).await?;
    Ok(heads.remove(stream).unwrap_or_default())
}

/// Appends links, in order.
pub(super) async fn append(
    connection: &mut PgConnection,
    links: &[Link],
) -> Result<(), StoreError> {
    let text = |field: fn(&Link) -> &String| -> Vec<&str> {
        links.iter().map(|link| field(link).as_str()).collect()
    };
    let bytes = |field: fn(&Link) -> &Vec<u8>| -> Vec<&[u8]> {
        links.iter().map(|link| field(link).as_slice()).collect()
    };
    let sequences: Vec<i64> = links.iter().map(|link| link.sequence).collect();
    let versions: Vec<i32> = links.iter().map(|link| link.version).collect();
    let recorded_at: Vec<Moment> =
        links.iter().map(|link| Moment::from_microseconds(link.recorded_at_us)).collect();
    sqlx::query(
        "insert into events (stream, sequence, account, about, kind, version, data, recorded_at,
                             previous, hash)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[],
                              $6::integer[], $7::text[], $8::timestamptz[], $9::bytea[],
                              $10::bytea[])",
    )
    .bind(text(|link| &link.stream))
    .bind(sequences)
    .bind(text(|link| &link.account))
    .bind(text(|link| &link.about))
    .bind(text(|link| &link.kind))
    .bind(versions)
    .bind(text(|link| &link.data))
    .bind(recorded_at)
    .bind(bytes(|link| &link.previous))
    .bind(bytes(|link| &link.hash))
    .execute(connection)
    .await?;
    Ok(())
}

async fn keep_payloads(connection: &mut PgConnection, kept: &[&Arrival]) -> Result<(), StoreError> {
    let webhooks = || kept.iter().map(|arrival| &arrival.webhook);
    let told = || kept.iter().map(|arrival| &arrival.told);
    sqlx::query(
        "insert into payloads (account, event_id, body_hash, signature, late_s, received_at,
                               traceparent, bytes)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[],
                              $6::timestamptz[], $7::text[], $8::bytea[])",
    )
    .bind(webhooks().map(|it| it.account.as_str()).collect::<Vec<_>>())
    .bind(told().map(|it| it.event_id.as_str()).collect::<Vec<_>>())
    .bind(told().map(|it| it.body_hash.as_str()).collect::<Vec<_>>())
    .bind(webhooks().map(|it| row::header(&it.signature)).collect::<Vec<_>>())
    .bind(webhooks().map(|it| it.late_s).collect::<Vec<_>>())
    .bind(webhooks().map(|it| Moment::from(it.received_at)).collect::<Vec<_>>())
    .bind(webhooks().map(|it| it.traceparent.as_deref().map(row::header)).collect::<Vec<_>>())
    .bind(webhooks().map(|it| it.body.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn note_positions(
    connection: &mut PgConnection,
    arrivals: &[Arrival],
) -> Result<(), StoreError> {
    let mut positions: Vec<_> = arrivals.iter().map(|arrival| &arrival.position).collect();
    positions.sort_unstable();
    let streams: Vec<&str> = positions.iter().map(|at| at.stream.as_str()).collect();
    let sequences = positions.iter().map(|at| row::column(at.sequence));
    sqlx::query(
        "insert into broker_positions (broker_stream, sequence)
         select * from unnest($1::text[], $2::bigint[])
         on conflict do nothing",
    )
    .bind(streams)
    .bind(sequences.collect::<Result<Vec<i64>, _>>()?)
    .execute(connection)
    .await?;
    Ok(())
}
