//! The values a case is made of: documents, transactions, events and settings, from the words
//! of a line.
//!
//! Not here: the line itself ([`super::case`]).

use concilia_shared::config::{
    CardPolicy, CreditNotePolicy, CreditPolicy, CustomerPolicy, DisputePolicy, Environment,
    InvoicePolicy, Mode, PayloadPolicy, QuotationPolicy, UfPolicy,
};
use concilia_shared::id::{AccountName, CheckoutId, EventId};
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;

use crate::domain::event::{Booking, RefundBooking, Registration, WebhookReceived};
use crate::domain::fact::{
    CardEnrolled, CheckoutCanceled, CheckoutPaid, CheckoutRefunded, DisputeState, DisputeTold,
    Fact, InvoiceState, InvoiceTold, PaymentResult, PaymentTold, SubscriptionState,
    SubscriptionTold,
};
use crate::domain::name::ObjectId;
use crate::domain::observe::{Candidate, Found, InOdoo, Invoice, Order, Probe, Transaction};
use crate::domain::reason::ParkReason;
use crate::domain::settings::Settings;

pub(in crate::domain) const KEY: &str = "1001";
pub(in crate::domain) const NOON: &str = "2026-01-05T12:00:00Z";

pub(in crate::domain) fn settings() -> Settings {
    Settings {
        account: AccountName::parse("main").unwrap(),
        environment: Environment::Test,
        mode: Mode::B,
        reference_keys: vec!["external_id".to_owned()],
        domain: None,
        match_keys: vec!["external_id".to_owned()],
        fields: ["name", "client_order_ref", "origin"].map(str::to_owned).to_vec(),
        book_from: None,
        quotations: QuotationPolicy::Leave,
        without_invoice: CreditPolicy::Book,
        uf: UfPolicy::Auto,
        credit_notes: CreditNotePolicy::Activity,
        lost_disputes: DisputePolicy::Record,
        subscription_invoices: InvoicePolicy::Never,
        subscription_product: None,
        cards: CardPolicy::Archived,
        customers: CustomerPolicy::Find,
        payloads: PayloadPolicy::Hide,
        company_id: Some(1),
        asks_ventipay: true,
    }
}

pub(in crate::domain) fn nothing_in_odoo() -> InOdoo {
    let found = |field: String| Found {
        probe: Probe { path: "external_id".to_owned(), field, value: KEY.to_owned() },
        unknown_field: false,
        orders: Vec::new(),
    };
    InOdoo { probes: settings().fields.into_iter().map(found).collect(), ..InOdoo::default() }
}

pub(in crate::domain) fn body() -> Vec<u8> {
    format!(r#"{{"data":{{"external_id":"{KEY}"}}}}"#).into_bytes()
}

pub(in crate::domain) fn webhook(event: &str, fact: Fact) -> WebhookReceived {
    WebhookReceived {
        event_id: EventId::parse(event).unwrap(),
        event_type: Some("checkout.paid".to_owned()),
        live: Some(false),
        body_hash: "00".repeat(32),
        received_at: timestamp(NOON),
        late_s: None,
        fact,
        source: None,
    }
}

pub(in crate::domain) fn paid_fact(minor: i64, currency: &str) -> Fact {
    Fact::CheckoutPaid(CheckoutPaid {
        checkout: CheckoutId::parse("chk_1").unwrap(),
        amount: Money::new(minor, Currency::parse(currency).unwrap()),
        paid_at: None,
        status: None,
        refunded: false,
        disputed: false,
        payment: None,
    })
}

pub(in crate::domain) fn canceled_fact(status: Option<&str>) -> Fact {
    Fact::CheckoutCanceled(CheckoutCanceled {
        checkout: CheckoutId::parse("chk_1").unwrap(),
        canceled_at: None,
        status: status.map(str::to_owned),
    })
}

pub(in crate::domain) fn refunded_fact(refunded: Option<Money>) -> Fact {
    let checkout = CheckoutId::parse("chk_1").unwrap();
    Fact::CheckoutRefunded(CheckoutRefunded { checkout, refunded, at: None })
}

/// `succeeded|failed [AMOUNT CURRENCY] [of CHECKOUT] [payment ID] [charge ID]`.
pub(in crate::domain) fn payment_fact(words: &[&str]) -> Fact {
    let id = |name: &str| after(words, name).and_then(ObjectId::parse);
    Fact::PaymentTold(PaymentTold {
        result: match words[0] {
            "succeeded" => PaymentResult::Succeeded,
            "failed" => PaymentResult::Failed,
            other => panic!("the ledger does not know the result: {other}"),
        },
        checkout: after(words, "of").map(|id| CheckoutId::parse(id).unwrap()),
        payment: id("payment"),
        charge: id("charge"),
        amount: words
            .get(1)
            .and_then(|minor| minor.parse().ok())
            .map(|minor: i64| Money::new(minor, Currency::parse(words[2]).unwrap())),
        at: None,
        why: Some("no funds".to_owned()),
    })
}

/// `STATE [AMOUNT CURRENCY] [until T]`, of `chk_1`.
pub(in crate::domain) fn dispute_fact(words: &[&str]) -> Fact {
    Fact::DisputeTold(DisputeTold {
        dispute: ObjectId::parse("dp_1").unwrap(),
        state: DisputeState::parse(words[0]).unwrap(),
        checkout: Some(CheckoutId::parse("chk_1").unwrap()),
        payment: None,
        charge: None,
        amount: told_amount(words),
        why: None,
        deadline: after(words, "until").map(timestamp),
    })
}

/// `STATE [until T] [changed T]`.
pub(in crate::domain) fn subscription_fact(words: &[&str]) -> Fact {
    Fact::SubscriptionTold(SubscriptionTold {
        subscription: ObjectId::parse("sub_1").unwrap(),
        state: SubscriptionState::parse(words[0]).unwrap(),
        customer: ObjectId::parse("cus_1"),
        amount: None,
        period_start: None,
        period_end: after(words, "until").map(timestamp),
        changed_at: after(words, "changed").map(timestamp),
        why: None,
    })
}

/// `STATE [AMOUNT CURRENCY] [payment P]`.
pub(in crate::domain) fn invoice_fact(words: &[&str]) -> Fact {
    Fact::InvoiceTold(InvoiceTold {
        invoice: ObjectId::parse("in_1").unwrap(),
        state: InvoiceState::parse(words[0]).unwrap(),
        amount: told_amount(words),
        subscription: ObjectId::parse("sub_1"),
        customer: ObjectId::parse("cus_1"),
        payment: after(words, "payment").and_then(ObjectId::parse),
        checkout: None,
        paid_at: None,
    })
}

pub(in crate::domain) fn card_fact(nobody: bool) -> Fact {
    Fact::CardEnrolled(CardEnrolled {
        setup_intent: ObjectId::parse("seti_1").unwrap(),
        payment_method: ObjectId::parse("pm_1"),
        customer: ObjectId::parse("cus_1").filter(|_| !nobody),
    })
}

pub(in crate::domain) fn card_body(shown: bool, nobody: bool) -> Vec<u8> {
    let method = if shown { r#"{"id":"pm_1","last4":"4242"}"# } else { r#""pm_1""# };
    let customer = if nobody { "" } else { r#","customer_id":"cus_1""# };
    format!(r#"{{"data":{{"id":"seti_1","payment_method":{method}{customer}}}}}"#).into_bytes()
}

pub(in crate::domain) fn registration(kind: &str, state: &str) -> Registration {
    let id = if kind == "dispute" { "dp_1" } else { "sub_1" };
    let state = DisputeState::parse(state)
        .map(DisputeState::as_str)
        .or_else(|| SubscriptionState::parse(state).map(SubscriptionState::as_str));
    let record = format!("{kind}-{id}");
    Registration { record, state: state.unwrap().to_owned(), transaction: None }
}

fn told_amount(words: &[&str]) -> Option<Money> {
    let minor: i64 = words.get(1)?.parse().ok()?;
    Some(Money::new(minor, Currency::parse(words[2]).unwrap()))
}

pub(in crate::domain) fn refund_booking(
    transaction: &str,
    amount: Money,
    refunded: Money,
) -> RefundBooking {
    RefundBooking {
        transaction: transaction.to_owned(),
        payment: Some("PBNK1/2026/00002".to_owned()),
        amount,
        refunded,
        date: Some("2026-01-05".parse().unwrap()),
        credit_note: None,
        dispute: None,
    }
}

pub(in crate::domain) fn order(name: &str, total: &str, currency: &str, rest: &[&str]) -> Order {
    let state =
        rest.iter().find(|word| ["draft", "sale", "cancel"].contains(word)).unwrap_or(&"sale");
    Order {
        id: name[1..].parse().unwrap(),
        name: name.to_owned(),
        state: (*state).to_owned(),
        company_id: number(after(rest, "company"), 1),
        currency: currency.to_owned(),
        total: total.to_owned(),
        transactions: Vec::new(),
        invoices: Vec::new(),
    }
}

pub(in crate::domain) fn candidate(
    reference: &str,
    amount: &str,
    currency: &str,
    state: &str,
    rest: &[&str],
) -> Candidate {
    let carries = after(rest, "carries");
    let by = if carries == Some("chk_1") { "checkout" } else { "external_id" };
    Candidate {
        id: 1,
        found_by: by.to_owned(),
        transaction: Transaction {
            reference: reference.to_owned(),
            provider_reference: carries.map(str::to_owned),
            ours: !rest.contains(&"foreign"),
            state: state.to_owned(),
            amount: amount.to_owned(),
            currency: currency.to_owned(),
            company_id: number(after(rest, "company"), 1),
        },
        orders: Vec::new(),
        invoices: Vec::new(),
    }
}

/// What was accepted: `amount_mismatch DOCUMENT EXPECTED`, `already_paid DOCUMENT BY` (an
/// underscore is a space), `disputed`, `late`.
pub(in crate::domain) fn acceptable(reason: &str, rest: &[&str]) -> ParkReason {
    let document = || rest[0].replace('_', " ");
    match reason {
        "amount_mismatch" => ParkReason::AmountMismatch {
            paid: money("1000", "CLP"),
            expected: rest[1].to_owned(),
            document: document(),
        },
        "already_paid" => {
            // A name with an underscore of its own is one of a checkout.
            let document =
                if rest[0].starts_with("chk_") { rest[0].to_owned() } else { document() };
            ParkReason::AlreadyPaid { document, by: rest[1..].join(" ") }
        }
        "disputed" => ParkReason::Disputed,
        "late" => ParkReason::LateAndUnverifiable { late_s: 400 },
        other => panic!("the ledger does not know what was accepted: {other}"),
    }
}

pub(in crate::domain) fn invoice(id: &str, total: &str, rest: &[&str]) -> Invoice {
    let state = if rest.contains(&"draft") {
        "draft"
    } else if rest.contains(&"cancelled") {
        "cancel"
    } else {
        "posted"
    };
    Invoice {
        id: id.parse().unwrap(),
        name: Some(format!("FAC {id}")),
        kind: if rest.contains(&"credit") { "out_refund" } else { "out_invoice" }.to_owned(),
        state: state.to_owned(),
        payment_state: after(rest, "is").unwrap_or("not_paid").to_owned(),
        company_id: number(after(rest, "company"), 1),
        currency: after(rest, "in").unwrap_or("CLP").to_owned(),
        total: total.to_owned(),
        residual: after(rest, "residual").unwrap_or(total).to_owned(),
        payments: u32::try_from(number(after(rest, "payments"), 0)).unwrap(),
    }
}

pub(in crate::domain) fn transaction(reference: &str, state: &str) -> Transaction {
    Transaction {
        reference: reference.to_owned(),
        provider_reference: Some("chk_1".to_owned()),
        ours: false,
        state: state.to_owned(),
        amount: "1000".to_owned(),
        currency: "CLP".to_owned(),
        company_id: 1,
    }
}

pub(in crate::domain) fn booking(transaction: &str, amount: Money) -> Booking {
    Booking {
        transaction: transaction.to_owned(),
        payment: Some("PBNK1/2026/00001".to_owned()),
        amount,
        date: Some("2026-01-05".parse().unwrap()),
        orders: vec!["S1".to_owned()],
        invoices: Vec::new(),
        credit: None,
    }
}

pub(in crate::domain) fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == name).map(|place| words[place + 1])
}

pub(in crate::domain) fn number(text: Option<&str>, otherwise: i64) -> i64 {
    text.map_or(otherwise, |text| text.parse().unwrap())
}

pub(in crate::domain) fn money(minor: &str, currency: &str) -> Money {
    Money::new(minor.parse().unwrap(), Currency::parse(currency).unwrap())
}

pub(in crate::domain) fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}
