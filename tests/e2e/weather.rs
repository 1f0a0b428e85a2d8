//! Odoo or Ventipay is down in every way we know of: events wait without a word, use up no try,
//! and are booked when it is back. What the account's stream tells is in [`super::outages`].

use concilia_tests::harness::config::ACCOUNTS;
use concilia_tests::harness::shop::{Fault, Payment};
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use concilia_tests::odoo::errors::names;
use concilia_tests::ventipay::{self, FaultPlan};
use concilia_worker::domain::event::Event;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    bad_weather_is_waited_out
);

async fn bad_weather_is_waited_out(options: Options) {
    let system = System::start(options).await;
    waited_out(&system, "ODOO-DOWN", "odoo_unavailable", || system.shop.goes_down()).await;
    let denied = Fault::Error { name: names::ACCESS_DENIED.to_owned(), message: "No".to_owned() };
    for (number, (fault, reason)) in [
        (Fault::Close, "odoo_unavailable"),
        (Fault::Status { status: 503, retry_after_s: Some(1) }, "odoo_unavailable"),
        (Fault::Html, "odoo_unavailable"),
        (Fault::DatabaseGone, "not_ready"),
        (denied, "not_ready"),
    ]
    .into_iter()
    .enumerate()
    {
        let breaks = || system.shop.fail_everything(fault);
        waited_out(&system, &format!("ODOO-{number}"), reason, breaks).await;
    }
    let refused = |status| ventipay::Fault::Status { status, retry_after_s: None };
    for (number, (fault, reason)) in [
        (ventipay::Fault::Down, "ventipay_unavailable"),
        (refused(503), "ventipay_unavailable"),
        (refused(401), "not_ready"),
    ]
    .into_iter()
    .enumerate()
    {
        let breaks = || system.ventipay.set_fault(Some(FaultPlan::always(fault)));
        waited_out(&system, &format!("VENTIPAY-{number}"), reason, breaks).await;
    }
    system.finish().await;
}

/// As many payments as calls must fail in a row before it is an outage.
const PAYMENTS: usize = 3;

async fn waited_out(system: &System, key: &str, reason: &str, breaks: impl FnOnce()) {
    let payments: Vec<Payment> = (0..PAYMENTS)
        .map(|number| {
            let order = system.shop.order(15_990, "name", &format!("{key}-{number}"));
            system.pay(15_990, &order.key)
        })
        .collect();
    breaks();
    for payment in &payments {
        system.received(None, payment.body.clone()).await;
    }
    let seen = wait::until(&format!("the outage of {key}"), PATIENCE, async || {
        match system.account_facts(ACCOUNTS[0].0).await.pop() {
            Some(Event::OutageBegan { reason, .. }) => Ok(reason),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let seen = serde_json::to_value(&seen).unwrap();
    assert_eq!(seen["reason"], reason, "{key}");
    for payment in &payments {
        assert!(!system.shop.booked().contains_key(&payment.checkout), "{key}");
    }

    system.shop.is_well_again();
    system.ventipay.set_fault(None);
    for payment in &payments {
        let row = system.rests_as(&payment.event, "reconciled").await;
        let facts = system.facts(&row.stream).await;
        assert_eq!(facts, ["webhook_received", "booked"], "{key} was told event by event");
    }
}
