//! Odoo, seen from the worker: two questions and their answers.
//!
//! The port is the trait [`Odoo`]; [`client`] is the real one, over two transports. Only this
//! folder knows Odoo's shapes (`wire`). `odoo setup` is [`setup`]. Errors are weather or a
//! set-up that somebody must put right: what Odoo says no to is an outcome.

pub mod actions;
pub mod classify;
pub mod client;
pub mod setup;
pub mod transport;

mod http;
mod json2;
mod jsonrpc;
mod wire;

use async_trait::async_trait;

use crate::domain::observe::{Book, BookOutcome, InOdoo, Lookup};
use crate::domain::reason::NotReady;

/// The Odoo of one account.
#[async_trait]
pub trait Odoo: Send + Sync {
    /// Looks several checkouts up, in one round trip. Answers in the order asked.
    async fn observe(&self, lookups: &[Lookup]) -> Result<Vec<InOdoo>, OdooError>;

    /// Books several payments, in one round trip. Answers in the order asked.
    ///
    /// Safe to repeat: each booking happens once under its name, so after
    /// [`OdooError::Unknown`] the same call again tells what became of it.
    async fn book(&self, bookings: &[Book]) -> Result<Vec<BookOutcome>, OdooError>;
}

/// Why a call has no answer. Never a verdict on the payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OdooError {
    /// Nothing was done: connection refused, 429, 502, 503, maintenance page.
    #[error("Odoo is unavailable: {detail}")]
    Unavailable {
        /// What was seen, without bodies.
        detail: String,
        /// What `Retry-After` asked for, in seconds.
        retry_after_s: Option<u64>,
    },
    /// It may or may not have been done: timeout or a cut connection after the request went out.
    #[error("the outcome of the call is unknown: {detail}")]
    Unknown {
        /// What was seen, without bodies.
        detail: String,
    },
    /// The account cannot book until somebody sets something right.
    #[error("Odoo is not ready for this account: {0:?}")]
    NotReady(NotReady),
}
