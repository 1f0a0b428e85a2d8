//! A payment (`ventipay-api.md` 5.3): created, authorized, captured; the older event family.
//!
//! Decided here: `payment.authorized` leads to `requires_capture` also where the capture follows
//! at once; a payment that failed or was canceled says so in `status`.

use serde_json::{Map, Value, json};

use super::{Kind, Set, Step, money};
use crate::ventipay::error::ApiError;

/// Payments.
pub const KIND: Kind = Kind {
    name: "payment",
    path: "payments",
    shown: true,
    prefix: "pay_",
    born: Some("requires_authorization"),
    told: true,
    fields,
    steps: &[
        Step {
            event: "authorized",
            from: &["requires_authorization"],
            to: "requires_capture",
            sets: &[("authorized", Set::Yes), ("authorized_at", Set::Time)],
        },
        Step {
            event: "captured",
            from: &["requires_capture"],
            to: "succeeded",
            sets: &[("captured", Set::Yes), ("captured_at", Set::Time)],
        },
        Step { event: "failed", from: &["requires_authorization"], to: "failed", sets: &[] },
        Step {
            event: "canceled",
            from: &["requires_authorization", "requires_capture"],
            to: "canceled",
            sets: &[("canceled_at", Set::Time)],
        },
        Step {
            event: "refunded",
            from: &["succeeded"],
            to: "succeeded",
            sets: &[("refunded", Set::Yes)],
        },
    ],
};

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "acquirer": "default", "automatic": false,
        "authorized": false, "authorized_at": null, "capture": true, "captured": false,
        "captured_at": null, "canceled_at": null, "cancel_url": null,
        "cancel_url_method": "post", "checkout_id": null, "customer_id": null,
        "custom_fields": [], "description": null, "refunded": false, "disputed": false,
    }))
}
