//! A subscription (`ventipay-api.md` 5.5) and its periods.
//!
//! Decided here: it is born `incomplete`; `activated` is also the renewal (4.5); `unpaid` and
//! `canceled` are final. A month is a calendar month in UTC.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};

use super::{Kind, Set, Step};
use crate::ventipay::error::ApiError;
use crate::ventipay::objects::money;

/// Subscriptions.
pub const KIND: Kind = Kind {
    name: "subscription",
    path: "subscriptions",
    shown: true,
    prefix: "sub_",
    born: Some("incomplete"),
    told: true,
    fields,
    steps: &[
        Step { event: "trialing", from: &["incomplete"], to: "trialing", sets: &[] },
        Step {
            event: "activated",
            from: &["incomplete", "trialing", "active", "past_due", "suspended"],
            to: "active",
            sets: &[],
        },
        Step { event: "past_due", from: &["trialing", "active"], to: "past_due", sets: &[] },
        Step {
            event: "suspended",
            from: &["trialing", "active", "past_due"],
            to: "suspended",
            sets: &[],
        },
        Step { event: "unpaid", from: &["past_due"], to: "unpaid", sets: &[] },
        Step {
            event: "canceled",
            from: &["incomplete", "trialing", "active", "past_due", "suspended"],
            to: "canceled",
            sets: &[("canceled_at", Set::Time)],
        },
    ],
};

/// The intervals seen, in months.
const INTERVALS: [(&str, i64); 3] = [("1month", 1), ("3months", 3), ("6months", 6)];

fn fields(sent: &Map<String, Value>) -> Result<Value, ApiError> {
    let (amount, currency) = money(sent)?;
    Ok(json!({
        "amount": amount, "currency": currency, "billing_cycle_anchor": "now",
        "cancel_at": null, "cancel_url": null, "cancel_url_method": "post",
        "canceled_at": null, "collection_method": "automatic", "custom_fields": [],
        "customer_id": null, "current_period_starts_at": null, "current_period_ends_at": null,
        "interval": "1month", "products": [{"name": "Plan", "price": amount}],
        "status_reason": null, "trial_starts_at": null, "trial_ends_at": null,
    }))
}

/// The period that follows: from the end of the present one, or from `now` if there is none.
pub fn next_period(
    subscription: &Value,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), ApiError> {
    let ends = subscription["current_period_ends_at"].as_str();
    let start = ends.and_then(|ends| ends.parse().ok()).unwrap_or(now);
    let interval = INTERVALS.iter().find(|(name, _)| subscription["interval"] == *name);
    let (_, months) = interval.ok_or_else(|| ApiError::invalid("interval is not known"))?;
    let end = start.to_zoned(TimeZone::UTC).checked_add(Span::new().months(*months));
    let end = end.map_err(|_| ApiError::invalid("the period ends beyond all time"))?;
    Ok((start, end.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_follows_the_one_before_by_calendar_months() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-01-31T12:00:00Z");
        let mut subscription = json!({"interval": "1month"});
        let first = next_period(&subscription, now).unwrap();
        assert_eq!(first, (now, at("2026-02-28T12:00:00Z")));
        subscription["current_period_ends_at"] = json!("2026-02-28T12:00:00.000Z");
        subscription["interval"] = json!("3months");
        let second = next_period(&subscription, now).unwrap();
        assert_eq!(second, (at("2026-02-28T12:00:00Z"), at("2026-05-28T12:00:00Z")));
        subscription["interval"] = json!("1day");
        assert!(next_period(&subscription, now).is_err());
    }
}
