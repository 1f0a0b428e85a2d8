//! Names both sides of the broker must agree on: stream, subjects, consumer, headers.
//!
//! Not here: connections or settings of the stream (the ingress makes it, see its `stream`
//! module), nor what a message holds ([`crate::webhook`]).

use crate::id::AccountName;

/// The JetStream stream that carries webhooks, unless configured otherwise.
pub const STREAM: &str = "VENTIPAY";

/// The durable pull consumer all workers share.
pub const CONSUMER: &str = "concilia-worker";

/// First tokens of every subject.
pub const SUBJECT_PREFIX: &str = "ventipay.events";

/// What the stream listens to.
pub const SUBJECT_ALL: &str = "ventipay.events.>";

/// Last token of the subject of a body whose type cannot stand in a subject.
pub const TYPE_UNREADABLE: &str = "unreadable";

/// Names of the headers of a message; `design.md`, section NATS.
pub mod header {
    /// The account whose secret verified the body.
    pub const ACCOUNT: &str = "Concilia-Account";
    /// The `venti-signature` header, verbatim.
    pub const SIGNATURE: &str = "Concilia-Signature";
    /// When the ingress had the whole body: RFC 3339, UTC.
    pub const RECEIVED_AT: &str = "Concilia-Received-At";
    /// SHA-256 of the body, lower-case hex.
    pub const BODY_HASH: &str = "Concilia-Body-Sha256";
    /// `late=<seconds>` when the signature was genuine but stale; absent when fresh.
    pub const LATE: &str = "Concilia-Late-Seconds";
    /// W3C trace context.
    pub const TRACEPARENT: &str = crate::trace::HEADER;
}

/// Subject of an event: `ventipay.events.<account>.<type…>`. A type that is not lower-case
/// words joined by points becomes [`TYPE_UNREADABLE`]; the body keeps what it said.
pub fn subject(account: &AccountName, event_type: Option<&str>) -> String {
    let event_type = event_type.filter(|text| is_subject_type(text)).unwrap_or(TYPE_UNREADABLE);
    format!("{SUBJECT_PREFIX}.{account}.{event_type}")
}

fn is_subject_type(text: &str) -> bool {
    let word = |token: &str| {
        !token.is_empty()
            && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= 64 && text.split('.').count() <= 4 && text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_could_break_a_subject_never_enters_it() {
        let account = AccountName::parse("main").unwrap();
        assert_eq!(subject(&account, Some("checkout.paid")), "ventipay.events.main.checkout.paid");
        for bad in ["", ".", "a..b", "*", "a.>", "A.b", "a b", "ñ", "a.b.c.d.e", &"a".repeat(65)] {
            assert_eq!(subject(&account, Some(bad)), "ventipay.events.main.unreadable", "{bad:?}");
        }
        assert_eq!(subject(&account, None), "ventipay.events.main.unreadable");
    }
}
