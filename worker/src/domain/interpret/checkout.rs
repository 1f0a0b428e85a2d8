//! `checkout.*`: paid, canceled, refunded (`ventipay-api.md` 4.6, 5.2).

use concilia_shared::money::Money;
use serde_json::Value;

use super::read;
use crate::domain::fact::{CheckoutCanceled, CheckoutPaid, CheckoutRefunded};
use crate::domain::reason::Problem;

pub(super) fn paid(data: &Value) -> Result<CheckoutPaid, Problem> {
    Ok(CheckoutPaid {
        checkout: read::checkout_id(data)?,
        amount: read::amount(data)?,
        paid_at: read::instant(data, "paid_at")?,
        status: read::status(data),
        refunded: read::flag(data, "refunded")?,
        disputed: read::flag(data, "disputed")?,
        payment: read::payment(data),
    })
}

pub(super) fn canceled(data: &Value) -> Result<CheckoutCanceled, Problem> {
    Ok(CheckoutCanceled {
        checkout: read::checkout_id(data)?,
        canceled_at: read::instant(data, "canceled_at")?,
        status: read::status(data),
    })
}

pub(super) fn refunded(data: &Value) -> Result<CheckoutRefunded, Problem> {
    Ok(CheckoutRefunded {
        checkout: read::checkout_id(data)?,
        refunded: refunded_in_all(data),
        at: read::instant_if_told(data, &["refunded_at", "updated_at"]),
    })
}

/// What was refunded in all: said, or what is no longer left of the amount. Of a body that says
/// neither, nothing is guessed; nor is one believed that refunded nothing.
fn refunded_in_all(data: &Value) -> Option<Money> {
    let currency = read::currency(data).ok()?;
    let said = read::minor(data, "refunded_amount", 1);
    let left = || {
        let amount = read::minor(data, "original_amount", 1).or(read::minor(data, "amount", 1))?;
        let left = read::minor(data, "available_for_refund", 0)?;
        Some(amount - left).filter(|refunded| *refunded > 0)
    };
    said.or_else(left).map(|minor| Money::new(minor, currency))
}
