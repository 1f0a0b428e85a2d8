//! What a stream shows people in Odoo: a row for each of its events, and one for its checkout.
//!
//! Pure: the same history gives the same rows, so that they can be made again. Disputes,
//! subscriptions and cards are not here: what is known of them is written when they are settled
//! ([`crate::domain::decide`]).

use std::borrow::Borrow;

use concilia_shared::config::Mode;
use concilia_shared::id::{AccountName, CheckoutId, StreamId};
use concilia_shared::money::Money;

use crate::domain::decide::most_told;
use crate::domain::event::Event;
use crate::domain::fact::Fact;
use crate::domain::record::{
    Amount, CheckoutRecord, CheckoutStatus, EnteredBy, EventRecord, EventStatus, Head, Record,
    SubscriptionInvoice,
};
use crate::domain::state::{State, Status, Told};
use crate::say::{self, Lang};

/// Most characters of a type that are shown.
const UNTYPED: &str = "-";

/// A stream's rows. A held stream shows none: it is an older copy until somebody releases it.
pub(super) fn of_stream<E: Borrow<Event>>(
    stream: &StreamId,
    account: &AccountName,
    history: &[E],
    event_url: Option<&str>,
) -> Vec<Record> {
    let facts = || history.iter().map(Borrow::borrow);
    let state = State::replay(facts());
    if state.held {
        return Vec::new();
    }
    let checkout =
        stream.object().strip_prefix("checkout-").and_then(|id| CheckoutId::parse(id).ok());
    let mut rows: Vec<Record> = Vec::with_capacity(state.told.len() + 1);
    // First the checkout: its events point to it.
    if let Some(checkout) = &checkout {
        rows.push(Record::Checkout(Box::new(checkout_row(checkout, account, &state))));
    }
    rows.extend(subscription_invoice(account, &state));
    for told in &state.told {
        let row = event_row(told, facts(), account, checkout.as_ref(), event_url);
        rows.push(Record::Event(Box::new(row)));
    }
    rows
}

/// A paid invoice of a subscription is linked to it once it stands in Odoo.
fn subscription_invoice(account: &AccountName, state: &State) -> Option<Record> {
    state.booking.as_ref()?;
    let (subscription, names) = state.told.iter().find_map(|told| match &told.webhook.fact {
        Fact::InvoiceTold(invoice) => Some((invoice.subscription.as_ref()?, invoice.names())),
        _ => None,
    })?;
    Some(Record::SubscriptionInvoice(Box::new(SubscriptionInvoice {
        subscription: subscription.to_string(),
        account: account.clone(),
        of: names.iter().map(ToString::to_string).collect(),
    })))
}

fn event_row<'a>(
    told: &Told,
    facts: impl Iterator<Item = &'a Event>,
    account: &AccountName,
    checkout: Option<&CheckoutId>,
    event_url: Option<&str>,
) -> EventRecord {
    let id = &told.webhook.event_id;
    let about = facts.enumerate().filter(|(_, fact)| fact.about() == id.as_str());
    let mut revision = 0_u64;
    let mut mode = None;
    for (place, fact) in about {
        revision = u64::try_from(place).unwrap_or(u64::MAX - 1) + 1;
        if let Event::Booked { mode: entered, .. } = fact {
            mode = *entered;
        }
    }
    let sentence = |lang| say::told(told, lang);
    EventRecord {
        account: account.clone(),
        id: id.clone(),
        revision,
        kind: told.webhook.event_type.clone().unwrap_or_else(|| UNTYPED.to_owned()),
        status: status(&told.status),
        mode: mode.map(|mode| match mode {
            Mode::A => EnteredBy::A,
            Mode::B | Mode::Hybrid => EnteredBy::B,
        }),
        // Odoo shows one text to everybody.
        result: Some(format!("{}\n{}", sentence(Lang::Es), sentence(Lang::En))),
        reason: say::reason_name(&told.status),
        live: told.webhook.live.unwrap_or(false),
        received_at: told.webhook.received_at,
        checkout: checkout.cloned().or_else(|| named_checkout(&told.webhook.fact)),
        amount: told
            .webhook
            .fact
            .amount()
            .map(|money| Amount { money, currency: money.currency.to_string() }),
        console_url: event_url.map(|url| url.replace("{event}", id.as_str())),
        payload: None,
    }
}

fn status(status: &Status) -> EventStatus {
    EventStatus::parse(status.word()).unwrap_or(EventStatus::Received)
}

/// The checkout an event of another stream names.
fn named_checkout(fact: &Fact) -> Option<CheckoutId> {
    match fact {
        Fact::DisputeTold(dispute) => dispute.checkout.clone(),
        Fact::InvoiceTold(invoice) => invoice.checkout.clone(),
        _ => None,
    }
}

fn checkout_row(checkout: &CheckoutId, account: &AccountName, state: &State) -> CheckoutRecord {
    let payment = state.payment_told().or_else(|| state.payment_elsewhere());
    let paid = payment.as_ref().map(|payment| payment.amount);
    let told = most_told(state).map(|(_, said)| said);
    let booked_back = state.refunds_booked();
    let refunded = [told, booked_back].into_iter().flatten().max_by_key(|money| money.minor);
    let canceled = state.told.iter().any(|told| {
        matches!(told.webhook.fact, Fact::CheckoutCanceled(_))
            && !matches!(told.status, Status::Parked(_) | Status::Ignored(_))
    });
    let status = match (paid, refunded) {
        (Some(paid), Some(back)) if back.minor >= paid.minor => CheckoutStatus::Refunded,
        (_, Some(_)) => CheckoutStatus::PartiallyRefunded,
        (Some(_), None) => CheckoutStatus::Paid,
        (None, None) if canceled => CheckoutStatus::Canceled,
        (None, None) => CheckoutStatus::Unpaid,
    };
    let booked = state.booking.as_ref().map(|booking| {
        let back = booked_back.map_or(0, |back| back.minor);
        Money::new(booking.amount.minor - back, booking.amount.currency)
    });
    let disputed = state.told.iter().any(|told| match &told.webhook.fact {
        Fact::CheckoutPaid(paid) => paid.disputed,
        _ => false,
    });
    let currency = paid
        .or(refunded)
        .or(booked)
        .map_or_else(|| "CLP".to_owned(), |money| money.currency.to_string());
    let own = checkout.to_string();
    let names = payment.as_ref().map(|payment| payment.names.clone()).unwrap_or_default();
    let of = names.iter().map(ToString::to_string);
    CheckoutRecord {
        head: Head { id: own.clone(), account: account.clone(), revision: state.length },
        status,
        disputed,
        currency,
        amount: paid,
        refunded,
        booked,
        paid_at: payment.as_ref().and_then(|payment| payment.paid_at),
        of: if names.is_empty() { vec![own] } else { of.collect() },
        customer: None,
        activities: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<Event> {
        let lines = [
            r#"{"kind":"webhook_received","event_id":"evt_1","event_type":"checkout.paid","live":false,"body_hash":"00","received_at":"2026-01-05T12:00:03Z","late_s":null,"fact":{"fact":"checkout_paid","checkout":"chk_1","amount":{"minor":1000,"currency":"CLP"},"paid_at":null,"status":"paid","refunded":false,"disputed":false}}"#,
            r#"{"kind":"booked","about":"evt_1","booking":{"transaction":"chk_1","payment":"P1","amount":{"minor":1000,"currency":"CLP"},"date":"2026-01-05","orders":["S1"],"invoices":[]},"matched":null,"mode":"B"}"#,
            r#"{"kind":"webhook_received","event_id":"evt_2","event_type":"checkout.refunded","live":false,"body_hash":"00","received_at":"2026-01-05T12:00:03Z","late_s":null,"fact":{"fact":"checkout_refunded","checkout":"chk_1","refunded":{"minor":400,"currency":"CLP"}}}"#,
            r#"{"kind":"refunded","about":"evt_2","refund":{"transaction":"chk_1-refund-after-0","payment":"P2","amount":{"minor":400,"currency":"CLP"},"refunded":{"minor":400,"currency":"CLP"},"date":"2026-01-05"},"booking":{"transaction":"chk_1","payment":"P1","amount":{"minor":1000,"currency":"CLP"},"date":"2026-01-05","orders":["S1"],"invoices":[]}}"#,
        ];
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn rows(history: &[Event]) -> Vec<Record> {
        let account = AccountName::parse("main").unwrap();
        let stream = StreamId::parse("main/checkout-chk_1").unwrap();
        of_stream(&stream, &account, history, Some("https://c/e/{event}"))
    }

    #[test]
    fn the_checkout_comes_first_then_each_event_as_new_as_its_last_fact() {
        let rows = rows(&history());
        let names: Vec<String> = rows.iter().map(Record::name).collect();
        assert_eq!(names, ["checkout-chk_1", "event-main-evt_1", "event-main-evt_2"]);
        let Record::Checkout(checkout) = &rows[0] else { panic!("{:?}", rows[0]) };
        assert_eq!(
            (checkout.status, checkout.head.revision),
            (CheckoutStatus::PartiallyRefunded, 4)
        );
        let minor = |money: Option<Money>| money.map(|money| money.minor);
        assert_eq!((minor(checkout.refunded), minor(checkout.booked)), (Some(400), Some(600)));
        let Record::Event(event) = &rows[1] else { panic!("{:?}", rows[1]) };
        assert_eq!(
            (event.revision, event.mode, event.status),
            (2, Some(EnteredBy::B), EventStatus::Reconciled)
        );
        assert_eq!(event.console_url.as_deref(), Some("https://c/e/evt_1"));
        assert_eq!(event.result.as_deref(), Some("En Odoo.\nIn Odoo."));
        let Record::Event(event) = &rows[2] else { panic!("{:?}", rows[2]) };
        assert_eq!((event.revision, event.amount.as_ref().unwrap().money.minor), (4, 400));
    }

    #[test]
    fn a_checkout_stands_where_its_facts_say() {
        let status = |facts: usize| match &rows(&history()[..facts])[0] {
            Record::Checkout(checkout) => (checkout.status, checkout.booked.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(status(1), (CheckoutStatus::Paid, false));
        assert_eq!(status(2), (CheckoutStatus::Paid, true));
        assert_eq!(status(3), (CheckoutStatus::PartiallyRefunded, true));
    }

    #[test]
    fn a_paid_invoice_is_linked_to_its_subscription_once_it_is_booked() {
        let told = r#"{"kind":"webhook_received","event_id":"evt_1","event_type":"invoice.paid","live":false,"body_hash":"00","received_at":"2026-01-05T12:00:03Z","late_s":null,"fact":{"fact":"invoice_told","invoice":"in_1","state":"paid","amount":{"minor":1000,"currency":"CLP"},"subscription":"sub_1","payment":"pay_1"}}"#;
        let booked = serde_json::to_string(&history()[1]).unwrap();
        let history: Vec<Event> =
            [told, &booked].into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows(&history[..1]).len(), 2);
        let rows = rows(&history);
        let Record::SubscriptionInvoice(linked) = &rows[1] else { panic!("{rows:?}") };
        assert_eq!((linked.subscription.as_str(), linked.of.len()), ("sub_1", 2));
    }

    #[test]
    fn a_held_stream_shows_nothing() {
        let mut history = history();
        let about = concilia_shared::id::EventId::parse("evt_1").unwrap();
        history.push(Event::Held { about });
        assert!(rows(&history).is_empty());
    }
}
