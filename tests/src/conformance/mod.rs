//! The conformance suite: the same cases against the simulated Odoo and against any real one.
//!
//! It goes only through the external API. What there is to pay is made as an administrator
//! makes it (`office`, `shop`); everything of ours is done by the bot through our own actions
//! (`ask`, `road`). A run makes a company of its own and books into nothing else; what it makes
//! and leaves is on the page `docs/conformance.md`.
//!
//! In reading order: [`cases`] (what is tried: one function a case), [`mod@bench`] (the company, the
//! bot, the set-up), [`report`] (the table). Not here: the simulator ([`crate::odoo`]), and the
//! program's command line (`src/bin/concilia-conformance.rs`).

pub mod ask;
pub mod bench;
pub mod cases;
mod company;
mod cut;
pub mod expect;
pub mod office;
pub mod report;
pub mod road;
pub mod shop;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use concilia_shared::config::Transport;
use concilia_shared::secret::Secret;

use bench::Bench;
use cases::Case;
use report::{Row, Table, Verdict};

/// Longest one case may take, so that a server that hangs does not hang the suite.
const CASE_LIMIT: Duration = Duration::from_mins(3);

/// Which Odoo, and what of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its address.
    pub url: String,
    /// Its database.
    pub database: String,
    /// An administrator's login (Settings).
    pub login: String,
    /// The API key of that login; over JSON-RPC the password works too.
    pub key: Secret,
    /// Which API is spoken.
    pub transport: Transport,
    /// An existing company to work in; absent makes one of its own.
    pub company: Option<i64>,
    /// Only these cases; all when empty.
    pub only: Vec<String>,
    /// A bot that books here already is put aside for the run.
    pub pause_bot: bool,
}

/// Runs the cases and cleans up, whatever came of them. `told` sees each row as it is there.
///
/// # Errors
/// When the ground cannot be laid: no such case, server, login, or module. A case that fails is
/// a row of the table and no error.
pub async fn run(options: &Options, told: impl Fn(&Row)) -> anyhow::Result<Table> {
    let cases = cases::select(&options.only)?;
    let bench = Bench::open(options).await?;
    let mut table = Table::new(&bench);
    for case in cases {
        let row = one(case, &bench).await;
        told(&row);
        table.rows.push(row);
    }
    bench.close().await.context("cleaning up")?;
    Ok(table)
}

async fn one(case: &Case, bench: &Bench) -> Row {
    let started = Instant::now();
    let verdict = match tokio::time::timeout(CASE_LIMIT, case.run(bench)).await {
        Ok(Ok(())) => Verdict::Pass,
        Ok(Err(error)) => match error.downcast_ref::<expect::NotHere>() {
            Some(why) => Verdict::NotRun(why.to_string()),
            None => Verdict::Fail(format!("{error:#}")),
        },
        Err(_) => Verdict::Fail(format!("no end after {} s", CASE_LIMIT.as_secs())),
    };
    let took = started.elapsed();
    Row { case: case.name, about: case.about, verdict, took }
}
