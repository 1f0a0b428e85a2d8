//! A stream, folded: what was told, what came of it, what is still open.
//!
//! Not here: what to do next ([`super::decide`]).

use concilia_shared::id::EventId;
use jiff::Timestamp;

use super::event::{Booking, CheckoutPaid, Event, Fact, WebhookReceived};
use super::reason::{IgnoreReason, ParkReason, PendingReason, RecordReason};

/// One stream as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What Ventipay told us, in order of arrival, each with where it rests.
    pub told: Vec<Told>,
    /// The payment in Odoo, once there is one.
    pub booking: Option<Booking>,
}

/// One webhook event and where it rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was told.
    pub webhook: WebhookReceived,
    /// Where it rests.
    pub status: Status,
    /// Other bodies that came under the same id.
    pub conflicts: u32,
}

/// Where an event rests; the words of an operator's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// In the log, not yet looked at.
    Received,
    /// In Odoo.
    Reconciled,
    /// Waits, and is tried again by itself.
    Pending {
        /// What it waits for.
        reason: PendingReason,
        /// Tries used.
        attempt: u32,
        /// Since when.
        since: Timestamp,
        /// When it is tried next.
        due_at: Timestamp,
    },
    /// Needs a person.
    Parked(ParkReason),
    /// None of this account's.
    Ignored(IgnoreReason),
    /// Stored, nothing to do in Odoo.
    Recorded(RecordReason),
}

impl Status {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Reconciled => "reconciled",
            Self::Pending { .. } => "pending",
            Self::Parked(_) => "parked",
            Self::Ignored(_) => "ignored",
            Self::Recorded(_) => "recorded",
        }
    }
}

impl State {
    /// Folds a history.
    pub fn replay<'a>(history: impl IntoIterator<Item = &'a Event>) -> Self {
        history.into_iter().fold(Self::default(), |mut state, event| {
            state.apply(event);
            state
        })
    }

    /// One event further.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::WebhookReceived(webhook) => {
                // The log holds an id once; a fold that is told it twice still counts it once.
                if self.find(&webhook.event_id).is_none() {
                    let webhook = webhook.clone();
                    self.told.push(Told { webhook, status: Status::Received, conflicts: 0 });
                }
            }
            Event::PayloadConflicted { about, .. } => {
                if let Some(told) = self.find(about) {
                    told.conflicts += 1;
                }
            }
            Event::Recorded { about, reason } => self.rest(about, Status::Recorded(reason.clone())),
            Event::Ignored { about, reason } => self.rest(about, Status::Ignored(reason.clone())),
            Event::Parked { about, reason } => self.rest(about, Status::Parked(reason.clone())),
            Event::Pended { about, reason, attempt, since, due_at } => {
                let (reason, attempt, since, due_at) = (reason.clone(), *attempt, *since, *due_at);
                self.rest(about, Status::Pending { reason, attempt, since, due_at });
            }
            Event::Booked { about, booking, .. } => {
                self.booking = Some(booking.clone());
                self.rest(about, Status::Reconciled);
            }
        }
    }

    /// The first event that may be attended to now: one never looked at, else one that waits
    /// and is due. Bad weather is looked at whenever the stream is claimed: the claim says it
    /// is time.
    pub fn open(&self, now: Timestamp) -> Option<&Told> {
        let due = |told: &&Told| match &told.status {
            Status::Pending { reason, due_at, .. } => *due_at <= now || reason.is_weather(),
            _ => false,
        };
        let fresh = self.told.iter().find(|told| told.status == Status::Received);
        fresh.or_else(|| self.told.iter().find(due))
    }

    /// When the next waiting event is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = |told: &Told| match told.status {
            Status::Received => Some(told.webhook.received_at),
            Status::Pending { due_at, .. } => Some(due_at),
            _ => None,
        };
        self.told.iter().filter_map(due).min()
    }

    /// The first event that tells the stream's payment and counts: what others repeat, and
    /// what the sums are made of. One that is not ours, was paid before `book_from`, or came
    /// too late to be believed, tells nothing that could be repeated.
    pub fn payment_told(&self) -> Option<(&Told, &CheckoutPaid)> {
        self.told.iter().find_map(|told| match (&told.webhook.fact, &told.status) {
            (
                _,
                Status::Ignored(_)
                | Status::Recorded(_)
                | Status::Parked(ParkReason::LateAndUnverifiable { .. }),
            ) => None,
            (Fact::CheckoutPaid(paid), _) => Some((told, paid)),
            _ => None,
        })
    }

    fn find(&mut self, about: &EventId) -> Option<&mut Told> {
        self.told.iter_mut().find(|told| told.webhook.event_id == *about)
    }

    fn rest(&mut self, about: &EventId, status: Status) {
        if let Some(told) = self.find(about) {
            told.status = status;
        }
    }
}
