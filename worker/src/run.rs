//! Keeps the loops going: consume, gaps, settle; until told to stop, then drains.
//!
//! Not here: what a loop's one step does ([`crate::consume`], [`crate::settle`]).

use std::sync::Arc;
use std::time::Duration;

use concilia_shared::config::Config;
use jiff::SignedDuration;
use rand::RngExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::measure;
use crate::settle::settle;
use crate::shell::Shell;
use crate::store::{Claim, StoreError};

/// Longest wait before looking for due streams again, though none was announced: another
/// process may have admitted some.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Longest wait for what is under way when told to stop; a lease outlives the process anyway.
const DRAIN: Duration = Duration::from_secs(30);

/// Most times one claim is started over because its stream grew meanwhile; if the claim itself
/// was lost, starting over is refused too.
const STARTS_MAX: usize = 4;

/// Claims due streams and settles them, a bounded number at once, until told to stop.
pub async fn settle_due(shell: Arc<Shell>, config: &Config, stop: &CancellationToken) {
    let holder = format!("{:032x}", rand::rng().random::<u128>());
    let lease =
        SignedDuration::from_secs(i64::try_from(config.worker.lease_s).unwrap_or(i64::MAX / 2));
    let mut under_way = JoinSet::new();
    loop {
        let free = config.worker.settle_concurrency.saturating_sub(under_way.len());
        let claims = if free == 0 || stop.is_cancelled() {
            Vec::new()
        } else {
            let now = shell.clock.now();
            shell.store.claim(&holder, now, now + lease, free).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "could not look for due streams");
                Vec::new()
            })
        };
        let claimed = !claims.is_empty();
        for claim in claims {
            under_way.spawn(one(Arc::clone(&shell), claim, lease));
        }
        if stop.is_cancelled() {
            break;
        }
        if claimed && under_way.len() < config.worker.settle_concurrency {
            continue;
        }
        tokio::select! {
            Some(ended) = under_way.join_next() => report_crash(ended),
            () = shell.due.notified(), if under_way.len() < config.worker.settle_concurrency => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => {}
        }
    }
    let drained =
        tokio::time::timeout(DRAIN, async { while under_way.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("stopped before everything under way was settled; its leases will expire");
    }
}

/// Settles one stream. A failure is logged once, here; the lease runs out and somebody else
/// takes over, so nothing is lost by giving up.
async fn one(shell: Arc<Shell>, claim: Claim, lease: SignedDuration) {
    let started = std::time::Instant::now();
    let call_by = shell.clock.now() + lease - shell.call_max;
    let mut settled = settle(&shell, &claim, call_by).await;
    for _ in 1..STARTS_MAX {
        let lost = shell.clock.now() >= call_by;
        if lost || !matches!(settled, Err(StoreError::Conflict)) {
            break;
        }
        settled = settle(&shell, &claim, call_by).await;
    }
    let outcome = match &settled {
        Ok(()) => "ok",
        Err(StoreError::Conflict) => "conflict",
        Err(_) => "error",
    };
    measure::settled(outcome, started.elapsed());
    match settled {
        Ok(()) => {}
        Err(StoreError::Conflict) => {
            tracing::info!(stream = %claim.stream, "somebody else was first; leaving it to them");
        }
        // Trying again will not help: a person must look at the database.
        Err(error @ StoreError::Corrupt(_)) => {
            tracing::error!(stream = %claim.stream, %error, "the log does not read");
        }
        Err(error) => tracing::warn!(stream = %claim.stream, %error, "settling was interrupted"),
    }
}

/// A bug in one stream's way must not stop the others, nor go unseen.
fn report_crash(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        measure::crashed();
        tracing::error!(%error, "settling a stream crashed; it is tried again when its lease ends");
    }
}
