//! A setup intent (`ventipay-api.md` 5.7): it enrols a payment method for a customer. Fields
//! are not documented.
//!
//! Decided here: status `created`, `succeeded`, `canceled`, `expired`; a succeeded one names
//! the method by `payment_method_id` and holds it whole in `payment_method`.

use serde_json::{Map, Value, json};

use super::{Kind, Set, Step};
use crate::ventipay::error::ApiError;

/// Setup intents.
pub const KIND: Kind = Kind {
    name: "setup_intent",
    path: "setup_intents",
    shown: true,
    prefix: "seti_",
    born: Some("created"),
    told: true,
    fields,
    steps: &[
        Step { event: "succeeded", from: &["created"], to: "succeeded", sets: &[] },
        Step {
            event: "canceled",
            from: &["created"],
            to: "canceled",
            sets: &[("canceled_at", Set::Time)],
        },
        Step { event: "expired", from: &["created"], to: "expired", sets: &[] },
    ],
};

#[expect(clippy::unnecessary_wraps, reason = "it stands where other kinds may refuse")]
fn fields(_: &Map<String, Value>) -> Result<Value, ApiError> {
    Ok(json!({
        "customer_id": null, "payment_method_id": null, "payment_method": null,
        "canceled_at": null,
    }))
}
