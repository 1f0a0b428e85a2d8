//! Keeping the views on PostgreSQL: rows of whole streams, on the condition of a cursor.
//!
//! Whoever writes a view locks the row of `view_cursors` first. Not here: reading them
//! ([`super::lists`]).

use sqlx::PgPool;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::store::error::bounded;
use crate::store::view_row::{DROP_PAGE, EventColumns, KeyColumns, PaymentColumns, ViewRows};
use crate::store::{Cursor, StoreError, ViewCursor};

pub(super) async fn project(
    pool: &PgPool,
    from: &ViewCursor,
    to: Cursor,
    (streams, rows): (Vec<&str>, ViewRows),
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    // Somebody else may be at it, and may even have been stopped in the middle: no need to queue.
    let mine =
        sqlx::query("select 1 from view_cursors where view = 'streams' for update skip locked")
            .fetch_optional(&mut *transaction)
            .await?;
    if mine.is_none() {
        return Ok(false);
    }
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
        "delete from view_events where stream = any ($1::text[])",
        "delete from view_payments where stream = any ($1::text[])",
        "delete from view_keys where stream = any ($1::text[])",
    ] {
        sqlx::query(delete).bind(&streams).execute(&mut *transaction).await?;
    }
    insert_events(&mut transaction, &rows.events).await?;
    insert_payments(&mut transaction, &rows.payments).await?;
    insert_keys(&mut transaction, &rows.keys).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn insert_events(
    connection: &mut PgConnection,
    rows: &[EventColumns],
) -> Result<(), StoreError> {
    fn all<'a, T>(rows: &'a [EventColumns], column: impl Fn(&'a EventColumns) -> T) -> Vec<T> {
        rows.iter().map(column).collect()
    }
    sqlx::query(
        "insert into view_events (stream, event_id, account, type, status, reason, received_at,
                                  day, minor, currency, due_at, since, held, mode, looked_for,
                                  search, row)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
                              $6::text[], $7::timestamptz[], $8::text[], $9::bigint[],
                              $10::text[], $11::timestamptz[], $12::timestamptz[],
                              $13::boolean[], $14::text[], $15::text[], $16::text[], $17::text[])",
    )
    .bind(all(rows, |row| row.stream.as_str()))
    .bind(all(rows, |row| row.event_id.as_str()))
    .bind(all(rows, |row| row.account.as_str()))
    .bind(all(rows, |row| row.event_type.as_deref()))
    .bind(all(rows, |row| row.status.as_str()))
    .bind(all(rows, |row| row.reason.as_deref()))
    .bind(all(rows, |row| row.received_at))
    .bind(all(rows, |row| row.day.as_str()))
    .bind(all(rows, |row| row.minor))
    .bind(all(rows, |row| row.currency.as_deref()))
    .bind(all(rows, |row| row.due_at))
    .bind(all(rows, |row| row.since))
    .bind(all(rows, |row| row.held))
    .bind(all(rows, |row| row.mode.as_deref()))
    .bind(all(rows, |row| row.looked_for.as_str()))
    .bind(all(rows, |row| row.search.as_str()))
    .bind(all(rows, |row| row.row.as_str()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_payments(
    connection: &mut PgConnection,
    rows: &[PaymentColumns],
) -> Result<(), StoreError> {
    fn all<'a, T>(rows: &'a [PaymentColumns], column: impl Fn(&'a PaymentColumns) -> T) -> Vec<T> {
        rows.iter().map(column).collect()
    }
    sqlx::query(
        "insert into view_payments (stream, currency, account, day, paid, refunded, booked,
                                    pending, parked, other)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[],
                              $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                              $10::bigint[])",
    )
    .bind(all(rows, |row| row.0.as_str()))
    .bind(all(rows, |row| row.1.as_str()))
    .bind(all(rows, |row| row.2.as_str()))
    .bind(all(rows, |row| row.3.as_str()))
    .bind(all(rows, |row| row.4))
    .bind(all(rows, |row| row.5))
    .bind(all(rows, |row| row.6))
    .bind(all(rows, |row| row.7))
    .bind(all(rows, |row| row.8))
    .bind(all(rows, |row| row.9))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_keys(connection: &mut PgConnection, rows: &[KeyColumns]) -> Result<(), StoreError> {
    sqlx::query(
        "insert into view_keys (account, value, stream)
         select * from unnest($1::text[], $2::text[], $3::text[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Page by page: no statement takes long, and no row stays locked for long.
pub(super) async fn drop_views(pool: &PgPool, version: i32) -> Result<(), StoreError> {
    bounded(async {
        sqlx::query(
            r#"update view_cursors set version = 0, "transaction" = 0, position = 0
               where view = 'streams'"#,
        )
        .execute(pool)
        .await?;
        Ok(())
    })
    .await?;
    while bounded(drop_page(pool)).await? > 0 {}
    bounded(async {
        // Nobody writes rows while the version is 0: the views are empty here.
        sqlx::query("update view_cursors set version = $1 where view = 'streams' and version = 0")
            .bind(version)
            .execute(pool)
            .await?;
        Ok(())
    })
    .await
}

/// Answers how many rows it dropped; none once somebody else has finished.
async fn drop_page(pool: &PgPool) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    let version: i32 =
        sqlx::query_scalar("select version from view_cursors where view = 'streams' for update")
            .fetch_one(&mut *transaction)
            .await?;
    if version != 0 {
        return Ok(0);
    }
    let mut dropped = 0;
    for delete in [
        "delete from view_events where ctid = any (array(
             select ctid from view_events limit $1))",
        "delete from view_payments where ctid = any (array(
             select ctid from view_payments limit $1))",
        "delete from view_keys where ctid = any (array(
             select ctid from view_keys limit $1))",
    ] {
        let done = sqlx::query(delete).bind(DROP_PAGE).execute(&mut *transaction).await?;
        dropped += done.rows_affected();
    }
    transaction.commit().await?;
    Ok(dropped)
}

/// The rows of these streams, as they stand.
pub(super) async fn kept(pool: &PgPool, streams: &[&str]) -> Result<ViewRows, StoreError> {
    let events = sqlx::query(
        "select stream, event_id, account, type, status, reason, received_at, day, minor,
                currency, due_at, since, held, mode, looked_for, search, row
         from view_events where stream = any ($1::text[])",
    )
    .bind(streams)
    .fetch_all(pool)
    .await?;
    let payments = sqlx::query_as(
        "select stream, currency, account, day, paid, refunded, booked, pending, parked, other
         from view_payments where stream = any ($1::text[])",
    )
    .bind(streams)
    .fetch_all(pool)
    .await?;
    let keys = sqlx::query_as(
        "select account, value, stream from view_keys where stream = any ($1::text[])",
    )
    .bind(streams)
    .fetch_all(pool)
    .await?;
    let events = events.iter().map(event_columns).collect::<Result<_, sqlx::Error>>()?;
    let mut rows = ViewRows { events, payments, keys };
    rows.sort();
    Ok(rows)
}

fn event_columns(row: &PgRow) -> Result<EventColumns, sqlx::Error> {
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
