//! The real Odoo of an account: runs the actions as the bot.
//!
//! Round trips of a fresh payment, once the worker is warm: **two**. The first, *observe*,
//! carries every lookup of a batch and brings back what stands under our names, the orders the
//! probes find with their invoices and transactions, the provider, the hashes of the actions'
//! texts and the database's uuid. The second, *book*, carries the preconditions decided upon
//! and the effects (book, confirm, cancel, complete), and brings back what became of each. What
//! went back to customers (*refund*) travels in a call of its own, so do invoices that are made
//! (*invoice*), and what people are shown (*record*) travels apart, behind.
//! Before the first of all come, once: the version, the login, and where the actions are.
//!
//! Not here: what to do with the answers ([`crate::domain::decide`]), shapes (`wire`),
//! transports ([`super::transport`]).

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use concilia_shared::config::Environment;
use serde_json::Value;

use super::actions::{self, Action};
use super::classify::RpcError;
use super::transport::{Args, Endpoint, Rpc};
use super::wire::{Aside, Told, news, observe, perform, record};
use super::{Odoo, OdooError};
use crate::domain::observe::{Command, InOdoo, Lookup, News, NewsQuery, Outcome};
use crate::domain::reason::NotReady;
use crate::domain::record::{Record, Recorded};

/// Days and dates of Odoo's own making fall in Chile (`odoo-api-2.md` 4.3).
const TIME_ZONE: &str = "America/Santiago";

/// One account's database and company, seen by the bot.
#[derive(Debug)]
pub struct Client {
    rpc: Rpc,
    company_id: i64,
    environment: Option<Environment>,
    /// Where the actions are, once found. Forgotten when Odoo says that one is gone.
    found: Mutex<Option<ActionIds>>,
    /// The database that answered last.
    database: Mutex<Option<String>>,
    /// What *observe* said last of the texts booking does without: whether they are ours.
    aside: Mutex<Option<Aside>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ActionIds {
    observe: i64,
    book: i64,
    refund: i64,
    /// Booking does without it.
    record: Option<i64>,
    /// See `record`.
    invoice: Option<i64>,
}

impl ActionIds {
    fn of(self, action: &Action) -> Option<i64> {
        match action.kind {
            kind if kind == actions::BOOK.kind => Some(self.book),
            kind if kind == actions::REFUND.kind => Some(self.refund),
            kind if kind == actions::RECORD.kind => self.record,
            kind if kind == actions::INVOICE.kind => self.invoice,
            _ => Some(self.observe),
        }
    }
}

fn missing(action: &Action) -> RpcError {
    RpcError::Missing { detail: format!("no action {:?} for this login", action.name) }
}

impl Client {
    /// A client of `company_id`. Nothing is sent before the first call.
    pub fn new(endpoint: Endpoint, company_id: i64) -> Result<Self, RpcError> {
        Ok(Self {
            rpc: Rpc::new(endpoint)?,
            company_id,
            environment: None,
            found: Mutex::new(None),
            database: Mutex::new(None),
            aside: Mutex::new(None),
        })
    }

    /// Refuses a provider that is not of `environment`.
    #[must_use]
    pub fn of_environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Runs one of our actions. If it is gone from where it was, looks once where it is now.
    async fn run(&self, action: &Action, request: Value) -> Result<Value, RpcError> {
        let known = self.known();
        let ids = match known {
            Some(ids) => ids,
            None => self.find().await?,
        };
        let result = self.run_at(action, ids, request.clone()).await;
        match result {
            Err(RpcError::Missing { .. }) if known.is_some() => {
                let ids = self.find().await?;
                self.run_at(action, ids, request).await
            }
            other => other,
        }
    }

    async fn run_at(
        &self,
        action: &Action,
        ids: ActionIds,
        request: Value,
    ) -> Result<Value, RpcError> {
        let id = ids.of(action).ok_or_else(|| missing(action))?;
        let args = Args::on(&[id])
            .operation(action.kind)
            .context("active_model", actions::MODEL)
            .context("tz", TIME_ZONE)
            .context("concilia", request);
        self.rpc.call("ir.actions.server", "run", args).await
    }

    fn known(&self) -> Option<ActionIds> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks which actions of ours there are for us. The bot may read neither the actions nor
    /// their external ids (measured on 17, 18, 19); what Odoo's own menus are made from tells
    /// the members of an action's group, and nobody else, its id.
    async fn find(&self) -> Result<ActionIds, RpcError> {
        let args = Args::none().operation("find").with("model_name", actions::MODEL);
        let bindings = self
            .rpc
            .call("ir.actions.actions", "get_bindings", args)
            .await
            .map_err(RpcError::of_a_read)?;
        let ids = ActionIds {
            observe: bound(&bindings, &actions::OBSERVE)?,
            book: bound(&bindings, &actions::BOOK)?,
            refund: bound(&bindings, &actions::REFUND)?,
            record: bound(&bindings, &actions::RECORD).ok(),
            invoice: bound(&bindings, &actions::INVOICE).ok(),
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(ids);
        Ok(ids)
    }

    /// Runs *observe*, which writes nothing.
    async fn ask(&self, request: Value) -> Result<Value, RpcError> {
        let result = self.run(&actions::OBSERVE, request).await.map_err(RpcError::of_a_read)?;
        if let Some(told) = Aside::told(&result) {
            *self.aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        }
        Ok(result)
    }

    /// Whether an action booking does without is there and is ours. It hangs on nothing else of
    /// the account: what it writes is no payment, and booking does not wait for it.
    async fn may_run(&self, action: &Action) -> Result<(), OdooError> {
        let told = || {
            let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
            aside.as_ref().and_then(|aside| aside.of(action))
        };
        if told().is_none() {
            let asked = self.ping().await;
            if told().is_none() {
                asked?;
            }
        }
        told().unwrap_or(Err(NotReady::ActionMissing)).map_err(OdooError::NotReady)
    }

    /// An action that does not answer as ours does may be another one by now: it is looked up
    /// again before the next call.
    fn believed<T>(&self, told: Result<Told<T>, NotReady>) -> Result<T, OdooError> {
        match told {
            Ok(told) => {
                let mut last = self.database.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(told.database);
                Ok(told.answer)
            }
            Err(why) => {
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(OdooError::NotReady(why))
            }
        }
    }
}

/// The id of `action` among the bindings.
fn bound(bindings: &Value, action: &Action) -> Result<i64, RpcError> {
    let rows = bindings["action"].as_array().map_or(&[][..], Vec::as_slice);
    let mut ids =
        rows.iter().filter(|row| row["name"] == action.name).filter_map(|row| row["id"].as_i64());
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(missing(action)),
        (Some(_), Some(_)) => Err(RpcError::Misconfigured {
            detail: format!(
                "Odoo holds two actions named {:?}: run `concilia-worker odoo setup`.",
                action.name
            ),
        }),
    }
}

#[async_trait]
impl Odoo for Client {
    async fn observe(&self, lookups: &[Lookup]) -> Result<Vec<InOdoo>, OdooError> {
        let mut seen = Vec::with_capacity(lookups.len());
        for chunk in lookups.chunks(actions::ITEMS_MAX) {
            let request = observe::request(self.company_id, chunk).map_err(OdooError::NotReady)?;
            let result = self.ask(request).await?;
            seen.extend(self.believed(observe::answer(result, chunk, self.environment))?);
        }
        Ok(seen)
    }

    async fn perform(&self, commands: &[Command]) -> Result<Vec<Outcome>, OdooError> {
        let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(commands.len());
        for action in [actions::BOOK, actions::REFUND, actions::INVOICE] {
            let (places, of_action): (Vec<usize>, Vec<&Command>) = commands
                .iter()
                .enumerate()
                .filter(|(_, one)| perform::action(one) == action)
                .unzip();
            if action == actions::INVOICE && !of_action.is_empty() {
                self.may_run(&action).await?;
            }
            let chunks = of_action.chunks(actions::ITEMS_MAX);
            for (places, chunk) in places.chunks(actions::ITEMS_MAX).zip(chunks) {
                let request = perform::request(self.company_id, chunk);
                let result = self.run(&action, request).await?;
                let told = self.believed(perform::answer(result, &action, chunk))?;
                outcomes.extend(places.iter().copied().zip(told));
            }
        }
        // In the order of the commands, whichever action did them.
        outcomes.sort_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    async fn record(&self, records: &[Record]) -> Result<Vec<Recorded>, OdooError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.may_run(&actions::RECORD).await?;
        let mut recorded = Vec::with_capacity(records.len());
        for chunk in records.chunks(actions::ITEMS_MAX) {
            let request = record::request(self.company_id, chunk);
            let result = self.run(&actions::RECORD, request).await?;
            recorded.extend(self.believed(record::answer(result, chunk))?);
        }
        Ok(recorded)
    }

    async fn news(&self, query: &NewsQuery) -> Result<News, OdooError> {
        let request = news::request(self.company_id, query).map_err(OdooError::NotReady)?;
        let result = self.ask(request).await?;
        self.believed(news::answer(result, self.environment))
    }

    async fn ping(&self) -> Result<(), OdooError> {
        let request = observe::request(self.company_id, &[]).map_err(OdooError::NotReady)?;
        let result = self.ask(request).await?;
        self.believed(observe::answer(result, &[], self.environment)).map(drop)
    }

    fn database(&self) -> Option<String> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
