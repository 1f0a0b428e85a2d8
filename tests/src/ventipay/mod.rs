//! A simulated Ventipay: its API and its signed deliveries, as far as they are known.
//!
//! [`SimVentipay::start`] serves `/v1/…` exactly as `ventipay-api.md` describes it, and under
//! `/sim/…` what only a simulator can do: have a checkout paid, send a forged or stale
//! webhook, fail on request. What the page leaves open is decided here once and said where it
//! is decided. Idempotency keys are not honoured: their lifetime and reach are unknown, so
//! the simulator is the harder place.
//!
//! Read next: [`checkout`] and [`objects`] (what there is, and its life), [`life`] (what one
//! does to another), [`canonical`] (how a body is written), [`delivery`] (how it is signed and
//! sent), [`hold`] (in which order), [`api`], [`control`]. Not here: what the receiver
//! makes of it; the scenario of the quickstart ([`crate::scenario`]).

pub mod api;

pub mod auth;

pub mod canonical;

pub mod checkout;

pub mod control;

pub mod delivery;

pub mod error;

pub mod faults;

pub mod hold;

pub mod life;

pub mod objects;

pub mod page;

mod steer;

mod table;

pub mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use auth::Keys;
pub use delivery::{Attempt, Body, Deliver, Resend, Send, Sent, Signature, Webhook};
pub use error::ApiError;
pub use faults::{Fault, FaultPlan};
pub use hold::Order;
pub use life::Made;
pub use life::payments::{Charge, Families};
pub use life::subscriptions::Collect;
pub use world::{Paid, Pay, Sim};

/// Longest wait for calls under way when it is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How a simulated Ventipay is started. The default is a free port, any well-formed key, no
/// webhook registered, nothing kept on disk.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The API keys it knows.
    pub keys: Keys,
    /// The secret everything is signed with, unless a webhook or a [`Send`] names another.
    pub secret: Secret,
    /// Registered webhooks: what happens is delivered to each that wants it.
    pub webhooks: Vec<Webhook>,
    /// When a delivery that was not answered 2xx is sent again.
    pub resend: Resend,
    /// What `POST /checkouts/{id}/refund` answers.
    pub refund_answer: RefundAnswer,
    /// Whether a refund asked for over the API has succeeded when it is answered.
    pub refunds: RefundPace,
    /// A folder in which all objects and events are kept. Deliveries under way are not.
    pub state_dir: Option<PathBuf>,
}

/// What `POST /checkouts/{id}/refund` answers: unknown (`ventipay-api.md` section 1), so both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundAnswer {
    /// The refund.
    Refund,
    /// The checkout.
    Checkout,
}

/// When a refund asked for over the API succeeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefundPace {
    /// At once.
    #[default]
    AtOnce,
    /// When somebody settles it; until then it is pending.
    Pending,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            keys: Keys::AnyWellFormed,
            secret: Secret::new("whs_simulated"),
            webhooks: Vec::new(),
            resend: Resend::default(),
            refund_answer: RefundAnswer::Refund,
            refunds: RefundPace::AtOnce,
            state_dir: None,
        }
    }
}

/// A running simulated Ventipay; stops when dropped, its deliveries with it.
#[derive(Debug)]
pub struct SimVentipay {
    address: SocketAddr,
    sim: Arc<Sim>,
    server: JoinHandle<()>,
    quit: watch::Sender<bool>,
}

impl SimVentipay {
    /// Starts it. Fails if the port is taken or the kept state does not read.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        // Deliveries need a TLS provider to exist, even over plain http; it may be installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(options.listen).await.with_context(|| {
            format!("The simulated Ventipay cannot listen on {}", options.listen)
        })?;
        let address = listener.local_addr()?;
        let sim = Arc::new(Sim::open(options, address)?);
        let routes = api::routes(&sim).merge(control::routes(&sim));
        let (quit, mut told) = watch::channel(false);
        let server = tokio::spawn(async move {
            // Gracefully: it also closes connections that are kept open for the next call.
            let told = async move {
                let _ = told.wait_for(|quit| *quit).await;
            };
            let served = axum::serve(listener, routes).with_graceful_shutdown(told);
            if let Err(error) = served.await {
                tracing::error!(%error, "the simulated Ventipay stopped");
            }
        });
        Ok(Self { address, sim, server, quit })
    }

    /// Its address, `http://127.0.0.1:port`; the control routes are under `/sim` of it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base address of its API, as an account's `ventipay.url`.
    pub fn api_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Creates a checkout and has it paid, in one go.
    pub fn pay(&self, pay: &Pay) -> Result<Paid, ApiError> {
        self.sim.create_and_pay(pay)
    }

    /// Creates a checkout and cancels it unpaid, in one go; delivered to nobody.
    pub fn create_and_cancel(&self, pay: &Pay) -> Result<Paid, ApiError> {
        self.sim.create_and_cancel(pay)
    }

    /// Has an unpaid checkout paid, now.
    pub fn pay_checkout(&self, id: &str, deliver: &Deliver) -> Result<Paid, ApiError> {
        self.sim.pay(id, None, Families::default(), deliver)
    }

    /// Overwrites fields of a checkout, without any event: what the API then shows.
    pub fn edit(&self, id: &str, fields: &Map<String, Value>) -> Result<Value, ApiError> {
        self.sim.edit(id, fields)
    }

    /// Posts a body once, signed as told, and answers what came back.
    pub async fn send(&self, send: &Send) -> anyhow::Result<Sent> {
        self.sim.send(send).await
    }

    /// The body of an event, exactly as delivered.
    pub fn body(&self, event: &str) -> Result<Vec<u8>, ApiError> {
        Ok(delivery::body_of(&self.sim.event(event, None)?))
    }

    /// Makes an event about anything, of any type; answers its id.
    pub fn emit(
        &self,
        event_type: &str,
        live: bool,
        data: &Value,
        deliver: &Deliver,
    ) -> Result<String, ApiError> {
        self.sim.emit(event_type, live, data, deliver)
    }

    /// Sends an event once more, signed `age_s` seconds ago, and answers what came back.
    pub async fn send_event(&self, event: &str, url: &str, age_s: i64) -> anyhow::Result<Sent> {
        self.sim.send_event(event, url, age_s).await
    }

    /// Makes the API fail as planned, or work again.
    pub fn set_fault(&self, plan: Option<FaultPlan>) {
        self.sim.set_fault(plan);
    }

    /// Deliveries tried, oldest first; the last 10,000.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.sim.attempts()
    }

    /// Requests to the API, `GET /v1/checkouts/chk_1`, oldest first; the last 10,000.
    pub fn calls(&self) -> Vec<String> {
        self.sim.calls().into_iter().map(|(_, call)| call).collect()
    }

    /// Those that came with this API key.
    pub fn calls_of(&self, key: &str) -> Vec<String> {
        let calls = self.sim.calls().into_iter().filter(|(own, _)| own == key);
        calls.map(|(_, call)| call).collect()
    }

    /// Stops it and waits until its port is free again; calls that hang are cut.
    pub async fn stop(mut self) {
        self.quit.send_replace(true);
        self.sim.stop_deliveries();
        let _ = tokio::time::timeout(STOP_TIMEOUT, &mut self.server).await;
    }
}

impl Drop for SimVentipay {
    fn drop(&mut self) {
        self.quit.send_replace(true);
        self.sim.stop_deliveries();
    }
}

/// The one place where the simulator reads the clock.
#[expect(clippy::disallowed_methods, reason = "a simulated outside world has a clock of its own")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// As Ventipay writes a time: UTC with milliseconds.
fn iso(time: Timestamp) -> String {
    format!("{time:.3}")
}
