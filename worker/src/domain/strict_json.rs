//! JSON read strictly: an object that names one key twice is refused, because which value was
//! meant is anybody's guess, and it may be an amount.
//!
//! Depth is bounded by `serde_json` (128), numbers by what fits 64 bits. Not here: what the
//! values mean ([`super::interpret`]).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::reason::Problem;

/// Longest part of a duplicate key that is kept, in characters.
const KEY_CHARS_MAX: usize = 64;

/// Marks our own error among those of `serde_json`, which carries only text.
const DUPLICATE: &str = "duplicate key: ";

/// Reads `body`, or says what is wrong with it.
pub(super) fn read(body: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::NotUtf8)?;
    match serde_json::from_str::<Strict>(text) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(problem(&error.to_string())),
    }
}

fn problem(error: &str) -> Problem {
    let Some(rest) = error.strip_prefix(DUPLICATE) else {
        return Problem::NotJson;
    };
    // serde_json appends " at line … column …" to every message.
    let key = rest.rsplit_once(" at line ").map_or(rest, |(key, _)| key);
    Problem::DuplicateKey { key: key.to_owned() }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // Kept only so that a body with a fraction somewhere reads; no amount is taken from it.
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().take(KEY_CHARS_MAX).collect();
                return Err(A::Error::custom(format_args!("{DUPLICATE}{shown}")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_what_serde_json_reads() {
        let text = r#"{"a":[1,-2,1.5,true,null,"ñ\u0000"],"b":{"a":{}}}"#;
        assert_eq!(read(text.as_bytes()), Ok(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn what_does_not_read_is_named() {
        let deep = "[".repeat(10_000);
        let duplicate = |key: &str| Problem::DuplicateKey { key: key.to_owned() };
        for (body, problem) in [
            (&b""[..], Problem::NotJson),
            (b"{", Problem::NotJson),
            (b"{}x", Problem::NotJson),
            (b"\xff{}", Problem::NotUtf8),
            (b"{\"a\":1e999}", Problem::NotJson),
            (deep.as_bytes(), Problem::NotJson),
            (br#"{"amount":1,"amount":2}"#, duplicate("amount")),
            (br#"{"x":[{"a at line 1":1,"a at line 1":1}]}"#, duplicate("a at line 1")),
        ] {
            assert_eq!(
                read(body),
                Err(problem),
                "{}",
                String::from_utf8_lossy(&body[..body.len().min(40)])
            );
        }
    }
}
