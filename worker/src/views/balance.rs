//! The sum that must always hold: **paid − refunded = booked + pending + parked**, per
//! currency and per day, to the peso.
//!
//! The two sides come from different facts: the left from what Ventipay told, the right from
//! where each payment rests, a booked one with the amount Odoo holds. So a payment booked with
//! another amount, or told and resting nowhere, shows as a difference. What was never this
//! account's to book (another environment, before `book_from`) is counted beside it.

use std::collections::BTreeMap;

use concilia_shared::money::{Currency, Money};
use jiff::civil::Date;
use serde::Serialize;

use super::day;
use crate::domain::event::{CheckoutPaid, Fact};
use crate::domain::state::{State, Status, Told};

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

/// What the payment of one stream adds to the sums: one entry for each currency that occurs.
pub fn of_stream(state: &State) -> Vec<Sums> {
    if let Some((told, paid)) = state.payment_told() {
        return of_payment(state, told, paid);
    }
    // Nothing that counts was told: what came too late to be believed waits for a person all
    // the same; the rest was never ours.
    let tellings = || {
        state.told.iter().filter_map(|told| match &told.webhook.fact {
            Fact::CheckoutPaid(paid) => Some((told, paid)),
            _ => None,
        })
    };
    let parked = tellings().find(|(told, _)| matches!(told.status, Status::Parked(_)));
    let Some((told, paid)) = parked.or_else(|| tellings().next()) else {
        return Vec::new();
    };
    let mut sums = Sums::none(Some(day_of(told, paid)), paid.amount.currency);
    if parked.is_some() {
        sums.paid = paid.amount.minor;
        sums.parked = paid.amount.minor;
    } else {
        sums.ignored_or_recorded = paid.amount.minor;
    }
    vec![sums.balanced()]
}

fn of_payment(state: &State, told: &Told, paid: &CheckoutPaid) -> Vec<Sums> {
    let day = Some(day_of(told, paid));
    let Money { minor, currency } = paid.amount;
    let mut sums = Sums { paid: minor, ..Sums::none(day, currency) };
    let mut elsewhere = None;
    match &told.status {
        Status::Received | Status::Pending { .. } => sums.pending = minor,
        Status::Parked(_) => sums.parked = minor,
        Status::Reconciled => match &state.booking {
            Some(booking) if booking.amount.currency == currency => {
                sums.booked = booking.amount.minor;
            }
            Some(booking) => {
                let booked = booking.amount;
                let other = Sums { booked: booked.minor, ..Sums::none(day, booked.currency) };
                elsewhere = Some(other);
            }
            None => {}
        },
        Status::Canceled { .. } | Status::Ignored(_) | Status::Recorded(_) => {}
    }
    std::iter::once(sums).chain(elsewhere).map(Sums::balanced).collect()
}

/// The day a payment was made; if nobody says, the day we were told.
fn day_of(told: &Told, paid: &CheckoutPaid) -> Date {
    day::of(paid.paid_at.unwrap_or(told.webhook.received_at))
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
    use crate::domain::event::{Booking, Event, WebhookReceived};
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
            }),
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
