//! `ir.actions.server.run` for the actions of Concilia, in Rust.
//!
//! It follows `worker/actions/*.py` step by step, under the names they
//! use; all are run against the same cases (`tests/actions/cases`). An action is recognised
//! by its external id, and its hash is that of the stored text: an action somebody edited
//! still answers here, but tells on itself. Any other text cannot be run, and says so.
//! Contract: `worker/actions/README.md`.

mod book;
mod common;
mod complete;
mod effects;
mod invoice;
mod news;
mod observe;
mod own;
mod pay_invoice;
mod perform;
mod record;
mod refund;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

pub use perform::perform_beside;

use super::errors::{Outcome, Raise, names};
use super::rights;
use super::value::{Id, Record};
use super::world::Tx;

/// The texts of this build.
pub const OBSERVE: &str = include_str!("../../../worker/actions/observe.py");
/// See [`OBSERVE`].
pub const BOOK: &str = include_str!("../../../worker/actions/book.py");
/// See [`OBSERVE`].
pub const REFUND: &str = include_str!("../../../worker/actions/refund.py");
/// See [`OBSERVE`].
pub const RECORD: &str = include_str!("../../../worker/actions/record.py");
/// See [`OBSERVE`].
pub const INVOICE: &str = include_str!("../../../worker/actions/invoice.py");
/// Every action: how it is called, its text.
pub const TEXTS: [(&str, Action, &str); 5] = [
    ("observe", Action::Observe, OBSERVE),
    ("book", Action::Book, BOOK),
    ("refund", Action::Refund, REFUND),
    ("record", Action::Record, RECORD),
    ("invoice", Action::Invoice, INVOICE),
];

/// Which of our actions a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `observe.py`
    Observe,
    /// `book.py`
    Book,
    /// `refund.py`
    Refund,
    /// `record.py`
    Record,
    /// `invoice.py`
    Invoice,
    /// The one `odoo setup` makes for a moment, to give the bot an API key.
    Key,
    /// The one it makes for a moment, to write the second language of models and fields.
    Labels,
    /// The one the conformance suite makes for a moment, to take a bot's keys away.
    ForgetKeys,
}

/// `ir.actions.server.run` on one action.
pub fn run(tx: &mut Tx<'_>, id: Id) -> Outcome<Json> {
    let record = tx.record("ir.actions.server", id)?;
    rights::may_run(tx, &record)?;
    let code = record.text("code").to_owned();
    let answer = match which(tx, id) {
        Some(Action::Observe) => observe::observe(tx, &code),
        Some(action @ (Action::Book | Action::Refund)) => perform::perform_all(tx, &code, action),
        Some(Action::Record) => record::record_all(tx, &code),
        Some(Action::Invoice) => invoice::make_all(tx, &code),
        Some(Action::Key) => make_key(tx, &code),
        Some(Action::Labels) => write_labels(tx),
        Some(Action::ForgetKeys) => forget_keys(tx, &code),
        None => Err(Raise::odoo(
            "builtins.NotImplementedError",
            "the simulated Odoo runs Concilia's own actions only",
        )),
    };
    let answer = answer.map_err(|raise| outside(tx, raise, &code))?;
    Ok(json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}}))
}

/// A serialization failure must stay one, so that the call is run again; neither is weather
/// wrapped (`safe_eval` lets `OperationalError` through).
fn outside(tx: &Tx<'_>, raise: Raise, code: &str) -> Raise {
    match &raise {
        Raise::Postgres(error) if error.leaves_the_action() => raise,
        _ => raise.out_of_action(tx.series(), code),
    }
}

/// Which action a record is, by its external id, else by its text.
pub fn which(tx: &Tx<'_>, id: Id) -> Option<Action> {
    let ours = |row: &Record| {
        row.text("module") == "concilia"
            && row.text("model") == "ir.actions.server"
            && row.int("res_id") == id
    };
    let name = tx.tables().find("ir.model.data", ours).map_or("", |(_, row)| row.text("name"));
    let record = tx.get("ir.actions.server", id)?;
    let called = |kind: &str| name.strip_prefix("action_") == Some(kind);
    let by_name = TEXTS.into_iter().find(|(kind, ..)| called(kind));
    let code = record.text("code").trim();
    let by_text = || TEXTS.into_iter().find(|(.., text)| text.trim() == code);
    match by_name.or_else(by_text) {
        Some((_, action, _)) => Some(action),
        None => match record.text("name") {
            "Concilia: key" => Some(Action::Key),
            "Concilia: labels" => Some(Action::Labels),
            "Concilia: forget keys" => Some(Action::ForgetKeys),
            _ => None,
        },
    }
}

/// The hash both sides compare an action's text by.
pub fn text_hash(code: &str) -> String {
    let stripped = code.trim_matches([' ', '\n', '\r', '\t']);
    let digest = Sha256::digest(stripped.as_bytes());
    digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Texts in another language, table by table: `{"ir_model": [["Evento", [541]]]}`.
fn write_labels(tx: &mut Tx<'_>) -> Outcome<Json> {
    let asked = tx.caller.context["concilia"].clone();
    let language = asked["language"].as_str().unwrap_or_default();
    for (table, texts) in asked["texts"].as_object().into_iter().flatten() {
        let field = if table == "ir_model_fields" { "field_description" } else { "name" };
        for pair in texts.as_array().into_iter().flatten() {
            let text = pair[0].as_str().unwrap_or_default();
            for id in pair[1].as_array().into_iter().flatten().filter_map(Json::as_i64) {
                let key = format!("{field}@{language}");
                tx.update(&table.replace('_', "."), id, |row| row.set(&key, text))?;
            }
        }
    }
    Ok(json!({}))
}

/// Whose keys an action is about: `with_user(7)` in its text.
fn user_in(tx: &Tx<'_>, code: &str) -> Outcome<Id> {
    let user = code.split_once("with_user(").and_then(|(_, rest)| rest.split_once(')'));
    let user = user.and_then(|(id, _)| id.parse::<Id>().ok());
    user.filter(|id| tx.get("res.users", *id).is_some())
        .ok_or_else(|| Raise::odoo(names::ATTRIBUTE, "the key action names no user"))
}

fn forget_keys(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let user = user_in(tx, code)?;
    for key in tx.ids_where("res.users.apikeys", |row| row.reference("user_id") == Some(user)) {
        tx.delete("res.users.apikeys", key)?;
    }
    Ok(json!(false))
}

/// Gives a user an API key, or takes some away, as the action does that `odoo setup` runs once
/// and deletes. Whose it is stands in its text: `with_user(7)`; which ones too: `browse([3])`.
fn make_key(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let gone = code.split_once("browse([").and_then(|(_, rest)| rest.split_once("])"));
    if let Some((list, _)) = gone {
        for id in list.split(',').filter_map(|id| id.trim().parse::<Id>().ok()) {
            tx.delete("res.users.apikeys", id)?;
        }
        return Ok(json!({}));
    }
    let user = user_in(tx, code)?;
    let number = tx.world.next("api key");
    let seed = format!("{user}:{number}:{}", tx.caller.now);
    let key: String = text_hash(&seed).chars().take(40).collect();
    super::seed::add_key(tx, user, &key);
    let newest = tx.rows("res.users.apikeys").next_back().map(|(id, _)| id).unwrap_or_default();
    let ends = code.split_once("timedelta(days=").and_then(|(_, rest)| rest.split_once(')'));
    let days = ends.and_then(|(days, _)| days.parse::<i64>().ok());
    let now: Option<jiff::civil::DateTime> = tx.caller.now.replace(' ', "T").parse().ok();
    let until = days.zip(now).map(|(days, now)| now.saturating_add(jiff::Span::new().days(days)));
    tx.update("res.users.apikeys", newest, |row| {
        row.set("name", format!("Concilia {}", &key[..8]));
        if let Some(until) = until {
            row.set("expiration_date", until.strftime("%Y-%m-%d %H:%M:%S").to_string());
        }
    })?;
    Ok(json!({"key": key}))
}
