//! What operators type: `concilia-worker <command>`.
//!
//! One file a command; [`cli`] is the tree of them all, [`desk`] what they work at, [`stop`]
//! how they end (the exit codes), [`lists`] and [`select`] which events they show and decide
//! about. Each prints a table for people or JSON for scripts. Not here: wiring
//! ([`crate::wire`]), the words ([`crate::say`]).

pub mod accounts;

pub mod balance;

pub mod cli;

pub mod completions;

pub mod config_check;

pub mod decide;

pub mod desk;

pub mod events;

pub mod filter;

pub mod ignore;

pub mod lists;

pub mod odoo_setup;

pub mod pause;

pub mod people;

pub mod replay;

pub mod retry;

pub mod run;

pub mod screen;

pub mod select;

pub mod settings;

pub mod show;

pub mod stop;

pub mod tail;

pub mod verify;

pub mod waiting;

use std::io::Write as _;

use anyhow::Context as _;

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
