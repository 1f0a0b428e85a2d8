//! A system an account needs is away, or not as it must be: that is told twice in the account's
//! stream, what waits says nothing and uses up no try, and everything is booked afterwards.

use std::time::{Duration, Instant};

use concilia_tests::harness::config::DATABASE;
use concilia_tests::harness::shop::{Fault, Payment};
use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;
use concilia_tests::ventipay::{self, FaultPlan};
use concilia_worker::domain::event::{self, Event};
use concilia_worker::domain::reason::PendingReason;
use concilia_worker::say::{self, Lang};

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    an_outage_is_told_twice_and_everything_is_booked_afterwards
);
crate::on!(
    sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc:
    what_somebody_must_set_right_pauses_the_account_and_says_how
);
crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2:
    retry_after_is_obeyed
);

const ACCOUNT: &str = "generic";

/// An account whose Odoo moves, and the field it looks in.
const MOVING: (&str, &str) = ("shopify", "client_order_ref");

/// Calls that must fail in a row before it is an outage, and one more.
const PAYMENTS: usize = 4;

async fn an_outage_is_told_twice_and_everything_is_booked_afterwards(options: Options) {
    let system = System::start(options).await;
    paid(&system, "BEFORE").await;
    let mut waiting = Vec::new();
    system.shop.goes_down();
    for number in 0..PAYMENTS {
        waiting.push(told(&system, &format!("ODOO-{number}")).await);
    }
    system.account_tells(ACCOUNT, is_outage_of(event::System::Odoo)).await;
    system.shop.is_well_again();
    all_booked(&system, &waiting).await;

    let mut waiting = Vec::new();
    system.ventipay.set_fault(Some(FaultPlan::always(ventipay::Fault::Down)));
    for number in 0..PAYMENTS {
        waiting.push(told(&system, &format!("VENTIPAY-{number}")).await);
    }
    system.account_tells(ACCOUNT, is_outage_of(event::System::Ventipay)).await;
    system.ventipay.set_fault(None);
    all_booked(&system, &waiting).await;

    let facts = system.account_facts(ACCOUNT).await;
    let kinds: Vec<&str> = facts.iter().map(Event::kind).collect();
    let once = ["outage_began", "outage_ended"];
    assert_eq!(kinds, [["database_seen"].as_slice(), &once, &once].concat(), "{facts:?}");
    system.finish().await;
}

async fn what_somebody_must_set_right_pauses_the_account_and_says_how(options: Options) {
    let system = System::start(options).await;
    paid(&system, "BEFORE").await;

    edit_actions(&system);
    let waiting = told(&system, "EDITED").await;
    let sentence = outage(&system, (ACCOUNT, "name")).await;
    assert!(sentence.contains("run `concilia-worker odoo setup`"), "{sentence}");
    let writes = system.shop.writes();
    system.set_up_odoo().await;
    assert!(system.shop.writes() > writes, "the set-up mends it");
    all_booked(&system, &[waiting]).await;

    let uuid = set_uuid(&system, "ffffffff-0d00-4000-8000-00000000c10a");
    let waiting = told(&system, "ANOTHER-DATABASE").await;
    let sentence = outage(&system, (ACCOUNT, "name")).await;
    assert!(sentence.contains("database=ffffffff-0d00-4000"), "{sentence}");
    assert!(!system.shop.booked().contains_key(&waiting.checkout));
    set_uuid(&system, &uuid);
    all_booked(&system, &[waiting]).await;

    // It has moved indeed: a person says so. Another account, whose first outage it is.
    let first = told_of(&system, MOVING, "BEFORE-IT-MOVED").await;
    all_booked(&system, &[first]).await;
    set_uuid(&system, "eeeeeeee-0d00-4000-8000-00000000c10a");
    let waiting = told_of(&system, MOVING, "MOVED").await;
    outage(&system, MOVING).await;
    let change = event::SettingChange {
        key: "database".to_owned(),
        from: Some(uuid),
        to: Some("eeeeeeee-0d00-4000-8000-00000000c10a".to_owned()),
    };
    let (by, why) = ("ana".to_owned(), Some(format!("{DATABASE} was moved")));
    system.decide(MOVING.0, Event::SettingsChanged { by, why, changes: vec![change] }).await;
    all_booked(&system, &[waiting]).await;
    system.finish().await;
}

async fn retry_after_is_obeyed(options: Options) {
    let system = System::start(options).await;
    paid(&system, "BEFORE").await;
    let asked_s = 3;
    system.shop.fail_observations(Fault::Status { status: 429, retry_after_s: Some(asked_s) }, 1);
    let (calls, _) = system.shop.calls();
    let sent = Instant::now();
    let waiting = told(&system, "LIMITED").await;
    all_booked(&system, &[waiting]).await;
    assert!(sent.elapsed() >= Duration::from_secs(asked_s), "{:?}", sent.elapsed());
    let made = system.shop.calls().0 - calls;
    assert!(made <= 3, "refused, looked, booked, and no call in between: {made}");
    system.finish().await;
}

/// A payment of the account, delivered.
async fn told(system: &System, key: &str) -> Payment {
    told_of(system, (ACCOUNT, "name"), key).await
}

async fn told_of(system: &System, (account, field): (&str, &str), key: &str) -> Payment {
    let order = system.shop.order(15_990, field, key);
    let payment = system.pay(15_990, &order.key);
    system.received(Some(account), payment.body.clone()).await;
    payment
}

async fn paid(system: &System, key: &str) {
    let payment = told(system, key).await;
    all_booked(system, &[payment]).await;
}

/// Everything is booked, and nobody said a word meanwhile.
async fn all_booked(system: &System, payments: &[Payment]) {
    for payment in payments {
        let row = system.rests_as(&payment.event, "reconciled").await;
        assert_eq!(system.facts(&row.stream).await, ["webhook_received", "booked"]);
    }
}

fn is_outage_of(wanted: event::System) -> impl Fn(&Event) -> bool {
    move |fact| matches!(fact, Event::OutageBegan { system, .. } if *system == wanted)
}

/// Waits until the account's last fact is an outage; answers what people read of it.
async fn outage(system: &System, (account, _): (&str, &str)) -> String {
    let reason = wait::until("an outage", PATIENCE, async || {
        match system.account_facts(account).await.pop() {
            Some(Event::OutageBegan { reason, .. }) => Ok(reason),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(matches!(reason, PendingReason::NotReady { .. }), "{reason:?}");
    say::pending(&reason, Lang::En)
}

/// Somebody edits the texts of the actions by hand.
fn edit_actions(system: &System) {
    system.shop.odoo.edit(|tx| {
        let ours = tx.ids_where("ir.actions.server", |row| row.text("code").contains("concilia"));
        assert!(!ours.is_empty(), "there are actions of ours");
        for id in ours {
            tx.update("ir.actions.server", id, |row| {
                let edited = format!("{}\n# mended by hand\n", row.text("code"));
                row.set("code", edited.as_str());
            })
            .unwrap_or_else(|refused| panic!("{refused:?}"));
        }
    });
}

/// Another copy of the database answers; answers what it was.
fn set_uuid(system: &System, uuid: &str) -> String {
    system.shop.odoo.edit(|tx| {
        let named = tx.ids_where("ir.config_parameter", |row| row.text("key") == "database.uuid");
        let before = tx.get("ir.config_parameter", named[0]).unwrap().text("value").to_owned();
        tx.update("ir.config_parameter", named[0], |row| row.set("value", uuid))
            .unwrap_or_else(|refused| panic!("{refused:?}"));
        before
    })
}
