//! What the databases' errors mean to a caller of the store.
//!
//! Not here: errors in what a row holds ([`super::row`]).

use std::time::Duration;

use sqlx::error::DatabaseError;

use super::StoreError;

/// Longest wait for a free connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest any one call of the store may take: above the databases' own limits for a
/// statement and a lock, so that it only speaks when the network swallowed the answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs one call of the store for at most [`CALL_TIMEOUT`].
pub(super) async fn bounded<T>(
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => of_database(error.as_ref()),
            sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            sqlx::Error::Configuration(_) | sqlx::Error::Encode(_) => {
                Self::Refused(error.to_string())
            }
            // The network, TLS, an exhausted pool, a lost worker thread: all pass.
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// By SQLSTATE for PostgreSQL (its manual, appendix A), by constraint for SQLite.
fn of_database(error: &dyn DatabaseError) -> StoreError {
    let message = error.message().to_owned();
    if error.is_unique_violation() {
        return StoreError::Conflict;
    }
    let is_postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some();
    match error.code().as_deref() {
        // A value that cannot be what the column says.
        Some(code) if is_postgres && code.starts_with("22") => StoreError::Corrupt(message),
        // No such table, column or right: not the database this build expects.
        Some(code) if is_postgres && code.starts_with("42") => StoreError::Refused(format!(
            "The database is not set up for this build: {message}. Start the worker once as \
             the owner of its tables, then run roles.sql again."
        )),
        // Wrong password or no such database.
        Some(code) if is_postgres && (code.starts_with("28") || code == "3D000") => {
            StoreError::Refused(format!("The database refused the worker: {message}."))
        }
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        Some("11" | "26") => StoreError::Corrupt(message),
        // Serialization failures, deadlocks, timeouts, shutdowns, a full disk, a busy file:
        // the same call may succeed later.
        _ => StoreError::Unavailable(message),
    }
}
