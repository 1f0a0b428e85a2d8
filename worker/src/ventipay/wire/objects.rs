//! Disputes, subscriptions, invoices and payments as Ventipay's API answers them
//! (`ventipay-api.md` 5.3, 5.5, 5.6, 5.9), read into the domain's values. Pure.
//!
//! Only what everything hangs on must read: the id that was asked for, the status, and the
//! amount of an invoice, because it is booked. The fields of disputes and invoices are not
//! documented, so the rest is taken where it stands under a name that is likely, and is
//! absent otherwise. Decided here, once: an object names another by `<what>_id` or holds it
//! whole; a dispute's deadline may have any of the names `DEADLINES`.

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{present, related, status, text, whole};
use crate::domain::observe::{DisputeNow, InvoiceNow, PaymentNow, Shown, SubscriptionNow};

/// Where the day until which evidence is taken may stand, the likeliest first.
const DEADLINES: [&str; 5] =
    ["evidence_due_by", "evidence_due_at", "response_due_at", "due_by", "due_at"];

/// Longest id asked for or believed, in bytes; as that of a checkout.
const ID_BYTES_MAX: usize = 128;

/// Longest word or reference kept, in characters.
const WORD_CHARS_MAX: usize = 200;

/// Whether an id can stand in an address, and in a name inside Odoo, as it is.
pub fn is_plain_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain)
}

/// The answer is not what was asked for; `path` is where it shows.
pub fn not_shown<T>(path: &str) -> Shown<T> {
    Shown::Unreadable { path: path.to_owned() }
}

/// Reads the answer to `GET /disputes/{asked}`.
pub fn read_dispute(asked: &str, answer: &Value) -> Shown<DisputeNow> {
    shown(asked, "dispute", answer, |fields| {
        Ok(DisputeNow {
            status: status(fields)?.to_owned(),
            amount: amount(fields),
            reason: word(fields, "reason"),
            deadline: DEADLINES.iter().find_map(|key| time(fields, key)),
            checkout: checkout(fields),
            payment_id: related(fields, "payment"),
            charge_id: related(fields, "charge"),
            customer_id: related(fields, "customer"),
        })
    })
}

/// Reads the answer to `GET /subscriptions/{asked}`.
pub fn read_subscription(asked: &str, answer: &Value) -> Shown<SubscriptionNow> {
    shown(asked, "subscription", answer, |fields| {
        Ok(SubscriptionNow {
            status: status(fields)?.to_owned(),
            reason: word(fields, "status_reason"),
            amount: amount(fields),
            customer_id: related(fields, "customer"),
            period_start: time(fields, "current_period_starts_at"),
            period_end: time(fields, "current_period_ends_at"),
            canceled_at: time(fields, "canceled_at"),
        })
    })
}

/// Reads the answer to `GET /invoices/{asked}`.
pub fn read_invoice(asked: &str, answer: &Value) -> Shown<InvoiceNow> {
    shown(asked, "invoice", answer, |fields| {
        let amount = match whole(fields, "amount")? {
            None => None,
            Some(minor) => {
                let currency =
                    text(fields, "currency")?.and_then(Currency::parse).ok_or("currency")?;
                Some(Money::new(minor, currency))
            }
        };
        Ok(InvoiceNow {
            status: status(fields)?.to_owned(),
            amount,
            subscription_id: related(fields, "subscription"),
            customer_id: related(fields, "customer"),
            checkout: checkout(fields),
            payment_id: related(fields, "payment"),
            charge_id: related(fields, "charge"),
            external_id: external_id(fields),
            paid_at: time(fields, "paid_at"),
        })
    })
}

/// Reads the answer to `GET /payments/{asked}`.
pub fn read_payment(asked: &str, answer: &Value) -> Shown<PaymentNow> {
    shown(asked, "payment", answer, |fields| {
        Ok(PaymentNow {
            status: status(fields)?.to_owned(),
            amount: amount(fields),
            checkout: checkout(fields),
            customer_id: related(fields, "customer"),
        })
    })
}

/// An answer about what was asked for, read with `read`.
pub(super) fn shown<T>(
    asked: &str,
    kind: &str,
    answer: &Value,
    read: impl FnOnce(&Map<String, Value>) -> Result<T, &'static str>,
) -> Shown<T> {
    let Some(fields) = answer.as_object() else { return not_shown("$") };
    // Another object's answer (a cache, a proxy) must never vouch for this one.
    if fields.get("id").and_then(Value::as_str) != Some(asked) {
        return not_shown("id");
    }
    if present(fields, "object").is_some_and(|object| *object != kind) {
        return not_shown("object");
    }
    read(fields).map_or_else(not_shown, Shown::Now)
}

/// An amount that is only shown, never booked. Its sign tells a direction that goes without
/// saying, as that of a refund does (`ventipay-api.md` 5.4).
fn amount(fields: &Map<String, Value>) -> Option<Money> {
    let minor = present(fields, "amount")?.as_i64()?.checked_abs()?;
    let currency = present(fields, "currency")?.as_str().and_then(Currency::parse)?;
    Some(Money::new(minor, currency))
}

fn checkout(fields: &Map<String, Value>) -> Option<CheckoutId> {
    CheckoutId::parse(related(fields, "checkout")?).ok()
}

fn time(fields: &Map<String, Value>, key: &str) -> Option<Timestamp> {
    present(fields, key)?.as_str()?.parse().ok()
}

/// A text that fits on a line.
pub(super) fn word(fields: &Map<String, Value>, key: &str) -> Option<String> {
    let text = present(fields, key)?.as_str()?.trim();
    let fits = !text.is_empty()
        && text.chars().count() <= WORD_CHARS_MAX
        && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// A shop may send a number (`ventipay-api.md` section 2, default 17).
fn external_id(fields: &Map<String, Value>) -> Option<String> {
    match present(fields, "external_id")? {
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => word(fields, "external_id"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clp(minor: i64) -> Money {
        Money::new(minor, Currency::Clp)
    }

    #[test]
    fn a_dispute_reads_in_full() {
        let answer = json!({
            "id": "dsp_1", "object": "dispute", "status": "needs_response", "live": false,
            "amount": -15990, "currency": "clp", "reason": "fraudulent", "checkout_id": "chk_1",
            "evidence_due_by": "2026-12-01T03:00:00.000Z", "payment": {"id": "pay_1"},
            "charge_id": "ch_1", "customer_id": "cus_1",
        });
        let now = DisputeNow {
            status: "needs_response".to_owned(),
            amount: Some(clp(15_990)),
            reason: Some("fraudulent".to_owned()),
            deadline: Some(at("2026-12-01T03:00:00Z")),
            checkout: CheckoutId::parse("chk_1").ok(),
            payment_id: Some("pay_1".to_owned()),
            charge_id: Some("ch_1".to_owned()),
            customer_id: Some("cus_1".to_owned()),
        };
        assert_eq!(read_dispute("dsp_1", &answer), Shown::Now(now));
    }

    #[test]
    fn what_a_dispute_says_elsewhere_or_not_at_all_keeps_nothing_from_being_read() {
        let mut answer = json!({"id": "dsp_1", "status": "lost"});
        for (key, value) in [
            ("amount", json!("15990")),
            ("currency", json!("xyz")),
            ("reason", json!({"code": 1})),
            ("due_by", json!("soon")),
            ("checkout_id", json!("pay_1")),
            ("payment", json!([1])),
        ] {
            answer[key] = value;
        }
        let Shown::Now(now) = read_dispute("dsp_1", &answer) else { panic!("it reads") };
        let bare = DisputeNow {
            status: "lost".to_owned(),
            amount: None,
            reason: None,
            deadline: None,
            checkout: None,
            payment_id: None,
            charge_id: None,
            customer_id: None,
        };
        assert_eq!(now, bare);
        for key in DEADLINES {
            let answer = json!({"id": "d", "status": "lost", key: "2026-12-01T00:00:00Z"});
            let Shown::Now(now) = read_dispute("d", &answer) else { panic!("it reads") };
            assert_eq!(now.deadline, Some(at("2026-12-01T00:00:00Z")), "{key}");
        }
    }

    #[test]
    fn a_subscription_reads_in_full() {
        let answer = json!({
            "id": "sub_1", "object": "subscription", "status": "canceled", "amount": 25000,
            "currency": "CLF", "customer": {"id": "cus_1", "email": "a@b.cl"},
            "status_reason": "canceled_by_merchant", "canceled_at": "2026-02-01T00:00:00Z",
            "current_period_starts_at": "2026-01-05T00:00:00.000Z",
            "current_period_ends_at": "2026-02-05T00:00:00.000Z",
        });
        let now = SubscriptionNow {
            status: "canceled".to_owned(),
            reason: Some("canceled_by_merchant".to_owned()),
            amount: Some(Money::new(25_000, Currency::Clf)),
            customer_id: Some("cus_1".to_owned()),
            period_start: Some(at("2026-01-05T00:00:00Z")),
            period_end: Some(at("2026-02-05T00:00:00Z")),
            canceled_at: Some(at("2026-02-01T00:00:00Z")),
        };
        assert_eq!(read_subscription("sub_1", &answer), Shown::Now(now));
    }

    #[test]
    fn a_payment_reads_in_full() {
        let answer = json!({
            "id": "pay_1", "object": "payment", "status": "succeeded", "amount": 15990,
            "currency": "clp", "checkout": {"id": "chk_1"}, "customer_id": "cus_1",
        });
        let now = PaymentNow {
            status: "succeeded".to_owned(),
            amount: Some(clp(15_990)),
            checkout: CheckoutId::parse("chk_1").ok(),
            customer_id: Some("cus_1".to_owned()),
        };
        assert_eq!(read_payment("pay_1", &answer), Shown::Now(now));
    }

    fn invoice() -> Value {
        json!({
            "id": "inv_1", "object": "invoice", "status": "paid", "amount": 15990,
            "currency": "clp", "subscription_id": "sub_1", "customer_id": "cus_1",
            "checkout_id": null, "payment_id": "pay_1", "charge_id": "ch_1", "external_id": 77,
            "paid_at": "2026-01-05T12:00:02.000Z",
        })
    }

    #[test]
    fn an_invoice_reads_in_full() {
        let now = InvoiceNow {
            status: "paid".to_owned(),
            amount: Some(clp(15_990)),
            subscription_id: Some("sub_1".to_owned()),
            customer_id: Some("cus_1".to_owned()),
            checkout: None,
            payment_id: Some("pay_1".to_owned()),
            charge_id: Some("ch_1".to_owned()),
            external_id: Some("77".to_owned()),
            paid_at: Some(at("2026-01-05T12:00:02Z")),
        };
        assert_eq!(read_invoice("inv_1", &invoice()), Shown::Now(now));
    }

    #[test]
    fn an_invoices_amount_is_never_guessed() {
        for (key, value, path) in [
            ("amount", json!("15990"), "amount"),
            ("amount", json!(15_990.0), "amount"),
            ("amount", json!(-1), "amount"),
            ("currency", json!(null), "currency"),
            ("currency", json!("xyz"), "currency"),
        ] {
            let mut answer = invoice();
            answer[key] = value.clone();
            assert_eq!(read_invoice("inv_1", &answer), not_shown(path), "{key}: {value}");
        }
        let mut answer = invoice();
        answer["amount"] = json!(null);
        let Shown::Now(now) = read_invoice("inv_1", &answer) else { panic!("it reads") };
        assert_eq!(now.amount, None);
    }

    #[test]
    fn an_answer_about_something_else_vouches_for_nothing() {
        let answer = json!({"id": "x_1", "object": "refund", "status": "lost"});
        assert_eq!(read_dispute("x_1", &answer), not_shown("object"));
        assert_eq!(read_subscription("x_2", &answer), not_shown("id"));
        assert_eq!(read_invoice("x_1", &json!({"id": "x_1"})), not_shown("status"));
        assert_eq!(read_invoice("x_1", &json!([])), not_shown("$"));
    }

    #[test]
    fn a_plain_id_holds_nothing_that_an_address_would_read() {
        assert!(is_plain_id("dsp_a-B9") && is_plain_id(&"a".repeat(128)));
        for id in ["", ".", "..", "a/b", "a b", "a?", "ñ", &"a".repeat(129)] {
            assert!(!is_plain_id(id), "{id}");
        }
    }
}
