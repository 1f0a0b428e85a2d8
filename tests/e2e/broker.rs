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
    attempted(&system, |statuses| statuses.first() == Some(&Some(503))).await;
    system.nats.thaw().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    let retry_after = answer.retry_after.and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(retry_after.is_some_and(|seconds| seconds > 0), "{retry_after:?}");
    assert!(took >= Duration::from_millis(DEADLINE_MS), "given up early: {took:?}");
    // Of the margin, nearly all is for a machine that is busy with something else.
    assert!(took < Duration::from_millis(DEADLINE_MS + 1_500), "given up late: {took:?}");

    // Ventipay sends the same again by itself; so does the test. What was answered 503 may
    // have been stored all the same.
    system.rests_as(&resent.event, "reconciled").await;
    attempted(&system, |statuses| statuses.last() == Some(&Some(200))).await;
    wait::until("the ingress to receive again", PATIENCE, async || {
        let answer = system.deliver(None, payment.body.clone()).await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    system.rests_as(&payment.event, "reconciled").await;
    system.is_ready().await;
    system.finish().await;
}

/// Waits until what Ventipay's own deliveries were answered is as wanted.
async fn attempted(system: &System, is_so: impl Fn(&[Option<u16>]) -> bool) {
    wait::until("Ventipay's deliveries", PATIENCE, async || {
        let attempts = system.ventipay.attempts();
        let statuses: Vec<Option<u16>> = attempts.iter().map(|attempt| attempt.status).collect();
        if is_so(&statuses) { Ok(()) } else { Err(format!("{statuses:?}")) }
    })
    .await;
}

async fn what_was_answered_200_before_the_broker_was_killed_is_in_the_log(options: Options) {
    let options = Options { publish_deadline_ms: DEADLINE_MS, ..options };
    let mut system = System::start(options).await;
    let mut load = Load::default();
    for _ in 0..2 {
        load.run_until_received(&mut system, 100, async |system, _| system.nats.kill9()).await;
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
