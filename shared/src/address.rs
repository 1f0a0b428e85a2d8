//! Addresses as configuration holds them: taken apart, and shown without credentials.
//!
//! Not here: which keys hold one ([`crate::config`]), nor connecting to it.

use std::net::Ipv6Addr;

use serde::{Serialize, Serializer};

/// Schemes of a broker address.
const BROKER_SCHEMES: [&str; 4] = ["nats://", "tls://", "ws://", "wss://"];

const NOT_AN_ADDRESS: &str = "nats.url is not an address; write nats://host:4222 or \
     tls://host:4222, several of one cluster with commas between.";

/// Takes `nats.url` apart: one address, or several of one cluster with commas between. Errors:
/// one sentence, which repeats nothing of the address, for it may hold a password.
pub fn nats(text: &str) -> Result<Vec<String>, String> {
    text.split(',')
        .map(str::trim)
        .map(|one| is_broker_address(one).then(|| one.to_owned()))
        .collect::<Option<_>>()
        .ok_or_else(|| NOT_AN_ADDRESS.to_owned())
}

fn is_broker_address(text: &str) -> bool {
    let Some(rest) = BROKER_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return false;
    };
    let (credentials, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    // A character that has a meaning in an address must be percent-encoded in a password.
    let readable = !credentials.contains(['@', '/', '?', '#', '\\', ' ']);
    readable && is_host(host.strip_suffix('/').unwrap_or(host))
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn is_host(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(host, after)| {
            let port = after.strip_prefix(':');
            host.parse::<Ipv6Addr>().is_ok() && (after.is_empty() || port.is_some_and(is_port))
        });
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !host.is_empty() && host.bytes().all(is_name) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Whether an address of HTTP holds `user:password@`. No such address needs an `@` elsewhere.
pub fn has_credentials(text: &str) -> bool {
    text.contains('@')
}

/// The address, or the addresses with commas between, with three stars for credentials. In
/// doubt, too much is hidden.
pub fn redacted(text: &str) -> String {
    let hidden: Vec<String> = text
        .split("://")
        .map(|part| match part.rsplit_once('@') {
            Some((_, host)) => format!("***@{host}"),
            None => part.to_owned(),
        })
        .collect();
    hidden.join("://")
}

/// Serializes an address as [`redacted`] shows it.
pub(crate) fn serialize_redacted<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&redacted(text))
}

/// Serializes an address that may be absent as [`redacted`] shows it.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn serialize_redacted_option<S: Serializer>(
    text: &Option<String>,
    to: S,
) -> Result<S::Ok, S::Error> {
    text.as_deref().map(redacted).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses_are_taken_apart_at_commas() {
        assert_eq!(
            nats("nats://a:4222, tls://u:p%2Cw@b.example ,nats://token@[::1]:4222").unwrap(),
            ["nats://a:4222", "tls://u:p%2Cw@b.example", "nats://token@[::1]:4222"]
        );
        assert_eq!(nats("wss://h:443/").unwrap(), ["wss://h:443/"]);
    }

    #[test]
    fn what_is_no_broker_address_is_refused_and_not_repeated() {
        for bad in [
            "",
            "hidden:4222",
            "http://hidden:4222",
            "nats://",
            "nats://user:hidden@:x",
            "nats://user:hidden@",
            "nats://user:hid,den@host",
            "nats://user:hid/den@host",
            "nats://hidden:0",
            "nats://hidden:70000",
            "nats://[hidden]:4222",
            "nats://[::1",
            "nats://[::1]4222",
            "nats://hidden,",
        ] {
            let said = nats(bad).unwrap_err();
            assert!(said.contains("nats.url is not an address") && !said.contains("hid"), "{bad}");
        }
    }

    #[test]
    fn credentials_are_shown_as_stars_in_every_address() {
        for (text, shown) in [
            ("nats://host:4222", "nats://host:4222"),
            ("nats://u:hidden@host:4222", "nats://***@host:4222"),
            ("nats://a,tls://u:hidden@b", "nats://a,tls://***@b"),
            ("nats://hidden@a,tls://u:hidden@b", "nats://***@a,tls://***@b"),
            ("nats://u:hid@,hidden@b", "nats://***@b"),
            ("u:hidden@b", "***@b"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
