//! `config check`: reads the configuration as a process would, and shows what it came to,
//! without secrets.

use concilia_shared::config::{self, Config};

use super::print;
use crate::retry::wait_s;

/// Attempts shown of the retry schedule.
const ATTEMPTS_SHOWN: u32 = 10;

/// Prints the configuration and the retry schedule. Reading it has already checked it.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let waits: Vec<String> = (1..=ATTEMPTS_SHOWN)
        .map(|attempt| format!("{} s", wait_s(&config.retry, attempt)))
        .collect();
    print(&format!(
        "{}\n# Retries wait, before jitter: {} …; given up after {} days.\n# The configuration is valid.",
        config::show(config)?,
        waits.join(", "),
        config.retry.give_up_days
    ))
}
