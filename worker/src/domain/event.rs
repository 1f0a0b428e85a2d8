//! The facts of the log: past tense, never changed.
//!
//! The serialized shape is a promise: `kind` and `version` stand beside the data in the log,
//! and a shape once written must load for ever (fixtures hold it). Shapes only grow: by kinds,
//! and by fields that are left out where they say nothing.
//!
//! Three kinds of facts: what Ventipay told, what came of it, and what a person decided. Most
//! belong to the stream of one business object; those of an account stand in its own stream
//! ([`super::account`]). Not here: how a body becomes a fact ([`super::interpret`]) and what
//! follows from one ([`super::decide`]).

use concilia_shared::config::Mode;
use concilia_shared::id::EventId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::name::ObjectId;
use super::reason::{IgnoreReason, ParkReason, PendingReason, RecordReason};

pub use super::fact::*;

/// What the events of an account are about: no webhook, so a word no event id of a webhook's
/// stream is compared with.
pub const ABOUT_ACCOUNT: &str = "account";

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
        /// The mode it was booked in, A or B; absent in events of before there was a choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<Mode>,
    },
    /// The transaction of a canceled checkout is cancelled in Odoo.
    TransactionCanceled {
        /// The event this settles.
        about: EventId,
        /// The transaction's reference.
        transaction: String,
    },
    /// Odoo holds open credit of the booking beside an open invoice of its own order.
    CreditFound {
        /// The event that was booked.
        about: EventId,
    },
    /// A part of what Ventipay refunded is in Odoo; or, of a dispute's event, what it took back.
    Refunded {
        /// The event this settles, or, of a dispute, whose record follows.
        about: EventId,
        /// What was booked.
        refund: RefundBooking,
        /// The refunded payment, as it stands now.
        booking: Booking,
    },
    /// The transaction of a payment that failed is set to error in Odoo.
    TransactionFailed {
        /// The event this settles.
        about: EventId,
        /// The transaction's reference.
        transaction: String,
    },
    /// The customer invoice of a subscription's paid invoice was made in Odoo, which had none; its
    /// payment follows.
    InvoiceMade {
        /// The event it was made for.
        about: EventId,
        /// Its name in Odoo; a draft may have none: then `/`.
        invoice: String,
    },
    /// The record of a dispute, a subscription or a card is written in Odoo.
    Registered {
        /// The event this settles.
        about: EventId,
        /// What was written.
        registration: Registration,
    },
    /// The credit was given to the invoices that came later; nothing is left to bring together.
    Completed {
        /// The event that was booked.
        about: EventId,
        /// What stands in Odoo now.
        booking: Booking,
    },
    /// A person asked that it be tried now.
    RetryRequested {
        /// The event to try.
        about: EventId,
        /// Who.
        by: String,
    },
    /// A person chose the order.
    MatchChosen {
        /// The event to try with it.
        about: EventId,
        /// The order's name.
        order: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A person accepted what it was parked for: it is to be booked all the same.
    DifferenceAccepted {
        /// The event to book.
        about: EventId,
        /// What was accepted, as it stood.
        accepted: ParkReason,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// The stream was rebuilt from the broker: nothing acts on it until a person releases it.
    Held {
        /// The event that was read again.
        about: EventId,
    },
    /// A person released the stream.
    Released {
        /// The stream's first event.
        about: EventId,
        /// Who.
        by: String,
    },
    /// Somebody changed settings of the account.
    SettingsChanged {
        /// Who.
        by: String,
        /// Why, if they said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// What was changed.
        changes: Vec<SettingChange>,
    },
    /// A person paused the account: what comes is kept, nothing is acted upon.
    AccountPaused {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A person let the account go on.
    AccountResumed {
        /// Who.
        by: String,
    },
    /// A system the account needs stopped answering usefully.
    OutageBegan {
        /// Which.
        system: System,
        /// What was seen, with what to do about it.
        reason: PendingReason,
    },
    /// It answers again.
    OutageEnded {
        /// Which.
        system: System,
    },
    /// The Odoo database the account was first seen to book into; another one pauses it.
    DatabaseSeen {
        /// Its `database.uuid`.
        database: String,
    },
}

/// A system whose absence pauses an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// Its Odoo.
    Odoo,
    /// Ventipay's API.
    Ventipay,
}

impl System {
    /// The word of logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Odoo => "odoo",
            Self::Ventipay => "ventipay",
        }
    }
}

/// One setting of an account, as text; absent is not set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// The key, `mode`.
    pub key: String,
    /// What it was.
    pub from: Option<String>,
    /// What it is from now on.
    pub to: Option<String>,
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
    /// How we know, where not by a signed webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// How we know of a fact that no signed webhook told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Read from Ventipay's API with the account's key, because another fact was about it.
    Fetched,
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

/// A refund as it stands in Odoo: a transaction of its own, child of the payment's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundBooking {
    /// Reference of the `payment.transaction`.
    pub transaction: String,
    /// Name of the outbound `account.payment`; absent if Odoo made none.
    pub payment: Option<String>,
    /// What went back.
    pub amount: Money,
    /// What of the payment was refunded with it in all.
    pub refunded: Money,
    /// The payment's date.
    pub date: Option<Date>,
    /// The draft credit note made for it, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_note: Option<String>,
    /// The lost dispute that took it back; absent for a refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<ObjectId>,
}

/// A record of ours as it stands in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name there, `dispute-dp_1`.
    pub record: String,
    /// Where it stands: a word of its kind, `won`.
    pub state: String,
    /// The payment's transaction it is linked to, if one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
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
            Self::TransactionCanceled { .. } => "transaction_canceled",
            Self::CreditFound { .. } => "credit_found",
            Self::Refunded { .. } => "refunded",
            Self::TransactionFailed { .. } => "transaction_failed",
            Self::InvoiceMade { .. } => "invoice_made",
            Self::Registered { .. } => "registered",
            Self::Completed { .. } => "completed",
            Self::RetryRequested { .. } => "retry_requested",
            Self::MatchChosen { .. } => "match_chosen",
            Self::DifferenceAccepted { .. } => "difference_accepted",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::SettingsChanged { .. } => "settings_changed",
            Self::AccountPaused { .. } => "account_paused",
            Self::AccountResumed { .. } => "account_resumed",
            Self::OutageBegan { .. } => "outage_began",
            Self::OutageEnded { .. } => "outage_ended",
            Self::DatabaseSeen { .. } => "database_seen",
        }
    }

    /// The webhook event this is about, or [`ABOUT_ACCOUNT`].
    pub fn about(&self) -> &str {
        match self {
            Self::WebhookReceived(told) => told.event_id.as_str(),
            Self::PayloadConflicted { about, .. }
            | Self::Recorded { about, .. }
            | Self::Ignored { about, .. }
            | Self::Pended { about, .. }
            | Self::Parked { about, .. }
            | Self::Booked { about, .. }
            | Self::TransactionCanceled { about, .. }
            | Self::CreditFound { about }
            | Self::Refunded { about, .. }
            | Self::TransactionFailed { about, .. }
            | Self::InvoiceMade { about, .. }
            | Self::Registered { about, .. }
            | Self::Completed { about, .. }
            | Self::RetryRequested { about, .. }
            | Self::MatchChosen { about, .. }
            | Self::DifferenceAccepted { about, .. }
            | Self::Held { about }
            | Self::Released { about, .. } => about.as_str(),
            Self::SettingsChanged { .. }
            | Self::AccountPaused { .. }
            | Self::AccountResumed { .. }
            | Self::OutageBegan { .. }
            | Self::OutageEnded { .. }
            | Self::DatabaseSeen { .. } => ABOUT_ACCOUNT,
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
        assert_eq!(kinds.len(), 25, "a kind is missing: {kinds:?}");
    }
}
