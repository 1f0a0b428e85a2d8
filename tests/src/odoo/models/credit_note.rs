//! Credit notes: the reversal wizard, and what posting one does to its invoice.
//!
//! Facts: `odoo-api-2.md` 1.3, captures `2_65`, `2_66`. Not here: the notes our action drafts
//! ([`super::refund`]).

use serde_json::{Value as Json, json};

use super::accounting::active_ids;
use super::refund;
use crate::odoo::errors::Outcome;
use crate::odoo::value::{Amount, Id, Record};
use crate::odoo::world::Tx;

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

/// A draft credit note of the whole invoice, which names it and why.
fn reversal(tx: &mut Tx<'_>, invoice: Id, reason: &str) -> Outcome<Id> {
    let mut text = format!("Reversal of: {}", tx.record("account.move", invoice)?.text("name"));
    if !reason.is_empty() {
        text = format!("{text}, {reason}");
    }
    let note = refund::reverse(tx, invoice)?;
    tx.update("account.move", note, |row| row.set("ref", text))?;
    Ok(note)
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
