//! What people decide about events: the facts it leaves, and what is refused.

use concilia_worker::domain::event::Event;
use concilia_worker::domain::reason::{IgnoreReason, ParkReason};
use concilia_worker::domain::state::Status;
use jiff::SignedDuration;
use serde_json::Value;

use super::given::{Home, id, now, stream};

/// The streams that are due.
async fn due(home: &Home) -> Vec<String> {
    let until = now() + SignedDuration::from_mins(1);
    let claims = home.store.claim("test", now(), until, 100).await.unwrap();
    let mut streams: Vec<String> = claims.iter().map(|claim| claim.stream.to_string()).collect();
    streams.sort();
    streams
}

/// Brings every stream to rest, as the worker does, so that what is due next is a person's doing.
async fn settle(home: &Home) {
    let until = now() + SignedDuration::from_mins(1);
    for claim in home.store.claim("test", now(), until, 100).await.unwrap() {
        let after_sequence =
            home.store.stream(&claim.stream).await.unwrap().last().unwrap().sequence;
        let then = concilia_worker::store::Then::Rest;
        let step = concilia_worker::store::Step { events: Vec::new(), after_sequence, then };
        home.store.advance(&claim, &step, now()).await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_by_name_makes_the_stream_due() {
    let home = Home::full().await;
    settle(&home).await;
    let said = home.ask("retry evt_3 chk_2 --by ana --lang en").await;
    assert_eq!((said.out.as_str(), said.end.as_str()), ("Retried: 2 · 65.000 CLP\n", "done"));
    let asked = Event::RetryRequested { about: id("evt_3"), by: "ana".to_owned() };
    assert_eq!(home.last("main/checkout-chk_3").await, asked);
    assert_eq!(due(&home).await, ["main/checkout-chk_2", "main/checkout-chk_3"]);
}

#[tokio::test]
async fn a_dry_run_shows_and_does_nothing() {
    let home = Home::full().await;
    insta::assert_snapshot!(
        "retry_dry_run",
        home.ask("retry --all --dry-run --by ana --lang en").await.out
    );
    let said = home.ask("retry --all --dry-run --json --by ana").await.out;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["events"], &said["at_stake"][0]["minor"]), (&4.into(), &65_700.into()));
    assert!(matches!(home.status("main/checkout-chk_2", "evt_2").await, Status::Parked(_)));
}

#[tokio::test]
async fn a_filter_retries_what_matches_and_leaves_out_what_is_held_or_in_odoo() {
    let home = Home::full().await;
    let said = home.ask("retry --account main --type checkout.paid --by ana --lang en").await;
    assert_eq!(said.out, "Retried: 3 · 65.700 CLP\n");
    assert_eq!(home.status("main/checkout-chk_2", "evt_2").await, Status::Received);
    assert_eq!(home.status("main/checkout-chk_1", "evt_1").await, Status::Reconciled);
    let said = home.ask("retry --status reconciled,received,recorded --by ana --lang en").await;
    assert_eq!(said.end, "3: Nothing to retry matches.");
}

#[tokio::test]
async fn a_retry_under_a_pause_says_so() {
    let home = Home::full().await;
    home.ask("pause main --why 'new chart of accounts' --by ana").await;
    let said = home.ask("retry evt_2 --by ana --lang en").await.out;
    assert!(
        said.contains(
            "Account main is paused by ana since 2026-01-05 12:00:00: new chart of accounts."
        ),
        "{said}"
    );
}

#[tokio::test]
async fn what_cannot_be_retried_refuses_the_whole() {
    let home = Home::full().await;
    for (id, expected) in [
        ("evt_1", "4: evt_1: In Odoo. Nothing to do."),
        ("evt_4", "4: evt_4: Stored; this type asks for nothing in Odoo. Nothing to do."),
        (
            "evt_5",
            "4: evt_5: Account shop is paused by ana since 2026-01-05 09:20:00: closing the year. It goes on with `concilia-worker resume shop`.",
        ),
        (
            "evt_7",
            "4: evt_7: Read again from the broker and held: nothing is done about it until `concilia-worker replay release`.",
        ),
    ] {
        let said = home.ask(&format!("retry evt_3 {id} --by ana --lang en")).await;
        assert_eq!((said.out.as_str(), said.end.as_str()), ("", expected));
    }
    assert!(matches!(home.last("main/checkout-chk_3").await, Event::Pended { .. }));
    for misused in [
        "retry --by ana --lang en",
        "retry evt_3 --all --by ana --lang en",
        "retry evt_3 --account main --by ana --lang en",
    ] {
        assert!(home.ask(misused).await.end.starts_with("2: Say which events"), "{misused}");
    }
}

#[tokio::test]
async fn more_than_one_page_is_retried_whole() {
    let home = Home::empty().await;
    let mut facts = Vec::new();
    for number in 0..501 {
        let (event, checkout) = (format!("evt_{number}"), format!("chk_{number}"));
        home.tell("main", &super::given::paid(&event, &checkout, 1), now()).await;
        let parked = Event::Parked { about: id(&event), reason: ParkReason::Refunded };
        facts.push((stream(&format!("main/checkout-{checkout}")), parked));
    }
    home.store.record(&facts, false, now()).await.unwrap();
    assert_eq!(home.ask("retry --all --by ana --lang en").await.out, "Retried: 501 · 501 CLP\n");
    assert_eq!(home.ask("parked --lang en").await.end, "3: Nothing is parked.");
}

#[tokio::test]
async fn a_person_chooses_the_order() {
    let home = Home::full().await;
    settle(&home).await;
    let said = home
        .ask("match chk_3 --order S00042 --why 'the customer says so' --by ana --lang en")
        .await;
    assert_eq!(said.out, "evt_3: order S00042 chosen; it is looked at again now.\n");
    let state = home.state("main/checkout-chk_3").await;
    assert_eq!(state.told[0].chosen.as_deref(), Some("S00042"));
    assert_eq!(due(&home).await, ["main/checkout-chk_3"]);
    let said = home.ask("match evt_1 --order S1 --why w --by ana --lang en").await;
    assert_eq!(said.end, "4: evt_1: In Odoo. Nothing to do.");
    let said = home.ask("match evt_4 --order S1 --why w --by ana --lang en").await;
    assert!(said.end.starts_with("4: evt_4: Stored"), "{said:?}");
}

#[tokio::test]
async fn only_what_can_be_accepted_is() {
    let home = Home::full().await;
    settle(&home).await;
    let said = home.ask("accept evt_2 --why 'the shop agrees' --by ana --lang es").await;
    assert_eq!(said.out, "evt_2: aceptado; se revisa de nuevo ahora.\n");
    let state = home.state("main/checkout-chk_2").await;
    assert!(matches!(&state.told[0].accepted[..], [ParkReason::AmountMismatch { .. }]));
    assert_eq!(due(&home).await, ["main/checkout-chk_2"]);
    let said = home.ask("accept evt_8 --why w --by ana --lang en").await;
    assert_eq!(
        said.end,
        "4: evt_8: It cannot be accepted as it is. Paid 700 CLP, but S00080 is in USD. Book it by hand or correct the document."
    );
    let said = home.ask("accept evt_3 --why w --by ana --lang en").await;
    assert!(said.end.starts_with("4: evt_3: No order in Odoo matches 1003 yet."), "{said:?}");
}

#[tokio::test]
async fn what_a_person_closes_is_closed_once() {
    let home = Home::full().await;
    let said = home
        .ask(
            "ignore --reason currency_mismatch --why 'booked by hand' --by ana --lang en --dry-run",
        )
        .await;
    assert!(said.out.ends_with("Would be closed: 1 · 700 CLP\n"), "{said:?}");
    let said = home.ask("ignore evt_8 --why 'booked by hand' --by ana --lang en").await;
    assert_eq!(said.out, "Closed: 1 · 700 CLP\n");
    let by_hand = IgnoreReason::ByHand { by: "ana".to_owned(), why: "booked by hand".to_owned() };
    assert_eq!(home.status("main/checkout-chk_8", "evt_8").await, Status::Ignored(by_hand));
    let said = home.ask("ignore evt_8 --why again --by ana --lang en").await;
    assert_eq!(said.end, "4: evt_8: Closed by ana: booked by hand. Nothing to do.");
    let said = home.ask("ignore evt_1 --why w --by ana --lang en").await;
    assert_eq!(said.end, "4: evt_1: In Odoo. Nothing to do.");
    assert_eq!(home.status("main/checkout-chk_1", "evt_1").await, Status::Reconciled);
}

#[tokio::test]
async fn what_a_worker_holds_is_closed_once_it_is_released_and_not_before() {
    let home = Home::full().await;
    settle(&home).await;
    home.store.wake_streams(&[stream("main/checkout-chk_8")], now()).await.unwrap();
    let until = now() + SignedDuration::from_mins(2);
    let claim = home.store.claim("worker", now(), until, 1).await.unwrap().remove(0);
    let close = "ignore evt_8 evt_2 --why 'paid twice' --by ana --lang en";
    let said = home.ask(&format!("{close} --wait 0")).await;
    assert_eq!(said.out, "Closed: 1 · 44.000 CLP\n", "the other one is closed all the same");
    assert_eq!(said.end, "4: evt_8: A worker is at it; try again in a moment.");
    assert!(matches!(home.status("main/checkout-chk_8", "evt_8").await, Status::Parked(_)));

    let after_sequence = home.store.stream(&claim.stream).await.unwrap().last().unwrap().sequence;
    let then = concilia_worker::store::Then::Rest;
    let step = concilia_worker::store::Step { events: Vec::new(), after_sequence, then };
    let (said, released) = tokio::join!(
        home.ask("ignore evt_8 --why 'paid twice' --by ana --lang en --wait 60"),
        async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            home.store.advance(&claim, &step, now()).await
        }
    );
    released.unwrap();
    assert_eq!((said.out.as_str(), said.end.as_str()), ("Closed: 1 · 700 CLP\n", "done"));
}

#[tokio::test]
async fn what_a_worker_held_when_it_died_is_not_closed_before_another_finished_it() {
    let home = Home::full().await;
    settle(&home).await;
    let claimed = now() - SignedDuration::from_hours(1);
    home.store.wake_streams(&[stream("main/checkout-chk_8")], claimed).await.unwrap();
    home.store.claim("dies", claimed, claimed + SignedDuration::from_mins(2), 1).await.unwrap();
    let said = home.ask("ignore evt_8 --why 'paid twice' --by ana --lang en --wait 0").await;
    assert_eq!(said.out, "");
    assert!(said.end.starts_with("4: evt_8: A worker died in the middle of it"), "{said:?}");
    let said = home.ask("ignore evt_8 --why 'paid twice' --by ana --lang es --wait 0").await;
    assert!(said.end.starts_with("4: evt_8: Un worker se detuvo a la mitad"), "{said:?}");
    assert!(matches!(home.status("main/checkout-chk_8", "evt_8").await, Status::Parked(_)));
}
