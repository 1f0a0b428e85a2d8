//! The one place of this process that asks what time it is. Everything else takes a [`Clock`].

use jiff::Timestamp;

/// Answers the present time; a test passes its own.
pub type Clock = fn() -> Timestamp;

/// The machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the shell's clock, handed to everything else as a parameter"
)]
pub fn system() -> Timestamp {
    Timestamp::now()
}
