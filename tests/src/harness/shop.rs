//! The shop of an end-to-end test: orders and invoices in the simulated Odoo, buyers who pay
//! at the simulated Ventipay, and what Odoo holds in the end.
//!
//! Not here: the simulators themselves ([`crate::odoo`], [`crate::ventipay`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use concilia_shared::money::{Currency, Money};
use serde_json::{Value, json};

use super::config::DATABASE;
use super::http::MARKER;
use super::system::System;
use crate::odoo::faults::{Hold, Kind, Operation};
use crate::odoo::fixtures::{self, NewOrder, PaymentRow};
use crate::odoo::value::{Amount, Record};
use crate::odoo::world::Tx;
use crate::odoo::{Login, SimOdoo, SimOdooOptions};
use crate::ventipay::Pay;

pub use crate::odoo::Series;
pub use crate::odoo::faults::{Kind as Fault, Point};

/// The administrator `odoo setup` runs as, and its password, which is an API key too.
const ADMIN: (&str, &str) = ("admin", "administrators-password-0815");

/// A company's Odoo.
#[derive(Debug)]
pub struct Shop {
    /// The simulator.
    pub odoo: SimOdoo,
}

/// An order, as the connector wrote it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id in Odoo.
    pub id: i64,
    /// Its name in Odoo.
    pub name: String,
    /// The value a payment is matched by.
    pub key: String,
}

/// A payment at Ventipay that nobody was told of yet.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The checkout.
    pub checkout: String,
    /// The id of `checkout.paid`.
    pub event: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Shop {
    pub(super) async fn start(series: Series) -> anyhow::Result<Self> {
        let (login, password) = (ADMIN.0.to_owned(), ADMIN.1.to_owned());
        let admin = Login { login, api_key: Some(password.clone()), password };
        let database = DATABASE.to_owned();
        let options = SimOdooOptions { database, admin, ..SimOdooOptions::new(series) };
        let odoo = SimOdoo::start(options).await.context("starting the simulated Odoo")?;
        Ok(Self { odoo })
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.odoo.url()
    }

    /// The administrator's login and password.
    pub fn admin(&self) -> (&'static str, &'static str) {
        ADMIN
    }

    /// A confirmed order of so many pesos that holds `key` in a field.
    pub fn order(&self, total: i64, field: &str, key: &str) -> Order {
        let mut new = NewOrder::pesos(total, "");
        new.reference = None;
        match field {
            "name" => new.name = Some(key.to_owned()),
            "client_order_ref" => new.reference = Some(key.to_owned()),
            other => drop(new.fields.insert(other.to_owned(), key.to_owned())),
        }
        let made = self.odoo.add_order(&new);
        Order { id: made.id, name: made.name, key: key.to_owned() }
    }

    /// Sees to it that there is a company of this id, with its journals.
    pub(super) fn has_company(&self, id: i64) {
        self.odoo.edit(|tx| {
            if tx.get("res.company", id).is_none() {
                fixtures::add_company(tx, id, &format!("Comercial Prueba {id} SpA"))
                    .expect("the administrator is there");
            }
        });
    }

    /// Invoices an order in full and posts the invoice.
    pub fn invoice(&self, order: &Order) -> i64 {
        self.odoo.invoice(order.id)
    }

    /// Invoices a part of an order, a down payment, and posts the invoice.
    pub fn invoice_part(&self, order: &Order, amount: i64) -> i64 {
        let amount = Amount::from_json(&json!(amount));
        let made = self.odoo.edit(|tx| fixtures::invoice_part(tx, order.id, amount, true));
        made.expect("Odoo makes it")
    }

    /// `payment_state` of an invoice.
    pub fn payment_state(&self, invoice: i64) -> String {
        let state =
            |tx: &Tx<'_>| Some(tx.get("account.move", invoice)?.text("payment_state").to_owned());
        self.odoo.look(state).expect("the invoice is there")
    }

    /// A customer begins to pay an order in Odoo's own shop or portal: the reference of the
    /// transaction Odoo makes of it.
    pub fn begins_to_pay(&self, order: &Order) -> String {
        self.odoo.portal_transaction(&order.name).1
    }

    /// State of a transaction.
    pub fn transaction_state(&self, reference: &str) -> Option<String> {
        self.odoo.look(|tx| {
            let named = |(_, row): &(i64, &Record)| row.text("reference") == reference;
            let found = tx.rows("payment.transaction").find(named);
            found.map(|(_, row)| row.text("state").to_owned())
        })
    }

    /// Calls that committed a change in Odoo so far.
    pub fn writes(&self) -> u64 {
        self.odoo.counters().writes
    }

    /// Every payment by its checkout, with its amount, whatever went back of it. Panics if one
    /// stands there twice, if one is nobody's, or if transaction, external id and payment do not
    /// go together.
    pub fn booked(&self) -> BTreeMap<String, Money> {
        let mut booked = BTreeMap::new();
        let names = self.odoo.look(names);
        for payment in self.odoo.payments().iter().filter(|payment| !is_refund(payment)) {
            let reference = payment.transaction.as_deref().unwrap_or_default();
            let checkout = names.get(reference);
            let checkout = checkout.unwrap_or_else(|| panic!("of no checkout: {payment:?}"));
            let before = booked.insert(checkout.clone(), amount(payment));
            assert_eq!(before, None, "{checkout} stands in Odoo twice");
        }
        let done: BTreeSet<String> = self.odoo.look(done_transactions);
        let done: BTreeSet<&String> = done.iter().filter_map(|done| names.get(done)).collect();
        assert_eq!(done, booked.keys().collect(), "transactions and payments differ");
        assert_eq!(names.len(), booked.len(), "external ids and payments differ: {names:?}");
        booked
    }

    /// What went back of each checkout, by its name in Odoo. Panics if one refund stands there
    /// twice, or is of no name.
    pub fn refunded(&self) -> BTreeMap<String, Money> {
        let mut refunds = BTreeSet::new();
        let mut refunded: BTreeMap<String, Money> = BTreeMap::new();
        for refund in self.odoo.payments().iter().filter(|payment| is_refund(payment)) {
            let name = refund.transaction.clone().unwrap_or_default();
            assert!(refunds.insert(name.clone()), "{name} stands in Odoo twice");
            let part = amount(refund);
            let (checkout, _) =
                name.split_once(AFTER).unwrap_or_else(|| panic!("of no payment: {refund:?}"));
            let none = Money::new(0, part.currency);
            refunded.entry(checkout.to_owned()).or_insert(none).minor += part.minor;
        }
        refunded
    }

    /// How often Odoo was called so far, and how often of it to book.
    pub fn calls(&self) -> (u64, u64) {
        let calls = self.odoo.counters().calls;
        (calls.values().sum(), calls.get("book").copied().unwrap_or(0))
    }

    /// The next so many bookings go wrong.
    pub fn fail_bookings(&self, fault: Kind, times: u32) {
        self.odoo.faults(Operation::Book, fault, times);
    }

    /// The next so many looks go wrong.
    pub fn fail_observations(&self, fault: Kind, times: u32) {
        self.odoo.faults(Operation::Observe, fault, times);
    }

    /// Every call goes wrong, until [`Shop::is_well_again`].
    pub fn fail_everything(&self, fault: Kind) {
        self.odoo.faults(Operation::Any, fault, u32::MAX);
    }

    /// Refuses connections, until [`Shop::is_well_again`].
    pub fn goes_down(&self) {
        self.odoo.go_down();
    }

    /// Nothing goes wrong any more.
    pub fn is_well_again(&self) {
        self.odoo.clear_faults();
        self.odoo.go_up();
    }

    /// Holds the next booking at a point.
    pub fn hold_booking(&self, name: &str, point: Point) -> Arc<Hold> {
        self.odoo.hold(Operation::Book, point, name)
    }

    /// Holds the answer to the next look.
    pub fn hold_observation(&self, name: &str) -> Arc<Hold> {
        self.odoo.hold(Operation::Observe, Point::After, name)
    }
}

/// What stands in the name of a refund between the payment's and what was refunded before.
const AFTER: &str = "-refund-after-";

fn is_refund(payment: &PaymentRow) -> bool {
    payment.direction == "outbound"
}

fn amount(payment: &PaymentRow) -> Money {
    let currency = Currency::parse(&payment.currency).expect("a known currency");
    Money::from_decimal(&payment.amount, currency).expect("an amount")
}

fn done_transactions(tx: &Tx<'_>) -> BTreeSet<String> {
    let done = tx.rows("payment.transaction").filter(|(_, row)| row.text("state") == "done");
    let done = done.filter(|(_, row)| row.text("operation") != "refund");
    done.map(|(_, row)| row.text("reference").to_owned()).collect()
}

/// Our names of transactions: the reference, and the checkout it was booked under.
fn names(tx: &Tx<'_>) -> BTreeMap<String, String> {
    let ours = tx.rows("ir.model.data").filter(|(_, row)| row.text("module") == "concilia");
    let ours = ours.filter(|(_, row)| row.text("name").starts_with("chk_"));
    let ours = ours.filter(|(_, row)| !row.text("name").contains(AFTER));
    ours.filter_map(|(_, row)| {
        let transaction = tx.get("payment.transaction", row.int("res_id"))?;
        Some((transaction.text("reference").to_owned(), row.text("name").to_owned()))
    })
    .collect()
}

impl System {
    /// Somebody pays so many pesos for the order of this key. No webhook is sent.
    pub fn pay(&self, amount: i64, key: &str) -> Payment {
        self.pay_with(amount, "external_id", json!(key))
    }

    /// The same, and Ventipay tells of it by itself, again and again until it is received.
    pub fn pay_and_tell(&self, amount: i64, key: &str) -> Payment {
        let pay =
            Pay::clp(amount).with("external_id", key).with("metadata", json!({"note": MARKER}));
        self.paid(&pay.to(&self.webhook_url()))
    }

    /// As [`System::pay`], with the key in another field of the checkout.
    pub fn pay_with(&self, amount: i64, field: &str, value: Value) -> Payment {
        let mut metadata = json!({"note": MARKER});
        let mut pay = Pay::clp(amount).untold();
        if let ("metadata", Some(given)) = (field, value.as_object()) {
            metadata.as_object_mut().expect("an object").extend(given.clone());
        } else {
            pay = pay.with(field, value);
        }
        self.paid(&pay.with("metadata", metadata))
    }

    /// Somebody leaves the checkout of this key unpaid, and it is canceled. No webhook is sent:
    /// the event is `checkout.canceled`.
    pub fn cancel(&self, amount: i64, key: &str) -> Payment {
        let pay = Pay::clp(amount).with("external_id", key);
        let canceled = self
            .ventipay
            .create_and_cancel(&pay.with("metadata", json!({"note": MARKER})))
            .expect("it can be canceled");
        let body = self.ventipay.body(&canceled.event).expect("there is such an event");
        Payment { checkout: canceled.checkout, event: canceled.event, body }
    }

    fn paid(&self, pay: &Pay) -> Payment {
        let paid = self.ventipay.pay(pay).expect("it can be paid");
        let body = self.ventipay.body(&paid.event).expect("there is such an event");
        Payment { checkout: paid.checkout, event: paid.event, body }
    }
}
