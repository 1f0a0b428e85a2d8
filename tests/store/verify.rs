//! The contract: whatever is changed in a table, `verify` names it.

use std::collections::BTreeMap;

use concilia_shared::secret::Secret;
use concilia_shared::signature::sign;
use concilia_worker::store::EventStore;
use concilia_worker::verify::{Report, Secrets, verify};

use crate::given::{account, arrival_with_body, at, settled, stream};
use crate::home::Home;
use crate::views::{booked, paid, pended, project_all};

const SECRET: &str = "whs_of_tests";

fn secrets() -> Secrets {
    BTreeMap::from([(account("main"), vec![Secret::new("whs_other"), Secret::new(SECRET)])])
}

/// A log with something of everything.
pub(crate) async fn fill(store: &dyn EventStore) {
    let mut first = paid("main", "evt_1", 1, 100, 0);
    let second = paid("main", "evt_2", 2, 20, 1);
    let conflict = arrival_with_body("main", "evt_1", "checkout-chk_1", 3, b"other");
    let elsewhere = paid("other", "evt_1", 1, 7, 2);
    let secret = Secret::new(SECRET);
    first.webhook.signature = sign(&secret, 1_700_000_000, &first.webhook.body);
    let arrivals = [first, second, conflict, elsewhere];
    store.admit(&arrivals, at(0)).await.unwrap();
    let facts = [
        (stream("checkout-chk_1"), booked("evt_1", "S00001", 100)),
        (stream("checkout-chk_2"), pended("evt_2", &["WEB-2"], 5)),
        (stream("checkout-chk_3"), settled("evt_9")),
    ];
    store.record(&facts, false, at(3)).await.unwrap();
}

async fn report(store: &dyn EventStore, strict: bool) -> Report {
    verify(store, &secrets(), strict, |_| ()).await.unwrap()
}

pub(crate) async fn a_whole_log_is_found_whole(home: &Home) {
    let store = home.open().await;
    assert_eq!(report(&*store, true).await.problem, None, "an empty log");
    fill(&*store).await;
    project_all(home, &*store).await;
    let seen = report(&*store, false).await;
    let expected = Report {
        streams: 4,
        events: 7,
        webhooks: 3,
        conflicts: 1,
        bodies: 4,
        erased: 0,
        proven: 1,
        unproven: 3,
        not_compared: 0,
        problem: None,
    };
    assert_eq!(seen, expected);
}

pub(crate) async fn erased_bodies_and_lost_secrets_are_counted_or_refused(home: &Home) {
    let store = home.open().await;
    fill(&*store).await;
    project_all(home, &*store).await;
    let strict = report(&*store, true).await.problem.unwrap();
    assert!(
        strict.starts_with("payloads: main/evt_1 of") && strict.contains("secrets"),
        "{strict}"
    );
    home.sql("delete from payloads where account = 'other'").await.unwrap();
    let seen = report(&*store, false).await;
    assert_eq!((seen.bodies, seen.erased, seen.problem), (3, 1, None));
}

/// What somebody with a hand in the database does, on either one, and what is named.
const CHANGES: [(&str, &str); 19] = [
    (
        "update events set data = data || ' ' where stream = 'main/checkout-chk_2' and sequence = 2",
        "events: main/checkout-chk_2#2:",
    ),
    (
        "update events set recorded_at = (select max(recorded_at) from events) where stream = 'main/checkout-chk_2' and sequence = 1",
        "events: main/checkout-chk_2#1:",
    ),
    (
        "update events set hash = (select previous from events where sequence = 1 limit 1) where stream = 'main/checkout-chk_1' and sequence = 1",
        "events: main/checkout-chk_1#1:",
    ),
    (
        "update events set about = 'evt_x' where stream = 'main/checkout-chk_3'",
        "events: main/checkout-chk_3#1:",
    ),
    (
        "delete from events where stream = 'main/checkout-chk_2' and sequence = 1",
        "events: main/checkout-chk_2#1:",
    ),
    (
        "delete from events where stream = 'main/checkout-chk_2' and sequence = 2",
        "view_events of evt_2",
    ),
    ("delete from events where stream = 'other/checkout-chk_1'", "webhooks: other/evt_1"),
    (
        "update webhooks set body_hash = 'x' where account = 'other'",
        "webhooks: other/evt_1 of other/checkout-chk_1#1",
    ),
    ("update webhooks set stream = 'main/x' where event_id = 'evt_2'", "webhooks: main/evt_2 of"),
    ("delete from webhooks where event_id = 'evt_2'", "webhooks: main/evt_2 of"),
    (
        "update webhooks set broker_sequence = 77 where event_id = 'evt_2'",
        "broker_positions: VENTIPAY@2026-01-01T00:00:00Z#77",
    ),
    (
        "delete from broker_positions where sequence = 1",
        "broker_positions: VENTIPAY@2026-01-01T00:00:00Z#1",
    ),
    ("update conflicts set body_hash = 'x'", "conflicts: main/evt_1 of"),
    (
        "insert into conflicts (account, event_id, body_hash) values ('main', 'evt_2', 'x')",
        "conflicts: main/evt_2",
    ),
    (
        "update payloads set bytes = (select bytes from payloads where account = 'other') where event_id = 'evt_2'",
        "payloads: main/evt_2 of",
    ),
    ("update payloads set late_s = 5 where event_id = 'evt_2'", "payloads: main/evt_2 of"),
    ("update payloads set body_hash = 'x' where event_id = 'evt_2'", "payloads: main/evt_2"),
    ("delete from work where stream = 'main/checkout-chk_2'", "work: main/checkout-chk_2"),
    (
        "update view_payments set paid = paid + 1 where stream = 'other/checkout-chk_1'",
        "view_payments of other/checkout-chk_1",
    ),
];

pub(crate) async fn whatever_is_changed_is_named(home: &Home) {
    for (change, place) in CHANGES {
        let home = home.another().await;
        let store = home.open().await;
        fill(&*store).await;
        project_all(&home, &*store).await;
        home.disarm_all().await;
        home.sql(change).await.unwrap();
        let named = report(&*store, false).await.problem;
        let named = named.unwrap_or_else(|| panic!("nothing was noticed: {change}"));
        assert!(named.starts_with(place), "{change}: {named}");
    }
}

pub(crate) async fn a_log_that_grows_is_whole_all_the_while(home: &Home) {
    let store = home.open().await;
    let writer = home.open().await;
    let writing = tokio::spawn(async move {
        for n in 0..120_u32 {
            let id = format!("evt_{n}");
            writer.admit(&[paid("main", &id, n % 7, 1, 0)], at(0)).await.unwrap();
            let fact = pended(&id, &["WEB-1"], i64::from(n));
            let of = stream(&format!("checkout-chk_{}", n % 7));
            writer.record(&[(of, fact)], true, at(1)).await.unwrap();
        }
    });
    while !writing.is_finished() {
        assert_eq!(report(&*store, false).await.problem, None);
    }
    writing.await.unwrap();
    project_all(home, &*store).await;
    assert_eq!(report(&*store, false).await.events, 240);
}
