//! Whether a case ended as expected. Pure: what was expected, what the log says, what stands
//! in Odoo; the answer is a verdict with the first thing that is wrong.

use std::collections::BTreeSet;

use concilia_shared::money::{Currency, Money};

use super::cases::{Case, Rest};
use super::odoo::{Invoice, OdooWorld, Payment};
use super::worker::Row;

/// A case as it was told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The id under which the log must (or must not) have what the case is about; empty until it
    /// is told.
    pub event_id: String,
    /// The ids of the other events of the story, in the order in which they are told.
    pub also: Vec<String>,
    /// Events there are, and nobody was told of yet.
    pub later: Vec<String>,
    /// The checkout, if it is about one.
    pub checkout: Option<String>,
    /// The transaction Odoo made of it, by reference, in mode A.
    pub transaction: Option<String>,
    /// What was paid, and the transaction in Odoo each payment must hang on.
    pub paid: Vec<Entry>,
    /// The same of what went back.
    pub back: Vec<Entry>,
    /// The name in Odoo of the record it is about, `dispute-dp_1`.
    pub subject: Option<String>,
    /// The ingress's answer, where the scenario posted by itself.
    pub answer: Option<u16>,
    /// The order in Odoo, by name.
    pub order: Option<String>,
    /// The invoices in Odoo, by id.
    pub invoices: Vec<i64>,
}

/// An amount, and where in Odoo it is to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Reference of the transaction.
    pub reference: String,
    /// How much.
    pub amount: Money,
}

impl Told {
    /// A part of the payment, in pesos, went back, after so much went back in Odoo before.
    pub fn went_back(&mut self, after: i64, amount: i64) {
        let checkout = self.checkout.as_deref().unwrap_or_default();
        let reference = format!("{checkout}-refund-after-{after}");
        self.back.push(Entry { reference, amount: Money::new(amount, Currency::Clp) });
    }

    /// What was paid, and what went back (then `true`).
    pub fn each(&self) -> impl Iterator<Item = (&Entry, bool)> {
        let paid = self.paid.iter().map(|entry| (entry, false));
        paid.chain(self.back.iter().map(|entry| (entry, true)))
    }

    /// What stands in Odoo of it.
    pub fn in_odoo<'a>(&self, odoo: &'a OdooWorld) -> Vec<&'a Payment> {
        let ours = |payment: &&Payment| {
            self.each().any(|(entry, _)| entry.reference == payment.transaction)
        };
        odoo.payments.iter().filter(ours).collect()
    }

    /// The rows of the log that are of it, what it is about first.
    pub fn rows<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let ids = std::iter::once(&self.event_id).chain(&self.also);
        ids.filter_map(|id| rows.iter().find(|row| row.event_id == *id)).collect()
    }
}

/// What is to be said of a case at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Right,
    /// Not yet.
    Waiting(String),
    /// Never again.
    Wrong(String),
}

/// States of an invoice that is paid: Community knows only the first (`odoo-api.md` 2).
const PAID_STATES: [&str; 2] = ["paid", "in_payment"];

/// Judges one case.
pub fn judge(case: &Case, told: &Told, rows: &[Row], odoo: &OdooWorld) -> Verdict {
    if case.expect.answer.is_some() && told.answer != case.expect.answer {
        return Verdict::Wrong(format!("the ingress answered {:?}", told.answer));
    }
    let Some(status) = case.expect.status else {
        let known = rows.iter().any(|row| row.event_id == told.event_id);
        let refused = || money(case, told, odoo).unwrap_or(Verdict::Right);
        return if known { Verdict::Wrong("the log knows it".to_owned()) } else { refused() };
    };
    let main = (&told.event_id, (status, case.expect.reason));
    let also = told.also.iter().zip(case.expect.also.iter().copied());
    for (event, rest) in std::iter::once(main).chain(also) {
        if let Some(verdict) = in_log(case, event, rest, rows) {
            return verdict;
        }
    }
    let (told_also, expected) = (told.also.len(), case.expect.also.len());
    if told_also < expected {
        return Verdict::Waiting(format!("{told_also} of {expected} further events are told"));
    }
    if told_also > expected {
        return Verdict::Wrong(format!("{told_also} further events are told"));
    }
    let own = told.rows(rows);
    let modes: BTreeSet<&str> = own.iter().filter_map(|row| row.mode.as_deref()).collect();
    if modes != case.expect.mode.into_iter().collect() {
        return Verdict::Wrong(format!("booked in modes {modes:?}"));
    }
    if own.first().is_some_and(|row| row.late_s.is_some() != case.expect.late) {
        return Verdict::Wrong("late, or not".to_owned());
    }
    let wrong = money(case, told, odoo).or_else(|| documents(case, told, odoo));
    wrong.or_else(|| shown(case, told, &own, odoo)).unwrap_or(Verdict::Right)
}

/// What is not (yet) right of an event in the log.
fn in_log(case: &Case, event: &str, (status, reason): Rest, rows: &[Row]) -> Option<Verdict> {
    let found: Vec<&Row> = rows.iter().filter(|row| row.event_id == event).collect();
    let row = match found.as_slice() {
        [] => return Some(Verdict::Waiting("not in the log".to_owned())),
        [row] => row,
        several => return Some(Verdict::Wrong(format!("{} times in the log", several.len()))),
    };
    if row.account != case.account {
        return Some(Verdict::Wrong(format!("under account {}", row.account)));
    }
    if row.status != status {
        let seen = format!("{}: {}", row.status, row.sentence);
        // What is received or pending goes on by itself; the rest stays where it is.
        return Some(match row.status.as_str() {
            "received" | "pending" => Verdict::Waiting(seen),
            _ => Verdict::Wrong(seen),
        });
    }
    let seen = row.reason.as_deref();
    (seen != reason).then(|| Verdict::Wrong(format!("{status} for another reason: {seen:?}")))
}

/// What is not right of the payments and refunds in Odoo: each stands there once, with its
/// amount, and nothing else does.
fn money(case: &Case, told: &Told, odoo: &OdooWorld) -> Option<Verdict> {
    let expect = &case.expect;
    let found = told.in_odoo(odoo);
    let refunds = found.iter().filter(|payment| payment.is_refund).count();
    let payments = found.len() - refunds;
    if (payments, refunds) != (expect.payments, expect.refunds) {
        return Some(Verdict::Wrong(format!("{payments} payments, {refunds} refunds in Odoo")));
    }
    let is_told = |payment: &Payment| {
        told.each().any(|(entry, is_refund)| {
            entry.reference == payment.transaction
                && entry.amount == payment.amount
                && is_refund == payment.is_refund
        })
    };
    if let Some(other) = found.iter().find(|payment| !is_told(payment)) {
        return Some(Verdict::Wrong(format!("{} in Odoo", other.amount)));
    }
    let transactions: BTreeSet<&str> =
        found.iter().map(|payment| payment.transaction.as_str()).collect();
    (transactions.len() != found.len()).then(|| Verdict::Wrong("one is in Odoo twice".to_owned()))
}

/// What is not (yet) right of its transaction and its invoices.
fn documents(case: &Case, told: &Told, odoo: &OdooWorld) -> Option<Verdict> {
    let state = told.transaction.as_ref().and_then(|reference| odoo.transactions.get(reference));
    let wanted = case.expect.transaction;
    if wanted.is_some() && state.map(String::as_str) != wanted {
        return Some(Verdict::Waiting(format!("its transaction is {state:?}")));
    }
    if !case.expect.invoice_paid {
        return None;
    }
    if told.invoices.is_empty() {
        return Some(Verdict::Waiting("the order has no invoice".to_owned()));
    }
    told.invoices.iter().find_map(|id| match odoo.invoices.get(id) {
        Some(invoice) if PAID_STATES.contains(&&*invoice.payment_state) => None,
        Some(Invoice { name, payment_state }) => {
            Some(Verdict::Waiting(format!("invoice {name} is {payment_state}")))
        }
        None => Some(Verdict::Wrong("the order's invoice is gone".to_owned())),
    })
}

/// What people do not (yet) see in Odoo under the menu Ventipay.
fn shown(case: &Case, told: &Told, own: &[&Row], odoo: &OdooWorld) -> Option<Verdict> {
    let state = |name: &str| odoo.records.get(name).map(|record| record.state.as_str());
    let event = |row: &&&Row| {
        state(&format!("event-{}-{}", row.account, row.event_id)) != Some(row.status.as_str())
    };
    if let Some(row) = own.iter().find(event) {
        return Some(Verdict::Waiting(format!("Odoo does not show {} yet", row.event_id)));
    }
    let checkout = told.checkout.as_ref().and_then(|id| state(&format!("checkout-{id}")));
    if case.expect.checkout.is_some() && checkout != case.expect.checkout {
        return Some(Verdict::Waiting(format!("Odoo shows its checkout as {checkout:?}")));
    }
    let wanted = case.expect.record?;
    let Some(seen) = told.subject.as_ref().and_then(|name| odoo.records.get(name)) else {
        return Some(Verdict::Waiting("its record is not in Odoo".to_owned()));
    };
    let right = seen.state == wanted.state
        && seen.activities == wanted.activities
        && seen.renewals == wanted.renewals;
    (!right).then(|| Verdict::Waiting(format!("its record is {seen:?}")))
}

#[cfg(test)]
mod tests {
    use super::super::cases::{CASES, Story};
    use super::super::odoo::Record;
    use super::*;

    fn of(story: Story) -> Case {
        *CASES.iter().find(|case| case.story == story).unwrap()
    }

    fn row(case: &Case) -> Row {
        Row {
            account: case.account.to_owned(),
            event_id: "evt_1".to_owned(),
            status: case.expect.status.unwrap_or("recorded").to_owned(),
            reason: case.expect.reason.map(str::to_owned),
            sentence: String::new(),
            amount: None,
            mode: case.expect.mode.map(str::to_owned),
            late_s: case.expect.late.then_some(3_600),
            odoo: None,
        }
    }

    /// The log as it must be in the end.
    fn rows(case: &Case) -> Vec<Row> {
        let also = case.expect.also.iter().zip(2..).map(|((status, reason), number)| Row {
            event_id: format!("evt_{number}"),
            status: (*status).to_owned(),
            reason: reason.map(str::to_owned),
            mode: None,
            late_s: None,
            ..row(case)
        });
        case.expect.status.map(|_| row(case)).into_iter().chain(also).collect()
    }

    fn entry(case: &Case, reference: String) -> Entry {
        Entry { reference, amount: case.money() }
    }

    fn told(case: &Case) -> Told {
        let also = 0..case.expect.also.len();
        let paid = (0..case.expect.payments.max(1)).map(|number| format!("pay_{number}"));
        let back = (0..case.expect.refunds).map(|number| format!("back_{number}"));
        Told {
            event_id: "evt_1".to_owned(),
            also: also.map(|number| format!("evt_{}", number + 2)).collect(),
            later: Vec::new(),
            checkout: Some("chk_1".to_owned()),
            transaction: Some("S1".to_owned()),
            paid: paid.map(|reference| entry(case, reference)).collect(),
            back: back.map(|reference| entry(case, reference)).collect(),
            subject: Some("dispute-dp_1".to_owned()),
            answer: case.expect.answer,
            order: Some("S1".to_owned()),
            invoices: vec![9],
        }
    }

    fn payment(case: &Case, transaction: String, is_refund: bool) -> Payment {
        Payment { transaction, name: "P1".to_owned(), amount: case.money(), is_refund }
    }

    /// Odoo as it must be in the end, but for so many payments.
    fn odoo(case: &Case, payments: usize) -> OdooWorld {
        let paid = (0..payments).map(|number| payment(case, format!("pay_{number}"), false));
        let refunds = 0..case.expect.refunds;
        let back = refunds.map(|number| payment(case, format!("back_{number}"), true));
        let record = |state: &str| Record {
            state: state.to_owned(),
            activities: case.expect.record.map_or(0, |record| record.activities),
            renewals: case.expect.record.map_or(0, |record| record.renewals),
        };
        let events = rows(case).into_iter().map(|row| {
            (format!("event-{}-{}", row.account, row.event_id), record(&row.status))
        });
        let subject = case.expect.record.map(|wanted| ("dispute-dp_1".to_owned(), wanted.state));
        let checkout = case.expect.checkout.map(|status| ("checkout-chk_1".to_owned(), status));
        let others = subject.into_iter().chain(checkout);
        OdooWorld {
            payments: paid.chain(back).collect(),
            invoices: [(9, invoice("paid"))].into(),
            transactions: [(
                "S1".to_owned(),
                case.expect.transaction.unwrap_or("done").to_owned(),
            )]
            .into(),
            records: events.chain(others.map(|(name, state)| (name, record(state)))).collect(),
        }
    }

    fn invoice(payment_state: &str) -> Invoice {
        Invoice { name: "INV/1".to_owned(), payment_state: payment_state.to_owned() }
    }

    fn judged(case: &Case, rows: &[Row], odoo: &OdooWorld) -> Verdict {
        judge(case, &told(case), rows, odoo)
    }

    #[test]
    fn every_case_is_right_exactly_as_expected() {
        for case in &CASES {
            let (rows, payments) = (rows(case), case.expect.payments);
            assert_eq!(judged(case, &rows, &odoo(case, payments)), Verdict::Right, "{case:?}");
            let mut once_more = odoo(case, payments.max(1));
            once_more.payments.push(once_more.payments[0].clone());
            assert!(matches!(judged(case, &rows, &once_more), Verdict::Wrong(_)), "{case:?}");
        }
    }

    #[test]
    fn one_thing_less_is_never_right() {
        for case in &CASES {
            let (all, whole) = (rows(case), odoo(case, case.expect.payments));
            for gone in 0..all.len() {
                let mut rows = all.clone();
                rows.remove(gone);
                assert!(matches!(judged(case, &rows, &whole), Verdict::Waiting(_)), "{case:?}");
            }
            for gone in 0..whole.payments.len() {
                let mut world = whole.clone();
                world.payments.remove(gone);
                assert!(matches!(judged(case, &all, &world), Verdict::Wrong(_)), "{case:?}");
            }
            for name in whole.records.keys() {
                let mut world = whole.clone();
                world.records.remove(name);
                assert!(matches!(judged(case, &all, &world), Verdict::Waiting(_)), "{case:?}");
            }
            let mut begun = told(case);
            if begun.also.pop().is_some() {
                let verdict = judge(case, &begun, &all, &whole);
                assert!(matches!(verdict, Verdict::Waiting(_)), "{case:?}");
            }
        }
    }

    #[test]
    fn a_refund_of_another_amount_or_an_open_activity_is_not_right() {
        let case = of(Story::RefundedInParts);
        let mut world = odoo(&case, 1);
        world.payments[1].amount.minor -= 1;
        assert!(matches!(judged(&case, &rows(&case), &world), Verdict::Wrong(_)));
        let mut world = odoo(&case, 1);
        world.payments[1].is_refund = false;
        assert!(matches!(judged(&case, &rows(&case), &world), Verdict::Wrong(_)));
        let won = of(Story::DisputeWon);
        let mut world = odoo(&won, 1);
        world.records.get_mut("dispute-dp_1").unwrap().activities = 1;
        assert!(matches!(judged(&won, &rows(&won), &world), Verdict::Waiting(_)));
        let subscription = of(Story::Subscription);
        let mut world = odoo(&subscription, 2);
        world.records.get_mut("dispute-dp_1").unwrap().renewals = 2;
        assert!(matches!(judged(&subscription, &rows(&subscription), &world), Verdict::Waiting(_)));
    }

    #[test]
    fn twice_in_the_log_is_wrong_and_so_is_a_forged_one_in_it() {
        let case = of(Story::DeliveredTwice);
        let rows = [row(&case), row(&case)];
        assert!(matches!(judged(&case, &rows, &odoo(&case, 1)), Verdict::Wrong(_)));
        let forged = of(Story::Forged);
        let world = OdooWorld::default();
        assert!(matches!(judged(&forged, &[row(&forged)], &world), Verdict::Wrong(_)));
        let answered = Told { answer: Some(200), ..told(&forged) };
        assert!(matches!(judge(&forged, &answered, &[], &world), Verdict::Wrong(_)));
    }

    #[test]
    fn what_goes_on_by_itself_is_waited_for_and_the_rest_is_wrong() {
        let case = of(Story::Invoiced);
        let status = |status: &str| Row { status: status.to_owned(), ..row(&case) };
        let world = odoo(&case, 0);
        assert!(matches!(judged(&case, &[], &world), Verdict::Waiting(_)));
        for waits in ["received", "pending"] {
            assert!(matches!(judged(&case, &[status(waits)], &world), Verdict::Waiting(_)));
        }
        for rests in ["parked", "ignored", "recorded"] {
            assert!(matches!(judged(&case, &[status(rests)], &world), Verdict::Wrong(_)));
        }
        let late = Row { late_s: Some(1), ..row(&case) };
        assert!(matches!(judged(&case, &[late], &odoo(&case, 1)), Verdict::Wrong(_)));
        let other = Row { account: "other".to_owned(), ..row(&case) };
        assert!(matches!(judged(&case, &[other], &odoo(&case, 1)), Verdict::Wrong(_)));
    }

    #[test]
    fn another_mode_or_a_living_transaction_is_not_right() {
        let portal = of(Story::PortalInvoice);
        let otherwise = Row { mode: Some("B".to_owned()), ..row(&portal) };
        assert!(matches!(judged(&portal, &[otherwise], &odoo(&portal, 1)), Verdict::Wrong(_)));
        let canceled = of(Story::PortalCanceled);
        let mut world = odoo(&canceled, 0);
        world.transactions.insert("S1".to_owned(), "draft".to_owned());
        assert!(matches!(judged(&canceled, &[row(&canceled)], &world), Verdict::Waiting(_)));
    }

    #[test]
    fn another_amount_or_an_open_invoice_is_not_right() {
        let case = of(Story::Invoiced);
        let mut world = odoo(&case, 1);
        world.invoices.insert(9, invoice("partial"));
        assert!(matches!(judged(&case, &[row(&case)], &world), Verdict::Waiting(_)));
        let mut world = odoo(&case, 1);
        world.payments[0].amount.minor -= 1;
        assert!(matches!(judged(&case, &[row(&case)], &world), Verdict::Wrong(_)));
        let parked = of(Story::AmountDiffers);
        let reason = Some("ambiguous".to_owned());
        let otherwise = Row { reason, ..row(&parked) };
        assert!(matches!(judged(&parked, &[otherwise], &odoo(&parked, 0)), Verdict::Wrong(_)));
    }
}
