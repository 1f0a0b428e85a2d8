//! What a test has happen in a simulated Ventipay besides payments, in Rust. Over HTTP it is
//! the same: [`super::control`].

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::delivery::Deliver;
use super::error::ApiError;
use super::hold::Order;
use super::life::Made;
use super::life::payments::{Charge, Families};
use super::life::subscriptions::Collect;
use super::world::Paid;
use super::{SimVentipay, delivery};

impl SimVentipay {
    /// Has an unpaid checkout paid, now, and other families tell of it too.
    pub fn pay_checkout_told_by(
        &self,
        id: &str,
        families: Families,
        deliver: &Deliver,
    ) -> Result<Paid, ApiError> {
        self.sim.pay(id, None, families, deliver)
    }

    /// Refunds a paid checkout, in minor units; without an amount, all that is left.
    pub fn refund(
        &self,
        checkout: &str,
        amount: Option<i64>,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.refund_checkout(checkout, &asking(amount), false, deliver)
    }

    /// The same, but it is pending until [`SimVentipay::settle_refund`], and nobody is told.
    pub fn refund_later(&self, checkout: &str, amount: Option<i64>) -> Result<Made, ApiError> {
        self.sim.refund_checkout(checkout, &asking(amount), true, &Deliver::Nowhere)
    }

    /// A pending refund succeeds, which is told, or fails, which is not.
    pub fn settle_refund(
        &self,
        refund: &str,
        succeeds: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.settle_refund(refund, succeeds, deliver)
    }

    /// A checkout is disputed, wholly unless `fields` say otherwise. It moves on with
    /// [`SimVentipay::advance`]: `under_review`, `won`, `lost`, …
    pub fn dispute(
        &self,
        checkout: &str,
        fields: Value,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        let mut fields = object(fields)?;
        fields.insert("checkout_id".to_owned(), json!(checkout));
        self.sim.make("dispute", &fields, false, deliver)
    }

    /// Makes an object of any kind but a checkout (`subscription`, `customer`, `mandate`, …) and
    /// tells of it where that is an event.
    pub fn make(
        &self,
        kind: &str,
        fields: Value,
        live: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.make(kind, &object(fields)?, live, deliver)
    }

    /// Has an object take a step of its life; `event` is the second half of the event's type.
    pub fn advance(
        &self,
        kind: &str,
        id: &str,
        event: &str,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.advance(kind, id, event, &Map::new(), deliver)
    }

    /// The same, with fields it sets besides.
    pub fn advance_with(
        &self,
        kind: &str,
        id: &str,
        event: &str,
        fields: Value,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.advance(kind, id, event, &object(fields)?, deliver)
    }

    /// A period of a subscription begins, the first or a further one. Answers its invoice.
    pub fn renew(&self, subscription: &str, collect: &Collect) -> Result<Made, ApiError> {
        self.sim.renew(subscription, collect)
    }

    /// An open invoice is tried again.
    pub fn retry_invoice(&self, invoice: &str, collect: &Collect) -> Result<Made, ApiError> {
        self.sim.retry_invoice(invoice, collect)
    }

    /// A charge is tried, most often outside a checkout.
    pub fn charge(&self, charge: &Charge) -> Result<Made, ApiError> {
        self.sim.charge(charge)
    }

    /// A customer's card is enrolled; `card` is its `brand`, `funding`, `last4`, … Answers the
    /// setup intent.
    pub fn enrol(
        &self,
        customer: Option<&str>,
        card: Value,
        live: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.sim.enrol(customer, &object(card)?, live, deliver)
    }

    /// Hides fields of an object (by its id) or of all of a kind (by its name) from the API and
    /// from events to come.
    pub fn hide(&self, of: &str, fields: &[&str]) -> Result<(), ApiError> {
        self.sim.hide(of, &owned(fields), true)
    }

    /// Shows them again.
    pub fn unhide(&self, of: &str, fields: &[&str]) -> Result<(), ApiError> {
        self.sim.hide(of, &owned(fields), false)
    }

    /// What happens from now on happens at this time; absent: now. Signatures are not dated by
    /// it, and time stands still.
    pub fn set_clock(&self, clock: Option<Timestamp>) -> Result<(), ApiError> {
        self.sim.set_clock(clock)
    }

    /// Delivers an old event again, to whom is told.
    pub fn redeliver(&self, event: &str, deliver: &Deliver) -> Result<(), ApiError> {
        self.sim.deliver(&self.sim.event(event, None)?, deliver);
        Ok(())
    }

    /// An object as the API shows it in test mode; `path` is `checkouts`, `refunds`, …
    pub fn read(&self, path: &str, id: &str) -> Result<Value, ApiError> {
        self.sim.read(path, id, false, &[])
    }

    /// The type of an event and what it tells of, as delivered.
    pub fn told(&self, event: &str) -> Result<(String, Value), ApiError> {
        let event = self.sim.event(event, None)?;
        let body: Value = serde_json::from_slice(&delivery::body_of(&event)).unwrap_or_default();
        Ok((super::table::text(&body, "type"), body["data"].clone()))
    }

    /// From now on deliveries wait.
    pub fn hold(&self) {
        self.sim.hold();
    }

    /// The events that are held, oldest first.
    pub fn held(&self) -> Vec<String> {
        self.sim.held()
    }

    /// Delivers what is held, each when the one before was taken; answers the events in the
    /// order they were delivered. Holding ends, unless only some were named.
    pub async fn release(&self, order: &Order) -> Result<Vec<String>, ApiError> {
        self.sim.release(order).await
    }
}

fn asking(amount: Option<i64>) -> Map<String, Value> {
    amount.map(|amount| ("amount".to_owned(), json!(amount))).into_iter().collect()
}

fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err(ApiError::invalid("fields are an object")),
    }
}

fn owned(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}
