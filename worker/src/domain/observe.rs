//! What Odoo and Ventipay answered when we looked, as plain values.
//!
//! Nobody's wire shapes: [`crate::odoo`] and [`crate::ventipay`] translate into these, and
//! [`super::decide`] reads nothing else. Amounts that are not ours to convert stay decimal
//! text in the document's own currency.

use concilia_shared::id::CheckoutId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use jiff::civil::Date;

/// What to look up about one checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The checkout.
    pub checkout: CheckoutId,
    /// Where its order may be, in the order of preference.
    pub probes: Vec<Probe>,
}

/// One place to look for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The payload path the value came from.
    pub path: String,
    /// The field of `sale.order`.
    pub field: String,
    /// The value it must hold exactly.
    pub value: String,
}

/// What Odoo answered about one checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InOdoo {
    /// What stands under our name, if anything.
    pub booked: Option<crate::domain::event::Booking>,
    /// Company of what is booked; absent when nothing is.
    pub booked_company_id: Option<i64>,
    /// State of the booked transaction (`done`, `cancel`, …); absent when nothing is.
    pub booked_state: Option<String>,
    /// Other transactions that carry the checkout's name.
    pub transactions: Vec<Transaction>,
    /// What each probe found, in the order asked.
    pub probes: Vec<Found>,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was asked.
    pub probe: Probe,
    /// `sale.order` has no such field.
    pub unknown_field: bool,
    /// The orders, at most 5.
    pub orders: Vec<Order>,
}

/// A sale order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Odoo's id.
    pub id: i64,
    /// Its name, `S00042`.
    pub name: String,
    /// `draft`, `sent`, `sale`, `cancel` (17 also `done`).
    pub state: String,
    /// Its company.
    pub company_id: i64,
    /// Its currency in Odoo.
    pub currency: String,
    /// `amount_total`, decimal text.
    pub total: String,
    /// Its authorized or done transactions.
    pub transactions: Vec<Transaction>,
    /// Its invoices and credit notes.
    pub invoices: Vec<Invoice>,
}

/// A `payment.transaction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its reference.
    pub reference: String,
    /// The provider's own reference.
    pub provider_reference: Option<String>,
    /// Whether its provider is the one of ours.
    pub ours: bool,
    /// `draft`, `pending`, `authorized`, `done`, `cancel`, `error`.
    pub state: String,
    /// Decimal text.
    pub amount: String,
    /// Its currency in Odoo.
    pub currency: String,
    /// Its company.
    pub company_id: i64,
}

/// An `account.move` of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Odoo's id.
    pub id: i64,
    /// Its name; a draft may have none.
    pub name: Option<String>,
    /// `out_invoice` or `out_refund`.
    pub kind: String,
    /// `draft`, `posted`, `cancel`.
    pub state: String,
    /// Odoo's `payment_state`.
    pub payment_state: String,
    /// Its company.
    pub company_id: i64,
    /// Its currency in Odoo.
    pub currency: String,
    /// `amount_total`, decimal text.
    pub total: String,
    /// `amount_residual`, decimal text.
    pub residual: String,
    /// Payments it is matched with.
    pub payments: u32,
}

/// What Ventipay's API answered about a checkout (`ventipay-api.md` 5.2, 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtVentipay {
    /// No API key is configured: the signed event is all there is.
    NotAsked,
    /// Ventipay does not know it (404).
    Unknown,
    /// As it stands now.
    Checkout(CheckoutNow),
    /// The answer does not read as a checkout.
    Unreadable {
        /// The path that does not read.
        path: String,
    },
}

/// A checkout as Ventipay's API shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutNow {
    /// `unpaid`, `paid`, `canceled`, …
    pub status: String,
    /// The amount.
    pub amount: Money,
    /// Refunded, wholly or in part.
    pub refunded: bool,
    /// Disputed.
    pub disputed: bool,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
}

/// One payment to book: the preconditions it was decided upon, and the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The name of the effect: whatever crashes, it happens once under this name.
    pub checkout: CheckoutId,
    /// What was paid.
    pub amount: Money,
    /// The day it was paid, in America/Santiago.
    pub date: Date,
    /// The order, as it was seen.
    pub order: Order,
    /// The currency's name in Odoo (`CLF` may be `UF` there).
    pub currency: String,
    /// Ids and residuals (decimal text) of the posted invoices to be paid, as seen.
    pub invoices: Vec<(i64, String)>,
    /// Confirm a draft quotation first.
    pub confirm: bool,
}

/// What came of a [`Book`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookOutcome {
    /// This call booked it.
    Booked(crate::domain::event::Booking),
    /// It was booked before under this name.
    Already(crate::domain::event::Booking),
    /// A precondition no longer holds.
    Changed {
        /// Which, as the action names it.
        what: String,
    },
    /// A fence, or Odoo itself, refused.
    Refused {
        /// The fence or `odoo`.
        why: String,
        /// Odoo's sentence; empty for a fence.
        detail: String,
    },
    /// Somebody else is booking it at this moment: ask again.
    Again,
}
