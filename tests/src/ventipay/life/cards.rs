//! A customer's card is enrolled: a setup intent succeeds, and there is a payment method.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Made, fields, filled};
use crate::ventipay::delivery::Deliver;
use crate::ventipay::error::ApiError;
use crate::ventipay::objects::{payment_method, setup_intent};
use crate::ventipay::table::text;
use crate::ventipay::world::Sim;

impl Sim {
    /// A customer's card is enrolled: `setup_intent.created`, then `.succeeded`. Answers the
    /// setup intent. `card` is the payment method's own fields.
    pub(in crate::ventipay) fn enrol(
        self: &Arc<Self>,
        customer: Option<&str>,
        card: &Map<String, Value>,
        live: bool,
        deliver: &Deliver,
    ) -> Result<Made, ApiError> {
        self.tell_of(deliver, |world| {
            let whose = json!({"customer_id": customer});
            let method = world.make(&payment_method::KIND, &filled(card, whose.clone()), live)?;
            let (intent, mut events) = world.born(&setup_intent::KIND, &fields(whose), live)?;
            let id = text(&intent, "id");
            let enrolled = fields(json!({
                "payment_method_id": method["id"], "payment_method": world.shown(&method),
            }));
            events.push(world.step(&setup_intent::KIND, &id, "succeeded", &enrolled)?);
            Ok((intent, events))
        })
    }
}
