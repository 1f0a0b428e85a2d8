//! One payment told under several names, payments that failed, and customer invoices paid.

use anyhow::{Result, ensure};
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{Accepted, Book, Command, Lookup, Outcome, PayInvoice};
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::expect::{already, booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "names-several",
        several,
        "A payment of several names is booked once, whichever name tells it again"
    ),
    case!(
        "names-confirm",
        confirm,
        "A portal payment confirmed under one name is found under the others"
    ),
    case!(
        "charge-failed",
        failed,
        "A failed payment sets its transaction to error, with the reason, and can still be paid"
    ),
    case!("charge-failed-done", failed_done, "A payment that is done is not set to error"),
    case!("pay-invoice", pay_invoice, "A customer invoice is paid once, and not when it changed"),
];

/// A booking of a case under these names.
async fn book_as(bench: &Bench, case: &str, names: &[PaymentName], pesos: i64) -> Result<Command> {
    let order = bench.see_order(case).await?;
    let book = Book { names: names.to_vec(), ..bench.book_of(case, &order, pesos) };
    Ok(Command::Book(Box::new(book)))
}

fn three(bench: &Bench, case: &str) -> Result<[PaymentName; 3]> {
    Ok([
        bench.payment(case),
        PaymentName::of_payment(&bench.object("pay", case)?),
        PaymentName::of_charge(&bench.object("ch", case)?),
    ])
}

async fn several(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("names", 4_000).await?;
    let [checkout, payment, charge] = three(bench, "names")?;
    let first = book_as(bench, "names", &[checkout.clone(), payment.clone()], 4_000).await?;
    let order = bench.see_order("names").await?;
    let booking = booked(bench.perform(&first).await?)?;
    bench.must_be_paid(invoice).await?;
    for names in [vec![payment.clone()], vec![charge, checkout], vec![payment]] {
        let again = Book { names, ..bench.book_of("names", &order, 4_000) };
        let found = already(bench.perform(&Command::Book(Box::new(again))).await?)?;
        same("the transaction", &found.transaction, &booking.transaction)?;
    }
    same("the payments", bench.payments_of(id).await?, 1)
}

async fn confirm(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("names-a", 4_100).await?;
    let reference = bench.portal("account.move", invoice, json!(4_100)).await?;
    let found = bench.candidate("names-a", &reference).await?;
    let Command::Confirm(mut confirm) = bench.confirm("names-a", &found, 4_100) else {
        unreachable!()
    };
    let names = three(bench, "names-a")?;
    confirm.names = names.to_vec();
    let booking = booked(bench.perform(&Command::Confirm(confirm)).await?)?;
    for name in names {
        let seen = bench.look(Lookup { names: vec![name.clone()], ..Lookup::default() }).await?;
        ensure!(
            seen.booked.as_ref().is_some_and(|found| found.transaction == booking.transaction),
            "{name} does not find it"
        );
    }
    Ok(())
}

async fn failed(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("failed", 4_200).await?;
    let reference = bench.portal("account.move", invoice, json!(4_200)).await?;
    let found = bench.candidate("failed", &reference).await?;
    let Command::Cancel(mut cancel) = bench.cancel("failed", found.id, &reference, "draft") else {
        unreachable!()
    };
    "The card was declined.".clone_into(&mut cancel.message);
    let fail = Command::Fail(cancel);
    let told = Outcome::Failed { transaction: reference.clone() };
    same("the first answer", bench.perform(&fail).await?, told.clone())?;
    same("the second answer", bench.perform(&fail).await?, told)?;
    let row = bench.transaction(&reference).await?;
    same("the state", &row["state"], &json!("error"))?;
    let message = row["state_message"].as_str().unwrap_or_default();
    ensure!(message.contains("The card was declined."), "the message is {message:?}");
    let again = bench.candidate("failed", &reference).await?;
    booked(bench.perform(&bench.confirm("failed", &again, 4_200)).await?)?;
    bench.must_be_paid(invoice).await
}

async fn failed_done(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("failed-done", 4_300).await?;
    let reference = bench.portal("account.move", invoice, json!(4_300)).await?;
    let found = bench.candidate("failed-done", &reference).await?;
    booked(bench.perform(&bench.confirm("failed-done", &found, 4_300)).await?)?;
    let Command::Cancel(mut cancel) = bench.cancel("failed-done", found.id, &reference, "draft")
    else {
        unreachable!()
    };
    // Of another payment than the one that was confirmed.
    cancel.name = bench.payment("failed-other");
    changed(&bench.perform(&Command::Fail(cancel)).await?, "transaction_done")
}

async fn pay_invoice(bench: &Bench) -> Result<()> {
    let pesos = bench.office.first("res.currency", json!([["name", "=", "CLP"]])).await?;
    let id = bench.loose_invoice(pesos, json!(4_400), bench.today()).await?;
    let name = bench.office.read("account.move", id, &["name"]).await?;
    let name = name["name"].as_str().unwrap_or_default().to_owned();
    let probe = concilia_worker::domain::observe::Probe {
        path: "external_id".to_owned(),
        field: "name".to_owned(),
        value: name,
    };
    let lookup = Lookup {
        names: vec![bench.payment("pay")],
        invoice_probes: vec![probe],
        ..Lookup::default()
    };
    let seen = bench.look(lookup).await?;
    let invoices = seen.invoices.first().map(|found| found.invoices.clone()).unwrap_or_default();
    let [(invoice, transactions)] = &invoices[..] else {
        anyhow::bail!("the bot sees {} invoices of that name", invoices.len())
    };
    same("the invoice", (invoice.id, transactions.len()), (id, 0))?;
    let pay = |case: &str, residual: &str| {
        let mut invoice = invoice.clone();
        residual.clone_into(&mut invoice.residual);
        Command::PayInvoice(Box::new(PayInvoice {
            names: vec![bench.payment(case)],
            amount: concilia_shared::money::Money::new(
                4_400,
                concilia_shared::money::Currency::Clp,
            ),
            date: bench.day(),
            currency: "CLP".to_owned(),
            invoice,
            accepted: Accepted::default(),
        }))
    };
    let other = bench.perform(&pay("pay", "4300")).await?;
    ensure!(matches!(other, Outcome::Changed { .. }), "the answer is {other:?}");
    let booking = booked(bench.perform(&pay("pay", "4400")).await?)?;
    same("the date", booking.date, Some(bench.day()))?;
    already(bench.perform(&pay("pay", "4400")).await?)?;
    bench.must_be_paid(id).await?;
    let second = bench.perform(&pay("pay-again", "4400")).await?;
    ensure!(matches!(second, Outcome::Changed { .. }), "a second payment is told {second:?}");
    let mut above = pay("pay-above", "0");
    if let Command::PayInvoice(pay) = &mut above {
        "paid".clone_into(&mut pay.invoice.payment_state);
    }
    let outcome = bench.perform(&above).await?;
    if let Outcome::Changed { .. } = outcome {
        return Ok(());
    }
    refused(outcome, "above_document").map(drop)
}
