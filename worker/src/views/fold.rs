//! What a stream's history shows: its rows in every view. Pure, so that views made again are
//! the views that were.
//!
//! Not here: keeping them ([`super::project`]).

use std::borrow::Borrow;
use std::collections::BTreeSet;

use concilia_shared::config::Mode;
use concilia_shared::id::{EventId, StreamId};
use serde_json::Value;

use super::balance::{self, Sums};
use super::events::Row;
use crate::domain::event::{Event, Matched};
use crate::domain::state::{State, Status};

/// Fields of events that hold a name somebody may search for.
const NAMES: [&str; 9] = [
    "checkout",
    "document",
    "looked_for",
    "name",
    "order",
    "orders",
    "payment",
    "transaction",
    "value",
];

/// All rows of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The stream.
    pub stream: StreamId,
    /// A row for each webhook event.
    pub rows: Vec<Named>,
    /// What its payment adds to the sums, at most once for each currency.
    pub payments: Vec<Sums>,
    /// What an order must carry for one of its events to be found, each once.
    pub keys: BTreeSet<String>,
}

/// A row with every name it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The row.
    pub row: Row,
    /// Event, stream, orders, external ids, payments, references: lower case, a line each.
    pub search: String,
}

/// Folds the whole history of a stream.
pub fn fold<E: Borrow<Event>>(stream: &StreamId, history: &[E]) -> Folded {
    let facts = || history.iter().map(Borrow::borrow);
    let state = State::replay(facts());
    let mut rows = Vec::with_capacity(state.told.len());
    for told in &state.told {
        let about = &told.webhook.event_id;
        let (mode, matched) = booked(facts(), about);
        let row = Row {
            stream: stream.clone(),
            told: told.clone(),
            mode,
            matched,
            booking: state.booking.clone().filter(|_| told.status == Status::Reconciled),
            held: state.held,
        };
        rows.push(Named { row, search: names(stream, facts(), about) });
    }
    let keys = rows.iter().flat_map(|named| named.row.looked_for()).cloned().collect();
    Folded { stream: stream.clone(), rows, payments: balance::of_stream(&state), keys }
}

/// How an event was booked, as it was last told.
fn booked<'a>(
    facts: impl Iterator<Item = &'a Event>,
    event: &EventId,
) -> (Option<Mode>, Option<Matched>) {
    let last = facts.filter_map(|fact| match fact {
        Event::Booked { about, matched, mode, .. } if about == event => {
            Some((*mode, matched.clone()))
        }
        _ => None,
    });
    last.last().unwrap_or_default()
}

/// Every name the facts about an event hold.
fn names<'a>(stream: &StreamId, facts: impl Iterator<Item = &'a Event>, event: &EventId) -> String {
    let mut names = BTreeSet::from([stream.object().to_lowercase(), event.as_str().to_lowercase()]);
    for fact in facts.filter(|fact| fact.about() == event.as_str()) {
        // What cannot be written as JSON could not stand in the log.
        if let Ok(fact) = serde_json::to_value(fact) {
            collect(&fact, false, &mut names);
        }
    }
    names.into_iter().collect::<Vec<String>>().join("\n")
}

fn collect(value: &Value, is_name: bool, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if is_name && !text.is_empty() => {
            names.insert(text.to_lowercase());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_name, names)),
        Value::Object(fields) => {
            for (field, value) in fields {
                collect(value, NAMES.contains(&field.as_str()), names);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<Event> {
        include_str!("../domain/events_v1.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn event(json: &str) -> Event {
        serde_json::from_str(json).unwrap()
    }

    fn told(id: &str) -> Event {
        event(&format!(
            r#"{{"kind":"webhook_received","event_id":"{id}","event_type":"checkout.paid",
                "live":true,"body_hash":"","received_at":"2026-01-05T12:00:00Z","late_s":null,
                "fact":{{"fact":"checkout_paid","checkout":"chk_1",
                         "amount":{{"minor":100,"currency":"CLP"}},"paid_at":null,
                         "status":null,"refunded":false,"disputed":false}}}}"#
        ))
    }

    fn stream() -> StreamId {
        StreamId::parse("main/checkout-chk_1").unwrap()
    }

    #[test]
    fn a_row_holds_its_names_and_what_it_waits_for() {
        let pended = event(
            r#"{"kind":"pended","about":"evt_A","reason":{"reason":"no_match",
                "looked_for":["WEB-1001","1001"]},"attempt":1,"since":"2026-01-05T12:00:00Z",
                "due_at":"2026-01-05T12:00:15Z"}"#,
        );
        let folded = fold(&stream(), &[told("evt_A"), told("evt_B"), pended]);
        assert_eq!(folded.rows[0].search, "1001\ncheckout-chk_1\nchk_1\nevt_a\nweb-1001");
        assert_eq!(folded.rows[1].search, "checkout-chk_1\nchk_1\nevt_b");
        assert_eq!(Vec::from_iter(folded.keys), ["1001", "WEB-1001"]);
        assert_eq!(folded.payments[0].pending, 100);
    }

    #[test]
    fn what_came_before_is_found_by_too() {
        let chosen =
            event(r#"{"kind":"match_chosen","about":"evt_A","order":"S7","by":"a","why":"w"}"#);
        let parked = event(
            r#"{"kind":"parked","about":"evt_A","reason":{"reason":"ambiguous",
                "value":"1001","orders":["S7","S8"]}}"#,
        );
        let folded = fold(&stream(), &[told("evt_A"), parked, chosen]);
        assert_eq!(folded.rows[0].search, "1001\ncheckout-chk_1\nchk_1\nevt_a\ns7\ns8");
    }

    #[test]
    fn a_row_and_back_is_the_same_row() {
        for fact in history() {
            let Ok(about) = EventId::parse(fact.about()) else { continue };
            let folded = fold(&stream(), &[told(about.as_str()), fact]);
            for Named { row, .. } in folded.rows {
                let text = serde_json::to_string(&row).unwrap();
                assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row, "{text}");
            }
        }
    }

    #[test]
    fn an_accounts_own_stream_has_no_rows() {
        let account = StreamId::parse("main/account").unwrap();
        let ended = event(r#"{"kind":"outage_ended","system":"odoo"}"#);
        let folded = fold(&account, &[ended]);
        assert!(folded.rows.is_empty() && folded.payments.is_empty() && folded.keys.is_empty());
    }
}
