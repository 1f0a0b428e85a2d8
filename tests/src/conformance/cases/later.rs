//! What comes after a booking: invoices posted later, and the news of what changed.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use concilia_worker::domain::observe::{Command, News, NewsQuery};
use concilia_worker::odoo::Odoo as _;
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::bench::FAR;
use crate::conformance::expect::{already, booked, changed, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "later-complete",
        complete,
        "A draft from before the payment, posted after it, gets the credit once"
    ),
    case!(
        "later-second-invoice",
        second_invoice,
        "A final invoice after a paid down payment gets the rest of the credit"
    ),
    case!(
        "later-news",
        news,
        "What changed is told once, by reference and by field, and narrowed by a domain"
    ),
];

async fn ask_news(bench: &Bench, fields: &[&str], domain: Option<String>) -> Result<News> {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let query = NewsQuery { since: bench.begun, fields, domain };
    Ok(bench.client.news(&query).await?)
}

async fn complete(bench: &Bench) -> Result<()> {
    let id = bench.order("complete", 9_000).await?;
    let invoice = bench.draft(id).await?;
    let order = bench.see_order("complete").await?;
    let booking = booked(bench.perform(&bench.book("complete", &order, 9_000)).await?)?;
    same(
        "credit and invoices",
        (booking.credit.as_deref(), booking.invoices.len()),
        (Some("9000"), 0),
    )?;
    let complete = Command::Complete { name: bench.payment("complete") };
    same("what stands there", already(bench.perform(&complete).await?)?, booking)?;
    let told = async || Ok::<_, anyhow::Error>(ask_news(bench, &[], None).await?.credits);
    ensure!(
        !told().await?.contains(&bench.payment("complete")),
        "a credit is told that nobody can take"
    );

    bench.post(invoice).await?;
    same("the posted invoice", bench.paid_state(invoice).await?.0, "not_paid")?;
    ensure!(told().await?.contains(&bench.payment("complete")), "the credit is not told");
    let booking = booked(bench.perform(&complete).await?)?;
    same("the credit", booking.credit.as_deref(), Some("0"))?;
    same("what is left of the invoice", &*booking.invoices[0].residual, "0")?;
    bench.must_be_paid(invoice).await?;
    same("what stands there", already(bench.perform(&complete).await?)?, booking)?;
    ensure!(
        !told().await?.contains(&bench.payment("complete")),
        "the credit is told though it is given"
    );
    let nobody = Command::Complete { name: bench.payment("nobody") };
    changed(&bench.perform(&nobody).await?, "not_booked")
}

/// 18 and 19 leave the final invoice unpaid when the payment's first invoice was paid in full;
/// 17 pays it (`odoo-api-2.md` 4.2). `complete` is the cure, and nothing to do on 17.
async fn second_invoice(bench: &Bench) -> Result<()> {
    let id = bench.order("final", 1_000).await?;
    let first = bench.down_payment(id, 300).await?;
    bench.post(first).await?;
    let order = bench.see_order("final").await?;
    let booking = booked(bench.perform(&bench.book("final", &order, 1_000)).await?)?;
    same("the credit", booking.credit.as_deref(), Some("700"))?;
    bench.must_be_paid(first).await?;
    let rest = bench.invoice(id).await?;
    let expected = if bench.series == 17 { "paid" } else { "not_paid" };
    same("the final invoice", &*bench.paid_state(rest).await?.0, expected)?;
    let complete = Command::Complete { name: bench.payment("final") };
    let outcome = bench.perform(&complete).await?;
    let booking = if bench.series == 17 { already(outcome)? } else { booked(outcome)? };
    same("the credit", booking.credit.as_deref(), Some("0"))?;
    bench.must_be_paid(rest).await
}

async fn news(bench: &Bench) -> Result<()> {
    let order = bench.order("news", 1_000).await?;
    bench.order("news-other", 1_000).await?;
    let reference = bench.portal("sale.order", order, json!(1_000)).await?;
    let fields = ["client_order_ref", "x_no_such_field"];
    let news = ask_news(bench, &fields, None).await?;
    let told: BTreeSet<&str> = news.values.iter().map(String::as_str).collect();
    ensure!(told.len() == news.values.len(), "something is told twice");
    for value in [&*reference, &*bench.reference("news"), &*bench.reference("news-other")] {
        ensure!(told.contains(value), "{value} is not told");
    }
    ensure!(!news.more, "there should be no more");
    ensure!(news.until.is_some_and(|until| until >= bench.begun), "Odoo's clock went back");

    let mine = json!([["client_order_ref", "=", bench.reference("news")]]).to_string();
    let news = ask_news(bench, &fields, Some(mine)).await?;
    ensure!(news.values.contains(&bench.reference("news")), "the domain leaves its own order out");
    ensure!(!news.values.contains(&bench.reference("news-other")), "the domain does not narrow");
    let query = NewsQuery { since: FAR.parse()?, fields: Vec::new(), domain: None };
    same("news of the far future", bench.client.news(&query).await?.values, Vec::<String>::new())
}
