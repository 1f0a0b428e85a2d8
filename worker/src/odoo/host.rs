//! One Odoo host, seen from one process: a limit of calls at once, a breaker, and obedience to
//! `Retry-After`. All accounts of the host share it, whatever their databases.
//!
//! The breaker opens after `FAILURES_MAX` calls in a row that the host did not answer
//! usefully; then one call at a time tries it, after a wait that grows from one second to a
//! minute. A call that is not made says so ([`OdooError::Closed`]): it is no new evidence.
//! In memory only, and each process its own: forgetting it costs a few calls.
//!
//! Not here: what an account does meanwhile ([`crate::weather`]).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Odoo, OdooError};
use crate::clock::Clock;
use crate::domain::observe::{Command, InOdoo, Lookup, News, NewsQuery, Outcome};
use crate::domain::record::{Record, Recorded};

/// Calls in a row without a useful answer that open the breaker.
const FAILURES_MAX: u32 = 5;

/// Waits while the breaker is open, in seconds: the first, and the longest.
const OPEN_S: (i64, i64) = (1, 60);

/// Longest `Retry-After` that is obeyed, in seconds: an hour; a page that asks for more is
/// looked at again all the same.
const RETRY_AFTER_MAX_S: u64 = 3_600;

/// One host.
#[derive(Debug)]
pub struct Host {
    permits: Semaphore,
    breaker: Mutex<Breaker>,
}

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    closed_until: Option<Timestamp>,
    /// Somebody is trying whether it answers again.
    trying: bool,
}

impl Breaker {
    /// When a call may be made: now (`None`), or not before.
    fn admit(&mut self, now: Timestamp) -> Option<Timestamp> {
        let until = self.closed_until?;
        if now < until {
            return Some(until);
        }
        if self.trying {
            return Some(now + SignedDuration::from_secs(OPEN_S.0));
        }
        self.trying = self.failures >= FAILURES_MAX;
        None
    }

    fn answered(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, now: Timestamp, retry_after_s: Option<u64>) {
        self.trying = false;
        self.failures = self.failures.saturating_add(1);
        let open_s = self.failures.checked_sub(FAILURES_MAX).map(|beyond| {
            OPEN_S
                .0
                .saturating_mul(1_i64.checked_shl(beyond.min(6)).unwrap_or(OPEN_S.1))
                .min(OPEN_S.1)
        });
        let asked_s = retry_after_s.map(|s| i64::try_from(s.min(RETRY_AFTER_MAX_S)).unwrap_or(0));
        let wait_s = open_s.max(asked_s);
        if let Some(wait_s) = wait_s {
            let until = now + SignedDuration::from_secs(wait_s);
            self.closed_until = self.closed_until.max(Some(until));
        }
    }

    /// Nothing was learnt: a call that was cut off here.
    fn abandoned(&mut self) {
        self.trying = false;
    }
}

impl Host {
    /// A host that is called at most `calls_max` times at once.
    pub fn new(calls_max: usize) -> Self {
        Self { permits: Semaphore::new(calls_max.max(1)), breaker: Mutex::default() }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, at most `wait`.
    async fn enter(&self, clock: &dyn Clock, wait: Duration) -> Result<Place<'_>, OdooError> {
        let now = clock.now();
        let admitted = self.breaker().admit(now);
        if let Some(until) = admitted {
            return Err(OdooError::Closed { until });
        }
        let tries = self.breaker().trying;
        let place = Place { host: self, tries, _permit: None };
        match tokio::time::timeout(wait, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: Some(permit), ..place }),
            _ => Err(OdooError::Closed { until: now + SignedDuration::from_secs(OPEN_S.0) }),
        }
    }
}

/// A place among the calls under way; a call that is dropped half-way frees it too.
struct Place<'a> {
    host: &'a Host,
    /// It is the one call that tries whether the host answers again.
    tries: bool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.host.breaker().abandoned();
        }
    }
}

/// An Odoo behind its host's limits.
pub struct Guarded {
    inner: Arc<dyn Odoo>,
    host: Arc<Host>,
    clock: Arc<dyn Clock>,
    /// Longest wait for a place.
    wait: Duration,
}

impl Guarded {
    /// `inner`, called only when `host` has a place, waiting for one at most `wait`.
    pub fn new(
        inner: Arc<dyn Odoo>,
        host: Arc<Host>,
        clock: Arc<dyn Clock>,
        wait: Duration,
    ) -> Self {
        Self { inner, host, clock, wait }
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, OdooError>>,
    ) -> Result<T, OdooError> {
        let _place = self.host.enter(self.clock.as_ref(), self.wait).await?;
        let answer = call.await;
        let mut breaker = self.host.breaker();
        match &answer {
            Err(OdooError::Unavailable { retry_after_s, .. }) => {
                breaker.failed(self.clock.now(), *retry_after_s);
            }
            Err(OdooError::Unknown { .. }) => breaker.failed(self.clock.now(), None),
            // It answers; what it says is the account's affair.
            Ok(_) | Err(OdooError::NotReady(_) | OdooError::Closed { .. }) => breaker.answered(),
        }
        drop(breaker);
        answer
    }
}

#[async_trait]
impl Odoo for Guarded {
    async fn observe(&self, lookups: &[Lookup]) -> Result<Vec<InOdoo>, OdooError> {
        self.call(self.inner.observe(lookups)).await
    }

    async fn perform(&self, commands: &[Command]) -> Result<Vec<Outcome>, OdooError> {
        self.call(self.inner.perform(commands)).await
    }

    async fn record(&self, records: &[Record]) -> Result<Vec<Recorded>, OdooError> {
        self.call(self.inner.record(records)).await
    }

    async fn news(&self, query: &NewsQuery) -> Result<News, OdooError> {
        self.call(self.inner.news(query)).await
    }

    async fn ping(&self) -> Result<(), OdooError> {
        self.call(self.inner.ping()).await
    }

    fn database(&self) -> Option<String> {
        self.inner.database()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| breaker.failed(at(0), None));
        breaker
    }

    #[test]
    fn a_few_failures_open_nothing_and_one_more_does() {
        let mut breaker = Breaker::default();
        (1..FAILURES_MAX).for_each(|_| breaker.failed(at(0), None));
        assert_eq!(breaker.admit(at(0)), None);
        breaker.failed(at(0), None);
        assert_eq!(breaker.admit(at(0)), Some(at(1)));
    }

    #[test]
    fn while_it_is_open_one_call_at_a_time_tries_it() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(1)), None, "one tries");
        assert_eq!(breaker.admit(at(1)), Some(at(2)), "the others wait");
        breaker.failed(at(1), None);
        assert_eq!(breaker.admit(at(2)), Some(at(3)), "two seconds this time");
        assert_eq!(breaker.admit(at(3)), None);
        breaker.answered();
        assert_eq!((breaker.admit(at(3)), breaker.admit(at(3))), (None, None));
    }

    #[test]
    fn waits_grow_to_a_minute_and_no_further() {
        let mut breaker = opened();
        let mut longest = 0;
        for round in 1..40 {
            let now = at(round * 100);
            breaker.failed(now, None);
            longest = breaker.closed_until.unwrap().duration_since(now).as_secs();
        }
        assert_eq!(longest, 60);
    }

    #[test]
    fn retry_after_is_obeyed_at_once_and_not_for_ever() {
        let mut breaker = Breaker::default();
        breaker.failed(at(0), Some(30));
        assert_eq!(breaker.admit(at(29)), Some(at(30)));
        assert_eq!(breaker.admit(at(30)), None);
        assert_eq!(breaker.admit(at(30)), None, "asked to wait is not broken");
        breaker.failed(at(30), Some(1_000_000));
        assert_eq!(breaker.admit(at(30)), Some(at(3_630)));
    }

    #[test]
    fn a_call_that_was_dropped_half_way_keeps_nobody_out() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(1)), None);
        breaker.abandoned();
        assert_eq!(breaker.admit(at(1)), None);
    }

    #[tokio::test]
    async fn no_more_calls_at_once_than_configured() {
        let host = Host::new(1);
        let clock = crate::clock::ManualClock::at(at(0));
        let first = host.enter(&clock, Duration::ZERO).await.unwrap();
        let second = host.enter(&clock, Duration::from_millis(10)).await;
        assert!(matches!(second, Err(OdooError::Closed { .. })));
        drop(first);
        assert!(host.enter(&clock, Duration::from_millis(10)).await.is_ok());
    }
}
