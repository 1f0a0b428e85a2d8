//! When Odoo itself says no, or does something else than asked, while it enters a payment.

use anyhow::{Result, ensure};
use concilia_shared::config::Mode;
use concilia_worker::domain::decide::Verdict;
use concilia_worker::odoo::Odoo as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::{NotHere, booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "failing-entry",
        entry,
        "Where Odoo cannot enter the payment nothing is left, its sentence is told, and later it is booked"
    ),
    case!(
        "failing-taken-name",
        in_batch,
        "A name another transaction has is told, and the rest of the batch is booked"
    ),
    case!(
        "locked-period",
        locked_period,
        "A payment in a locked period is booked; Odoo moves its date as its series does"
    ),
    case!(
        "locked-invoice",
        locked_invoice,
        "A posted invoice in a locked period is paid by a payment of today"
    ),
    case!(
        "locked-today",
        locked_today,
        "Where today itself is locked a payment is booked; 17 does not let drafts be locked in"
    ),
];

/// Closes the clearing account, so that no entry can be posted on it, and opens it again.
async fn without_account<T>(bench: &Bench, tried: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    only_in_own_company(bench)?;
    let account = bench.office.ours(&format!("account_clearing_company_{}", bench.company)).await?;
    let (field, closed) = if bench.series >= 19 { ("active", false) } else { ("deprecated", true) };
    let values = |value: bool| -> Value { json!({field: value}) };
    bench.office.write("account.account", account, values(closed)).await?;
    let result = tried().await;
    bench.office.write("account.account", account, values(!closed)).await?;
    result
}

fn only_in_own_company(bench: &Bench) -> Result<()> {
    if bench.own_company {
        return Ok(());
    }
    Err(NotHere("accounts and periods are closed in a company of the run's own only".to_owned())
        .into())
}

async fn entry(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("entry", 8_100).await?;
    let order = bench.see_order("entry").await?;
    let book = bench.book("entry", &order, 8_100);
    let outcome = without_account(bench, async || bench.perform(&book).await).await?;
    let sentence = refused(outcome, "odoo")?;
    ensure!(
        !sentence.is_empty() && !sentence.contains("Traceback"),
        "the sentence is {sentence:?}"
    );
    same("the payments", bench.payments_of(id).await?, 0)?;
    same("the invoice", bench.paid_state(invoice).await?, ("not_paid".to_owned(), 8_100.0))?;
    let domain = json!([["reference", "=", bench.checkout("entry").as_str()]]);
    let left = bench.office.rows("payment.transaction", domain, &["id"]).await?;
    same("the transactions", left.len(), 0)?;
    let name = bench.office.external("concilia", bench.checkout("entry").as_str()).await?;
    same("the name", name, None)?;
    booked(bench.perform(&book).await?)?;
    bench.must_be_paid(invoice).await
}

/// The bad member is one Odoo's own unique constraint would refuse: another transaction has its
/// name.
async fn in_batch(bench: &Bench) -> Result<()> {
    let good = bench.order("in-batch", 8_200).await?;
    let order = bench.see_order("in-batch").await?;
    let bad = bench.order("in-batch-bad", 8_300).await?;
    let bad_order = bench.see_order("in-batch-bad").await?;
    let mut taken = bench.transaction_values("in-batch-bad").await?;
    taken["reference"] = json!(bench.checkout("in-batch-bad").as_str());
    bench.office.create("payment.transaction", taken).await?;
    let batch =
        [bench.book("in-batch-bad", &bad_order, 8_300), bench.book("in-batch", &order, 8_200)];
    let mut outcomes = bench.client.perform(&batch).await?;
    changed(&outcomes.remove(0), "other_transaction")?;
    booked(outcomes.remove(0))?;
    same("the payments of the bad one", bench.payments_of(bad).await?, 0)?;
    same("the payments of the good one", bench.payments_of(good).await?, 1)
}

/// Locks everything up to a day while something is tried.
async fn locked<T>(
    bench: &Bench,
    until: Date,
    tried: impl AsyncFnOnce() -> Result<T>,
) -> Result<T> {
    only_in_own_company(bench)?;
    let lock = |date: Value| json!({"fiscalyear_lock_date": date});
    bench.office.write("res.company", bench.company, lock(json!(until.to_string()))).await?;
    let result = tried().await;
    bench.office.write("res.company", bench.company, lock(json!(false))).await?;
    result
}

async fn locked_invoice(bench: &Bench) -> Result<()> {
    let pesos = bench.office.first("res.currency", json!([["name", "=", "CLP"]])).await?;
    let invoice = bench.loose_invoice(pesos, json!(8_500), bench.days_ago(10)).await?;
    let reference = bench.portal("account.move", invoice, json!(8_500)).await?;
    let body = bench.paid("locked-invoice", 8_500, Some(&reference));
    let settings = bench.settings(Mode::A)?;
    let rest = async || bench.rest(&body, &settings).await;
    let verdict = locked(bench, bench.days_ago(5), rest).await?;
    ensure!(matches!(verdict, Verdict::Booked(..)), "it rests as {verdict:?}");
    bench.must_be_paid(invoice).await
}

async fn locked_today(bench: &Bench) -> Result<()> {
    bench.order("today", 8_600).await?;
    let draft = bench.order("today-draft", 8_700).await?;
    bench.draft(draft).await?;
    let body = bench.paid("today", 8_600, None);
    let settings = bench.settings(Mode::B)?;
    let rest = async || bench.rest(&body, &settings).await;
    // Tomorrow here may be today in UTC, by which an administrator without a time zone dates.
    let outcome = locked(bench, bench.days_ago(-1), rest).await;
    if bench.series == 17 {
        let refused = outcome.as_ref().err().map(|error| format!("{error:#}"));
        ensure!(
            refused.is_some_and(|why| why.contains("unposted entries")),
            "17 let a draft be locked in: {outcome:?}"
        );
        return Ok(());
    }
    let verdict = outcome?;
    ensure!(matches!(verdict, Verdict::Booked(..)), "it rests as {verdict:?}");
    Ok(())
}

/// 17 moves both dates to today, 18 and 19 only the entry's (`odoo-api-2.md` 4.3).
async fn locked_period(bench: &Bench) -> Result<()> {
    let id = bench.order("period", 8_400).await?;
    let order = bench.see_order("period").await?;
    let book = bench.book("period", &order, 8_400);
    let outcome = locked(bench, bench.days_ago(1), async || bench.perform(&book).await).await;
    let booking = booked(outcome?)?;
    let expected = if bench.series == 17 { bench.today() } else { bench.day() };
    same("the payment's date", booking.date, Some(expected))?;
    let domain = json!([["name", "=", booking.payment], ["company_id", "=", bench.company]]);
    let rows = bench.office.rows("account.payment", domain, &["move_id"]).await?;
    let entry = rows[0]["move_id"][0].as_i64().unwrap_or_default();
    let entry = bench.office.read("account.move", entry, &["date", "state"]).await?;
    same(
        "the entry",
        (&entry["date"], &entry["state"]),
        (&json!(bench.today().to_string()), &json!("posted")),
    )?;
    same("the payments", bench.payments_of(id).await?, 1)
}
