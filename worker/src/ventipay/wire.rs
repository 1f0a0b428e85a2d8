//! The shape of a checkout as Ventipay's API answers it (`ventipay-api.md` 5.2), read into
//! [`AtVentipay`]. Pure. The other objects are read in `objects` and
//! `people`.
//!
//! Reading is strict where money is concerned and total: what does not read becomes
//! [`AtVentipay::Unreadable`] with the path at fault, never a guess. A missing field and null
//! are the same (`ventipay-api.md` section 2, default 18). Fields unknown to us are ignored.

mod objects;
mod people;

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::observe::{AtVentipay, CheckoutNow};

pub use objects::{
    is_plain_id, not_shown, read_dispute, read_invoice, read_payment, read_subscription,
};
pub use people::{read_customer, read_method};

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
    let status = status(fields)?;
    let currency = text(fields, "currency")?.and_then(Currency::parse).ok_or("currency")?;
    let minor = whole(fields, "amount")?.ok_or("amount")?;
    let told = whole(fields, "refunded_amount")?;
    // `refunded` may lag behind or be absent on a partial refund; the sum tells as well.
    let refunded = flag(fields, "refunded")? || told.is_some_and(|sum| sum > 0);
    let disputed = flag(fields, "disputed")?;
    let refunded_amount = told.or_else(|| {
        // What is available may be less for other reasons than a refund: before the payment,
        // or while the buyer disputes it.
        let comparable = refunded || (status == "paid" && !disputed);
        lacking(fields, minor).filter(|_| comparable)
    });
    Ok(CheckoutNow {
        status: status.to_owned(),
        amount: Money::new(minor, currency),
        refunded,
        refunded_amount: refunded_amount.map(|sum| Money::new(sum, currency)),
        disputed,
        paid_at: text(fields, "paid_at")?
            .map(str::parse::<Timestamp>)
            .transpose()
            .map_err(|_| "paid_at")?,
        payment_id: related(fields, "payment"),
    })
}

/// What `available_for_refund` lacks of the amount. Nothing lacking tells nothing: it may just
/// not be kept up to date. Nor does a value that is no share of the amount.
fn lacking(fields: &Map<String, Value>, amount: i64) -> Option<i64> {
    let available = present(fields, "available_for_refund")?.as_i64()?;
    (0..amount).contains(&available).then(|| amount - available)
}

/// The id of a related object: `<what>_id`, or the object itself, expanded or not
/// (`ventipay-api.md` 3.3). What is no id of a sane length tells nothing.
fn related(fields: &Map<String, Value>, what: &str) -> Option<String> {
    let named = present(fields, &format!("{what}_id"));
    let object = || present(fields, what).map(|object| object.get("id").unwrap_or(object));
    let id = named.or_else(object)?.as_str()?;
    is_plain_id(id).then(|| id.to_owned())
}

fn status(fields: &Map<String, Value>) -> Result<&str, &'static str> {
    text(fields, "status")?
        .filter(|status| !status.is_empty() && status.len() <= STATUS_BYTES_MAX)
        .ok_or("status")
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
            "paid_at": "2026-01-05T12:00:02.000Z", "canceled_at": null, "metadata": {"a": 1},
            "payment_id": "pay_1", "available_for_refund": 15990
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
                refunded_amount: None,
                disputed: false,
                paid_at: Some("2026-01-05T12:00:02Z".parse().unwrap()),
                payment_id: Some("pay_1".to_owned()),
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

    /// What is read as refunded so far of the paid checkout with these fields over its own.
    fn refunded_of(fields: &Value) -> Option<i64> {
        let mut answer = paid();
        for (key, value) in fields.as_object().unwrap() {
            answer[key] = value.clone();
        }
        let AtVentipay::Checkout(now) = read(&asked(), &answer) else {
            panic!("it reads: {fields}");
        };
        now.refunded_amount.map(|sum| sum.minor)
    }

    #[test]
    fn the_sum_refunded_is_told_or_is_what_is_no_longer_available() {
        for (fields, sum) in [
            (json!({}), None),
            (json!({"refunded_amount": 0}), Some(0)),
            (json!({"refunded_amount": 5000}), Some(5000)),
            (json!({"refunded_amount": 5000, "available_for_refund": 1}), Some(5000)),
            (json!({"refunded": true, "available_for_refund": 10990}), Some(5000)),
            (json!({"refunded": true, "available_for_refund": 0}), Some(15990)),
            (json!({"refunded": null, "available_for_refund": 10990}), Some(5000)),
            // It says that it was refunded, but not how much.
            (json!({"refunded": true}), None),
            (json!({"refunded": true, "available_for_refund": null}), None),
            (json!({"refunded": true, "available_for_refund": -1}), None),
            (json!({"refunded": true, "available_for_refund": 15991}), None),
            (json!({"refunded": true, "available_for_refund": "0"}), None),
            // Less is available, but not because of a refund.
            (json!({"status": "unpaid", "available_for_refund": 0}), None),
            (json!({"disputed": true, "available_for_refund": 0}), None),
            (json!({"disputed": true, "refunded": true, "available_for_refund": 0}), Some(15990)),
        ] {
            assert_eq!(refunded_of(&fields), sum, "{fields}");
        }
    }

    #[test]
    fn a_payment_is_named_by_its_id_or_comes_whole_and_what_is_no_id_is_nothing() {
        let payment = |key: &str, value: Value| {
            let mut answer = paid();
            answer["payment_id"] = json!(null);
            answer[key] = value;
            let AtVentipay::Checkout(now) = read(&asked(), &answer) else {
                panic!("it reads");
            };
            now.payment_id
        };
        assert_eq!(payment("payment", json!({"id": "pay_2"})), Some("pay_2".to_owned()));
        assert_eq!(payment("payment", json!("pay_2")), Some("pay_2".to_owned()));
        for nothing in [json!(null), json!({}), json!(7), json!(""), json!("a b"), json!("é")] {
            assert_eq!(payment("payment", nothing.clone()), None, "{nothing}");
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
