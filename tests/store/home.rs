//! A fresh database of one kind: opened as often as a test needs processes, and open to raw
//! SQL as its owner, for what the store itself does not do.

use std::sync::Arc;

use concilia_shared::config;
use concilia_shared::secret::Secret;
use concilia_tests::harness::postgres::Postgres;
use concilia_worker::store::{self, EventStore, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;

pub(crate) const ROLES: &str = include_str!("../../worker/migrations/postgres/roles.sql");

pub(crate) struct Home {
    /// As the owner of the tables.
    owner: String,
    /// As the worker under test.
    url: String,
    _folder: Option<TempDir>,
}

impl Home {
    /// PostgreSQL, the worker being the owner of the tables.
    pub(crate) async fn postgres() -> Self {
        let url = Postgres::shared().unwrap().fresh_database().await.unwrap();
        Self { owner: url.clone(), url, _folder: None }
    }

    /// PostgreSQL, the worker having the role `concilia_worker` and nothing else.
    pub(crate) async fn postgres_as_worker() -> Self {
        let owner = Self::postgres().await;
        // The tables are the owner's: made at its first start.
        owner.open().await;
        owner.sql(ROLES).await.unwrap();
        owner
            .sql(
                "do $$ begin
                     create role app login in role concilia_worker;
                 exception when duplicate_object or unique_violation then null; end $$",
            )
            .await
            .unwrap();
        let url = owner.owner.replace("//postgres@", "//app@");
        assert_ne!(url, owner.owner);
        Self { url, ..owner }
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/log.db", folder.path().display());
        let home = Self { owner: url.clone(), url, _folder: Some(folder) };
        home.open().await;
        home
    }

    /// One more of the same kind.
    pub(crate) async fn another(&self) -> Self {
        if self.is_sqlite() {
            Self::sqlite().await
        } else if self.url == self.owner {
            Self::postgres().await
        } else {
            Self::postgres_as_worker().await
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.owner.starts_with("sqlite:")
    }

    /// The address the worker is given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Opens the store as one more process does.
    pub(crate) async fn open(&self) -> Arc<dyn EventStore> {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Arc<dyn EventStore>, StoreError> {
        store::open(&config_of(&self.url)).await
    }

    /// Runs SQL as the owner of the tables.
    pub(crate) async fn sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = self.sqlite_connection().await;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        } else {
            let mut connection = PgConnection::connect(&self.owner).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        }
    }

    /// The one number a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = self.sqlite_connection().await;
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            number.unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.owner).await.unwrap();
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            number.unwrap()
        }
    }

    /// The texts in the last column of what a query of SQLite's answers.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let mut connection = self.sqlite_connection().await;
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        let texts: Vec<String> = rows.into_iter().map(|row| row.3).collect();
        texts.join("\n")
    }

    /// Every row of every view, byte for byte, a line each.
    pub(crate) async fn views(&self) -> String {
        const TABLES: [(&str, &str); 3] = [
            (
                "view_events",
                "stream, event_id, account, type, status, reason, received_at, day, minor,
                 currency, due_at, since, held, mode, looked_for, search, row",
            ),
            (
                "view_payments",
                "stream, currency, account, day, paid, refunded, booked, pending, parked, other",
            ),
            ("view_keys", "account, value, stream"),
        ];
        let mut all = String::new();
        for (table, columns) in TABLES {
            let list = if self.is_sqlite() { "json_array" } else { "jsonb_build_array" };
            let sql = format!(
                "select cast({list}({columns}) as text) as line from {table} order by line"
            );
            for line in self.lines(&sql).await {
                all.push_str(&line);
                all.push('\n');
            }
        }
        all
    }

    /// The one text of each row a query answers.
    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = self.sqlite_connection().await;
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.owner).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
    }

    /// Lets the owner change what is append-only, as somebody with a hand in the database.
    pub(crate) async fn disarm(&self) {
        let sql = if self.is_sqlite() {
            "drop trigger events_refuse_update"
        } else {
            "alter table events disable trigger append_only"
        };
        self.sql(sql).await.unwrap();
    }

    /// Lets the owner change everything.
    pub(crate) async fn disarm_all(&self) {
        let sql = if self.is_sqlite() {
            "drop trigger events_refuse_update; drop trigger events_refuse_delete;
             drop trigger webhooks_refuse_update; drop trigger webhooks_refuse_delete;
             drop trigger conflicts_refuse_update; drop trigger conflicts_refuse_delete;
             drop trigger payloads_refuse_update"
        } else {
            "alter table events disable trigger append_only;
             alter table webhooks disable trigger append_only;
             alter table conflicts disable trigger append_only;
             alter table payloads disable trigger never_exchanged"
        };
        self.sql(sql).await.unwrap();
    }

    async fn sqlite_connection(&self) -> SqliteConnection {
        let options: SqliteConnectOptions = self.owner.parse().unwrap();
        let options = options.busy_timeout(std::time::Duration::from_secs(20));
        SqliteConnection::connect_with(&options).await.unwrap()
    }
}

pub(crate) fn config_of(url: &str) -> config::Store {
    config::Store { url: Secret::new(url), connections_max: 8, ..config::Store::default() }
}
