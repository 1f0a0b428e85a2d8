//! The shapes of the actions' requests and answers, and what they mean as domain values.
//!
//! The contract is `worker/actions/README.md`. Pure. Odoo writes what is absent as `false`;
//! amounts are decimal text. Every answer is checked before it is believed: it must come from
//! our action, this version of it, about what was asked, in the order asked.
//!
//! Here is what the questions share: the envelope and its checks. [`observe`] asks about
//! checkouts, [`news`] about what changed, [`perform`] carries effects, [`record`] records; [`rows`] are the records
//! all of them tell. Not here: sending ([`super::client`]).

pub(super) mod news;
pub(super) mod observe;
pub(super) mod perform;
pub(super) mod record;

mod rows;

use concilia_shared::config::Environment;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::actions::{self, Action};
use crate::domain::name::PaymentName;
use crate::domain::reason::NotReady;

/// An answer that was believed, and the database it came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told<T> {
    /// Odoo's `database.uuid`.
    pub(super) database: String,
    /// What it says.
    pub(super) answer: T,
}

/// Reads an answer of `action`: the envelope first, so that another version is named as such
/// even when the rest no longer reads.
fn read<T: serde::de::DeserializeOwned>(mut result: Value, action: &Action) -> Result<T, NotReady> {
    let answer =
        result.pointer_mut("/infos/concilia").map(Value::take).ok_or(NotReady::ActionMissing)?;
    if answer["action"] != action.kind {
        return Err(NotReady::ActionMissing);
    }
    if answer["protocol"] != actions::PROTOCOL || answer["version"] != actions::VERSION {
        return Err(NotReady::ActionDiffers);
    }
    serde_json::from_value(answer).map_err(|error| {
        // The message names fields and kinds, and may quote a value: not for the log above debug.
        tracing::debug!(action = action.kind, %error, "an answer does not read");
        NotReady::ActionMissing
    })
}

/// What every answer of *observe* says about the account: which texts Odoo holds, and our
/// provider.
#[derive(Deserialize)]
struct Account {
    database: String,
    actions: StoredTexts,
    #[serde(deserialize_with = "or_false")]
    provider: Option<ProviderRow>,
}

#[derive(Deserialize)]
struct StoredTexts {
    #[serde(deserialize_with = "or_false")]
    observe: Option<String>,
    #[serde(deserialize_with = "or_false")]
    book: Option<String>,
    #[serde(deserialize_with = "or_false")]
    refund: Option<String>,
}

#[derive(Deserialize)]
struct ProviderRow {
    state: String,
    ready: bool,
}

impl Account {
    /// Whether the account can book, or why not. Of the actions only those that enter money are
    /// judged: *record* and *invoice* answer for themselves ([`Aside`]), and their absence stops
    /// no payment.
    ///
    /// `environment`, where it is known, must be the provider's own: a test payment must not
    /// enter the books of a live provider, nor the reverse.
    fn check(&self, environment: Option<Environment>) -> Result<(), NotReady> {
        check_text(self.actions.observe.as_deref(), &actions::OBSERVE)?;
        check_text(self.actions.book.as_deref(), &actions::BOOK)?;
        check_text(self.actions.refund.as_deref(), &actions::REFUND)?;
        match &self.provider {
            None => Err(NotReady::NoProvider),
            Some(provider) if provider.state == "disabled" => Err(NotReady::ProviderDisabled),
            Some(provider) if !provider.ready => Err(NotReady::NoProvider),
            Some(provider) if !is_of(&provider.state, environment) => {
                Err(NotReady::ProviderDiffers { state: provider.state.clone() })
            }
            Some(_) => Ok(()),
        }
    }
}

/// What an answer of *observe* says of the texts booking does without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aside {
    record: Option<Result<(), NotReady>>,
    invoice: Option<Result<(), NotReady>>,
}

impl Aside {
    /// `None` when it says nothing of any text.
    pub(super) fn told(result: &Value) -> Option<Self> {
        let texts = result.pointer("/infos/concilia/actions")?;
        let of = |action: &Action| Some(check_text(texts.get(action.kind)?.as_str(), action));
        Some(Self { record: of(&actions::RECORD), invoice: of(&actions::INVOICE) })
    }

    /// Whether the text of `action` is ours; `None` when nothing was said of it.
    pub(super) fn of(&self, action: &Action) -> Option<Result<(), NotReady>> {
        if *action == actions::INVOICE { self.invoice.clone() } else { self.record.clone() }
    }
}

fn check_text(stored: Option<&str>, action: &Action) -> Result<(), NotReady> {
    match stored {
        None => Err(NotReady::ActionMissing),
        Some(hash) if hash == action.sha256() => Ok(()),
        Some(_) => Err(NotReady::ActionDiffers),
    }
}

/// Whether a provider's state is that of the environment (`odoo setup` sets it so).
fn is_of(state: &str, environment: Option<Environment>) -> bool {
    match environment {
        None => true,
        Some(Environment::Test) => state == "test",
        Some(Environment::Live) => state == "enabled",
    }
}

/// A domain, which is configured as JSON text. None keeps nothing out.
fn domain(text: Option<&str>) -> Result<Value, NotReady> {
    let read = text.map_or(Ok(Vec::new()), serde_json::from_str::<Vec<Value>>);
    read.map(Value::Array).map_err(|_| NotReady::Misconfigured {
        detail: "The account's domain is not a JSON list: set it right and restart the worker."
            .to_owned(),
    })
}

/// The name an effect is asked for by, and its other names.
fn names(names: &[PaymentName]) -> (&str, Vec<&str>) {
    let mut all = names.iter().map(PaymentName::as_str);
    (all.next().unwrap_or_default(), all.collect())
}

/// Reads `false` as absent.
fn or_false<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OrFalse<T> {
        Value(T),
        False(bool),
    }
    match OrFalse::deserialize(deserializer)? {
        OrFalse::Value(value) => Ok(Some(value)),
        OrFalse::False(false) => Ok(None),
        OrFalse::False(true) => Err(D::Error::custom("true where a value or false belongs")),
    }
}

fn into_all<A, B>(rows: Vec<A>, into: fn(A) -> B) -> Vec<B> {
    rows.into_iter().map(into).collect()
}

#[cfg(test)]
mod perform_tests;

#[cfg(test)]
mod record_tests;

#[cfg(test)]
mod tests;
