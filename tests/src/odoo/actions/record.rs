//! `record.py`: records of our own, activities, customers, saved cards.
//!
//! Here is what holds for a batch, and what the names lead to. Records of our own are in [`own`],
//! what tells people in [`activities`], customers in [`customers`], cards in [`cards`].

mod activities;
mod cards;
pub(super) mod customers;
mod own;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{Request, database, need, read_request, text_or_false, version};
use super::effects::{name_of, step};
use super::perform::first_line;
use crate::odoo::errors::{Outcome, Raise, UNIQUE_VIOLATION};
use crate::odoo::faults::Step;
use crate::odoo::orm;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

const KINDS: [&str; 4] = ["event", "checkout", "dispute", "subscription"];

/// What one call found so far.
pub(super) struct Call {
    request: Request,
    /// Records by name: model and id.
    known: BTreeMap<String, (String, Id)>,
    /// How a customer was found, and which it is.
    customers: BTreeMap<String, (&'static str, Option<Id>)>,
}

/// An answer about one item; what is not said is `false`.
struct Told {
    status: &'static str,
    why: String,
    detail: String,
    transaction: Json,
    customer: &'static str,
    partner: Option<Id>,
    opened: usize,
    closed: usize,
}

impl Told {
    fn status(status: &'static str) -> Self {
        Self {
            status,
            why: String::new(),
            detail: String::new(),
            transaction: json!(false),
            customer: "",
            partner: None,
            opened: 0,
            closed: 0,
        }
    }

    fn stopped(status: &'static str, why: &str) -> Self {
        Self { why: why.to_owned(), ..Self::status(status) }
    }

    fn of(mut self, (by, partner): (&'static str, Option<Id>)) -> Self {
        self.customer = by;
        self.partner = partner;
        self
    }

    fn answer(self, name: &str) -> Json {
        json!({
            "name": name, "status": self.status, "why": text_or_false(&self.why),
            "detail": text_or_false(&self.detail), "transaction": self.transaction,
            "customer": text_or_false(self.customer),
            "partner": self.partner.map_or(json!(false), Json::from),
            "opened": self.opened, "closed": self.closed,
        })
    }
}

pub(super) fn record_all(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    let mut call = Call::of(request);
    call.remember(tx);
    // Worked in the order of the names, cards last; answered in the order asked.
    let items = call.request.items.clone();
    let mut work: Vec<usize> = (0..items.len()).collect();
    work.sort_by_key(|place| {
        let item = &items[*place];
        (item["kind"] == "card", item["name"].as_str().unwrap_or_default().to_owned())
    });
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = isolated(tx, &mut call, &items[place])?;
    }
    Ok(json!({
        "protocol": 3, "action": "record", "version": version(code),
        "database": database(tx), "items": answers,
    }))
}

/// A savepoint an item: what fails leaves nothing, and the others stay.
fn isolated(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    let point = tx.savepoint();
    let failed = match perform(tx, call, item) {
        Ok(told) => return Ok(told.answer(name)),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let detail = match &failed {
        Raise::Postgres(error) if error.leaves_the_action() => return Err(failed),
        Raise::Postgres(error) => first_line(error).to_owned(),
        Raise::Odoo(error) => error.message.clone(),
    };
    call.remember(tx); // what the item made is gone
    let taken = detail.contains("ir_model_data_module_name_uniq_index");
    let told = match &failed {
        Raise::Postgres(error) if error.code == UNIQUE_VIOLATION && taken => {
            Told::stopped("again", "race")
        }
        _ => Told { detail: detail.chars().take(500).collect(), ..Told::stopped("failed", "odoo") },
    };
    Ok(told.answer(name))
}

fn perform(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Told> {
    let (name, kind) = (name_of(item)?, need(item, "kind")?.as_str().unwrap_or_default());
    if !KINDS.contains(&kind) && !["card", "subscription_invoice"].contains(&kind) {
        return Ok(Told::stopped("refused", "kind"));
    }
    let family = kind.split_once('_').map_or(kind, |(family, _)| family);
    if !is_name(name, &format!("{family}-")) {
        return Ok(Told::stopped("refused", "name"));
    }
    match kind {
        "card" => cards::card(tx, call, item),
        "subscription_invoice" => own::subscription_invoice(tx, call, item),
        _ => own::own(tx, call, item, kind),
    }
}

pub(super) fn is_name(text: &str, prefix: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
    text.starts_with(prefix)
        && text.len() > prefix.len()
        && text.len() <= 128
        && text.bytes().all(letter)
}

fn texts<'j>(item: &'j Json, key: &str) -> impl Iterator<Item = &'j str> {
    item[key].as_array().into_iter().flatten().filter_map(Json::as_str)
}

impl Call {
    /// One that found nothing yet.
    pub(super) fn of(request: Request) -> Self {
        Self { request, known: BTreeMap::new(), customers: BTreeMap::new() }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    fn company(&self) -> Id {
        self.request.company
    }

    /// Looks up what every name in the call leads to.
    pub(super) fn remember(&mut self, tx: &Tx<'_>) {
        self.known.clear();
        self.customers.clear();
        let led = tx.rows("ir.model.data").filter(|(_, row)| row.text("module") == "concilia");
        for (_, row) in led {
            let (model, id) = (row.text("model"), row.int("res_id"));
            if tx.get(model, id).is_some() {
                self.known.insert(row.text("name").to_owned(), (model.to_owned(), id));
            }
        }
    }

    fn known_as(&self, name: &str, model: &str) -> Outcome<Option<Id>> {
        match self.known.get(name) {
            Some((led, _)) if led != model => {
                Err(Raise::user(format!("The name {name} leads to a record of another model.")))
            }
            found => Ok(found.map(|(_, id)| *id)),
        }
    }

    /// `_load_records`: the record and its external id. A name that others committed since the
    /// snapshot is a serialization failure, not a violated constraint.
    fn make(&mut self, tx: &mut Tx<'_>, name: &str, model: &str, row: Record) -> Outcome<Id> {
        step(tx, Step::Make, Some(name))?;
        let id = if model == "res.partner" {
            orm::create(tx, model, &customers::as_json(&row))?
        } else {
            tx.insert(model, row)?
        };
        let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
        match tx.tables().find("ir.model.data", ours).map(|(row, _)| row) {
            Some(stale) => tx.update("ir.model.data", stale, |row| {
                row.set("model", model);
                row.set("res_id", Value::Int(id));
            })?,
            None => {
                tx.insert("ir.model.data", external_id(name, model, id)).map_err(|raise| {
                    match raise {
                        Raise::Postgres(error) if error.code == UNIQUE_VIOLATION => {
                            Raise::serialization()
                        }
                        other => other,
                    }
                })?;
            }
        }
        self.known.insert(name.to_owned(), (model.to_owned(), id));
        Ok(id)
    }
}

pub(super) fn external_id(name: &str, model: &str, id: Id) -> Record {
    Record::default()
        .with("module", "concilia")
        .with("name", name)
        .with("model", model)
        .with("res_id", Value::Int(id))
        .with("noupdate", true)
}
