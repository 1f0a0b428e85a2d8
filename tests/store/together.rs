//! The contract: many workers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use concilia_worker::domain::event::Event;
use concilia_worker::store::{Admission, Cursor, EventStore, StoreError, Then};
use tokio::task::JoinSet;

use crate::given::{
    DEADLINE, abouts, arrival, arrival_with_body, at, follow, settled, step, stream,
};
use crate::home::Home;

pub(crate) async fn workers_that_admit_the_same_event_at_once_append_it_once(home: &Home) {
    let mut workers = JoinSet::new();
    for worker in 0..6 {
        let store = home.open().await;
        workers.spawn(async move {
            let mut answers = Vec::new();
            for n in 0..15 {
                let id = format!("evt_{n}");
                // The bodies of worker 5 are others: at any moment one body comes first.
                let body = if worker == 5 { b"other" } else { b"usual" };
                let batch = [
                    arrival_with_body("main", &id, &format!("s-{}", n % 3), n + 1, body),
                    arrival(&format!("evt_{worker}_{n}"), "shared", 100 * worker + n + 1),
                ];
                answers.push(store.admit(&batch, at(0)).await.unwrap()[0]);
            }
            answers
        });
    }
    let answers = workers.join_all().await;
    for n in 0..15 {
        let mut of_one: Vec<Admission> = answers.iter().map(|answers| answers[n]).collect();
        of_one.retain(|answer| *answer == Admission::Appended);
        assert_eq!(of_one.len(), 1, "evt_{n}");
    }
    let store = home.open().await;
    let mut facts = BTreeMap::new();
    for object in ["s-0", "s-1", "s-2"] {
        assert_eq!(store.verify(&stream(object)).await.unwrap(), Ok(()));
        for recorded in store.stream(&stream(object)).await.unwrap() {
            let key = (recorded.event.about().to_owned(), recorded.event.kind());
            *facts.entry(key).or_insert(0) += 1;
        }
    }
    assert_eq!(facts.len(), 30, "each id once received and once contradicted");
    assert!(facts.values().all(|count| *count == 1), "{facts:?}");
    assert_eq!(store.stream(&stream("shared")).await.unwrap().len(), 90);
    assert_eq!(store.verify(&stream("shared")).await.unwrap(), Ok(()));
}

/// Claims and settles until `done` and nothing is due.
async fn settle(store: Arc<dyn EventStore>, holder: String, done: Arc<AtomicBool>) -> usize {
    let mut settled_events = 0;
    let deadline = Instant::now() + DEADLINE;
    loop {
        let was_done = done.load(Ordering::SeqCst);
        let claims = store.claim(&holder, at(1), at(60), 4).await.unwrap();
        if claims.is_empty() && was_done {
            return settled_events;
        }
        assert!(Instant::now() < deadline, "never came to rest");
        for claim in claims {
            loop {
                let log = store.stream(&claim.stream).await.unwrap();
                let about = |kind| -> BTreeSet<_> {
                    let of_kind = log.iter().filter(|it| it.event.kind() == kind);
                    of_kind.map(|it| it.event.about().to_owned()).collect()
                };
                let open = &about("webhook_received") - &about("recorded");
                let facts: Vec<Event> = open.iter().map(|id| settled(id)).collect();
                let count = facts.len();
                let told = step(facts, log.last().unwrap().sequence, Then::Rest);
                match store.advance(&claim, &told, at(1)).await {
                    Ok(()) => {
                        settled_events += count;
                        break;
                    }
                    Err(StoreError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

pub(crate) async fn streams_written_by_many_are_gapless_and_whole(home: &Home) {
    const WORKERS: u64 = 4;
    const EVENTS: u64 = 25;
    let done = Arc::new(AtomicBool::new(false));
    let mut settlers = JoinSet::new();
    for n in 0..2 {
        settlers.spawn(settle(home.open().await, format!("settler-{n}"), done.clone()));
    }
    let mut writers = JoinSet::new();
    for worker in 0..WORKERS {
        let store = home.open().await;
        writers.spawn(async move {
            for n in 0..EVENTS {
                let object = |n: u64| format!("s-{}", n % 5);
                let batch = [n, n + 1, n + 7].map(|n| {
                    let id = format!("evt_{worker}_{n}");
                    arrival(&id, &object(n), worker * 1_000 + n + 1)
                });
                store.admit(&batch, at(0)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    let settled_events: usize = settlers.join_all().await.into_iter().sum();

    let store = home.open().await;
    let mut received = BTreeSet::new();
    let mut outcomes = 0;
    for n in 0..5 {
        let stream = stream(&format!("s-{n}"));
        assert_eq!(store.verify(&stream).await.unwrap(), Ok(()));
        for (sequence, recorded) in (1..).zip(store.stream(&stream).await.unwrap()) {
            assert_eq!(recorded.sequence, sequence);
            match recorded.event {
                Event::WebhookReceived(told) => assert!(received.insert(told.event_id)),
                _ => outcomes += 1,
            }
        }
    }
    assert_eq!(received.len() as u64, WORKERS * (EVENTS + 7));
    assert_eq!((outcomes, settled_events), (received.len(), received.len()));
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn a_stream_is_claimed_by_one_of_many(home: &Home) {
    let store = home.open().await;
    let batch: Vec<_> =
        (1..=40).map(|n| arrival(&format!("evt_{n}"), &format!("s-{n}"), n)).collect();
    store.admit(&batch, at(0)).await.unwrap();
    let mut workers = JoinSet::new();
    for worker in 0..5 {
        let store = home.open().await;
        workers.spawn(async move {
            let holder = format!("w-{worker}");
            let mut mine = Vec::new();
            for _ in 0..20 {
                mine.extend(store.claim(&holder, at(1), at(60), 3).await.unwrap());
            }
            mine
        });
    }
    let claims: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    let streams: BTreeSet<_> = claims.iter().map(|claim| &claim.stream).collect();
    assert_eq!((claims.len(), streams.len()), (40, 40));
}

pub(crate) async fn a_follower_among_writers_skips_nothing(home: &Home) {
    const WORKERS: usize = 4;
    const BATCHES: usize = 20;
    let mut writers = JoinSet::new();
    for worker in 0..WORKERS {
        let store = home.open().await;
        writers.spawn(async move {
            for n in 0..BATCHES {
                let batch: Vec<_> = (0..=n % 4)
                    .map(|m| arrival(&format!("evt_{worker}_{n}_{m}"), &format!("s-{m}"), 1))
                    .collect();
                store.admit(&batch, at(0)).await.unwrap();
            }
        });
    }
    let expected = WORKERS * (0..BATCHES).map(|n| n % 4 + 1).sum::<usize>();
    let store = home.open().await;
    let mut cursor = Cursor::default();
    let seen = abouts(&follow(&*store, &mut cursor, expected, 7).await);
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), expected, "seen twice");
    writers.join_all().await;
    assert!(store.since(cursor, 7).await.unwrap().is_empty());
}

pub(crate) async fn many_processes_may_start_at_once(home: &Home) {
    let mut processes = JoinSet::new();
    for _ in 0..8 {
        let config = crate::home::config_of(home.url());
        processes.spawn(async move { concilia_worker::store::open(&config).await.map(|_| ()) });
    }
    for opened in processes.join_all().await {
        opened.unwrap();
    }
    assert_eq!(home.number("select max(version) - count(*) from migrations").await, 0);
}
