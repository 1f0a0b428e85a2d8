//! The log as a file: its lines, and what the last one tells.
//!
//! A file is gzip over lines of JSON: a header, one line an event in the order of the log, a
//! trailer with counts and a hash over all lines before it, so that a file that was cut or
//! changed is noticed. `docs/log-file.md` is its description. Not here: writing one
//! ([`super::export`]), reading one ([`super::import`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the file's format this build writes, and the highest it reads.
pub const FORMAT: u32 = 1;

/// Longest line read: a body of 256 KiB as text, and the event beside it, many times over.
pub(super) const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Events read or written at once.
pub(super) const PAGE: usize = 250;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Header(Header),
    /// One event.
    Event(Box<EventLine>),
    /// The last.
    Trailer(Trailer),
}

/// What the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `concilia-log`.
    pub format: String,
    /// [`FORMAT`].
    pub version: u32,
    /// When it was begun.
    pub exported_at: Timestamp,
}

/// An event, column by column; hashes in lower-case hex, moments in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// Its stream.
    pub stream: String,
    /// Its place in the stream, from 1.
    pub sequence: i64,
    /// The stream's account.
    pub account: String,
    /// The webhook event it is about.
    pub about: String,
    /// The kind of fact.
    pub kind: String,
    /// Version of the shape of its data.
    pub version: i32,
    /// The data: JSON as text, byte for byte as hashed.
    pub data: String,
    /// When it was appended.
    pub recorded_at: i64,
    /// The hash it follows.
    pub previous: String,
    /// Its own hash.
    pub hash: String,
    /// Of a webhook: where it stood in the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerLine>,
    /// Of a webhook or a contradicting one: its body, unless it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookLine>,
}

/// A place in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerLine {
    /// Identity of the broker's stream.
    pub stream: String,
    /// The sequence in it.
    pub sequence: u64,
}

/// A webhook as it was kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookLine {
    /// SHA-256 of the body.
    pub body_hash: String,
    /// The `venti-signature` header, verbatim.
    pub signature: String,
    /// Seconds by which it was late, when it was.
    pub late_s: Option<i64>,
    /// When it was received.
    pub received_at: i64,
    /// W3C trace context of the request, if it brought one.
    pub traceparent: Option<String>,
    /// The bytes, exactly as signed: base64 with padding.
    pub body: String,
}

/// Never the body, never the signature.
impl std::fmt::Debug for WebhookLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookLine").field("body_hash", &self.body_hash).finish_non_exhaustive()
    }
}

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// Events in all.
    pub events: u64,
    /// Events of each account.
    pub accounts: BTreeMap<String, u64>,
    /// Of each stream of the broker, the lowest and the highest place of a webhook.
    pub broker: BTreeMap<String, (u64, u64)>,
    /// SHA-256 over every line before this one, line ends included.
    pub sha256: String,
}

impl Trailer {
    /// One event more.
    pub(super) fn count(&mut self, event: &EventLine) {
        self.events += 1;
        *self.accounts.entry(event.account.clone()).or_default() += 1;
        if let Some(at) = &event.broker {
            let range = self.broker.entry(at.stream.clone()).or_insert((at.sequence, at.sequence));
            *range = (range.0.min(at.sequence), range.1.max(at.sequence));
        }
    }
}
