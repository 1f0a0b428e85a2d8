//! Group commit: webhooks wait in a bounded queue, and one task carries whatever waits to the
//! broker as one batch, one batch at a time.
//!
//! No timer: a lone webhook goes at once, and what arrives while a batch is in flight is the
//! next batch. Why one in flight: the broker syncs once a batch, so two batches in flight
//! share the disk and finish later than one twice as long (`design.md`, invariant 1).
//!
//! Not here: how a batch is published ([`crate::publish::Publisher`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::measure;
use crate::publish::{Message, PublishError, Publisher};

/// Most messages in one batch: JetStream's own limit (`anchors.md` B3).
pub const BATCH_MESSAGES_MAX: usize = 1_000;

/// Most bytes of bodies in one batch: bounds the memory of one and the time its sync takes.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a webhook is not confirmed as stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// As many webhooks wait as may.
    #[error("the queue to the broker is full")]
    Full,
    /// The broker did not confirm it in time; it may be stored or not.
    #[error("the broker did not confirm in time")]
    Deadline,
    /// The process is shutting down.
    #[error("the process is shutting down")]
    Stopped,
    /// The batch it was in failed.
    #[error(transparent)]
    Broker(#[from] PublishError),
}

/// The way in. Copies share one queue.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::Sender<Entry>,
    deadline: Duration,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    deadline: Instant,
    done: oneshot::Sender<Result<(), PublishError>>,
}

/// Starts the task that publishes. When `stop` is cancelled it takes nothing new, publishes
/// what waits, and ends.
pub fn start(
    publisher: Arc<dyn Publisher>,
    queue_max: usize,
    deadline: Duration,
    stop: CancellationToken,
) -> (Queue, JoinHandle<()>) {
    let (sender, waiting) = mpsc::channel(queue_max);
    let task = tokio::spawn(run(waiting, publisher, stop));
    (Queue { sender, deadline }, task)
}

impl Queue {
    /// Returns `Ok` once the message is synced to disk at the broker, and an error after the
    /// deadline at the latest, which counts waiting and publishing together.
    pub async fn submit(&self, message: Message) -> Result<(), SubmitError> {
        let deadline = Instant::now() + self.deadline;
        let (done, outcome) = oneshot::channel();
        let entry = Entry { message, deadline, done };
        self.sender.try_send(entry).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Full,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })?;
        match timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(_)) => Err(SubmitError::Stopped),
            Err(_) => Err(SubmitError::Deadline),
        }
    }
}

async fn run(
    mut waiting: mpsc::Receiver<Entry>,
    publisher: Arc<dyn Publisher>,
    stop: CancellationToken,
) {
    let mut failing = None;
    loop {
        measure::queue_depth(waiting.len());
        let first = tokio::select! {
            biased;
            () = stop.cancelled(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
            first = waiting.recv() => first,
        };
        let Some(first) = first else { return };
        let batch = gather(first, &mut waiting);
        measure::queue_depth(waiting.len());
        if let Some(outcome) = publish(publisher.as_ref(), batch).await {
            log_change(&mut failing, outcome.err());
        }
    }
}

/// The first, and whatever waits behind it, up to the bounds of a batch. Who gave up waiting
/// is left out: nobody is told of it, and the sender comes again.
fn gather(first: Entry, waiting: &mut mpsc::Receiver<Entry>) -> Vec<Entry> {
    let mut bytes = 0;
    let mut batch = Vec::new();
    let mut next = Some(first);
    while let Some(entry) = next {
        if !entry.done.is_closed() {
            bytes += entry.message.body.len();
            batch.push(entry);
        }
        // The longest body must still fit, so that none is taken and then put back.
        let full = batch.len() == BATCH_MESSAGES_MAX
            || bytes > BATCH_BYTES_MAX - concilia_shared::webhook::BODY_BYTES_MAX;
        next = if full { None } else { waiting.try_recv().ok() };
    }
    batch
}

/// Publishes a batch and tells everybody in it; `None` when nobody waits any more.
async fn publish(publisher: &dyn Publisher, batch: Vec<Entry>) -> Option<Result<(), PublishError>> {
    // After the last one's deadline nobody waits any more.
    let deadline = batch.iter().map(|entry| entry.deadline).max()?;
    let (messages, waiters): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|entry| (entry.message, entry.done)).unzip();
    let started = Instant::now();
    let outcome = timeout_at(deadline, publisher.publish(&messages))
        .await
        .unwrap_or_else(|_| Err(PublishError::Unknown("no answer in time".to_owned())));
    measure::batch(messages.len(), started.elapsed(), outcome.is_ok());
    for waiter in waiters {
        // An error only says that the client is gone.
        waiter.send(outcome.clone()).ok();
    }
    Some(outcome)
}

/// One line when batches begin to fail, or fail in another way, and one when they no longer
/// do: an outage is thousands of batches.
fn log_change(failing: &mut Option<PublishError>, outcome: Option<PublishError>) {
    if *failing == outcome {
        return;
    }
    if let Some(error) = &outcome {
        tracing::warn!(%error, "webhooks are not confirmed and are answered 503");
    } else {
        tracing::info!("webhooks are confirmed again");
    }
    *failing = outcome;
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use bytes::Bytes;

    use super::*;

    /// A broker that was sent the messages and answers nothing.
    struct Silent;

    #[async_trait::async_trait]
    impl Publisher for Silent {
        async fn publish(&self, _: &[Message]) -> Result<(), PublishError> {
            pending().await
        }
    }

    // Told at the queue itself: through `submit` the sender's own deadline, which ends in the
    // same moment, may hide what the batch was told.
    #[tokio::test]
    async fn a_broker_that_does_not_answer_in_time_has_stored_nothing() {
        let (entries, outcomes): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (done, outcome) = oneshot::channel();
                let message = Message {
                    subject: "ventipay.events.main.checkout.paid".to_owned(),
                    headers: Vec::new(),
                    body: Bytes::new(),
                };
                (Entry { message, deadline: Instant::now(), done }, outcome)
            })
            .unzip();
        let unknown = Err(PublishError::Unknown("no answer in time".to_owned()));

        assert_eq!(publish(&Silent, entries).await, Some(unknown.clone()));
        for outcome in outcomes {
            assert_eq!(outcome.await, Ok(unknown.clone()));
        }
    }
}
