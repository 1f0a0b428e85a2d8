//! Mode A: the transaction Odoo itself made for a payment (portal, shop), to be confirmed.
//!
//! Only transactions of our provider count: one of another provider under the same reference is
//! somebody else's attempt. Not here: what all modes share ([`super::paid`]).

use concilia_shared::money::Money;
use jiff::civil::Date;

use super::paid::{in_the_way, of_company_and_alive, unless_accepted};
use super::{REFERENCE_FIELD, Verdict};
use crate::domain::event::{CheckoutPaid, Matched};
use crate::domain::observe::{
    Accepted, Candidate, Command, Confirm, InOdoo, Invoice, Lookup, Order, Transaction,
};
use crate::domain::reason::ParkReason;
use crate::domain::settings::Settings;
use crate::domain::state::Told;

/// What a candidate that carries the checkout's own id is found by.
pub(super) const BY_CHECKOUT: &str = "checkout";

/// The transaction the payment is for: the one that carries the checkout's id, else the first
/// reference that leads to one.
pub(super) fn find<'a>(
    paid: &CheckoutPaid,
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
                value: paid.checkout.to_string(),
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
    paid: &CheckoutPaid,
    candidate: &Candidate,
    odoo: &InOdoo,
    date: Date,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let transaction = &candidate.transaction;
    check_transaction(paid, transaction, settings)?;
    let others = odoo.transactions.iter().filter(|other| other.reference != transaction.reference);
    in_the_way(paid, others)?;
    let mut accepted = Accepted::default();
    for order in &candidate.orders {
        check_order(told, paid, order, settings, &mut accepted)?;
    }
    check_invoices(told, paid, candidate, settings, &mut accepted)?;
    let confirm = Confirm {
        checkout: paid.checkout.clone(),
        amount: paid.amount,
        date,
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
    paid: &CheckoutPaid,
    transaction: &Transaction,
    settings: &Settings,
) -> Result<(), Verdict> {
    let document = transaction.reference.clone();
    let open = ["draft", "pending", "cancel", "error"].contains(&transaction.state.as_str());
    let amount = Money::from_decimal(&transaction.amount, paid.amount.currency);
    let reason = if Some(transaction.company_id) != settings.company_id {
        ParkReason::OtherCompany { document }
    } else if !open {
        let by = transaction.provider_reference.as_deref().unwrap_or("-");
        ParkReason::NameTaken { document, by: format!("{by} ({})", transaction.state) }
    } else if transaction.currency != paid.amount.currency.code() {
        let expected = transaction.currency.clone();
        ParkReason::CurrencyMismatch { paid: paid.amount, expected, document }
    } else if amount != Ok(paid.amount) {
        let expected = transaction.amount.clone();
        ParkReason::TransactionMismatch { paid: paid.amount, expected, document }
    } else {
        return Ok(());
    };
    Err(Verdict::Parked(reason))
}

fn check_order(
    told: &Told,
    paid: &CheckoutPaid,
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
    paid: &CheckoutPaid,
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
        } else if invoice.currency != paid.amount.currency.code() {
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
