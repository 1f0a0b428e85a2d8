//! Invoices in every state a payment may meet (`odoo-api-2.md` 4.1), with the answer each gets.

use anyhow::{Result, bail, ensure};
use concilia_shared::config::Mode;
use concilia_worker::domain::decide::Verdict;
use concilia_worker::domain::observe::{Accepted, Command};
use concilia_worker::domain::reason::ParkReason;
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::expect::{booked, changed, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "invoice-paid-by-hand",
        paid_by_hand,
        "An invoice paid by hand is parked; accepted, the payment is a credit"
    ),
    case!("invoice-paid-in-part", paid_in_part, "An invoice paid in part by hand is parked"),
    case!("invoice-paid-by-us", paid_by_us, "A second payment of an order that is paid is parked"),
    case!(
        "invoice-paid-meanwhile",
        paid_meanwhile,
        "An invoice paid between looking and booking is a change, and nothing is booked"
    ),
    case!(
        "invoice-cancelled",
        cancelled,
        "A cancelled invoice is not paid: the payment is a credit"
    ),
    case!(
        "invoice-reversed",
        reversed,
        "An invoice with a credit note is parked: nothing is left to pay"
    ),
    case!(
        "invoice-back-to-draft",
        back_to_draft,
        "An invoice set back to draft between looking and booking is a change"
    ),
    case!(
        "invoice-partial-accepted",
        partial_accepted,
        "Less than the invoice asks for, accepted, pays it in part"
    ),
    case!("invoice-credit-note-left", credit_note_left, "A credit note of the order is not paid"),
];

async fn rest_of(bench: &Bench, case: &str, pesos: i64) -> Result<Verdict> {
    bench.rest(&bench.paid(case, pesos, None), &bench.settings(Mode::B)).await
}

fn already_paid(verdict: &Verdict) -> Result<()> {
    let parked = matches!(verdict, Verdict::Parked(ParkReason::AlreadyPaid { .. }));
    ensure!(parked, "it rests as {verdict:?}");
    Ok(())
}

async fn paid_by_hand(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("by-hand", 3_000).await?;
    bench.pay_by_hand(invoice, None).await?;
    bench.must_be_paid(invoice).await?;
    already_paid(&rest_of(bench, "by-hand", 3_000).await?)?;
    let order = bench.see_order("by-hand").await?;
    same("payments of the invoice", order.invoices[0].payments, 1)?;
    let mut book = bench.book_of("by-hand", &order, 3_000);
    book.accepted = Accepted { amount: false, paid: true };
    let booking = booked(bench.perform(&Command::Book(Box::new(book))).await?)?;
    same("the credit", booking.credit.as_deref(), Some("3000"))
}

async fn paid_in_part(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("in-part", 3_100).await?;
    bench.pay_by_hand(invoice, Some(1_100)).await?;
    same("the invoice", bench.paid_state(invoice).await?, ("partial".to_owned(), 2_000.0))?;
    already_paid(&rest_of(bench, "in-part", 3_100).await?)
}

async fn paid_by_us(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("by-us", 3_200).await?;
    let first = rest_of(bench, "by-us", 3_200).await?;
    ensure!(matches!(first, Verdict::Booked(..)), "it rests as {first:?}");
    bench.must_be_paid(invoice).await?;
    let mut second = bench.paid("by-us-again", 3_200, None);
    second["data"]["external_id"] = json!(bench.reference("by-us"));
    already_paid(&bench.rest(&second, &bench.settings(Mode::B)).await?)?;
    let order = bench.see_order("by-us").await?;
    let again = bench.perform(&bench.book("by-us-again", &order, 3_200)).await?;
    changed(&again, "order_paid")?;
    same("the payments", bench.payments_of(id).await?, 1)
}

async fn paid_meanwhile(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("meanwhile", 3_300).await?;
    let order = bench.see_order("meanwhile").await?;
    bench.pay_by_hand(invoice, None).await?;
    changed(&bench.perform(&bench.book("meanwhile", &order, 3_300)).await?, "invoices")?;
    same("the payments of ours", bench.payments_of(id).await?, 0)
}

async fn cancelled(bench: &Bench) -> Result<()> {
    let id = bench.order("void", 3_400).await?;
    let invoice = bench.draft(id).await?;
    bench.office.press("account.move", "button_cancel", invoice).await?;
    let verdict = rest_of(bench, "void", 3_400).await?;
    let Verdict::Booked(booking, ..) = verdict else { bail!("it rests as {verdict:?}") };
    same("the credit", booking.credit.as_deref(), Some("3400"))
}

async fn reversed(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("reversed", 3_500).await?;
    bench.credit_note(invoice).await?;
    same("the invoice", bench.paid_state(invoice).await?, ("reversed".to_owned(), 0.0))?;
    already_paid(&rest_of(bench, "reversed", 3_500).await?)
}

async fn back_to_draft(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("back", 3_600).await?;
    let order = bench.see_order("back").await?;
    bench.office.press("account.move", "button_draft", invoice).await?;
    changed(&bench.perform(&bench.book("back", &order, 3_600)).await?, "invoices")?;
    same("the payments", bench.payments_of(id).await?, 0)
}

async fn partial_accepted(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("less", 3_700).await?;
    let order = bench.see_order("less").await?;
    let mut book = bench.book_of("less", &order, 3_000);
    book.accepted = Accepted { amount: true, paid: false };
    booked(bench.perform(&Command::Book(Box::new(book))).await?)?;
    same("the invoice", bench.paid_state(invoice).await?, ("partial".to_owned(), 700.0))
}

/// The credit note of a paid invoice stays open beside it; a second order's payment is none of
/// its business, and the order's own is parked.
async fn credit_note_left(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("note", 3_800).await?;
    let first = rest_of(bench, "note", 3_800).await?;
    ensure!(matches!(first, Verdict::Booked(..)), "it rests as {first:?}");
    let note = bench.credit_note(invoice).await?;
    same("the credit note", bench.paid_state(note).await?, ("not_paid".to_owned(), 3_800.0))?;
    bench.must_be_paid(invoice).await?;
    let order = bench.see_order("note").await?;
    let kinds: Vec<&str> = order.invoices.iter().map(|one| &*one.kind).collect();
    ensure!(kinds.contains(&"out_refund"), "the bot sees {kinds:?}");
    Ok(())
}
