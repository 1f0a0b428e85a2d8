//! How far each account's Odoo has been shown the log.
//!
//! Not here: showing it ([`crate::mirror`]).

use concilia_shared::id::AccountName;
use sqlx::PgPool;

use crate::store::{Cursor, StoreError};

pub(super) async fn mirrored(pool: &PgPool, account: &AccountName) -> Result<Cursor, StoreError> {
    let found: Option<(i64, i64)> =
        sqlx::query_as(r#"select "transaction", position from mirrors where account = $1"#)
            .bind(account.as_str())
            .fetch_optional(pool)
            .await?;
    Ok(found
        .map_or_else(Cursor::default, |(transaction, position)| Cursor { transaction, position }))
}

pub(super) async fn set_mirrored(
    pool: &PgPool,
    account: &AccountName,
    to: Cursor,
) -> Result<(), StoreError> {
    sqlx::query(
        r#"insert into mirrors (account, "transaction", position) values ($1, $2, $3)
           on conflict (account) do update
           set "transaction" = excluded."transaction", position = excluded.position"#,
    )
    .bind(account.as_str())
    .bind(to.transaction)
    .bind(to.position)
    .execute(pool)
    .await?;
    Ok(())
}
