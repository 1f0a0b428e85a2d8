//! Reasons in words: one clear sentence with the next step, in English and Spanish of Chile.
//!
//! Not here: which reason applies ([`crate::domain::decide`]).

mod en;

mod es;

use crate::domain::state::Status;

/// The languages operators read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Spanish of Chile.
    Es,
}

/// Where an event rests, in one sentence.
pub fn status(status: &Status, lang: Lang) -> String {
    match lang {
        Lang::En => en::status(status),
        Lang::Es => es::status(status),
    }
}

/// The reason's name as it stands in the log, for scripts; absent where there is none.
pub fn reason_name(status: &Status) -> Option<String> {
    let value = match status {
        Status::Received | Status::Reconciled => return None,
        Status::Pending { reason, .. } => serde_json::to_value(reason),
        Status::Parked(reason) => serde_json::to_value(reason),
        Status::Ignored(reason) => serde_json::to_value(reason),
        Status::Recorded(reason) => serde_json::to_value(reason),
    };
    value.ok()?.get("reason")?.as_str().map(str::to_owned)
}
