//! The kinds of objects besides checkouts, one a file: what each is born with, and the steps of
//! its life, each an event type of `ventipay-api.md` 4.5. Pure: ids and times are parameters.
//!
//! Where the page leaves a field open, it is decided at the kind. Everywhere: an object names
//! another by `<what>_id`; what a test sends of a kind's own fields is taken as it is, so that
//! an object can be made to say anything. Not here: the checkout ([`super::checkout`]), what a
//! step of one object does to another ([`super::life`]).

use serde_json::{Map, Value, json};

use super::checkout::{self, Birth, merge};
use super::error::ApiError;

pub mod charge;

pub mod customer;

pub mod dispute;

pub mod invoice;

pub mod loan;

pub mod mandate;

pub mod payment;

pub mod payment_method;

pub mod refund;

pub mod setup_intent;

pub mod subscription;

/// A kind of objects.
#[derive(Debug)]
pub struct Kind {
    /// What `object` says, and the first half of its event types.
    pub name: &'static str,
    /// Where the API shows it, and its place in the kept state.
    pub path: &'static str,
    /// Whether the API shows it at all.
    pub shown: bool,
    /// What its ids begin with (`ventipay-api.md` 5.1).
    pub prefix: &'static str,
    /// Its status at birth; absent: it has none.
    pub born: Option<&'static str>,
    /// Whether its birth is an event, `<name>.created`.
    pub told: bool,
    /// Its own fields, of what it is made with.
    pub fields: fn(&Map<String, Value>) -> Result<Value, ApiError>,
    /// What may become of it.
    pub steps: &'static [Step],
}

/// A step in the life of an object.
#[derive(Debug)]
pub struct Step {
    /// The second half of the event type.
    pub event: &'static str,
    /// The statuses it starts from.
    pub from: &'static [&'static str],
    /// The status it ends in.
    pub to: &'static str,
    /// Fields it sets.
    pub sets: &'static [(&'static str, Set)],
}

/// A value a step sets.
#[derive(Debug, Clone, Copy)]
pub enum Set {
    /// The time of the step.
    Time,
    /// True.
    Yes,
    /// One more than before.
    More,
}

/// Every kind besides checkouts.
pub const KINDS: [&Kind; 12] = [
    &payment::KIND,
    &refund::KIND,
    &charge::KIND,
    &dispute::KIND,
    &subscription::KIND,
    &invoice::KIND,
    &setup_intent::KIND,
    &customer::KIND,
    &payment_method::KIND,
    &mandate::KIND,
    &loan::LOAN,
    &loan::LOAN_INTENT,
];

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Result<&'static Self, ApiError> {
        let known = KINDS.into_iter().find(|kind| kind.name == name);
        known.ok_or_else(|| ApiError::not_found("kind of object"))
    }

    /// A new object of what was sent. Its own fields, as sent, win over the kind's.
    pub fn create(&self, sent: &Map<String, Value>, birth: Birth<'_>) -> Result<Value, ApiError> {
        let mut object = (self.fields)(sent)?;
        merge(&mut object, json!({"metadata": sent.get("metadata").unwrap_or(&json!({}))}));
        merge(&mut object, Value::Object(sent.clone()));
        let currency = object["currency"].as_str().map(str::to_lowercase);
        if let Some(currency) = currency {
            object["currency"] = json!(currency);
        }
        if let (Some(born), true) = (self.born, object["status"].is_null()) {
            object["status"] = json!(born);
        }
        merge(
            &mut object,
            json!({
                "id": birth.id, "object": self.name, "live": birth.live,
                "created_at": birth.at, "updated_at": birth.at,
            }),
        );
        Ok(object)
    }

    /// Takes a step, `fields` with it.
    pub fn step(
        &self,
        object: &mut Value,
        event: &str,
        fields: &Map<String, Value>,
        at: &str,
    ) -> Result<(), ApiError> {
        let step = self.allows(object, event)?;
        for (field, set) in step.sets {
            object[*field] = match set {
                Set::Time => json!(at),
                Set::Yes => json!(true),
                Set::More => json!(object[*field].as_i64().unwrap_or(0) + 1),
            };
        }
        merge(object, json!({"status": step.to, "updated_at": at}));
        merge(object, Value::Object(fields.clone()));
        Ok(())
    }

    /// The step of this event, if the object may take it as it is.
    pub fn allows(&self, object: &Value, event: &str) -> Result<&'static Step, ApiError> {
        let step = self.steps.iter().find(|step| step.event == event);
        let step =
            step.ok_or_else(|| ApiError::invalid(format!("{} knows no step {event}", self.name)))?;
        if !step.from.iter().any(|from| object["status"] == *from) {
            let status = &object["status"];
            return Err(ApiError::invalid(format!("{event}: the {} is {status}", self.name)));
        }
        Ok(step)
    }

    /// The type of an event about it.
    pub fn event(&self, event: &str) -> String {
        format!("{}.{event}", self.name)
    }
}

/// `amount` and `currency` of what was sent, checked.
fn money(sent: &Map<String, Value>) -> Result<(i64, String), ApiError> {
    let amount = sent.get("amount").and_then(Value::as_i64).filter(|minor| *minor > 0);
    let amount = amount.ok_or_else(|| ApiError::invalid("amount must be a positive integer"))?;
    Ok((amount, checkout::currency(sent)?))
}

/// Of a kind that has no fields of its own.
#[expect(clippy::unnecessary_wraps, reason = "it stands where other kinds may refuse")]
fn bare(_: &Map<String, Value>) -> Result<Value, ApiError> {
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIRTH: Birth<'_> = Birth { id: "x_1", live: false, at: "2026-01-05T12:00:00.000Z" };

    fn sent(fields: &Value) -> Map<String, Value> {
        fields.as_object().unwrap().clone()
    }

    fn money() -> Map<String, Value> {
        sent(&json!({"amount": 1000, "currency": "CLP", "email": "a@b.cl", "country": "CL"}))
    }

    /// Each type of 4.5, legacy ones too.
    #[test]
    fn the_steps_are_the_event_types_of_the_reference() {
        let mut types: Vec<String> = Vec::new();
        for kind in KINDS {
            types.extend(kind.told.then(|| kind.event("created")));
            types.extend(kind.steps.iter().map(|step| kind.event(step.event)));
        }
        types.sort();
        let mut expected: Vec<String> = [
            ("subscription", "created trialing activated past_due unpaid canceled suspended"),
            ("invoice", "created draft open paid uncollectible retrying void"),
            ("setup_intent", "created succeeded canceled expired"),
            ("charge", "created succeeded failed"),
            ("payment", "created authorized captured failed canceled refunded"),
            ("dispute", "created needs_response under_review won lost charge_refunded"),
            ("loan", "created failed canceled authorized disputed refunded"),
            ("mandate", "created activated deactivated"),
            ("loan_intent", "created approved authorized rejected canceled"),
        ]
        .into_iter()
        .flat_map(|(name, steps)| steps.split(' ').map(move |step| format!("{name}.{step}")))
        .collect();
        expected.sort();
        assert_eq!(types, expected);
    }

    #[test]
    fn every_kind_is_born_whole_and_takes_each_step_only_from_where_it_starts() {
        for kind in KINDS {
            let object = kind.create(&money(), BIRTH).unwrap();
            assert_eq!((&object["id"], &object["object"]), (&json!("x_1"), &json!(kind.name)));
            assert_eq!(object["status"].as_str(), kind.born, "{}", kind.name);
            assert_eq!(object["currency"], "clp");
            for step in kind.steps {
                for from in step.from {
                    let mut object = object.clone();
                    object["status"] = json!(from);
                    kind.step(&mut object, step.event, &Map::new(), "later").unwrap();
                    assert_eq!(object["status"], step.to);
                    assert_eq!(object["updated_at"], "later");
                }
                let mut object = object.clone();
                object["status"] = json!("elsewhere");
                assert!(kind.step(&mut object, step.event, &Map::new(), "later").is_err());
            }
            assert!(kind.step(&mut object.clone(), "exploded", &Map::new(), "later").is_err());
        }
    }

    #[test]
    fn what_is_asked_of_a_kind_is_checked_and_what_is_sent_wins() {
        let none = Map::new();
        for kind in [&payment::KIND, &refund::KIND, &charge::KIND, &dispute::KIND, &invoice::KIND] {
            assert!(kind.create(&none, BIRTH).is_err(), "{}", kind.name);
        }
        assert!(customer::KIND.create(&sent(&json!({"email": "a@b.cl"})), BIRTH).is_err());
        assert!(
            charge::KIND.create(&sent(&json!({"amount": -1, "currency": "clp"})), BIRTH).is_err()
        );
        let mut odd = money();
        odd.insert("reason".to_owned(), json!("duplicate"));
        odd.insert("status".to_owned(), json!("under_review"));
        let dispute = dispute::KIND.create(&odd, BIRTH).unwrap();
        assert_eq!(
            (&dispute["reason"], &dispute["status"]),
            (&json!("duplicate"), &json!("under_review"))
        );
    }

    #[test]
    fn a_step_leaves_its_mark() {
        let mut payment = payment::KIND.create(&money(), BIRTH).unwrap();
        assert_eq!(payment["captured"], false);
        payment::KIND.step(&mut payment, "authorized", &Map::new(), "t1").unwrap();
        payment::KIND.step(&mut payment, "captured", &Map::new(), "t2").unwrap();
        assert_eq!(
            (&payment["authorized_at"], &payment["captured_at"]),
            (&json!("t1"), &json!("t2"))
        );
        assert_eq!((&payment["captured"], &payment["status"]), (&json!(true), &json!("succeeded")));
        let mut invoice = invoice::KIND.create(&money(), BIRTH).unwrap();
        invoice::KIND.step(&mut invoice, "open", &Map::new(), "t1").unwrap();
        invoice::KIND.step(&mut invoice, "retrying", &Map::new(), "t2").unwrap();
        invoice::KIND.step(&mut invoice, "retrying", &Map::new(), "t3").unwrap();
        assert_eq!((&invoice["attempts"], &invoice["status"]), (&json!(2), &json!("open")));
    }
}
