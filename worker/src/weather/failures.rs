//! Failed calls in a row: by system and what they were for, and by stream, so that neither a
//! system's trouble with one event nor an event's with one system is hidden by what goes well
//! beside it. One process's own experience, in memory; forgetting it costs a few calls.
//!
//! Not here: what follows ([`super::trouble`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use concilia_shared::id::StreamId;
use jiff::Timestamp;

use crate::domain::event::System;

/// Most streams whose failures are remembered: beyond it all are forgotten.
const STREAMS_MAX: usize = 10_000;

/// What a system was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// To look.
    Look,
    /// To do something.
    Perform,
}

/// What did not answer lately.
#[derive(Debug, Default)]
pub struct Failures(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    systems: BTreeMap<(System, Step), u32>,
    streams: HashMap<StreamId, u32>,
    /// When an outage's system is asked next.
    ask_at: BTreeMap<System, Timestamp>,
}

impl Failures {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more failure about a stream; answers how many in a row, of the system or of the stream,
    /// whichever are more.
    pub(super) fn failed(&self, system: System, step: Step, stream: &StreamId) -> u32 {
        let mut counts = self.counts();
        let of_system = counts.systems.entry((system, step)).or_default();
        *of_system = of_system.saturating_add(1);
        let of_system = *of_system;
        if counts.streams.len() >= STREAMS_MAX {
            counts.streams.clear();
        }
        let of_stream = counts.streams.entry(stream.clone()).or_default();
        *of_stream = of_stream.saturating_add(1);
        of_system.max(*of_stream)
    }

    /// A useful answer of a system.
    pub fn answered(&self, system: System, step: Step) {
        self.counts().systems.remove(&(system, step));
    }

    /// A stream got as far as a fact.
    pub fn concluded(&self, stream: &StreamId) {
        self.counts().streams.remove(stream);
    }

    /// The system answers again, whatever for.
    pub(super) fn is_well(&self, system: System) {
        let mut counts = self.counts();
        counts.systems.retain(|(of, _), _| *of != system);
        counts.ask_at.remove(&system);
    }

    /// When the system of an outage is asked next; `first` if nobody said.
    pub(super) fn asked_next(&self, system: System, first: Timestamp) -> Timestamp {
        *self.counts().ask_at.entry(system).or_insert(first)
    }

    /// Says when the system of an outage is asked next.
    pub(super) fn ask_next(&self, system: System, at: Timestamp) {
        self.counts().ask_at.insert(system, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> StreamId {
        StreamId::parse(format!("main/checkout-{name}")).unwrap()
    }

    #[test]
    fn failures_in_a_row_end_with_an_answer_of_the_same_kind() {
        let failures = Failures::default();
        let failed = |step, name| failures.failed(System::Odoo, step, &stream(name));
        assert_eq!((failed(Step::Look, "1"), failed(Step::Look, "2")), (1, 2));
        failures.answered(System::Odoo, Step::Perform);
        failures.answered(System::Ventipay, Step::Look);
        assert_eq!(failed(Step::Look, "3"), 3);
        failures.answered(System::Odoo, Step::Look);
        assert_eq!(failed(Step::Look, "4"), 1);
    }

    #[test]
    fn one_stream_s_trouble_is_seen_though_others_are_answered() {
        let failures = Failures::default();
        for times in 1..=3 {
            assert_eq!(failures.failed(System::Odoo, Step::Perform, &stream("1")), times);
            failures.answered(System::Odoo, Step::Perform);
        }
        failures.concluded(&stream("1"));
        assert_eq!(failures.failed(System::Odoo, Step::Perform, &stream("1")), 1);
    }

    #[test]
    fn what_is_remembered_of_streams_is_bounded() {
        let failures = Failures::default();
        for number in 0..STREAMS_MAX + 5 {
            failures.failed(System::Odoo, Step::Look, &stream(&number.to_string()));
        }
        assert!(failures.counts().streams.len() <= STREAMS_MAX);
    }
}
