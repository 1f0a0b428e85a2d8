//! Which events a person decides about: some by name, or all that match.
//!
//! What is chosen by name is all or nothing: one that cannot be decided about refuses the
//! whole, with a sentence that says why.

use std::collections::BTreeMap;

use concilia_shared::id::{EventId, StreamId};
use concilia_shared::money::Money;
use serde::Serialize;

use super::desk::Desk;
use super::filter::{Narrow, Word};
use super::lists::Troubles;
use super::stop::{Done, Stop};
use super::waiting::{amounts, total};
use crate::domain::state::{Status, Told};
use crate::say::{self, Lang, reasons};
use crate::views::filter::{Filter, Page, Place};

/// Rows read at once.
const PAGE: usize = 500;

/// Which events, and what is only tried out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Which {
    /// Event ids, checkout ids or streams.
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Only where it rests at one of these; pending and parked unless given.
    #[arg(long, value_delimiter = ',', value_name = "STATUS")]
    pub status: Vec<Word>,
    /// Which events.
    #[command(flatten)]
    pub narrow: Narrow,
    /// Shows what would be done, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask, however many there are.
    #[arg(long)]
    pub yes: bool,
}

/// An event that was chosen.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its stream.
    pub stream: StreamId,
    /// Its id.
    pub event: EventId,
    status: Status,
    amount: Option<Money>,
}

/// How many events of one account rest alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    account: String,
    status: &'static str,
    reason: Option<String>,
    events: i64,
    at_stake: Vec<Money>,
}

/// What was chosen, counted.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<(String, &'static str, Option<String>), Group>);

impl Tally {
    /// Counts one.
    pub fn see(&mut self, chosen: &Chosen) {
        let account = chosen.stream.account().to_owned();
        let (status, reason) = (chosen.status.word(), say::reason_name(&chosen.status));
        let group = self
            .0
            .entry((account.clone(), status, reason.clone()))
            .or_insert_with(|| Group { account, status, reason, ..Group::default() });
        group.events += 1;
        group.at_stake = total(group.at_stake.iter().copied().chain(chosen.amount));
    }

    /// How many.
    pub fn events(&self) -> i64 {
        self.0.values().map(|group| group.events).sum()
    }

    /// What they tell to be paid.
    pub fn at_stake(&self) -> Vec<Money> {
        total(self.0.values().flat_map(|group| group.at_stake.iter().copied()))
    }

    /// The accounts they are of.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        let mut accounts: Vec<&str> =
            self.0.keys().map(|(account, _, _)| account.as_str()).collect();
        accounts.dedup();
        accounts.into_iter()
    }

    /// Prints what would be done, or was.
    pub fn print(&self, desk: &mut Desk<'_>, dry_run: bool, (would, done): (&str, &str)) -> Done {
        let (events, at_stake) = (self.events(), self.at_stake());
        if desk.screen.is_json() {
            let groups: Vec<&Group> = self.0.values().collect();
            desk.screen.json(&serde_json::json!({
                "dry_run": dry_run, "events": events, "at_stake": at_stake, "groups": groups,
            }))?;
            return Ok(());
        }
        let lang = desk.lang();
        if dry_run {
            let heading = lang.either(
                ["account", "status", "reason", "", "events", "at stake"],
                ["cuenta", "estado", "motivo", "", "eventos", "en juego"],
            );
            let rows = self.0.values().map(|group| {
                vec![
                    group.account.clone(),
                    group.status.to_owned(),
                    group.reason.clone().unwrap_or_else(|| "-".to_owned()),
                    reasons::phrase(group.reason.as_deref(), lang).to_owned(),
                    group.events.to_string(),
                    amounts(&group.at_stake),
                ]
            });
            desk.screen.table(&heading, rows)?;
        }
        let said = if dry_run { would } else { done };
        desk.screen.say(&format!("{said}: {events} · {}", amounts(&at_stake)))?;
        Ok(())
    }
}

/// The chosen events, a page at a time.
pub struct Sweep {
    source: Source,
    may: fn(&Status) -> bool,
}

enum Source {
    Named(Vec<Chosen>),
    Matching { filter: Box<Filter>, after: Option<Place>, at_end: bool },
}

impl Sweep {
    /// Finds the named events, or readies the filter. The views must be up to date. `may` says
    /// of a status whether such an event can be decided about.
    pub async fn new(
        desk: &Desk<'_>,
        which: &Which,
        all: bool,
        may: fn(&Status) -> bool,
    ) -> Done<Self> {
        let lang = desk.lang();
        let filtered = which.narrow.is_any() || !which.status.is_empty() || all;
        if which.ids.is_empty() != filtered {
            let said = lang.either(
                "Say which events: their ids, or a filter such as --account or --reason; not both.",
                "Diga qué eventos: sus ids, o un filtro como --account o --reason; no ambos.",
            );
            return Err(Stop::Misused(said.to_owned()));
        }
        if filtered {
            let usual = [Word::Pending, Word::Parked];
            let words = if which.status.is_empty() { &usual[..] } else { &which.status };
            let filter = which.narrow.filter(desk, words).await?;
            let source = Source::Matching { filter: Box::new(filter), after: None, at_end: false };
            return Ok(Self { source, may });
        }
        let mut chosen: Vec<Chosen> = Vec::new();
        for id in &which.ids {
            for found in named(desk, id, may).await? {
                if !chosen.iter().any(|it| it.stream == found.stream && it.event == found.event) {
                    chosen.push(found);
                }
            }
        }
        Ok(Self { source: Source::Named(chosen), may })
    }

    /// The next page; empty at the end.
    pub async fn next(&mut self, desk: &Desk<'_>) -> Done<Vec<Chosen>> {
        let (filter, after, at_end) = match &mut self.source {
            Source::Named(chosen) => return Ok(std::mem::take(chosen)),
            Source::Matching { filter, after, at_end } => (filter, after, at_end),
        };
        while !*at_end {
            let page = Page { after: after.take(), newest_first: false, limit: PAGE };
            let rows = desk.store.events(filter, &page).await?;
            *at_end = rows.len() < PAGE;
            *after = rows.last().map(crate::views::events::Row::place);
            let chosen: Vec<Chosen> = rows
                .iter()
                .filter(|row| !row.held && (self.may)(&row.told.status))
                .map(|row| choose(&row.stream, &row.told))
                .collect();
            if !chosen.is_empty() {
                return Ok(chosen);
            }
        }
        Ok(Vec::new())
    }
}

fn choose(stream: &StreamId, told: &Told) -> Chosen {
    let amount = told.webhook.fact.amount();
    let (event, status) = (told.webhook.event_id.clone(), told.status.clone());
    Chosen { stream: stream.clone(), event, status, amount }
}

/// Those of a named event or stream that can be decided about; none: refused.
async fn named(desk: &Desk<'_>, id: &str, may: fn(&Status) -> bool) -> Done<Vec<Chosen>> {
    let target = desk.find(id, None).await?;
    let lang = desk.lang();
    if target.state.held {
        return Err(Stop::Refused(format!("{id}: {}", say::account::held(lang))));
    }
    let chosen: Vec<Chosen> = target
        .told()
        .filter(|told| may(&told.status))
        .map(|told| choose(&target.stream, told))
        .collect();
    if chosen.is_empty() {
        let told = target.told().next();
        if told.is_some_and(|told| told.status == Status::Received)
            && let Some(why) = Troubles::read(desk).await?.sentence(target.stream.account(), lang)
        {
            return Err(Stop::Refused(format!("{id}: {why}")));
        }
        return Err(refusal(id, told, lang));
    }
    Ok(chosen)
}

/// Why an event that was named cannot be decided about.
pub fn refusal(id: &str, told: Option<&Told>, lang: Lang) -> Stop {
    let nothing = lang.either("Nothing to do.", "Nada que hacer.");
    let rests = told.map(|told| say::told(told, lang)).unwrap_or_default();
    Stop::Refused(format!("{id}: {rests} {nothing}"))
}
