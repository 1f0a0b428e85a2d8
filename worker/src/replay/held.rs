//! Streams that were rebuilt and not released: which they are, and releasing them.
//!
//! Not here: what releasing one would do ([`super::plan`]).

use std::collections::BTreeSet;

use concilia_shared::id::StreamId;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::clock::Clock;
use crate::domain::event::Event;
use crate::domain::state::State;
use crate::store::{Cursor, EventStore, StoreError};

/// Events read at once, streams released at once, and streams read side by side.
const PAGE: usize = 1_000;
const BATCH: usize = 500;
const READERS: usize = 4;

/// What a release came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Streams released: they are due.
    pub released: u64,
    /// Streams that are not held: left as they are.
    pub not_held: u64,
}

/// Every stream that is held, by name.
pub async fn held(store: &dyn EventStore) -> Result<BTreeSet<StreamId>, StoreError> {
    let mut held = BTreeSet::new();
    let mut cursor = Cursor::default();
    loop {
        let page = store.since(cursor, PAGE).await?;
        let Some(last) = page.last() else { return Ok(held) };
        cursor = last.cursor;
        for recorded in page {
            match recorded.event {
                Event::Held { .. } => drop(held.insert(recorded.stream)),
                Event::Released { .. } => drop(held.remove(&recorded.stream)),
                _ => {}
            }
        }
    }
}

/// Releases streams and makes them due, batch by batch. `progress` is told how many are done.
pub async fn release(
    store: &dyn EventStore,
    clock: &dyn Clock,
    streams: &[StreamId],
    by: &str,
    progress: impl Fn(u64),
) -> Result<Released, StoreError> {
    let mut done = Released::default();
    for batch in streams.chunks(BATCH) {
        let facts: Vec<Option<(StreamId, Event)>> = stream::iter(batch.to_vec())
            .map(|name| fact(store, name, by))
            .buffered(READERS)
            .try_collect()
            .await?;
        let facts: Vec<(StreamId, Event)> = facts.into_iter().flatten().collect();
        store.record(&facts, true, clock.now()).await?;
        done.released += facts.len() as u64;
        done.not_held += (batch.len() - facts.len()) as u64;
        progress(done.released + done.not_held);
    }
    Ok(done)
}

async fn fact(
    store: &dyn EventStore,
    stream: StreamId,
    by: &str,
) -> Result<Option<(StreamId, Event)>, StoreError> {
    let history = store.stream(&stream).await?;
    let state = State::replay(history.iter().map(|recorded| &recorded.event));
    let first = state.told.first().filter(|_| state.held);
    Ok(first.map(|told| {
        let about = told.webhook.event_id.clone();
        (stream, Event::Released { about, by: by.to_owned() })
    }))
}
