//! The shape of a checkout as Ventipay's API answers it (`ventipay-api.md` 5.2), read into
//! [`AtVentipay`]. Pure.
//!
//! Reading is strict where money is concerned and total: what does not read becomes
//! [`AtVentipay::Unreadable`] with the path at fault, never a guess. A missing field and null
//! are the same (`ventipay-api.md` section 2, default 18). Fields unknown to us are ignored.

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::observe::{AtVentipay, CheckoutNow};

/// Longest status kept, in bytes. Theirs are one word.
const STATUS_BYTES_MAX: usize = 64;

/// Reads the answer to `GET /checkouts/{asked}`.
pub fn read(asked: &CheckoutId, answer: &Value) -> AtVentipay {
    let Some(fields) = answer.as_object() else {
        return unreadable("$");
    };
    match checkout(asked, fields) {
        Ok(now) => AtVentipay::Checkout(now),
        Err(path) => unreadable(path),
    }
}

/// Whether an answer is Ventipay's own error "not found" (`ventipay-api.md` 3.4), wrapped in
/// `error` or bare.
pub fn is_not_found(answer: &Value) -> bool {
    let error = answer.get("error").filter(|error| error.is_object()).unwrap_or(answer);
    error.get("code").and_then(Value::as_str) == Some("not_found")
}

/// The answer is not a checkout; `path` is where it shows.
pub fn unreadable(path: &str) -> AtVentipay {
    AtVentipay::Unreadable { path: path.to_owned() }
}

fn checkout(asked: &CheckoutId, fields: &Map<String, Value>) -> Result<CheckoutNow, &'static str> {
    // Another checkout's answer (a cache, a proxy) must never vouch for this one.
    if text(fields, "id")? != Some(asked.as_str()) {
        return Err("id");
    }
    if text(fields, "object")?.is_some_and(|object| object != "checkout") {
        return Err("object");
    }
    let status = text(fields, "status")?
        .filter(|status| !status.is_empty() && status.len() <= STATUS_BYTES_MAX)
        .ok_or("status")?;
    let currency = text(fields, "currency")?.and_then(Currency::parse).ok_or("currency")?;
    let minor = whole(fields, "amount")?.ok_or("amount")?;
    // `refunded` may lag behind or be absent on a partial refund; the sum tells as well.
    let refunded =
        flag(fields, "refunded")? || whole(fields, "refunded_amount")?.is_some_and(|sum| sum > 0);
    Ok(CheckoutNow {
        status: status.to_owned(),
        amount: Money::new(minor, currency),
        refunded,
        disputed: flag(fields, "disputed")?,
        paid_at: text(fields, "paid_at")?
            .map(str::parse::<Timestamp>)
            .transpose()
            .map_err(|_| "paid_at")?,
    })
}

/// A field that is there and not null.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    key: &'static str,
) -> Result<Option<&'a str>, &'static str> {
    present(fields, key).map(|value| value.as_str().ok_or(key)).transpose()
}

fn flag(fields: &Map<String, Value>, key: &'static str) -> Result<bool, &'static str> {
    present(fields, key).map_or(Ok(false), |value| value.as_bool().ok_or(key))
}

/// An amount: an integer of minor units, never negative, never written with a point.
fn whole(fields: &Map<String, Value>, key: &'static str) -> Result<Option<i64>, &'static str> {
    present(fields, key)
        .map(|value| value.as_i64().filter(|minor| *minor >= 0).ok_or(key))
        .transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> CheckoutId {
        CheckoutId::parse("chk_1").unwrap()
    }

    fn paid() -> Value {
        json!({
            "id": "chk_1", "object": "checkout", "status": "paid", "amount": 15990,
            "currency": "clp", "refunded": false, "disputed": false, "live": false,
            "paid_at": "2026-01-05T12:00:02.000Z", "canceled_at": null, "metadata": {"a": 1}
        })
    }

    fn with(key: &str, value: Value) -> AtVentipay {
        let mut answer = paid();
        answer[key] = value;
        read(&asked(), &answer)
    }

    #[test]
    fn a_paid_checkout_reads_in_full() {
        assert_eq!(
            read(&asked(), &paid()),
            AtVentipay::Checkout(CheckoutNow {
                status: "paid".to_owned(),
                amount: Money::new(15_990, Currency::Clp),
                refunded: false,
                disputed: false,
                paid_at: Some("2026-01-05T12:00:02Z".parse().unwrap()),
            })
        );
    }

    #[test]
    fn absent_flags_are_false_and_an_absent_date_is_absent() {
        let bare = json!({"id": "chk_1", "status": "unpaid", "amount": 1, "currency": "CLF"});
        let AtVentipay::Checkout(now) = read(&asked(), &bare) else {
            panic!("it reads");
        };
        assert_eq!((now.refunded, now.disputed, now.paid_at), (false, false, None));
        assert_eq!(now.amount, Money::new(1, Currency::Clf));
    }

    #[test]
    fn a_refunded_sum_counts_as_refunded_whatever_the_flag_says() {
        for (key, value) in [("refunded", json!(true)), ("refunded_amount", json!(1))] {
            let AtVentipay::Checkout(now) = with(key, value) else {
                panic!("it reads");
            };
            assert!(now.refunded, "{key}");
        }
    }

    #[test]
    fn what_does_not_read_is_named_by_its_path() {
        for (key, value) in [
            ("id", json!("chk_2")),
            ("id", json!(null)),
            ("object", json!("payment")),
            ("status", json!("")),
            ("status", json!(7)),
            ("amount", json!(15_990.0)),
            ("amount", json!("15990")),
            ("amount", json!(-1)),
            ("amount", json!(null)),
            ("currency", json!("xyz")),
            ("currency", json!(null)),
            ("refunded", json!("false")),
            ("refunded_amount", json!("0")),
            ("disputed", json!(0)),
            ("paid_at", json!("yesterday")),
            ("paid_at", json!(1_700_000_000)),
        ] {
            assert_eq!(with(key, value.clone()), unreadable(key), "{key}: {value}");
        }
        assert_eq!(read(&asked(), &json!([])), unreadable("$"));
    }
}
