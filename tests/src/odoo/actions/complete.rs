//! `book.py`, the kind `complete`: the open credit of a booking, for invoices of its own orders
//! that came later.

use serde_json::Value as Json;

use super::common::{Request, booking_row, owed};
use super::effects::{result, step, stopped};
use crate::odoo::errors::Outcome;
use crate::odoo::faults::Step;
use crate::odoo::models::accounting;
use crate::odoo::value::Id;
use crate::odoo::world::Tx;

pub(super) fn complete(
    tx: &mut Tx<'_>,
    request: &Request,
    name: &str,
    found: &str,
    booked: Option<Id>,
) -> Outcome<Json> {
    let Some(booked) = booked else {
        return Ok(stopped(name, ("changed", "not_booked")));
    };
    let row = tx.record("payment.transaction", booked)?;
    if row.reference("company_id") != Some(request.company) {
        return Ok(stopped(name, ("changed", "company")));
    }
    let invoices = owed(tx, &row);
    let Some(payment) = row.reference("payment_id").filter(|_| !invoices.is_empty()) else {
        return Ok(result(name, "already", "", "", &booking_row(tx, found, booked)));
    };
    tx.touch("payment.transaction", booked)?;
    for invoice in invoices {
        step(tx, Step::Assign, None)?;
        accounting::reconcile(tx, payment, &[invoice])?;
    }
    // 18 leaves the payment's state behind (`odoo-api-2.md` 4.2).
    accounting::settle_state(tx, payment)?;
    Ok(result(name, "booked", "", "", &booking_row(tx, found, booked)))
}
