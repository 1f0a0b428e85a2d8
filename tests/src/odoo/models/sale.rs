//! Sale orders, their lines, and the wizard that makes invoices from them.
//!
//! Facts: `odoo-api.md` 1 and captures `1_09` to `1_16`. Not here: what an invoice does once
//! it exists ([`super::accounting`]).

use serde_json::{Value as Json, json};

use super::{accounting, company_currency, decimals, default_company};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// Defaults of a new order.
pub fn prepare_order(tx: &mut Tx<'_>, order: &mut Record) {
    if matches!(order.text("name"), "" | "New") {
        let name = format!("S{:05}", tx.world.next("sale.order name"));
        order.set("name", name);
    }
    if !order.has("company_id") {
        order.set("company_id", Value::Ref(default_company(tx)));
    }
    let company = order.reference("company_id").unwrap_or(1);
    // An order is in the currency of its price list, if it has one.
    let list = order.reference("pricelist_id").and_then(|id| tx.get("product.pricelist", id));
    if let Some(currency) = list.and_then(|list| list.reference("currency_id")) {
        order.set("currency_id", Value::Ref(currency));
    }
    if let Some(currency) = company_currency(tx, company) {
        order.fill("currency_id", Value::Ref(currency));
    }
    if let Some(partner) = order.reference("partner_id") {
        order.fill("partner_invoice_id", Value::Ref(partner));
        order.fill("partner_shipping_id", Value::Ref(partner));
    }
    order.fill("state", "draft");
    order.fill("locked", false);
    let now = tx.caller.now.clone();
    order.fill("date_order", now);
}

/// Defaults of a line of an order or an invoice.
pub fn prepare_line(tx: &Tx<'_>, model: &str, line: &mut Record) {
    let product = line.reference("product_id").and_then(|id| tx.get("product.product", id));
    if let Some(product) = product {
        line.fill("name", product.text("name"));
    }
    line.fill("name", "");
    if model == "account.move.line" {
        line.fill("quantity", Amount::whole(1));
        line.fill("display_type", "product");
    } else {
        line.fill("product_uom_qty", Amount::whole(1));
    }
}

/// Adds an order's lines up. An order without lines keeps the total it was given.
pub fn total_order(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    let lines = tx.ids_where("sale.order.line", |line| line.reference("order_id") == Some(id));
    if lines.is_empty() {
        return Ok(());
    }
    let places = decimals(tx, tx.record("sale.order", id)?.reference("currency_id"));
    let (untaxed, tax) = total_lines(tx, "sale.order.line", &lines, "product_uom_qty", places)?;
    tx.update("sale.order", id, |order| {
        order.set("amount_untaxed", untaxed);
        order.set("amount_tax", tax);
        order.set("amount_total", untaxed + tax);
    })
}

/// What lines cost without tax, and their tax; written into each line too.
pub fn total_lines(
    tx: &mut Tx<'_>,
    model: &str,
    lines: &[Id],
    quantity: &str,
    places: usize,
) -> Outcome<(Amount, Amount)> {
    let (mut untaxed, mut tax) = (Amount(0), Amount(0));
    for id in lines {
        let line = tx.record(model, *id)?;
        let exact = before_tax(&line, quantity);
        let net = exact.rounded(places);
        // 17 taxes the rounded price, 18 and 19 the exact one: of 2.52 pesos, 4 and 3 with 19 %.
        let taxed = if tx.series() == Series::V17 { net } else { exact };
        let taxes = line_taxes(tx, &line);
        let of_line: Amount =
            taxes.iter().map(|percent| taxed.percent(*percent).rounded(places)).sum();
        tx.update(model, *id, |line| {
            line.set("price_subtotal", net);
            line.set("price_tax", of_line);
            line.set("price_total", net + of_line);
        })?;
        untaxed = untaxed + net;
        tax = tax + of_line;
    }
    Ok((untaxed, tax))
}

/// What a line costs without tax, exactly.
pub fn before_tax(line: &Record, quantity: &str) -> Amount {
    let whole = line.amount("price_unit").times(line.amount(quantity));
    whole - whole.percent(line.amount("discount"))
}

/// The percentages of a line: its own taxes, or those of its product.
fn line_taxes(tx: &Tx<'_>, line: &Record) -> Vec<Amount> {
    let own = ["tax_ids", "tax_id"].into_iter().find(|field| line.has(field));
    let taxes = match own {
        Some(field) => line.references(field).to_vec(),
        None => line
            .reference("product_id")
            .and_then(|product| tx.get("product.product", product))
            .map_or_else(Vec::new, |product| product.references("taxes_id").to_vec()),
    };
    let rows = taxes.into_iter().filter_map(|tax| tx.get("account.tax", tax));
    rows.map(|tax| tax.amount("amount")).collect()
}

/// `action_confirm`: a quotation becomes an order. It writes to nobody.
pub fn action_confirm(tx: &mut Tx<'_>, ids: &[Id]) -> Outcome<Json> {
    for id in ids {
        let order = tx.record("sale.order", *id)?;
        if !matches!(order.text("state"), "draft" | "sent") {
            return Err(Raise::user(format!(
                "The following orders are not in a state requiring confirmation: {}",
                order.text("name")
            )));
        }
        tx.update("sale.order", *id, |order| order.set("state", "sale"))?;
    }
    Ok(json!(true))
}

/// `action_quotation_sent`: marked as sent, and mailed to nobody.
pub fn action_quotation_sent(tx: &mut Tx<'_>, ids: &[Id]) -> Outcome<Json> {
    for id in ids {
        if tx.record("sale.order", *id)?.text("state") != "draft" {
            return Err(Raise::user("Only draft orders can be marked as sent directly."));
        }
        tx.update("sale.order", *id, |order| order.set("state", "sent"))?;
    }
    Ok(json!(null))
}

/// `action_cancel`.
pub fn action_cancel(tx: &mut Tx<'_>, ids: &[Id]) -> Outcome<Json> {
    for id in ids {
        tx.update("sale.order", *id, |order| order.set("state", "cancel"))?;
    }
    Ok(json!(true))
}

/// What is still to be invoiced of an order.
fn uninvoiced(tx: &Tx<'_>, order: Id) -> Amount {
    let total = tx.get("sale.order", order).map_or(Amount(0), |row| row.amount("amount_total"));
    let invoices = tx.rows("account.move").filter(|(_, row)| {
        row.leads_to("sim_orders", order)
            && row.text("state") != "cancel"
            && row.text("move_type") == "out_invoice"
    });
    total - invoices.map(|(_, row)| row.amount("amount_total")).sum()
}

/// `invoice_status` of an order.
pub fn invoice_status(tx: &Tx<'_>, id: Id) -> &'static str {
    match tx.get("sale.order", id).map(|order| order.text("state")) {
        Some("sale") if uninvoiced(tx, id).is_positive() => "to invoice",
        Some("sale") => "invoiced",
        _ => "no",
    }
}

/// What the order's transactions have paid.
pub fn amount_paid(tx: &Tx<'_>, id: Id) -> Amount {
    let rows = tx.rows("payment.transaction");
    rows.filter(|(_, row)| {
        row.leads_to("sale_order_ids", id) && matches!(row.text("state"), "authorized" | "done")
    })
    .map(|(_, row)| row.amount("amount"))
    .sum()
}

/// `sale.advance.payment.inv.create_invoices`: draft invoices of the wizard's orders.
pub fn create_invoices(tx: &mut Tx<'_>, wizards: &[Id]) -> Outcome<Json> {
    let mut invoices = Vec::new();
    for wizard in wizards {
        let wizard = tx.record("sale.advance.payment.inv", *wizard)?;
        for order in wizard.references("sale_order_ids").to_vec() {
            let open = uninvoiced(tx, order);
            let total = tx.record("sale.order", order)?.amount("amount_total");
            let amount = match wizard.text("advance_payment_method") {
                "fixed" => wizard.amount("fixed_amount"),
                "percentage" => total.percent(wizard.amount("amount")),
                _ => open,
            };
            if !amount.is_positive() {
                return Err(Raise::user(
                    "Cannot create an invoice. No items are available to invoice.",
                ));
            }
            invoices.push(invoice_order(tx, order, amount)?);
        }
    }
    Ok(json!({
        "name": "Invoices", "type": "ir.actions.act_window", "res_model": "account.move",
        "res_id": invoices.first(), "view_mode": "form", "target": "current",
        "context": {"default_move_type": "out_invoice"},
        "domain": "[('move_type', 'in', ['out_invoice', 'out_refund', 'out_receipt'])]",
    }))
}

/// Transactions an order's new invoice is linked to: on 18 and 19 not those whose payment is
/// used up.
fn taken_over(tx: &Tx<'_>, order: Id) -> Vec<Id> {
    let all = tx.series() == Series::V17;
    let open = |row: &Record| match row.text("state") {
        "pending" | "authorized" => true,
        "done" => {
            let payment = row.reference("payment_id");
            payment.is_none_or(|payment| super::accounting::credit(tx, payment).is_positive())
        }
        _ => false,
    };
    tx.ids_where("payment.transaction", |row| {
        row.leads_to("sale_order_ids", order) && (all || open(row))
    })
}

/// A draft invoice of an order. It takes the order's transactions over.
pub fn invoice_order(tx: &mut Tx<'_>, order_id: Id, amount: Amount) -> Outcome<Id> {
    let order = tx.record("sale.order", order_id)?;
    let mut invoice = Record::default()
        .with("move_type", "out_invoice")
        .with("invoice_origin", order.text("name"))
        .with("sim_orders", vec![order_id])
        .with("amount_untaxed", amount)
        .with("amount_total", amount)
        .with("amount_residual", amount);
    for (from, to) in [
        ("partner_invoice_id", "partner_id"),
        ("company_id", "company_id"),
        ("currency_id", "currency_id"),
        ("client_order_ref", "ref"),
        ("payment_term_id", "invoice_payment_term_id"),
    ] {
        if let Some(value) = order.get(from) {
            invoice.set(to, value.clone());
        }
    }
    accounting::prepare_move(tx, &mut invoice);
    let id = tx.insert("account.move", invoice)?;
    for transaction in taken_over(tx, order_id) {
        tx.update("payment.transaction", transaction, |row| {
            let mut linked = row.references("invoice_ids").to_vec();
            linked.push(id);
            row.set("invoice_ids", linked);
        })?;
    }
    Ok(id)
}
