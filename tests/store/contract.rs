//! The contract: the log, its duplicates, conflicts, bytes and chains.

use concilia_shared::webhook::BODY_BYTES_MAX;
use concilia_worker::domain::event::Event;
use concilia_worker::store::chain::BreakKind;
use concilia_worker::store::{Admission, Cursor, Recorded, StoreError, Then};

use crate::given::{
    abouts, account, arrival, arrival_of, arrival_with_body, at, event_id, follow, parked_with,
    settled, step, stream, stream_of,
};
use crate::home::Home;

pub(crate) async fn a_new_webhook_is_appended_kept_and_due(home: &Home) {
    let store = home.open().await;
    store.ping().await.unwrap();
    let sent = arrival("evt_1", "checkout-chk_1", 1);
    assert_eq!(
        store.admit(std::slice::from_ref(&sent), at(0)).await.unwrap(),
        [Admission::Appended]
    );
    let log = store.stream(&sent.stream).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].sequence, log[0].recorded_at), (1, at(0)));
    assert_eq!(log[0].event, Event::WebhookReceived(sent.told.clone()));
    assert_eq!(log[0].stream, sent.stream);
    assert_eq!(store.verify(&sent.stream).await.unwrap(), Ok(()));
    let kept = store.payload(&account("main"), &event_id("evt_1")).await;
    assert_eq!(kept.unwrap(), Some(sent.webhook));
    assert_eq!(store.next_due().await.unwrap(), Some(at(0)));
    let unknown = store.payload(&account("main"), &event_id("evt_2")).await;
    assert_eq!(unknown.unwrap(), None);
    assert!(store.stream(&stream("nothing")).await.unwrap().is_empty());
    assert!(store.admit(&[], at(0)).await.unwrap().is_empty());
}

pub(crate) async fn an_event_id_is_known_for_ever(home: &Home) {
    let store = home.open().await;
    let first = [arrival("evt_1", "a", 1), arrival("evt_1", "a", 2)];
    assert_eq!(
        store.admit(&first, at(0)).await.unwrap(),
        [Admission::Appended, Admission::Duplicate]
    );
    // Another process, and a stream told differently, change nothing.
    let other = home.open().await;
    assert_eq!(
        other.admit(&[arrival("evt_1", "b", 3)], at(1)).await.unwrap(),
        [Admission::Duplicate]
    );
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 1);
    assert!(store.stream(&stream("b")).await.unwrap().is_empty());
    // A duplicate wakes nobody.
    let claims = store.claim("w", at(2), at(60), 9).await.unwrap();
    let rest = step(vec![settled("evt_1")], 1, Then::Rest);
    store.advance(&claims[0], &rest, at(2)).await.unwrap();
    store.admit(&[arrival("evt_1", "a", 4)], at(3)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn answers_come_in_the_order_given(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_b", "b", 1)], at(0)).await.unwrap();
    let batch = [
        arrival("evt_c", "c", 2),
        arrival("evt_b", "b", 3),
        arrival_with_body("main", "evt_b", "b", 4, b"other"),
        arrival("evt_a", "c", 5),
        arrival_with_body("main", "evt_c", "c", 6, b"other"),
        arrival("evt_c", "c", 7),
    ];
    assert_eq!(
        store.admit(&batch, at(1)).await.unwrap(),
        [
            Admission::Appended,
            Admission::Duplicate,
            Admission::Conflict,
            Admission::Appended,
            Admission::Conflict,
            Admission::Duplicate,
        ]
    );
    let kinds = |log: Vec<Recorded>| -> Vec<_> {
        log.iter().map(|it| (it.event.about().to_owned(), it.event.kind())).collect()
    };
    assert_eq!(
        kinds(store.stream(&stream("c")).await.unwrap()),
        [
            ("evt_c".to_owned(), "webhook_received"),
            ("evt_a".to_owned(), "webhook_received"),
            ("evt_c".to_owned(), "payload_conflicted"),
        ],
        "facts of a stream stand in the order of arrival"
    );
}

pub(crate) async fn one_id_in_two_accounts_is_two_events(home: &Home) {
    let store = home.open().await;
    let batch = [arrival_of("main", "evt_1", "a", 1), arrival_of("other", "evt_1", "a", 2)];
    assert_eq!(
        store.admit(&batch, at(0)).await.unwrap(),
        [Admission::Appended, Admission::Appended]
    );
    for name in ["main", "other"] {
        assert_eq!(store.stream(&stream_of(name, "a")).await.unwrap().len(), 1);
    }
}

pub(crate) async fn another_body_under_a_known_id_is_a_fact_once(home: &Home) {
    let store = home.open().await;
    let first = arrival("evt_1", "a", 1);
    store.admit(std::slice::from_ref(&first), at(0)).await.unwrap();
    let claim = store.claim("w", at(0), at(60), 1).await.unwrap().remove(0);
    let rest = step(vec![], 1, Then::Rest);
    store.advance(&claim, &rest, at(0)).await.unwrap();

    // It claims another stream; the first body decides.
    let second = arrival_with_body("main", "evt_1", "elsewhere", 2, b"second");
    let third = arrival_with_body("main", "evt_1", "a", 3, b"third");
    for (arrivals, seconds) in
        [(vec![second.clone(), second.clone()], 1), (vec![third.clone(), second.clone()], 2)]
    {
        let answers = store.admit(&arrivals, at(seconds)).await.unwrap();
        assert_eq!(answers, [Admission::Conflict, Admission::Conflict]);
    }
    let log = store.stream(&stream("a")).await.unwrap();
    let conflicts: Vec<&Event> = log.iter().skip(1).map(|it| &it.event).collect();
    let expected = [&second, &third].map(|arrival| Event::PayloadConflicted {
        about: event_id("evt_1"),
        body_hash: arrival.told.body_hash.clone(),
    });
    assert_eq!(conflicts, expected.iter().collect::<Vec<_>>());
    assert!(store.stream(&stream("elsewhere")).await.unwrap().is_empty());
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
    assert_eq!(store.next_due().await.unwrap(), Some(at(1)), "a conflict is news");
    let kept = store.payload(&account("main"), &event_id("evt_1")).await;
    assert_eq!(kept.unwrap(), Some(first.webhook), "the first one counts");
    assert_eq!(home.number("select count(*) from payloads").await, 3);
    let all = "select count(*) from broker_positions";
    assert_eq!(home.number(all).await, 3, "every position was noted");
}

pub(crate) async fn raw_bytes_and_odd_text_come_back_as_they_were(home: &Home) {
    let store = home.open().await;
    let odd = [
        "\u{0}",
        "a\u{0}b",
        "'; drop table events; --",
        "\\u0000 \\ \" % _",
        "ñandú 💥 e\u{301} \u{202e}",
        "\u{2028}\u{feff}\u{10ffff}",
        "",
    ];
    let longest = vec![b'x'; BODY_BYTES_MAX];
    let bodies: [&[u8]; 4] = [b"", b"\x00", b"{\"a\":\"\\u0000\"}\xff\xfe", &longest];
    let mut arrivals: Vec<_> = (1..)
        .zip(bodies)
        .map(|(n, body)| arrival_with_body("main", &format!("evt_{n}"), "a", n, body))
        .collect();
    arrivals[0].webhook.signature.push(char::from(0));
    arrivals[0].webhook.traceparent = Some("\u{0}".to_owned());
    store.admit(&arrivals, at(0)).await.unwrap();
    for arrival in &arrivals {
        let kept = store.payload(&account("main"), &arrival.told.event_id).await;
        assert!(kept.unwrap().map(|webhook| webhook.body) == Some(arrival.webhook.body.clone()));
    }
    let facts: Vec<Event> = odd.iter().map(|text| parked_with("evt_1", text)).collect();
    let claim = store.claim("w", at(0), at(60), 1).await.unwrap().remove(0);
    let told = step(facts.clone(), 4, Then::Rest);
    store.advance(&claim, &told, at(1)).await.unwrap();
    let log = store.stream(&stream("a")).await.unwrap();
    let back: Vec<&Event> = log.iter().skip(4).map(|it| &it.event).collect();
    assert_eq!(back, facts.iter().collect::<Vec<_>>());
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
}

pub(crate) async fn the_log_refuses_update_and_delete(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    let other = arrival_with_body("main", "evt_1", "a", 2, b"other");
    store.admit(&[other], at(0)).await.unwrap();
    let mut refused = vec![
        "update events set kind = kind",
        "delete from events",
        "delete from events where stream = 'none such'",
        "update webhooks set body_hash = 'x'",
        "delete from webhooks",
        "update conflicts set body_hash = 'x'",
        "delete from conflicts",
        "update payloads set bytes = signature::bytea",
    ];
    if home.is_sqlite() {
        // A trigger of SQLite's sees rows, not statements.
        refused.retain(|sql| !sql.contains("none such"));
        refused.retain(|sql| !sql.contains("bytea"));
        refused.extend([
            "update payloads set bytes = x'00'",
            "insert or replace into events select * from events",
            "insert or replace into webhooks select * from webhooks",
            "insert or replace into conflicts select * from conflicts",
            "insert or replace into payloads select * from payloads",
            "update or replace events set sequence = 1",
        ]);
    } else {
        refused.extend([
            "truncate events",
            "truncate webhooks",
            "truncate conflicts",
            "set session_replication_role = replica; delete from events",
        ]);
    }
    for sql in refused {
        let error = home.sql(sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(store.stream(&stream("a")).await.unwrap().len(), 2);
}

pub(crate) async fn erased_bytes_leave_the_chain_whole_and_do_not_come_back(home: &Home) {
    let store = home.open().await;
    let sent = arrival("evt_1", "a", 1);
    store.admit(std::slice::from_ref(&sent), at(0)).await.unwrap();
    home.sql("delete from payloads where account = 'main' and event_id = 'evt_1'").await.unwrap();
    let erased = || store.payload(&sent.webhook.account, &sent.told.event_id);
    assert_eq!(erased().await.unwrap(), None);
    assert_eq!(store.verify(&stream("a")).await.unwrap(), Ok(()));
    // The broker still has it, and a gap may be read again.
    let again = store.admit(std::slice::from_ref(&sent), at(1)).await.unwrap();
    assert_eq!(again, [Admission::Duplicate]);
    assert_eq!(erased().await.unwrap(), None);
}

pub(crate) async fn bytes_that_were_exchanged_are_not_taken_for_the_body(home: &Home) {
    let store = home.open().await;
    let sent = arrival("evt_1", "a", 1);
    store.admit(std::slice::from_ref(&sent), at(0)).await.unwrap();
    let exchange = if home.is_sqlite() {
        "drop trigger payloads_refuse_update; update payloads set bytes = x'00'"
    } else {
        "alter table payloads disable trigger never_exchanged;
         update payloads set bytes = 'x'::bytea"
    };
    home.sql(exchange).await.unwrap();
    let error = store.payload(&sent.webhook.account, &sent.told.event_id).await.unwrap_err();
    assert!(error.to_string().contains("payloads.bytes of main/evt_1"), "{error}");
}

pub(crate) async fn a_changed_event_is_found_by_its_chain(home: &Home) {
    let store = home.open().await;
    let arrivals = [1, 2, 3].map(|n| arrival(&format!("evt_{n}"), "a", n));
    store.admit(&arrivals, at(0)).await.unwrap();
    home.disarm().await;
    home.sql("update events set data = replace(data, 'false', 'true') where sequence = 2")
        .await
        .unwrap();
    let broken = store.verify(&stream("a")).await.unwrap().unwrap_err();
    assert_eq!((broken.sequence, broken.why), (2, BreakKind::Content));
}

pub(crate) async fn an_event_that_does_not_read_is_named(home: &Home) {
    let store = home.open().await;
    store.admit(&[arrival("evt_1", "a", 1)], at(0)).await.unwrap();
    home.disarm().await;
    home.sql("update events set data = '{'").await.unwrap();
    let error = store.stream(&stream("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(error.to_string().contains("events.data of main/a#1"), "{error}");
}

pub(crate) async fn a_follower_sees_everything_once_in_order(home: &Home) {
    let store = home.open().await;
    for n in 1..=7 {
        let object = if n % 2 == 0 { "even" } else { "odd" };
        let arrivals = [arrival(&format!("evt_{n}"), object, n)];
        store.admit(&arrivals, at(0)).await.unwrap();
    }
    let mut cursor = Cursor::default();
    let seen = abouts(&follow(&*store, &mut cursor, 7, 3).await);
    let expected: Vec<String> = (1..=7).map(|n| format!("evt_{n}")).collect();
    assert_eq!(seen, expected);
    assert!(store.since(cursor, 3).await.unwrap().is_empty());
}

pub(crate) async fn a_database_of_a_newer_build_is_refused(home: &Home) {
    home.open().await;
    home.sql("insert into migrations (version, name, checksum) values (99, 'later', 'x')")
        .await
        .unwrap();
    let Err(StoreError::Refused(sentence)) = home.try_open().await else {
        panic!("it was opened");
    };
    assert!(sentence.contains("newer build"), "{sentence}");
}
