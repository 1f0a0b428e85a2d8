//! What Odoo does around a refund: credit notes of an invoice, and activities for people.
//!
//! Facts: `odoo-api-2.md` 1.3 and 1.4. Not here: the refund's own payment
//! ([`super::payment`], [`super::accounting`]).

use serde_json::Value as Json;

use super::{decimals, sale};
use crate::odoo::errors::Outcome;
use crate::odoo::fields::Series;
use crate::odoo::seed;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// Activities; nobody reads them by RPC here.
pub const ACTIVITY: &str = "mail.activity";

/// A posted credit note of one of these invoices that has just this amount left.
pub fn posted_note(tx: &Tx<'_>, item: &Json, invoices: &[Id]) -> Outcome<Option<Id>> {
    let amount = item["amount"].as_str().unwrap_or_default();
    let currency = item["currency"].as_str().unwrap_or_default();
    let found = tx.rows("account.move").find(|(_, row)| {
        let money = row.reference("currency_id");
        let named = money.and_then(|id| tx.get("res.currency", id)).map(|row| row.text("name"));
        row.text("state") == "posted"
            && row.reference("reversed_entry_id").is_some_and(|id| invoices.contains(&id))
            && named == Some(currency)
            && row.amount("amount_residual").text(decimals(tx, money)) == amount
    });
    Ok(found.map(|(id, _)| id))
}

/// A draft credit note of the amount: `None` when it cannot be had exactly, with whatever is
/// left of the attempt.
pub fn draft_note(tx: &mut Tx<'_>, item: &Json, invoice: Id) -> Outcome<Option<Id>> {
    let Some(wanted) = item["amount"].as_str().and_then(Amount::parse) else { return Ok(None) };
    let note = reverse(tx, invoice)?;
    if tx.record("account.move", note)?.amount("amount_total") != wanted
        && !reduce(tx, note, wanted)?
    {
        return Ok(None);
    }
    Ok((tx.record("account.move", note)?.amount("amount_total") == wanted).then_some(note))
}

/// `account.move.reversal`: a draft with the invoice's lines, of the invoice's orders.
pub fn reverse(tx: &mut Tx<'_>, invoice: Id) -> Outcome<Id> {
    let mut note = tx.record("account.move", invoice)?;
    let total = note.amount("amount_total");
    for field in ["name", "payment_reference", "l10n_latam_document_number", "ref"] {
        note.clear(field);
    }
    if tx.series() == Series::V17 {
        note.set("name", "/");
    }
    note.set("move_type", "out_refund");
    note.set("state", "draft");
    note.set("payment_state", "not_paid");
    note.set("amount_residual", total);
    note.set("reversed_entry_id", Value::Ref(invoice));
    note.set("l10n_latam_document_type_id", Value::Ref(seed::CREDIT_NOTE));
    let note = tx.insert("account.move", note)?;
    for line in lines(tx, invoice) {
        let copy = tx.record("account.move.line", line)?.with("move_id", Value::Ref(note));
        tx.insert("account.move.line", copy)?;
    }
    Ok(note)
}

fn lines(tx: &Tx<'_>, invoice: Id) -> Vec<Id> {
    tx.ids_where("account.move.line", |line| line.reference("move_id") == Some(invoice))
}

/// One line stands for the part that is given back, as dear as it must be. `false` when the
/// lines are taxed in several ways.
fn reduce(tx: &mut Tx<'_>, note: Id, wanted: Amount) -> Outcome<bool> {
    let all = lines(tx, note);
    let row = tx.record("account.move", note)?;
    let taxes = |tx: &Tx<'_>, id: Id| {
        let line = tx.get("account.move.line", id);
        line.map(|line| line.references("tax_ids").to_vec()).unwrap_or_default()
    };
    let Some((kept, others)) = all.split_first() else {
        // A total without lines stands for one line without taxes.
        tx.update("account.move", note, |row| {
            row.set("amount_total", wanted);
            row.set("amount_residual", wanted);
        })?;
        return Ok(true);
    };
    if others.iter().any(|id| taxes(tx, *id) != taxes(tx, *kept)) {
        return Ok(false);
    }
    let places = decimals(tx, row.reference("currency_id"));
    let (net, tax) = sale::total_lines(tx, "account.move.line", &[*kept], "quantity", places)?;
    let exact = sale::before_tax(&tx.record("account.move.line", *kept)?, "quantity");
    let price = wanted.share(exact, net + tax).rounded(PRICE_PLACES);
    for id in others {
        tx.delete("account.move.line", *id)?;
    }
    tx.update("account.move.line", *kept, |line| {
        line.set("price_unit", price);
        line.set("quantity", Amount::whole(1));
        line.clear("discount");
    })?;
    super::accounting::total_move(tx, note)?;
    Ok(true)
}

/// Decimals of a price (`Product Price`).
pub const PRICE_PLACES: usize = 2;

/// What somebody is to be reminded of.
#[derive(Debug)]
pub struct Reminder {
    /// Model of the record it hangs on.
    pub model: &'static str,
    /// The record.
    pub id: Id,
    /// What it is about: what it is recognised by.
    pub summary: String,
    /// Its text, HTML.
    pub note: String,
    /// When it is due.
    pub deadline: String,
}

/// The accountants in charge of a company who were not yet reminded.
pub fn to_be_reminded(tx: &Tx<'_>, company: Id, about: &Reminder) -> Vec<Id> {
    let groups = tx.series().groups_field();
    let reminded = |user: Id| {
        tx.rows(ACTIVITY).any(|(_, row)| {
            row.text("res_model") == about.model
                && row.int("res_id") == about.id
                && row.text("summary") == about.summary
                && row.reference("user_id") == Some(user)
        })
    };
    tx.rows("res.users")
        .filter(|(_, row)| {
            row.leads_to(groups, seed::group_manager(tx.series()))
                && row.flag("active")
                && !row.flag("share")
                && row.leads_to("company_ids", company)
        })
        .map(|(id, _)| id)
        .filter(|id| !reminded(*id))
        .collect()
}

/// `activity_schedule`, for one user.
pub fn schedule(tx: &mut Tx<'_>, user: Id, about: &Reminder) -> Outcome<()> {
    let activity = Record::default()
        .with("res_model", about.model)
        .with("res_id", Value::Int(about.id))
        .with("user_id", Value::Ref(user))
        .with("summary", about.summary.as_str())
        .with("note", about.note.as_str())
        .with("date_deadline", about.deadline.as_str());
    tx.insert(ACTIVITY, activity).map(|_| ())
}
