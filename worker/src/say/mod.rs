//! Reasons in words: one clear sentence with the next step, in English and Spanish of Chile.
//!
//! Not here: which reason applies ([`crate::domain::decide`]).

mod en;

mod es;

pub mod account;

pub mod reasons;

pub mod timeline;

pub mod when;

use concilia_shared::money::Money;

use crate::domain::reason::PendingReason;
use crate::domain::state::{Status, Told};

/// The languages operators read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Spanish of Chile.
    Es,
}

impl Lang {
    /// The one of two that is in this language.
    pub fn either<T>(self, en: T, es: T) -> T {
        match self {
            Self::En => en,
            Self::Es => es,
        }
    }
}

/// Where an event rests, in one sentence.
pub fn status(status: &Status, lang: Lang) -> String {
    match lang {
        Lang::En => en::status(status),
        Lang::Es => es::status(status),
    }
}

/// What something waits for, in one sentence with the next step: of an outage too.
pub fn pending(reason: &PendingReason, lang: Lang) -> String {
    match lang {
        Lang::En => en::pending(reason),
        Lang::Es => es::pending(reason),
    }
}

/// Where an event rests, and what else a person should know about it.
pub fn told(told: &Told, lang: Lang) -> String {
    let rests = status(&told.status, lang);
    match (told.conflicts, lang) {
        (0, _) => rests,
        (n, Lang::En) => format!(
            "{rests} The same id came {n} more times with another body: compare them with Ventipay's dashboard."
        ),
        (n, Lang::Es) => format!(
            "{rests} El mismo id llegó {n} veces más con otro cuerpo: compárelos con el panel de Ventipay."
        ),
    }
}

/// The reason's name as it stands in the log, for scripts; absent where there is none.
pub fn reason_name(status: &Status) -> Option<String> {
    let value = match status {
        Status::Received
        | Status::Reconciled
        | Status::Canceled { .. }
        | Status::Refunded(_)
        | Status::Failed { .. }
        | Status::Registered(_) => return None,
        Status::Pending { reason, .. } => serde_json::to_value(reason),
        Status::Parked(reason) => serde_json::to_value(reason),
        Status::Ignored(reason) => serde_json::to_value(reason),
        Status::Recorded(reason) => serde_json::to_value(reason),
    };
    value.ok()?.get("reason")?.as_str().map(str::to_owned)
}

/// A person's words, ended as a sentence is.
fn closed(words: &str) -> String {
    let words = words.trim();
    if words.ends_with(['.', '!', '?', '…']) { words.to_owned() } else { format!("{words}.") }
}

/// An amount Odoo wrote as decimal text, as people read amounts; as it stands if it is not one
/// of `like`'s currency.
fn amount(decimal: &str, like: Money) -> String {
    Money::from_decimal(decimal, like.currency)
        .map_or_else(|_| decimal.to_owned(), |money| money.to_string())
}

#[cfg(test)]
mod tests {
    use concilia_shared::money::Currency;

    use super::*;
    use crate::domain::event::{RefundBooking, Registration};
    use crate::domain::reason::{IgnoreReason, NotReady, ParkReason, Problem, RecordReason};

    /// One of each; a reason added without a sentence does not compile, one added without a
    /// line here is noticed by whoever reads this.
    fn every_park_reason() -> Vec<ParkReason> {
        let paid = Money::new(15_990, Currency::Clp);
        let (document, order, status) =
            ("S00042".to_owned(), "S00042".to_owned(), "canceled".to_owned());
        let detail = "Odoo says no.".to_owned();
        vec![
            ParkReason::Unreadable { problem: Problem::NotUtf8 },
            ParkReason::Unreadable { problem: Problem::NotJson },
            ParkReason::Unreadable { problem: Problem::DuplicateKey { key: "amount".to_owned() } },
            ParkReason::Unreadable { problem: Problem::Field { path: "data.id".to_owned() } },
            ParkReason::Unreadable { problem: Problem::UnknownCurrency { code: "XYZ".to_owned() } },
            ParkReason::AmountMismatch {
                paid,
                expected: "16000.00".to_owned(),
                document: document.clone(),
            },
            ParkReason::CurrencyMismatch {
                paid,
                expected: "USD".to_owned(),
                document: document.clone(),
            },
            ParkReason::Ambiguous {
                value: "1001".to_owned(),
                orders: vec!["S1".to_owned(), "S2".to_owned()],
            },
            ParkReason::AlreadyPaid { document: document.clone(), by: "T-1".to_owned() },
            ParkReason::OrderCancelled { order: order.clone() },
            ParkReason::OtherCompany { document },
            ParkReason::BookedDifferently { paid, booked: "900 CLP".to_owned() },
            ParkReason::ContradictedByVentipay { told: paid, answered: "900 CLP".to_owned() },
            ParkReason::Refunded,
            ParkReason::Disputed,
            ParkReason::NotPayable { status: status.clone() },
            ParkReason::LateAndUnverifiable { late_s: 400 },
            ParkReason::RefusedByOdoo { why: "amount".to_owned(), detail: String::new() },
            ParkReason::RefusedByOdoo { why: "odoo".to_owned(), detail: detail.clone() },
            ParkReason::RetriesExhausted {
                attempts: 9,
                waiting_for: Box::new(PendingReason::NoMatch { looked_for: Vec::new() }),
            },
            ParkReason::PayloadErased,
            ParkReason::NameTaken { document: "T-1".to_owned(), by: "x".to_owned() },
            ParkReason::TransactionMismatch {
                paid,
                expected: "1".to_owned(),
                document: "S1".to_owned(),
            },
            ParkReason::CanceledAfterPayment { document: "chk_1".to_owned() },
            ParkReason::InvoiceNotPosted { document: "FAC 1".to_owned() },
            ParkReason::RefundUnclear,
            ParkReason::AmbiguousCustomer,
            ParkReason::CardUnclear,
            ParkReason::RefundAbovePayment { refunded: paid, booked: paid },
            ParkReason::ContradictingFacts { known: "won".to_owned(), told: "lost".to_owned() },
            ParkReason::RoundingLost {
                paid: Money::new(25_001, Currency::Clf),
                currency: "UF".to_owned(),
                document: "S1".to_owned(),
            },
        ]
    }

    fn every_status() -> Vec<Status> {
        let (order, status) = ("S00042".to_owned(), "canceled".to_owned());
        let detail = "Odoo says no.".to_owned();
        let parked = every_park_reason();
        let not_ready = [
            NotReady::NoOdoo,
            NotReady::Denied,
            NotReady::ActionMissing,
            NotReady::ActionDiffers,
            NotReady::NoProvider,
            NotReady::ProviderDisabled,
            NotReady::ProviderDiffers { state: "enabled".to_owned() },
            NotReady::NoAccount,
            NotReady::UnknownField { field: "x_ref".to_owned() },
            NotReady::VentipayDenied,
            NotReady::NoModels,
            NotReady::OtherDatabase { known: "u1".to_owned(), answering: "u2".to_owned() },
            NotReady::Misconfigured { detail },
        ];
        let waits = [
            PendingReason::NoMatch { looked_for: Vec::new() },
            PendingReason::NoMatch { looked_for: vec!["1001".to_owned()] },
            PendingReason::NoTransaction { looked_for: vec!["S1".to_owned()] },
            PendingReason::NoInvoiceYet { order },
            PendingReason::NotPaidYet { status: status.clone() },
            PendingReason::NotCanceledYet { status: status.clone() },
            PendingReason::NotBookedYet,
            PendingReason::NoInvoice { looked_for: vec!["F-1".to_owned()] },
            PendingReason::NoCustomer,
            PendingReason::NotRefundedYet { status: "5.000 CLP".to_owned() },
            PendingReason::Changed { what: "order_total".to_owned() },
            PendingReason::OnlyThis { trouble: Box::new(PendingReason::OdooUnavailable) },
            PendingReason::OdooUnavailable,
            PendingReason::VentipayUnavailable,
        ];
        let pending = waits.into_iter().chain(not_ready.map(|why| PendingReason::NotReady { why }));
        let at = jiff::Timestamp::UNIX_EPOCH;
        let rest = [
            Status::Received,
            Status::Reconciled,
            Status::Ignored(IgnoreReason::OtherEnvironment { live: Some(true) }),
            Status::Ignored(IgnoreReason::OtherEnvironment { live: Some(false) }),
            Status::Ignored(IgnoreReason::OtherEnvironment { live: None }),
            Status::Recorded(RecordReason::NothingToDo),
            Status::Recorded(RecordReason::BeforeBookFrom { book_from: at }),
            Status::Recorded(RecordReason::ToldBefore),
            Status::Recorded(RecordReason::NothingToCancel),
            Status::Recorded(RecordReason::Overtaken { status: "paid".to_owned() }),
            Status::Ignored(IgnoreReason::ByHand { by: "ana".to_owned(), why: "x".to_owned() }),
            Status::Canceled { transaction: "S1".to_owned() },
            Status::Recorded(RecordReason::NothingToConfirm),
            Status::Recorded(RecordReason::PaymentNotBooked),
            Status::Recorded(RecordReason::BookedElsewhere { name: "payment-pay_1".to_owned() }),
            Status::Failed { transaction: "S1".to_owned() },
            Status::Refunded(RefundBooking {
                transaction: "chk_1-refund-after-0".to_owned(),
                payment: None,
                amount: Money::new(5_000, Currency::Clp),
                refunded: Money::new(5_000, Currency::Clp),
                date: None,
                credit_note: None,
                dispute: None,
            }),
            Status::Registered(Registration {
                record: "dispute-dp_1".to_owned(),
                state: "won".to_owned(),
                transaction: None,
            }),
        ];
        parked
            .into_iter()
            .map(Status::Parked)
            .chain(pending.map(|reason| Status::Pending {
                reason,
                attempt: 1,
                since: at,
                due_at: at,
            }))
            .chain(rest)
            .collect()
    }

    #[test]
    fn every_status_is_a_sentence_in_both_languages() {
        for rests in every_status() {
            let (en, es) = (status(&rests, Lang::En), status(&rests, Lang::Es));
            for sentence in [&en, &es] {
                assert!(sentence.ends_with('.'), "no sentence: {sentence}");
                assert!(!sentence.contains("  ") && !sentence.contains('{'), "{sentence}");
            }
            assert!(en != es || rests == Status::Reconciled, "not translated: {en}");
            if let Some(name) = reason_name(&rests) {
                let words = |lang| reasons::phrase(Some(&name), lang);
                assert!(words(Lang::En) != name, "no words for {name}");
                assert!(words(Lang::En) != words(Lang::Es), "not translated: {name}");
            }
        }
    }

    #[test]
    fn amounts_read_alike_whoever_wrote_them() {
        let paid = Money::new(15_990, Currency::Clp);
        let reason = ParkReason::AmountMismatch {
            paid,
            expected: "16000.00".to_owned(),
            document: "S00042".to_owned(),
        };
        assert_eq!(
            status(&Status::Parked(reason), Lang::En),
            "Paid 15.990 CLP, but S00042 asks for 16.000 CLP. Correct the document, refund the difference, or book it all the same with `concilia-worker accept`."
        );
    }

    #[test]
    fn a_second_body_under_one_id_is_told_wherever_the_event_rests() {
        let webhook = crate::domain::event::WebhookReceived {
            event_id: concilia_shared::id::EventId::parse("evt_1").unwrap(),
            event_type: None,
            live: None,
            body_hash: String::new(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            late_s: None,
            fact: crate::domain::event::Fact::Other,
            source: None,
        };
        let of = |conflicts| Told {
            webhook: webhook.clone(),
            status: Status::Reconciled,
            conflicts,
            chosen: None,
            accepted: Vec::new(),
        };
        assert_eq!(told(&of(0), Lang::En), "In Odoo.");
        assert!(told(&of(2), Lang::En).contains("2 more times"));
        assert!(told(&of(2), Lang::Es).contains("2 veces"));
    }

    #[test]
    fn scripts_get_the_name_the_log_has() {
        let name = |status| reason_name(&status);
        assert_eq!(name(Status::Parked(ParkReason::Refunded)).as_deref(), Some("refunded"));
        assert_eq!(name(Status::Reconciled), None);
    }
}
