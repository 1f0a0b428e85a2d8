//! A dispute: its record in Odoo, and what the accounting managers are told about it.
//!
//! A dispute moves one way. What is told late says nothing new; two decisions that contradict
//! each other are a person's. Money moves only where the account is set to book what a lost one
//! took back, and then before the record says so. Not here: refunds ([`super::refunded`]).

use concilia_shared::config::DisputePolicy;
use concilia_shared::money::Money;
use jiff::Timestamp;

use super::paid::day;
use super::{Seen, Verdict};
use crate::domain::event::Matched;
use crate::domain::fact::{DisputeState, DisputeTold};
use crate::domain::observe::{Ask, AtVentipay, Command, InOdoo, Lookup, Refund};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::record::{Activity, Amount, DisputeRecord, Head, Record};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &DisputeTold,
    state: &State,
    settings: &Settings,
) -> Option<Verdict> {
    let known = known(state)?;
    if told.state == known {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    let decided = known.is_final() && told.state.is_final();
    if decided && settings.asks_ventipay {
        return None;
    }
    if decided {
        return Some(contradiction(known, told.state));
    }
    let status = known.as_str().to_owned();
    (told.state < known).then_some(Verdict::Recorded(RecordReason::Overtaken { status }))
}

/// Where the record in Odoo says it stands.
fn known(state: &State) -> Option<DisputeState> {
    state.registered.as_ref().and_then(|last| DisputeState::parse(&last.state))
}

fn contradiction(known: DisputeState, told: DisputeState) -> Verdict {
    Verdict::Parked(ParkReason::ContradictingFacts {
        known: known.as_str().to_owned(),
        told: told.as_str().to_owned(),
    })
}

/// Whom to ask, and what it is about.
pub(super) fn lookup(told: &DisputeTold) -> Lookup {
    Lookup { ask: Ask::Dispute(told.dispute.clone()), names: told.names(), ..Lookup::default() }
}

/// Judges by what was seen, or says what to do in Odoo.
pub(super) fn judge(
    told: &Told,
    dispute: &DisputeTold,
    state: &State,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let now = stands(dispute, &seen.ventipay);
    match known(state) {
        Some(known) if known == now => {
            let status = known.as_str().to_owned();
            return Err(Verdict::Recorded(RecordReason::Overtaken { status }));
        }
        Some(known) if known.is_final() => return Err(contradiction(known, dispute.state)),
        _ => {}
    }
    if now == DisputeState::Lost
        && settings.lost_disputes == DisputePolicy::Book
        && let Some(refund) = taken_back(told, dispute, state, lookup, &seen.odoo)?
    {
        return Ok((Command::Refund(Box::new(refund)), None));
    }
    let record = record(told, dispute, now, state, lookup, seen, settings);
    Ok((Command::Record(Box::new(Record::Dispute(Box::new(record)))), None))
}

/// Where it stands: Ventipay's word of now, unless it lags behind what was told. Its fields are
/// not documented, so that an answer that does not read holds nothing up.
fn stands(dispute: &DisputeTold, at_ventipay: &AtVentipay) -> DisputeState {
    let shown = match at_ventipay {
        AtVentipay::Dispute(now) => DisputeState::parse(&now.status),
        _ => None,
    };
    match shown {
        // Which of two decisions holds, Ventipay says.
        Some(shown) if shown.is_final() || shown > dispute.state => shown,
        _ => dispute.state,
    }
}

/// What a lost dispute took back, unless it is booked already.
fn taken_back(
    told: &Told,
    dispute: &DisputeTold,
    state: &State,
    lookup: &Lookup,
    odoo: &InOdoo,
) -> Result<Option<Refund>, Verdict> {
    let ours = |of: &Option<_>| of.as_ref() == Some(&dispute.dispute);
    if state.refunds.iter().any(|refund| ours(&refund.dispute)) {
        return Ok(None);
    }
    let (Some(booking), Some(found)) = (&odoo.booked, &odoo.booked_name) else {
        let what = "not_booked".to_owned();
        return Err(Verdict::Pending(PendingReason::Changed { what }));
    };
    let booked = booking.amount;
    let there = odoo.refunded(booked.currency).unwrap_or(booked);
    let left = Money::new(booked.minor - there.minor, booked.currency);
    let amount = dispute.amount.unwrap_or(left);
    let mut of = lookup.names.clone();
    of.sort_by_key(|name| name.as_str() != found);
    let Some(name) = of.first().map(|name| name.lost_dispute(&dispute.dispute)) else {
        return Ok(None);
    };
    // Entered before, and not written down: the action answers what stands there.
    let entered = odoo.refunds.iter().any(|refund| refund.transaction == name);
    if !entered && (amount.currency != booked.currency || amount.minor > left.minor) {
        return Err(Verdict::Parked(ParkReason::RefundAbovePayment {
            refunded: amount,
            booked: left,
        }));
    }
    Ok(Some(Refund {
        name,
        of,
        after: there,
        amount,
        date: day(told.webhook.received_at),
        currency: odoo.booked_currency.clone().unwrap_or_else(|| booked.currency.to_string()),
        draft_credit_note: false,
        dispute: Some(dispute.dispute.clone()),
    }))
}

fn record(
    told: &Told,
    dispute: &DisputeTold,
    now: DisputeState,
    state: &State,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> DisputeRecord {
    let shown = match &seen.ventipay {
        AtVentipay::Dispute(shown) => Some(shown),
        _ => None,
    };
    let known = |of: fn(&DisputeTold) -> Option<Timestamp>| state.disputes().find_map(of);
    let money = dispute
        .amount
        .or_else(|| shown.and_then(|shown| shown.amount))
        .or_else(|| state.disputes().find_map(|told| told.amount));
    let deadline = dispute
        .deadline
        .or_else(|| shown.and_then(|shown| shown.deadline))
        .or_else(|| known(|told| told.deadline));
    let currency = |money: Money| {
        let booked = seen.odoo.booked.as_ref().filter(|of| of.amount.currency == money.currency);
        let named = seen.odoo.booked_currency.clone().filter(|_| booked.is_some());
        named.unwrap_or_else(|| money.currency.to_string())
    };
    DisputeRecord {
        head: Head {
            id: dispute.dispute.to_string(),
            account: settings.account.clone(),
            revision: state.length,
        },
        state: now,
        amount: money.map(|money| Amount { money, currency: currency(money) }),
        reason: dispute.why.clone().or_else(|| state.disputes().find_map(|told| told.why.clone())),
        deadline,
        checkout: dispute.checkout.clone(),
        of: lookup.names.iter().map(ToString::to_string).collect(),
        customer: None,
        activities: activities(told, dispute, now, money, deadline),
    }
}

/// What the accounting managers are told, in the merchant's language: nobody else reads it.
fn activities(
    told: &Told,
    dispute: &DisputeTold,
    now: DisputeState,
    money: Option<Money>,
    deadline: Option<Timestamp>,
) -> Vec<Activity> {
    let amount =
        money.map_or_else(|| "un monto no informado".to_owned(), |money| money.to_string());
    let until = deadline.map_or_else(
        || "Ventipay no informa el plazo".to_owned(),
        |deadline| format!("plazo: {}", day(deadline)),
    );
    let id = &dispute.dispute;
    let today = day(told.webhook.received_at);
    let close = |note: String| Activity::Close { summary: None, note };
    let open = |key: DisputeState, summary: String, note: String| Activity::Open {
        key: key.as_str().to_owned(),
        urgent: true,
        summary,
        note,
        deadline: today,
    };
    match now {
        DisputeState::NeedsResponse => vec![open(
            now,
            format!("Disputa Ventipay: responder {amount}, {until}"),
            format!(
                "El cliente disputa {amount} ({id}); {until}. Responda en el panel de Ventipay. / \
                 The customer disputes {amount}: answer in Ventipay's dashboard."
            ),
        )],
        DisputeState::UnderReview => vec![close(format!("Disputa {id} en revisión."))],
        DisputeState::Won => vec![close(format!("Disputa {id} ganada: el dinero se conserva."))],
        DisputeState::ChargeRefunded => {
            vec![close(format!("Disputa {id} cerrada con una devolución."))]
        }
        DisputeState::Lost => vec![
            close(format!("Disputa {id} perdida.")),
            open(
                now,
                format!("Disputa Ventipay perdida: {amount}"),
                format!(
                    "Ventipay devuelve {amount} al cliente por la disputa {id}. Decida si la deuda sigue \
                     vigente y corrija la factura. / The dispute is lost: decide about the invoice."
                ),
            ),
        ],
    }
}
