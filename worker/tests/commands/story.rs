//! One payment's story, its proofs, and the log as it grows.

use concilia_worker::domain::event::Event;
use serde_json::Value;
use sqlx::Connection as _;

use super::given::{Home, id, stream};

#[tokio::test]
async fn a_payment_is_told_in_both_languages_and_as_json() {
    let home = Home::full().await;
    insta::assert_snapshot!("show_en", home.ask("events show evt_1 --lang en").await.out);
    insta::assert_snapshot!("show_es", home.ask("events show chk_2 --lang es").await.out);
    insta::assert_snapshot!(
        "show_json",
        home.ask("events show main/checkout-chk_1 --json --lang en").await.out
    );
    insta::assert_snapshot!(
        "show_account",
        home.ask("events show shop/account --lang en").await.out
    );
}

#[tokio::test]
async fn it_is_found_by_event_checkout_and_stream() {
    let home = Home::full().await;
    for name in
        ["evt_2", "main/evt_2", "chk_2", "main/chk_2", "checkout-chk_2", "main/checkout-chk_2"]
    {
        let said = home.ask(&format!("events show {name} --lang en")).await;
        assert!(
            said.out.contains("Chain of main/checkout-chk_2: whole, 2 facts."),
            "{name}: {said:?}"
        );
    }
    let unread = home.ask("events list --lang en --reason unreadable").await.out;
    let short = unread.split_whitespace().find(|word| word.starts_with("unread-")).unwrap();
    assert_eq!(home.ask(&format!("events show {short} --lang en")).await.end, "done");
}

#[tokio::test]
async fn an_unknown_id_names_the_nearest() {
    let home = Home::full().await;
    let said = home.ask("events show evt_11 --lang en").await;
    assert!(
        said.end
            .starts_with("3: No event, checkout or stream is called evt_11; did you mean evt_1"),
        "{said:?}"
    );
    let said = home.ask("events show zzzzzzzzz --lang es").await;
    assert_eq!(
        said.end,
        "3: Ningún evento, checkout o flujo se llama zzzzzzzzz; `events list` los muestra."
    );
    let said = home.ask("events show evt_1 --account mian --lang en").await;
    assert_eq!(said.end, "3: There is no account mian; did you mean main?");
}

#[tokio::test]
async fn one_id_in_two_accounts_asks_which() {
    let home = Home::full().await;
    let body = super::given::paid("evt_1", "chk_1", 1);
    home.tell("shop", &body, super::given::now()).await;
    let said = home.ask("events show evt_1 --lang en").await;
    assert_eq!(
        said.end,
        "4: evt_1 is in main/checkout-chk_1 and in shop/checkout-chk_1: say which, as account/evt_1."
    );
    assert_eq!(home.ask("events show evt_1 --account shop --lang en").await.end, "done");
}

#[tokio::test]
async fn the_payload_is_shown_only_when_asked_for() {
    let home = Home::full().await;
    assert!(!home.ask("events show evt_1 --lang en").await.out.contains("external_id\""));
    let said = home.ask("events show evt_1 --payload --lang en").await.out;
    assert!(said.contains("\"external_id\": \"1003\""), "{said}");
    let value: Value =
        serde_json::from_str(&home.ask("events show evt_1 --json").await.out).unwrap();
    assert_eq!(value["payloads"][0]["text"], Value::Null);
}

#[tokio::test]
async fn a_signature_is_checked_with_the_secrets_of_now() {
    let home = Home::full().await;
    let of = async |event: &str| {
        let said = home.ask(&format!("events show {event} --json")).await.out;
        let value: Value = serde_json::from_str(&said).unwrap();
        (value["payloads"][0]["signature"].clone(), value["payloads"][0]["secret"].clone())
    };
    assert_eq!(of("evt_1").await, ("valid".into(), 2.into()));
    assert_eq!(of("evt_5").await, ("no_secret_matches".into(), Value::Null));
}

#[tokio::test]
async fn an_erased_payload_and_a_chain_that_was_cut_are_told() {
    let home = Home::full().await;
    let path = home.path().join("log.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for sql in [
        "delete from payloads where event_id = 'evt_2'",
        "drop trigger events_refuse_update",
        "update events set data = replace(data, '15990', '15991') where stream = 'main/checkout-chk_1' and sequence = 2",
    ] {
        let done: Result<_, sqlx::Error> = sqlx::query(sql).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let said = home.ask("events show evt_2 --lang en").await.out;
    assert!(said.contains("Payload of evt_2: erased; its SHA-256 was "), "{said}");
    let said = home.ask("events show evt_1 --lang en").await.out;
    assert!(said.contains("Chain: main/checkout-chk_1 breaks at sequence 2"), "{said}");
}

#[tokio::test]
async fn the_tail_prints_what_there_is_since_when() {
    let home = Home::full().await;
    insta::assert_snapshot!(
        "tail_en",
        home.ask("events tail --once --lang en --account main").await.out
    );
    let late = home.ask("events tail --once --lang es --since 2026-01-05T12:10:00Z").await.out;
    insta::assert_snapshot!("tail_es", late);
    assert_eq!(home.ask("events tail --once --since 2026-01-06").await.out, "");
    let lines = home.ask("events tail --once --json --account tienda").await.out;
    let kinds: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["fact"]["kind"].clone())
        .collect();
    assert_eq!(kinds, ["webhook_received", "outage_began"]);
    let released = Event::Released { about: id("evt_7"), by: "ana".to_owned() };
    let facts = [(stream("main/checkout-chk_7"), released)];
    home.store.record(&facts, true, super::given::now()).await.unwrap();
    let said = home.ask("events tail --once --lang en --since 2026-01-05T15:00:00Z").await.out;
    assert_eq!(said, "2026-01-05 12:00:00  main/checkout-chk_7  ana  ana released it.\n");
}
