//! A line of the ledger as a case: what is given, what is told, and what is decided then.
//!
//! Words of `given`, joined by commas: `order NAME TOTAL CURRENCY [draft|sale|cancel] [company N]
//! [field F] [key other]` · `invoice ID ORDER TOTAL [draft|cancelled|credit] [is STATE]
//! [residual R] [payments N] [company N] [in CURRENCY]` · `tx REFERENCE STATE [of ORDER]` ·
//! `booked AMOUNT CURRENCY [state S] [company N]` · `ventipay STATUS [AMOUNT CURRENCY] [refunded]
//! [disputed] [at T]` · `unknown field F` · `setting …` · `told EVENT AMOUNT CURRENCY [then …]`.
//! Amounts of `paid`, `told`, `ventipay` are minor units, as Ventipay sends them; all others are
//! decimal text, as Odoo answers.

use concilia_shared::config::{CreditPolicy, Environment, QuotationPolicy, Retry};
use concilia_shared::id::{CheckoutId, EventId};
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;

use crate::domain::decide::{Decision, Plan, Seen, Verdict, decide, plan, rest};
use crate::domain::event::{Booking, CheckoutPaid, Event, Fact, WebhookReceived};
use crate::domain::observe::{
    AtVentipay, Book, CheckoutNow, Found, InOdoo, Invoice, Order, Probe, Transaction,
};
use crate::domain::reason::{IgnoreReason, ParkReason, Problem};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};
use crate::retry::Jitter;

const KEY: &str = "1001";
pub(super) const NOON: &str = "2026-01-05T12:00:00Z";

pub(super) struct Case {
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) seen: Seen,
    pub(super) erased: bool,
}

impl Case {
    pub(super) fn read(line: &str) -> Self {
        let mut columns = line.split('|').map(str::trim);
        let (given, when) = (columns.next().unwrap(), columns.next().unwrap());
        let mut case = Self {
            settings: settings(),
            state: State::default(),
            seen: Seen { odoo: nothing_in_odoo(), ventipay: AtVentipay::NotAsked },
            erased: false,
        };
        // Documents first: transactions and invoices are then hung on them.
        let (first, then): (Vec<&str>, Vec<&str>) = given
            .split(',')
            .map(str::trim)
            .filter(|item| *item != "-")
            .partition(|item| !item.starts_with("invoice") && !item.starts_with("tx"));
        for item in first.into_iter().chain(then) {
            case.given(&item.split_whitespace().collect::<Vec<_>>());
        }
        case.when(&when.split_whitespace().collect::<Vec<_>>());
        case
    }

    fn given(&mut self, words: &[&str]) {
        match words {
            ["setting", rest @ ..] => self.setting(rest),
            ["order", name, total, currency, rest @ ..] => self.order(name, total, currency, rest),
            ["invoice", id, order, total, rest @ ..] => {
                let invoice = invoice(id, total, rest);
                self.orders().find(|o| o.name == *order).unwrap().invoices.push(invoice);
            }
            ["tx", reference, state, "of", order] => {
                let tx = transaction(reference, state);
                self.orders().find(|o| o.name == *order).unwrap().transactions.push(tx);
            }
            ["tx", reference, state] => {
                self.seen.odoo.transactions.push(transaction(reference, state));
            }
            ["unknown", "field", field] => {
                self.probe(field).unknown_field = true;
            }
            ["booked", amount, currency, rest @ ..] => {
                let amount =
                    Money::from_decimal(amount, Currency::parse(currency).unwrap()).unwrap();
                self.seen.odoo.booked = Some(booking("chk_1", amount));
                self.seen.odoo.booked_state =
                    Some(after(rest, "state").unwrap_or("done").to_owned());
                self.seen.odoo.booked_company_id = Some(number(after(rest, "company"), 1));
            }
            ["ventipay", "unknown"] => self.seen.ventipay = AtVentipay::Unknown,
            ["ventipay", "unreadable"] => {
                self.seen.ventipay = AtVentipay::Unreadable { path: "amount".to_owned() };
            }
            ["ventipay", status, amount, currency, rest @ ..] => {
                self.seen.ventipay = AtVentipay::Checkout(CheckoutNow {
                    status: (*status).to_owned(),
                    amount: money(amount, currency),
                    refunded: rest.contains(&"refunded"),
                    disputed: rest.contains(&"disputed"),
                    paid_at: after(rest, "at").map(timestamp),
                });
            }
            ["told", event, amount, currency, rest @ ..] => {
                self.told_earlier(event, money(amount, currency), rest);
            }
            _ => panic!("the ledger does not know: {words:?}"),
        }
    }

    fn setting(&mut self, words: &[&str]) {
        match words {
            ["wait"] => self.settings.without_invoice = CreditPolicy::Wait,
            ["confirm"] => self.settings.quotations = QuotationPolicy::Confirm,
            ["live"] => self.settings.environment = Environment::Live,
            ["no_odoo"] => self.settings.company_id = None,
            ["no_key"] => self.settings.asks_ventipay = false,
            ["erased"] => self.erased = true,
            ["book_from", at] => self.settings.book_from = Some(timestamp(at)),
            _ => panic!("the ledger does not know the setting: {words:?}"),
        }
    }

    fn order(&mut self, name: &str, total: &str, currency: &str, rest: &[&str]) {
        let state =
            rest.iter().find(|word| ["draft", "sale", "cancel"].contains(word)).unwrap_or(&"sale");
        let order = Order {
            id: name[1..].parse().unwrap(),
            name: name.to_owned(),
            state: (*state).to_owned(),
            company_id: number(after(rest, "company"), 1),
            currency: currency.to_owned(),
            total: total.to_owned(),
            transactions: Vec::new(),
            invoices: Vec::new(),
        };
        if after(rest, "key").is_none() {
            self.probe(after(rest, "field").unwrap_or("client_order_ref")).orders.push(order);
        }
    }

    fn told_earlier(&mut self, event: &str, amount: Money, rest: &[&str]) {
        let paid = paid_fact(amount.minor, amount.currency.code());
        self.state.apply(&Event::WebhookReceived(webhook(event, paid)));
        let about = EventId::parse(event).unwrap();
        let outcome = match after(rest, "then") {
            None => return,
            Some("booked") => {
                Event::Booked { about, booking: booking("chk_1", amount), matched: None }
            }
            Some("parked") => Event::Parked { about, reason: ParkReason::Refunded },
            Some("late") => {
                Event::Parked { about, reason: ParkReason::LateAndUnverifiable { late_s: 400 } }
            }
            Some("ignored") => Event::Ignored {
                about,
                reason: IgnoreReason::OtherEnvironment { live: Some(true) },
            },
            Some(other) => panic!("the ledger does not know the outcome: {other}"),
        };
        self.state.apply(&outcome);
    }

    fn when(&mut self, words: &[&str]) {
        let mut told = match words {
            ["other"] => webhook("evt_1", Fact::Other),
            ["unreadable"] => webhook("evt_1", Fact::Unreadable { problem: Problem::NotJson }),
            ["paid", amount, currency, rest @ ..] => {
                let minor = money(amount, currency).minor;
                let mut told = webhook("evt_1", paid_fact(minor, currency));
                told.late_s = after(rest, "late").map(|s| s.parse().unwrap());
                told.live = Some(rest.contains(&"live"));
                if rest.contains(&"without") {
                    self.seen.odoo.probes.clear();
                }
                if let Fact::CheckoutPaid(paid) = &mut told.fact {
                    paid.paid_at = after(rest, "at").map(timestamp);
                    paid.status = after(rest, "status").map(str::to_owned);
                    paid.refunded = rest.contains(&"refunded");
                    paid.disputed = rest.contains(&"disputed");
                }
                told
            }
            _ => panic!("the ledger does not know: {words:?}"),
        };
        told.received_at = timestamp(NOON);
        self.state.apply(&Event::WebhookReceived(told));
    }

    pub(super) fn told(&self) -> &Told {
        self.state.told.last().unwrap()
    }

    pub(super) fn paid(&self) -> CheckoutPaid {
        match &self.told().webhook.fact {
            Fact::CheckoutPaid(paid) => paid.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn verdict(&self) -> Result<Book, Verdict> {
        let body = body();
        let body = (!self.erased).then_some(body.as_slice());
        match plan(self.told(), &self.state, &self.settings, body) {
            Plan::Rest(verdict) => Err(verdict),
            Plan::LookUp(lookup) => {
                assert_eq!(lookup.probes.len(), self.settings.fields.len());
                match decide(self.told(), &self.paid(), &self.seen, &self.settings) {
                    Decision::Rest(verdict) => Err(verdict),
                    Decision::Book(book, _) => Ok(*book),
                }
            }
        }
    }

    pub(super) fn book(&self) -> Option<Book> {
        self.verdict().ok()
    }

    pub(super) fn decide(&self) -> String {
        match self.verdict() {
            Err(verdict) => verdict_text(&verdict),
            Ok(book) => {
                let invoices: Vec<String> =
                    book.invoices.iter().map(|(id, _)| id.to_string()).collect();
                let invoices =
                    if invoices.is_empty() { "-".to_owned() } else { invoices.join(" ") };
                let confirm = if book.confirm { " confirm" } else { "" };
                let (order, amount) = (&book.order.name, book.amount.to_decimal());
                format!(
                    "book {order} {amount} {} on {} invoices {invoices}{confirm}",
                    book.currency, book.date
                )
            }
        }
    }

    /// The event this case ends in, a booking carried out.
    pub(super) fn outcome(&self) -> Event {
        self.outcome_at(timestamp(NOON))
    }

    pub(super) fn outcome_at(&self, now: Timestamp) -> Event {
        let verdict = match self.verdict() {
            Err(verdict) => verdict,
            Ok(book) => Verdict::Booked(Box::new(booking_of(&book)), None),
        };
        rest(self.told(), verdict, &Retry::default(), now, Jitter(0))
    }

    fn orders(&mut self) -> impl Iterator<Item = &mut Order> {
        self.seen.odoo.probes.iter_mut().flat_map(|found| found.orders.iter_mut())
    }

    fn probe(&mut self, field: &str) -> &mut Found {
        self.seen.odoo.probes.iter_mut().find(|found| found.probe.field == field).unwrap()
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        environment: Environment::Test,
        match_keys: vec!["external_id".to_owned()],
        fields: ["name", "client_order_ref", "origin"].map(str::to_owned).to_vec(),
        book_from: None,
        quotations: QuotationPolicy::Leave,
        without_invoice: CreditPolicy::Book,
        company_id: Some(1),
        asks_ventipay: true,
    }
}

pub(super) fn nothing_in_odoo() -> InOdoo {
    let found = |field: String| Found {
        probe: Probe { path: "external_id".to_owned(), field, value: KEY.to_owned() },
        unknown_field: false,
        orders: Vec::new(),
    };
    InOdoo {
        booked: None,
        booked_company_id: None,
        booked_state: None,
        transactions: Vec::new(),
        probes: settings().fields.into_iter().map(found).collect(),
    }
}

pub(super) fn body() -> Vec<u8> {
    format!(r#"{{"data":{{"external_id":"{KEY}"}}}}"#).into_bytes()
}

pub(super) fn webhook(event: &str, fact: Fact) -> WebhookReceived {
    WebhookReceived {
        event_id: EventId::parse(event).unwrap(),
        event_type: Some("checkout.paid".to_owned()),
        live: Some(false),
        body_hash: "00".repeat(32),
        received_at: timestamp(NOON),
        late_s: None,
        fact,
    }
}

pub(super) fn paid_fact(minor: i64, currency: &str) -> Fact {
    Fact::CheckoutPaid(CheckoutPaid {
        checkout: CheckoutId::parse("chk_1").unwrap(),
        amount: Money::new(minor, Currency::parse(currency).unwrap()),
        paid_at: None,
        status: None,
        refunded: false,
        disputed: false,
    })
}

pub(super) fn invoice(id: &str, total: &str, rest: &[&str]) -> Invoice {
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

pub(super) fn transaction(reference: &str, state: &str) -> Transaction {
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

pub(super) fn booking(transaction: &str, amount: Money) -> Booking {
    Booking {
        transaction: transaction.to_owned(),
        payment: Some("PBNK1/2026/00001".to_owned()),
        amount,
        date: Some("2026-01-05".parse().unwrap()),
        orders: vec!["S1".to_owned()],
        invoices: Vec::new(),
    }
}

pub(super) fn booking_of(book: &Book) -> Booking {
    Booking { date: Some(book.date), ..booking(book.checkout.as_str(), book.amount) }
}

pub(super) fn verdict_text(verdict: &Verdict) -> String {
    let tag = |value: serde_json::Value| value["reason"].as_str().unwrap().to_owned();
    match verdict {
        Verdict::Recorded(reason) => {
            format!("recorded {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Ignored(reason) => {
            format!("ignored {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Pending(reason) => {
            format!("pending {}", tag(serde_json::to_value(reason).unwrap()))
        }
        Verdict::Parked(reason) => format!("parked {}", tag(serde_json::to_value(reason).unwrap())),
        Verdict::Booked(booking, _) => format!("booked {}", booking.transaction),
    }
}

pub(super) fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == name).map(|place| words[place + 1])
}

pub(super) fn number(text: Option<&str>, otherwise: i64) -> i64 {
    text.map_or(otherwise, |text| text.parse().unwrap())
}

pub(super) fn money(minor: &str, currency: &str) -> Money {
    Money::new(minor.parse().unwrap(), Currency::parse(currency).unwrap())
}

pub(super) fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}
