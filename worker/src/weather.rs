//! Bad weather: a system an account needs does not answer usefully.
//!
//! An outage is told once when it begins and once when it ends, in the account's own stream;
//! the events that wait meanwhile are put off without a word, and none of their tries is used
//! up. [`trouble`] is told of every failed call and says until when the event waits; [`watch`]
//! asks every account's missing systems again and again, ever more patiently, and wakes what
//! waits when they answer.
//!
//! Before an outage is told the system is asked once more, with a question like an event's own
//! (`rehearse`): if it answers that, the trouble is the event's, and the event says so itself.
//!
//! Not here: what is counted between calls (`failures`), the breaker and the limits of a host
//! ([`crate::odoo::host`]).

mod failures;

use std::time::Duration;

use concilia_shared::id::{CheckoutId, StreamId};
use futures_util::future::join_all;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

pub use failures::{Failures, Step};

use crate::account::{AccountShell, Current};
use crate::domain::account::{AccountState, Outage};
use crate::domain::event::{Event, System};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Lookup, Probe};
use crate::domain::reason::{NotReady, PendingReason};
use crate::domain::settings::Settings;
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

/// How often [`watch`] looks whether somebody is to be asked.
const TICK: Duration = Duration::from_millis(250);

/// A call that had no useful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Who was called.
    pub system: System,
    /// What for.
    pub step: Step,
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
        Self { system: System::Odoo, step: Step::Look, reason, not_before }
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
        Self { system: System::Ventipay, step: Step::Look, reason: Some(reason), not_before }
    }

    /// What Odoo or the configuration must have set right, whoever noticed it.
    pub fn of(reason: PendingReason) -> Self {
        let system = match &reason {
            PendingReason::VentipayUnavailable
            | PendingReason::NotReady { why: NotReady::VentipayDenied } => System::Ventipay,
            _ => System::Odoo,
        };
        Self { system, step: Step::Look, reason: Some(reason), not_before: None }
    }

    /// No call was made: there was no time left, or it is known that there is no answer.
    pub fn no_call(system: System, not_before: Option<Timestamp>) -> Self {
        Self { system, step: Step::Look, reason: None, not_before }
    }

    /// The same for a call that was to do something.
    #[must_use]
    pub fn performing(self) -> Self {
        Self { step: Step::Perform, ..self }
    }
}

fn asked(retry_after_s: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    let wait_s = i64::try_from(retry_after_s?.min(3_600)).unwrap_or(0);
    Some(now + SignedDuration::from_secs(wait_s))
}

/// Until when an event waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Until then, or until it is woken: the account's trouble, told in its stream.
    Until(Timestamp),
    /// The system is well, so it is this event's own trouble, and the event says so itself.
    Own(PendingReason),
}

/// Takes note of a failed call about a stream. Answers until when it waits; a beginning outage
/// is told in the account's stream.
pub async fn trouble(
    shell: &Shell,
    account: &AccountShell,
    stream: &StreamId,
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
    let failures = account.failures.failed(system, trouble.step, stream);
    if !certain && failures < FAILURES_MAX {
        return Ok(later);
    }
    let current = account.newest(shell.store.as_ref(), now).await?;
    if current.state.outages.contains_key(&system) {
        return Ok(Wait::Until(now + LOOK_AGAIN));
    }
    if rehearse(shell, account, &current, system).await.is_ok() {
        let trouble = Box::new(reason.clone());
        return Ok(Wait::Own(PendingReason::OnlyThis { trouble }));
    }
    let now = shell.clock.now();
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
    loop {
        tokio::select! {
            () = async { look_around(shell).await; tokio::time::sleep(TICK).await } => {}
            // Dropping a question loses nothing: whoever asks next hears the same.
            () = stop.cancelled() => return,
        }
    }
}

/// One round of [`watch`]: asks whoever is due to be asked, all at once, so that one that hangs
/// keeps no other waiting longer than itself.
pub async fn look_around(shell: &Shell) {
    join_all(shell.accounts.values().map(async |account| {
        if let Err(error) = look_after(shell, account).await {
            tracing::warn!(account = %account.name, %error, "could not look after an outage");
        }
    }))
    .await;
}

async fn look_after(shell: &Shell, account: &AccountShell) -> Result<(), StoreError> {
    let now = shell.clock.now();
    let current = account.current(shell.store.as_ref(), now).await?;
    for system in [System::Odoo, System::Ventipay] {
        let outage = current.state.outages.get(&system);
        crate::measure::breaker(&account.name, system.word(), outage.is_some());
        let Some(outage) = outage else { continue };
        let since = outage.since;
        let first = since + retry::due_after(&shell.schedule, 1, shell.clock.jitter());
        if account.failures.asked_next(system, first) <= now {
            ask(shell, account, &current, system, outage).await?;
        }
    }
    Ok(())
}

async fn ask(
    shell: &Shell,
    account: &AccountShell,
    current: &Current,
    system: System,
    outage: &Outage,
) -> Result<(), StoreError> {
    let answer = rehearse(shell, account, current, system).await;
    let now = shell.clock.now();
    match answer {
        Ok(()) => {
            account.failures.is_well(system);
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
            account.failures.ask_next(system, ask_at);
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

/// Whether a system answers a question like an event's own, and is the one the account works
/// with. Looks only.
async fn rehearse(
    shell: &Shell,
    account: &AccountShell,
    current: &Current,
    system: System,
) -> Result<(), Trouble> {
    match (system, current.settings()) {
        (System::Odoo, Some(settings)) => {
            rehearse_odoo(shell, account, &current.state, settings).await
        }
        (System::Odoo, None) => Err(Trouble::of(PendingReason::OdooUnavailable)),
        (System::Ventipay, _) => {
            let Some(ventipay) = &account.ventipay else { return Ok(()) };
            let pinged = ventipay.ping().await;
            pinged.map_err(|error| Trouble::of_ventipay(&error, shell.clock.now()))
        }
    }
}

async fn rehearse_odoo(
    shell: &Shell,
    account: &AccountShell,
    state: &AccountState,
    settings: &Settings,
) -> Result<(), Trouble> {
    let not_ready = |why| Trouble::of(PendingReason::NotReady { why });
    let Some(odoo) = &account.odoo else { return Err(not_ready(NotReady::NoOdoo)) };
    let asked = rehearsal(settings);
    let seen = odoo.observe(&asked).await;
    let seen = seen.map_err(|error| Trouble::of_odoo(&error, shell.clock.now()))?;
    let unknown = seen.iter().flat_map(|seen| &seen.probes).find(|found| found.unknown_field);
    if let Some(found) = unknown {
        return Err(not_ready(NotReady::UnknownField { field: found.probe.field.clone() }));
    }
    match other_database(state, odoo.database().as_deref()) {
        None => Ok(()),
        Some(why) => Err(not_ready(why)),
    }
}

/// A question about a checkout that does not exist, in all the places an event is looked for.
fn rehearsal(settings: &Settings) -> Vec<Lookup> {
    let value = "concilia-rehearsal".to_owned();
    let path = value.clone();
    let probes = settings.fields.iter().filter(|_| settings.mode.looks_for_orders());
    let probe =
        |field: &String| Probe { path: path.clone(), field: field.clone(), value: value.clone() };
    let Ok(checkout) = CheckoutId::parse("chk_rehearsal") else { return Vec::new() };
    let lookup = Lookup {
        names: vec![PaymentName::of_checkout(&checkout)],
        probes: probes.map(probe).collect(),
        domain: settings.domain.clone(),
        ..Lookup::default()
    };
    vec![lookup]
}

/// A copy of the database answers to the same key, and must not be booked into.
pub fn other_database(state: &AccountState, answering: Option<&str>) -> Option<NotReady> {
    let (known, answering) = (state.database.as_deref()?, answering?);
    (known != answering).then(|| NotReady::OtherDatabase {
        known: known.to_owned(),
        answering: answering.to_owned(),
    })
}
