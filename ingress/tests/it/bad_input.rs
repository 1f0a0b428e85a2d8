//! What strangers and broken senders send: each gets its documented answer, and the next
//! genuine webhook is received as ever.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use concilia_shared::secret::Secret;
use concilia_shared::signature::sign;
use concilia_shared::webhook::BODY_BYTES_MAX;
use futures_util::stream;

use crate::fixtures::{BODY, Desk, NOW_S, SECRET, request, signed};

async fn is_healthy(desk: &Desk) {
    let before = desk.webhooks().len();
    assert_eq!(desk.post(BODY).await.status, 200);
    assert_eq!(desk.webhooks().len(), before + 1);
}

#[tokio::test]
async fn a_header_that_does_not_read_is_answered_400() {
    let desk = Desk::new();
    let valid = sign(&Secret::new(SECRET), NOW_S, BODY.as_bytes());
    let v1 = valid.split_once("v1=").unwrap().1;
    let many = format!("t={NOW_S}{}", format!(",v1={v1}").repeat(5));
    let garbled: &[String] = &[
        String::new(),
        "nonsense".to_owned(),
        format!("v1={v1}"),
        format!("t={NOW_S}"),
        format!("t=,v1={v1}"),
        format!("t=x{NOW_S},v1={v1}"),
        format!("t={NOW_S}abc,v1={v1}"),
        format!("t=-1,v1={v1}"),
        format!("t=+{NOW_S},v1={v1}"),
        format!("t=1.5,v1={v1}"),
        format!("t=99999999999999999999,v1={v1}"),
        format!("t={NOW_S},t={NOW_S},v1={v1}"),
        format!("t={NOW_S},v1="),
        format!("t={NOW_S},v1={}", &v1[1..]),
        format!("t={NOW_S},v1={}", v1.to_uppercase()),
        format!("t={NOW_S},v1={v1},"),
        format!("t={NOW_S};v1={v1}"),
        format!("t={NOW_S},v0={v1}"),
        format!("t={NOW_S},v1={v1},x={}", "y".repeat(1024)),
        many,
    ];
    for header in garbled {
        let request = request("/ventipay/webhook", &[header.as_bytes()], BODY);
        assert_eq!(desk.send(request).await.told(), (400, "signature_malformed"), "{header:?}");
    }
    for bytes in [&b"t=1,v1=\xff"[..], b"t=1,\tv1=aa"] {
        let request = request("/ventipay/webhook", &[bytes], BODY);
        assert_eq!(desk.send(request).await.told(), (400, "signature_malformed"));
    }
    assert!(desk.webhooks().is_empty());
    is_healthy(&desk).await;
}

#[tokio::test]
async fn no_header_or_two_of_them_is_answered_400() {
    let desk = Desk::new();
    let none = desk.send(request("/ventipay/webhook", &[], BODY)).await;
    assert_eq!(none.told(), (400, "signature_missing"));
    let valid = sign(&Secret::new(SECRET), NOW_S, BODY.as_bytes());
    let two = [valid.as_bytes(), valid.as_bytes()];
    let two = desk.send(request("/ventipay/webhook", &two, BODY)).await;
    assert_eq!(two.told(), (400, "signature_malformed"));
    assert!(desk.webhooks().is_empty());
    is_healthy(&desk).await;
}

#[tokio::test]
async fn a_wrong_signature_is_answered_401() {
    let desk = Desk::new();
    let valid = sign(&Secret::new(SECRET), NOW_S, BODY.as_bytes());
    let v1 = valid.split_once("v1=").unwrap().1;
    let elsewhere = format!("t={},v1={v1}", NOW_S + 1);
    let padded = format!("t=0{NOW_S},v1={v1}");
    let wrong_secret = sign(&Secret::new("whs_wrong"), NOW_S, BODY.as_bytes());
    let future = sign(&Secret::new("whs_wrong"), NOW_S * 10, BODY.as_bytes());
    for header in [&elsewhere, &padded, &wrong_secret, &future] {
        let request = request("/ventipay/webhook", &[header.as_bytes()], BODY);
        assert_eq!(desk.send(request).await.told(), (401, "not_accepted"), "{header}");
    }
    let altered = request("/ventipay/webhook", &[valid.as_bytes()], BODY.replace("1000", "9999"));
    assert_eq!(desk.send(altered).await.told(), (401, "not_accepted"));
    assert!(desk.webhooks().is_empty());
    is_healthy(&desk).await;
}

#[tokio::test]
async fn any_of_several_signatures_may_be_the_right_one() {
    let desk = Desk::new();
    let valid = sign(&Secret::new(SECRET), NOW_S, BODY.as_bytes());
    let v1 = valid.split_once("v1=").unwrap().1;
    let other = "0".repeat(64);
    let several = format!("t={NOW_S},v1={other},v1={v1},v2=whatever");
    let reply = desk.send(request("/ventipay/webhook", &[several.as_bytes()], BODY)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(desk.webhooks()[0].signature, several, "kept verbatim");
}

#[tokio::test]
async fn a_body_of_256_kib_is_received_and_one_byte_more_is_not() {
    let desk = Desk::new();
    assert_eq!(desk.post(vec![b'x'; BODY_BYTES_MAX]).await.status, 200);
    assert_eq!(desk.webhooks()[0].body.len(), BODY_BYTES_MAX);
    let declared = desk.post(vec![b'x'; BODY_BYTES_MAX + 1]).await;
    assert_eq!(declared.told(), (413, "body_too_large"));
    assert_eq!(declared.header("connection"), Some("close"));

    // Without a declared length it is counted while it comes, and it never ends.
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let endless = stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
    let endless = Body::from_stream(endless);
    let reply = desk.send(request("/ventipay/webhook", &[], endless)).await;
    assert_eq!(reply.told(), (413, "body_too_large"));
    assert_eq!(desk.webhooks().len(), 1);
    is_healthy(&desk).await;
}

#[tokio::test]
async fn what_verifies_is_received_whatever_it_says() {
    let depth_bomb = "[".repeat(100_000);
    let deep =
        format!("{{\"id\":\"evt_deep\",\"data\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!(r#"{{"id":"evt_1","data":{{"amount":{}}}}}"#, "9".repeat(1_000));
    let long_id = format!(r#"{{"id":"{}"}}"#, "x".repeat(1_000));
    let unreadable = "ventipay.events.main.unreadable";
    let paid = "ventipay.events.main.checkout.paid";
    let table: &[(&[u8], Option<&str>, &str)] = &[
        (b"", None, unreadable),
        (b"not json", None, unreadable),
        (b"\xff\xfe\x00", None, unreadable),
        (b"null", None, unreadable),
        (b"[]", None, unreadable),
        (b"{}", None, unreadable),
        (b"{\"id\":\"evt_1\"", None, unreadable),
        (depth_bomb.as_bytes(), None, unreadable),
        (deep.as_bytes(), Some("evt_deep"), unreadable),
        (br#"{"id":"a","id":"b","type":"checkout.paid"}"#, None, unreadable),
        (br#"{"id":"evt_\u0000","type":"checkout.paid"}"#, None, paid),
        (br#"{"id":"evt_1","type":"checkout.paid","data":{"x":"\u0000"}}"#, Some("evt_1"), paid),
        (br#"{"id":"evt_1","type":"checkout.paid\u0000"}"#, Some("evt_1"), unreadable),
        (huge.as_bytes(), Some("evt_1"), unreadable),
        (br#"{"id":"evt_1","data":{"amount":1e999}}"#, Some("evt_1"), unreadable),
        (br#"{"id":1,"type":"checkout.paid"}"#, None, unreadable),
        (long_id.as_bytes(), None, unreadable),
        (br#"{"id":"","type":"checkout.paid"}"#, None, paid),
        (br#"{"id":"evt_1","type":"quite.new"}"#, Some("evt_1"), "ventipay.events.main.quite.new"),
        (br#"{"id":"evt_1","type":"a.>"}"#, Some("evt_1"), unreadable),
        (
            br#"{"id":"evt_1","type":"checkout.paid","data":{"currency":"XXX"}}"#,
            Some("evt_1"),
            paid,
        ),
    ];
    let desk = Desk::new();
    for (body, id, subject) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let reply = desk.send(signed(*body)).await;
        assert_eq!(reply.status, 200, "{shown}");
        assert_eq!(reply.json["id"].as_str(), *id, "{shown}");
        assert_eq!(desk.webhooks().last().unwrap().body, *body, "{shown}");
        assert_eq!(desk.paper.messages().last().unwrap().subject, *subject, "{shown}");
    }
    is_healthy(&desk).await;
}
