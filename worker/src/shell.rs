//! What a running worker holds: the ports, the accounts and the schedule. Wired once in
//! `main`, handed to everything that does I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use concilia_shared::config::Retry;
use concilia_shared::id::AccountName;
use jiff::SignedDuration;

use crate::clock::Clock;
use crate::domain::settings::Settings;
use crate::gate::Gate;
use crate::odoo::Odoo;
use crate::store::EventStore;
use crate::ventipay::Ventipay;

/// The ports of a worker.
pub struct Shell {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Time and dice.
    pub clock: Arc<dyn Clock>,
    /// When Pending events are tried again.
    pub schedule: Retry,
    /// Longest one call to Odoo or Ventipay may take, of any account.
    pub call_max: SignedDuration,
    /// The accounts, by name.
    pub accounts: BTreeMap<AccountName, AccountShell>,
}

/// The ports of one account.
pub struct AccountShell {
    /// What its configuration means to a decision.
    pub settings: Settings,
    /// Its Odoo, if it has one.
    pub odoo: Option<Arc<dyn Odoo>>,
    /// Ventipay's API, if it has a key.
    pub ventipay: Option<Arc<dyn Ventipay>>,
    /// Closed for a moment after a call without a useful answer.
    pub gate: Gate,
}
