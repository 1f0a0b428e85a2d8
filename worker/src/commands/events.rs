//! `events list`: every webhook event, with where it rests and what stands in Odoo.

use super::{caught_up, print, print_json, table};
use crate::domain::event::Booking;
use crate::say::Lang;
use crate::store::{EventStore, StoreError};
use crate::views::events::{Row, Shown};
use crate::views::filter::{Filter, Page};

/// Rows read at once.
const PAGE: usize = 1_000;

/// Prints the list.
pub async fn list(store: &dyn EventStore, json: bool, lang: Lang) -> anyhow::Result<()> {
    caught_up(store).await?;
    let rows = all(store, &Filter::default()).await?;
    let rows: Vec<Shown> = rows.iter().map(|row| row.show(lang)).collect();
    if json {
        return print_json(&rows);
    }
    let heading = match lang {
        Lang::En => ["event", "account", "type", "mode", "status", "amount", "in Odoo, or why not"],
        Lang::Es => {
            ["evento", "cuenta", "tipo", "modo", "estado", "monto", "en Odoo, o por qué no"]
        }
    };
    print(&table(&heading, rows.iter().map(columns)))
}

/// Every row, page by page, in the order the events were received.
async fn all(store: &dyn EventStore, filter: &Filter) -> Result<Vec<Row>, StoreError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(Row::place);
        let page = Page { after, newest_first: false, limit: PAGE };
        let found = store.events(filter, &page).await?;
        let last = found.len() < PAGE;
        rows.extend(found);
        if last {
            return Ok(rows);
        }
    }
}

fn columns(row: &Shown) -> Vec<String> {
    let short =
        |id: &str| if id.starts_with("unread-") { id[..15].to_owned() } else { id.to_owned() };
    vec![
        short(&row.event_id),
        row.account.clone(),
        row.event_type.clone().unwrap_or_else(|| "-".to_owned()),
        row.mode.unwrap_or("-").to_owned(),
        row.status.to_owned(),
        row.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
        match &row.odoo {
            Some(booking) if row.conflicts == 0 => in_odoo(booking),
            Some(booking) => format!("{}. {}", in_odoo(booking), row.sentence),
            None => row.sentence.clone(),
        },
    ]
}

fn in_odoo(booking: &Booking) -> String {
    let payment = booking.payment.as_deref().unwrap_or(&booking.transaction);
    let invoices = booking
        .invoices
        .iter()
        .map(|invoice| format!("{} {}", invoice.name, invoice.payment_state));
    let documents: Vec<String> = booking.orders.iter().cloned().chain(invoices).collect();
    format!("{payment} → {}", documents.join(", "))
}
