//! Section `log`: webhooks admitted into PostgreSQL in a second, beside plain inserts of the
//! same bodies into a table with one unique key, in batches of the same size.
//!
//! Both sync at every commit. Admitting writes an event with its link of the chain, the key
//! that ends duplicates, the body, the broker's position and the work to do: a ratio of one is
//! not to be expected.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use concilia_shared::config;
use concilia_shared::secret::Secret;
use concilia_worker::store::{self, Admission, Arrival, EventStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::Sizes;
use super::body;
use super::figures::{self, Unit};
use super::now;
use super::report::{Row, Section};
use crate::harness::postgres::Postgres;

/// The table of the baseline.
const PLAIN: &str = "create table plain (key text collate \"C\" primary key, body bytea not null)";

/// Measures.
pub async fn section(sizes: &Sizes) -> anyhow::Result<Section> {
    let cluster = tokio::task::spawn_blocking(Postgres::shared).await??;
    let url = cluster.fresh_database().await?;
    let store = open(&url).await?;
    let mut plain = connect(&url).await?;
    sqlx::raw_sql(PLAIN).execute(&mut plain).await?;
    refuse_without_sync(&mut plain).await?;
    let mut rows = Vec::new();
    let mut sent = 0;
    for (size, batches) in &sizes.admissions {
        let mut pairs = Vec::new();
        for _ in 0..sizes.repetitions {
            let arrivals = body::arrivals(size * batches, "measure@log", now())?;
            let admitting = admit(&*store, &arrivals, *size).await?;
            let inserting = insert(&mut plain, &arrivals, *size).await?;
            sent += arrivals.len();
            let rate = |within| figures::per_second(arrivals.len(), within);
            pairs.push((rate(admitting), rate(inserting)));
        }
        rows.push(Row {
            case: if *size == 1 { "one by one".to_owned() } else { format!("batches of {size}") },
            what: "events",
            unit: Unit::PerSecond,
            baseline: "plain inserts of the same bodies".to_owned(),
            pairs,
        });
    }
    for table in ["events", "payloads", "plain"] {
        let count = count(&mut plain, table).await?;
        ensure!(usize::try_from(count)? == sent, "{sent} were sent, {table} holds {count}");
    }
    plain.close().await?;
    let title = "webhooks of 1 KiB admitted into the log on PostgreSQL".to_owned();
    Ok(Section { name: "log", title, rows })
}

/// Opens the store at this address.
pub async fn open(url: &str) -> anyhow::Result<std::sync::Arc<dyn EventStore>> {
    let config = config::Store { url: Secret::new(url), ..config::Store::default() };
    store::open(&config).await.context("opening the event store")
}

/// A connection of our own to the same database.
pub async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let options: PgConnectOptions = url.parse()?;
    Ok(PgConnection::connect_with(&options).await?)
}

/// Admits everything, so many at a time; every one must be new.
pub async fn admit(
    store: &dyn EventStore,
    arrivals: &[Arrival],
    size: usize,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for batch in arrivals.chunks(size) {
        let admissions = store.admit(batch, now()).await?;
        let appended = admissions.iter().filter(|it| **it == Admission::Appended).count();
        ensure!(appended == batch.len(), "{appended} of {} new webhooks were new", batch.len());
    }
    Ok(started.elapsed())
}

async fn insert(
    connection: &mut PgConnection,
    arrivals: &[Arrival],
    size: usize,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for batch in arrivals.chunks(size) {
        let keys: Vec<&str> = batch.iter().map(|it| it.told.event_id.as_str()).collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|it| it.webhook.body.as_slice()).collect();
        sqlx::query("insert into plain select * from unnest($1::text[], $2::bytea[])")
            .bind(keys)
            .bind(bodies)
            .execute(&mut *connection)
            .await?;
    }
    Ok(started.elapsed())
}

/// The baseline means something only if it syncs too.
async fn refuse_without_sync(connection: &mut PgConnection) -> anyhow::Result<()> {
    let settings: (String, String) =
        sqlx::query_as("select current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(connection)
            .await?;
    ensure!(
        settings == ("on".to_owned(), "on".to_owned()),
        "the server does not sync: {settings:?}"
    );
    Ok(())
}

/// Rows of a table.
async fn count(connection: &mut PgConnection, table: &str) -> anyhow::Result<i64> {
    let sql = AssertSqlSafe(format!("select count(*) from {table}"));
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}
