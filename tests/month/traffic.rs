//! The ordinary part of the month: what happens every day in three shops, and how Ventipay tells
//! of it. All of it must end in Odoo, or with nothing to do.

use concilia_shared::money::{Currency, Money};
use concilia_tests::ventipay::{Charge, Deliver, Families, Made};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use serde_json::json;

use crate::expect::{Place, Stands};
use crate::world::{Account, Month, START};

/// Payments of checkouts, unless `CONCILIA_PAYMENTS` says how many.
const PAYMENTS: u32 = 600;

/// Subscriptions, each of a few periods a week apart.
const SUBSCRIPTIONS: u32 = 24;
const PERIODS: u32 = 3;

/// Cards saved, checkouts created and left, portal payments that fail or are canceled, events of
/// types nobody knows.
const CARDS: u32 = 30;
const CREATED: u32 = 90;
const FAILED: u32 = 20;
const CANCELED: u32 = 25;
const UNKNOWN: u32 = 15;

/// How a document that is paid comes to be in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    Invoiced,
    InvoicedLater,
    Late,
    Portal,
}

/// A payment of the month.
#[derive(Debug, Clone)]
struct Payment {
    account: Account,
    checkout: String,
    amount: Money,
}

pub(crate) fn plan(month: &mut Month) {
    let wanted = std::env::var("CONCILIA_PAYMENTS").ok().and_then(|text| text.parse().ok());
    each(month, wanted.unwrap_or(PAYMENTS), 29, buy);
    each(month, SUBSCRIPTIONS, 5, subscribe);
    each(month, CARDS, 28, save_card);
    each(month, CREATED, 29, create);
    each(month, FAILED, 28, fail);
    each(month, CANCELED, 28, cancel);
    each(month, UNKNOWN, 28, unknown);
}

/// Spreads so many of something over the first `days` of the month.
fn each(month: &mut Month, times: u32, days: i64, act: fn(&mut Month, u32)) {
    let start: Timestamp = START.parse().unwrap();
    for number in 0..times {
        let at = start + SignedDuration::from_mins(month.dice.random_range(1..days * 24 * 60));
        month.at(at, move |month| act(month, number));
    }
}

fn one_in(month: &mut Month, many: u32) -> bool {
    month.dice.random_range(0..many) == 0
}

fn buy(month: &mut Month, number: u32) {
    let account = if one_in(month, 3) { Account::Outlet } else { Account::Tienda };
    let document = match month.dice.random_range(0..10) {
        0..4 => Document::Invoiced,
        4..6 => Document::InvoicedLater,
        6..8 => Document::Late,
        _ if account == Account::Tienda => Document::Portal,
        _ => Document::Invoiced,
    };
    let amount = if one_in(month, 25) {
        // Ventipay counts ten-thousandths, Odoo's UF hundredths.
        Money::new(month.dice.random_range(10..900) * 100, Currency::Clf)
    } else {
        Money::new(month.dice.random_range(990..450_000), Currency::Clp)
    };
    let (path, field, key) = match (account, month.dice.random_range(0..3)) {
        // The shop whose plugin sends no external_id, and the one that writes into `origin`.
        (Account::Tienda, 0) => ("metadata.wp_order_id", "client_order_ref", format!("W{number}")),
        (Account::Tienda, 1) => ("external_id", "origin", format!("JS-{number}")),
        _ => ("external_id", "client_order_ref", format!("#{number}")),
    };
    let (path, key, reference) = match document {
        Document::Portal => {
            let order = month.order(account, amount, field, &format!("portal-{number}"));
            let (_, reference) = month.odoo.portal_transaction(&order.name);
            ("external_id", reference.clone(), Some(reference))
        }
        Document::Late => {
            let hours = month.dice.random_range(1..9);
            let key = key.clone();
            month.in_hours(hours, {
                let key = key.clone();
                move |month| drop(month.order(account, amount, field, &key))
            });
            (path, key, None)
        }
        Document::Invoiced | Document::InvoicedLater => {
            let order = month.order(account, amount, field, &key);
            if document == Document::Invoiced {
                month.odoo.invoice(order.id);
            } else {
                let hours = month.dice.random_range(1..72);
                month.in_hours(hours, move |month| {
                    month.odoo.invoice(order.id);
                });
            }
            (path, key, None)
        }
    };
    let families = match (account, month.dice.random_range(0..6)) {
        (Account::Tienda, 0) => Families::ALL,
        (Account::Tienda, 1) => Families::UNLINKED,
        _ => Families::default(),
    };
    let paid = month.pay_told_by(account, amount, path, &key, families);
    let reference = reference.unwrap_or_else(|| paid.checkout.clone());
    month.expected.paid(account, amount, Place::Booked, Some(&reference));
    let payment = Payment { account, checkout: paid.checkout, amount };
    for other in &paid.others {
        tell(month, account, other);
    }
    tell(month, account, &paid.event);
    if one_in(month, 25) {
        // The same payment under another id.
        let (kind, data) = month.told(&paid.event);
        let again = month.ventipay.emit(&kind, account.is_live(), &data, &Deliver::Nowhere);
        tell(month, account, &again.unwrap());
    }
    let day = month.now().duration_since(START.parse().unwrap()).as_hours() / 24;
    match month.dice.random_range(0..100) {
        0..12 if day < 22 => refunds(month, &payment),
        12..16 if day < 18 => dispute(month, payment),
        _ => {}
    }
}

/// Has an event arrive: mostly soon, sometimes hours later, sometimes days, which only an account
/// that can ask believes; now and then once more.
fn tell(month: &mut Month, account: Account, event: &str) {
    let (hours, late_s) = match month.dice.random_range(0..100) {
        0..80 => (0, None),
        80..96 => (month.dice.random_range(1..10), None),
        _ if account == Account::Tienda && month.told(event).0.starts_with("checkout.") => {
            (month.dice.random_range(10..70), Some(36_000))
        }
        _ => (1, None),
    };
    tell_in(month, account, event, hours, late_s);
    if one_in(month, 12) {
        let again = month.dice.random_range(1..90);
        tell_in(month, account, event, hours + again, None);
    }
}

fn tell_in(month: &mut Month, account: Account, event: &str, hours: i64, late_s: Option<i64>) {
    let event = event.to_owned();
    month.in_hours(hours, move |month| month.arrives_late(account, &event, late_s));
}

/// One refund or several, each told for itself and in no order; some before their payment is.
fn refunds(month: &mut Month, payment: &Payment) {
    let unit = if payment.amount.currency == Currency::Clf { 100 } else { 1 };
    let parts = month.dice.random_range(1..4);
    let mut left = payment.amount.minor;
    let mut back = 0;
    for part in 0..parts {
        // The last takes all that is left, every second time.
        let all = part == parts - 1 && one_in(month, 2);
        let most = (left / unit).min(payment.amount.minor / unit / 2);
        let amount = if all { left } else { month.dice.random_range(1..=most.max(1)) * unit };
        if amount > left || left == 0 {
            break;
        }
        left -= amount;
        back += amount;
        let hours = 1 + 30 * part + month.dice.random_range(0..20);
        let payment = payment.clone();
        month.in_hours(i64::from(hours), move |month| {
            let refund = month.ventipay.refund(&payment.checkout, Some(amount), &Deliver::Nowhere);
            for event in refund.unwrap().events {
                let hours = month.dice.random_range(0..48);
                tell_in(month, payment.account, &event, hours, None);
            }
        });
    }
    let back = Money::new(back, payment.amount.currency);
    month.expected.went_back(payment.account, back, Place::Booked, Some(&payment.checkout));
}

/// A dispute, days after the payment, whose steps are told in no order.
fn dispute(month: &mut Month, payment: Payment) {
    month.in_hours(24 * 6, move |month| {
        let Payment { account, checkout, .. } = payment;
        let made = month.ventipay.dispute(&checkout, json!(null), &Deliver::Nowhere).unwrap();
        told_soon(month, account, &made);
        let end = if one_in(month, 2) { "won" } else { "lost" };
        let open = usize::from(end == "lost");
        let name = format!("dispute-{}", made.id);
        month.expected.stands(&name, Stands { state: end, activities: open, renewals: 0 });
        if one_in(month, 2) {
            advance(month, (account, "dispute"), &made.id, "under_review", 10);
        }
        advance(month, (account, "dispute"), &made.id, end, 40);
    });
}

fn advance(
    month: &mut Month,
    (account, kind): (Account, &'static str),
    id: &str,
    step: &'static str,
    hours: i64,
) {
    let id = id.to_owned();
    month.in_hours(hours, move |month| {
        let made = month.ventipay.advance(kind, &id, step, &Deliver::Nowhere).unwrap();
        told_soon(month, account, &made);
    });
}

/// Within two days, in no order.
fn told_soon(month: &mut Month, account: Account, made: &Made) {
    for event in &made.events {
        let hours = month.dice.random_range(0..48);
        tell_in(month, account, event, hours, None);
    }
}

/// A subscription: its periods begin a week apart, each with an invoice that Odoo has, paid by a
/// payment that other families may tell of too.
fn subscribe(month: &mut Month, number: u32) {
    let account = Account::Tienda;
    let total = Money::new(5_000 + 10 * i64::from(number), Currency::Clp);
    let customer = customer(month);
    let said = json!({"amount": total.minor, "currency": "clp", "customer_id": customer});
    let made =
        month.ventipay.make("subscription", said, account.is_live(), &Deliver::Nowhere).unwrap();
    for event in &made.events {
        tell_in(month, account, event, 0, None);
    }
    let end = match number % 4 {
        0 => "canceled",
        1 => "past_due",
        _ => "active",
    };
    let renewals = i64::from(PERIODS - 1);
    let name = format!("subscription-{}", made.id);
    month.expected.stands(&name, Stands { state: end, activities: 0, renewals });
    for period in 0..PERIODS {
        let id = made.id.clone();
        month.in_hours(i64::from(period) * 24 * 7 + 3, move |month| {
            self::period(month, &id, total);
        });
    }
    if end != "active" {
        advance(month, (account, "subscription"), &made.id, end, i64::from(PERIODS) * 24 * 7);
    }
}

fn period(month: &mut Month, subscription: &str, total: Money) {
    let account = Account::Tienda;
    let invoice = month.customer_invoice(account, total);
    let said = json!({
        "amount": total.minor, "currency": "clp", "subscription_id": subscription,
        "external_id": invoice,
    });
    let nota = month.ventipay.make("invoice", said, false, &Deliver::Nowhere).unwrap();
    told_soon(month, account, &nota);
    let opened = month.ventipay.advance("invoice", &nota.id, "open", &Deliver::Nowhere).unwrap();
    told_soon(month, account, &opened);
    let mut charge = Charge::clp(total.minor);
    charge.payment = true;
    charge.deliver = Deliver::Nowhere;
    let charged = month.ventipay.charge(&charge).unwrap();
    let payment = month.ventipay.read("charges", &charged.id).unwrap()["payment_id"].clone();
    if one_in(month, 2) {
        told_soon(month, account, &charged);
    }
    let by = json!({"payment_id": payment, "charge_id": charged.id});
    let paid = month.ventipay.advance_with("invoice", &nota.id, "paid", by, &Deliver::Nowhere);
    told_soon(month, account, &paid.unwrap());
    let reference = format!("payment-{}", payment.as_str().unwrap());
    month.expected.paid(account, total, Place::Booked, Some(&reference));
    let (start, end) = (month.now(), month.now() + SignedDuration::from_hours(24 * 7));
    let period = json!({
        "current_period_starts_at": format!("{start:.3}"),
        "current_period_ends_at": format!("{end:.3}"),
    });
    let begun = month.ventipay.advance_with(
        "subscription",
        subscription,
        "activated",
        period,
        &Deliver::Nowhere,
    );
    told_soon(month, account, &begun.unwrap());
}

/// A customer Odoo knows by the e-mail address.
pub(crate) fn customer(month: &mut Month) -> String {
    let said = json!({"email": "Cliente@Example.com", "country": "CL"});
    month.ventipay.make("customer", said, false, &Deliver::Nowhere).unwrap().id
}

fn save_card(month: &mut Month, number: u32) {
    let customer = customer(month);
    let card = json!({"brand": "visa", "funding": "credit", "last4": format!("{number:04}")});
    let intent = month.ventipay.enrol(Some(&customer), card, false, &Deliver::Nowhere).unwrap();
    let shown = month.ventipay.read("setup_intents", &intent.id).unwrap();
    let name = format!("card-{}", shown["payment_method_id"].as_str().unwrap());
    month.expected.stands(&name, Stands { state: "archived", activities: 0, renewals: 0 });
    told_soon(month, Account::Tienda, &intent);
}

fn create(month: &mut Month, number: u32) {
    let account = if one_in(month, 2) { Account::Outlet } else { Account::Tienda };
    let data = json!({
        "id": format!("chk_left{number}"), "object": "checkout", "status": "unpaid",
        "amount": 1_000, "currency": "clp",
    });
    for kind in ["checkout.created", "checkout.processing"] {
        let event = month.ventipay.emit(kind, account.is_live(), &data, &Deliver::Nowhere);
        tell(month, account, &event.unwrap());
    }
}

/// A payment begun in the portal fails: its transaction says so.
fn fail(month: &mut Month, number: u32) {
    let reference = begin(month, number, "failing");
    let charge = Charge::clp(7_000).with("external_id", reference.as_str());
    let mut charge = charge.failing("insufficient_funds");
    charge.deliver = Deliver::Nowhere;
    let charged = month.ventipay.charge(&charge).unwrap();
    month.expected.transactions.insert(reference, "error");
    told_soon(month, Account::Tienda, &charged);
}

/// A payment begun in the portal is canceled on Ventipay's page.
fn cancel(month: &mut Month, number: u32) {
    let reference = begin(month, number, "leaving");
    let pay = concilia_tests::ventipay::Pay::clp(7_000).with("external_id", reference.as_str());
    let canceled = month.ventipay.create_and_cancel(&pay).unwrap();
    month.expected.transactions.insert(reference, "cancel");
    tell(month, Account::Tienda, &canceled.event);
}

/// A customer begins to pay an order in the portal; answers the transaction's reference.
fn begin(month: &mut Month, number: u32, key: &str) -> String {
    let total = Money::new(7_000, Currency::Clp);
    let order = month.order(Account::Tienda, total, "client_order_ref", &format!("{key}-{number}"));
    month.odoo.portal_transaction(&order.name).1
}

fn unknown(month: &mut Month, number: u32) {
    let data = json!({"id": format!("po_{number}"), "object": "payout"});
    let event = month.ventipay.emit("payout.settled", false, &data, &Deliver::Nowhere);
    tell(month, Account::Tienda, &event.unwrap());
}
