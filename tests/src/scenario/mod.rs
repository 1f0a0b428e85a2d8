//! The scenario of the quickstart: real webhooks through the real processes, and the question
//! at the end whether every peso is where it belongs.
//!
//! [`cases`] is the scenario as data; [`play`] tells each case through the simulated Ventipay
//! and Odoo ([`act`]), waits until the worker has settled it ([`mod@judge`], pure), and shows what
//! came of it ([`screen`]). A second run on the same data uses new ids and references. Not
//! here: starting anything (`deploy/quickstart` does).

pub mod act;

pub mod cases;

pub mod judge;

pub mod odoo;

pub mod screen;

pub mod worker;

use std::time::Duration;

use concilia_shared::money::Currency;
use concilia_shared::secret::Secret;
use tokio::time::Instant;

use act::{Actor, Ventipay};
use cases::{CASES, Case, Story};
use judge::{Told, Verdict, judge};
use odoo::{OdooSim, OdooWorld};
use screen::Screen;
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
    let before = pesos(&options.worker.balance().await?);
    let mut running = tell(&actor, &screen).await?;
    let (rows, world) = settle(&actor, &options.worker, &screen, &mut running).await?;

    let verdicts: Vec<Verdict> =
        running.iter().map(|running| judge(running.case, &running.told, &rows, &world)).collect();
    screen.table(&running, &verdicts, &rows, &world);
    let sums = options.worker.balance().await?;
    screen.balance(&sums);
    let adds_up = adds_up(&running, &verdicts, &world, before, &sums);
    screen.conclusion(&verdicts, &adds_up);
    Ok(adds_up.is_ok() && verdicts.iter().all(|verdict| *verdict == Verdict::Right))
}

async fn tell(actor: &Actor, screen: &Screen) -> anyhow::Result<Vec<Running>> {
    // Room for every case of a run between its numbers and the next run's.
    let first = rand::random_range(10_000_u64..1_000_000) * 100;
    let mut running = Vec::with_capacity(CASES.len());
    screen.telling();
    for (number, case) in (first..).zip(&CASES) {
        let (told, key) = actor.tell(case, number).await?;
        screen.told(case, &told);
        running.push(Running { case, told, key, settled: false });
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
        for running in running.iter_mut().filter(|running| !running.settled) {
            follow_up(actor, running, &rows).await?;
        }
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

/// The second half of a story that has one, once the worker got as far as the first.
async fn follow_up(actor: &Actor, running: &mut Running, rows: &[Row]) -> anyhow::Result<()> {
    let told = &mut running.told;
    let status = rows.iter().find(|row| row.event_id == told.event_id).map(|row| &*row.status);
    match (running.case.story, status) {
        (Story::OrderArrivesLate, Some("pending")) if told.order.is_none() => {
            let order = actor.odoo.order(&running.key, running.case.total, false).await?;
            told.order = Some(order.name);
        }
        (Story::InvoicedAfterwards, Some("reconciled")) if told.invoice.is_none() => {
            if let Some(order) = &told.order {
                told.invoice = Some(actor.odoo.invoice(order).await?);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The sums of pesos; none if none occur.
fn pesos(sums: &[Sums]) -> Sums {
    let clp = sums.iter().find(|sums| sums.currency == Currency::Clp);
    clp.copied().unwrap_or(Sums::none(Currency::Clp))
}

/// Whether no peso is missing: the worker's own difference is 0 in every currency, its sums
/// grew by what this run paid, and Odoo itself holds what the log says is booked.
fn adds_up(
    running: &[Running],
    verdicts: &[Verdict],
    world: &OdooWorld,
    before: Sums,
    after: &[Sums],
) -> Result<(), String> {
    if let Some(off) = after.iter().find(|sums| sums.difference != 0) {
        return Err(format!("{} {} are missing", off.difference, off.currency));
    }
    if verdicts.iter().any(|verdict| *verdict != Verdict::Right) {
        // The sums of a run that went wrong are not those that are expected of one.
        return Ok(());
    }
    let sum = |status: &str| -> i64 {
        let ended = |running: &&Running| running.case.expect.status == Some(status);
        running.iter().filter(ended).map(|running| running.told.paid).sum()
    };
    let (booked, parked, now) = (sum("reconciled"), sum("parked"), pesos(after));
    let grew = (now.paid - before.paid, now.booked - before.booked, now.parked - before.parked);
    if grew != (booked + parked, booked, parked) {
        let (paid, in_log, to_people) = grew;
        return Err(format!(
            "the log grew by paid {paid}, booked {in_log}, parked {to_people}; the scenario paid \
             {}, of which {booked} were to be booked and {parked} parked",
            booked + parked
        ));
    }
    let ours = |transaction: &str| {
        running.iter().any(|running| running.told.reference() == Some(transaction))
    };
    let held: i64 = world
        .payments
        .iter()
        .filter(|payment| ours(&payment.transaction))
        .map(|payment| payment.amount.minor)
        .sum();
    if held == booked { Ok(()) } else { Err(format!("Odoo holds {held}, the log says {booked}")) }
}
