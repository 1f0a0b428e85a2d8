//! A checkout and its life: unpaid, then paid or canceled, then perhaps refunded
//! (`ventipay-api.md` 5.2, 6.1 to 6.4). Pure: ids and times are parameters.
//!
//! A checkout is kept as JSON, as the API shows it, so that a test can make it say anything.
//! Not here: the events these steps cause ([`super::world`]).

use serde_json::{Map, Value, json};

use super::error::ApiError;

/// The currencies of the official tables (`ventipay-api.md` section 7).
const CURRENCIES: [&str; 4] = ["clp", "clf", "usd", "eur"];

/// What a merchant sends that comes back as it was sent.
const ECHOED: [(&str, Option<&str>); 11] = [
    ("cancel_url", None),
    ("cancel_url_method", Some("post")),
    ("customer_id", None),
    ("description", None),
    ("expires_at", None),
    ("external_id", None),
    ("items", None),
    ("notification_events", None),
    ("notification_url", None),
    ("success_url", None),
    ("success_url_method", Some("post")),
];

/// Who and when: what a new object is born with.
#[derive(Debug, Clone, Copy)]
pub struct Birth<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its mode.
    pub live: bool,
    /// ISO 8601 UTC.
    pub at: &'a str,
}

/// A new, unpaid checkout of what `POST /checkouts` was sent. `host` is the simulator's
/// address, for the payment page's `url`.
pub fn create(
    request: &Map<String, Value>,
    birth: Birth<'_>,
    host: &str,
) -> Result<Value, ApiError> {
    let currency = currency(request)?;
    let amount = amount(request)?;
    let mut checkout = json!({
        "id": birth.id, "object": "checkout", "status": "unpaid", "live": birth.live,
        "amount": amount, "original_amount": amount, "currency": currency,
        "available_for_refund": 0, "refunded": false, "refunded_amount": 0, "disputed": false,
        "discount": 0, "fee": null,
        "paid_at": null, "canceled_at": null,
        "payment_id": null, "successful_object": null, "successful_object_id": null,
        "authorize": request.get("authorize").and_then(Value::as_bool).unwrap_or(false),
        "metadata": request.get("metadata").cloned().unwrap_or_else(|| json!({})),
        "url": format!("http://{host}/pay/{}", birth.id),
        "created_at": birth.at, "updated_at": birth.at,
    });
    for (key, default) in ECHOED {
        let sent = request.get(key).filter(|value| !value.is_null());
        checkout[key] = sent.cloned().unwrap_or_else(|| json!(default));
    }
    Ok(checkout)
}

/// The buyer pays; `payment` is the id of the payment.
pub fn pay(checkout: &mut Value, payment: &str, paid_at: &str, at: &str) -> Result<(), ApiError> {
    require_status(checkout, "unpaid")?;
    let amount = checkout["amount"].clone();
    merge(
        checkout,
        json!({
            "status": "paid", "paid_at": paid_at, "updated_at": at,
            "available_for_refund": amount, "payment_id": payment,
            "successful_object": "payment", "successful_object_id": payment,
        }),
    );
    Ok(())
}

/// The merchant cancels an unpaid checkout.
pub fn cancel(checkout: &mut Value, at: &str) -> Result<(), ApiError> {
    require_status(checkout, "unpaid")?;
    merge(checkout, json!({"status": "canceled", "canceled_at": at, "updated_at": at}));
    Ok(())
}

/// What a refund request asks for: `amount`, or all that is left, `under_way` being what other
/// refunds have taken already. Nothing is changed.
pub fn refundable(
    checkout: &Value,
    under_way: i64,
    request: &Map<String, Value>,
) -> Result<i64, ApiError> {
    require_status(checkout, "paid")?;
    let available = checkout["available_for_refund"].as_i64().unwrap_or(0) - under_way;
    let amount = match request.get("amount").filter(|value| !value.is_null()) {
        None => available,
        Some(value) => {
            value.as_i64().ok_or_else(|| ApiError::invalid("amount must be an integer"))?
        }
    };
    if amount <= 0 || amount > available {
        return Err(ApiError::invalid("amount must be from 1 to available_for_refund"));
    }
    Ok(amount)
}

/// A refund went through, wholly or in part. The checkout stays `paid`.
pub fn refunded(checkout: &mut Value, amount: i64, at: &str) {
    let before = |key: &str| checkout[key].as_i64().unwrap_or(0);
    let (sum, left) = (before("refunded_amount") + amount, before("available_for_refund") - amount);
    merge(
        checkout,
        json!({
            "refunded": true, "refunded_amount": sum, "available_for_refund": left,
            "updated_at": at,
        }),
    );
}

/// Overwrites fields.
pub fn merge(checkout: &mut Value, fields: Value) {
    if let (Some(checkout), Value::Object(fields)) = (checkout.as_object_mut(), fields) {
        checkout.extend(fields);
    }
}

fn require_status(checkout: &Value, status: &str) -> Result<(), ApiError> {
    if checkout["status"] == status {
        Ok(())
    } else {
        Err(ApiError::invalid(format!("the checkout is not {status}")))
    }
}

/// The currency of a request, lower case.
pub(super) fn currency(request: &Map<String, Value>) -> Result<String, ApiError> {
    let sent = request.get("currency").and_then(Value::as_str).unwrap_or("");
    CURRENCIES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(sent))
        .map(str::to_owned)
        .ok_or_else(|| ApiError::invalid("currency is missing or not supported"))
}

/// Computed from the items; a bare `amount` is taken where there are none.
fn amount(request: &Map<String, Value>) -> Result<i64, ApiError> {
    let positive = |value: Option<&Value>| value.and_then(Value::as_i64).filter(|n| *n > 0);
    let total = match request.get("items").and_then(Value::as_array) {
        Some(items) if !items.is_empty() => items.iter().try_fold(0_i64, |sum, item| {
            let line =
                positive(item.get("unit_price"))?.checked_mul(positive(item.get("quantity"))?)?;
            sum.checked_add(line)
        }),
        _ => positive(request.get("amount")),
    };
    total.ok_or_else(|| ApiError::invalid("items need a positive integer unit_price and quantity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIRTH: Birth<'_> = Birth { id: "chk_1", live: false, at: "2026-01-05T12:00:00.000Z" };

    fn created(request: &Value) -> Result<Value, ApiError> {
        create(request.as_object().unwrap(), BIRTH, "host")
    }

    fn paid() -> Value {
        let mut checkout = created(&json!({"currency": "CLP", "amount": 1000})).unwrap();
        pay(&mut checkout, "pay_1", BIRTH.at, BIRTH.at).unwrap();
        checkout
    }

    #[test]
    fn the_amount_is_computed_from_the_items() {
        let items = json!([{"unit_price": 500, "quantity": 2}, {"unit_price": 1, "quantity": 1}]);
        let checkout = created(&json!({"currency": "CLP", "amount": 7, "items": items})).unwrap();
        assert_eq!((&checkout["amount"], &checkout["currency"]), (&json!(1001), &json!("clp")));
        assert_eq!(checkout["cancel_url_method"], "post");
        for bad in [
            json!({"amount": 1}),
            json!({"amount": 1, "currency": "ars"}),
            json!({"currency": "clp"}),
            json!({"currency": "clp", "amount": 1.5}),
            json!({"currency": "clp", "items": [{"unit_price": 1}]}),
            json!({"currency": "clp", "items": [{"unit_price": i64::MAX, "quantity": 2}]}),
        ] {
            assert!(created(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refunds_add_up_and_the_status_stays_paid() {
        let mut checkout = paid();
        let ask = |checkout: &Value, under_way, request: Value| {
            refundable(checkout, under_way, request.as_object().unwrap())
        };
        assert_eq!(ask(&checkout, 0, json!({"amount": 400})), Ok(400));
        refunded(&mut checkout, 400, "later");
        assert_eq!(ask(&checkout, 0, json!({})), Ok(600), "all that is left");
        assert_eq!(ask(&checkout, 250, json!({})), Ok(350), "what is under way is taken");
        for (under_way, amount) in [(0, 601), (0, 0), (0, -1), (600, 1)] {
            assert!(ask(&checkout, under_way, json!({"amount": amount})).is_err());
        }
        assert!(ask(&checkout, 0, json!({"amount": "1"})).is_err());
        refunded(&mut checkout, 600, "later");
        assert_eq!((&checkout["status"], &checkout["refunded"]), (&json!("paid"), &json!(true)));
        assert_eq!(checkout["refunded_amount"], 1000);
        assert_eq!(checkout["available_for_refund"], 0);
        assert!(ask(&checkout, 0, json!({})).is_err());
    }

    #[test]
    fn a_checkout_is_paid_or_canceled_once() {
        let mut checkout = paid();
        assert!(pay(&mut checkout, "pay_2", BIRTH.at, BIRTH.at).is_err());
        assert!(cancel(&mut checkout, BIRTH.at).is_err());
        let mut unpaid = created(&json!({"currency": "clp", "amount": 1})).unwrap();
        assert!(refundable(&unpaid, 0, &Map::new()).is_err());
        cancel(&mut unpaid, BIRTH.at).unwrap();
        assert_eq!(unpaid["status"], "canceled");
        assert!(pay(&mut unpaid, "pay_1", BIRTH.at, BIRTH.at).is_err());
    }
}
