//! A card a customer enrolled: a token of theirs in Odoo, by its last four digits and its brand.
//!
//! Nothing else of a card is read, kept or sent.

use concilia_shared::config::CardPolicy;

use super::{Seen, Verdict, customer};
use crate::domain::event::Matched;
use crate::domain::fact::CardEnrolled;
use crate::domain::interpret::card_shown;
use crate::domain::observe::{Command, Lookup};
use crate::domain::reason::{ParkReason, PendingReason, RecordReason};
use crate::domain::record::{Card, Record};
use crate::domain::settings::Settings;

/// What the log alone tells.
pub(super) fn from_the_log(settings: &Settings) -> Option<Verdict> {
    (settings.cards == CardPolicy::Off).then_some(Verdict::Recorded(RecordReason::NothingToDo))
}

/// Whose it is, and what may be shown of it.
pub(super) fn lookup(
    enrolled: &CardEnrolled,
    settings: &Settings,
    body: &[u8],
) -> Result<Lookup, Verdict> {
    let card = card_shown(body);
    let method = enrolled.payment_method.clone().filter(|_| settings.asks_ventipay);
    if card.is_none() && method.is_none() {
        return Err(Verdict::Parked(ParkReason::CardUnclear));
    }
    Ok(Lookup {
        customer: customer(Some(body), enrolled.customer.as_ref(), settings),
        card,
        payment_method: method,
        ..Lookup::default()
    })
}

/// What to write.
pub(super) fn judge(
    enrolled: &CardEnrolled,
    seen: &Seen,
    settings: &Settings,
) -> Result<(Command, Option<Matched>), Verdict> {
    let shown = seen.card.clone().ok_or(Verdict::Parked(ParkReason::CardUnclear))?;
    let customer = seen.customer.clone().ok_or(Verdict::Pending(PendingReason::NoCustomer))?;
    let card = Card {
        id: enrolled.card().to_string(),
        last4: shown.last4,
        brand: shown.brand,
        active: settings.cards == CardPolicy::Active,
        customer,
    };
    Ok((Command::Record(Box::new(Record::Card(Box::new(card)))), None))
}
