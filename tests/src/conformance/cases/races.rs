//! Many at once, and calls sent again: exactly one payment, whatever happens.

use anyhow::{Result, anyhow, bail, ensure};
use concilia_worker::domain::observe::{Command, Outcome};
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::Endpoint;
use concilia_worker::odoo::{Odoo as _, OdooError};
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::cut::Cut;
use crate::conformance::expect::{already, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "race-eight-bookings",
        eight_bookings,
        "Eight bookings of one name at once make one payment"
    ),
    case!("race-both-modes", both_modes, "Eight calls of both modes for one name make one payment"),
    case!("race-two-names", two_names, "Two names for one order at once make one payment"),
    case!(
        "race-eight-confirms",
        eight_confirms,
        "Eight confirmations of one transaction at once make one payment"
    ),
    case!(
        "cut-booking",
        cut_booking,
        "A booking whose answer was lost is sent again and found, once"
    ),
    case!(
        "cut-confirm",
        cut_confirm,
        "A confirmation whose answer was lost is sent again and found, once"
    ),
];

/// How many of these were booked; none may be anything but a loser of the race.
async fn race(bench: &Bench, commands: Vec<Command>) -> Result<usize> {
    let client = Client::new(bench.bot.clone(), bench.company)?;
    client.ping().await?;
    let tries = commands.iter().map(|command| client.perform(std::slice::from_ref(command)));
    let mut booked = 0;
    for outcome in futures_util::future::join_all(tries).await {
        match outcome.map(|mut outcomes| outcomes.remove(0)) {
            Ok(Outcome::Booked(_)) => booked += 1,
            Ok(Outcome::Already(_) | Outcome::Again | Outcome::Changed { .. })
            | Err(OdooError::Unknown { .. }) => {}
            Ok(other) => bail!("a loser of the race is told {other:?}"),
            Err(other) => bail!("a loser of the race is told: {other}"),
        }
    }
    Ok(booked)
}

async fn eight_bookings(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("race", 7_000).await?;
    let order = bench.see_order("race").await?;
    let book = bench.book("race", &order, 7_000);
    same("the bookings", race(bench, vec![book.clone(); 8]).await?, 1)?;
    already(bench.perform(&book).await?)?;
    bench.must_be_paid(invoice).await?;
    same("the payments", bench.payments_of(id).await?, 1)
}

async fn both_modes(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("both", 3_000).await?;
    let reference = bench.portal("account.move", invoice, json!(3_000)).await?;
    let found = bench.candidate("both", &reference).await?;
    let order = bench.see_order("both").await?;
    let book = bench.book("both", &order, 3_000);
    let confirm = bench.confirm("both", &found, 3_000);
    let commands = (0..8).map(|n| if n % 2 == 0 { book.clone() } else { confirm.clone() });
    same("the bookings", race(bench, commands.collect()).await?, 1)?;
    for command in [&book, &confirm] {
        already(bench.perform(command).await?)?;
    }
    bench.must_be_paid(invoice).await?;
    same("the payments", matched(bench, invoice).await?, 1)?;
    ensure!(bench.payments_of(id).await? <= 1, "the order has two payments");
    Ok(())
}

/// Payments an invoice is matched with.
async fn matched(bench: &Bench, invoice: i64) -> Result<u32> {
    let order = bench.office.rows(
        "sale.order",
        json!([["invoice_ids", "in", [invoice]]]),
        &["client_order_ref"],
    );
    let reference = order.await?.first().map(|row| row["client_order_ref"].clone());
    let reference = reference.ok_or_else(|| anyhow!("the invoice has no order"))?;
    let prefix = format!("{}-", bench.run);
    let case = reference.as_str().unwrap_or_default().trim_start_matches(&prefix).to_owned();
    let order = bench.see_order(&case).await?;
    let seen = order.invoices.iter().find(|one| one.id == invoice);
    Ok(seen.map_or(0, |one| one.payments))
}

async fn two_names(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("twice", 2_000).await?;
    let reference = bench.portal("account.move", invoice, json!(2_000)).await?;
    let found = bench.candidate("twice-a", &reference).await?;
    let order = bench.see_order("twice").await?;
    let commands =
        vec![bench.confirm("twice-a", &found, 2_000), bench.book("twice-b", &order, 2_000)];
    same("the bookings", race(bench, commands).await?, 1)?;
    bench.must_be_paid(invoice).await?;
    same("the payments", matched(bench, invoice).await?, 1)
}

async fn eight_confirms(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("eight", 2_100).await?;
    let reference = bench.portal("account.move", invoice, json!(2_100)).await?;
    let found = bench.candidate("eight", &reference).await?;
    let confirm = bench.confirm("eight", &found, 2_100);
    same("the bookings", race(bench, vec![confirm; 8]).await?, 1)?;
    same("the payments", matched(bench, invoice).await?, 1)
}

/// Sends a command on a road that loses the answer, then again.
async fn cut(bench: &Bench, command: &Command) -> Result<()> {
    let road = Cut::open(&bench.url).await?;
    let client =
        Client::new(Endpoint { url: road.url.clone(), ..bench.bot.clone() }, bench.company)?;
    client.ping().await?;
    road.lose_one();
    let first = client.perform(std::slice::from_ref(command)).await;
    ensure!(road.lost_all(), "no answer was lost");
    ensure!(matches!(first, Err(OdooError::Unknown { .. })), "the first call is told {first:?}");
    let mut second = client.perform(std::slice::from_ref(command)).await?;
    already(second.remove(0)).map(drop)
}

async fn cut_booking(bench: &Bench) -> Result<()> {
    let (id, invoice) = bench.invoiced("cut", 2_300).await?;
    let order = bench.see_order("cut").await?;
    cut(bench, &bench.book("cut", &order, 2_300)).await?;
    bench.must_be_paid(invoice).await?;
    same("the payments", bench.payments_of(id).await?, 1)
}

async fn cut_confirm(bench: &Bench) -> Result<()> {
    let (_, invoice) = bench.invoiced("cut-a", 2_400).await?;
    let reference = bench.portal("account.move", invoice, json!(2_400)).await?;
    let found = bench.candidate("cut-a", &reference).await?;
    cut(bench, &bench.confirm("cut-a", &found, 2_400)).await?;
    bench.must_be_paid(invoice).await?;
    same("the payments", matched(bench, invoice).await?, 1)
}
