//! The simulated Odoo, seen from the scenario: the shop's orders and the accountant's
//! invoices are made through its control routes, and its world is looked at in the end.
//!
//! Not here: how the worker talks to Odoo.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use concilia_shared::money::{Currency, Money};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::Key;

/// Longest one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What it takes to go down, and the pause between looks whether it is up again.
const GOING_DOWN: Duration = Duration::from_millis(200);

/// What l10n_cl calls the Unidad de Fomento (`odoo-api-2.md` 2).
const UF: &str = "UF";

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
    /// The id of its posted invoice, if one was asked for.
    pub invoice: Option<i64>,
}

/// What stands in Odoo, as far as the scenario asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OdooWorld {
    /// Payments of transactions.
    pub payments: Vec<Payment>,
    /// Invoices, by id.
    pub invoices: BTreeMap<i64, Invoice>,
    /// States of transactions, by reference.
    pub transactions: BTreeMap<String, String>,
    /// Concilia's own records and saved cards, by their names.
    pub records: BTreeMap<String, Record>,
}

/// A record of Concilia's own, or a saved card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// Its state or status; of a card `active` or `archived`.
    pub state: String,
    /// Activities on it that are open.
    pub activities: usize,
    /// Of a subscription, how often it was renewed.
    pub renewals: i64,
}

/// An invoice in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its name.
    pub name: String,
    /// `not_paid`, `paid`, …
    pub payment_state: String,
}

/// A payment in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Reference of the transaction that made it: the checkout, in mode B.
    pub transaction: String,
    /// Its name.
    pub name: String,
    /// How much.
    pub amount: Money,
    /// It goes out.
    pub is_refund: bool,
}

impl OdooSim {
    /// The simulator at this base address.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let base = format!("{}/sim", base.trim_end_matches('/'));
        Ok(Self { http: reqwest::Client::builder().timeout(TIMEOUT).build()?, base })
    }

    /// Makes a confirmed order known by `key`, with a posted invoice if asked for.
    pub async fn order(&self, key: &Key, total: Money, invoiced: bool) -> anyhow::Result<Order> {
        let invoice = if invoiced { "posted" } else { "none" };
        let currency = if total.currency == Currency::Clf { UF } else { total.currency.code() };
        let mut order =
            json!({"total": total.to_decimal(), "currency": currency, "invoice": invoice});
        match key.field {
            None => {}
            Some("client_order_ref") => order["ref"] = json!(key.value),
            Some(field) => order["fields"] = json!({field: key.value}),
        }
        let made = &self.post("/orders", &order).await?[0];
        let name = made["name"].as_str().context("the order has no name")?;
        Ok(Order { name: name.to_owned(), invoice: made["invoice"].as_i64() })
    }

    /// Makes and posts the invoice of an order; answers its id.
    pub async fn invoice(&self, order: &str) -> anyhow::Result<i64> {
        let made = self.post("/invoice", &json!({"order": order})).await?;
        made["id"].as_i64().context("the invoice has no id")
    }

    /// The name of an invoice.
    pub async fn invoice_name(&self, id: i64) -> anyhow::Result<String> {
        let invoice = self.world().await?.invoices.remove(&id);
        Ok(invoice.context("the invoice is gone")?.name)
    }

    /// Makes a draft invoice of an order, of `amount` or of the rest; answers its id.
    pub async fn draft(&self, order: &str, amount: Option<i64>) -> anyhow::Result<i64> {
        let wanted = json!({"order": order, "post": false, "amount": amount});
        let made = self.post("/invoice", &wanted).await?;
        made["id"].as_i64().context("the invoice has no id")
    }

    /// Posts a draft invoice; answers its name.
    pub async fn post_draft(&self, invoice: i64) -> anyhow::Result<String> {
        let posted = self.post("/post", &json!({"invoice": invoice})).await?;
        Ok(posted["name"].as_str().context("the invoice has no name")?.to_owned())
    }

    /// A customer begins to pay an order or invoice in the portal: id and reference of the
    /// draft transaction Odoo makes of it.
    pub async fn portal_transaction(&self, document: &str) -> anyhow::Result<(i64, String)> {
        self.portal_amount(document, None).await
    }

    /// As [`Self::portal_transaction`], with an amount that need not be what is asked for.
    pub async fn portal_amount(
        &self,
        document: &str,
        amount: Option<i64>,
    ) -> anyhow::Result<(i64, String)> {
        let made = self.post("/portal", &json!({"document": document, "amount": amount})).await?;
        let reference = made["reference"].as_str().context("the transaction has no reference")?;
        Ok((made["id"].as_i64().context("the transaction has no id")?, reference.to_owned()))
    }

    /// Changes a transaction past the API.
    pub async fn change_transaction(&self, reference: &str, set: &Value) -> anyhow::Result<()> {
        self.post("/transaction", &json!({"reference": reference, "set": set})).await.map(drop)
    }

    /// How many calls have committed a change so far: a replay that wrote nothing leaves it.
    pub async fn writes(&self) -> anyhow::Result<u64> {
        let sent = self.http.get(format!("{}/writes", self.base)).send().await;
        answer(sent).await?["calls"].as_u64().context("the simulated Odoo counts no writes")
    }

    /// Takes it away: connections are refused so long.
    pub async fn down(&self, time: Duration) -> anyhow::Result<()> {
        let for_ms = u64::try_from(time.as_millis())?;
        self.post("/down", &json!({"for_ms": for_ms})).await?;
        // It goes down a moment after it has answered.
        tokio::time::sleep(GOING_DOWN).await;
        Ok(())
    }

    /// Waits until it answers again.
    pub async fn wait_until_up(&self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        while self.world().await.is_err() {
            ensure!(tokio::time::Instant::now() < deadline, "the simulated Odoo did not come back");
            tokio::time::sleep(GOING_DOWN).await;
        }
        Ok(())
    }

    /// What stands in Odoo now.
    pub async fn world(&self) -> anyhow::Result<OdooWorld> {
        let sent = self.http.get(format!("{}/world", self.base)).send().await;
        let world: World = serde_json::from_value(answer(sent).await?)
            .context("the world of the simulated Odoo does not read")?;
        world.read()
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        answer(self.http.post(format!("{}{path}", self.base)).json(body).send().await).await
    }
}

/// `GET /sim/world`, as far as it is read.
#[derive(Deserialize)]
struct World {
    payments: Vec<PaymentRow>,
    invoices: Vec<InvoiceRow>,
    transactions: Vec<TransactionRow>,
    own: BTreeMap<String, Record>,
}

#[derive(Deserialize)]
struct TransactionRow {
    reference: String,
    state: String,
}

#[derive(Deserialize)]
struct PaymentRow {
    name: String,
    amount: String,
    currency: String,
    transaction: Option<String>,
    r#type: String,
}

#[derive(Deserialize)]
struct InvoiceRow {
    id: i64,
    name: String,
    payment_state: String,
}

impl World {
    fn read(self) -> anyhow::Result<OdooWorld> {
        let payments = self.payments.into_iter().filter_map(PaymentRow::read);
        let invoice = |row: InvoiceRow| {
            (row.id, Invoice { name: row.name, payment_state: row.payment_state })
        };
        Ok(OdooWorld {
            payments: payments.collect::<anyhow::Result<_>>()?,
            invoices: self.invoices.into_iter().map(invoice).collect(),
            transactions: self
                .transactions
                .into_iter()
                .map(|row| (row.reference, row.state))
                .collect(),
            records: self.own,
        })
    }
}

impl PaymentRow {
    /// A payment of a transaction; any other is nobody's business here.
    fn read(self) -> Option<anyhow::Result<Payment>> {
        let transaction = self.transaction?;
        let is_refund = self.r#type == "outbound";
        let code = if self.currency == UF { Currency::Clf.code() } else { &self.currency };
        let amount = Currency::parse(code)
            .context("a payment in an unknown currency")
            .and_then(|currency| Ok(Money::from_decimal(&self.amount, currency)?));
        Some(amount.map(|amount| Payment { transaction, name: self.name, amount, is_refund }))
    }
}

async fn answer(sent: reqwest::Result<reqwest::Response>) -> anyhow::Result<Value> {
    let response = sent.context("the simulated Odoo does not answer")?;
    let status = response.status();
    let text = response.text().await.context("the simulated Odoo babbles")?;
    ensure!(status.is_success(), "the simulated Odoo says {status}: {text}");
    serde_json::from_str(&text).context("the simulated Odoo does not answer in JSON")
}
