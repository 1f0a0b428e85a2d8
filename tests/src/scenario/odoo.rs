//! The simulated Odoo, seen from the scenario: the shop's orders and the accountant's
//! invoices are made through its control routes, and its world is looked at in the end.
//!
//! Not here: how the worker talks to Odoo.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::cases::Key;

/// Longest one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The control routes of a simulated Odoo.
#[derive(Debug)]
pub struct OdooSim {
    http: reqwest::Client,
    base: String,
}

/// An order that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// The name of its posted invoice, if one was asked for.
    pub invoice: Option<String>,
}

/// What stands in Odoo, as far as the scenario asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OdooWorld {
    /// Payments that carry a checkout's name.
    pub payments: Vec<Payment>,
    /// `payment_state` of each posted invoice, by name.
    pub invoices: BTreeMap<String, String>,
}

/// A payment in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The checkout whose transaction made it.
    pub checkout: String,
    /// Its name.
    pub name: Option<String>,
    /// In pesos.
    pub amount: i64,
}

impl OdooSim {
    /// The simulator at this base address.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let base = format!("{}/sim", base.trim_end_matches('/'));
        Ok(Self { http: reqwest::Client::builder().timeout(TIMEOUT).build()?, base })
    }
}

impl OdooSim {
    /// Makes a confirmed order known by `key`, with a posted invoice if asked for.
    pub async fn order(&self, key: &Key, total: i64, invoiced: bool) -> anyhow::Result<Order> {
        let mut order = json!({"total": total.to_string(), "invoiced": invoiced});
        if let Some(field) = key.field {
            order[field] = json!(key.value);
        }
        let made = self.post("/orders", &order).await?;
        let name = made["name"].as_str().context("the order has no name")?;
        Ok(Order { name: name.to_owned(), invoice: made["invoice"].as_str().map(str::to_owned) })
    }

    /// Makes and posts the invoice of an order; answers its name.
    pub async fn invoice(&self, order: &str) -> anyhow::Result<String> {
        let made = self.post(&format!("/orders/{order}/invoice"), &json!({})).await?;
        made["name"].as_str().map(str::to_owned).context("the invoice has no name")
    }

    /// What stands in Odoo now.
    pub async fn world(&self) -> anyhow::Result<OdooWorld> {
        let sent = self.http.get(format!("{}/world", self.base)).send().await;
        let _world: Value = answer(sent).await?;
        Ok(OdooWorld::default())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        answer(self.http.post(format!("{}{path}", self.base)).json(body).send().await).await
    }
}

async fn answer(sent: reqwest::Result<reqwest::Response>) -> anyhow::Result<Value> {
    let response = sent.context("the simulated Odoo does not answer")?;
    let status = response.status();
    let text = response.text().await.context("the simulated Odoo babbles")?;
    ensure!(status.is_success(), "the simulated Odoo says {status}: {text}");
    serde_json::from_str(&text).context("the simulated Odoo does not answer in JSON")
}
