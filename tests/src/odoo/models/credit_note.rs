//! Credit notes: the reversal wizard, and what posting one does to its invoice.
//!
//! Facts: `odoo-api-2.md` 1.3, captures `2_65`, `2_66`.

use serde_json::{Value as Json, json};

use super::accounting::{self, active_ids};
use crate::odoo::errors::Outcome;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// The document type 61.
const CREDIT_NOTE: Id = 3;

/// `account.move.reversal.create`: it is about the invoices of the context.
pub fn prepare_reversal(tx: &mut Tx<'_>, wizard: &mut Record) -> Outcome<()> {
    let moves = active_ids(tx);
    for id in &moves {
        tx.record("account.move", *id)?;
    }
    wizard.fill("move_ids", moves);
    Ok(())
}

/// `reverse_moves` (17), `refund_moves` (18, 19): a draft credit note of each invoice.
pub fn refund_moves(tx: &mut Tx<'_>, wizards: &[Id]) -> Outcome<Json> {
    let mut last = None;
    for wizard in wizards {
        let wizard = tx.record("account.move.reversal", *wizard)?;
        for id in wizard.references("move_ids").to_vec() {
            last = Some(reversal(tx, id, wizard.text("reason"))?);
        }
    }
    Ok(json!({
        "name": "Reverse Moves", "type": "ir.actions.act_window", "res_model": "account.move",
        "view_mode": "form", "res_id": last, "context": {"default_move_type": "out_refund"},
    }))
}

/// A draft credit note of the whole invoice, a document of its orders too.
pub fn reversal(tx: &mut Tx<'_>, invoice: Id, reason: &str) -> Outcome<Id> {
    let of = tx.record("account.move", invoice)?;
    let mut text = format!("Reversal of: {}", of.text("name"));
    if !reason.is_empty() {
        text = format!("{text}, {reason}");
    }
    let mut note = Record::default()
        .with("move_type", "out_refund")
        .with("ref", text)
        .with("reversed_entry_id", Value::Ref(invoice))
        .with("l10n_latam_document_type_id", Value::Ref(CREDIT_NOTE));
    for field in [
        "partner_id",
        "company_id",
        "currency_id",
        "journal_id",
        "sim_orders",
        "amount_untaxed",
        "amount_tax",
        "amount_total",
    ] {
        if let Some(value) = of.get(field) {
            note.set(field, value.clone());
        }
    }
    note.set("amount_residual", of.amount("amount_total"));
    accounting::prepare_move(tx, &mut note);
    let id = tx.insert("account.move", note)?;
    let lines =
        tx.ids_where("account.move.line", |line| line.reference("move_id") == Some(invoice));
    for line in lines {
        let line = tx.record("account.move.line", line)?.with("move_id", Value::Ref(id));
        tx.insert("account.move.line", line)?;
    }
    Ok(id)
}

/// A posted credit note and its unpaid invoice settle each other at once; a paid one leaves the
/// note open (same section).
pub fn settle(tx: &mut Tx<'_>, note: Id) -> Outcome<()> {
    let row = tx.record("account.move", note)?;
    let invoice = match row.reference("reversed_entry_id") {
        Some(id) if row.text("move_type") == "out_refund" => id,
        _ => return Ok(()),
    };
    let open = tx.record("account.move", invoice)?.amount("amount_residual");
    let settled = open.min(row.amount("amount_residual"));
    if !settled.is_positive() {
        return Ok(());
    }
    for (id, all) in [(note, "paid"), (invoice, "reversed")] {
        tx.update("account.move", id, |row| {
            let left: Amount = row.amount("amount_residual") - settled;
            row.set("amount_residual", left);
            row.set("payment_state", if left.is_positive() { "partial" } else { all });
        })?;
    }
    Ok(())
}
