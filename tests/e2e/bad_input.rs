//! What strangers and broken senders send, over the whole way: each header its documented
//! answer, each signed body its documented place in the log; the processes stay well, and a
//! good payment is booked afterwards.

use concilia_shared::webhook::{BODY_BYTES_MAX, body_hash};
use concilia_tests::harness::http::{MARKER, event, signed, signed_by};
use concilia_tests::harness::system::{Options, System};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    bad_input_gets_its_documented_answer_and_harms_nothing
);

async fn bad_input_gets_its_documented_answer_and_harms_nothing(options: Options) {
    let mut system = System::start(options).await;
    bad_headers(&system).await;
    bad_sizes(&system).await;
    a_client_that_dawdles(&system).await;
    let expected = bodies();
    for (name, body, ..) in &expected {
        let answer = system.deliver(None, body.clone()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    let rows = system.all_rest(expected.len() + 1).await;
    for (name, body, id, status, reason) in &expected {
        let id = id.map_or_else(|| format!("unread-{}", body_hash(body)), str::to_owned);
        let row = rows.iter().find(|row| row.event_id == id);
        let row = row.unwrap_or_else(|| panic!("{name}: {id} is not listed"));
        assert_eq!(row.rest(), (*status, Some(*reason)), "{name}");
    }
    odd_bodies_that_are_good(&system).await;
    system.is_ready().await;
    system.finish().await;
}

/// Each signature header with its answer; nothing of them comes into the log.
async fn bad_headers(system: &System) {
    let body = event("evt_header", "checkout.created", json!({"id": "chk_header"}));
    let valid = signed(&body, 0);
    let (t, v1) = valid.split_once(",v1=").unwrap();
    let garbled = [
        String::new(),
        "nonsense".to_owned(),
        t.to_owned(),
        format!("v1={v1}"),
        format!("{t}x,v1={v1}"),
        format!("t=-1,v1={v1}"),
        format!("t=99999999999999999999,v1={v1}"),
        format!("{t},{t},v1={v1}"),
        format!("{t},v1="),
        format!("{t},v1={}", &v1[1..]),
        format!("{t},v1={}", v1.to_uppercase()),
        format!("{t};v1={v1}"),
        format!("{t},v0={v1}"),
        format!("{t}{}", format!(",v1={v1}").repeat(5)),
    ];
    let mut cases: Vec<(Vec<&str>, u16)> = vec![(vec![], 400), (vec![&valid, &valid], 400)];
    cases.extend(garbled.iter().map(|header| (vec![header.as_str()], 400)));
    let wrong_secret = signed_by("whs_wrong", &body, 0);
    let wrong_in_future = signed_by("whs_wrong", &body, -86_400);
    let of_another_body = signed(b"another", 0);
    for header in [&wrong_secret, &wrong_in_future, &of_another_body] {
        cases.push((vec![header], 401));
    }
    for (headers, status) in cases {
        let answer = system.post(None, &headers, body.clone()).await.unwrap();
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
    assert!(system.events().await.is_empty());
}

async fn bad_sizes(system: &System) {
    let largest = vec![b'x'; BODY_BYTES_MAX];
    system.received(None, largest).await;
    let too_large = vec![b'x'; BODY_BYTES_MAX + 1];
    // The connection may be closed before all of it was sent.
    let answer = system.post(None, &[&signed(&too_large, 0)], too_large).await;
    assert!(answer.is_none_or(|answer| answer.status == 413));
    let rows = system.parked_unread(1).await;
    assert_eq!(rows[0].reason.as_deref(), Some("unreadable"));
}

/// Half a request, and then nothing: 408, and the connection is closed.
async fn a_client_that_dawdles(system: &System) {
    let address = system.ingress.public_url.as_deref().unwrap().trim_start_matches("http://");
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let half = format!(
        "POST /ventipay/webhook HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\n{{"
    );
    client.write_all(half.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// Name, body, the event id it is listed under (or its hash), status, reason.
type Case = (&'static str, Vec<u8>, Option<&'static str>, &'static str, &'static str);

/// Signed bodies that do not read, or ask for nothing.
fn bodies() -> Vec<Case> {
    let unread = |name, body: &[u8]| (name, body.to_vec(), None, "parked", "unreadable");
    let mut cases = vec![
        unread("empty", b""),
        unread("not JSON", b"amount=1000"),
        unread("not UTF-8", b"{\"id\":\"evt_1\",\"type\":\"checkout.paid\xff\"}"),
        unread("cut off", b"{\"id\":\"evt_1\""),
        unread("no object", b"[]"),
        unread("a depth bomb", &b"[".repeat(100_000)),
        unread("a deep value", &[b"{\"x\":".repeat(200), b"1".to_vec(), b"}".repeat(200)].concat()),
        unread("an id twice", br#"{"id":"evt_1","id":"evt_2","type":"checkout.paid","data":{}}"#),
        unread("a number beyond all", br#"{"id":"evt_1","type":"x.y","data":{"n":1e999}}"#),
        unread("no id", br#"{"type":"checkout.paid","live":false,"data":{}}"#),
        unread("a NUL in the id", br#"{"id":"evt_\u0000","type":"checkout.paid","data":{}}"#),
        unread("an id of the worker's making", br#"{"id":"unread-1","type":"x.y","data":{}}"#),
        unread("a number for an id", br#"{"id":7,"type":"checkout.paid","data":{}}"#),
        unread("too long an id", format!(r#"{{"id":"evt_{}"}}"#, "x".repeat(1_000)).as_bytes()),
        (
            "an amount twice",
            br#"{"id":"evt_twice","live":false,"type":"checkout.paid","data":{"id":"chk_1","amount":1,"amount":2,"currency":"clp"}}"#.to_vec(),
            None,
            "parked",
            "unreadable",
        ),
        named("no type", "evt_no_type", json!({"data": {}}), "parked", "unreadable"),
        named(
            "an unknown type",
            "evt_unknown",
            json!({"type": "quite.new", "data": {"note": "\u{0}"}}),
            "recorded",
            "nothing_to_do",
        ),
        named(
            "a type that could be a wildcard",
            "evt_wildcard",
            json!({"type": "checkout.>", "data": {}}),
            "recorded",
            "nothing_to_do",
        ),
        named(
            "a type with a NUL",
            "evt_nul",
            json!({"type": "checkout.paid\u{0}", "data": {}}),
            "recorded",
            "nothing_to_do",
        ),
    ];
    let paid = json!({"id": "chk_bad", "amount": 1_000, "currency": "clp"});
    for (name, id, field, value) in [
        ("an unknown currency", "evt_currency", "currency", json!("XYZ")),
        ("no currency", "evt_no_currency", "currency", Value::Null),
        ("a negative amount", "evt_negative", "amount", json!(-1)),
        ("nothing", "evt_zero", "amount", json!(0)),
        ("a fraction of a peso", "evt_fraction", "amount", json!(1_000.5)),
        ("an amount in words", "evt_words", "amount", json!("1000")),
        ("more than 64 bits", "evt_huge", "amount", json!(u64::MAX)),
        ("no checkout", "evt_no_checkout", "id", Value::Null),
        ("a checkout with a quote", "evt_quote", "id", json!("chk_'; drop")),
        ("a checkout with a NUL", "evt_checkout_nul", "id", json!("chk_\u{0}")),
        ("a day that is none", "evt_day", "paid_at", json!("2026-02-30T00:00:00Z")),
    ] {
        let mut data = paid.clone();
        data[field] = value;
        let body = json!({"type": "checkout.paid", "live": false, "data": data});
        cases.push(named(name, id, body, "parked", "unreadable"));
    }
    let no_mode = json!({"type": "checkout.paid", "data": paid});
    cases.push(named("neither test nor live", "evt_no_mode", no_mode, "parked", "unreadable"));
    cases
}

fn named(
    name: &'static str,
    id: &'static str,
    mut body: Value,
    status: &'static str,
    reason: &'static str,
) -> Case {
    body["id"] = json!(id);
    body["note"] = json!(MARKER);
    (name, body.to_string().into_bytes(), Some(id), status, reason)
}

/// Odd, but genuine and readable: booked.
async fn odd_bodies_that_are_good(system: &System) {
    for (number, odd) in
        ["\u{0}", "ñandú 🦤 \u{202e}", "'; drop table events; --"].into_iter().enumerate()
    {
        let order = system.shop.order(15_990, "name", &format!("ODD-{number}"));
        let payment = system.pay(15_990, &order.key);
        let mut body: Value = serde_json::from_slice(&payment.body).unwrap();
        body["data"]["metadata"]["odd"] = json!(odd);
        system.received(None, body.to_string()).await;
        system.rests_as(&payment.event, "reconciled").await;
    }
    // Several v1 of which one is right; signed in the future, by a clock that is wrong.
    let order = system.shop.order(15_990, "name", "ODD-HEADER");
    let payment = system.pay(15_990, &order.key);
    let header =
        signed(&payment.body, -86_400).replace(",v1=", &format!(",v1={},v1=", "0".repeat(64)));
    let answer = system.post(None, &[&header], payment.body.clone()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let row = system.rests_as(&payment.event, "reconciled").await;
    assert!(row.late_s.is_some_and(|late_s| late_s < -80_000), "{row:?}");
}
