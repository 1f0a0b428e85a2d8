//! What a simulated Ventipay knows, and what happens in it: each change is one step that may
//! cause an event, which is kept for `GET /events` and delivered.
//!
//! With a state folder, every change is on disk before it is answered (a whole file, renamed
//! into place). Not here: how deliveries are made ([`super::delivery`]).

use std::collections::{HashMap, VecDeque};
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
use super::page::Query;
use super::{Options, RefundAnswer, iso, now};

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
            deliver: Deliver::Registered,
        }
    }

    /// With a further field of `POST /checkouts`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
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
}

/// Objects by id, in the order they came to be.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Value>")]
struct Table {
    rows: Vec<Value>,
    places: HashMap<String, usize>,
}

#[derive(Debug, Default, Deserialize)]
struct World {
    checkouts: Table,
    events: Table,
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
            let checkout = world.create(request, live, &new_id("chk_"), &self.host)?;
            let event = world.emit("checkout.created", live, &checkout);
            Ok((checkout, event))
        })?;
        self.deliver(&event, &Deliver::Registered);
        Ok(checkout)
    }

    /// `POST /checkouts/{id}/cancel`.
    pub(super) fn cancel(self: &Arc<Self>, id: &str, live: bool) -> Result<Value, ApiError> {
        let (checkout, event) = self.change(|world| {
            let checkout = world.checkout_mut(id, Some(live))?;
            checkout::cancel(checkout, &iso(now()))?;
            let checkout = checkout.clone();
            let event = world.emit("checkout.canceled", live, &checkout);
            Ok((checkout, event))
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
        let (answer, event) = self.change(|world| {
            let checkout = world.checkout_mut(id, Some(live))?;
            let birth = Birth { id: &new_id("ref_"), live, at: &iso(now()) };
            let refund = checkout::refund(checkout, request, birth)?;
            let checkout = checkout.clone();
            let event = world.emit("checkout.refunded", live, &checkout);
            let answer = match self.options.refund_answer {
                RefundAnswer::Refund => refund,
                RefundAnswer::Checkout => checkout,
            };
            Ok((answer, event))
        })?;
        self.deliver(&event, &Deliver::Registered);
        Ok(answer)
    }

    /// The buyer pays an unpaid checkout, whatever its mode.
    pub(super) fn pay(
        self: &Arc<Self>,
        id: &str,
        paid_at: Option<Timestamp>,
        deliver: &Deliver,
    ) -> Result<Paid, ApiError> {
        let event = self.change(|world| world.pay(id, paid_at))?;
        self.deliver(&event, deliver);
        Ok(paid(id, &event))
    }

    /// A checkout is created and paid. `checkout.created` is delivered only to the webhooks
    /// registered for it, and only if the payment is.
    pub(super) fn create_and_pay(self: &Arc<Self>, pay: &Pay) -> Result<Paid, ApiError> {
        let mut request = pay.fields.clone();
        request.insert("currency".to_owned(), json!(pay.currency));
        request
            .entry("items")
            .or_insert_with(|| json!([{"unit_price": pay.amount, "quantity": 1}]));
        let id = pay.id.clone().unwrap_or_else(|| new_id("chk_"));
        let (created, event) = self.change(|world| {
            let checkout = world.create(&request, pay.live, &id, &self.host)?;
            let created = world.emit("checkout.created", pay.live, &checkout);
            Ok((created, world.pay(&id, pay.paid_at)?))
        })?;
        if pay.deliver == Deliver::Registered {
            self.deliver(&created, &Deliver::Registered);
        }
        self.deliver(&event, &pay.deliver);
        Ok(paid(&id, &event))
    }

    /// A checkout is created and canceled; nobody is told. The event is `checkout.canceled`.
    pub(super) fn create_and_cancel(&self, pay: &Pay) -> Result<Paid, ApiError> {
        let mut request = pay.fields.clone();
        request.insert("currency".to_owned(), json!(pay.currency));
        request
            .entry("items")
            .or_insert_with(|| json!([{"unit_price": pay.amount, "quantity": 1}]));
        let id = pay.id.clone().unwrap_or_else(|| new_id("chk_"));
        let event = self.change(|world| {
            world.create(&request, pay.live, &id, &self.host)?;
            let checkout = world.checkout_mut(&id, Some(pay.live))?;
            checkout::cancel(checkout, &iso(now()))?;
            let checkout = checkout.clone();
            Ok(world.emit("checkout.canceled", pay.live, &checkout))
        })?;
        Ok(paid(&id, &event))
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

    /// A checkout as the API shows it, in one mode.
    pub(super) fn checkout(&self, id: &str, live: bool) -> Result<Value, ApiError> {
        locked(&self.world).checkout_mut(id, Some(live)).cloned()
    }

    /// An event, in one mode or in either.
    pub(super) fn event(&self, id: &str, live: Option<bool>) -> Result<Value, ApiError> {
        locked(&self.world)
            .events
            .get(id)
            .filter(|event| live.is_none_or(|live| event["live"] == live))
            .cloned()
            .ok_or_else(|| ApiError::not_found("event"))
    }

    /// A page of the checkouts of one mode.
    pub(super) fn checkouts(&self, query: &Query, live: bool) -> Result<Value, ApiError> {
        query.page(locked(&self.world).checkouts.newest_first(live))
    }

    /// A page of the events of one mode.
    pub(super) fn events(&self, query: &Query, live: bool) -> Result<Value, ApiError> {
        query.page(locked(&self.world).events.newest_first(live))
    }

    /// Everything, oldest first: for whoever compares both ends.
    pub(super) fn everything(&self) -> Value {
        let world = locked(&self.world);
        json!({"checkouts": world.checkouts.rows, "events": world.events.rows})
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
    fn change<T>(
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

impl World {
    fn create(
        &mut self,
        request: &Map<String, Value>,
        live: bool,
        id: &str,
        host: &str,
    ) -> Result<Value, ApiError> {
        if self.checkouts.get(id).is_some() {
            return Err(ApiError::invalid("there is a checkout of this id"));
        }
        let at = iso(now());
        let checkout = checkout::create(request, Birth { id, live, at: &at }, host)?;
        self.checkouts.push(checkout.clone());
        Ok(checkout)
    }

    fn pay(&mut self, id: &str, paid_at: Option<Timestamp>) -> Result<Value, ApiError> {
        let now = now();
        let checkout = self.checkout_mut(id, None)?;
        let payment = new_id("pay_");
        checkout::pay(checkout, &payment, &iso(paid_at.unwrap_or(now)), &iso(now))?;
        let checkout = checkout.clone();
        Ok(self.emit("checkout.paid", checkout["live"] == true, &checkout))
    }

    /// Keeps an event about `object`, as `GET /events/{id}` shows it (`ventipay-api.md` 4.3).
    fn emit(&mut self, event_type: &str, live: bool, object: &Value) -> Value {
        let at = iso(now());
        let event = json!({
            "id": new_id("evt_"), "object": "event", "type": event_type, "live": live,
            "related_object": object["object"], "related_id": object["id"],
            "created_at": at, "updated_at": at, "data": object,
        });
        self.events.push(event.clone());
        event
    }

    fn checkout_mut(&mut self, id: &str, live: Option<bool>) -> Result<&mut Value, ApiError> {
        self.checkouts
            .get_mut(id)
            .filter(|checkout| live.is_none_or(|live| checkout["live"] == live))
            .ok_or_else(|| ApiError::not_found("checkout"))
    }
}

impl Table {
    fn get(&self, id: &str) -> Option<&Value> {
        self.places.get(id).map(|place| &self.rows[*place])
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.places.get(id).map(|place| &mut self.rows[*place])
    }

    fn push(&mut self, row: Value) {
        self.places.insert(text(&row, "id"), self.rows.len());
        self.rows.push(row);
    }

    fn newest_first(&self, live: bool) -> impl Iterator<Item = &Value> {
        self.rows.iter().rev().filter(move |row| row["live"] == live)
    }
}

impl From<Vec<Value>> for Table {
    fn from(rows: Vec<Value>) -> Self {
        let mut table = Self::default();
        for row in rows {
            table.push(row);
        }
        table
    }
}

/// A text field, or nothing.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
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

fn paid(checkout: &str, event: &Value) -> Paid {
    Paid { checkout: checkout.to_owned(), event: text(event, "id") }
}

fn new_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters = (0..14).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]));
    prefix.chars().chain(letters).collect()
}

fn save(file: &Path, world: &World) -> anyhow::Result<()> {
    let next = file.with_extension("json.new");
    let rows = json!({"checkouts": world.checkouts.rows, "events": world.events.rows});
    fs::write(&next, rows.to_string())?;
    fs::File::open(&next)?.sync_all()?;
    fs::rename(&next, file)?;
    Ok(())
}
