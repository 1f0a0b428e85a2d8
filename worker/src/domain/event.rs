//! The facts of the log: past tense, never changed.
//!
//! The serialized shape is a promise: `kind` and `version` stand beside the data in the log,
//! and a shape once written must load for ever (fixtures hold it). Not here: how a body
//! becomes a fact ([`super::interpret`]) and what follows from one ([`super::decide`]).

use concilia_shared::id::{CheckoutId, EventId};
use concilia_shared::money::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reason::{IgnoreReason, ParkReason, PendingReason, Problem, RecordReason};

/// Version written beside the data of every event of this build.
pub const VERSION: i32 = 1;

/// A fact about one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Ventipay told us something, and proved that it was Ventipay.
    WebhookReceived(WebhookReceived),
    /// The same event id came again with another body. The first one counts.
    PayloadConflicted {
        /// The id both bodies carry.
        about: EventId,
        /// SHA-256 of the second body, lower-case hex.
        body_hash: String,
    },
    /// Nothing to do in Odoo.
    Recorded {
        /// The event this settles.
        about: EventId,
        /// Why nothing is to be done.
        reason: RecordReason,
    },
    /// Not for this account's environment.
    Ignored {
        /// The event this settles.
        about: EventId,
        /// Why it is none of ours.
        reason: IgnoreReason,
    },
    /// No match yet, or a system we need is unavailable: it will be tried again by itself.
    Pended {
        /// The event that waits.
        about: EventId,
        /// What it waits for.
        reason: PendingReason,
        /// Tries used so far; unavailability uses none.
        attempt: u32,
        /// When it first became Pending: giving up counts from here.
        since: Timestamp,
        /// When it is tried next.
        due_at: Timestamp,
    },
    /// Given to a person.
    Parked {
        /// The event that needs a person.
        about: EventId,
        /// Why.
        reason: ParkReason,
    },
    /// The payment is in Odoo.
    Booked {
        /// The event this settles.
        about: EventId,
        /// What stands in Odoo.
        booking: Booking,
        /// How the order was found; absent when the booking was found already there.
        matched: Option<Matched>,
    },
}

/// What Ventipay told us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookReceived {
    /// Ventipay's id of the event, or `unread-<hash>`.
    pub event_id: EventId,
    /// The type as sent, when it was text that can be shown (at most 64 characters).
    pub event_type: Option<String>,
    /// The envelope's `live`.
    pub live: Option<bool>,
    /// SHA-256 of the raw body, lower-case hex; the bytes are in the payload table.
    pub body_hash: String,
    /// When the ingress had the whole body.
    pub received_at: Timestamp,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// What it says, as far as we act on it.
    pub fact: Fact,
}

/// What a webhook says, as far as we act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// `checkout.paid`.
    CheckoutPaid(CheckoutPaid),
    /// Readable, with nothing to do in Odoo.
    Other,
    /// The envelope or what we need of it does not read.
    Unreadable {
        /// What is wrong.
        problem: Problem,
    },
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
}

/// A payment as it stands in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Reference of the `payment.transaction`.
    pub transaction: String,
    /// Name of the `account.payment`; absent if Odoo made none.
    pub payment: Option<String>,
    /// The amount booked.
    pub amount: Money,
    /// The payment's date.
    pub date: Option<Date>,
    /// Names of the sale orders it is linked to.
    pub orders: Vec<String>,
    /// The invoices it is linked to, as they stood after booking.
    pub invoices: Vec<BookedInvoice>,
    /// What of the payment is still open, as Odoo's decimal text; absent in older events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
}

/// An invoice of a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedInvoice {
    /// Its name.
    pub name: String,
    /// Odoo's `payment_state`.
    pub payment_state: String,
    /// What is still open on it, as Odoo's decimal text in its own currency.
    pub residual: String,
}

/// How an order was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// The payload path, `external_id`.
    pub path: String,
    /// The `sale.order` field, `client_order_ref`.
    pub field: String,
    /// The value both hold.
    pub value: String,
}

impl Event {
    /// The kind, as it stands in the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WebhookReceived(_) => "webhook_received",
            Self::PayloadConflicted { .. } => "payload_conflicted",
            Self::Recorded { .. } => "recorded",
            Self::Ignored { .. } => "ignored",
            Self::Pended { .. } => "pended",
            Self::Parked { .. } => "parked",
            Self::Booked { .. } => "booked",
        }
    }

    /// The webhook event this is about.
    pub fn about(&self) -> &EventId {
        match self {
            Self::WebhookReceived(told) => &told.event_id,
            Self::PayloadConflicted { about, .. }
            | Self::Recorded { about, .. }
            | Self::Ignored { about, .. }
            | Self::Pended { about, .. }
            | Self::Parked { about, .. }
            | Self::Booked { about, .. } => about,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 wrote, it must read for ever, and write again letter by letter: the hash
    /// chain is made of these letters.
    #[test]
    fn every_event_ever_written_still_reads_and_writes_the_same() {
        let lines: Vec<&str> = include_str!("events_v1.jsonl").lines().collect();
        for line in &lines {
            let event: Event =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(serde_json::to_string(&event).unwrap(), *line);
            assert!(line.contains(&format!("\"kind\":\"{}\"", event.kind())), "{line}");
        }
        let kinds: std::collections::BTreeSet<&str> =
            lines.iter().filter_map(|line| line.split('"').nth(3)).collect();
        assert_eq!(kinds.len(), 7, "a kind is missing: {kinds:?}");
    }
}
