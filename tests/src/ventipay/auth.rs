//! Who asks: HTTP Basic with the API key as user name and no password (`ventipay-api.md` 3.1).
//! The key alone selects the mode, test or live (3.6).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::error::ApiError;
use super::world::Sim;

/// The API keys a simulated Ventipay knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Any that starts with `key_test_` or `key_live_` and goes on.
    AnyWellFormed,
    /// These only.
    Only(Vec<String>),
}

impl Keys {
    /// The mode a key selects (true is live), if it is known.
    pub fn live(&self, key: &str) -> Option<bool> {
        if let Self::Only(known) = self
            && !known.iter().any(|other| other == key)
        {
            return None;
        }
        let goes_on = |prefix| key.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        match (goes_on("key_test_"), goes_on("key_live_")) {
            (true, _) => Some(false),
            (_, true) => Some(true),
            _ => None,
        }
    }
}

/// The mode of an authenticated request: true is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live(pub bool);

impl FromRequestParts<Arc<Sim>> for Live {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Arc<Sim>) -> Result<Self, ApiError> {
        key(&parts.headers)
            .and_then(|key| sim.options.keys.live(&key))
            .map(Live)
            .ok_or_else(ApiError::unauthenticated)
    }
}

/// The API key a request came with, known or not.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    headers.get(AUTHORIZATION)?.to_str().ok().and_then(user_without_password)
}

fn user_without_password(header: &str) -> Option<String> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(decode_base64(credentials.trim())?).ok()?;
    decoded.strip_suffix(':').map(str::to_owned)
}

/// RFC 4648 base64, padded.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let unpadded = text.strip_suffix("==").or(text.strip_suffix('='));
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in unpadded.unwrap_or(text).bytes() {
        bits = (bits << 6) | u32::from(value(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_a_key_and_an_empty_password() {
        let read = user_without_password;
        assert_eq!(read("Basic a2V5X3Rlc3RfMTo="), Some("key_test_1".to_owned()));
        assert_eq!(read("basic azo="), Some("k".to_owned()));
        // "k:p": a password is not how the key is sent.
        assert_eq!(read("Basic azpw"), None);
        for bad in ["", "Basic", "Bearer key_test_1", "Basic a", "Basic ****"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_prefix_of_a_key_selects_the_mode() {
        let any = Keys::AnyWellFormed;
        assert_eq!(any.live("key_test_a"), Some(false));
        assert_eq!(any.live("key_live_a"), Some(true));
        for bad in ["", "key_test_", "sk_test_a"] {
            assert_eq!(any.live(bad), None, "{bad}");
        }
        let only = Keys::Only(vec!["key_test_a".to_owned()]);
        assert_eq!((only.live("key_test_a"), only.live("key_test_b")), (Some(false), None));
    }
}
