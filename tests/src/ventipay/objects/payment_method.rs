//! A payment method (`ventipay-api.md` 5.7): brand, funding and last four digits; no event is
//! about one.

use serde_json::{Map, Value, json};

use super::Kind;
use crate::ventipay::error::ApiError;

/// Payment methods.
pub const KIND: Kind = Kind {
    name: "payment_method",
    path: "payment_methods",
    shown: true,
    prefix: "pm_",
    born: None,
    told: false,
    fields,
    steps: &[],
};

#[expect(clippy::unnecessary_wraps, reason = "it stands where other kinds may refuse")]
fn fields(_: &Map<String, Value>) -> Result<Value, ApiError> {
    Ok(json!({
        "type": "kushki_cards", "brand": "visa", "funding": "debit", "last4": "4242",
        "customer_id": null,
    }))
}
