//! What lists print: every filter, paging, the account's trouble laid over its events.

use serde_json::Value;

use super::given::{Home, Said, paid};

async fn json(home: &Home, line: &str) -> Value {
    let said = home.ask(line).await;
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{line}: {error}: {}", said.out))
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["event_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_reads_in_both_languages_and_as_json() {
    let home = Home::full().await;
    insta::assert_snapshot!("list_en", home.ask("events list --lang en").await.out);
    insta::assert_snapshot!("list_es", home.ask("events list --lang es").await.out);
    insta::assert_snapshot!("list_json", home.ask("events list --json --lang en").await.out);
}

#[tokio::test]
async fn every_filter_narrows() {
    let home = Home::full().await;
    for (filter, expected) in [
        ("--status parked --type checkout.paid", vec!["evt_8", "evt_2"]),
        ("--status reconciled,recorded", vec!["evt_4", "evt_1"]),
        ("--status received", vec!["evt_7"]),
        ("--status pending", vec!["evt_6", "evt_5", "evt_3"]),
        ("--account shop", vec!["evt_5"]),
        ("--reason no_match", vec!["evt_3"]),
        // Reasons that are laid over what was received, of these accounts alone.
        ("--reason account_paused", vec!["evt_5"]),
        ("--reason account_paused --status pending", vec!["evt_5"]),
        ("--reason account_paused,no_match,odoo_unavailable", vec!["evt_6", "evt_5", "evt_3"]),
        ("--type mandate.activated", vec!["evt_4"]),
        ("--text s00015", vec!["evt_2"]),
        ("--text chk_1", vec!["evt_1"]),
        ("--text 1001 --from 2026-01-05 --to 2026-01-05", vec!["evt_1"]),
    ] {
        let rows = json(&home, &format!("events list --json {filter}")).await;
        assert_eq!(ids(&rows), expected, "{filter}");
    }
    for nothing in
        ["--text nowhere", "--to 2026-01-04", "--from 2026-01-06", "--account shop --status parked"]
    {
        let said = home.ask(&format!("events list --lang en {nothing}")).await;
        assert_eq!(said, Said { out: String::new(), end: "3: No event matches.".to_owned() });
    }
}

#[tokio::test]
async fn a_day_is_chiles_and_includes_both_ends() {
    let home = Home::empty().await;
    for (number, moment) in [
        "2026-01-05T02:59:59Z",
        "2026-01-05T03:00:00Z",
        "2026-01-06T02:59:59Z",
        "2026-01-06T03:00:00Z",
    ]
    .iter()
    .enumerate()
    {
        let body = paid(&format!("evt_{number}"), &format!("chk_{number}"), 1);
        home.tell("main", &body, moment.parse().unwrap()).await;
    }
    let rows = json(&home, "events list --json --from 2026-01-05 --to 2026-01-05").await;
    assert_eq!(ids(&rows), ["evt_2", "evt_1"]);
    let said = home.ask("events list --lang en --from 2026-01-06 --to 2026-01-05").await;
    assert_eq!(said.end, "2: --from 2026-01-06 is after --to 2026-01-05.");
}

#[tokio::test]
async fn pages_follow_each_other_and_tell_how_many_come() {
    let home = Home::full().await;
    let first = home.ask("events list --lang en --limit 4").await.out;
    assert!(first.contains("5 more: go on with --after shop/evt_5"), "{first}");
    let all = json(&home, "events list --json").await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let rows = json(&home, &format!("events list --json --limit 2 {after}")).await;
        let page = ids(&rows);
        let Some(last) = page.last() else { break };
        after = format!("--after {last}");
        seen.extend(page.iter().map(|id| (*id).to_owned()));
        assert!(seen.len() <= 9, "pages do not end");
    }
    assert_eq!(seen, ids(&all));
}

#[tokio::test]
async fn pages_of_one_moment_lose_nothing() {
    let home = Home::empty().await;
    let moment = "2026-01-05T12:00:00Z".parse().unwrap();
    for number in 0..5 {
        let body = paid(&format!("evt_{number}"), &format!("chk_{number}"), 1);
        home.tell("main", &body, moment).await;
    }
    let said = home.ask("events list --lang en --limit 2").await.out;
    assert!(said.contains("3 more"), "{said}");
}

#[tokio::test]
async fn what_waits_and_what_needs_a_person_is_summed_up() {
    let home = Home::full().await;
    insta::assert_snapshot!("pending_en", home.ask("pending --lang en").await.out);
    insta::assert_snapshot!("parked_en", home.ask("parked --lang en").await.out);
    insta::assert_snapshot!("parked_es", home.ask("parked --lang es").await.out);
    insta::assert_snapshot!("pending_json", home.ask("pending --json --lang en").await.out);
    let parked = json(&home, "parked --json --account main --reason amount_mismatch").await;
    assert_eq!(parked["summary"][0]["at_stake"][0]["minor"], 44_000);
    assert_eq!(ids(&parked["events"]), ["evt_2"]);
    let summary = json(&home, "pending --json --summary").await;
    assert!(summary.get("events").is_none());
    let said = home.ask("parked --lang es --account shop").await;
    assert_eq!(said.end, "3: Nada está por revisar de la cuenta shop.");
}

#[tokio::test]
async fn the_balance_is_that_of_the_log() {
    let home = Home::full().await;
    insta::assert_snapshot!("balance_en", home.ask("balance --lang en").await.out);
    insta::assert_snapshot!(
        "balance_es",
        home.ask("balance --lang es --by-day --account main").await.out
    );
    let sums = json(&home, "balance --json").await;
    let of = &sums["currencies"][0];
    assert_eq!(
        (&of["paid"], &of["booked"], &of["difference"]),
        (&97_590.into(), &15_990.into(), &0.into())
    );
    let none = json(&home, "balance --json --to 2026-01-04").await;
    assert_eq!(none["currencies"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_summary_by_a_reason_laid_over_what_was_received_counts_it() {
    let home = Home::full().await;
    let pending = json(&home, "pending --json --reason account_paused").await;
    assert_eq!(ids(&pending["events"]), ["evt_5"]);
    assert_eq!(pending["summary"][0]["reason"], "account_paused");
    assert_eq!(
        (&pending["summary"][0]["events"], &pending["summary"][1]),
        (&1.into(), &Value::Null)
    );
    let said = home.ask("retry --reason account_paused --by ana --lang en").await;
    assert!(
        said.end.starts_with("3: Nothing to retry matches. Account shop is paused by ana"),
        "{said:?}"
    );
    let said = home.ask("retry --reason disputed --by ana --lang en").await;
    assert_eq!(said.end, "3: Nothing to retry matches.");
}
