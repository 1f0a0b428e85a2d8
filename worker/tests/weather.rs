//! Outages, pauses and settings of an account, through the real store and a scripted Odoo: what
//! is told in the account's stream, and what waits without a word.
//!
//! Not here: real servers that go away (`tests/e2e`).

#![expect(clippy::unwrap_used, reason = "a run that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use concilia_shared::config::{self, Retry};
use concilia_shared::id::{AccountName, StreamId};
use concilia_shared::secret::Secret;
use concilia_shared::webhook::Webhook;
use concilia_worker::account::AccountShell;
use concilia_worker::clock::{Clock, ManualClock};
use concilia_worker::domain::account::AccountState;
use concilia_worker::domain::event::{Event, SettingChange, System};
use concilia_worker::domain::interpret::interpret;
use concilia_worker::domain::observe::{Command, Found, InOdoo, Lookup, News, NewsQuery, Outcome};
use concilia_worker::domain::reason::{NotReady, PendingReason};
use concilia_worker::domain::record::{Record, Recorded};
use concilia_worker::odoo::{Odoo, OdooError};
use concilia_worker::settle::settle;
use concilia_worker::shell::Shell;
use concilia_worker::store::{self, Arrival, BrokerPosition};
use concilia_worker::weather;
use jiff::SignedDuration;

const START: &str = "2026-01-05T12:00:00Z";

/// An Odoo that holds nothing, and fails as the test says.
#[derive(Default)]
struct Scripted {
    fails: Mutex<Option<OdooError>>,
    /// What it says of every event, while it answers all else.
    observe_fails: Mutex<Option<OdooError>>,
    database: Mutex<Option<String>>,
    observed: Mutex<u32>,
    fields: Mutex<Vec<String>>,
}

#[async_trait]
impl Odoo for Scripted {
    async fn observe(&self, lookups: &[Lookup]) -> Result<Vec<InOdoo>, OdooError> {
        *self.observed.lock().unwrap() += 1;
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let rehearsal = lookups.iter().any(|lookup| lookup.names[0].as_str() == "chk_rehearsal");
        if let (Some(error), false) = (self.observe_fails.lock().unwrap().clone(), rehearsal) {
            return Err(error);
        }
        let mut fields = self.fields.lock().unwrap();
        *fields = lookups[0].probes.iter().map(|probe| probe.field.clone()).collect();
        let found = |lookup: &Lookup| InOdoo {
            probes: lookup
                .probes
                .iter()
                .map(|probe| Found {
                    probe: probe.clone(),
                    unknown_field: false,
                    orders: Vec::new(),
                })
                .collect(),
            ..InOdoo::default()
        };
        Ok(lookups.iter().map(found).collect())
    }

    async fn perform(&self, _: &[Command]) -> Result<Vec<Outcome>, OdooError> {
        panic!("nothing is to be done in this Odoo")
    }

    async fn record(&self, _: &[Record]) -> Result<Vec<Recorded>, OdooError> {
        panic!("nothing is to be recorded in this Odoo")
    }

    async fn news(&self, _: &NewsQuery) -> Result<News, OdooError> {
        Ok(News::default())
    }

    async fn ping(&self) -> Result<(), OdooError> {
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn database(&self) -> Option<String> {
        self.database.lock().unwrap().clone()
    }
}

struct Run {
    shell: Shell,
    clock: Arc<ManualClock>,
    odoo: Arc<Scripted>,
    places: u64,
    _folder: tempfile::TempDir,
}

fn name() -> AccountName {
    AccountName::parse("main").unwrap()
}

fn away(retry_after_s: Option<u64>) -> OdooError {
    OdooError::Unavailable { detail: "away".to_owned(), retry_after_s }
}

impl Run {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("log.db").display());
        let store = config::Store {
            url: Secret::new(&url),
            connections_max: 2,
            ..config::Store::default()
        };
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let odoo = Arc::new(Scripted::default());
        *odoo.database.lock().unwrap() = Some("u1".to_owned());
        let text = "[accounts.main]\nenvironment = \"test\"\n[accounts.main.odoo]\nurl = \"http://o\"\ndatabase = \"d\"\n";
        let account = config::load(text, []).unwrap().accounts.remove(&name()).unwrap();
        let port = Some(Arc::clone(&odoo) as Arc<dyn Odoo>);
        let ports = AccountShell::new(name(), account, port, None);
        let shell = Shell {
            store: store::open(&store).await.unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            call_max: SignedDuration::from_secs(20),
            schedule: Retry::default(),
            accounts: BTreeMap::from([(name(), ports)]),
            due: tokio::sync::Notify::new(),
        };
        Self { shell, clock, odoo, places: 0, _folder: folder }
    }

    async fn deliver(&mut self, number: u32) {
        let body = format!(
            r#"{{"data":{{"amount":1000,"currency":"clp","external_id":"{number}","id":"chk_{number}"}},"id":"evt_{number}","live":false,"type":"checkout.paid"}}"#
        );
        let webhook = Webhook {
            account: name(),
            signature: "t=1,v1=x".to_owned(),
            received_at: self.clock.now(),
            late_s: None,
            traceparent: None,
            body: body.into_bytes(),
        };
        let (told, stream) = interpret(&webhook);
        self.places += 1;
        let position = BrokerPosition { stream: "S@1".to_owned(), sequence: self.places };
        let arrival = Arrival { webhook, told, stream, position };
        self.shell.store.admit(&[arrival], self.clock.now()).await.unwrap();
    }

    /// Settles what is due now; answers how many streams were.
    async fn work(&self) -> usize {
        let now = self.clock.now();
        let lease = now + SignedDuration::from_secs(60);
        let claims = self.shell.store.claim("w", now, lease, 100).await.unwrap();
        for claim in &claims {
            settle(&self.shell, claim, now + SignedDuration::from_secs(40)).await.unwrap();
        }
        claims.len()
    }

    fn later(&self, seconds: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_secs(seconds));
    }

    async fn kinds(&self, stream: &StreamId) -> Vec<&'static str> {
        let history = self.shell.store.stream(stream).await.unwrap();
        history.iter().map(|recorded| recorded.event.kind()).collect()
    }

    async fn of_account(&self) -> Vec<&'static str> {
        self.kinds(&AccountState::stream(&name())).await
    }

    async fn of_checkout(&self, number: u32) -> Vec<&'static str> {
        self.kinds(&StreamId::of(&name(), &format!("checkout-chk_{number}")).unwrap()).await
    }

    async fn record(&self, event: Event) {
        let fact = (AccountState::stream(&name()), event);
        self.shell.store.record(&[fact], false, self.clock.now()).await.unwrap();
        // Older than what is remembered of the account.
        self.later(2);
    }
}

#[tokio::test]
async fn an_outage_is_two_events_and_what_waits_says_nothing() {
    let mut run = Run::new().await;
    *run.odoo.fails.lock().unwrap() = Some(away(None));
    for number in 1..=5 {
        run.deliver(number).await;
    }
    assert_eq!(run.work().await, 5);
    assert_eq!(run.of_account().await, ["outage_began"]);
    let asked = |run: &Run| *run.odoo.observed.lock().unwrap();
    assert_eq!(asked(&run), 4, "three events and the question that makes sure");
    run.later(60);
    weather::look_around(&run.shell).await;
    run.work().await;
    assert_eq!(asked(&run), 5, "no event asks while the outage lasts");
    *run.odoo.fails.lock().unwrap() = None;
    run.later(600);
    weather::look_around(&run.shell).await;
    assert_eq!(run.of_account().await, ["outage_began", "outage_ended"]);
    assert_eq!(run.work().await, 5, "all are woken");
    for number in 1..=5 {
        assert_eq!(run.of_checkout(number).await, ["webhook_received", "pended"], "no try is lost");
    }
}

#[tokio::test]
async fn a_hiccup_is_no_outage() {
    let mut run = Run::new().await;
    *run.odoo.fails.lock().unwrap() = Some(away(None));
    run.deliver(1).await;
    run.work().await;
    *run.odoo.fails.lock().unwrap() = None;
    run.later(15);
    assert_eq!(run.work().await, 1);
    assert_eq!(run.of_account().await, ["database_seen"]);
    assert_eq!(run.of_checkout(1).await, ["webhook_received", "pended"]);
}

#[tokio::test]
async fn retry_after_is_waited_out() {
    let mut run = Run::new().await;
    *run.odoo.fails.lock().unwrap() = Some(away(Some(120)));
    run.deliver(1).await;
    run.work().await;
    *run.odoo.fails.lock().unwrap() = None;
    run.later(119);
    assert_eq!(run.work().await, 0);
    run.later(1);
    assert_eq!(run.work().await, 1);
}

#[tokio::test]
async fn what_must_be_set_right_pauses_the_account_at_once_and_the_next_trouble_is_told() {
    let mut run = Run::new().await;
    let not_ready = |why| Some(OdooError::NotReady(why));
    *run.odoo.fails.lock().unwrap() = not_ready(NotReady::ActionMissing);
    run.deliver(1).await;
    run.work().await;
    assert_eq!(run.of_account().await, ["outage_began"]);
    *run.odoo.fails.lock().unwrap() = not_ready(NotReady::ProviderDisabled);
    run.later(600);
    weather::look_around(&run.shell).await;
    assert_eq!(run.of_account().await, ["outage_began", "outage_ended", "outage_began"]);
    let current = run.shell.accounts[&name()]
        .current(run.shell.store.as_ref(), run.clock.now())
        .await
        .unwrap();
    let reason = PendingReason::NotReady { why: NotReady::ProviderDisabled };
    assert_eq!(current.state.outages[&System::Odoo].reason, reason);
}

#[tokio::test]
async fn trouble_only_one_event_has_does_not_stop_the_account_again_and_again() {
    let mut run = Run::new().await;
    let why = NotReady::Misconfigured { detail: "odd".to_owned() };
    *run.odoo.observe_fails.lock().unwrap() = Some(OdooError::NotReady(why));
    run.deliver(1).await;
    for _ in 0..3 {
        run.work().await;
        run.later(600);
        weather::look_around(&run.shell).await;
    }
    assert!(run.of_account().await.is_empty());
    let facts = run.of_checkout(1).await;
    assert_eq!(facts, ["webhook_received", "pended", "pended", "pended"], "its own retries");
}

#[tokio::test]
async fn a_copy_of_the_database_is_not_worked_with_until_a_person_says_so() {
    let mut run = Run::new().await;
    run.deliver(1).await;
    run.work().await;
    assert_eq!(run.of_account().await, ["database_seen"]);
    *run.odoo.database.lock().unwrap() = Some("u2".to_owned());
    run.deliver(2).await;
    run.work().await;
    assert_eq!(run.of_account().await, ["database_seen", "outage_began"]);
    assert_eq!(run.of_checkout(2).await, ["webhook_received"]);
    run.later(600);
    weather::look_around(&run.shell).await;
    assert_eq!(run.of_account().await.len(), 2, "it answers, and is still the wrong one");
    let change = SettingChange {
        key: "database".to_owned(),
        from: Some("u1".to_owned()),
        to: Some("u2".to_owned()),
    };
    let (by, why) = ("ana".to_owned(), None);
    run.record(Event::SettingsChanged { by, why, changes: vec![change] }).await;
    run.later(600);
    weather::look_around(&run.shell).await;
    run.work().await;
    assert_eq!(run.of_checkout(2).await, ["webhook_received", "pended"]);
}

#[tokio::test]
async fn a_paused_account_keeps_what_comes_and_asks_nobody() {
    let mut run = Run::new().await;
    let (by, why) = ("ana".to_owned(), "closing the year".to_owned());
    run.record(Event::AccountPaused { by: by.clone(), why }).await;
    run.deliver(1).await;
    run.work().await;
    assert_eq!(run.of_checkout(1).await, ["webhook_received"]);
    assert_eq!(*run.odoo.observed.lock().unwrap(), 0);
    run.record(Event::AccountResumed { by }).await;
    run.shell.store.wake(Some(&name()), run.clock.now()).await.unwrap();
    run.work().await;
    assert_eq!(run.of_checkout(1).await, ["webhook_received", "pended"]);
}

/// Who ends a pause or an outage wakes what waits once; what a process remembers of the account may
/// be a second older than that.
#[tokio::test]
async fn what_is_woken_is_not_put_off_again_by_what_a_process_remembers() {
    let mut run = Run::new().await;
    let (by, why) = ("ana".to_owned(), "closing the year".to_owned());
    run.record(Event::AccountPaused { by: by.clone(), why }).await;
    run.deliver(1).await;
    run.work().await;
    let resumed = (AccountState::stream(&name()), Event::AccountResumed { by });
    run.shell.store.record(&[resumed], false, run.clock.now()).await.unwrap();
    run.shell.store.wake(Some(&name()), run.clock.now()).await.unwrap();
    run.work().await;
    assert_eq!(run.of_checkout(1).await, ["webhook_received", "pended"]);
}

#[tokio::test]
async fn a_setting_takes_effect_without_a_restart() {
    let mut run = Run::new().await;
    run.deliver(1).await;
    run.work().await;
    assert_eq!(*run.odoo.fields.lock().unwrap(), ["name", "client_order_ref", "origin"]);
    let change =
        SettingChange { key: "connector".to_owned(), from: None, to: Some("shopify".to_owned()) };
    let (by, why) = ("ana".to_owned(), None);
    run.record(Event::SettingsChanged { by, why, changes: vec![change] }).await;
    run.deliver(2).await;
    run.work().await;
    assert_eq!(*run.odoo.fields.lock().unwrap(), ["client_order_ref"]);
}
