//! A subscription's invoice at Ventipay ("nota de venta"): paid, it pays a customer invoice of
//! Odoo's, which is found by what the payload carries.
//!
//! Its other states ask for nothing in Odoo; one that contradicts a payment is a person's. Not
//! here: payments of orders ([`super::order`]).

use concilia_shared::config::InvoicePolicy;
use concilia_shared::money::Money;

use super::paid::{day, in_the_way, unless_accepted, values};
use super::{BY_HAND, Seen, Verdict, currency, customer, unknown_to_ventipay};
use crate::domain::event::{Booking, Matched};
use crate::domain::fact::{InvoiceState, InvoiceTold};
use crate::domain::interpret::match_keys;
use crate::domain::observe::{
    Accepted, Ask, AtVentipay, Command, FoundInvoices, InOdoo, Invoice, Lookup, MakeInvoice,
    PayInvoice, Probe, Transaction,
};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};

/// Where an invoice says what Odoo calls it, beside the account's match keys.
const PATHS: [&str; 3] = ["metadata.odoo_invoice", "metadata.invoice", "number"];

/// The fields of `account.move` it is looked for in, in the order of preference.
const FIELDS: [&str; 3] = ["name", "ref", "payment_reference"];

/// What the log alone tells.
pub(super) fn from_the_log(
    told: &Told,
    invoice: &InvoiceTold,
    state: &State,
    settings: &Settings,
) -> Option<Verdict> {
    if invoice.state != InvoiceState::Paid {
        return Some(not_paid(invoice, state));
    }
    if state.closed_by_hand(told) {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    if let Some(first) =
        state.payment_told().filter(|first| first.told.webhook.event_id != told.webhook.event_id)
    {
        return Some(match invoice.amount {
            Some(amount) if amount == first.amount => Verdict::Recorded(RecordReason::ToldBefore),
            amount => Verdict::Parked(ParkReason::ContradictingFacts {
                known: first.amount.to_string(),
                told: amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
            }),
        });
    }
    let at = invoice.paid_at.unwrap_or(told.webhook.received_at);
    if let Some(book_from) = settings.book_from.filter(|from| at < *from) {
        return Some(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    let trusted = super::paid::accepted(told, |reason| {
        matches!(reason, ParkReason::LateAndUnverifiable { .. })
    });
    match (told.webhook.late_s, settings.asks_ventipay || trusted) {
        (Some(late_s), false) => Some(Verdict::Parked(ParkReason::LateAndUnverifiable { late_s })),
        _ => None,
    }
}

/// Given up or taken back after it was paid: which holds, a person must ask.
fn not_paid(invoice: &InvoiceTold, state: &State) -> Verdict {
    let undone = [InvoiceState::Void, InvoiceState::Uncollectible].contains(&invoice.state);
    match state.payment_told() {
        Some(_) if undone => Verdict::Parked(ParkReason::ContradictingFacts {
            known: InvoiceState::Paid.as_str().to_owned(),
            told: invoice.state.as_str().to_owned(),
        }),
        Some(_) => Verdict::Recorded(RecordReason::Overtaken {
            status: InvoiceState::Paid.as_str().to_owned(),
        }),
        None => Verdict::Recorded(RecordReason::NothingToDo),
    }
}

/// Whom to ask, and where the customer invoice may be.
pub(super) fn lookup(
    told: &Told,
    invoice: &InvoiceTold,
    settings: &Settings,
    body: &[u8],
) -> Lookup {
    let probe = |path: &str, field: &str, value: &str| Probe {
        path: path.to_owned(),
        field: field.to_owned(),
        value: value.to_owned(),
    };
    let probes: Vec<Probe> = if let Some(chosen) = &told.chosen {
        vec![probe(BY_HAND, "name", chosen)]
    } else {
        let paths = PATHS.iter().map(ToString::to_string);
        let paths: Vec<String> = paths.chain(settings.match_keys.iter().cloned()).collect();
        let keys = match_keys(body, &paths);
        // One that was made for it carries its own id.
        let own = [probe("id", "ref", invoice.invoice.as_str())];
        let named =
            keys.iter().flat_map(|(path, value)| FIELDS.map(|field| probe(path, field, value)));
        named.chain(own).collect()
    };
    let ids = [invoice.payment.as_ref(), Some(&invoice.invoice)];
    Lookup {
        ask: Ask::Invoice(invoice.invoice.clone()),
        names: invoice.names(),
        carried: ids.into_iter().flatten().map(ToString::to_string).collect(),
        invoice_probes: probes,
        customer: customer(Some(body), invoice.customer.as_ref(), settings),
        ..Lookup::default()
    }
}

/// Judges by what was seen, or says what to do in Odoo.
pub(super) fn judge(
    told: &Told,
    invoice: &InvoiceTold,
    state: &State,
    lookup: &Lookup,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let Some(amount) = invoice.amount else {
        return Err(Verdict::Parked(ParkReason::RefusedByOdoo {
            why: "amount".to_owned(),
            detail: String::new(),
        }));
    };
    if let Some(booking) = &seen.odoo.booked {
        return Err(judge_booked(amount, lookup, booking, &seen.odoo, settings));
    }
    confirm_with_ventipay(told, amount, &seen.ventipay)?;
    in_the_way(&lookup.names, &seen.odoo.transactions)?;
    let found = match find(&seen.odoo.invoices) {
        Err(Verdict::Pending(PendingReason::NoInvoice { looked_for })) => {
            let make = make(told, invoice, amount, state, seen, settings)
                .ok_or(Verdict::Pending(PendingReason::NoInvoice { looked_for }))?;
            return Ok((Command::MakeInvoice(Box::new(make)), None));
        }
        found => found?,
    };
    let (found, transactions, probe) = found;
    let accepted = check(told, amount, found, transactions, settings)?;
    let shown = match &seen.ventipay {
        AtVentipay::Invoice(now) => now.paid_at,
        _ => None,
    };
    let pay = PayInvoice {
        names: lookup.names.clone(),
        amount,
        date: day(shown.or(invoice.paid_at).unwrap_or(told.webhook.received_at)),
        currency: found.currency.clone(),
        invoice: found.clone(),
        accepted,
    };
    let matched = Matched {
        path: probe.path.clone(),
        field: format!("account.move.{}", probe.field),
        value: probe.value.clone(),
    };
    Ok((Command::PayInvoice(Box::new(pay)), Some(matched)))
}

/// The invoice Odoo lacks, where the account has it made; once, whatever became of it.
fn make(
    told: &Told,
    invoice: &InvoiceTold,
    amount: Money,
    state: &State,
    seen: &Seen,
    settings: &Settings,
) -> Option<MakeInvoice> {
    if settings.subscription_invoices == InvoicePolicy::Never
        || state.made_invoice.is_some()
        || told.chosen.is_some()
    {
        return None;
    }
    Some(MakeInvoice {
        invoice: invoice.invoice.clone(),
        customer: seen.customer.clone()?,
        product: settings.subscription_product.clone()?,
        amount,
        currency: currency::default_name(amount, settings),
        date: day(invoice.paid_at.unwrap_or(told.webhook.received_at)),
        post: settings.subscription_invoices == InvoicePolicy::Post,
    })
}

fn judge_booked(
    amount: Money,
    lookup: &Lookup,
    booking: &Booking,
    odoo: &InOdoo,
    settings: &Settings,
) -> Verdict {
    if odoo.booked_company_id.is_some() && odoo.booked_company_id != settings.company_id {
        let document = booking.transaction.clone();
        return Verdict::Parked(ParkReason::OtherCompany { document });
    }
    let state = odoo.booked_state.as_deref().unwrap_or("done");
    if booking.amount != amount || state != "done" {
        let booked =
            format!("{} {} ({state})", booking.amount.to_decimal(), booking.amount.currency);
        return Verdict::Parked(ParkReason::BookedDifferently { paid: amount, booked });
    }
    let own = lookup.names.first().map(|name| name.as_str());
    match odoo.booked_name.as_deref() {
        Some(name) if Some(name) != own => {
            Verdict::Recorded(RecordReason::BookedElsewhere { name: name.to_owned() })
        }
        _ => Verdict::Booked(Box::new(booking.clone()), None, None),
    }
}

/// Ventipay must still say that it is paid, where it can be asked and its answer reads.
fn confirm_with_ventipay(
    told: &Told,
    amount: Money,
    at_ventipay: &AtVentipay,
) -> Result<(), Verdict> {
    let now = match at_ventipay {
        AtVentipay::Invoice(now) => now,
        AtVentipay::Unknown => {
            return Err(unknown_to_ventipay(told, |status| PendingReason::NotPaidYet { status }));
        }
        // Its fields are not documented: an answer that does not read contradicts nothing.
        _ => return Ok(()),
    };
    match (now.status.as_str(), now.amount) {
        ("paid", Some(answered)) if answered != amount => {
            Err(Verdict::Parked(ParkReason::ContradictedByVentipay {
                told: amount,
                answered: format!("{} {}", answered.to_decimal(), answered.currency),
            }))
        }
        ("paid", _) => Ok(()),
        ("void" | "uncollectible", _) => {
            Err(Verdict::Parked(ParkReason::NotPayable { status: now.status.clone() }))
        }
        _ => Err(Verdict::Pending(PendingReason::NotPaidYet { status: now.status.clone() })),
    }
}

/// The first place that holds anything decides; more than one invoice there is ambiguous.
fn find(probes: &[FoundInvoices]) -> Result<(&Invoice, &[Transaction], &Probe), Verdict> {
    for found in probes {
        match found.invoices.as_slice() {
            [] => {}
            [(invoice, transactions)] => return Ok((invoice, transactions, &found.probe)),
            several => {
                let name = |(invoice, _): &(Invoice, Vec<Transaction>)| {
                    invoice.name.clone().unwrap_or_else(|| format!("#{}", invoice.id))
                };
                return Err(Verdict::Parked(ParkReason::Ambiguous {
                    value: found.probe.value.clone(),
                    orders: several.iter().map(name).collect(),
                }));
            }
        }
    }
    let looked_for = values(probes.iter().map(|found| &found.probe.value));
    Err(Verdict::Pending(PendingReason::NoInvoice { looked_for }))
}

/// What is paid must be posted, of the company, and ask for exactly this, unless a person
/// accepted otherwise.
fn check(
    told: &Told,
    amount: Money,
    invoice: &Invoice,
    transactions: &[Transaction],
    settings: &Settings,
) -> Result<Accepted, Verdict> {
    let document = invoice.name.clone().unwrap_or_else(|| format!("#{}", invoice.id));
    if Some(invoice.company_id) != settings.company_id {
        return Err(Verdict::Parked(ParkReason::OtherCompany { document }));
    }
    match invoice.state.as_str() {
        "posted" => {}
        "draft" => return Err(Verdict::Pending(PendingReason::NoInvoiceYet { order: document })),
        _ => return Err(Verdict::Parked(ParkReason::InvoiceNotPosted { document })),
    }
    currency::check(amount, &invoice.currency, &document, settings)?;
    let mut accepted = Accepted::default();
    let money = |text: &str| Money::from_decimal(text, amount.currency).ok();
    let touched = invoice.payment_state != "not_paid"
        || invoice.payments > 0
        || !transactions.is_empty()
        || money(&invoice.residual) != money(&invoice.total);
    if touched {
        let by = transactions.first().map_or_else(
            || invoice.payment_state.clone(),
            |other| format!("{} ({})", other.reference, other.state),
        );
        unless_accepted(told, ParkReason::AlreadyPaid { document: document.clone(), by })?;
        accepted.paid = true;
    }
    if money(&invoice.total) != Some(amount) {
        let expected = invoice.total.clone();
        unless_accepted(told, ParkReason::AmountMismatch { paid: amount, expected, document })?;
        accepted.amount = true;
    }
    Ok(accepted)
}
