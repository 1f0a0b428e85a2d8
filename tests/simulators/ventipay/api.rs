//! Bodies, signatures, resends, pages and errors, and what the worker's client makes of them.

use std::time::Duration;

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_shared::signature::{Freshness, SignatureHeader, sign};
use concilia_tests::ventipay::{
    Body, Deliver, Fault, FaultPlan, Keys, Options, Pay, RefundAnswer, Resend, Send, Signature,
    Webhook, canonical,
};
use concilia_worker::domain::observe::AtVentipay;
use concilia_worker::ventipay::{Client, Ventipay, VentipayError};
use serde_json::{Value, json};

use super::{KEY, Receiver, client, eager, get, http, put, secret, start, start_with, until};

#[test]
fn the_published_bodies_are_reproduced_from_their_content_and_so_are_the_signatures() {
    let paid = json!({
        "object": "checkout", "status": "paid", "id": "chk_KaIq81", "currency": "clp",
        "amount": 15990, "external_id": "S00042", "description": "Pedido S00042",
        "refunded": false, "disputed": false, "paid_at": null,
        "metadata": {"odoo_ref": "tx-S00042-1", "gone": null},
        "items": [{"unit_price": 15990, "sku": null, "quantity": 1, "name": "Polera niño"}],
    });
    let body = canonical::envelope("evt_2b7Qx", "checkout.paid", false, &paid);
    assert_eq!(
        String::from_utf8(body.clone()).unwrap(),
        r#"{"data":{"amount":15990,"currency":"clp","description":"Pedido S00042","disputed":false,"external_id":"S00042","id":"chk_KaIq81","items":[{"name":"Polera niño","quantity":1,"sku":null,"unit_price":15990}],"metadata":{"odoo_ref":"tx-S00042-1"},"object":"checkout","refunded":false,"status":"paid"},"id":"evt_2b7Qx","live":false,"type":"checkout.paid"}"#
    );
    assert_eq!(
        sign(&Secret::new("whs_ExampleSecret0123456789"), 1_767_614_403, &body),
        "t=1767614403,v1=74ca39123238723123e46bc24c73eae0beb8127a3fa199df67ddfaae541995a0"
    );

    let odd = json!({
        "name": "Ñandú/é \"x\" <b>&", "metadata": {}, "items": [{"z": null, "a": 2}],
        "id": "chk_1", "amt": 1.5, "a": 1,
    });
    let body = canonical::envelope("evt_1", "checkout.paid", false, &odd);
    assert_eq!(
        sign(&Secret::new("whs_test"), 1_700_000_000, &body),
        "t=1700000000,v1=3899abc0fc1d84776e77d129f40fb874dd671a26fddf4c5204ebacb83aaf1bfd"
    );
}

#[tokio::test]
async fn a_payment_is_delivered_signed_sorted_and_without_nulls() {
    let receiver = Receiver::answering(&[]).await;
    let webhook = Webhook {
        url: receiver.url.clone(),
        secret: Secret::new("whs_registered"),
        live: false,
        events: vec!["checkout.paid".to_owned()],
    };
    let sim = start_with(Options { webhooks: vec![webhook], ..Options::default() }).await;
    // The webhook is of test mode: what is live passes it by.
    sim.pay(&Pay { live: true, ..Pay::clp(1) }).unwrap();
    let paid = sim.pay(&Pay::clp(15_990).with("external_id", "1001")).unwrap();

    let (header, body) = receiver.wait_for(1).await.remove(0);
    let header = SignatureHeader::parse(&header).unwrap();
    assert_eq!(header.signer(&[Secret::new("whs_registered")], &body), Some(0));
    assert_eq!(body, sim.body(&paid.event).unwrap());
    let value: Value = serde_json::from_slice(&body).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["data", "id", "live", "type"]);
    assert_eq!(value["type"], "checkout.paid");
    assert_eq!(value["data"]["id"], json!(paid.checkout));
    assert_eq!(value["data"]["external_id"], "1001");
    let text = String::from_utf8(body).unwrap();
    assert!(!text.contains("null") && !text.contains(": "), "{text}");
    assert_eq!(text, canonical::body(&value));
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_delivery_is_sent_again_until_it_is_answered_2xx() {
    let receiver = Receiver::answering(&[500, 302, 503, 204]).await;
    let sim = start_with(Options { resend: eager(), ..Options::default() }).await;
    let paid = sim.pay(&Pay::clp(1000).to(&receiver.url)).unwrap();
    until(|| sim.attempts().iter().any(|attempt| attempt.status == Some(204))).await;

    let attempts = sim.attempts();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status.unwrap()).collect();
    assert_eq!(statuses, [500, 302, 503, 204]);
    assert!(attempts.iter().all(|attempt| attempt.event == paid.event));
    let got = receiver.got();
    assert!(got.iter().all(|delivery| *delivery == got[0]), "a resend carries its first t");
}

#[tokio::test]
async fn resends_are_bounded_and_may_be_signed_anew() {
    let receiver = Receiver::answering(&[500, 500, 500]).await;
    let resend = Resend { first_ms: 1_050, attempts_max: 2, renew_t: true, ..Resend::default() };
    let sim = start_with(Options { resend, ..Options::default() }).await;
    sim.pay(&Pay::clp(1000).to(&receiver.url)).unwrap();
    let got = receiver.wait_for(2).await;
    assert_eq!(got[0].1, got[1].1);
    assert_ne!(got[0].0, got[1].0, "t is renewed");
    for (header, body) in &got {
        let header = SignatureHeader::parse(header).unwrap();
        assert_eq!(header.signer(&[secret()], body), Some(0));
    }
    until(|| sim.attempts().len() == 2).await;
    // Another event arrives; were there a third attempt, it would have been under way first.
    sim.pay(&Pay::clp(1000).to(&receiver.url)).unwrap();
    assert_ne!(receiver.wait_for(3).await[2].1, got[0].1);
}

#[tokio::test]
async fn a_body_can_be_sent_forged_stale_among_others_or_unsigned() {
    let receiver = Receiver::answering(&[401]).await;
    let sim = start().await;
    let send = |signature, age_s| Send {
        url: receiver.url.clone(),
        body: Body::Hex("ff7b".to_owned()),
        signature,
        age_s,
    };
    let answer = sim.send(&send(Signature::Forged, 0)).await.unwrap();
    assert_eq!(answer.status, 401);
    sim.send(&send(Signature::Genuine, 3_600)).await.unwrap();
    sim.send(&send(Signature::AmongOthers(2), 0)).await.unwrap();
    sim.send(&send(Signature::By("whs_next".to_owned()), -900)).await.unwrap();
    sim.send(&send(Signature::Absent, 0)).await.unwrap();
    sim.send(&send(Signature::Header("t=x".to_owned()), 0)).await.unwrap();

    let got = receiver.got();
    assert!(got.iter().all(|(_, body)| body == b"\xff{"));
    let read = |place: usize| SignatureHeader::parse(&got[place].0).unwrap();
    let now_s = read(0).signed_at_s;
    assert_eq!(read(0).signer(&[secret()], b"\xff{"), None);
    assert_eq!(read(1).signer(&[secret()], b"\xff{"), Some(0));
    assert!(matches!(read(1).freshness(now_s, 300), Freshness::Stale { .. }));
    assert_eq!(read(2).signer(&[secret()], b"\xff{"), Some(0));
    assert_eq!(got[2].0.matches("v1=").count(), 3);
    assert_eq!(read(3).signer(&[Secret::new("whs_next")], b"\xff{"), Some(0));
    assert!(matches!(read(3).freshness(now_s, 300), Freshness::Future { .. }));
    assert_eq!((got[4].0.as_str(), got[5].0.as_str()), ("", "t=x"));
}

#[tokio::test]
async fn a_key_is_asked_for_and_errors_are_objects() {
    let keys = Keys::Only(vec![KEY.to_owned(), "key_live_simulated".to_owned()]);
    let sim = start_with(Options { keys, ..Options::default() }).await;
    let url = format!("{}/events?limit=1", sim.api_url());
    let refused = [
        http().get(&url),
        http().get(&url).bearer_auth(KEY),
        http().get(&url).basic_auth("key_test_other", None::<&str>),
        http().get(&url).basic_auth(KEY, Some("password")),
    ];
    for request in refused {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("venti-request-id"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["type"], "authentication_error");
    }
    let (status, body) = get(&sim, "/checkouts/chk_unknown").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert!(body["error"]["messages"][0].is_string());
    assert_eq!(get(&sim, "/transactions").await.0, 404);
    assert_eq!(put(&sim, "/checkouts", json!({"currency": "clp"})).await.0, 400);
}

#[tokio::test]
async fn a_checkout_lives_as_the_reference_says() {
    let sim = start().await;
    let request = json!({
        "authorize": true, "currency": "CLP", "external_id": "S00042",
        "items": [{"name": "S00042", "unit_price": 15990, "quantity": 1}],
        "metadata": {"wp_order_id": 77},
    });
    let (status, created) = put(&sim, "/checkouts", request.clone()).await;
    assert_eq!(status, 200);
    assert_eq!((&created["object"], &created["status"]), (&json!("checkout"), &json!("unpaid")));
    assert_eq!(created["metadata"]["wp_order_id"], 77, "numbers come back as numbers");
    let id = created["id"].as_str().unwrap();
    assert!(id.starts_with("chk_") && created["url"].as_str().unwrap().contains(id));

    sim.pay_checkout(id, &Deliver::Nowhere).unwrap();
    let (_, paid) = get(&sim, &format!("/checkouts/{id}?expand[]=payment_method")).await;
    assert_eq!((&paid["status"], &paid["available_for_refund"]), (&json!("paid"), &json!(15990)));
    assert!(paid["paid_at"].as_str().unwrap().ends_with('Z'));
    assert!(paid["payment_method"]["last4"].is_string());
    assert_eq!(put(&sim, &format!("/checkouts/{id}/cancel"), json!({})).await.0, 400);

    let (status, refund) =
        put(&sim, &format!("/checkouts/{id}/refund"), json!({"amount": 5000})).await;
    assert_eq!((status, &refund["object"]), (200, &json!("refund")));
    let (_, refunded) = get(&sim, &format!("/checkouts/{id}")).await;
    assert_eq!((&refunded["status"], &refunded["refunded_amount"]), (&json!("paid"), &json!(5000)));

    let (_, other) = put(&sim, "/checkouts", request).await;
    let other = other["id"].as_str().unwrap();
    let (_, canceled) = put(&sim, &format!("/checkouts/{other}/cancel"), json!({})).await;
    assert_eq!(canceled["status"], "canceled");

    let (_, events) = get(&sim, "/events").await;
    let types: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(
        types,
        [
            "checkout.canceled",
            "checkout.created",
            "checkout.refunded",
            "checkout.paid",
            "checkout.created"
        ]
    );
}

#[tokio::test]
async fn a_refund_may_also_be_answered_with_the_checkout() {
    let refund_answer = RefundAnswer::Checkout;
    let sim = start_with(Options { refund_answer, ..Options::default() }).await;
    let paid = sim.pay(&Pay::clp(1000).untold()).unwrap();
    let (_, answer) = put(&sim, &format!("/checkouts/{}/refund", paid.checkout), json!({})).await;
    assert_eq!((&answer["object"], &answer["refunded_amount"]), (&json!("checkout"), &json!(1000)));
}

#[tokio::test]
async fn missed_events_are_recovered_page_by_page() {
    let sim = start().await;
    let mut expected = Vec::new();
    for minor in 1..=5 {
        let paid = sim.pay(&Pay::clp(minor).untold()).unwrap();
        expected.push(paid.event);
    }
    sim.pay(&Pay { live: true, ..Pay::clp(9).untold() }).unwrap();

    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(&sim, &format!("/events?limit=3&{after}")).await;
        assert_eq!(status, 200);
        found.extend(page["data"].as_array().unwrap().clone());
        if page["has_more"] == false {
            break;
        }
        after = format!("starting_after={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(found.len(), 10, "each payment has two events, and live ones are not shown");
    let paid: Vec<_> = found.iter().filter(|event| event["type"] == "checkout.paid").collect();
    let ids: Vec<_> = paid.iter().rev().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
    let (event, checkout) = (paid[0], &paid[0]["data"]);
    assert_eq!((&event["object"], &event["related_object"]), (&json!("event"), &json!("checkout")));
    assert_eq!(event["related_id"], checkout["id"]);
    assert_eq!(get(&sim, &format!("/events/{}", expected[4])).await.1, *event);

    let newest = found[0]["created_at"].as_str().unwrap().replace(':', "%3A");
    let (_, since) = get(&sim, &format!("/events?created_after={newest}&limit=200")).await;
    assert!(since["data"].as_array().unwrap().contains(&found[0]), "the bound is inclusive");
    let (_, later) = get(&sim, "/events?created_after=2999-01-01T00:00:00Z").await;
    assert_eq!(later["data"], json!([]));
}

#[tokio::test]
async fn the_workers_client_reads_what_the_simulator_answers() {
    let sim = start().await;
    let paid = sim.pay(&Pay::clp(15_990).untold()).unwrap();
    let id = CheckoutId::parse(paid.checkout.clone()).unwrap();
    let ask = client(&sim, KEY);
    let AtVentipay::Checkout(now) = ask.checkout(&id).await.unwrap() else {
        panic!("it reads");
    };
    assert_eq!((now.status.as_str(), now.amount), ("paid", Money::new(15_990, Currency::Clp)));
    assert!(!now.refunded && !now.disputed && now.paid_at.is_some());

    sim.edit(&paid.checkout, json!({"disputed": true, "amount": 1}).as_object().unwrap()).unwrap();
    let AtVentipay::Checkout(now) = ask.checkout(&id).await.unwrap() else {
        panic!("it reads");
    };
    assert_eq!((now.disputed, now.amount.minor), (true, 1));
    sim.edit(&paid.checkout, json!({"amount": "1"}).as_object().unwrap()).unwrap();
    let path = "amount".to_owned();
    assert_eq!(ask.checkout(&id).await, Ok(AtVentipay::Unreadable { path }));

    let live = client(&sim, "key_live_simulated");
    assert_eq!(live.checkout(&id).await, Ok(AtVentipay::Unknown), "test and live never meet");
    let unknown = client(&sim, "sk_test_x").checkout(&id).await;
    assert_eq!(unknown, Err(VentipayError::Denied { status: 401 }));
}

#[tokio::test]
async fn the_api_fails_as_told_and_then_works_again() {
    let sim = start().await;
    let paid = sim.pay(&Pay::clp(1).untold()).unwrap();
    let id = CheckoutId::parse(paid.checkout).unwrap();
    let ask = client(&sim, KEY);
    let failing = |status| Fault::Status { status, retry_after_s: Some(7) };

    sim.set_fault(Some(FaultPlan::times(failing(503), 1)));
    let Err(VentipayError::Unavailable { retry_after_s, .. }) = ask.checkout(&id).await else {
        panic!("503 is weather");
    };
    assert_eq!(retry_after_s, Some(7));
    assert!(ask.checkout(&id).await.is_ok(), "the fault was for one call");

    sim.set_fault(Some(FaultPlan::always(failing(401))));
    assert_eq!(ask.checkout(&id).await, Err(VentipayError::Denied { status: 401 }));
    sim.set_fault(Some(FaultPlan::times(Fault::Down, 2)));
    for _ in 0..2 {
        let down = ask.checkout(&id).await;
        assert!(matches!(down, Err(VentipayError::Unavailable { .. })), "{down:?}");
    }
    let secret = Secret::new(KEY);
    let hasty = Client::new(&sim.api_url(), secret, Duration::from_millis(150)).unwrap();
    sim.set_fault(Some(FaultPlan::times(Fault::Hang, 1)));
    let hung = hasty.checkout(&id).await;
    assert!(matches!(hung, Err(VentipayError::Unavailable { .. })), "{hung:?}");
    sim.set_fault(Some(FaultPlan::times(Fault::Slow { ms: 20 }, 1)));
    assert!(ask.checkout(&id).await.is_ok());
    assert_eq!(sim.calls().len(), 7);
}

#[tokio::test]
async fn what_happened_is_kept_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = Some(folder.path().to_owned());
    let options = Options { state_dir, ..Options::default() };
    let sim = start_with(options.clone()).await;
    let address = sim.url();
    let paid = sim.pay(&Pay::clp(1000).untold()).unwrap();
    let body = sim.body(&paid.event).unwrap();
    sim.stop().await;
    assert!(http().get(format!("{address}/healthz")).send().await.is_err());

    let again = start_with(options).await;
    assert_eq!(again.body(&paid.event).unwrap(), body);
    assert_eq!(get(&again, &format!("/checkouts/{}", paid.checkout)).await.1["status"], "paid");
}

#[tokio::test]
async fn everything_can_be_steered_over_http() {
    let receiver = Receiver::answering(&[]).await;
    let sim = start().await;
    let post = async |path: &str, body: Value| {
        let request = http().post(format!("{}/sim{path}", sim.url())).json(&body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let to = json!({"to": [receiver.url]});
    let pay = json!({"amount": 990, "fields": {"metadata": {"wp_order_id": 7}}, "deliver": to});
    let (_, paid) = post("/pay", pay).await;
    assert!(paid["checkout"].as_str().unwrap().starts_with("chk_"), "{paid}");
    receiver.wait_for(1).await;

    let event = paid["event"].as_str().unwrap();
    let stale = json!({"url": receiver.url, "age_s": 3600});
    let (_, sent) = post(&format!("/events/{event}/send"), stale).await;
    assert_eq!(sent["status"], 200);
    let forged = json!({"url": receiver.url, "body": {"text": "{}"}, "signature": "forged"});
    assert_eq!(post("/send", forged).await.1["status"], 200);
    let registered = json!({"url": receiver.url, "events": ["subscription.activated"]});
    post("/webhooks", registered).await;
    let other = json!({"type": "subscription.activated", "data": {"id": "sub_1", "object": "subscription"}});
    post("/events", other).await;
    let got = receiver.wait_for(4).await;
    assert_eq!(got[0].1, got[1].1);
    assert_eq!(
        String::from_utf8(got[3].1.clone()).unwrap().split_once(",\"id\":\"evt_").unwrap().0,
        r#"{"data":{"id":"sub_1","object":"subscription"}"#
    );
    let nobody = json!({"url": "http://127.0.0.1:1/", "body": {"text": "{}"}});
    assert_eq!(post("/send", nobody).await.0, 502);
    assert_eq!(post("/events/evt_unknown/send", json!({"url": receiver.url})).await.0, 404);
}
