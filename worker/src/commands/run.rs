//! `run`: the worker's roles, side by side, until told to stop.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::config::Config;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::shell::Shell;
use crate::{consume, mirror, news, run, telemetry, views, weather, wire};

/// What one process does; several processes share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes webhooks off the broker into the log, and closes gaps.
    Consume,
    /// Brings due streams to rest, looks after outages, asks each Odoo what changed, and keeps
    /// the views up with the log.
    Settle,
}

/// How often the broker is asked whether it is alive.
const PING: Duration = Duration::from_secs(10);

/// Pause before the broker is tried again.
const CONNECT_AGAIN: Duration = Duration::from_secs(2);

/// How often collected measurements are tidied up; without it they grow while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the roles until SIGTERM or SIGINT; an ended role ends the process.
pub async fn run(config: Config, roles: &[Role]) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let config = Arc::new(config);
    let shell = Arc::new(wire::shell(&config).await?);
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let listener =
        tokio::net::TcpListener::bind(&config.worker.admin_listen).await.with_context(|| {
            format!("worker.admin_listen: cannot listen on {}", config.worker.admin_listen)
        })?;
    tracing::info!(admin = %listener.local_addr()?, ?roles, "listening");

    let mut tasks = JoinSet::new();
    let consumes = roles.contains(&Role::Consume);
    let broker = consumes.then(|| Arc::new(OnceLock::new()));
    let admin =
        Admin { shell: Arc::clone(&shell), broker: broker.clone(), metrics: metrics.clone() };
    tasks.spawn(serve(listener, admin, stop.clone()));
    tasks.spawn(tidy(metrics, stop.clone()));
    if let Some(broker) = broker {
        tasks.spawn(take_in(Arc::clone(&shell), Arc::clone(&config), broker, stop.clone()));
    }
    if roles.contains(&Role::Settle) {
        let every = Duration::from_secs(config.worker.news_s);
        let settling = (Arc::clone(&shell), Arc::clone(&config), stop.clone());
        tasks.spawn(async move { run::settle_due(settling.0, &settling.1, &settling.2).await });
        let watching = (Arc::clone(&shell), stop.clone());
        tasks.spawn(async move { weather::watch(&watching.0, &watching.1).await });
        let asking = (Arc::clone(&shell), stop.clone());
        tasks.spawn(async move { news::run(&asking.0, every, &asking.1).await });
        let showing = (Arc::clone(&shell), Arc::clone(&config), stop.clone());
        tasks.spawn(async move { mirror::run(&showing.0, &showing.1.worker, &showing.2).await });
        let keeping = (Arc::clone(&shell), stop.clone());
        tasks.spawn(async move { views::keep::run(&keeping.0, &keeping.1).await });
    }
    while let Some(ended) = tasks.join_next().await {
        // A role that ends before it was told to is a bug: end the process, so that whoever
        // watches it starts it anew.
        let told = stop.is_cancelled();
        stop.cancel();
        ended.context("a role crashed")?;
        anyhow::ensure!(told, "a role ended by itself");
    }
    tracing::info!("stopped");
    Ok(())
}

/// The role consume: waits for the broker as long as it takes, meanwhile the other roles work.
async fn take_in(
    shell: Arc<Shell>,
    config: Arc<Config>,
    broker: Arc<OnceLock<async_nats::Client>>,
    stop: CancellationToken,
) {
    let Some(client) = connect(&config, &stop).await else { return };
    let client = broker.get_or_init(|| client);
    tokio::join!(
        consume::run(&shell, client, &config, &stop),
        consume::gaps::run(&shell, client, &config, &stop),
    );
}

async fn tidy(metrics: PrometheusHandle, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(UPKEEP) => metrics.run_upkeep(),
            () = stop.cancelled() => {}
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, admin: Admin, stop: CancellationToken) {
    let served =
        axum::serve(listener, admin::router(admin)).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

/// `None` only when told to stop first.
async fn connect(config: &Config, stop: &CancellationToken) -> Option<async_nats::Client> {
    // The configuration was checked when it was read.
    let addresses = config.nats.addresses().unwrap_or_default();
    while !stop.is_cancelled() {
        match options(config).await {
            Ok(options) => match options.connect(&addresses[..]).await {
                Ok(client) => return Some(client),
                Err(error) => tracing::warn!(%error, "the broker does not answer, trying again"),
            },
            Err(error) => tracing::warn!("{error:#}"),
        }
        tokio::select! {
            () = tokio::time::sleep(CONNECT_AGAIN) => {}
            () = stop.cancelled() => {}
        }
    }
    None
}

/// How the broker is connected to.
pub(super) async fn options(config: &Config) -> anyhow::Result<async_nats::ConnectOptions> {
    let options = match &config.nats.credentials_file {
        None => async_nats::ConnectOptions::new(),
        Some(file) => async_nats::ConnectOptions::with_credentials_file(file)
            .await
            .with_context(|| format!("nats.credentials_file {} cannot be read", file.display()))?,
    };
    Ok(options.name("concilia-worker").ping_interval(PING))
}

async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("told to stop, draining");
        }
        Err(error) => tracing::error!(%error, "cannot listen to signals"),
    }
    stop.cancel();
}
