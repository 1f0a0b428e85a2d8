//! Logs to standard error, pretty for people and JSON for machines; and how metrics are
//! collected. What is counted is in [`crate::measure`].
//!
//! `CONCILIA_LOG` filters (default `info` for `run`, `warn` for the other commands),
//! `CONCILIA_LOG_FORMAT=json` changes the form. Ids are fields; bodies, keys and secrets are
//! never logged.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::measure;

/// Seconds of a call, and of settling, which is a few of them.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const BATCH_SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Collects metrics from here on, in this process once. Who calls this must tidy up now and
/// then (`run_upkeep`).
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = metrics()?.install_recorder().context("metrics are collected already")?;
    measure::describe();
    Ok(handle)
}

/// How they are collected: histograms in buckets, which can be summed over processes.
pub fn metrics() -> anyhow::Result<PrometheusBuilder> {
    let named = |name: &str| Matcher::Full(name.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(named(measure::ODOO_SECONDS), &SECONDS)?
        .set_buckets_for_metric(named(measure::VENTIPAY_SECONDS), &SECONDS)?
        .set_buckets_for_metric(named(measure::SETTLE_SECONDS), &SECONDS)?
        .set_buckets_for_metric(named(measure::ADMIT_BATCH_SIZE), &BATCH_SIZES)?)
}

/// Starts logging, from `level` on unless the variable says otherwise. Once per process.
pub fn init(level: &str) {
    let filter = EnvFilter::try_from_env("CONCILIA_LOG").unwrap_or_else(|_| EnvFilter::new(level));
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
