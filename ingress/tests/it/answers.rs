//! Every answer of the router, and what the broker was given by then.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use concilia_ingress::admin::{self, Admin, Readiness};
use concilia_ingress::publish::PublishError;
use concilia_shared::config::LatePolicy;
use concilia_shared::secret::Secret;
use concilia_shared::signature::sign;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tower::ServiceExt;

use crate::fixtures::{
    BODY, Desk, NOW_S, Paper, Reply, SECRET, accounts, one_account, request, signed, signed_at,
};

/// secret, t, body, v1: `ventipay-api.md` section 4.4, and one of the project's own.
const VECTORS: [(&str, i64, &str, &str); 3] = [
    (
        "whs_ExampleSecret0123456789",
        1_767_614_403,
        r#"{"data":{"amount":15990,"currency":"clp","description":"Pedido S00042","disputed":false,"external_id":"S00042","id":"chk_KaIq81","items":[{"name":"Polera niño","quantity":1,"sku":null,"unit_price":15990}],"metadata":{"odoo_ref":"tx-S00042-1"},"object":"checkout","refunded":false,"status":"paid"},"id":"evt_2b7Qx","live":false,"type":"checkout.paid"}"#,
        "74ca39123238723123e46bc24c73eae0beb8127a3fa199df67ddfaae541995a0",
    ),
    (
        "whs_test",
        1_700_000_000,
        r#"{"data":{"a":1,"amt":1.5,"id":"chk_1","items":[{"a":2,"z":null}],"metadata":{},"name":"Ñandú/é \"x\" <b>&"},"id":"evt_1","live":false,"type":"checkout.paid"}"#,
        "3899abc0fc1d84776e77d129f40fb874dd671a26fddf4c5204ebacb83aaf1bfd",
    ),
    (
        SECRET,
        1_700_000_000,
        BODY,
        "2ef85842d2e9d148c48426d468de2492e750ef45c0f383037da0aade8236f64b",
    ),
];

#[tokio::test]
async fn the_published_vectors_are_received_and_carried_unchanged() {
    for (secret, t, body, v1) in VECTORS {
        let text = one_account().replace(SECRET, secret);
        let desk = Desk::with(&text, Paper::open(), |_| {});
        let header = format!("t={t},v1={v1}");
        let reply = desk.send(request("/ventipay/webhook", &[header.as_bytes()], body)).await;
        let id = serde_json::from_str::<serde_json::Value>(body).unwrap()["id"].clone();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json, json!({"received": true, "id": id, "duplicate": false}));

        let webhooks = desk.webhooks();
        assert_eq!(webhooks.len(), 1);
        assert_eq!(webhooks[0].body, body.as_bytes());
        assert_eq!(webhooks[0].signature, header);
        assert_eq!(webhooks[0].received_at.as_second(), NOW_S);
        assert!(webhooks[0].traceparent.is_some(), "a trace of its own");
        assert_eq!(desk.paper.messages()[0].subject, "ventipay.events.main.checkout.paid");
    }
}

#[tokio::test]
async fn a_stale_webhook_is_kept_and_marked_late() {
    let desk = Desk::new();
    for (t, late_s) in [
        (NOW_S, None),
        (NOW_S - 300, None),
        (NOW_S - 301, Some(301)),
        (0, Some(NOW_S)),
        (NOW_S + 300, None),
        (NOW_S + 301, Some(-301)),
    ] {
        assert_eq!(desk.send(signed_at(t, BODY)).await.status, 200, "{t}");
        assert_eq!(desk.webhooks().last().unwrap().late_s, late_s, "{t}");
    }
}

#[tokio::test]
async fn a_policy_can_refuse_what_is_late() {
    let desk = Desk::with(&one_account(), Paper::open(), |rules| {
        rules.late_policy = LatePolicy::Refuse;
    });
    for t in [NOW_S - 301, NOW_S + 301] {
        assert_eq!(desk.send(signed_at(t, BODY)).await.told(), (401, "not_accepted"));
    }
    assert_eq!(desk.send(signed_at(NOW_S - 300, BODY)).await.status, 200);
    assert_eq!(desk.webhooks().len(), 1);
}

#[tokio::test]
async fn nobody_learns_why_a_signature_was_not_accepted() {
    let desk = Desk::with(&one_account(), Paper::open(), |rules| {
        rules.late_policy = LatePolicy::Refuse;
    });
    let stale = desk.send(signed_at(0, BODY)).await;
    let forged = sign(&Secret::new("whs_other"), NOW_S, BODY.as_bytes());
    let forged = request("/ventipay/webhook", &[forged.as_bytes()], BODY);
    let forged = desk.send(forged).await;
    assert_eq!((stale.status, &stale.json), (forged.status, &forged.json));

    let without_secret = "[accounts.main]\nenvironment = \"test\"\n";
    let desk = Desk::with(without_secret, Paper::open(), |_| {});
    let reply = desk.post(BODY).await;
    assert_eq!((reply.status, &reply.json), (forged.status, &forged.json));
    assert!(desk.webhooks().is_empty());
}

#[tokio::test]
async fn the_path_names_the_account_or_leaves_it_to_the_default() {
    let two = "[accounts.a]\nenvironment = \"test\"\nwebhook_secrets = [\"whs_a\"]\n\
               [accounts.b]\nenvironment = \"test\"\nwebhook_secrets = [\"whs_b\"]\n";
    let desk = Desk::with(two, Paper::open(), |_| {});
    let post = async |path: &str, secret: &str| {
        let signature = sign(&Secret::new(secret), NOW_S, BODY.as_bytes());
        desk.send(request(path, &[signature.as_bytes()], BODY)).await
    };
    assert_eq!(post("/ventipay/webhook", "whs_a").await.told(), (404, "no_default_account"));
    assert_eq!(post("/ventipay/webhook/b", "whs_b").await.status, 200);
    assert_eq!(
        post("/ventipay/webhook/b", "whs_a").await.told(),
        (401, "not_accepted"),
        "another account's secret is a wrong one"
    );
    for unknown in ["c", "B", "b%2Fx", "%ff", "..", "b%00"] {
        let path = format!("/ventipay/webhook/{unknown}");
        assert_eq!(post(&path, "whs_b").await.told(), (404, "unknown_account"), "{unknown}");
    }
    for nothing in ["/", "/ventipay", "/ventipay/webhook/", "/ventipay/webhook/b/c", "/metrics"] {
        assert_eq!(post(nothing, "whs_b").await.told(), (404, "not_found"), "{nothing}");
    }
    let webhooks = desk.webhooks();
    assert_eq!(webhooks.len(), 1);
    assert_eq!(webhooks[0].account.as_str(), "b");

    let default = format!("[ingress]\ndefault_account = \"b\"\n{two}");
    desk.accounts.send_replace(accounts(&default));
    assert_eq!(post("/ventipay/webhook", "whs_b").await.status, 200);
}

#[tokio::test]
async fn only_post_is_allowed() {
    let desk = Desk::new();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/ventipay/webhook", "/ventipay/webhook/main"] {
            let request = Request::builder().method(method).uri(path);
            let reply = desk.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(reply.header("allow"), Some("POST"), "{method}");
            // The answer to HEAD has no body.
            match method {
                "HEAD" => assert_eq!(reply.status, 405),
                _ => assert_eq!(reply.told(), (405, "method_not_allowed"), "{method}"),
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_account_is_refused_before_its_body_is_read() {
    let desk = Desk::new();
    let never: Body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let reply = desk.send(request("/ventipay/webhook/nobody", &[], never)).await;
    assert_eq!(reply.told(), (404, "unknown_account"));
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let desk = Desk::with(&one_account(), Paper::open(), |rules| {
        rules.request_timeout = Duration::from_millis(50);
    });
    let some = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{"))]);
    let never = Body::from_stream(some.chain(stream::pending()));
    let reply = desk.send(request("/ventipay/webhook", &[], never)).await;
    assert_eq!(reply.told(), (408, "too_slow"));
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_half_received() {
    let desk = Desk::new();
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err("cut off")]);
    let reply = desk.send(request("/ventipay/webhook", &[], Body::from_stream(broken))).await;
    assert_eq!(reply.told(), (400, "body_incomplete"));
}

#[tokio::test]
async fn without_the_brokers_word_the_answer_is_503() {
    let desk = Desk::new();
    for error in [
        PublishError::Unavailable("x".to_owned()),
        PublishError::Unknown("x".to_owned()),
        PublishError::Refused { code: 10_077, description: "maximum bytes exceeded".to_owned() },
    ] {
        *desk.paper.fails.lock().unwrap() = Some(error);
        let reply = desk.post(BODY).await;
        assert_eq!(reply.told(), (503, "unconfirmed"));
        assert_eq!(reply.header("retry-after"), Some("5"));
        let said = reply.json["message"].as_str().unwrap();
        assert!(!said.contains("maximum"), "the broker's words stay inside: {said}");
    }
    *desk.paper.fails.lock().unwrap() = None;
    assert_eq!(
        desk.post(BODY).await.json,
        json!({"received": true, "id": "evt_1", "duplicate": false}),
        "what was not confirmed is no duplicate"
    );
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_not_waited_for_beyond_the_deadline() {
    let desk = Desk::with(&one_account(), Paper::held(), |_| {});
    let started = std::time::Instant::now();
    let reply = desk.post(BODY).await;
    assert_eq!(reply.told(), (503, "unconfirmed"));
    assert!(started.elapsed() >= Duration::from_millis(300), "it was waited for");
    assert!(started.elapsed() < Duration::from_secs(3), "and then no longer");
}

#[tokio::test]
async fn what_the_queue_has_no_room_for_is_answered_at_once() {
    let desk = Desk::with(&one_account(), Paper::held(), |_| {});
    let started = std::time::Instant::now();
    let replies = join_all((0..10).map(|_| async {
        let reply = desk.post(BODY).await;
        (reply, started.elapsed())
    }));
    let (busy, held): (Vec<_>, Vec<_>) =
        replies.await.into_iter().partition(|(reply, _)| reply.told() == (503, "busy"));
    // The queue holds two, and the batch in flight is what was in the queue before them.
    assert!((2..=4).contains(&held.len()), "{}", held.len());
    for (reply, after) in busy {
        assert_eq!(reply.header("retry-after"), Some("5"));
        assert!(after < Duration::from_millis(250), "before any deadline: {after:?}");
    }
    assert!(held.iter().all(|(reply, _)| reply.told() == (503, "unconfirmed")));
}

#[tokio::test]
async fn a_duplicate_is_told_and_published_all_the_same() {
    let desk = Desk::new();
    let duplicate = async |body: &str| desk.post(body).await.json["duplicate"].clone();
    assert_eq!(duplicate(BODY).await, json!(false));
    assert_eq!(duplicate(BODY).await, json!(true));
    let other_amount = BODY.replace("1000", "2000");
    assert_eq!(
        duplicate(&other_amount).await,
        json!(false),
        "the same id with another body is not the same"
    );
    assert_eq!(desk.webhooks().len(), 3);
}

#[tokio::test]
async fn secrets_are_replaced_without_refusing_what_is_genuine() {
    let desk = Desk::new();
    let post = async |secret: &str| {
        let signature = sign(&Secret::new(secret), NOW_S, BODY.as_bytes());
        let request = request("/ventipay/webhook", &[signature.as_bytes()], BODY);
        desk.send(request).await.status.as_u16()
    };
    assert_eq!((post(SECRET).await, post("whs_new").await), (200, 401));
    let both = one_account().replace(SECRET, &format!("whs_new\", \"{SECRET}"));
    desk.accounts.send_replace(accounts(&both));
    assert_eq!((post(SECRET).await, post("whs_new").await), (200, 200));
    desk.accounts.send_replace(accounts(&one_account().replace(SECRET, "whs_new")));
    assert_eq!((post(SECRET).await, post("whs_new").await), (401, 200));
}

/// What the broker was given for a request with these trace headers: trace id, span id, flags.
async fn traced(sent: &[&str]) -> (String, String, String) {
    let desk = Desk::new();
    let mut request = signed(BODY);
    for line in sent {
        request.headers_mut().append("traceparent", line.parse().unwrap());
    }
    assert_eq!(desk.send(request).await.status, 200);
    let carried = desk.webhooks()[0].traceparent.clone().unwrap();
    let [version, trace, span, flags] = carried.split('-').collect::<Vec<_>>()[..] else {
        panic!("{carried}");
    };
    assert_eq!(version, "00");
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}

#[tokio::test]
async fn a_trace_goes_on_through_the_broker_one_step_further() {
    let (id, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    for flags in ["00", "01"] {
        let (trace, span, kept) = traced(&[&format!("00-{id}-{parent}-{flags}")]).await;
        assert_eq!((trace.as_str(), kept.as_str()), (id, flags));
        assert_ne!(span, parent, "our step is not the caller's");
    }
}

#[tokio::test]
async fn a_request_without_a_true_trace_starts_one() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut seen = std::collections::BTreeSet::new();
    for sent in [&[][..], &["00-x"], &[""], &[good, good], &[&good.to_uppercase()]] {
        let (trace, span, flags) = traced(sent).await;
        assert!(trace != "0af7651916cd43dd8448eb211c80319c", "{sent:?}");
        assert_eq!((trace.len(), span.len(), flags.as_str()), (32, 16, "01"));
        assert!(seen.insert(trace), "each its own");
    }
}

#[tokio::test]
async fn a_process_that_is_stopping_confirms_nothing_it_did_not_publish() {
    let desk = Desk::new();
    desk.stop.cancel();
    // Whether the queue is closed by now or in a moment: never a 200 without a message.
    for _ in 0..100 {
        let before = desk.webhooks().len();
        let reply = desk.post(BODY).await;
        match reply.status.as_u16() {
            200 => assert_eq!(desk.webhooks().len(), before + 1),
            503 => {
                assert_eq!(reply.told(), (503, "unconfirmed"));
                return;
            }
            other => panic!("{other}"),
        }
    }
    panic!("the queue never closed");
}

#[tokio::test]
async fn readiness_depends_on_the_broker_and_tells_of_accounts_without_a_secret() {
    let ready = async |not_ready: Option<&str>| {
        let readiness = Readiness {
            not_ready: not_ready.map(str::to_owned),
            warnings: accounts("[accounts.main]\nenvironment = \"test\"").warnings(),
        };
        let admin = Admin {
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            readiness: Arc::new(move || readiness.clone()),
        };
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        Reply::of(admin::router(admin).oneshot(request).await.unwrap()).await
    };
    let reply = ready(None).await;
    assert_eq!((reply.status.as_u16(), &reply.json["ready"]), (200, &json!(true)));
    let warning = reply.json["warnings"][0].as_str().unwrap();
    assert!(warning.contains("accounts.main.webhook_secrets"), "{warning}");
    let reply = ready(Some("the broker is away")).await;
    assert_eq!((reply.status.as_u16(), &reply.json["ready"]), (503, &json!(false)));
    assert_eq!(reply.json["reason"], "the broker is away");
}
