//! `events tail`: follows the log and prints each new fact, one line each, in plain words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::desk::Desk;
use super::show::fact;
use super::stop::Done;
use crate::say::{Lang, timeline, when};
use crate::store::{Cursor, Recorded};
use crate::views::day;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker events tail --account shop
  concilia-worker events tail --since 2026-01-31 --once
  concilia-worker events tail --json | jq .sentence";

/// Facts read at once.
const PAGE: usize = 500;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Only this account.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// From this moment on (2026-01-31, in Chile, or 2026-01-31T09:00:00-03:00); else only what is new.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub since: Option<Timestamp>,
    /// Prints what is there (all of it, without --since) and ends.
    #[arg(long)]
    pub once: bool,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = |_| text.parse::<Date>().map(day::start);
    text.parse::<Timestamp>()
        .or_else(day)
        .map_err(|_| "a day (2026-01-31) or a moment (2026-01-31T09:00:00-03:00)".to_owned())
}

/// Follows until Ctrl-C, or until nobody reads.
pub async fn run(desk: &mut Desk<'_>, options: &Options) -> Done {
    let account = desk.account_of(options.account.as_deref()).await?;
    let wanted = |recorded: &Recorded| {
        account.as_ref().is_none_or(|name| name.as_str() == recorded.stream.account())
            && options.since.is_none_or(|since| recorded.recorded_at >= since)
    };
    // One listener for as long as it follows: what comes between two waits is not lost.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut cursor = Cursor::default();
    let mut silent = !options.once && options.since.is_none();
    loop {
        let page = desk.store.since(cursor, PAGE).await?;
        for recorded in page.iter().filter(|recorded| !silent && wanted(recorded)) {
            print(desk, recorded)?;
        }
        if let Some(last) = page.last() {
            cursor = last.cursor;
        }
        if desk.screen.is_gone() {
            return Ok(());
        }
        if page.len() < PAGE {
            silent = false;
            if options.once || stopped(&mut interrupt).await {
                return Ok(());
            }
        }
    }
}

/// Waits a little; answers whether Ctrl-C came meanwhile, or since the last wait.
async fn stopped(interrupt: &mut Signal) -> bool {
    tokio::select! {
        _ = interrupt.recv() => true,
        () = tokio::time::sleep(EVERY) => false,
    }
}

fn print(desk: &mut Desk<'_>, recorded: &Recorded) -> Done {
    let lang: Lang = desk.lang();
    let line = if desk.screen.is_json() {
        serde_json::to_string(&fact(recorded, lang))?
    } else {
        format!(
            "{}  {}  {}  {}",
            when::moment(recorded.recorded_at),
            recorded.stream,
            timeline::who(&recorded.event),
            timeline::sentence(&recorded.event, lang)
        )
    };
    desk.screen.say(&line)?;
    Ok(())
}
