//! The broker hangs, dies, comes back: no 2xx that is not in the log.

use std::time::{Duration, Instant};

use concilia_tests::harness::http::event;
use concilia_tests::harness::load::Load;
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use serde_json::json;

crate::on!(
    sqlite_odoo_19_json2:
    a_broker_that_hangs_is_answered_503_within_the_deadline
);
crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    what_was_answered_200_before_the_broker_was_killed_is_in_the_log
);

const DEADLINE_MS: u64 = 1_000;

async fn a_broker_that_hangs_is_answered_503_within_the_deadline(options: Options) {
    let options = Options { publish_deadline_ms: DEADLINE_MS, ..options };
    let mut system = System::start(options).await;
    let order = system.shop.order(15_990, "name", "WHILE-IT-HANGS");
    let payment = system.pay(15_990, &order.key);
    let received = event("evt_before", "checkout.created", json!({"id": "chk_before"}));
    system.received(None, received).await;

    let resent = system.shop.order(9_990, "name", "RESENT");
    system.nats.freeze().unwrap();
    let resent = system.pay_and_tell(9_990, &resent.key);
    let asked = Instant::now();
    let answer = system.deliver(None, payment.body.clone()).await;
    let took = asked.elapsed();
    system.nats.thaw().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    let retry_after = answer.retry_after.and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(retry_after.is_some_and(|seconds| seconds > 0), "{retry_after:?}");
    assert!(took >= Duration::from_millis(DEADLINE_MS), "given up early: {took:?}");
    // Of the margin, nearly all is for a machine that is busy with something else.
    assert!(took < Duration::from_millis(DEADLINE_MS + 1_500), "given up late: {took:?}");

    // Ventipay sends the same again by itself; so does the test.
    system.rests_as(&resent.event, "reconciled").await;
    // It may be in the log before: what was answered 503 was perhaps stored all the same.
    wait::until("Ventipay to be answered 200", PATIENCE, async || {
        let attempts = system.ventipay.attempts();
        let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status.unwrap_or(0)).collect();
        match (statuses.first(), statuses.last()) {
            (Some(503), Some(200)) => Ok(()),
            _ => Err(format!("{statuses:?}")),
        }
    })
    .await;
    wait::until("the ingress to receive again", PATIENCE, async || {
        let answer = system.deliver(None, payment.body.clone()).await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    system.rests_as(&payment.event, "reconciled").await;
    system.is_ready().await;
    system.finish().await;
}

async fn what_was_answered_200_before_the_broker_was_killed_is_in_the_log(options: Options) {
    let options = Options { publish_deadline_ms: DEADLINE_MS, ..options };
    let mut system = System::start(options).await;
    let mut load = Load::default();
    for _ in 0..2 {
        load.run_until_received(&mut system, 100, async |system| {
            system.nats.kill9();
        })
        .await;
        system.nats.restart().await.unwrap();
        wait::until("the ingress to receive again", PATIENCE, async || {
            let answer = load.send_one(&system.sender()).await;
            if answer.is_some_and(|status| status == 200) {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            }
        })
        .await;
    }
    load.is_in_the_log(&system).await;
    system.finish().await;
}
