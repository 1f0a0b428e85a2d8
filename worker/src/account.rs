//! An account as it runs: its configuration, its ports, and its own stream of the log, read
//! again when it is older than a second, so that what a person sets takes effect without a
//! restart in every process.
//!
//! Not here: what the facts of the stream mean ([`crate::domain::account`]); outages
//! ([`crate::weather`]).

use std::sync::Arc;

use concilia_shared::config;
use concilia_shared::id::{AccountName, StreamId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::domain::account::AccountState;
use crate::domain::event::Event;
use crate::domain::settings::Settings;
use crate::odoo::Odoo;
use crate::store::{EventStore, StoreError};
use crate::ventipay::Ventipay;
use crate::weather::Failures;

/// How old the account's state may be before its stream is read again.
const FRESH_FOR: SignedDuration = SignedDuration::from_secs(1);

/// Most times a fact is recorded anew because somebody else appended first.
const TRIES: usize = 8;

/// One account of a running worker.
pub struct AccountShell {
    /// Its name.
    pub name: AccountName,
    /// What the file says.
    pub config: config::Account,
    /// Its Odoo, if it has one.
    pub odoo: Option<Arc<dyn Odoo>>,
    /// Ventipay's API, if it has a key.
    pub ventipay: Option<Arc<dyn Ventipay>>,
    /// What did not answer lately, by this process's own experience.
    pub failures: Failures,
    stream: StreamId,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    current: Arc<Current>,
    sequence: i64,
    at: Option<Timestamp>,
}

/// The account at this moment.
#[derive(Debug, Default)]
pub struct Current {
    /// What its stream says.
    pub state: AccountState,
    /// What the file says with that laid over it; absent before the first look.
    settings: Option<Settings>,
}

impl Current {
    /// The settings decisions are made by.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }
}

impl AccountShell {
    /// An account that has not been looked at yet.
    pub fn new(
        name: AccountName,
        config: config::Account,
        odoo: Option<Arc<dyn Odoo>>,
        ventipay: Option<Arc<dyn Ventipay>>,
    ) -> Self {
        let stream = AccountState::stream(&name);
        let (failures, read) = (Failures::default(), Mutex::default());
        Self { name, config, odoo, ventipay, failures, stream, read }
    }

    /// The account as the log tells, at most a second old.
    pub async fn current(
        &self,
        store: &dyn EventStore,
        now: Timestamp,
    ) -> Result<Arc<Current>, StoreError> {
        let mut read = self.read.lock().await;
        let fresh = read.at.is_some_and(|at| at <= now && now < at + FRESH_FOR);
        if !fresh {
            self.catch_up(&mut read, store, now).await?;
        }
        Ok(Arc::clone(&read.current))
    }

    /// The account as the log tells at this moment. What puts an event off until it is woken must
    /// be judged by this: who ends a pause or an outage wakes once, right after.
    pub async fn newest(
        &self,
        store: &dyn EventStore,
        now: Timestamp,
    ) -> Result<Arc<Current>, StoreError> {
        let mut read = self.read.lock().await;
        self.catch_up(&mut read, store, now).await?;
        Ok(Arc::clone(&read.current))
    }

    /// Appends facts to the account's stream, unless `skip` says of its newest state that there
    /// is nothing to tell (any more). Answers whether they were appended.
    pub async fn record(
        &self,
        store: &dyn EventStore,
        now: Timestamp,
        events: &[Event],
        skip: impl Fn(&AccountState) -> bool,
    ) -> Result<bool, StoreError> {
        let mut read = self.read.lock().await;
        for _ in 0..TRIES {
            self.catch_up(&mut read, store, now).await?;
            if skip(&read.current.state) {
                return Ok(false);
            }
            match store.record_after(&self.stream, read.sequence, events, now).await {
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.catch_up(&mut read, store, now).await?;
                    return Ok(true);
                }
            }
        }
        Err(StoreError::Conflict)
    }

    async fn catch_up(
        &self,
        read: &mut Read,
        store: &dyn EventStore,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let news = store.stream_after(&self.stream, read.sequence).await?;
        if let Some(last) = news.last() {
            read.sequence = last.sequence;
        }
        if !news.is_empty() || read.current.settings.is_none() {
            let mut state = read.current.state.clone();
            for recorded in &news {
                state.apply(&recorded.event, recorded.recorded_at);
            }
            let (settings, problems) =
                Settings::overlaid(&self.name, &self.config, &state.overrides);
            for problem in problems {
                tracing::warn!(account = %self.name, "a setting of the log no longer fits the file and is left out: {problem}");
            }
            read.current = Arc::new(Current { state, settings: Some(settings) });
        }
        read.at = Some(now);
        Ok(())
    }
}
