//! What a person sees of a run: a line when a case is told, a line when it has settled, the
//! table, and the line that matters. Standard output; colour only on a terminal.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use concilia_shared::money::{Currency, Money};

use super::cases::{Case, Story};
use super::judge::{Told, Verdict};
use super::odoo::{OdooWorld, Payment};
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
            let rows = running.told.rows(rows);
            table.add_row(self.columns(running, verdict, &rows, world));
        }
        line("");
        line(&table.to_string());
    }

    fn columns(
        self,
        running: &Running,
        verdict: &Verdict,
        rows: &[&Row],
        world: &OdooWorld,
    ) -> Vec<String> {
        let Running { case, told, .. } = running;
        let right = *verdict == Verdict::Right;
        let row = rows.iter().find(|row| row.event_id == told.event_id);
        let mode = rows.iter().find_map(|row| row.mode.clone());
        let unknown = match told.answer {
            Some(status) => format!("{} ({status})", self.say("refused", "rechazado")),
            None => "-".to_owned(),
        };
        let mut in_odoo = row.map_or_else(
            || self.say("nothing; not in the log", "nada; no está en el registro").to_owned(),
            |row| self.in_odoo(row, rows, running, world),
        );
        if let Verdict::Wrong(why) | Verdict::Waiting(why) = verdict {
            in_odoo = format!("{in_odoo}\n{} {why}", self.mark(false));
        }
        vec![
            if right { "✓" } else { "✗" }.to_owned(),
            format!("{}\n{}", case.story.title(self.lang), short(&told.event_id)),
            case.account.to_owned(),
            mode.unwrap_or_else(|| "-".to_owned()),
            row.and_then(|row| row.amount).map_or_else(|| "-".to_owned(), |paid| paid.to_string()),
            row.map_or(unknown, |row| row.status.clone()),
            in_odoo,
        ]
    }

    /// What stands in Odoo now, or the sentence that says why nothing does.
    fn in_odoo(self, row: &Row, rows: &[&Row], running: &Running, world: &OdooWorld) -> String {
        let told = &running.told;
        let (back, paid): (Vec<_>, Vec<_>) =
            told.in_odoo(world).into_iter().partition(|payment| payment.is_refund);
        let names = |payments: &[&Payment]| {
            let names: Vec<&str> = payments.iter().map(|payment| payment.name.as_str()).collect();
            names.join(", ")
        };
        let mut lines = Vec::new();
        if !paid.is_empty() {
            lines.push(format!("{} → {}", names(&paid), self.documents(rows, told, world)));
        }
        if !back.is_empty() {
            lines.push(format!("{} {}", self.say("refunded by", "devuelto con"), names(&back)));
        }
        let record = told.subject.as_ref().and_then(|name| world.records.get(name));
        if let Some(record) = record {
            lines.push(format!("{}: {}", self.subject(running.case.story), record.state));
        }
        if lines.is_empty() { row.sentence.clone() } else { lines.join("; ") }
    }

    /// The order and the invoices a payment is of.
    fn documents(self, rows: &[&Row], told: &Told, world: &OdooWorld) -> String {
        // A payment of an invoice alone names no order.
        let orders = rows.iter().filter_map(|row| row.odoo.as_ref()).find_map(|booking| {
            (!booking.orders.is_empty()).then(|| booking.orders.clone())
        });
        let mut documents = orders.unwrap_or_default();
        for invoice in told.invoices.iter().filter_map(|id| world.invoices.get(id)) {
            documents.push(format!("{} {}", invoice.name, invoice.payment_state));
        }
        if told.invoices.is_empty() {
            documents.push(self.say("customer credit", "saldo a favor").to_owned());
        }
        documents.join(", ")
    }

    /// The kind of record a story is about.
    fn subject(self, story: Story) -> &'static str {
        match story {
            Story::Subscription => self.say("subscription", "suscripción"),
            Story::CardSaved => self.say("card", "tarjeta"),
            _ => self.say("dispute", "disputa"),
        }
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
        let total = if case.total == 0 { "-".to_owned() } else { case.money().to_string() };
        format!("{:<12} {total:>12}  {:<39}", case.account, case.story.title(self.lang))
    }
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
