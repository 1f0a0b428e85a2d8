//! Shows people in Odoo what the log holds: the lists of events and checkouts there are a
//! projection of it, written behind and in batches.
//!
//! Nothing waits for it and nothing is read back. One process does it at a time (the lead of the
//! role `mirror`), a page of the log at a go, and while there is something to book it lets that
//! go first. How far it has come is kept for each account; forgotten, everything is shown again,
//! and only what is newer is written. Read next: `rows` (what a stream shows). Not here: records
//! that are written when their event is settled ([`crate::settle`]).

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use concilia_shared::config::{PayloadPolicy, Worker};
use concilia_shared::id::{AccountName, StreamId};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::account::AccountShell;
use crate::domain::record::{Payload, Record, Recorded};
use crate::odoo::OdooError;
use crate::shell::Shell;
use crate::store::StoreError;
use crate::weather;

/// The role one process leads.
const ROLE: &str = "mirror";

/// Events of the log in one page.
const PAGE: usize = 200;

/// Rows written in one call: short enough that a booking never waits long behind it.
const ROWS_AT_ONCE: usize = 25;

/// Pages shown to one account before the next has its turn.
const PAGES_MAX: usize = 10;

/// How long work may have been due before it counts as a backlog that goes first.
const BACKLOG: SignedDuration = SignedDuration::from_secs(2);

/// Most turns in a row that are given up to a backlog.
const GIVEN_UP_MAX: u32 = 30;

/// How long an account is left alone when its Odoo cannot be shown anything.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// What is remembered between turns; of one process, and no part of the log.
#[derive(Default)]
struct Memory {
    given_up: u32,
    not_before: BTreeMap<AccountName, Timestamp>,
}

/// Shows every `mirror_s` until told to stop, while this process leads.
pub async fn run(shell: &Shell, config: &Worker, stop: &CancellationToken) {
    let every = Duration::from_secs(config.mirror_s);
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
        let turn = tokio::select! {
            turn = turn(shell, config.event_url.as_deref(), &mut memory) => turn,
            () = stop.cancelled() => return,
        };
        if let Err(error) = turn {
            tracing::warn!(%error, "Odoo could not be shown what the log holds");
        }
    }
}

async fn turn(
    shell: &Shell,
    event_url: Option<&str>,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let now = shell.clock.now();
    let behind = shell.store.next_due().await?.is_some_and(|due| due + BACKLOG < now);
    if behind && memory.given_up < GIVEN_UP_MAX {
        memory.given_up += 1;
        return Ok(());
    }
    memory.given_up = 0;
    for account in shell.accounts.values() {
        if memory.not_before.get(&account.name).is_some_and(|until| now < *until) {
            continue;
        }
        if !show(shell, account, event_url).await? {
            memory.not_before.insert(account.name.clone(), now + AGAIN_AFTER);
        }
    }
    Ok(())
}

/// Shows one account's Odoo what is new; answers whether it could be shown.
pub async fn show(
    shell: &Shell,
    account: &AccountShell,
    event_url: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(odoo) = &account.odoo else { return Ok(true) };
    for _ in 0..PAGES_MAX {
        let now = shell.clock.now();
        let current = account.current(shell.store.as_ref(), now).await?;
        let Some(settings) = current.settings() else { return Ok(true) };
        // Which database it books into is known once something was booked or looked up.
        if current.state.paused.is_some()
            || !current.state.outages.is_empty()
            || current.state.database.is_none()
        {
            return Ok(true);
        }
        let from = shell.store.mirrored(&account.name).await?;
        let page = shell.store.since(from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(true) };
        let about: BTreeSet<&str> = page.iter().map(|recorded| recorded.event.about()).collect();
        let streams: BTreeSet<&StreamId> = page
            .iter()
            .map(|recorded| &recorded.stream)
            .filter(|stream| stream.account() == account.name.as_str())
            .collect();
        let mut rows = Vec::new();
        for stream in streams {
            let history = shell.store.stream(stream).await?;
            let facts: Vec<_> = history.iter().map(|recorded| &recorded.event).collect();
            let of_stream = rows::of_stream(stream, &account.name, &facts, event_url);
            // Of a long stream only what the page tells of.
            rows.extend(of_stream.into_iter().filter(|row| match row {
                Record::Event(event) => about.contains(event.id.as_str()),
                _ => true,
            }));
        }
        if settings.payloads == PayloadPolicy::Show {
            add_payloads(shell, account, &mut rows).await?;
        }
        for some in rows.chunks(ROWS_AT_ONCE) {
            match odoo.record(some).await {
                Ok(recorded) => match judge(account, some, &recorded) {
                    Shown::Here => {}
                    Shown::Later => return Ok(true),
                    Shown::Nowhere => return Ok(false),
                },
                // The next event that is settled says what is wrong, where anything is.
                Err(OdooError::NotReady(why)) => {
                    tracing::warn!(account = %account.name, ?why, "Odoo cannot show the log: run `concilia-worker odoo check`");
                    return Ok(false);
                }
                Err(error) => {
                    tracing::info!(account = %account.name, %error, "Odoo is shown the log later");
                    return Ok(true);
                }
            }
            if weather::other_database(&current.state, odoo.database().as_deref()).is_some() {
                return Ok(true);
            }
        }
        shell.store.set_mirrored(&account.name, last.cursor).await?;
        if page.len() < PAGE {
            return Ok(true);
        }
    }
    Ok(true)
}

/// What came of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// It counts as shown.
    Here,
    /// Somebody else was at it: the next turn shows it.
    Later,
    /// Odoo has no place for it until somebody runs `odoo setup`.
    Nowhere,
}

/// What came of a batch. What Odoo refuses of a row is said once and passed over: a list for
/// people must not stop at one row.
fn judge(account: &AccountShell, rows: &[Record], recorded: &[Recorded]) -> Shown {
    let mut shown = Shown::Here;
    for (row, recorded) in rows.iter().zip(recorded) {
        match recorded {
            Recorded::Done(_) | Recorded::Same => {}
            Recorded::NoModels => return Shown::Nowhere,
            Recorded::Again => shown = Shown::Later,
            other => {
                tracing::warn!(account = %account.name, row = row.name(), ?other, "a row is not shown in Odoo");
            }
        }
    }
    shown
}

async fn add_payloads(
    shell: &Shell,
    account: &AccountShell,
    rows: &mut [Record],
) -> Result<(), StoreError> {
    for row in rows {
        if let Record::Event(event) = row {
            let webhook = shell.store.payload(&account.name, &event.id).await?;
            let text = webhook.and_then(|webhook| String::from_utf8(webhook.body).ok());
            event.payload = text.map(Payload);
        }
    }
    Ok(())
}
