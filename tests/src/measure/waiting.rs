//! Section `waiting`: what streams that wait (Pending, due some time later) cost a fresh event.
//!
//! Two whole systems stand side by side, one with nothing in its log and one with a hundred
//! thousand waiting streams, and every step is done on one and then on the other: first claim
//! and release in the store, then a payment from its webhook to its booking through real
//! processes and a simulated Odoo. The ratio to the empty one should be about one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use concilia_worker::domain::event::Event;
use concilia_worker::domain::reason::RecordReason;
use concilia_worker::store::{EventStore, Step, Then};
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Sizes;
use super::body;
use super::figures::{self, Unit};
use super::log;
use super::now;
use super::report::{Row, Section};
use crate::harness::config::ACCOUNTS;
use crate::harness::database::StoreKind;
use crate::harness::shop::Series;
use crate::harness::system::{Options, System};

/// Webhooks admitted at once while the log is filled.
const FILL_BATCH: usize = 1_000;

/// How many of these go on at once.
const FILL_LANES: usize = 4;

/// How long a claim holds.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Longest a payment is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks into the log.
const LOOK: Duration = Duration::from_millis(1);

/// Pesos of every payment.
const PESOS: i64 = 15_990;

/// What a claim that found nothing to do for now leaves: due in a month, tried before.
const RELEASE: &str = "update work set due_at = now() + interval '30 days', fresh = false, \
                       generation = generation + 1";

/// What autovacuum does sooner or later.
const TIDY: &str = "vacuum (analyze) work, events, webhooks, payloads, broker_positions";

/// Measures.
pub async fn section(sizes: &Sizes) -> anyhow::Result<Section> {
    let mut empty = Side::start(0).await?;
    let mut full = Side::start(sizes.waiting).await?;
    let (mut claims, mut payments) = (Pairs::default(), Pairs::default());
    for _ in 0..sizes.claims {
        claims.push(empty.claim().await?, full.claim().await?);
    }
    for side in [&mut empty, &mut full] {
        side.start_worker().await?;
    }
    for number in 0..sizes.payments {
        payments.push(empty.pay(number).await?, full.pay(number).await?);
    }
    for side in [&mut empty, &mut full] {
        side.check(sizes).await?;
    }
    let waiting = sizes.waiting;
    let mut rows = claims.rows("claim and release in the store");
    rows.extend(payments.rows("webhook posted to payment booked"));
    let title = format!("a fresh event beside {waiting} streams that wait (on PostgreSQL)");
    Ok(Section { name: "waiting", title, rows })
}

/// Durations on both sides.
#[derive(Debug, Default)]
struct Pairs {
    empty: Vec<Duration>,
    full: Vec<Duration>,
}

impl Pairs {
    fn push(&mut self, empty: Duration, full: Duration) {
        self.empty.push(empty);
        self.full.push(full);
    }

    /// The percentiles of all: taken turn by turn, they are one pair.
    fn rows(&self, case: &str) -> Vec<Row> {
        let row = |what, percent| {
            let of = |side| {
                figures::microseconds(figures::percentile(side, percent).unwrap_or_default())
            };
            Row {
                case: case.to_owned(),
                what,
                unit: Unit::Microseconds,
                baseline: "the same with nothing waiting".to_owned(),
                pairs: vec![(of(&self.full), of(&self.empty))],
            }
        };
        vec![row("p50", 50), row("p99", 99)]
    }
}

/// Admits so many webhooks, each about a stream of its own.
async fn fill(store: &dyn EventStore, count: usize) -> anyhow::Result<()> {
    let mut filled = 0;
    while filled < count {
        let batch = FILL_BATCH.min(count - filled);
        let arrivals = body::arrivals(batch, "measure@waiting", now())?;
        log::admit(store, &arrivals, batch).await?;
        filled += batch;
    }
    Ok(())
}

/// One of the two systems.
struct Side {
    system: System,
    store: std::sync::Arc<dyn EventStore>,
    sql: PgConnection,
    /// Streams that wait.
    waiting: usize,
}

impl Side {
    async fn start(waiting: usize) -> anyhow::Result<Self> {
        let options = Options::new(StoreKind::Postgres, Series::V19);
        let system = System::start_without_worker(options).await;
        let url = system.database.url();
        let (store, mut sql) = (log::open(&url).await?, log::connect(&url).await?);
        let lanes = (0..FILL_LANES).map(|lane| {
            let share = waiting / FILL_LANES + usize::from(lane < waiting % FILL_LANES);
            fill(&*store, share)
        });
        try_join_all(lanes).await?;
        sqlx::raw_sql(RELEASE).execute(&mut sql).await?;
        sqlx::raw_sql(TIDY).execute(&mut sql).await?;
        Ok(Self { system, store, sql, waiting })
    }

    /// One fresh event in the store: claimed and put to rest.
    async fn claim(&mut self) -> anyhow::Result<Duration> {
        let arrivals = body::arrivals(1, "measure@claims", now())?;
        log::admit(&*self.store, &arrivals, 1).await?;
        let started = Instant::now();
        let now = now();
        let claims = self.store.claim("measure", now, now + LEASE, 4).await?;
        let [claim] = claims.as_slice() else {
            anyhow::bail!("{} streams were due instead of the fresh one", claims.len());
        };
        ensure!(claim.stream == arrivals[0].stream, "{} is not the fresh stream", claim.stream);
        let about = arrivals[0].told.event_id.clone();
        let events = vec![Event::Recorded { about, reason: RecordReason::NothingToDo }];
        let step = Step { events, after_sequence: 1, then: Then::Rest };
        self.store.advance(claim, &step, now).await?;
        Ok(started.elapsed())
    }

    /// The worker, as talkative as it is by default.
    async fn start_worker(&mut self) -> anyhow::Result<()> {
        self.system.start_worker(&[("CONCILIA_LOG", "info")]);
        self.system.workers_are_ready().await;
        Ok(())
    }

    /// One payment for an order in Odoo: from the moment its webhook is posted until the log
    /// says that it is booked.
    async fn pay(&mut self, number: usize) -> anyhow::Result<Duration> {
        let (_, _, field) = ACCOUNTS[0];
        let order = self.system.shop.order(PESOS, field, &format!("MEASURE-{number}"));
        let payment = self.system.pay(PESOS, &order.key);
        let started = Instant::now();
        self.system.received(None, payment.body).await;
        while started.elapsed() < PATIENCE {
            let kinds: Vec<String> =
                sqlx::query_scalar("select kind from events where stream = $1 order by sequence")
                    .bind(format!("{}/checkout-{}", ACCOUNTS[0].0, payment.checkout))
                    .fetch_all(&mut self.sql)
                    .await?;
            match kinds.get(1).map(String::as_str) {
                None => tokio::time::sleep(LOOK).await,
                Some("booked") => return Ok(started.elapsed()),
                Some(other) => anyhow::bail!("a payment was {other} instead of booked"),
            }
        }
        anyhow::bail!("a payment was not booked within {PATIENCE:?}")
    }

    /// The log holds what was sent, and what waited still waits.
    async fn check(&mut self, sizes: &Sizes) -> anyhow::Result<()> {
        let of = |kind| AssertSqlSafe(format!("select count(*) from events where kind = '{kind}'"));
        let received: i64 =
            sqlx::query_scalar(of("webhook_received")).fetch_one(&mut self.sql).await?;
        let booked: i64 = sqlx::query_scalar(of("booked")).fetch_one(&mut self.sql).await?;
        let waits = "select count(*) from work where due_at > now() + interval '1 day'";
        let waits: i64 = sqlx::query_scalar(waits).fetch_one(&mut self.sql).await?;
        let sent = self.waiting + sizes.claims + sizes.payments;
        for (what, count, expected) in [
            ("webhooks in the log", received, sent),
            ("bookings in the log", booked, sizes.payments),
            ("waiting streams", waits, self.waiting),
        ] {
            let expected = i64::try_from(expected).context("a count")?;
            ensure!(count == expected, "{what}: {count} instead of {expected}");
        }
        let in_odoo = self.system.shop.booked().len();
        ensure!(in_odoo == sizes.payments, "Odoo holds {in_odoo} payments");
        Ok(())
    }
}
