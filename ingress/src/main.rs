//! The command line of `concilia-ingress`. Everything else is in the library.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use concilia_ingress::settings::Source;
use concilia_ingress::{run, telemetry};

const EXAMPLES: &str = "\
Examples:
  concilia-ingress --config concilia.toml
  CONCILIA_ACCOUNTS__MAIN__ENVIRONMENT=test \\
  CONCILIA_ACCOUNTS__MAIN__WEBHOOK_SECRETS=whs_... \\
  CONCILIA_NATS__MONITOR_URL=http://127.0.0.1:8222 concilia-ingress

Every key of the file can be set by a variable: nats.url is CONCILIA_NATS__URL.
CONCILIA_LOG=debug writes more; CONCILIA_LOG_FORMAT=json writes for machines.
Signals: SIGHUP reads accounts and webhook secrets again; SIGTERM finishes what is in
flight and ends.";

/// Receives Ventipay's webhooks and answers 2xx only once they are on disk in the broker.
#[derive(Parser)]
#[command(name = "concilia-ingress", version, about, after_help = EXAMPLES)]
struct Arguments {
    /// The TOML file to read; without one, variables alone.
    #[arg(long, env = "CONCILIA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    telemetry::start_logs()?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed already")?;
    let source = Source { file: arguments.config };
    run::run(source).await
}
