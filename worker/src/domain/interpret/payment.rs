//! `charge.*` and `payment.*`: the same facts in two families (`ventipay-api.md` 4.5, 5.3, 5.7).
//!
//! They confirm what exists and never create money. A charge's fields are not documented; what
//! is not there is absent. Only the steps that decide something are facts of ours: a payment
//! that is merely authorized may still be given back by itself (5.3).

use serde_json::Value;

use super::read;
use crate::domain::fact::{CheckoutRefunded, PaymentResult, PaymentTold};
use crate::domain::reason::Problem;

pub(super) fn charge(data: &Value, result: PaymentResult) -> Result<PaymentTold, Problem> {
    let told = told(data, result);
    Ok(PaymentTold { charge: Some(read::own_id(data)?), payment: read::payment(data), ..told })
}

pub(super) fn payment(data: &Value, result: PaymentResult) -> Result<PaymentTold, Problem> {
    let told = told(data, result);
    Ok(PaymentTold { payment: Some(read::own_id(data)?), ..told })
}

/// A payment of a checkout was refunded: its amounts are the payment's, so that the checkout must
/// be asked what was refunded of it.
pub(super) fn refunded(data: &Value) -> Option<CheckoutRefunded> {
    let at = read::instant_if_told(data, &["refunded_at", "updated_at"]);
    read::checkout(data).map(|checkout| CheckoutRefunded { checkout, refunded: None, at })
}

fn told(data: &Value, result: PaymentResult) -> PaymentTold {
    let reasons = ["failure_message", "failure_reason", "status_reason", "error.message"];
    let moments = ["captured_at", "authorized_at", "succeeded_at", "updated_at", "created_at"];
    PaymentTold {
        result,
        checkout: read::checkout(data),
        payment: None,
        charge: None,
        amount: read::amount_if_told(data),
        at: read::instant_if_told(data, &moments),
        why: read::words(data, &reasons),
    }
}
