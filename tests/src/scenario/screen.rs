//! What a person sees of a run: a line when a case is told, a line when it has settled, the
//! table, and the line that matters. Standard output; colour only on a terminal.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use concilia_shared::money::{Currency, Money};

use super::cases::Case;
use super::judge::{Told, Verdict};
use super::odoo::OdooWorld;
use super::worker::{Row, Sums};
use super::{Lang, Running};

/// Width of the table where the terminal does not say, in columns.
const WIDTH_DEFAULT: u16 = 132;

/// Narrowest table worth drawing.
const WIDTH_MIN: u16 = 80;

/// The screen of one run.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    lang: Lang,
    colour: bool,
}

impl Screen {
    /// A screen in this language.
    pub fn new(lang: Lang) -> Self {
        Self { lang, colour: std::io::stdout().is_terminal() }
    }

    fn say(self, english: &'static str, spanish: &'static str) -> &'static str {
        match self.lang {
            Lang::En => english,
            Lang::Es => spanish,
        }
    }

    fn mark(self, right: bool) -> &'static str {
        match (right, self.colour) {
            (true, true) => "\u{1b}[32m✓\u{1b}[0m",
            (true, false) => "✓",
            (false, true) => "\u{1b}[31m✗\u{1b}[0m",
            (false, false) => "✗",
        }
    }

    pub(super) fn telling(self) {
        line(self.say("Webhooks are sent:", "Se envían los webhooks:"));
    }

    pub(super) fn told(self, case: &Case, told: &Told) {
        let answer = told.answer.map_or(String::new(), |status| format!("  → HTTP {status}"));
        line(format!("  → {}{answer}", self.name(case)).trim_end());
    }

    pub(super) fn waiting(self) {
        line("");
        line(self.say("The worker settles them:", "El worker los resuelve:"));
    }

    pub(super) fn settled(self, case: &Case, verdict: &Verdict) {
        let (right, end) = match verdict {
            Verdict::Right => {
                (true, case.expect.status.unwrap_or(self.say("refused", "rechazado")))
            }
            Verdict::Waiting(why) | Verdict::Wrong(why) => (false, why.as_str()),
        };
        line(&format!("  {} {}  {end}", self.mark(right), self.name(case)));
    }

    pub(super) fn table(
        self,
        running: &[Running],
        verdicts: &[Verdict],
        rows: &[Row],
        world: &OdooWorld,
    ) {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width())
            .set_header(match self.lang {
                Lang::En => ["", "event", "account", "mode", "amount", "status", "in Odoo"],
                Lang::Es => ["", "evento", "cuenta", "modo", "monto", "estado", "en Odoo"],
            });
        for (running, verdict) in running.iter().zip(verdicts) {
            let row = rows.iter().find(|row| row.event_id == running.told.event_id);
            table.add_row(self.columns(running, verdict, row, world));
        }
        line("");
        line(&table.to_string());
    }

    fn columns(
        self,
        running: &Running,
        verdict: &Verdict,
        row: Option<&Row>,
        world: &OdooWorld,
    ) -> Vec<String> {
        let Running { case, told, .. } = running;
        let right = *verdict == Verdict::Right;
        let unknown = match told.answer {
            Some(status) => format!("{} ({status})", self.say("refused", "rechazado")),
            None => "-".to_owned(),
        };
        let mut in_odoo = row.map_or_else(
            || self.say("nothing; not in the log", "nada; no está en el registro").to_owned(),
            |row| self.in_odoo(row, told, world),
        );
        if let Verdict::Wrong(why) | Verdict::Waiting(why) = verdict {
            in_odoo = format!("{in_odoo}\n{} {why}", self.mark(false));
        }
        vec![
            if right { "✓" } else { "✗" }.to_owned(),
            format!("{}\n{}", case.story.title(self.lang), short(&told.event_id)),
            case.account.to_owned(),
            row.and_then(|row| row.mode.clone()).unwrap_or_else(|| "-".to_owned()),
            row.and_then(|row| row.amount).map_or_else(|| "-".to_owned(), |paid| paid.to_string()),
            row.map_or(unknown, |row| row.status.clone()),
            in_odoo,
        ]
    }

    /// What stands in Odoo now, or the sentence that says why nothing does.
    fn in_odoo(self, row: &Row, told: &Told, world: &OdooWorld) -> String {
        let Some(booking) = &row.odoo else { return row.sentence.clone() };
        let payment = booking.payment.as_deref().unwrap_or(&booking.transaction);
        let invoice = told.invoice.and_then(|id| world.invoices.get(&id)).map_or_else(
            || self.say("customer credit", "saldo a favor").to_owned(),
            |invoice| format!("{} {}", invoice.name, invoice.payment_state),
        );
        // A payment of an invoice alone names no order.
        let documents: Vec<&str> =
            booking.orders.iter().map(String::as_str).chain([invoice.as_str()]).collect();
        format!("{payment} → {}", documents.join(", "))
    }

    pub(super) fn balance(self, sums: &[Sums]) {
        line("");
        for sums in sums {
            let of = |minor| amount(minor, sums.currency);
            let words = match self.lang {
                Lang::En => ["paid", "refunded", "booked", "pending", "parked", "difference"],
                Lang::Es => [
                    "pagado",
                    "devuelto",
                    "contabilizado",
                    "pendiente",
                    "por revisar",
                    "diferencia",
                ],
            };
            let [paid, refunded, booked, pending, parked, difference] = words;
            line(&format!(
                "{}: {paid} {} − {refunded} {} = {booked} {} + {pending} {} + {parked} {}",
                sums.currency,
                of(sums.paid),
                of(sums.refunded),
                of(sums.booked),
                of(sums.pending),
                of(sums.parked),
            ));
            line(&format!("     {difference} {}", of(sums.difference)));
        }
    }

    pub(super) fn conclusion(self, verdicts: &[Verdict], adds_up: &Result<(), String>) {
        let right = verdicts.iter().filter(|verdict| **verdict == Verdict::Right).count();
        line("");
        line(&format!(
            "{} {right}/{} {}",
            self.mark(right == verdicts.len()),
            verdicts.len(),
            self.say("cases ended as expected", "casos terminaron como se esperaba")
        ));
        match adds_up {
            Ok(()) => line(&format!(
                "{} {}",
                self.mark(true),
                self.say("no peso is missing", "no falta ningún peso")
            )),
            Err(why) => line(&format!("{} {why}", self.mark(false))),
        }
    }

    fn name(self, case: &Case) -> String {
        // A body that does not read tells no amount.
        let total = if case.total == 0 { "-".to_owned() } else { pesos(case.total) };
        format!("{:<12} {total:>12}  {:<39}", case.account, case.story.title(self.lang))
    }
}

fn pesos(minor: i64) -> String {
    Money::new(minor, Currency::Clp).to_string()
}

/// An id that fits a column: the one made of a hash is cut.
fn short(event_id: &str) -> &str {
    if event_id.starts_with("unread-") { event_id.get(..15).unwrap_or(event_id) } else { event_id }
}

/// The amount alone, grouped as in Chile.
fn amount(minor: i64, currency: Currency) -> String {
    let text = Money::new(minor, currency).to_string();
    text.strip_suffix(currency.code()).unwrap_or(&text).trim_end().to_owned()
}

fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<u16>().ok());
    columns.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN)
}

/// A closed pipe (`| head`) is no reason to stop playing.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
