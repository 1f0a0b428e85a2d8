//! The world of a simulated Ventipay as values: objects by kind, in the order they came to be,
//! what of them is hidden, and the events about them. One step at a time, under
//! [`super::world`]'s lock. Pure, but for the clock and new ids.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::checkout::Birth;
use super::error::ApiError;
use super::objects::Kind;
use super::{iso, now};

/// The path of checkouts.
pub(super) const CHECKOUTS: &str = "checkouts";

/// The path of events.
pub(super) const EVENTS: &str = "events";

/// The place of what is hidden in the kept state.
const HIDDEN: &str = "hidden";

/// Objects by id, in the order they came to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Value>,
    places: HashMap<String, usize>,
}

/// All there is.
#[derive(Debug, Default)]
pub(super) struct World {
    tables: BTreeMap<String, Table>,
    /// Fields that are not shown, of an object by its id or of all of a kind by its name.
    hidden: BTreeMap<String, BTreeSet<String>>,
    /// What the world takes for now; absent: the machine's clock.
    pub(super) clock: Option<Timestamp>,
}

impl World {
    /// Reads what was kept by [`World::kept`].
    pub(super) fn read(kept: Value) -> anyhow::Result<Self> {
        let Value::Object(mut kept) = kept else { anyhow::bail!("not an object") };
        let hidden =
            kept.remove(HIDDEN).map_or_else(|| Ok(BTreeMap::new()), serde_json::from_value)?;
        let tables = kept
            .into_iter()
            .map(|(path, rows)| Ok((path, Table::of(serde_json::from_value(rows)?))));
        Ok(Self { tables: tables.collect::<anyhow::Result<_>>()?, hidden, clock: None })
    }

    /// Everything but the clock, oldest first.
    pub(super) fn kept(&self) -> Value {
        let mut kept = json!({CHECKOUTS: [], EVENTS: [], HIDDEN: self.hidden});
        for (path, table) in &self.tables {
            kept[path] = json!(table.rows);
        }
        kept
    }

    /// What the world takes for now.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.unwrap_or_else(now)
    }

    /// The same, as Ventipay writes it.
    pub(super) fn at(&self) -> String {
        iso(self.now())
    }

    pub(super) fn table(&mut self, path: &str) -> &mut Table {
        self.tables.entry(path.to_owned()).or_default()
    }

    /// An object of one mode, or of either, with nothing hidden.
    pub(super) fn find(&self, path: &str, id: &str, live: Option<bool>) -> Option<&Value> {
        let object = self.tables.get(path)?.get(id)?;
        live.is_none_or(|live| object["live"] == live).then_some(object)
    }

    /// The same, to be changed, or the error that there is none.
    pub(super) fn find_mut(
        &mut self,
        path: &str,
        id: &str,
        live: Option<bool>,
    ) -> Result<&mut Value, ApiError> {
        let object = self.table(path).get_mut(id);
        object
            .filter(|object| live.is_none_or(|live| object["live"] == live))
            .ok_or_else(|| ApiError::not_found(path.strip_suffix('s').unwrap_or(path)))
    }

    pub(super) fn checkout_mut(
        &mut self,
        id: &str,
        live: Option<bool>,
    ) -> Result<&mut Value, ApiError> {
        self.find_mut(CHECKOUTS, id, live)
    }

    /// The objects of one mode, newest first, with nothing hidden.
    pub(super) fn newest_first(&self, path: &str, live: bool) -> impl Iterator<Item = &Value> {
        let rows = self.tables.get(path).map_or(&[][..], |table| &table.rows);
        rows.iter().rev().filter(move |row| row["live"] == live)
    }

    /// Makes an object of a kind; one that was sent an `id` has that.
    pub(super) fn make(
        &mut self,
        kind: &Kind,
        sent: &Map<String, Value>,
        live: bool,
    ) -> Result<Value, ApiError> {
        let id = match sent.get("id").filter(|id| !id.is_null()) {
            None => new_id(kind.prefix),
            Some(id) => id.as_str().map(str::to_owned).unwrap_or_default(),
        };
        if id.is_empty() || self.find(kind.path, &id, None).is_some() {
            return Err(ApiError::invalid("there is an object of this id, or it is no id"));
        }
        let at = self.at();
        let object = kind.create(sent, Birth { id: &id, live, at: &at })?;
        self.table(kind.path).push(object.clone());
        Ok(object)
    }

    /// Has an object take a step, and tells nobody.
    pub(super) fn advance(
        &mut self,
        kind: &Kind,
        id: &str,
        event: &str,
        fields: &Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let at = self.at();
        let object = self.find_mut(kind.path, id, None)?;
        kind.step(object, event, fields, &at)?;
        Ok(object.clone())
    }

    /// Has an object take a step, and tells of it: answers the event.
    pub(super) fn step(
        &mut self,
        kind: &Kind,
        id: &str,
        event: &str,
        fields: &Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let object = self.advance(kind, id, event, fields)?;
        Ok(self.tell(&kind.event(event), &object))
    }

    /// Keeps an event about an object of this world, in the object's own mode.
    pub(super) fn tell(&mut self, event_type: &str, object: &Value) -> Value {
        let live = object["live"] == true;
        self.emit(event_type, live, object)
    }

    /// Keeps an event about anything, as `GET /events/{id}` shows it (`ventipay-api.md` 4.3).
    pub(super) fn emit(&mut self, event_type: &str, live: bool, object: &Value) -> Value {
        let at = self.at();
        let event = json!({
            "id": new_id("evt_"), "object": "event", "type": event_type, "live": live,
            "related_object": object["object"], "related_id": object["id"],
            "created_at": at, "updated_at": at, "data": self.shown(object),
        });
        self.table(EVENTS).push(event.clone());
        event
    }

    /// Hides fields of an object, or of all of a kind, or shows them again.
    pub(super) fn hide(&mut self, of: &str, fields: &[String], hidden: bool) {
        let those = self.hidden.entry(of.to_owned()).or_default();
        for field in fields {
            if hidden {
                those.insert(field.clone());
            } else {
                those.remove(field);
            }
        }
    }

    /// An object without what is hidden of it.
    pub(super) fn shown(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        let names = [&object["id"], &object["object"]].map(|name| name.as_str().unwrap_or(""));
        for field in names.iter().filter_map(|name| self.hidden.get(*name)).flatten() {
            if let Some(fields) = shown.as_object_mut() {
                fields.remove(field);
            }
        }
        shown
    }
}

impl Table {
    fn of(rows: Vec<Value>) -> Self {
        let mut table = Self::default();
        for row in rows {
            table.push(row);
        }
        table
    }

    pub(super) fn get(&self, id: &str) -> Option<&Value> {
        self.places.get(id).map(|place| &self.rows[*place])
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.places.get(id).map(|place| &mut self.rows[*place])
    }

    pub(super) fn push(&mut self, row: Value) {
        self.places.insert(text(&row, "id"), self.rows.len());
        self.rows.push(row);
    }
}

/// A text field, or nothing.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A new id.
pub(super) fn new_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters = (0..14).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]));
    prefix.chars().chain(letters).collect()
}
