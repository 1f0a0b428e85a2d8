//! What must be true in the end: written down while things happen, compared when the month is
//! over with the log, and with what stands in Odoo.

use std::collections::{BTreeMap, BTreeSet};

use concilia_shared::id::StreamId;
use concilia_shared::money::{Currency, Money};
use concilia_tests::odoo::fixtures;
use concilia_tests::odoo::value::{Id, Record};
use concilia_tests::odoo::world::Tx;
use concilia_worker::domain::state::State;
use concilia_worker::mirror;
use concilia_worker::say;
use concilia_worker::views::balance::total;
use concilia_worker::views::follow;
use serde_json::Value;

use crate::world::{Account, Month};

/// Where money rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Booked,
    Pending,
    Parked,
}

/// A record of ours as it must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stands {
    pub state: &'static str,
    pub activities: usize,
    pub renewals: i64,
}

/// The sums of one account and currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Part {
    paid: i64,
    refunded: i64,
    booked: i64,
    pending: i64,
    parked: i64,
}

type Sums = BTreeMap<(Account, &'static str), Part>;

/// An oddity: what it is, and where it must rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd {
    pub what: &'static str,
    pub status: &'static str,
    pub reason: Option<&'static str>,
}

/// Everything that must be true.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// What became of the arrivals.
    pub admitted: BTreeMap<&'static str, u64>,
    /// Other bodies under known ids.
    pub conflicts: u64,
    /// States of transactions nobody pays, by reference.
    pub transactions: BTreeMap<String, &'static str>,
    /// Oddities, by the id of their event.
    pub odd: BTreeMap<String, Odd>,
    sums: Sums,
    payments: BTreeMap<String, (Account, Money)>,
    refunds: BTreeMap<String, (Account, Money)>,
    records: BTreeMap<String, Stands>,
}

impl Expected {
    /// A payment; one that is booked, on the transaction of this reference.
    pub(crate) fn paid(
        &mut self,
        account: Account,
        amount: Money,
        at: Place,
        reference: Option<&str>,
    ) {
        let part = self.sums.entry((account, amount.currency.code())).or_default();
        part.paid += amount.minor;
        *part.at(at) += amount.minor;
        if at == Place::Booked {
            let name = reference.expect("what is booked has a transaction").to_owned();
            let before = self.payments.insert(name, (account, amount));
            assert_eq!(before, None, "{reference:?} is expected twice");
        }
    }

    /// Something went back of a payment; where it is booked, of the checkout of this id.
    pub(crate) fn went_back(&mut self, account: Account, back: Money, at: Place, of: Option<&str>) {
        let part = self.sums.entry((account, back.currency.code())).or_default();
        part.refunded += back.minor;
        *part.at(at) -= back.minor;
        if at == Place::Booked {
            let name = of.expect("what is booked has a name").to_owned();
            let before = self.refunds.insert(name, (account, back));
            assert_eq!(before, None, "the refunds of {of:?} are expected twice");
        }
    }

    /// A record of ours must stand so.
    pub(crate) fn stands(&mut self, name: &str, stands: Stands) {
        self.records.insert(name.to_owned(), stands);
    }
}

impl Part {
    fn at(&mut self, place: Place) -> &mut i64 {
        match place {
            Place::Booked => &mut self.booked,
            Place::Pending => &mut self.pending,
            Place::Parked => &mut self.parked,
        }
    }
}

/// Where an event rests: status and reason.
type Rests = (String, Option<String>);

/// Compares all of it; says everything that is wrong, not the first thing.
pub(crate) async fn check(month: &Month) {
    let mut states: BTreeMap<_, State> = BTreeMap::new();
    follow(month.shell.store.as_ref(), |recorded| {
        if recorded.stream.object() != "account" {
            states.entry(recorded.stream.clone()).or_default().apply(&recorded.event);
        }
    })
    .await
    .unwrap();
    let mut rests: BTreeMap<String, Rests> = BTreeMap::new();
    for told in states.values().flat_map(|state| &state.told) {
        let rest = (told.status.word().to_owned(), say::reason_name(&told.status));
        rests.insert(told.webhook.event_id.to_string(), rest);
    }
    let mut wrong = oddities(month, &rests);
    let conflicts = month.expected.admitted.get("conflict").copied().unwrap_or_default();
    if conflicts != month.expected.conflicts {
        wrong.push(format!("{conflicts} bodies conflict"));
    }
    wrong.extend(nothing_else(month, &rests));
    wrong.extend(sums(month, &states));
    let money = month.odoo.look(InOdoo::read);
    wrong.extend(money_in_odoo(month, &money));
    wrong.extend(records(month));
    wrong.extend(mirrored(month, &states, &rests).await);
    let kinds = rests.values().fold(BTreeMap::new(), |mut kinds: BTreeMap<&Rests, u32>, rest| {
        *kinds.entry(rest).or_default() += 1;
        kinds
    });
    println!("arrivals: {:?}", month.expected.admitted);
    println!("events: {} in {} streams: {kinds:?}", rests.len(), states.len());
    println!(
        "in Odoo: {} payments, {} refunds of {} payments; {} records, {} oddities",
        money.payments.len(),
        money.refunds.values().map(|(times, _)| times).sum::<u32>(),
        money.refunds.len(),
        month.expected.records.len(),
        month.expected.odd.len(),
    );
    println!("sums: {:?}", month.expected.sums);
    let (count, first) = (wrong.len(), wrong.iter().take(40).cloned().collect::<Vec<_>>());
    assert!(wrong.is_empty(), "{count} things are wrong:\n{}", first.join("\n"));
}

fn oddities(month: &Month, rests: &BTreeMap<String, Rests>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (event, odd) in &month.expected.odd {
        let wanted = (odd.status.to_owned(), odd.reason.map(str::to_owned));
        if rests.get(event) != Some(&wanted) {
            wrong.push(format!("{}: must be {wanted:?}, is {:?}", odd.what, rests.get(event)));
        }
    }
    wrong
}

/// Nothing that is ordinary is parked, ignored, or waits.
fn nothing_else(month: &Month, rests: &BTreeMap<String, Rests>) -> Vec<String> {
    let ordinary = rests.iter().filter(|(event, _)| !month.expected.odd.contains_key(*event));
    let restless =
        ordinary.filter(|(_, (status, _))| !["reconciled", "recorded"].contains(&status.as_str()));
    restless
        .map(|(event, rest)| {
            let told = month.ventipay.told(event).map(|(kind, data)| format!("{kind} {data}"));
            format!("{event} is ordinary and {rest:?}: {}", told.unwrap_or_default())
        })
        .collect()
}

/// paid − refunded = booked + pending + parked, and each of them is what happened.
fn sums(month: &Month, states: &BTreeMap<StreamId, State>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut in_log: Sums = BTreeMap::new();
    for account in Account::ALL {
        let own = states.iter().filter(|(stream, _)| stream.account() == account.word());
        for sums in total(own.map(|(_, state)| state)) {
            if sums.difference != 0 {
                wrong.push(format!("{account:?}: a difference: {sums:?}"));
            }
            let part = Part {
                paid: sums.paid,
                refunded: sums.refunded,
                booked: sums.booked,
                pending: sums.pending,
                parked: sums.parked,
            };
            in_log.insert((account, sums.currency.code()), part);
        }
    }
    in_log.retain(|_, part| *part != Part::default());
    if in_log != month.expected.sums {
        wrong.push(format!("the log's sums\n  {in_log:?}\nmust be\n  {:?}", month.expected.sums));
    }
    let all = total(states.values());
    for sums in &all {
        let own = month.expected.sums.iter().filter(|((_, code), _)| *code == sums.currency.code());
        let paid: i64 = own.map(|(_, part)| part.paid).sum();
        if sums.paid != paid || sums.difference != 0 {
            wrong.push(format!("all accounts: {sums:?}, paid must be {paid}"));
        }
    }
    wrong
}

/// What Odoo holds under names of ours.
struct InOdoo {
    /// By the transaction's reference: how often, company, amount.
    payments: BTreeMap<String, (u32, Id, Money)>,
    /// By the name of what was refunded: in how many parts, and how much in all.
    refunds: BTreeMap<String, (u32, Money)>,
}

impl InOdoo {
    fn read(tx: &Tx<'_>) -> Self {
        let (mut payments, mut refunds) = (BTreeMap::new(), BTreeMap::new());
        let ours: BTreeSet<Id> = tx
            .rows("ir.model.data")
            .filter(|(_, row)| row.text("module") == "concilia")
            .filter(|(_, row)| row.text("model") == "payment.transaction")
            .map(|(_, row)| row.int("res_id"))
            .collect();
        for payment in fixtures::payments(tx) {
            let Some(reference) = payment.transaction else { continue };
            let called = |(_, row): &(Id, &Record)| row.text("reference") == reference;
            let found = tx.rows("payment.transaction").find(called);
            if !found.is_some_and(|(id, _)| ours.contains(&id)) {
                continue;
            }
            let code = if payment.currency == "UF" { "CLF" } else { &payment.currency };
            let amount = Money::from_decimal(&payment.amount, Currency::parse(code).unwrap());
            let amount = amount.unwrap();
            if payment.direction == "outbound" {
                let name = reference.split("-refund-after-").next().unwrap_or_default();
                let back =
                    refunds.entry(name.to_owned()).or_insert((0, Money::new(0, amount.currency)));
                back.0 += 1;
                back.1.minor += amount.minor;
            } else {
                let entry = payments.entry(reference).or_insert((0, payment.company, amount));
                entry.0 += 1;
            }
        }
        Self { payments, refunds }
    }
}

/// Each payment and each refund stands in Odoo exactly once, in its company, with its amount.
fn money_in_odoo(month: &Month, money: &InOdoo) -> Vec<String> {
    let mut wrong = Vec::new();
    let expected = &month.expected;
    let wanted: BTreeMap<&String, (u32, Id, Money)> = expected
        .payments
        .iter()
        .map(|(name, (account, amount))| (name, (1, account.company(), *amount)))
        .collect();
    let seen: BTreeMap<&String, (u32, Id, Money)> =
        money.payments.iter().map(|(name, seen)| (name, *seen)).collect();
    for name in wanted.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
        if wanted.get(*name) != seen.get(*name) {
            let (wanted, seen) = (wanted.get(*name), seen.get(*name));
            wrong.push(format!("payment {name}: must be {wanted:?}, is {seen:?}"));
        }
    }
    let names = expected.refunds.keys().chain(money.refunds.keys());
    for name in names.collect::<BTreeSet<_>>() {
        let wanted = expected.refunds.get(name).map(|(_, back)| *back);
        let seen = money.refunds.get(name).map(|(_, back)| *back);
        if wanted != seen {
            wrong.push(format!("refunds of {name}: must be {wanted:?}, are {seen:?}"));
        }
    }
    let states: BTreeMap<String, String> = month.odoo.look(|tx| {
        let rows = tx.rows("payment.transaction");
        rows.map(|(_, row)| (row.text("reference").to_owned(), row.text("state").to_owned()))
            .collect()
    });
    for (reference, state) in &expected.transactions {
        if states.get(reference).map(String::as_str) != Some(state) {
            wrong.push(format!("{reference} must be {state}, is {:?}", states.get(reference)));
        }
    }
    wrong
}

/// Disputes, subscriptions and cards stand as they were told last.
fn records(month: &Month) -> Vec<String> {
    let own = own(month);
    let mut wrong = Vec::new();
    for (name, stands) in &month.expected.records {
        let seen = own.get(name).map(|row| {
            let word = row["state"].as_str().unwrap_or_default().to_owned();
            (word, row["activities"].as_u64(), row["renewals"].as_i64())
        });
        let activities = u64::try_from(stands.activities).ok();
        let wanted = (stands.state.to_owned(), activities, Some(stands.renewals));
        if seen.as_ref() != Some(&wanted) {
            wrong.push(format!("{name} must be {wanted:?}, is {seen:?}"));
        }
    }
    wrong
}

/// People see every event in Odoo, as it rests. Of the outlet alone: the simulated Odoo takes its
/// time for each record it makes.
async fn mirrored(
    month: &Month,
    states: &BTreeMap<StreamId, State>,
    rests: &BTreeMap<String, Rests>,
) -> Vec<String> {
    let outlet = Account::Outlet.name();
    for account in month.shell.accounts.values().filter(|account| account.name == outlet) {
        // A turn shows some pages; the log is shown when the last one moved nothing.
        loop {
            let before = month.shell.store.mirrored(&account.name).await.unwrap();
            assert!(mirror::show(&month.shell, account, None).await.unwrap(), "Odoo is shown it");
            if month.shell.store.mirrored(&account.name).await.unwrap() == before {
                break;
            }
        }
    }
    let own = own(month);
    let shown = |event: &str| {
        let name = format!("event-{outlet}-{event}");
        Some(own.get(&name)?["state"].as_str()?.to_owned())
    };
    let streams = states.iter().filter(|(stream, _)| stream.account() == outlet.as_str());
    let told = streams.flat_map(|(_, state)| &state.told);
    let events = told.map(|told| told.webhook.event_id.as_str());
    events
        .filter(|event| shown(event) != rests.get(*event).map(|(status, _)| status.clone()))
        .map(|event| format!("{event} is {:?}, Odoo shows {:?}", rests.get(event), shown(event)))
        .collect()
}

fn own(month: &Month) -> serde_json::Map<String, Value> {
    match month.odoo.look(fixtures::dump)["own"].take() {
        Value::Object(own) => own,
        _ => serde_json::Map::new(),
    }
}
