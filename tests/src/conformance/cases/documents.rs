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
    case!(
        "invoice-cancelled-linked",
        cancelled_linked,
        "A transaction on a cancelled invoice is parked: 19 would leave its payment beside it"
    ),
    case!(
        "invoice-early-discount",
        early_discount,
        "Less by the early-payment discount is parked; accepted, 17 leaves the discount open"
    ),
];

async fn rest_of(bench: &Bench, case: &str, pesos: i64) -> Result<Verdict> {
    bench.rest(&bench.paid(case, pesos, None), &bench.settings(Mode::B)?).await
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
    already_paid(&bench.rest(&second, &bench.settings(Mode::B)?).await?)?;
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

async fn cancelled_linked(bench: &Bench) -> Result<()> {
    let id = bench.order("void-linked", 3_900).await?;
    let invoice = bench.draft(id).await?;
    let pesos = bench.office.first("res.currency", json!([["name", "=", "CLP"]])).await?;
    let reference =
        bench.transaction_by_hand("void-linked", pesos, json!(3_900), Some(invoice)).await?;
    bench.office.press("account.move", "button_cancel", invoice).await?;
    let body = bench.paid("void-linked", 3_900, Some(&reference));
    let verdict = bench.rest(&body, &bench.settings(Mode::A)?).await?;
    ensure!(
        matches!(verdict, Verdict::Parked(ParkReason::InvoiceNotPosted { .. })),
        "it rests as {verdict:?}"
    );
    let found = bench.candidate("void-linked", &reference).await?;
    changed(&bench.perform(&bench.confirm("void-linked", &found, 3_900)).await?, "invoices")
}

/// A tenth off for whoever pays within ten days (`odoo-api-2.md` 4.1).
async fn early_discount(bench: &Bench) -> Result<()> {
    let line = json!({"value": "percent", "value_amount": 100, "nb_days": 30});
    let term = json!({
        "name": format!("Conformance {}", bench.run), "early_discount": true,
        "discount_percentage": 10, "discount_days": 10, "line_ids": [[5], [0, 0, line]],
    });
    let term = bench.office.create("account.payment.term", term).await?;
    let further = json!({"payment_term_id": term});
    let quotation = bench.quotation_with(&bench.office, "discount", json!(1_000), further).await?;
    bench.office.press("sale.order", "action_confirm", quotation).await?;
    let invoice = bench.invoice(quotation).await?;
    let verdict = rest_of(bench, "discount", 900).await?;
    ensure!(
        matches!(verdict, Verdict::Parked(ParkReason::AmountMismatch { .. })),
        "it rests as {verdict:?}"
    );
    let order = bench.see_order("discount").await?;
    let mut book = bench.book_of("discount", &order, 900);
    book.accepted = Accepted { amount: true, paid: false };
    book.date = bench.today();
    booked(bench.perform(&Command::Book(Box::new(book))).await?)?;
    if bench.series == 17 {
        same("the invoice", bench.paid_state(invoice).await?, ("partial".to_owned(), 100.0))
    } else {
        bench.must_be_paid(invoice).await
    }
}
