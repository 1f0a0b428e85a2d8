//! Opening PostgreSQL: what is refused, the schema, and how sessions are set up.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use concilia_shared::config;
use concilia_shared::secret::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, raw_sql};

use super::PostgresStore;
use crate::store::StoreError;
use crate::store::error::{ACQUIRE_TIMEOUT, bounded};
use crate::store::migrate::{self, Migration};

const MIGRATIONS: [Migration; 5] = [
    Migration {
        version: 1,
        name: "postgres/0001_log.sql",
        sql: include_str!("../../../migrations/postgres/0001_log.sql"),
    },
    Migration {
        version: 2,
        name: "postgres/0002_leases.sql",
        sql: include_str!("../../../migrations/postgres/0002_leases.sql"),
    },
    Migration {
        version: 3,
        name: "postgres/0003_views.sql",
        sql: include_str!("../../../migrations/postgres/0003_views.sql"),
    },
    Migration {
        version: 4,
        name: "postgres/0004_oldest.sql",
        sql: include_str!("../../../migrations/postgres/0004_oldest.sql"),
    },
    Migration {
        version: 5,
        name: "postgres/0005_mirrors.sql",
        sql: include_str!("../../../migrations/postgres/0005_mirrors.sql"),
    },
];

/// Key of the advisory lock under which one process migrates; "concilia" in ASCII.
const MIGRATION_LOCK: i64 = 0x636f_6e63_696c_6961;

/// Connections are renewed now and then, so that a failover or a changed setting reaches all.
const CONNECTION_LIFETIME: Duration = Duration::from_mins(30);

impl PostgresStore {
    /// Checks the server, brings the schema up to date, and opens a pool.
    pub async fn open(config: &config::Store) -> Result<Self, StoreError> {
        let mut options = PgConnectOptions::from_str(config.url.expose())
            // The error could quote the url, which may hold a password.
            .map_err(|_| StoreError::Refused("store.url does not read as a url.".to_owned()))?
            .application_name("concilia-worker");
        if let Some(file) = &config.password_file {
            options = options.password(password(file)?.expose());
        }
        bounded(async {
            let mut connection = PgConnection::connect_with(&options).await?;
            refuse_unsafe(&mut connection).await?;
            migrate(&mut connection).await?;
            refuse_restored(&mut connection).await?;
            connection.close().await?;
            Ok(())
        })
        .await?;
        let pool = PgPoolOptions::new()
            .max_connections(config.connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(CONNECTION_LIFETIME)
            .after_connect(|connection, _| Box::pin(set_up(connection)))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }
}

fn password(file: &Path) -> Result<Secret, StoreError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        StoreError::Refused(format!(
            "store.password_file {} cannot be read: {error}.",
            file.display()
        ))
    })?;
    Ok(Secret::new(&text))
}

/// Limits of a session, and what must hold in each, however late it was opened.
async fn set_up(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select set_config('statement_timeout', '10s', false),
                set_config('lock_timeout', '5s', false),
                set_config('idle_in_transaction_session_timeout', '10s', false),
                -- Every statement sees what was committed before it: the locks rely on it.
                set_config('default_transaction_isolation', 'read committed', false),
                -- A plan made while the table was small must not outlive that.
                set_config('plan_cache_mode', 'force_custom_plan', false),
                -- Start-up refused it; it may have been switched since.
                set_config('synchronous_commit',
                           case current_setting('synchronous_commit')
                               when 'off' then 'on'
                               else current_setting('synchronous_commit')
                           end, false)",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses a server that could lose what it committed, or cannot hold the log. A database of
/// a copy-on-write file system may do without `full_page_writes`, so that is not looked at.
async fn refuse_unsafe(connection: &mut PgConnection) -> Result<(), StoreError> {
    let (version, encoding, synchronous_commit, fsync): (i32, String, String, String) =
        sqlx::query_as(
            "select current_setting('server_version_num')::integer,
                    current_setting('server_encoding'),
                    current_setting('synchronous_commit'),
                    current_setting('fsync')",
        )
        .fetch_one(connection)
        .await?;
    let refused = if synchronous_commit == "off" {
        "synchronous_commit is off: PostgreSQL would confirm commits that a crash then undoes. \
         Set it to on (alter database … reset synchronous_commit, or the worker's role, or \
         postgresql.conf), then start again."
            .to_owned()
    } else if fsync == "off" {
        "fsync is off: PostgreSQL would lose or corrupt what it committed when the machine \
         crashes. Set fsync = on in postgresql.conf, then start again."
            .to_owned()
    } else if version < 130_000 {
        format!("PostgreSQL is too old (server_version_num {version}): the log needs 13 or later.")
    } else if encoding != "UTF8" {
        format!(
            "The database's encoding is {encoding}: create it with encoding 'UTF8', so that every \
             text can be kept."
        )
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(refused))
}

/// Refuses a log from the future: one restored into a cluster with a younger counter.
async fn refuse_restored(connection: &mut PgConnection) -> Result<(), StoreError> {
    let ahead: bool = sqlx::query_scalar(
        "select coalesce(max(txid) >= pg_snapshot_xmax(pg_current_snapshot()), false) from events",
    )
    .fetch_one(connection)
    .await?;
    if ahead {
        return Err(StoreError::Refused(
            "The log holds events of transactions this server has yet to reach: it was restored \
             from a dump of another one, and followers would not see those events. Run \
             migrations/postgres/after-restore.sql as the owner of the tables, then start again."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Brings the schema up to date; of several processes starting at once, one does.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    // The usual start needs no right to create anything, and no lock.
    if migrate::outstanding(&MIGRATIONS, &applied(connection).await?)?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "create table if not exists migrations (
             version    integer primary key,
             name       text not null,
             checksum   text not null,
             applied_at timestamptz not null default now()
         )",
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

async fn applied(connection: &mut PgConnection) -> Result<Vec<(i32, String)>, StoreError> {
    let exists: bool = sqlx::query_scalar("select to_regclass('migrations') is not null")
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
