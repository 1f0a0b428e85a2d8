//! What *book*, *refund* and *invoice* are asked: preconditions and effects; and what came of each.

use concilia_shared::money::Money;
use serde::Deserialize;
use serde_json::{Value, json};

use super::record::customer;
use super::rows::{BookingRow, InvoiceRow, RefundRow};
use super::{Told, names, or_false, read};
use crate::domain::observe::{
    Accepted, Book, Cancel, Command, Confirm, MakeInvoice, Order, Outcome, PayInvoice, Refund,
};
use crate::domain::reason::NotReady;
use crate::odoo::actions::{self, Action};

/// Which action carries a command out.
pub(in crate::odoo) fn action(command: &Command) -> Action {
    match command {
        Command::Refund(_) => actions::REFUND,
        Command::MakeInvoice(_) => actions::INVOICE,
        _ => actions::BOOK,
    }
}

/// What an action is asked that carries out all of `commands`.
pub(in crate::odoo) fn request(company_id: i64, commands: &[&Command]) -> Value {
    let items: Vec<Value> = commands.iter().copied().map(item).collect();
    json!({"protocol": actions::PROTOCOL, "company_id": company_id, "items": items})
}

fn item(command: &Command) -> Value {
    match command {
        Command::Book(book) => book_item(book),
        Command::Confirm(confirm) => confirm_item(confirm),
        Command::PayInvoice(pay) => pay_invoice_item(pay),
        Command::MakeInvoice(make) => make_invoice_item(command, make),
        Command::Refund(refund) => refund_item(refund),
        Command::Cancel(cancel) => cancel_item("cancel", cancel),
        Command::Fail(cancel) => cancel_item("fail", cancel),
        Command::Complete { name } => json!({"kind": "complete", "name": name.as_str()}),
        // Another action's: this one refuses the kind.
        Command::Record(record) => json!({"kind": "record", "name": record.name()}),
    }
}

fn book_item(book: &Book) -> Value {
    let (name, aliases) = names(&book.names);
    json!({
        "kind": "book",
        "name": name,
        "aliases": aliases,
        "amount": decimal(book.amount, &book.currency),
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
    let (name, aliases) = names(&confirm.names);
    json!({
        "kind": "confirm",
        "name": name,
        "aliases": aliases,
        "amount": decimal(confirm.amount, &confirm.currency),
        "currency": confirm.currency,
        "date": confirm.date.to_string(),
        "accepted": accepted(confirm.accepted),
        "transaction": transaction_seen(seen.id, &seen.transaction.reference, &seen.transaction.state),
        "orders": orders,
        "invoices": invoices_seen(invoices),
    })
}

fn pay_invoice_item(pay: &PayInvoice) -> Value {
    let (name, aliases) = names(&pay.names);
    let invoice = &pay.invoice;
    json!({
        "kind": "pay_invoice",
        "name": name,
        "aliases": aliases,
        "amount": decimal(pay.amount, &pay.currency),
        "currency": pay.currency,
        "date": pay.date.to_string(),
        "accepted": accepted(pay.accepted),
        "invoice": {
            "id": invoice.id,
            "name": invoice.name.as_deref().unwrap_or_default(),
            "total": invoice.total,
            "residual": invoice.residual,
            "state": invoice.state,
        },
    })
}

fn make_invoice_item(command: &Command, make: &MakeInvoice) -> Value {
    json!({
        "kind": "make_invoice",
        "name": command.name(),
        "id": make.invoice.as_str(),
        "customer": customer(&make.customer),
        "product": make.product,
        "amount": decimal(make.amount, &make.currency),
        "currency": make.currency,
        "date": make.date.to_string(),
        "post": make.post,
    })
}

/// The accounting managers read the activity in Odoo; their language is not known here.
fn refund_item(refund: &Refund) -> Value {
    let (of, aliases_of) = names(&refund.of);
    let amount = refund.amount;
    let (credit_note, summary, note) = match &refund.dispute {
        // What a bank took back is no sale undone: whoever lost the dispute decides on a note.
        Some(dispute) => (
            "none",
            format!("Disputa perdida por {amount} (Ventipay)"),
            format!(
                "El banco devolvió {amount} de {of} por la disputa {dispute}. The dispute was lost."
            ),
        ),
        None => (
            if refund.draft_credit_note { "draft" } else { "activity" },
            format!("Emitir nota de crédito por {amount} (Ventipay)"),
            format!("Ventipay devolvió {amount} de {of}. Issue the credit note."),
        ),
    };
    json!({
        "kind": "refund",
        "name": refund.name,
        "of": of,
        "aliases_of": aliases_of,
        "after": decimal(refund.after, &refund.currency),
        "amount": decimal(amount, &refund.currency),
        "currency": refund.currency,
        "date": refund.date.to_string(),
        "credit_note": credit_note,
        "summary": summary,
        "note": note,
        "deadline": refund.date.to_string(),
    })
}

/// As decimal text with exactly the decimals of the currency's namesake in Odoo. That `UF` can
/// hold it was checked when it was decided.
fn decimal(amount: Money, currency: &str) -> String {
    let text = amount.to_decimal();
    match text.strip_suffix("00") {
        Some(short) if currency == "UF" => short.to_owned(),
        _ => text,
    }
}

fn cancel_item(kind: &str, cancel: &Cancel) -> Value {
    json!({
        "kind": kind,
        "name": cancel.name.as_str(),
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

/// What `action` answered.
pub(in crate::odoo) fn answer(
    result: Value,
    action: &Action,
    commands: &[&Command],
) -> Result<Told<Vec<Outcome>>, NotReady> {
    let told: Answer = read(result, action)?;
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
    /// Not of *invoice*.
    #[serde(default, deserialize_with = "or_false")]
    booking: Option<BookingRow>,
    /// Of *book* alone.
    #[serde(default, deserialize_with = "or_false")]
    transaction: Option<String>,
    /// Of *refund* alone.
    #[serde(default, deserialize_with = "or_false")]
    refund: Option<RefundRow>,
    /// Of *invoice* alone.
    #[serde(default, deserialize_with = "or_false")]
    invoice: Option<InvoiceRow>,
}

/// What came of making an invoice; `None` for what any effect may come to.
fn made(status: &str, invoice: Option<InvoiceRow>) -> Option<Outcome> {
    match (status, invoice) {
        ("made" | "already", Some(invoice)) => {
            let name = invoice.into_domain().name;
            Some(Outcome::InvoiceMade { invoice: name.unwrap_or_else(|| "/".to_owned()) })
        }
        ("no_customer", _) => Some(Outcome::WhoseUnclear { ambiguous: false }),
        ("ambiguous_customer", _) => Some(Outcome::WhoseUnclear { ambiguous: true }),
        _ => None,
    }
}

impl OutcomeRow {
    fn into_domain(self, command: &Command) -> Result<Outcome, NotReady> {
        if self.name != command.name() {
            return Err(NotReady::ActionMissing);
        }
        let cancels = matches!(command, Command::Cancel(_));
        let fails = matches!(command, Command::Fail(_));
        let refund = match (self.refund, command) {
            (Some(row), Command::Refund(asked)) => Some(row.into_domain(asked)?),
            _ => None,
        };
        let makes = matches!(command, Command::MakeInvoice(_));
        if makes && let Some(made) = made(&self.status, self.invoice) {
            return Ok(made);
        }
        let why = self.why.unwrap_or_default();
        let booking = self.booking.filter(|_| !makes).map(BookingRow::into_domain).transpose()?;
        match (self.status.as_str(), booking, self.transaction) {
            ("booked" | "already", Some(booking), _) if matches!(command, Command::Refund(_)) => {
                refund
                    .map(|refund| Outcome::Refunded(refund, booking))
                    .ok_or(NotReady::ActionMissing)
            }
            ("booked", Some(booking), _) if !cancels && !fails => Ok(Outcome::Booked(booking)),
            ("errored", _, Some(transaction)) if fails => Ok(Outcome::Failed { transaction }),
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
