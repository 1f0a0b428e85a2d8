//! Rebuilds the log from the broker: every message it still has, from its first to its last.
//!
//! What the log knows is skipped, so it can be run again after whatever interrupted it. What is
//! new is held in the transaction that appends it, so that no worker that runs meanwhile acts on
//! it. Neither Odoo nor Ventipay is asked. Read next: [`super::plan`] and [`super::held`].
//!
//! The range is noted as read only at the end: until then a worker keeps taking the log for one
//! that was lost, and re-reads nothing of it by itself.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::Stream;
use concilia_shared::config;
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::clock::Clock;
use crate::consume;
use crate::domain::event::Event;
use crate::store::{Admission, Arrival, EventStore, StoreError};

/// Most messages read and admitted at once: 50 MB, were all of them the largest possible.
const BATCH_MAX: usize = 200;

/// Longest the broker may be silent within a batch.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long the broker remembers where we read, should we not come back.
const REMEMBERED: Duration = Duration::from_mins(2);

/// Most failures in a row, and the pause after each.
const FAILURES_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// What was read, and what of it the log did not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Messages read.
    pub read: u64,
    /// Webhooks the log did not know: appended and held, or in a plan to be.
    pub new: u64,
    /// Webhooks it knew, and further copies of new ones.
    pub known: u64,
    /// Other bodies under known ids.
    pub conflicts: u64,
    /// Streams that got something new.
    pub streams: u64,
}

/// Reads the whole stream; with `plan`, writes nothing. `progress` is told how many messages of
/// how many are done.
pub async fn rebuild(
    store: &dyn EventStore,
    clock: &dyn Clock,
    client: &async_nats::Client,
    nats: &config::Nats,
    plan: bool,
    progress: impl Fn(u64, u64),
) -> anyhow::Result<Rebuilt> {
    let (stream, identity) = consume::stream(client, nats).await?;
    let (first, last) = {
        let state = &stream.cached_info().state;
        (state.first_sequence.max(1), state.last_sequence)
    };
    let mut reader = Reader { stream, consumer: None, next: first, last };
    let mut tally = Tally::default();
    while let Some(messages) = reader.batch().await? {
        let mut arrivals = Vec::with_capacity(messages.len());
        for (sequence, message) in &messages {
            arrivals.push(consume::arrival(message, &identity, *sequence, clock.now()));
        }
        if plan {
            tally.plan(store, &arrivals).await?;
        } else {
            let admissions = store.admit_held(&arrivals, clock.now()).await.context(
                "the log did not take a batch; run the command again, what is known is skipped",
            )?;
            tally.count(&arrivals, &admissions);
        }
        progress(reader.next.saturating_sub(first), last.saturating_sub(first) + 1);
    }
    if !plan && first <= last {
        store.note_gone(&identity, &[(first, last)]).await?;
    }
    Ok(tally.rebuilt)
}

/// Reads a stream in batches, whatever the connection does in between.
struct Reader {
    stream: Stream,
    consumer: Option<PullConsumer>,
    next: u64,
    last: u64,
}

impl Reader {
    /// The next messages with their places; `None` at the end.
    async fn batch(&mut self) -> anyhow::Result<Option<Vec<(u64, Message)>>> {
        let mut failures = 0;
        while self.next <= self.last {
            match self.try_batch().await {
                Ok(messages) if messages.is_empty() => return Ok(None),
                Ok(messages) => return Ok(Some(messages)),
                Err(error) if failures < FAILURES_MAX => {
                    failures += 1;
                    tracing::warn!(
                        error = format!("{error:#}"),
                        at = self.next,
                        "reading was interrupted, going on"
                    );
                    self.consumer = None;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    return Err(error).context(
                        "the broker cannot be read; run the command again, what is known is skipped",
                    );
                }
            }
        }
        Ok(None)
    }

    /// Empty only if nothing is left.
    async fn try_batch(&mut self) -> anyhow::Result<Vec<(u64, Message)>> {
        let consumer = match &mut self.consumer {
            Some(consumer) => consumer,
            none => none.insert(open(&self.stream, self.next).await?),
        };
        let mut arriving =
            consumer.fetch().max_messages(BATCH_MAX).expires(SILENCE_MAX).messages().await?;
        let mut messages = Vec::new();
        while let Some(message) = tokio::time::timeout(SILENCE_MAX, arriving.next())
            .await
            .context("the broker fell silent")?
        {
            let message = message.map_err(|error| anyhow::anyhow!("reading: {error}"))?;
            let sequence = {
                let info = message.info();
                info.map_err(|error| anyhow::anyhow!("a message without place: {error}"))?
                    .stream_sequence
            };
            // What came since we began is the workers' own; what came twice was read.
            if (self.next..=self.last).contains(&sequence) {
                self.next = sequence + 1;
                messages.push((sequence, message));
            } else if sequence > self.last {
                self.next = self.last + 1;
            }
        }
        if messages.is_empty() && self.next <= self.last {
            let left = consumer.info().await.context("asking what is left")?.num_pending;
            anyhow::ensure!(left == 0, "the broker gave nothing, but has {left} messages left");
        }
        Ok(messages)
    }
}

/// A consumer of our own that acknowledges nothing: the workers' is left as it is.
async fn open(stream: &Stream, from: u64) -> anyhow::Result<PullConsumer> {
    let settings = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
        ack_policy: AckPolicy::None,
        inactive_threshold: REMEMBERED,
        memory_storage: true,
        num_replicas: 1,
        ..Default::default()
    };
    stream.create_consumer(settings).await.context("opening the stream for reading")
}

/// Counts; remembers hashes of names only, so that millions fit.
#[derive(Default)]
struct Tally {
    rebuilt: Rebuilt,
    streams: HashSet<u64>,
    planned: HashSet<u64>,
}

impl Tally {
    fn count(&mut self, arrivals: &[Arrival], admissions: &[Admission]) {
        for (arrival, admission) in arrivals.iter().zip(admissions) {
            self.one(arrival, *admission);
        }
    }

    /// What admitting them would come to.
    async fn plan(
        &mut self,
        store: &dyn EventStore,
        arrivals: &[Arrival],
    ) -> Result<(), StoreError> {
        for arrival in arrivals {
            let history = store.stream(&arrival.stream).await?;
            let known = history.iter().find_map(|recorded| match &recorded.event {
                Event::WebhookReceived(known) if known.event_id == arrival.told.event_id => {
                    Some(known.body_hash == arrival.told.body_hash)
                }
                _ => None,
            });
            let told = (&arrival.webhook.account, &arrival.told.event_id);
            let admission = match known {
                Some(false) => Admission::Conflict,
                None if self.planned.insert(hash(&told)) => Admission::Appended,
                Some(true) | None => Admission::Duplicate,
            };
            self.one(arrival, admission);
        }
        Ok(())
    }

    fn one(&mut self, arrival: &Arrival, admission: Admission) {
        self.rebuilt.read += 1;
        match admission {
            Admission::Appended => {
                self.rebuilt.new += 1;
                if self.streams.insert(hash(&arrival.stream)) {
                    self.rebuilt.streams += 1;
                }
            }
            Admission::Duplicate => self.rebuilt.known += 1,
            Admission::Conflict => self.rebuilt.conflicts += 1,
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
