//! `balance`: paid − refunded = booked + pending + parked, per currency, and the difference;
//! of all time, or day by day.

use concilia_shared::id::AccountName;
use concilia_shared::money::Money;
use jiff::civil::Date;
use serde_json::json;

use super::{caught_up, print, print_json, table};
use crate::say::Lang;
use crate::store::EventStore;
use crate::views::balance::Sums;
use crate::views::filter::Period;

/// What is asked.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Each day by itself: the day of the payment, in America/Santiago.
    #[arg(long)]
    pub by_day: bool,
    /// Only this account.
    #[arg(long)]
    pub account: Option<String>,
    /// Only payments made on this day or later (2026-01-31).
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// Only payments made on this day or earlier.
    #[arg(long, value_name = "DAY")]
    pub to: Option<Date>,
}

/// Prints the sums.
pub async fn run(
    store: &dyn EventStore,
    options: &Options,
    json: bool,
    lang: Lang,
) -> anyhow::Result<()> {
    caught_up(store).await?;
    let account = options.account.as_deref().map(AccountName::parse).transpose()?;
    let period =
        Period { account, from: options.from, through: options.to, by_day: options.by_day };
    let sums = store.sums(&period).await?;
    if json {
        return print_json(&json!({ "currencies": sums }));
    }
    let (day, rest) = heading(lang);
    let heading: Vec<&str> = options.by_day.then_some(day).into_iter().chain(rest).collect();
    print(&table(&heading, sums.iter().map(columns)))
}

fn heading(lang: Lang) -> (&'static str, [&'static str; 7]) {
    match lang {
        Lang::En => (
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
        Lang::Es => (
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
    }
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
