//! Oddities of charges, disputes, subscriptions, their invoices, cards and customers.

use concilia_tests::odoo::value::{Record, Value as Cell};
use concilia_tests::ventipay::{Charge, Deliver, Made};
use serde_json::json;

use super::{OUTLET, TIENDA, TOTAL, clp, order};
use crate::expect::{Place, Stands};
use crate::traffic::customer;
use crate::world::{Account, Month};

/// The last event that tells of something arrives now; answers its id.
fn told(month: &mut Month, account: Account, made: &Made) -> String {
    let event = made.events.last().unwrap().clone();
    month.arrives(account, &event);
    event
}

/// The same, so many hours from now.
fn told_in(month: &mut Month, account: Account, made: &Made, hours: i64) -> String {
    let event = made.events.last().unwrap().clone();
    let later = event.clone();
    month.in_hours(hours, move |month| month.arrives(account, &later));
    event
}

pub(crate) fn charge_differs(month: &mut Month, key: &str) -> String {
    let made = order(month, TIENDA, key);
    let (_, reference) = month.odoo.portal_transaction(&made.name);
    let mut charge = Charge::clp(TOTAL - 5).with("external_id", reference.as_str());
    charge.deliver = Deliver::Nowhere;
    let charged = month.ventipay.charge(&charge).unwrap();
    told(month, TIENDA, &charged)
}

pub(crate) fn charge_of_nothing(month: &mut Month, key: &str) -> String {
    let mut charge = Charge::clp(TOTAL).with("external_id", key);
    charge.deliver = Deliver::Nowhere;
    let charged = month.ventipay.charge(&charge).unwrap();
    told(month, TIENDA, &charged)
}

/// A booked payment that is disputed a day later; the dispute's id.
fn disputed(month: &mut Month, account: Account, key: &str) -> String {
    order(month, account, key);
    let paid = month.pay(account, clp(TOTAL), "external_id", key);
    month.expected.paid(account, clp(TOTAL), Place::Booked, Some(&paid.checkout));
    month.arrives(account, &paid.event);
    // Of no checkout, so that its payment is not disputed before it is booked.
    let said = json!({"amount": TOTAL, "currency": "clp"});
    let made = month.ventipay.make("dispute", said, account.is_live(), &Deliver::Nowhere).unwrap();
    told_in(month, account, &made, 24);
    made.id
}

/// Both decisions are told where nobody can be asked: the first stands.
pub(crate) fn won_then_lost(month: &mut Month, key: &str) -> String {
    let dispute = disputed(month, OUTLET, key);
    let stands = Stands { state: "won", activities: 0, renewals: 0 };
    month.expected.stands(&format!("dispute-{dispute}"), stands);
    let won = month.ventipay.advance("dispute", &dispute, "won", &Deliver::Nowhere).unwrap();
    told_in(month, OUTLET, &won, 40);
    lost(month, OUTLET, &dispute, 60)
}

/// Ventipay says won when it is asked.
pub(crate) fn lost_but_won(month: &mut Month, key: &str) -> String {
    let dispute = disputed(month, TIENDA, key);
    let stands = Stands { state: "won", activities: 0, renewals: 0 };
    month.expected.stands(&format!("dispute-{dispute}"), stands);
    let won = month.ventipay.advance("dispute", &dispute, "won", &Deliver::Nowhere).unwrap();
    told_in(month, TIENDA, &won, 40);
    lost(month, TIENDA, &dispute, 60)
}

/// An event that says a dispute is lost, whatever Ventipay shows.
fn lost(month: &mut Month, account: Account, dispute: &str, hours: i64) -> String {
    let data = json!({
        "id": dispute, "object": "dispute", "status": "lost", "amount": TOTAL, "currency": "clp",
    });
    let event =
        month.ventipay.emit("dispute.lost", account.is_live(), &data, &Deliver::Nowhere).unwrap();
    let later = event.clone();
    month.in_hours(hours, move |month| month.arrives(account, &later));
    event
}

/// It was active, and ended; that it was active is told last.
pub(crate) fn active_after_end(month: &mut Month, _: &str) -> String {
    let said = json!({"amount": TOTAL, "currency": "clp"});
    let made = month.ventipay.make("subscription", said, true, &Deliver::Nowhere).unwrap();
    let step = |event: &str| {
        month.ventipay.advance("subscription", &made.id, event, &Deliver::Nowhere).unwrap()
    };
    let (active, canceled) = (step("activated"), step("canceled"));
    let stands = Stands { state: "canceled", activities: 0, renewals: 0 };
    month.expected.stands(&format!("subscription-{}", made.id), stands);
    told(month, OUTLET, &canceled);
    told_in(month, OUTLET, &active, 20)
}

/// An invoice of Ventipay's that is paid; answers its event.
fn invoice_paid(month: &mut Month, name: &str, amount: i64) -> String {
    let said = json!({"amount": amount, "currency": "clp", "external_id": name});
    let made = month.ventipay.make("invoice", said, false, &Deliver::Nowhere).unwrap();
    month.ventipay.advance("invoice", &made.id, "open", &Deliver::Nowhere).unwrap();
    let paid = month.ventipay.advance("invoice", &made.id, "paid", &Deliver::Nowhere).unwrap();
    told(month, TIENDA, &paid)
}

pub(crate) fn no_invoice(month: &mut Month, key: &str) -> String {
    month.expected.paid(TIENDA, clp(TOTAL), Place::Pending, None);
    invoice_paid(month, key, TOTAL)
}

pub(crate) fn two_invoices(month: &mut Month, key: &str) -> String {
    for _ in 0..2 {
        let name = month.customer_invoice(TIENDA, clp(TOTAL));
        month.odoo.edit(|tx| {
            let called = |row: &Record| row.text("name") == name;
            let (id, _) = tx.tables().find("account.move", called).unwrap();
            tx.update("account.move", id, |row| row.set("ref", key)).unwrap();
        });
    }
    month.expected.paid(TIENDA, clp(TOTAL), Place::Parked, None);
    invoice_paid(month, key, TOTAL)
}

pub(crate) fn invoice_differs(month: &mut Month, _: &str) -> String {
    let name = month.customer_invoice(TIENDA, clp(TOTAL));
    month.expected.paid(TIENDA, clp(TOTAL + 3), Place::Parked, None);
    invoice_paid(month, &name, TOTAL + 3)
}

pub(crate) fn card_without_digits(month: &mut Month, key: &str) -> String {
    let customer = customer(month);
    let data = json!({"id": format!("seti_{key}"), "object": "setup_intent", "status": "succeeded",
                      "customer_id": customer});
    let event =
        month.ventipay.emit("setup_intent.succeeded", false, &data, &Deliver::Nowhere).unwrap();
    month.arrives(TIENDA, &event);
    event
}

/// A card of a customer with this RUT and an address Odoo does not know.
fn card_of(month: &mut Month, key: &str, rut: &str) -> String {
    let said = json!({"email": format!("{key}@example.com"), "country": "CL", "taxid": rut});
    let customer = month.ventipay.make("customer", said, false, &Deliver::Nowhere).unwrap().id;
    let card = json!({"brand": "visa", "funding": "credit", "last4": "4242"});
    let intent = month.ventipay.enrol(Some(&customer), card, false, &Deliver::Nowhere).unwrap();
    told(month, TIENDA, &intent)
}

/// The check digit of the one customer's RUT is 5: with another one it names nobody.
pub(crate) fn wrong_rut(month: &mut Month, key: &str) -> String {
    card_of(month, key, "12.345.678-9")
}

pub(crate) fn two_customers(month: &mut Month, key: &str) -> String {
    for name in ["Comercial Uno", "Comercial Dos"] {
        let partner = Record::default()
            .with("name", name)
            .with("vat", "76086428-5")
            .with("country_id", Cell::Ref(46))
            .with("active", true);
        month.odoo.edit(|tx| tx.insert("res.partner", partner)).unwrap();
    }
    card_of(month, key, "76.086.428-5")
}
