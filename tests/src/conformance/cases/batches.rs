//! Several effects in one call: one bad member hurts no other.

use anyhow::{Result, ensure};
use concilia_worker::domain::observe::{Order, Outcome};
use concilia_worker::odoo::{Odoo as _, actions};
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::{booked, changed, refused};

pub(super) const CASES: &[Case] = &[
    case!(
        "batch-bad-members",
        bad_members,
        "A batch with bad members books the good ones and answers each in the order asked"
    ),
    case!(
        "batch-unreadable-member",
        unreadable_member,
        "A member of an unknown kind or name is refused alone"
    ),
    case!("batch-mixed", mixed, "Booking, confirming, cancelling and completing go in one call"),
    case!(
        "batch-limits",
        limits,
        "More than 100 members, or another protocol, is refused as a whole"
    ),
];

async fn bad_members(bench: &Bench) -> Result<()> {
    bench.order("bad", 5_000).await?;
    let order = bench.see_order("bad").await?;
    let raised = Order { total: "6000".to_owned(), ..order.clone() };
    let gone = Order { id: 999_999_999, ..order.clone() };
    let batch = [
        bench.book("bad-total", &raised, 6_000),
        bench.book("bad-gone", &gone, 5_000),
        bench.book("bad-above", &order, 5_001),
        bench.book("bad-fine", &order, 5_000),
        bench.book("bad-second", &order, 5_000),
    ];
    let mut outcomes = bench.client.perform(&batch).await?.into_iter();
    let mut next = || outcomes.next().unwrap_or(Outcome::Again);
    changed(&next(), "order_total")?;
    changed(&next(), "order_gone")?;
    refused(next(), "above_document")?;
    booked(next())?;
    changed(&next(), "order_paid")
}

async fn unreadable_member(bench: &Bench) -> Result<()> {
    bench.order("kinds", 5_100).await?;
    let order = bench.see_order("kinds").await?;
    let fine = json!({
        "kind": "book", "name": bench.checkout("kinds").as_str(), "amount": "5100", "currency": "CLP",
        "date": bench.day().to_string(), "confirm": false, "accepted": [], "invoices": [],
        "order": {"id": order.id, "name": order.name, "total": order.total, "state": order.state},
    });
    let mut no_name = fine.clone();
    no_name["name"] = json!("not one of ours");
    let no_kind = json!({"kind": "delete_everything", "name": bench.checkout("kinds-x").as_str()});
    let answer = bench.act(&actions::BOOK, json!([no_name, no_kind, fine])).await?;
    let told: Vec<(&Value, &Value)> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| (&item["status"], &item["why"]))
        .collect();
    let (refused, name, kind) = (json!("refused"), json!("name"), json!("kind"));
    let (booked, none) = (json!("booked"), json!(false));
    let expected = [(&refused, &name), (&refused, &kind), (&booked, &none)];
    ensure!(told == expected, "the answers are {told:?}");
    Ok(())
}

async fn mixed(bench: &Bench) -> Result<()> {
    let (_, first) = bench.invoiced("mix-confirm", 5_200).await?;
    let confirmed = bench.portal("account.move", first, json!(5_200)).await?;
    let second = bench.order("mix-cancel", 5_300).await?;
    let canceled = bench.portal("sale.order", second, json!(5_300)).await?;
    bench.order("mix-book", 5_400).await?;
    let candidate = bench.candidate("mix-confirm", &confirmed).await?;
    let victim = bench.candidate("mix-cancel", &canceled).await?;
    let order = bench.see_order("mix-book").await?;
    let batch = [
        bench.confirm("mix-confirm", &candidate, 5_200),
        bench.cancel("mix-cancel", victim.id, &canceled, "draft"),
        bench.book("mix-book", &order, 5_400),
        concilia_worker::domain::observe::Command::Complete { name: bench.payment("mix-none") },
    ];
    let mut outcomes = bench.client.perform(&batch).await?.into_iter();
    let mut next = || outcomes.next().unwrap_or(Outcome::Again);
    booked(next())?;
    let told = next();
    ensure!(told == Outcome::Canceled { transaction: canceled }, "the answer is {told:?}");
    booked(next())?;
    changed(&next(), "not_booked")
}

async fn limits(bench: &Bench) -> Result<()> {
    let item = json!({"kind": "complete", "name": bench.checkout("limit").as_str()});
    let many: Vec<Value> = vec![item; actions::ITEMS_MAX + 1];
    let refused = bench.act(&actions::BOOK, json!(many)).await;
    let Err(error) = refused else { anyhow::bail!("101 members were taken") };
    ensure!(format!("{error:#}").contains("at most 100"), "the refusal is {error:#}");
    let fine = bench.act(&actions::OBSERVE, json!([])).await?;
    ensure!(fine["protocol"] == json!(actions::PROTOCOL), "the answer is {fine}");
    Ok(())
}
