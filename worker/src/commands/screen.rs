//! What a command writes to: a table for people or JSON for scripts, in one of two languages.
//!
//! Not here: the sentences ([`crate::say`]).

use std::io::{ErrorKind, IsTerminal as _, Write};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::say::Lang;

/// Form and language of what is printed.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Output {
    /// JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Language of headings and sentences.
    #[arg(long, env = "CONCILIA_LANG", default_value = "en", hide_env_values = true)]
    pub lang: Lang,
}

/// Where a command writes.
pub struct Screen<'a> {
    out: &'a mut (dyn Write + Send),
    output: Output,
    /// Characters a line has; `None`: as many as it needs.
    width: Option<u16>,
    /// The reader went away.
    gone: bool,
}

impl<'a> Screen<'a> {
    /// Writes to `out`, lines as long as they come.
    pub fn new(out: &'a mut (dyn Write + Send), output: Output) -> Self {
        Self { out, output, width: None, gone: false }
    }

    /// Tables as wide as the terminal, where standard output is one.
    #[must_use]
    pub fn of_terminal(mut self) -> Self {
        let size = terminal_size::terminal_size().filter(|_| std::io::stdout().is_terminal());
        self.width = size.map(|(width, _)| width.0);
        self
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.output.json
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.output.lang
    }

    /// Whether nobody reads any more.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// A line, or several. A reader that went away is not an error.
    pub fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let written = writeln!(self.out, "{}", text.trim_end()).and_then(|()| self.out.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            written => written.context("writing to standard output"),
        }
    }

    /// A value as JSON, indented.
    pub fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.say(&serde_json::to_string_pretty(value)?)
    }

    /// A table as people read it: a line a row, nothing cut.
    pub fn table(
        &mut self,
        heading: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> anyhow::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = self.width {
            table.set_width(width);
        }
        table.set_header(heading);
        table.add_rows(rows);
        self.say(&table.to_string())
    }
}
