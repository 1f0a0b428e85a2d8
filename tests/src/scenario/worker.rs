//! What the worker says of its log: its own commands, run as an operator runs them.
//!
//! `WORKER events list --json` and `WORKER balance --json`; nothing of the worker's is linked
//! in, so that the scenario sees what a person would see.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use concilia_shared::money::{Currency, Money};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::Lang;

/// Longest one command may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most characters of a failed command's complaint that are repeated.
const COMPLAINT_CHARS_MAX: usize = 600;

/// How the worker is asked.
#[derive(Debug, Clone)]
pub struct Worker {
    /// `concilia-worker`.
    pub binary: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// The language of its sentences.
    pub lang: Lang,
}

/// One event of the log; fields nothing here reads are left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// The account.
    pub account: String,
    /// Ventipay's id, or `unread-<hash>`.
    pub event_id: String,
    /// `reconciled`, `pending`, `parked`, …
    pub status: String,
    /// The reason's name.
    pub reason: Option<String>,
    /// The reason in one sentence.
    pub sentence: String,
    /// What was told to be paid.
    pub amount: Option<Money>,
    /// The mode it was booked in, once it was.
    pub mode: Option<String>,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// What stands in Odoo.
    pub odoo: Option<Booking>,
}

/// What stands in Odoo, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Booking {
    /// Name of the payment.
    pub payment: Option<String>,
    /// Reference of the transaction.
    pub transaction: String,
    /// Names of the orders.
    pub orders: Vec<String>,
}

/// The sums of one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Sums {
    /// The currency.
    pub currency: Currency,
    /// What Ventipay says was paid.
    pub paid: i64,
    /// What Ventipay says was refunded.
    pub refunded: i64,
    /// What stands in Odoo.
    pub booked: i64,
    /// What waits.
    pub pending: i64,
    /// What needs a person.
    pub parked: i64,
    /// Must be 0.
    pub difference: i64,
}

#[derive(Deserialize)]
struct Balance {
    currencies: Vec<Sums>,
}

impl Worker {
    /// Every event of the log.
    pub async fn events(&self) -> anyhow::Result<Vec<Row>> {
        self.ask(&["events", "list", "--json"]).await
    }

    /// The sums of every currency that occurs.
    pub async fn balance(&self) -> anyhow::Result<Vec<Sums>> {
        let balance: Balance = self.ask(&["balance", "--json"]).await?;
        Ok(balance.currencies)
    }

    async fn ask<T: DeserializeOwned>(&self, words: &[&str]) -> anyhow::Result<T> {
        let command = format!("{} {}", self.binary.display(), words.join(" "));
        let running = Command::new(&self.binary)
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .args(["--lang", self.lang.code()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(TIMEOUT, running)
            .await
            .with_context(|| format!("{command} took more than {} s", TIMEOUT.as_secs()))?
            .with_context(|| format!("{command} cannot be run"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let complaint: String = complaint.trim().chars().take(COMPLAINT_CHARS_MAX).collect();
            bail!("{command} failed ({}): {complaint}", output.status);
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{command} did not print the JSON that is expected"))
    }
}
