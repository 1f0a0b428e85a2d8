//! The contract: webhooks that are read again are held by the transaction that appends them.

use concilia_worker::domain::event::Event;
use concilia_worker::domain::state::State;
use concilia_worker::store::{Admission, EventStore, Then};

use crate::given::{
    BROKER, account, arrival, arrival_with_body, at, event_id, settled, step, stream,
};
use crate::home::Home;

pub(crate) async fn what_is_read_again_is_held_and_wakes_nobody(home: &Home) {
    let store = home.open().await;
    let again = [arrival("evt_1", "a", 1), arrival("evt_2", "a", 2), arrival("evt_1", "a", 3)];
    let admissions = store.admit_held(&again, at(0)).await.unwrap();
    assert_eq!(admissions, [Admission::Appended, Admission::Appended, Admission::Duplicate]);
    let expected = [
        Event::WebhookReceived(again[0].told.clone()),
        Event::Held { about: event_id("evt_1") },
        Event::WebhookReceived(again[1].told.clone()),
        Event::Held { about: event_id("evt_2") },
    ];
    assert_eq!(events(store.as_ref(), "a").await, expected);
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
    let kept = store.payload(&account("main"), &event_id("evt_2")).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&again[1].webhook));
    assert_eq!(store.next_due().await.unwrap(), None);
    assert!(store.claim("w", at(1), at(60), 9).await.unwrap().is_empty());

    // Once more, and told fresh by the broker: nothing is new, and it stays held.
    let known = store.admit_held(&again, at(2)).await.unwrap();
    assert_eq!(known, [Admission::Duplicate; 3]);
    store.admit(&again, at(3)).await.unwrap();
    assert_eq!(events(store.as_ref(), "a").await, expected);
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn a_held_stream_is_due_when_it_is_released(home: &Home) {
    let store = home.open().await;
    store.admit_held(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let released = Event::Released { about: event_id("evt_1"), by: "ana".to_owned() };
    store.record(&[(stream("a"), released)], true, at(1)).await.unwrap();
    assert!(!state(store.as_ref(), "a").await.held);
    let claims = store.claim("w", at(2), at(60), 9).await.unwrap();
    assert_eq!(claims.len(), 1);
}

pub(crate) async fn a_stream_that_is_held_under_a_claim_refuses_what_the_claim_found(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_2", "a", 9)], at(0)).await.unwrap();
    let claims = store.claim("w", at(0), at(60), 9).await.unwrap();
    store.admit_held(&[arrival("evt_1", "a", 1)], at(1)).await.unwrap();
    let found = step(vec![settled("evt_2")], 1, Then::Rest);
    assert!(store.advance(&claims[0], &found, at(2)).await.is_err(), "it has grown");
    assert!(state(store.as_ref(), "a").await.held);
    // Another body under a known id holds nothing by itself.
    store.admit(&[arrival("evt_3", "b", 10)], at(3)).await.unwrap();
    let other = arrival_with_body("main", "evt_3", "b", 4, b"other");
    assert_eq!(store.admit_held(&[other], at(4)).await.unwrap(), [Admission::Conflict]);
    assert!(!state(store.as_ref(), "b").await.held);
}

pub(crate) async fn a_log_begins_where_its_lowest_position_is(home: &Home) {
    let store = home.open().await;
    assert_eq!(store.first_known(BROKER).await.unwrap(), None);
    store.admit(&[arrival("evt_7", "a", 7), arrival("evt_8", "a", 8)], at(0)).await.unwrap();
    assert_eq!(store.first_known(BROKER).await.unwrap(), Some(7));
    // Read again, but not all of it yet.
    store.admit_held(&[arrival("evt_1", "b", 1)], at(1)).await.unwrap();
    assert_eq!(store.first_known(BROKER).await.unwrap(), Some(7));
    assert_eq!(store.missing(BROKER, 7, 8, 9).await.unwrap(), []);
    store.note_gone(BROKER, &[(1, 8)]).await.unwrap();
    assert_eq!(store.first_known(BROKER).await.unwrap(), Some(1));
    assert_eq!(store.missing(BROKER, 1, 8, 9).await.unwrap(), []);
    assert_eq!(store.missing(BROKER, 1, 9, 9).await.unwrap(), [(9, 9)]);
    assert_eq!(store.first_known("ANOTHER@1").await.unwrap(), None);
}

async fn events(store: &dyn EventStore, object: &str) -> Vec<Event> {
    let history = store.stream(&stream(object)).await.unwrap();
    history.into_iter().map(|recorded| recorded.event).collect()
}

async fn state(store: &dyn EventStore, object: &str) -> State {
    State::replay(&events(store, object).await)
}
