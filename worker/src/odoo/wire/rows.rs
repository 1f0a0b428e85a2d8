//! The records the answers tell: orders, transactions, invoices, and what stands under our name.

use concilia_shared::money::{Currency, Money};
use jiff::civil::Date;
use serde::Deserialize;

use super::{into_all, or_false};
use crate::domain::event::{BookedInvoice, Booking};
use crate::domain::observe::{Invoice, Order, Transaction};
use crate::domain::reason::NotReady;

#[derive(Deserialize)]
pub(super) struct OrderRow {
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
pub(super) struct TransactionRow {
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
pub(super) struct InvoiceRow {
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
pub(super) struct BookingRow {
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
    #[serde(deserialize_with = "or_false")]
    credit: Option<String>,
}

impl OrderRow {
    pub(super) fn into_domain(self) -> Order {
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
    pub(super) fn into_domain(self) -> Transaction {
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
    pub(super) fn into_domain(self) -> Invoice {
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
    pub(super) fn company_id(&self) -> i64 {
        self.company_id
    }

    pub(super) fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn into_domain(self) -> Result<Booking, NotReady> {
        Ok(Booking {
            amount: exact(&self.transaction, &self.amount, &self.currency)?,
            transaction: self.transaction,
            payment: self.payment,
            date: self.date,
            orders: self.orders,
            invoices: into_all(self.invoices, InvoiceRow::into_booked),
            credit: self.credit,
        })
    }
}

/// What stands in Odoo under our name, in minor units: exactly, or the account pauses. Only
/// currencies Ventipay charges in are ours to hold, under the same code in Odoo.
fn exact(transaction: &str, amount: &str, currency: &str) -> Result<Money, NotReady> {
    let money =
        Currency::parse(currency).and_then(|currency| Money::from_decimal(amount, currency).ok());
    money.ok_or_else(|| NotReady::Misconfigured {
        detail: crate::odoo::classify::cut(&format!(
            "The transaction {transaction} is booked as {amount} {currency}, an amount Ventipay cannot have charged."
        )),
    })
}
