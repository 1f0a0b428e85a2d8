//! Time and dice, as values the shell hands to the core.

use std::sync::Mutex;

use jiff::Timestamp;
use rand::RngExt;

use crate::retry::Jitter;

/// Where time and randomness come from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// A throw of the dice.
    fn jitter(&self) -> Jitter;
}

/// The machine's own clock and dice.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the worker reads a clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn jitter(&self) -> Jitter {
        Jitter(rand::rng().random())
    }
}

/// A clock that tests set by hand; its dice always show the same.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Mutex::new(now) }
    }

    /// Moves it.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn jitter(&self) -> Jitter {
        Jitter(u32::MAX)
    }
}
