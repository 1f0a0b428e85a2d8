//! What to do about an event: given its stream, what was observed, the account's settings.
//! Pure, and total: every combination has an answer.
//!
//! Three questions, asked in this order by [`crate::settle`]:
//! 1. [`plan`]: can it be judged from the log alone, or what must be looked up?
//! 2. [`decide`]: given what was seen, does it rest, or what is to be done in Odoo?
//! 3. [`conclude`]: given what came of that, where does it rest?
//!
//! A paid checkout is judged in `paid`: what all modes share, then `transaction` (mode A)
//! and `order` (mode B), in Hybrid one after the other. A canceled one in `canceled`, one of
//! which money went back in `refunded`, what charges and payments tell in `payment`, disputes,
//! subscriptions, their invoices and cards each in a file of theirs.
//! [`rest`] turns a verdict into the fact it leaves. Not here: when a Pending event is tried
//! again ([`crate::retry`]).

mod canceled;
mod card;
mod currency;
mod dispute;
mod invoice;
mod order;
mod paid;
mod payment;
mod refunded;
mod rest;
mod subscription;
mod transaction;

use concilia_shared::config::{CustomerPolicy, Mode};

use concilia_shared::id::CheckoutId;

use super::event::{Booking, Matched, RefundBooking, Registration};
use super::fact::Fact;
use super::interpret::{customer_of, match_keys};
use super::name::ObjectId;
use super::observe::{AtVentipay, Command, InOdoo, Lookup, Outcome, Probe, Reference};
use super::reason::{IgnoreReason, NotReady, ParkReason, PendingReason, RecordReason};
use super::record::{CardShown, Customer, Record, Recorded};
use super::settings::Settings;
use super::state::{State, Status, Told};

pub use refunded::most_told;
pub use rest::rest;

/// Tries after which a checkout Ventipay does not know is given to a person: about 8 minutes
/// with the default schedule.
const UNKNOWN_TRIES: u32 = 5;

/// What a choice of a person's stands under, where a payload path stands otherwise.
pub const BY_HAND: &str = "by hand";

/// The field a transaction of Odoo's was found by, as a booking tells it.
const REFERENCE_FIELD: &str = "payment.transaction.reference";

/// Where an event rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do in Odoo.
    Recorded(RecordReason),
    /// None of this account's.
    Ignored(IgnoreReason),
    /// To be tried again.
    Pending(PendingReason),
    /// For a person.
    Parked(ParkReason),
    /// In Odoo: by this booking, or found there (then without match).
    Booked(Box<Booking>, Option<Box<Matched>>, Option<Mode>),
    /// What went back is in Odoo: entered, or found there; with the payment as it stands now.
    Refunded(Box<RefundBooking>, Box<Booking>),
    /// Its transaction is cancelled in Odoo.
    Canceled {
        /// The transaction's reference.
        transaction: String,
    },
    /// Its transaction is set to error in Odoo.
    Failed {
        /// The transaction's reference.
        transaction: String,
    },
    /// Not at rest: the customer invoice is made, and its payment follows.
    InvoiceMade {
        /// Its name in Odoo.
        invoice: String,
    },
    /// A record of ours is written in Odoo.
    Registered(Registration),
    /// The credit of its booking is with the invoices that came later.
    Completed(Box<Booking>),
}

/// What [`plan`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The log alone tells.
    Rest(Verdict),
    /// Somebody must be asked first.
    LookUp(Box<Lookup>),
}

/// What [`decide`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What was seen tells.
    Rest(Verdict),
    /// Do this; what it is for was found so.
    Do(Command, Option<Matched>),
    /// Nobody told of this checkout, and Ventipay says that it was paid: take it in first.
    Learn(CheckoutId),
}

/// What was seen of what an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// In Odoo.
    pub odoo: InOdoo,
    /// At Ventipay.
    pub ventipay: AtVentipay,
    /// Whom it is of: what the payload says, and what Ventipay shows of them besides.
    pub customer: Option<Customer>,
    /// The card it is of: what the payload shows, else what Ventipay does.
    pub card: Option<CardShown>,
}

/// Judges an event from the log alone, or says what to look up. `body` is its payload, for
/// the keys: they follow today's settings, not those of the day it came.
pub fn plan(told: &Told, state: &State, settings: &Settings, body: Option<&[u8]>) -> Plan {
    if let Some(verdict) = of_itself(told) {
        return Plan::Rest(verdict);
    }
    let judged = other_environment(told, settings).or_else(|| match &told.webhook.fact {
        Fact::CheckoutPaid(paid) => paid::from_the_log(told, paid, state, settings),
        Fact::CheckoutCanceled(_) => canceled::from_the_log(told, state, settings),
        Fact::CheckoutRefunded(refunded) => refunded::from_the_log(told, refunded, state, settings),
        Fact::PaymentTold(payment) => payment::from_the_log(told, payment, state, settings),
        Fact::DisputeTold(dispute) => dispute::from_the_log(dispute, state, settings),
        Fact::SubscriptionTold(subscription) => {
            subscription::from_the_log(told, subscription, state)
        }
        Fact::InvoiceTold(invoice) => invoice::from_the_log(told, invoice, state, settings),
        Fact::CardEnrolled(_) => card::from_the_log(settings),
        Fact::Other | Fact::Unreadable { .. } => None,
    });
    if let Some(verdict) = judged {
        return Plan::Rest(verdict);
    }
    if settings.company_id.is_none() {
        return Plan::Rest(Verdict::Pending(PendingReason::NotReady { why: NotReady::NoOdoo }));
    }
    // Erased payloads hold back only what is found by their keys.
    let keys = body.ok_or(Verdict::Parked(ParkReason::PayloadErased));
    let lookup = match &told.webhook.fact {
        Fact::CheckoutPaid(paid) => keys.map(|body| paid::lookup(told, paid, settings, body)),
        Fact::CheckoutCanceled(canceled) => {
            keys.map(|body| canceled::lookup(canceled, settings, body))
        }
        Fact::CheckoutRefunded(refunded) => Ok(refunded::lookup(refunded, state)),
        Fact::PaymentTold(payment) => keys.map(|body| payment::lookup(payment, settings, body)),
        Fact::DisputeTold(dispute) => Ok(dispute::lookup(dispute)),
        Fact::SubscriptionTold(subscription) => {
            Ok(subscription::lookup(subscription, settings, body))
        }
        Fact::InvoiceTold(invoice) => {
            keys.map(|body| invoice::lookup(told, invoice, settings, body))
        }
        Fact::CardEnrolled(card) => keys.and_then(|body| card::lookup(card, settings, body)),
        Fact::Other | Fact::Unreadable { .. } => Err(Verdict::Recorded(RecordReason::NothingToDo)),
    };
    lookup.map_or_else(Plan::Rest, |lookup| Plan::LookUp(Box::new(lookup)))
}

/// Judges an event by what was seen, or says what to do. `lookup` is what was asked.
pub fn decide(
    told: &Told,
    state: &State,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Decision {
    let judged = match &told.webhook.fact {
        Fact::CheckoutPaid(paid) => paid::judge(told, paid, lookup, seen, settings),
        Fact::CheckoutCanceled(canceled) => canceled::judge(told, canceled, state, seen, settings),
        Fact::CheckoutRefunded(refunded) => {
            return refunded::judge(told, refunded, state, lookup, seen, settings);
        }
        Fact::PaymentTold(payment) => payment::judge(told, payment, lookup, seen, settings),
        Fact::DisputeTold(dispute) => dispute::judge(told, dispute, state, lookup, seen, settings),
        Fact::SubscriptionTold(subscription) => {
            Ok((subscription::record(subscription, state, seen, settings), None))
        }
        Fact::InvoiceTold(invoice) => invoice::judge(told, invoice, state, lookup, seen, settings),
        Fact::CardEnrolled(card) => card::judge(card, seen, settings),
        Fact::Other | Fact::Unreadable { .. } => Err(without_account(told)),
    };
    match judged {
        Ok((command, matched)) => Decision::Do(command, matched),
        Err(verdict) => Decision::Rest(verdict),
    }
}

/// A checkout that must have been paid for such a fact to be told, and of which Odoo holds
/// nothing: whoever can ask Ventipay takes its payment in, once, into the checkout's own stream.
pub fn presupposes(told: &Told, seen: &Seen, settings: &Settings) -> Option<CheckoutId> {
    match &told.webhook.fact {
        Fact::DisputeTold(dispute) if settings.asks_ventipay && seen.odoo.booked.is_none() => {
            dispute.checkout.clone()
        }
        _ => None,
    }
}

/// Judges what came of a command. `None`: somebody else is at it, ask again.
pub fn conclude(command: &Command, outcome: Outcome, matched: Option<Matched>) -> Option<Verdict> {
    let mode = match command {
        Command::Book(_) => Some(Mode::B),
        Command::Confirm(_) => Some(Mode::A),
        Command::Complete { .. } => return complete(outcome),
        _ => None,
    };
    Some(match (outcome, command) {
        (Outcome::Again, _) => return None,
        (
            Outcome::Booked(booking),
            Command::Book(_) | Command::Confirm(_) | Command::PayInvoice(_),
        ) => Verdict::Booked(Box::new(booking), matched.map(Box::new), mode),
        (Outcome::Refunded(refund, booking), Command::Refund(_)) => {
            Verdict::Refunded(Box::new(refund), Box::new(booking))
        }
        (Outcome::Canceled { transaction }, Command::Cancel(_)) => {
            Verdict::Canceled { transaction }
        }
        (Outcome::InvoiceMade { invoice }, Command::MakeInvoice(_)) => {
            Verdict::InvoiceMade { invoice }
        }
        (Outcome::WhoseUnclear { ambiguous: false }, _) => {
            Verdict::Pending(PendingReason::NoCustomer)
        }
        (Outcome::WhoseUnclear { ambiguous: true }, _) => {
            Verdict::Parked(ParkReason::AmbiguousCustomer)
        }
        (Outcome::Failed { transaction }, Command::Fail(_)) => Verdict::Failed { transaction },
        (Outcome::Recorded(recorded), Command::Record(record)) => {
            return registered(recorded, record);
        }
        (other, Command::Cancel(cancel) | Command::Fail(cancel)) => {
            unfinished(other, &cancel.reference)
        }
        (other, command) => unfinished(other, &command.name()),
    })
}

/// What came of writing a record of ours. What stands in the way of that holds up no booking.
fn registered(recorded: Recorded, record: &Record) -> Option<Verdict> {
    let registration = |transaction| {
        let state = record.state().to_owned();
        Verdict::Registered(Registration { record: record.name(), state, transaction })
    };
    Some(match recorded {
        Recorded::Done(done) => registration(done.transaction),
        Recorded::Same => registration(None),
        Recorded::Again => return None,
        Recorded::Changed { what } => Verdict::Pending(PendingReason::Changed { what }),
        Recorded::NoCustomer => Verdict::Pending(PendingReason::NoCustomer),
        Recorded::AmbiguousCustomer => Verdict::Parked(ParkReason::AmbiguousCustomer),
        Recorded::NoModels => Verdict::Pending(no_models()),
        Recorded::Refused { why, detail } => {
            Verdict::Parked(ParkReason::RefusedByOdoo { why, detail })
        }
    })
}

/// Records of ours cannot be written until somebody runs `odoo setup`; money still can.
pub fn no_models() -> PendingReason {
    only_this(NotReady::NoModels)
}

/// What the account lacks for one command alone: nothing else waits for it.
pub fn only_this(why: NotReady) -> PendingReason {
    PendingReason::OnlyThis { trouble: Box::new(PendingReason::NotReady { why }) }
}

/// What came of anything that was not done.
fn unfinished(outcome: Outcome, of: &str) -> Verdict {
    match outcome {
        // Somebody did it between our look and our call: look again, and judge all of it.
        Outcome::Changed { what } => Verdict::Pending(PendingReason::Changed { what }),
        Outcome::Refused { why, detail } => {
            Verdict::Parked(ParkReason::RefusedByOdoo { why, detail })
        }
        _ => Verdict::Pending(PendingReason::Changed { what: format!("booked {of}") }),
    }
}

/// Completing is a help, not the payment: what cannot be brought together stays as it was.
fn complete(outcome: Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::Booked(booking) | Outcome::Already(booking) => {
            Some(Verdict::Completed(Box::new(booking)))
        }
        Outcome::Again => None,
        other => Some(unfinished(other, "")),
    }
}

/// What can be said of an event whose account is not configured: what needs no account.
pub fn without_account(told: &Told) -> Verdict {
    of_itself(told)
        .unwrap_or(Verdict::Pending(PendingReason::NotReady { why: NotReady::NoAccount }))
}

/// What an event says of itself, whatever the account.
fn of_itself(told: &Told) -> Option<Verdict> {
    match &told.webhook.fact {
        Fact::Other => Some(Verdict::Recorded(RecordReason::NothingToDo)),
        Fact::Unreadable { problem } => {
            Some(Verdict::Parked(ParkReason::Unreadable { problem: problem.clone() }))
        }
        _ => None,
    }
}

/// Whom the payload names; `None` where it names nobody.
fn customer(body: Option<&[u8]>, id: Option<&ObjectId>, settings: &Settings) -> Option<Customer> {
    let mut customer = body.map(customer_of).unwrap_or_default();
    customer.id = customer.id.or_else(|| id.map(ToString::to_string));
    customer.create = settings.customers == CustomerPolicy::Create;
    let named = customer.id.is_some() || customer.rut.is_some() || customer.email.is_some();
    named.then_some(customer)
}

fn other_environment(told: &Told, settings: &Settings) -> Option<Verdict> {
    let live = told.webhook.live;
    (live != Some(settings.environment.is_live()))
        .then_some(Verdict::Ignored(IgnoreReason::OtherEnvironment { live }))
}

/// The names a transaction of Odoo's may have, in the order of preference, each once.
fn references(body: &[u8], settings: &Settings) -> Vec<Reference> {
    let mut references: Vec<Reference> = Vec::new();
    for (path, value) in match_keys(body, &settings.reference_keys) {
        if !references.iter().any(|known| known.value == value) {
            references.push(Reference { path, value });
        }
    }
    references
}

fn probes(body: &[u8], settings: &Settings) -> Vec<Probe> {
    match_keys(body, &settings.match_keys)
        .into_iter()
        .flat_map(|(path, value)| {
            settings.fields.iter().map(move |field| Probe {
                path: path.clone(),
                field: field.clone(),
                value: value.clone(),
            })
        })
        .collect()
}

/// Ventipay does not know a checkout it has just told us of: its own copies may lag behind for
/// a moment.
fn unknown_to_ventipay(told: &Told, not_yet: fn(String) -> PendingReason) -> Verdict {
    let status = "unknown".to_owned();
    if matches!(told.status, Status::Pending { attempt, .. } if attempt >= UNKNOWN_TRIES) {
        Verdict::Parked(ParkReason::NotPayable { status })
    } else {
        Verdict::Pending(not_yet(status))
    }
}
