//! The sum that must always hold: **paid − refunded = booked + pending + parked**, per
//! currency and per day, to the peso.
//!
//! The two sides come from different facts: the left from what Ventipay told, the right from
//! where each payment rests, a booked one with the amount Odoo holds. So a payment booked with
//! another amount, or told and resting nowhere, shows as a difference. `booked` is net of what is
//! booked as refunded; a refund that is not in Odoo yet lessens what is pending or parked. What was never this
//! account's to book (another environment, before `book_from`) is counted beside it.

use std::collections::BTreeMap;

use concilia_shared::money::{Currency, Money};
use jiff::civil::Date;
use serde::Serialize;

use super::day;
use crate::domain::decide::most_told;
use crate::domain::reason::RecordReason;
use crate::domain::state::{Payment, State, Status, Told};

/// The sums of one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// The day the payments were made in America/Santiago; absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The currency.
    pub currency: Currency,
    /// What Ventipay says was paid, each payment once.
    pub paid: i64,
    /// What Ventipay says was refunded.
    pub refunded: i64,
    /// What stands in Odoo.
    pub booked: i64,
    /// What waits, fresh events included.
    pub pending: i64,
    /// What needs a person.
    pub parked: i64,
    /// What was told and is not this account's to book; no part of the equation.
    pub ignored_or_recorded: i64,
    /// `paid − refunded − booked − pending − parked`: must be 0.
    pub difference: i64,
}

impl Sums {
    /// Nothing of a currency.
    pub fn none(day: Option<Date>, currency: Currency) -> Self {
        Self {
            day,
            currency,
            paid: 0,
            refunded: 0,
            booked: 0,
            pending: 0,
            parked: 0,
            ignored_or_recorded: 0,
            difference: 0,
        }
    }

    /// With the difference that follows from the other sums.
    #[must_use]
    pub fn balanced(mut self) -> Self {
        self.difference = self.paid - self.refunded - self.booked - self.pending - self.parked;
        self
    }

    fn add(&mut self, of: &Self) {
        self.paid += of.paid;
        self.refunded += of.refunded;
        self.booked += of.booked;
        self.pending += of.pending;
        self.parked += of.parked;
        self.ignored_or_recorded += of.ignored_or_recorded;
        self.difference += of.difference;
    }
}

/// What one stream adds to the sums: one entry for each currency that occurs.
pub fn of_stream(state: &State) -> Vec<Sums> {
    let mut found = Found::default();
    match state.payment_told() {
        Some(payment) => of_payment(state, &payment, &mut found),
        None => of_what_does_not_count(state, &mut found),
    }
    of_refunds(state, &mut found);
    found.sums.into_values().map(Sums::balanced).collect()
}

/// The entries of one stream, by currency; all on the day of its payment.
#[derive(Default)]
struct Found {
    day: Option<Date>,
    sums: BTreeMap<&'static str, Sums>,
}

impl Found {
    fn of(&mut self, currency: Currency) -> &mut Sums {
        let day = self.day;
        self.sums.entry(currency.code()).or_insert_with(|| Sums::none(day, currency))
    }
}

fn of_payment(state: &State, payment: &Payment<'_>, found: &mut Found) {
    found.day = Some(day_of(payment));
    let Money { minor, currency } = payment.amount;
    found.of(currency).paid += minor;
    match &payment.told.status {
        Status::Received | Status::Pending { .. } => found.of(currency).pending += minor,
        Status::Parked(_) => found.of(currency).parked += minor,
        Status::Reconciled => {
            if let Some(booking) = &state.booking {
                found.of(booking.amount.currency).booked += booking.amount.minor;
            }
        }
        _ => {}
    }
}

/// Nothing that counts was told: what came too late to be believed waits for a person all the
/// same; the rest was never ours, or is counted in the stream it is booked in.
fn of_what_does_not_count(state: &State, found: &mut Found) {
    let tellings = || state.told.iter().filter_map(Told::payment);
    let parked = tellings().find(|payment| matches!(payment.told.status, Status::Parked(_)));
    let Some(payment) = parked.clone().or_else(|| tellings().next()) else { return };
    found.day = Some(day_of(&payment));
    let Money { minor, currency } = payment.amount;
    if parked.is_some() {
        found.of(currency).paid += minor;
        found.of(currency).parked += minor;
    } else if state.payment_elsewhere().is_none() {
        found.of(currency).ignored_or_recorded += minor;
    }
}

/// What went back: what was told, less what is booked, waits or is parked with the event that
/// tells the most. A refund counts on the day of its payment.
fn of_refunds(state: &State, found: &mut Found) {
    let booked = state.refunds_booked();
    let most = most_told(state).filter(|(told, _)| {
        let not_ours = RecordReason::PaymentNotBooked;
        told.status != Status::Recorded(not_ours)
    });
    let Some(currency) = booked.or(most.as_ref().map(|(_, said)| *said)).map(|of| of.currency)
    else {
        return;
    };
    if found.day.is_none() {
        let first = state.told.first().map(|told| day::of(told.webhook.received_at));
        found.day = first;
    }
    let booked = booked.map_or(0, |booked| booked.minor);
    let told = most.as_ref().map_or(0, |(_, said)| said.minor);
    let sums = found.of(currency);
    sums.refunded += told.max(booked);
    sums.booked -= booked;
    let open = (told - booked).max(0);
    match most.map(|(told, _)| &told.status) {
        Some(Status::Parked(_)) => sums.parked -= open,
        Some(Status::Received | Status::Pending { .. }) => sums.pending -= open,
        _ => {}
    }
}

/// The day a payment was made; if nobody says, the day we were told.
fn day_of(payment: &Payment<'_>) -> Date {
    day::of(payment.paid_at.unwrap_or(payment.told.webhook.received_at))
}

/// The sums of many streams, one for each currency.
pub fn total<'a>(states: impl IntoIterator<Item = &'a State>) -> Vec<Sums> {
    let mut totals: BTreeMap<&'static str, Sums> = BTreeMap::new();
    for sums in states.into_iter().flat_map(of_stream) {
        let currency = sums.currency;
        totals.entry(currency.code()).or_insert_with(|| Sums::none(None, currency)).add(&sums);
    }
    totals.into_values().collect()
}

#[cfg(test)]
mod tests {
    use concilia_shared::id::{CheckoutId, EventId};

    use super::*;
    use crate::domain::event::{Booking, CheckoutPaid, Event, Fact, WebhookReceived};
    use crate::domain::reason::ParkReason;

    fn told(event: &str, minor: i64) -> Event {
        Event::WebhookReceived(WebhookReceived {
            event_id: EventId::parse(event).unwrap(),
            event_type: None,
            live: Some(false),
            body_hash: String::new(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            late_s: None,
            fact: Fact::CheckoutPaid(CheckoutPaid {
                checkout: CheckoutId::parse("chk_1").unwrap(),
                amount: Money::new(minor, Currency::Clp),
                paid_at: None,
                status: None,
                refunded: false,
                disputed: false,
                payment: None,
            }),
            source: None,
        })
    }

    fn booked(event: &str, minor: i64, currency: Currency) -> Event {
        Event::Booked {
            about: EventId::parse(event).unwrap(),
            booking: Booking {
                transaction: "chk_1".to_owned(),
                payment: None,
                amount: Money::new(minor, currency),
                date: None,
                orders: Vec::new(),
                invoices: Vec::new(),
                credit: None,
            },
            matched: None,
            mode: None,
        }
    }

    fn parked(event: &str, reason: ParkReason) -> Event {
        Event::Parked { about: EventId::parse(event).unwrap(), reason }
    }

    fn sums(streams: &[&[Event]]) -> Vec<Sums> {
        let states: Vec<State> = streams.iter().map(|events| State::replay(*events)).collect();
        total(&states)
    }

    #[test]
    fn each_payment_counts_once_wherever_it_rests() {
        let late = ParkReason::LateAndUnverifiable { late_s: 400 };
        let clp = |event: &str, minor| booked(event, minor, Currency::Clp);
        let of = sums(&[
            &[told("evt_1", 100), clp("evt_1", 100)],
            &[told("evt_2", 20)],
            &[told("evt_3", 3), parked("evt_3", ParkReason::Refunded)],
            &[told("evt_4", 4), told("evt_5", 4), clp("evt_4", 4)],
            &[told("evt_6", 5), parked("evt_6", late.clone()), told("evt_7", 5), clp("evt_7", 5)],
            &[told("evt_8", 7), parked("evt_8", late)],
        ])[0];
        assert_eq!(
            (of.paid, of.booked, of.pending, of.parked, of.difference),
            (139, 109, 20, 10, 0)
        );
    }

    #[test]
    fn a_payment_booked_with_another_amount_shows_as_a_difference() {
        let of = sums(&[&[told("evt_1", 100), booked("evt_1", 90, Currency::Clp)]]);
        assert_eq!(of[0].difference, 10);
        let of = sums(&[&[told("evt_1", 100), booked("evt_1", 100, Currency::Usd)]]);
        let differences: Vec<_> = of.iter().map(|sums| sums.difference).collect();
        assert_eq!(differences, [100, -100]);
    }
}
