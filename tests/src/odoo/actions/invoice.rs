//! `invoice.py`: makes the customer invoice of a subscription's paid invoice, each exactly once.
//!
//! Customers are found and made as in [`super::record`]. Not here: paying it
//! ([`super::pay_invoice`]).

use serde_json::{Value as Json, json};

use super::common::{
    Request, database, invoice_row, named, need, read_request, text_or_false, version,
};
use super::effects::{as_currency_writes, name_of, step, units};
use super::perform::failure;
use super::record::{Call, customers, external_id, is_name};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::faults::Step;
use crate::odoo::models::refund::PRICE_PLACES;
use crate::odoo::models::{accounting, sale};
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

fn result(name: &str, (status, why): (&str, &str), detail: &str, invoice: Option<Json>) -> Json {
    json!({
        "name": name, "status": status, "why": text_or_false(why), "detail": text_or_false(detail),
        "invoice": invoice.unwrap_or(json!(false)),
    })
}

pub(super) fn make_all(tx: &mut Tx<'_>, code: &str) -> Outcome<Json> {
    let request = read_request(tx)?;
    // Worked in the order of the names, answered in the order asked.
    let mut work: Vec<usize> = (0..request.items.len()).collect();
    work.sort_by_key(|place| request.items[*place]["name"].as_str().unwrap_or_default());
    let items = request.items.clone();
    let mut call = Call::of(request);
    let mut answers = vec![Json::Null; work.len()];
    for place in work {
        answers[place] = isolated(tx, &mut call, &items[place])?;
    }
    Ok(json!({
        "protocol": 3, "action": "invoice", "version": version(code),
        "database": database(tx), "items": answers,
    }))
}

/// A savepoint an item: what fails leaves nothing, and the others stay.
fn isolated(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    let point = tx.savepoint();
    let failed = match perform(tx, call, item) {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    tx.rollback_to(point);
    let (why, detail) = failure(failed)?;
    Ok(result(name, why, &detail, None))
}

fn perform(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Json> {
    let name = name_of(item)?;
    let stopped = |why: (&str, &str)| Ok(result(name, why, "", None));
    if need(item, "kind")? != "make_invoice" {
        return stopped(("refused", "kind"));
    }
    if !is_name(name, "made-invoice-") {
        return stopped(("refused", "name"));
    }
    match named(tx, name, "account.move") {
        (_, Some(known)) => {
            return Ok(result(name, ("already", ""), "", Some(invoice_row(tx, known))));
        }
        (true, None) => {
            let text = format!("The name {name} leads to an invoice that is gone.");
            return Err(Raise::user(text));
        }
        (false, None) => {}
    }
    call.remember(tx);
    let (currency, product) = match fences(tx, call, item)? {
        Ok(found) => found,
        Err(why) => return stopped(("refused", why)),
    };
    let (by, partner) = customers::find(tx, call, need(item, "customer")?)?;
    let Some(partner) = partner else {
        let unclear = if by == "ambiguous" { "ambiguous_customer" } else { "no_customer" };
        return stopped((unclear, ""));
    };
    let id = draft(tx, call.request(), item, &Of { partner, currency, product })?;
    if need(item, "post")? == true {
        step(tx, Step::Post, need(item, "id")?.as_str())?;
        accounting::action_post(tx, &[id])?;
    }
    Ok(result(name, ("made", ""), "", Some(invoice_row(tx, id))))
}

/// The currency and the product, or what stands in the way.
fn fences(tx: &Tx<'_>, call: &Call, item: &Json) -> Outcome<Result<(Id, Id), &'static str>> {
    let request = call.request();
    let (code, wanted) = (need(item, "currency")?, need(item, "product")?);
    let currency =
        tx.tables().find("res.currency", |row| row.flag("active") && *code == row.text("name"));
    let products = tx.ids_where("product.product", |row| {
        let of_company = row.reference("company_id").is_none_or(|id| id == request.company);
        row.flag("active") && of_company && *wanted == row.text("default_code")
    });
    let amount = need(item, "amount")?.as_str().unwrap_or_default();
    if request.provider.is_none() {
        return Ok(Err("no_provider"));
    }
    let Some((currency, row)) = currency else { return Ok(Err("currency")) };
    let places = usize::try_from(row.int("decimal_places")).unwrap_or(0);
    if units(amount) == 0 || as_currency_writes(amount, places) != amount {
        return Ok(Err("amount"));
    }
    let [product] = products[..] else {
        return Ok(Err(if products.is_empty() { "no_product" } else { "ambiguous_product" }));
    };
    let why = customers::fence(call, tx, need(item, "customer")?);
    Ok(why.map_or(Ok((currency, product)), Err))
}

/// What an invoice is made of.
struct Of {
    partner: Id,
    currency: Id,
    product: Id,
}

/// A draft of exactly the amount under its name.
fn draft(tx: &mut Tx<'_>, request: &Request, item: &Json, of: &Of) -> Outcome<Id> {
    let text = |key: &str| Ok(need(item, key)?.as_str().unwrap_or_default().to_owned());
    let (name, reference, written) = (text("name")?, text("id")?, text("amount")?);
    let amount = Amount::parse(&written).unwrap_or_default();
    step(tx, Step::CreateInvoice, Some(&reference))?;
    let mut invoice = Record::default()
        .with("move_type", "out_invoice")
        .with("company_id", Value::Ref(request.company))
        .with("partner_id", Value::Ref(of.partner))
        .with("currency_id", Value::Ref(of.currency))
        .with("invoice_date", text("date")?)
        .with("ref", reference);
    accounting::prepare_move(tx, &mut invoice);
    let id = tx.insert("account.move", invoice)?;
    // A line without taxes of its own has its product's.
    let line = Record::default()
        .with("move_id", Value::Ref(id))
        .with("product_id", Value::Ref(of.product))
        .with("quantity", Amount::whole(1))
        .with("price_unit", amount);
    let line = tx.insert("account.move.line", line)?;
    accounting::total_move(tx, id)?;
    step(tx, Step::Name, Some(&name))?;
    tx.insert("ir.model.data", external_id(&name, "account.move", id))?;
    let places = tx.record("res.currency", of.currency)?.int("decimal_places");
    let places = usize::try_from(places).unwrap_or(0);
    let (net, tax) = sale::total_lines(tx, "account.move.line", &[line], "quantity", places)?;
    let total = net + tax;
    if total != amount && total.is_positive() {
        let price = amount.share(amount, total).rounded(PRICE_PLACES);
        tx.update("account.move.line", line, |row| row.set("price_unit", price))?;
        accounting::total_move(tx, id)?;
    }
    if tx.record("account.move", id)?.amount("amount_total") != amount {
        let product = tx.record("product.product", of.product)?;
        return Err(Raise::user(format!(
            "An invoice of {written} {} cannot be made with the taxes of [{}] {}.",
            text("currency")?,
            product.text("default_code"),
            product.text("name")
        )));
    }
    Ok(id)
}
