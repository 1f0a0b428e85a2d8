//! The decisions of [`super::decide`] as a ledger: `ledger.txt`, one line a case, and the laws
//! that hold for all of them.
//!
//! The words of a line, and how one becomes a case, are in [`case`]; the values it is made of in
//! [`given`].

use concilia_shared::config::Retry;
use concilia_shared::id::EventId;
use proptest::prelude::*;

use super::decide::{Plan, Verdict, conclude, plan, rest};
use super::event::Event;
use super::observe::{Command, Outcome};
use super::reason::{IgnoreReason, ParkReason, PendingReason, RecordReason};
use super::state::{Open, State, Status};
use crate::retry::Jitter;

mod case;

pub(super) mod given;

use case::{Case, booking_of, done, verdict_text};
use given::{NOON, body, paid_fact, timestamp, webhook};

const NO_MATCH: PendingReason = PendingReason::NoMatch { looked_for: Vec::new() };

const LEDGER: &str = include_str!("ledger.txt");

#[test]
fn every_line_of_the_ledger_holds() {
    let mut wrong = Vec::new();
    for line in cases() {
        let case = Case::read(line);
        let then = line.rsplit('|').next().unwrap().trim();
        let decided = case.decide();
        if decided != then {
            wrong.push(format!("{line}\n    decided: {decided}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(cases().count() > 80, "the ledger was not read");
}

#[test]
fn deciding_again_after_the_outcome_gives_nothing() {
    for line in cases() {
        let mut case = Case::read(line);
        let event = case.outcome();
        if is_a_step(&event) {
            continue;
        }
        let waits = matches!(event, Event::Pended { .. });
        case.state.apply(&event);
        let now = timestamp(NOON);
        let again = match case.state.work(now) {
            Some(Open::Attend(told)) if told.webhook == case.told().webhook => Some(told),
            _ => None,
        };
        assert!(again.is_none_or(|told| weather(&told.status)), "{line}");
        assert_eq!(matches!(case.told().status, Status::Pending { .. }), waits, "{line}");
    }
}

#[test]
fn a_booking_that_was_lost_on_the_way_back_is_found_and_not_repeated() {
    for line in cases() {
        let mut case = Case::read(line);
        let Some(command) = case.command() else { continue };
        let Some(booking) = booking_of(&command) else { continue };
        let found = format!("booked {}", booking.transaction);
        case.seen.odoo.booked = Some(booking);
        case.seen.odoo.booked_name = Some(command.name());
        case.seen.odoo.booked_state = Some("done".to_owned());
        assert_eq!(case.decide(), found, "{line}");
    }
}

#[test]
fn what_came_of_a_command_is_judged() {
    let text = |text: &str| Some(text.to_owned());
    let judged = |command: &Command, outcome| {
        conclude(command, outcome, None).map(|verdict| verdict_text(&verdict))
    };
    for line in [
        "order S1 1000 CLP | paid 1000 CLP | book",
        "setting mode A, portal 1001 1000 CLP draft | paid 1000 CLP | confirm",
        "setting mode A, portal 1001 1000 CLP draft | canceled | cancel",
        "setting mode A, portal 1001 1000 CLP draft | charge failed 1000 CLP charge ch_1 | fail",
        "told evt_0 1000 CLP then booked, booked 1000 CLP | refunded 400 CLP | refund",
    ] {
        let command = Case::read(line).command().unwrap();
        let booking = booking_of(&command);
        let canceled = Outcome::Canceled { transaction: "1001".to_owned() };
        match (&command, booking) {
            (Command::Cancel(_), _) => {
                assert_eq!(judged(&command, canceled), text("canceled 1001"));
            }
            (Command::Fail(_), _) => {
                let failed = Outcome::Failed { transaction: "1001".to_owned() };
                assert_eq!(judged(&command, failed), text("failed 1001"));
                // What was asked for did not come about.
                assert_eq!(judged(&command, canceled), text("pending changed"));
            }
            (Command::Refund(refund), _) => {
                let name = refund.name.clone();
                assert_eq!(judged(&command, done(&command)), Some(format!("refunded {name}")));
            }
            (_, Some(booking)) => {
                let done = Outcome::Booked(booking.clone());
                let stands = format!("booked {}", booking.transaction);
                assert_eq!(judged(&command, done), Some(stands));
                // Looked at again, so that all of what is there is judged and not its amount only.
                let already = Outcome::Already(booking);
                assert_eq!(judged(&command, already), text("pending changed"));
            }
            (other, None) => panic!("{other:?}"),
        }
        let changed = Outcome::Changed { what: "order_total".to_owned() };
        assert_eq!(judged(&command, changed), text("pending changed"));
        let refused = Outcome::Refused { why: "amount".to_owned(), detail: String::new() };
        assert_eq!(judged(&command, refused), text("parked refused_by_odoo"));
        assert_eq!(judged(&command, Outcome::Again), None);
    }
}

#[test]
fn a_person_who_changes_nothing_gets_the_same_answer() {
    for line in cases() {
        let mut case = Case::read(line);
        let before = case.decide();
        let event = case.outcome();
        if is_a_step(&event) {
            continue;
        }
        let about = case.told().webhook.event_id.clone();
        case.state.apply(&event);
        case.state.apply(&Event::RetryRequested { about, by: "ana".to_owned() });
        if matches!(case.told().status, Status::Received) {
            assert_eq!(case.decide(), before, "{line}");
        }
    }
}

#[test]
fn nothing_a_held_stream_holds_is_attended_to() {
    for line in cases() {
        let mut case = Case::read(line);
        let about = case.told().webhook.event_id.clone();
        case.state.apply(&Event::Held { about });
        let year = jiff::SignedDuration::from_hours(24 * 365);
        assert_eq!(case.state.work(timestamp(NOON) + year), None, "{line}");
        assert_eq!(case.state.next_due(), None, "{line}");
    }
}

#[test]
fn a_pending_event_is_tried_for_as_long_as_the_schedule_says_and_then_parked() {
    let mut case = Case::read("- | paid 1000 CLP | pending");
    let schedule = Retry::default();
    let start = timestamp(NOON);
    let mut now = start;
    let attempts = loop {
        let event = rest(
            case.told(),
            Verdict::Pending(PendingReason::NoMatch { looked_for: Vec::new() }),
            &schedule,
            now,
            Jitter(u32::MAX),
        );
        case.state.apply(&event);
        match case.told().status.clone() {
            Status::Pending { attempt, since, due_at, .. } => {
                assert_eq!(since, start);
                assert!(due_at > now && attempt < 10_000);
                now = due_at;
            }
            Status::Parked(ParkReason::RetriesExhausted { attempts, .. }) => break attempts,
            other => panic!("{other:?}"),
        }
    };
    let days = now.duration_since(start).as_hours() / 24;
    assert_eq!(days, 30);
    assert!(attempts > 700, "{attempts} attempts");
}

#[test]
fn bad_weather_uses_up_no_try_and_never_gives_up() {
    let mut case = Case::read("- | paid 1000 CLP | pending");
    let schedule = Retry::default();
    let year = jiff::SignedDuration::from_hours(24 * 365);
    for now in [timestamp(NOON), timestamp(NOON) + year] {
        let verdict = Verdict::Pending(PendingReason::OdooUnavailable);
        case.state.apply(&rest(case.told(), verdict, &schedule, now, Jitter(0)));
        let Status::Pending { attempt, .. } = case.told().status else { panic!("not pending") };
        assert_eq!(attempt, 0);
        assert!(case.state.work(now).is_some(), "a claim is reason enough to look again");
    }
}

#[test]
fn an_outage_leaves_the_time_for_looking_untouched() {
    let schedule = Retry::default();
    let days = |n: i64| jiff::SignedDuration::from_hours(24 * n);
    let start = timestamp(NOON);
    let pended = |case: &mut Case, reason: PendingReason, now| {
        let event = rest(case.told(), Verdict::Pending(reason), &schedule, now, Jitter(0));
        case.state.apply(&event);
        matches!(case.told().status, Status::Pending { .. })
    };
    // An outage of a month before the first look.
    let mut case = Case::read("- | paid 1000 CLP | pending");
    assert!(pended(&mut case, PendingReason::OdooUnavailable, start));
    assert!(pended(&mut case, NO_MATCH, start + days(31)));
    assert!(pended(&mut case, NO_MATCH, start + days(60)));
    assert!(!pended(&mut case, NO_MATCH, start + days(62)));
    // An outage of four weeks in the middle, of two kinds.
    let mut case = Case::read("- | paid 1000 CLP | pending");
    assert!(pended(&mut case, NO_MATCH, start));
    assert!(pended(&mut case, PendingReason::OdooUnavailable, start + days(10)));
    assert!(pended(&mut case, PendingReason::VentipayUnavailable, start + days(24)));
    assert!(pended(&mut case, NO_MATCH, start + days(38)));
    assert!(pended(&mut case, NO_MATCH, start + days(57)));
    assert!(!pended(&mut case, NO_MATCH, start + days(59)));
}

#[test]
fn a_checkout_ventipay_does_not_know_is_asked_for_again_before_a_person_is() {
    let mut case = Case::read("ventipay unknown, order S1 1000 CLP | paid 1000 CLP | -");
    let mut now = timestamp(NOON);
    let mut decided = Vec::new();
    while decided.last().is_none_or(|last: &String| last.starts_with("pending")) {
        decided.push(case.decide());
        let event = case.outcome_at(now);
        case.state.apply(&event);
        now += jiff::SignedDuration::from_mins(10);
        assert!(decided.len() < 10);
    }
    assert_eq!(decided.len(), 6);
    assert_eq!(decided[5], "parked not_payable");
}

proptest! {
    /// Replaying a prefix and then the rest is replaying the whole.
    #[test]
    fn replay_can_be_cut_anywhere(events in prop::collection::vec(any_event(), 0..12), cut in 0_usize..12) {
        let cut = cut.min(events.len());
        let mut state = State::replay(&events[..cut]);
        events[cut..].iter().for_each(|event| state.apply(event));
        prop_assert_eq!(state, State::replay(&events));
    }

    /// Whatever the history, at most one event of a stream can lead to a booking: all others
    /// that tell the payment are recorded, parked or ignored without a look.
    #[test]
    fn only_one_event_of_a_stream_may_book(events in prop::collection::vec(any_event(), 0..12)) {
        let state = State::replay(&events);
        let case = Case::read("- | paid 1000 CLP | -");
        let lookups = state.told.iter().filter(|told| {
            matches!(plan(told, &state, &case.settings, Some(&body())), Plan::LookUp(_))
        });
        let unreliable = state.told.iter().filter(|told| !tells(&told.status)).count();
        prop_assert!(lookups.count() <= 1 + unreliable);
    }
}

/// Events of one stream, in any order and repetition, told in small numbers so that they meet.
fn any_event() -> impl Strategy<Value = Event> {
    let id = (0_u8..3).prop_map(|n| EventId::parse(format!("evt_{n}")).unwrap());
    (id, 0_u8..7, 1_i64..3).prop_map(|(about, kind, amount)| match kind {
        0 | 1 => Event::WebhookReceived(webhook(about.as_str(), paid_fact(amount * 1000, "CLP"))),
        2 => Event::PayloadConflicted { about, body_hash: "00".to_owned() },
        3 => Event::Recorded { about, reason: RecordReason::ToldBefore },
        4 => Event::Parked { about, reason: ParkReason::Refunded },
        5 => Event::Ignored { about, reason: IgnoreReason::OtherEnvironment { live: None } },
        _ => Event::Pended {
            about,
            reason: NO_MATCH,
            attempt: 1,
            since: timestamp(NOON),
            due_at: timestamp(NOON),
        },
    })
}

/// What leaves its event as it was, because more follows.
fn is_a_step(event: &Event) -> bool {
    matches!(event, Event::InvoiceMade { .. })
}

fn tells(status: &Status) -> bool {
    !matches!(status, Status::Ignored(_) | Status::Recorded(_))
}

fn cases() -> impl Iterator<Item = &'static str> {
    LEDGER.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn weather(status: &Status) -> bool {
    matches!(status, Status::Pending { reason, .. } if reason.is_weather())
}
