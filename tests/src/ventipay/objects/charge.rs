//! A charge (`ventipay-api.md` 5.7): it has events, but no address in the API, and no field is
//! documented.
//!
//! Decided here: status `pending`, `succeeded`, `failed`; money as everywhere; `checkout_id`
//! and `payment_id` where it belongs to one; a failed one says why in `failure_code` and
//! `failure_message`.

use serde_json::{Map, Value, json};

use super::{Kind, Set, Step, money};
use crate::ventipay::error::ApiError;

/// Charges.
pub const KIND: Kind = Kind {
    name: "charge",
    path: "charges",
    shown: false,
    prefix: "ch_",
    born: Some("pending"),
    told: true,
    fields,
    steps: &[
        Step {
            event: "succeeded",
            from: &["pending"],
            to: "succeeded",
            sets: &[("paid_at", Set::Time)],
        },
        Step { event: "failed", from: &["pending"], to: "failed", sets: &[] },
    ],
};

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "checkout_id": null, "payment_id": null,
        "customer_id": null, "description": null, "external_id": null, "paid_at": null,
        "failure_code": null, "failure_message": null,
    }))
}
