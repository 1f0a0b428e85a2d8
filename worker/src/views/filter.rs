//! What a list or a sum is asked for, and how it is counted. Plain values.
//!
//! Not here: SQL (the stores).

use concilia_shared::id::AccountName;
use concilia_shared::money::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// Which events. What is left out is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this account.
    pub account: Option<AccountName>,
    /// That rest at one of these words; empty: anywhere.
    pub statuses: Vec<String>,
    /// For one of these reasons, by name; empty: any or none.
    pub reasons: Vec<String>,
    /// Besides `reasons`: what these accounts received and nobody looked at yet, because the
    /// account's trouble has one of those names. Trouble is not in the rows.
    pub received_of: Vec<String>,
    /// Of one of these types, as Ventipay sent them; empty: any or none.
    pub types: Vec<String>,
    /// Received then or later.
    pub from: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Whose event id, stream, order, external id, payment or reference holds this text, in
    /// whatever case.
    pub text: Option<String>,
    /// Whose stream waits for a person to release it.
    pub only_held: bool,
}

/// A place in a list by time: of the last row of a page, so that the next goes on after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the event was received.
    pub received_at: Timestamp,
    /// Its id.
    pub event_id: String,
    /// Its stream.
    pub stream: String,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// After this place; `None`: from the beginning.
    pub after: Option<Place>,
    /// Latest first.
    pub newest_first: bool,
    /// At most this many.
    pub limit: usize,
}

/// Which payments are summed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    /// Of this account.
    pub account: Option<AccountName>,
    /// Paid on this day or later.
    pub from: Option<Date>,
    /// Paid on this day or earlier.
    pub through: Option<Date>,
    /// Each day by itself.
    pub by_day: bool,
}

/// How many events of an account rest somewhere, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The account.
    pub account: String,
    /// `pending`, `parked`, …
    pub status: String,
    /// The reason's name, where there is one.
    pub reason: Option<String>,
    /// The currency of `minor`; absent for events that tell of no payment.
    pub currency: Option<Currency>,
    /// How many.
    pub events: i64,
    /// What they tell to be paid, in minor units.
    pub minor: i64,
    /// The longest wait among them: since when it waits, or when it was received.
    pub oldest: Timestamp,
    /// When the first of them is tried next, if any waits for its time.
    pub next: Option<Timestamp>,
}
