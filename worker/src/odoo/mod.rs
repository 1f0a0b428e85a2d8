//! Odoo, seen from the worker: what may be asked of it, and what it may be told to do.
//!
//! The port is the trait [`Odoo`]; [`client`] is the real one, over two transports. Only this
//! folder knows Odoo's shapes (`wire`). `odoo setup` is [`setup`]. Errors are weather or a
//! set-up that somebody must put right: what Odoo says no to is an outcome.

pub mod actions;
pub mod classify;
pub mod client;
pub mod host;
pub mod setup;
pub mod transport;

mod http;
mod json2;
mod jsonrpc;
mod wire;

use async_trait::async_trait;

use crate::domain::observe::{Command, InOdoo, Lookup, News, NewsQuery, Outcome};
use crate::domain::reason::NotReady;
use crate::domain::record::{Record, Recorded};

/// The Odoo of one account.
#[async_trait]
pub trait Odoo: Send + Sync {
    /// Looks several checkouts up, in one round trip. Answers in the order asked.
    async fn observe(&self, lookups: &[Lookup]) -> Result<Vec<InOdoo>, OdooError>;

    /// Carries several effects out, in one round trip. Answers in the order asked.
    ///
    /// Safe to repeat: each effect happens once under its name, so after
    /// [`OdooError::Unknown`] the same call again tells what became of it.
    async fn perform(&self, commands: &[Command]) -> Result<Vec<Outcome>, OdooError>;

    /// Writes records of our own, tells people, keeps cards, in one round trip. Answers in the
    /// order asked. Enters no money.
    ///
    /// Safe to repeat: what stands there in the same or a newer revision is left alone. An Odoo
    /// that lacks the action, or holds another text of it, is [`OdooError::NotReady`] of this
    /// call alone: booking does not need it.
    async fn record(&self, records: &[Record]) -> Result<Vec<Recorded>, OdooError>;

    /// Asks about everything that changed lately, in one round trip.
    async fn news(&self, query: &NewsQuery) -> Result<News, OdooError>;

    /// Whether the account can be worked for: login, actions and provider, in one round trip
    /// that looks nothing up.
    async fn ping(&self) -> Result<(), OdooError>;

    /// The database (its `database.uuid`) that answered last; none has before the first answer.
    ///
    /// A copy of a database answers to the same key: whoever keeps a log compares this with
    /// what the log says before anything is performed.
    fn database(&self) -> Option<String>;
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
    /// No call was made: the host asked to wait, does not answer, or has no place.
    #[error("Odoo is not called before {until}")]
    Closed {
        /// When it may be called again.
        until: jiff::Timestamp,
    },
    /// The account cannot book until somebody sets something right.
    #[error("Odoo is not ready for this account: {0:?}")]
    NotReady(NotReady),
}
