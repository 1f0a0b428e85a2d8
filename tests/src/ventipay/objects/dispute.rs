//! A dispute (`ventipay-api.md` 5.9): its states are known, its fields are not.
//!
//! Decided here: it is born `needs_response`; `amount` is positive; the deadline for evidence
//! is `evidence_due_by`; the reason is one word. What is lost stays disputed; what is won, or
//! settled by a refund of the charge, is disputed no longer. The refund that settles one is
//! made by itself, before.

use serde_json::{Map, Value, json};

use super::{Kind, Set, Step, money};
use crate::ventipay::error::ApiError;

/// Disputes.
pub const KIND: Kind = Kind {
    name: "dispute",
    path: "disputes",
    shown: true,
    prefix: "dsp_",
    born: Some("needs_response"),
    told: true,
    fields,
    steps: &[
        Step {
            event: "needs_response",
            from: &["needs_response", "under_review"],
            to: "needs_response",
            sets: &[],
        },
        Step { event: "under_review", from: &["needs_response"], to: "under_review", sets: &[] },
        Step {
            event: "won",
            from: &["needs_response", "under_review"],
            to: "won",
            sets: &[("closed_at", Set::Time)],
        },
        Step {
            event: "lost",
            from: &["needs_response", "under_review"],
            to: "lost",
            sets: &[("closed_at", Set::Time)],
        },
        Step {
            event: "charge_refunded",
            from: &["needs_response", "under_review"],
            to: "charge_refunded",
            sets: &[("closed_at", Set::Time)],
        },
    ],
};

/// The statuses in which what it is about is disputed.
pub const DISPUTED: [&str; 3] = ["needs_response", "under_review", "lost"];

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "reason": "fraudulent", "evidence_due_by": null,
        "checkout_id": null, "payment_id": null, "charge_id": null, "customer_id": null,
        "closed_at": null,
    }))
}
