//! What every operators' command works at: the configuration, the log, the time and a screen.
//! And how it finds what a person named: an account, an event, a checkout, a stream.

use std::collections::BTreeSet;

use concilia_shared::config::Config;
use concilia_shared::id::{AccountName, StreamId};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::screen::Screen;
use super::stop::{Done, Stop};
use crate::domain::account::AccountState;
use crate::domain::state::{State, Told};
use crate::say::Lang;
use crate::store::{EventStore, Recorded};
use crate::views::filter::{Filter, Page};
use crate::views::project;

/// Events looked through for what a person named, or nearly did.
const CANDIDATES_MAX: usize = 500;

/// What a command works at.
pub struct Desk<'a> {
    /// The checked configuration.
    pub config: &'a Config,
    /// The log and its views.
    pub store: &'a dyn EventStore,
    /// The time.
    pub now: Timestamp,
    /// Where it writes.
    pub screen: Screen<'a>,
}

/// A stream a person named, and the event of it, if they named one.
#[derive(Debug)]
pub struct Target {
    /// The stream.
    pub stream: StreamId,
    /// Its history.
    pub history: Vec<Recorded>,
    /// Its history, folded.
    pub state: State,
    /// The id of the event that was named, unless the whole stream was.
    pub event: Option<String>,
}

impl Target {
    /// The events that were named: one, or all of the stream.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        let named = |told: &&Told| {
            self.event.as_deref().is_none_or(|id| id == told.webhook.event_id.as_str())
        };
        self.state.told.iter().filter(named)
    }

    /// Its last sequence.
    pub fn sequence(&self) -> i64 {
        self.history.last().map_or(0, |last| last.sequence)
    }
}

impl Desk<'_> {
    /// The language.
    pub fn lang(&self) -> Lang {
        self.screen.lang()
    }

    /// Brings the views up to the end of the log, so that what is read next is all there is.
    pub async fn catch_up(&self) -> Done {
        let bar = spinner();
        for _ in 0..project::PAGES_MAX {
            let step = project::step(self.store).await?;
            bar.inc(u64::try_from(step.events).unwrap_or(0));
            if step.at_end {
                bar.finish_and_clear();
                return Ok(());
            }
        }
        Err(Stop::Failed(anyhow::anyhow!(
            "The views are far behind the log: let the worker catch up, then try again."
        )))
    }

    /// Every account's name: those configured, and those the log knows.
    pub async fn accounts(&self) -> Done<BTreeSet<AccountName>> {
        let counts = self.store.counts(&Filter::default()).await?;
        let known = counts.into_iter().filter_map(|count| AccountName::parse(count.account).ok());
        Ok(self.config.accounts.keys().cloned().chain(known).collect())
    }

    /// An account by its name, or the nearest name there is.
    pub async fn account(&self, name: &str) -> Done<AccountName> {
        let parsed = AccountName::parse(name).ok();
        if let Some(name) = parsed.as_ref().filter(|name| self.config.accounts.contains_key(name)) {
            return Ok(name.clone());
        }
        if let Some(name) = &parsed
            && !self.store.stream(&AccountState::stream(name)).await?.is_empty()
        {
            return Ok(name.clone());
        }
        self.catch_up().await?;
        let all = self.accounts().await?;
        if let Some(name) = parsed.filter(|name| all.contains(name)) {
            return Ok(name);
        }
        let near = nearest(name, all.iter().map(AccountName::as_str), 1);
        Err(Stop::Nothing(match (near.first(), self.lang()) {
            (Some(near), Lang::En) => format!("There is no account {name}; did you mean {near}?"),
            (Some(near), Lang::Es) => format!("No hay una cuenta {name}; ¿quiso decir {near}?"),
            (None, Lang::En) => format!("There is no account {name}: no account is known yet."),
            (None, Lang::Es) => format!("No hay una cuenta {name}: aún no se conoce ninguna."),
        }))
    }

    /// An account by its name, if one was given.
    pub async fn account_of(&self, name: Option<&str>) -> Done<Option<AccountName>> {
        match name {
            None => Ok(None),
            Some(name) => self.account(name).await.map(Some),
        }
    }

    /// The account's own stream, folded, with its last sequence.
    pub async fn account_state(&self, name: &AccountName) -> Done<(AccountState, i64)> {
        let history = self.store.stream(&AccountState::stream(name)).await?;
        let mut state = AccountState::default();
        for recorded in &history {
            state.apply(&recorded.event, recorded.recorded_at);
        }
        Ok((state, history.last().map_or(0, |last| last.sequence)))
    }

    /// What a person named: an event id, a checkout id, or a stream with or without its
    /// account. The views must be up to date.
    pub async fn find(&self, id: &str, account: Option<&AccountName>) -> Done<Target> {
        if let Ok(stream) = StreamId::parse(id) {
            let history = self.store.stream(&stream).await?;
            if !history.is_empty() {
                return Ok(target(stream, history, None));
            }
        }
        let (within, object) = match id.split_once('/') {
            Some((within, object)) if account.is_none() => {
                (AccountName::parse(within).ok(), object)
            }
            _ => (account.cloned(), id),
        };
        let filter = Filter { account: within, text: Some(object.to_owned()), ..Filter::default() };
        let page = Page { after: None, newest_first: true, limit: CANDIDATES_MAX };
        let rows = self.store.events(&filter, &page).await?;
        let checkout = format!("checkout-{object}");
        let mut exact = BTreeSet::new();
        for row in &rows {
            let event = row.told.webhook.event_id.as_str();
            if event == object || (event.starts_with(object) && is_short_unread(object)) {
                exact.insert((row.stream.clone(), Some(event.to_owned())));
            } else if row.stream.object() == object || row.stream.object() == checkout {
                exact.insert((row.stream.clone(), None));
            }
        }
        let mut exact = exact.into_iter();
        match (exact.next(), exact.next()) {
            (Some((stream, event)), None) => {
                let history = self.store.stream(&stream).await?;
                Ok(target(stream, history, event))
            }
            (Some((one, _)), Some((other, _))) => Err(Stop::Refused(match self.lang() {
                Lang::En => {
                    format!("{id} is in {one} and in {other}: say which, as account/{object}.")
                }
                Lang::Es => {
                    format!("{id} está en {one} y en {other}: diga cuál, como cuenta/{object}.")
                }
            })),
            (None, _) => {
                let like: Vec<String> =
                    rows.iter().map(|row| row.told.webhook.event_id.to_string()).collect();
                Err(self.unknown(id, object, like).await?)
            }
        }
    }

    /// No such event; those that are nearly called so, or hold the text somewhere.
    async fn unknown(&self, id: &str, object: &str, like: Vec<String>) -> Done<Stop> {
        let near = if like.is_empty() {
            let page = Page { after: None, newest_first: true, limit: CANDIDATES_MAX };
            let latest = self.store.events(&Filter::default(), &page).await?;
            let names: BTreeSet<String> = latest
                .iter()
                .flat_map(|row| {
                    let event = row.told.webhook.event_id.to_string();
                    let object = row.stream.object();
                    [event, object.strip_prefix("checkout-").unwrap_or(object).to_owned()]
                })
                .collect();
            let close = names.iter().map(String::as_str).filter(|name| is_near(name, object));
            nearest(object, close, 3).into_iter().map(str::to_owned).collect()
        } else {
            like.into_iter().take(3).collect::<Vec<_>>()
        };
        let near = near.join(", ");
        Ok(Stop::Nothing(match (near.is_empty(), self.lang()) {
            (true, Lang::En) => {
                format!("No event, checkout or stream is called {id}; `events list` shows all.")
            }
            (true, Lang::Es) => {
                format!("Ningún evento, checkout o flujo se llama {id}; `events list` los muestra.")
            }
            (false, Lang::En) => {
                format!("No event, checkout or stream is called {id}; did you mean {near}?")
            }
            (false, Lang::Es) => {
                format!("Ningún evento, checkout o flujo se llama {id}; ¿quiso decir {near}?")
            }
        }))
    }
}

fn target(stream: StreamId, history: Vec<Recorded>, event: Option<String>) -> Target {
    let state = State::replay(history.iter().map(|recorded| &recorded.event));
    Target { stream, history, state, event }
}

/// The list cuts the id of a body that names none; enough of it finds it again.
fn is_short_unread(text: &str) -> bool {
    text.strip_prefix("unread-").is_some_and(|hash| hash.len() >= 8)
}

fn is_near(name: &str, wanted: &str) -> bool {
    strsim::damerau_levenshtein(name, wanted) <= wanted.chars().count() / 3
}

/// The names nearest to what was typed, nearest first.
pub fn nearest<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|name| strsim::damerau_levenshtein(name, wanted));
    names.truncate(most);
    names
}

/// A running count on standard error, where that is a terminal: how far there is to go is not
/// known.
fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {human_pos}") {
        Ok(style) => spinner.with_style(style),
        Err(_) => spinner,
    }
}
