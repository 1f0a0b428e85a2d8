//! What only PostgreSQL promises: late commits, refusals, roles, and the price of a batch.

use std::time::Instant;

use concilia_tests::harness::postgres::Postgres;
use concilia_worker::store::{self, Cursor, StoreError};
use sqlx::Connection as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnection;

use crate::given::{abouts, arrival, at, follow, stream};
use crate::home::{Home, ROLES, config_of};

/// An event entered by hand, in a transaction of the test's own.
const BY_HAND: &str = "
    insert into events (stream, sequence, account, about, kind, version, data, recorded_at,
                        previous, hash)
    values ('main/late', 1, 'main', 'evt_late', 'recorded', 1,
            '{\"kind\":\"recorded\",\"about\":\"evt_late\",\"reason\":{\"reason\":\"nothing_to_do\"}}',
            now(), decode(repeat('00', 32), 'hex'), decode(repeat('11', 32), 'hex'))";

/// What a view would do that trusts the order of positions.
async fn naive_since(connection: &mut PgConnection, last: &mut i64) -> Vec<String> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("select position, about from events where position > $1 order by position")
            .bind(*last)
            .fetch_all(connection)
            .await
            .unwrap();
    *last = rows.last().map_or(*last, |row| row.0);
    rows.into_iter().map(|row| row.1).collect()
}

#[tokio::test]
async fn a_late_commit_is_not_skipped() {
    let home = Home::postgres().await;
    let store = home.open().await;
    let (mut cursor, mut last) = (Cursor::default(), 0);
    let mut reader = PgConnection::connect(home.url()).await.unwrap();
    let mut slow = PgConnection::connect(home.url()).await.unwrap();

    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let mut transaction = slow.begin().await.unwrap();
    sqlx::raw_sql(BY_HAND).execute(&mut *transaction).await.unwrap();
    store.admit(&[arrival("evt_2", "b", 2)], at(0)).await.unwrap();

    assert_eq!(naive_since(&mut reader, &mut last).await, ["evt_1", "evt_2"]);
    assert_eq!(abouts(&follow(&*store, &mut cursor, 1, 9).await), ["evt_1"]);
    assert!(store.since(cursor, 9).await.unwrap().is_empty());
    transaction.commit().await.unwrap();

    // The naive reader has passed the late event's position, and never sees it.
    assert!(naive_since(&mut reader, &mut last).await.is_empty());
    store.admit(&[arrival("evt_3", "c", 3)], at(0)).await.unwrap();
    assert_eq!(naive_since(&mut reader, &mut last).await, ["evt_3"]);

    let rest = follow(&*store, &mut cursor, 3, 9).await;
    assert_eq!(abouts(&rest), ["evt_late", "evt_2", "evt_3"]);
}

async fn refusal(url: &str) -> String {
    match store::open(&config_of(url)).await {
        Err(StoreError::Refused(sentence)) => sentence,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_server_that_could_lose_a_commit_is_refused() {
    let cluster = Postgres::start(&[("fsync", "off")]).unwrap();
    let url = cluster.fresh_database().await.unwrap();
    assert!(refusal(&url).await.contains("fsync is off"));
    drop(cluster);

    let home = Home::postgres().await;
    let in_url = format!("{}?options=-c%20synchronous_commit%3Doff", home.url());
    assert!(refusal(&in_url).await.contains("synchronous_commit is off"));
    let name = home.url().rsplit('/').next().unwrap().to_owned();
    home.sql(&format!("alter database {name} set synchronous_commit = off")).await.unwrap();
    assert!(refusal(home.url()).await.contains("synchronous_commit is off"));
    home.sql(&format!("alter database {name} set synchronous_commit = local")).await.unwrap();
    home.open().await;
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let cluster = Postgres::shared().unwrap();
    let sql = "create database latin encoding 'LATIN1' template template0";
    cluster.execute("postgres", sql.to_owned()).await.unwrap();
    assert!(refusal(&cluster.url("latin")).await.contains("LATIN1"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_password_not_told() {
    let url = "postgres://u:hidden@127.0.0.1:9/d";
    let error = store::open(&config_of(url)).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let nonsense = store::open(&config_of("postgres://u:hidden@h:port/d")).await;
    for error in [error, nonsense.err().unwrap()] {
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn a_log_restored_into_a_younger_server_is_refused_until_it_is_adopted() {
    let home = Home::postgres().await;
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    home.disarm().await;
    // As a dump brings it: with the transaction ids of the server it came from.
    home.sql("update events set txid = '4000000000'").await.unwrap();
    assert!(store.since(Cursor::default(), 9).await.unwrap().is_empty());
    assert!(refusal(home.url()).await.contains("after-restore.sql"));

    let adopt = include_str!("../../worker/migrations/postgres/after-restore.sql");
    home.sql(adopt).await.unwrap();
    let store = home.open().await;
    follow(&*store, &mut Cursor::default(), 1, 9).await;
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
    assert!(home.sql("delete from events").await.is_err(), "it is armed again");
}

#[tokio::test]
async fn the_workers_role_may_add_to_the_log_and_nothing_else() {
    let home = Home::postgres_as_worker().await;
    home.sql(ROLES).await.unwrap();
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let mut connection = PgConnection::connect(home.url()).await.unwrap();
    for sql in [
        "update events set kind = kind",
        "delete from events",
        "truncate events",
        "alter table events disable trigger append_only",
        "drop trigger append_only on events",
        "drop table events",
        "insert into events (txid) values ('1')",
        "update webhooks set body_hash = 'x'",
        "delete from conflicts",
        "delete from payloads",
        "update payloads set bytes = ''",
        "delete from work",
        "delete from broker_positions",
        "update broker_gone set last = 9",
        "insert into migrations (version, name, checksum) values (9, 'x', 'x')",
        "set session_replication_role = replica",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut connection).await;
        let error = error.unwrap_err();
        let code = error.as_database_error().and_then(DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_role_that_may_not_make_the_tables_is_told_who_must() {
    let home = Home::postgres_as_worker().await;
    // An empty database beside it.
    let empty = Home::postgres().await;
    let url = empty.url().replace("//postgres@", "//app@");
    drop(home);
    empty.sql("revoke create on schema public from public").await.unwrap();
    let sentence = refusal(&url).await;
    assert!(sentence.contains("owner of its tables"), "{sentence}");
}

#[tokio::test]
async fn a_store_outlives_its_server() {
    let cluster = Postgres::start(&[]).unwrap();
    let url = cluster.fresh_database().await.unwrap();
    let store = store::open(&config_of(&url)).await.unwrap();
    store.ping().await.unwrap();
    drop(cluster);
    let error = store.admit(&[arrival("evt_1", "a", 1)], at(0)).await;
    assert!(matches!(error, Err(StoreError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn a_batch_is_cheaper_than_its_parts() {
    let home = Home::postgres().await;
    let store = home.open().await;
    let batch = |from: u64, count: u64| -> Vec<_> {
        (from..from + count)
            .map(|n| arrival(&format!("evt_{n}"), &format!("s-{}", n % 50), n))
            .collect()
    };
    store.admit(&batch(1, 10), at(0)).await.unwrap();

    let start = Instant::now();
    for n in 0..100 {
        store.admit(&batch(1_000 + n, 1), at(0)).await.unwrap();
    }
    let single = start.elapsed() / 100;
    let start = Instant::now();
    for n in 0..5 {
        store.admit(&batch(10_000 + n * 200, 200), at(0)).await.unwrap();
    }
    let in_batch = start.elapsed() / 1_000;
    println!("one event: {single:?} alone, {in_batch:?} in a batch of 200");
    assert!(single > in_batch * 3, "{single:?} alone, {in_batch:?} in a batch");
}

#[tokio::test]
async fn a_cluster_is_gone_when_dropped() {
    let cluster = Postgres::start(&[]).unwrap();
    let port = cluster.port();
    let connect = || std::net::TcpStream::connect(("127.0.0.1", port));
    connect().unwrap();
    drop(cluster);
    connect().unwrap_err();
}
