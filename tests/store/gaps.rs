//! The contract: which messages of the broker were never seen.

use concilia_worker::store::EventStore;

use crate::given::{BROKER, arrival, at};
use crate::home::Home;

async fn admit(store: &dyn EventStore, positions: impl IntoIterator<Item = u64>) {
    let arrivals: Vec<_> = positions
        .into_iter()
        .map(|n| arrival(&format!("evt_{n}"), &format!("event-{n}"), n))
        .collect();
    store.admit(&arrivals, at(0)).await.unwrap();
}

async fn missing(store: &dyn EventStore, from: u64, through: u64) -> Vec<(u64, u64)> {
    store.missing(BROKER, from, through, 100).await.unwrap()
}

pub(crate) async fn what_was_never_seen_is_missing(home: &Home) {
    let store = home.open().await;
    assert_eq!(missing(&*store, 1, 10).await, [(1, 10)]);
    admit(&*store, [2, 3, 6, 9]).await;
    assert_eq!(missing(&*store, 1, 10).await, [(1, 1), (4, 5), (7, 8), (10, 10)]);
    assert_eq!(missing(&*store, 2, 6).await, [(4, 5)]);
    let two = store.missing(BROKER, 1, 10, 2).await.unwrap();
    assert_eq!(two, [(1, 1), (4, 5)]);
    assert_eq!(missing(&*store, 5, 4).await, []);
    // A duplicate's position is seen as well.
    let duplicate = arrival("evt_2", "event-2", 4);
    store.admit(&[duplicate], at(1)).await.unwrap();
    assert_eq!(missing(&*store, 1, 6).await, [(1, 1), (5, 5)]);
}

pub(crate) async fn a_database_set_back_in_time_shows_what_it_lost(home: &Home) {
    let store = home.open().await;
    admit(&*store, 1..=6_000).await;
    assert_eq!(missing(&*store, 1, 6_000).await, []);
    let known = "select last from broker_watermarks";
    assert_eq!(home.number(known).await, 6_000);
    // The broker acknowledged on to 6,010; the commits of 6,001 to 6,008 are no more.
    admit(&*store, [6_009, 6_010]).await;
    assert_eq!(missing(&*store, 1, 6_010).await, [(6_001, 6_008)]);
    admit(&*store, 6_001..=6_008).await;
    assert_eq!(missing(&*store, 1, 6_010).await, []);
    assert_eq!(home.number(known).await, 6_010);
}

pub(crate) async fn what_the_broker_no_longer_has_is_not_asked_for_again(home: &Home) {
    let store = home.open().await;
    admit(&*store, [5, 8]).await;
    store.note_gone(BROKER, &[(1, 4), (7, 7)]).await.unwrap();
    store.note_gone(BROKER, &[(1, 4), (3, 2)]).await.unwrap();
    store.note_gone(BROKER, &[]).await.unwrap();
    assert_eq!(missing(&*store, 1, 9).await, [(6, 6), (9, 9)]);
    store.note_gone(BROKER, &[(6, 6)]).await.unwrap();
    assert_eq!(missing(&*store, 1, 8).await, []);
}

pub(crate) async fn each_broker_stream_has_its_own_gaps(home: &Home) {
    let store = home.open().await;
    admit(&*store, [1, 2]).await;
    assert_eq!(missing(&*store, 1, 2).await, []);
    let anew = store.missing("VENTIPAY@later", 1, 2, 9).await.unwrap();
    assert_eq!(anew, [(1, 2)]);
}
