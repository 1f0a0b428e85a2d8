//! Mode B: payments booked for the orders of a shop.

use anyhow::{Result, bail, ensure};
use concilia_shared::config::{Mode, QuotationPolicy};
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::decide::Verdict;
use concilia_worker::domain::reason::{ParkReason, PendingReason};
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::expect::{already, booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "order-invoiced",
        invoiced,
        "A payment of an invoiced order is booked once and pays the invoice"
    ),
    case!(
        "order-without-invoice",
        without_invoice,
        "An order without an invoice gets a credit, and its invoice is paid when posted"
    ),
    case!("order-two-invoices", two_invoices, "One payment pays both invoices of an order"),
    case!(
        "order-part-of-two",
        part_of_two,
        "A payment of less than two invoices ask for is parked"
    ),
    case!(
        "order-draft-invoice",
        draft_invoice,
        "A draft invoice is left alone, and completed when it is posted"
    ),
    case!(
        "order-quotation-left",
        quotation_left,
        "A paid quotation is booked and stays a quotation"
    ),
    case!(
        "order-quotation-confirmed",
        quotation_confirmed,
        "By setting a paid quotation becomes an order, without a mail"
    ),
    case!(
        "order-expired",
        expired,
        "A quotation past its validity is booked and confirmed by setting"
    ),
    case!(
        "order-cancelled",
        cancelled,
        "A payment of a cancelled order is parked, and never booked"
    ),
    case!("order-locked", locked, "A locked order is booked"),
    case!("order-raised", raised, "An order raised after paying leaves its invoice paid in part"),
    case!("order-lowered", lowered, "An order lowered after paying leaves a credit"),
    case!("order-fences", fences, "What is not as it was decided upon is refused, name by name"),
    case!("order-ambiguous", ambiguous, "Two orders of one reference are parked, with both names"),
    case!("order-nowhere", nowhere, "A payment of no order waits"),
    case!(
        "order-date",
        date,
        "A payment late in the Chilean evening is dated that day, not the next"
    ),
    case!("order-rounding", rounding, "Pesos are whole: an order of 2.5 pesos is one of 3"),
];

async fn invoiced(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("invoiced", 15_990).await?;
    let seen = bench.look(bench.lookup("invoiced")).await?;
    ensure!(seen.booked.is_none() && seen.transactions.is_empty(), "something is booked already");
    ensure!(
        seen.probes[1].unknown_field && !seen.probes[0].unknown_field,
        "fields are not told apart"
    );
    let order = bench.see_order("invoiced").await?;
    same(
        "total, state and currency",
        (&*order.total, &*order.state, &*order.currency),
        ("15990", "sale", "CLP"),
    )?;
    same("the invoice", (&*order.invoices[0].residual, order.invoices[0].payments), ("15990", 0))?;

    let book = bench.book("invoiced", &order, 15_990);
    let booking = booked(bench.perform(&book).await?)?;
    same("the amount", booking.amount, Money::new(15_990, Currency::Clp))?;
    same("the date", booking.date, Some(bench.day()))?;
    same("the orders", &booking.orders, &[order.name.clone()].to_vec())?;
    ensure!(booking.payment.is_some(), "there is no payment");
    same("what is left of the invoice", &*booking.invoices[0].residual, "0")?;
    bench.must_be_paid(invoice).await?;

    same("what stands there", already(bench.perform(&book).await?)?, booking.clone())?;
    let seen = bench.look(bench.lookup("invoiced")).await?;
    same("what is booked", seen.booked.as_ref(), Some(&booking))?;
    same("its company", seen.booked_company_id, Some(bench.company))?;
    same("its state", seen.booked_state.as_deref(), Some("done"))
}

async fn without_invoice(bench: &Bench) -> Result<()> {
    let order = bench.order("credit", 9_990).await?;
    let seen = bench.see_order("credit").await?;
    let booking = booked(bench.perform(&bench.book("credit", &seen, 9_990)).await?)?;
    same("the credit", booking.credit.as_deref(), Some("9990"))?;
    let invoice = bench.invoice(order).await?;
    bench.must_be_paid(invoice).await
}

/// An order of 1000 with a down payment of 400 and the rest, both posted.
async fn order_of_two(bench: &Bench, case: &str) -> Result<(i64, i64)> {
    let order = bench.order(case, 1_000).await?;
    let first = bench.down_payment(order, 400).await?;
    bench.post(first).await?;
    Ok((first, bench.invoice(order).await?))
}

async fn two_invoices(bench: &Bench) -> Result<()> {
    let (first, second) = order_of_two(bench, "two").await?;
    let order = bench.see_order("two").await?;
    let mut residuals: Vec<&str> = order.invoices.iter().map(|one| &*one.residual).collect();
    residuals.sort_unstable();
    same("what is left of the two", residuals, ["400", "600"])?;
    let booking = booked(bench.perform(&bench.book("two", &order, 1_000)).await?)?;
    same("the credit", booking.credit.as_deref(), Some("0"))?;
    bench.must_be_paid(first).await?;
    bench.must_be_paid(second).await
}

async fn part_of_two(bench: &Bench) -> Result<()> {
    order_of_two(bench, "part").await?;
    let verdict = bench.rest(&bench.paid("part", 700, None), &bench.settings(Mode::B)?).await?;
    let Verdict::Parked(ParkReason::AmountMismatch { expected, .. }) = verdict else {
        bail!("it rests as {verdict:?}")
    };
    same("what was expected", &*expected, "1000")
}

async fn draft_invoice(bench: &Bench) -> Result<()> {
    let order = bench.order("draft", 2_222).await?;
    let invoice = bench.draft(order).await?;
    let verdict = bench.rest(&bench.paid("draft", 2_222, None), &bench.settings(Mode::B)?).await?;
    let Verdict::Booked(booking, ..) = verdict else { bail!("it rests as {verdict:?}") };
    same("the credit", booking.credit.as_deref(), Some("2222"))?;
    let state = bench.office.read("account.move", invoice, &["state"]).await?;
    same("the invoice", &state["state"], &json!("draft"))
}

async fn quotation_left(bench: &Bench) -> Result<()> {
    let id = bench.quotation("left", 5_550).await?;
    let verdict = bench.rest(&bench.paid("left", 5_550, None), &bench.settings(Mode::B)?).await?;
    ensure!(matches!(verdict, Verdict::Booked(..)), "it rests as {verdict:?}");
    let state = bench.office.read("sale.order", id, &["state"]).await?;
    same("the order", &state["state"], &json!("draft"))
}

async fn quotation_confirmed(bench: &Bench) -> Result<()> {
    let id = bench.quotation("confirmed", 5_560).await?;
    let settings = bench.settings(Mode::B)?;
    let settings = concilia_worker::domain::settings::Settings {
        quotations: QuotationPolicy::Confirm,
        ..settings
    };
    let verdict = bench.rest(&bench.paid("confirmed", 5_560, None), &settings).await?;
    ensure!(matches!(verdict, Verdict::Booked(..)), "it rests as {verdict:?}");
    let state = bench.office.read("sale.order", id, &["state"]).await?;
    same("the order", &state["state"], &json!("sale"))?;
    let invoice = bench.invoice(id).await?;
    bench.must_be_paid(invoice).await?;
    let domain = json!([
        ["model", "=", "sale.order"],
        ["res_id", "=", id],
        ["message_type", "=", "email_outgoing"]
    ]);
    let mails = bench.office.rows("mail.message", domain, &["id"]).await?;
    same("the mails to the customer", mails.len(), 0)
}

async fn expired(bench: &Bench) -> Result<()> {
    let id = bench.quotation("expired", 5_570).await?;
    let past = bench.days_ago(10).to_string();
    bench.office.write("sale.order", id, json!({"validity_date": past})).await?;
    let order = bench.see_order("expired").await?;
    let mut book = bench.book_of("expired", &order, 5_570);
    book.confirm = true;
    booked(bench.perform(&concilia_worker::domain::observe::Command::Book(Box::new(book))).await?)?;
    let state = bench.office.read("sale.order", id, &["state"]).await?;
    same("the order", &state["state"], &json!("sale"))
}

async fn cancelled(bench: &Bench) -> Result<()> {
    let id = bench.order("cancelled", 6_660).await?;
    let order = bench.see_order("cancelled").await?;
    bench.office.write("sale.order", id, json!({"state": "cancel"})).await?;
    let verdict =
        bench.rest(&bench.paid("cancelled", 6_660, None), &bench.settings(Mode::B)?).await?;
    ensure!(
        matches!(&verdict, Verdict::Parked(ParkReason::OrderCancelled { order: name }) if *name == order.name),
        "it rests as {verdict:?}"
    );
    changed(&bench.perform(&bench.book("cancelled", &order, 6_660)).await?, "order_state")
}

async fn locked(bench: &Bench) -> Result<()> {
    let id = bench.order("locked", 7_770).await?;
    bench.office.write("sale.order", id, json!({"locked": true})).await?;
    let verdict = bench.rest(&bench.paid("locked", 7_770, None), &bench.settings(Mode::B)?).await?;
    ensure!(matches!(verdict, Verdict::Booked(..)), "it rests as {verdict:?}");
    Ok(())
}

/// Writes another price into the one line of an order.
async fn reprice(bench: &Bench, order: i64, pesos: i64) -> Result<()> {
    let row = bench.office.read("sale.order", order, &["order_line"]).await?;
    let line = row["order_line"][0].as_i64().unwrap_or_default();
    bench.office.write("sale.order.line", line, json!({"price_unit": pesos})).await
}

async fn raised(bench: &Bench) -> Result<()> {
    let id = bench.order("raised", 1_000).await?;
    let order = bench.see_order("raised").await?;
    booked(bench.perform(&bench.book("raised", &order, 1_000)).await?)?;
    reprice(bench, id, 1_500).await?;
    let invoice = bench.invoice(id).await?;
    same("the invoice", bench.paid_state(invoice).await?, ("partial".to_owned(), 500.0))
}

async fn lowered(bench: &Bench) -> Result<()> {
    let id = bench.order("lowered", 1_000).await?;
    let order = bench.see_order("lowered").await?;
    booked(bench.perform(&bench.book("lowered", &order, 1_000)).await?)?;
    reprice(bench, id, 800).await?;
    let invoice = bench.invoice(id).await?;
    bench.must_be_paid(invoice).await?;
    let seen = bench.look(bench.lookup("lowered")).await?;
    let credit = seen.booked.and_then(|booking| booking.credit);
    same("the credit", credit.as_deref(), Some("200"))
}

async fn fences(bench: &Bench) -> Result<()> {
    bench.order("fences", 5_000).await?;
    let order = bench.see_order("fences").await?;
    let renamed =
        concilia_worker::domain::observe::Order { name: "S-other".to_owned(), ..order.clone() };
    let other = bench.perform(&bench.book("fences", &renamed, 5_000)).await?;
    changed(&other, "order_name")?;
    let mut dollars = bench.book_of("fences", &order, 5_000);
    "USD".clone_into(&mut dollars.currency);
    let command = concilia_worker::domain::observe::Command::Book(Box::new(dollars));
    changed(&bench.perform(&command).await?, "currency")?;
    refused(bench.perform(&bench.book("fences", &order, 0)).await?, "amount")?;
    refused(bench.perform(&bench.book("fences", &order, 5_001)).await?, "above_document")?;
    // One that was invoiced since.
    let id = order.id;
    bench.invoice(id).await?;
    changed(&bench.perform(&bench.book("fences", &order, 5_000)).await?, "invoices")
}

async fn ambiguous(bench: &Bench) -> Result<()> {
    bench.order("ambiguous", 1_010).await?;
    bench.order("ambiguous", 1_010).await?;
    let verdict =
        bench.rest(&bench.paid("ambiguous", 1_010, None), &bench.settings(Mode::B)?).await?;
    let Verdict::Parked(ParkReason::Ambiguous { orders, .. }) = verdict else {
        bail!("it rests as {verdict:?}")
    };
    same("the orders", orders.len(), 2)
}

async fn nowhere(bench: &Bench) -> Result<()> {
    let verdict =
        bench.rest(&bench.paid("nowhere", 1_020, None), &bench.settings(Mode::B)?).await?;
    ensure!(
        matches!(verdict, Verdict::Pending(PendingReason::NoMatch { .. })),
        "it rests as {verdict:?}"
    );
    let verdict = bench
        .rest(&bench.paid("nowhere", 1_020, Some("no such")), &bench.settings(Mode::A)?)
        .await?;
    ensure!(
        matches!(verdict, Verdict::Pending(PendingReason::NoTransaction { .. })),
        "it rests as {verdict:?}"
    );
    Ok(())
}

async fn date(bench: &Bench) -> Result<()> {
    bench.order("date", 1_030).await?;
    let mut body = bench.paid("date", 1_030, None);
    // Half past two in UTC: still the evening before in Chile, in summer and in winter.
    body["data"]["paid_at"] = json!(format!("{}T02:30:00Z", bench.day()));
    let verdict = bench.rest(&body, &bench.settings(Mode::B)?).await?;
    let Verdict::Booked(booking, ..) = verdict else { bail!("it rests as {verdict:?}") };
    same("the date", booking.date, Some(bench.days_ago(4)))?;
    let domain = json!([["name", "=", booking.payment], ["company_id", "=", bench.company]]);
    let rows = bench.office.rows("account.payment", domain, &["date"]).await?;
    same("the payment's date", &rows[0]["date"], &json!(bench.days_ago(4).to_string()))
}

async fn rounding(bench: &Bench) -> Result<()> {
    let id = bench.quotation_with(&bench.office, "rounding", json!(2.5), json!({})).await?;
    bench.office.press("sale.order", "action_confirm", id).await?;
    let order = bench.see_order("rounding").await?;
    same("the total", &*order.total, "3")?;
    let invoice = bench.invoice(id).await?;
    let order = bench.see_order("rounding").await?;
    booked(bench.perform(&bench.book("rounding", &order, 3)).await?)?;
    bench.must_be_paid(invoice).await
}
