//! `balance`: paid − refunded = booked + pending + parked, per currency, and the difference.

use concilia_shared::money::Money;
use serde_json::json;

use super::{print, print_json, table};
use crate::say::Lang;
use crate::store::EventStore;
use crate::views::balance::{Sums, balance};
use crate::views::events::Streams;
use crate::views::follow;

/// Prints the sums.
pub async fn run(store: &dyn EventStore, json: bool, lang: Lang) -> anyhow::Result<()> {
    let mut streams = Streams::default();
    follow(store, |recorded| streams.see(recorded)).await?;
    let sums = balance(&streams);
    if json {
        return print_json(&json!({ "currencies": sums }));
    }
    let heading = match lang {
        Lang::En => [
            "paid",
            "− refunded",
            "= booked",
            "+ pending",
            "+ parked",
            "difference",
            "not ours to book",
        ],
        Lang::Es => [
            "pagado",
            "− devuelto",
            "= contabilizado",
            "+ pendiente",
            "+ por revisar",
            "diferencia",
            "no contabilizable",
        ],
    };
    print(&table(&heading, sums.iter().map(columns)))
}

fn columns(sums: &Sums) -> Vec<String> {
    [
        sums.paid,
        sums.refunded,
        sums.booked,
        sums.pending,
        sums.parked,
        sums.difference,
        sums.ignored_or_recorded,
    ]
    .map(|minor| Money::new(minor, sums.currency).to_string())
    .to_vec()
}
