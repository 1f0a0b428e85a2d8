//! `balance`: paid − refunded = booked + pending + parked, per currency, and the difference;
//! of all time, or day by day.

use concilia_shared::money::Money;
use jiff::civil::Date;
use serde_json::json;

use super::desk::Desk;
use super::stop::Done;
use crate::views::balance::Sums;
use crate::views::filter::Period;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker balance
  concilia-worker balance --by-day --from 2026-01-01 --to 2026-01-31 --account shop
  concilia-worker balance --json | jq '.currencies[].difference'";

/// What is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Each day by itself: the day of the payment, in America/Santiago.
    #[arg(long)]
    pub by_day: bool,
    /// Only this account.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Only payments made on this day or later (2026-01-31).
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// Only payments made on this day or earlier.
    #[arg(long, value_name = "DAY")]
    pub to: Option<Date>,
}

/// Prints the sums.
pub async fn run(desk: &mut Desk<'_>, options: &Options) -> Done {
    desk.catch_up().await?;
    let account = desk.account_of(options.account.as_deref()).await?;
    let Options { by_day, from, to, .. } = *options;
    let sums = desk.store.sums(&Period { account, from, through: to, by_day }).await?;
    if desk.screen.is_json() {
        desk.screen.json(&json!({ "currencies": sums }))?;
        return Ok(());
    }
    let (day, rest) = desk.lang().either(
        (
            "day",
            [
                "paid",
                "− refunded",
                "= booked",
                "+ pending",
                "+ parked",
                "difference",
                "not ours to book",
            ],
        ),
        (
            "día",
            [
                "pagado",
                "− devuelto",
                "= contabilizado",
                "+ pendiente",
                "+ por revisar",
                "diferencia",
                "no contabilizable",
            ],
        ),
    );
    let heading: Vec<&str> = by_day.then_some(day).into_iter().chain(rest).collect();
    desk.screen.table(&heading, sums.iter().map(columns))?;
    Ok(())
}

fn columns(sums: &Sums) -> Vec<String> {
    let amounts = [
        sums.paid,
        sums.refunded,
        sums.booked,
        sums.pending,
        sums.parked,
        sums.difference,
        sums.ignored_or_recorded,
    ];
    let amounts = amounts.map(|minor| Money::new(minor, sums.currency).to_string());
    sums.day.map(|day| day.to_string()).into_iter().chain(amounts).collect()
}
