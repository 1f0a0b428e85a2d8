//! What a running worker holds: the ports, the accounts and the schedule. Wired once in
//! `main`, handed to everything that does I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use concilia_shared::config::Retry;
use concilia_shared::id::AccountName;
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::account::AccountShell;
use crate::clock::Clock;
use crate::store::EventStore;

/// The ports of a worker.
pub struct Shell {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Time and dice.
    pub clock: Arc<dyn Clock>,
    /// When Pending events are tried again.
    pub schedule: Retry,
    /// Longest one request to an Odoo may take, of any account. A call may be a few of them (the
    /// first one asks for version, login and actions too): a claim that runs out meanwhile costs
    /// a second look, and what was done is found by its name.
    pub call_max: SignedDuration,
    /// The accounts, by name.
    pub accounts: BTreeMap<AccountName, AccountShell>,
    /// Something became due by this process's own doing: no need to wait for the next look.
    pub due: Notify,
}
