//! Keeping the views on SQLite: rows of whole streams, on the condition of a cursor.
//!
//! Not here: reading them ([`super::lists`]).

use sqlx::Row as _;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::BEGIN;
use crate::store::error::bounded;
use crate::store::view_row::{self, DROP_PAGE, EventColumns, KeyColumns, PaymentColumns, ViewRows};
use crate::store::{Cursor, StoreError, ViewCursor};

pub(super) async fn project(
    writer: &SqlitePool,
    from: &ViewCursor,
    to: Cursor,
    (streams, rows): (Vec<&str>, ViewRows),
) -> Result<bool, StoreError> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let moved = sqlx::query(
        r#"update view_cursors set "transaction" = $4, position = $5
           where view = 'streams' and version = $1 and "transaction" = $2 and position = $3"#,
    )
    .bind(from.version)
    .bind(from.cursor.transaction)
    .bind(from.cursor.position)
    .bind(to.transaction)
    .bind(to.position)
    .execute(&mut *transaction)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    for delete in [
        "delete from view_events where stream = $1",
        "delete from view_payments where stream = $1",
        "delete from view_keys where stream = $1",
    ] {
        for stream in &streams {
            sqlx::query(delete).bind(*stream).execute(&mut *transaction).await?;
        }
    }
    for row in &rows.events {
        insert_event(&mut transaction, row).await?;
    }
    for row in &rows.payments {
        insert_payment(&mut transaction, row).await?;
    }
    for row in &rows.keys {
        insert_key(&mut transaction, row).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

async fn insert_event(
    connection: &mut SqliteConnection,
    row: &EventColumns,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into view_events (stream, event_id, account, type, status, reason, received_at,
                                  day, minor, currency, due_at, since, held, mode, looked_for,
                                  search, row)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(&row.stream)
    .bind(&row.event_id)
    .bind(&row.account)
    .bind(&row.event_type)
    .bind(&row.status)
    .bind(&row.reason)
    .bind(row.received_at)
    .bind(&row.day)
    .bind(row.minor)
    .bind(&row.currency)
    .bind(row.due_at)
    .bind(row.since)
    .bind(row.held)
    .bind(&row.mode)
    .bind(&row.looked_for)
    .bind(&row.search)
    .bind(&row.row)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_payment(
    connection: &mut SqliteConnection,
    row: &PaymentColumns,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into view_payments (stream, currency, account, day, paid, refunded, booked,
                                    pending, parked, other)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.0)
    .bind(&row.1)
    .bind(&row.2)
    .bind(&row.3)
    .bind(row.4)
    .bind(row.5)
    .bind(row.6)
    .bind(row.7)
    .bind(row.8)
    .bind(row.9)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_key(connection: &mut SqliteConnection, row: &KeyColumns) -> Result<(), StoreError> {
    sqlx::query(
        "insert into view_keys (account, value, stream) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(&row.0)
    .bind(&row.1)
    .bind(&row.2)
    .execute(connection)
    .await?;
    Ok(())
}

/// Page by page, so that no transaction takes long.
pub(super) async fn drop_views(writer: &SqlitePool, version: i32) -> Result<(), StoreError> {
    bounded(async {
        sqlx::query(
            r#"update view_cursors set version = 0, "transaction" = 0, position = 0
               where view = 'streams'"#,
        )
        .execute(writer)
        .await?;
        Ok(())
    })
    .await?;
    while bounded(drop_page(writer)).await? > 0 {}
    bounded(async {
        // Nobody writes rows while the version is 0: the views are empty here.
        sqlx::query("update view_cursors set version = $1 where view = 'streams' and version = 0")
            .bind(version)
            .execute(writer)
            .await?;
        Ok(())
    })
    .await
}

/// Answers how many rows it dropped; none once somebody else has finished.
async fn drop_page(writer: &SqlitePool) -> Result<u64, StoreError> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let version: i32 =
        sqlx::query_scalar("select version from view_cursors where view = 'streams'")
            .fetch_one(&mut *transaction)
            .await?;
    if version != 0 {
        return Ok(0);
    }
    let mut dropped = 0;
    for delete in [
        "delete from view_events where rowid in (select rowid from view_events limit $1)",
        "delete from view_payments where rowid in (select rowid from view_payments limit $1)",
        "delete from view_keys where (account, value, stream) in (
             select account, value, stream from view_keys limit $1)",
    ] {
        let done = sqlx::query(delete).bind(DROP_PAGE).execute(&mut *transaction).await?;
        dropped += done.rows_affected();
    }
    transaction.commit().await?;
    Ok(dropped)
}

/// The rows of these streams, as they stand.
pub(super) async fn kept(readers: &SqlitePool, streams: &[&str]) -> Result<ViewRows, StoreError> {
    let streams = view_row::json(&streams)?;
    let events = sqlx::query(
        "select stream, event_id, account, type, status, reason, received_at, day, minor,
                currency, due_at, since, held, mode, looked_for, search, row
         from view_events where stream in (select value from json_each($1))",
    )
    .bind(&streams)
    .fetch_all(readers)
    .await?;
    let payments = sqlx::query_as(
        "select stream, currency, account, day, paid, refunded, booked, pending, parked, other
         from view_payments where stream in (select value from json_each($1))",
    )
    .bind(&streams)
    .fetch_all(readers)
    .await?;
    let keys = sqlx::query_as(
        "select account, value, stream from view_keys
         where stream in (select value from json_each($1))",
    )
    .bind(&streams)
    .fetch_all(readers)
    .await?;
    let events = events.iter().map(event_columns).collect::<Result<_, sqlx::Error>>()?;
    let mut rows = ViewRows { events, payments, keys };
    rows.sort();
    Ok(rows)
}

fn event_columns(row: &SqliteRow) -> Result<EventColumns, sqlx::Error> {
    Ok(EventColumns {
        stream: row.try_get(0)?,
        event_id: row.try_get(1)?,
        account: row.try_get(2)?,
        event_type: row.try_get(3)?,
        status: row.try_get(4)?,
        reason: row.try_get(5)?,
        received_at: row.try_get(6)?,
        day: row.try_get(7)?,
        minor: row.try_get(8)?,
        currency: row.try_get(9)?,
        due_at: row.try_get(10)?,
        since: row.try_get(11)?,
        held: row.try_get(12)?,
        mode: row.try_get(13)?,
        looked_for: row.try_get(14)?,
        search: row.try_get(15)?,
        row: row.try_get(16)?,
    })
}
