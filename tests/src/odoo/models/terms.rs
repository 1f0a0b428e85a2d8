//! Early-payment discounts: from 18 on a payment that is short by exactly the discount pays the
//! invoice, and the discount is written off (`odoo-api-2.md` 4.1). 17 leaves it open.
//!
//! Not simulated: the entry of the write-off, instalments, and discounts on part of a payment.

use crate::odoo::fields::Series;
use crate::odoo::value::{Amount, Record};
use crate::odoo::world::Tx;

/// What is written off of an invoice when a payment of `paid`, made on `date`, meets it.
pub(super) fn written_off(tx: &Tx<'_>, invoice: &Record, paid: Amount, date: &str) -> Amount {
    let term = invoice.reference("invoice_payment_term_id");
    let Some(term) = term.and_then(|id| tx.get("account.payment.term", id)) else {
        return Amount(0);
    };
    let total = invoice.amount("amount_total");
    let untouched = invoice.amount("amount_residual") == total;
    let discount = total.percent(term.amount("discount_percentage"));
    let in_time = last_day(invoice.text("invoice_date"), term.int("discount_days"))
        .is_some_and(|last| date <= last.as_str());
    let meets = untouched && in_time && paid + discount == total;
    if tx.series() == Series::V17 || !term.flag("early_discount") || !meets {
        return Amount(0);
    }
    discount
}

fn last_day(invoiced: &str, days: i64) -> Option<String> {
    let invoiced: jiff::civil::Date = invoiced.parse().ok()?;
    let days = jiff::Span::new().try_days(days).ok()?;
    Some(invoiced.checked_add(days).ok()?.to_string())
}
