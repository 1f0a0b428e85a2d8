//! Re-reads from the broker what the log should have and has not.
//!
//! A database can lose commits it had confirmed: a fail-over to a copy that lagged, a restored
//! backup. The broker's consumer has long gone past them. So each message's place is kept, and
//! at start and every minute the places below the consumer's ack floor that the log has never
//! seen are read again.
//!
//! Only behind the place where the log begins. A log that begins later than what the broker has
//! acknowledged was not set back but lost, and with it what people decided: acting on what is
//! read again would be acting without them. That is left to a person, who reads it again held
//! ([`crate::replay::stream`]). Not here: the ordinary way in ([`super`]).

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::stream::RawMessageErrorKind;
use concilia_shared::config;
use tokio_util::sync::CancellationToken;

use super::{Source, report, to_arrival};
use crate::measure;
use crate::shell::Shell;
use crate::store::{Arrival, BrokerPosition};

/// Most ranges looked at in one round, and most messages admitted at once.
const RANGES_MAX: usize = 64;
const BATCH_MAX: usize = 200;

/// Looks for gaps at start and then every `worker.gap_check_s`, until told to stop.
pub async fn run(
    shell: &Shell,
    client: &async_nats::Client,
    config: &config::Config,
    stop: &CancellationToken,
) {
    let mut lost = 0;
    let mut every = tokio::time::interval(Duration::from_secs(config.worker.gap_check_s));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let closed = async {
            let source = Source::open(client, &config.nats).await?;
            close(shell, source).await
        };
        // Dropping it half-way loses nothing: what was not admitted is still missing.
        let closed = tokio::select! {
            () = stop.cancelled() => return,
            closed = closed => closed,
        };
        match closed {
            Ok(closed) => {
                measure::log_empty(closed.lost > 0);
                if closed.lost > 0 && lost == 0 {
                    tracing::warn!(
                        "The log is empty, but the broker has up to {} webhooks acknowledged before: run `concilia-worker replay stream`, look at `concilia-worker replay plan`, then `concilia-worker replay release`",
                        closed.lost
                    );
                }
                lost = closed.lost;
                if closed.admitted > 0 {
                    tracing::warn!(
                        found = closed.admitted,
                        "re-read webhooks that the log had lost"
                    );
                }
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "could not look for gaps"),
        }
    }
}

/// What a look for gaps came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closed {
    /// Messages admitted again.
    pub admitted: u64,
    /// Acknowledged messages from before the log begins: for a person.
    pub lost: u64,
}

/// Re-reads every gap below the ack floor, from where the log begins.
pub async fn close(shell: &Shell, mut source: Source) -> anyhow::Result<Closed> {
    let floor =
        source.consumer.info().await.context("asking for the ack floor")?.ack_floor.stream_sequence;
    let first =
        source.stream.info().await.context("asking for the first sequence")?.state.first_sequence;
    let first = first.max(1);
    let begins = shell.store.first_known(&source.identity).await?.unwrap_or(u64::MAX);
    let mut closed = Closed { admitted: 0, lost: lost(first, begins, floor) };
    let from = first.max(begins);
    loop {
        let ranges = shell.store.missing(&source.identity, from, floor, RANGES_MAX).await?;
        if ranges.is_empty() {
            return Ok(closed);
        }
        for (from, through) in ranges {
            closed.admitted += reread(shell, &source, from, through).await?;
        }
    }
}

/// How many places the broker has acknowledged from before the log begins.
fn lost(first: u64, begins: u64, floor: u64) -> u64 {
    begins.min(floor.saturating_add(1)).saturating_sub(first)
}

async fn reread(shell: &Shell, source: &Source, from: u64, through: u64) -> anyhow::Result<u64> {
    let mut admitted = 0;
    let mut batch = Vec::new();
    let mut gone = Vec::new();
    for sequence in from..=through {
        match source.stream.get_raw_message(sequence).await {
            Ok(message) => {
                let position = BrokerPosition { stream: source.identity.clone(), sequence };
                let get =
                    |name: &str| message.headers.get(name).map(async_nats::HeaderValue::as_str);
                let body = message.payload.to_vec();
                batch.push(to_arrival(
                    get,
                    message.subject.as_str(),
                    body,
                    position,
                    shell.clock.now(),
                ));
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                gone.push((sequence, sequence));
            }
            Err(error) => return Err(error).context("re-reading a message"),
        }
        if batch.len() + gone.len() == BATCH_MAX || sequence == through {
            shell.store.note_gone(&source.identity, &gone).await?;
            gone.clear();
            admitted += admit(shell, &mut batch).await?;
        }
    }
    Ok(admitted)
}

async fn admit(shell: &Shell, batch: &mut Vec<Arrival>) -> anyhow::Result<u64> {
    if batch.is_empty() {
        return Ok(0);
    }
    let admissions = shell.store.admit(batch, shell.clock.now()).await?;
    report(batch, &admissions);
    measure::gap_messages(admissions.len() as u64);
    batch.clear();
    Ok(admissions.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::lost;

    #[test]
    fn what_was_acknowledged_before_the_log_begins_is_lost_and_nothing_else() {
        let nothing = u64::MAX;
        assert_eq!(lost(1, nothing, 0), 0, "a new installation");
        assert_eq!(lost(1, nothing, 100), 100, "an empty log");
        assert_eq!(lost(1, 101, 105), 100, "an empty log that took in new ones since");
        assert_eq!(lost(1, 1, 100), 0, "an older copy");
        assert_eq!(lost(50, 7, 100), 0, "older messages are gone from the broker");
        assert_eq!(lost(50, nothing, 49), 0, "a new consumer of an old stream");
    }
}
