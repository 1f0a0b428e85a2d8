//! Mode B: the order of an external shop that a payment is for.
//!
//! Not here: what all modes share ([`super::paid`]).

use concilia_shared::config::{CreditPolicy, QuotationPolicy};
use concilia_shared::money::Money;
use jiff::civil::Date;

use super::paid::{in_the_way, of_company_and_alive, unless_accepted, values};
use super::{Verdict, currency};
use crate::domain::event::{CheckoutPaid, Matched};
use crate::domain::observe::{Accepted, Book, Command, Found, InOdoo, Invoice, Order, Probe};
use crate::domain::reason::{NotReady, ParkReason, PendingReason};
use crate::domain::settings::Settings;
use crate::domain::state::Told;

pub(super) fn judge(
    told: &Told,
    paid: &CheckoutPaid,
    odoo: &InOdoo,
    date: Date,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let names = paid.names();
    in_the_way(&names, &odoo.transactions)?;
    let (order, probe) = find(&odoo.probes)?;
    let mut accepted = Accepted::default();
    check(told, paid, order, settings, &mut accepted)?;
    let invoices = invoices_to_pay(told, paid, order, &mut accepted)?;
    if invoices.is_empty() && settings.without_invoice == CreditPolicy::Wait {
        return Err(Verdict::Pending(PendingReason::NoInvoiceYet { order: order.name.clone() }));
    }
    let draft = ["draft", "sent"].contains(&order.state.as_str());
    let book = Book {
        names,
        amount: paid.amount,
        date,
        order: order.clone(),
        currency: order.currency.clone(),
        invoices: invoices.iter().map(|i| (i.id, i.residual.clone())).collect(),
        confirm: draft && settings.quotations == QuotationPolicy::Confirm,
        accepted,
    };
    let matched = Matched {
        path: probe.path.clone(),
        field: probe.field.clone(),
        value: probe.value.clone(),
    };
    Ok((Command::Book(Box::new(book)), Some(matched)))
}

/// The first place that holds anything decides; more than one order there is ambiguous.
fn find(probes: &[Found]) -> Result<(&Order, &Probe), Verdict> {
    for found in probes {
        if found.unknown_field {
            let why = NotReady::UnknownField { field: found.probe.field.clone() };
            return Err(Verdict::Pending(PendingReason::NotReady { why }));
        }
        match found.orders.as_slice() {
            [] => {}
            [order] => return Ok((order, &found.probe)),
            several => {
                return Err(Verdict::Parked(ParkReason::Ambiguous {
                    value: found.probe.value.clone(),
                    orders: several.iter().map(|order| order.name.clone()).collect(),
                }));
            }
        }
    }
    let looked_for = values(probes.iter().map(|found| &found.probe.value));
    Err(Verdict::Pending(PendingReason::NoMatch { looked_for }))
}

fn check(
    told: &Told,
    paid: &CheckoutPaid,
    order: &Order,
    settings: &Settings,
    accepted: &mut Accepted,
) -> Result<(), Verdict> {
    of_company_and_alive(order, settings)?;
    let document = order.name.clone();
    currency::check(paid.amount, &order.currency, &document, settings)?;
    if let Some(other) = order.transactions.first() {
        let by = format!("{} ({})", other.reference, other.state);
        unless_accepted(told, ParkReason::AlreadyPaid { document: document.clone(), by })?;
        accepted.paid = true;
    }
    if Money::from_decimal(&order.total, paid.amount.currency) != Ok(paid.amount) {
        let expected = order.total.clone();
        unless_accepted(
            told,
            ParkReason::AmountMismatch { paid: paid.amount, expected, document },
        )?;
        accepted.amount = true;
    }
    Ok(())
}

/// The posted invoices of the order, each untouched and none above what was paid, unless a
/// person accepted otherwise. Drafts are never linked; credit notes are not paid.
fn invoices_to_pay<'a>(
    told: &Told,
    paid: &CheckoutPaid,
    order: &'a Order,
    accepted: &mut Accepted,
) -> Result<Vec<&'a Invoice>, Verdict> {
    let posted = |invoice: &&Invoice| invoice.kind == "out_invoice" && invoice.state == "posted";
    let invoices: Vec<&Invoice> = order.invoices.iter().filter(posted).collect();
    let mut open = Some(0_i64);
    for invoice in &invoices {
        let document = invoice.name.clone().unwrap_or_else(|| order.name.clone());
        let amount = |text: &str| Money::from_decimal(text, paid.amount.currency).ok();
        let touched = invoice.payment_state != "not_paid"
            || invoice.payments > 0
            || amount(&invoice.residual) != amount(&invoice.total);
        if invoice.company_id != order.company_id {
            return Err(Verdict::Parked(ParkReason::OtherCompany { document }));
        }
        if invoice.currency != order.currency {
            let expected = invoice.currency.clone();
            let reason = ParkReason::CurrencyMismatch { paid: paid.amount, expected, document };
            return Err(Verdict::Parked(reason));
        }
        if touched {
            let by = invoice.payment_state.clone();
            unless_accepted(told, ParkReason::AlreadyPaid { document, by })?;
            accepted.paid = true;
        }
        let residual = amount(&invoice.residual).map(|money| money.minor);
        open = open.zip(residual).and_then(|(sum, residual)| sum.checked_add(residual));
    }
    if open.is_none_or(|open| open > paid.amount.minor) {
        let expected = open
            .map_or_else(String::new, |open| Money::new(open, paid.amount.currency).to_decimal());
        let document = order.name.clone();
        unless_accepted(
            told,
            ParkReason::AmountMismatch { paid: paid.amount, expected, document },
        )?;
        accepted.amount = true;
    }
    Ok(invoices)
}
