//! Refunds of checkouts: whole, in parts, one after the other, at once or pending first.
//!
//! Decided here: what is pending is taken from nobody else, but shows nowhere yet: `refunded`,
//! `refunded_amount` and `available_for_refund` change when it succeeds, together, and only
//! then `checkout.refunded` is told. So `available_for_refund` and `refunded_amount` always
//! make the amount. A refund that fails is not told at all; `GET /refunds/{id}` says it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Made, stated};
use crate::ventipay::checkout;
use crate::ventipay::delivery::Deliver;
use crate::ventipay::error::ApiError;
use crate::ventipay::objects::{payment, refund};
use crate::ventipay::table::{EVENTS, World, text};
use crate::ventipay::world::Sim;

impl Sim {
    /// The merchant refunds a checkout, whatever its mode; `request` as of the API.
    pub(in crate::ventipay) fn refund_checkout(
        self: &Arc<Self>,
        id: &str,
        request: &Map<String, Value>,
        pending: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.tell_of(deliver, |world| world.refund(id, None, request, pending))
    }

    /// A pending refund succeeds or fails.
    pub(in crate::ventipay) fn settle_refund(
        self: &Arc<Self>,
        id: &str,
        succeeds: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.tell_of(deliver, |world| world.settle(id, succeeds))
    }
}

impl World {
    /// A refund, and what is told of it.
    pub(in crate::ventipay) fn refund(
        &mut self,
        id: &str,
        live: Option<bool>,
        request: &Map<String, Value>,
        pending: bool,
    ) -> Result<(Value, Vec<Value>), ApiError> {
        let under_way = self.pending_of(id);
        let checkout = self.checkout_mut(id, live)?;
        let amount = checkout::refundable(checkout, under_way, request)?;
        let sent = json!({
            "amount": amount, "currency": checkout["currency"], "status": "pending",
            "destination": request.get("destination"), "checkout_id": id,
            "payment_id": checkout["payment_id"], "customer_id": checkout["customer_id"],
        });
        let live = checkout["live"] == true;
        let made = self.make(&refund::KIND, &stated(sent), live)?;
        if pending {
            return Ok((made, Vec::new()));
        }
        self.settle(&text(&made, "id"), true)
    }

    fn settle(&mut self, id: &str, succeeds: bool) -> Result<(Value, Vec<Value>), ApiError> {
        let at = self.at();
        let refund = self.find_mut(refund::KIND.path, id, None)?;
        if refund["status"] != "pending" {
            return Err(ApiError::invalid("the refund is not pending"));
        }
        let status = if succeeds { "succeeded" } else { "failed" };
        checkout::merge(refund, json!({"status": status, "updated_at": at}));
        let refund = refund.clone();
        if !succeeds {
            return Ok((refund, Vec::new()));
        }
        let amount = refund["amount"].as_i64().unwrap_or(0);
        let checkout = self.checkout_mut(&text(&refund, "checkout_id"), None)?;
        checkout::refunded(checkout, amount, &at);
        let checkout = checkout.clone();
        let mut events = Vec::new();
        let payment = text(&checkout, "payment_id");
        let object = self.find(payment::KIND.path, &payment, None);
        if object.is_some_and(|object| payment::KIND.allows(object, "refunded").is_ok()) {
            let object = self.advance(&payment::KIND, &payment, "refunded", &Map::new())?;
            if self.was_told(&payment) {
                events.push(self.tell("payment.refunded", &object));
            }
        }
        events.push(self.tell("checkout.refunded", &checkout));
        Ok((refund, events))
    }

    /// What is on its way back of a checkout.
    fn pending_of(&mut self, checkout: &str) -> i64 {
        let refunds = self.table(refund::KIND.path).rows.iter();
        refunds
            .filter(|refund| refund["checkout_id"] == checkout && refund["status"] == "pending")
            .filter_map(|refund| refund["amount"].as_i64())
            .sum()
    }

    /// Whether anybody was told of an object by its own family.
    fn was_told(&mut self, id: &str) -> bool {
        self.table(EVENTS).rows.iter().any(|event| event["related_id"] == id)
    }
}
