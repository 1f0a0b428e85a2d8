//! What a webhook says, as far as we act on it: one shape for each family of events
//! (`ventipay-api.md` 4.5).
//!
//! Facts stand in the log for ever, so they hold no personal data: a customer's name, e-mail and
//! RUT, and a card's digits, are read from the payload when they are needed
//! ([`super::interpret`]), and can be erased there. Read next: [`super::event`].

use concilia_shared::id::CheckoutId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{ObjectId, PaymentName};
use super::reason::Problem;

/// What a webhook says, as far as we act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// `checkout.paid`.
    CheckoutPaid(CheckoutPaid),
    /// `checkout.canceled`.
    CheckoutCanceled(CheckoutCanceled),
    /// `checkout.refunded`; `payment.refunded` of a checkout.
    CheckoutRefunded(CheckoutRefunded),
    /// `charge.succeeded`, `charge.failed`, and the older `payment.*` that say the same.
    PaymentTold(PaymentTold),
    /// `dispute.*`.
    DisputeTold(DisputeTold),
    /// `subscription.*`.
    SubscriptionTold(SubscriptionTold),
    /// `invoice.*`: Ventipay's "nota de venta".
    InvoiceTold(InvoiceTold),
    /// `setup_intent.succeeded`.
    CardEnrolled(CardEnrolled),
    /// Readable, with nothing to do in Odoo.
    Other,
    /// The envelope or what we need of it does not read.
    Unreadable {
        /// What is wrong.
        problem: Problem,
    },
}

impl Fact {
    /// The amount it tells of: paid, disputed, charged each period, or gone back in all.
    pub fn amount(&self) -> Option<Money> {
        match self {
            Self::CheckoutPaid(paid) => Some(paid.amount),
            Self::CheckoutRefunded(refunded) => refunded.refunded,
            Self::PaymentTold(told) => told.amount,
            Self::DisputeTold(told) => told.amount,
            Self::SubscriptionTold(told) => told.amount,
            Self::InvoiceTold(told) => told.amount,
            Self::CheckoutCanceled(_)
            | Self::CardEnrolled(_)
            | Self::Other
            | Self::Unreadable { .. } => None,
        }
    }
}

/// A checkout that Ventipay says was paid (`ventipay-api.md` 4.6, 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutPaid {
    /// Its id.
    pub checkout: CheckoutId,
    /// The amount, in minor units.
    pub amount: Money,
    /// When it was paid, if the body says so.
    pub paid_at: Option<Timestamp>,
    /// The checkout's status, if the body says so; `paid` is expected.
    pub status: Option<String>,
    /// Refunded, wholly or in part.
    pub refunded: bool,
    /// Disputed.
    pub disputed: bool,
    /// The payment it was paid with, if the body says so (`payment_id`, `successful_object_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<ObjectId>,
}

impl CheckoutPaid {
    /// All names of the payment, the one it is booked under first.
    pub fn names(&self) -> Vec<PaymentName> {
        let payment = self.payment.as_ref().map(PaymentName::of_payment);
        std::iter::once(PaymentName::of_checkout(&self.checkout)).chain(payment).collect()
    }
}

/// A checkout that Ventipay says was canceled (`ventipay-api.md` 4.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutCanceled {
    /// Its id.
    pub checkout: CheckoutId,
    /// When it was canceled, if the body says so.
    pub canceled_at: Option<Timestamp>,
    /// The checkout's status, if the body says so; `canceled` is expected.
    pub status: Option<String>,
}

/// A checkout of which Ventipay says that money went back (`ventipay-api.md` 4.6, 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutRefunded {
    /// Its id.
    pub checkout: CheckoutId,
    /// What was refunded of it in all, if the body says so: `refunded_amount`, else `amount`
    /// less `available_for_refund`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Money>,
    /// When, if the body says so (`updated_at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What the families of charges and payments tell of one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTold {
    /// Whether it came about.
    pub result: PaymentResult,
    /// The checkout it belongs to, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutId>,
    /// The payment's id, if it is one or names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<ObjectId>,
    /// The charge's id, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<ObjectId>,
    /// The amount, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// When it came about, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why it failed, as Ventipay words it; cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether a payment came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentResult {
    /// The money was taken.
    Succeeded,
    /// It was not.
    Failed,
}

impl PaymentTold {
    /// All names of the payment, the one it would be booked under first.
    pub fn names(&self) -> Vec<PaymentName> {
        let checkout = self.checkout.as_ref().map(PaymentName::of_checkout);
        let payment = self.payment.as_ref().map(PaymentName::of_payment);
        let charge = self.charge.as_ref().map(PaymentName::of_charge);
        checkout.into_iter().chain(payment).chain(charge).collect()
    }

    /// What a transaction of Odoo's that is this payment's may carry as its provider's reference.
    pub fn carried(&self) -> Vec<String> {
        let checkout = self.checkout.as_ref().map(ToString::to_string);
        let payment = self.payment.as_ref().map(ToString::to_string);
        let charge = self.charge.as_ref().map(ToString::to_string);
        checkout.into_iter().chain(payment).chain(charge).collect()
    }
}

/// A customer disputes a payment at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeTold {
    /// Its id.
    pub dispute: ObjectId,
    /// Where it stands.
    pub state: DisputeState,
    /// The checkout it is about, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutId>,
    /// The payment it is about, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<ObjectId>,
    /// The charge it is about, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<ObjectId>,
    /// The amount disputed, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Why, as Ventipay words it; cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Until when evidence is taken, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl DisputeTold {
    /// The names the disputed payment may be booked under.
    pub fn names(&self) -> Vec<PaymentName> {
        let checkout = self.checkout.as_ref().map(PaymentName::of_checkout);
        let payment = self.payment.as_ref().map(PaymentName::of_payment);
        let charge = self.charge.as_ref().map(PaymentName::of_charge);
        checkout.into_iter().chain(payment).chain(charge).collect()
    }
}

/// Where a dispute stands (`ventipay-api.md` 4.5, 5.9), in the order in which it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// Evidence is asked for; as created.
    NeedsResponse,
    /// The bank looks at it.
    UnderReview,
    /// Decided for the merchant.
    Won,
    /// Decided for the customer: the money is gone.
    Lost,
    /// Ended by refunding the charge.
    ChargeRefunded,
}

impl DisputeState {
    /// Every one.
    pub const ALL: &'static [Self] =
        &[Self::NeedsResponse, Self::UnderReview, Self::Won, Self::Lost, Self::ChargeRefunded];

    /// Reads Ventipay's word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "created" | "needs_response" => Self::NeedsResponse,
            "under_review" => Self::UnderReview,
            "won" => Self::Won,
            "lost" => Self::Lost,
            "charge_refunded" => Self::ChargeRefunded,
            _ => return None,
        })
    }

    /// The word of Ventipay's, and of the record in Odoo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::ChargeRefunded => "charge_refunded",
        }
    }

    /// Whether it is decided: nothing but another decision contradicts it.
    pub fn is_final(self) -> bool {
        self >= Self::Won
    }
}

/// Where a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionTold {
    /// Its id.
    pub subscription: ObjectId,
    /// Where it stands.
    pub state: SubscriptionState,
    /// Its customer at Ventipay, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<ObjectId>,
    /// What is charged each period, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// When the period began, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// When it ends, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// When Ventipay last changed it, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Why it stands so, as Ventipay words it; cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where a subscription stands (`ventipay-api.md` 4.5, 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Made, not begun.
    Incomplete,
    /// In its trial.
    Trialing,
    /// Running; told again, it was renewed.
    Active,
    /// A charge failed and is tried again.
    PastDue,
    /// Suspended by the buyer or the merchant; can be resumed.
    Suspended,
    /// Ended, not paid.
    Unpaid,
    /// Ended.
    Canceled,
}

impl SubscriptionState {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::Incomplete,
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Suspended,
        Self::Unpaid,
        Self::Canceled,
    ];

    /// Reads the last part of an event's type, or the object's status.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "created" | "incomplete" => Self::Incomplete,
            "trialing" => Self::Trialing,
            "activated" | "active" => Self::Active,
            "past_due" => Self::PastDue,
            "suspended" => Self::Suspended,
            "unpaid" => Self::Unpaid,
            "canceled" => Self::Canceled,
            _ => return None,
        })
    }

    /// The word of the record in Odoo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Suspended => "suspended",
            Self::Unpaid => "unpaid",
            Self::Canceled => "canceled",
        }
    }

    /// Whether it is ended for good (`ventipay-api.md` 4.5).
    pub fn is_final(self) -> bool {
        self >= Self::Unpaid
    }
}

/// Where an invoice of Ventipay's ("nota de venta") stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceTold {
    /// Its id.
    pub invoice: ObjectId,
    /// Where it stands.
    pub state: InvoiceState,
    /// What it is of, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The subscription it charges, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<ObjectId>,
    /// Its customer at Ventipay, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<ObjectId>,
    /// The payment it was paid with, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<ObjectId>,
    /// The checkout it was paid through, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutId>,
    /// When it was paid, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
}

impl InvoiceTold {
    /// All names of its payment, the one it is booked under first: the payment's, where one is
    /// named.
    pub fn names(&self) -> Vec<PaymentName> {
        let payment = self.payment.as_ref().map(PaymentName::of_payment);
        let checkout = self.checkout.as_ref().map(PaymentName::of_checkout);
        let invoice = PaymentName::of_invoice(&self.invoice);
        payment.into_iter().chain([invoice]).chain(checkout).collect()
    }
}

/// Where an invoice stands (`ventipay-api.md` 4.5, 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Not issued yet.
    Draft,
    /// To be paid.
    Open,
    /// A charge failed and is tried again.
    Retrying,
    /// Given up.
    Uncollectible,
    /// Taken back.
    Void,
    /// Paid.
    Paid,
}

impl InvoiceState {
    /// Reads the last part of an event's type, or the object's status.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "created" | "draft" => Self::Draft,
            "open" => Self::Open,
            "retrying" => Self::Retrying,
            "uncollectible" => Self::Uncollectible,
            "void" => Self::Void,
            "paid" => Self::Paid,
            _ => return None,
        })
    }

    /// The word of Ventipay's, and of the record in Odoo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Retrying => "retrying",
            Self::Uncollectible => "uncollectible",
            Self::Void => "void",
            Self::Paid => "paid",
        }
    }
}

/// A customer enrolled a card (`ventipay-api.md` 5.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardEnrolled {
    /// The intent that succeeded.
    pub setup_intent: ObjectId,
    /// The payment method it enrolled, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<ObjectId>,
    /// Its customer at Ventipay, if the body says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<ObjectId>,
}

impl CardEnrolled {
    /// What the card is called in Odoo: the payment method, else the intent.
    pub fn card(&self) -> &ObjectId {
        self.payment_method.as_ref().unwrap_or(&self.setup_intent)
    }
}
