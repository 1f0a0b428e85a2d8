//! What operators type: `concilia-worker <command>`.
//!
//! One file a command; each takes the checked configuration and prints to standard output,
//! a table for people or JSON for scripts. Exit codes: 0 done, 1 failed, 2 the command line
//! is wrong. Not here: wiring ([`crate::wire`]).

pub mod balance;

pub mod config_check;

pub mod events;

pub mod odoo_setup;

pub mod replay;

pub mod run;

pub mod verify;

use std::io::Write as _;

use anyhow::Context as _;

use crate::store::EventStore;
use crate::views::project;

/// Brings the views up to the end of the log, so that what is read next is all there is.
pub async fn caught_up(store: &dyn EventStore) -> anyhow::Result<()> {
    let progress = project::catch_up(store, project::PAGES_MAX).await?;
    anyhow::ensure!(
        progress.at_end,
        "The views are far behind the log: run `replay views`, or wait for the worker to catch up."
    );
    Ok(())
}

/// Prints one text to standard output. A reader that went away is not an error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to standard output"),
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A table as people read it: a line a row, columns by width, nothing cut.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(heading);
    table.add_rows(rows);
    table.to_string()
}
