//! What a claim touches in the table of work while a hundred thousand streams wait: counted in
//! pages by PostgreSQL itself, so that no noise of the machine decides.
//!
//! Not here: the same in time, on both databases ([`crate::work`]).

use std::time::{Duration, Instant};

use concilia_worker::store::Then;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::given::{DEADLINE, arrival, at, settled, step};
use crate::home::Home;

/// Streams that wait.
const WAITING: i64 = 100_000;

/// Fresh streams of one count.
const FRESH: u64 = 20;

/// How many times the pages may be touched with all that wait: indexes are a level or two
/// deeper then. A walk over the waiting rows touches some hundred times as many.
const FACTOR: i64 = 5;

/// Pages of `work` and its indexes touched so far, as the server has counted.
async fn touched(connection: &mut PgConnection) -> i64 {
    // What was read in this transaction before would be answered again.
    sqlx::query("select pg_stat_clear_snapshot()").execute(&mut *connection).await.unwrap();
    sqlx::query_scalar(
        "select (heap_blks_hit + heap_blks_read
                 + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0))::bigint
         from pg_statio_user_tables where relname = 'work'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Waits until nobody else is connected: a session hands in its counts when it ends.
async fn alone(connection: &mut PgConnection) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let others: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if others == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{others} sessions do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Pages touched while fresh streams are admitted, claimed and put to rest, each.
async fn pages_a_stream(home: &Home, round: u64) -> i64 {
    let mut watch = PgConnection::connect(home.url()).await.unwrap();
    alone(&mut watch).await;
    let before = touched(&mut watch).await;
    let store = home.open().await;
    for n in 0..FRESH {
        let id = format!("evt_{round}_{n}");
        store.admit(&[arrival(&id, &id, round * 1_000 + n)], at(0)).await.unwrap();
        let claims = store.claim("w", at(1), at(60), 4).await.unwrap();
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].stream.object(), id);
        let rest = step(vec![settled(&id)], 1, Then::Rest);
        store.advance(&claims[0], &rest, at(2)).await.unwrap();
    }
    drop(store);
    alone(&mut watch).await;
    // Before PostgreSQL 15 counts are handed in by messages, which may come a moment later.
    let deadline = Instant::now() + DEADLINE;
    let mut after = touched(&mut watch).await;
    while after == before {
        assert!(Instant::now() < deadline, "nothing was counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
        after = touched(&mut watch).await;
    }
    watch.close().await.unwrap();
    (after - before) / i64::try_from(FRESH).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_touches_no_page_more_for_a_hundred_thousand_waiting_streams() {
    let home = Home::postgres().await;
    // Makes the tables.
    drop(home.open().await);
    let empty = pages_a_stream(&home, 1).await;
    home.sql(&format!(
        "alter table work set (autovacuum_enabled = off);
         insert into work (stream, account, due_at, fresh, generation)
         select 'main/waits-' || n, 'main', timestamptz '{}', false, 1
         from generate_series(1, {WAITING}) as n;
         analyze work",
        at(5_000)
    ))
    .await
    .unwrap();
    let full = pages_a_stream(&home, 2).await;
    println!("pages of the table of work a stream: {empty} with none waiting, {full} with all");
    assert!(
        empty > 0 && full <= empty * FACTOR,
        "{full} pages with all waiting, {empty} with none"
    );

    // The same count without the index shows that it would have been noticed.
    home.sql("drop index work_ready").await.unwrap();
    let scanned = pages_a_stream(&home, 3).await;
    println!("and {scanned} without the index");
    assert!(scanned > full * FACTOR, "{scanned} pages without the index, {full} with it");
}
