//! An invoice, "nota de venta" (`ventipay-api.md` 5.6): its states are known, its fields are
//! not.
//!
//! Decided here: money as everywhere; `subscription_id` where a subscription made it; of a paid
//! one `paid_at`, `payment_id` and perhaps `charge_id`. `draft` can be told of a draft again;
//! `retrying` leaves it `open` and counts `attempts`.

use serde_json::{Map, Value, json};

use super::{Kind, Set, Step, money};
use crate::ventipay::error::ApiError;

/// Invoices.
pub const KIND: Kind = Kind {
    name: "invoice",
    path: "invoices",
    shown: true,
    prefix: "inv_",
    born: Some("draft"),
    told: true,
    fields,
    steps: &[
        Step { event: "draft", from: &["draft"], to: "draft", sets: &[] },
        Step { event: "open", from: &["draft"], to: "open", sets: &[] },
        Step {
            event: "paid",
            from: &["open", "uncollectible"],
            to: "paid",
            sets: &[("paid_at", Set::Time)],
        },
        Step { event: "retrying", from: &["open"], to: "open", sets: &[("attempts", Set::More)] },
        Step { event: "uncollectible", from: &["open"], to: "uncollectible", sets: &[] },
        Step { event: "void", from: &["draft", "open", "uncollectible"], to: "void", sets: &[] },
    ],
};

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "description": null, "external_id": null,
        "subscription_id": null, "customer_id": null, "payment_id": null, "charge_id": null,
        "items": [{"unit_price": amount, "quantity": 1}], "paid_at": null, "attempts": 0,
    }))
}
