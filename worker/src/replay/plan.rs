//! What would be done if a held stream were released: looks, decides, and writes nothing, neither
//! in Odoo nor in the log.
//!
//! The look and the decision are those of [`crate::settle`]; only what follows is left out. A
//! stream's events are taken in order, each as if what was decided before it had been done. Not
//! here: releasing ([`super::held`]), the words (`words`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use concilia_shared::id::{AccountName, CheckoutId, StreamId};
use concilia_shared::money::Money;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;

use super::words;
use crate::account::AccountShell;
use crate::domain::decide::{self, Decision, Plan, Verdict};
use crate::domain::event::Event;
use crate::domain::observe::Command;
use crate::domain::reason::PendingReason;
use crate::domain::state::{State, Status, Told};
use crate::retry::Jitter;
use crate::say::{self, Lang};
use crate::settle::look;
use crate::shell::Shell;
use crate::store::StoreError;
use crate::weather::{self, Trouble};

/// Streams looked at side by side.
const AT_ONCE: usize = 4;

/// Failed calls in a row of one account after which it is not asked any more.
const FAILURES_MAX: u32 = 3;

/// What would become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    /// A payment would be entered in Odoo.
    Book,
    /// A transaction of Odoo's would be confirmed.
    Confirm,
    /// A transaction of Odoo's would be cancelled.
    Cancel,
    /// A refund would be booked.
    Refund,
    /// A record of ours would be written.
    Register,
    /// Odoo holds it already: that would be noted, and nothing written there.
    InOdoo,
    /// It would wait.
    Wait,
    /// It would be given to a person.
    Park,
    /// Nothing to do in Odoo.
    Record,
    /// None of this account's.
    Ignore,
    /// Nobody knows: a system that must be asked does not answer.
    Unknown,
    /// It rests already.
    Rests,
}

/// One event of a held stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The stream.
    pub stream: StreamId,
    /// The event.
    pub event_id: String,
    /// What was told to be paid.
    pub amount: Option<Money>,
    /// What would become of it.
    pub would: Would,
    /// The same in one sentence.
    pub sentence: String,
}

/// The lines of one outcome, summed; amounts by currency, in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many events.
    pub events: u64,
    /// What they tell to be paid.
    pub amounts: BTreeMap<String, i64>,
}

/// The sums of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums(pub BTreeMap<Would, Sum>);

impl Sums {
    /// One line further.
    pub fn add(&mut self, line: &Line) {
        let sum = self.0.entry(line.would).or_default();
        sum.events += 1;
        if let Some(amount) = line.amount {
            let total = sum.amounts.entry(amount.currency.to_string()).or_default();
            *total = total.saturating_add(amount.minor);
        }
    }
}

/// Plans stream after stream, in the order given.
pub fn plan(
    shell: &Shell,
    streams: Vec<StreamId>,
    lang: Lang,
) -> impl Stream<Item = Result<Vec<Line>, StoreError>> + '_ {
    let failures: BTreeMap<AccountName, AtomicU32> =
        shell.accounts.keys().map(|name| (name.clone(), AtomicU32::new(0))).collect();
    let planner = std::sync::Arc::new(Planner { shell, failures, lang });
    stream::iter(streams)
        .map(move |stream| {
            let planner = std::sync::Arc::clone(&planner);
            async move { planner.stream(&stream).await }
        })
        .buffered(AT_ONCE)
}

struct Planner<'a> {
    shell: &'a Shell,
    failures: BTreeMap<AccountName, AtomicU32>,
    lang: Lang,
}

/// What one event comes to.
enum Found {
    Rests,
    Fact(Event),
    Do(Box<Command>),
    Learn(CheckoutId),
    Trouble(PendingReason),
    Paused,
}

impl Planner<'_> {
    async fn stream(&self, name: &StreamId) -> Result<Vec<Line>, StoreError> {
        let history = self.shell.store.stream(name).await?;
        let mut state = State::replay(history.iter().map(|recorded| &recorded.event));
        state.held = false;
        let mut lines = Vec::new();
        for at in 0..state.told.len() {
            let found = self.event(name, &state, &state.told[at]).await?;
            let (would, sentence) = self.apply(&mut state, at, found);
            let told = &state.told[at];
            let amount = told.webhook.fact.amount();
            let event_id = told.webhook.event_id.to_string();
            lines.push(Line { stream: name.clone(), event_id, amount, would, sentence });
        }
        Ok(lines)
    }

    async fn event(
        &self,
        name: &StreamId,
        state: &State,
        told: &Told,
    ) -> Result<Found, StoreError> {
        if !matches!(told.status, Status::Received | Status::Pending { .. }) {
            return Ok(Found::Rests);
        }
        let account = AccountName::parse(name.account()).ok();
        let Some(account) = account.as_ref().and_then(|name| self.shell.accounts.get(name)) else {
            return Ok(self.fact(told, decide::without_account(told)));
        };
        let now = self.shell.clock.now();
        let current = account.current(self.shell.store.as_ref(), now).await?;
        if current.state.paused.is_some() {
            return Ok(Found::Paused);
        }
        let Some(settings) = current.settings() else {
            return Ok(Found::Trouble(PendingReason::OdooUnavailable));
        };
        let webhook = self.shell.store.payload(&account.name, &told.webhook.event_id).await?;
        let body = webhook.as_ref().map(|webhook| webhook.body.as_slice());
        let lookup = match decide::plan(told, state, settings, body) {
            Plan::Rest(Verdict::Pending(reason)) if reason.is_weather() => {
                return Ok(Found::Trouble(reason));
            }
            Plan::Rest(verdict) => return Ok(self.fact(told, verdict)),
            Plan::LookUp(lookup) => lookup,
        };
        if self.gave_up(account) {
            return Ok(Found::Trouble(PendingReason::OdooUnavailable));
        }
        let (seen, database) = match look::ask(self.shell, account, &lookup).await {
            Ok(answers) => answers,
            Err(trouble) => return Ok(self.trouble(account, trouble)),
        };
        if let Some(why) = weather::other_database(&current.state, database.as_deref()) {
            return Ok(Found::Trouble(PendingReason::NotReady { why }));
        }
        if let Some(failures) = self.failures.get(&account.name) {
            failures.store(0, Ordering::Relaxed);
        }
        Ok(match decide::decide(told, state, &lookup, &seen, settings) {
            Decision::Rest(verdict) => self.fact(told, verdict),
            Decision::Do(command, _) => Found::Do(Box::new(command)),
            Decision::Learn(checkout) => Found::Learn(checkout),
        })
    }

    fn gave_up(&self, account: &AccountShell) -> bool {
        let failures = self.failures.get(&account.name);
        failures.is_some_and(|count| count.load(Ordering::Relaxed) >= FAILURES_MAX)
    }

    fn trouble(&self, account: &AccountShell, trouble: Trouble) -> Found {
        if let Some(failures) = self.failures.get(&account.name) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        Found::Trouble(trouble.reason.unwrap_or(PendingReason::OdooUnavailable))
    }

    fn fact(&self, told: &Told, verdict: Verdict) -> Found {
        let now = self.shell.clock.now();
        Found::Fact(decide::rest(told, verdict, &self.shell.schedule, now, Jitter(0)))
    }

    /// Takes what was found for done, so that the stream's next event is judged by it.
    fn apply(&self, state: &mut State, at: usize, found: Found) -> (Would, String) {
        let lang = self.lang;
        let event = match found {
            Found::Rests => return (Would::Rests, say::status(&state.told[at].status, lang)),
            Found::Trouble(reason) => return (Would::Unknown, say::pending(&reason, lang)),
            Found::Paused => return (Would::Wait, words::paused(lang)),
            Found::Learn(checkout) => return (Would::Wait, words::learn(&checkout, lang)),
            Found::Do(command) => {
                let about = state.told[at].webhook.event_id.clone();
                if let Command::Cancel(cancel) = command.as_ref() {
                    let transaction = cancel.reference.clone();
                    state.apply(&Event::TransactionCanceled { about, transaction });
                } else if let Command::Fail(fail) = command.as_ref() {
                    let transaction = fail.reference.clone();
                    state.apply(&Event::TransactionFailed { about, transaction });
                }
                return (does(&command), words::command(&command, lang));
            }
            Found::Fact(event) => event,
        };
        state.apply(&event);
        let would = match &event {
            Event::Booked { .. } | Event::TransactionCanceled { .. } | Event::Refunded { .. } => {
                Would::InOdoo
            }
            Event::Pended { .. } => Would::Wait,
            Event::Parked { .. } => Would::Park,
            Event::Ignored { .. } => Would::Ignore,
            _ => Would::Record,
        };
        let sentence = match &event {
            Event::Booked { booking, .. } => words::in_odoo(booking, lang),
            _ => say::status(&state.told[at].status, lang),
        };
        (would, sentence)
    }
}

fn does(command: &Command) -> Would {
    match command {
        Command::Book(_) | Command::PayInvoice(_) | Command::MakeInvoice(_) => Would::Book,
        Command::Refund(_) => Would::Refund,
        Command::Record(_) => Would::Register,
        Command::Confirm(_) | Command::Complete { .. } => Would::Confirm,
        Command::Cancel(_) | Command::Fail(_) => Would::Cancel,
    }
}
