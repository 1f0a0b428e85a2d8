//! Faults and latency that tests inject.
//!
//! A fault is for the next so many calls of an operation. What comes before the call acts
//! (delay, refusal, a cut connection) and what comes after (the answer is lost, or withheld)
//! are told apart, because they mean opposite things to a caller. Carried out by
//! `server`; set from Rust or over HTTP (`control`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use super::errors::{PostgresError, Raise};

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Any call.
    #[default]
    Any,
    /// The action observe is run.
    Observe,
    /// The action book is run.
    Book,
    /// The action refund is run.
    Refund,
    /// The action record is run.
    Record,
    /// The action invoice is run.
    Invoice,
    /// Anything else.
    Other,
}

impl Operation {
    fn covers(self, call: Self) -> bool {
        self == Self::Any || self == call
    }
}

/// A step of booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The quotation is confirmed.
    Confirm,
    /// The transaction is created.
    Create,
    /// The external id is created.
    Name,
    /// The transaction is post-processed.
    PostProcess,
    /// The order is linked.
    Link,
    /// A transaction of Odoo's own is written done.
    Done,
    /// The quotation is mailed, while post-processing.
    Mail,
    /// A transaction is cancelled.
    Cancel,
    /// A transaction is set to error.
    Fail,
    /// A credit is given to an invoice.
    Assign,
    /// A credit is given back.
    GiveBack,
    /// A draft credit note is made.
    Draft,
    /// People are reminded.
    Remind,
    /// A record of our own, a customer or a card is made.
    Make,
    /// Somebody is told.
    Activity,
    /// An invoice is made.
    CreateInvoice,
    /// It is posted.
    Post,
}

/// A step of booking that is to fail.
#[derive(Debug, Clone, Deserialize)]
pub struct FailingStep {
    /// Which step.
    pub at: Step,
    /// Of which item only.
    #[serde(default)]
    pub item: Option<String>,
    /// In what words. Without any, the step does not fail but goes wrong: confirming and
    /// post-processing do nothing, creating stores another amount.
    #[serde(default)]
    pub message: Option<String>,
    /// A refusal of PostgreSQL with that code; else a `UserError`.
    #[serde(default)]
    pub pgcode: Option<String>,
    /// The amount that is stored instead, when creating goes wrong.
    #[serde(default)]
    pub stores: Option<String>,
}

impl FailingStep {
    /// What it fails with; nothing when it only goes wrong.
    pub fn raise(&self) -> Option<Raise> {
        let message = self.message.clone()?;
        Some(match &self.pgcode {
            Some(code) => {
                Raise::Postgres(PostgresError { code: code.clone(), message, sentence: None })
            }
            None => Raise::user(message),
        })
    }
}

/// When a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// It arrived, its snapshot is taken, it has not acted.
    Before,
    /// It acted and committed; the answer is withheld.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// It takes so long: the snapshot is taken first, it acts after.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// An HTTP status instead of an answer, nothing done: 503, 502, 429.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// 200 with a page of HTML (a proxy, a maintenance page), nothing done.
    Html,
    /// The connection is closed before anything is done.
    Close,
    /// It is done; then the connection is closed without an answer.
    ActAndClose,
    /// It is held at a point until somebody releases the hold of that name.
    Hold {
        /// Name of the hold.
        name: String,
        /// Where.
        point: Point,
    },
    /// The database is gone: Odoo answers with PostgreSQL's refusal.
    DatabaseGone,
    /// An exception instead of an answer, nothing done.
    Error {
        /// Python's name of it, from [`super::errors::names`].
        name: String,
        /// Its text.
        message: String,
    },
    /// Somebody else books the same names between this call's snapshot and its acting.
    Race,
    /// A step of booking fails.
    Fail(FailingStep),
}

/// A fault for the next calls of an operation.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// Which calls.
    #[serde(default)]
    pub operation: Operation,
    /// How many of them; absent is one.
    #[serde(default = "once")]
    pub times: u32,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: Kind,
}

fn once() -> u32 {
    1
}

/// The faults that are waiting for their calls, and the holds.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<Vec<Fault>>,
    holds: Mutex<BTreeMap<String, Arc<Hold>>>,
}

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        if let Kind::Hold { name, .. } = &fault.kind {
            self.hold(name);
        }
        lock(&self.waiting).push(fault);
    }

    /// Takes back every fault that is waiting, and releases every hold.
    pub fn clear(&self) {
        lock(&self.waiting).clear();
        for hold in lock(&self.holds).values() {
            hold.release();
        }
    }

    /// The hold of a name, made when it is first asked for.
    pub fn hold(&self, name: &str) -> Arc<Hold> {
        lock(&self.holds).entry(name.to_owned()).or_default().clone()
    }

    /// What goes wrong with this call; each fault is used up by it.
    pub fn take(&self, call: Operation) -> Vec<Kind> {
        let mut waiting = lock(&self.waiting);
        let mut taken = Vec::new();
        for fault in waiting.iter_mut().filter(|fault| fault.operation.covers(call)) {
            fault.times = fault.times.saturating_sub(1);
            taken.push(fault.kind.clone());
        }
        waiting.retain(|fault| fault.times > 0);
        taken
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place where calls are held.
#[derive(Debug)]
pub struct Hold {
    arrived: watch::Sender<u32>,
    released: watch::Sender<bool>,
}

/// Nothing is held for longer, so that a forgotten hold ends.
const LONGEST_HOLD: Duration = Duration::from_mins(2);

impl Default for Hold {
    fn default() -> Self {
        Self { arrived: watch::Sender::new(0), released: watch::Sender::new(false) }
    }
}

impl Hold {
    /// How many calls are or were held here.
    pub fn count(&self) -> u32 {
        *self.arrived.borrow()
    }

    /// Waits until so many calls were held here; false if it takes longer than allowed.
    pub async fn arrived(&self, calls: u32, within: Duration) -> bool {
        let mut arrived = self.arrived.subscribe();
        let wait = arrived.wait_for(|count| *count >= calls);
        tokio::time::timeout(within, wait).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Lets go of every call that is held, and of those to come.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// A call stays here until it is released.
    pub(super) async fn stay(&self) {
        self.arrived.send_modify(|count| *count += 1);
        let mut released = self.released.subscribe();
        let wait = released.wait_for(|released| *released);
        let _ = tokio::time::timeout(LONGEST_HOLD, wait).await;
    }
}
