//! Takes webhooks off the broker and into the log, and only then acknowledges them.
//!
//! JetStream is transport: its job ends when the log has the event. Nothing is ever refused or
//! put back here; what does not read is an event too. [`gaps`] re-reads what a database that
//! lost commits no longer has. Not here: what follows from an event ([`crate::settle`]).

pub mod gaps;

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::{self, AckKind, Message, consumer::PullConsumer, stream::Stream};
use concilia_shared::broker;
use concilia_shared::config;
use concilia_shared::webhook::Webhook;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::domain::interpret::{interpret, interpret_stray};
use crate::shell::Shell;
use crate::store::{Admission, Arrival, BrokerPosition};
use crate::{crash, measure, trace};

/// How long a message may stay unacknowledged before the broker gives it to somebody else.
const ACK_WAIT: Duration = Duration::from_mins(1);

/// How often the broker must be heard while there is nothing to deliver; a missing heartbeat
/// means "start again", not "give up".
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Longest one pull request stands.
const EXPIRES: Duration = Duration::from_secs(30);

/// Pause after a failure: the broker or the database is away, and will not be back at once.
const PAUSE: Duration = Duration::from_secs(2);

/// The broker's side of consuming: the stream and our durable consumer.
pub struct Source {
    /// The stream.
    pub stream: Stream,
    /// The consumer all workers share.
    pub consumer: PullConsumer,
    /// Identity of the stream: its name and when it was created.
    pub identity: String,
}

impl Source {
    /// Finds the stream, which the ingress makes, and finds or makes the durable consumer.
    pub async fn open(client: &async_nats::Client, nats: &config::Nats) -> anyhow::Result<Self> {
        let (stream, identity) = stream(client, nats).await?;
        let settings = jetstream::consumer::pull::Config {
            durable_name: Some(broker::CONSUMER.to_owned()),
            ack_policy: jetstream::consumer::AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: 10_000,
            ..Default::default()
        };
        let consumer = stream.get_or_create_consumer(broker::CONSUMER, settings).await?;
        Ok(Self { stream, consumer, identity })
    }
}

/// Finds the stream, which the ingress makes; answers it with its identity.
pub(crate) async fn stream(
    client: &async_nats::Client,
    nats: &config::Nats,
) -> anyhow::Result<(Stream, String)> {
    let context = jetstream::new(client.clone());
    let stream = context.get_stream(&nats.stream).await.with_context(|| {
        format!(
            "The stream {} is not there yet; start concilia-ingress, which makes it",
            nats.stream
        )
    })?;
    let identity =
        format!("{}@{}", nats.stream, stream.cached_info().created.unix_timestamp_nanos());
    Ok((stream, identity))
}

/// Consumes until told to stop. Failures are logged once and tried again.
pub async fn run(
    shell: &Shell,
    client: &async_nats::Client,
    config: &config::Config,
    stop: &CancellationToken,
) {
    while !stop.is_cancelled() {
        let ended = match Source::open(client, &config.nats).await {
            Ok(source) => follow(shell, &source, config.worker.batch, stop).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!(
                error = format!("{error:#}"),
                "consuming was interrupted, starting again"
            );
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

async fn follow(
    shell: &Shell,
    source: &Source,
    batch: usize,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let messages = source
        .consumer
        .stream()
        .max_messages_per_batch(batch)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await?;
    // Whatever has arrived is one batch; a lone message is not held back.
    let mut batches = messages.ready_chunks(batch);
    loop {
        let arrived = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            arrived = batches.next() => arrived.context("the subscription ended")?,
        };
        let mut messages = Vec::with_capacity(arrived.len());
        let mut failure = None;
        for message in arrived {
            match message {
                Ok(message) => messages.push(message),
                Err(error) => failure = Some(error),
            }
        }
        admit(shell, source, messages).await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
    }
}

/// One batch: into the log in one transaction, then acknowledged. If the log does not take it,
/// nothing is acknowledged, and the broker delivers it again.
async fn admit(shell: &Shell, source: &Source, messages: Vec<Message>) -> anyhow::Result<()> {
    let mut arrivals = Vec::with_capacity(messages.len());
    for message in &messages {
        let info =
            message.info().map_err(|error| anyhow::anyhow!("a message without place: {error}"))?;
        let sequence = info.stream_sequence;
        arrivals.push(arrival(message, &source.identity, sequence, shell.clock.now()));
    }
    if arrivals.is_empty() {
        return Ok(());
    }
    let admitted = shell.store.admit(&arrivals, shell.clock.now()).await;
    crash::point("consume.admitted");
    match admitted {
        Ok(admissions) => {
            shell.due.notify_one();
            report(&arrivals, &admissions);
            for message in &messages {
                message.ack().await.map_err(|error| anyhow::anyhow!("acknowledging: {error}"))?;
            }
            Ok(())
        }
        Err(error) => {
            // Given back at once but for a pause, so that other workers may try.
            for message in &messages {
                let given_back = message.ack_with(AckKind::Nak(Some(PAUSE))).await;
                if let Err(error) = given_back {
                    tracing::debug!(%error, "could not give a message back; the broker will notice");
                }
            }
            Err(error).context("the log did not take a batch")
        }
    }
}

/// A message as it came off a consumer, as an arrival.
pub(crate) fn arrival(message: &Message, identity: &str, sequence: u64, now: Timestamp) -> Arrival {
    let headers = message.headers.as_ref();
    let get = |name: &str| {
        headers.and_then(|headers| headers.get(name)).map(async_nats::HeaderValue::as_str)
    };
    let position = BrokerPosition { stream: identity.to_owned(), sequence };
    to_arrival(get, message.subject.as_str(), message.payload.to_vec(), position, now)
}

/// A message as an arrival, however it looks.
fn to_arrival<'a>(
    get: impl Fn(&str) -> Option<&'a str>,
    subject: &str,
    body: Vec<u8>,
    position: BrokerPosition,
    now: Timestamp,
) -> Arrival {
    match Webhook::from_message(get, body.clone()) {
        Ok(webhook) => {
            let (told, stream) = interpret(&webhook);
            Arrival { webhook, told, stream, position }
        }
        Err(error) => {
            tracing::error!(%error, sequence = position.sequence, "a message not of the ingress; kept and parked");
            let (webhook, told, stream) = interpret_stray(subject, body, now);
            Arrival { webhook, told, stream, position }
        }
    }
}

fn report(arrivals: &[Arrival], admissions: &[Admission]) {
    measure::admitted(admissions);
    for (arrival, admission) in arrivals.iter().zip(admissions) {
        let (event, stream) = (&arrival.told.event_id, &arrival.stream);
        let trace_id = trace::id_of(arrival.webhook.traceparent.as_deref());
        match admission {
            Admission::Appended => {
                tracing::info!(event.id = %event, %stream, trace_id, "appended");
            }
            Admission::Duplicate => {
                tracing::info!(event.id = %event, %stream, trace_id, "known already");
            }
            Admission::Conflict => {
                tracing::warn!(event.id = %event, %stream, trace_id, "the same event id came with another body");
            }
        }
    }
}
