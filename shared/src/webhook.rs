//! The webhook: what Ventipay posted, exactly as signed, with the headers that matter.
//!
//! The first form of the one value that travels: the ingress makes it from a verified
//! request, the broker carries it as headers and bytes, the worker turns it into an event.
//! Nothing here looks into the body beyond the two words the ingress answers with
//! ([`peek`]); interpreting is the worker's.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::broker::header;
use crate::id::AccountName;
use crate::signature::encode_hex;

/// Largest body accepted, in bytes; well under the broker's `max_payload` with headers, so
/// that what verifies can always be stored.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A verified webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The account whose secret verified it.
    pub account: AccountName,
    /// The `venti-signature` header, verbatim: the proof, kept with the bytes.
    pub signature: String,
    /// When the ingress had the whole body.
    pub received_at: Timestamp,
    /// Seconds between signing and receipt, when that exceeded the tolerance.
    pub late_s: Option<i64>,
    /// W3C trace context of its receipt: of the request's trace if it brought one, else of a
    /// new one (see [`crate::trace`]). What was not received over HTTP has none.
    pub traceparent: Option<String>,
    /// The raw body, exactly as signed.
    pub body: Vec<u8>,
}

/// Why a message of the broker is not a webhook. None of these is the sender's doing: only
/// the ingress publishes here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A header is missing.
    #[error("the message has no {0} header")]
    Missing(&'static str),
    /// A header does not read.
    #[error("the {0} header of the message does not read")]
    Unreadable(&'static str),
    /// The bytes are not those the ingress hashed.
    #[error("the body of the message is not the one that was verified")]
    WrongHash,
}

impl Webhook {
    /// SHA-256 of the body, lower-case hex.
    pub fn body_hash(&self) -> String {
        body_hash(&self.body)
    }

    /// The headers of the message, as the broker carries them.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (header::ACCOUNT, self.account.to_string()),
            (header::SIGNATURE, self.signature.clone()),
            (header::RECEIVED_AT, self.received_at.to_string()),
            (header::BODY_HASH, self.body_hash()),
        ];
        if let Some(late_s) = self.late_s {
            headers.push((header::LATE, late_s.to_string()));
        }
        if let Some(traceparent) = &self.traceparent {
            headers.push((header::TRACEPARENT, traceparent.clone()));
        }
        headers
    }

    /// Reads a message back; `get` answers a header's value by name.
    pub fn from_message<'a>(
        get: impl Fn(&str) -> Option<&'a str>,
        body: Vec<u8>,
    ) -> Result<Self, EnvelopeError> {
        let need = |name| get(name).ok_or(EnvelopeError::Missing(name));
        let webhook = Self {
            account: AccountName::parse(need(header::ACCOUNT)?)
                .map_err(|_| EnvelopeError::Unreadable(header::ACCOUNT))?,
            signature: need(header::SIGNATURE)?.to_owned(),
            received_at: need(header::RECEIVED_AT)?
                .parse()
                .map_err(|_| EnvelopeError::Unreadable(header::RECEIVED_AT))?,
            late_s: get(header::LATE)
                .map(str::parse)
                .transpose()
                .map_err(|_| EnvelopeError::Unreadable(header::LATE))?,
            traceparent: get(header::TRACEPARENT).map(str::to_owned),
            body,
        };
        if need(header::BODY_HASH)? != webhook.body_hash() {
            return Err(EnvelopeError::WrongHash);
        }
        Ok(webhook)
    }
}

/// Never the body, never the signature.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("account", &self.account)
            .field("received_at", &self.received_at)
            .field("late_s", &self.late_s)
            .field("body_hash", &self.body_hash())
            .finish_non_exhaustive()
    }
}

/// SHA-256 of a body, lower-case hex.
pub fn body_hash(body: &[u8]) -> String {
    encode_hex(&Sha256::digest(body))
}

/// The two words of a body the ingress needs for its answer and the subject. Reading them
/// decides nothing: an unreadable body is published all the same.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Peek {
    /// The event id, if the body has one that is text.
    #[serde(default)]
    pub id: Option<String>,
    /// The event type, if the body has one that is text.
    #[serde(default, rename = "type")]
    pub event_type: Option<String>,
}

/// Reads id and type of a body as far as they can be read.
pub fn peek(body: &[u8]) -> Peek {
    serde_json::from_slice(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn webhook() -> Webhook {
        Webhook {
            account: AccountName::parse("main").unwrap(),
            signature: "t=1,v1=aa".to_owned(),
            received_at: "2026-01-05T12:00:03.000000001Z".parse().unwrap(),
            late_s: Some(400),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            body: b"{\"id\":\"evt_1\"}\xff".to_vec(),
        }
    }

    #[test]
    fn a_message_and_back_is_the_same_webhook() {
        let sent = webhook();
        let headers: HashMap<&str, String> = sent.headers().into_iter().collect();
        let get = |name: &str| headers.get(name).map(String::as_str);
        assert_eq!(Webhook::from_message(get, sent.body.clone()), Ok(sent.clone()));
        assert_eq!(
            Webhook::from_message(get, b"other".to_vec()),
            Err(EnvelopeError::WrongHash),
            "bytes changed in the broker must be noticed"
        );
        let without = |name: &str| {
            if name == header::ACCOUNT { None } else { get(name) }
        };
        assert_eq!(
            Webhook::from_message(without, sent.body.clone()),
            Err(EnvelopeError::Missing(header::ACCOUNT))
        );
    }

    #[test]
    fn debug_shows_neither_body_nor_signature() {
        let shown = format!("{:?}", webhook());
        assert!(!shown.contains("evt_1") && !shown.contains("v1="), "{shown}");
    }

    #[test]
    fn a_body_that_does_not_read_peeks_as_nothing() {
        for body in [&b""[..], b"[]", b"{", b"{\"id\":1}", b"\xff\xfe", &b"[".repeat(10_000)] {
            assert_eq!(peek(body), Peek::default());
        }
        assert_eq!(peek(br#"{"id":"evt_1","x":{"type":"a"}}"#).id.as_deref(), Some("evt_1"));
    }
}
