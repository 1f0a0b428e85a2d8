//! `subscription.*`, `invoice.*`, `setup_intent.succeeded` (`ventipay-api.md` 5.5 to 5.7).

use serde_json::Value;

use super::read;
use crate::domain::fact::{
    CardEnrolled, InvoiceState, InvoiceTold, SubscriptionState, SubscriptionTold,
};
use crate::domain::name::ObjectId;
use crate::domain::reason::Problem;

pub(super) fn told(data: &Value, state: SubscriptionState) -> Result<SubscriptionTold, Problem> {
    Ok(SubscriptionTold {
        subscription: read::own_id(data)?,
        state,
        customer: read::customer(data),
        amount: read::amount_if_told(data),
        period_start: read::instant_if_told(data, &["current_period_starts_at"]),
        period_end: read::instant_if_told(data, &["current_period_ends_at"]),
        changed_at: read::instant_if_told(data, &["updated_at"]),
        why: read::words(data, &["status_reason"]),
    })
}

/// An invoice must say what it is of only when it was paid: then money is booked.
pub(super) fn invoice(data: &Value, state: InvoiceState) -> Result<InvoiceTold, Problem> {
    let amount = match state {
        InvoiceState::Paid => Some(read::amount(data)?),
        _ => read::amount_if_told(data),
    };
    let subscription = read::other_id(data, &["subscription_id", "subscription"]);
    Ok(InvoiceTold {
        invoice: read::own_id(data)?,
        state,
        amount,
        subscription: subscription.and_then(ObjectId::parse),
        customer: read::customer(data),
        payment: read::payment(data),
        checkout: read::checkout(data),
        paid_at: read::instant_if_told(data, &["paid_at"]),
    })
}

pub(super) fn card(data: &Value) -> Result<CardEnrolled, Problem> {
    let method = read::other_id(data, &["payment_method_id", "payment_method"]);
    Ok(CardEnrolled {
        setup_intent: read::own_id(data)?,
        payment_method: method.and_then(ObjectId::parse),
        customer: read::customer(data),
    })
}
