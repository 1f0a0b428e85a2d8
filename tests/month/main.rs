//! A month of realistic traffic, generated from a seed, with sixty planted oddities.
//!
//! The worker's own library on SQLite and a clock set by hand, against the simulated Odoo and
//! Ventipay over HTTP: two accounts (one of test mode, one live; one with a key to ask Ventipay
//! with, one without), three shops, every family of events; late, twice, out of order, months of
//! nothing. At the end every oddity rests exactly where the table says, nothing else is parked or
//! waits, each payment and each refund stands in Odoo once, and the sum of the design holds to
//! the peso, by account and in all.
//!
//! [`traffic`] (what is ordinary), [`oddities`] (the table), [`world`] (how time passes),
//! [`expect`] (what must be true in the end). A failing seed is printed;
//! `CONCILIA_SEED=… cargo test -p concilia-tests --test month` runs it again. Not here: the
//! processes and the broker (`tests/e2e`).

#![expect(clippy::unwrap_used, reason = "a run that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a run tells its seed and what it saw")]

mod expect;
mod oddities;
mod traffic;
mod world;

use std::time::Instant;

/// The seed when none is given.
const SEED: u64 = 20_261_101;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_traffic_ends_to_the_peso_and_every_oddity_is_found() {
    let seed = std::env::var("CONCILIA_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("seed {seed}: CONCILIA_SEED={seed} runs it again");
    let mut month = world::Month::new(seed).await;
    traffic::plan(&mut month);
    oddities::plant(&mut month);
    let began = Instant::now();
    month.pass().await;
    println!("the month took {:.1} s", began.elapsed().as_secs_f64());
    expect::check(&month).await;
    println!("with all comparisons {:.1} s", began.elapsed().as_secs_f64());
}
