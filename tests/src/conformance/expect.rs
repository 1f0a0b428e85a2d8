//! What a case expects, said so that a failure reads as a sentence.

use std::fmt::Debug;

use anyhow::{Result, anyhow, bail, ensure};
use concilia_worker::domain::event::Booking;
use concilia_worker::domain::observe::Outcome;

/// A case that cannot be tried on this server, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotHere(pub String);

/// Two values are the same.
///
/// # Errors
/// When they are not.
#[expect(clippy::needless_pass_by_value, reason = "cases hand over literals and tuples")]
pub fn same<T: PartialEq<U> + Debug, U: Debug>(what: &str, found: T, wanted: U) -> Result<()> {
    ensure!(found == wanted, "{what} is {found:?}, not {wanted:?}");
    Ok(())
}

/// The call booked, confirmed or completed.
///
/// # Errors
/// When it did not.
pub fn booked(outcome: Outcome) -> Result<Booking> {
    match outcome {
        Outcome::Booked(booking) => Ok(booking),
        other => Err(anyhow!("it was not booked: {other:?}")),
    }
}

/// It was there before, and nothing was written.
///
/// # Errors
/// When the call did or answered something else.
pub fn already(outcome: Outcome) -> Result<Booking> {
    match outcome {
        Outcome::Already(booking) => Ok(booking),
        other => Err(anyhow!("it was not found booked already: {other:?}")),
    }
}

/// A precondition no longer held.
///
/// # Errors
/// When the answer was another.
pub fn changed(outcome: &Outcome, what: &str) -> Result<()> {
    same("the answer", outcome, &Outcome::Changed { what: what.to_owned() })
}

/// A fence (or Odoo) refused; its sentence is given back.
///
/// # Errors
/// When the answer was another.
pub fn refused(outcome: Outcome, fence: &str) -> Result<String> {
    match outcome {
        Outcome::Refused { why, detail } if why == fence => Ok(detail),
        other => bail!("the answer is {other:?}, not refused by {fence:?}"),
    }
}
