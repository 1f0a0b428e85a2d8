//! What Odoo and Ventipay answered when we looked, as plain values.
//!
//! Nobody's wire shapes: [`crate::odoo`] and [`crate::ventipay`] translate into these, and
//! [`super::decide`] reads nothing else. Amounts that are not ours to convert stay decimal
//! text in the document's own currency.

use std::fmt;

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use jiff::civil::Date;

use super::event::{Booking, RefundBooking};
use super::name::{ObjectId, PaymentName};
use super::record::{CardShown, Customer, Record, Recorded};

/// What to look up about one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Whom at Ventipay to ask how it stands now.
    pub ask: Ask,
    /// The names of the payment it is about, the one it is booked under first. Without any, Odoo
    /// is asked about the account alone.
    pub names: Vec<PaymentName>,
    /// What a transaction of Odoo's that is this payment's may carry as its provider's reference.
    pub carried: Vec<String>,
    /// What a transaction of Odoo's own making may be called, in the order of preference; asked
    /// for in modes A and Hybrid, empty in mode B.
    pub references: Vec<Reference>,
    /// Where its order may be, in the order of preference; empty in mode A.
    pub probes: Vec<Probe>,
    /// Where its customer invoice may be, in the order of preference: fields of `account.move`.
    pub invoice_probes: Vec<Probe>,
    /// An Odoo domain, as JSON text, that every order must meet too: it keeps two shops apart.
    pub domain: Option<String>,
    /// Whom it is of, as the payload says; not asked for, but carried on to what is decided.
    pub customer: Option<Customer>,
    /// The card it is of, as the payload says; carried on too.
    pub card: Option<CardShown>,
    /// The payment method to ask for where the payload does not show the card.
    pub payment_method: Option<ObjectId>,
}

/// An object of Ventipay's that is read again before anything is done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ask {
    /// Nothing is asked: the signed event is all there is.
    #[default]
    Nothing,
    /// A checkout.
    Checkout(CheckoutId),
    /// A dispute.
    Dispute(ObjectId),
    /// A subscription.
    Subscription(ObjectId),
    /// An invoice.
    Invoice(ObjectId),
}

/// One name a `payment.transaction` may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The payload path the value came from.
    pub path: String,
    /// The value its `reference` must be exactly.
    pub value: String,
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

/// What Odoo answered about one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InOdoo {
    /// What stands under one of the names, if anything.
    pub booked: Option<Booking>,
    /// The name it was booked under, which may be another of its names than those asked for;
    /// absent when nothing is.
    pub booked_name: Option<String>,
    /// Its currency's name in Odoo (`CLF` may be `UF` there); absent when nothing is.
    pub booked_currency: Option<String>,
    /// What of it was refunded, by done child transactions, lowest id first.
    pub refunds: Vec<Refunded>,
    /// Company of what is booked; absent when nothing is.
    pub booked_company_id: Option<i64>,
    /// State of the booked transaction (`done`, `cancel`, …); absent when nothing is.
    pub booked_state: Option<String>,
    /// Other transactions that carry the checkout's name.
    pub transactions: Vec<Transaction>,
    /// Transactions mode A may confirm, each once: those of our provider whose
    /// `provider_reference` is the checkout, then those of any provider whose `reference` is one
    /// of the lookup's, in the order asked. What is booked under our name is not among them.
    pub candidates: Vec<Candidate>,
    /// What each probe found, in the order asked.
    pub probes: Vec<Found>,
    /// What each probe for an invoice found, in the order asked.
    pub invoices: Vec<FoundInvoices>,
}

impl InOdoo {
    /// What of the payment was refunded in Odoo, in minor units of `currency`; absent if an
    /// amount is not of it.
    pub fn refunded(&self, currency: Currency) -> Option<Money> {
        let minor = self.refunds.iter().try_fold(0_i64, |sum, refund| {
            let of = Money::from_decimal(&refund.amount, currency).ok()?;
            sum.checked_add(of.minor)
        })?;
        Some(Money::new(minor, currency))
    }
}

/// A done refund of the booked payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// Reference of its transaction.
    pub transaction: String,
    /// What went back, decimal text, positive.
    pub amount: String,
    /// Name of its payment.
    pub payment: Option<String>,
    /// The payment's date.
    pub date: Option<Date>,
}

/// What one probe for an invoice found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInvoices {
    /// What was asked.
    pub probe: Probe,
    /// Customer invoices of the company, at most 5, each with the authorized or done
    /// transactions it is linked to.
    pub invoices: Vec<(Invoice, Vec<Transaction>)>,
}

/// A transaction of Odoo's own making (portal, shop), with the documents it pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Odoo's id.
    pub id: i64,
    /// The reference's path it was found by, or `checkout` if it carries the checkout's id.
    pub found_by: String,
    /// The transaction itself.
    pub transaction: Transaction,
    /// Its sale orders.
    pub orders: Vec<Order>,
    /// Its invoices, of whatever state.
    pub invoices: Vec<Invoice>,
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
    /// The answer does not read as what was asked for.
    Unreadable {
        /// The path that does not read.
        path: String,
    },
    /// A dispute as it stands now.
    Dispute(DisputeNow),
    /// A subscription as it stands now.
    Subscription(SubscriptionNow),
    /// An invoice as it stands now.
    Invoice(InvoiceNow),
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
    /// All that was refunded so far: `refunded_amount`, else what `available_for_refund` lacks
    /// of the amount. Absent where neither tells.
    pub refunded_amount: Option<Money>,
    /// Disputed.
    pub disputed: bool,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// The payment it was paid by (`pay_…`): what the older event family calls it.
    pub payment_id: Option<String>,
}

/// What Ventipay's API answered about another object than a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<T> {
    /// No API key is configured.
    NotAsked,
    /// Ventipay does not know it (404).
    Unknown,
    /// As it stands now.
    Now(T),
    /// The answer does not read as what was asked for.
    Unreadable {
        /// The path that does not read.
        path: String,
    },
}

/// A dispute as Ventipay's API shows it now. Its fields are not documented, only its states
/// (`ventipay-api.md` 5.9): what is absent was not told under a name we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeNow {
    /// `needs_response`, `under_review`, `won`, `lost`, `charge_refunded`.
    pub status: String,
    /// What is disputed, never negative.
    pub amount: Option<Money>,
    /// The buyer's reason, a word.
    pub reason: Option<String>,
    /// Until when evidence is taken.
    pub deadline: Option<Timestamp>,
    /// The disputed checkout.
    pub checkout: Option<CheckoutId>,
    /// The disputed payment.
    pub payment_id: Option<String>,
    /// The disputed charge.
    pub charge_id: Option<String>,
    /// The customer who disputes.
    pub customer_id: Option<String>,
}

/// A subscription as Ventipay's API shows it now (`ventipay-api.md` 5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionNow {
    /// `incomplete`, `trialing`, `active`, `past_due`, `suspended`, `unpaid`, `canceled`.
    pub status: String,
    /// Why it is so, a word (`canceled_by_merchant`).
    pub reason: Option<String>,
    /// What a period costs.
    pub amount: Option<Money>,
    /// Its customer.
    pub customer_id: Option<String>,
    /// Begin of the current period.
    pub period_start: Option<Timestamp>,
    /// End of the current period.
    pub period_end: Option<Timestamp>,
    /// When it was canceled.
    pub canceled_at: Option<Timestamp>,
}

/// An invoice ("nota de venta") as Ventipay's API shows it now. Its fields are not documented,
/// only its states (`ventipay-api.md` 5.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceNow {
    /// `draft`, `open`, `paid`, `uncollectible`, `void`.
    pub status: String,
    /// What it asks for.
    pub amount: Option<Money>,
    /// The subscription it is a period of.
    pub subscription_id: Option<String>,
    /// Its customer.
    pub customer_id: Option<String>,
    /// The checkout it was paid through.
    pub checkout: Option<CheckoutId>,
    /// The payment it was paid by.
    pub payment_id: Option<String>,
    /// The charge it was paid by.
    pub charge_id: Option<String>,
    /// The merchant's own reference.
    pub external_id: Option<String>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
}

/// A payment as Ventipay's API shows it now (`ventipay-api.md` 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentNow {
    /// `requires_authorization`, `requires_capture`, `succeeded`, …
    pub status: String,
    /// What was paid.
    pub amount: Option<Money>,
    /// The checkout it paid, which a charge of it may not name.
    pub checkout: Option<CheckoutId>,
    /// Who paid.
    pub customer_id: Option<String>,
}

/// A customer as Ventipay's API shows it now (`ventipay-api.md` 5.8). Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerNow {
    /// As it was given: neither validated nor normalised.
    pub email: Option<String>,
    /// As it was given (`12.345.678-5`), if Ventipay keeps it: unverified.
    pub taxid: Option<String>,
    /// First and last name, as far as they are known.
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
}

impl fmt::Debug for CustomerNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerNow").finish_non_exhaustive()
    }
}

/// A payment method as Ventipay's API shows it now (`ventipay-api.md` 5.7); of a card no more
/// than this is ever read.
#[derive(Clone, PartialEq, Eq)]
pub struct MethodNow {
    /// `visa`, `mastercard`, …
    pub brand: Option<String>,
    /// The last four digits: exactly four digits, or absent.
    pub last4: Option<String>,
    /// Whose it is.
    pub customer_id: Option<String>,
}

impl fmt::Debug for MethodNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MethodNow").finish_non_exhaustive()
    }
}

/// One effect to carry out in Odoo: what was decided upon, and the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Mode B: enter a payment for an order of an external shop.
    Book(Box<Book>),
    /// Mode A: confirm the transaction Odoo made; Odoo enters the payment.
    Confirm(Box<Confirm>),
    /// Enter a payment for a customer invoice that exists.
    PayInvoice(Box<PayInvoice>),
    /// Make the customer invoice of a subscription's paid invoice.
    MakeInvoice(Box<MakeInvoice>),
    /// Enter what of a booked payment went back.
    Refund(Box<Refund>),
    /// Cancel the transaction of a checkout that was canceled.
    Cancel(Box<Cancel>),
    /// Set the transaction of a payment that failed to error.
    Fail(Box<Cancel>),
    /// Give the open credit of a booking to invoices of its own orders that came later.
    Complete {
        /// The booking's name.
        name: PaymentName,
    },
    /// Write a record of ours. No money.
    Record(Box<Record>),
}

impl Command {
    /// The name of the effect: whatever crashes, it happens once under this name.
    pub fn name(&self) -> String {
        match self {
            Self::Book(book) => first(&book.names),
            Self::Confirm(confirm) => first(&confirm.names),
            Self::PayInvoice(pay) => first(&pay.names),
            Self::MakeInvoice(make) => format!("made-invoice-{}", make.invoice),
            Self::Refund(refund) => refund.name.clone(),
            Self::Cancel(cancel) | Self::Fail(cancel) => cancel.name.to_string(),
            Self::Complete { name } => name.to_string(),
            Self::Record(record) => record.name(),
        }
    }
}

fn first(names: &[PaymentName]) -> String {
    names.first().map(ToString::to_string).unwrap_or_default()
}

/// One payment to book for an order: the preconditions it was decided upon, and the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The names of the effect, all of which are taken: it happens once under each.
    pub names: Vec<PaymentName>,
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
    /// What a person accepted.
    pub accepted: Accepted,
}

/// What a person accepted of exactly these documents; the excess becomes the customer's credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// That another amount is paid than the document asks for.
    pub amount: bool,
    /// That the document is paid already.
    pub paid: bool,
}

/// One transaction of Odoo's to confirm: the preconditions it was decided upon, and the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// The names of the effect, all of which are taken: it happens once under each.
    pub names: Vec<PaymentName>,
    /// What was paid: the transaction's own amount.
    pub amount: Money,
    /// The day it was paid, in America/Santiago.
    pub date: Date,
    /// The currency's name in Odoo.
    pub currency: String,
    /// The transaction with its documents, as it was seen.
    pub candidate: Candidate,
    /// What a person accepted.
    pub accepted: Accepted,
}

/// One customer invoice to pay: the preconditions it was decided upon, and the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayInvoice {
    /// The names of the effect, all of which are taken: it happens once under each.
    pub names: Vec<PaymentName>,
    /// What was paid.
    pub amount: Money,
    /// The day it was paid, in America/Santiago.
    pub date: Date,
    /// The currency's name in Odoo.
    pub currency: String,
    /// The invoice, as it was seen.
    pub invoice: Invoice,
    /// What a person accepted.
    pub accepted: Accepted,
}

/// One customer invoice to make: of one line, for exactly this amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeInvoice {
    /// Ventipay's invoice: its id becomes the reference.
    pub invoice: ObjectId,
    /// Whom it is for.
    pub customer: Customer,
    /// Internal reference of the product.
    pub product: String,
    /// What it is of, taxes included.
    pub amount: Money,
    /// The currency's name in Odoo.
    pub currency: String,
    /// Its date, in America/Santiago.
    pub date: Date,
    /// Whether it is posted, else left a draft.
    pub post: bool,
}

/// One part of a booked payment that went back: the preconditions it was decided upon, and the
/// effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The name of the effect, which says what it follows.
    pub name: String,
    /// The names the payment is booked under, the one it was found by first.
    pub of: Vec<PaymentName>,
    /// What of the payment was refunded in Odoo already, as seen.
    pub after: Money,
    /// What went back now.
    pub amount: Money,
    /// The day it went back, in America/Santiago.
    pub date: Date,
    /// The currency's name in Odoo.
    pub currency: String,
    /// Whether a draft credit note is to be set.
    pub draft_credit_note: bool,
    /// The lost dispute that took it back; absent for a refund.
    pub dispute: Option<ObjectId>,
}

/// One transaction of Odoo's to cancel or to set to error: the preconditions it was decided upon,
/// and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The payment that will not come: of the checkout that was canceled, or that failed.
    pub name: PaymentName,
    /// Odoo's id of the transaction.
    pub id: i64,
    /// Its reference, as it was seen.
    pub reference: String,
    /// Its state, as it was seen.
    pub state: String,
    /// What is written as its state message.
    pub message: String,
}

/// What came of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This call did it: booked, confirmed or completed, as it stands now.
    Booked(Booking),
    /// It was booked before under this name; of [`Command::Complete`]: nothing was left to do.
    Already(Booking),
    /// The refund is entered, by this call or before; with the payment as it stands now.
    Refunded(RefundBooking, Booking),
    /// The invoice is made, by this call or before.
    InvoiceMade {
        /// Its name in Odoo; a draft may have none: then `/`.
        invoice: String,
    },
    /// No customer was found, or more than one.
    WhoseUnclear {
        /// More than one has an identifier.
        ambiguous: bool,
    },
    /// The transaction is cancelled, by this call or before.
    Canceled {
        /// Its reference.
        transaction: String,
    },
    /// The transaction is set to error, by this call or before.
    Failed {
        /// Its reference.
        transaction: String,
    },
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
    /// Somebody else is at it at this moment: ask again.
    Again,
    /// Of [`Command::Record`]: what came of it.
    Recorded(Recorded),
}

/// What is asked about everything that changed lately, in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsQuery {
    /// Changes from here on, by Odoo's own clock.
    pub since: Timestamp,
    /// The fields of `sale.order` whose values are told.
    pub fields: Vec<String>,
    /// As in [`Lookup::domain`].
    pub domain: Option<String>,
}

/// What changed lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Where to ask on from, by Odoo's own clock; absent if it told no time.
    pub until: Option<Timestamp>,
    /// Names and values of the fields of orders that changed, and references of transactions of
    /// our provider that did; each once.
    pub values: Vec<String>,
    /// Our bookings with open credit whose own orders have a posted invoice with something left
    /// to pay: Odoo did not bring them together (`odoo-api-2.md` 4.2).
    pub credits: Vec<PaymentName>,
    /// There was more than fits one answer: ask again from `until`.
    pub more: bool,
}
