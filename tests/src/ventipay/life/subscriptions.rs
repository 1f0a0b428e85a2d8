//! Subscriptions and their invoices: a period begins with an invoice that is created, opened
//! and paid, or not.
//!
//! Decided here: the first period and each renewal go alike; an invoice that is not collected
//! is retried and the subscription is past due until it is; the payment of an invoice has no
//! checkout, and is told by its own families only where that is asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::payments::Families;
use super::{Made, fields};
use crate::ventipay::delivery::Deliver;
use crate::ventipay::error::ApiError;
use crate::ventipay::iso;
use crate::ventipay::objects::{invoice, payment, subscription};
use crate::ventipay::table::{World, new_id, text};
use crate::ventipay::world::Sim;

/// How a period is collected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// Whether the payment goes through.
    #[serde(default = "yes")]
    pub collected: bool,
    /// Which families tell of the payment.
    #[serde(default)]
    pub families: Families,
    /// Whom the events are delivered to.
    #[serde(default)]
    pub deliver: Deliver,
}

fn yes() -> bool {
    true
}

impl Default for Collect {
    fn default() -> Self {
        Self { collected: true, families: Families::default(), deliver: Deliver::Registered }
    }
}

impl Collect {
    /// The payment does not go through.
    pub fn failing() -> Self {
        Self { collected: false, ..Self::default() }
    }
}

impl Sim {
    /// A period of a subscription begins, the first or a further one; answers its invoice.
    pub(in crate::ventipay) fn renew(
        self: &Arc<Self>,
        subscription: &str,
        collect: &Collect,
    ) -> Result<Made, ApiError> {
        self.tell_of(&collect.deliver, |world| world.renew(subscription, collect))
    }

    /// An open invoice is tried again.
    pub(in crate::ventipay) fn retry_invoice(
        self: &Arc<Self>,
        invoice: &str,
        collect: &Collect,
    ) -> Result<Made, ApiError> {
        self.tell_of(&collect.deliver, |world| {
            let object = world.find_mut(invoice::KIND.path, invoice, None)?.clone();
            let mut events = Vec::new();
            world.collect(&object, collect, &mut events)?;
            Ok((object, events))
        })
    }
}

impl World {
    fn renew(&mut self, id: &str, collect: &Collect) -> Result<(Value, Vec<Value>), ApiError> {
        let subscription = self.find_mut(subscription::KIND.path, id, None)?.clone();
        subscription::KIND.allows(&subscription, "activated")?;
        subscription::next_period(&subscription, self.now())?;
        let said = json!({
            "amount": subscription["amount"], "currency": subscription["currency"],
            "subscription_id": id, "customer_id": subscription["customer_id"],
        });
        let live = subscription["live"] == true;
        let (made, mut events) = self.born(&invoice::KIND, &fields(said), live)?;
        let invoice = text(&made, "id");
        events.push(self.step(&invoice::KIND, &invoice, "open", &Map::new())?);
        let made = self.find_mut(invoice::KIND.path, &invoice, None)?.clone();
        self.collect(&made, collect, &mut events)?;
        Ok((made, events))
    }

    /// An open invoice is paid, or is not; its subscription with it.
    fn collect(
        &mut self,
        invoice: &Value,
        collect: &Collect,
        events: &mut Vec<Value>,
    ) -> Result<(), ApiError> {
        let id = text(invoice, "id");
        if !collect.collected {
            events.push(self.step(&invoice::KIND, &id, "retrying", &Map::new())?);
            let subscription = self.subscription_of(invoice);
            if let Some(due) =
                subscription.filter(|it| subscription::KIND.allows(it, "past_due").is_ok())
            {
                let due = text(&due, "id");
                events.push(self.step(&subscription::KIND, &due, "past_due", &Map::new())?);
            }
            return Ok(());
        }
        invoice::KIND.allows(invoice, "paid")?;
        let payment = new_id(payment::KIND.prefix);
        let said = json!({
            "id": payment, "amount": invoice["amount"], "currency": invoice["currency"],
            "customer_id": invoice["customer_id"], "automatic": true, "invoice_id": id,
        });
        let (live, at) = (invoice["live"] == true, self.at());
        let told = self.take(&fields(said), live, &at, collect.families)?;
        let charge = told.iter().find(|event| event["type"] == "charge.succeeded");
        let charge = charge.map(|event| event["related_id"].clone());
        events.extend(told);
        let paid = fields(json!({"payment_id": payment, "charge_id": charge}));
        events.push(self.step(&invoice::KIND, &id, "paid", &paid)?);
        let subscription = self.subscription_of(invoice);
        if let Some(own) =
            subscription.filter(|it| subscription::KIND.allows(it, "activated").is_ok())
        {
            let (start, end) = subscription::next_period(&own, self.now())?;
            let period = fields(json!({
                "current_period_starts_at": iso(start), "current_period_ends_at": iso(end),
            }));
            let own = text(&own, "id");
            events.push(self.step(&subscription::KIND, &own, "activated", &period)?);
        }
        Ok(())
    }

    fn subscription_of(&self, invoice: &Value) -> Option<Value> {
        let id = invoice["subscription_id"].as_str()?;
        self.find(subscription::KIND.path, id, None).cloned()
    }
}
