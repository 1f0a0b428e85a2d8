//! What an operator sees from outside: one payment can be followed by its trace and is counted
//! by both processes.

use concilia_ingress::measure as ingress;
use concilia_shared::signature::SIGNATURE_HEADER;
use concilia_tests::harness::http::signed;
use concilia_tests::harness::system::{Options, PATIENCE, Service, System};
use concilia_worker::measure as worker;
use serde_json::Value;

crate::on!(
    sqlite_odoo_17_jsonrpc, postgres_odoo_19_json2:
    a_payment_is_followed_by_its_trace_and_counted
);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn a_payment_is_followed_by_its_trace_and_counted(options: Options) {
    let mut system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "FOLLOWED");
    let payment = system.pay(15_990, &order.key);
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let sent = client
        .post(system.webhook_url())
        .header(SIGNATURE_HEADER, signed(&payment.body, 0))
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(payment.body.clone());
    assert_eq!(sent.send().await.unwrap().status(), 200);
    system.rests_as(&payment.event, "reconciled").await;

    assert_eq!(line(&mut system.ingress, "received").await["trace_id"], TRACE);
    assert_eq!(line(&mut system.workers[0], "appended").await["trace_id"], TRACE);
    let asked = line(&mut system.workers[0], "Ventipay answered").await;
    assert_eq!(asked["span"]["trace_id"], TRACE, "what settling does is in the same trace");

    let text = metrics(&system.ingress).await;
    shows(
        &text,
        &[
            ingress::HTTP_REQUESTS,
            ingress::SIGNATURES,
            ingress::BODY_BYTES,
            ingress::BATCH_SIZE,
            ingress::ACK_SECONDS,
            ingress::QUEUE_DEPTH,
            ingress::BROKER_READY,
            ingress::LATE,
        ],
        &[
            "concilia_ingress_http_requests_total{outcome=\"received\"} 1",
            "concilia_ingress_publish_ack_seconds_count{result=\"confirmed\"} 1",
        ],
    );
    let text = metrics(&system.workers[0]).await;
    shows(
        &text,
        &[
            worker::ADMIT_BATCH_SIZE,
            worker::APPENDED,
            worker::DUPLICATES,
            worker::CONFLICTS,
            worker::GAP_MESSAGES,
            worker::SETTLE_SECONDS,
            worker::SETTLED,
            worker::ODOO_SECONDS,
            worker::VENTIPAY_SECONDS,
        ],
        &[
            "concilia_worker_events_appended_total 1",
            "concilia_worker_odoo_request_seconds_count{operation=\"authenticate\",class=\"ok\"} 1",
            "concilia_worker_odoo_request_seconds_count{operation=\"find\",class=\"ok\"} 1",
            "concilia_worker_odoo_request_seconds_count{operation=\"observe\",class=\"ok\"} 1",
            "concilia_worker_odoo_request_seconds_count{operation=\"book\",class=\"ok\"} 1",
            "concilia_worker_ventipay_request_seconds_count{operation=\"checkout\",class=\"ok\"} 1",
        ],
    );
    system.finish().await;
}

/// Waits for the first line that says so, of our only payment.
async fn line(service: &mut Service, message: &str) -> Value {
    let found = service.process.wait_for_line(message, PATIENCE, |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["message"] == message).then_some(line)
    });
    found.await
}

async fn metrics(service: &Service) -> String {
    reqwest::get(format!("{}/metrics", service.admin_url)).await.unwrap().text().await.unwrap()
}

/// Each metric with its help and its type, and these lines.
fn shows(text: &str, names: &[&str], lines: &[&str]) {
    for name in names {
        for kind in ["HELP", "TYPE"] {
            assert!(text.contains(&format!("# {kind} {name} ")), "{kind} {name}\n{text}");
        }
    }
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
    }
}
