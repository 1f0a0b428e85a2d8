//! What people set takes effect in a running worker without a restart; a pause keeps what comes,
//! and a resume lets it go on.

use concilia_tests::harness::shop::Payment;
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::domain::event::{Event, SettingChange};
use jiff::SignedDuration;
use serde_json::json;

crate::on!(
    sqlite_odoo_17_jsonrpc, postgres_odoo_19_json2:
    what_people_set_takes_effect_without_a_restart
);
crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    a_paused_account_keeps_what_comes_until_it_is_resumed
);

const ACCOUNT: &str = "generic";

async fn what_people_set_takes_effect_without_a_restart(options: Options) {
    let system = System::start(options).await;
    system.shop.order(15_990, "name", "IN-ANOTHER-PLACE");
    let payment = system.pay_with(15_990, "metadata", json!({"shop_number": "IN-ANOTHER-PLACE"}));
    system.received(Some(ACCOUNT), payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "pending").await;
    assert_eq!(row.reason.as_deref(), Some("no_match"));
    set(&system, "match_keys", "metadata.shop_number").await;
    system.rests_as(&payment.event, "reconciled").await;

    // Another mode: what is Odoo's own is found from now on.
    let order = system.shop.order(9_990, "name", "PORTAL");
    let reference = system.shop.begins_to_pay(&order);
    set(&system, "mode", "A").await;
    let payment = system.pay(9_990, &reference);
    system.received(Some(ACCOUNT), payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "reconciled").await;
    assert_eq!(row.odoo.unwrap().transaction, reference);
    // Not so for another account.
    let order = system.shop.order(8_990, "name", "IN-METADATA");
    let other = system.pay_with(8_990, "metadata", json!({"shop_number": order.key}));
    system.received(Some("shopify"), other.body.clone()).await;
    system.rests_as(&other.event, "pending").await;
    system.finish_with_pending(&[&other.event]).await;
}

async fn a_paused_account_keeps_what_comes_until_it_is_resumed(options: Options) {
    let system = System::start(options).await;
    let paused =
        Event::AccountPaused { by: "ana".to_owned(), why: "the year is closed".to_owned() };
    system.decide(ACCOUNT, paused).await;
    let writes = system.shop.writes();
    let kept = is_put_off(&system).await;
    let elsewhere = system.shop.order(1_000, "client_order_ref", "ELSEWHERE");
    let elsewhere = system.pay(1_000, &elsewhere.key);
    system.received(Some("shopify"), elsewhere.body.clone()).await;
    system.rests_as(&elsewhere.event, "reconciled").await;
    assert!(!system.shop.booked().contains_key(&kept.checkout));
    assert!(system.shop.writes() > writes, "another account goes on");

    system.decide(ACCOUNT, Event::AccountResumed { by: "ana".to_owned() }).await;
    let row = system.rests_as(&kept.event, "reconciled").await;
    assert_eq!(system.facts(&row.stream).await, ["webhook_received", "booked"]);
    system.finish().await;
}

/// Delivers payments until one was looked at and put off: a worker may know the account as it was
/// a second ago.
async fn is_put_off(system: &System) -> Payment {
    for number in 0.. {
        let order = system.shop.order(15_990, "name", &format!("PAUSED-{number}"));
        let payment = system.pay(15_990, &order.key);
        system.received(Some(ACCOUNT), payment.body.clone()).await;
        let put_off = wait::until("the payment to be looked at", PATIENCE, async || {
            if system.shop.booked().contains_key(&payment.checkout) {
                return Ok(false);
            }
            let due = system.log().await.next_due().await.map_err(|error| error.to_string())?;
            let later = SystemClock.now() + SignedDuration::from_mins(10);
            let rows = system.events().await;
            let row = rows.iter().find(|row| row.event_id == payment.event);
            match (due, row) {
                (Some(due), Some(_)) if due > later => Ok(true),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        if put_off {
            return payment;
        }
    }
    unreachable!("an account is paused a second after it was")
}

async fn set(system: &System, key: &str, to: &str) {
    let change = SettingChange { key: key.to_owned(), from: None, to: Some(to.to_owned()) };
    let changed = Event::SettingsChanged { by: "ana".to_owned(), why: None, changes: vec![change] };
    system.decide(ACCOUNT, changed).await;
}
