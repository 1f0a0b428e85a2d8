//! Oddities of what is told: bodies, modes, lateness, and what Ventipay says when it is asked.

use concilia_shared::webhook::body_hash;
use concilia_tests::ventipay::{Deliver, Pay};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{OUTLET, TIENDA, TOTAL, clp, order};
use crate::expect::Place;
use crate::world::{Account, Month, START};

pub(crate) fn live_in_test(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    let live = month.pay(OUTLET, clp(TOTAL), "external_id", key);
    month.arrives(TIENDA, &live.event);
    live.event
}

pub(crate) fn test_in_live(month: &mut Month, key: &str) -> String {
    order(month, OUTLET, key);
    let test = month.pay(TIENDA, clp(TOTAL), "external_id", key);
    month.arrives(OUTLET, &test.event);
    test.event
}

/// A body no event can be read from: its event is called after its hash.
fn body(month: &mut Month, account: Account, body: Vec<u8>) -> String {
    let event = format!("unread-{}", body_hash(&body));
    month.body_arrives(account, body, None);
    event
}

pub(crate) fn not_json(month: &mut Month, key: &str) -> String {
    body(month, TIENDA, format!("<event>{key}</event>").into_bytes())
}

pub(crate) fn not_utf8(month: &mut Month, key: &str) -> String {
    let mut bytes = format!("{{\"id\":\"evt_{key}\",\"note\":\"").into_bytes();
    bytes.extend([0xff, b'"', b'}']);
    body(month, OUTLET, bytes)
}

pub(crate) fn duplicate_key(month: &mut Month, key: &str) -> String {
    let text = format!(
        r#"{{"data":{{"amount":1,"amount":12000,"currency":"clp","external_id":"{key}","id":"chk_{key}"}},"id":"evt_{key}","live":false,"type":"checkout.paid"}}"#
    );
    body(month, TIENDA, text.into_bytes())
}

/// A body whose event can be read, and whose data cannot.
fn wrong(month: &mut Month, account: Account, key: &str, envelope: &Value) -> String {
    let mut envelope = envelope.clone();
    let event = format!("evt_{key}");
    envelope["id"] = json!(event);
    envelope["type"] = json!("checkout.paid");
    month.body_arrives(account, envelope.to_string().into_bytes(), None);
    event
}

pub(crate) fn amount_as_text(month: &mut Month, key: &str) -> String {
    let data = json!({"id": format!("chk_{key}"), "amount": "12000", "currency": "clp"});
    wrong(month, TIENDA, key, &json!({"data": data, "live": false}))
}

pub(crate) fn unknown_currency(month: &mut Month, key: &str) -> String {
    let data = json!({"id": format!("chk_{key}"), "amount": 12_000, "currency": "xau"});
    wrong(month, TIENDA, key, &json!({"data": data, "live": false}))
}

pub(crate) fn no_live(month: &mut Month, key: &str) -> String {
    let data = json!({"id": format!("chk_{key}"), "amount": 12_000, "currency": "clp"});
    wrong(month, OUTLET, key, &json!({"data": data}))
}

/// The first body counts; the second is kept beside it.
pub(crate) fn second_body(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    let (event, checkout) = booked(month, TIENDA, key);
    let mut second: Value = serde_json::from_slice(&month.ventipay.body(&event).unwrap()).unwrap();
    second["data"]["amount"] = json!(1);
    assert_eq!(second["data"]["id"], checkout.as_str());
    month.in_hours(5, move |month| {
        month.expected.conflicts += 1;
        month.body_arrives(TIENDA, second.to_string().into_bytes(), None);
    });
    event
}

/// A payment that is booked; the ids of its event and checkout.
fn booked(month: &mut Month, account: Account, key: &str) -> (String, String) {
    let paid = month.pay(account, clp(TOTAL), "external_id", key);
    month.expected.paid(account, clp(TOTAL), Place::Booked, Some(&paid.checkout));
    month.arrives(account, &paid.event);
    (paid.event, paid.checkout)
}

pub(crate) fn late_without_key(month: &mut Month, key: &str) -> String {
    order(month, OUTLET, key);
    let paid = month.pay(OUTLET, clp(TOTAL), "external_id", key);
    month.expected.paid(OUTLET, clp(TOTAL), Place::Parked, None);
    month.arrives_late(OUTLET, &paid.event, Some(4_000));
    paid.event
}

/// What Ventipay shows of a paid checkout from now on, without telling; then the payment is told.
fn shown(month: &mut Month, key: &str, fields: &Value, at: Place) -> String {
    order(month, TIENDA, key);
    let paid = month.pay(TIENDA, clp(TOTAL), "external_id", key);
    edit(month, &paid.checkout, fields);
    month.expected.paid(TIENDA, clp(TOTAL), at, None);
    month.arrives(TIENDA, &paid.event);
    paid.event
}

fn edit(month: &Month, checkout: &str, fields: &Value) {
    month.ventipay.edit(checkout, fields.as_object().unwrap_or(&Map::new())).unwrap();
}

pub(crate) fn contradicted(month: &mut Month, key: &str) -> String {
    shown(month, key, &json!({"amount": TOTAL - 1}), Place::Parked)
}

pub(crate) fn canceled_since(month: &mut Month, key: &str) -> String {
    shown(month, key, &json!({"status": "canceled"}), Place::Parked)
}

pub(crate) fn unpaid_since(month: &mut Month, key: &str) -> String {
    shown(month, key, &json!({"status": "unpaid"}), Place::Pending)
}

pub(crate) fn disputed_before(month: &mut Month, key: &str) -> String {
    shown(month, key, &json!({"disputed": true}), Place::Parked)
}

/// The second telling is a person's; the first stays booked.
pub(crate) fn told_otherwise(month: &mut Month, key: &str) -> String {
    order(month, OUTLET, key);
    let (event, _) = booked(month, OUTLET, key);
    let (kind, mut data) = month.told(&event);
    data["amount"] = json!(TOTAL + 1);
    emitted(month, OUTLET, &kind, &data, 24)
}

/// An event about anything, told so many hours from now; answers its id.
fn emitted(month: &mut Month, account: Account, kind: &str, data: &Value, hours: i64) -> String {
    let event = month.ventipay.emit(kind, account.is_live(), data, &Deliver::Nowhere).unwrap();
    let told = event.clone();
    month.in_hours(hours, move |month| month.arrives(account, &told));
    event
}

pub(crate) fn unknown_checkout(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    month.expected.paid(TIENDA, clp(TOTAL), Place::Parked, None);
    let data = json!({
        "id": format!("chk_{key}"), "object": "checkout", "status": "paid", "amount": TOTAL,
        "currency": "clp", "external_id": key, "refunded": false, "disputed": false,
    });
    emitted(month, TIENDA, "checkout.paid", &data, 0)
}

/// A checkout that was paid before the account begins.
fn before(month: &mut Month, key: &str) -> concilia_tests::ventipay::Paid {
    order(month, TIENDA, key);
    let mut pay = Pay::clp(TOTAL).untold().with("external_id", key);
    let start: jiff::Timestamp = START.parse().unwrap();
    pay.paid_at = Some(start - SignedDuration::from_hours(30));
    month.ventipay.pay(&pay).unwrap()
}

pub(crate) fn before_book_from(month: &mut Month, key: &str) -> String {
    let paid = before(month, key);
    month.arrives(TIENDA, &paid.event);
    paid.event
}

/// Its payment is told, and recorded as the one above.
pub(crate) fn refund_before_book_from(month: &mut Month, key: &str) -> String {
    let paid = before(month, key);
    month.arrives(TIENDA, &paid.event);
    let refund = month.ventipay.refund(&paid.checkout, None, &Deliver::Nowhere).unwrap();
    let event = refund.events.last().unwrap().clone();
    let told = event.clone();
    month.in_hours(20, move |month| month.arrives(TIENDA, &told));
    event
}

/// A refund of a booked payment of the outlet, whose body says what `fields` say.
fn refund_told(month: &mut Month, key: &str, fields: &Value) -> String {
    order(month, OUTLET, key);
    let (event, _) = booked(month, OUTLET, key);
    let (_, mut data) = month.told(&event);
    let refund = data.as_object_mut().unwrap();
    refund.remove("refunded_amount");
    refund.remove("available_for_refund");
    refund.insert("refunded".to_owned(), json!(true));
    refund.extend(fields.as_object().cloned().unwrap_or_default());
    emitted(month, OUTLET, "checkout.refunded", &data, 26)
}

pub(crate) fn refund_above(month: &mut Month, key: &str) -> String {
    month.expected.went_back(OUTLET, clp(TOTAL + 1), Place::Parked, None);
    refund_told(month, key, &json!({"refunded_amount": TOTAL + 1}))
}

pub(crate) fn refund_unclear(month: &mut Month, key: &str) -> String {
    refund_told(month, key, &json!({}))
}

pub(crate) fn refund_of_untold(month: &mut Month, key: &str) -> String {
    let paid = month.pay(OUTLET, clp(TOTAL), "external_id", key);
    let refund = month.ventipay.refund(&paid.checkout, Some(500), &Deliver::Nowhere).unwrap();
    month.expected.went_back(OUTLET, clp(500), Place::Pending, None);
    let event = refund.events.last().unwrap().clone();
    month.arrives(OUTLET, &event);
    event
}

pub(crate) fn refund_not_shown(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    let (event, _) = booked(month, TIENDA, key);
    let (_, mut data) = month.told(&event);
    data["refunded"] = json!(true);
    data["refunded_amount"] = json!(700);
    month.expected.went_back(TIENDA, clp(700), Place::Parked, None);
    emitted(month, TIENDA, "checkout.refunded", &data, 26)
}

/// Told canceled after it was booked.
fn canceled_of(month: &mut Month, account: Account, key: &str) -> String {
    order(month, account, key);
    let (event, _) = booked(month, account, key);
    let (_, mut data) = month.told(&event);
    data["status"] = json!("canceled");
    emitted(month, account, "checkout.canceled", &data, 26)
}

pub(crate) fn canceled_after(month: &mut Month, key: &str) -> String {
    canceled_of(month, OUTLET, key)
}

/// Its payment is told later: nothing contradicts what Ventipay says.
pub(crate) fn canceled_but_paid(month: &mut Month, key: &str) -> String {
    let paid = month.pay(TIENDA, clp(TOTAL), "external_id", key);
    let (_, mut data) = month.told(&paid.event);
    data["status"] = json!("canceled");
    let event = emitted(month, TIENDA, "checkout.canceled", &data, 0);
    month.expected.paid(TIENDA, clp(TOTAL), Place::Booked, Some(&paid.checkout));
    let key = key.to_owned();
    month.in_hours(30, move |month| {
        order(month, TIENDA, &key);
        month.arrives(TIENDA, &paid.event);
    });
    event
}
