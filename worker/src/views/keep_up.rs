//! Keeps the views up with the log while a worker runs: one process at a time, a moment behind.
//!
//! Commands bring the views up themselves before they read, so nothing waits for this; it
//! spares them the way, and tells news what waits. Not here: one step ([`super::project`]).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use super::project::{self, Progress};
use crate::shell::Shell;
use crate::store::StoreError;

/// The role one process leads.
const ROLE: &str = "views";

/// How long the lead is kept without a word.
const LEAD: SignedDuration = SignedDuration::from_secs(30);

/// How often the lead is asked for, or kept.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// How long it waits at the end of the log.
const PAUSE: Duration = Duration::from_millis(300);

/// How long it waits when the store has no answer.
const PAUSE_OF_TROUBLE: Duration = Duration::from_secs(5);

/// Projects until told to stop, while this process leads.
pub async fn keep_up(shell: &Shell, stop: &CancellationToken) {
    let holder = format!("{:032x}", rand::rng().random::<u128>());
    let mut lead = Lead { holder, is_ours: false, ask_at: Timestamp::MIN };
    let mut told = false;
    loop {
        let stepped = tokio::select! {
            () = stop.cancelled() => return,
            stepped = step(shell, &mut lead) => stepped,
        };
        let pause = match stepped {
            Ok(Progress { at_end: false, .. }) => {
                told = false;
                continue;
            }
            Ok(_) => {
                told = false;
                PAUSE
            }
            Err(error) => {
                // Once for each trouble: it may last.
                if !told {
                    tracing::warn!(%error, "the views fall behind");
                }
                told = true;
                PAUSE_OF_TROUBLE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Who leads, as far as this process knows. A mistake costs time only: projectors that meet
/// do not undo each other.
struct Lead {
    holder: String,
    is_ours: bool,
    ask_at: Timestamp,
}

/// One page, or nothing while somebody else leads.
async fn step(shell: &Shell, lead: &mut Lead) -> Result<Progress, StoreError> {
    let now = shell.clock.now();
    if now >= lead.ask_at {
        lead.is_ours = shell.store.lead(ROLE, &lead.holder, now, now + LEAD).await?;
        lead.ask_at = now + ASK_EVERY;
    }
    if lead.is_ours {
        project::step(shell.store.as_ref()).await
    } else {
        Ok(Progress { events: 0, at_end: true })
    }
}
