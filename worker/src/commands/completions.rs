//! `completions`: what a shell needs to complete the commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::cli::Arguments;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker completions bash > /etc/bash_completion.d/concilia-worker
  concilia-worker completions zsh > ~/.zfunc/_concilia-worker";

/// The script of a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "concilia-worker", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
