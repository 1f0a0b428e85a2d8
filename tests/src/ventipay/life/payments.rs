//! One payment, and who tells of it: its checkout, and by choice the payment and charge
//! families, under ids of their own. Also charges outside a checkout.
//!
//! Decided here: the other families tell first and `checkout.paid` last; a payment exists
//! whether its family tells of it or not, a charge only if its family does. An unlinked family
//! does not name the checkout.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Made, fields, filled};
use crate::ventipay::checkout;
use crate::ventipay::delivery::Deliver;
use crate::ventipay::error::ApiError;
use crate::ventipay::iso;
use crate::ventipay::objects::{charge, payment};
use crate::ventipay::table::{CHECKOUTS, World, new_id, text};
use crate::ventipay::world::Sim;

/// Which families tell of a payment besides its checkout's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Families {
    /// `payment.created`, `.authorized`, `.captured`, and `.refunded` when it is refunded.
    pub payment: bool,
    /// `charge.created` and `charge.succeeded`.
    pub charge: bool,
    /// They do not show `checkout_id`.
    pub unlinked: bool,
}

impl Families {
    /// Both others, each naming the checkout.
    pub const ALL: Self = Self { payment: true, charge: true, unlinked: false };
    /// Both others, neither naming the checkout.
    pub const UNLINKED: Self = Self { payment: true, charge: true, unlinked: true };
}

/// A charge, most often outside a checkout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// `amount`, `currency`, and what else it shall say: `external_id`, `customer_id`, … With
    /// a `checkout_id`, the rest is the checkout's unless it is said.
    pub fields: Map<String, Value>,
    /// In which mode; a checkout's charge has the checkout's.
    #[serde(default)]
    pub live: bool,
    /// Why it fails; absent: it succeeds.
    #[serde(default)]
    pub failure: Option<String>,
    /// A payment of its own tells of it too.
    #[serde(default)]
    pub payment: bool,
    /// Whom the events are delivered to.
    #[serde(default)]
    pub deliver: Deliver,
}

impl Charge {
    /// A charge of pesos in test mode that succeeds.
    pub fn clp(amount: i64) -> Self {
        Self::of(json!({"amount": amount, "currency": "clp"}))
    }

    /// A charge of a checkout, in test mode, that succeeds. It leaves the checkout as it is.
    pub fn of_checkout(id: &str) -> Self {
        Self::of(json!({"checkout_id": id}))
    }

    fn of(said: Value) -> Self {
        Self {
            fields: fields(said),
            live: false,
            failure: None,
            payment: false,
            deliver: Deliver::Registered,
        }
    }

    /// With a further field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// It fails, for this reason.
    #[must_use]
    pub fn failing(mut self, code: &str) -> Self {
        self.failure = Some(code.to_owned());
        self
    }
}

impl Sim {
    /// A charge is tried.
    pub(in crate::ventipay) fn charge(self: &Arc<Self>, charge: &Charge) -> Result<Made, ApiError> {
        self.tell_of(&charge.deliver, |world| world.charge(charge))
    }
}

impl World {
    /// The buyer pays an unpaid checkout. The last event is the checkout's.
    pub(in crate::ventipay) fn pay(
        &mut self,
        id: &str,
        paid_at: Option<Timestamp>,
        families: Families,
    ) -> Result<Vec<Value>, ApiError> {
        let (at, now) = (iso(paid_at.unwrap_or(self.now())), self.at());
        let payment_id = new_id(payment::KIND.prefix);
        let checkout = self.checkout_mut(id, None)?;
        checkout::pay(checkout, &payment_id, &at, &now)?;
        let checkout = checkout.clone();
        let known = json!({
            "id": payment_id, "checkout_id": id, "amount": checkout["amount"],
            "currency": checkout["currency"], "customer_id": checkout["customer_id"],
            "description": checkout["description"],
        });
        let live = checkout["live"] == true;
        let mut events = self.take(&fields(known), live, &at, families)?;
        events.push(self.tell("checkout.paid", &checkout));
        Ok(events)
    }

    /// A payment of what is said is made and goes through, a charge with it; what the families
    /// tell of it.
    pub(super) fn take(
        &mut self,
        said: &Map<String, Value>,
        live: bool,
        at: &str,
        families: Families,
    ) -> Result<Vec<Value>, ApiError> {
        let payment = self.make(&payment::KIND, said, live)?;
        let id = text(&payment, "id");
        let mut events = Vec::new();
        let link = ["checkout_id".to_owned()];
        if families.unlinked {
            self.hide(&id, &link, true);
        }
        let tells = |world: &mut Self, event: &str, payment: &Value| {
            families.payment.then(|| world.tell(&payment::KIND.event(event), payment))
        };
        events.extend(tells(self, "created", &payment));
        for (event, time) in [("authorized", "authorized_at"), ("captured", "captured_at")] {
            let then = fields(json!({ time: at }));
            let payment = self.advance(&payment::KIND, &id, event, &then)?;
            events.extend(tells(self, event, &payment));
        }
        if families.charge {
            let mut said = said.clone();
            said.insert("id".to_owned(), json!(new_id(charge::KIND.prefix)));
            said.insert("payment_id".to_owned(), json!(id));
            let charge = self.make(&charge::KIND, &said, live)?;
            let id = text(&charge, "id");
            if families.unlinked {
                self.hide(&id, &link, true);
            }
            events.push(self.tell("charge.created", &charge));
            events.push(self.step(
                &charge::KIND,
                &id,
                "succeeded",
                &fields(json!({"paid_at": at})),
            )?);
        }
        Ok(events)
    }

    fn charge(&mut self, charge: &Charge) -> Result<(Value, Vec<Value>), ApiError> {
        let (mut said, mut live) = (charge.fields.clone(), charge.live);
        if let Some(id) = said.get("checkout_id").and_then(Value::as_str) {
            let checkout = self.find(CHECKOUTS, id, None);
            let checkout = checkout.ok_or_else(|| ApiError::not_found("checkout"))?;
            live = checkout["live"] == true;
            let known = ["amount", "currency", "customer_id", "payment_id"];
            let known = known.map(|key| (key.to_owned(), checkout[key].clone()));
            said = filled(&said, Value::Object(Map::from_iter(known)));
        }
        let mut events = Vec::new();
        if charge.payment {
            let mut of_payment = said.clone();
            of_payment.remove("id");
            let (payment, told) = self.born(&payment::KIND, &of_payment, live)?;
            said.insert("payment_id".to_owned(), payment["id"].clone());
            events.extend(told);
        }
        let (object, told) = self.born(&charge::KIND, &said, live)?;
        events.extend(told);
        let id = text(&object, "id");
        let (event, then, steps) = match &charge.failure {
            None => ("succeeded", json!({}), &["authorized", "captured"][..]),
            Some(code) => {
                let message = format!("The charge was refused: {code}");
                let why = json!({"failure_code": code, "failure_message": message});
                ("failed", why, &["failed"][..])
            }
        };
        events.push(self.step(&charge::KIND, &id, event, &fields(then))?);
        if charge.payment {
            let payment = said["payment_id"].as_str().unwrap_or_default().to_owned();
            for step in steps {
                events.push(self.step(&payment::KIND, &payment, step, &Map::new())?);
            }
        }
        Ok((self.find_mut(charge::KIND.path, &id, None)?.clone(), events))
    }
}
