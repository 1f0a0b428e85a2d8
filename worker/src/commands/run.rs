//! `run`: the worker's roles, side by side, until told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::config::Config;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::{consume, run, wire};

/// What one process does; several processes share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes webhooks off the broker into the log, and closes gaps.
    Consume,
    /// Brings due streams to rest.
    Settle,
}

/// How often the broker is asked whether it is alive.
const PING: Duration = Duration::from_secs(10);

/// Runs the roles until SIGTERM or SIGINT; an ended role ends the process.
pub async fn run(config: Config, roles: &[Role]) -> anyhow::Result<()> {
    let metrics =
        PrometheusBuilder::new().install_recorder().context("installing the metrics recorder")?;
    let config = Arc::new(config);
    let shell = Arc::new(wire::shell(&config).await?);
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let broker =
        if roles.contains(&Role::Consume) { Some(connect(&config, &stop).await?) } else { None };
    let listener =
        tokio::net::TcpListener::bind(&config.worker.admin_listen).await.with_context(|| {
            format!("worker.admin_listen: cannot listen on {}", config.worker.admin_listen)
        })?;
    tracing::info!(admin = %listener.local_addr()?, ?roles, "listening");

    let mut tasks = JoinSet::new();
    let admin = Admin { shell: Arc::clone(&shell), broker: broker.clone(), metrics };
    tasks.spawn(serve(listener, admin, stop.clone()));
    if let Some(client) = broker {
        let (shell, config, stop) = (Arc::clone(&shell), Arc::clone(&config), stop.clone());
        tasks.spawn(async move {
            tokio::join!(
                consume::run(&shell, &client, &config, &stop),
                consume::gaps::run(&shell, &client, &config, &stop),
            );
        });
    }
    if roles.contains(&Role::Settle) {
        let (shell, config, stop) = (Arc::clone(&shell), Arc::clone(&config), stop.clone());
        tasks.spawn(async move { run::settle_due(shell, &config, &stop).await });
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

async fn serve(listener: tokio::net::TcpListener, admin: Admin, stop: CancellationToken) {
    let served =
        axum::serve(listener, admin::router(admin)).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn connect(config: &Config, stop: &CancellationToken) -> anyhow::Result<async_nats::Client> {
    loop {
        let options = match &config.nats.credentials_file {
            None => async_nats::ConnectOptions::new(),
            Some(file) => async_nats::ConnectOptions::with_credentials_file(file)
                .await
                .context("reading nats.credentials_file")?,
        };
        let options = options.name("concilia-worker").ping_interval(PING);
        match options.connect(&config.nats.url).await {
            Ok(client) => return Ok(client),
            Err(error) => tracing::warn!(%error, "the broker does not answer, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => anyhow::bail!("told to stop before the broker answered"),
        }
    }
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
