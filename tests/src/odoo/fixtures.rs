//! Orders and invoices for tests, and a plain view of what the database holds.
//!
//! Written past the API, as a shop's connector and an accountant would have done before.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::errors::{Outcome, Raise};
use super::models::{accounting, payment, portal, refund, sale};
use super::orm;
use super::seed;
use super::value::{Amount, Id, Record, Value};
use super::world::Tx;

/// Whether an order has an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invoice {
    /// It has none.
    #[default]
    None,
    /// A draft.
    Draft,
    /// A posted one.
    Posted,
}

/// An order to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Total with taxes, as decimal text or a number.
    pub total: Json,
    /// `CLP` unless named.
    #[serde(default)]
    pub currency: Option<String>,
    /// `client_order_ref`.
    #[serde(default, rename = "ref")]
    pub reference: Option<String>,
    /// Odoo gives one unless named.
    #[serde(default)]
    pub name: Option<String>,
    /// `sale` unless named.
    #[serde(default)]
    pub state: Option<String>,
    /// 1 unless named.
    #[serde(default)]
    pub company: Option<Id>,
    /// Other text fields, `origin` or a connector's own.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Whether it has an invoice.
    #[serde(default)]
    pub invoice: Invoice,
}

impl NewOrder {
    /// A confirmed order in whole pesos, with a `client_order_ref`.
    pub fn pesos(total: i64, reference: &str) -> Self {
        Self {
            total: json!(total),
            currency: None,
            reference: Some(reference.to_owned()),
            name: None,
            state: None,
            company: None,
            fields: BTreeMap::new(),
            invoice: Invoice::None,
        }
    }

    /// The same with an invoice.
    #[must_use]
    pub fn invoiced(mut self, invoice: Invoice) -> Self {
        self.invoice = invoice;
        self
    }
}

/// An order that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeOrder {
    /// Its id.
    pub id: Id,
    /// Its name, `S00001`.
    pub name: String,
    /// Its invoice, if it was to have one.
    pub invoice: Option<Id>,
}

/// Makes an order.
pub fn add_order(tx: &mut Tx<'_>, new: &NewOrder) -> Outcome<MadeOrder> {
    let currency = new.currency.as_deref().unwrap_or("CLP");
    let found = tx.tables().find("res.currency", |row| row.text("name") == currency);
    let Some((currency, _)) = found else {
        return Err(Raise::user(format!("no currency {currency}")));
    };
    let Some(total) = Amount::from_json(&new.total) else {
        return Err(Raise::user("the total is no amount"));
    };
    let mut order = Record::default()
        .with("partner_id", Value::Ref(seed::CUSTOMER))
        .with("company_id", Value::Ref(new.company.unwrap_or(seed::COMPANY)))
        .with("currency_id", Value::Ref(currency))
        .with("state", new.state.as_deref().unwrap_or("sale"))
        .with("amount_untaxed", total)
        .with("amount_total", total);
    for (field, text) in [("client_order_ref", &new.reference), ("name", &new.name)] {
        if let Some(text) = text {
            order.set(field, text.as_str());
        }
    }
    for (field, text) in &new.fields {
        if orm::field(tx, "sale.order", field).is_none() {
            tx.world.order_fields.push(field.clone());
        }
        order.set(field, text.as_str());
    }
    sale::prepare_order(tx, &mut order);
    let name = order.text("name").to_owned();
    let id = tx.insert("sale.order", order)?;
    let invoice = match new.invoice {
        Invoice::None => None,
        wanted => Some(invoice_order(tx, id, wanted == Invoice::Posted)?),
    };
    Ok(MadeOrder { id, name, invoice })
}

/// Makes a further company, which the administrator may see. What others were given keeps its
/// ids.
pub fn add_company(tx: &mut Tx<'_>, id: Id, title: &str) -> Outcome<()> {
    seed::company(tx, id, title);
    tx.update("res.users", seed::ADMIN, |admin| {
        let mut companies = admin.references("company_ids").to_vec();
        companies.push(id);
        admin.set("company_ids", companies);
    })
}

/// Makes an invoice of what is still to be invoiced of an order, and posts it.
pub fn invoice_order(tx: &mut Tx<'_>, order: Id, post: bool) -> Outcome<Id> {
    invoice_part(tx, order, None, post)
}

/// Makes an invoice of a part of an order (a down payment), and posts it.
pub fn invoice_part(tx: &mut Tx<'_>, order: Id, amount: Option<Amount>, post: bool) -> Outcome<Id> {
    let record = tx.record("sale.order", order)?;
    let others = tx.rows("account.move").filter(|(_, row)| {
        row.leads_to("sim_orders", order)
            && row.text("state") != "cancel"
            && row.text("move_type") == "out_invoice"
    });
    let invoiced: Amount = others.map(|(_, row)| row.amount("amount_total")).sum();
    let rest = record.amount("amount_total") - invoiced;
    let invoice = sale::invoice_order(tx, order, amount.unwrap_or(rest))?;
    if post {
        accounting::action_post(tx, &[invoice])?;
    }
    Ok(invoice)
}

/// What Odoo makes when a customer begins to pay a document in the portal: a draft transaction
/// of our provider, called as the document, with `-1`, `-2`, … from the second try on
/// (`odoo-api.md` 3). Without an amount it is what is left to pay.
pub fn portal_transaction(
    tx: &mut Tx<'_>,
    document: &str,
    amount: Option<Amount>,
) -> Outcome<(Id, String)> {
    let order = order_named(tx, document);
    let invoice = || tx.tables().find("account.move", |row| row.text("name") == document);
    let (model, id, total) = match (order, invoice()) {
        (Some(order), _) => ("sale.order", order, "amount_total"),
        (None, Some((invoice, _))) => ("account.move", invoice, "amount_residual"),
        (None, None) => return Err(Raise::user(format!("no order or invoice {document}"))),
    };
    let row = tx.record(model, id)?;
    let Some(provider) = portal::our_provider(tx, &row) else {
        return Err(Raise::user("no provider of ours: run odoo setup first"));
    };
    portal::transaction(tx, model, id, provider, amount.unwrap_or(row.amount(total)))
}

/// The id of an order by its name.
pub fn order_named(tx: &Tx<'_>, name: &str) -> Option<Id> {
    let found = tx.tables().find("sale.order", |row| row.text("name") == name);
    found.map(|(id, _)| id)
}

/// A payment, as tests want to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// `PBNK1/2026/00001`
    pub name: String,
    /// `posted` (17), `in_process` or `paid` (18, 19).
    pub state: String,
    /// `inbound`, `outbound`.
    pub direction: String,
    /// Decimal text with the currency's decimals.
    pub amount: String,
    /// Code of the currency.
    pub currency: String,
    /// The day it was paid.
    pub date: String,
    /// Reference of its transaction, if it has one.
    pub transaction: Option<String>,
    /// Names of the invoices it is reconciled with.
    pub invoices: Vec<String>,
    /// What is left of it, as a credit of the customer.
    pub credit: String,
    /// Company.
    pub company: Id,
}

fn money(tx: &Tx<'_>, row: &Record) -> (String, usize) {
    let currency = row.reference("currency_id").and_then(|id| tx.get("res.currency", id));
    currency.map_or_else(Default::default, |row| {
        let places = usize::try_from(row.int("decimal_places")).unwrap_or(0);
        (row.text("name").to_owned(), places)
    })
}

fn names(tx: &Tx<'_>, model: &str, ids: &[Id], field: &str) -> Vec<String> {
    let rows = ids.iter().filter_map(|id| tx.get(model, *id));
    let mut names: Vec<String> = rows.map(|row| row.text(field).to_owned()).collect();
    names.sort();
    names
}

/// Every payment, in the order they were entered.
pub fn payments(tx: &Tx<'_>) -> Vec<PaymentRow> {
    let rows = tx.rows("account.payment");
    rows.map(|(id, row)| {
        let (currency, places) = money(tx, row);
        let transaction = row.reference("payment_transaction_id");
        let transaction = transaction.and_then(|id| tx.get("payment.transaction", id));
        let paid: Vec<Id> = tx
            .rows(accounting::MATCH)
            .filter(|(_, one)| one.reference("payment") == Some(id))
            .filter_map(|(_, one)| one.reference("move"))
            .filter(|id| {
                tx.get("account.move", *id).is_some_and(|row| row.text("move_type") != "entry")
            })
            .collect();
        PaymentRow {
            name: row.text("name").to_owned(),
            state: row.text("state").to_owned(),
            direction: row.text("payment_type").to_owned(),
            amount: row.amount("amount").text(places),
            currency,
            date: row.text("date").to_owned(),
            transaction: transaction.map(|row| row.text("reference").to_owned()),
            invoices: names(tx, "account.move", &paid, "name"),
            credit: accounting::credit(tx, id).text(places),
            company: row.reference("company_id").unwrap_or_default(),
        }
    })
    .collect()
}

/// What was booked, as decimal text by currency.
pub fn booked(tx: &Tx<'_>) -> BTreeMap<String, String> {
    let mut sums: BTreeMap<String, (Amount, usize)> = BTreeMap::new();
    for (_, row) in tx.rows("account.payment") {
        let (currency, places) = money(tx, row);
        let signed = if row.text("payment_type") == "outbound" {
            Amount(0) - row.amount("amount")
        } else {
            row.amount("amount")
        };
        let sum = sums.entry(currency).or_insert((Amount(0), places));
        sum.0 = sum.0 + signed;
    }
    sums.into_iter().map(|(currency, (sum, places))| (currency, sum.text(places))).collect()
}

/// How often a customer would have been written to.
pub fn mails(tx: &Tx<'_>) -> usize {
    tx.rows(payment::MAIL).count()
}

/// Everything a person wants to see, as JSON.
pub fn dump(tx: &Tx<'_>) -> Json {
    let payments: Vec<Json> = payments(tx)
        .into_iter()
        .map(|row| {
            json!({"name": row.name, "state": row.state, "type": row.direction, "amount": row.amount, "currency": row.currency,
                   "date": row.date, "transaction": row.transaction, "invoices": row.invoices,
                   "credit": row.credit, "company": row.company})
        })
        .collect();
    json!({
        "series": tx.series().number(), "payments": payments, "booked": booked(tx), "mails": mails(tx),
        "orders": orders(tx), "invoices": invoices(tx), "transactions": transactions(tx), "names": external_ids(tx),
        "activities": activities(tx), "own": own_records(tx),
    })
}

/// Records made for Concilia's own models, and saved cards, by their names: where each stands,
/// how many activities on it are open, and how often a subscription was renewed.
fn own_records(tx: &Tx<'_>) -> Json {
    let named = tx.rows("ir.model.data").filter(|(_, row)| row.text("module") == "concilia");
    let open = |model: &str, id: Id| {
        let on = |row: &Record| row.text("res_model") == model && row.int("res_id") == id;
        tx.rows(refund::ACTIVITY).filter(|(_, row)| on(row) && row.flag("active")).count()
    };
    let mut records = serde_json::Map::new();
    for (_, name) in named {
        let (model, id) = (name.text("model"), name.int("res_id"));
        let kind = model.strip_prefix("x_ventipay_");
        // The name of an activity that was told leads to the record it is on.
        let is_own = |kind: &str| {
            let own = format!("{kind}-");
            name.text("name").starts_with(&own) && !name.text("name").contains("-told-")
        };
        let Some(row) = tx.get(model, id) else { continue };
        let state = match (kind, model) {
            (Some(kind), _) if is_own(kind) => {
                let states = [row.text("x_status"), row.text("x_state")];
                states.into_iter().find(|state| !state.is_empty()).unwrap_or_default()
            }
            (None, "payment.token") if row.flag("active") => "active",
            (None, "payment.token") => "archived",
            _ => continue,
        };
        let row = json!({"state": state, "activities": open(model, id), "renewals": row.int("x_renewals")});
        records.insert(name.text("name").to_owned(), row);
    }
    Json::Object(records)
}

fn orders(tx: &Tx<'_>) -> Vec<Json> {
    let rows = tx.rows("sale.order");
    rows.map(|(id, row)| {
        let (currency, places) = money(tx, row);
        let linked = orm::related(tx, "sale.order", id, "transaction_ids");
        let invoices = orm::related(tx, "sale.order", id, "invoice_ids");
        json!({
            "id": id, "name": row.text("name"), "state": row.text("state"), "ref": row.text("client_order_ref"),
            "origin": row.text("origin"), "company": row.reference("company_id"), "currency": currency,
            "total": row.amount("amount_total").text(places), "invoices": invoices,
            "transactions": names(tx, "payment.transaction", &linked, "reference"),
        })
    })
    .collect()
}

fn invoices(tx: &Tx<'_>) -> Vec<Json> {
    let rows = tx.rows("account.move").filter(|(_, row)| row.text("move_type") != "entry");
    rows.map(|(id, row)| {
        let (currency, places) = money(tx, row);
        json!({
            "id": id, "name": row.text("name"), "type": row.text("move_type"), "state": row.text("state"),
            "currency": currency, "reverses": row.reference("reversed_entry_id"), "payment_state": row.text("payment_state"), "orders": row.references("sim_orders"),
            "total": row.amount("amount_total").text(places),
            "residual": row.amount("amount_residual").text(places),
            "payments": accounting::payments_of_invoice(tx, id).len(),
        })
    })
    .collect()
}

fn transactions(tx: &Tx<'_>) -> Vec<Json> {
    let rows = tx.rows("payment.transaction");
    rows.map(|(id, row)| {
        let (currency, places) = money(tx, row);
        let paid_by = row.reference("payment_id").and_then(|id| tx.get("account.payment", id));
        json!({
            "id": id, "reference": row.text("reference"), "provider_reference": row.text("provider_reference"),
            "state": row.text("state"), "amount": row.amount("amount").text(places), "currency": currency,
            "provider": row.reference("provider_id"), "company": row.reference("company_id"),
            "payment": paid_by.map(|row| row.text("name")), "orders": row.references("sale_order_ids"),
            "invoices": row.references("invoice_ids"),
            "operation": row.text("operation"), "source": row.reference("source_transaction_id"),
            "is_post_processed": row.flag("is_post_processed"),
            "state_message": match row.text("state_message") { "" => json!(false), text => json!(text) },
        })
    })
    .collect()
}

fn activities(tx: &Tx<'_>) -> Vec<Json> {
    let rows = tx.rows(refund::ACTIVITY);
    rows.map(|(_, row)| {
        json!({
            "model": row.text("res_model"), "record": row.int("res_id"), "user": row.reference("user_id"),
            "summary": row.text("summary"), "note": row.text("note"), "deadline": row.text("date_deadline"),
        })
    })
    .collect()
}

fn external_ids(tx: &Tx<'_>) -> Vec<Json> {
    let rows = tx.rows("ir.model.data").filter(|(_, row)| row.text("module") == "concilia");
    rows.map(|(_, row)| json!({"name": row.text("name"), "model": row.text("model"), "id": row.int("res_id")}))
        .collect()
}
