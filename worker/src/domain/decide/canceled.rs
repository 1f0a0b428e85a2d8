//! A checkout that Ventipay says was canceled: its transaction in Odoo is cancelled, if it has
//! one that is not done. After a payment nothing is undone by itself: a person decides.
//!
//! Not here: payments ([`super::paid`]).

use super::transaction::BY_CHECKOUT;
use super::{Seen, Verdict, references, unknown_to_ventipay};
use crate::domain::event::{CheckoutCanceled, Matched};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Ask, AtVentipay, Cancel, Candidate, Command, Lookup};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Status, Told};

/// What the log alone tells.
pub(super) fn from_the_log(told: &Told, state: &State, settings: &Settings) -> Option<Verdict> {
    let same = |other: &&Told| {
        other.webhook.event_id != told.webhook.event_id
            && matches!(other.status, Status::Canceled { .. })
    };
    if state.told.iter().any(|other| same(&other)) {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    if settings.mode.looks_for_transactions() || settings.asks_ventipay {
        return None;
    }
    // Mode B has no transaction before it is paid, and nobody can be asked.
    Some(paid_before(state).unwrap_or(Verdict::Recorded(RecordReason::NothingToCancel)))
}

/// Whom to ask, and where its transaction may be.
pub(super) fn lookup(canceled: &CheckoutCanceled, settings: &Settings, body: &[u8]) -> Lookup {
    let in_a = settings.mode.looks_for_transactions();
    Lookup {
        ask: Ask::Checkout(canceled.checkout.clone()),
        names: vec![PaymentName::of_checkout(&canceled.checkout)],
        carried: vec![canceled.checkout.to_string()],
        references: if in_a { references(body, settings) } else { Vec::new() },
        ..Lookup::default()
    }
}

/// Judges by what was seen, or says what to cancel.
pub(super) fn judge(
    told: &Told,
    canceled: &CheckoutCanceled,
    state: &State,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    confirm_with_ventipay(told, canceled, &seen.ventipay)?;
    if let Some(booking) = &seen.odoo.booked {
        let document = booking.transaction.clone();
        return Err(Verdict::Parked(ParkReason::CanceledAfterPayment { document }));
    }
    // Who was asked knows of no payment; one that is told all the same is judged by itself.
    let unsure = seen.ventipay == AtVentipay::NotAsked || state.booking.is_some();
    if let Some(verdict) = paid_before(state).filter(|_| unsure) {
        return Err(verdict);
    }
    let Some(candidate) = find(canceled, &seen.odoo.candidates, settings) else {
        return Err(Verdict::Recorded(RecordReason::NothingToCancel));
    };
    let transaction = &candidate.transaction;
    match transaction.state.as_str() {
        "cancel" => Err(Verdict::Canceled { transaction: transaction.reference.clone() }),
        "draft" | "pending" | "error" => {
            let cancel = Cancel {
                name: PaymentName::of_checkout(&canceled.checkout),
                id: candidate.id,
                reference: transaction.reference.clone(),
                state: transaction.state.clone(),
                // The customer reads it in the portal.
                message: format!("Pago anulado en Ventipay ({}).", canceled.checkout),
            };
            Ok((Command::Cancel(Box::new(cancel)), None))
        }
        _ => {
            let document = transaction.reference.clone();
            Err(Verdict::Parked(ParkReason::CanceledAfterPayment { document }))
        }
    }
}

/// Only what is certainly this checkout's: a transaction that carries another checkout by now is
/// that one's.
fn find<'a>(
    canceled: &CheckoutCanceled,
    candidates: &'a [Candidate],
    settings: &Settings,
) -> Option<&'a Candidate> {
    let ours = |candidate: &&Candidate| {
        let carries = candidate.transaction.provider_reference.as_deref();
        candidate.transaction.ours
            && Some(candidate.transaction.company_id) == settings.company_id
            && carries.is_none_or(|carried| carried == canceled.checkout.as_str())
    };
    let named = candidates.iter().filter(ours).find(|one| one.found_by == BY_CHECKOUT);
    named.or_else(|| candidates.iter().find(ours))
}

/// Paid before it was canceled, as the log tells: booked, or told and waiting for something.
fn paid_before(state: &State) -> Option<Verdict> {
    let document = match (&state.booking, state.payment_told()) {
        (Some(booking), _) => booking.transaction.clone(),
        (None, Some(payment)) => payment.told.webhook.event_id.to_string(),
        (None, None) => return None,
    };
    Some(Verdict::Parked(ParkReason::CanceledAfterPayment { document }))
}

fn confirm_with_ventipay(
    told: &Told,
    canceled: &CheckoutCanceled,
    at_ventipay: &AtVentipay,
) -> Result<(), Verdict> {
    let status = match at_ventipay {
        AtVentipay::NotAsked => canceled.status.as_deref().unwrap_or("canceled"),
        AtVentipay::Unknown => {
            let not_yet = |status| PendingReason::NotCanceledYet { status };
            return Err(unknown_to_ventipay(told, not_yet));
        }
        AtVentipay::Checkout(now) => now.status.as_str(),
        _ => return Err(Verdict::Pending(PendingReason::VentipayUnavailable)),
    };
    let status = status.to_owned();
    match status.as_str() {
        "canceled" | "expired" => Ok(()),
        "paid" => Err(Verdict::Recorded(RecordReason::Overtaken { status })),
        _ => Err(Verdict::Pending(PendingReason::NotCanceledYet { status })),
    }
}
