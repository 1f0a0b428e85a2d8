//! Logs to standard error: pretty for people, JSON for machines.
//!
//! `CONCILIA_LOG` filters (default `info`), `CONCILIA_LOG_FORMAT=json` changes the form. Ids
//! are fields; bodies, keys and secrets are never logged.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. Once per process.
pub fn init() {
    let filter = EnvFilter::try_from_env("CONCILIA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // At debug level it would show the broker's address, password included.
    let filter = match "async_nats::connector=info".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("CONCILIA_LOG_FORMAT").is_ok_and(|format| format == "json") {
        logs.json().flatten_event(true).init();
    } else {
        logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    }
}
