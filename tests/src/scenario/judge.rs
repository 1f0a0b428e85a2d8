//! Whether a case ended as expected. Pure: what was expected, what the log says, what stands
//! in Odoo; the answer is a verdict with the first thing that is wrong.

use concilia_shared::money::{Currency, Money};

use super::cases::{Case, Expect};
use super::odoo::{Invoice, OdooWorld};
use super::worker::Row;

/// A case as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The id under which the log must (or must not) have it.
    pub event_id: String,
    /// The checkout, if it is about one.
    pub checkout: Option<String>,
    /// The transaction Odoo made of it, by reference, in mode A.
    pub transaction: Option<String>,
    /// What was paid, in pesos.
    pub paid: i64,
    /// The ingress's answer, where the scenario posted by itself.
    pub answer: Option<u16>,
    /// The order in Odoo, by name.
    pub order: Option<String>,
    /// Its invoice in Odoo, by id.
    pub invoice: Option<i64>,
}

impl Told {
    /// The reference of the transaction its payment hangs on.
    pub fn reference(&self) -> Option<&str> {
        self.transaction.as_deref().or(self.checkout.as_deref())
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
    let found: Vec<&Row> = rows.iter().filter(|row| row.event_id == told.event_id).collect();
    match (found.as_slice(), case.expect.status) {
        ([], None) => in_odoo(&case.expect, told, odoo),
        (_, None) => Verdict::Wrong("the log knows it".to_owned()),
        ([], Some(_)) => Verdict::Waiting("not in the log".to_owned()),
        ([row], Some(status)) => {
            in_log(case, status, row).unwrap_or_else(|| in_odoo(&case.expect, told, odoo))
        }
        (several, Some(_)) => Verdict::Wrong(format!("{} times in the log", several.len())),
    }
}

/// What is not (yet) right in the log.
fn in_log(case: &Case, status: &str, row: &Row) -> Option<Verdict> {
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
    if row.late_s.is_some() != case.expect.late {
        return Some(Verdict::Wrong(format!("late by {:?} s", row.late_s)));
    }
    if case.expect.mode.is_some() && row.mode.as_deref() != case.expect.mode {
        return Some(Verdict::Wrong(format!("booked in mode {:?}", row.mode)));
    }
    let reason = row.reason.as_deref();
    (case.expect.reason.is_some() && reason != case.expect.reason)
        .then(|| Verdict::Wrong(format!("{status} for another reason: {reason:?}")))
}

fn in_odoo(expect: &Expect, told: &Told, odoo: &OdooWorld) -> Verdict {
    let payments: Vec<_> = odoo
        .payments
        .iter()
        .filter(|payment| told.reference() == Some(&payment.transaction))
        .collect();
    if payments.len() != expect.payments {
        return Verdict::Wrong(format!("{} payments in Odoo", payments.len()));
    }
    let paid = Money::new(told.paid, Currency::Clp);
    if let Some(payment) = payments.iter().find(|payment| payment.amount != paid) {
        return Verdict::Wrong(format!("{} in Odoo", payment.amount));
    }
    let state = told.reference().and_then(|reference| odoo.transactions.get(reference));
    if expect.canceled && state.is_none_or(|state| state != "cancel") {
        return Verdict::Waiting(format!("its transaction is {state:?}"));
    }
    if !expect.invoice_paid {
        return Verdict::Right;
    }
    let Some(invoice) = &told.invoice else {
        return Verdict::Waiting("the order has no invoice".to_owned());
    };
    match odoo.invoices.get(invoice) {
        Some(invoice) if PAID_STATES.contains(&&*invoice.payment_state) => Verdict::Right,
        Some(Invoice { name, payment_state }) => {
            Verdict::Waiting(format!("invoice {name} is {payment_state}"))
        }
        None => Verdict::Wrong("the order's invoice is gone".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{CASES, Story};
    use super::super::odoo::Payment;
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

    fn told(case: &Case) -> Told {
        Told {
            event_id: "evt_1".to_owned(),
            checkout: Some("chk_1".to_owned()),
            transaction: None,
            paid: case.total,
            answer: case.expect.answer,
            order: Some("S1".to_owned()),
            invoice: Some(9),
        }
    }

    fn odoo(case: &Case, payments: usize) -> OdooWorld {
        let payment = Payment {
            transaction: "chk_1".to_owned(),
            name: "P1".to_owned(),
            amount: Money::new(case.total, Currency::Clp),
        };
        OdooWorld {
            payments: vec![payment; payments],
            invoices: [(9, invoice("paid"))].into(),
            transactions: [("chk_1".to_owned(), "cancel".to_owned())].into(),
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
            let rows: Vec<Row> = case.expect.status.map(|_| row(case)).into_iter().collect();
            let world = odoo(case, case.expect.payments);
            assert_eq!(judged(case, &rows, &world), Verdict::Right, "{case:?}");
            let once_more = odoo(case, case.expect.payments + 1);
            assert!(matches!(judged(case, &rows, &once_more), Verdict::Wrong(_)), "{case:?}");
        }
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
        world.transactions.insert("chk_1".to_owned(), "draft".to_owned());
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
