//! Keeps the views up with the log: a page of the log at a time, every stream it touches
//! folded anew.
//!
//! Any number of processes may do this at once. A page's rows and the cursor that has passed
//! it are committed together, on the condition that nobody moved the cursor meanwhile; who
//! loses starts over. What a fold may have seen beyond its page comes again, and changes
//! nothing. Not here: what the rows hold ([`super::fold`]).

use std::collections::BTreeSet;
use std::time::Duration;

use concilia_shared::id::StreamId;

use super::fold::{Folded, fold};
use crate::domain::event::Event;
use crate::store::{EventStore, StoreError, ViewCursor};

/// Which shape the rows have. Raised whenever a row of an old history would look different:
/// then the views are dropped and made again.
pub const VERSION: i32 = 1;

/// Events in one page.
const PAGE: usize = 500;

/// Streams whose histories are held at once.
const STREAMS_AT_ONCE: usize = 100;

/// Pages one call of [`catch_up`] takes by default: five million events.
pub const PAGES_MAX: usize = 10_000;

/// Pause while somebody else is at the same page, and most of them in a row: a process that was
/// stopped in the middle is thrown out by the database after 10 seconds.
const WAIT: Duration = Duration::from_millis(50);
const WAITS_MAX: usize = 600;

/// How far a call came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events of the log it went past.
    pub events: usize,
    /// The end of the log, as far as that is certain, was reached.
    pub at_end: bool,
}

/// One page further.
pub async fn step(store: &dyn EventStore) -> Result<Progress, StoreError> {
    let from = ready(store).await?;
    let page = store.since(from.cursor, PAGE).await?;
    let Some(last) = page.last() else {
        return Ok(Progress { events: 0, at_end: true });
    };
    let streams: BTreeSet<&StreamId> = page.iter().map(|recorded| &recorded.stream).collect();
    let folded = fold_all(store, streams).await?;
    let moved = store.project(&from, last.cursor, &folded).await?;
    Ok(Progress { events: if moved { page.len() } else { 0 }, at_end: moved && page.len() < PAGE })
}

/// Goes on to the end of the log, at most `pages` pages far.
pub async fn catch_up(store: &dyn EventStore, pages: usize) -> Result<Progress, StoreError> {
    let mut progress = Progress::default();
    let mut waits = 0;
    for _ in 0..pages {
        let Progress { events, at_end } = step(store).await?;
        progress.events += events;
        if at_end {
            return Ok(Progress { at_end, ..progress });
        }
        waits = if events == 0 { waits + 1 } else { 0 };
        if waits > WAITS_MAX {
            let why = "somebody else has been making the views for too long".to_owned();
            return Err(StoreError::Unavailable(why));
        }
        if events == 0 {
            tokio::time::sleep(WAIT).await;
        }
    }
    Ok(progress)
}

/// Where the views stand, once they are of this build's shape.
async fn ready(store: &dyn EventStore) -> Result<ViewCursor, StoreError> {
    let at = store.view_cursor().await?;
    match at.version {
        VERSION => Ok(at),
        newer if newer > VERSION => Err(StoreError::Refused(
            "A newer build keeps the views of this database: run that build.".to_owned(),
        )),
        _ => {
            store.drop_views(VERSION).await?;
            store.view_cursor().await
        }
    }
}

/// Folds streams, a bounded number of histories in memory at once.
pub(crate) async fn fold_all(
    store: &dyn EventStore,
    streams: impl IntoIterator<Item = &StreamId>,
) -> Result<Vec<Folded>, StoreError> {
    let streams: Vec<&StreamId> = streams.into_iter().collect();
    let mut folded = Vec::with_capacity(streams.len());
    for some in streams.chunks(STREAMS_AT_ONCE) {
        // In the order of streams, each whole.
        let histories = store.histories(some).await?;
        for history in histories.chunk_by(|a, b| a.stream == b.stream) {
            let facts: Vec<&Event> = history.iter().map(|recorded| &recorded.event).collect();
            folded.push(fold(&history[0].stream, &facts));
        }
    }
    Ok(folded)
}
