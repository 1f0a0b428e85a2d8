//! `retry`: asks that events be tried now: some by name, or all that match.
//!
//! It is a fact in each stream, with who asked. Not here: what a retry means
//! ([`crate::domain::state`]).

use concilia_shared::id::StreamId;

use super::desk::Desk;
use super::lists::Troubles;
use super::people::{By, confirm};
use super::select::{Chosen, Sweep, Tally, Which};
use super::stop::{Done, Stop};
use crate::domain::event::Event;
use crate::domain::reason::RecordReason;
use crate::domain::state::Status;
use crate::progress;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker retry evt_1A2b chk_KaIq81
  concilia-worker retry --account shop --reason no_match --dry-run
  concilia-worker retry --status ignored --from 2026-01-01 --yes
  concilia-worker retry --all";

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which events.
    #[command(flatten)]
    pub which: Which,
    /// Everything that is pending or parked.
    #[arg(long)]
    pub all: bool,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

/// Whether such an event can be tried again: what is in Odoo cannot, nor what asks for nothing.
fn may(status: &Status) -> bool {
    matches!(
        status,
        Status::Pending { .. }
            | Status::Parked(_)
            | Status::Ignored(_)
            | Status::Recorded(RecordReason::BeforeBookFrom { .. })
    )
}

/// Counts, asks if need be, and appends the facts.
pub async fn run(desk: &mut Desk<'_>, options: &Options) -> Done {
    desk.catch_up().await?;
    let lang = desk.lang();
    let which = &options.which;
    let tally = count(desk, Sweep::new(desk, which, options.all, may).await?).await?;
    if tally.events() == 0 {
        let said = lang.either("Nothing to retry matches.", "Nada que reintentar calza.");
        let troubles = Troubles::read(desk).await?;
        let why = troubles.named(&which.narrow.reason, lang).map(|(_, sentence)| sentence);
        let said: Vec<String> = std::iter::once(said.to_owned()).chain(why).collect();
        return Err(Stop::Nothing(said.join(" ")));
    }
    let words = lang.either(("Would be retried", "Retried"), ("Se reintentarían", "Reintentados"));
    if which.dry_run {
        return tally.print(desk, true, words);
    }
    confirm(tally.events(), which.yes, lang)?;
    let bar = progress::bar(u64::try_from(tally.events()).unwrap_or(0), "retrying");
    let mut sweep = Sweep::new(desk, which, options.all, may).await?;
    let mut done = Tally::default();
    loop {
        let page = sweep.next(desk).await?;
        if page.is_empty() {
            break;
        }
        let facts: Vec<(StreamId, Event)> =
            page.iter().map(|it| fact(it, &options.by.by)).collect();
        desk.store.record(&facts, true, desk.now).await?;
        for chosen in &page {
            done.see(chosen);
        }
        bar.inc(u64::try_from(page.len()).unwrap_or(0));
    }
    bar.finish_and_clear();
    done.print(desk, false, words)?;
    if !desk.screen.is_json() {
        let troubles = Troubles::read(desk).await?;
        for sentence in done.accounts().filter_map(|account| troubles.sentence(account, lang)) {
            desk.screen.say(&sentence)?;
        }
    }
    Ok(())
}

/// Counts what was chosen.
pub async fn count(desk: &Desk<'_>, mut sweep: Sweep) -> Done<Tally> {
    let mut tally = Tally::default();
    loop {
        let page = sweep.next(desk).await?;
        if page.is_empty() {
            return Ok(tally);
        }
        for chosen in &page {
            tally.see(chosen);
        }
    }
}

fn fact(chosen: &Chosen, by: &str) -> (StreamId, Event) {
    let event = Event::RetryRequested { about: chosen.event.clone(), by: by.to_owned() };
    (chosen.stream.clone(), event)
}
