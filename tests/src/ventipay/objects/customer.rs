//! A customer (`ventipay-api.md` 5.8). No event is about one.
//!
//! `taxid` comes back as it was sent: one third party sends it, what becomes of it is unknown.

use serde_json::{Map, Value, json};

use super::Kind;
use crate::ventipay::error::ApiError;

/// Customers.
pub const KIND: Kind = Kind {
    name: "customer",
    path: "customers",
    shown: true,
    prefix: "cus_",
    born: None,
    told: false,
    fields,
    steps: &[],
};

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    for required in ["email", "country"] {
        if !sent.get(required).is_some_and(Value::is_string) {
            return Err(ApiError::invalid(format!("{required} is missing")));
        }
    }
    Ok(json!({
        "email_validated": false, "first_name": null, "last_name": null, "language": "es",
        "disabled": false, "bnpl_credit_limit": null, "bnpl_credit_currency": null,
    }))
}
