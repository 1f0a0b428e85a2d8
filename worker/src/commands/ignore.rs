//! `ignore`: a person closes what waits or was parked; nothing of it is booked.
//!
//! Each stream's fact is appended only if nothing happened in it since it was looked at, so
//! that what was booked meanwhile is not closed; and only while no worker holds the stream, so
//! that what was booked and is not in the log yet is not closed either.

use std::time::{Duration, Instant};

use concilia_shared::id::EventId;
use jiff::{SignedDuration, Timestamp};

use super::desk::Desk;
use super::people::{self, By, confirm};
use super::retry::count;
use super::select::{Chosen, Sweep, Tally, Which};
use super::stop::{Done, Stop};
use crate::domain::event::Event;
use crate::domain::reason::IgnoreReason;
use crate::domain::state::{State, Status};
use crate::progress;
use crate::say::Lang;
use crate::store::StoreError;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker ignore evt_1A2b --why \"paid by bank transfer, refunded at Ventipay\"
  concilia-worker ignore --account shop --reason already_paid --to 2026-01-31 --why \"closed year\" --dry-run";

/// Most times one event is looked at anew because something happened in its stream.
const TRIES: usize = 8;

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(250);

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which events.
    #[command(flatten)]
    pub which: Which,
    /// Why; it stands in the log for ever.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: String,
    /// Longest wait for what a worker holds at this moment, all of it together.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=600))]
    pub wait: u32,
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
    let (mut done, mut busy) = (Tally::default(), Vec::new());
    loop {
        let page = sweep.next(desk).await?;
        if page.is_empty() {
            break;
        }
        for chosen in page {
            match close(desk, options, &chosen).await? {
                Closing::Done => done.see(&chosen),
                Closing::RestsElsewhere => {}
                Closing::Claimed(_) => busy.push(chosen),
            }
            bar.inc(1);
        }
    }
    let left = once_released(desk, options, busy, &mut done).await?;
    bar.finish_and_clear();
    let Some((chosen, until)) = left.first() else { return done.print(desk, false, words) };
    if done.events() > 0 {
        done.print(desk, false, words)?;
    }
    let died = *until <= desk.now + SignedDuration::from_secs(options.wait.into());
    Err(Stop::Refused(held_by_worker(&chosen.event, left.len() - 1, died, lang)))
}

/// What became of closing one.
enum Closing {
    Done,
    RestsElsewhere,
    /// A worker holds it until then.
    Claimed(Timestamp),
}

/// Closes those a worker held, as soon as it released them; answers which it still holds after
/// the wait, and until when.
async fn once_released(
    desk: &Desk<'_>,
    options: &Options,
    mut busy: Vec<Chosen>,
    done: &mut Tally,
) -> Done<Vec<(Chosen, Timestamp)>> {
    let (started, patience) = (Instant::now(), Duration::from_secs(options.wait.into()));
    let mut left = Vec::new();
    while !busy.is_empty() {
        let last = started.elapsed() >= patience;
        if !last {
            tokio::time::sleep(BETWEEN).await;
        }
        for chosen in std::mem::take(&mut busy) {
            match close(desk, options, &chosen).await? {
                Closing::Done => done.see(&chosen),
                Closing::RestsElsewhere => {}
                Closing::Claimed(until) if last => left.push((chosen, until)),
                Closing::Claimed(_) => busy.push(chosen),
            }
        }
    }
    Ok(left)
}

/// Closes one, unless it rests elsewhere by now, or a worker holds it: that one may have booked
/// it in Odoo already, and nobody would look at a closed event again.
async fn close(desk: &Desk<'_>, options: &Options, chosen: &Chosen) -> Done<Closing> {
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
            return Ok(Closing::RestsElsewhere);
        }
        let after = history.last().map_or(0, |last| last.sequence);
        match desk.store.record_unclaimed(&chosen.stream, after, &fact, desk.now).await {
            Err(StoreError::Conflict) => {}
            Err(StoreError::Claimed { until }) => return Ok(Closing::Claimed(until)),
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(Closing::Done),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Why it was not closed, and what to do.
fn held_by_worker(event: &EventId, others: usize, died: bool, lang: Lang) -> String {
    let which = match (others, lang) {
        (0, _) => event.to_string(),
        (others, Lang::En) => format!("{event} and {others} more"),
        (others, Lang::Es) => format!("{event} y {others} más"),
    };
    let said = if died {
        lang.either(
            "A worker died in the middle of it and may have booked it; the next worker that runs finishes it first, then try again.",
            "Un worker se detuvo a la mitad y puede haberlo contabilizado; el próximo worker que corra lo termina primero; luego intente de nuevo.",
        )
    } else {
        lang.either(
            "A worker is at it; try again in a moment.",
            "Un worker lo está procesando; intente de nuevo en un momento.",
        )
    };
    format!("{which}: {said}")
}
