//! Admitting a batch: which arrivals are new, which were here before, which contradict what
//! was, and the facts that follow. Pure; the stores do what it says, in this order:
//!
//! 1. [`firsts`]: try to enter the first of each event id; learn what was known before;
//! 2. [`judge`]: tell new from duplicate from conflict; try to enter the conflicts;
//! 3. [`facts`]: what is appended, in the order of arrival;
//! 4. lock and wake the facts' streams ([`streams`]), read their heads, append ([`link`]).
//!
//! Webhooks that are read again ([`How::Held`]) are held in the same step and wake nobody.
//!
//! All lists of keys are sorted, so that two workers with one batch lock in one order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use concilia_shared::id::StreamId;

use super::chain::{Head, Link};
use super::row::Moment;
use super::{Admission, Arrival, FACTS_MAX, StoreError};
use crate::domain::event::Event;

/// What makes a webhook one: account and event id.
pub(super) type Key<'a> = (&'a str, &'a str);

/// What the log has under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Hash of the body that came first.
    pub(super) body_hash: String,
    /// The stream that one went to.
    pub(super) stream: StreamId,
}

impl Known {
    /// Reads a row of `webhooks`.
    pub(super) fn read(body_hash: String, stream: String) -> Result<Self, StoreError> {
        let stream = StreamId::parse(stream).map_err(|error| {
            StoreError::Corrupt(format!("webhooks.stream of body {body_hash}: {error}"))
        })?;
        Ok(Self { body_hash, stream })
    }
}

/// What became of a batch, and what of it contradicts the log.
pub(super) struct Judgement<'a> {
    /// One for each arrival, in order.
    pub(super) admissions: Vec<Admission>,
    /// The first arrival of each other body.
    pub(super) conflicts: BTreeMap<(Key<'a>, &'a str), &'a Arrival>,
}

/// How a batch comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Off the broker, to be acted upon: streams become due, positions are kept.
    Fresh,
    /// Read again: held until a person releases it.
    Held,
}

/// A fact to append, with the webhook whose bytes are kept, if it brings one.
pub(super) struct Fact<'a> {
    pub(super) stream: StreamId,
    pub(super) event: Event,
    pub(super) arrival: Option<&'a Arrival>,
}

pub(super) fn key(arrival: &Arrival) -> Key<'_> {
    (arrival.webhook.account.as_str(), arrival.told.event_id.as_str())
}

/// The first arrival of each event id.
pub(super) fn firsts(arrivals: &[Arrival]) -> BTreeMap<Key<'_>, &Arrival> {
    let mut firsts = BTreeMap::new();
    for arrival in arrivals {
        firsts.entry(key(arrival)).or_insert(arrival);
    }
    firsts
}

/// Judges each arrival; `known` is what was there before this batch.
pub(super) fn judge<'a>(
    arrivals: &'a [Arrival],
    firsts: &BTreeMap<Key<'a>, &'a Arrival>,
    known: &HashMap<(String, String), Known>,
) -> Judgement<'a> {
    let mut conflicts = BTreeMap::new();
    let admissions = arrivals
        .iter()
        .map(|arrival| {
            let key = key(arrival);
            let hash = arrival.told.body_hash.as_str();
            let first_hash = match known.get(&owned(key)) {
                Some(before) => before.body_hash.as_str(),
                None if std::ptr::eq(firsts[&key], arrival) => return Admission::Appended,
                None => firsts[&key].told.body_hash.as_str(),
            };
            if hash == first_hash {
                return Admission::Duplicate;
            }
            conflicts.entry((key, hash)).or_insert(arrival);
            Admission::Conflict
        })
        .collect();
    Judgement { admissions, conflicts }
}

/// The facts of a batch in the order of arrival; `new_conflicts` are those nobody entered
/// before.
pub(super) fn facts<'a>(
    arrivals: &'a [Arrival],
    firsts: &BTreeMap<Key<'a>, &'a Arrival>,
    known: &HashMap<(String, String), Known>,
    new_conflicts: &[&'a Arrival],
    how: How,
) -> Vec<Fact<'a>> {
    let mut facts = Vec::new();
    for arrival in arrivals {
        let key = key(arrival);
        let first = firsts[&key];
        let before = known.get(&owned(key));
        if before.is_none() && std::ptr::eq(first, arrival) {
            facts.push(Fact {
                stream: arrival.stream.clone(),
                event: Event::WebhookReceived(arrival.told.clone()),
                arrival: Some(arrival),
            });
            if how == How::Held {
                facts.push(Fact {
                    stream: arrival.stream.clone(),
                    event: Event::Held { about: arrival.told.event_id.clone() },
                    arrival: None,
                });
            }
        }
        if new_conflicts.iter().any(|new| std::ptr::eq(*new, arrival)) {
            facts.push(Fact {
                // The first body decides where it belongs; the second may claim anything.
                stream: before.map_or(&first.stream, |known| &known.stream).clone(),
                event: Event::PayloadConflicted {
                    about: arrival.told.event_id.clone(),
                    body_hash: arrival.told.body_hash.clone(),
                },
                arrival: Some(arrival),
            });
        }
    }
    facts
}

/// The streams facts go to, each once, sorted.
pub(super) fn streams<'a>(streams: impl IntoIterator<Item = &'a StreamId>) -> Vec<&'a str> {
    let streams: BTreeSet<&str> = streams.into_iter().map(StreamId::as_str).collect();
    streams.into_iter().collect()
}

/// Refuses more facts than one transaction should hold.
pub(super) fn refuse_too_many<T>(facts: &[T]) -> Result<(), StoreError> {
    if facts.len() <= FACTS_MAX {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "{} facts at once are too many: record at most {FACTS_MAX} in one call.",
        facts.len()
    )))
}

/// Links facts to the ends of their streams; a stream without an end begins.
pub(super) fn link<'a>(
    facts: impl IntoIterator<Item = (&'a StreamId, &'a Event)>,
    mut heads: HashMap<String, Head>,
    at: Moment,
) -> Result<Vec<Link>, StoreError> {
    facts
        .into_iter()
        .map(|(stream, event)| {
            let head = heads.entry(stream.to_string()).or_default();
            // No event of ours fails to serialize: maps have text keys, numbers are integers.
            head.extend(stream, event, at).map_err(|error| {
                StoreError::Corrupt(format!("an event of {stream} cannot be written: {error}"))
            })
        })
        .collect()
}

/// Links the events of one stream to its end.
pub(super) fn link_to(
    stream: &StreamId,
    events: &[Event],
    head: Head,
    at: Moment,
) -> Result<Vec<Link>, StoreError> {
    let heads = HashMap::from([(stream.to_string(), head)]);
    link(events.iter().map(|event| (stream, event)), heads, at)
}

fn owned((account, event): Key<'_>) -> (String, String) {
    (account.to_owned(), event.to_owned())
}
