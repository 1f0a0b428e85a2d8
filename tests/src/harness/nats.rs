//! A real nats-server with JetStream, as `deploy/nats.conf` sets it up: everything
//! acknowledged is on disk. It can be stopped, killed and started again on the same data.
//!
//! Found by the variable `NATS_SERVER`, else `.tools/` of the checkout (`deploy/tools.sh` puts
//! it there), else on `PATH`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::stream::Stream;
use concilia_shared::broker;

use super::process::{self, Process};

/// How long the server may take to start; it reads its data first.
const START: Duration = Duration::from_secs(15);

/// Ports are taken from here: below those the kernel gives to whoever asks for none, so that a
/// server can come back on the port it had.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many ports are tried.
const PORTS_TRIED: usize = 50;

/// A running nats-server; killed when dropped.
#[derive(Debug)]
pub struct NatsServer {
    folder: PathBuf,
    port: u16,
    monitor_port: u16,
    starts: u32,
    process: Process,
}

impl NatsServer {
    /// Starts one that keeps its data and logs in `folder`.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        for _ in 0..PORTS_TRIED {
            let (port, monitor_port) = (free_port()?, free_port()?);
            let process = spawn(folder, port, monitor_port, 1)?;
            let mut server =
                Self { folder: folder.to_owned(), port, monitor_port, starts: 1, process };
            if server.is_ready().await {
                return Ok(server);
            }
        }
        anyhow::bail!("nats-server found no free port {PORTS_TRIED} times")
    }

    /// Its address, `nats://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its monitoring address, `http://127.0.0.1:port`.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// `kill -9`.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Freezes it: connections stay open, nothing is answered.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.process.signal("CONT")
    }

    /// Starts it anew on the same data and ports, after [`Self::kill9`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.starts += 1;
        self.process = spawn(&self.folder, self.port, self.monitor_port, self.starts)?;
        anyhow::ensure!(self.is_ready().await, "nats-server lost its port while it was down");
        Ok(())
    }

    /// The stream of webhooks, over a connection of its own.
    pub async fn stream(&self) -> anyhow::Result<Stream> {
        let client = async_nats::connect(self.url()).await.context("connecting to nats-server")?;
        Ok(jetstream::new(client).get_stream(broker::STREAM).await?)
    }

    /// The consumer the workers share.
    pub async fn consumer(&self) -> anyhow::Result<PullConsumer> {
        let consumer = self.stream().await?.get_consumer(broker::CONSUMER).await;
        consumer.map_err(|error| anyhow::anyhow!("the workers' consumer: {error}"))
    }

    /// Sets up the workers' consumer before they do, so that a message whose worker died is
    /// delivered again after `ack_wait` and not after a minute.
    pub async fn make_consumer(&self, ack_wait: Duration) -> anyhow::Result<()> {
        let settings = jetstream::consumer::pull::Config {
            durable_name: Some(broker::CONSUMER.to_owned()),
            ack_policy: jetstream::consumer::AckPolicy::Explicit,
            ack_wait,
            max_deliver: -1,
            max_ack_pending: 10_000,
            ..Default::default()
        };
        self.stream().await?.create_consumer(settings).await?;
        Ok(())
    }

    /// Waits until it is ready; false if its port was taken by somebody else meanwhile.
    async fn is_ready(&mut self) -> bool {
        let outcome = |line: &str| {
            if line.contains("Server is ready") {
                Some(true)
            } else if line.contains("address already in use") {
                Some(false)
            } else {
                None
            }
        };
        self.process.wait_for_line("that it is ready", START, outcome).await
    }
}

/// The configuration it runs with, the one containers and quickstart use too.
pub fn config_file() -> PathBuf {
    process::checkout().join("deploy/nats.conf")
}

fn spawn(folder: &Path, port: u16, monitor_port: u16, start: u32) -> anyhow::Result<Process> {
    let program =
        process::program("NATS_SERVER", ".tools/nats-server-2.15.1/nats-server", "nats-server");
    let mut command = Command::new(&program);
    command
        .arg("-c")
        .arg(config_file())
        .args(["-a", "127.0.0.1"])
        .args(["-p", &port.to_string(), "-m", &monitor_port.to_string()])
        .arg("-sd")
        .arg(folder.join("jetstream"));
    Process::spawn("nats-server", &mut command, &folder.join(format!("nats-{start}.log")))
        .with_context(|| {
            format!(
                "nats-server was looked for at {}; deploy/tools.sh installs it",
                program.display()
            )
        })
}

/// A port of [`PORTS`] nobody listens on at this moment.
fn free_port() -> anyhow::Result<u16> {
    (0..PORTS_TRIED)
        .map(|_| rand::random_range(PORTS))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port was found")
}
