//! What an accountant has closed: accounts, and periods.
//!
//! Facts: `odoo-api-2.md` 4.3; the sentences about accounts are those of real servers, found by
//! the conformance suite. Other lock dates than the fiscal year's are not simulated.

use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::value::{Id, Record};
use crate::odoo::world::Tx;

/// Nothing is posted on an account that was closed.
pub(super) fn check_account(tx: &Tx<'_>, line: Id) -> Outcome<()> {
    let line = tx.get("account.payment.method.line", line);
    let account = line.and_then(|line| line.reference("payment_account_id"));
    let Some(row) = account.and_then(|id| tx.get("account.account", id)) else {
        return Ok(());
    };
    let (closed, word) = match tx.series() {
        Series::V19 => (!row.flag("active"), "archived"),
        _ => (row.flag("deprecated"), "deprecated"),
    };
    if !closed {
        return Ok(());
    }
    let (name, code) = (row.text("name"), row.text("code"));
    Err(Raise::user(format!("The account {name} ({code}) is {word}.")))
}

/// The day an entry is put on: today, where its own is in a locked period (`odoo-api-2.md` 4.3).
pub(super) fn outside_the_lock(tx: &Tx<'_>, company: Option<Id>, date: &str) -> String {
    let company = company.and_then(|id| tx.get("res.company", id));
    let lock = company.map_or("", |row| row.text("fiscalyear_lock_date"));
    if !lock.is_empty() && date <= lock { tx.caller.today.clone() } else { date.to_owned() }
}

/// 17 lets no draft be locked in; 18 and 19 give it another date when it is posted.
pub(super) fn check_lock(tx: &Tx<'_>, company: Id, before: &Record) -> Outcome<()> {
    let row = tx.record("res.company", company)?;
    let lock = row.text("fiscalyear_lock_date");
    let moved = !lock.is_empty() && lock != before.text("fiscalyear_lock_date");
    let locked_in = |row: &Record| {
        row.reference("company_id") == Some(company)
            && row.text("state") == "draft"
            && row.text("date") <= lock
    };
    if tx.series() != Series::V17
        || !moved
        || !tx.rows("account.move").any(|(_, row)| locked_in(row))
    {
        return Ok(());
    }
    Err(Raise::odoo(
        "odoo.exceptions.RedirectWarning",
        "There are still unposted entries in the period you want to lock. You should either post or \
         delete them.",
    ))
}
