//! Opening SQLite: what is refused, the schema, and how connections are set up.

use std::str::FromStr;
use std::time::Duration;

use concilia_shared::config;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, raw_sql};

use super::{BEGIN, SqliteStore};
use crate::store::StoreError;
use crate::store::error::{ACQUIRE_TIMEOUT, bounded};
use crate::store::migrate::{self, Migration};

const MIGRATIONS: [Migration; 5] = [
    Migration {
        version: 1,
        name: "sqlite/0001_log.sql",
        sql: include_str!("../../../migrations/sqlite/0001_log.sql"),
    },
    Migration {
        version: 2,
        name: "sqlite/0002_leases.sql",
        sql: include_str!("../../../migrations/sqlite/0002_leases.sql"),
    },
    Migration {
        version: 3,
        name: "sqlite/0003_views.sql",
        sql: include_str!("../../../migrations/sqlite/0003_views.sql"),
    },
    Migration {
        version: 4,
        name: "sqlite/0004_oldest.sql",
        sql: include_str!("../../../migrations/sqlite/0004_oldest.sql"),
    },
    Migration {
        version: 5,
        name: "sqlite/0005_mirrors.sql",
        sql: include_str!("../../../migrations/sqlite/0005_mirrors.sql"),
    },
];

/// Longest wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers are for people and probes: a few do.
const READERS_MAX: u32 = 4;

impl SqliteStore {
    /// Opens the file, or makes it, checks that it keeps what it commits, and brings the
    /// schema up to date.
    pub async fn open(config: &config::Store) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(config.url.expose())
            .map_err(|error| StoreError::Refused(format!("store.url does not read: {error}.")))?
            .create_if_missing(true)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Every commit reaches the disk before it is one.
            .synchronous(SqliteSynchronous::Full)
            // Where fsync alone does not empty the drive's cache (macOS); elsewhere nothing.
            .pragma("fullfsync", "on")
            // After a burst the write-ahead log does not keep its size for ever.
            .pragma("journal_size_limit", "67108864");
        bounded(async {
            let mut connection = SqliteConnection::connect_with(&options)
                .await
                .map_err(|error| not_opened(error, &options))?;
            refuse_unsafe(&mut connection).await?;
            migrate(&mut connection).await?;
            connection.close().await?;
            Ok(())
        })
        .await?;
        let pool = |connections| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
        };
        let readers = config.connections_max.clamp(1, READERS_MAX);
        Ok(Self {
            writer: pool(1).connect_lazy_with(options.clone()),
            readers: pool(readers).connect_lazy_with(options.pragma("query_only", "on")),
        })
    }
}

/// A file that cannot be opened at start is a mistake to set right, not weather.
fn not_opened(error: sqlx::Error, options: &SqliteConnectOptions) -> StoreError {
    /// `SQLITE_CANTOPEN` and `SQLITE_READONLY`.
    const NO_WAY_IN: [&str; 2] = ["14", "8"];
    let code = error.as_database_error().and_then(DatabaseError::code);
    if code.is_some_and(|code| NO_WAY_IN.contains(&code.as_ref())) {
        StoreError::Refused(format!(
            "SQLite cannot open {}: the folder must exist, and the worker must be allowed to write in it.",
            options.get_filename().display()
        ))
    } else {
        error.into()
    }
}

/// Refuses a file that could lose what it committed.
async fn refuse_unsafe(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let journal: String =
        sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(connection).await?;
    let refused = if journal == "memory" {
        "store.url names a database in memory, which keeps nothing: name a file.".to_owned()
    } else if journal != "wal" {
        format!(
            "SQLite cannot keep a write-ahead log there (journal_mode is {journal}): put the file \
             on a local disk."
        )
    } else if synchronous < 2 {
        "SQLite's synchronous is below full: a crash could undo what was committed.".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(refused))
}

/// Brings the schema up to date; of several processes starting at once, one does.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    // The usual start takes no lock.
    if migrate::outstanding(&MIGRATIONS, &applied(connection).await?)?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::query(
        "create table if not exists migrations (
             version    integer primary key,
             name       text not null,
             checksum   text not null,
             applied_at text not null default current_timestamp
         ) strict",
    )
    .execute(&mut *transaction)
    .await?;
    let applied = applied(&mut transaction).await?;
    for migration in migrate::outstanding(&MIGRATIONS, &applied)? {
        raw_sql(migration.sql).execute(&mut *transaction).await?;
        sqlx::query("insert into migrations (version, name, checksum) values ($1, $2, $3)")
            .bind(migration.version)
            .bind(migration.name)
            .bind(migration.checksum())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<(i32, String)>, StoreError> {
    let exists: bool = sqlx::query_scalar(
        "select exists (select 1 from sqlite_schema where type = 'table' and name = 'migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let applied = sqlx::query_as("select version, checksum from migrations order by version")
        .fetch_all(connection)
        .await?;
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sentence(
        set: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("log.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = SqliteConnection::connect_with(&set(options)).await.unwrap();
        let answer = refuse_unsafe(&mut connection).await;
        answer.err().map(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_file_that_could_lose_a_commit_is_refused() {
        assert_eq!(sentence(|options| options).await, None);
        let normal = sentence(|options| options.synchronous(SqliteSynchronous::Normal)).await;
        assert!(normal.unwrap().contains("synchronous"));
        let rollback = sentence(|options| options.journal_mode(SqliteJournalMode::Delete)).await;
        assert!(rollback.unwrap().contains("journal_mode is delete"));
    }

    #[tokio::test]
    async fn a_database_in_memory_is_refused() {
        let config = config::Store {
            url: concilia_shared::secret::Secret::new("sqlite::memory:"),
            connections_max: 1,
            ..config::Store::default()
        };
        let error = SqliteStore::open(&config).await.unwrap_err();
        assert!(error.to_string().contains("keeps nothing"), "{error}");
    }
}
