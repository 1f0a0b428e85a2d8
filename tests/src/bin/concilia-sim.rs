//! `concilia-sim`: a simulated Ventipay and a simulated Odoo in one process, and the scenario
//! that is played through them.
//!
//! Only the command line is here; see [`concilia_tests::ventipay`],
//! [`concilia_tests::odoo`] and [`concilia_tests::scenario`]. Never part of an installation.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use concilia_shared::secret::Secret;
use concilia_tests::odoo::{Login, Series, SimOdoo, SimOdooOptions};
use concilia_tests::scenario::worker::Worker;
use concilia_tests::scenario::{self, Lang};
use concilia_tests::ventipay::{self, SimVentipay, Webhook};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The simulated Odoo's database.
const DATABASE: &str = "sim";

/// Its administrator: login, password and API key.
const ADMIN: &str = "admin";

/// The field in which connector `custom` keeps the shop's order number.
const SHOP_FIELD: &str = "x_shop_order";

#[derive(Parser)]
#[command(version, about = "A simulated Ventipay and Odoo, and a scenario to play through them")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve both simulators until told to stop.
    Serve(Serve),
    /// Play the scenario through running processes and show what came of it. Exits 0 only if
    /// every outcome is the expected one and no peso is missing.
    Play(Play),
}

#[derive(clap::Args)]
struct Serve {
    /// Where the simulated Ventipay listens.
    #[arg(long, default_value = "127.0.0.1:9090")]
    ventipay_listen: SocketAddr,
    /// Where the simulated Odoo listens.
    #[arg(long, default_value = "127.0.0.1:9069")]
    odoo_listen: SocketAddr,
    /// Where what happens in test mode is delivered.
    #[arg(long)]
    webhook_url: String,
    /// A file with the secret that signs every delivery.
    #[arg(long)]
    webhook_secret_file: PathBuf,
    /// A folder in which both keep their state.
    #[arg(long)]
    state_dir: PathBuf,
    /// Which Odoo is simulated: 17, 18 or 19.
    #[arg(long, value_enum, default_value = "19")]
    odoo_series: OdooSeries,
}

#[derive(Clone, Copy, ValueEnum)]
enum OdooSeries {
    /// 17.0.
    #[value(name = "17")]
    V17,
    /// 18.0.
    #[value(name = "18")]
    V18,
    /// 19.0.
    #[value(name = "19")]
    V19,
}

#[derive(clap::Args)]
struct Play {
    /// Base address of the ingress.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    ingress: String,
    /// Base address of the simulated Ventipay.
    #[arg(long, default_value = "http://127.0.0.1:9090")]
    ventipay: String,
    /// Base address of the simulated Odoo.
    #[arg(long, default_value = "http://127.0.0.1:9069")]
    odoo: String,
    /// A file with the webhook secret of every account.
    #[arg(long)]
    webhook_secret_file: PathBuf,
    /// The concilia-worker to ask for the log and the sums.
    #[arg(long, default_value = "concilia-worker")]
    worker_bin: PathBuf,
    /// Its configuration.
    #[arg(long)]
    config: PathBuf,
    /// The log may hold events of earlier runs: only what this run adds is compared.
    #[arg(long)]
    accept_existing: bool,
    /// The language of the screen.
    #[arg(long, value_enum, default_value = "en")]
    lang: Language,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    /// English.
    En,
    /// Spanish.
    Es,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("CONCILIA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    // Only one provider is built in; a second call would only say that it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match carry_out(arguments.command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether everything is as it should be.
async fn carry_out(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Serve(serve) => run(serve).await.map(|()| true),
        Command::Play(play) => scenario::play(&options(play)?).await,
    }
}

async fn run(serve: Serve) -> anyhow::Result<()> {
    let secret = read_secret(&serve.webhook_secret_file)?;
    let webhook =
        Webhook { url: serve.webhook_url, secret: secret.clone(), live: false, events: Vec::new() };
    let ventipay = SimVentipay::start(ventipay::Options {
        listen: serve.ventipay_listen,
        secret,
        webhooks: vec![webhook],
        state_dir: Some(serve.state_dir.clone()),
        ..ventipay::Options::default()
    })
    .await?;
    let odoo = start_odoo(serve.odoo_listen, serve.odoo_series.into(), serve.state_dir).await?;
    tracing::info!(ventipay = ventipay.url(), odoo = odoo.url(), "simulating");
    told_to_stop().await?;
    ventipay.stop().await;
    Ok(())
}

/// An Odoo with one database, `sim`, whose administrator is `admin`, `admin`, and a shop whose
/// orders have a field of their own.
async fn start_odoo(
    listen: SocketAddr,
    series: Series,
    state_dir: PathBuf,
) -> anyhow::Result<SimOdoo> {
    let admin = Login {
        login: ADMIN.to_owned(),
        password: ADMIN.to_owned(),
        api_key: Some(ADMIN.to_owned()),
    };
    let odoo = SimOdoo::start(SimOdooOptions {
        listen,
        database: DATABASE.to_owned(),
        admin,
        control: true,
        state_dir: Some(state_dir),
        ..SimOdooOptions::new(series)
    })
    .await
    .with_context(|| format!("The simulated Odoo cannot start on {listen}"))?;
    odoo.edit(|tx| {
        let fields = &mut tx.world.order_fields;
        if !fields.iter().any(|field| field == SHOP_FIELD) {
            fields.push(SHOP_FIELD.to_owned());
        }
    });
    Ok(odoo)
}

impl From<OdooSeries> for Series {
    fn from(series: OdooSeries) -> Self {
        match series {
            OdooSeries::V17 => Self::V17,
            OdooSeries::V18 => Self::V18,
            OdooSeries::V19 => Self::V19,
        }
    }
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Es => Self::Es,
        }
    }
}

fn options(play: Play) -> anyhow::Result<scenario::Options> {
    Ok(scenario::Options {
        ingress: play.ingress,
        ventipay: play.ventipay,
        odoo: play.odoo,
        secret: read_secret(&play.webhook_secret_file)?,
        worker: Worker { binary: play.worker_bin, config: play.config, lang: play.lang.into() },
        accept_existing: play.accept_existing,
    })
}

fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the webhook secret in {}", file.display()))?;
    let secret = Secret::new(&text);
    anyhow::ensure!(!secret.is_empty(), "{} holds no secret", file.display());
    Ok(secret)
}

async fn told_to_stop() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
