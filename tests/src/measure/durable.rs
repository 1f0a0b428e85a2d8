//! Section `durable`: webhooks answered 200 by the real ingress in a second, and how long one
//! waits, beside two baselines on the same broker ([`super::broker`]).
//!
//! The ingress is the binary as built, with its default configuration but for ports, deadlines
//! that a busy machine keeps, and a stream small enough for its disk. After every round the
//! stream must hold exactly as many messages as were acknowledged.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use concilia_shared::signature::SIGNATURE_HEADER;
use futures_util::future::try_join_all;
use serde_json::Value;

use super::Sizes;
use super::body;
use super::broker::Publisher;
use super::figures::{self, Unit};
use super::keepalive::Connection;
use super::report::{Row, Section};
use crate::harness::config::WEBHOOK_SECRET;
use crate::harness::http::signed;
use crate::harness::nats::NatsServer;
use crate::harness::process::{self, Process};
use crate::harness::system::PATIENCE;

/// What one round of sending came to.
#[derive(Debug, Clone)]
pub struct Round {
    /// Messages acknowledged.
    pub acks: usize,
    /// How long it took.
    pub within: Duration,
    /// How long each acknowledgement was waited for.
    pub latencies: Vec<Duration>,
}

impl Round {
    fn rate(&self) -> u64 {
        figures::per_second(self.acks, self.within)
    }

    fn latency(&self, percent: usize) -> u64 {
        let latency = figures::percentile(&self.latencies, percent);
        figures::microseconds(latency.unwrap_or_default())
    }
}

/// The ingress and its two baselines, one right after the other.
struct Rounds {
    posts: Round,
    single: Round,
    batches: Round,
}

/// Measures.
pub async fn section(sizes: &Sizes) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for connections in &sizes.connections {
        let rounds = one_case(sizes, *connections).await?;
        rows.extend(rows_of(*connections, sizes.batch_messages, &rounds));
    }
    let title = "webhooks of 1 KiB answered 200, each on disk in the broker".to_owned();
    Ok(Section { name: "durable", title, rows })
}

/// On a broker of its own, whose data is gone afterwards: the stream lets nobody empty it.
async fn one_case(sizes: &Sizes, connections: usize) -> anyhow::Result<Vec<Rounds>> {
    let folder = tempfile::tempdir()?;
    let nats = NatsServer::start(folder.path()).await?;
    let ingress = Ingress::start(folder.path(), &nats).await?;
    let mut publisher = Publisher::connect(&nats).await?;
    let (mut rounds, mut stored) = (Vec::new(), 0);
    for _ in 0..sizes.repetitions {
        let posts = ingress.posts(connections, sizes.round).await?;
        stored = check(&mut publisher, &posts, stored).await?;
        let single = publisher.single(connections, sizes.round).await?;
        stored = check(&mut publisher, &single, stored).await?;
        // Many in a short time: half of it is enough, and spares the disk.
        let batches = publisher.batches(sizes.batch_messages, sizes.round / 2).await?;
        stored = check(&mut publisher, &batches, stored).await?;
        rounds.push(Rounds { posts, single, batches });
    }
    Ok(rounds)
}

/// What was acknowledged is stored, and nothing else; answers how many messages there are now.
async fn check(publisher: &mut Publisher, round: &Round, before: u64) -> anyhow::Result<u64> {
    let stored = publisher.stored().await?;
    ensure!(
        before.checked_add(u64::try_from(round.acks)?) == Some(stored) && round.acks > 0,
        "{} messages were acknowledged, the stream had {before} and has {stored}",
        round.acks
    );
    Ok(stored)
}

fn rows_of(connections: usize, batch: usize, rounds: &[Rounds]) -> Vec<Row> {
    let plural = if connections == 1 { "" } else { "s" };
    let single = format!("single synced publishes, {connections} sender{plural}");
    let batches = format!("raw atomic batches of {batch}");
    let row = |what, unit, baseline: &str, pair: fn(&Rounds) -> (u64, u64)| Row {
        case: format!("{connections} connection{plural}"),
        what,
        unit,
        baseline: baseline.to_owned(),
        pairs: rounds.iter().map(pair).collect(),
    };
    vec![
        row("acks", Unit::PerSecond, &single, |it| (it.posts.rate(), it.single.rate())),
        row("acks", Unit::PerSecond, &batches, |it| (it.posts.rate(), it.batches.rate())),
        row("p50", Unit::Microseconds, &single, |it| (it.posts.latency(50), it.single.latency(50))),
        row("p99", Unit::Microseconds, &single, |it| (it.posts.latency(99), it.single.latency(99))),
    ]
}

/// The real ingress.
struct Ingress {
    /// `host:port`.
    host: String,
    _process: Process,
}

impl Ingress {
    async fn start(folder: &Path, nats: &NatsServer) -> anyhow::Result<Self> {
        let (config, secret) = (folder.join("concilia.toml"), folder.join("webhook-secret"));
        std::fs::write(&secret, WEBHOOK_SECRET)?;
        // An ingress asks nothing of Odoo; an account is not one without it.
        let text = format!(
            "[nats]\nurl = {:?}\nmonitor_url = {:?}\nmax_bytes = 4_294_967_296\n\
             [ingress]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             publish_deadline_ms = 20_000\nrequest_timeout_ms = 60_000\n\
             [accounts.{}]\nenvironment = \"test\"\nconnector = \"generic\"\n\
             webhook_secret_files = [{:?}]\n\
             odoo = {{ url = \"http://127.0.0.1:9\", database = \"none\", key = \"none\" }}\n",
            nats.url(),
            nats.monitor_url(),
            body::ACCOUNT,
            secret.display().to_string(),
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(process::binary("concilia-ingress")?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CONCILIA_") {
                command.env_remove(name);
            }
        }
        command.env("CONCILIA_CONFIG", &config).env("CONCILIA_LOG_FORMAT", "json");
        let mut process = Process::spawn("ingress", &mut command, &folder.join("ingress.log"))?;
        let listening = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "listening").then(|| line["public"].as_str().map(str::to_owned))
        };
        let host = process.wait_for_line("where it listens", PATIENCE, listening).await;
        Ok(Self { host: host.context("the ingress says where it listens")?, _process: process })
    }

    /// So many connections, each posting a signed webhook and waiting for its answer before it
    /// posts the next.
    async fn posts(&self, connections: usize, length: Duration) -> anyhow::Result<Round> {
        let opened = (0..connections).map(|_| Connection::open(&self.host));
        let mut opened = try_join_all(opened).await?;
        let started = Instant::now();
        let posting = opened.iter_mut().map(|connection| async move {
            let mut latencies = Vec::new();
            while started.elapsed() < length {
                let body = body::body(body::number());
                let signature = signed(&body, 0);
                let sent = Instant::now();
                let header = (SIGNATURE_HEADER, signature.as_str());
                let status = connection.post("/ventipay/webhook", header, &body).await?;
                ensure!(status == 200, "the ingress answered {status} instead of 200");
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
        let latencies = try_join_all(posting).await?.concat();
        Ok(Round { acks: latencies.len(), within: started.elapsed(), latencies })
    }
}
