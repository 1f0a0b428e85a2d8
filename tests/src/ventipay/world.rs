//! What a simulated Ventipay knows, and what happens in it: each change is one step that may
//! cause an event, which is kept for `GET /events` and delivered.
//!
//! With a state folder, every change is on disk before it is answered (a whole file, renamed
//! into place). Not here: how deliveries are made ([`super::delivery`]).

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::checkout::{self, Birth};
use super::delivery::{Deliver, Outbox};
use super::error::ApiError;
use super::faults::{Fault, FaultPlan, strike};
use super::life::payments::Families;
use super::page::Query;
use super::table::{CHECKOUTS, EVENTS, World, new_id, text};
use super::{Options, RefundAnswer, RefundPace};

/// File of the state folder.
const STATE_FILE: &str = "ventipay.json";

/// Most lines of any record of what happened.
pub(super) const KEPT_MAX: usize = 10_000;

/// A simulated Ventipay without its listener.
#[derive(Debug)]
pub struct Sim {
    pub(super) options: Options,
    pub(super) outbox: Outbox,
    host: String,
    world: Mutex<World>,
    fault: Mutex<Option<FaultPlan>>,
    calls: Mutex<VecDeque<(String, String)>>,
    state_file: Option<PathBuf>,
}

/// A payment to be made, checkout and all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// What was paid, in minor units.
    pub amount: i64,
    /// The currency's code.
    #[serde(default = "clp")]
    pub currency: String,
    /// In which mode.
    #[serde(default)]
    pub live: bool,
    /// The checkout's id; absent: a new one.
    #[serde(default)]
    pub id: Option<String>,
    /// Further fields of `POST /checkouts`: `external_id`, `metadata`, `description`, …
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// When it was paid; absent: now.
    #[serde(default)]
    pub paid_at: Option<Timestamp>,
    /// Which other families tell of the same payment.
    #[serde(default)]
    pub families: Families,
    /// Whom `checkout.paid` is delivered to.
    #[serde(default)]
    pub deliver: Deliver,
}

fn clp() -> String {
    "clp".to_owned()
}

impl Pay {
    /// A payment of pesos in test mode, delivered to the registered webhooks.
    pub fn clp(amount: i64) -> Self {
        Self {
            amount,
            currency: clp(),
            live: false,
            id: None,
            fields: Map::new(),
            paid_at: None,
            families: Families::default(),
            deliver: Deliver::Registered,
        }
    }

    /// With a further field of `POST /checkouts`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Told by these families too.
    #[must_use]
    pub fn told_by(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Delivered to this address only.
    #[must_use]
    pub fn to(mut self, url: &str) -> Self {
        self.deliver = Deliver::To(vec![url.to_owned()]);
        self
    }

    /// Delivered to nobody.
    #[must_use]
    pub fn untold(mut self) -> Self {
        self.deliver = Deliver::Nowhere;
        self
    }
}

/// What came of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The checkout's id.
    pub checkout: String,
    /// The id of `checkout.paid`.
    pub event: String,
    /// The ids of the events by which other families told of it before.
    #[serde(default)]
    pub others: Vec<String>,
}

impl Sim {
    /// Opens it on what is kept in the state folder, if anything.
    pub(super) fn open(options: Options, address: SocketAddr) -> anyhow::Result<Self> {
        let state_file = match &options.state_dir {
            None => None,
            Some(folder) => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("Cannot make the folder {}", folder.display()))?;
                Some(folder.join(STATE_FILE))
            }
        };
        let world = match &state_file {
            Some(file) if file.exists() => serde_json::from_slice(&fs::read(file)?)
                .map_err(anyhow::Error::from)
                .and_then(World::read)
                .with_context(|| format!("{} does not read; remove it", file.display()))?,
            _ => World::default(),
        };
        Ok(Self {
            outbox: Outbox::new(options.webhooks.clone())?,
            options,
            host: address.to_string(),
            world: Mutex::new(world),
            fault: Mutex::default(),
            calls: Mutex::default(),
            state_file,
        })
    }

    /// `POST /checkouts`.
    pub(super) fn create(
        self: &Arc<Self>,
        request: &Map<String, Value>,
        live: bool,
    ) -> Result<Value, ApiError> {
        let (checkout, event) = self.change(|world| {
            let checkout = create(world, request, live, &new_id("chk_"), &self.host)?;
            let event = world.tell("checkout.created", &checkout);
            Ok((world.shown(&checkout), event))
        })?;
        self.deliver(&event, &Deliver::Registered);
        Ok(checkout)
    }

    /// `POST /checkouts/{id}/cancel`.
    pub(super) fn cancel(self: &Arc<Self>, id: &str, live: bool) -> Result<Value, ApiError> {
        let (checkout, event) = self.change(|world| {
            let event = cancel(world, id, Some(live))?;
            Ok((event["data"].clone(), event))
        })?;
        self.deliver(&event, &Deliver::Registered);
        Ok(checkout)
    }

    /// `POST /checkouts/{id}/refund`.
    pub(super) fn refund(
        self: &Arc<Self>,
        id: &str,
        request: &Map<String, Value>,
        live: bool,
    ) -> Result<Value, ApiError> {
        let pending = self.options.refunds == RefundPace::Pending;
        let (answer, events) = self.change(|world| {
            let (refund, events) = world.refund(id, Some(live), request, pending)?;
            let answer = match self.options.refund_answer {
                RefundAnswer::Refund => world.shown(&refund),
                RefundAnswer::Checkout => {
                    let checkout = world.checkout_mut(id, None)?.clone();
                    world.shown(&checkout)
                }
            };
            Ok((answer, events))
        })?;
        self.deliver_all(&events, &Deliver::Registered);
        Ok(answer)
    }

    /// The buyer pays an unpaid checkout, whatever its mode.
    pub(super) fn pay(
        self: &Arc<Self>,
        id: &str,
        paid_at: Option<Timestamp>,
        families: Families,
        deliver: &Deliver,
    ) -> Result<Paid, ApiError> {
        let events = self.change(|world| world.pay(id, paid_at, families))?;
        self.deliver_all(&events, deliver);
        Ok(paid(id, &events))
    }

    /// A checkout is created and paid. `checkout.created` is delivered only to the webhooks
    /// registered for it, and only if the payment is.
    pub(super) fn create_and_pay(self: &Arc<Self>, pay: &Pay) -> Result<Paid, ApiError> {
        let id = pay.id.clone().unwrap_or_else(|| new_id("chk_"));
        let (created, events) = self.change(|world| {
            let checkout = create(world, &request(pay), pay.live, &id, &self.host)?;
            let created = world.tell("checkout.created", &checkout);
            Ok((created, world.pay(&id, pay.paid_at, pay.families)?))
        })?;
        if pay.deliver == Deliver::Registered {
            self.deliver(&created, &Deliver::Registered);
        }
        self.deliver_all(&events, &pay.deliver);
        Ok(paid(&id, &events))
    }

    /// A checkout is created and canceled; nobody is told. The event is `checkout.canceled`.
    pub(super) fn create_and_cancel(&self, pay: &Pay) -> Result<Paid, ApiError> {
        let id = pay.id.clone().unwrap_or_else(|| new_id("chk_"));
        let event = self.change(|world| {
            create(world, &request(pay), pay.live, &id, &self.host)?;
            cancel(world, &id, None)
        })?;
        Ok(paid(&id, &[event]))
    }

    /// Any event about anything: the types nothing here causes by itself.
    pub(super) fn emit(
        self: &Arc<Self>,
        event_type: &str,
        live: bool,
        data: &Value,
        deliver: &Deliver,
    ) -> Result<String, ApiError> {
        let event = self.change(|world| Ok(world.emit(event_type, live, data)))?;
        self.deliver(&event, deliver);
        Ok(text(&event, "id"))
    }

    /// Overwrites fields of a checkout, without any event.
    pub(super) fn edit(&self, id: &str, fields: &Map<String, Value>) -> Result<Value, ApiError> {
        self.change(|world| {
            let checkout = world.checkout_mut(id, None)?;
            checkout::merge(checkout, Value::Object(fields.clone()));
            Ok(checkout.clone())
        })
    }

    /// An object as the API shows it, in one mode, with what it is asked to expand.
    pub(super) fn read(
        &self,
        path: &str,
        id: &str,
        live: bool,
        expand: &[String],
    ) -> Result<Value, ApiError> {
        let mut world = locked(&self.world);
        let object = world.find_mut(path, id, Some(live))?.clone();
        Ok(expanded(&world, &object, expand))
    }

    /// An event, in one mode or in either.
    pub(super) fn event(&self, id: &str, live: Option<bool>) -> Result<Value, ApiError> {
        locked(&self.world).find_mut(EVENTS, id, live).cloned()
    }

    /// A page of the objects of one mode.
    pub(super) fn list(&self, path: &str, query: &Query, live: bool) -> Result<Value, ApiError> {
        let world = locked(&self.world);
        let mut page = query.page(world.newest_first(path, live))?;
        if let Some(rows) = page["data"].as_array_mut() {
            for row in rows {
                *row = world.shown(row);
            }
        }
        Ok(page)
    }

    /// Everything, oldest first: for whoever compares both ends.
    pub(super) fn everything(&self) -> Value {
        locked(&self.world).kept()
    }

    pub(super) fn set_fault(&self, plan: Option<FaultPlan>) {
        *locked(&self.fault) = plan;
    }

    pub(super) fn next_fault(&self) -> Option<Fault> {
        strike(&mut locked(&self.fault))
    }

    pub(super) fn note_call(&self, key: String, call: String) {
        push_bounded(&mut locked(&self.calls), (key, call));
    }

    /// Calls with the key each came with.
    pub(super) fn calls(&self) -> Vec<(String, String)> {
        locked(&self.calls).iter().cloned().collect()
    }

    /// One change of the world, kept on disk before anybody hears of it.
    pub(super) fn change<T>(
        &self,
        step: impl FnOnce(&mut World) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut world = locked(&self.world);
        let result = step(&mut world)?;
        if let Some(file) = &self.state_file {
            save(file, &world).map_err(|error| {
                tracing::error!(%error, "the simulated Ventipay cannot keep its state");
                ApiError::failing(StatusCode::INTERNAL_SERVER_ERROR)
            })?;
        }
        Ok(result)
    }
}

fn request(pay: &Pay) -> Map<String, Value> {
    let mut request = pay.fields.clone();
    request.insert("currency".to_owned(), json!(pay.currency));
    request.entry("items").or_insert_with(|| json!([{"unit_price": pay.amount, "quantity": 1}]));
    request
}

fn create(
    world: &mut World,
    request: &Map<String, Value>,
    live: bool,
    id: &str,
    host: &str,
) -> Result<Value, ApiError> {
    if world.find(CHECKOUTS, id, None).is_some() {
        return Err(ApiError::invalid("there is a checkout of this id"));
    }
    let at = world.at();
    let checkout = checkout::create(request, Birth { id, live, at: &at }, host)?;
    world.table(CHECKOUTS).push(checkout.clone());
    Ok(checkout)
}

fn cancel(world: &mut World, id: &str, live: Option<bool>) -> Result<Value, ApiError> {
    let at = world.at();
    let checkout = world.checkout_mut(id, live)?;
    checkout::cancel(checkout, &at)?;
    let checkout = checkout.clone();
    Ok(world.tell("checkout.canceled", &checkout))
}

/// An object with related ones in full (`ventipay-api.md` 3.3): what it names by `<what>_id`.
/// The card a checkout was paid with is always the same.
fn expanded(world: &World, object: &Value, expand: &[String]) -> Value {
    let mut shown = world.shown(object);
    for what in expand {
        let named = object[format!("{what}_id")].as_str();
        if let Some(related) = named.and_then(|id| world.find(&format!("{what}s"), id, None)) {
            shown[what] = world.shown(related);
        } else if what == "payment_method"
            && object["object"] == "checkout"
            && object["status"] == "paid"
        {
            shown[what] = json!({"brand": "visa", "funding": "debit", "last4": "4242"});
        }
    }
    shown
}

/// The value behind a lock; a panic elsewhere does not take the simulator down.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends, forgetting the oldest beyond [`KEPT_MAX`].
pub(super) fn push_bounded<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(item);
}

/// The last event is the checkout's own.
fn paid(checkout: &str, events: &[Value]) -> Paid {
    let mut others: Vec<String> = events.iter().map(|event| text(event, "id")).collect();
    let event = others.pop().unwrap_or_default();
    Paid { checkout: checkout.to_owned(), event, others }
}

fn save(file: &Path, world: &World) -> anyhow::Result<()> {
    let next = file.with_extension("json.new");
    fs::write(&next, world.kept().to_string())?;
    fs::File::open(&next)?.sync_all()?;
    fs::rename(&next, file)?;
    Ok(())
}
