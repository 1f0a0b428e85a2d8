//! The `venti-signature` header: how it is read, checked and made
//! (`ventipay-api.md` section 4.4).
//!
//! `venti-signature: t=<unix seconds>,v1=<lower-case hex>`, where
//! `v1 = HMAC-SHA256(secret, t + "." + raw body)`. Pure: the time is a parameter, and the
//! body is never parsed here. The HMAC is judged before the freshness, so that a stale but
//! genuine webhook is *late*, not lost.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::secret::Secret;

/// Name of the header that carries the signature.
pub const SIGNATURE_HEADER: &str = "venti-signature";

/// Most `v1` values considered in one header. A rotation needs two; the bound keeps the work
/// of an unsigned request small.
pub const CANDIDATES_MAX: usize = 4;

/// Longest header read, in bytes: room for [`CANDIDATES_MAX`] candidates and as much again.
pub const HEADER_BYTES_MAX: usize = 1024;

/// A header that reads as the scheme demands. Says nothing yet about who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// `t`: when the sender says it signed, in seconds since 1970-01-01T00:00:00Z.
    pub signed_at_s: i64,
    /// `t` exactly as written, because it is part of what was signed.
    signed_at_text: String,
    /// Every `v1`, decoded.
    candidates: Vec<[u8; 32]>,
}

/// What is wrong with a header that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The request carries more than one signature header.
    #[error("more than one venti-signature header")]
    Repeated,
    /// Longer than [`HEADER_BYTES_MAX`], or not visible ASCII.
    #[error("venti-signature is too long or not plain text")]
    Unreadable,
    /// A part that is not `key=value`.
    #[error("a part of venti-signature is not key=value")]
    PartWithoutValue,
    /// No `t`.
    #[error("venti-signature has no t")]
    NoTimestamp,
    /// More than one `t`.
    #[error("venti-signature has more than one t")]
    TwoTimestamps,
    /// `t` is not 1 to 12 digits.
    #[error("t of venti-signature is not a number of seconds")]
    BadTimestamp,
    /// No `v1`.
    #[error("venti-signature has no v1")]
    NoSignature,
    /// A `v1` that is not 64 lower-case hexadecimal characters.
    #[error("v1 of venti-signature is not 64 lower-case hexadecimal characters")]
    BadSignature,
    /// More than [`CANDIDATES_MAX`] `v1` values.
    #[error("venti-signature has too many v1")]
    TooManySignatures,
}

/// Whether a genuine webhook was signed within the tolerance of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Within the tolerance, in either direction.
    Fresh,
    /// Signed longer ago than the tolerance: a resend, or a replay.
    Stale {
        /// Seconds between signing and now.
        age_s: i64,
    },
    /// Signed later than now by more than the tolerance: a clock is wrong.
    Future {
        /// Seconds between now and signing.
        ahead_s: i64,
    },
}

impl SignatureHeader {
    /// Reads the header strictly. Unknown keys are ignored (`ventipay-api.md` section 2,
    /// default 7); several `v1` are kept, any may match.
    pub fn parse(header: &str) -> Result<Self, HeaderError> {
        if header.len() > HEADER_BYTES_MAX || !header.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(HeaderError::Unreadable);
        }
        let mut timestamp: Option<&str> = None;
        let mut candidates = Vec::new();
        for part in header.split(',') {
            let (key, value) = part.split_once('=').ok_or(HeaderError::PartWithoutValue)?;
            match key.trim() {
                "t" if timestamp.is_some() => return Err(HeaderError::TwoTimestamps),
                "t" => timestamp = Some(value.trim()),
                "v1" if candidates.len() == CANDIDATES_MAX => {
                    return Err(HeaderError::TooManySignatures);
                }
                "v1" => candidates.push(decode_hex(value.trim()).ok_or(HeaderError::BadSignature)?),
                _ => {}
            }
        }
        let timestamp = timestamp.ok_or(HeaderError::NoTimestamp)?;
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
        if !digits || timestamp.len() > 12 {
            return Err(HeaderError::BadTimestamp);
        }
        if candidates.is_empty() {
            return Err(HeaderError::NoSignature);
        }
        Ok(Self {
            signed_at_s: timestamp.parse().map_err(|_| HeaderError::BadTimestamp)?,
            signed_at_text: timestamp.to_owned(),
            candidates,
        })
    }

    /// Whether it carries several signatures, as while the sender changes its secret.
    pub fn is_several(&self) -> bool {
        self.candidates.len() > 1
    }

    /// Which of `secrets` signed `body`, by index, or `None`. Every secret is tried against
    /// every candidate whatever matches first, so that the time taken tells nothing.
    pub fn signer(&self, secrets: &[Secret], body: &[u8]) -> Option<usize> {
        let mut signer = None;
        for (index, secret) in secrets.iter().enumerate() {
            let expected = mac(secret, &self.signed_at_text, body);
            let matches = self
                .candidates
                .iter()
                .fold(Choice::from(0), |any, candidate| any | candidate.ct_eq(&expected));
            if bool::from(matches) && !secret.is_empty() && signer.is_none() {
                signer = Some(index);
            }
        }
        signer
    }

    /// Compares `t` with now. Both bounds are inclusive.
    pub fn freshness(&self, now_s: i64, tolerance_s: i64) -> Freshness {
        let age_s = now_s.saturating_sub(self.signed_at_s);
        if age_s > tolerance_s {
            Freshness::Stale { age_s }
        } else if age_s < -tolerance_s {
            Freshness::Future { ahead_s: -age_s }
        } else {
            Freshness::Fresh
        }
    }
}

/// The header value a sender writes: for simulators and tests, and for re-checking the log.
pub fn sign(secret: &Secret, signed_at_s: i64, body: &[u8]) -> String {
    let timestamp = signed_at_s.to_string();
    let signature = encode_hex(&mac(secret, &timestamp, body));
    format!("t={timestamp},v1={signature}")
}

/// Lower-case hexadecimal.
pub fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
        }
        text
    })
}

fn mac(secret: &Secret, timestamp: &str, body: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length; the secret is used as given, `whs_` included.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC accepts keys of every length"));
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut decoded = [0; 32];
    for (place, pair) in bytes.chunks_exact(2).enumerate() {
        decoded[place] = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// secret, t, body, v1: the vectors of `ventipay-api.md` section 4.4 and `anchors.md` A1.
    const VECTORS: [(&str, i64, &str, &str); 3] = [
        (
            "whs_ExampleSecret0123456789",
            1_767_614_403,
            r#"{"data":{"amount":15990,"currency":"clp","description":"Pedido S00042","disputed":false,"external_id":"S00042","id":"chk_KaIq81","items":[{"name":"Polera niño","quantity":1,"sku":null,"unit_price":15990}],"metadata":{"odoo_ref":"tx-S00042-1"},"object":"checkout","refunded":false,"status":"paid"},"id":"evt_2b7Qx","live":false,"type":"checkout.paid"}"#,
            "74ca39123238723123e46bc24c73eae0beb8127a3fa199df67ddfaae541995a0",
        ),
        (
            "whs_test",
            1_700_000_000,
            r#"{"data":{"a":1,"amt":1.5,"id":"chk_1","items":[{"a":2,"z":null}],"metadata":{},"name":"Ñandú/é \"x\" <b>&"},"id":"evt_1","live":false,"type":"checkout.paid"}"#,
            "3899abc0fc1d84776e77d129f40fb874dd671a26fddf4c5204ebacb83aaf1bfd",
        ),
        (
            "whs_test_secret",
            1_700_000_000,
            r#"{"data":{"amount":1000,"currency":"CLP","id":"chk_1"},"id":"evt_1","live":false,"type":"checkout.paid"}"#,
            "2ef85842d2e9d148c48426d468de2492e750ef45c0f383037da0aade8236f64b",
        ),
    ];

    #[test]
    fn the_published_vectors_verify_and_are_reproduced() {
        for (secret, t, body, v1) in VECTORS {
            let secrets = [Secret::new("whs_other"), Secret::new(secret)];
            let header = SignatureHeader::parse(&format!("t={t},v1={v1}")).unwrap();
            assert_eq!(header.signer(&secrets, body.as_bytes()), Some(1));
            assert_eq!(sign(&secrets[1], t, body.as_bytes()), format!("t={t},v1={v1}"));
            assert_eq!(header.signer(&secrets, format!("{body} ").as_bytes()), None);
            let moved = SignatureHeader::parse(&format!("t={},v1={v1}", t + 1)).unwrap();
            assert_eq!(moved.signer(&secrets, body.as_bytes()), None);
        }
    }

    #[test]
    fn any_of_several_candidates_may_match() {
        let (secret, t, body, v1) = VECTORS[2];
        let other = "0".repeat(64);
        let header = SignatureHeader::parse(&format!("v1={other}, t={t} ,v0=x,v1={v1}")).unwrap();
        assert_eq!(header.signer(&[Secret::new(secret)], body.as_bytes()), Some(0));
    }

    #[test]
    fn no_secret_or_an_empty_one_signs_nothing() {
        let body = b"{}";
        let header = SignatureHeader::parse(&sign(&Secret::new(""), 1, body)).unwrap();
        assert_eq!(header.signer(&[], body), None);
        assert_eq!(header.signer(&[Secret::new("  ")], body), None);
    }

    #[test]
    fn each_malformed_header_is_named() {
        use HeaderError as E;
        let v1 = "a".repeat(64);
        let many = format!("t=1{}", format!(",v1={v1}").repeat(CANDIDATES_MAX + 1));
        for (header, error) in [
            (String::new(), E::PartWithoutValue),
            (format!("t=1,v1={v1},"), E::PartWithoutValue),
            (format!("v1={v1}"), E::NoTimestamp),
            (format!("t=1,t=1,v1={v1}"), E::TwoTimestamps),
            (format!("t=,v1={v1}"), E::BadTimestamp),
            (format!("t=123abc,v1={v1}"), E::BadTimestamp),
            (format!("t=-1,v1={v1}"), E::BadTimestamp),
            (format!("t=1234567890123,v1={v1}"), E::BadTimestamp),
            ("t=1".to_owned(), E::NoSignature),
            ("t=1,v0=x".to_owned(), E::NoSignature),
            ("t=1,v1=".to_owned(), E::BadSignature),
            (format!("t=1,v1={}", "A".repeat(64)), E::BadSignature),
            (format!("t=1,v1={}", "a".repeat(63)), E::BadSignature),
            (format!("t=1,v1={v1}\u{7f}"), E::Unreadable),
            (format!("t=1,v1={v1},x={}", "y".repeat(HEADER_BYTES_MAX)), E::Unreadable),
            (many, E::TooManySignatures),
        ] {
            assert_eq!(SignatureHeader::parse(&header), Err(error), "{header}");
        }
    }

    #[test]
    fn freshness_is_judged_in_both_directions() {
        let header = SignatureHeader::parse(&format!("t=1000,v1={}", "a".repeat(64))).unwrap();
        assert_eq!(header.freshness(1300, 300), Freshness::Fresh);
        assert_eq!(header.freshness(1301, 300), Freshness::Stale { age_s: 301 });
        assert_eq!(header.freshness(700, 300), Freshness::Fresh);
        assert_eq!(header.freshness(699, 300), Freshness::Future { ahead_s: 301 });
    }
}
