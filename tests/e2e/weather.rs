//! Odoo or Ventipay is down for a while: events wait by themselves, use up no try, and are
//! booked when it is back.

use concilia_shared::id::StreamId;
use concilia_tests::harness::shop::Fault;
use concilia_tests::harness::system::{Options, System};
use concilia_tests::ventipay::{self, FaultPlan};
use concilia_worker::domain::event::Event;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    bad_weather_is_waited_out
);

async fn bad_weather_is_waited_out(options: Options) {
    let system = System::start(options).await;
    waited_out(&system, "ODOO-DOWN", "odoo_unavailable", || system.shop.goes_down()).await;
    let down = [
        Fault::Close,
        Fault::Status { status: 503, retry_after_s: Some(1) },
        Fault::Html,
        Fault::DatabaseGone,
    ];
    for (number, fault) in down.into_iter().enumerate() {
        let set = |fault: &Fault| system.shop.fail_everything(fault.clone());
        waited_out(&system, &format!("ODOO-{number}"), "odoo_unavailable", || set(&fault)).await;
    }
    let down =
        [ventipay::Fault::Down, ventipay::Fault::Status { status: 503, retry_after_s: None }];
    for (number, fault) in down.into_iter().enumerate() {
        let set = || system.ventipay.set_fault(Some(FaultPlan::always(fault.clone())));
        waited_out(&system, &format!("VENTIPAY-{number}"), "ventipay_unavailable", set).await;
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
