//! The process: what is started in which order, what SIGHUP changes, and in which order it
//! ends.
//!
//! Start: configuration, admin port, broker (as long as it takes), then the public port: a
//! webhook is received only when it can be kept. End: nothing new is accepted, what is in
//! flight is answered, what waits is published, then the rest goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use concilia_shared::config::Config;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::admin::{Admin, Readiness};
use crate::broker::{Broker, Link, OpenError};
use crate::jetstream::JetStream;
use crate::receive::{Ingress, Rules};
use crate::serve::{Bounds, serve};
use crate::settings::{Settings, Source};
use crate::{admin, clock, queue, receive, telemetry};

/// Connections to the admin port at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// What is in flight gets the publish deadline and this much more when stopping.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT. An error means that it could not start, or had to end.
pub async fn run(source: Source) -> anyhow::Result<()> {
    let signals = Signals::install()?;
    let Settings { config, accounts } = source.read()?;
    let metrics = telemetry::start_metrics()?;
    let stop = CancellationToken::new();
    let (replace, accounts) = watch::channel(Arc::new(accounts));
    warn_about(&accounts.borrow());
    tokio::spawn(signals.obey(source, replace, stop.clone()));

    // It outlives `stop`, so that it can be seen that the process is ending.
    let end = CancellationToken::new();
    let (broker, opened) = watch::channel(None);
    let admin = Admin {
        metrics,
        readiness: Arc::new({
            let (accounts, stop) = (accounts.clone(), stop.clone());
            move || readiness(opened.borrow().as_deref(), &accounts.borrow(), &stop)
        }),
    };
    let listener = listen(&config.ingress.admin_listen, "ingress.admin_listen").await?;
    let admin_address = listener.local_addr()?;
    let admin_task =
        tokio::spawn(serve(listener, admin::router(admin), admin_bounds(), end.clone()));

    let served = receive_until(&config, accounts, &broker, admin_address, &stop).await;
    end.cancel();
    admin_task.await.context("the admin port failed")?;
    tracing::info!("stopped");
    served
}

/// Opens the broker, serves the public port until `stop`, and publishes what is left.
async fn receive_until(
    config: &Config,
    accounts: watch::Receiver<Arc<Accounts>>,
    opened: &watch::Sender<Option<Arc<Link>>>,
    admin_address: SocketAddr,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let broker = match Broker::open(&config.nats, stop).await {
        Ok(broker) => broker,
        Err(OpenError::Stopped) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let link = broker.link();
    opened.send_replace(Some(Arc::clone(&link)));
    let watching = tokio::spawn(broker.watch_over(stop.clone()));

    let deadline = Duration::from_millis(config.ingress.publish_deadline_ms);
    let publisher = Arc::new(JetStream::new(link, &config.nats.stream));
    let flush = CancellationToken::new();
    let (queue, mut publishing) =
        queue::start(publisher, config.ingress.queue_max, deadline, flush.clone());
    let ingress = Arc::new(Ingress::new(accounts, queue, clock::system, rules(config)));

    let listener = listen(&config.ingress.listen, "ingress.listen").await?;
    let public = listener.local_addr()?;
    tracing::info!(%public, admin = %admin_address, "listening");
    let serving = serve(listener, receive::router(ingress), public_bounds(config), stop.clone());
    tokio::select! {
        () = serving => {}
        ended = &mut publishing => {
            // Only a defect of ours gets here. Without it nothing can be received.
            ended.context("the task that publishes failed")?;
            anyhow::bail!("the task that publishes ended before it was told to");
        }
    }
    flush.cancel();
    join(publishing, deadline + DRAIN_GRACE).await?;
    join(watching, DRAIN_GRACE).await
}

async fn join(task: JoinHandle<()>, within: Duration) -> anyhow::Result<()> {
    tokio::time::timeout(within, task)
        .await
        .context("a task did not end in time")?
        .context("a task failed")
}

fn rules(config: &Config) -> Rules {
    Rules {
        request_timeout: Duration::from_millis(config.ingress.request_timeout_ms),
        tolerance_s: config.ingress.tolerance_s,
        late_policy: config.ingress.late_policy,
    }
}

fn public_bounds(config: &Config) -> Bounds {
    Bounds {
        connections_max: config.ingress.connections_max,
        head_timeout: Duration::from_millis(config.ingress.request_timeout_ms),
        drain_timeout: Duration::from_millis(config.ingress.publish_deadline_ms) + DRAIN_GRACE,
    }
}

fn admin_bounds() -> Bounds {
    Bounds {
        connections_max: ADMIN_CONNECTIONS_MAX,
        head_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(1),
    }
}

async fn listen(address: &str, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; free that port or set {key} to another")
    })
}

fn readiness(broker: Option<&Link>, accounts: &Accounts, stop: &CancellationToken) -> Readiness {
    let not_ready = match broker {
        _ if stop.is_cancelled() => Some("the process is shutting down".to_owned()),
        None => Some("the broker was not reached yet".to_owned()),
        Some(link) => link.readiness().err(),
    };
    Readiness { not_ready, warnings: accounts.warnings() }
}

fn warn_about(accounts: &Accounts) {
    for warning in accounts.warnings() {
        tracing::warn!("{warning}");
    }
}

/// The signals, caught from the first moment on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn obey(
        mut self,
        source: Source,
        accounts: watch::Sender<Arc<Accounts>>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hangup.recv() => reload(&source, &accounts),
            }
        }
        tracing::info!("stopping: what is in flight is finished first");
        stop.cancel();
    }
}

/// Replaces the accounts and their secrets as a whole, or keeps them as they were. The other
/// settings are those of the start.
fn reload(source: &Source, accounts: &watch::Sender<Arc<Accounts>>) {
    match source.read() {
        Ok(settings) => {
            warn_about(&settings.accounts);
            tracing::info!(accounts = settings.accounts.len(), "reloaded the secrets");
            accounts.send_replace(Arc::new(settings.accounts));
        }
        Err(error) => tracing::error!(%error, "kept the old secrets"),
    }
}
