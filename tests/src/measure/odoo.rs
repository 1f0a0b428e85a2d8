//! Section `odoo`: payments entered in a second through the worker's own client, one by one
//! and several in one call, each looked up first as the worker does.
//!
//! The baseline is one by one. By default the Odoo is the simulated one, which answers at once:
//! then the ratio is about calls, not about Odoo's work. A real one has to be a throw-away
//! database with sale and accounting of a Chilean company (its id 1): payments stay in it.
//! Its orders are made through its API, by the administrator.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use concilia_shared::config::{Environment, Transport};
use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{Accepted, Book, Command, Lookup, Order, Outcome, Probe};
use concilia_worker::odoo::Odoo as _;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{SetupRequest, setup};
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use serde_json::{Value, json};

use super::Sizes;
use super::body;
use super::figures::{self, Unit};
use super::now;
use super::report::{Row, Section};
use crate::odoo::fixtures::NewOrder;
use crate::odoo::{Login, Series, SimOdoo, SimOdooOptions};

/// The bot that books.
const BOT: &str = "concilia-bot";

/// Longest one call may take: a batch of twenty takes a real Odoo seconds.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Pesos of every order.
const PESOS: i64 = 15_990;

/// A real Odoo to measure with.
#[derive(Debug, Clone)]
pub struct RealOdoo {
    /// Base address.
    pub url: String,
    /// Database.
    pub database: String,
    /// A login with Settings rights.
    pub login: String,
    /// A file with its API key or password.
    pub key_file: PathBuf,
}

/// Measures, with the simulated Odoo unless a real one is given.
pub async fn section(sizes: &Sizes, real: Option<&RealOdoo>) -> anyhow::Result<Section> {
    // Clients need a TLS provider to exist, even over plain http; it may be installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let shop = if let Some(real) = real {
        Shop::open(real.endpoint()?, None, folder.path()).await?
    } else {
        let simulated = SimOdoo::start(simulator()).await?;
        Shop::open(of_simulator(&simulated), Some(simulated), folder.path()).await?
    };
    let mut rows = Vec::new();
    for size in &sizes.bookings {
        let mut pairs = Vec::new();
        for _ in 0..sizes.repetitions {
            let count = sizes.booked.next_multiple_of(*size);
            let alone = shop.book_all(count, 1).await?;
            let together = shop.book_all(count, *size).await?;
            pairs.push((together, alone));
        }
        rows.push(Row {
            case: format!("{size} in one call"),
            what: "payments",
            unit: Unit::PerSecond,
            baseline: "one by one".to_owned(),
            pairs,
        });
    }
    let which = if real.is_some() { "a real Odoo" } else { "the simulated Odoo" };
    Ok(Section { name: "odoo", title: format!("payments looked up and booked in {which}"), rows })
}

impl RealOdoo {
    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let key = std::fs::read_to_string(&self.key_file)
            .with_context(|| format!("{} cannot be read", self.key_file.display()))?;
        Ok(Endpoint {
            url: self.url.clone(),
            database: self.database.clone(),
            login: self.login.clone(),
            key: Secret::new(&key),
            transport: Transport::Auto,
            timeout: TIMEOUT,
        })
    }
}

/// The simulator's administrator: login, password and key.
const ADMIN: &str = "admin";

fn simulator() -> SimOdooOptions {
    let admin = Login {
        login: ADMIN.to_owned(),
        password: ADMIN.to_owned(),
        api_key: Some(ADMIN.to_owned()),
    };
    SimOdooOptions { admin, ..SimOdooOptions::new(Series::V19) }
}

fn of_simulator(simulated: &SimOdoo) -> Endpoint {
    Endpoint {
        url: simulated.url(),
        database: simulator().database,
        login: ADMIN.to_owned(),
        key: Secret::new(ADMIN),
        transport: Transport::Auto,
        timeout: TIMEOUT,
    }
}

/// Looks payments up and books them in one call each: the only lines that know how the worker
/// asks its Odoo. Answers how many were booked.
async fn book(client: &Client, payments: &[String]) -> anyhow::Result<usize> {
    let lookups: Result<Vec<Lookup>, _> =
        payments.iter().map(|reference| lookup(reference)).collect();
    let lookups = lookups?;
    let seen = client.observe(&lookups).await?;
    let mut bookings = Vec::with_capacity(payments.len());
    for (lookup, seen) in lookups.iter().zip(&seen) {
        let order = seen.probes.iter().find_map(|found| found.orders.first());
        let order = order.with_context(|| format!("no order for {}", lookup.names[0]))?;
        bookings.push(Command::Book(Box::new(booking(lookup, order))));
    }
    let outcomes = client.perform(&bookings).await?;
    Ok(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Booked(_))).count())
}

fn lookup(reference: &str) -> anyhow::Result<Lookup> {
    let probe = Probe {
        path: "external_id".to_owned(),
        field: "client_order_ref".to_owned(),
        value: reference.to_owned(),
    };
    let checkout = CheckoutId::parse(format!("chk_{reference}"))?;
    Ok(Lookup {
        names: vec![PaymentName::of_checkout(&checkout)],
        carried: vec![checkout.to_string()],
        probes: vec![probe],
        ..Lookup::default()
    })
}

fn booking(lookup: &Lookup, order: &Order) -> Book {
    Book {
        names: lookup.names.clone(),
        amount: Money::new(PESOS, Currency::Clp),
        date: now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        order: order.clone(),
        currency: "CLP".to_owned(),
        invoices: Vec::new(),
        confirm: false,
        accepted: Accepted::default(),
    }
}

/// Where payments are booked: the orders, and the bot's client.
struct Shop {
    orders: Orders,
    client: Client,
    /// Different for each run: references must not repeat in a database that is kept.
    run: String,
}

/// How orders are made.
enum Orders {
    /// Past the API.
    Simulated(SimOdoo),
    /// As a connector does, of one product by one customer.
    Real { admin: Rpc, partner: i64, product: i64 },
}

impl Shop {
    async fn open(
        endpoint: Endpoint,
        simulated: Option<SimOdoo>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let admin = Rpc::new(endpoint.clone())?;
        let key_file = folder.join("bot.key");
        let request = SetupRequest {
            company_id: 1,
            environment: Environment::Test,
            bot_login: BOT.to_owned(),
            bot_password: None,
            bot_email: None,
            journal_code: None,
            bot_key_file: Some(key_file.clone()),
            now: now(),
        };
        setup(&admin, &request).await.context("odoo setup")?;
        let key = Secret::new(&std::fs::read_to_string(&key_file)?);
        let client = Client::new(Endpoint { login: BOT.to_owned(), key, ..endpoint }, 1)?;
        let orders = match simulated {
            Some(simulated) => Orders::Simulated(simulated),
            None => Orders::of(admin).await?,
        };
        Ok(Self { orders, client, run: format!("measure{}", now().as_millisecond()) })
    }

    /// Makes so many confirmed orders and books their payments, so many in one call; answers
    /// payments in a second. Making the orders is not measured.
    async fn book_all(&self, count: usize, at_once: usize) -> anyhow::Result<u64> {
        let references: Vec<String> =
            (0..count).map(|_| format!("{}-{}", self.run, body::number())).collect();
        self.orders.make(&references).await?;
        let started = Instant::now();
        let mut booked = 0;
        for payments in references.chunks(at_once) {
            booked += book(&self.client, payments).await?;
        }
        let within = started.elapsed();
        ensure!(booked == count, "{booked} of {count} payments were booked");
        Ok(figures::per_second(count, within))
    }
}

impl Orders {
    async fn of(admin: Rpc) -> anyhow::Result<Self> {
        let partner = json!({"name": "Cliente", "email": "cliente@example.com"});
        let product = json!({
            "name": "Artículo", "type": "consu", "invoice_policy": "order", "taxes_id": [[6, 0, []]],
        });
        Ok(Self::Real {
            partner: create(&admin, "res.partner", &[partner]).await?[0],
            product: create(&admin, "product.product", &[product]).await?[0],
            admin,
        })
    }

    async fn make(&self, references: &[String]) -> anyhow::Result<()> {
        let (admin, partner, product) = match self {
            Self::Simulated(simulated) => {
                for reference in references {
                    simulated.add_order(&NewOrder::pesos(PESOS, reference));
                }
                return Ok(());
            }
            Self::Real { admin, partner, product } => (admin, partner, product),
        };
        let line = json!({"product_id": product, "product_uom_qty": 1, "price_unit": PESOS});
        let orders: Vec<Value> = references
            .iter()
            .map(|reference| {
                json!({
                    "partner_id": partner, "client_order_ref": reference,
                    "order_line": [[0, 0, line]],
                })
            })
            .collect();
        let ids = create(admin, "sale.order", &orders).await?;
        admin.call("sale.order", "action_confirm", Args::on(&ids)).await?;
        Ok(())
    }
}

/// Makes records; answers their ids.
async fn create(admin: &Rpc, model: &str, values: &[Value]) -> anyhow::Result<Vec<i64>> {
    let args = Args::none().with("vals_list", json!(values));
    let made = admin.call(model, "create", args).await?;
    let ids: Vec<i64> = serde_json::from_value(made).context("create answers ids")?;
    ensure!(ids.len() == values.len(), "{} of {} {model} were made", ids.len(), values.len());
    Ok(ids)
}
