//! Accounts: how they are, pauses, settings.

use concilia_worker::domain::event::Event;
use serde_json::Value;

use super::given::{Home, now};

#[tokio::test]
async fn accounts_tell_what_keeps_them_from_working() {
    let home = Home::full().await;
    insta::assert_snapshot!("accounts_en", home.ask("accounts --lang en").await.out);
    insta::assert_snapshot!("accounts_es", home.ask("accounts --lang es").await.out);
    insta::assert_snapshot!("accounts_json", home.ask("accounts --json --lang en").await.out);
}

#[tokio::test]
async fn an_account_that_left_the_configuration_is_still_told() {
    let mut home = Home::full().await;
    home.config.accounts.retain(|name, _| name.as_str() != "tienda");
    let said = home.ask("accounts --lang en").await.out;
    assert!(said.contains("This account is not in the configuration"), "{said}");
    let said = home.ask("settings set tienda mode=A --by ana --lang en").await;
    assert_eq!(
        said.end,
        "4: Account tienda is not in the configuration: add accounts.tienda first."
    );
    assert_eq!(home.ask("pause tienda --why w --by ana --lang en").await.end, "done");
}

#[tokio::test]
async fn a_pause_and_its_end_are_facts_once_each() {
    let home = Home::full().await;
    let said = home.ask("pause main --why 'closing the year' --by ana --lang en").await;
    assert_eq!(said.out, "Account main is paused: what comes is kept, nothing is acted upon.\n");
    assert_eq!(home.account_state("main").await.paused.unwrap().by, "ana");
    let said = home.ask("pause main --why again --by eva --lang en").await;
    assert_eq!(
        said.end,
        "3: Account main is paused by ana since 2026-01-05 12:00:00: closing the year. It goes on with `concilia-worker resume main`."
    );
    assert_eq!(home.ask("resume main --by eva --lang es").await.out, "La cuenta main sigue.\n");
    assert_eq!(home.last("main/account").await, Event::AccountResumed { by: "eva".to_owned() });
    assert_eq!(
        home.ask("resume main --by eva --lang en").await.end,
        "3: Account main is not paused."
    );
    assert_eq!(
        home.ask("pause mian --why w --by ana --lang en").await.end,
        "3: There is no account mian; did you mean main?"
    );
}

#[tokio::test]
async fn a_resumed_accounts_streams_are_due() {
    let home = Home::full().await;
    let until = now() + jiff::SignedDuration::from_hours(1);
    for claim in home.store.claim("test", now(), until, 100).await.unwrap() {
        let after_sequence =
            home.store.stream(&claim.stream).await.unwrap().last().unwrap().sequence;
        let then = concilia_worker::store::Then::DueAt(until);
        let step = concilia_worker::store::Step { events: Vec::new(), after_sequence, then };
        home.store.advance(&claim, &step, now()).await.unwrap();
    }
    home.ask("resume shop --by ana").await;
    let claims = home.store.claim("test", now(), until, 100).await.unwrap();
    let streams: Vec<&str> = claims.iter().map(|claim| claim.stream.as_str()).collect();
    assert_eq!(streams, ["shop/checkout-chk_5"]);
}

#[tokio::test]
async fn a_setting_is_checked_recorded_and_shown_with_who_set_it() {
    let home = Home::full().await;
    let said = home
        .ask("settings set main mode=Hybrid domain=[] --why 'a new shop' --by ana --lang en")
        .await;
    insta::assert_snapshot!("settings_set_en", said.out);
    insta::assert_snapshot!("settings_get_en", home.ask("settings get main --lang en").await.out);
    insta::assert_snapshot!(
        "settings_get_es",
        home.ask("settings get main mode --lang es").await.out
    );
    insta::assert_snapshot!(
        "settings_get_json",
        home.ask("settings get main mode --json").await.out
    );
    let said = home.ask("settings set main mode=Hybrid --by eva --lang en").await;
    assert_eq!(said.end, "3: It is set like that already.");
    let said = home.ask("settings set main domain= --by eva --lang en").await;
    assert_eq!(said.end, "done");
    let state = home.account_state("main").await;
    assert_eq!(
        (state.overrides["mode"].as_deref(), &state.overrides["domain"]),
        (Some("Hybrid"), &None)
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_nothing_is_changed() {
    let home = Home::full().await;
    for (asked, expected) in [
        ("mode=C", "4: mode must be"),
        ("mode=A connector=custom", "4: accounts"),
        ("moed=A", "4: There is no setting moed; did you mean mode?"),
        ("'database=two words'", "4: database must be the database.uuid"),
        ("environment=live", "4: There is no setting environment"),
    ] {
        let end = home.ask(&format!("settings set main {asked} --by ana --lang en")).await.end;
        let said = if expected == "4: accounts" {
            end.contains("custom_field")
        } else {
            end.starts_with(expected)
        };
        assert!(said, "{asked}: {end}");
    }
    assert_eq!(home.account_state("main").await.overrides.len(), 0);
    let said = home.ask("settings get main nothing --lang es").await;
    assert!(said.end.starts_with("3: No hay un ajuste nothing"), "{said:?}");
}

#[tokio::test]
async fn the_database_an_account_books_into_is_a_setting_too() {
    let home = Home::full().await;
    home.ask("settings set main database=u2 --why moved --by ana").await;
    assert_eq!(home.account_state("main").await.database.as_deref(), Some("u2"));
    let said = home.ask("settings get main database --json").await.out;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said[0]["value"], &said[0]["by"]), (&"u2".into(), &"ana".into()));
}
