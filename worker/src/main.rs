//! `concilia-worker`: reads the command line and runs one command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use concilia_worker::commands::{self, balance, odoo_setup, replay, run::Role, verify};
use concilia_worker::say::Lang;
use concilia_worker::{store, telemetry, wire};

/// Brings every peso paid through Ventipay into Odoo, exactly once.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Arguments {
    /// The configuration file (TOML); variables `CONCILIA_A__B` override it.
    #[arg(long, env = "CONCILIA_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Consumes webhooks and settles them, until told to stop.
    #[command(
        after_help = "Examples:\n  concilia-worker run --config concilia.toml\n  concilia-worker run --roles settle"
    )]
    Run {
        /// What this process does.
        #[arg(long, value_delimiter = ',', default_value = "consume,settle")]
        roles: Vec<Role>,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The Odoo of an account.
    #[command(subcommand)]
    Odoo(OdooCommand),
    /// The events.
    #[command(subcommand)]
    Events(EventsCommand),
    /// paid − refunded = booked + pending + parked, and the difference.
    Balance {
        #[command(flatten)]
        options: balance::Options,
        #[command(flatten)]
        output: Output,
    },
    /// The log out to a file and in again, or rebuilt from the broker; its views made again.
    #[command(subcommand)]
    Replay(replay::Command),
    /// Checks chains, bodies, signatures and views, and names the first place that is off.
    #[command(
        after_help = "Examples:\n  concilia-worker verify\n  concilia-worker verify --strict --broker --json"
    )]
    Verify(verify::Options),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Checks the configuration and shows it, defaults included, without secrets.
    Check,
}

#[derive(Debug, Subcommand)]
enum OdooCommand {
    /// Installs what booking needs; safe to run again.
    Setup(odoo_setup::Options),
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Lists every webhook event, with where it rests and what stands in Odoo.
    List(Output),
}

#[derive(Debug, clap::Args)]
struct Output {
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Language of headings and sentences.
    #[arg(long, env = "CONCILIA_LANG", default_value = "en")]
    lang: Lang,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::init();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: Arguments) -> anyhow::Result<()> {
    // One provider for every TLS connection of the process.
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = wire::load_config(arguments.config.as_deref())?;
    match arguments.command {
        Command::Run { roles } => commands::run::run(config, &roles).await,
        Command::Config(ConfigCommand::Check) => commands::config_check::run(&config),
        Command::Odoo(OdooCommand::Setup(options)) => odoo_setup::run(&config, &options).await,
        Command::Events(EventsCommand::List(output)) => {
            commands::events::list(
                store::open(&config.store).await?.as_ref(),
                output.json,
                output.lang,
            )
            .await
        }
        Command::Replay(command) => replay::run(&config, command).await,
        Command::Verify(options) => verify::run(&config, &options).await,
        Command::Balance { options, output } => {
            balance::run(
                store::open(&config.store).await?.as_ref(),
                &options,
                output.json,
                output.lang,
            )
            .await
        }
    }
}
