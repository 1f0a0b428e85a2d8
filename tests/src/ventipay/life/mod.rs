//! What happens in a simulated Ventipay beyond one object: a step of one changes others and
//! tells of several. Each is one change of the world; what it tells is delivered after it.
//!
//! [`payments`] (one payment, told by up to three families; charges), [`refunds`],
//! [`disputes`], [`subscriptions`] (and their invoices), [`cards`]. Not here: what one object
//! is and may become ([`super::objects`]); how it is asked for over HTTP ([`super::control`]).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::delivery::Deliver;
use super::error::ApiError;
use super::objects::Kind;
use super::table::{World, text};
use super::world::Sim;

pub mod cards;

pub mod disputes;

pub mod payments;

pub mod refunds;

pub mod subscriptions;

/// What came to be, or went a step on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The ids of the events that tell of it, oldest first.
    pub events: Vec<String>,
}

impl Made {
    fn of(object: &Value, events: &[Value]) -> Self {
        let events = events.iter().map(|event| text(event, "id")).collect();
        Self { id: text(object, "id"), events }
    }
}

impl Sim {
    /// Makes an object of any kind but a checkout, and tells of it where that is an event.
    pub(super) fn make(
        self: &Arc<Self>,
        kind: &str,
        fields: &Map<String, Value>,
        live: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        let kind = Kind::named(kind)?;
        self.tell_of(deliver, |world| match kind.name {
            "dispute" => world.dispute(fields, live),
            _ => world.born(kind, fields, live),
        })
    }

    /// Has an object take a step of its life, `event` being the second half of the type.
    pub(super) fn advance(
        self: &Arc<Self>,
        kind: &str,
        id: &str,
        event: &str,
        fields: &Map<String, Value>,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        let kind = Kind::named(kind)?;
        self.tell_of(deliver, |world| {
            let told = world.step(kind, id, event, fields)?;
            let object = world.find_mut(kind.path, id, None)?.clone();
            if kind.name == "dispute" {
                world.mark_disputed(&object);
            }
            Ok((object, vec![told]))
        })
    }

    /// One change that tells of several things.
    fn tell_of(
        self: &Arc<Self>,
        deliver: &Deliver,
        change: impl FnOnce(&mut World) -> Result<(Value, Vec<Value>), ApiError>,
    ) -> Result<Made, ApiError> {
        let (object, events) = self.change(change)?;
        self.deliver_all(&events, deliver);
        Ok(Made::of(&object, &events))
    }

    /// Sends events on their way, in this order as far as the network keeps it.
    pub(super) fn deliver_all(self: &Arc<Self>, events: &[Value], whom: &Deliver) {
        for event in events {
            self.deliver(event, whom);
        }
    }

    /// Sets the world's clock.
    pub(super) fn set_clock(&self, clock: Option<Timestamp>) -> Result<(), ApiError> {
        self.change(|world| {
            world.clock = clock;
            Ok(())
        })
    }

    /// Hides fields of an object (by its id) or of all of a kind (by its name), or shows them.
    pub(super) fn hide(&self, of: &str, fields: &[String], hidden: bool) -> Result<(), ApiError> {
        self.change(|world| {
            world.hide(of, fields, hidden);
            Ok(())
        })
    }
}

impl World {
    /// A new object, and the event of its birth where there is one.
    fn born(
        &mut self,
        kind: &Kind,
        sent: &Map<String, Value>,
        live: bool,
    ) -> Result<(Value, Vec<Value>), ApiError> {
        let object = self.make(kind, sent, live)?;
        let told = kind.told.then(|| self.tell(&kind.event("created"), &object));
        Ok((object, told.into_iter().collect()))
    }
}

/// The fields of a JSON object that are not null.
fn stated(value: Value) -> Map<String, Value> {
    fields(value).into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// The fields of a JSON object; of anything else none.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `sent`, and of `known` what it lacks.
fn filled(sent: &Map<String, Value>, known: Value) -> Map<String, Value> {
    let mut all = fields(known);
    all.extend(stated(Value::Object(sent.clone())));
    all
}
