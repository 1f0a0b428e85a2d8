//! Odoo or Ventipay is down for a while: events wait by themselves, use up no try, and are
//! booked when it is back.

use concilia_shared::id::StreamId;
use concilia_tests::harness::shop::Fault;
use concilia_tests::harness::system::{Options, System};
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

async fn waited_out(system: &System, key: &str, reason: &str, breaks: impl FnOnce()) {
    let order = system.shop.order(15_990, "name", key);
    let payment = system.pay(15_990, &order.key);
    breaks();
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "pending").await;
    assert_eq!(row.reason.as_deref(), Some(reason), "{key}");
    assert!(!system.shop.booked().contains_key(&payment.checkout));

    system.shop.is_well_again();
    system.ventipay.set_fault(None);
    system.rests_as(&payment.event, "reconciled").await;
    let stream = StreamId::parse(row.stream).unwrap();
    let facts = system.log().await.stream(&stream).await.unwrap();
    let [_, pended, booked] = facts.as_slice() else { panic!("told again and again: {facts:?}") };
    assert!(matches!(pended.event, Event::Pended { attempt: 0, .. }), "a try was used: {pended:?}");
    assert!(matches!(booked.event, Event::Booked { .. }), "{booked:?}");
}
