//! `replay views`: drops every view and makes it again from the log, while traffic goes on.
//!
//! Lists and sums show less than there is until it has ended; nothing else notices. Not here:
//! what views are ([`crate::views`]).

use concilia_shared::config::Config;

use crate::commands::print;
use crate::progress;
use crate::store::{EventStore, StoreError};
use crate::views::project::{self, VERSION};
use crate::wire;

/// Most pages of the log in one rebuild.
const PAGES_MAX: u64 = 100_000_000;

/// Rebuilds, and prints how many events it went past.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let bar = progress::bar(store.log_size().await?, "rebuilding");
    let events = rebuild(store.as_ref(), |events| progress::at(&bar, events)).await?;
    bar.finish_and_clear();
    print(&format!("The views were made again from {events} events."))
}

/// Drops the views, and projects to the end of the log; `seen` is told how far.
pub async fn rebuild(store: &dyn EventStore, mut seen: impl FnMut(u64)) -> Result<u64, StoreError> {
    store.drop_views(VERSION).await?;
    let mut events = 0;
    for _ in 0..PAGES_MAX {
        let progress = project::step(store).await?;
        events += progress.events as u64;
        seen(events);
        if progress.at_end {
            break;
        }
    }
    Ok(events)
}
