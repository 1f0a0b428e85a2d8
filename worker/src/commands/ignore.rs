//! `ignore`: a person closes what waits or was parked; nothing of it is booked.
//!
//! Each stream's fact is appended only if nothing happened in it since it was looked at, so
//! that what was booked meanwhile is not closed.

use super::desk::Desk;
use super::people::{self, By, confirm};
use super::retry::count;
use super::select::{Chosen, Sweep, Tally, Which};
use super::stop::{Done, Stop};
use crate::domain::event::Event;
use crate::domain::reason::IgnoreReason;
use crate::domain::state::{State, Status};
use crate::progress;
use crate::store::StoreError;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker ignore evt_1A2b --why \"paid by bank transfer, refunded at Ventipay\"
  concilia-worker ignore --account shop --reason already_paid --to 2026-01-31 --why \"closed year\" --dry-run";

/// Most times one event is looked at anew because something happened in its stream.
const TRIES: usize = 8;

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which events.
    #[command(flatten)]
    pub which: Which,
    /// Why; it stands in the log for ever.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: String,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

fn may(status: &Status) -> bool {
    matches!(status, Status::Pending { .. } | Status::Parked(_))
}

/// Counts, asks if need be, and closes.
pub async fn run(desk: &mut Desk<'_>, options: &Options) -> Done {
    desk.catch_up().await?;
    let lang = desk.lang();
    let which = &options.which;
    let tally = count(desk, Sweep::new(desk, which, false, may).await?).await?;
    if tally.events() == 0 {
        let said = lang.either("Nothing to close matches.", "Nada que cerrar calza.");
        return Err(Stop::Nothing(said.to_owned()));
    }
    let words = lang.either(("Would be closed", "Closed"), ("Se cerrarían", "Cerrados"));
    if which.dry_run {
        return tally.print(desk, true, words);
    }
    confirm(tally.events(), which.yes, lang)?;
    let bar = progress::bar(u64::try_from(tally.events()).unwrap_or(0), "closing");
    let mut sweep = Sweep::new(desk, which, false, may).await?;
    let mut done = Tally::default();
    loop {
        let page = sweep.next(desk).await?;
        if page.is_empty() {
            break;
        }
        for chosen in &page {
            if close(desk, options, chosen).await? {
                done.see(chosen);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    done.print(desk, false, words)
}

/// Closes one, unless it rests elsewhere by now.
async fn close(desk: &Desk<'_>, options: &Options, chosen: &Chosen) -> Done<bool> {
    let (by, why) = (options.by.by.clone(), options.why.clone());
    let reason = IgnoreReason::ByHand { by, why };
    let fact = [Event::Ignored { about: chosen.event.clone(), reason }];
    for _ in 0..TRIES {
        let history = desk.store.stream(&chosen.stream).await?;
        let state = State::replay(history.iter().map(|recorded| &recorded.event));
        let open = |told: &&crate::domain::state::Told| {
            told.webhook.event_id == chosen.event && may(&told.status)
        };
        if !state.told.iter().any(|told| open(&told)) {
            return Ok(false);
        }
        let after = history.last().map_or(0, |last| last.sequence);
        match desk.store.record_after(&chosen.stream, after, &fact, desk.now).await {
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(true),
        }
    }
    Err(StoreError::Conflict.into())
}
