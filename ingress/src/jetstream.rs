//! The real [`Publisher`]: one message as itself, several as an atomic batch, each waited for
//! until the broker's synced acknowledgement.
//!
//! It sends nothing while the connection is down (the client would keep it and send it much
//! later), nothing to a server that was not judged, and believes no acknowledgement when the
//! server changed meanwhile.
//!
//! Not here: the protocol's words ([`crate::batch`]), the connection ([`crate::broker`]).

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Client, Request};
use async_trait::async_trait;

use crate::batch;
use crate::broker::Link;
use crate::publish::{Message, PublishError, Publisher};

/// Pause before a batch is tried again that the broker had no room for. Short: the room comes
/// back when another ingress's batch ends, a few milliseconds each.
const PAUSE: Duration = Duration::from_millis(20);

/// Publishes to JetStream.
#[derive(Debug)]
pub struct JetStream {
    link: Arc<Link>,
    stream: String,
}

impl JetStream {
    /// Publishes over `link` and accepts acknowledgements of `stream` only.
    pub fn new(link: Arc<Link>, stream: &str) -> Self {
        Self { link, stream: stream.to_owned() }
    }

    async fn until_taken(&self, client: &Client, messages: &[Message]) -> Result<(), PublishError> {
        loop {
            let outcome = match messages {
                [] => return Ok(()),
                [alone] => self.publish_alone(client, alone).await,
                several => self.publish_batch(client, several).await,
            };
            match outcome {
                Err(error) if batch::is_worth_another_try(&error) => {
                    tracing::debug!(%error, "the broker has no room for a batch");
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn publish_alone(&self, client: &Client, message: &Message) -> Result<(), PublishError> {
        let headers = batch::headers_alone(message);
        let reply = ask(client, message, headers).await?;
        batch::read_reply(&reply, &self.stream, None)
    }

    async fn publish_batch(
        &self,
        client: &Client,
        messages: &[Message],
    ) -> Result<(), PublishError> {
        let id = format!("{:032x}", rand::random::<u128>());
        let count = messages.len();
        for (place, message) in messages.iter().enumerate() {
            let headers = batch::headers_in_batch(message, &id, place, count);
            if place + 1 == count {
                let reply = ask(client, message, headers).await?;
                return batch::read_reply(&reply, &self.stream, Some((&id, count)));
            }
            // Without a reply subject the broker is silent about all but the last.
            client
                .publish_with_headers(message.subject.clone(), headers, message.body.clone())
                .await
                .map_err(|error| PublishError::Unknown(error.to_string()))?;
        }
        Ok(())
    }
}

/// Sends one message and waits for the reply, for ever: the caller bounds it.
async fn ask(
    client: &Client,
    message: &Message,
    headers: async_nats::HeaderMap,
) -> Result<bytes::Bytes, PublishError> {
    let request = Request::new().headers(headers).payload(message.body.clone()).timeout(None);
    match client.send_request(message.subject.clone(), request).await {
        Ok(reply) => Ok(reply.payload),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            Err(PublishError::Unavailable("no stream listens to the subject".to_owned()))
        }
        Err(error) => Err(PublishError::Unknown(error.to_string())),
    }
}

#[async_trait]
impl Publisher for JetStream {
    async fn publish(&self, messages: &[Message]) -> Result<(), PublishError> {
        let trusted = self.link.trusted().map_err(PublishError::Unavailable)?;
        let lost = self.link.lost();
        tokio::select! {
            biased;
            outcome = self.until_taken(&trusted.client, messages) => outcome?,
            () = lost => return Err(PublishError::Unknown("the connection was lost".to_owned())),
        }
        if trusted.is_still_connected() {
            Ok(())
        } else {
            Err(PublishError::Unknown(
                "another server answered than the one that was checked".to_owned(),
            ))
        }
    }
}
