//! Which events: what a list and a retry can be narrowed to.
//!
//! Days are those of America/Santiago and include both ends. Not here: the query
//! ([`crate::views::filter`]).

use jiff::civil::Date;

use super::desk::Desk;
use super::stop::{Done, Stop};
use crate::say::Lang;
use crate::views::day;
use crate::views::filter::Filter;

/// Where an event rests, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Word {
    /// In the log, not yet looked at.
    Received,
    /// In Odoo.
    Reconciled,
    /// Waits, and is tried again by itself.
    Pending,
    /// Needs a person.
    Parked,
    /// None of this account's, or closed by a person.
    Ignored,
    /// Stored, nothing to do in Odoo.
    Recorded,
}

impl Word {
    /// The word the log has.
    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Reconciled => "reconciled",
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
            Self::Recorded => "recorded",
        }
    }
}

/// What events are narrowed to, wherever they rest.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Narrow {
    /// Only this account.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Only this reason, by its name in `--json`: `no_match`, `amount_mismatch`, `account_paused`; several with commas.
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    pub reason: Vec<String>,
    /// Only this type: `checkout.paid`; several with commas.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Received on this day or later (2026-01-31, in Chile).
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// Received on this day or earlier.
    #[arg(long, value_name = "DAY")]
    pub to: Option<Date>,
    /// Only where this text is in the event id, the stream, the checkout, an order, an external id.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
}

impl Narrow {
    /// Whether anything is narrowed.
    pub fn is_any(&self) -> bool {
        self.account.is_some()
            || !self.reason.is_empty()
            || !self.types.is_empty()
            || self.from.is_some()
            || self.to.is_some()
            || self.text.is_some()
    }

    /// As the views are asked.
    pub async fn filter(&self, desk: &Desk<'_>, statuses: &[Word]) -> Done<Filter> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(Stop::Misused(match desk.lang() {
                Lang::En => format!("--from {from} is after --to {to}."),
                Lang::Es => format!("--from {from} es posterior a --to {to}."),
            }));
        }
        Ok(Filter {
            account: desk.account_of(self.account.as_deref()).await?,
            statuses: statuses.iter().map(|word| word.word().to_owned()).collect(),
            reasons: self.reason.clone(),
            received_of: Vec::new(),
            types: self.types.clone(),
            from: self.from.map(day::start),
            until: self.to.map(day::end),
            text: self.text.clone().filter(|text| !text.trim().is_empty()),
            only_held: false,
        })
    }
}
