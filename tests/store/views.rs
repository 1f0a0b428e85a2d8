//! The contract: the views, what they hold, and that views made again are the views that were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::event::{Booking, CheckoutPaid, Event, Fact};
use concilia_worker::domain::reason::{ParkReason, PendingReason};
use concilia_worker::store::{Arrival, EventStore, StoreError};
use concilia_worker::views::events::Row;
use concilia_worker::views::filter::{Filter, Page, Period};
use concilia_worker::views::project::{self, VERSION};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use crate::given::{DEADLINE, account, arrival_of, at, event_id, settled, stream, stream_of};
use crate::home::Home;

/// A payment told by event `id` of checkout `chk_<number>`, received at `seconds`.
pub(crate) fn paid(account: &str, id: &str, number: u32, minor: i64, seconds: i64) -> Arrival {
    let checkout = format!("chk_{number}");
    let mut arrival = arrival_of(account, id, &format!("checkout-{checkout}"), 1);
    arrival.told.event_type = Some("checkout.paid".to_owned());
    arrival.told.received_at = at(seconds);
    arrival.webhook.received_at = at(seconds);
    arrival.told.fact = Fact::CheckoutPaid(CheckoutPaid {
        checkout: CheckoutId::parse(checkout).unwrap(),
        amount: Money::new(minor, Currency::Clp),
        paid_at: Some(at(seconds)),
        status: None,
        refunded: false,
        disputed: false,
        payment: None,
    });
    arrival
}

pub(crate) fn pended(id: &str, looked_for: &[&str], since: i64) -> Event {
    let looked_for = looked_for.iter().map(|value| (*value).to_owned()).collect();
    Event::Pended {
        about: event_id(id),
        reason: PendingReason::NoMatch { looked_for },
        attempt: 1,
        since: at(since),
        due_at: at(since + 15),
    }
}

pub(crate) fn booked(id: &str, order: &str, minor: i64) -> Event {
    Event::Booked {
        about: event_id(id),
        booking: Booking {
            transaction: format!("T-{id}"),
            payment: Some(format!("PAY/{id}")),
            amount: Money::new(minor, Currency::Clp),
            date: None,
            orders: vec![order.to_owned()],
            invoices: Vec::new(),
            credit: None,
        },
        matched: None,
        mode: Some(concilia_shared::config::Mode::B),
    }
}

pub(crate) fn parked(id: &str) -> Event {
    Event::Parked { about: event_id(id), reason: ParkReason::Disputed }
}

/// Events of the log that the views have not passed.
async fn behind(home: &Home) -> i64 {
    let beyond = if home.is_sqlite() {
        "events.position > view_cursors.position"
    } else {
        r#"(txid, events.position) > ("transaction"::text::xid8, view_cursors.position)"#
    };
    home.number(&format!("select count(*) from events, view_cursors where {beyond}")).await
}

/// Projects to the very end: other transactions of the server may delay it.
pub(crate) async fn project_all(home: &Home, store: &dyn EventStore) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        project::catch_up(store, 1_000).await.unwrap();
        if behind(home).await == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "the views never caught up");
    }
}

/// Some accounts' payments, each somewhere else.
async fn given(home: &Home) -> Arc<dyn EventStore> {
    let store = home.open().await;
    let arrivals = [
        paid("main", "evt_booked", 1, 100, 0),
        paid("main", "evt_waits", 2, 20, 1),
        paid("main", "evt_parked", 3, 3, 90_000),
        paid("other", "evt_waits", 1, 7, 2),
        arrival_of("main", "evt_strange", "event-evt_strange", 5),
    ];
    store.admit(&arrivals, at(0)).await.unwrap();
    let main = |number: u32| stream(&format!("checkout-chk_{number}"));
    let facts = [
        (main(1), pended("evt_booked", &["WEB-1"], 3)),
        (main(1), booked("evt_booked", "S00001", 100)),
        (main(2), pended("evt_waits", &["WEB-2", "2"], 5)),
        (main(3), parked("evt_parked")),
        (stream_of("other", "checkout-chk_1"), pended("evt_waits", &["WEB-2"], 4)),
        (stream("event-evt_strange"), settled("evt_strange")),
    ];
    store.record(&facts, false, at(10)).await.unwrap();
    project_all(home, &*store).await;
    store
}

async fn listed(store: &dyn EventStore, filter: Filter) -> Vec<String> {
    let page = Page { after: None, newest_first: false, limit: 99 };
    let rows = store.events(&filter, &page).await.unwrap();
    rows.iter()
        .map(|row| format!("{}/{}", row.stream.account(), row.told.webhook.event_id))
        .collect()
}

pub(crate) async fn a_list_is_filtered_by_every_word(home: &Home) {
    let store = given(home).await;
    let (first, waits, parked, other, strange) = (
        "main/evt_booked",
        "main/evt_waits",
        "main/evt_parked",
        "other/evt_waits",
        "main/evt_strange",
    );
    let none = Filter::default;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..none() };
    let cases = [
        (none(), vec![strange, first, waits, other, parked]),
        (Filter { account: Some(account("other")), ..none() }, vec![other]),
        (Filter { statuses: words(&["pending", "parked"]), ..none() }, vec![waits, other, parked]),
        (Filter { reasons: words(&["disputed"]), ..none() }, vec![parked]),
        (Filter { types: words(&["checkout.other"]), ..none() }, vec![strange]),
        (Filter { from: Some(at(1)), until: Some(at(2)), ..none() }, vec![waits]),
        (Filter { from: Some(at(2)), ..none() }, vec![other, parked]),
        (Filter { only_held: true, ..none() }, vec![]),
        (text("web-2"), vec![waits, other]),
        (text(" s00001 "), vec![first]),
        (text("PAY/evt_b"), vec![first]),
        (text("WEB-1"), vec![first]),
        (text("chk_3"), vec![parked]),
        (text("%"), vec![]),
        (text("a\u{0}b"), vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(listed(&*store, filter.clone()).await, expected, "{filter:?}");
    }
    // What nobody looked at has no reason of its own; its account's may be asked for.
    let new = [paid("main", "evt_new", 8, 1, 100_000), paid("other", "evt_new", 8, 1, 100_001)];
    store.admit(&new, at(100_002)).await.unwrap();
    project_all(home, &*store).await;
    let disputed = Filter { reasons: words(&["disputed"]), ..none() };
    assert_eq!(listed(&*store, disputed.clone()).await, [parked]);
    let of_main = Filter { received_of: words(&["main"]), ..disputed };
    assert_eq!(listed(&*store, of_main.clone()).await, [parked, "main/evt_new"]);
    let page = Page { after: None, newest_first: true, limit: 1 };
    let newest = store.events(&of_main, &page).await.unwrap();
    let page = Page { after: Some(newest[0].place()), ..page };
    let second = store.events(&of_main, &page).await.unwrap();
    assert_eq!(second[0].told.webhook.event_id.as_str(), "evt_parked");
    let counts = store.counts(&of_main).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.events).sum::<i64>(), 2);
}

pub(crate) async fn pages_follow_each_other_without_a_gap_in_both_directions(home: &Home) {
    let store = home.open().await;
    // Many at one moment: the id decides.
    let arrivals: Vec<Arrival> =
        (0..25).map(|n| paid("main", &format!("evt_{n}"), n, 1, i64::from(n / 6))).collect();
    store.admit(&arrivals, at(0)).await.unwrap();
    project_all(home, &*store).await;
    let mut orders = Vec::new();
    for newest_first in [false, true] {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let page = Page { after: rows.last().map(Row::place), newest_first, limit: 4 };
            let found = store.events(&Filter::default(), &page).await.unwrap();
            let last = found.len() < 4;
            rows.extend(found);
            if last {
                break;
            }
        }
        orders.push(rows);
    }
    let backwards: Vec<Row> = orders.pop().unwrap().into_iter().rev().collect();
    let forwards = orders.pop().unwrap();
    let ids: BTreeSet<_> = forwards.iter().map(|row| &row.told.webhook.event_id).collect();
    assert_eq!((forwards.len(), ids.len()), (25, 25));
    assert!(forwards.is_sorted_by_key(Row::place));
    assert_eq!(forwards, backwards);
}

pub(crate) async fn sums_and_counts_agree_with_what_was_told(home: &Home) {
    let store = given(home).await;
    let sums = store.sums(&Period::default()).await.unwrap();
    assert_eq!(sums.len(), 1);
    let all = sums[0];
    assert_eq!(
        (all.paid, all.booked, all.pending, all.parked, all.difference),
        (130, 100, 27, 3, 0)
    );
    assert_eq!(all.day, None);
    let by_day = Period { by_day: true, ..Period::default() };
    let days = store.sums(&by_day).await.unwrap();
    let days: Vec<_> =
        days.iter().map(|it| (it.day.unwrap().to_string(), it.paid, it.difference)).collect();
    assert_eq!(days, [("2026-01-05".to_owned(), 127, 0), ("2026-01-06".to_owned(), 3, 0)]);
    let one = Period {
        account: Some(account("main")),
        from: Some("2026-01-05".parse().unwrap()),
        through: Some("2026-01-05".parse().unwrap()),
        by_day: false,
    };
    assert_eq!(store.sums(&one).await.unwrap()[0].paid, 120);

    let waiting = Filter { statuses: vec!["pending".to_owned()], ..Filter::default() };
    let counts = store.counts(&waiting).await.unwrap();
    let told: Vec<_> = counts
        .iter()
        .map(|it| (it.account.as_str(), it.reason.as_deref(), it.events, it.minor, it.oldest))
        .collect();
    assert_eq!(
        told,
        [("main", Some("no_match"), 1, 20, at(5)), ("other", Some("no_match"), 1, 7, at(4))]
    );
    let all: i64 = store.counts(&Filter::default()).await.unwrap().iter().map(|it| it.events).sum();
    assert_eq!(all, 5);
    assert_eq!(store.oldest_pending(&account("main")).await.unwrap(), Some(at(5)));
    assert_eq!(store.oldest_pending(&account("nobody")).await.unwrap(), None);
}

pub(crate) async fn the_oldest_of_a_hundred_thousand_that_wait_is_found_at_once(home: &Home) {
    let store = given(home).await;
    let main = account("main");
    let best = async || {
        let mut best = Duration::MAX;
        for _ in 0..15 {
            let start = Instant::now();
            assert_eq!(store.oldest_pending(&main).await.unwrap(), Some(at(5)));
            best = best.min(start.elapsed());
        }
        best
    };
    let few = best().await;
    let (since, held) = if home.is_sqlite() {
        (at(9_000).as_microsecond().to_string(), "0")
    } else {
        (format!("timestamptz '{}'", at(9_000)), "false")
    };
    home.sql(&format!(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < 100000)
         insert into view_events (stream, event_id, account, status, received_at, day, since, held,
                                  looked_for, search, row)
         select 'main/waits-' || n, 'evt_' || n, 'main', 'pending', {since}, '2026-01-05', {since},
                {held}, '[]', '', '{{}}' from n"
    ))
    .await
    .unwrap();
    let many = best().await;
    // A walk over them takes some hundred times as long; the floor keeps noise out.
    let bound = (few * 5).max(Duration::from_millis(5));
    assert!(many < bound, "{many:?} with 100,000 waiting, {few:?} without");
}

pub(crate) async fn what_waits_is_found_by_what_it_waits_for(home: &Home) {
    let store = given(home).await;
    let main = account("main");
    let asked = async |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        store.waiting_for(&main, &values).await.unwrap()
    };
    let waits = stream("checkout-chk_2");
    assert_eq!(asked(&["WEB-2", "2", "x", "\u{0}"]).await, std::slice::from_ref(&waits));
    assert!(asked(&["WEB-1", "web-2"]).await.is_empty(), "what is booked waits no more");
    assert!(asked(&[]).await.is_empty());
    store.record(&[(waits, booked("evt_waits", "S2", 20))], false, at(20)).await.unwrap();
    project_all(home, &*store).await;
    assert!(asked(&["WEB-2"]).await.is_empty());
}

pub(crate) async fn a_projector_that_was_overtaken_writes_nothing(home: &Home) {
    let store = home.open().await;
    project_all(home, &*store).await;
    let from = store.view_cursor().await.unwrap();
    assert_eq!(from.version, VERSION);
    store.admit(&[paid("main", "evt_1", 1, 100, 0)], at(0)).await.unwrap();
    project_all(home, &*store).await;
    let to = store.view_cursor().await.unwrap();
    assert_ne!(to, from);
    let nothing = concilia_worker::views::fold::fold::<Event>(&stream("checkout-chk_1"), &[]);
    assert!(!store.project(&from, to.cursor, &[nothing]).await.unwrap());
    assert_eq!(home.number("select count(*) from view_events").await, 1);
    assert_eq!(store.view_cursor().await.unwrap(), to);
}

pub(crate) async fn views_of_another_shape_are_made_again_and_newer_ones_refused(home: &Home) {
    let store = given(home).await;
    let before = home.views().await;
    home.sql("delete from view_events").await.unwrap();
    // As an older build, or a drop that was cut off, would have left it.
    home.sql("update view_cursors set version = 0").await.unwrap();
    project_all(home, &*store).await;
    assert_eq!(home.views().await, before);
    home.sql("update view_cursors set version = 99").await.unwrap();
    let refused = project::step(&*store).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

/// One writer's turn: what comes next to one of a few streams.
async fn write(store: &dyn EventStore, dice: &mut StdRng, writer: u32, turn: u32) {
    let number = dice.random_range(0..8);
    let id = format!("evt_{writer}_{turn}");
    let object = stream(&format!("checkout-chk_{number}"));
    let fact = match dice.random_range(0..6) {
        0 | 1 => {
            let arrival = paid("main", &id, number, i64::from(number) + 1, i64::from(turn));
            store.admit(&[arrival], at(0)).await.unwrap();
            return;
        }
        2 => pended(&format!("evt_{writer}_{}", turn / 2), &["WEB-1", &id], i64::from(turn)),
        3 => booked(&format!("evt_{writer}_{}", turn / 2), &format!("S{turn}"), 5),
        4 => parked(&format!("evt_{writer}_{}", turn / 3)),
        _ => Event::Held { about: event_id(&id) },
    };
    store.record(&[(object, fact)], turn.is_multiple_of(2), at(0)).await.unwrap();
}

pub(crate) async fn views_made_again_are_the_views_that_were_whoever_writes(home: &Home) {
    let done = Arc::new(AtomicBool::new(false));
    let mut projectors = JoinSet::new();
    for n in 0..3 {
        let (store, done) = (home.open().await, Arc::clone(&done));
        projectors.spawn(async move {
            let mut turns = 0_u32;
            while !done.load(Ordering::SeqCst) {
                project::step(&*store).await.unwrap();
                turns += 1;
                if n == 0 && turns.is_multiple_of(10) {
                    store.drop_views(VERSION).await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let store = home.open().await;
        writers.spawn(async move {
            let mut dice = StdRng::seed_from_u64(u64::from(writer));
            for turn in 0..60 {
                write(&*store, &mut dice, writer, turn).await;
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    projectors.join_all().await;

    let store = home.open().await;
    project_all(home, &*store).await;
    let live = home.views().await;
    assert!(live.lines().count() > 60, "too tame: {live}");
    store.drop_views(VERSION).await.unwrap();
    assert_eq!(home.number("select count(*) from view_events").await, 0);
    project_all(home, &*store).await;
    assert_eq!(home.views().await, live);
    let sums = store.sums(&Period::default()).await.unwrap();
    assert_ne!(sums[0].paid, 0);
}

pub(crate) async fn a_row_that_somebody_changed_is_named(home: &Home) {
    let store = given(home).await;
    let (first, second) = (stream("checkout-chk_1"), stream("checkout-chk_2"));
    let histories = store.histories(&[&second, &first]).await.unwrap();
    let folded: Vec<_> = histories
        .chunk_by(|a, b| a.stream == b.stream)
        .map(|history| {
            let events: Vec<&Event> = history.iter().map(|recorded| &recorded.event).collect();
            concilia_worker::views::fold::fold(&history[0].stream, &events)
        })
        .collect();
    assert_eq!(store.compare(&folded).await.unwrap(), None);
    for (change, place) in [
        (
            "update view_events set row = row || ' ' where event_id = 'evt_booked'",
            "view_events of evt_booked",
        ),
        (
            "update view_payments set booked = 99 where stream = 'main/checkout-chk_1'",
            "view_payments of main/checkout-chk_1",
        ),
        ("delete from view_keys where value = '2'", "view_keys of main/checkout-chk_2"),
    ] {
        home.sql(change).await.unwrap();
        let difference = store.compare(&folded).await.unwrap().unwrap();
        assert!(difference.starts_with(place), "{difference}");
        store.drop_views(VERSION).await.unwrap();
        project_all(home, &*store).await;
    }
    assert_eq!(store.compare(&folded).await.unwrap(), None);
}
