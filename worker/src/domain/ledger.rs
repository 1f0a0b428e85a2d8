//! The decisions of [`super::decide`] as a ledger: `ledger.txt`, one line a case, and the laws
//! that hold for all of them.
//!
//! Words of `given`, joined by commas: `order NAME TOTAL CURRENCY [draft|sale|cancel] [company N]
//! [field F] [key other]` · `invoice ID ORDER TOTAL [draft|cancelled|credit] [is STATE]
//! [residual R] [payments N] [company N] [in CURRENCY]` · `tx REFERENCE STATE [of ORDER]` ·
//! `booked AMOUNT CURRENCY [state S] [company N]` · `ventipay STATUS [AMOUNT CURRENCY] [refunded]
//! [disputed] [at T]` · `unknown field F` · `setting …` · `told EVENT AMOUNT CURRENCY [then …]`.
//! Amounts of `paid`, `told`, `ventipay` are minor units, as Ventipay sends them; all others are
//! decimal text, as Odoo answers.

use concilia_shared::config::{CreditPolicy, Environment, QuotationPolicy, Retry};
use concilia_shared::id::{CheckoutId, EventId};
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use proptest::prelude::*;

use super::decide::{Decision, Plan, Seen, Verdict, conclude, decide, plan, rest};
use super::event::{Booking, CheckoutPaid, Event, Fact, WebhookReceived};
use super::observe::{
    AtVentipay, Book, BookOutcome, CheckoutNow, Found, InOdoo, Invoice, Order, Transaction,
};
use super::reason::{IgnoreReason, ParkReason, PendingReason, Problem};
use super::settings::Settings;
use super::state::{State, Status};
use crate::retry::Jitter;

const LEDGER: &str = include_str!("ledger.txt");
const KEY: &str = "1001";
const NOON: &str = "2026-01-05T12:00:00Z";

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
        let waits = matches!(event, Event::Pended { .. });
        case.state.apply(&event);
        let now = timestamp(NOON);
        let again = case.state.open(now).filter(|open| open.webhook == case.told().webhook);
        assert!(again.is_none_or(|told| weather(&told.status)), "{line}");
        assert_eq!(matches!(case.told().status, Status::Pending { .. }), waits, "{line}");
    }
}

#[test]
fn a_booking_that_was_lost_on_the_way_back_is_found_and_not_repeated() {
    for line in cases() {
        let mut case = Case::read(line);
        let Some(book) = case.book() else { continue };
        case.seen.odoo.booked = Some(booking_of(&book));
        case.seen.odoo.booked_state = Some("done".to_owned());
        assert_eq!(case.decide(), "booked chk_1", "{line}");
    }
}

#[test]
fn what_came_of_a_booking_is_judged() {
    let case = Case::read("order S1 1000 CLP | paid 1000 CLP | book");
    let paid = case.paid();
    let Decision::Book(book, matched) = decide(case.told(), &paid, &case.seen, &case.settings)
    else {
        panic!("nothing to book")
    };
    let concluded = |outcome| conclude(outcome, matched.clone()).map(|v| verdict_text(&v));
    let booking = booking_of(&book);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(concluded(BookOutcome::Booked(booking.clone())), text("booked chk_1"));
    // Looked at again, so that all of what is there is judged and not its amount only.
    assert_eq!(concluded(BookOutcome::Already(booking)), text("pending changed"));
    assert_eq!(
        concluded(BookOutcome::Changed { what: "order_total".to_owned() }),
        text("pending changed")
    );
    let refused = BookOutcome::Refused { why: "amount".to_owned(), detail: String::new() };
    assert_eq!(concluded(refused), text("parked refused_by_odoo"));
    assert_eq!(concluded(BookOutcome::Again), None);
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
            Verdict::Pending(PendingReason::NoMatch),
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
        assert!(case.state.open(now).is_some(), "a claim is reason enough to look again");
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
    assert!(pended(&mut case, PendingReason::NoMatch, start + days(31)));
    assert!(pended(&mut case, PendingReason::NoMatch, start + days(60)));
    assert!(!pended(&mut case, PendingReason::NoMatch, start + days(62)));
    // An outage of four weeks in the middle, of two kinds.
    let mut case = Case::read("- | paid 1000 CLP | pending");
    assert!(pended(&mut case, PendingReason::NoMatch, start));
    assert!(pended(&mut case, PendingReason::OdooUnavailable, start + days(10)));
    assert!(pended(&mut case, PendingReason::VentipayUnavailable, start + days(24)));
    assert!(pended(&mut case, PendingReason::NoMatch, start + days(38)));
    assert!(pended(&mut case, PendingReason::NoMatch, start + days(57)));
    assert!(!pended(&mut case, PendingReason::NoMatch, start + days(59)));
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
        3 => Event::Recorded { about, reason: super::reason::RecordReason::ToldBefore },
        4 => Event::Parked { about, reason: ParkReason::Refunded },
        5 => Event::Ignored { about, reason: IgnoreReason::OtherEnvironment { live: None } },
        _ => Event::Pended {
            about,
            reason: PendingReason::NoMatch,
            attempt: 1,
            since: timestamp(NOON),
            due_at: timestamp(NOON),
        },
    })
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

struct Case {
    settings: Settings,
    state: State,
    seen: Seen,
    erased: bool,
}

impl Case {
    fn read(line: &str) -> Self {
        let mut columns = line.split('|').map(str::trim);
        let (given, when) = (columns.next().unwrap(), columns.next().unwrap());
        let mut case = Self {
            settings: settings(),
            state: State::default(),
            seen: Seen { odoo: nothing_in_odoo(), ventipay: AtVentipay::NotAsked },
            erased: false,
        };
        // Documents first: transactions and invoices are then hung on them.
        let (first, then): (Vec<&str>, Vec<&str>) = given
            .split(',')
            .map(str::trim)
            .filter(|item| *item != "-")
            .partition(|item| !item.starts_with("invoice") && !item.starts_with("tx"));
        for item in first.into_iter().chain(then) {
            case.given(&item.split_whitespace().collect::<Vec<_>>());
        }
        case.when(&when.split_whitespace().collect::<Vec<_>>());
        case
    }

    fn given(&mut self, words: &[&str]) {
        match words {
            ["setting", rest @ ..] => self.setting(rest),
            ["order", name, total, currency, rest @ ..] => self.order(name, total, currency, rest),
            ["invoice", id, order, total, rest @ ..] => {
                let invoice = invoice(id, total, rest);
                self.orders().find(|o| o.name == *order).unwrap().invoices.push(invoice);
            }
            ["tx", reference, state, "of", order] => {
                let tx = transaction(reference, state);
                self.orders().find(|o| o.name == *order).unwrap().transactions.push(tx);
            }
            ["tx", reference, state] => {
                self.seen.odoo.transactions.push(transaction(reference, state));
            }
            ["unknown", "field", field] => {
                self.probe(field).unknown_field = true;
            }
            ["booked", amount, currency, rest @ ..] => {
                let amount =
                    Money::from_decimal(amount, Currency::parse(currency).unwrap()).unwrap();
                self.seen.odoo.booked = Some(booking("chk_1", amount));
                self.seen.odoo.booked_state =
                    Some(after(rest, "state").unwrap_or("done").to_owned());
                self.seen.odoo.booked_company_id = Some(number(after(rest, "company"), 1));
            }
            ["ventipay", "unknown"] => self.seen.ventipay = AtVentipay::Unknown,
            ["ventipay", "unreadable"] => {
                self.seen.ventipay = AtVentipay::Unreadable { path: "amount".to_owned() };
            }
            ["ventipay", status, amount, currency, rest @ ..] => {
                self.seen.ventipay = AtVentipay::Checkout(CheckoutNow {
                    status: (*status).to_owned(),
                    amount: money(amount, currency),
                    refunded: rest.contains(&"refunded"),
                    disputed: rest.contains(&"disputed"),
                    paid_at: after(rest, "at").map(timestamp),
                });
            }
            ["told", event, amount, currency, rest @ ..] => {
                self.told_earlier(event, money(amount, currency), rest);
            }
            _ => panic!("the ledger does not know: {words:?}"),
        }
    }

    fn setting(&mut self, words: &[&str]) {
        match words {
            ["wait"] => self.settings.without_invoice = CreditPolicy::Wait,
            ["confirm"] => self.settings.quotations = QuotationPolicy::Confirm,
            ["live"] => self.settings.environment = Environment::Live,
            ["no_odoo"] => self.settings.company_id = None,
            ["no_key"] => self.settings.asks_ventipay = false,
            ["erased"] => self.erased = true,
            ["book_from", at] => self.settings.book_from = Some(timestamp(at)),
            _ => panic!("the ledger does not know the setting: {words:?}"),
        }
    }

    fn order(&mut self, name: &str, total: &str, currency: &str, rest: &[&str]) {
        let state =
            rest.iter().find(|word| ["draft", "sale", "cancel"].contains(word)).unwrap_or(&"sale");
        let order = Order {
            id: name[1..].parse().unwrap(),
            name: name.to_owned(),
            state: (*state).to_owned(),
            company_id: number(after(rest, "company"), 1),
            currency: currency.to_owned(),
            total: total.to_owned(),
            transactions: Vec::new(),
            invoices: Vec::new(),
        };
        if after(rest, "key").is_none() {
            self.probe(after(rest, "field").unwrap_or("client_order_ref")).orders.push(order);
        }
    }

    fn told_earlier(&mut self, event: &str, amount: Money, rest: &[&str]) {
        let paid = paid_fact(amount.minor, amount.currency.code());
        self.state.apply(&Event::WebhookReceived(webhook(event, paid)));
        let about = EventId::parse(event).unwrap();
        let outcome = match after(rest, "then") {
            None => return,
            Some("booked") => {
                Event::Booked { about, booking: booking("chk_1", amount), matched: None }
            }
            Some("parked") => Event::Parked { about, reason: ParkReason::Refunded },
            Some("late") => {
                Event::Parked { about, reason: ParkReason::LateAndUnverifiable { late_s: 400 } }
            }
            Some("ignored") => Event::Ignored {
                about,
                reason: IgnoreReason::OtherEnvironment { live: Some(true) },
            },
            Some(other) => panic!("the ledger does not know the outcome: {other}"),
        };
        self.state.apply(&outcome);
    }

    fn when(&mut self, words: &[&str]) {
        let mut told = match words {
            ["other"] => webhook("evt_1", Fact::Other),
            ["unreadable"] => webhook("evt_1", Fact::Unreadable { problem: Problem::NotJson }),
            ["paid", amount, currency, rest @ ..] => {
                let minor = money(amount, currency).minor;
                let mut told = webhook("evt_1", paid_fact(minor, currency));
                told.late_s = after(rest, "late").map(|s| s.parse().unwrap());
                told.live = Some(rest.contains(&"live"));
                if rest.contains(&"without") {
                    self.seen.odoo.probes.clear();
                }
                if let Fact::CheckoutPaid(paid) = &mut told.fact {
                    paid.paid_at = after(rest, "at").map(timestamp);
                    paid.status = after(rest, "status").map(str::to_owned);
                    paid.refunded = rest.contains(&"refunded");
                    paid.disputed = rest.contains(&"disputed");
                }
                told
            }
            _ => panic!("the ledger does not know: {words:?}"),
        };
        told.received_at = timestamp(NOON);
        self.state.apply(&Event::WebhookReceived(told));
    }

    fn told(&self) -> &super::state::Told {
        self.state.told.last().unwrap()
    }

    fn paid(&self) -> CheckoutPaid {
        match &self.told().webhook.fact {
            Fact::CheckoutPaid(paid) => paid.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn verdict(&self) -> Result<Book, Verdict> {
        let body = body();
        let body = (!self.erased).then_some(body.as_slice());
        match plan(self.told(), &self.state, &self.settings, body) {
            Plan::Rest(verdict) => Err(verdict),
            Plan::LookUp(lookup) => {
                assert_eq!(lookup.probes.len(), self.settings.fields.len());
                match decide(self.told(), &self.paid(), &self.seen, &self.settings) {
                    Decision::Rest(verdict) => Err(verdict),
                    Decision::Book(book, _) => Ok(*book),
                }
            }
        }
    }

    fn book(&self) -> Option<Book> {
        self.verdict().ok()
    }

    fn decide(&self) -> String {
        match self.verdict() {
            Err(verdict) => verdict_text(&verdict),
            Ok(book) => {
                let invoices: Vec<String> =
                    book.invoices.iter().map(|(id, _)| id.to_string()).collect();
                let invoices =
                    if invoices.is_empty() { "-".to_owned() } else { invoices.join(" ") };
                let confirm = if book.confirm { " confirm" } else { "" };
                let (order, amount) = (&book.order.name, book.amount.to_decimal());
                format!(
                    "book {order} {amount} {} on {} invoices {invoices}{confirm}",
                    book.currency, book.date
                )
            }
        }
    }

    /// The event this case ends in, a booking carried out.
    fn outcome(&self) -> Event {
        self.outcome_at(timestamp(NOON))
    }

    fn outcome_at(&self, now: Timestamp) -> Event {
        let verdict = match self.verdict() {
            Err(verdict) => verdict,
            Ok(book) => Verdict::Booked(Box::new(booking_of(&book)), None),
        };
        rest(self.told(), verdict, &Retry::default(), now, Jitter(0))
    }

    fn orders(&mut self) -> impl Iterator<Item = &mut Order> {
        self.seen.odoo.probes.iter_mut().flat_map(|found| found.orders.iter_mut())
    }

    fn probe(&mut self, field: &str) -> &mut Found {
        self.seen.odoo.probes.iter_mut().find(|found| found.probe.field == field).unwrap()
    }
}

fn settings() -> Settings {
    Settings {
        environment: Environment::Test,
        match_keys: vec!["external_id".to_owned()],
        fields: ["name", "client_order_ref", "origin"].map(str::to_owned).to_vec(),
        book_from: None,
        quotations: QuotationPolicy::Leave,
        without_invoice: CreditPolicy::Book,
        company_id: Some(1),
        asks_ventipay: true,
    }
}

fn nothing_in_odoo() -> InOdoo {
    let found = |field: String| Found {
        probe: super::observe::Probe {
            path: "external_id".to_owned(),
            field,
            value: KEY.to_owned(),
        },
        unknown_field: false,
        orders: Vec::new(),
    };
    InOdoo {
        booked: None,
        booked_company_id: None,
        booked_state: None,
        transactions: Vec::new(),
        probes: settings().fields.into_iter().map(found).collect(),
    }
}

fn body() -> Vec<u8> {
    format!(r#"{{"data":{{"external_id":"{KEY}"}}}}"#).into_bytes()
}

fn webhook(event: &str, fact: Fact) -> WebhookReceived {
    WebhookReceived {
        event_id: EventId::parse(event).unwrap(),
        event_type: Some("checkout.paid".to_owned()),
        live: Some(false),
        body_hash: "00".repeat(32),
        received_at: timestamp(NOON),
        late_s: None,
        fact,
    }
}

fn paid_fact(minor: i64, currency: &str) -> Fact {
    Fact::CheckoutPaid(CheckoutPaid {
        checkout: CheckoutId::parse("chk_1").unwrap(),
        amount: Money::new(minor, Currency::parse(currency).unwrap()),
        paid_at: None,
        status: None,
        refunded: false,
        disputed: false,
    })
}

fn invoice(id: &str, total: &str, rest: &[&str]) -> Invoice {
    let state = if rest.contains(&"draft") {
        "draft"
    } else if rest.contains(&"cancelled") {
        "cancel"
    } else {
        "posted"
    };
    Invoice {
        id: id.parse().unwrap(),
        name: Some(format!("FAC {id}")),
        kind: if rest.contains(&"credit") { "out_refund" } else { "out_invoice" }.to_owned(),
        state: state.to_owned(),
        payment_state: after(rest, "is").unwrap_or("not_paid").to_owned(),
        company_id: number(after(rest, "company"), 1),
        currency: after(rest, "in").unwrap_or("CLP").to_owned(),
        total: total.to_owned(),
        residual: after(rest, "residual").unwrap_or(total).to_owned(),
        payments: u32::try_from(number(after(rest, "payments"), 0)).unwrap(),
    }
}

fn transaction(reference: &str, state: &str) -> Transaction {
    Transaction {
        reference: reference.to_owned(),
        provider_reference: Some("chk_1".to_owned()),
        ours: false,
        state: state.to_owned(),
        amount: "1000".to_owned(),
        currency: "CLP".to_owned(),
        company_id: 1,
    }
}

fn booking(transaction: &str, amount: Money) -> Booking {
    Booking {
        transaction: transaction.to_owned(),
        payment: Some("PBNK1/2026/00001".to_owned()),
        amount,
        date: Some("2026-01-05".parse().unwrap()),
        orders: vec!["S1".to_owned()],
        invoices: Vec::new(),
    }
}

fn booking_of(book: &Book) -> Booking {
    Booking { date: Some(book.date), ..booking(book.checkout.as_str(), book.amount) }
}

fn verdict_text(verdict: &Verdict) -> String {
    let tag = |value: serde_json::Value| value["reason"].as_str().unwrap().to_owned();
    match verdict {
        Verdict::Recorded(reason) => {
            format!("recorded {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Ignored(reason) => {
            format!("ignored {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Pending(reason) => {
            format!("pending {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Parked(reason) => format!("parked {}", tag(serde_json::to_value(reason).unwrap())),
        Verdict::Booked(booking, _) => format!("booked {}", booking.transaction),
    }
}

fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == name).map(|place| words[place + 1])
}

fn number(text: Option<&str>, otherwise: i64) -> i64 {
    text.map_or(otherwise, |text| text.parse().unwrap())
}

fn money(minor: &str, currency: &str) -> Money {
    Money::new(minor.parse().unwrap(), Currency::parse(currency).unwrap())
}

fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}
