//! Why an event rests where it rests: each reason with the facts a person needs.
//!
//! Not here: the sentences ([`crate::say`]); which reason applies ([`super::decide`]).

use concilia_shared::money::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is wrong with a signed body that does not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, or nested too deeply, or a number too large.
    NotJson,
    /// An object names one key twice: which value was meant is anybody's guess.
    DuplicateKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// A field we need is missing or of the wrong kind.
    Field {
        /// Its path, `data.amount`.
        path: String,
    },
    /// A currency whose factor is unknown.
    UnknownCurrency {
        /// The code as sent, cut to 16 characters.
        code: String,
    },
}

/// Why nothing is to be done in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RecordReason {
    /// The type asks for nothing.
    NothingToDo,
    /// Paid before the account's `book_from`.
    BeforeBookFrom {
        /// The setting at the time.
        book_from: Timestamp,
    },
    /// Another event told the same payment.
    ToldBefore,
    /// The checkout was canceled, and Odoo has no transaction of it that could be.
    NothingToCancel,
    /// Told of a state that the object has left by now.
    Overtaken {
        /// The state it is in.
        status: String,
    },
    /// A charge or payment of which Odoo has no transaction that could be confirmed.
    NothingToConfirm,
    /// What went back is of a payment that is not this account's to book.
    PaymentNotBooked,
    /// The payment is booked under another of its names.
    BookedElsewhere {
        /// The name.
        name: String,
    },
}

/// Why an event is none of the account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum IgnoreReason {
    /// A test event in a live account, or the reverse.
    OtherEnvironment {
        /// The envelope's `live`; absent if it had none.
        live: Option<bool>,
    },
    /// A person closed it.
    ByHand {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}

/// What a Pending event waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum PendingReason {
    /// No order matches yet.
    NoMatch {
        /// The values it was looked for by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        looked_for: Vec<String>,
    },
    /// Mode A: Odoo has no transaction of this checkout yet.
    NoTransaction {
        /// The references it was looked for by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        looked_for: Vec<String>,
    },
    /// The order has no posted invoice, and the account waits for one.
    NoInvoiceYet {
        /// The order's name.
        order: String,
    },
    /// Ventipay does not (yet) say that it is paid.
    NotPaidYet {
        /// The status Ventipay answered.
        status: String,
    },
    /// Ventipay does not (yet) say that it is canceled.
    NotCanceledYet {
        /// The status Ventipay answered.
        status: String,
    },
    /// What went back is of a payment that is not booked yet; it goes on when that is.
    NotBookedYet,
    /// No customer invoice matches yet.
    NoInvoice {
        /// The values it was looked for by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        looked_for: Vec<String>,
    },
    /// Odoo has no customer yet whose RUT, e-mail or id it is.
    NoCustomer,
    /// Ventipay does not (yet) say that as much went back.
    NotRefundedYet {
        /// What Ventipay answered was refunded, as text.
        status: String,
    },
    /// Odoo changed between looking and booking.
    Changed {
        /// What changed, as the action names it.
        what: String,
    },
    /// Odoo did not answer, or not usefully. Uses no retry.
    OdooUnavailable,
    /// Ventipay did not answer. Uses no retry.
    VentipayUnavailable,
    /// The system answers, but not usefully for this event.
    OnlyThis {
        /// What it answers for this event.
        trouble: Box<PendingReason>,
    },
    /// The account cannot book until somebody sets something right. Uses no retry.
    NotReady {
        /// What is missing.
        why: NotReady,
    },
}

/// Why an account cannot book at all; each names what to run or set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum NotReady {
    /// The account has no `odoo` section.
    NoOdoo,
    /// Odoo refused login, key or rights.
    Denied,
    /// An action is missing, archived or does not answer as ours does.
    ActionMissing,
    /// An action's text is not this build's.
    ActionDiffers,
    /// No provider for the company, or without a payment method line and account.
    NoProvider,
    /// The provider is disabled in Odoo.
    ProviderDisabled,
    /// The provider's state in Odoo is not the account's environment: test would touch live.
    ProviderDiffers {
        /// The state in Odoo.
        state: String,
    },
    /// No such account is configured.
    NoAccount,
    /// The connector's field does not exist on `sale.order`.
    UnknownField {
        /// The field.
        field: String,
    },
    /// Ventipay refused the account's API key.
    VentipayDenied,
    /// Another database answers than the one the account books into: a copy with the same key.
    OtherDatabase {
        /// The `database.uuid` the account books into.
        known: String,
        /// The one that answered.
        answering: String,
    },
    /// The models of our own are not in Odoo.
    NoModels,
    /// Odoo answered a call of ours with an error that says something is set up wrong.
    Misconfigured {
        /// Odoo's sentence, cut to 300 characters.
        detail: String,
    },
}

/// Why a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ParkReason {
    /// The signed body does not read.
    Unreadable {
        /// What is wrong with it.
        problem: Problem,
    },
    /// Paid amount and document differ.
    AmountMismatch {
        /// What Ventipay says was paid.
        paid: Money,
        /// What the document asks for, as decimal text.
        expected: String,
        /// The document's name.
        document: String,
    },
    /// Paid currency and document's currency differ.
    CurrencyMismatch {
        /// What Ventipay says was paid.
        paid: Money,
        /// The document's currency in Odoo.
        expected: String,
        /// The document's name.
        document: String,
    },
    /// More than one order matches.
    Ambiguous {
        /// The value searched.
        value: String,
        /// Names of the orders, at most 5.
        orders: Vec<String>,
    },
    /// The document is paid, but not by this checkout through us.
    AlreadyPaid {
        /// The document's name.
        document: String,
        /// What paid it, as far as can be seen.
        by: String,
    },
    /// Odoo holds a transaction that stands where this payment's would: it carries the
    /// checkout's name, or it was this payment's and is done for another one.
    NameTaken {
        /// The transaction's reference.
        document: String,
        /// What it is done for, or holds.
        by: String,
    },
    /// The order is cancelled.
    OrderCancelled {
        /// Its name.
        order: String,
    },
    /// The document is of another company.
    OtherCompany {
        /// Its name.
        document: String,
    },
    /// What is booked under this checkout is not what was paid.
    BookedDifferently {
        /// What Ventipay says was paid.
        paid: Money,
        /// What Odoo holds, as decimal text and currency.
        booked: String,
    },
    /// Ventipay's own answers contradict each other.
    ContradictedByVentipay {
        /// What the signed event says.
        told: Money,
        /// What the API answered, as decimal text and currency.
        answered: String,
    },
    /// Refunded before it was booked.
    Refunded,
    /// Disputed before it was booked.
    Disputed,
    /// Ventipay says the checkout was canceled or expired, or does not know it.
    NotPayable {
        /// The status Ventipay answered.
        status: String,
    },
    /// Genuine but late, and no API key to ask whether it still holds.
    LateAndUnverifiable {
        /// By how many seconds.
        late_s: i64,
    },
    /// Odoo refused the booking.
    RefusedByOdoo {
        /// The fence or `odoo`.
        why: String,
        /// Odoo's sentence, cut to 500 characters; empty for a fence.
        detail: String,
    },
    /// Tried for as long as configured.
    RetriesExhausted {
        /// Tries used.
        attempts: u32,
        /// What it was waiting for.
        waiting_for: Box<PendingReason>,
    },
    /// The payload was erased before it could be acted upon.
    PayloadErased,
    /// Paid amount and Odoo's own transaction differ.
    TransactionMismatch {
        /// What Ventipay says was paid.
        paid: Money,
        /// What the transaction is of, as decimal text.
        expected: String,
        /// The transaction's reference.
        document: String,
    },
    /// Canceled, though it was paid: nothing is undone by itself.
    CanceledAfterPayment {
        /// What stands in Odoo, or the event that told the payment.
        document: String,
    },
    /// More than one customer has the RUT or e-mail.
    AmbiguousCustomer,
    /// The payload shows too little of the card: its last four digits are missing.
    CardUnclear,
    /// Money went back, but neither the event nor Ventipay says how much in all.
    RefundUnclear,
    /// More went back than was paid.
    RefundAbovePayment {
        /// What Ventipay says went back in all.
        refunded: Money,
        /// What was booked.
        booked: Money,
    },
    /// Two facts about one object contradict each other.
    ContradictingFacts {
        /// What the log holds, in words.
        known: String,
        /// What was told now, in words.
        told: String,
    },
    /// The amount cannot be written exactly in the document's currency.
    RoundingLost {
        /// What Ventipay says was paid.
        paid: Money,
        /// The document's currency in Odoo.
        currency: String,
        /// The document's name.
        document: String,
    },
    /// An invoice of the transaction is not posted: confirming would post it.
    InvoiceNotPosted {
        /// Its name, or the transaction's.
        document: String,
    },
}

impl ParkReason {
    /// Whether a person who accepted `self` accepted `other`: the same facts, however Odoo
    /// writes the amount.
    pub fn is_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::AmountMismatch { paid, expected, document },
                Self::AmountMismatch { paid: again, expected: asked, document: of },
            ) => {
                let amount = |text: &str| Money::from_decimal(text, paid.currency).ok();
                paid == again
                    && document == of
                    && (expected == asked
                        || amount(expected).is_some_and(|money| Some(money) == amount(asked)))
            }
            _ => self == other,
        }
    }

    /// Whether a person may have it booked all the same: the money is there, and where it would
    /// go is known. All others need another remedy first.
    pub fn can_be_accepted(&self) -> bool {
        matches!(
            self,
            Self::AmountMismatch { .. }
                | Self::AlreadyPaid { .. }
                | Self::Disputed
                | Self::LateAndUnverifiable { .. }
        )
    }
}

impl PendingReason {
    /// What an order or a transaction must carry for this event to find it.
    pub fn waits_for(&self) -> &[String] {
        match self {
            Self::NoMatch { looked_for }
            | Self::NoTransaction { looked_for }
            | Self::NoInvoice { looked_for } => looked_for,
            Self::NoInvoiceYet { order } => std::slice::from_ref(order),
            _ => &[],
        }
    }

    /// Whether it is weather: not the event's doing, and no retry is used up.
    pub fn is_weather(&self) -> bool {
        matches!(self, Self::OdooUnavailable | Self::VentipayUnavailable | Self::NotReady { .. })
    }
}
