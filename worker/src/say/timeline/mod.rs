//! The facts of the log in plain words, one sentence each, in English and Spanish of Chile:
//! what happened, and who made it happen.
//!
//! Not here: where an event rests now ([`super::status`]).

mod en;

mod es;

use super::Lang;
use crate::domain::event::{BookedInvoice, Booking, Event, RefundBooking};
use crate::domain::reason::{IgnoreReason, ParkReason};
use crate::domain::state::Status;

/// What a fact says, in one sentence or two.
pub fn sentence(event: &Event, lang: Lang) -> String {
    match lang {
        Lang::En => en::sentence(event),
        Lang::Es => es::sentence(event),
    }
}

/// Who made it happen: Ventipay, Concilia, or a person by name.
pub fn who(event: &Event) -> &str {
    match event {
        Event::WebhookReceived(_) | Event::PayloadConflicted { .. } => "Ventipay",
        Event::RetryRequested { by, .. }
        | Event::MatchChosen { by, .. }
        | Event::DifferenceAccepted { by, .. }
        | Event::Released { by, .. }
        | Event::SettingsChanged { by, .. }
        | Event::AccountPaused { by, .. }
        | Event::AccountResumed { by }
        | Event::Ignored { reason: IgnoreReason::ByHand { by, .. }, .. } => by,
        Event::Recorded { .. }
        | Event::Ignored { .. }
        | Event::Pended { .. }
        | Event::Parked { .. }
        | Event::Booked { .. }
        | Event::TransactionCanceled { .. }
        | Event::TransactionFailed { .. }
        | Event::Refunded { .. }
        | Event::InvoiceMade { .. }
        | Event::Registered { .. }
        | Event::CreditFound { .. }
        | Event::Completed { .. }
        | Event::Held { .. }
        | Event::OutageBegan { .. }
        | Event::OutageEnded { .. }
        | Event::DatabaseSeen { .. } => "Concilia",
    }
}

/// What a booking holds: amount, day, and the documents it went to.
fn documents(booking: &Booking) -> String {
    let invoices = booking
        .invoices
        .iter()
        .map(|BookedInvoice { name, payment_state, .. }| format!("{name} ({payment_state})"));
    let documents: Vec<String> = booking.orders.iter().cloned().chain(invoices).collect();
    let name = booking.payment.as_deref().unwrap_or(&booking.transaction);
    let day = booking.date.map(|day| format!(", {day}")).unwrap_or_default();
    let to =
        if documents.is_empty() { String::new() } else { format!(" → {}", documents.join(", ")) };
    format!("{name}, {}{day}{to}", booking.amount)
}

/// What went back: amount, day, and the documents it left.
fn went_back(refund: &RefundBooking) -> String {
    let name = refund.payment.as_deref().unwrap_or(&refund.transaction);
    let day = refund.date.map(|day| format!(", {day}")).unwrap_or_default();
    let note = refund.credit_note.as_ref().map(|note| format!(" → {note}")).unwrap_or_default();
    format!("{name}, {}{day}{note}", refund.amount)
}

/// What it was parked for, without what to do about it: the first sentence.
fn parked_for(reason: &ParkReason, lang: Lang) -> String {
    let whole = super::status(&Status::Parked(reason.clone()), lang);
    let first = whole.split_once(". ").map_or(whole.as_str(), |(first, _)| first);
    first.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_event() -> Vec<Event> {
        include_str!("../../domain/events_v1.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_kind_of_fact_has_a_sentence_in_both_languages() {
        let mut kinds = BTreeSet::new();
        for event in every_event() {
            kinds.insert(event.kind());
            let (en, es) = (sentence(&event, Lang::En), sentence(&event, Lang::Es));
            for said in [&en, &es] {
                assert!(said.ends_with('.'), "no sentence: {said}");
                assert!(
                    !said.contains("..") && !said.contains("  ") && !said.contains('{'),
                    "{said}"
                );
            }
            assert_ne!(en, es, "not translated");
            assert!(!who(&event).is_empty());
        }
        assert_eq!(kinds.len(), 25, "a kind is missing: {kinds:?}");
    }

    #[test]
    fn a_person_is_named_and_what_was_accepted_is_said_without_what_to_do() {
        let accepted =
            every_event().into_iter().find(|event| event.kind() == "difference_accepted").unwrap();
        assert_eq!(who(&accepted), "ana");
        assert_eq!(
            sentence(&accepted, Lang::En),
            "ana accepted it all the same (Paid 15.990 CLP, but S00042 asks for 16.000 CLP): ten pesos."
        );
    }
}
