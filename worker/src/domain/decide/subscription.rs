//! A subscription: its record in Odoo, linked to its customer.
//!
//! Where it stands is what Ventipay shows now; where nobody can be asked, what was changed last.
//! One that has ended stays ended. Not here: its invoices ([`super::invoice`]).

use std::collections::BTreeSet;

use super::{Seen, Verdict, customer};
use crate::domain::fact::{Fact, SubscriptionState, SubscriptionTold};
use crate::domain::observe::{Ask, AtVentipay, Command, Lookup};
use crate::domain::reason::RecordReason;
use crate::domain::record::{Amount, Head, Record, SubscriptionRecord};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Status, Told};

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &Told,
    subscription: &SubscriptionTold,
    state: &State,
) -> Option<Verdict> {
    let ended = state.registered.as_ref().and_then(|last| SubscriptionState::parse(&last.state));
    let ended = ended.filter(|known| known.is_final() && *known != subscription.state);
    let newer = || registered(state).find(|other| is_newer(other, subscription));
    let overtaken = ended.or_else(|| newer().map(|other| other.state));
    if let Some(known) = overtaken {
        let status = known.as_str().to_owned();
        return Some(Verdict::Recorded(RecordReason::Overtaken { status }));
    }
    let same = |other: &&SubscriptionTold| {
        other.state == subscription.state
            && other.period_end == subscription.period_end
            && other.changed_at == subscription.changed_at
    };
    let before =
        state.told.iter().take_while(|other| other.webhook.event_id != told.webhook.event_id);
    let before = before.filter(|other| matches!(other.status, Status::Registered(_)));
    let before = before.filter_map(fact).find(same);
    before.map(|_| Verdict::Recorded(RecordReason::ToldBefore))
}

fn fact(told: &Told) -> Option<&SubscriptionTold> {
    match &told.webhook.fact {
        Fact::SubscriptionTold(subscription) => Some(subscription),
        _ => None,
    }
}

fn registered(state: &State) -> impl Iterator<Item = &SubscriptionTold> {
    let written = |told: &&Told| matches!(told.status, Status::Registered(_));
    state.told.iter().filter(written).filter_map(fact)
}

/// Whether `other` is later than `one`, as far as both say when.
fn is_newer(other: &SubscriptionTold, one: &SubscriptionTold) -> bool {
    let later = |a: Option<jiff::Timestamp>, b| a.zip(b).map(|(a, b)| a > b);
    later(other.changed_at, one.changed_at)
        .or_else(|| later(other.period_end, one.period_end))
        .unwrap_or(false)
}

/// Whom to ask, and whose it is.
pub(super) fn lookup(
    subscription: &SubscriptionTold,
    settings: &Settings,
    body: Option<&[u8]>,
) -> Lookup {
    let id = subscription.customer.as_ref();
    Lookup {
        ask: Ask::Subscription(subscription.subscription.clone()),
        customer: customer(body, id, settings),
        ..Lookup::default()
    }
}

/// What its record says, by what was seen.
pub(super) fn record(
    subscription: &SubscriptionTold,
    state: &State,
    seen: &Seen,
    settings: &Settings,
) -> Command {
    let shown = match &seen.ventipay {
        AtVentipay::Subscription(now) => Some(now),
        _ => None,
    };
    let now = shown.and_then(|now| SubscriptionState::parse(&now.status));
    let money = subscription.amount.or_else(|| shown.and_then(|now| now.amount));
    let record = SubscriptionRecord {
        head: Head {
            id: subscription.subscription.to_string(),
            account: settings.account.clone(),
            revision: state.length,
        },
        state: now.unwrap_or(subscription.state),
        amount: money.map(|money| Amount {
            money,
            currency: super::currency::default_name(money, settings),
        }),
        period_start: shown.and_then(|now| now.period_start).or(subscription.period_start),
        period_end: shown.and_then(|now| now.period_end).or(subscription.period_end),
        renewals: renewals(state),
        reason: subscription.why.clone().or_else(|| shown.and_then(|now| now.reason.clone())),
        of: Vec::new(),
        customer: seen.customer.clone(),
        activities: Vec::new(),
    };
    Command::Record(Box::new(Record::Subscription(Box::new(record))))
}

/// How often it was renewed: activated again, for another period.
fn renewals(state: &State) -> u32 {
    let active =
        state.told.iter().filter_map(fact).filter(|told| told.state == SubscriptionState::Active);
    let periods: BTreeSet<_> = active.map(|told| told.period_end).collect();
    u32::try_from(periods.len().saturating_sub(1)).unwrap_or(u32::MAX)
}
