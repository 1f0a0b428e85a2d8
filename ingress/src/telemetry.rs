//! Logs and metrics of the process: how they are set up. What is counted is in
//! [`crate::measure`].

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::measure;

/// Which lines are written: a `tracing` filter such as `info` or `concilia_ingress=debug`.
pub const LOG_VARIABLE: &str = "CONCILIA_LOG";

/// How they are written: `pretty` (the default) or `json`.
pub const FORMAT_VARIABLE: &str = "CONCILIA_LOG_FORMAT";

/// Seconds; the disk's sync is a few tenths of a millisecond to a few tens.
const ACK_BUCKETS: [f64; 12] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];

const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Bytes; the largest is what is accepted at all.
const BODY_BUCKETS: [f64; 6] = [1_024.0, 4_096.0, 16_384.0, 65_536.0, 131_072.0, 262_144.0];

/// How often the metrics' own memory is tidied; without it histograms grow for ever.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Writes logs to standard error, as the two variables say.
pub fn start_logs() -> anyhow::Result<()> {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = filter_of(&filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var(FORMAT_VARIABLE).as_deref() {
        Ok("json") => lines.json().flatten_event(true).init(),
        Ok("pretty") | Err(_) => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        Ok(other) => anyhow::bail!("{FORMAT_VARIABLE} is {other:?}; write json or pretty"),
    }
    Ok(())
}

/// The filter, less the lines of the broker's client that show an address with its password.
fn filter_of(text: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(text)
        .with_context(|| format!("{LOG_VARIABLE} is not a log filter; write info or debug"))?;
    Ok(filter.add_directive("async_nats::connector=info".parse()?))
}

/// Collects metrics from here on, in this process once.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle =
        builder()?.install_recorder().context("the metrics recorder cannot be installed")?;
    measure::describe();
    let tidied = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            tidied.run_upkeep();
        }
    });
    Ok(handle)
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let named = |name: &str| Matcher::Full(name.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(named(measure::ACK_SECONDS), &ACK_BUCKETS)?
        .set_buckets_for_metric(named(measure::BATCH_SIZE), &BATCH_BUCKETS)?
        .set_buckets_for_metric(named(measure::BODY_BYTES), &BODY_BUCKETS)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_filter_lets_the_addresses_of_the_broker_through() {
        for filter in ["trace", "debug", "info,async_nats=debug"] {
            let paper = Paper::default();
            let writer = paper.clone();
            let lines = tracing_subscriber::fmt()
                .with_env_filter(filter_of(filter).unwrap())
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(lines, || {
                tracing::debug!(target: "async_nats::connector", server = "nats://u:hidden@h");
                tracing::info!("heard");
            });
            let said = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
            assert!(said.contains("heard") && !said.contains("hidden"), "{filter}: {said}");
        }
    }
}
