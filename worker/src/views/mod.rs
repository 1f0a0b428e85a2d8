//! What people look at: folds of the log, nothing of their own.
//!
//! [`events`] is the list of webhook events with where each rests; [`balance`] is the sum that
//! must always hold. [`fold`] makes both of a stream's history, purely; [`project`] keeps them
//! in tables that follow the log behind ([`keep`] while a worker runs), to be thrown away and
//! made again whenever somebody wishes. [`filter`] says what is asked for. Not here: the log and
//! the tables ([`crate::store`]), the words ([`crate::say`]).

pub mod balance;

pub mod day;

pub mod events;

pub mod filter;

pub mod fold;

pub mod project;

pub mod keep;

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
