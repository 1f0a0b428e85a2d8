//! The fact a verdict leaves in the log.
//!
//! Not here: the verdict ([`super::decide`]) and the schedule ([`crate::retry`]).

use concilia_shared::config::Retry;
use jiff::{SignedDuration, Timestamp};

use super::Verdict;
use crate::domain::event::Event;
use crate::domain::reason::{ParkReason, PendingReason};
use crate::domain::state::{Status, Told};
use crate::retry::{self, Jitter};

/// The fact a verdict leaves in the log. Pending gets its next time, or is parked when it was
/// tried for as long as the schedule says; weather uses up no try and never gives up.
pub fn rest(
    told: &Told,
    verdict: Verdict,
    schedule: &Retry,
    now: Timestamp,
    jitter: Jitter,
) -> Event {
    let about = told.webhook.event_id.clone();
    match verdict {
        Verdict::Recorded(reason) => Event::Recorded { about, reason },
        Verdict::Ignored(reason) => Event::Ignored { about, reason },
        Verdict::Parked(reason) => Event::Parked { about, reason },
        Verdict::Booked(booking, matched, mode) => {
            let matched = matched.map(|matched| *matched);
            Event::Booked { about, booking: *booking, matched, mode }
        }
        Verdict::Refunded(refund, booking) => {
            Event::Refunded { about, refund: *refund, booking: *booking }
        }
        Verdict::Canceled { transaction } => Event::TransactionCanceled { about, transaction },
        Verdict::Failed { transaction } => Event::TransactionFailed { about, transaction },
        Verdict::InvoiceMade { invoice } => Event::InvoiceMade { about, invoice },
        Verdict::Registered(registration) => Event::Registered { about, registration },
        Verdict::Completed(booking) => Event::Completed { about, booking: *booking },
        Verdict::Pending(reason) => pending(told, reason, schedule, now, jitter),
    }
}

fn pending(
    told: &Told,
    reason: PendingReason,
    schedule: &Retry,
    now: Timestamp,
    jitter: Jitter,
) -> Event {
    let about = told.webhook.event_id.clone();
    let (tried, since) = waited(&told.status, now);
    if reason.is_weather() {
        let since = bad_since(&told.status, since);
        let due_at = now + retry::weather_after(schedule, since, now, jitter);
        return Event::Pended { about, reason, attempt: tried, since, due_at };
    }
    // Nothing outside its own stream can help it, and what happens there makes it due.
    if reason == PendingReason::NotBookedYet {
        let due_at = since + retry::give_up_after(schedule);
        if due_at <= now {
            let waiting_for = Box::new(reason);
            return Event::Parked {
                about,
                reason: ParkReason::RetriesExhausted { attempts: tried, waiting_for },
            };
        }
        return Event::Pended { about, reason, attempt: tried, since, due_at };
    }
    // Woken before its time: a look that finds nothing new uses up no try.
    if let Status::Pending { due_at, attempt, .. } = &told.status
        && *due_at > now
    {
        return Event::Pended { about, reason, attempt: *attempt, since, due_at: *due_at };
    }
    let attempt = tried.saturating_add(1);
    if retry::exhausted(schedule, since, now) {
        let waiting_for = Box::new(reason);
        let reason = ParkReason::RetriesExhausted { attempts: attempt, waiting_for };
        return Event::Parked { about, reason };
    }
    let due_at = now + retry::due_after(schedule, attempt, jitter);
    Event::Pended { about, reason, attempt, since, due_at }
}

/// Tries used, and since when it has been waited, bad weather left out: an outage of a month
/// must not use up the month in which an order may still come.
fn waited(status: &Status, now: Timestamp) -> (u32, Timestamp) {
    match status {
        Status::Pending { reason, attempt, since, due_at } if reason.is_weather() => {
            // The event was written when the weather turned; its due time is one wait later.
            let lasted = now.duration_since(*due_at).max(SignedDuration::ZERO);
            (*attempt, if *attempt == 0 { now } else { (*since + lasted).min(now) })
        }
        Status::Pending { attempt, since, .. } => (*attempt, *since),
        _ => (0, now),
    }
}

/// Since when the weather has been bad: what is waited for it grows with it.
fn bad_since(status: &Status, otherwise: Timestamp) -> Timestamp {
    match status {
        Status::Pending { reason, attempt: 0, since, .. } if reason.is_weather() => *since,
        _ => otherwise,
    }
}
