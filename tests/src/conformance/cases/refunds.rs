//! Money that goes back (`odoo-api-2.md` 1.3): each part once, and somebody is told.

use anyhow::{Result, anyhow, bail, ensure};
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::event::RefundBooking;
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{Command, Outcome, Refund};
use concilia_worker::odoo::Odoo as _;
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::{booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "refund-full",
        full,
        "A full refund is entered once, as an outbound payment, and shown on order and invoice"
    ),
    case!(
        "refund-several",
        several,
        "Refunds of 400 and 600 of 1000 are entered one after the other"
    ),
    case!("refund-over", over, "More than is left of the payment is refused"),
    case!(
        "refund-stale",
        stale,
        "A refund decided upon before another one is a change, and enters nothing"
    ),
    case!("refund-race", race, "Eight refunds of 600 of 1000 at once enter one"),
    case!("refund-not-booked", not_booked, "A refund of what is not booked is a change"),
    case!(
        "refund-no-invoice",
        no_invoice,
        "A refunded order without an invoice leaves no credit for its later invoice"
    ),
    case!(
        "refund-draft-note",
        draft_note,
        "By setting a draft credit note of just the refund is made, and never posted"
    ),
    case!(
        "refund-note-posted",
        note_posted,
        "A refund whose credit note is posted already pays the credit note"
    ),
    case!(
        "refund-activity",
        activity,
        "Without a draft every accounting manager is told once to issue the credit note"
    ),
    case!(
        "refund-after-close",
        dispute_lost,
        "What a lost dispute took back is entered under the dispute's own name, once"
    ),
];

fn pesos(minor: i64) -> Money {
    Money::new(minor, Currency::Clp)
}

fn refund_of(bench: &Bench, case: &str, after: i64, amount: i64) -> Refund {
    let of = bench.payment(case);
    Refund {
        name: of.refund_after(pesos(after)),
        of: vec![of],
        after: pesos(after),
        amount: pesos(amount),
        date: bench.today(),
        currency: "CLP".to_owned(),
        draft_credit_note: false,
        dispute: None,
    }
}

async fn refund(bench: &Bench, case: &str, after: i64, amount: i64) -> Result<Outcome> {
    bench.perform(&Command::Refund(Box::new(refund_of(bench, case, after, amount)))).await
}

fn refunded(outcome: Outcome) -> Result<RefundBooking> {
    match outcome {
        Outcome::Refunded(refund, _) => Ok(refund),
        other => Err(anyhow!("it was not refunded: {other:?}")),
    }
}

/// An invoiced order, paid: order and invoice.
async fn paid(bench: &Bench, case: &str, total: i64) -> Result<(i64, i64)> {
    let (order, invoice) = bench.invoiced(case, total).await?;
    let seen = bench.see_order(case).await?;
    booked(bench.perform(&bench.book(case, &seen, total)).await?)?;
    Ok((order, invoice))
}

/// The outbound payments of a case's payment: amounts and whether they are open.
async fn outbound(bench: &Bench, names: &[String]) -> Result<Vec<Value>> {
    let domain = json!([["payment_transaction_id.reference", "in", names]]);
    let fields = ["amount", "payment_type", "is_reconciled", "date"];
    bench.office.rows("account.payment", domain, &fields).await
}

async fn full(bench: &Bench) -> Result<()> {
    let (order, invoice) = paid(bench, "refund", 5_000).await?;
    let entered = refunded(refund(bench, "refund", 0, 5_000).await?)?;
    same("what went back", (entered.amount, entered.refunded), (pesos(5_000), pesos(5_000)))?;
    same("the date", entered.date, Some(bench.today()))?;
    ensure!(entered.payment.is_some(), "there is no payment");
    let again = refunded(refund(bench, "refund", 0, 5_000).await?)?;
    same("the second answer", &again.transaction, &entered.transaction)?;
    let rows = outbound(bench, std::slice::from_ref(&entered.transaction)).await?;
    same("the payments", rows.len(), 1)?;
    same(
        "its kind",
        (&rows[0]["payment_type"], &rows[0]["amount"]),
        (&json!("outbound"), &json!(5000.0)),
    )?;
    let seen = bench.look(bench.lookup("refund")).await?;
    same("what is seen", seen.refunded(Currency::Clp), Some(pesos(5_000)))?;
    bench.must_be_paid(invoice).await?;
    let linked = bench.office.read("sale.order", order, &["transaction_ids"]).await?;
    let domain = json!([["reference", "=", entered.transaction]]);
    let child = bench.office.first("payment.transaction", domain).await?;
    let shown = linked["transaction_ids"].as_array().is_some_and(|all| all.contains(&json!(child)));
    ensure!(shown, "the order does not show the refund");
    let row = bench
        .office
        .read("payment.transaction", child, &["operation", "amount", "source_transaction_id"])
        .await?;
    same(
        "operation and amount",
        (&row["operation"], &row["amount"]),
        (&json!("refund"), &json!(-5000.0)),
    )
}

async fn several(bench: &Bench) -> Result<()> {
    paid(bench, "several", 1_000).await?;
    let first = refunded(refund(bench, "several", 0, 400).await?)?;
    let second = refunded(refund(bench, "several", 400, 600).await?)?;
    same("what went back in all", second.refunded, pesos(1_000))?;
    let rows = outbound(bench, &[first.transaction, second.transaction]).await?;
    same("the payments", rows.len(), 2)?;
    let seen = bench.look(bench.lookup("several")).await?;
    let amounts: Vec<&str> = seen.refunds.iter().map(|one| &*one.amount).collect();
    same("what is seen", amounts, ["400", "600"])
}

async fn over(bench: &Bench) -> Result<()> {
    paid(bench, "over", 1_000).await?;
    refunded(refund(bench, "over", 0, 400).await?)?;
    refused(refund(bench, "over", 400, 601).await?, "above_payment")?;
    let seen = bench.look(bench.lookup("over")).await?;
    same("what went back", seen.refunded(Currency::Clp), Some(pesos(400)))
}

async fn stale(bench: &Bench) -> Result<()> {
    paid(bench, "stale", 1_000).await?;
    refunded(refund(bench, "stale", 0, 400).await?)?;
    let mut late = refund_of(bench, "stale", 0, 1_000);
    late.name = bench.payment("stale").refund_after(pesos(1));
    changed(&bench.perform(&Command::Refund(Box::new(late))).await?, "refunds")
}

async fn race(bench: &Bench) -> Result<()> {
    paid(bench, "refund-race", 1_000).await?;
    let command = Command::Refund(Box::new(refund_of(bench, "refund-race", 0, 600)));
    let tries = (0..8).map(|_| bench.client.perform(std::slice::from_ref(&command)));
    for outcome in futures_util::future::join_all(tries).await.into_iter().flatten() {
        match outcome.first() {
            Some(Outcome::Refunded(..) | Outcome::Again | Outcome::Changed { .. }) => {}
            other => bail!("a loser of the race is told {other:?}"),
        }
    }
    let entered = refunded(bench.perform(&command).await?)?;
    same("what went back", entered.refunded, pesos(600))?;
    same("the payments", outbound(bench, &[entered.transaction]).await?.len(), 1)
}

async fn not_booked(bench: &Bench) -> Result<()> {
    changed(&refund(bench, "never", 0, 400).await?, "not_booked")
}

async fn no_invoice(bench: &Bench) -> Result<()> {
    let order = bench.order("bare", 2_000).await?;
    let seen = bench.see_order("bare").await?;
    booked(bench.perform(&bench.book("bare", &seen, 2_000)).await?)?;
    refunded(refund(bench, "bare", 0, 2_000).await?)?;
    let seen = bench.look(bench.lookup("bare")).await?;
    let credit = seen.booked.and_then(|booking| booking.credit);
    same("the credit", credit.as_deref(), Some("0"))?;
    let invoice = bench.invoice(order).await?;
    same("the later invoice", bench.paid_state(invoice).await?, ("not_paid".to_owned(), 2_000.0))
}

/// Credit notes of an invoice.
async fn notes(bench: &Bench, invoice: i64) -> Result<Vec<Value>> {
    let domain = json!([["reversed_entry_id", "=", invoice]]);
    bench
        .office
        .rows("account.move", domain, &["state", "amount_total", "move_type", "payment_state"])
        .await
}

async fn draft_note(bench: &Bench) -> Result<()> {
    let (_, invoice) = paid(bench, "note-draft", 3_000).await?;
    let mut command = refund_of(bench, "note-draft", 0, 1_200);
    command.draft_credit_note = true;
    let command = Command::Refund(Box::new(command));
    refunded(bench.perform(&command).await?)?;
    refunded(bench.perform(&command).await?)?;
    let notes = notes(bench, invoice).await?;
    same("the credit notes", notes.len(), 1)?;
    same(
        "state, kind and total",
        (&notes[0]["state"], &notes[0]["move_type"], &notes[0]["amount_total"]),
        (&json!("draft"), &json!("out_refund"), &json!(1200.0)),
    )?;
    bench.must_be_paid(invoice).await
}

async fn note_posted(bench: &Bench) -> Result<()> {
    let (_, invoice) = paid(bench, "note-posted", 3_100).await?;
    let note = bench.credit_note(invoice).await?;
    refunded(refund(bench, "note-posted", 0, 3_100).await?)?;
    bench.must_be_paid(note).await?;
    bench.must_be_paid(invoice).await
}

async fn activity(bench: &Bench) -> Result<()> {
    let manager = bench.manager().await?;
    let (_, invoice) = paid(bench, "told", 3_200).await?;
    refunded(refund(bench, "told", 0, 1_000).await?)?;
    refunded(refund(bench, "told", 0, 1_000).await?)?;
    let told = bench.activities("account.move", invoice).await?;
    let ours = told.iter().filter(|row| row["user_id"][0] == json!(manager)).count();
    same("the manager's activities", ours, 1)?;
    let mut users: Vec<String> = told.iter().map(|row| row["user_id"][0].to_string()).collect();
    let all = users.len();
    users.sort();
    users.dedup();
    same("the people told", users.len(), all)?;
    same("the credit notes", notes(bench, invoice).await?.len(), 0)
}

async fn dispute_lost(bench: &Bench) -> Result<()> {
    paid(bench, "lost", 3_300).await?;
    let dispute = bench.object("dp", "lost")?;
    let mut command = refund_of(bench, "lost", 0, 3_300);
    command.name = PaymentName::lost_dispute(&bench.payment("lost"), &dispute);
    command.dispute = Some(dispute);
    let command = Command::Refund(Box::new(command));
    let first = refunded(bench.perform(&command).await?)?;
    let second = refunded(bench.perform(&command).await?)?;
    same("the transaction", &second.transaction, &first.transaction)?;
    same("the payments", outbound(bench, &[first.transaction]).await?.len(), 1)
}
