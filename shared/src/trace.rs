//! W3C trace context: the one header by which a webhook can be followed through the broker and
//! the log to the calls of Odoo and Ventipay it leads to.
//!
//! Pure: ids are the caller's dice. `tracestate` is not carried; its vendors are not ours.
//! Not here: where the header is taken from and sent to (the ingress's `receive`, the worker's
//! `trace`).

use std::fmt;

/// Name of the header, over HTTP and in the broker alike.
pub const HEADER: &str = "traceparent";

/// Longest header read: version 00 is 55 characters, a later one may say more.
const BYTES_MAX: usize = 256;

/// Flag: the caller records this trace.
const SAMPLED: u8 = 0x01;

/// Flags version 00 knows: sampled, and that the id is random.
const FLAGS_KNOWN: u8 = 0x03;

/// Where in which trace we are: `00-<trace id>-<span id>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl Traceparent {
    /// The first of a new trace, sampled. Zero means "none" in the standard, so it becomes one.
    pub fn first(trace_id: u128, span_id: u64) -> Self {
        Self { trace_id: trace_id.max(1), span_id: span_id.max(1), flags: SAMPLED }
    }

    /// Reads a header, or nothing: a stranger's text must not travel into logs unread.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let context = Self {
            trace_id: hex(parts.next()?, 32)?,
            span_id: u64::try_from(hex(parts.next()?, 16)?).ok()?,
            flags: u8::try_from(hex(parts.next()?, 2)?).ok()? & FLAGS_KNOWN,
        };
        // A later version may append to what 00 has; ff is forbidden, and so are ids of zero.
        let ends = parts.next().is_none() || version > 0;
        let valid = ends && version < 0xff && context.trace_id > 0 && context.span_id > 0;
        valid.then_some(context)
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(self, span_id: u64) -> Self {
        Self { span_id: span_id.max(1), ..self }
    }

    /// What all steps of a trace share, as logs name it.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

/// As the header is written.
impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

fn hex(text: &str, length: usize) -> Option<u128> {
    let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let valid = text.len() == length && text.bytes().all(is_lower_hex);
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_true_header_is_read_and_written_the_same() {
        let context = Traceparent::parse(GOOD).unwrap();
        assert_eq!(context.to_string(), GOOD);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let later = format!("cc{}-and-more", &GOOD[2..]);
        assert_eq!(Traceparent::parse(&later), Some(context), "a later version may say more");
    }

    #[test]
    fn anything_else_is_no_header() {
        let zero_trace = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let zero_span = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16));
        for bad in [
            "",
            "00",
            "00-0af-b7-01",
            &GOOD.to_uppercase(),
            &format!("{GOOD}-x"),
            &format!("ff{}", &GOOD[2..]),
            &zero_trace,
            &zero_span,
            &GOOD.replace("0af7", "+af7"),
            &GOOD.replace('b', "é"),
            &format!("cc{}-{}", &GOOD[2..], "x".repeat(BYTES_MAX)),
        ] {
            assert_eq!(Traceparent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_child_keeps_the_trace_and_whether_it_is_sampled() {
        for flags in ["00", "01", "03"] {
            let parent = Traceparent::parse(&format!("{}{flags}", &GOOD[..53])).unwrap();
            let child = parent.child(0xabc).to_string();
            assert_eq!(child, format!("{}0000000000000abc-{flags}", &GOOD[..36]));
        }
        let unknown = Traceparent::parse(&format!("{}ff", &GOOD[..53])).unwrap();
        assert!(unknown.to_string().ends_with("-03"), "flags we do not know are not passed on");
    }

    #[test]
    fn a_new_trace_is_sampled_and_never_zero() {
        let new = Traceparent::first(0, 0);
        assert_eq!(Traceparent::parse(&new.to_string()), Some(new));
        assert!(new.to_string().ends_with("-01"));
        assert_eq!(new.child(0).to_string(), new.to_string());
    }
}
