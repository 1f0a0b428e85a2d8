//! `concilia-measure`: how fast Concilia is, as ratios to baselines measured in the same run.
//!
//! Only the command line is here; see [`concilia_tests::measure`]. `deploy/measure` builds what
//! it needs and runs it. Never part of an installation.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use concilia_tests::measure::odoo::RealOdoo;
use concilia_tests::measure::report::{self, Section};
use concilia_tests::measure::{Sizes, durable, log, odoo, waiting};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(version, about = "Measures Concilia beside baselines; see deploy/measure")]
struct Arguments {
    /// Less than a minute instead of a few.
    #[arg(long)]
    quick: bool,
    /// JSON on standard output instead of tables.
    #[arg(long)]
    json: bool,
    /// Only these parts; all unless given.
    #[arg(long = "section", value_enum)]
    sections: Vec<Part>,
    /// Book into this Odoo, a throw-away database, instead of the simulated one.
    #[arg(long, requires_all = ["odoo_db", "odoo_key_file"])]
    odoo_url: Option<String>,
    /// Its database.
    #[arg(long, requires = "odoo_url")]
    odoo_db: Option<String>,
    /// A login with Settings rights.
    #[arg(long, default_value = "admin")]
    odoo_login: String,
    /// A file with its API key or password.
    #[arg(long, requires = "odoo_url")]
    odoo_key_file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Webhooks answered 200 by the ingress.
    Durable,
    /// Webhooks admitted into PostgreSQL.
    Log,
    /// A fresh event beside streams that wait.
    Waiting,
    /// Payments booked in Odoo.
    Odoo,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Dropped when told to stop, and with it every process it started.
    let outcome = tokio::select! {
        outcome = measure(&arguments) => outcome,
        stopped = told_to_stop() => stopped.map_err(Into::into).and(Err(anyhow::anyhow!("stopped"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let sizes = if arguments.quick { Sizes::quick() } else { Sizes::full() };
    let real = real_odoo(arguments);
    let mut sections = Vec::new();
    for part in Part::value_variants() {
        if !arguments.sections.is_empty() && !arguments.sections.contains(part) {
            continue;
        }
        let started = Instant::now();
        let section = one(*part, &sizes, real.as_ref()).await?;
        eprintln!("{}: measured in {} s", section.name, started.elapsed().as_secs());
        sections.push(section);
    }
    let text = if arguments.json {
        format!("{:#}\n", report::json(&sections))
    } else {
        report::text(&sections)
    };
    io::stdout().lock().write_all(text.as_bytes()).context("writing the result")
}

async fn one(part: Part, sizes: &Sizes, real: Option<&RealOdoo>) -> anyhow::Result<Section> {
    match part {
        Part::Durable => durable::section(sizes).await.context("durable"),
        Part::Log => log::section(sizes).await.context("log"),
        Part::Waiting => waiting::section(sizes).await.context("waiting"),
        Part::Odoo => odoo::section(sizes, real).await.context("odoo"),
    }
}

fn real_odoo(arguments: &Arguments) -> Option<RealOdoo> {
    Some(RealOdoo {
        url: arguments.odoo_url.clone()?,
        database: arguments.odoo_db.clone()?,
        login: arguments.odoo_login.clone(),
        key_file: arguments.odoo_key_file.clone()?,
    })
}

async fn told_to_stop() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
