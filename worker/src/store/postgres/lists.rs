//! The views on PostgreSQL, as they are read.
//!
//! Not here: keeping them ([`super::project`]).

use async_trait::async_trait;
use concilia_shared::id::{AccountName, StreamId};
use jiff::Timestamp;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::{QueryAs, QueryScalar};

use super::{PostgresStore, project};
use crate::store::error::bounded;
use crate::store::row::{self, EventRow, Moment};
use crate::store::view_row::{self, CountColumns, SumColumns, VALUES_AT_ONCE, ViewRows};
use crate::store::{Cursor, Recorded, StoreError, ViewCursor, ViewSizes, Views};
use crate::views::balance::Sums;
use crate::views::events::Row;
use crate::views::filter::{Count, Filter, Page, Period};
use crate::views::fold::Folded;

/// The conditions of a filter, $1 to $9; what is not asked costs nothing, since plans are made
/// for the values.
macro_rules! filtered {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " from view_events
              where ($1::text is null or account = $1)
                and (cardinality($2::text[]) = 0 or status = any ($2))
                and (cardinality($3::text[]) = 0 or reason = any ($3)
                     or (status = 'received' and account = any ($9::text[])))
                and (cardinality($4::text[]) = 0 or type = any ($4))
                and ($5::timestamptz is null or received_at >= $5)
                and ($6::timestamptz is null or received_at < $6)
                and ($7::text is null or position($7 in search) > 0)
                and (not $8::boolean or held) ",
            $after
        )
    };
}

const OLDEST_FIRST: &str = filtered!(
    "select row",
    "and ($10::timestamptz is null or (received_at, event_id, stream) > ($10, $11, $12))
     order by received_at, event_id, stream
     limit $13"
);

const NEWEST_FIRST: &str = filtered!(
    "select row",
    "and ($10::timestamptz is null or (received_at, event_id, stream) < ($10, $11, $12))
     order by received_at desc, event_id desc, stream desc
     limit $13"
);

const COUNTS: &str = filtered!(
    "select account, status, reason, currency, count(*), coalesce(sum(minor), 0)::bigint,
            min(coalesce(since, received_at)), min(due_at)",
    "group by account, status, reason, currency"
);

/// Binds $1 to $9.
macro_rules! bind_filter {
    ($query:expr, $filter:expr) => {
        $query
            .bind($filter.account.as_ref().map(AccountName::as_str))
            .bind(&$filter.statuses)
            .bind(&$filter.reasons)
            .bind(&$filter.types)
            .bind($filter.from.map(Moment::from))
            .bind($filter.until.map(Moment::from))
            .bind(view_row::text($filter))
            .bind($filter.only_held)
            .bind(&$filter.received_of)
    };
}

impl PostgresStore {
    async fn history_rows(&self, streams: &[&StreamId]) -> Result<Vec<EventRow>, StoreError> {
        let streams: Vec<&str> = streams.iter().map(|stream| stream.as_str()).collect();
        let rows = sqlx::query_as(
            "select position, txid::text::bigint, stream, sequence, account, about, kind, version,
                    data, recorded_at, previous, hash
             from events where stream = any ($1::text[]) order by stream, sequence",
        )
        .bind(streams)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    async fn waiting_streams(
        &self,
        account: &AccountName,
        values: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let values: Vec<_> = values.iter().map(|value| row::header(value).into_owned()).collect();
        let streams = sqlx::query_scalar(
            "select distinct stream from view_keys
             where account = $1 and value = any ($2::text[])",
        )
        .bind(account.as_str())
        .bind(values)
        .fetch_all(&self.pool)
        .await?;
        Ok(streams)
    }
}

#[async_trait]
impl Views for PostgresStore {
    async fn histories(&self, streams: &[&StreamId]) -> Result<Vec<Recorded>, StoreError> {
        row::recorded(bounded(self.history_rows(streams)).await?)
    }

    async fn view_cursor(&self) -> Result<ViewCursor, StoreError> {
        bounded(async {
            let at = sqlx::query_as(
                r#"select version, "transaction", position from view_cursors
                   where view = 'streams'"#,
            )
            .fetch_one(&self.pool)
            .await?;
            Ok(view_row::cursor(at))
        })
        .await
    }

    async fn project(
        &self,
        from: &ViewCursor,
        to: Cursor,
        folded: &[Folded],
    ) -> Result<bool, StoreError> {
        let streams = folded.iter().map(|it| it.stream.as_str()).collect();
        let rows = ViewRows::of(folded)?;
        bounded(project::project(&self.pool, from, to, (streams, rows))).await
    }

    async fn drop_views(&self, version: i32) -> Result<(), StoreError> {
        project::drop_views(&self.pool, version).await
    }

    async fn events(&self, filter: &Filter, page: &Page) -> Result<Vec<Row>, StoreError> {
        let sql = if page.newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
        let (received_at, event_id, stream) = view_row::place(page.after.as_ref());
        let query: QueryScalar<'_, Postgres, String, PgArguments> = sqlx::query_scalar(sql);
        let query = bind_filter!(query, filter)
            .bind(received_at)
            .bind(event_id)
            .bind(stream)
            .bind(row::limit(page.limit));
        let texts = bounded(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        view_row::rows(texts)
    }

    async fn counts(&self, filter: &Filter) -> Result<Vec<Count>, StoreError> {
        let query: QueryAs<'_, Postgres, CountColumns, PgArguments> = sqlx::query_as(COUNTS);
        let query = bind_filter!(query, filter);
        view_row::counts(bounded(async { Ok(query.fetch_all(&self.pool).await?) }).await?)
    }

    async fn sums(&self, period: &Period) -> Result<Vec<Sums>, StoreError> {
        let rows: Vec<SumColumns> = bounded(async {
            let rows = sqlx::query_as(
                "select case when $4::boolean then day end as of_day, currency,
                        sum(paid)::bigint, sum(refunded)::bigint, sum(booked)::bigint,
                        sum(pending)::bigint, sum(parked)::bigint, sum(other)::bigint
                 from view_payments
                 where ($1::text is null or account = $1)
                   and ($2::text is null or day >= $2)
                   and ($3::text is null or day <= $3)
                 group by of_day, currency
                 order by of_day, currency",
            )
            .bind(period.account.as_ref().map(AccountName::as_str))
            .bind(period.from.map(|day| day.to_string()))
            .bind(period.through.map(|day| day.to_string()))
            .bind(period.by_day)
            .fetch_all(&self.pool)
            .await?;
            Ok(rows)
        })
        .await?;
        view_row::sums(rows)
    }

    async fn waiting_for(
        &self,
        account: &AccountName,
        values: &[String],
    ) -> Result<Vec<StreamId>, StoreError> {
        let mut streams = Vec::new();
        for some in values.chunks(VALUES_AT_ONCE) {
            streams.extend(bounded(self.waiting_streams(account, some)).await?);
        }
        row::streams("view_keys", streams)
    }

    async fn oldest_pending(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError> {
        let oldest: Option<Moment> = bounded(async {
            let oldest = sqlx::query_scalar(
                "select since from view_events
                 where account = $1 and status = 'pending' and since is not null
                 order by since
                 limit 1",
            )
            .bind(account.as_str())
            .fetch_optional(&self.pool)
            .await?;
            Ok(oldest)
        })
        .await?;
        oldest.map(|moment| moment.timestamp("view_events.since")).transpose()
    }

    async fn compare(&self, folded: &[Folded]) -> Result<Option<String>, StoreError> {
        let expected = ViewRows::of(folded)?;
        let streams: Vec<&str> = folded.iter().map(|it| it.stream.as_str()).collect();
        Ok(expected.difference(&bounded(project::kept(&self.pool, &streams)).await?))
    }

    async fn view_sizes(&self) -> Result<ViewSizes, StoreError> {
        let (events, payments, keys) = bounded(async {
            let sizes = sqlx::query_as(
                "select (select count(*) from view_events), (select count(*) from view_payments),
                        (select count(*) from view_keys)",
            )
            .fetch_one(&self.pool)
            .await?;
            Ok(sizes)
        })
        .await?;
        Ok(ViewSizes { events, payments, keys })
    }
}
