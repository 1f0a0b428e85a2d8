//! What people look at: folds of the log, nothing of their own.
//!
//! [`events`] is the list of webhook events with where each rests; [`balance`] is the sum that
//! must always hold. Both can be thrown away and folded again. Not here: the log
//! ([`crate::store`]), the words ([`crate::say`]).

pub mod balance;

pub mod events;

use crate::store::{Cursor, EventStore, Recorded, StoreError};

/// Events read from the log at once.
const PAGE: usize = 1_000;

/// Feeds the whole log, as far as it is certain, to `see`.
pub async fn follow(
    store: &dyn EventStore,
    mut see: impl FnMut(&Recorded),
) -> Result<(), StoreError> {
    let mut cursor = Cursor::default();
    loop {
        let page = store.since(cursor, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        cursor = last.cursor;
        page.iter().for_each(&mut see);
    }
}
