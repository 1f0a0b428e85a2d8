//! Brings a stream to rest: the spine of the worker, entered the same way for a fresh event,
//! a retry and a person's command.
//!
//! [`settle`] is the whole story: replay, take what is open, attend to it, append what came of
//! it, until nothing is open. `attend` is one event's: plan, look, decide, perform, conclude.
//! No transaction is open while Odoo or Ventipay is asked; a claim is a lease, and whoever loses
//! the append starts over. Whatever crashes in between, the effect has a name in Odoo that can
//! be taken once ([`crate::odoo`]).
//!
//! Read next: [`look`] (observe and decide, which a plan for people shares), `perform`, and
//! `learn` (a payment nobody told of).
//! Not here: what is decided ([`crate::domain::decide`]); the loop that claims ([`crate::run`]);
//! outages ([`crate::weather`]).

mod learn;
pub mod look;
mod perform;

use std::sync::Arc;

use concilia_shared::id::AccountName;
use concilia_shared::webhook::Webhook;
use jiff::Timestamp;

use crate::account::{AccountShell, Current};
use crate::clock::Clock;
use crate::crash;
use crate::domain::decide::{self, Decision, Plan, Verdict};
use crate::domain::event::{Event, System};
use crate::domain::observe::{Command, Lookup};
use crate::domain::reason::PendingReason;
use crate::domain::settings::Settings;
use crate::domain::state::{Open, State, Status, Told};
use crate::shell::Shell;
use crate::store::{Claim, Recorded, Step, StoreError, Then};
use crate::trace;
use crate::weather::{self, LOOK_AGAIN, Trouble, Wait};

/// Most events settled under one claim; the rest waits for the next, so that a lease is
/// never outlived by one busy stream.
const EVENTS_MAX: usize = 16;

/// Most times a decision is made anew within one claim because Odoo changed under it.
const LOOKS_MAX: usize = 2;

/// What attending to an event comes to.
enum Attended {
    /// A fact to append.
    Fact(Box<Event>),
    /// Nothing to tell yet: it waits until then, or until it is woken.
    Wait(Timestamp),
    /// Another event of the stream was taken in, which comes first.
    Learned,
}

/// Brings a claimed stream to rest, or as far as it can be brought now.
///
/// After `call_by` no further call is started, so that the claim is still held when what came of
/// the last one is recorded.
pub async fn settle(shell: &Shell, claim: &Claim, call_by: Timestamp) -> Result<(), StoreError> {
    crash::point("settle.claimed");
    let mut after_sequence = 0;
    for round in 0..EVENTS_MAX {
        let history = shell.store.stream(&claim.stream).await?;
        let state = State::replay(history.iter().map(|recorded| &recorded.event));
        after_sequence = history.last().map_or(0, |last: &Recorded| last.sequence);
        let now = shell.clock.now();
        // Claimed before anything was due: somebody woke it, because something has changed.
        let woken = || state.woken().filter(|_| round == 0);
        let Some(open) = state.work(now).or_else(woken) else {
            let then = state.next_due().map_or(Then::Rest, Then::DueAt);
            return release(shell, claim, after_sequence, then).await;
        };
        match attend(shell, claim, &state, open, call_by).await? {
            Attended::Wait(until) => {
                return release(shell, claim, after_sequence, Then::DueAt(until)).await;
            }
            Attended::Learned => {}
            Attended::Fact(event) => {
                let step = Step { events: vec![*event], after_sequence, then: Then::Continue };
                shell.store.advance(claim, &step, shell.clock.now()).await?;
                after_sequence += 1;
                crash::point("settle.appended");
            }
        }
    }
    release(shell, claim, after_sequence, Then::DueAt(shell.clock.now())).await
}

async fn release(
    shell: &Shell,
    claim: &Claim,
    after_sequence: i64,
    then: Then,
) -> Result<(), StoreError> {
    let step = Step { events: Vec::new(), after_sequence, then };
    shell.store.advance(claim, &step, shell.clock.now()).await
}

/// One event's way: what came of it.
async fn attend(
    shell: &Shell,
    claim: &Claim,
    state: &State,
    open: Open<'_>,
    call_by: Timestamp,
) -> Result<Attended, StoreError> {
    let (Open::Attend(told) | Open::Complete(told)) = open;
    let name = AccountName::parse(claim.stream.account()).ok();
    let Some(account) = name.as_ref().and_then(|name| shell.accounts.get(name)) else {
        return Ok(concluded(shell, claim, told, decide::without_account(told)));
    };
    let now = shell.clock.now();
    let mut current = account.current(shell.store.as_ref(), now).await?;
    if current.state.paused.is_some() || !current.state.outages.is_empty() {
        // It may be over, and what waits for that woken already.
        current = account.newest(shell.store.as_ref(), now).await?;
    }
    if current.state.paused.is_some() {
        return Ok(Attended::Wait(now + LOOK_AGAIN));
    }
    let webhook = shell.store.payload(&account.name, &told.webhook.event_id).await?;
    let traceparent = webhook.as_ref().and_then(|webhook| webhook.traceparent.clone());
    let calls = Calls { shell, account, current, by: call_by };
    let verdict = match open {
        Open::Attend(_) => {
            trace::scope(traceparent.as_deref(), calls.judge(told, state, webhook.as_ref())).await?
        }
        Open::Complete(_) => trace::scope(traceparent.as_deref(), calls.complete(told)).await?,
    };
    let verdict = match verdict {
        Ok(Judgement::Verdict(verdict)) => verdict,
        Ok(Judgement::Learned) => return Ok(Attended::Learned),
        Err(trouble) => match weather::trouble(shell, account, &claim.stream, &trouble).await? {
            Wait::Until(until) => return Ok(Attended::Wait(until)),
            Wait::Own(reason) => Verdict::Pending(reason),
        },
    };
    account.failures.concluded(&claim.stream);
    match (open, &state.booking, verdict) {
        // A help, not the payment: what cannot be brought together stays as it was.
        (Open::Complete(_), Some(booking), verdict)
            if !matches!(verdict, Verdict::Completed(_)) =>
        {
            tracing::warn!(stream = %claim.stream, ?verdict, "a credit could not be given to its invoices");
            let left = Verdict::Completed(Box::new(booking.clone()));
            Ok(concluded(shell, claim, told, left))
        }
        (_, _, verdict) => Ok(concluded(shell, claim, told, verdict)),
    }
}

/// The fact a verdict leaves. What only says again what the event says already is not told: the
/// event stands as it stands, and only its time moves.
fn concluded(shell: &Shell, claim: &Claim, told: &Told, verdict: Verdict) -> Attended {
    let now = shell.clock.now();
    let event = decide::rest(told, verdict, &shell.schedule, now, shell.clock.jitter());
    if let (
        Status::Pending { reason, due_at: planned, .. },
        Event::Pended { reason: again, due_at, .. },
    ) = (&told.status, &event)
        && reason == again
        && (again.is_weather() || due_at == planned)
    {
        return Attended::Wait((*due_at).max(now));
    }
    tracing::info!(
        stream = %claim.stream,
        event.id = %told.webhook.event_id,
        outcome = event.kind(),
        "settled"
    );
    Attended::Fact(Box::new(event))
}

/// The calls one event may need: who is asked, by which settings, and until when.
struct Calls<'a> {
    shell: &'a Shell,
    account: &'a AccountShell,
    current: Arc<Current>,
    by: Timestamp,
}

/// What judging an event comes to.
enum Judgement {
    /// Where it rests.
    Verdict(Verdict),
    /// Nowhere yet: the payment it is about was taken in from Ventipay, and comes first.
    Learned,
}

/// A judgement, or the trouble that kept us from one.
type Judged = Result<Judgement, Trouble>;

impl Calls<'_> {
    fn clock(&self) -> &dyn Clock {
        self.shell.clock.as_ref()
    }

    /// An account with an outage is not asked, nor anybody when the claim may run out before
    /// the answer is there.
    fn refused(&self) -> Option<Trouble> {
        let now = self.clock().now();
        if let Some((system, _)) = self.current.state.outages.first_key_value() {
            let not_before = Some(now + LOOK_AGAIN);
            return Some(Trouble::no_call(*system, not_before));
        }
        (now >= self.by).then_some(Trouble::no_call(System::Odoo, None))
    }

    /// Plan, look, decide, perform, conclude; anew when Odoo changed in between.
    async fn judge(
        &self,
        told: &Told,
        state: &State,
        webhook: Option<&Webhook>,
    ) -> Result<Judged, StoreError> {
        let Some(settings) = self.current.settings() else {
            return Ok(Err(Trouble::of(PendingReason::OdooUnavailable)));
        };
        let body = webhook.map(|webhook| webhook.body.as_slice());
        let lookup = match decide::plan(told, state, settings, body) {
            Plan::Rest(Verdict::Pending(reason)) if reason.is_weather() => {
                return Ok(Err(Trouble::of(reason)));
            }
            Plan::Rest(verdict) => return Ok(Ok(Judgement::Verdict(verdict))),
            Plan::LookUp(lookup) => lookup,
        };
        let changed = Verdict::Pending(PendingReason::Changed { what: String::new() });
        let mut judged = Ok(Judgement::Verdict(changed));
        for _ in 0..LOOKS_MAX {
            judged = self.look_and_perform(told, state, &lookup, settings).await?;
            let Ok(Judgement::Verdict(Verdict::Pending(PendingReason::Changed { .. }))) = judged
            else {
                break;
            };
        }
        // What says of itself that somebody must set something right is the account's trouble.
        Ok(match judged {
            Ok(Judgement::Verdict(Verdict::Pending(reason))) if reason.is_weather() => {
                Err(Trouble::of(reason))
            }
            judged => judged,
        })
    }

    async fn look_and_perform(
        &self,
        told: &Told,
        state: &State,
        lookup: &Lookup,
        settings: &Settings,
    ) -> Result<Judged, StoreError> {
        if let Some(trouble) = self.refused() {
            return Ok(Err(trouble));
        }
        let seen = match look::look(self.shell, self.account, &self.current, lookup).await? {
            Ok(seen) => seen,
            Err(trouble) => return Ok(Err(trouble)),
        };
        crash::point("settle.observed");
        match decide::decide(told, state, lookup, &seen, settings) {
            Decision::Rest(verdict) => Ok(Ok(Judgement::Verdict(verdict))),
            Decision::Do(command, matched) => {
                if let Some(checkout) = decide::presupposes(told, &seen, settings) {
                    let learned =
                        learn::learn(self.shell, self.account, settings, &checkout).await?;
                    if let Err(trouble) = learned {
                        return Ok(Err(trouble));
                    }
                }
                Ok(self.perform(&command, matched).await.map(Judgement::Verdict))
            }
            Decision::Learn(checkout) => {
                let learned = learn::learn(self.shell, self.account, settings, &checkout).await?;
                Ok(learned.map(|()| Judgement::Learned))
            }
        }
    }

    /// Gives the open credit of a booking to invoices that came later.
    async fn complete(&self, told: &Told) -> Result<Judged, StoreError> {
        let name = told.payment().and_then(|payment| payment.names.into_iter().next());
        let Some(name) = name else {
            return Ok(Ok(Judgement::Verdict(decide::without_account(told))));
        };
        if let Some(trouble) = self.refused() {
            return Ok(Err(trouble));
        }
        let command = Command::Complete { name };
        Ok(self.perform(&command, None).await.map(Judgement::Verdict))
    }
}
