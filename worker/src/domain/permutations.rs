//! Facts about one checkout in any order of arrival: what Ventipay shows in the end is fixed, what
//! it tells comes in every order, more than once and through several families. However it comes,
//! the streams end in the same state and Odoo holds the same records.
//!
//! The decisions are driven as the spine drives them, against an Odoo that is a few maps. Where
//! nobody can be asked, money that went back in two steps may be entered in one or two: then the
//! sums are compared. Not here: single decisions ([`super::ledger`]); crashes and real stores
//! (`worker/tests/simulate.rs`).

use std::collections::{BTreeMap, BTreeSet};

use concilia_shared::config::{DisputePolicy, Mode, Retry};
use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use super::decide::{Decision, Plan, Seen, conclude, decide, plan, rest};
use super::event::{Event, RefundBooking, Source, WebhookReceived};
use super::fact::{
    CheckoutCanceled, CheckoutPaid, CheckoutRefunded, DisputeState, DisputeTold, Fact,
    PaymentResult, PaymentTold,
};
use super::ledger::given;
use super::name::{ObjectId, PaymentName};
use super::observe::{
    Ask, AtVentipay, Candidate, CheckoutNow, Command, DisputeNow, Found, InOdoo, Lookup, Order,
    Outcome, Refund, Refunded, Transaction,
};
use super::record::{Done, Record, Recorded};
use super::settings::Settings;
use super::state::{Open, State};
use crate::retry::Jitter;
use crate::views::balance::total;

const PAID: i64 = 1_000;

/// What happened at Ventipay, and stands there when anything of it arrives.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Story {
    mode: Mode,
    asked: bool,
    /// The amounts that went back, one after the other.
    refunds: Vec<i64>,
    /// How far a dispute has moved.
    dispute: Option<DisputeState>,
    book_lost: bool,
    /// Whether a cancel is told although it was paid.
    canceled: bool,
    /// Which other families tell the payment.
    charge: bool,
    charge_names_checkout: bool,
}

impl Story {
    fn refunded(&self) -> i64 {
        self.refunds.iter().sum()
    }

    fn settings(&self) -> Settings {
        Settings {
            mode: self.mode,
            asks_ventipay: self.asked,
            lost_disputes: if self.book_lost { DisputePolicy::Book } else { DisputePolicy::Record },
            ..given::settings()
        }
    }

    /// All that is told, each once: stream and fact.
    fn facts(&self) -> Vec<(&'static str, Fact)> {
        let mut facts = vec![("checkout", paid())];
        let mut back = 0;
        for refund in &self.refunds {
            back += refund;
            let refunded = Some(clp(back));
            let fact = CheckoutRefunded { checkout: checkout(), refunded, at: None };
            facts.push(("checkout", Fact::CheckoutRefunded(fact)));
        }
        if self.canceled {
            let fact = CheckoutCanceled { checkout: checkout(), canceled_at: None, status: None };
            facts.push(("checkout", Fact::CheckoutCanceled(fact)));
        }
        if self.charge {
            let named = self.charge_names_checkout;
            let told = PaymentTold {
                result: PaymentResult::Succeeded,
                checkout: named.then(checkout),
                payment: ObjectId::parse("pay_1"),
                charge: ObjectId::parse("ch_1"),
                amount: Some(clp(PAID)),
                at: None,
                why: None,
            };
            facts.push((if named { "checkout" } else { "payment" }, Fact::PaymentTold(told)));
        }
        for state in self.steps() {
            let told = DisputeTold {
                dispute: ObjectId::parse("dp_1").unwrap(),
                state,
                checkout: Some(checkout()),
                payment: None,
                charge: None,
                amount: Some(clp(PAID - self.refunded())),
                why: None,
                deadline: None,
            };
            facts.push(("dispute", Fact::DisputeTold(told)));
        }
        facts
    }

    fn steps(&self) -> Vec<DisputeState> {
        let Some(last) = self.dispute else { return Vec::new() };
        let on_the_way = [DisputeState::NeedsResponse, DisputeState::UnderReview];
        on_the_way.into_iter().filter(|step| *step < last).chain([last]).collect()
    }

    fn at_ventipay(&self, ask: &Ask) -> AtVentipay {
        match (ask, self.asked) {
            (Ask::Checkout(_), true) => AtVentipay::Checkout(CheckoutNow {
                status: "paid".to_owned(),
                amount: clp(PAID),
                refunded: !self.refunds.is_empty(),
                refunded_amount: Some(clp(self.refunded())).filter(|back| back.minor > 0),
                disputed: false,
                paid_at: None,
                payment_id: None,
            }),
            (Ask::Dispute(_), true) => AtVentipay::Dispute(DisputeNow {
                status: self.dispute.unwrap().as_str().to_owned(),
                amount: None,
                reason: None,
                deadline: None,
                checkout: None,
                payment_id: None,
                charge_id: None,
                customer_id: None,
            }),
            _ => AtVentipay::NotAsked,
        }
    }
}

fn clp(minor: i64) -> Money {
    Money::new(minor, Currency::Clp)
}

fn checkout() -> CheckoutId {
    CheckoutId::parse("chk_1").unwrap()
}

fn paid() -> Fact {
    Fact::CheckoutPaid(CheckoutPaid {
        checkout: checkout(),
        amount: clp(PAID),
        paid_at: None,
        status: None,
        refunded: false,
        disputed: false,
        payment: ObjectId::parse("pay_1"),
    })
}

/// An Odoo that is a few maps: a name is taken once, a refund follows what it says it follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Odoo {
    names: BTreeMap<String, String>,
    payments: BTreeMap<String, i64>,
    refunds: Vec<(String, i64)>,
    transaction: String,
    records: BTreeMap<String, String>,
}

impl Odoo {
    fn observe(&self, lookup: &Lookup, mode: Mode) -> InOdoo {
        let booked = lookup.names.iter().find_map(|name| self.names.get(name.as_str()));
        let refund = |(name, minor): &(String, i64)| Refunded {
            transaction: name.clone(),
            amount: minor.to_string(),
            payment: None,
            date: None,
        };
        let candidate = (mode == Mode::A && booked.is_none() && !lookup.references.is_empty())
            .then(|| Candidate {
                id: 1,
                found_by: "external_id".to_owned(),
                transaction: Transaction {
                    ours: true,
                    provider_reference: None,
                    ..given::transaction(given::KEY, &self.transaction)
                },
                orders: Vec::new(),
                invoices: Vec::new(),
            });
        let order = Order { total: PAID.to_string(), ..given::order("S1", "1000", "CLP", &[]) };
        InOdoo {
            booked: booked.map(|name| given::booking(name, clp(self.payments[name]))),
            booked_name: booked.cloned(),
            booked_currency: Some("CLP".to_owned()),
            booked_company_id: booked.map(|_| 1),
            booked_state: booked.map(|_| "done".to_owned()),
            refunds: booked.iter().flat_map(|_| self.refunds.iter().map(refund)).collect(),
            candidates: candidate.into_iter().collect(),
            probes: lookup
                .probes
                .iter()
                .map(|probe| Found {
                    probe: probe.clone(),
                    unknown_field: false,
                    orders: vec![order.clone()],
                })
                .collect(),
            ..InOdoo::default()
        }
    }

    fn perform(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Book(book) => self.enter(&book.names, book.amount),
            Command::Confirm(confirm) => self.enter(&confirm.names, confirm.amount),
            Command::Refund(refund) => self.refund(refund),
            Command::Cancel(cancel) => {
                "cancel".clone_into(&mut self.transaction);
                Outcome::Canceled { transaction: cancel.reference.clone() }
            }
            Command::Record(record) => {
                self.records.insert(record.name(), shown(record));
                Outcome::Recorded(Recorded::Done(Done::default()))
            }
            other => panic!("nothing here leads to {other:?}"),
        }
    }

    fn enter(&mut self, names: &[PaymentName], amount: Money) -> Outcome {
        assert!(names.iter().all(|name| !self.names.contains_key(name.as_str())), "booked twice");
        let own = names[0].to_string();
        self.names.extend(names.iter().map(|name| (name.to_string(), own.clone())));
        self.payments.insert(own.clone(), amount.minor);
        "done".clone_into(&mut self.transaction);
        Outcome::Booked(given::booking(&own, amount))
    }

    fn refund(&mut self, refund: &Refund) -> Outcome {
        let there: i64 = self.refunds.iter().map(|(_, minor)| minor).sum();
        assert_eq!(there, refund.after.minor, "{refund:?}");
        assert!(there + refund.amount.minor <= PAID, "{refund:?}");
        self.refunds.push((refund.name.clone(), refund.amount.minor));
        let entered = RefundBooking {
            dispute: refund.dispute.clone(),
            ..given::refund_booking(&refund.name, refund.amount, clp(there + refund.amount.minor))
        };
        Outcome::Refunded(entered, given::booking(refund.of[0].as_str(), clp(PAID)))
    }
}

/// What people see of a record, without how new it is.
fn shown(record: &Record) -> String {
    record.state().to_owned()
}

/// Everything, as it stands.
struct World<'a> {
    story: &'a Story,
    settings: Settings,
    odoo: Odoo,
    streams: BTreeMap<&'static str, State>,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(story: &'a Story) -> Self {
        Self {
            story,
            settings: story.settings(),
            odoo: Odoo { transaction: "draft".to_owned(), ..Odoo::default() },
            streams: BTreeMap::new(),
            now: given::timestamp(given::NOON),
        }
    }

    fn arrives(&mut self, stream: &'static str, id: &str, fact: Fact, source: Option<Source>) {
        let told = WebhookReceived { source, ..given::webhook(id, fact) };
        let state = self.streams.entry(stream).or_default();
        // The log knows an event id for ever: a second one is no second fact.
        if !state.told.iter().any(|known| known.webhook.event_id == told.event_id) {
            state.apply(&Event::WebhookReceived(told));
        }
    }

    /// Until nothing is open any more, an hour at a time.
    fn settle(&mut self, hours: usize) {
        for _ in 0..=hours {
            for stream in ["checkout", "payment", "dispute"] {
                for _ in 0..20 {
                    if !self.step(stream) {
                        break;
                    }
                }
            }
            self.now += jiff::SignedDuration::from_hours(1);
        }
    }

    fn step(&mut self, stream: &'static str) -> bool {
        let Some(state) = self.streams.get(stream).cloned() else { return false };
        let Some(Open::Attend(told)) = state.work(self.now) else { return false };
        let body = given::body();
        let decision = match plan(told, &state, &self.settings, Some(&body)) {
            Plan::Rest(verdict) => Decision::Rest(verdict),
            Plan::LookUp(lookup) => {
                let ventipay = self.story.at_ventipay(&lookup.ask);
                let odoo = self.odoo.observe(&lookup, self.story.mode);
                decide(
                    told,
                    &state,
                    &lookup,
                    &Seen { odoo, ventipay, customer: None, card: None },
                    &self.settings,
                )
            }
        };
        let verdict = match decision {
            Decision::Rest(verdict) => verdict,
            Decision::Learn(_) => {
                self.arrives(stream, "fetched-chk_1", paid(), Some(Source::Fetched));
                return true;
            }
            Decision::Do(command, matched) => {
                let outcome = self.odoo.perform(&command);
                conclude(&command, outcome, matched).unwrap()
            }
        };
        let event = rest(told, verdict, &Retry::default(), self.now, Jitter(0));
        self.streams.get_mut(stream).unwrap().apply(&event);
        true
    }

    /// What must not depend on the order of arrival.
    fn end(&self) -> End {
        let words = |stream: &str| -> BTreeSet<&'static str> {
            let told = self.streams.get(stream).into_iter().flat_map(|state| &state.told);
            told.map(|told| told.status.word()).collect()
        };
        let mut odoo = self.odoo.clone();
        let back: i64 = odoo.refunds.iter().map(|(_, minor)| minor).sum();
        if !self.story.asked {
            odoo.refunds.clear();
        }
        // Under which of its names a payment stands is told by whoever came first.
        let payments: Vec<i64> = odoo.payments.values().copied().collect();
        End {
            payments,
            refunds: odoo.refunds.iter().map(|(_, minor)| *minor).collect(),
            back,
            transaction: odoo.transaction,
            records: odoo.records,
            open: ["checkout", "payment", "dispute"]
                .iter()
                .any(|stream| words(stream).contains("pending")),
            parked: ["checkout", "payment", "dispute"]
                .map(|stream| words(stream).contains("parked")),
            sums: total(self.streams.values())
                .iter()
                .map(|sums| {
                    (sums.refunded, sums.booked, sums.pending, sums.parked, sums.difference)
                })
                .collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    payments: Vec<i64>,
    refunds: Vec<i64>,
    back: i64,
    transaction: String,
    records: BTreeMap<String, String>,
    open: bool,
    parked: [bool; 3],
    sums: Vec<(i64, i64, i64, i64, i64)>,
}

/// Runs a story with its facts in one order, some told twice, each attended to as it comes or
/// all at the end.
fn run(story: &Story, order: &[usize], at_once: bool) -> End {
    let facts = story.facts();
    let mut world = World::new(story);
    for place in order {
        let (stream, fact) = &facts[*place];
        world.arrives(stream, &format!("evt_{place}"), fact.clone(), None);
        if !at_once {
            world.settle(0);
        }
    }
    world.settle(24 * 40);
    world.end()
}

fn story() -> impl Strategy<Value = Story> {
    let refunds = prop_oneof![
        Just(vec![]),
        Just(vec![PAID]),
        (1_i64..400, 1_i64..400).prop_map(|(a, b)| vec![a, b]),
        (1_i64..300, 1_i64..300, 1_i64..300).prop_map(|(a, b, c)| vec![a, b, c]),
    ];
    let dispute = prop_oneof![
        Just(None),
        Just(Some(DisputeState::NeedsResponse)),
        Just(Some(DisputeState::UnderReview)),
        Just(Some(DisputeState::Won)),
        Just(Some(DisputeState::Lost)),
        Just(Some(DisputeState::ChargeRefunded)),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (prop_oneof![Just(Mode::A), Just(Mode::B)], any::<bool>(), refunds, dispute, flags).prop_map(
        |(mode, asked, refunds, dispute, (book_lost, canceled, charge, named))| Story {
            mode,
            asked,
            book_lost: book_lost && refunds.is_empty(),
            // Who cannot ask cannot know which of two facts that exclude each other holds.
            canceled: canceled && asked,
            refunds,
            dispute,
            charge,
            charge_names_checkout: named,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn every_order_of_arrival_ends_the_same(
        story in story(),
        picks in prop::collection::vec(any::<Index>(), 24),
        twice in prop::collection::vec(any::<Index>(), 0..4),
        at_once in any::<bool>(),
    ) {
        let count = story.facts().len();
        let straight: Vec<usize> = (0..count).collect();
        let mut left = straight.clone();
        left.extend(twice.iter().map(|index| index.index(count)));
        let mut shuffled = Vec::new();
        for pick in &picks {
            if left.is_empty() {
                break;
            }
            shuffled.push(left.remove(pick.index(left.len())));
        }
        shuffled.extend(left);
        let (expected, got) = (run(&story, &straight, false), run(&story, &shuffled, at_once));
        prop_assert_eq!(&got, &expected, "{:?}", shuffled);
        prop_assert_eq!(expected.payments.len(), 1);
        prop_assert_eq!(expected.back, story.refunded() + if story.taken_back() { PAID } else { 0 });
        prop_assert!(!expected.open, "something still waits");
        prop_assert!(expected.sums.iter().all(|sums| sums.4 == 0));
    }
}

impl Story {
    fn taken_back(&self) -> bool {
        self.book_lost && self.dispute == Some(DisputeState::Lost)
    }
}

/// Every order of a story with everything in it, not a sample.
#[test]
fn all_orders_of_five_facts_end_the_same() {
    let story = Story {
        mode: Mode::A,
        asked: true,
        refunds: vec![400, 600],
        dispute: Some(DisputeState::Won),
        book_lost: false,
        canceled: false,
        charge: true,
        charge_names_checkout: true,
    };
    let count = story.facts().len();
    let expected = run(&story, &(0..count).collect::<Vec<_>>(), false);
    let mut orders = vec![vec![]];
    for _ in 0..count {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let free = (0..count).filter(|next| !order.contains(next)).collect::<Vec<_>>();
                free.into_iter().map(move |next| order.iter().copied().chain([next]).collect())
            })
            .collect();
    }
    assert_eq!(orders.len(), 5_040);
    for order in orders.iter().step_by(7) {
        assert_eq!(run(&story, order, false), expected, "{order:?}");
    }
    let told = run(&story, &(0..count).collect::<Vec<_>>(), true);
    assert_eq!(told, expected);
}
