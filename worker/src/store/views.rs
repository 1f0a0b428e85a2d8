//! The port of the views: tables made of the log, which follow it behind.
//!
//! Not here: what their rows hold ([`crate::views::fold`]), and who keeps them up with the log
//! ([`crate::views::project`]).

use async_trait::async_trait;
use concilia_shared::id::{AccountName, StreamId};
use jiff::Timestamp;

use super::{Cursor, Recorded, StoreError};
use crate::views::balance::Sums;
use crate::views::events::Row;
use crate::views::filter::{Count, Filter, Page, Period};
use crate::views::fold::Folded;

/// How far into the log the views have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewCursor {
    /// Which shape their rows have; 0 while they are being dropped.
    pub version: i32,
    /// Everything up to here is in them.
    pub cursor: Cursor,
}

/// Rows of the views, all streams together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ViewSizes {
    /// Webhook events.
    pub events: i64,
    /// Payments, one for each currency of a stream.
    pub payments: i64,
    /// Values waited for.
    pub keys: i64,
}

/// The views.
#[async_trait]
pub trait Views: Send + Sync {
    /// Whole streams, each in order, the streams in byte order; unknown ones are left out.
    async fn histories(&self, streams: &[&StreamId]) -> Result<Vec<Recorded>, StoreError>;

    /// How far the views have come.
    async fn view_cursor(&self) -> Result<ViewCursor, StoreError>;

    /// Replaces all rows of these streams and moves the cursor, in one transaction, if it still
    /// stands where `from` says. Answers whether it did.
    async fn project(
        &self,
        from: &ViewCursor,
        to: Cursor,
        folded: &[Folded],
    ) -> Result<bool, StoreError>;

    /// Empties the views and sets the cursor to the beginning of the log, for rows of the
    /// given shape. Projectors at work meanwhile lose and start over. Cut off, it is gone on
    /// with by the next who wants to project.
    async fn drop_views(&self, version: i32) -> Result<(), StoreError>;

    /// A page of events in the order they were received.
    async fn events(&self, filter: &Filter, page: &Page) -> Result<Vec<Row>, StoreError>;

    /// How many events rest where and why, by account.
    async fn counts(&self, filter: &Filter) -> Result<Vec<Count>, StoreError>;

    /// The sums of payments, by currency and, if asked, by day.
    async fn sums(&self, period: &Period) -> Result<Vec<Sums>, StoreError>;

    /// The streams of an account in which something waits for any of these values.
    async fn waiting_for(
        &self,
        account: &AccountName,
        values: &[String],
    ) -> Result<Vec<StreamId>, StoreError>;

    /// Since when the event of an account waits that waits longest.
    async fn oldest_pending(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError>;

    /// Where the rows of these streams differ from what they should be, if they do: table,
    /// column and row.
    async fn compare(&self, folded: &[Folded]) -> Result<Option<String>, StoreError>;

    /// How many rows the views have.
    async fn view_sizes(&self) -> Result<ViewSizes, StoreError>;
}
