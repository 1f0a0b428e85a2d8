//! What a publisher without the ingress gets from the same broker, which syncs always: single
//! publishes, each waited for, and atomic batches, one in flight.
//!
//! Not here: the ingress in front of it ([`super::durable`]).

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use concilia_shared::broker;
use concilia_shared::id::AccountName;
use concilia_shared::webhook::Webhook;
use futures_util::future::try_join_all;
use serde_json::Value;

use super::body;
use super::durable::Round;
use crate::harness::nats::NatsServer;

/// Longest one acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the broker that publishes what the ingress would.
#[derive(Debug)]
pub struct Publisher {
    client: Client,
    stream: Stream,
    subject: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Publisher {
    /// Connects; the stream is there already.
    pub async fn connect(nats: &NatsServer) -> anyhow::Result<Self> {
        let client = async_nats::connect(nats.url()).await.context("connecting to nats-server")?;
        let account = AccountName::parse(body::ACCOUNT)?;
        let subject = broker::subject(&account, Some("checkout.paid"));
        let webhook = Webhook {
            account,
            signature: format!("t=1767614403,v1={}", "a".repeat(64)),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            late_s: None,
            traceparent: None,
            body: body::body(body::number()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in webhook.headers() {
            headers.insert(name, value.as_str());
        }
        let (stream, body) = (nats.stream().await?, Bytes::from(webhook.body));
        Ok(Self { client, stream, subject, headers, body })
    }

    /// How many messages the stream holds.
    pub async fn stored(&mut self) -> anyhow::Result<u64> {
        Ok(self.stream.info().await?.state.messages)
    }

    /// So many senders, each waiting for its acknowledgement before it sends again.
    pub async fn single(&self, senders: usize, length: Duration) -> anyhow::Result<Round> {
        let started = Instant::now();
        let sending = (0..senders).map(|_| async {
            let mut latencies = Vec::new();
            while started.elapsed() < length {
                let sent = Instant::now();
                self.ask(self.headers.clone(), None).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
        let latencies = try_join_all(sending).await?.concat();
        Ok(Round { acks: latencies.len(), within: started.elapsed(), latencies })
    }

    /// Atomic batches of so many messages, one after the other.
    pub async fn batches(&self, size: usize, length: Duration) -> anyhow::Result<Round> {
        let started = Instant::now();
        let mut latencies = Vec::new();
        while started.elapsed() < length {
            let sent = Instant::now();
            let id = format!("measure-{}", body::number());
            for place in 1..=size {
                let mut headers = self.headers.clone();
                headers.insert("Nats-Batch-Id", id.as_str());
                headers.insert("Nats-Batch-Sequence", place.to_string().as_str());
                if place == size {
                    headers.insert("Nats-Batch-Commit", "1");
                    self.ask(headers, Some(size)).await?;
                } else {
                    let subject = self.subject.clone();
                    self.client.publish_with_headers(subject, headers, self.body.clone()).await?;
                }
            }
            latencies.push(sent.elapsed());
        }
        Ok(Round { acks: latencies.len() * size, within: started.elapsed(), latencies })
    }

    /// Publishes one message and waits for the acknowledgement of it, or of its whole batch.
    async fn ask(&self, headers: HeaderMap, batch: Option<usize>) -> anyhow::Result<()> {
        let request =
            Request::new().headers(headers).payload(self.body.clone()).timeout(Some(PATIENCE));
        let reply = self.client.send_request(self.subject.clone(), request).await?;
        let reply: Value = serde_json::from_slice(&reply.payload)?;
        let acknowledged = reply["count"].as_u64();
        let expected = batch.map(u64::try_from).transpose()?;
        ensure!(
            reply["seq"].is_u64() && reply.get("error").is_none() && acknowledged == expected,
            "the broker did not take a message: {reply}"
        );
        Ok(())
    }
}
