//! Bad weather: a system an account needs does not answer usefully.
//!
//! An outage is told once when it begins and once when it ends, in the account's own stream;
//! the events that wait meanwhile are put off without a word, and none of their tries is used
//! up. [`trouble`] is told of every failed call and says until when the event waits; [`watch`]
//! asks every account's missing systems again and again, ever more patiently, and wakes what
//! waits when they answer.
//!
//! Not here: the breaker and the limits of a host ([`crate::odoo::host`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::account::AccountShell;
use crate::domain::account::{AccountState, Outage};
use crate::domain::event::{Event, System};
use crate::domain::reason::{NotReady, PendingReason};
use crate::odoo::OdooError;
use crate::retry;
use crate::shell::Shell;
use crate::store::StoreError;
use crate::ventipay::VentipayError;

/// Failed calls in a row that are an outage: one may be a hiccup.
const FAILURES_MAX: u32 = 3;

/// What waits for an outage or a pause to end is woken when it does; should that be lost, it
/// looks by itself after this long.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(15);

/// For how long a trouble that was gone when the system was asked is taken for an event's own
/// when it shows again: else the account would stop and go for ever.
const CLEARED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How often [`watch`] looks whether somebody is to be asked.
const TICK: Duration = Duration::from_millis(250);

/// A call that had no useful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Who was called.
    pub system: System,
    /// What it means for the account; absent if no call was made at all.
    pub reason: Option<PendingReason>,
    /// Not before this, if the system said so.
    pub not_before: Option<Timestamp>,
}

impl Trouble {
    /// A failed call to Odoo.
    pub fn of_odoo(error: &OdooError, now: Timestamp) -> Self {
        let (reason, not_before) = match error {
            OdooError::NotReady(why) => (Some(PendingReason::NotReady { why: why.clone() }), None),
            OdooError::Unavailable { retry_after_s, .. } => {
                (Some(PendingReason::OdooUnavailable), asked(*retry_after_s, now))
            }
            OdooError::Unknown { .. } => (Some(PendingReason::OdooUnavailable), None),
            OdooError::Closed { until } => (None, Some(*until)),
        };
        Self { system: System::Odoo, reason, not_before }
    }

    /// A failed call to Ventipay.
    pub fn of_ventipay(error: &VentipayError, now: Timestamp) -> Self {
        let (reason, not_before) = match error {
            VentipayError::Denied { .. } => {
                (PendingReason::NotReady { why: NotReady::VentipayDenied }, None)
            }
            VentipayError::Unavailable { retry_after_s, .. } => {
                (PendingReason::VentipayUnavailable, asked(*retry_after_s, now))
            }
        };
        Self { system: System::Ventipay, reason: Some(reason), not_before }
    }

    /// What Odoo or the configuration must have set right, whoever noticed it.
    pub fn of(reason: PendingReason) -> Self {
        let system = match &reason {
            PendingReason::VentipayUnavailable
            | PendingReason::NotReady { why: NotReady::VentipayDenied } => System::Ventipay,
            _ => System::Odoo,
        };
        Self { system, reason: Some(reason), not_before: None }
    }
}

fn asked(retry_after_s: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    let wait_s = i64::try_from(retry_after_s?.min(3_600)).unwrap_or(0);
    Some(now + SignedDuration::from_secs(wait_s))
}

/// Failed calls in a row, by system; one process's own experience.
#[derive(Debug, Default)]
pub struct Failures(Mutex<BTreeMap<System, Count>>);

#[derive(Debug, Default)]
struct Count {
    failures: u32,
    /// When an outage's system is asked next.
    ask_at: Option<Timestamp>,
    /// The trouble that was gone when the system was asked, and when.
    cleared: Option<(PendingReason, Timestamp)>,
}

/// Until when an event waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until then, or until it is woken: the account's trouble, told in its stream.
    Until(Timestamp),
    /// The system is well, so it is this event's own trouble, and the event says so itself.
    Own,
}

impl Failures {
    fn with<T>(&self, system: System, act: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(counts.entry(system).or_default())
    }

    /// One more failure; answers how many in a row.
    fn failed(&self, system: System) -> u32 {
        self.with(system, |count| {
            count.failures = count.failures.saturating_add(1);
            count.failures
        })
    }

    /// A useful answer.
    pub fn answered(&self, system: System) {
        self.with(system, |count| {
            count.failures = 0;
            count.ask_at = None;
        });
    }

    /// Whether this very trouble was gone when the system was last asked, not long ago.
    fn was_cleared(&self, system: System, reason: &PendingReason, now: Timestamp) -> bool {
        self.with(system, |count| {
            let known = count.cleared.as_ref();
            known.is_some_and(|(known, at)| !differs(known, reason) && now < *at + CLEARED_FOR)
        })
    }
}

/// Takes note of a failed call. Answers until when the event waits; a beginning outage is told
/// in the account's stream.
pub async fn trouble(
    shell: &Shell,
    account: &AccountShell,
    trouble: &Trouble,
) -> Result<Wait, StoreError> {
    let now = shell.clock.now();
    let soon = now + retry::due_after(&shell.schedule, 1, shell.clock.jitter());
    let later = Wait::Until(trouble.not_before.unwrap_or(soon).max(soon));
    let Some(reason) = &trouble.reason else {
        return Ok(later);
    };
    let system = trouble.system;
    let certain = matches!(reason, PendingReason::NotReady { .. });
    if certain && account.failures.was_cleared(system, reason, now) {
        return Ok(Wait::Own);
    }
    let failures = account.failures.failed(system);
    if !certain && failures < FAILURES_MAX {
        return Ok(later);
    }
    let began = Event::OutageBegan { system, reason: reason.clone() };
    let told = account
        .record(shell.store.as_ref(), now, &[began], |state| state.outages.contains_key(&system))
        .await?;
    if told {
        tracing::warn!(account = %account.name, system = system.word(), ?reason, "an outage began; what needs it waits");
    }
    Ok(Wait::Until(now + LOOK_AGAIN))
}

/// Asks what does not answer until it does, for every account, until told to stop.
pub async fn watch(shell: &Shell, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        look_around(shell).await;
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round of [`watch`]: asks whoever is due to be asked.
pub async fn look_around(shell: &Shell) {
    for account in shell.accounts.values() {
        if let Err(error) = look_after(shell, account).await {
            tracing::warn!(account = %account.name, %error, "could not look after an outage");
        }
    }
}

async fn look_after(shell: &Shell, account: &AccountShell) -> Result<(), StoreError> {
    let now = shell.clock.now();
    let current = account.current(shell.store.as_ref(), now).await?;
    for system in [System::Odoo, System::Ventipay] {
        let outage = current.state.outages.get(&system);
        crate::measure::breaker(&account.name, system.word(), outage.is_some());
        let Some(outage) = outage else { continue };
        let since = outage.since;
        let due = account.failures.with(system, |count| {
            let first = || since + retry::due_after(&shell.schedule, 1, shell.clock.jitter());
            *count.ask_at.get_or_insert_with(first) <= now
        });
        if due {
            ask(shell, account, &current.state, system, outage).await?;
        }
    }
    Ok(())
}

async fn ask(
    shell: &Shell,
    account: &AccountShell,
    state: &AccountState,
    system: System,
    outage: &Outage,
) -> Result<(), StoreError> {
    let answer = answers(shell, account, state, system).await;
    let now = shell.clock.now();
    match answer {
        Ok(()) => {
            account.failures.answered(system);
            account.failures.with(system, |count| {
                count.cleared = Some((outage.reason.clone(), now));
            });
            let ended = Event::OutageEnded { system };
            let told = account
                .record(shell.store.as_ref(), now, &[ended], |state| {
                    !state.outages.contains_key(&system)
                })
                .await?;
            if told {
                let woken = shell.store.wake(Some(&account.name), now).await?;
                shell.due.notify_one();
                tracing::info!(account = %account.name, system = system.word(), woken, "an outage ended");
            }
        }
        Err(trouble) => {
            let jitter = shell.clock.jitter();
            let wait = retry::weather_after(&shell.schedule, outage.since, now, jitter);
            let ask_at = (now + wait).max(trouble.not_before.unwrap_or(now));
            account.failures.with(system, |count| count.ask_at = Some(ask_at));
            if let Some(reason) = trouble.reason
                && differs(&reason, &outage.reason)
            {
                // Another trouble took its place: people must read what is true now.
                let events = [Event::OutageEnded { system }, Event::OutageBegan { system, reason }];
                account
                    .record(shell.store.as_ref(), now, &events, |state| {
                        state.outages.get(&system).is_none_or(|known| known != outage)
                    })
                    .await?;
            }
        }
    }
    Ok(())
}

/// Whether a person would do something else about it; the details of one trouble may vary.
fn differs(a: &PendingReason, b: &PendingReason) -> bool {
    match (a, b) {
        (PendingReason::NotReady { why: a }, PendingReason::NotReady { why: b }) => {
            std::mem::discriminant(a) != std::mem::discriminant(b)
        }
        _ => std::mem::discriminant(a) != std::mem::discriminant(b),
    }
}

/// Whether a system answers usefully, and is the one the account works with.
async fn answers(
    shell: &Shell,
    account: &AccountShell,
    state: &AccountState,
    system: System,
) -> Result<(), Trouble> {
    match system {
        System::Odoo => {
            let Some(odoo) = &account.odoo else {
                return Err(Trouble::of(PendingReason::NotReady { why: NotReady::NoOdoo }));
            };
            let pinged = odoo.ping().await;
            pinged.map_err(|error| Trouble::of_odoo(&error, shell.clock.now()))?;
            match other_database(state, odoo.database().as_deref()) {
                None => Ok(()),
                Some(why) => Err(Trouble::of(PendingReason::NotReady { why })),
            }
        }
        System::Ventipay => {
            let Some(ventipay) = &account.ventipay else { return Ok(()) };
            let pinged = ventipay.ping().await;
            pinged.map_err(|error| Trouble::of_ventipay(&error, shell.clock.now()))
        }
    }
}

/// A copy of the database answers to the same key, and must not be booked into.
pub fn other_database(state: &AccountState, answering: Option<&str>) -> Option<NotReady> {
    let (known, answering) = (state.database.as_deref()?, answering?);
    (known != answering).then(|| NotReady::OtherDatabase {
        known: known.to_owned(),
        answering: answering.to_owned(),
    })
}
