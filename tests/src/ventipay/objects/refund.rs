//! A refund (`ventipay-api.md` 5.4). It causes no event of its own: its checkout's does.
//!
//! The page lists neither `checkout_id` nor `payment_id`; one third party expects both. They
//! are shown, and can be hidden like any field.

use serde_json::{Map, Value, json};

use super::{Kind, money};
use crate::ventipay::error::ApiError;

/// Refunds.
pub const KIND: Kind = Kind {
    name: "refund",
    path: "refunds",
    shown: true,
    prefix: "ref_",
    born: Some("succeeded"),
    told: false,
    fields,
    steps: &[],
};

/// Where the money may go.
const DESTINATIONS: [&str; 3] = ["payment_method", "customer_balance", "merchant_balance"];

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "destination": destination(sent)?,
        "customer_id": null, "checkout_id": null, "payment_id": null,
        "settlement_amount": amount, "settlement_currency": currency,
    }))
}

fn destination(sent: &Map<String, Value>) -> Result<&'static str, ApiError> {
    match sent.get("destination").filter(|value| !value.is_null()) {
        None => Ok(DESTINATIONS[0]),
        Some(value) => DESTINATIONS
            .into_iter()
            .find(|known| value == known)
            .ok_or_else(|| ApiError::invalid("destination is not known")),
    }
}
