//! A stream, folded: what was told, what came of it, what is still open.
//!
//! Not here: what to do next ([`super::decide`]).

use concilia_shared::id::EventId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Booking, Event, RefundBooking, Registration, WebhookReceived};
use super::fact::{DisputeTold, Fact, InvoiceState};
use super::name::PaymentName;
use super::reason::{IgnoreReason, ParkReason, PendingReason, RecordReason};

/// One stream as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What Ventipay told us, in order of arrival, each with where it rests.
    pub told: Vec<Told>,
    /// The payment in Odoo, once there is one.
    pub booking: Option<Booking>,
    /// What of it went back, as booked, in the order in which it was.
    pub refunds: Vec<RefundBooking>,
    /// What was last written into a record of ours (of a dispute, a subscription, a card).
    pub registered: Option<Registration>,
    /// The customer invoice that was made for it.
    pub made_invoice: Option<String>,
    /// How many facts the stream holds: how new what is made of it is.
    pub length: u64,
    /// Rebuilt from the broker and not released yet: nothing acts on it.
    pub held: bool,
    /// The booked event whose open credit is to be given to invoices that came later.
    pub credit_of: Option<EventId>,
}

/// What is to be done next in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open<'a> {
    /// An event is to be attended to.
    Attend(&'a Told),
    /// The open credit of a booked event is to be given to invoices that came later.
    Complete(&'a Told),
}

/// The payment of a stream, as it was first told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment<'a> {
    /// The event that told it.
    pub told: &'a Told,
    /// What was paid.
    pub amount: Money,
    /// When, if anybody says.
    pub paid_at: Option<Timestamp>,
    /// Its names in Odoo.
    pub names: Vec<PaymentName>,
}

/// One webhook event and where it rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What was told.
    pub webhook: WebhookReceived,
    /// Where it rests.
    pub status: Status,
    /// Other bodies that came under the same id.
    pub conflicts: u32,
    /// The order a person chose, by its name.
    pub chosen: Option<String>,
    /// What a person accepted.
    pub accepted: Vec<ParkReason>,
}

/// Where an event rests; the words of an operator's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rests", content = "with", rename_all = "snake_case")]
pub enum Status {
    /// In the log, not yet looked at.
    Received,
    /// In Odoo.
    Reconciled,
    /// In Odoo: the transaction of a canceled checkout is cancelled there.
    Canceled {
        /// Its reference.
        transaction: String,
    },
    /// In Odoo: what went back.
    Refunded(RefundBooking),
    /// In Odoo: the transaction of a failed payment is set to error there.
    Failed {
        /// Its reference.
        transaction: String,
    },
    /// In Odoo: a record of ours.
    Registered(Registration),
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
            Self::Reconciled
            | Self::Canceled { .. }
            | Self::Refunded(_)
            | Self::Failed { .. }
            | Self::Registered(_) => "reconciled",
            Self::Pending { .. } => "pending",
            Self::Parked(_) => "parked",
            Self::Ignored(_) => "ignored",
            Self::Recorded(_) => "recorded",
        }
    }
}

impl Told {
    /// The payment this event tells, whatever became of it. What only confirms tells one once it
    /// did.
    pub fn payment(&self) -> Option<Payment<'_>> {
        let payment = |amount, paid_at, names| Some(Payment { told: self, amount, paid_at, names });
        match &self.webhook.fact {
            Fact::CheckoutPaid(paid) => payment(paid.amount, paid.paid_at, paid.names()),
            Fact::InvoiceTold(invoice) if invoice.state == InvoiceState::Paid => {
                payment(invoice.amount?, invoice.paid_at, invoice.names())
            }
            Fact::PaymentTold(told) if self.status == Status::Reconciled => {
                payment(told.amount?, told.at, told.names())
            }
            _ => None,
        }
    }

    /// Whether it waits for the payment of its own stream to be booked.
    fn waits_for_payment(&self) -> bool {
        matches!(&self.status, Status::Pending { reason: PendingReason::NotBookedYet, .. })
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
        self.length += 1;
        match event {
            Event::WebhookReceived(webhook) => {
                // The log holds an id once; a fold that is told it twice still counts it once.
                if self.find(&webhook.event_id).is_none() {
                    let webhook = webhook.clone();
                    self.told.push(Told {
                        webhook,
                        status: Status::Received,
                        conflicts: 0,
                        chosen: None,
                        accepted: Vec::new(),
                    });
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
            Event::TransactionCanceled { about, transaction } => {
                self.rest(about, Status::Canceled { transaction: transaction.clone() });
            }
            Event::Refunded { about, refund, booking } => {
                self.refunds.push(refund.clone());
                // What a lost dispute took back is of a payment in another stream, and the
                // dispute's record is still to be written.
                if refund.dispute.is_none() {
                    self.booking = Some(booking.clone());
                    self.rest(about, Status::Refunded(refund.clone()));
                }
            }
            Event::TransactionFailed { about, transaction } => {
                self.rest(about, Status::Failed { transaction: transaction.clone() });
            }
            // What it was made for is still to be paid.
            Event::InvoiceMade { invoice, .. } => self.made_invoice = Some(invoice.clone()),
            Event::Registered { about, registration } => {
                self.registered = Some(registration.clone());
                self.rest(about, Status::Registered(registration.clone()));
            }
            Event::CreditFound { about } => self.credit_of = Some(about.clone()),
            Event::Completed { booking, .. } => {
                self.booking = Some(booking.clone());
                self.credit_of = None;
            }
            Event::RetryRequested { about, .. } => self.reopen(about, |_| {}),
            Event::MatchChosen { about, order, .. } => {
                self.reopen(about, |told| told.chosen = Some(order.clone()));
            }
            Event::DifferenceAccepted { about, accepted, .. } => {
                self.reopen(about, |told| told.accepted.push(accepted.clone()));
            }
            Event::Held { .. } => self.held = true,
            Event::Released { .. } => self.held = false,
            // Facts of an account, which has a stream of its own.
            Event::SettingsChanged { .. }
            | Event::AccountPaused { .. }
            | Event::AccountResumed { .. }
            | Event::OutageBegan { .. }
            | Event::OutageEnded { .. }
            | Event::DatabaseSeen { .. } => {}
        }
    }

    /// What is to be done now, if anything: a held stream waits for a person.
    pub fn work(&self, now: Timestamp) -> Option<Open<'_>> {
        if self.held {
            return None;
        }
        let credit = || {
            let about = self.credit_of.as_ref()?;
            let told = self.told.iter().find(|told| told.webhook.event_id == *about)?;
            Some(Open::Complete(told))
        };
        self.open(now).map(Open::Attend).or_else(credit)
    }

    /// The first event that may be attended to now: one never looked at, else one that waits
    /// and is due. Bad weather is looked at whenever the stream is claimed: the claim says it
    /// is time. Of what was never looked at, what tells a payment comes first: the rest follows
    /// from it.
    fn open(&self, now: Timestamp) -> Option<&Told> {
        let due = |told: &&Told| match &told.status {
            Status::Pending { reason, due_at, .. } => *due_at <= now || reason.is_weather(),
            _ => false,
        };
        let fresh = || self.told.iter().filter(|told| told.status == Status::Received);
        let payment = fresh().find(|told| told.payment().is_some());
        payment.or_else(|| fresh().next()).or_else(|| self.told.iter().find(due))
    }

    /// What is to be done when the stream was woken before anything was due: somebody expects the
    /// event that is due first to fare otherwise now.
    pub fn woken(&self) -> Option<Open<'_>> {
        let due = |told: &&Told| match told.status {
            Status::Pending { due_at, .. } => Some(due_at),
            _ => None,
        };
        let waiting = self.told.iter().filter(|told| !self.held && due(told).is_some());
        waiting.min_by_key(due).map(Open::Attend)
    }

    /// When the next waiting event is due; never while the stream is held.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.held {
            return None;
        }
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
    pub fn payment_told(&self) -> Option<Payment<'_>> {
        let counts = |told: &&Told| {
            !matches!(
                told.status,
                Status::Ignored(_)
                    | Status::Recorded(_)
                    | Status::Parked(ParkReason::LateAndUnverifiable { .. })
            )
        };
        self.told.iter().filter(counts).find_map(Told::payment)
    }

    /// The stream's payment, where it is booked under another of its names, in another stream.
    pub fn payment_elsewhere(&self) -> Option<Payment<'_>> {
        let elsewhere = |told: &&Told| {
            matches!(&told.status, Status::Recorded(RecordReason::BookedElsewhere { .. }))
        };
        self.told.iter().filter(elsewhere).find_map(Told::payment)
    }

    /// What of the payment went back, as booked.
    pub fn refunds_booked(&self) -> Option<Money> {
        let mut refunds = self.refunds.iter().map(|refund| refund.amount);
        let first = refunds.next()?;
        Some(refunds.fold(first, |sum, refund| Money::new(sum.minor + refund.minor, sum.currency)))
    }

    /// What was told of the stream's dispute, the last first.
    pub fn disputes(&self) -> impl Iterator<Item = &DisputeTold> {
        self.told.iter().rev().filter_map(|told| match &told.webhook.fact {
            Fact::DisputeTold(dispute) => Some(dispute),
            _ => None,
        })
    }

    /// Whether a person closed another telling of the stream's payment: repeating it opens
    /// nothing.
    pub fn closed_by_hand(&self, told: &Told) -> bool {
        self.told.iter().any(|other| {
            other.webhook.event_id != told.webhook.event_id
                && other.payment().is_some()
                && matches!(other.status, Status::Ignored(IgnoreReason::ByHand { .. }))
        })
    }

    /// What a person changed is looked at again: what waits at once, its counts kept; what
    /// rests as if it had just come. What is in Odoo stays as it is.
    fn reopen(&mut self, about: &EventId, change: impl FnOnce(&mut Told)) {
        let Some(told) = self.find(about) else { return };
        change(told);
        match &mut told.status {
            Status::Reconciled
            | Status::Canceled { .. }
            | Status::Refunded(_)
            | Status::Failed { .. }
            | Status::Registered(_)
            | Status::Received => {}
            Status::Pending { since, due_at, .. } => *due_at = *since,
            Status::Parked(_) | Status::Ignored(_) | Status::Recorded(_) => {
                told.status = Status::Received;
            }
        }
    }

    fn find(&mut self, about: &EventId) -> Option<&mut Told> {
        self.told.iter_mut().find(|told| told.webhook.event_id == *about)
    }

    fn rest(&mut self, about: &EventId, status: Status) {
        let Some(told) = self.find(about) else { return };
        told.status = status;
        // Where a payment rests decides about what waits for it.
        if told.payment().is_some() && !matches!(told.status, Status::Pending { .. }) {
            for waiting in self.told.iter_mut().filter(|told| told.waits_for_payment()) {
                if let Status::Pending { since, due_at, .. } = &mut waiting.status {
                    *due_at = *since;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{SettingChange, System};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn id() -> EventId {
        EventId::parse("evt_1").unwrap()
    }

    fn told() -> Event {
        Event::WebhookReceived(WebhookReceived {
            event_id: id(),
            event_type: None,
            live: Some(false),
            body_hash: String::new(),
            received_at: NOW,
            late_s: None,
            fact: Fact::Other,
            source: None,
        })
    }

    fn parked() -> Event {
        Event::Parked { about: id(), reason: ParkReason::Disputed }
    }

    fn retry() -> Event {
        Event::RetryRequested { about: id(), by: "ana".to_owned() }
    }

    fn attends(state: &State) -> bool {
        matches!(state.work(NOW), Some(Open::Attend(_)))
    }

    #[test]
    fn a_person_reopens_what_rests_and_nothing_that_is_in_odoo() {
        for rests in [
            parked(),
            Event::Ignored {
                about: id(),
                reason: IgnoreReason::ByHand { by: "ana".to_owned(), why: "w".to_owned() },
            },
            Event::Recorded { about: id(), reason: RecordReason::ToldBefore },
        ] {
            assert!(attends(&State::replay(&[told(), rests, retry()])));
        }
        let canceled = Event::TransactionCanceled { about: id(), transaction: "S1".to_owned() };
        assert!(!attends(&State::replay(&[told(), canceled, retry()])));
    }

    #[test]
    fn a_retry_makes_what_waits_due_and_keeps_its_counts() {
        let due_at = NOW + jiff::SignedDuration::from_hours(1);
        let reason = PendingReason::NoMatch { looked_for: Vec::new() };
        let pended = Event::Pended { about: id(), reason, attempt: 7, since: NOW, due_at };
        let waiting = State::replay(&[told(), pended.clone()]);
        assert!(!attends(&waiting));
        let retried = State::replay(&[told(), pended, retry()]);
        assert!(attends(&retried));
        assert!(matches!(retried.told[0].status, Status::Pending { attempt: 7, .. }));
    }

    #[test]
    fn a_woken_stream_attends_to_what_is_due_first_unless_it_is_held() {
        let due_at = NOW + jiff::SignedDuration::from_hours(1);
        let reason = PendingReason::NoMatch { looked_for: Vec::new() };
        let pended = Event::Pended { about: id(), reason, attempt: 7, since: NOW, due_at };
        let waiting = State::replay(&[told(), pended.clone()]);
        assert!(!attends(&waiting) && matches!(waiting.woken(), Some(Open::Attend(_))));
        assert_eq!(State::replay(&[told(), parked()]).woken(), None);
        let held = Event::Held { about: id() };
        assert_eq!(State::replay(&[told(), pended, held]).woken(), None);
    }

    #[test]
    fn a_refund_goes_on_the_moment_its_payment_comes_to_rest() {
        let event = |json: &str| serde_json::from_str::<Event>(json).unwrap();
        let lines = include_str!("events_v1.jsonl").lines();
        let refunded = lines.filter(|line| line.contains("checkout_refunded")).map(event);
        let paid = event(include_str!("events_v1.jsonl").lines().next().unwrap());
        let about = EventId::parse("evt_30").unwrap();
        let month = jiff::SignedDuration::from_hours(24 * 30);
        let (reason, due_at) = (PendingReason::NotBookedYet, NOW + month);
        let pended = Event::Pended { about, reason, attempt: 0, since: NOW, due_at };
        let mut state = State::replay(&refunded.chain([pended, paid]).collect::<Vec<_>>());
        for rests in [
            Event::Parked { about: id(), reason: ParkReason::Disputed },
            Event::Recorded { about: id(), reason: RecordReason::ToldBefore },
        ] {
            let mut state = state.clone();
            state.apply(&rests);
            assert!(attends(&state), "{rests:?}");
        }
        let waits = PendingReason::NoMatch { looked_for: Vec::new() };
        let pended = Event::Pended { about: id(), reason: waits, attempt: 1, since: NOW, due_at };
        state.apply(&pended);
        assert!(!attends(&state), "its payment still waits");
    }

    #[test]
    fn a_held_stream_waits_for_its_release_whatever_is_due() {
        let held = Event::Held { about: id() };
        let released = Event::Released { about: id(), by: "ana".to_owned() };
        let state = State::replay(&[told(), held.clone()]);
        assert!(!attends(&state) && state.next_due().is_none());
        assert!(attends(&State::replay(&[told(), held, released])));
    }

    #[test]
    fn what_a_person_chose_and_accepted_is_kept() {
        let (by, why) = ("ana".to_owned(), "w".to_owned());
        let chosen = Event::MatchChosen {
            about: id(),
            order: "S1".to_owned(),
            by: by.clone(),
            why: why.clone(),
        };
        let accepted =
            Event::DifferenceAccepted { about: id(), accepted: ParkReason::Disputed, by, why };
        let state = State::replay(&[told(), parked(), chosen, accepted]);
        assert_eq!(state.told[0].chosen.as_deref(), Some("S1"));
        assert_eq!(state.told[0].accepted, [ParkReason::Disputed]);
        assert!(attends(&state));
    }

    #[test]
    fn facts_of_an_account_change_no_stream_of_a_payment() {
        let change = SettingChange { key: "mode".to_owned(), from: None, to: None };
        let events = [
            Event::SettingsChanged { by: String::new(), why: None, changes: vec![change] },
            Event::OutageEnded { system: System::Odoo },
        ];
        assert_eq!(State::replay(&events), State { length: 2, ..State::default() });
    }
}
