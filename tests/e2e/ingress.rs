//! The ingress is killed under load, and its secrets are rotated while it runs.

use concilia_tests::harness::config::WEBHOOK_SECRET;
use concilia_tests::harness::http::{event, signed_by};
use concilia_tests::harness::load::Load;
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use serde_json::json;

crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    what_was_answered_200_before_the_ingress_was_killed_is_in_the_log
);
crate::on!(
    sqlite_odoo_19_json2:
    a_secret_is_rotated_without_a_restart
);

async fn what_was_answered_200_before_the_ingress_was_killed_is_in_the_log(options: Options) {
    let options = Options { publish_deadline_ms: 1_000, ..options };
    let mut system = System::start(options).await;
    let mut load = Load::default();
    for _ in 0..3 {
        load.run_until_received(&mut system, 100, async |system, _| system.kill_ingress()).await;
        system.restart_ingress().await;
    }
    // What the ingress sent and the broker did not read is in nobody's hands: both are killed.
    load.run_until_received(&mut system, 100, async |system, load| {
        system.nats.freeze().unwrap();
        load.goes_on().await;
        system.kill_ingress();
        system.nats.kill9();
    })
    .await;
    system.nats.restart().await.unwrap();
    system.restart_ingress().await;
    load.is_in_the_log(&system).await;
    let order = system.shop.order(15_990, "name", "AFTERWARDS");
    let payment = system.pay(15_990, &order.key);
    system.received(None, payment.body.clone()).await;
    system.rests_as(&payment.event, "reconciled").await;
    system.finish().await;
}

const SECOND_SECRET: &str = "whs_end_to_end_second";

async fn a_secret_is_rotated_without_a_restart(options: Options) {
    let mut system = System::start(options).await;
    assert_eq!(answers(&system, "a").await, [200, 401]);

    let second = system.write_file("webhook-secret-2", SECOND_SECRET);
    system.configure(|settings| settings.webhook_secret_files.push(second));
    reloaded_answers(&system, "b", [200, 200]).await;

    system.configure(|settings| drop(settings.webhook_secret_files.remove(0)));
    reloaded_answers(&system, "c", [401, 200]).await;

    // A reload that cannot be used changes nothing.
    let missing = system.folder().join("no-such-file");
    system.configure(|settings| settings.webhook_secret_files = vec![missing]);
    system.ingress.process.signal("HUP").unwrap();
    let kept = |line: &str| line.contains("kept the old secrets").then_some(());
    system.ingress.process.wait_for_line("that it kept the secrets", PATIENCE, kept).await;
    assert_eq!(answers(&system, "d").await, [401, 200]);

    let second = system.folder().join("webhook-secret-2");
    system.configure(|settings| settings.webhook_secret_files = vec![second]);
    system.finish().await;
}

async fn reloaded_answers(system: &System, name: &str, expected: [u16; 2]) {
    system.ingress.process.signal("HUP").unwrap();
    wait::until("the reload", PATIENCE, async || {
        let got = answers(system, name).await;
        if got == expected { Ok(()) } else { Err(format!("{got:?}")) }
    })
    .await;
}

/// What webhooks signed by the first and by the second secret are answered.
async fn answers(system: &System, name: &str) -> [u16; 2] {
    let mut answers = [0; 2];
    for (answer, secret) in answers.iter_mut().zip([WEBHOOK_SECRET, SECOND_SECRET]) {
        let id = format!("evt_{name}_{}", secret.len());
        let body = event(&id, "checkout.created", json!({"id": format!("chk_{id}")}));
        let header = signed_by(secret, &body, 0);
        *answer = system.post(None, &[&header], body).await.unwrap().status;
    }
    answers
}
