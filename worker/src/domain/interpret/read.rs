//! Reading single fields of a body, strictly where we act on them and leniently where Ventipay's
//! objects are not documented.
//!
//! A field that is missing or null is absent (`ventipay-api.md` section 2, default 18).

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use serde_json::Value;

use crate::domain::name::ObjectId;
use crate::domain::reason::Problem;

/// Largest amount believed, in minor units: more than any payment, and small enough that sums
/// of thousands still fit.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// Longest text of Ventipay's that is kept beside a fact, in characters.
const WHY_CHARS_MAX: usize = 200;

/// The value at a path, unless it is absent.
pub(super) fn at<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path.split('.').try_fold(data, |here, part| here.get(part))?;
    (!found.is_null()).then_some(found)
}

/// The text at the first of the paths that holds one.
pub(super) fn text<'a>(data: &'a Value, paths: &[&str]) -> Option<&'a str> {
    paths.iter().find_map(|path| at(data, path)?.as_str())
}

/// What is wrong with a field.
pub(super) fn field(path: &str) -> Problem {
    Problem::Field { path: format!("data.{path}") }
}

/// The object's own id, which becomes part of a name in Odoo.
pub(super) fn own_id(data: &Value) -> Result<ObjectId, Problem> {
    text(data, &["id"]).and_then(ObjectId::parse).ok_or_else(|| field("id"))
}

/// The checkout's own id.
pub(super) fn checkout_id(data: &Value) -> Result<CheckoutId, Problem> {
    let id = text(data, &["id"]).ok_or_else(|| field("id"))?;
    CheckoutId::parse(id).map_err(|_| field("id"))
}

/// The id of another object: at `paths` as text, or as an expanded object that holds it.
pub(super) fn other_id<'a>(data: &'a Value, paths: &[&str]) -> Option<&'a str> {
    paths.iter().find_map(|path| match at(data, path)? {
        Value::String(id) => Some(id.as_str()),
        object => object.get("id")?.as_str(),
    })
}

/// The checkout another object belongs to.
pub(super) fn checkout(data: &Value) -> Option<CheckoutId> {
    let id = other_id(data, &["checkout_id", "checkout"])?;
    CheckoutId::parse(id).ok()
}

/// The payment another object belongs to; of a checkout also the object it succeeded with, where
/// that is a payment (`ventipay-api.md` 5.2).
pub(super) fn payment(data: &Value) -> Option<ObjectId> {
    let succeeded = || {
        let is_payment = text(data, &["successful_object"]) == Some("payment");
        text(data, &["successful_object_id"]).filter(|_| is_payment)
    };
    other_id(data, &["payment_id", "payment"]).or_else(succeeded).and_then(ObjectId::parse)
}

/// The customer an object belongs to.
pub(super) fn customer(data: &Value) -> Option<ObjectId> {
    other_id(data, &["customer_id", "customer"]).and_then(ObjectId::parse)
}

/// The currency of the object.
pub(super) fn currency(data: &Value) -> Result<Currency, Problem> {
    let code = text(data, &["currency"]).ok_or_else(|| field("currency"))?;
    Currency::parse(code)
        .ok_or_else(|| Problem::UnknownCurrency { code: code.chars().take(16).collect() })
}

/// Minor units within bounds at a path; `least` is 1 for what must be paid, 0 for what may be
/// nothing.
pub(super) fn minor(data: &Value, path: &str, least: i64) -> Option<i64> {
    at(data, path)?.as_i64().filter(|minor| (least..=AMOUNT_MAX).contains(minor))
}

/// The object's amount, which must be there.
pub(super) fn amount(data: &Value) -> Result<Money, Problem> {
    let currency = currency(data)?;
    minor(data, "amount", 1).map(|minor| Money::new(minor, currency)).ok_or_else(|| field("amount"))
}

/// The object's amount, where it names one that can be read.
pub(super) fn amount_if_told(data: &Value) -> Option<Money> {
    amount(data).ok()
}

/// A flag; absent is false.
pub(super) fn flag(data: &Value, path: &str) -> Result<bool, Problem> {
    at(data, path).map_or(Ok(false), |value| value.as_bool().ok_or_else(|| field(path)))
}

/// A moment, which must read where it stands.
pub(super) fn instant(data: &Value, path: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = at(data, path) else { return Ok(None) };
    let read = value.as_str().and_then(|text| text.parse().ok());
    read.map(Some).ok_or_else(|| field(path))
}

/// The first moment that reads, of an undocumented object.
pub(super) fn instant_if_told(data: &Value, paths: &[&str]) -> Option<Timestamp> {
    paths.iter().find_map(|path| at(data, path)?.as_str()?.parse().ok())
}

/// The object's status.
pub(super) fn status(data: &Value) -> Option<String> {
    text(data, &["status"]).map(|status| status.chars().take(32).collect())
}

/// Words of Ventipay's, cut and without control characters.
pub(super) fn words(data: &Value, paths: &[&str]) -> Option<String> {
    let text = text(data, paths)?.trim();
    let kept: String =
        text.chars().filter(|letter| !letter.is_control()).take(WHY_CHARS_MAX).collect();
    (!kept.is_empty()).then_some(kept)
}
