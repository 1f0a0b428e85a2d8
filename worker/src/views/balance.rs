//! The sum that must always hold: **paid − refunded = booked + pending + parked**, per
//! currency, to the peso.
//!
//! The two sides come from different facts: the left from what Ventipay told, the right from
//! where each payment rests, a booked one with the amount Odoo holds. So a payment booked with
//! another amount, or told and resting nowhere, shows as a difference. What was never this
//! account's to book (another environment, before `book_from`) is counted beside it.

use std::collections::BTreeMap;

use concilia_shared::money::Currency;
use serde::Serialize;

use super::events::Streams;
use crate::domain::event::Fact;
use crate::domain::state::{State, Status};

/// The sums of one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sums {
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

/// The sums of every currency that occurs.
pub fn balance(streams: &Streams) -> Vec<Sums> {
    let mut sums: BTreeMap<&'static str, Sums> = BTreeMap::new();
    for (_, state) in streams.iter() {
        add(&mut sums, state);
    }
    sums.into_values()
        .map(|mut sums| {
            sums.difference = sums.paid - sums.refunded - sums.booked - sums.pending - sums.parked;
            sums
        })
        .collect()
}

fn add(sums: &mut BTreeMap<&'static str, Sums>, state: &State) {
    if let Some((told, paid)) = state.payment_told() {
        let of = entry(sums, paid.amount.currency);
        of.paid += paid.amount.minor;
        match &told.status {
            Status::Received | Status::Pending { .. } => of.pending += paid.amount.minor,
            Status::Parked(_) => of.parked += paid.amount.minor,
            Status::Reconciled
            | Status::Canceled { .. }
            | Status::Ignored(_)
            | Status::Recorded(_) => {}
        }
        if let (Status::Reconciled, Some(booking)) = (&told.status, &state.booking) {
            entry(sums, booking.amount.currency).booked += booking.amount.minor;
        }
        return;
    }
    // Nothing that counts was told: what came too late to be believed waits for a person all
    // the same; the rest was never ours.
    let tellings = || {
        state.told.iter().filter_map(|told| match &told.webhook.fact {
            Fact::CheckoutPaid(paid) => Some((&told.status, paid)),
            _ => None,
        })
    };
    let parked = tellings().find(|(status, _)| matches!(status, Status::Parked(_)));
    if let Some((_, paid)) = parked {
        let of = entry(sums, paid.amount.currency);
        of.paid += paid.amount.minor;
        of.parked += paid.amount.minor;
    } else if let Some((_, paid)) = tellings().next() {
        entry(sums, paid.amount.currency).ignored_or_recorded += paid.amount.minor;
    }
}

fn entry<'a>(sums: &'a mut BTreeMap<&'static str, Sums>, currency: Currency) -> &'a mut Sums {
    sums.entry(currency.code()).or_insert(Sums {
        currency,
        paid: 0,
        refunded: 0,
        booked: 0,
        pending: 0,
        parked: 0,
        ignored_or_recorded: 0,
        difference: 0,
    })
}

#[cfg(test)]
mod tests {
    use concilia_shared::id::{CheckoutId, EventId, StreamId};
    use concilia_shared::money::Money;

    use super::*;
    use crate::domain::event::{Booking, CheckoutPaid, Event, WebhookReceived};
    use crate::domain::reason::ParkReason;
    use crate::store::{Cursor, Recorded};

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

    fn booked(event: &str, minor: i64) -> Event {
        Event::Booked {
            about: EventId::parse(event).unwrap(),
            booking: Booking {
                transaction: "chk_1".to_owned(),
                payment: None,
                amount: Money::new(minor, Currency::Clp),
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

    fn sums(streams: &[&[Event]]) -> Sums {
        let mut folded = Streams::default();
        for (number, events) in streams.iter().enumerate() {
            for event in *events {
                folded.see(&Recorded {
                    cursor: Cursor::default(),
                    stream: StreamId::parse(format!("main/checkout-{number}")).unwrap(),
                    sequence: 1,
                    recorded_at: jiff::Timestamp::UNIX_EPOCH,
                    event: event.clone(),
                    hash: String::new(),
                });
            }
        }
        balance(&folded)[0]
    }

    #[test]
    fn each_payment_counts_once_wherever_it_rests() {
        let late = ParkReason::LateAndUnverifiable { late_s: 400 };
        let of = sums(&[
            &[told("evt_1", 100), booked("evt_1", 100)],
            &[told("evt_2", 20)],
            &[told("evt_3", 3), parked("evt_3", ParkReason::Refunded)],
            &[told("evt_4", 4), told("evt_5", 4), booked("evt_4", 4)],
            &[
                told("evt_6", 5),
                parked("evt_6", late.clone()),
                told("evt_7", 5),
                booked("evt_7", 5),
            ],
            &[told("evt_8", 7), parked("evt_8", late)],
        ]);
        assert_eq!(
            (of.paid, of.booked, of.pending, of.parked, of.difference),
            (139, 109, 20, 10, 0)
        );
    }

    #[test]
    fn a_payment_booked_with_another_amount_shows_as_a_difference() {
        let of = sums(&[&[told("evt_1", 100), booked("evt_1", 90)]]);
        assert_eq!(of.difference, 10);
    }
}
