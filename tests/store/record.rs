//! The contract: facts that no claim made, waking by name, and who leads a role.

use concilia_shared::id::AccountName;
use concilia_worker::domain::account::AccountState;
use concilia_worker::domain::event::{Event, System};
use concilia_worker::store::{Cursor, FACTS_MAX, StoreError, Then};
use tokio::task::JoinSet;

use crate::given::{account, arrival, at, event_id, settled, step, stream};
use crate::home::Home;

fn retry(id: &str) -> Event {
    Event::RetryRequested { about: event_id(id), by: "ana".to_owned() }
}

pub(crate) async fn facts_of_people_stand_in_order_and_wake_their_streams(home: &Home) {
    let store = home.open().await;
    let batch = [arrival("evt_1", "b", 1), arrival("evt_2", "a", 2)];
    store.admit(&batch, at(0)).await.unwrap();
    for claim in store.claim("w", at(0), at(60), 9).await.unwrap() {
        store.advance(&claim, &step(vec![], 1, Then::Rest), at(0)).await.unwrap();
    }
    let facts = [
        (stream("b"), retry("evt_1")),
        (stream("a"), retry("evt_2")),
        (stream("b"), settled("evt_1")),
    ];
    store.record(&facts, true, at(5)).await.unwrap();
    store.record(&[], true, at(5)).await.unwrap();

    let log = store.stream(&stream("b")).await.unwrap();
    let kinds: Vec<_> = log.iter().map(|it| (it.sequence, it.event.kind())).collect();
    assert_eq!(kinds, [(1, "webhook_received"), (2, "retry_requested"), (3, "recorded")]);
    assert_eq!(log[2].recorded_at, at(5));
    let tail = store.stream_after(&stream("b"), 1).await.unwrap();
    assert_eq!(tail, log[1..]);
    assert!(store.stream_after(&stream("b"), 3).await.unwrap().is_empty());
    assert_eq!(store.verify(&stream("b")).await.unwrap(), Ok(()));
    assert_eq!(store.next_due().await.unwrap(), Some(at(5)));
    assert_eq!(store.claim("w", at(5), at(60), 9).await.unwrap().len(), 2);
}

pub(crate) async fn a_new_webhook_goes_before_all_that_people_woke(home: &Home) {
    let store = home.open().await;
    let names: Vec<String> = (0..300).map(|n| format!("old-{n}")).collect();
    let batch: Vec<_> = (1..).zip(&names).map(|(place, name)| arrival(name, name, place)).collect();
    store.admit(&batch, at(0)).await.unwrap();
    for claim in store.claim("w", at(0), at(60), 300).await.unwrap() {
        store.advance(&claim, &step(vec![], 1, Then::Rest), at(0)).await.unwrap();
    }
    let mut facts: Vec<_> = names.iter().map(|name| (stream(name), retry(name))).collect();
    facts.push((stream("never-admitted"), retry("evt_none")));
    store.record(&facts, true, at(20)).await.unwrap();
    store.admit(&[arrival("evt_new", "new", 301)], at(30)).await.unwrap();
    // One that is woken keeps being new as long as nobody looked at it.
    store.admit(&[arrival("evt_newer", "newer", 302)], at(31)).await.unwrap();
    store.record(&[(stream("newer"), retry("evt_newer"))], true, at(32)).await.unwrap();
    let first = store.claim("w", at(40), at(100), 2).await.unwrap();
    let first: Vec<_> = first.iter().map(|claim| claim.stream.object()).collect();
    assert_eq!(first, ["new", "newer"]);
    assert_eq!(store.claim("w", at(40), at(100), 999).await.unwrap().len(), 301, "then the rest");
}

pub(crate) async fn a_fact_that_wakes_nobody_makes_nothing_due(home: &Home) {
    let store = home.open().await;
    let of_account = AccountState::stream(&account("main"));
    let ended = Event::OutageEnded { system: System::Odoo };
    store.record(&[(of_account.clone(), ended.clone())], false, at(0)).await.unwrap();
    store.record(&[(of_account.clone(), ended)], false, at(1)).await.unwrap();
    let log = store.stream(&of_account).await.unwrap();
    assert_eq!((log.len(), log[1].sequence, log[1].event.about()), (2, 2, "account"));
    assert_eq!(store.verify(&of_account).await.unwrap(), Ok(()));
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.wake(None, at(2)).await.unwrap(), 0);
}

pub(crate) async fn a_decision_during_a_claim_is_seen_by_it_and_after_it(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let claim = store.claim("w", at(0), at(60), 1).await.unwrap().remove(0);
    store.record(&[(stream("a"), retry("evt_1"))], true, at(5)).await.unwrap();
    let stale = step(vec![settled("evt_1")], 1, Then::Rest);
    let lost = store.advance(&claim, &stale, at(6)).await;
    assert!(matches!(lost, Err(StoreError::Conflict)), "{lost:?}");
    let rest = step(vec![settled("evt_1")], 2, Then::Rest);
    store.advance(&claim, &rest, at(7)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(7)), "one more look");
}

pub(crate) async fn a_fact_on_a_condition_is_refused_once_the_stream_has_grown(home: &Home) {
    let store = home.open().await;
    let of_account = AccountState::stream(&account("main"));
    let began = |_| Event::OutageEnded { system: System::Ventipay };
    let mut racers = JoinSet::new();
    for n in 0..6 {
        let (store, of_account) = (home.open().await, of_account.clone());
        racers.spawn(async move { store.record_after(&of_account, 0, &[began(n)], at(n)).await });
    }
    let answers = racers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers {
        assert!(matches!(answer, Ok(()) | Err(StoreError::Conflict)), "{answer:?}");
    }
    store.record_after(&of_account, 1, &[began(7), began(8)], at(7)).await.unwrap();
    assert_eq!(store.stream(&of_account).await.unwrap().len(), 3);
    assert_eq!(store.verify(&of_account).await.unwrap(), Ok(()));
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn a_closing_fact_is_refused_from_a_claim_to_its_release(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let close = async |after, now| {
        store.record_unclaimed(&stream("a"), after, &[settled("evt_1")], at(now)).await
    };
    let old = store.claim("dies", at(0), at(60), 1).await.unwrap().remove(0);
    // Also when nobody has taken over yet from the one that died.
    for now in [1, 59, 60, 9_000] {
        let refused = close(1, now).await;
        let expected = at(60);
        assert!(
            matches!(refused, Err(StoreError::Claimed { until }) if until == expected),
            "{refused:?}"
        );
    }
    let new = store.claim("w", at(70), at(130), 1).await.unwrap().remove(0);
    assert!(matches!(close(1, 71).await, Err(StoreError::Claimed { .. })));
    store.advance(&old, &step(vec![], 1, Then::Rest), at(72)).await.unwrap_err();
    store.advance(&new, &step(vec![], 1, Then::DueAt(at(900))), at(72)).await.unwrap();
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 1, "nothing was written");
    assert!(matches!(close(0, 73).await, Err(StoreError::Conflict)));
    close(1, 74).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(900)), "it wakes nobody");
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
}

pub(crate) async fn a_thousand_facts_at_once_are_recorded_and_no_more(home: &Home) {
    let store = home.open().await;
    let facts: Vec<_> = (0..FACTS_MAX)
        .map(|n| (stream(&format!("s-{}", n % 400)), retry(&format!("evt_{n}"))))
        .collect();
    store.record(&facts, true, at(0)).await.unwrap();
    assert_eq!(home.number("select count(*) from events").await, 1_000);
    assert_eq!(store.stream(&stream("s-0")).await.unwrap().len(), 3);
    assert_eq!(store.verify(&stream("s-399")).await.unwrap(), Ok(()));
    let more = [&facts[..], &facts[..1]].concat();
    let refused = store.record(&more, true, at(0)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(home.number("select count(*) from events").await, 1_000);
}

pub(crate) async fn many_who_record_into_the_same_streams_wait_for_each_other(home: &Home) {
    let mut writers = JoinSet::new();
    for writer in 0..5 {
        let store = home.open().await;
        writers.spawn(async move {
            for n in 0..20_u64 {
                // In turn forwards and backwards: locks are taken in one order all the same.
                let mut objects = ["a", "b", "c", "d"];
                if (writer + n) % 2 == 0 {
                    objects.reverse();
                }
                let id = format!("evt_{writer}_{n}");
                let facts = objects.map(|object| (stream(object), retry(&id)));
                store.record(&facts, n % 3 == 0, at(0)).await.unwrap();
                let batch = [arrival(&id, "b", writer * 100 + n + 1)];
                store.admit(&batch, at(0)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let store = home.open().await;
    for (object, count) in [("a", 100), ("b", 200), ("c", 100), ("d", 100)] {
        assert_eq!(store.stream(&stream(object)).await.unwrap().len(), count);
        assert_eq!(store.verify(&stream(object)).await.unwrap(), Ok(()));
    }
}

pub(crate) async fn streams_are_woken_by_name_at_rest_too(home: &Home) {
    let store = home.open().await;
    let batch = [arrival("evt_1", "rests", 1), arrival("evt_2", "waits", 2)];
    store.admit(&batch, at(0)).await.unwrap();
    store.admit(&[arrival("evt_3", "claimed", 3)], at(1)).await.unwrap();
    let claims = store.claim("w", at(1), at(60), 9).await.unwrap();
    for claim in &claims {
        let then = match claim.stream.object() {
            "rests" => Then::Rest,
            "waits" => Then::DueAt(at(900)),
            _ => continue,
        };
        store.advance(claim, &step(vec![], 1, then), at(2)).await.unwrap();
    }
    let names = ["rests", "waits", "claimed", "unknown", "rests"].map(stream);
    assert_eq!(store.wake_streams(&names, at(10)).await.unwrap(), 3);
    assert_eq!(store.wake_streams(&[], at(10)).await.unwrap(), 0);
    let woken = store.claim("x", at(10), at(70), 9).await.unwrap();
    let mut objects: Vec<_> = woken.iter().map(|claim| claim.stream.object()).collect();
    objects.sort_unstable();
    assert_eq!(objects, ["rests", "waits"]);
    let claimed = claims.iter().find(|claim| claim.stream.object() == "claimed").unwrap();
    store.advance(claimed, &step(vec![], 1, Then::Rest), at(11)).await.unwrap();
    let woken = store.claim("x", at(11), at(70), 9).await.unwrap();
    assert_eq!(woken[0].stream.object(), "claimed");
}

pub(crate) async fn one_holder_leads_a_role_until_its_lease_ends(home: &Home) {
    let store = home.open().await;
    let lead = async |role: &str, holder: &str, now: i64| {
        store.lead(role, holder, at(now), at(now + 30)).await.unwrap()
    };
    assert!(lead("news", "a", 0).await);
    assert!(!lead("news", "b", 10).await);
    assert!(lead("views", "b", 10).await, "another role");
    assert!(lead("news", "a", 20).await, "kept");
    assert!(!lead("news", "b", 49).await);
    assert!(lead("news", "b", 50).await, "taken over");
    assert!(!lead("news", "a", 51).await);
}

pub(crate) async fn one_of_many_takes_the_lead(home: &Home) {
    let mut racers = JoinSet::new();
    for n in 0..6 {
        let store = home.open().await;
        racers.spawn(
            async move { store.lead("news", &format!("w-{n}"), at(0), at(30)).await.unwrap() },
        );
    }
    let leaders = racers.join_all().await.into_iter().filter(|leads| *leads).count();
    assert_eq!(leaders, 1);
}

pub(crate) async fn how_far_an_odoo_was_shown_the_log_is_kept_for_each_account(home: &Home) {
    let store = home.open().await;
    let (main, other) = (account("main"), AccountName::parse("other").unwrap());
    assert_eq!(store.mirrored(&main).await.unwrap(), Cursor::default());
    store.admit(&[arrival("evt_1", "a", 1), arrival("evt_2", "b", 2)], at(0)).await.unwrap();
    let seen = store.since(Cursor::default(), 9).await.unwrap();
    let (first, last) = (seen[0].cursor, seen[1].cursor);
    store.set_mirrored(&main, last).await.unwrap();
    store.set_mirrored(&other, first).await.unwrap();
    let again = home.open().await;
    assert_eq!(again.mirrored(&main).await.unwrap(), last);
    assert_eq!(again.mirrored(&other).await.unwrap(), first);
    // Shown again from the beginning, when somebody wants that.
    again.set_mirrored(&main, Cursor::default()).await.unwrap();
    assert_eq!(again.mirrored(&main).await.unwrap(), Cursor::default());
}
