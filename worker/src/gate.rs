//! A short memory of bad weather, one for each account: after a call that Odoo or Ventipay did
//! not answer usefully, the account's other events are put off for a moment without asking
//! again, so that an outage does not hold every place where healthy accounts could be settled.
//!
//! In memory only, and each process its own: forgetting it costs one call. Not here: what an
//! event does meanwhile ([`crate::domain::decide::rest`]).

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::domain::reason::{NotReady, PendingReason};

/// Open, or closed until a moment.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<(PendingReason, Timestamp)>>);

impl Gate {
    /// Why nobody should ask now, if so.
    pub fn closed(&self, now: Timestamp) -> Option<PendingReason> {
        let closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closed.as_ref().filter(|(_, until)| now < *until).map(|(reason, _)| reason.clone())
    }

    /// Closes until `until` if `reason` is weather of the whole account; one event's own
    /// trouble closes nothing.
    pub fn close(&self, reason: &PendingReason, until: Timestamp) {
        let own = matches!(
            reason,
            PendingReason::NotReady { why: NotReady::NoOdoo | NotReady::UnknownField { .. } }
        );
        if reason.is_weather() && !own {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((reason.clone(), until));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn weather_closes_it_for_a_while_and_nothing_else_does() {
        let (gate, now) = (Gate::default(), Timestamp::UNIX_EPOCH);
        let until = now + SignedDuration::from_secs(15);
        gate.close(&PendingReason::NoMatch, until);
        gate.close(
            &PendingReason::NotReady { why: NotReady::UnknownField { field: "x".to_owned() } },
            until,
        );
        assert_eq!(gate.closed(now), None);
        gate.close(&PendingReason::OdooUnavailable, until);
        assert_eq!(gate.closed(now), Some(PendingReason::OdooUnavailable));
        assert_eq!(gate.closed(until), None);
    }
}
