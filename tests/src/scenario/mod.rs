//! The scenario of the quickstart: real webhooks through the real processes, and the question
//! at the end whether every peso is where it belongs.
//!
//! [`cases`] is the scenario as data; [`play`] begins each case through the simulated Ventipay
//! and Odoo ([`act`]), has it go on (`follow`), waits until the worker has settled it ([`mod@judge`], pure), and shows what
//! came of it ([`screen`]). A second run on the same data uses new ids and references. Not
//! here: starting anything (`deploy/quickstart` does).

pub mod act;

pub mod cases;

mod follow;

pub mod judge;

pub mod odoo;

pub mod screen;

pub mod ventipay;

pub mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use concilia_shared::secret::Secret;
use tokio::time::Instant;

use act::Actor;
use cases::{CASES, Case};
use judge::{Told, Verdict, judge};
use odoo::{OdooSim, OdooWorld};
use screen::Screen;
use ventipay::Ventipay;
use worker::{Row, Sums, Worker};

/// Longest wait until every case has settled.
const DEADLINE: Duration = Duration::from_mins(2);

/// How often the log is asked.
const POLL: Duration = Duration::from_millis(400);

/// The language of the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
}

impl Lang {
    /// As command lines name it.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }
}

/// Where the processes are, and how the run is shown.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base address of the ingress.
    pub ingress: String,
    /// Base address of the simulated Ventipay.
    pub ventipay: String,
    /// Base address of the simulated Odoo.
    pub odoo: String,
    /// The webhook secret of every account.
    pub secret: Secret,
    /// The worker's commands; their language is that of the screen.
    pub worker: Worker,
    /// The log may hold events already: what this run adds to the sums is compared.
    pub accept_existing: bool,
}

/// A case on its way.
#[derive(Debug)]
struct Running {
    case: &'static Case,
    told: Told,
    key: cases::Key,
    number: u64,
    settled: bool,
}

/// Plays the scenario. Answers whether everything ended as expected and no peso is missing;
/// fails if a process cannot be reached.
pub async fn play(options: &Options) -> anyhow::Result<bool> {
    let screen = Screen::new(options.worker.lang);
    let actor = Actor {
        ventipay: Ventipay::new(&options.ventipay)?,
        odoo: OdooSim::new(&options.odoo)?,
        ingress: options.ingress.trim_end_matches('/').to_owned(),
        secret: options.secret.clone(),
    };
    anyhow::ensure!(
        options.accept_existing || options.worker.events().await?.is_empty(),
        "The log holds events already: pass --accept-existing to add this run to them."
    );
    let before = options.worker.balance().await?;
    let mut running = tell(&actor, &screen).await?;
    let (rows, world) = settle(&actor, &options.worker, &screen, &mut running).await?;

    let verdicts: Vec<Verdict> =
        running.iter().map(|running| judge(running.case, &running.told, &rows, &world)).collect();
    screen.table(&running, &verdicts, &rows, &world);
    let sums = options.worker.balance().await?;
    screen.balance(&sums);
    let adds_up = adds_up(&running, &verdicts, &world, &before, &sums);
    screen.conclusion(&verdicts, &adds_up);
    Ok(adds_up.is_ok() && verdicts.iter().all(|verdict| *verdict == Verdict::Right))
}

async fn tell(actor: &Actor, screen: &Screen) -> anyhow::Result<Vec<Running>> {
    // Room for every case of a run between its numbers and the next run's.
    let first = rand::random_range(10_000_u64..1_000_000) * 100;
    let mut running = Vec::with_capacity(CASES.len());
    screen.telling();
    for (number, case) in (first..).zip(&CASES) {
        let begun = actor.tell(case, number).await?;
        screen.told(case, &begun.told);
        running.push(begun);
    }
    Ok(running)
}

/// Waits until no case is waiting, doing what is to be done meanwhile. Answers the log and
/// the Odoo that the last look found, in this order: what the log says is in Odoo by then.
async fn settle(
    actor: &Actor,
    worker: &Worker,
    screen: &Screen,
    running: &mut [Running],
) -> anyhow::Result<(Vec<Row>, OdooWorld)> {
    screen.waiting();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let rows = worker.events().await?;
        let world = actor.odoo.world().await?;
        for running in running.iter_mut().filter(|running| !running.settled) {
            actor.follow_up(running, &rows, &world).await?;
        }
        // What was made just now is in it.
        let world = actor.odoo.world().await?;
        for running in running.iter_mut().filter(|running| !running.settled) {
            let verdict = judge(running.case, &running.told, &rows, &world);
            if !matches!(verdict, Verdict::Waiting(_)) {
                running.settled = true;
                screen.settled(running.case, &verdict);
            }
        }
        if running.iter().all(|running| running.settled) || Instant::now() >= deadline {
            return Ok((rows, world));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What a run did, or the log says, of one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    paid: i64,
    refunded: i64,
    booked: i64,
    parked: i64,
}

/// What the log says, by currency.
fn parts(sums: &[Sums]) -> BTreeMap<&'static str, Part> {
    let part = |sums: &Sums| {
        let Sums { paid, refunded, booked, parked, .. } = *sums;
        (sums.currency.code(), Part { paid, refunded, booked, parked })
    };
    sums.iter().map(part).collect()
}

/// What the scenario did, by currency, when every case ended as expected.
fn done(running: &[Running]) -> BTreeMap<&'static str, Part> {
    let mut done: BTreeMap<&'static str, Part> = BTreeMap::new();
    for Running { case, told, .. } in running {
        for (entry, is_refund) in told.each() {
            let part = done.entry(entry.amount.currency.code()).or_default();
            let minor = entry.amount.minor;
            match (is_refund, case.expect.payments, case.expect.status) {
                (true, ..) => {
                    part.refunded += minor;
                    part.booked -= minor;
                }
                (false, 1.., _) => {
                    part.paid += minor;
                    part.booked += minor;
                }
                (false, 0, Some("parked")) => {
                    part.paid += minor;
                    part.parked += minor;
                }
                // Refused, or not this account's.
                (false, 0, _) => {}
            }
        }
    }
    done.retain(|_, part| *part != Part::default());
    done
}

/// Whether no peso is missing: the worker's own difference is 0 in every currency, its sums
/// grew by what this run paid and refunded, and Odoo itself holds what the log says is booked.
fn adds_up(
    running: &[Running],
    verdicts: &[Verdict],
    world: &OdooWorld,
    before: &[Sums],
    after: &[Sums],
) -> Result<(), String> {
    if let Some(off) = after.iter().find(|sums| sums.difference != 0) {
        return Err(format!("{} {} are missing", off.difference, off.currency));
    }
    if verdicts.iter().any(|verdict| *verdict != Verdict::Right) {
        // The sums of a run that went wrong are not those that are expected of one.
        return Ok(());
    }
    let (before, mut grew, done) = (parts(before), parts(after), done(running));
    for (currency, part) in &mut grew {
        let was = before.get(currency).copied().unwrap_or_default();
        part.paid -= was.paid;
        part.refunded -= was.refunded;
        part.booked -= was.booked;
        part.parked -= was.parked;
    }
    grew.retain(|_, part| *part != Part::default());
    if grew != done {
        return Err(format!("the log grew by {grew:?}; the scenario did {done:?}"));
    }
    let mut held: BTreeMap<&'static str, i64> = BTreeMap::new();
    for payment in running.iter().flat_map(|running| running.told.in_odoo(world)) {
        let minor = if payment.is_refund { -payment.amount.minor } else { payment.amount.minor };
        *held.entry(payment.amount.currency.code()).or_default() += minor;
    }
    let booked: BTreeMap<&'static str, i64> =
        done.iter().map(|(currency, part)| (*currency, part.booked)).collect();
    if held == booked {
        Ok(())
    } else {
        Err(format!("Odoo holds {held:?}, the log says {booked:?}"))
    }
}
