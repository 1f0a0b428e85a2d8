//! JetStream's publish protocol, as plain values: the headers that make messages an atomic
//! batch (ADR-50; `design.md`, section NATS), and how the broker's reply reads.
//!
//! Pure. Not here: sending and waiting ([`crate::jetstream`]).

use async_nats::HeaderMap;
use serde::Deserialize;

use crate::publish::{Message, PublishError};

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// "atomic publish batch is incomplete": the broker does not know the messages before the
/// commit. That is also how a batch too many ends, because the reply that names the cause
/// ([`TOO_MANY_INFLIGHT`]) goes to the batch's first message, which asks for none. Seen on
/// nats-server 2.15.1.
pub const INCOMPLETE: u64 = 10_176;

/// "atomic publish too many inflight": 50 batches are open on the stream, of all ingresses.
pub const TOO_MANY_INFLIGHT: u64 = 10_210;

/// Whether the broker stored nothing and may take the same messages in a moment.
pub fn is_worth_another_try(error: &PublishError) -> bool {
    matches!(error, PublishError::Refused { code: INCOMPLETE | TOO_MANY_INFLIGHT, .. })
}

/// The headers of a message on its own.
pub fn headers_alone(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        headers.insert(*name, value.as_str());
    }
    headers
}

/// The headers of the message at `place` (from 0) of `count` in the batch `id`.
pub fn headers_in_batch(message: &Message, id: &str, place: usize, count: usize) -> HeaderMap {
    let mut headers = headers_alone(message);
    headers.insert(BATCH_ID, id);
    headers.insert(BATCH_SEQUENCE, (place + 1).to_string().as_str());
    if place + 1 == count {
        headers.insert(BATCH_COMMIT, "1");
    }
    headers
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    seq: u64,
    batch: Option<String>,
    count: Option<usize>,
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Reads the reply to a message on its own, or to a batch's commit (`batch`: its id and its
/// number of messages). `Ok` only for an acknowledgement of exactly that, by that stream.
pub fn read_reply(
    payload: &[u8],
    stream: &str,
    batch: Option<(&str, usize)>,
) -> Result<(), PublishError> {
    let reply: Reply = serde_json::from_slice(payload)
        .map_err(|_| PublishError::Unknown("its reply does not read".to_owned()))?;
    if let Some(error) = reply.error {
        return Err(PublishError::Refused { code: error.err_code, description: error.description });
    }
    let acknowledged = (reply.batch.as_deref(), reply.count);
    let expected = (batch.map(|(id, _)| id), batch.map(|(_, count)| count));
    if reply.stream != stream || reply.seq == 0 || acknowledged != expected {
        return Err(PublishError::Unknown(format!(
            "it acknowledged something else: stream {:?}, sequence {}, {:?} messages of a batch",
            reply.stream, reply.seq, reply.count
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message() -> Message {
        Message {
            subject: "ventipay.events.main.checkout.paid".to_owned(),
            headers: vec![("Concilia-Account", "main".to_owned())],
            body: Bytes::from_static(b"{}"),
        }
    }

    fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    #[test]
    fn only_the_last_of_a_batch_commits_it() {
        let read = |place| {
            let headers = headers_in_batch(&message(), "b1", place, 3);
            assert_eq!(get(&headers, "Concilia-Account"), Some("main"));
            assert_eq!(get(&headers, BATCH_ID), Some("b1"));
            (
                get(&headers, BATCH_SEQUENCE).unwrap().to_owned(),
                get(&headers, BATCH_COMMIT).map(str::to_owned),
            )
        };
        assert_eq!(read(0), ("1".to_owned(), None));
        assert_eq!(read(1), ("2".to_owned(), None));
        assert_eq!(read(2), ("3".to_owned(), Some("1".to_owned())));
        assert!(get(&headers_alone(&message()), BATCH_ID).is_none());
    }

    #[test]
    fn only_the_right_acknowledgement_is_one() {
        let alone = |reply: &str| read_reply(reply.as_bytes(), "V", None);
        let batch = |reply: &str| read_reply(reply.as_bytes(), "V", Some(("b1", 3)));
        assert_eq!(alone(r#"{"stream":"V","seq":7}"#), Ok(()));
        assert_eq!(batch(r#"{"stream":"V","seq":7,"batch":"b1","count":3}"#), Ok(()));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"stream":"W","seq":7}"#,
            r#"{"stream":"V","seq":0}"#,
            r#"{"stream":"V","seq":7,"batch":"b1","count":3}"#,
        ] {
            assert!(matches!(alone(wrong), Err(PublishError::Unknown(_))), "{wrong}");
        }
        for wrong in [
            r#"{"stream":"V","seq":7}"#,
            r#"{"stream":"V","seq":7,"batch":"b1","count":2}"#,
            r#"{"stream":"V","seq":7,"batch":"b2","count":3}"#,
        ] {
            assert!(matches!(batch(wrong), Err(PublishError::Unknown(_))), "{wrong}");
        }
    }

    #[test]
    fn an_error_in_the_reply_is_the_brokers_refusal() {
        let reply = br#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"V","seq":0}"#;
        let error = read_reply(reply, "V", None).unwrap_err();
        assert_eq!(
            error,
            PublishError::Refused {
                code: 10_077,
                description: "maximum bytes exceeded".to_owned()
            }
        );
        assert!(!is_worth_another_try(&error), "a full stream stays full");
        for code in [INCOMPLETE, TOO_MANY_INFLIGHT] {
            let description = String::new();
            assert!(is_worth_another_try(&PublishError::Refused { code, description }));
        }
    }
}
