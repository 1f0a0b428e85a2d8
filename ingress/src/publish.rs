//! The port to the broker: what is handed over, and what can be said to have become of it.
//!
//! Not here: the broker itself ([`crate::jetstream`]) and who calls this ([`crate::queue`]).

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use concilia_shared::broker;
use concilia_shared::webhook::Webhook;

/// One webhook as the broker will carry it. Cheap to copy: the body is shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// `ventipay.events.<account>.<type…>`.
    pub subject: String,
    /// [`Webhook::headers`].
    pub headers: Vec<(&'static str, String)>,
    /// The raw body, exactly as signed.
    pub body: Bytes,
}

impl Message {
    /// Wraps a verified webhook. The type is what the body calls itself, if it says.
    pub fn of(webhook: Webhook, event_type: Option<&str>) -> Self {
        Self {
            subject: broker::subject(&webhook.account, event_type),
            headers: webhook.headers(),
            body: Bytes::from(webhook.body),
        }
    }
}

/// Never the body, never the signature.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("subject", &self.subject)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why messages are not confirmed as stored. For the sender they are all one: 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing was sent: there is no broker to trust right now.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// The broker answered that it did not take them.
    #[error("the broker did not take it: {description} (error {code})")]
    Refused {
        /// JetStream's `err_code`.
        code: u64,
        /// JetStream's own words.
        description: String,
    },
    /// They were sent, and what became of them is not known.
    #[error("the broker's answer is not known: {0}")]
    Unknown(String),
}

/// Stores messages durably: all of them, or an error.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Returns `Ok` only when every message is synced to disk at the broker. May take for
    /// ever: the caller bounds it, by dropping the future.
    async fn publish(&self, messages: &[Message]) -> Result<(), PublishError>;
}
