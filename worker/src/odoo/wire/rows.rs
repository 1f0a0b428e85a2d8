//! The records the answers tell: orders, transactions, invoices, and what stands under our name.

use concilia_shared::money::{Currency, Money};
use jiff::civil::Date;
use serde::Deserialize;

use super::{into_all, or_false};
use crate::domain::event::{BookedInvoice, Booking, RefundBooking};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Invoice, Order, Refund, Refunded, Transaction};
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
    /// The name it was found by.
    name: String,
    /// What Ventipay calls what it was booked as.
    #[serde(deserialize_with = "or_false")]
    provider_reference: Option<String>,
    refunds: Vec<RefundedRow>,
}

#[derive(Deserialize)]
pub(super) struct RefundedRow {
    transaction: String,
    amount: String,
    #[serde(deserialize_with = "or_false")]
    payment: Option<String>,
    #[serde(deserialize_with = "or_false")]
    date: Option<Date>,
}

/// What an observation says about what is booked, beside the booking.
#[derive(Default)]
pub(super) struct About {
    pub(super) name: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) company_id: Option<i64>,
    pub(super) state: Option<String>,
    pub(super) refunds: Vec<Refunded>,
}

/// A refund that was entered.
#[derive(Deserialize)]
pub(super) struct RefundRow {
    transaction: String,
    amount: String,
    #[serde(deserialize_with = "or_false")]
    payment: Option<String>,
    #[serde(deserialize_with = "or_false")]
    date: Option<Date>,
    #[serde(deserialize_with = "or_false")]
    credit_note: Option<String>,
}

impl RefundRow {
    /// What stands in Odoo; `asked` is what it was asked for by.
    pub(super) fn into_domain(self, asked: &Refund) -> Result<RefundBooking, NotReady> {
        let currency = asked.amount.currency;
        let amount = exact(&self.transaction, &self.amount, currency.code())?;
        Ok(RefundBooking {
            transaction: self.transaction,
            payment: self.payment,
            amount,
            refunded: Money::new(asked.after.minor + amount.minor, currency),
            date: self.date,
            credit_note: self.credit_note,
            dispute: asked.dispute.clone(),
        })
    }
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

impl RefundedRow {
    fn into_domain(self) -> Refunded {
        Refunded {
            transaction: self.transaction,
            amount: self.amount,
            payment: self.payment,
            date: self.date,
        }
    }
}

impl BookingRow {
    /// The name it was booked under: that of `names`, which it was asked for by, that Ventipay's
    /// id in the transaction is of; else the checkout the id is of; else the name it was found by.
    fn booked_under(&self, names: &[PaymentName]) -> String {
        let Some(id) = &self.provider_reference else { return self.name.clone() };
        let asked = names.iter().find(|name| name.ventipay_id() == id).map(ToString::to_string);
        let other = || PaymentName::parse(id).map(|name| name.to_string());
        asked.or_else(other).unwrap_or_else(|| self.name.clone())
    }

    pub(super) fn into_seen(self, names: &[PaymentName]) -> Result<(Booking, About), NotReady> {
        let mut row = self;
        let about = About {
            name: Some(row.booked_under(names)),
            currency: Some(row.currency.clone()),
            company_id: Some(row.company_id),
            state: Some(row.state.clone()),
            refunds: into_all(std::mem::take(&mut row.refunds), RefundedRow::into_domain),
        };
        Ok((row.into_domain()?, about))
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
/// currencies Ventipay charges in are ours to hold, under the same code in Odoo, but for the
/// Unidad de Fomento, which Odoo has twice (`odoo-api-2.md` 2).
fn exact(transaction: &str, amount: &str, currency: &str) -> Result<Money, NotReady> {
    let known = if currency == "UF" { Some(Currency::Clf) } else { Currency::parse(currency) };
    let money = known.and_then(|currency| Money::from_decimal(amount, currency).ok());
    money.ok_or_else(|| NotReady::Misconfigured {
        detail: crate::odoo::classify::cut(&format!(
            "The transaction {transaction} is booked as {amount} {currency}, an amount Ventipay cannot have charged."
        )),
    })
}
