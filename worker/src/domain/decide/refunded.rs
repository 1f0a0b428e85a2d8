//! A checkout of which money went back: what is not in Odoo yet is entered, once, however many
//! events tell it and in whatever order.
//!
//! Refunds are counted by how much went back in all. What Odoo holds already, by us or by hand,
//! is found there; only the rest is entered, under a name that says what it follows. Not here:
//! the payment itself ([`super::paid`]); what a lost dispute took back ([`super::dispute`]).

use concilia_shared::config::CreditNotePolicy;
use concilia_shared::money::Money;

use super::paid::day;
use super::{Decision, Seen, Verdict};
use crate::domain::event::{Booking, RefundBooking, Source};
use crate::domain::fact::{CheckoutRefunded, Fact};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Ask, AtVentipay, Command, InOdoo, Lookup, Refund};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Status, Told};

/// Tries after which what Ventipay does not confirm is given to a person: about 8 minutes with
/// the default schedule.
const LAGGING_TRIES: u32 = 5;

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &Told,
    refunded: &CheckoutRefunded,
    state: &State,
    settings: &Settings,
) -> Option<Verdict> {
    match state.payment_told() {
        None if state.payment_elsewhere().is_some() => {
            if settings.asks_ventipay {
                None
            } else {
                without_asking(told, refunded, state)
            }
        }
        None => {
            let ruled_out = state.told.iter().any(|other| other.payment().is_some());
            if ruled_out {
                return Some(Verdict::Recorded(RecordReason::PaymentNotBooked));
            }
            // Nobody told of the payment yet. Who can be asked is; else it is waited for.
            (!settings.asks_ventipay).then_some(Verdict::Pending(PendingReason::NotBookedYet))
        }
        Some(_) if state.booking.is_none() => Some(Verdict::Pending(PendingReason::NotBookedYet)),
        Some(_) if settings.asks_ventipay => None,
        Some(_) => without_asking(told, refunded, state),
    }
}

/// Nobody can be asked: the signed body must say how much, and must not be late.
fn without_asking(told: &Told, refunded: &CheckoutRefunded, state: &State) -> Option<Verdict> {
    let Some(in_all) = refunded.refunded else {
        return Some(Verdict::Parked(ParkReason::RefundUnclear));
    };
    if state.refunds_booked().is_some_and(|booked| in_all.minor <= booked.minor) {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    let trusted = super::paid::accepted(told, |reason| {
        matches!(reason, ParkReason::LateAndUnverifiable { .. })
    });
    match (told.webhook.late_s, trusted) {
        (Some(late_s), false) => Some(Verdict::Parked(ParkReason::LateAndUnverifiable { late_s })),
        _ => None,
    }
}

/// Whom to ask, and what for.
pub(super) fn lookup(refunded: &CheckoutRefunded, state: &State) -> Lookup {
    let names = match state.payment_told().or_else(|| state.payment_elsewhere()) {
        Some(payment) => payment.names,
        None => vec![PaymentName::of_checkout(&refunded.checkout)],
    };
    Lookup { ask: Ask::Checkout(refunded.checkout.clone()), names, ..Lookup::default() }
}

/// Judges by what was seen, or says what to enter.
pub(super) fn judge(
    told: &Told,
    refunded: &CheckoutRefunded,
    state: &State,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Decision {
    let in_all = match in_all(told, refunded, state, &seen.ventipay) {
        Ok(in_all) => in_all,
        Err(decision) => return *decision,
    };
    match part(told, refunded, in_all, state, lookup, &seen.odoo, settings) {
        Ok(refund) => Decision::Do(Command::Refund(Box::new(refund)), None),
        Err(verdict) => Decision::Rest(verdict),
    }
}

/// How much went back in all: what Ventipay shows now, else what the body says.
fn in_all(
    told: &Told,
    refunded: &CheckoutRefunded,
    state: &State,
    at_ventipay: &AtVentipay,
) -> Result<Money, Box<Decision>> {
    let rest = |verdict| Err(Box::new(Decision::Rest(verdict)));
    let now = match at_ventipay {
        AtVentipay::NotAsked => {
            return match refunded.refunded {
                Some(in_all) => Ok(in_all),
                None => rest(Verdict::Parked(ParkReason::RefundUnclear)),
            };
        }
        AtVentipay::Checkout(now) => now,
        AtVentipay::Unknown => {
            let not_yet = |status| PendingReason::NotRefundedYet { status };
            return rest(super::unknown_to_ventipay(told, not_yet));
        }
        _ => return rest(Verdict::Pending(PendingReason::VentipayUnavailable)),
    };
    if state.payment_told().is_none() && state.payment_elsewhere().is_none() {
        // The payment itself was never told: it is taken in first.
        return Err(Box::new(match now.status.as_str() {
            "paid" if !fetched(state) => Decision::Learn(refunded.checkout.clone()),
            // Taken in, and yet nothing that counts: it is looked at first.
            "paid" => Decision::Rest(Verdict::Pending(PendingReason::NotBookedYet)),
            _ => lagging(told, &now.status, ParkReason::NotPayable { status: now.status.clone() }),
        }));
    }
    match (now.refunded_amount, refunded.refunded) {
        (Some(shown), Some(said))
            if shown.currency != said.currency || shown.minor < said.minor =>
        {
            // Its own copies may lag behind for a moment.
            let reason =
                ParkReason::ContradictedByVentipay { told: said, answered: in_words(shown) };
            Err(Box::new(lagging(told, &in_words(shown), reason)))
        }
        (Some(shown), _) => Ok(shown),
        (None, Some(said)) if now.refunded => Ok(said),
        (None, Some(said)) => {
            let answered = in_words(Money::new(0, said.currency));
            let reason = ParkReason::ContradictedByVentipay { told: said, answered };
            Err(Box::new(lagging(told, "0", reason)))
        }
        (None, None) => rest(Verdict::Parked(ParkReason::RefundUnclear)),
    }
}

fn fetched(state: &State) -> bool {
    state.told.iter().any(|told| told.webhook.source == Some(Source::Fetched))
}

/// Not confirmed: asked again a few times, then for a person.
fn lagging(told: &Told, status: &str, reason: ParkReason) -> Decision {
    let tried = matches!(told.status, Status::Pending { attempt, .. } if attempt >= LAGGING_TRIES);
    Decision::Rest(if tried {
        Verdict::Parked(reason)
    } else {
        Verdict::Pending(PendingReason::NotRefundedYet { status: status.to_owned() })
    })
}

/// The part that is not in Odoo yet.
fn part(
    told: &Told,
    refunded: &CheckoutRefunded,
    in_all: Money,
    state: &State,
    lookup: &Lookup,
    odoo: &InOdoo,
    settings: &Settings,
) -> Result<Refund, Verdict> {
    let Some(booking) = &odoo.booked else {
        let what = "not_booked".to_owned();
        return Err(Verdict::Pending(PendingReason::Changed { what }));
    };
    if odoo.booked_company_id.is_some() && odoo.booked_company_id != settings.company_id {
        let document = booking.transaction.clone();
        return Err(Verdict::Parked(ParkReason::OtherCompany { document }));
    }
    let booked = booking.amount;
    let there = odoo.refunded(booked.currency).ok_or_else(|| {
        Verdict::Parked(ParkReason::BookedDifferently {
            paid: booked,
            booked: odoo.refunds.iter().map(|refund| refund.amount.as_str()).collect(),
        })
    })?;
    if in_all.currency != booked.currency || in_all.minor > booked.minor {
        let reason = ParkReason::RefundAbovePayment { refunded: in_all, booked };
        return Err(Verdict::Parked(reason));
    }
    if in_all.minor <= there.minor {
        return Err(found(in_all, there, booking, state, odoo));
    }
    // The name it was found by comes first: every refund of a payment is called after one name.
    let found = odoo.booked_name.as_deref();
    let mut of = lookup.names.clone();
    of.sort_by_key(|name| Some(name.as_str()) != found);
    let name = of.first().map(|name| name.refund_after(there)).unwrap_or_default();
    Ok(Refund {
        name,
        of,
        after: there,
        amount: Money::new(in_all.minor - there.minor, booked.currency),
        date: day(refunded.at.unwrap_or(told.webhook.received_at)),
        currency: odoo.booked_currency.clone().unwrap_or_else(|| booked.currency.to_string()),
        draft_credit_note: settings.credit_notes == CreditNotePolicy::Draft,
        dispute: None,
    })
}

/// All of it is in Odoo: told before, or found there and not yet in the log (after a crash, or
/// entered by hand).
fn found(in_all: Money, there: Money, booking: &Booking, state: &State, odoo: &InOdoo) -> Verdict {
    let known = state.refunds_booked().map_or(0, |booked| booked.minor);
    if known >= in_all.minor {
        return Verdict::Recorded(RecordReason::ToldBefore);
    }
    let last = odoo.refunds.last();
    let refund = RefundBooking {
        transaction: last.map(|refund| refund.transaction.clone()).unwrap_or_default(),
        payment: last.and_then(|refund| refund.payment.clone()),
        amount: Money::new(there.minor - known, there.currency),
        refunded: there,
        date: last.and_then(|refund| refund.date),
        credit_note: None,
        dispute: None,
    };
    Verdict::Refunded(Box::new(refund), Box::new(booking.clone()))
}

fn in_words(money: Money) -> String {
    format!("{} {}", money.to_decimal(), money.currency)
}

/// The most any counting event of the stream says went back in all.
pub fn most_told(state: &State) -> Option<(&Told, Money)> {
    let counts = |told: &&Told| !matches!(told.status, Status::Ignored(_));
    let says = |told: &'_ Told| match &told.webhook.fact {
        Fact::CheckoutRefunded(refunded) => refunded.refunded,
        _ => None,
    };
    let tellings = state.told.iter().filter(counts);
    tellings.filter_map(|told| Some((told, says(told)?))).max_by_key(|(_, said)| said.minor)
}
