//! `replay`: the log out to a file and in again, or rebuilt from the broker; what would follow
//! from that, and its release.
//!
//! Not here: how ([`crate::replay`]).

use anyhow::Context as _;
use concilia_shared::config::Config;
use concilia_shared::id::{AccountName, StreamId};
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::screen::Output;
use super::{print, print_json, run, table};
use crate::clock::SystemClock;
use crate::replay::held::{self, held};
use crate::replay::plan::{Line, Sums, plan};
use crate::replay::stream::rebuild;
use crate::replay::{export, import, views};
use crate::say::Lang;
use crate::shell::Shell;
use crate::store::Cursor;
use crate::{store, wire};

/// What is replayed.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Writes the whole log into one file.
    #[command(after_help = "Example:\n  concilia-worker replay export concilia-2026-11.gz")]
    Export(export::Options),
    /// Reads such a file into an empty database, or one that holds the beginning of it.
    ///
    /// Stop the workers first; it is refused while one is at work. Equal events are skipped, so
    /// an import that was cut off goes on when it is run again. Nothing is booked by it: outcomes
    /// are part of the log. What was open when the file was written goes on as soon as a worker
    /// runs; what people decided since is lost, so hold an older file and look at `replay plan`.
    #[command(
        after_help = "Examples:\n  concilia-worker replay import concilia-2026-11.gz\n  concilia-worker replay import concilia-2026-11.gz --hold"
    )]
    Import(import::Options),
    /// Drops every view and makes it again from the log, while traffic goes on.
    #[command(after_help = "Example:\n  concilia-worker replay views")]
    Views,
    /// Has an account's Odoo shown the whole log again: events and checkouts that are missing
    /// there are made, what is newer is written. Running workers do it, behind.
    #[command(after_help = "Example:\n  concilia-worker replay mirror shop")]
    Mirror {
        /// The account.
        #[arg(value_name = "ACCOUNT", value_parser = account_name)]
        account: AccountName,
    },
    /// Rebuilds the log from the broker; what is rebuilt is held until it is released.
    ///
    /// For a database that was lost, or set back and to be filled by hand. Every webhook the
    /// broker still has is read; what the log knows is skipped, so it can be run again. Odoo and
    /// Ventipay are not asked. What came of the webhooks and what people decided is not in the
    /// broker: look at `replay plan` before you release anything.
    #[command(
        after_help = "Examples:\n  concilia-worker replay stream --plan\n  concilia-worker replay stream"
    )]
    Stream {
        /// Only shows how much would be rebuilt; writes nothing.
        #[arg(long, alias = "dry-run")]
        plan: bool,
        /// How it is shown.
        #[command(flatten)]
        output: Output,
    },
    /// Shows what would be done if held streams were released; asks Odoo and Ventipay, writes
    /// nothing.
    #[command(
        after_help = "Examples:\n  concilia-worker replay plan\n  concilia-worker replay plan shop/checkout-chk_1 --json"
    )]
    Plan {
        /// Only these streams; else all that are held.
        #[arg(value_name = "STREAM", value_parser = stream_id)]
        streams: Vec<StreamId>,
        /// Most lines shown; the sums count all.
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        limit: usize,
        /// How it is shown.
        #[command(flatten)]
        output: Output,
    },
    /// Releases held streams: from now on they are acted upon as any other.
    #[command(
        after_help = "Examples:\n  concilia-worker replay release --all --by ana\n  concilia-worker replay release shop/checkout-chk_1 --by ana --plan"
    )]
    Release {
        /// These streams.
        #[arg(value_name = "STREAM", value_parser = stream_id, required_unless_present = "all")]
        streams: Vec<StreamId>,
        /// Every stream that is held.
        #[arg(long, conflicts_with = "streams")]
        all: bool,
        /// Who releases them.
        #[arg(long, value_name = "WHO", required_unless_present = "plan")]
        by: Option<String>,
        /// Only shows what would be done, as `replay plan`.
        #[arg(long, alias = "dry-run")]
        plan: bool,
        /// Most lines a plan shows.
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        limit: usize,
        /// How it is shown.
        #[command(flatten)]
        output: Output,
    },
}

fn account_name(text: &str) -> Result<AccountName, String> {
    AccountName::parse(text).map_err(|error| format!("no account: {error}"))
}

async fn mirror(config: &Config, account: &AccountName) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.accounts.contains_key(account),
        "There is no account {account} in the configuration: `concilia-worker accounts` lists them."
    );
    let store = wire::store(&config.store).await?;
    store.set_mirrored(account, Cursor::default()).await?;
    print(&format!("{account}: its Odoo is shown the whole log again, by the workers that run."))
}

fn stream_id(text: &str) -> Result<StreamId, String> {
    StreamId::parse(text).map_err(|error| format!("not a stream: {error}"))
}

/// Runs one of them.
pub async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Export(options) => export::run(config, &options).await,
        Command::Import(options) => import::run(config, &options).await,
        Command::Mirror { account } => mirror(config, &account).await,
        Command::Views => views::run(config).await,
        Command::Stream { plan, output } => stream(config, plan, &output).await,
        Command::Plan { streams, limit, output }
        | Command::Release { streams, plan: true, limit, output, .. } => {
            show_plan(&wire::shell(config).await?, streams, limit, &output).await
        }
        Command::Release { streams, by, output, .. } => {
            let by = by.context("--by is missing: say who releases them")?;
            release(config, streams, &by, &output).await
        }
    }
}

async fn stream(config: &Config, plan: bool, output: &Output) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let addresses = config.nats.addresses().map_err(anyhow::Error::msg)?;
    let client = run::options(config).await?.connect(&addresses[..]).await;
    let client = client.context("The broker does not answer; check nats.url")?;
    let bar = bar();
    let tell = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let rebuilt = rebuild(store.as_ref(), &SystemClock, &client, &config.nats, plan, tell).await?;
    bar.finish_and_clear();
    if output.json {
        return print_json(&rebuilt);
    }
    let (read, new, streams, known) =
        (rebuilt.read, rebuilt.new, rebuilt.streams, rebuilt.known + rebuilt.conflicts);
    print(&match (output.lang, plan) {
        (Lang::En, true) => format!(
            "{read} messages read: {new} webhooks in {streams} streams would be rebuilt and held, {known} are known. Nothing was written."
        ),
        (Lang::En, false) => format!(
            "{read} messages read: {new} webhooks in {streams} streams were rebuilt and are held, {known} were known. Next: `concilia-worker replay plan`, then `concilia-worker replay release`."
        ),
        (Lang::Es, true) => format!(
            "{read} mensajes leídos: {new} webhooks en {streams} flujos se reconstruirían y quedarían retenidos, {known} ya se conocen. No se escribió nada."
        ),
        (Lang::Es, false) => format!(
            "{read} mensajes leídos: {new} webhooks en {streams} flujos se reconstruyeron y están retenidos, {known} ya se conocían. Siga con `concilia-worker replay plan` y luego `concilia-worker replay release`."
        ),
    })
}

async fn show_plan(
    shell: &Shell,
    streams: Vec<StreamId>,
    limit: usize,
    output: &Output,
) -> anyhow::Result<()> {
    let streams = chosen(shell.store.as_ref(), streams).await?;
    let bar = bar();
    bar.set_length(streams.len() as u64);
    let (mut sums, mut lines, mut left_out) = (Sums::default(), Vec::<Line>::new(), 0_u64);
    let mut planned = std::pin::pin!(plan(shell, streams, output.lang));
    while let Some(stream) = planned.next().await {
        for line in stream? {
            sums.add(&line);
            if lines.len() < limit {
                lines.push(line);
            } else {
                left_out += 1;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if output.json {
        return print_json(&json!({ "events": lines, "sums": sums, "left_out": left_out }));
    }
    let (heading, sums_heading) = match output.lang {
        Lang::En => (["stream", "event", "amount", "would", "why"], ["would", "events", "amount"]),
        Lang::Es => {
            (["flujo", "evento", "monto", "se haría", "por qué"], ["se haría", "eventos", "monto"])
        }
    };
    let rows = lines.iter().map(|line| {
        let amount = line.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string());
        let would = line.would.word(output.lang).to_owned();
        vec![line.stream.to_string(), line.event_id.clone(), amount, would, line.sentence.clone()]
    });
    let sums = sums.0.iter().map(|(would, sum)| {
        let amounts = sum.amounts.iter().map(|(currency, minor)| amount(*minor, currency));
        let amounts = amounts.collect::<Vec<_>>().join(", ");
        vec![would.word(output.lang).to_owned(), sum.events.to_string(), amounts]
    });
    print(&format!("{}\n{}", table(&heading, rows), table(&sums_heading, sums)))
}

fn amount(minor: i64, currency: &str) -> String {
    use concilia_shared::money::{Currency, Money};
    Currency::parse(currency)
        .map_or_else(|| minor.to_string(), |currency| Money::new(minor, currency).to_string())
}

async fn release(
    config: &Config,
    streams: Vec<StreamId>,
    by: &str,
    output: &Output,
) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let streams = chosen(store.as_ref(), streams).await?;
    let bar = bar();
    bar.set_length(streams.len() as u64);
    let tell = |done| bar.set_position(done);
    let done = held::release(store.as_ref(), &SystemClock, &streams, by, tell).await?;
    bar.finish_and_clear();
    if output.json {
        return print_json(&done);
    }
    let (released, not_held) = (done.released, done.not_held);
    print(&match output.lang {
        Lang::En => format!("{released} streams released; {not_held} were not held."),
        Lang::Es => format!("{released} flujos liberados; {not_held} no estaban retenidos."),
    })
}

/// The streams named, else all that are held.
async fn chosen(
    store: &dyn store::EventStore,
    streams: Vec<StreamId>,
) -> anyhow::Result<Vec<StreamId>> {
    if !streams.is_empty() {
        return Ok(streams);
    }
    Ok(held(store).await?.into_iter().collect())
}

/// On a terminal only; elsewhere it shows nothing.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    let bar = ProgressBar::new(0);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
