//! `concilia-conformance`: whether an Odoo does what Concilia expects of it, case by case.
//!
//! Only the command line is here; see [`concilia_tests::conformance`]. `deploy/conformance`
//! builds what it needs and runs it. Never part of an installation.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use concilia_shared::config::Transport;
use concilia_shared::secret::Secret;
use concilia_tests::conformance::{Options, cases, run};

#[derive(Parser)]
#[command(version, about = "Holds an Odoo against what Concilia expects; see deploy/conformance")]
struct Arguments {
    /// Address of the Odoo.
    #[arg(long, required_unless_present = "list")]
    url: Option<String>,
    /// Its database.
    #[arg(long, required_unless_present = "list")]
    db: Option<String>,
    /// A login with Settings rights.
    #[arg(long, default_value = "admin")]
    login: String,
    /// A file with its API key (or, over JSON-RPC, its password).
    #[arg(long, required_unless_present = "list")]
    key_file: Option<PathBuf>,
    /// An existing company to work in; else one is made.
    #[arg(long)]
    company: Option<i64>,
    /// Only this case; may be given again.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Names the cases.
    #[arg(long)]
    list: bool,
    /// Which API is spoken; unless given JSON-2 where the server has it, else JSON-RPC.
    #[arg(long, value_enum)]
    transport: Option<Api>,
    /// JSON on standard output instead of the table.
    #[arg(long)]
    json: bool,
    /// Put a bot that books here already aside, and back at the end.
    #[arg(long)]
    pause_bot: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Api {
    /// /jsonrpc
    Jsonrpc,
    /// /json/2, from 19 on.
    Json2,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = if arguments.list { list() } else { conformance(&arguments).await };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> anyhow::Result<bool> {
    for case in cases::all() {
        say(&format!("{:<26} {}\n", case.name, case.about))?;
    }
    Ok(true)
}

async fn conformance(arguments: &Arguments) -> anyhow::Result<bool> {
    let options = options(arguments)?;
    let json = arguments.json;
    let table = run(&options, |row| {
        if !json {
            // A reader who went away does not stop the run: it must clean up.
            let _ = say(&format!("{row}\n"));
        }
    })
    .await?;
    if json {
        say(&format!("{:#}\n", table.json()))?;
    } else {
        say(&format!("{}\n", table.summary()))?;
    }
    Ok(table.all_pass())
}

fn options(arguments: &Arguments) -> anyhow::Result<Options> {
    let file = arguments.key_file.as_ref().context("--key-file is missing")?;
    let key = std::fs::read_to_string(file)
        .with_context(|| format!("the key file {} cannot be read", file.display()))?;
    Ok(Options {
        url: arguments.url.clone().context("--url is missing")?,
        database: arguments.db.clone().context("--db is missing")?,
        login: arguments.login.clone(),
        key: Secret::new(key.trim()),
        transport: match arguments.transport {
            None => Transport::Auto,
            Some(Api::Jsonrpc) => Transport::Jsonrpc,
            Some(Api::Json2) => Transport::Json2,
        },
        company: arguments.company,
        only: arguments.only.clone(),
        pause_bot: arguments.pause_bot,
    })
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing the table")
}
