//! Oddities of what is paid: orders, invoices and transactions in Odoo.

use concilia_shared::money::{Currency, Money};
use concilia_tests::odoo::fixtures::{self, Invoice};
use concilia_tests::odoo::value::{Amount, Record, Value as Cell};

use super::{OUTLET, TIENDA, TOTAL, clp, order, paid};
use crate::expect::Place;
use crate::world::{Account, Month, OTHER_TEAM};

fn parked(month: &mut Month, account: Account, amount: Money) {
    month.expected.paid(account, amount, Place::Parked, None);
}

fn pending(month: &mut Month, account: Account, amount: Money) {
    month.expected.paid(account, amount, Place::Pending, None);
}

pub(crate) fn paid_less(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    parked(month, TIENDA, clp(TOTAL - 1));
    paid(month, TIENDA, clp(TOTAL - 1), key)
}

pub(crate) fn paid_more(month: &mut Month, key: &str) -> String {
    order(month, OUTLET, key);
    parked(month, OUTLET, clp(TOTAL + 1));
    paid(month, OUTLET, clp(TOTAL + 1), key)
}

pub(crate) fn invoice_asks_more(month: &mut Month, key: &str) -> String {
    let made = order(month, TIENDA, key);
    let asks = Amount::whole(TOTAL + 500);
    month.odoo.edit(|tx| fixtures::invoice_part(tx, made.id, Some(asks), true)).unwrap();
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), key)
}

pub(crate) fn in_dollars(month: &mut Month, key: &str) -> String {
    month.order(TIENDA, Money::new(1_200, Currency::Usd), "client_order_ref", key);
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), key)
}

pub(crate) fn in_uf(month: &mut Month, key: &str) -> String {
    month.order(TIENDA, Money::new(25_000, Currency::Clf), "client_order_ref", key);
    parked(month, TIENDA, clp(92_625));
    paid(month, TIENDA, clp(92_625), key)
}

pub(crate) fn uf_not_exact(month: &mut Month, key: &str) -> String {
    month.order(TIENDA, Money::new(25_000, Currency::Clf), "client_order_ref", key);
    let amount = Money::new(25_001, Currency::Clf);
    parked(month, TIENDA, amount);
    paid(month, TIENDA, amount, key)
}

pub(crate) fn two_orders(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    order(month, TIENDA, key);
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), key)
}

/// The outlet's own order is paid, the other shop's is left alone: the only one that is booked
/// is in the sums, and by its transaction.
pub(crate) fn same_number_elsewhere(month: &mut Month, key: &str) -> String {
    let other = month.order(OUTLET, clp(TOTAL + 7), "client_order_ref", key);
    month.team(other.id, OTHER_TEAM);
    order(month, OUTLET, key);
    booked(month, OUTLET, clp(TOTAL), key)
}

pub(crate) fn only_elsewhere(month: &mut Month, key: &str) -> String {
    let other = order(month, OUTLET, key);
    month.team(other.id, OTHER_TEAM);
    pending(month, OUTLET, clp(TOTAL));
    paid(month, OUTLET, clp(TOTAL), key)
}

pub(crate) fn no_order(month: &mut Month, key: &str) -> String {
    pending(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), key)
}

pub(crate) fn no_key(month: &mut Month, key: &str) -> String {
    pending(month, TIENDA, clp(TOTAL));
    let paid = month.pay(TIENDA, clp(TOTAL), "description", key);
    month.arrives(TIENDA, &paid.event);
    paid.event
}

fn cancelled_of(month: &mut Month, account: Account, key: &str) -> String {
    let made = order(month, account, key);
    month
        .odoo
        .edit(|tx| tx.update("sale.order", made.id, |row| row.set("state", "cancel")))
        .unwrap();
    parked(month, account, clp(TOTAL));
    paid(month, account, clp(TOTAL), key)
}

pub(crate) fn cancelled(month: &mut Month, key: &str) -> String {
    cancelled_of(month, TIENDA, key)
}

pub(crate) fn cancelled_outlet(month: &mut Month, key: &str) -> String {
    cancelled_of(month, OUTLET, key)
}

/// An accountant registered what came by bank transfer.
fn by_hand(month: &Month, invoice: i64) {
    let paid = |row: &mut Record| {
        row.set("payment_state", "paid");
        row.set("amount_residual", Amount::whole(0));
    };
    month.odoo.edit(|tx| tx.update("account.move", invoice, paid)).unwrap();
}

pub(crate) fn paid_by_hand(month: &mut Month, key: &str) -> String {
    let made = order(month, TIENDA, key);
    let invoice = month.odoo.invoice(made.id);
    by_hand(month, invoice);
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), key)
}

fn booked(month: &mut Month, account: Account, amount: Money, key: &str) -> String {
    let paid = month.pay(account, amount, "external_id", key);
    month.expected.paid(account, amount, Place::Booked, Some(&paid.checkout));
    month.arrives(account, &paid.event);
    paid.event
}

fn second_checkout_of(month: &mut Month, account: Account, key: &str) -> String {
    order(month, account, key);
    booked(month, account, clp(TOTAL), key);
    parked(month, account, clp(TOTAL));
    let second = month.pay(account, clp(TOTAL), "external_id", key);
    let event = second.event.clone();
    month.in_hours(30, move |month| month.arrives(account, &second.event));
    event
}

pub(crate) fn second_checkout(month: &mut Month, key: &str) -> String {
    second_checkout_of(month, TIENDA, key)
}

pub(crate) fn second_checkout_outlet(month: &mut Month, key: &str) -> String {
    second_checkout_of(month, OUTLET, key)
}

pub(crate) fn quotation(month: &mut Month, key: &str) -> String {
    let change = |new: &mut fixtures::NewOrder| new.state = Some("draft".to_owned());
    month.order_of(OUTLET, clp(TOTAL), "client_order_ref", key, change);
    booked(month, OUTLET, clp(TOTAL), key)
}

/// A customer begins to pay an order or its invoice in the portal: the reference of the
/// transaction, and the order's and invoice's ids.
fn begun(month: &Month, key: &str, invoiced: bool) -> (String, i64, Option<i64>) {
    let change = |new: &mut fixtures::NewOrder| {
        new.invoice = if invoiced { Invoice::Posted } else { Invoice::None };
    };
    let made = month.order_of(TIENDA, clp(TOTAL), "client_order_ref", &format!("{key}-p"), change);
    let named =
        |id: i64| month.odoo.look(|tx| tx.get("account.move", id).unwrap().text("name").to_owned());
    let document = made.invoice.map_or(made.name, named);
    (month.odoo.portal_transaction(&document).1, made.id, made.invoice)
}

/// Changes a transaction past the API.
fn transaction(month: &Month, reference: &str, change: impl FnOnce(&mut Record)) -> i64 {
    month.odoo.edit(|tx| {
        let called = |row: &Record| row.text("reference") == reference;
        let (id, _) = tx.tables().find("payment.transaction", called).unwrap();
        tx.update("payment.transaction", id, change).unwrap();
        id
    })
}

pub(crate) fn done_by_hand(month: &mut Month, key: &str) -> String {
    let (reference, ..) = begun(month, key, false);
    transaction(month, &reference, |row| row.set("state", "done"));
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), &reference)
}

/// A provider that is not Concilia's.
fn provider(month: &Month) -> i64 {
    let row = Record::default()
        .with("name", "Otro")
        .with("code", "demo")
        .with("state", "test")
        .with("company_id", Cell::Ref(TIENDA.company()));
    month.odoo.edit(|tx| tx.insert("payment.provider", row)).unwrap()
}

pub(crate) fn another_provider(month: &mut Month, key: &str) -> String {
    let (reference, ..) = begun(month, key, false);
    let provider = provider(month);
    transaction(month, &reference, |row| row.set("provider_id", Cell::Ref(provider)));
    // Its order is not looked for by that name either.
    let own = format!("{key}-of-another");
    transaction(month, &reference, |row| row.set("reference", own.as_str()));
    pending(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), &own)
}

pub(crate) fn called_alike(month: &mut Month, key: &str) -> String {
    order(month, TIENDA, key);
    let paid = month.pay(TIENDA, clp(TOTAL), "external_id", key);
    let (reference, ..) = begun(month, key, false);
    let called = paid.checkout.clone();
    transaction(month, &reference, move |row| row.set("reference", called.as_str()));
    parked(month, TIENDA, clp(TOTAL));
    month.arrives(TIENDA, &paid.event);
    paid.event
}

pub(crate) fn transaction_differs(month: &mut Month, key: &str) -> String {
    let (reference, ..) = begun(month, key, false);
    parked(month, TIENDA, clp(TOTAL - 10));
    paid(month, TIENDA, clp(TOTAL - 10), &reference)
}

pub(crate) fn draft_again(month: &mut Month, key: &str) -> String {
    let (reference, _, invoice) = begun(month, key, true);
    let draft = |row: &mut Record| row.set("state", "draft");
    month.odoo.edit(|tx| tx.update("account.move", invoice.unwrap(), draft)).unwrap();
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), &reference)
}

pub(crate) fn paid_meanwhile(month: &mut Month, key: &str) -> String {
    let (reference, _, invoice) = begun(month, key, true);
    by_hand(month, invoice.unwrap());
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), &reference)
}

pub(crate) fn order_gone(month: &mut Month, key: &str) -> String {
    let (reference, order, _) = begun(month, key, false);
    month.odoo.edit(|tx| tx.update("sale.order", order, |row| row.set("state", "cancel"))).unwrap();
    parked(month, TIENDA, clp(TOTAL));
    paid(month, TIENDA, clp(TOTAL), &reference)
}

/// The checkout's name leads to a transaction of the other company.
pub(crate) fn another_company(month: &mut Month, key: &str) -> String {
    let made = order(month, OUTLET, key);
    let (id, _) = month.odoo.portal_transaction(&made.name);
    let paid = month.pay(TIENDA, clp(TOTAL), "external_id", key);
    let name = Record::default()
        .with("module", "concilia")
        .with("name", paid.checkout.as_str())
        .with("model", "payment.transaction")
        .with("res_id", Cell::Int(id));
    month.odoo.edit(|tx| {
        tx.update("payment.transaction", id, |row| row.set("state", "done")).unwrap();
        tx.insert("ir.model.data", name).unwrap();
    });
    parked(month, TIENDA, clp(TOTAL));
    month.arrives(TIENDA, &paid.event);
    paid.event
}
