//! What charges and payments tell: they confirm a transaction Odoo has, or set one that is not
//! paid to error. They never create money, and say nothing new about a payment that is known
//! already, under whichever of its names.
//!
//! Not here: paid checkouts ([`super::paid`]), whose transaction is confirmed the same way
//! ([`super::transaction`]).

use concilia_shared::config::Mode;

use super::paid::{accepted, day};
use super::transaction;
use super::{Seen, Verdict, references};
use crate::domain::event::{Booking, Matched};
use crate::domain::fact::{PaymentResult, PaymentTold};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Ask, AtVentipay, Cancel, Candidate, Command, InOdoo, Lookup};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};

const NOTHING: Verdict = Verdict::Recorded(RecordReason::NothingToConfirm);

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &Told,
    payment: &PaymentTold,
    state: &State,
    settings: &Settings,
) -> Option<Verdict> {
    if state.payment_told().is_some() || state.closed_by_hand(told) {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    if !settings.mode.looks_for_transactions() {
        return Some(NOTHING);
    }
    if payment.result == PaymentResult::Failed {
        return None;
    }
    let at = payment.at.unwrap_or(told.webhook.received_at);
    if let Some(book_from) = settings.book_from.filter(|from| at < *from) {
        return Some(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    // Only a checkout can be asked about: what is late and has none needs a person.
    let asked = settings.asks_ventipay && payment.checkout.is_some();
    let trusted = accepted(told, |reason| matches!(reason, ParkReason::LateAndUnverifiable { .. }));
    match (told.webhook.late_s, asked || trusted) {
        (Some(late_s), false) => Some(Verdict::Parked(ParkReason::LateAndUnverifiable { late_s })),
        _ => None,
    }
}

/// Whom to ask, and where its transaction may be.
pub(super) fn lookup(payment: &PaymentTold, settings: &Settings, body: &[u8]) -> Lookup {
    Lookup {
        ask: payment.checkout.clone().map_or(Ask::Nothing, Ask::Checkout),
        names: payment.names(),
        carried: payment.carried(),
        references: references(body, settings),
        ..Lookup::default()
    }
}

/// Judges by what was seen, or says what to do in Odoo.
pub(super) fn judge(
    told: &Told,
    payment: &PaymentTold,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let name = lookup.names.first().ok_or(NOTHING)?;
    if let Some(booking) = &seen.odoo.booked {
        return Err(judge_booked(payment, name, booking, &seen.odoo));
    }
    let Some(candidate) = transaction::find(name, lookup, &seen.odoo)? else {
        return Err(NOTHING);
    };
    match payment.result {
        PaymentResult::Failed => fail(payment, name, candidate, settings),
        PaymentResult::Succeeded => {
            confirm_with_ventipay(&seen.ventipay)?;
            confirm(told, payment, lookup, candidate, seen, settings)
        }
    }
}

/// Booked under our own name: confirmed by this event, though nobody wrote it down. Under another
/// of its names, its own event tells it; and so it is where the transaction itself is called as
/// we are: it was made for the payment by its invoice's event, for none is made here.
fn judge_booked(
    payment: &PaymentTold,
    name: &PaymentName,
    booking: &Booking,
    odoo: &InOdoo,
) -> Verdict {
    match odoo.booked_name.as_deref() {
        Some(by) if by != name.as_str() => {
            Verdict::Recorded(RecordReason::BookedElsewhere { name: by.to_owned() })
        }
        _ if payment.result == PaymentResult::Failed => NOTHING,
        _ if payment.amount == Some(booking.amount) && booking.transaction == name.as_str() => {
            Verdict::Recorded(RecordReason::ToldBefore)
        }
        _ if payment.amount == Some(booking.amount) => {
            Verdict::Booked(Box::new(booking.clone()), None, Some(Mode::A))
        }
        _ => Verdict::Parked(ParkReason::BookedDifferently {
            paid: payment.amount.unwrap_or(booking.amount),
            booked: format!("{} {}", booking.amount.to_decimal(), booking.amount.currency),
        }),
    }
}

fn confirm(
    told: &Told,
    payment: &PaymentTold,
    lookup: &Lookup,
    candidate: &Candidate,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    // One that is done was confirmed before, whoever told it.
    let (Some(amount), false) = (payment.amount, candidate.transaction.state == "done") else {
        return Err(NOTHING);
    };
    let date = day(payment.at.unwrap_or(told.webhook.received_at));
    let paid = transaction::Paid { names: &lookup.names, amount, date };
    transaction::judge(told, &paid, candidate, &seen.odoo, settings)
}

fn fail(
    payment: &PaymentTold,
    name: &PaymentName,
    candidate: &Candidate,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let transaction = &candidate.transaction;
    let open = ["draft", "pending"].contains(&transaction.state.as_str());
    if !open || Some(transaction.company_id) != settings.company_id {
        return Err(NOTHING);
    }
    let why = payment.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let fail = Cancel {
        name: name.clone(),
        id: candidate.id,
        reference: transaction.reference.clone(),
        state: transaction.state.clone(),
        // The customer reads it in the portal.
        message: format!("Ventipay rechazó el pago{why}."),
    };
    Ok((Command::Fail(Box::new(fail)), None))
}

/// Where the payment belongs to a checkout and Ventipay can be asked, it must say that it is
/// paid; a payment in dispute is the checkout's to judge.
fn confirm_with_ventipay(at_ventipay: &AtVentipay) -> Result<(), Verdict> {
    match at_ventipay {
        AtVentipay::NotAsked => Ok(()),
        AtVentipay::Checkout(now) if now.status == "paid" && !now.disputed => Ok(()),
        AtVentipay::Checkout(_) | AtVentipay::Unknown => Err(NOTHING),
        _ => Err(Verdict::Pending(PendingReason::VentipayUnavailable)),
    }
}
