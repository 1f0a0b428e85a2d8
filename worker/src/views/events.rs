//! The list of webhook events: one row each, with where it rests and what stands in Odoo.

use std::collections::BTreeMap;

use concilia_shared::id::StreamId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use serde::Serialize;

use crate::domain::event::{Booking, Fact};
use crate::domain::state::{State, Status};
use crate::say::{self, Lang};
use crate::store::Recorded;

/// Every stream of the log, folded.
#[derive(Debug, Default)]
pub struct Streams(BTreeMap<StreamId, State>);

/// One row of the list.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The account.
    pub account: String,
    /// Ventipay's id of the event.
    pub event_id: String,
    /// The type as sent; absent when unreadable.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// `received`, `reconciled`, `pending`, `parked`, `ignored`, `recorded`.
    pub status: &'static str,
    /// The reason's name, for scripts.
    pub reason: Option<String>,
    /// The reason in one sentence with the next step.
    pub sentence: String,
    /// The stream.
    pub stream: String,
    /// What was told to be paid, in minor units.
    pub amount: Option<Money>,
    /// The mode it is reconciled in.
    pub mode: &'static str,
    /// When it was received.
    pub received_at: Timestamp,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// When it is tried next, if it waits.
    pub due_at: Option<Timestamp>,
    /// Other bodies that came under the same id; each is kept beside the first.
    pub conflicts: u32,
    /// What stands in Odoo, if this event put it there or found it.
    pub odoo: Option<Booking>,
}

impl Streams {
    /// One event further.
    pub fn see(&mut self, recorded: &Recorded) {
        self.0.entry(recorded.stream.clone()).or_default().apply(&recorded.event);
    }

    /// Every stream with its state.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamId, &State)> {
        self.0.iter()
    }

    /// The rows, in the order the events were received.
    pub fn rows(&self, lang: Lang) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .iter()
            .flat_map(|(stream, state)| state.told.iter().map(move |told| (stream, state, told)))
            .map(|(stream, state, told)| Row {
                account: stream.account().to_owned(),
                event_id: told.webhook.event_id.to_string(),
                event_type: told.webhook.event_type.clone(),
                status: told.status.word(),
                reason: say::reason_name(&told.status),
                sentence: say::told(told, lang),
                stream: stream.to_string(),
                amount: match &told.webhook.fact {
                    Fact::CheckoutPaid(paid) => Some(paid.amount),
                    Fact::CheckoutCanceled(_) | Fact::Other | Fact::Unreadable { .. } => None,
                },
                mode: "B",
                received_at: told.webhook.received_at,
                late_s: told.webhook.late_s,
                due_at: match &told.status {
                    Status::Pending { due_at, .. } => Some(*due_at),
                    _ => None,
                },
                conflicts: told.conflicts,
                odoo: state.booking.clone().filter(|_| told.status == Status::Reconciled),
            })
            .collect();
        rows.sort_by(|a, b| (a.received_at, &a.event_id).cmp(&(b.received_at, &b.event_id)));
        rows
    }
}
