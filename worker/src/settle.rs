//! Brings a stream to rest: the spine of the worker, entered the same way for a fresh event,
//! a retry and a person's command.
//!
//! [`settle`] is the whole story: replay, take what is open, attend to it, append what came of
//! it, until nothing is open. `attend` is one event's: plan, observe, decide, perform,
//! conclude. No transaction is open while Odoo or Ventipay is asked; a claim is a lease, and
//! whoever loses the append starts over. Whatever crashes in between, the booking has a name
//! in Odoo that can be taken once ([`crate::odoo`]).
//!
//! Not here: what is decided ([`crate::domain::decide`]); the loop that claims ([`crate::run`]).

use concilia_shared::id::AccountName;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::crash;
use crate::domain::decide::{self, Decision, Plan, Seen, Verdict};
use crate::domain::event::{Event, Fact, Matched};
use crate::domain::observe::{AtVentipay, Book, Lookup};
use crate::domain::reason::{NotReady, PendingReason};
use crate::domain::state::{State, Status, Told};
use crate::odoo::{Odoo, OdooError};
use crate::retry;
use crate::shell::{AccountShell, Shell};
use crate::store::{Claim, Recorded, Step, StoreError, Then};
use crate::ventipay::VentipayError;

/// Most events settled under one claim; the rest waits for the next, so that a lease is
/// never outlived by one busy stream.
const EVENTS_MAX: usize = 16;

/// Most times one booking is asked for again within one claim, after an unknown outcome or a
/// race. The same call again finds its name.
const BOOK_TRIES: usize = 3;

/// Most times a decision is made anew within one claim because Odoo changed under it.
const LOOKS_MAX: usize = 2;

/// Brings a claimed stream to rest, or as far as it can be brought now.
///
/// After `call_by` no further call is started, so that the claim is still held when what came of
/// the last one is recorded.
pub async fn settle(shell: &Shell, claim: &Claim, call_by: Timestamp) -> Result<(), StoreError> {
    crash::point("settle.claimed");
    for _ in 0..EVENTS_MAX {
        let history = shell.store.stream(&claim.stream).await?;
        let state = State::replay(history.iter().map(|recorded| &recorded.event));
        let after_sequence = history.last().map_or(0, |last: &Recorded| last.sequence);
        let now = shell.clock.now();
        let Some(told) = state.open(now) else {
            let then = state.next_due().map_or(Then::Rest, Then::DueAt);
            return shell
                .store
                .advance(claim, &Step { events: Vec::new(), after_sequence, then }, now)
                .await;
        };
        let event = attend(shell, claim, &state, told, call_by).await?;
        let now = shell.clock.now();
        let (events, then) = match still_waiting(told, &event, now) {
            Some(due_at) => (Vec::new(), Then::DueAt(due_at)),
            None => (vec![event], Then::Continue),
        };
        let waits = !matches!(then, Then::Continue);
        shell.store.advance(claim, &Step { events, after_sequence, then }, now).await?;
        crash::point("settle.appended");
        if waits {
            return Ok(());
        }
    }
    let history = shell.store.stream(&claim.stream).await?;
    let after_sequence = history.last().map_or(0, |last| last.sequence);
    let now = shell.clock.now();
    shell
        .store
        .advance(claim, &Step { events: Vec::new(), after_sequence, then: Then::DueAt(now) }, now)
        .await
}

/// One event's way: what came of it.
async fn attend(
    shell: &Shell,
    claim: &Claim,
    state: &State,
    told: &Told,
    call_by: Timestamp,
) -> Result<Event, StoreError> {
    let account = AccountName::parse(claim.stream.account()).ok();
    let ports = account.as_ref().and_then(|name| shell.accounts.get(name));
    let verdict = match (ports, account) {
        (Some(ports), Some(name)) => {
            let body = shell.store.payload(&name, &told.webhook.event_id).await?;
            match decide::plan(told, state, &ports.settings, body.as_deref()) {
                Plan::Rest(verdict) => verdict,
                Plan::LookUp(lookup) => {
                    let calls = Calls { clock: shell.clock.as_ref(), by: call_by };
                    let verdict = reconcile(ports, told, &lookup, &calls).await;
                    note_weather(shell, ports, &verdict);
                    verdict
                }
            }
        }
        _ => decide::without_account(told),
    };
    let event =
        decide::rest(told, verdict, &shell.schedule, shell.clock.now(), shell.clock.jitter());
    tracing::info!(
        stream = %claim.stream,
        event.id = %told.webhook.event_id,
        outcome = event.kind(),
        "settled"
    );
    Ok(event)
}

/// Bad weather that lasts is not told again and again: the event stands as it stands, and
/// only its time moves.
fn still_waiting(told: &Told, event: &Event, now: Timestamp) -> Option<Timestamp> {
    match (&told.status, event) {
        (Status::Pending { reason, .. }, Event::Pended { reason: again, due_at, .. })
            if again.is_weather() && reason == again =>
        {
            Some((*due_at).max(now))
        }
        _ => None,
    }
}

/// Until when calls may be started.
struct Calls<'a> {
    clock: &'a dyn Clock,
    by: Timestamp,
}

impl Calls<'_> {
    /// An account behind a closed gate is not asked, nor anybody when the claim may run out
    /// before the answer is there.
    fn refused(&self, ports: &AccountShell) -> Option<PendingReason> {
        let now = self.clock.now();
        let late = (now >= self.by).then_some(PendingReason::OdooUnavailable);
        ports.gate.closed(now).or(late)
    }
}

/// Closes the account's gate for as long as the first retry would wait.
fn note_weather(shell: &Shell, ports: &AccountShell, verdict: &Verdict) {
    let now = shell.clock.now();
    if let Verdict::Pending(reason) = verdict
        && ports.gate.closed(now).is_none()
    {
        let wait = retry::due_after(&shell.schedule, 1, shell.clock.jitter());
        ports.gate.close(reason, now + wait);
    }
}

/// Observe, decide, perform, conclude.
async fn reconcile(
    ports: &AccountShell,
    told: &Told,
    lookup: &Lookup,
    calls: &Calls<'_>,
) -> Verdict {
    let (Some(odoo), Fact::CheckoutPaid(paid)) = (&ports.odoo, &told.webhook.fact) else {
        return Verdict::Pending(PendingReason::NotReady { why: NotReady::NoOdoo });
    };
    let mut verdict = Verdict::Pending(PendingReason::NoMatch);
    for _ in 0..LOOKS_MAX {
        if let Some(reason) = calls.refused(ports) {
            return Verdict::Pending(reason);
        }
        let seen = match observe(ports, odoo.as_ref(), lookup).await {
            Ok(seen) => seen,
            Err(reason) => return Verdict::Pending(reason),
        };
        crash::point("settle.observed");
        verdict = match decide::decide(told, paid, &seen, &ports.settings) {
            Decision::Rest(verdict) => verdict,
            Decision::Book(book, matched) => perform(odoo.as_ref(), &book, &matched, calls).await,
        };
        if !matches!(verdict, Verdict::Pending(PendingReason::Changed { .. })) {
            break;
        }
    }
    verdict
}

/// Ventipay first (it is cheap, and may make Odoo needless), then Odoo, one call each.
async fn observe(
    ports: &AccountShell,
    odoo: &dyn Odoo,
    lookup: &Lookup,
) -> Result<Seen, PendingReason> {
    let ventipay = match &ports.ventipay {
        None => AtVentipay::NotAsked,
        Some(ventipay) => ventipay.checkout(&lookup.checkout).await.map_err(|error| {
            tracing::warn!(checkout = %lookup.checkout, %error, "Ventipay did not answer");
            match error {
                VentipayError::Denied { .. } => {
                    PendingReason::NotReady { why: NotReady::VentipayDenied }
                }
                VentipayError::Unavailable { .. } => PendingReason::VentipayUnavailable,
            }
        })?,
    };
    let mut views =
        odoo.observe(std::slice::from_ref(lookup)).await.map_err(|error| weather(&error))?;
    match (views.pop(), views.is_empty()) {
        (Some(view), true) => Ok(Seen { odoo: view, ventipay }),
        _ => Err(PendingReason::OdooUnavailable),
    }
}

/// Books under a name that can be taken once: after an unknown outcome or a race, the same
/// call again tells what became of it.
async fn perform(odoo: &dyn Odoo, book: &Book, matched: &Matched, calls: &Calls<'_>) -> Verdict {
    crash::point("settle.decided");
    for _ in 0..BOOK_TRIES {
        if calls.clock.now() >= calls.by {
            break;
        }
        let outcome = match odoo.book(std::slice::from_ref(book)).await {
            Ok(mut outcomes) => outcomes.pop(),
            Err(OdooError::Unknown { detail }) => {
                tracing::warn!(checkout = %book.checkout, detail, "outcome unknown, asking again");
                None
            }
            Err(error) => return Verdict::Pending(weather(&error)),
        };
        crash::point("settle.booked");
        if let Some(verdict) =
            outcome.and_then(|outcome| decide::conclude(outcome, matched.clone()))
        {
            return verdict;
        }
    }
    Verdict::Pending(PendingReason::OdooUnavailable)
}

fn weather(error: &OdooError) -> PendingReason {
    tracing::warn!(%error, "Odoo did not answer");
    match error {
        OdooError::NotReady(why) => PendingReason::NotReady { why: why.clone() },
        OdooError::Unavailable { .. } | OdooError::Unknown { .. } => PendingReason::OdooUnavailable,
    }
}
