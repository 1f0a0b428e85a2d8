//! The contract: claims, leases, waking.

use std::time::{Duration, Instant};

use concilia_worker::store::{Claim, EventStore, StoreError, Then};

use crate::given::{account, arrival, arrival_of, at, settled, step, stream};
use crate::home::Home;

fn objects(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.stream.object()).collect()
}

async fn claim_one(store: &dyn EventStore, holder: &str, seconds: i64) -> Claim {
    let claims = store.claim(holder, at(seconds), at(seconds + 60), 1).await.unwrap();
    assert_eq!(claims.len(), 1, "nothing to claim");
    claims.into_iter().next().unwrap()
}

pub(crate) async fn what_is_new_goes_before_what_waits(home: &Home) {
    let store = home.open().await;
    let batch = [arrival("evt_1", "waits", 1), arrival("evt_2", "longer", 2)];
    store.admit(&batch, at(0)).await.unwrap();
    let claims = store.claim("w", at(0), at(60), 9).await.unwrap();
    assert_eq!(claims.len(), 2);
    for claim in &claims {
        let due = if claim.stream.object() == "longer" { 10 } else { 20 };
        let wait = step(vec![], 1, Then::DueAt(at(due)));
        store.advance(claim, &wait, at(1)).await.unwrap();
    }
    store.admit(&[arrival("evt_3", "fresh", 3)], at(30)).await.unwrap();
    store.admit(&[arrival("evt_4", "fresher", 4)], at(31)).await.unwrap();

    assert!(store.claim("w", at(5), at(60), 9).await.unwrap().is_empty());
    let claims = store.claim("w", at(40), at(100), 3).await.unwrap();
    assert_eq!(objects(&claims), ["fresh", "fresher", "longer"]);
    let claims = store.claim("w", at(40), at(100), 3).await.unwrap();
    assert_eq!(objects(&claims), ["waits"]);
}

pub(crate) async fn a_claimed_stream_is_nobody_elses_until_the_lease_ends(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let mine = claim_one(&*store, "mine", 0).await;
    assert_eq!((mine.stream.object(), mine.holder.as_str()), ("a", "mine"));
    let none = store.claim("other", at(59), at(120), 9).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(at(60)));
    // Past the lease but not taken over, it is still mine.
    let rest = step(vec![settled("evt_1")], 1, Then::Rest);
    store.advance(&mine, &rest, at(70)).await.unwrap();
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 2);
    assert!(store.claim("w", at(99), at(120), 9).await.unwrap().is_empty());
}

pub(crate) async fn a_lease_taken_over_leaves_the_old_holder_nothing_to_write(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let old = claim_one(&*store, "old", 0).await;
    let new = claim_one(&*store, "new", 60).await;
    let rest = step(vec![settled("evt_1")], 1, Then::Rest);
    for then in [Then::Rest, Then::Continue, Then::DueAt(at(99))] {
        let late = step(vec![settled("evt_1")], 1, then);
        let refused = store.advance(&old, &late, at(61)).await;
        assert!(matches!(refused, Err(StoreError::Conflict)));
    }
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 1);
    store.advance(&new, &rest, at(62)).await.unwrap();
    // Released is released.
    let again = store.advance(&new, &step(vec![], 2, Then::Rest), at(63)).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 2);
}

pub(crate) async fn one_holder_claiming_twice_is_two_holders(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let old = claim_one(&*store, "w", 0).await;
    let new = claim_one(&*store, "w", 60).await;
    let rest = step(vec![], 1, Then::Rest);
    let refused = store.advance(&old, &rest, at(61)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    store.advance(&new, &rest, at(61)).await.unwrap();
}

pub(crate) async fn an_arrival_during_a_lease_is_not_lost(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let claim = claim_one(&*store, "w", 0).await;
    store.admit(&[arrival("evt_2", "a", 2)], at(5)).await.unwrap();
    let none = store.claim("other", at(6), at(66), 9).await.unwrap();
    assert!(none.is_empty(), "it is still claimed");

    // Decided before the arrival: nothing is written, and the claim is still held.
    let blind = step(vec![settled("evt_1")], 1, Then::Rest);
    let refused = store.advance(&claim, &blind, at(7)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 2);
    let seeing = step(vec![settled("evt_1")], 2, Then::DueAt(at(900)));
    store.advance(&claim, &seeing, at(8)).await.unwrap();

    // Whatever the release said, what came meanwhile is due, and goes first.
    assert_eq!(store.next_due().await.unwrap(), Some(at(8)));
    let claim = claim_one(&*store, "w", 8).await;
    let rest = step(vec![settled("evt_2")], 3, Then::Rest);
    store.advance(&claim, &rest, at(9)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
}

pub(crate) async fn a_stream_at_rest_is_not_due_until_something_comes(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let claim = claim_one(&*store, "w", 0).await;
    let rest = step(vec![settled("evt_1")], 1, Then::Rest);
    store.advance(&claim, &rest, at(1)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.wake(None, at(2)).await.unwrap(), 0);
    assert!(store.claim("w", at(3), at(60), 9).await.unwrap().is_empty());
    store.admit(&[arrival("evt_2", "a", 2)], at(4)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(4)));
    claim_one(&*store, "w", 4).await;
}

pub(crate) async fn a_step_that_goes_on_keeps_the_claim(home: &Home) {
    let store = home.open().await;
    let batch = [arrival("evt_1", "a", 1), arrival("evt_2", "a", 2)];
    store.admit(&batch, at(0)).await.unwrap();
    let claim = claim_one(&*store, "w", 0).await;
    let on = step(vec![settled("evt_1")], 2, Then::Continue);
    store.advance(&claim, &on, at(1)).await.unwrap();
    assert!(store.claim("x", at(2), at(60), 9).await.unwrap().is_empty());
    let done = step(vec![settled("evt_2")], 3, Then::Rest);
    store.advance(&claim, &done, at(3)).await.unwrap();
    let log = store.stream(&stream("a")).await.unwrap();
    let sequences: Vec<i64> = log.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert_eq!(log[3].recorded_at, at(3));
}

pub(crate) async fn the_next_due_time_counts_leases(home: &Home) {
    let store = home.open().await;
    assert_eq!(store.next_due().await.unwrap(), None);
    let batch = [arrival("evt_1", "a", 1), arrival("evt_2", "b", 2)];
    store.admit(&batch, at(0)).await.unwrap();
    let claims = store.claim("w", at(0), at(60), 9).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(60)));
    let wait = step(vec![], 1, Then::DueAt(at(30)));
    store.advance(&claims[0], &wait, at(1)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(30)));
}

pub(crate) async fn waking_makes_what_waits_due(home: &Home) {
    let store = home.open().await;
    let batch = [
        arrival_of("main", "evt_1", "a", 1),
        arrival_of("other", "evt_1", "a", 2),
        arrival_of("main", "evt_2", "b", 3),
    ];
    store.admit(&batch, at(0)).await.unwrap();
    for claim in store.claim("w", at(0), at(60), 9).await.unwrap() {
        let wait = step(vec![], 1, Then::DueAt(at(1_000)));
        store.advance(&claim, &wait, at(1)).await.unwrap();
    }
    let main = account("main");
    assert_eq!(store.wake(Some(&main), at(10)).await.unwrap(), 2);
    assert_eq!(store.wake(Some(&main), at(10)).await.unwrap(), 0);
    let claims = store.claim("w", at(10), at(60), 9).await.unwrap();
    assert!(claims.iter().all(|claim| claim.stream.account() == "main"));
    assert_eq!(claims.len(), 2);
    assert_eq!(store.wake(Some(&account("other")), at(20)).await.unwrap(), 1);
    assert_eq!(store.next_due().await.unwrap(), Some(at(20)));
}

pub(crate) async fn waking_reaches_a_stream_that_is_claimed(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let claim = claim_one(&*store, "w", 0).await;
    assert_eq!(store.wake(None, at(5)).await.unwrap(), 1);
    assert!(store.claim("x", at(6), at(66), 9).await.unwrap().is_empty());
    let wait = step(vec![], 1, Then::DueAt(at(1_000)));
    store.advance(&claim, &wait, at(7)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(7)));
}

/// Best of some tries, each with a stream of its own: admitted, claimed, released at rest.
async fn claim_time(store: &dyn EventStore, name: &str) -> Duration {
    let mut best = Duration::MAX;
    for n in 0..15 {
        let id = format!("evt_{name}_{n}");
        store.admit(&[arrival(&id, &id, 1)], at(0)).await.unwrap();
        let start = Instant::now();
        let claims = store.claim("w", at(1), at(60), 4).await.unwrap();
        best = best.min(start.elapsed());
        assert_eq!(objects(&claims), [id.as_str()]);
        let rest = step(vec![settled(&id)], 1, Then::Rest);
        store.advance(&claims[0], &rest, at(2)).await.unwrap();
    }
    best
}

pub(crate) async fn a_hundred_thousand_waiting_streams_do_not_slow_a_fresh_one(home: &Home) {
    let store = home.open().await;
    let empty = claim_time(&*store, "before").await;
    let numbers =
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < 100000)";
    let due = if home.is_sqlite() {
        at(5_000).as_microsecond().to_string()
    } else {
        format!("timestamptz '{}'", at(5_000))
    };
    home.sql(&format!(
        "{numbers} insert into work (stream, account, due_at, fresh, generation)
         select 'main/waits-' || n, 'main', {due}, 1 > 2, 1 from n"
    ))
    .await
    .unwrap();
    let full = claim_time(&*store, "after").await;
    // A walk over the waiting rows takes some hundred times as long as a claim; the floor
    // keeps a fast machine's noise out.
    let bound = (empty * 5).max(Duration::from_millis(5));
    assert!(full < bound, "{full:?} with 100,000 waiting, {empty:?} without");
    assert_eq!(store.next_due().await.unwrap(), Some(at(5_000)));
    assert_eq!(store.wake(None, at(10)).await.unwrap(), 100_000);
    assert_eq!(store.claim("w", at(10), at(60), 50).await.unwrap().len(), 50);
}
