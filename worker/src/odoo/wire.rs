//! The shapes of the actions' requests and answers, and what they mean as domain values.
//!
//! The contract is `worker/actions/README.md`. Pure. Odoo writes what is absent as `false`;
//! amounts are decimal text. Every answer is checked before it is believed: it must come from
//! our action, this version of it, about what was asked, in the order asked.
//! Not here: sending ([`super::client`]).

use concilia_shared::config::Environment;
use concilia_shared::money::{Currency, Money};
use jiff::civil::Date;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::actions::{self, Action};
use crate::domain::event::{BookedInvoice, Booking};
use crate::domain::observe::{
    Book, BookOutcome, Found, InOdoo, Invoice, Lookup, Order, Transaction,
};
use crate::domain::reason::NotReady;

/// An answer that was believed, and the database it came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told<T> {
    /// Odoo's `database.uuid`.
    pub(super) database: String,
    /// One for each item, in the order asked.
    pub(super) items: Vec<T>,
}

/// What *observe* is asked.
pub(super) fn observe_request(company_id: i64, domain: &[Value], lookups: &[Lookup]) -> Value {
    let items: Vec<Value> = lookups
        .iter()
        .map(|lookup| {
            let probes: Vec<Value> = lookup
                .probes
                .iter()
                .map(|probe| json!({"field": probe.field, "value": probe.value}))
                .collect();
            json!({"name": lookup.checkout.as_str(), "probes": probes})
        })
        .collect();
    json!({"protocol": actions::PROTOCOL, "company_id": company_id, "domain": domain, "items": items})
}

/// What *book* is asked: the preconditions it was decided upon, and the effect.
pub(super) fn book_request(company_id: i64, bookings: &[Book]) -> Value {
    let items: Vec<Value> = bookings
        .iter()
        .map(|book| {
            let invoices: Vec<Value> = book
                .invoices
                .iter()
                .map(|(id, residual)| json!({"id": id, "residual": residual}))
                .collect();
            let order = &book.order;
            json!({
                "name": book.checkout.as_str(),
                "amount": book.amount.to_decimal(),
                "currency": book.currency,
                "date": book.date.to_string(),
                "confirm": book.confirm,
                "order": {"id": order.id, "name": order.name, "total": order.total, "state": order.state},
                "invoices": invoices,
            })
        })
        .collect();
    json!({"protocol": actions::PROTOCOL, "company_id": company_id, "items": items})
}

/// What *observe* answered.
///
/// `environment`, where it is known, must be the provider's own: a test payment must not enter
/// the books of a live provider, nor the reverse.
pub(super) fn read_observe(
    result: Value,
    lookups: &[Lookup],
    environment: Option<Environment>,
) -> Result<Told<InOdoo>, NotReady> {
    let answer: ObserveAnswer = read(result, &actions::OBSERVE)?;
    check_text(answer.actions.observe.as_deref(), &actions::OBSERVE)?;
    check_text(answer.actions.book.as_deref(), &actions::BOOK)?;
    match &answer.provider {
        None => return Err(NotReady::NoProvider),
        Some(provider) if provider.state == "disabled" => return Err(NotReady::ProviderDisabled),
        Some(provider) if !provider.ready => return Err(NotReady::NoProvider),
        Some(provider) if !is_of(&provider.state, environment) => {
            return Err(NotReady::ProviderDiffers { state: provider.state.clone() });
        }
        Some(_) => {}
    }
    if answer.items.len() != lookups.len() {
        return Err(NotReady::ActionMissing);
    }
    let items = answer.items.into_iter().zip(lookups);
    Ok(Told {
        database: answer.database,
        items: items.map(|(row, lookup)| row.into_domain(lookup)).collect::<Result<_, _>>()?,
    })
}

/// Whether a provider's state is that of the environment (`odoo setup` sets it so).
fn is_of(state: &str, environment: Option<Environment>) -> bool {
    match environment {
        None => true,
        Some(Environment::Test) => state == "test",
        Some(Environment::Live) => state == "enabled",
    }
}

/// What *book* answered.
pub(super) fn read_book(result: Value, bookings: &[Book]) -> Result<Told<BookOutcome>, NotReady> {
    let answer: BookAnswer = read(result, &actions::BOOK)?;
    let names = answer.items.iter().map(|row| row.name.as_str());
    if !names.eq(bookings.iter().map(|book| book.checkout.as_str())) {
        return Err(NotReady::ActionMissing);
    }
    Ok(Told {
        database: answer.database,
        items: answer.items.into_iter().map(OutcomeRow::into_domain).collect::<Result<_, _>>()?,
    })
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

fn check_text(stored: Option<&str>, action: &Action) -> Result<(), NotReady> {
    match stored {
        None => Err(NotReady::ActionMissing),
        Some(hash) if hash == action.sha256() => Ok(()),
        Some(_) => Err(NotReady::ActionDiffers),
    }
}

#[derive(Deserialize)]
struct ObserveAnswer {
    database: String,
    actions: StoredTexts,
    #[serde(deserialize_with = "or_false")]
    provider: Option<ProviderRow>,
    items: Vec<ItemRow>,
}

#[derive(Deserialize)]
struct StoredTexts {
    #[serde(deserialize_with = "or_false")]
    observe: Option<String>,
    #[serde(deserialize_with = "or_false")]
    book: Option<String>,
}

#[derive(Deserialize)]
struct ProviderRow {
    state: String,
    ready: bool,
}

#[derive(Deserialize)]
struct ItemRow {
    name: String,
    #[serde(deserialize_with = "or_false")]
    booked: Option<BookingRow>,
    transactions: Vec<TransactionRow>,
    probes: Vec<ProbeRow>,
}

#[derive(Deserialize)]
struct ProbeRow {
    field: String,
    value: String,
    unknown_field: bool,
    orders: Vec<OrderRow>,
}

#[derive(Deserialize)]
struct OrderRow {
    id: i64,
    name: String,
    state: String,
    company_id: i64,
    currency: String,
    total: String,
    transactions: Vec<TransactionRow>,
    invoices: Vec<InvoiceRow>,
}

#[derive(Deserialize)]
struct TransactionRow {
    reference: String,
    #[serde(deserialize_with = "or_false")]
    provider_reference: Option<String>,
    ours: bool,
    state: String,
    amount: String,
    currency: String,
    company_id: i64,
}

#[derive(Deserialize)]
struct InvoiceRow {
    id: i64,
    #[serde(deserialize_with = "or_false")]
    name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    payment_state: String,
    company_id: i64,
    currency: String,
    total: String,
    residual: String,
    payments: u32,
}

#[derive(Deserialize)]
struct BookingRow {
    transaction: String,
    state: String,
    amount: String,
    currency: String,
    company_id: i64,
    #[serde(deserialize_with = "or_false")]
    payment: Option<String>,
    #[serde(deserialize_with = "or_false")]
    date: Option<Date>,
    orders: Vec<String>,
    invoices: Vec<InvoiceRow>,
}

#[derive(Deserialize)]
struct BookAnswer {
    database: String,
    items: Vec<OutcomeRow>,
}

#[derive(Deserialize)]
struct OutcomeRow {
    name: String,
    status: String,
    #[serde(deserialize_with = "or_false")]
    why: Option<String>,
    #[serde(deserialize_with = "or_false")]
    detail: Option<String>,
    #[serde(deserialize_with = "or_false")]
    booking: Option<BookingRow>,
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

impl ItemRow {
    fn into_domain(self, lookup: &Lookup) -> Result<InOdoo, NotReady> {
        let asked = lookup.probes.iter().map(|probe| (&probe.field, &probe.value));
        let told = self.probes.iter().map(|row| (&row.field, &row.value));
        if self.name != lookup.checkout.as_str() || !told.eq(asked) {
            return Err(NotReady::ActionMissing);
        }
        let (booked_company_id, booked_state) = match &self.booked {
            Some(row) => (Some(row.company_id), Some(row.state.clone())),
            None => (None, None),
        };
        let found = self.probes.into_iter().zip(&lookup.probes);
        Ok(InOdoo {
            booked: self.booked.map(BookingRow::into_domain).transpose()?,
            booked_company_id,
            booked_state,
            transactions: into_all(self.transactions, TransactionRow::into_domain),
            probes: found
                .map(|(row, probe)| Found {
                    probe: probe.clone(),
                    unknown_field: row.unknown_field,
                    orders: into_all(row.orders, OrderRow::into_domain),
                })
                .collect(),
        })
    }
}

impl OrderRow {
    fn into_domain(self) -> Order {
        Order {
            id: self.id,
            name: self.name,
            state: self.state,
            company_id: self.company_id,
            currency: self.currency,
            total: self.total,
            transactions: into_all(self.transactions, TransactionRow::into_domain),
            invoices: into_all(self.invoices, InvoiceRow::into_domain),
        }
    }
}

impl TransactionRow {
    fn into_domain(self) -> Transaction {
        Transaction {
            reference: self.reference,
            provider_reference: self.provider_reference,
            ours: self.ours,
            state: self.state,
            amount: self.amount,
            currency: self.currency,
            company_id: self.company_id,
        }
    }
}

impl InvoiceRow {
    fn into_domain(self) -> Invoice {
        Invoice {
            id: self.id,
            name: self.name,
            kind: self.kind,
            state: self.state,
            payment_state: self.payment_state,
            company_id: self.company_id,
            currency: self.currency,
            total: self.total,
            residual: self.residual,
            payments: self.payments,
        }
    }

    fn into_booked(self) -> BookedInvoice {
        BookedInvoice {
            // Odoo's own sign for a document without a name.
            name: self.name.unwrap_or_else(|| "/".to_owned()),
            payment_state: self.payment_state,
            residual: self.residual,
        }
    }
}

impl BookingRow {
    fn into_domain(self) -> Result<Booking, NotReady> {
        Ok(Booking {
            amount: exact(&self.transaction, &self.amount, &self.currency)?,
            transaction: self.transaction,
            payment: self.payment,
            date: self.date,
            orders: self.orders,
            invoices: into_all(self.invoices, InvoiceRow::into_booked),
        })
    }
}

impl OutcomeRow {
    fn into_domain(self) -> Result<BookOutcome, NotReady> {
        let why = self.why.unwrap_or_default();
        let booking = self.booking.map(BookingRow::into_domain).transpose()?;
        match (self.status.as_str(), booking) {
            ("booked", Some(booking)) => Ok(BookOutcome::Booked(booking)),
            ("already", Some(booking)) => Ok(BookOutcome::Already(booking)),
            ("changed", _) => Ok(BookOutcome::Changed { what: why }),
            ("again", _) => Ok(BookOutcome::Again),
            ("refused", _) => match why.as_str() {
                "no_provider" | "not_ready" => Err(NotReady::NoProvider),
                "provider_disabled" => Err(NotReady::ProviderDisabled),
                _ => Ok(BookOutcome::Refused { why, detail: String::new() }),
            },
            ("failed", _) => {
                Ok(BookOutcome::Refused { why, detail: self.detail.unwrap_or_default() })
            }
            _ => Err(NotReady::ActionMissing),
        }
    }
}

/// What stands in Odoo under our name, in minor units: exactly, or the account pauses. Only
/// currencies Ventipay charges in are ours to hold, under the same code in Odoo.
fn exact(transaction: &str, amount: &str, currency: &str) -> Result<Money, NotReady> {
    let money =
        Currency::parse(currency).and_then(|currency| Money::from_decimal(amount, currency).ok());
    money.ok_or_else(|| NotReady::Misconfigured {
        detail: super::classify::cut(&format!(
            "The transaction {transaction} is booked as {amount} {currency}, an amount Ventipay cannot have charged."
        )),
    })
}

fn into_all<A, B>(rows: Vec<A>, into: fn(A) -> B) -> Vec<B> {
    rows.into_iter().map(into).collect()
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
