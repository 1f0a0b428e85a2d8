//! `events list`: webhook events, newest first, with where each rests and what stands in Odoo.
//!
//! Not here: one event's story ([`super::show`]), what is new ([`super::tail`]).

use super::desk::Desk;
use super::filter::{Narrow, Word};
use super::lists::Pager;
use super::stop::{Done, Stop};
use crate::domain::event::Booking;
use crate::say::{Lang, when};
use crate::views::events::Shown;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker events list --status parked,pending --account shop
  concilia-worker events list --from 2026-01-01 --to 2026-01-31 --type checkout.paid
  concilia-worker events list --text S00042
  concilia-worker events list --limit 100 --after shop/evt_1A2b --json";

/// Rows shown in a table unless more are asked for.
const ROWS: usize = 50;

/// Rows printed at once.
const PAGE: usize = 1_000;

/// What is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Only where it rests at one of these; several with commas.
    #[arg(long, value_delimiter = ',', value_name = "STATUS")]
    pub status: Vec<Word>,
    /// Which events.
    #[command(flatten)]
    pub narrow: Narrow,
    /// Which part of the list.
    #[command(flatten)]
    pub part: Part,
}

/// Which part of a list.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Part {
    /// Most rows; 50 in a table, all in JSON, unless given.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: Option<u32>,
    /// Goes on after this event: the last one of the page before.
    #[arg(long, value_name = "EVENT")]
    pub after: Option<String>,
}

/// Prints the list.
pub async fn list(desk: &mut Desk<'_>, options: &Options) -> Done {
    desk.catch_up().await?;
    let filter = options.narrow.filter(desk, &options.status).await?;
    let narrowed = options.narrow.is_any() || !options.status.is_empty();
    let mut pager = Pager::new(desk, filter, &options.status).await?;
    let shown = rows(desk, &mut pager, &options.part).await?;
    if shown == 0 && narrowed {
        let said = desk.lang().either("No event matches.", "Ningún evento calza.");
        return Err(Stop::Nothing(said.to_owned()));
    }
    if shown == 0 && !desk.screen.is_json() {
        let said =
            desk.lang().either("No event was received yet.", "Todavía no se recibe ningún evento.");
        desk.screen.say(said)?;
    }
    Ok(())
}

/// Prints the rows of a list, and answers how many.
pub async fn rows(desk: &mut Desk<'_>, pager: &mut Pager<'_>, part: &Part) -> Done<usize> {
    if let Some(after) = &part.after {
        pager.start_after(desk, after).await?;
    }
    let limit = part.limit.and_then(|limit| usize::try_from(limit).ok());
    if desk.screen.is_json() {
        json(desk, pager, limit).await
    } else {
        table(desk, pager, limit).await
    }
}

/// One row a line, so that a long list is never in memory as a whole.
async fn json(desk: &mut Desk<'_>, pager: &mut Pager<'_>, limit: Option<usize>) -> Done<usize> {
    let mut printed = 0;
    // A row is printed once it is known whether another follows.
    let mut held_back: Option<String> = None;
    desk.screen.say("[")?;
    loop {
        let left = limit.map_or(PAGE, |limit| (limit - printed).min(PAGE));
        let rows = pager.next(left).await?;
        if rows.is_empty() || desk.screen.is_gone() {
            break;
        }
        for (_, shown) in &rows {
            let row = serde_json::to_string(shown)?;
            if let Some(before) = held_back.replace(row) {
                desk.screen.say(&format!("  {before},"))?;
            }
            printed += 1;
        }
    }
    if let Some(last) = held_back {
        desk.screen.say(&format!("  {last}"))?;
    }
    desk.screen.say("]")?;
    Ok(printed)
}

async fn table(desk: &mut Desk<'_>, pager: &mut Pager<'_>, limit: Option<usize>) -> Done<usize> {
    let rows = pager.next(limit.unwrap_or(ROWS)).await?;
    let heading = desk.lang().either(
        ["event", "account", "received", "type", "status", "amount", "in Odoo, or why not"],
        ["evento", "cuenta", "recibido", "tipo", "estado", "monto", "en Odoo, o por qué no"],
    );
    let lang = desk.lang();
    if !rows.is_empty() {
        desk.screen.table(&heading, rows.iter().map(|(_, shown)| columns(shown, lang)))?;
    }
    let more = pager.more().await?;
    if let Some((row, _)) = rows.last().filter(|_| more > 0) {
        let place = format!("{}/{}", row.stream.account(), row.told.webhook.event_id);
        desk.screen.say(&match lang {
            Lang::En => format!("{more} more: go on with --after {place}, or raise --limit."),
            Lang::Es => format!("{more} más: siga con --after {place}, o suba --limit."),
        })?;
    }
    Ok(rows.len())
}

fn columns(row: &Shown, lang: Lang) -> Vec<String> {
    vec![
        short(&row.event_id).to_owned(),
        row.account.clone(),
        when::moment(row.received_at),
        row.event_type.clone().unwrap_or_else(|| "-".to_owned()),
        status(row, lang),
        row.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
        match &row.odoo {
            Some(booking) if row.conflicts == 0 => in_odoo(booking),
            Some(booking) => format!("{}. {}", in_odoo(booking), row.sentence),
            None => row.sentence.clone(),
        },
    ]
}

/// The word for where it rests, in the reader's language; scripts read the log's in JSON.
fn status(row: &Shown, lang: Lang) -> String {
    let word = match (lang, row.status) {
        (Lang::En, word) => word,
        (Lang::Es, "received") => "recibido",
        (Lang::Es, "reconciled") => "conciliado",
        (Lang::Es, "pending") => "pendiente",
        (Lang::Es, "parked") => "por revisar",
        (Lang::Es, "ignored") => "descartado",
        (Lang::Es, _) => "registrado",
    };
    if row.held { format!("{word}, {}", lang.either("held", "retenido")) } else { word.to_owned() }
}

/// The id of a body that names none is a hash: enough of it to find it again.
pub fn short(id: &str) -> &str {
    if id.starts_with("unread-") { id.get(..15).unwrap_or(id) } else { id }
}

fn in_odoo(booking: &Booking) -> String {
    let payment = booking.payment.as_deref().unwrap_or(&booking.transaction);
    let invoices = booking
        .invoices
        .iter()
        .map(|invoice| format!("{} {}", invoice.name, invoice.payment_state));
    let documents: Vec<String> = booking.orders.iter().cloned().chain(invoices).collect();
    if documents.is_empty() {
        return payment.to_owned();
    }
    format!("{payment} → {}", documents.join(", "))
}
