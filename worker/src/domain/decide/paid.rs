//! A checkout that Ventipay says was paid: what all modes share.
//!
//! Read next: [`super::transaction`] (mode A), [`super::order`] (mode B).

use concilia_shared::config::Mode;
use concilia_shared::money::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{BY_HAND, Seen, Verdict, order, probes, references, transaction, unknown_to_ventipay};
use crate::domain::event::{Booking, CheckoutPaid, Fact, Matched};
use crate::domain::name::PaymentName;
use crate::domain::observe::{
    Ask, AtVentipay, CheckoutNow, Command, InOdoo, Lookup, Order, Probe, Reference, Transaction,
};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &Told,
    paid: &CheckoutPaid,
    state: &State,
    settings: &Settings,
) -> Option<Verdict> {
    if let Some(verdict) = told_before(told, paid, state) {
        return Some(verdict);
    }
    if let Some(book_from) = settings.book_from
        && paid_at(told, paid, None) < book_from
    {
        return Some(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    if settings.asks_ventipay {
        return None;
    }
    // Nobody can be asked: what is late, or contradicts what was told before, needs a person.
    let trusted = accepted(told, |reason| matches!(reason, ParkReason::LateAndUnverifiable { .. }));
    if let (Some(late_s), false) = (told.webhook.late_s, trusted) {
        return Some(Verdict::Parked(ParkReason::LateAndUnverifiable { late_s }));
    }
    let canceled =
        state.told.iter().any(|other| matches!(other.webhook.fact, Fact::CheckoutCanceled(_)));
    let status = "canceled".to_owned();
    canceled.then_some(Verdict::Parked(ParkReason::NotPayable { status }))
}

/// Whom to ask, and where it may be found.
pub(super) fn lookup(told: &Told, paid: &CheckoutPaid, settings: &Settings, body: &[u8]) -> Lookup {
    let (references, probes) = places(told, settings, body);
    let payment = paid.payment.as_ref().map(ToString::to_string);
    Lookup {
        ask: Ask::Checkout(paid.checkout.clone()),
        names: paid.names(),
        carried: std::iter::once(paid.checkout.to_string()).chain(payment).collect(),
        references,
        probes,
        domain: settings.domain.clone().filter(|_| told.chosen.is_none()),
        ..Lookup::default()
    }
}

/// Where it may be found. A person's choice is looked for everywhere, and nothing else is.
fn places(told: &Told, settings: &Settings, body: &[u8]) -> (Vec<Reference>, Vec<Probe>) {
    if let Some(value) = &told.chosen {
        let path = BY_HAND.to_owned();
        let reference = Reference { path: path.clone(), value: value.clone() };
        let probe = Probe { path, field: "name".to_owned(), value: value.clone() };
        return (vec![reference], vec![probe]);
    }
    let mode = settings.mode;
    let references =
        if mode.looks_for_transactions() { references(body, settings) } else { Vec::new() };
    let probes = if mode.looks_for_orders() { probes(body, settings) } else { Vec::new() };
    (references, probes)
}

/// Judges by what was seen, or says what to do in Odoo.
pub(super) fn judge(
    told: &Told,
    paid: &CheckoutPaid,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    if let Some(booking) = &seen.odoo.booked {
        return Err(judge_booked(paid, booking, &seen.odoo, settings));
    }
    let checkout = confirm_with_ventipay(told, paid, &seen.ventipay)?;
    if let Some(book_from) = settings.book_from
        && paid_at(told, paid, checkout) < book_from
    {
        return Err(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    let date = day(paid_at(told, paid, checkout));
    let chosen = told.chosen.is_some();
    if settings.mode.looks_for_transactions() || chosen {
        let names = paid.names();
        let name = PaymentName::of_checkout(&paid.checkout);
        if let Some(candidate) = transaction::find(&name, lookup, &seen.odoo)? {
            let paid = transaction::Paid { names: &names, amount: paid.amount, date };
            let judged = transaction::judge(told, &paid, candidate, &seen.odoo, settings);
            let differs =
                matches!(judged, Err(Verdict::Parked(ParkReason::TransactionMismatch { .. })));
            // A person chose an order: its transaction need not fit.
            if !(differs && chosen) {
                return judged;
            }
        }
        if !settings.mode.looks_for_orders() && !chosen {
            let looked_for = values(lookup.references.iter().map(|reference| &reference.value));
            return Err(Verdict::Pending(PendingReason::NoTransaction { looked_for }));
        }
    }
    order::judge(told, paid, &seen.odoo, date, settings)
}

/// Each value once, in order.
pub(super) fn values<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in all {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    values
}

/// Whether a person accepted such a difference of this event.
pub(super) fn accepted(told: &Told, such: impl Fn(&ParkReason) -> bool) -> bool {
    told.accepted.iter().any(such)
}

/// Parked, unless a person accepted exactly this.
pub(super) fn unless_accepted(told: &Told, reason: ParkReason) -> Result<(), Verdict> {
    if accepted(told, |known| known.is_the_same(&reason)) {
        return Ok(());
    }
    Err(Verdict::Parked(reason))
}

/// The same payment told under another event id is recorded, also where a person closed it;
/// another amount is parked.
fn told_before(told: &Told, paid: &CheckoutPaid, state: &State) -> Option<Verdict> {
    if state.closed_by_hand(told) {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    let first = state.payment_told()?;
    if first.told.webhook.event_id == told.webhook.event_id {
        return None;
    }
    if first.amount == paid.amount {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    Some(Verdict::Parked(contradiction(paid, first.amount)))
}

fn contradiction(paid: &CheckoutPaid, answered: Money) -> ParkReason {
    ParkReason::ContradictedByVentipay { told: paid.amount, answered: in_words(answered) }
}

fn in_words(money: Money) -> String {
    format!("{} {}", money.to_decimal(), money.currency)
}

/// When it was paid, as far as anybody says; else when we were told.
fn paid_at(told: &Told, paid: &CheckoutPaid, now: Option<&CheckoutNow>) -> Timestamp {
    now.and_then(|checkout| checkout.paid_at).or(paid.paid_at).unwrap_or(told.webhook.received_at)
}

/// The day, in the merchant's country, not in UTC: after 20:00 they differ.
pub(super) fn day(at: Timestamp) -> Date {
    let santiago = TimeZone::get("America/Santiago")
        .unwrap_or_else(|_| unreachable!("the time zone database is part of the build"));
    at.to_zoned(santiago).date()
}

fn judge_booked(
    paid: &CheckoutPaid,
    booking: &Booking,
    odoo: &InOdoo,
    settings: &Settings,
) -> Verdict {
    if odoo.booked_company_id.is_some() && odoo.booked_company_id != settings.company_id {
        let document = booking.transaction.clone();
        return Verdict::Parked(ParkReason::OtherCompany { document });
    }
    let by_another = odoo.booked_name.as_ref().filter(|name| **name != paid.checkout.as_str());
    match (odoo.booked_state.as_deref(), by_another) {
        (None | Some("done"), Some(name)) if booking.amount == paid.amount => {
            Verdict::Recorded(RecordReason::BookedElsewhere { name: name.clone() })
        }
        (None | Some("done"), None) if booking.amount == paid.amount => {
            // Mode B names its transaction after the checkout; mode A confirms one of Odoo's.
            let by_b = booking.transaction == paid.checkout.as_str();
            let mode = if by_b { Mode::B } else { Mode::A };
            Verdict::Booked(Box::new(booking.clone()), None, Some(mode))
        }
        (None | Some("done"), _) => {
            let booked = in_words(booking.amount);
            Verdict::Parked(ParkReason::BookedDifferently { paid: paid.amount, booked })
        }
        (Some(state), _) => Verdict::Parked(ParkReason::BookedDifferently {
            paid: paid.amount,
            booked: format!("{} ({state})", in_words(booking.amount)),
        }),
    }
}

/// What Ventipay says now, where it was asked; else what the signed body says. What went back
/// since is no reason to wait: the payment is entered whole, and its refund after it.
fn confirm_with_ventipay<'a>(
    told: &Told,
    paid: &CheckoutPaid,
    at_ventipay: &'a AtVentipay,
) -> Result<Option<&'a CheckoutNow>, Verdict> {
    let (status, amount, disputed, checkout) = match at_ventipay {
        AtVentipay::NotAsked => {
            let status = paid.status.as_deref().unwrap_or("paid");
            (status, paid.amount, paid.disputed, None)
        }
        AtVentipay::Unknown => {
            return Err(unknown_to_ventipay(told, |status| PendingReason::NotPaidYet { status }));
        }
        AtVentipay::Checkout(now) => (now.status.as_str(), now.amount, now.disputed, Some(now)),
        _ => return Err(Verdict::Pending(PendingReason::VentipayUnavailable)),
    };
    let disputed = disputed && !accepted(told, |reason| *reason == ParkReason::Disputed);
    match status {
        _ if amount != paid.amount => Err(Verdict::Parked(contradiction(paid, amount))),
        _ if disputed => Err(Verdict::Parked(ParkReason::Disputed)),
        "paid" => Ok(checkout),
        "canceled" | "expired" => {
            Err(Verdict::Parked(ParkReason::NotPayable { status: status.to_owned() }))
        }
        other => Err(Verdict::Pending(PendingReason::NotPaidYet { status: other.to_owned() })),
    }
}

/// An order money may be booked on: of the account's company, and not cancelled.
pub(super) fn of_company_and_alive(order: &Order, settings: &Settings) -> Result<(), Verdict> {
    let document = order.name.clone();
    if Some(order.company_id) != settings.company_id {
        return Err(Verdict::Parked(ParkReason::OtherCompany { document }));
    }
    if order.state == "cancel" {
        return Err(Verdict::Parked(ParkReason::OrderCancelled { order: document }));
    }
    Ok(())
}

/// A transaction that carries the checkout's name, and so stands in the way of ours: a
/// reference is unique in every state; one that is dead carries only its provider's reference.
pub(super) fn in_the_way<'a>(
    names: &[PaymentName],
    others: impl IntoIterator<Item = &'a Transaction>,
) -> Result<(), Verdict> {
    let living = |other: &&Transaction| {
        names.iter().any(|name| other.reference == name.as_str())
            || !["cancel", "error"].contains(&other.state.as_str())
    };
    match others.into_iter().find(living) {
        None => Ok(()),
        Some(other) => Err(Verdict::Parked(ParkReason::NameTaken {
            document: other.reference.clone(),
            by: format!("{} {} ({})", other.amount, other.currency, other.state),
        })),
    }
}
