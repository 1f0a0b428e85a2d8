//! A webhook event as people look at it: what was told, where it rests, what stands in Odoo.
//!
//! [`Row`] is what the table keeps; [`Shown`] is a row in somebody's language. Not here: how
//! rows come of a history ([`super::fold`]), and what is true of the account at this moment,
//! an outage or a pause, which is no part of an event.

use concilia_shared::config::Mode;
use concilia_shared::id::StreamId;
use concilia_shared::money::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::filter::Place;
use crate::domain::event::{Booking, Matched};
use crate::domain::state::{Status, Told};
use crate::say::{self, Lang};

/// One webhook event, by its stream's history alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its stream.
    pub stream: StreamId,
    /// What was told, and where it rests.
    pub told: Told,
    /// The mode it was booked in, A or B.
    pub mode: Option<Mode>,
    /// How the order was found, if it was looked for.
    pub matched: Option<Matched>,
    /// What stands in Odoo, if this event put it there or found it.
    pub booking: Option<Booking>,
    /// Its stream waits for a person to release it.
    pub held: bool,
}

impl Row {
    /// The amount it tells of.
    pub fn amount(&self) -> Option<Money> {
        self.told.webhook.fact.amount()
    }

    /// When it is tried next, if it waits.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.told.status {
            Status::Pending { due_at, .. } => Some(*due_at),
            _ => None,
        }
    }

    /// Since when it waits, if it does.
    pub fn since(&self) -> Option<Timestamp> {
        match &self.told.status {
            Status::Pending { since, .. } => Some(*since),
            _ => None,
        }
    }

    /// What an order must carry for it to be found, if it waits for one.
    pub fn looked_for(&self) -> &[String] {
        match &self.told.status {
            Status::Pending { reason, .. } => reason.waits_for(),
            _ => &[],
        }
    }

    /// Its place in a list by time.
    pub fn place(&self) -> Place {
        Place {
            received_at: self.told.webhook.received_at,
            event_id: self.told.webhook.event_id.to_string(),
            stream: self.stream.to_string(),
        }
    }

    /// As it is shown.
    pub fn show(&self, lang: Lang) -> Shown {
        let told = &self.told;
        Shown {
            account: self.stream.account().to_owned(),
            event_id: told.webhook.event_id.to_string(),
            event_type: told.webhook.event_type.clone(),
            status: told.status.word(),
            reason: say::reason_name(&told.status),
            sentence: say::told(told, lang),
            stream: self.stream.to_string(),
            amount: self.amount(),
            mode: self.mode.map(Mode::word),
            received_at: told.webhook.received_at,
            late_s: told.webhook.late_s,
            since: self.since(),
            due_at: self.due_at(),
            conflicts: told.conflicts,
            held: self.held,
            looked_for: self.looked_for().to_vec(),
            order: told.chosen.clone(),
            matched: self.matched.clone(),
            odoo: self.booking.clone(),
        }
    }
}

/// A row in somebody's language, as `events list --json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
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
    /// The mode it was booked in, once it was.
    pub mode: Option<&'static str>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// Since when it waits, if it does.
    pub since: Option<Timestamp>,
    /// When it is tried next, if it waits.
    pub due_at: Option<Timestamp>,
    /// Other bodies that came under the same id; each is kept beside the first.
    pub conflicts: u32,
    /// Its stream waits for a person to release it.
    pub held: bool,
    /// What an order must carry for it to be found, if it waits for one.
    pub looked_for: Vec<String>,
    /// The order a person chose.
    pub order: Option<String>,
    /// How the order was found, if it was looked for.
    pub matched: Option<Matched>,
    /// What stands in Odoo, if this event put it there or found it.
    pub odoo: Option<Booking>,
}
