//! Properties of the log: delivering anything any number of times, in batches of any size,
//! leaves the log that delivering it once leaves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use concilia_worker::domain::event::Event;
use concilia_worker::store::{Arrival, Cursor, EventStore, Recorded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::given::{arrival_with_body, at, follow};
use crate::home::Home;

/// One delivery: which event, which of its bodies.
type Delivery = (u8, u8);

fn arrivals(account: &str, deliveries: &[Delivery]) -> Vec<Arrival> {
    (1..)
        .zip(deliveries)
        .map(|(position, (event, body))| {
            let id = format!("evt_{event}");
            let object = format!("s-{}", event % 3);
            arrival_with_body(account, &id, &object, position, &[*body])
        })
        .collect()
}

/// What a log says, without what differs between two accounts.
fn told(log: Vec<Recorded>) -> Vec<(String, i64, Event)> {
    log.into_iter().map(|it| (it.stream.object().to_owned(), it.sequence, it.event)).collect()
}

fn duplicates_leave_no_trace(runtime: &Runtime, store: &Arc<dyn EventStore>) {
    let state = RefCell::new((0, Cursor::default()));
    let deliveries = proptest::collection::vec((0_u8..6, 0_u8..2), 1..30);
    let batches = proptest::collection::vec(1_usize..6, 30);
    // A case costs some tens of synced transactions.
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    runner
        .run(&(deliveries, batches), |(deliveries, batches)| {
            // Each case has accounts of its own, and goes on where the last one ended.
            let (mut number, mut cursor) = *state.borrow();
            number += 1;
            let (once, often) = (format!("once-{number}"), format!("often-{number}"));
            let mut seen = BTreeSet::new();
            let firsts: Vec<Delivery> =
                deliveries.iter().filter(|delivery| seen.insert(**delivery)).copied().collect();
            runtime.block_on(async {
                for arrival in arrivals(&once, &firsts) {
                    store.admit(&[arrival], at(0)).await.unwrap();
                }
                let once = follow(&**store, &mut cursor, firsts.len(), 500).await;
                let all = arrivals(&often, &deliveries);
                let mut rest = &all[..];
                for size in batches {
                    let (batch, later) = rest.split_at(size.min(rest.len()));
                    store.admit(batch, at(0)).await.unwrap();
                    rest = later;
                }
                store.admit(&all, at(0)).await.unwrap();
                // One more, to see that nothing stands between.
                let end = arrival_with_body("end", &format!("evt_{number}"), "end", 1, b"");
                store.admit(&[end], at(0)).await.unwrap();
                let mut often = follow(&**store, &mut cursor, firsts.len() + 1, 500).await;
                let end = often.pop().unwrap();
                *state.borrow_mut() = (number, cursor);
                prop_assert_eq!(end.stream.object(), "end");
                prop_assert_eq!(told(once), told(often));
                Ok(())
            })
        })
        .unwrap();
}

#[test]
fn delivering_many_times_is_delivering_once_on_postgres() {
    let runtime = Runtime::new().unwrap();
    let home = runtime.block_on(Home::postgres());
    let store = runtime.block_on(home.open());
    duplicates_leave_no_trace(&runtime, &store);
}

#[test]
fn delivering_many_times_is_delivering_once_on_sqlite() {
    let runtime = Runtime::new().unwrap();
    let home = runtime.block_on(Home::sqlite());
    let store = runtime.block_on(home.open());
    duplicates_leave_no_trace(&runtime, &store);
}
