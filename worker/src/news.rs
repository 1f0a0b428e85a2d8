//! Asks each Odoo what changed lately, so that what waits goes on early: an order that was
//! synced, a transaction that was made, an invoice that came after its payment.
//!
//! One call for all that waits, however much that is; one process does it at a time (the lead of
//! the role `news`). It decides nothing and books nothing: it wakes streams. Forgetting where
//! it was costs one longer look. Not here: what a woken stream does ([`crate::settle`]).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use concilia_shared::id::{AccountName, StreamId};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::account::AccountShell;
use crate::domain::account::AccountState;
use crate::domain::event::{Event, System};
use crate::domain::name::PaymentName;
use crate::domain::observe::NewsQuery;
use crate::domain::state::{State, Status};
use crate::shell::Shell;
use crate::weather::{self, Step, Trouble, Wait};

/// The role one process leads.
const ROLE: &str = "news";

/// How far back the first look goes: longer than a restart takes.
const FIRST: SignedDuration = SignedDuration::from_mins(30);

/// How far each look reaches behind the last: what Odoo commits late carries the time it began.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);

/// Most answers in a row that said there was more.
const PAGES_MAX: usize = 20;

/// How long a credit that could not be given away is left alone.
const CREDIT_AGAIN: SignedDuration = SignedDuration::from_hours(6);

/// What is remembered between looks; of one process, and no part of the log.
#[derive(Default)]
struct Memory {
    /// Where to ask on from, by Odoo's clock.
    since: BTreeMap<AccountName, Timestamp>,
    /// Credits tried, and when; accounts of one company hear of each other's.
    credits: HashMap<StreamId, Timestamp>,
}

/// Asks every `every` until told to stop, while this process leads.
pub async fn run(shell: &Shell, every: Duration, stop: &CancellationToken) {
    let holder = format!("{:032x}", rand::rng().random::<u128>());
    let lead_for = SignedDuration::try_from(every * 3).unwrap_or(SignedDuration::from_mins(1));
    let mut memory = Memory::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return,
        }
        let now = shell.clock.now();
        match shell.store.lead(ROLE, &holder, now, now + lead_for).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::warn!(%error, "could not ask who leads");
                continue;
            }
        }
        for account in shell.accounts.values() {
            let asked = tokio::select! {
                asked = ask(shell, account, &mut memory) => asked,
                () = stop.cancelled() => return,
            };
            if let Err(error) = asked {
                tracing::warn!(account = %account.name, error = format!("{error:#}"), "could not ask what changed in Odoo");
            }
        }
    }
}

async fn ask(shell: &Shell, account: &AccountShell, memory: &mut Memory) -> anyhow::Result<()> {
    let Some(odoo) = &account.odoo else { return Ok(()) };
    let now = shell.clock.now();
    let current = account.current(shell.store.as_ref(), now).await?;
    if current.state.paused.is_some() || !current.state.outages.is_empty() {
        return Ok(());
    }
    let Some(settings) = current.settings() else { return Ok(()) };
    let mut since = memory.since.get(&account.name).copied().unwrap_or(now - FIRST);
    for _ in 0..PAGES_MAX {
        let query =
            NewsQuery { since, fields: settings.fields.clone(), domain: settings.domain.clone() };
        let news = match odoo.news(&query).await {
            Ok(news) => {
                account.failures.answered(System::Odoo, Step::Look);
                news
            }
            Err(error) => {
                let trouble = Trouble::of_odoo(&error, shell.clock.now());
                let stream = AccountState::stream(&account.name);
                if let Wait::Own(_) = weather::trouble(shell, account, &stream, &trouble).await? {
                    tracing::warn!(account = %account.name, %error, "Odoo tells no news, though it answers all else; what waits is found by its own retries");
                    account.failures.concluded(&stream);
                }
                return Ok(());
            }
        };
        if weather::other_database(&current.state, odoo.database().as_deref()).is_some() {
            // The next event that is settled pauses the account.
            return Ok(());
        }
        wake_waiting(shell, account, &news.values).await?;
        find_credits(shell, account, &news.credits, memory).await?;
        let Some(until) = news.until else { return Ok(()) };
        if !news.more || until <= since {
            memory.since.insert(account.name.clone(), until - OVERLAP);
            return Ok(());
        }
        since = until;
    }
    memory.since.insert(account.name.clone(), since);
    Ok(())
}

async fn wake_waiting(
    shell: &Shell,
    account: &AccountShell,
    values: &[String],
) -> anyhow::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let waiting = shell.store.waiting_for(&account.name, values).await?;
    if !waiting.is_empty() {
        let woken = shell.store.wake_streams(&waiting, shell.clock.now()).await?;
        shell.due.notify_one();
        tracing::info!(account = %account.name, woken, "what waited for an order goes on");
    }
    Ok(())
}

/// Tells the streams of bookings whose credit Odoo left beside an open invoice.
async fn find_credits(
    shell: &Shell,
    account: &AccountShell,
    credits: &[PaymentName],
    memory: &mut Memory,
) -> anyhow::Result<()> {
    let now = shell.clock.now();
    memory.credits.retain(|_, tried| now < *tried + CREDIT_AGAIN);
    for name in credits {
        let Ok(stream) = StreamId::of(&account.name, &name.stream_object()) else {
            continue;
        };
        if memory.credits.contains_key(&stream) {
            continue;
        }
        memory.credits.insert(stream.clone(), now);
        let history = shell.store.stream(&stream).await?;
        let state = State::replay(history.iter().map(|recorded| &recorded.event));
        let booked = state.told.iter().find(|told| told.status == Status::Reconciled);
        if let (Some(told), None, false) = (booked, &state.credit_of, state.held) {
            let found = Event::CreditFound { about: told.webhook.event_id.clone() };
            shell.store.record(&[(stream, found)], true, now).await?;
        }
    }
    Ok(())
}
