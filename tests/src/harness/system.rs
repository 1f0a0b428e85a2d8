//! The whole of Concilia as processes: a real nats-server, a real database, the two binaries as
//! built, and the simulated Odoo and Ventipay inside the test.
//!
//! [`System::start`] brings it up on free ports in a folder of its own, `odoo setup` included;
//! dropping it stops everything. What must hold at the end of every test is in
//! [`super::invariants`]; orders and payments in Odoo are in [`super::shop`].

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::secret::Secret;
use serde_json::Value;
use tempfile::TempDir;

use super::config::{self, Further, Settings};
use super::database::{Database, StoreKind};
use super::nats::NatsServer;
use super::process::{self, Process};
use super::shop::{Series, Shop};
use crate::ventipay::{self, Keys, SimVentipay};

/// How long one of our processes may take to start or to end.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How soon a message whose worker died is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// What a system is made of.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The database of the log.
    pub store: StoreKind,
    /// The Odoo: it also decides the transport, which the worker asks for: JSON-RPC on 17,
    /// JSON-2 on 19.
    pub series: Series,
    /// Longest one call to Odoo may take, in milliseconds; a claim holds for two of
    /// them, and one to Ventipay.
    pub odoo_timeout_ms: u64,
    /// The ingress's deadline for the broker, in milliseconds.
    pub publish_deadline_ms: u64,
    /// The wait before every retry, in seconds.
    pub retry_s: u64,
    /// How often each Odoo is asked what changed, in seconds.
    pub news_s: u64,
    /// Whether there are accounts of the modes A and Hybrid too ([`config::MODES`]).
    pub modes: bool,
    /// Accounts beside the usual ones; each company they name is there and set up.
    pub further: &'static [Further],
}

impl Options {
    /// With short waits.
    pub fn new(store: StoreKind, series: Series) -> Self {
        Self {
            store,
            series,
            odoo_timeout_ms: 1_000,
            publish_deadline_ms: 3_000,
            retry_s: 1,
            news_s: 15,
            modes: false,
            further: &[],
        }
    }

    /// With accounts of the modes A and Hybrid too.
    #[must_use]
    pub fn of_all_modes(self) -> Self {
        Self { modes: true, ..self }
    }

    /// With these accounts too.
    #[must_use]
    pub fn and(self, further: &'static [Further]) -> Self {
        Self { further, ..self }
    }
}

/// One of our processes that runs.
#[derive(Debug)]
pub struct Service {
    /// The process.
    pub process: Process,
    /// Where it answers the public; the worker does not.
    pub public_url: Option<String>,
    /// Where health and metrics are.
    pub admin_url: String,
}

/// A running system.
#[derive(Debug)]
pub struct System {
    /// The broker.
    pub nats: NatsServer,
    /// The database of the log.
    pub database: Database,
    /// The simulated Odoo.
    pub shop: Shop,
    /// The simulated Ventipay.
    pub ventipay: SimVentipay,
    /// The ingress.
    pub ingress: Service,
    /// The workers, in the order they were started.
    pub workers: Vec<Service>,
    /// What the configuration file says; see [`System::configure`].
    pub settings: Settings,
    pub(super) http: reqwest::Client,
    pub(super) folder: TempDir,
    starts: u32,
}

impl System {
    /// Brings up everything, with one worker.
    pub async fn start(options: Options) -> Self {
        let mut system = Self::start_without_worker(options).await;
        system.start_worker(&[]);
        system.workers_are_ready().await;
        system
    }

    /// Brings up everything but a worker.
    pub async fn start_without_worker(options: Options) -> Self {
        Self::try_start(options).await.expect("the system under test starts")
    }

    async fn try_start(options: Options) -> anyhow::Result<Self> {
        // Clients need a TLS provider to exist, even over plain http; it may be installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let (nats, database, shop) = tokio::try_join!(
            NatsServer::start(folder.path()),
            Database::start(options.store, folder.path()),
            Shop::start(options.series),
        )?;
        for company in options.further.iter().map(|further| further.company) {
            shop.has_company(company);
        }
        let own_keys = options.further.iter().map(|further| config::key_of(further.name));
        let ventipay = SimVentipay::start(ventipay::Options {
            keys: Keys::Only(
                [config::VENTIPAY_KEY.to_owned()].into_iter().chain(own_keys).collect(),
            ),
            secret: Secret::new(config::WEBHOOK_SECRET),
            ..ventipay::Options::default()
        })
        .await?;
        let secret_file = folder.path().join("webhook-secret-1");
        std::fs::write(&secret_file, format!("{}\n", config::WEBHOOK_SECRET))?;
        let settings = Settings {
            nats: (nats.url(), nats.monitor_url()),
            store: database.url(),
            odoo: shop.url(),
            transport: "auto",
            odoo_key_file: folder.path().join("odoo-key"),
            odoo_timeout_ms: options.odoo_timeout_ms,
            ventipay: ventipay.api_url(),
            webhook_secret_files: vec![secret_file],
            lease_s: (options.odoo_timeout_ms * 2 + config::VENTIPAY_TIMEOUT_MS).div_ceil(1_000),
            publish_deadline_ms: options.publish_deadline_ms,
            retry_s: options.retry_s,
            news_s: options.news_s,
            modes: options.modes,
            further: options.further,
        };
        settings.write(&config_file(folder.path()))?;
        // A connection kept for the next request may be closed by the other side just when that
        // comes; a test must not fail for that.
        let http =
            reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).build()?;
        let ingress = spawn_ingress(folder.path(), 1)?;
        run(setup(folder.path(), &shop)?).await.context("odoo setup")?;
        let mut system = Self {
            nats,
            database,
            shop,
            ventipay,
            ingress,
            workers: Vec::new(),
            settings,
            http,
            folder,
            starts: 1,
        };
        system.ingress_is_ready().await;
        system.nats.make_consumer(ACK_WAIT).await?;
        Ok(system)
    }

    /// Starts a further worker with these variables; see [`System::workers_are_ready`].
    pub fn start_worker(&mut self, variables: &[(&str, &str)]) {
        self.starts += 1;
        let name = format!("worker-{}", self.starts);
        let log = self.folder.path().join(format!("{name}.log"));
        let mut command =
            command(self.folder.path(), "concilia-worker", &["run"]).expect("the worker was built");
        command.envs(variables.iter().copied());
        let process = Process::spawn(&name, &mut command, &log).expect("the worker starts");
        self.workers.push(Service { process, public_url: None, admin_url: String::new() });
    }

    /// Waits until every worker listens.
    pub async fn workers_are_ready(&mut self) {
        for worker in &mut self.workers {
            worker.learn_addresses().await;
        }
    }

    /// `kill -9` for the ingress.
    pub fn kill_ingress(&mut self) {
        self.ingress.process.kill9();
    }

    /// Starts the ingress anew, on another port.
    pub async fn restart_ingress(&mut self) {
        self.starts += 1;
        self.ingress =
            spawn_ingress(self.folder.path(), self.starts).expect("the ingress starts again");
        self.ingress_is_ready().await;
    }

    async fn ingress_is_ready(&mut self) {
        self.ingress.learn_addresses().await;
    }

    /// Tells every worker to end, and waits; what they do is finished first.
    pub async fn stop_workers(&mut self) {
        for worker in &mut self.workers {
            let ended = worker.process.terminate(PATIENCE).await.expect("the worker still ran");
            assert!(ended.success(), "a worker that was told to end ended with {ended}");
        }
        self.workers.clear();
    }

    /// Writes the configuration file anew. Who is to follow it has to be told.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.settings.write(&config_file(self.folder.path())).expect("the folder is writable");
    }

    /// The system's folder: configuration, secrets, logs, data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where Ventipay delivers webhooks of the default account.
    pub fn webhook_url(&self) -> String {
        let base = self.ingress.public_url.as_deref().unwrap_or_default();
        format!("{base}/ventipay/webhook")
    }

    /// A new file of the system's folder.
    pub fn write_file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).expect("the folder is writable");
        file
    }

    /// Runs `concilia-worker` with these arguments; answers what it printed.
    pub async fn operator(&self, arguments: &[&str]) -> String {
        let command = command(self.folder.path(), "concilia-worker", arguments);
        run(command.expect("the worker was built")).await.expect("the command succeeds")
    }

    /// Runs `concilia-worker odoo setup` once more; answers what it printed.
    pub async fn set_up_odoo(&self) -> String {
        let command = setup(self.folder.path(), &self.shop).expect("the worker was built");
        run(command).await.expect("the set-up succeeds")
    }

    /// Runs `concilia-worker` with these arguments; answers the JSON it printed.
    pub async fn operator_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.operator(arguments).await).expect("it prints JSON")
    }
}

impl Service {
    /// Learns its ports from the line it writes once it listens on them.
    async fn learn_addresses(&mut self) {
        if !self.admin_url.is_empty() {
            return;
        }
        let listening = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "listening").then_some(line)
        };
        let line = self.process.wait_for_line("where it listens", PATIENCE, listening).await;
        let url = |key: &str| line[key].as_str().map(|address| format!("http://{address}"));
        self.public_url = url("public");
        self.admin_url = url("admin").expect("its admin port is in the line");
    }
}

fn spawn_ingress(folder: &Path, start: u32) -> anyhow::Result<Service> {
    let log = folder.join(format!("ingress-{start}.log"));
    let process = Process::spawn("ingress", &mut command(folder, "concilia-ingress", &[])?, &log)?;
    Ok(Service { process, public_url: None, admin_url: String::new() })
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("concilia.toml")
}

/// One of our programs with the system's configuration, and nothing of the test's environment
/// that could change it.
fn command(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(process::binary(program)?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONCILIA_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("CONCILIA_CONFIG", config_file(folder))
        .env("CONCILIA_LOG", "debug")
        .env("CONCILIA_LOG_FORMAT", "json");
    Ok(command)
}

fn setup(folder: &Path, shop: &Shop) -> anyhow::Result<Command> {
    let mut command = command(folder, "concilia-worker", &["odoo", "setup"])?;
    let (login, password) = shop.admin();
    command.env("CONCILIA_ODOO_ADMIN_LOGIN", login).env("CONCILIA_ODOO_ADMIN_PASSWORD", password);
    Ok(command)
}

/// Runs a command to its end; answers its standard output.
async fn run(mut command: Command) -> anyhow::Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.context("it took too long")??;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "it ended with {}:\n{said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
