//! A simulated Odoo: both transports, the models and methods Concilia uses, nothing more.
//!
//! What it is: a server that answers as 17.0, 18.0 and 19.0 were recorded to answer
//! (`odoo-api.md`, `odoo-api-2.md`), errors included, on a database in memory with snapshots,
//! unique constraints and serialization failures. What it is not: an Odoo. It keeps no journal
//! items, runs no Python (our actions are emulated in [`actions`]), has two kinds of users
//! (Settings, and internal), and knows no web client.
//!
//! In reading order: [`world`] (tables and transactions), [`fields`] (the recorded models),
//! [`orm`] and [`models`] (what a model does), [`manual`] (models made through the API), [`actions`] (observe, book), [`rpc`] (what can
//! be called), `engine` and `server` (calls over HTTP), [`faults`], [`fixtures`], `control`.

pub mod actions;
mod control;
mod domain;
mod engine;
pub mod errors;
pub mod faults;
pub mod fields;
pub mod fixtures;
mod http;
mod json2;
mod jsonrpc;
pub mod manual;
pub mod models;
pub mod orm;
mod persist;
mod portal;
pub mod rights;
pub mod rpc;
pub mod seed;
mod server;
pub mod value;
pub mod world;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use engine::Counters;
pub use fields::Series;
pub use seed::Login;

use engine::{Engine, lock};
use faults::{Fault, Faults, Hold, Kind, Operation, Point};
use fixtures::{MadeOrder, NewOrder, PaymentRow};
use world::{Tx, World};

/// How a simulated Odoo is started.
#[derive(Debug, Clone)]
pub struct SimOdooOptions {
    /// Where it listens; port 0 is a free one.
    pub listen: SocketAddr,
    /// Which series it pretends to be.
    pub series: Series,
    /// Name of its database.
    pub database: String,
    /// `database.uuid`.
    pub uuid: String,
    /// The administrator `odoo setup` runs as.
    pub admin: Login,
    /// A fixed time; absent is the machine's.
    pub now: Option<Timestamp>,
    /// Whether `/sim/…` is served.
    pub control: bool,
    /// A folder in which the database is kept; absent is in memory only.
    pub state_dir: Option<PathBuf>,
}

impl SimOdooOptions {
    /// A database of its own on a free port of this machine: administrator `admin`, password
    /// and API key too.
    pub fn new(series: Series) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            series,
            database: format!("odoo{}", series.number()),
            uuid: "5117a7ed-0d00-4000-8000-00000000c10a".to_owned(),
            admin: Login {
                login: "admin".to_owned(),
                password: "admin".to_owned(),
                api_key: Some("admin-key".to_owned()),
            },
            now: None,
            control: false,
            state_dir: None,
        }
    }
}

/// A simulated Odoo that runs. It stops when dropped.
#[derive(Debug)]
pub struct SimOdoo {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Name of its database.
    pub database: String,
    engine: Arc<Engine>,
    up: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl SimOdoo {
    /// Starts one. Fails when the port is taken or the kept database cannot be read.
    pub async fn start(options: SimOdooOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let database = options.database.clone();
        let control = options.control;
        let engine = Arc::new(engine(options)?);
        let up = watch::Sender::new(true);
        let router = server::router(engine.clone(), up.clone(), control);
        let serving = tokio::spawn(server::serve(listener, router, up.subscribe()));
        Ok(Self { addr, database, engine, up, serving })
    }

    /// `http://127.0.0.1:1234`
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its routes alone, to be served by somebody else: connections cannot be cut then.
    pub fn router(&self) -> Router {
        server::router(self.engine.clone(), self.up.clone(), true)
    }

    /// Makes an order.
    ///
    /// # Panics
    /// When the order makes no sense (a currency that is not there).
    pub fn add_order(&self, new: &NewOrder) -> MadeOrder {
        let made = self.edit(|tx| fixtures::add_order(tx, new));
        made.unwrap_or_else(|refused| panic!("no such order: {refused:?}"))
    }

    /// Makes and posts an invoice of what is still to be invoiced of an order.
    ///
    /// # Panics
    /// When Odoo refuses it.
    pub fn invoice(&self, order: i64) -> i64 {
        let made = self.edit(|tx| fixtures::invoice_order(tx, order, true));
        made.unwrap_or_else(|refused| panic!("no such invoice: {refused:?}"))
    }

    /// Gives a user an API key; false when there is no such login.
    pub fn add_key(&self, login: &str, key: &str) -> bool {
        self.edit(|tx| {
            let found = tx.tables().find("res.users", |row| row.text("login") == login);
            let Some((user, _)) = found else {
                return false;
            };
            seed::add_key(tx, user, key);
            true
        })
    }

    /// A customer begins to pay an order or invoice in the portal: the draft transaction Odoo
    /// makes of it, and its reference.
    ///
    /// # Panics
    /// When there is no such document, or no provider of ours.
    pub fn portal_transaction(&self, document: &str) -> (i64, String) {
        let made = self.edit(|tx| fixtures::portal_transaction(tx, document, None));
        made.unwrap_or_else(|refused| panic!("no such payment: {refused:?}"))
    }

    /// Every payment, in the order they were entered.
    pub fn payments(&self) -> Vec<PaymentRow> {
        self.look(fixtures::payments)
    }

    /// What was booked in a currency, as decimal text.
    pub fn booked(&self, currency: &str) -> String {
        let sums = self.look(fixtures::booked);
        sums.get(currency).cloned().unwrap_or_else(|| "0".to_owned())
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        lock(&self.engine.counters).clone()
    }

    /// Looks into the database.
    pub fn look<T>(&self, look: impl FnOnce(&Tx<'_>) -> T) -> T {
        self.engine.inspect(look)
    }

    /// Changes the database past the API and every right.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        self.engine.edit(change)
    }

    /// Adds a fault for the next call of an operation.
    pub fn fault(&self, operation: Operation, kind: Kind) {
        self.faults(operation, kind, 1);
    }

    /// Adds a fault for the next so many calls of an operation.
    pub fn faults(&self, operation: Operation, kind: Kind, times: u32) {
        self.engine.faults.add(Fault { operation, times, kind });
    }

    /// Takes back faults that are waiting, and releases every hold.
    pub fn clear_faults(&self) {
        self.engine.faults.clear();
    }

    /// Holds the next call of an operation, before or after it acts.
    pub fn hold(&self, operation: Operation, point: Point, name: &str) -> Arc<Hold> {
        self.hold_next(operation, point, name, 1)
    }

    /// Holds the next so many calls of an operation in one place.
    pub fn hold_next(
        &self,
        operation: Operation,
        point: Point,
        name: &str,
        calls: u32,
    ) -> Arc<Hold> {
        let kind = Kind::Hold { name: name.to_owned(), point };
        self.faults(operation, kind, calls);
        self.engine.faults.hold(name)
    }

    /// Refuses connections, and cuts those there are, until [`Self::go_up`].
    pub fn go_down(&self) {
        self.up.send_replace(false);
    }

    /// Takes connections again.
    pub fn go_up(&self) {
        self.up.send_replace(true);
    }
}

impl Drop for SimOdoo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn engine(options: SimOdooOptions) -> io::Result<Engine> {
    let state_file = options.state_dir.map(|folder| folder.join("odoo.json"));
    let kept = match &state_file {
        Some(path) => persist::load(path)?,
        None => None,
    };
    let world: World =
        kept.unwrap_or_else(|| seed::world(options.series, &options.admin, &options.uuid));
    Ok(Engine {
        database: options.database,
        now: options.now,
        world: Mutex::new(world),
        faults: Faults::default(),
        counters: Mutex::new(Counters::default()),
        state_file,
    })
}
