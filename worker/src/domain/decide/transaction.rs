//! Mode A: the transaction Odoo itself made for a payment (portal, shop), to be confirmed.
//!
//! Only transactions of our provider count: one of another provider under the same reference is
//! somebody else's attempt. Not here: what all modes share ([`super::paid`]).

use concilia_shared::money::Money;
use jiff::civil::Date;

use super::paid::{in_the_way, of_company_and_alive, unless_accepted};
use super::{REFERENCE_FIELD, Verdict, currency};
use crate::domain::event::Matched;
use crate::domain::name::PaymentName;
use crate::domain::observe::{
    Accepted, Candidate, Command, Confirm, InOdoo, Invoice, Lookup, Order, Transaction,
};
use crate::domain::reason::ParkReason;
use crate::domain::settings::Settings;
use crate::domain::state::Told;

/// What a candidate that carries the checkout's own id is found by.
pub(super) const BY_CHECKOUT: &str = "checkout";

/// A payment a transaction is to be confirmed by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paid<'a> {
    /// Its names, the one it is booked under first.
    pub(super) names: &'a [PaymentName],
    /// What was paid.
    pub(super) amount: Money,
    /// The day, in America/Santiago.
    pub(super) date: Date,
}

/// The transaction the payment is for: the one that carries the checkout's id, else the first
/// reference that leads to one.
pub(super) fn find<'a>(
    name: &PaymentName,
    lookup: &Lookup,
    odoo: &'a InOdoo,
) -> Result<Option<&'a Candidate>, Verdict> {
    let ours = || odoo.candidates.iter().filter(|candidate| candidate.transaction.ours);
    let mut named = ours().filter(|candidate| candidate.found_by == BY_CHECKOUT);
    match (named.next(), named.next()) {
        (Some(one), None) => return Ok(Some(one)),
        (Some(_), Some(_)) => {
            let named = ours().filter(|candidate| candidate.found_by == BY_CHECKOUT);
            return Err(Verdict::Parked(ParkReason::Ambiguous {
                value: name.to_string(),
                orders: named.map(|one| one.transaction.reference.clone()).collect(),
            }));
        }
        (None, _) => {}
    }
    let by = |value: &str| ours().find(|candidate| candidate.transaction.reference == value);
    Ok(lookup.references.iter().find_map(|reference| by(&reference.value)))
}

pub(super) fn judge(
    told: &Told,
    paid: &Paid<'_>,
    candidate: &Candidate,
    odoo: &InOdoo,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let transaction = &candidate.transaction;
    check_transaction(paid, transaction, settings)?;
    let others = odoo.transactions.iter().filter(|other| other.reference != transaction.reference);
    in_the_way(paid.names, others)?;
    let mut accepted = Accepted::default();
    for order in &candidate.orders {
        check_order(told, paid, order, settings, &mut accepted)?;
    }
    check_invoices(told, paid, candidate, settings, &mut accepted)?;
    let confirm = Confirm {
        names: paid.names.to_vec(),
        amount: paid.amount,
        date: paid.date,
        currency: transaction.currency.clone(),
        candidate: candidate.clone(),
        accepted,
    };
    let matched = Matched {
        path: candidate.found_by.clone(),
        field: REFERENCE_FIELD.to_owned(),
        value: transaction.reference.clone(),
    };
    Ok((Command::Confirm(Box::new(confirm)), Some(matched)))
}

/// A transaction that was cancelled or failed may still be paid: the customer came back.
fn check_transaction(
    paid: &Paid<'_>,
    transaction: &Transaction,
    settings: &Settings,
) -> Result<(), Verdict> {
    let document = transaction.reference.clone();
    let open = ["draft", "pending", "cancel", "error"].contains(&transaction.state.as_str());
    let amount = Money::from_decimal(&transaction.amount, paid.amount.currency);
    if Some(transaction.company_id) != settings.company_id {
        return Err(Verdict::Parked(ParkReason::OtherCompany { document }));
    }
    if !open {
        let by = transaction.provider_reference.as_deref().unwrap_or("-");
        let by = format!("{by} ({})", transaction.state);
        return Err(Verdict::Parked(ParkReason::NameTaken { document, by }));
    }
    currency::check(paid.amount, &transaction.currency, &document, settings)?;
    if amount != Ok(paid.amount) {
        let expected = transaction.amount.clone();
        let reason = ParkReason::TransactionMismatch { paid: paid.amount, expected, document };
        return Err(Verdict::Parked(reason));
    }
    Ok(())
}

fn check_order(
    told: &Told,
    paid: &Paid<'_>,
    order: &Order,
    settings: &Settings,
    accepted: &mut Accepted,
) -> Result<(), Verdict> {
    of_company_and_alive(order, settings)?;
    let document = order.name.clone();
    let money = |text: &str| Money::from_decimal(text, paid.amount.currency).ok();
    let mut done = order.transactions.iter().map(|other| money(&other.amount));
    let paid_in_all =
        done.try_fold(paid.amount.minor, |sum, other| other.and_then(|o| sum.checked_add(o.minor)));
    if money(&order.total).zip(paid_in_all).is_some_and(|(total, sum)| sum <= total.minor) {
        return Ok(());
    }
    let by = order.transactions.first().map_or_else(
        || format!("total {} {}", order.total, order.currency),
        |other| format!("{} ({})", other.reference, other.state),
    );
    accepted.paid = true;
    unless_accepted(told, ParkReason::AlreadyPaid { document, by })
}

/// What Odoo would pay with it must be posted, and still owe as much.
fn check_invoices(
    told: &Told,
    paid: &Paid<'_>,
    candidate: &Candidate,
    settings: &Settings,
    accepted: &mut Accepted,
) -> Result<(), Verdict> {
    let mut owed = Some(0_i64);
    for invoice in &candidate.invoices {
        let name = || {
            let reference = || candidate.transaction.reference.clone();
            invoice.name.clone().unwrap_or_else(reference)
        };
        let residual = Money::from_decimal(&invoice.residual, paid.amount.currency).ok();
        owed = owed.zip(residual).and_then(|(sum, more)| sum.checked_add(more.minor));
        let reason = if Some(invoice.company_id) != settings.company_id {
            ParkReason::OtherCompany { document: name() }
        } else if invoice.state != "posted" {
            ParkReason::InvoiceNotPosted { document: name() }
        } else if invoice.currency != candidate.transaction.currency {
            let expected = invoice.currency.clone();
            ParkReason::CurrencyMismatch { paid: paid.amount, expected, document: name() }
        } else {
            continue;
        };
        return Err(Verdict::Parked(reason));
    }
    if candidate.invoices.is_empty() || owed.is_some_and(|owed| owed >= paid.amount.minor) {
        return Ok(());
    }
    let short = |invoice: &&Invoice| invoice.payment_state != "not_paid";
    let by = candidate.invoices.iter().find(short).map(|invoice| invoice.payment_state.clone());
    accepted.paid = true;
    unless_accepted(
        told,
        ParkReason::AlreadyPaid {
            document: candidate.transaction.reference.clone(),
            by: by.unwrap_or_else(|| "owes less".to_owned()),
        },
    )
}
