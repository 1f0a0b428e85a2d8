//! Disputes, and the `disputed` flag of the checkout and the payment they are about.
//!
//! Decided here: evidence is taken for seven days; the flag stands while any dispute about it
//! is open or was lost. No event tells of the flag.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::filled;
use crate::ventipay::error::ApiError;
use crate::ventipay::iso;
use crate::ventipay::objects::{charge, dispute, payment};
use crate::ventipay::table::{CHECKOUTS, World, text};

/// How long evidence is taken.
const EVIDENCE: SignedDuration = SignedDuration::from_hours(7 * 24);

impl World {
    /// A dispute of what was sent; of a checkout, the rest is the checkout's unless it is said.
    pub(super) fn dispute(
        &mut self,
        sent: &Map<String, Value>,
        live: bool,
    ) -> Result<(Value, Vec<Value>), ApiError> {
        let mut live = live;
        let mut known = json!({"evidence_due_by": iso(self.now() + EVIDENCE)});
        if let Some(id) = sent.get("checkout_id").and_then(Value::as_str) {
            let checkout = self.find(CHECKOUTS, id, None);
            let checkout = checkout.ok_or_else(|| ApiError::not_found("checkout"))?.clone();
            live = checkout["live"] == true;
            for key in ["amount", "currency", "customer_id", "payment_id"] {
                known[key] = checkout[key].clone();
            }
            let charges = self.table(charge::KIND.path).rows.iter();
            let succeeded = |charge: &&Value| charge["status"] == "succeeded";
            let mut own = charges.filter(succeeded).filter(|charge| charge["checkout_id"] == id);
            known["charge_id"] = own.next().map_or(Value::Null, |charge| charge["id"].clone());
        }
        let (object, told) = self.born(&dispute::KIND, &filled(sent, known), live)?;
        self.mark_disputed(&object);
        Ok((object, told))
    }

    /// Sets or clears the flag of what a dispute is about.
    pub(super) fn mark_disputed(&mut self, dispute: &Value) {
        for (path, key) in [(CHECKOUTS, "checkout_id"), (payment::KIND.path, "payment_id")] {
            let id = text(dispute, key);
            let all = self.table(dispute::KIND.path).rows.iter();
            let stands = all
                .filter(|dispute| dispute[key] == *id)
                .any(|dispute| dispute::DISPUTED.iter().any(|status| dispute["status"] == *status));
            // It may be about something this world has not: then there is no flag.
            if let Ok(object) = self.find_mut(path, &id, None) {
                object["disputed"] = json!(stands);
            }
        }
    }
}
