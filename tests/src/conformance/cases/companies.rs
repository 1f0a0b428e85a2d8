//! A second company (`odoo-api-2.md` 3): a provider of its own, and nothing across the border.

use anyhow::{Result, bail, ensure};
use concilia_shared::config::Mode;
use concilia_worker::domain::decide::Verdict;
use concilia_worker::domain::reason::{ParkReason, PendingReason};
use concilia_worker::odoo::Odoo as _;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::Args;
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::ask::perform_by;
use crate::conformance::expect::{booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "company-second",
        second,
        "A second company is set up and booked into, with a provider and journal of its own"
    ),
    case!(
        "company-same-reference",
        same_reference,
        "Two companies' orders of one reference are kept apart"
    ),
    case!(
        "company-other-order",
        other_order,
        "An order of another company is a change, and is not looked for"
    ),
    case!(
        "company-other-portal",
        other_portal,
        "A portal payment of another company is parked, and refused"
    ),
    case!(
        "company-two-invoices",
        two_invoices,
        "A transaction on invoices of two companies is parked, and refused"
    ),
];

/// A confirmed order in the second company.
async fn order_there(bench: &Bench, second: i64, case: &str, total: i64) -> Result<i64> {
    let office = bench.office.of(second);
    let order = bench.quotation_with(&office, case, json!(total), json!({})).await?;
    office.press("sale.order", "action_confirm", order).await?;
    Ok(order)
}

async fn second(bench: &Bench) -> Result<()> {
    let second = bench.second_company().await?;
    let office = bench.office.of(second);
    let id = order_there(bench, second, "second", 4_500).await?;
    let how = json!({"advance_payment_method": "delivered"});
    let invoice = bench.draft_with(&office, id, how).await?;
    office.press("account.move", "action_post", invoice).await?;
    let client = Client::new(bench.bot.clone(), second)?;
    let seen = client.observe(&[bench.lookup("second")]).await?;
    let order = seen[0].probes[0].orders.first().cloned();
    let Some(order) = order else { bail!("the bot does not see the order of the second company") };
    same("the order's company", order.company_id, second)?;
    let booking = booked(perform_by(&client, &bench.book("second", &order, 4_500)).await?)?;
    same("what is left", booking.credit.as_deref(), Some("0"))?;
    let domain = json!([["name", "=", booking.payment], ["company_id", "=", second]]);
    let rows = office.rows("account.payment", domain, &["journal_id"]).await?;
    ensure!(rows.len() == 1, "the payment is not in the second company");
    let journal = rows[0]["journal_id"][0].as_i64().unwrap_or_default();
    let journal = office.read("account.journal", journal, &["company_id"]).await?;
    same("the journal's company", &journal["company_id"][0], &json!(second))?;
    let row = office.read("account.move", invoice, &["amount_residual"]).await?;
    same("what is left of the invoice", &row["amount_residual"], &json!(0.0))
}

async fn same_reference(bench: &Bench) -> Result<()> {
    let second = bench.second_company().await?;
    let there = order_there(bench, second, "apart", 4_600).await?;
    let here = bench.order("apart", 4_700).await?;
    same("the order seen here", bench.see_order("apart").await?.id, here)?;
    let client = Client::new(bench.bot.clone(), second)?;
    let seen = client.observe(&[bench.lookup("apart")]).await?;
    let ids: Vec<i64> = seen[0].probes[0].orders.iter().map(|order| order.id).collect();
    same("the orders seen there", ids, [there])
}

async fn other_order(bench: &Bench) -> Result<()> {
    let second = bench.second_company().await?;
    order_there(bench, second, "other", 4_800).await?;
    let verdict = bench.rest(&bench.paid("other", 4_800, None), &bench.settings(Mode::B)?).await?;
    ensure!(
        matches!(verdict, Verdict::Pending(PendingReason::NoMatch { .. })),
        "it rests as {verdict:?}"
    );
    let client = Client::new(bench.bot.clone(), second)?;
    let seen = client.observe(&[bench.lookup("other")]).await?;
    let order = seen[0].probes[0].orders[0].clone();
    changed(&bench.perform(&bench.book("other", &order, 4_800)).await?, "company")
}

async fn other_portal(bench: &Bench) -> Result<()> {
    let second = bench.second_company().await?;
    let office = bench.office.of(second);
    let id = order_there(bench, second, "border", 4_900).await?;
    let reference = bench.portal_of(&office, "sale.order", id, json!(4_900)).await?;
    let body = bench.paid("border", 4_900, Some(&reference));
    let verdict = bench.rest(&body, &bench.settings(Mode::A)?).await?;
    ensure!(
        matches!(verdict, Verdict::Parked(ParkReason::OtherCompany { .. })),
        "it rests as {verdict:?}"
    );
    let found = bench.candidate("border", &reference).await?;
    refused(bench.perform(&bench.confirm("border", &found, 4_900)).await?, "other_provider")?;
    let row = office.read("payment.transaction", found.id, &["state"]).await?;
    same("the transaction", &row["state"], &json!("draft"))
}

async fn two_invoices(bench: &Bench) -> Result<()> {
    let second = bench.second_company().await?;
    let office = bench.office.of(second);
    let (_, here) = bench.invoiced("both-sides", 2_600).await?;
    let id = order_there(bench, second, "both-sides-there", 2_600).await?;
    let how = json!({"advance_payment_method": "delivered"});
    let there = bench.draft_with(&office, id, how).await?;
    office.press("account.move", "action_post", there).await?;
    let mut values = bench.transaction_values("both-sides").await?;
    values["amount"] = json!(5_200);
    values["invoice_ids"] = json!([[6, 0, [here, there]]]);
    let args = Args::none()
        .with("vals_list", json!([values]))
        .context("allowed_company_ids", vec![bench.company, second]);
    bench.office.rpc.call("payment.transaction", "create", args).await?;
    let reference = bench.reference("both-sides");
    let body = bench.paid("both-sides", 5_200, Some(&reference));
    let verdict = bench.rest(&body, &bench.settings(Mode::A)?).await?;
    ensure!(
        matches!(verdict, Verdict::Parked(ParkReason::OtherCompany { .. })),
        "it rests as {verdict:?}"
    );
    let found = bench.candidate("both-sides", &reference).await?;
    changed(&bench.perform(&bench.confirm("both-sides", &found, 5_200)).await?, "company")
}
