//! How a webhook body is written (`ventipay-api.md` 4.3): compact JSON, keys sorted at every
//! depth, nulls dropped from objects, except beneath an array, where they stay.
//!
//! Pure. Keys sort by code unit; the official signer compares by locale, which is the same
//! for the lower-case `snake_case` keys Ventipay uses. The receiver must not rely on any of it.

use serde_json::{Map, Value, json};

/// The four keys of a delivery, as signed.
pub fn envelope(id: &str, event_type: &str, live: bool, data: &Value) -> Vec<u8> {
    let envelope = json!({"id": id, "type": event_type, "live": live, "data": data});
    body(&envelope).into_bytes()
}

/// Any value in the canonical form.
pub fn body(value: &Value) -> String {
    let mut out = String::new();
    write(value, false, &mut out);
    out
}

fn write(value: &Value, beneath_array: bool, out: &mut String) {
    match value {
        Value::Object(fields) => write_object(fields, beneath_array, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, true, out);
            }
            out.push(']');
        }
        // Scalars: no spaces, and neither '/' nor non-ASCII is escaped.
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_object(fields: &Map<String, Value>, beneath_array: bool, out: &mut String) {
    let mut kept: Vec<_> =
        fields.iter().filter(|(_, value)| beneath_array || !value.is_null()).collect();
    kept.sort_by_key(|(key, _)| key.as_str());
    out.push('{');
    for (place, (key, value)) in kept.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        write(value, beneath_array, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_nulls_dropped_but_kept_beneath_an_array() {
        let value = json!({
            "b": null, "a": {"z": null, "y": 1},
            "items": [{"z": null, "a": 2, "in": {"n": null}}, null]
        });
        assert_eq!(
            body(&value),
            r#"{"a":{"y":1},"items":[{"a":2,"in":{"n":null},"z":null},null]}"#
        );
    }

    #[test]
    fn text_is_escaped_as_little_as_json_allows() {
        assert_eq!(body(&json!("Ñandú/é \"x\" <b>&\u{7}")), r#""Ñandú/é \"x\" <b>&\u0007""#);
    }
}
