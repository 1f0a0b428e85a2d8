//! What to do about an event: given its stream, what was observed, the account's settings.
//! Pure, and total: every combination has an answer.
//!
//! Three questions, asked in this order by [`crate::settle`]:
//! 1. [`plan`]: can it be judged from the log alone, or what must be looked up?
//! 2. [`decide`]: given what was seen, does it rest, or is something to be booked?
//! 3. [`conclude`]: given what came of the booking, where does it rest?
//!
//! Not here: when a Pending event is tried again ([`rest`] asks [`crate::retry`]).

use concilia_shared::config::{CreditPolicy, QuotationPolicy, Retry};
use concilia_shared::money::Money;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::event::{Booking, CheckoutPaid, Event, Fact, Matched};
use super::interpret::match_keys;
use super::observe::{
    AtVentipay, Book, BookOutcome, CheckoutNow, Found, InOdoo, Invoice, Lookup, Order, Probe,
};
use super::reason::{IgnoreReason, NotReady, ParkReason, PendingReason, RecordReason};
use super::settings::Settings;
use super::state::{State, Status, Told};
use crate::retry::{self, Jitter};

/// Tries after which a checkout Ventipay does not know is given to a person: about 8 minutes
/// with the default schedule.
const UNKNOWN_TRIES: u32 = 5;

/// Where an event rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do in Odoo.
    Recorded(RecordReason),
    /// None of this account's.
    Ignored(IgnoreReason),
    /// To be tried again.
    Pending(PendingReason),
    /// For a person.
    Parked(ParkReason),
    /// In Odoo.
    Booked(Box<Booking>, Option<Box<Matched>>),
}

/// What [`plan`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The log alone tells.
    Rest(Verdict),
    /// Somebody must be asked first.
    LookUp(Lookup),
}

/// What [`decide`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What was seen tells.
    Rest(Verdict),
    /// Book this; found so.
    Book(Box<Book>, Matched),
}

/// What was seen of a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// In Odoo.
    pub odoo: InOdoo,
    /// At Ventipay.
    pub ventipay: AtVentipay,
}

/// Judges an event from the log alone, or says what to look up. `body` is its payload, for
/// the match keys: they follow today's settings, not those of the day it came.
pub fn plan(told: &Told, state: &State, settings: &Settings, body: Option<&[u8]>) -> Plan {
    let paid = match &told.webhook.fact {
        Fact::Other => return Plan::Rest(Verdict::Recorded(RecordReason::NothingToDo)),
        Fact::Unreadable { problem } => {
            return park(ParkReason::Unreadable { problem: problem.clone() });
        }
        Fact::CheckoutPaid(paid) => paid,
    };
    let live = told.webhook.live;
    if live != Some(settings.environment.is_live()) {
        return Plan::Rest(Verdict::Ignored(IgnoreReason::OtherEnvironment { live }));
    }
    if let Some(verdict) = told_before(told, paid, state) {
        return Plan::Rest(verdict);
    }
    if let Some(book_from) = settings.book_from
        && paid_at(told, paid, None) < book_from
    {
        return Plan::Rest(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    if let (Some(late_s), false) = (told.webhook.late_s, settings.asks_ventipay) {
        return park(ParkReason::LateAndUnverifiable { late_s });
    }
    if settings.company_id.is_none() {
        return Plan::Rest(Verdict::Pending(PendingReason::NotReady { why: NotReady::NoOdoo }));
    }
    let Some(body) = body else {
        return park(ParkReason::PayloadErased);
    };
    Plan::LookUp(Lookup { checkout: paid.checkout.clone(), probes: probes(body, settings) })
}

/// Judges an event by what was seen, or says what to book.
pub fn decide(told: &Told, paid: &CheckoutPaid, seen: &Seen, settings: &Settings) -> Decision {
    match judge(told, paid, seen, settings) {
        Ok((book, matched)) => Decision::Book(Box::new(book), matched),
        Err(verdict) => Decision::Rest(verdict),
    }
}

/// Judges what came of a booking. `None`: somebody else is at it, ask again.
pub fn conclude(outcome: BookOutcome, matched: Matched) -> Option<Verdict> {
    match outcome {
        BookOutcome::Booked(booking) => {
            Some(Verdict::Booked(Box::new(booking), Some(Box::new(matched))))
        }
        // Somebody booked it between our look and our call: look again, and judge all of it.
        BookOutcome::Already(_) => {
            Some(Verdict::Pending(PendingReason::Changed { what: "booked".to_owned() }))
        }
        BookOutcome::Changed { what } => Some(Verdict::Pending(PendingReason::Changed { what })),
        BookOutcome::Refused { why, detail } => {
            Some(Verdict::Parked(ParkReason::RefusedByOdoo { why, detail }))
        }
        BookOutcome::Again => None,
    }
}

/// The fact a verdict leaves in the log. Pending gets its next time, or is parked when it was
/// tried for as long as the schedule says; weather uses up no try and never gives up.
pub fn rest(
    told: &Told,
    verdict: Verdict,
    schedule: &Retry,
    now: Timestamp,
    jitter: Jitter,
) -> Event {
    let about = told.webhook.event_id.clone();
    match verdict {
        Verdict::Recorded(reason) => Event::Recorded { about, reason },
        Verdict::Ignored(reason) => Event::Ignored { about, reason },
        Verdict::Parked(reason) => Event::Parked { about, reason },
        Verdict::Booked(booking, matched) => {
            Event::Booked { about, booking: *booking, matched: matched.map(|matched| *matched) }
        }
        Verdict::Pending(reason) => {
            let (tried, since) = waited(&told.status, now);
            if reason.is_weather() {
                let since = bad_since(&told.status, since);
                let due_at = now + retry::weather_after(schedule, since, now, jitter);
                return Event::Pended { about, reason, attempt: tried, since, due_at };
            }
            let attempt = tried.saturating_add(1);
            if retry::exhausted(schedule, since, now) {
                let waiting_for = Box::new(reason);
                let reason = ParkReason::RetriesExhausted { attempts: attempt, waiting_for };
                return Event::Parked { about, reason };
            }
            let due_at = now + retry::due_after(schedule, attempt, jitter);
            Event::Pended { about, reason, attempt, since, due_at }
        }
    }
}

/// Tries used, and since when it has been waited, bad weather left out: an outage of a month
/// must not use up the month in which an order may still come.
fn waited(status: &Status, now: Timestamp) -> (u32, Timestamp) {
    match status {
        Status::Pending { reason, attempt, since, due_at } if reason.is_weather() => {
            // The event was written when the weather turned; its due time is one wait later.
            let lasted = now.duration_since(*due_at).max(SignedDuration::ZERO);
            (*attempt, if *attempt == 0 { now } else { (*since + lasted).min(now) })
        }
        Status::Pending { attempt, since, .. } => (*attempt, *since),
        _ => (0, now),
    }
}

/// Since when the weather has been bad: what is waited for it grows with it.
fn bad_since(status: &Status, otherwise: Timestamp) -> Timestamp {
    match status {
        Status::Pending { reason, attempt: 0, since, .. } if reason.is_weather() => *since,
        _ => otherwise,
    }
}

/// What can be said of an event whose account is not configured: what needs no account.
pub fn without_account(told: &Told) -> Verdict {
    match &told.webhook.fact {
        Fact::Other => Verdict::Recorded(RecordReason::NothingToDo),
        Fact::Unreadable { problem } => {
            Verdict::Parked(ParkReason::Unreadable { problem: problem.clone() })
        }
        Fact::CheckoutPaid(_) => {
            Verdict::Pending(PendingReason::NotReady { why: NotReady::NoAccount })
        }
    }
}

fn park(reason: ParkReason) -> Plan {
    Plan::Rest(Verdict::Parked(reason))
}

/// The same payment told under another event id is recorded; another amount is parked.
fn told_before(told: &Told, paid: &CheckoutPaid, state: &State) -> Option<Verdict> {
    let (first, earlier) = state.payment_told()?;
    if first.webhook.event_id == told.webhook.event_id {
        return None;
    }
    if earlier.amount == paid.amount {
        return Some(Verdict::Recorded(RecordReason::ToldBefore));
    }
    Some(Verdict::Parked(contradiction(paid, earlier.amount)))
}

fn contradiction(paid: &CheckoutPaid, answered: Money) -> ParkReason {
    ParkReason::ContradictedByVentipay { told: paid.amount, answered: in_words(answered) }
}

fn in_words(money: Money) -> String {
    format!("{} {}", money.to_decimal(), money.currency)
}

fn probes(body: &[u8], settings: &Settings) -> Vec<Probe> {
    match_keys(body, &settings.match_keys)
        .into_iter()
        .flat_map(|(path, value)| {
            settings.fields.iter().map(move |field| Probe {
                path: path.clone(),
                field: field.clone(),
                value: value.clone(),
            })
        })
        .collect()
}

/// When it was paid, as far as anybody says; else when we were told.
fn paid_at(told: &Told, paid: &CheckoutPaid, now: Option<&CheckoutNow>) -> Timestamp {
    now.and_then(|checkout| checkout.paid_at).or(paid.paid_at).unwrap_or(told.webhook.received_at)
}

/// The day, in the merchant's country, not in UTC: after 20:00 they differ.
fn day(at: Timestamp) -> Date {
    let santiago = TimeZone::get("America/Santiago")
        .unwrap_or_else(|_| unreachable!("the time zone database is part of the build"));
    at.to_zoned(santiago).date()
}

fn judge(
    told: &Told,
    paid: &CheckoutPaid,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Book, Matched), Verdict> {
    if let Some(booking) = &seen.odoo.booked {
        return Err(judge_booked(paid, booking, &seen.odoo, settings));
    }
    let checkout = confirm_with_ventipay(told, paid, &seen.ventipay)?;
    if let Some(book_from) = settings.book_from
        && paid_at(told, paid, checkout) < book_from
    {
        return Err(Verdict::Recorded(RecordReason::BeforeBookFrom { book_from }));
    }
    // A reference is unique in every state; ours could never be created beside it.
    if let Some(other) = seen.odoo.transactions.iter().find(|other| {
        other.reference == paid.checkout.as_str()
            || !["cancel", "error"].contains(&other.state.as_str())
    }) {
        return Err(Verdict::Parked(ParkReason::AlreadyPaid {
            document: other.reference.clone(),
            by: format!("{} {} ({})", other.amount, other.currency, other.state),
        }));
    }
    let (order, probe) = find_order(&seen.odoo.probes)?;
    check_order(paid, order, settings)?;
    let invoices = invoices_to_pay(paid, order)?;
    if invoices.is_empty() && settings.without_invoice == CreditPolicy::Wait {
        return Err(Verdict::Pending(PendingReason::NoInvoiceYet { order: order.name.clone() }));
    }
    let draft = ["draft", "sent"].contains(&order.state.as_str());
    let book = Book {
        checkout: paid.checkout.clone(),
        amount: paid.amount,
        date: day(paid_at(told, paid, checkout)),
        order: order.clone(),
        currency: order.currency.clone(),
        invoices: invoices.iter().map(|i| (i.id, i.residual.clone())).collect(),
        confirm: draft && settings.quotations == QuotationPolicy::Confirm,
    };
    let matched = Matched {
        path: probe.path.clone(),
        field: probe.field.clone(),
        value: probe.value.clone(),
    };
    Ok((book, matched))
}

fn judge_booked(
    paid: &CheckoutPaid,
    booking: &Booking,
    odoo: &InOdoo,
    settings: &Settings,
) -> Verdict {
    if odoo.booked_company_id.is_some() && odoo.booked_company_id != settings.company_id {
        let document = booking.transaction.clone();
        return Verdict::Parked(ParkReason::OtherCompany { document });
    }
    match odoo.booked_state.as_deref() {
        None | Some("done") => as_booked(paid, booking.clone()),
        Some(state) => Verdict::Parked(ParkReason::BookedDifferently {
            paid: paid.amount,
            booked: format!("{} ({state})", in_words(booking.amount)),
        }),
    }
}

fn as_booked(paid: &CheckoutPaid, booking: Booking) -> Verdict {
    if booking.amount == paid.amount {
        return Verdict::Booked(Box::new(booking), None);
    }
    let booked = in_words(booking.amount);
    Verdict::Parked(ParkReason::BookedDifferently { paid: paid.amount, booked })
}

/// What Ventipay says now, where it was asked; else what the signed body says.
fn confirm_with_ventipay<'a>(
    told: &Told,
    paid: &CheckoutPaid,
    at_ventipay: &'a AtVentipay,
) -> Result<Option<&'a CheckoutNow>, Verdict> {
    let (status, amount, refunded, disputed, checkout) = match at_ventipay {
        AtVentipay::NotAsked => {
            let status = paid.status.as_deref().unwrap_or("paid");
            (status, paid.amount, paid.refunded, paid.disputed, None)
        }
        AtVentipay::Unknown => {
            // It has just told us of it: its own copies may lag behind for a moment.
            let status = "unknown".to_owned();
            let tried =
                matches!(told.status, Status::Pending { attempt, .. } if attempt >= UNKNOWN_TRIES);
            return Err(if tried {
                Verdict::Parked(ParkReason::NotPayable { status })
            } else {
                Verdict::Pending(PendingReason::NotPaidYet { status })
            });
        }
        AtVentipay::Unreadable { .. } => {
            return Err(Verdict::Pending(PendingReason::VentipayUnavailable));
        }
        AtVentipay::Checkout(now) => {
            (now.status.as_str(), now.amount, now.refunded, now.disputed, Some(now))
        }
    };
    match status {
        _ if amount != paid.amount => Err(Verdict::Parked(contradiction(paid, amount))),
        _ if refunded => Err(Verdict::Parked(ParkReason::Refunded)),
        _ if disputed => Err(Verdict::Parked(ParkReason::Disputed)),
        "paid" => Ok(checkout),
        "canceled" | "expired" => {
            Err(Verdict::Parked(ParkReason::NotPayable { status: status.to_owned() }))
        }
        other => Err(Verdict::Pending(PendingReason::NotPaidYet { status: other.to_owned() })),
    }
}

/// The first place that holds anything decides; more than one order there is ambiguous.
fn find_order(probes: &[Found]) -> Result<(&Order, &Probe), Verdict> {
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
    Err(Verdict::Pending(PendingReason::NoMatch))
}

fn check_order(paid: &CheckoutPaid, order: &Order, settings: &Settings) -> Result<(), Verdict> {
    let document = order.name.clone();
    let reason = if Some(order.company_id) != settings.company_id {
        ParkReason::OtherCompany { document }
    } else if order.state == "cancel" {
        ParkReason::OrderCancelled { order: document }
    } else if order.currency != paid.amount.currency.code() {
        ParkReason::CurrencyMismatch {
            paid: paid.amount,
            expected: order.currency.clone(),
            document,
        }
    } else if let Some(other) = order.transactions.first() {
        ParkReason::AlreadyPaid { document, by: format!("{} ({})", other.reference, other.state) }
    } else if Money::from_decimal(&order.total, paid.amount.currency) != Ok(paid.amount) {
        ParkReason::AmountMismatch { paid: paid.amount, expected: order.total.clone(), document }
    } else {
        return Ok(());
    };
    Err(Verdict::Parked(reason))
}

/// The posted invoices of the order, each untouched and none above what was paid. Drafts are
/// never linked; credit notes are not paid.
fn invoices_to_pay<'a>(paid: &CheckoutPaid, order: &'a Order) -> Result<Vec<&'a Invoice>, Verdict> {
    let posted = |invoice: &&Invoice| invoice.kind == "out_invoice" && invoice.state == "posted";
    let invoices: Vec<&Invoice> = order.invoices.iter().filter(posted).collect();
    let mut open = Some(0_i64);
    for invoice in &invoices {
        let document = invoice.name.clone().unwrap_or_else(|| order.name.clone());
        let amount = |text: &str| Money::from_decimal(text, paid.amount.currency).ok();
        let reason = if invoice.company_id != order.company_id {
            ParkReason::OtherCompany { document }
        } else if invoice.currency != paid.amount.currency.code() {
            let expected = invoice.currency.clone();
            ParkReason::CurrencyMismatch { paid: paid.amount, expected, document }
        } else if invoice.payment_state != "not_paid"
            || invoice.payments > 0
            || amount(&invoice.residual) != amount(&invoice.total)
        {
            ParkReason::AlreadyPaid { document, by: invoice.payment_state.clone() }
        } else {
            let residual = amount(&invoice.residual).map(|money| money.minor);
            open = open.zip(residual).and_then(|(sum, residual)| sum.checked_add(residual));
            continue;
        };
        return Err(Verdict::Parked(reason));
    }
    if open.is_none_or(|open| open > paid.amount.minor) {
        let expected = open
            .map_or_else(String::new, |open| Money::new(open, paid.amount.currency).to_decimal());
        let document = order.name.clone();
        return Err(Verdict::Parked(ParkReason::AmountMismatch {
            paid: paid.amount,
            expected,
            document,
        }));
    }
    Ok(invoices)
}
