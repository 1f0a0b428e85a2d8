//! What *book* is asked: preconditions and effects; and what came of each.

use serde::Deserialize;
use serde_json::{Value, json};

use super::rows::BookingRow;
use super::{Told, or_false, read};
use crate::domain::observe::{Accepted, Book, Cancel, Command, Confirm, Order, Outcome};
use crate::domain::reason::NotReady;
use crate::odoo::actions;

/// What *book* is asked.
pub(in crate::odoo) fn request(company_id: i64, commands: &[Command]) -> Value {
    let items: Vec<Value> = commands.iter().map(item).collect();
    json!({"protocol": actions::PROTOCOL, "company_id": company_id, "items": items})
}

fn item(command: &Command) -> Value {
    match command {
        Command::Book(book) => book_item(book),
        Command::Confirm(confirm) => confirm_item(confirm),
        Command::Cancel(cancel) => cancel_item(cancel),
        Command::Complete { checkout } => json!({"kind": "complete", "name": checkout.as_str()}),
    }
}

fn book_item(book: &Book) -> Value {
    json!({
        "kind": "book",
        "name": book.checkout.as_str(),
        "amount": book.amount.to_decimal(),
        "currency": book.currency,
        "date": book.date.to_string(),
        "confirm": book.confirm,
        "accepted": accepted(book.accepted),
        "order": order_seen(&book.order),
        "invoices": invoices_seen(book.invoices.iter().map(|(id, residual)| (*id, residual.as_str()))),
    })
}

fn confirm_item(confirm: &Confirm) -> Value {
    let seen = &confirm.candidate;
    let orders: Vec<Value> = seen.orders.iter().map(order_seen).collect();
    let invoices = seen.invoices.iter().map(|invoice| (invoice.id, invoice.residual.as_str()));
    json!({
        "kind": "confirm",
        "name": confirm.checkout.as_str(),
        "amount": confirm.amount.to_decimal(),
        "currency": confirm.currency,
        "date": confirm.date.to_string(),
        "accepted": accepted(confirm.accepted),
        "transaction": transaction_seen(seen.id, &seen.transaction.reference, &seen.transaction.state),
        "orders": orders,
        "invoices": invoices_seen(invoices),
    })
}

fn cancel_item(cancel: &Cancel) -> Value {
    json!({
        "kind": "cancel",
        "name": cancel.checkout.as_str(),
        "transaction": transaction_seen(cancel.id, &cancel.reference, &cancel.state),
        "message": cancel.message,
    })
}

fn accepted(accepted: Accepted) -> Vec<&'static str> {
    [(accepted.amount, "amount"), (accepted.paid, "paid")]
        .into_iter()
        .filter_map(|(given, word)| given.then_some(word))
        .collect()
}

fn order_seen(order: &Order) -> Value {
    json!({"id": order.id, "name": order.name, "total": order.total, "state": order.state})
}

fn invoices_seen<'a>(invoices: impl Iterator<Item = (i64, &'a str)>) -> Vec<Value> {
    invoices.map(|(id, residual)| json!({"id": id, "residual": residual})).collect()
}

fn transaction_seen(id: i64, reference: &str, state: &str) -> Value {
    json!({"id": id, "reference": reference, "state": state})
}

/// What *book* answered.
pub(in crate::odoo) fn answer(
    result: Value,
    commands: &[Command],
) -> Result<Told<Vec<Outcome>>, NotReady> {
    let told: Answer = read(result, &actions::BOOK)?;
    if told.items.len() != commands.len() {
        return Err(NotReady::ActionMissing);
    }
    let items = told.items.into_iter().zip(commands);
    Ok(Told {
        database: told.database,
        answer: items.map(|(row, command)| row.into_domain(command)).collect::<Result<_, _>>()?,
    })
}

#[derive(Deserialize)]
struct Answer {
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
    #[serde(deserialize_with = "or_false")]
    transaction: Option<String>,
}

impl OutcomeRow {
    fn into_domain(self, command: &Command) -> Result<Outcome, NotReady> {
        if self.name != command.checkout().as_str() {
            return Err(NotReady::ActionMissing);
        }
        let cancels = matches!(command, Command::Cancel(_));
        let why = self.why.unwrap_or_default();
        let booking = self.booking.map(BookingRow::into_domain).transpose()?;
        match (self.status.as_str(), booking, self.transaction) {
            ("booked", Some(booking), _) if !cancels => Ok(Outcome::Booked(booking)),
            ("already", Some(booking), _) => Ok(Outcome::Already(booking)),
            ("canceled", _, Some(transaction)) if cancels => Ok(Outcome::Canceled { transaction }),
            ("changed", _, _) => Ok(Outcome::Changed { what: why }),
            ("again", _, _) => Ok(Outcome::Again),
            ("refused", _, _) => match why.as_str() {
                "no_provider" | "not_ready" => Err(NotReady::NoProvider),
                "provider_disabled" => Err(NotReady::ProviderDisabled),
                _ => Ok(Outcome::Refused { why, detail: String::new() }),
            },
            ("failed", _, _) => {
                Ok(Outcome::Refused { why, detail: self.detail.unwrap_or_default() })
            }
            _ => Err(NotReady::ActionMissing),
        }
    }
}
