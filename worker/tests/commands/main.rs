//! The operators' commands: what they print, by snapshot, in both languages and as JSON; what
//! they write into the log; and how the real binary ends.
//!
//! In reading order: `given` (a log with one of everything), `help`, `lists`, `story`,
//! `decisions`, `accounts`, `processes`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod decisions;
mod given;
mod help;
mod lists;
mod processes;
mod story;
