//! Names of things, parsed once and then trusted: accounts, events, checkouts, streams.
//!
//! Not here: what the things are. Every value is printable, bounded and free of control
//! characters, so it can stand in a subject, a column, a log field or an Odoo record name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct InvalidName {
    what: &'static str,
    why: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the name, or says in one clause what is wrong with it.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let check: fn(&str) -> Option<&'static str> = $check;
                match check(&text) {
                    None => Ok(Self(text)),
                    Some(why) => Err(InvalidName { what: $what, why }),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

/// Longest identifier of Ventipay's that is accepted. Theirs are about 20 characters; the
/// limit only keeps columns and Odoo references sane.
const ID_CHARS_MAX: usize = 128;

fn check_opaque(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    if text.len() > ID_CHARS_MAX {
        return Some("is longer than 128 bytes");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("holds white space or control characters");
    }
    None
}

name!(
    /// One Ventipay merchant account in one environment: lower-case letters, digits, `-` and
    /// `_`, at most 40. It is a URL segment, a subject token and a configuration key.
    AccountName,
    "account name",
    |text| {
        if text.is_empty() || text.len() > 40 {
            return Some("must have 1 to 40 characters");
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        {
            return Some("may hold only a-z, 0-9, '-' and '_'");
        }
        None
    }
);

name!(
    /// The id of one webhook event, as Ventipay gave it (`evt_…`), or `unread-<hash>` for a body
    /// that names none. Unique per account, for ever.
    EventId,
    "event id",
    check_opaque
);

name!(
    /// The id of a checkout (`chk_…`, `ventipay-api.md` 5.1): letters, digits, `_` and `-` only,
    /// because it becomes the name of the payment inside Odoo.
    CheckoutId,
    "checkout id",
    |text| {
        if !text.starts_with("chk_") || text.len() <= 4 {
            return Some("must start with chk_");
        }
        if text.len() > ID_CHARS_MAX {
            return Some("is longer than 128 bytes");
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Some("may hold only letters, digits, '-' and '_'");
        }
        None
    }
);

name!(
    /// The events about one business object, within one account:
    /// `<account>/checkout-chk_…`, `<account>/event-evt_…`, `<account>/unread-<hash>`.
    StreamId,
    "stream id",
    |text| match text.split_once('/') {
        Some((account, object)) if !account.is_empty() => check_opaque(object),
        _ => Some("must read <account>/<object>"),
    }
);

impl StreamId {
    /// The stream of `object` within `account`.
    pub fn of(account: &AccountName, object: &str) -> Result<Self, InvalidName> {
        Self::parse(format!("{account}/{object}"))
    }

    /// The part before the slash.
    pub fn account(&self) -> &str {
        self.0.split_once('/').map_or("", |(account, _)| account)
    }

    /// The part after the slash: `checkout-chk_…`.
    pub fn object(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, object)| object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_id_must_look_like_one() {
        assert!(CheckoutId::parse("chk_KaIq81").is_ok());
        for bad in ["", "chk_", "pay_1", "chk_a b", "chk_a'b", "chk_\u{0}"] {
            assert!(CheckoutId::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_event_id_holds_no_control_characters() {
        assert!(EventId::parse("evt_1").is_ok());
        for bad in ["", "evt_\u{0}", "evt 1", &"x".repeat(129)] {
            assert!(EventId::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_account_is_a_subject_token() {
        assert!(AccountName::parse("tienda-1").is_ok());
        for bad in ["", "A", "a.b", "a/b", "a*", ">", "ñ"] {
            assert!(AccountName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_stream_knows_its_account_and_object() {
        let stream = StreamId::parse("main/checkout-chk_1").unwrap();
        assert_eq!((stream.account(), stream.object()), ("main", "checkout-chk_1"));
        assert!(StreamId::parse("checkout-chk_1").is_err());
    }
}
