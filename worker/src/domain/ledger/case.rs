//! A line of the ledger as a case: what is given, what is told, and what is decided then.
//!
//! Words of `given`, joined by commas: `order NAME TOTAL CURRENCY [draft|sale|cancel] [company N]
//! [field F] [key other]` · `invoice ID ORDER TOTAL [draft|cancelled|credit] [is STATE]
//! [residual R] [payments N] [company N] [in CURRENCY]` · `tx REFERENCE STATE [of ORDER]` ·
//! `portal REFERENCE AMOUNT CURRENCY STATE [carries CHECKOUT] [foreign] [company N]`, a
//! transaction Odoo made, then `its order …` and `its invoice ID TOTAL …` · `chosen ORDER` ·
//! `accepted REASON …` · `booked AMOUNT CURRENCY [state S] [company N]` · `ventipay STATUS [AMOUNT CURRENCY] [refunded]
//! [disputed] [at T]` · `unknown field F` · `setting …` · `told EVENT AMOUNT CURRENCY [then …]` ·
//! `told EVENT canceled [then canceled]` · `told EVENT refunded AMOUNT CURRENCY [then refunded]`.
//! `booked` may go on with `[as NAME] [in CURRENCY] [refunded AMOUNT]`, decimal text too; `ventipay` with
//! `[back AMOUNT]`, what was refunded in all.
//! `told EVENT dispute|subscription STATE … [then registered]` · `told EVENT took_back AMOUNT CURRENCY` ·
//! `told EVENT invoice paid AMOUNT CURRENCY [then booked]` · `found invoice ID TOTAL … [field F] [linked]`, in
//! `account.move` · `ventipay dispute|subscription|invoice STATUS [AMOUNT CURRENCY]`.
//! What is told: `dispute …`, `subscription …`, `invoice …`, `card [shown] [nobody]`, `paid …`, `canceled …`, `refunded [AMOUNT CURRENCY|unclear] [late S]`, `charge …` and
//! `payment …` as [`payment_fact`] reads them, `other`, `unreadable`.
//! Amounts of `paid`, `told`, `ventipay` are minor units, as Ventipay sends them; all others are
//! decimal text, as Odoo answers.

use concilia_shared::config::{
    CardPolicy, CreditNotePolicy, CreditPolicy, DisputePolicy, Environment, InvoicePolicy, Mode,
    QuotationPolicy, Retry, UfPolicy,
};
use concilia_shared::id::EventId;
use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;

use super::given::{
    KEY, NOON, acceptable, after, body, booking, canceled_fact, candidate, card_body, card_fact,
    dispute_fact, invoice, invoice_fact, money, nothing_in_odoo, number, order, paid_fact,
    payment_fact, refund_booking, refunded_fact, registration, settings, subscription_fact,
    timestamp, transaction, webhook,
};
use crate::domain::decide::{Decision, Plan, Seen, Verdict, decide, plan, rest};
use crate::domain::event::{Booking, Event};
use crate::domain::fact::Fact;
use crate::domain::name::ObjectId;
use crate::domain::observe::{
    Accepted, AtVentipay, CheckoutNow, Command, DisputeNow, Found, FoundInvoices, InvoiceNow,
    Lookup, Order, Outcome, Probe, Refunded, SubscriptionNow, Transaction,
};
use crate::domain::reason::{IgnoreReason, ParkReason, PendingReason, Problem, RecordReason};
use crate::domain::record::{Activity, CardShown, Done, Last4, Record, Recorded};
use crate::domain::settings::Settings;
use crate::domain::state::{State, Told};
use crate::retry::Jitter;

pub(super) struct Case {
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) seen: Seen,
    pub(super) erased: bool,
    body: Vec<u8>,
    /// What a person decided of the event that is told.
    chosen: Option<String>,
    accepted: Vec<ParkReason>,
}

impl Case {
    pub(super) fn read(line: &str) -> Self {
        let mut columns = line.split('|').map(str::trim);
        let (given, when) = (columns.next().unwrap(), columns.next().unwrap());
        let mut case = Self {
            settings: settings(),
            state: State::default(),
            seen: Seen {
                odoo: nothing_in_odoo(),
                ventipay: AtVentipay::NotAsked,
                customer: None,
                card: None,
            },
            erased: false,
            body: body(),
            chosen: None,
            accepted: Vec::new(),
        };
        // Documents first: transactions and invoices are then hung on them.
        let (first, then): (Vec<&str>, Vec<&str>) =
            given.split(',').map(str::trim).filter(|item| *item != "-").partition(|item| {
                !["invoice", "tx", "its"].iter().any(|word| item.starts_with(word))
            });
        for item in first.into_iter().chain(then) {
            case.given(&item.split_whitespace().collect::<Vec<_>>());
        }
        case.when(&when.split_whitespace().collect::<Vec<_>>());
        case
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each word of the ledger")]
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
            ["portal", reference, amount, currency, state, rest @ ..] => {
                let mut found = candidate(reference, amount, currency, state, rest);
                found.id = i64::try_from(self.seen.odoo.candidates.len()).unwrap() + 1;
                self.seen.odoo.candidates.push(found);
            }
            ["its", "order", name, total, currency, rest @ ..] => {
                let mut order = order(name, total, currency, rest);
                if let Some(paid) = after(rest, "paid") {
                    let other =
                        Transaction { amount: paid.to_owned(), ..transaction("T-9", "done") };
                    order.transactions.push(other);
                }
                self.seen.odoo.candidates.last_mut().unwrap().orders.push(order);
            }
            ["its", "invoice", id, total, rest @ ..] => {
                let invoice = invoice(id, total, rest);
                self.seen.odoo.candidates.last_mut().unwrap().invoices.push(invoice);
            }
            ["chosen", order] => self.chosen = Some((*order).to_owned()),
            ["accepted", reason, rest @ ..] => self.accepted.push(acceptable(reason, rest)),
            ["unknown", "field", field] => {
                self.probe(field).unknown_field = true;
            }
            ["booked", amount, currency, rest @ ..] => {
                let amount =
                    Money::from_decimal(amount, Currency::parse(currency).unwrap()).unwrap();
                let name = after(rest, "as").unwrap_or("chk_1");
                let transaction = after(rest, "confirming").unwrap_or(name);
                self.seen.odoo.booked = Some(booking(transaction, amount));
                self.seen.odoo.booked_name = Some(name.to_owned());
                self.seen.odoo.booked_currency =
                    Some(after(rest, "in").unwrap_or(currency).to_owned());
                self.seen.odoo.refunds = after(rest, "refunded")
                    .map(|amount| Refunded {
                        transaction: format!("{name}-refund-after-0"),
                        amount: amount.to_owned(),
                        payment: Some("PBNK1/2026/00002".to_owned()),
                        date: None,
                    })
                    .into_iter()
                    .collect();
                self.seen.odoo.booked_state =
                    Some(after(rest, "state").unwrap_or("done").to_owned());
                self.seen.odoo.booked_company_id = Some(number(after(rest, "company"), 1));
            }
            ["ventipay", "unknown"] => self.seen.ventipay = AtVentipay::Unknown,
            ["ventipay", "unreadable"] => {
                self.seen.ventipay = AtVentipay::Unreadable { path: "amount".to_owned() };
            }
            ["ventipay", status, amount, currency, rest @ ..] if *status != "invoice" => {
                self.seen.ventipay = AtVentipay::Checkout(CheckoutNow {
                    status: (*status).to_owned(),
                    amount: money(amount, currency),
                    refunded: rest.contains(&"refunded"),
                    refunded_amount: after(rest, "back").map(|back| money(back, currency)),
                    disputed: rest.contains(&"disputed"),
                    paid_at: after(rest, "at").map(timestamp),
                    payment_id: None,
                });
            }
            ["told", event, "canceled", rest @ ..] => {
                self.state.apply(&Event::WebhookReceived(webhook(event, canceled_fact(None))));
                if after(rest, "then").is_some() {
                    let about = EventId::parse(*event).unwrap();
                    let transaction = "1001".to_owned();
                    self.state.apply(&Event::TransactionCanceled { about, transaction });
                }
            }
            ["told", event, kind @ ("dispute" | "subscription"), rest @ ..] => {
                let fact =
                    if *kind == "dispute" { dispute_fact(rest) } else { subscription_fact(rest) };
                self.state.apply(&Event::WebhookReceived(webhook(event, fact)));
                if after(rest, "then").is_some() {
                    let about = EventId::parse(*event).unwrap();
                    let registration = registration(kind, rest[0]);
                    self.state.apply(&Event::Registered { about, registration });
                }
            }
            ["told", event, "took_back", amount, currency] => {
                let (about, amount) = (EventId::parse(*event).unwrap(), money(amount, currency));
                let mut refund = refund_booking("chk_1-dispute-dp_1", amount, amount);
                refund.dispute = ObjectId::parse("dp_1");
                let booking = booking("chk_1", amount);
                self.state.apply(&Event::Refunded { about, refund, booking });
            }
            ["made", event] => {
                let about = EventId::parse(*event).unwrap();
                self.state.apply(&Event::InvoiceMade { about, invoice: "/".to_owned() });
            }
            ["told", event, "invoice", "paid", amount, currency, rest @ ..] => {
                let fact = invoice_fact(&["paid", amount, currency]);
                self.state.apply(&Event::WebhookReceived(webhook(event, fact)));
                if after(rest, "then") == Some("booked") {
                    let about = EventId::parse(*event).unwrap();
                    let booking = booking("invoice-in_1", money(amount, currency));
                    self.state.apply(&Event::Booked { about, booking, matched: None, mode: None });
                }
            }
            ["found", "invoice", id, total, rest @ ..] => {
                let mut transactions = Vec::new();
                if rest.contains(&"linked") {
                    transactions.push(transaction("T-1", "done"));
                }
                let field = after(rest, "field").unwrap_or("ref");
                let probe = Probe {
                    path: "external_id".to_owned(),
                    field: field.to_owned(),
                    value: KEY.to_owned(),
                };
                let invoices = &mut self.seen.odoo.invoices;
                if !invoices.iter().any(|found| found.probe == probe) {
                    invoices.push(FoundInvoices { probe: probe.clone(), invoices: Vec::new() });
                }
                let found = invoices.iter_mut().find(|found| found.probe == probe).unwrap();
                found.invoices.push((invoice(id, total, rest), transactions));
            }
            ["ventipay", "card"] => {
                let last4 = Last4::parse("4242").unwrap();
                self.seen.card = Some(CardShown { last4, brand: None });
            }
            ["ventipay", "dispute", status] => {
                self.seen.ventipay = AtVentipay::Dispute(DisputeNow {
                    status: (*status).to_owned(),
                    amount: None,
                    reason: None,
                    deadline: None,
                    checkout: None,
                    payment_id: None,
                    charge_id: None,
                    customer_id: None,
                });
            }
            ["ventipay", "subscription", status] => {
                self.seen.ventipay = AtVentipay::Subscription(SubscriptionNow {
                    status: (*status).to_owned(),
                    reason: None,
                    amount: None,
                    customer_id: None,
                    period_start: None,
                    period_end: None,
                    canceled_at: None,
                });
            }
            ["ventipay", "invoice", status, rest @ ..] => {
                self.seen.ventipay = AtVentipay::Invoice(InvoiceNow {
                    status: (*status).to_owned(),
                    amount: rest.first().map(|minor| money(minor, rest[1])),
                    subscription_id: None,
                    customer_id: None,
                    checkout: None,
                    payment_id: None,
                    charge_id: None,
                    external_id: None,
                    paid_at: None,
                });
            }
            ["told", event, "refunded", amount, currency, rest @ ..] => {
                let refunded = money(amount, currency);
                let told = webhook(event, refunded_fact(Some(refunded)));
                self.state.apply(&Event::WebhookReceived(told));
                if after(rest, "then").is_some() {
                    let about = EventId::parse(*event).unwrap();
                    let booking = self.state.booking.clone().unwrap();
                    let refund = refund_booking("chk_1-refund-after-0", refunded, refunded);
                    self.state.apply(&Event::Refunded { about, refund, booking });
                }
            }
            ["told", event, amount, currency, rest @ ..] => {
                self.told_earlier(event, money(amount, currency), rest);
            }
            _ => panic!("the ledger does not know: {words:?}"),
        }
    }

    fn setting(&mut self, words: &[&str]) {
        match words {
            ["mode", mode] => {
                self.settings.mode = match *mode {
                    "A" => Mode::A,
                    "Hybrid" => Mode::Hybrid,
                    other => panic!("the ledger does not know the mode: {other}"),
                };
            }
            ["wait"] => self.settings.without_invoice = CreditPolicy::Wait,
            ["confirm"] => self.settings.quotations = QuotationPolicy::Confirm,
            ["live"] => self.settings.environment = Environment::Live,
            ["no_odoo"] => self.settings.company_id = None,
            ["no_key"] => self.settings.asks_ventipay = false,
            ["erased"] => self.erased = true,
            ["uf", "UF"] => self.settings.uf = UfPolicy::Uf,
            ["uf", "CLF"] => self.settings.uf = UfPolicy::Clf,
            ["lost_disputes", "book"] => self.settings.lost_disputes = DisputePolicy::Book,
            ["invoices", policy] => {
                self.settings.subscription_invoices =
                    if *policy == "post" { InvoicePolicy::Post } else { InvoicePolicy::Draft };
                self.settings.subscription_product = Some("SUB".to_owned());
            }
            ["no_product"] => self.settings.subscription_product = None,
            ["cards", "active"] => self.settings.cards = CardPolicy::Active,
            ["cards", "off"] => self.settings.cards = CardPolicy::Off,
            ["draft_credit_notes"] => self.settings.credit_notes = CreditNotePolicy::Draft,
            ["book_from", at] => self.settings.book_from = Some(timestamp(at)),
            _ => panic!("the ledger does not know the setting: {words:?}"),
        }
    }

    fn order(&mut self, name: &str, total: &str, currency: &str, rest: &[&str]) {
        let order = order(name, total, currency, rest);
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
                let booking = booking("chk_1", amount);
                Event::Booked { about, booking, matched: None, mode: None }
            }
            Some("parked") => Event::Parked { about, reason: ParkReason::Refunded },
            Some("waits") => Event::Pended {
                about,
                reason: PendingReason::NoMatch { looked_for: Vec::new() },
                attempt: 1,
                since: timestamp(NOON),
                due_at: timestamp("2026-02-01T12:00:00Z"),
            },
            Some("before") => {
                let book_from = timestamp("2026-02-01T12:00:00Z");
                Event::Recorded { about, reason: RecordReason::BeforeBookFrom { book_from } }
            }
            Some("elsewhere") => {
                let name = "payment-pay_1".to_owned();
                Event::Recorded { about, reason: RecordReason::BookedElsewhere { name } }
            }
            Some("late") => {
                Event::Parked { about, reason: ParkReason::LateAndUnverifiable { late_s: 400 } }
            }
            Some("closed") => Event::Ignored {
                about,
                reason: IgnoreReason::ByHand { by: "ana".to_owned(), why: "refunded".to_owned() },
            },
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
            ["refunded", amount, rest @ ..] => {
                let refunded = (*amount != "unclear").then(|| money(amount, rest[0]));
                let mut told = webhook("evt_1", refunded_fact(refunded));
                told.late_s = after(rest, "late").map(|s| s.parse().unwrap());
                told.live = Some(rest.contains(&"live"));
                told
            }
            ["dispute", rest @ ..] => webhook("evt_1", dispute_fact(rest)),
            ["subscription", rest @ ..] => webhook("evt_1", subscription_fact(rest)),
            ["invoice", rest @ ..] => {
                let mut told = webhook("evt_1", invoice_fact(rest));
                told.late_s = after(rest, "late").map(|s| s.parse().unwrap());
                told.live = Some(rest.contains(&"live"));
                told
            }
            ["card", rest @ ..] => {
                self.body = card_body(rest.contains(&"shown"), rest.contains(&"nobody"));
                webhook("evt_1", card_fact(rest.contains(&"nobody")))
            }
            ["charge" | "payment", rest @ ..] => {
                let mut told = webhook("evt_1", payment_fact(rest));
                told.late_s = after(rest, "late").map(|s| s.parse().unwrap());
                told.live = Some(rest.contains(&"live"));
                told
            }
            ["canceled", rest @ ..] => {
                let mut told = webhook("evt_1", canceled_fact(after(rest, "status")));
                told.live = Some(rest.contains(&"live"));
                told
            }
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
        let about = told.event_id.clone();
        self.state.apply(&Event::WebhookReceived(told));
        let (by, why) = ("ana".to_owned(), "she knows".to_owned());
        if let Some(order) = self.chosen.clone() {
            let (about, by, why) = (about.clone(), by.clone(), why.clone());
            self.state.apply(&Event::MatchChosen { about, order, by, why });
        }
        for accepted in self.accepted.clone() {
            let (about, by, why) = (about.clone(), by.clone(), why.clone());
            self.state.apply(&Event::DifferenceAccepted { about, accepted, by, why });
        }
    }

    pub(super) fn told(&self) -> &Told {
        self.state.told.last().unwrap()
    }

    /// What was looked up, and so what of Odoo is seen.
    fn look(&self, lookup: &Lookup) -> Seen {
        let mut seen = self.seen.clone();
        let all = seen.odoo.probes.iter().flat_map(|found| found.orders.iter().cloned());
        let named: Vec<Order> =
            all.filter(|order| Some(&order.name) == self.chosen.as_ref()).collect();
        let found = |probe: &Probe| {
            let same = seen.odoo.probes.iter().find(|found| found.probe == *probe);
            same.cloned().unwrap_or_else(|| Found {
                probe: probe.clone(),
                unknown_field: false,
                orders: named.clone(),
            })
        };
        // A body without a key finds nothing; neither does mode A among orders.
        let probes = if seen.odoo.probes.is_empty() { &[][..] } else { &lookup.probes[..] };
        seen.odoo.probes = probes.iter().map(found).collect();
        let found = |probe: &Probe| {
            let same = self.seen.odoo.invoices.iter().find(|found| found.probe == *probe);
            let none = || FoundInvoices { probe: probe.clone(), invoices: Vec::new() };
            same.cloned().unwrap_or_else(none)
        };
        seen.odoo.invoices = lookup.invoice_probes.iter().map(found).collect();
        seen.customer.clone_from(&lookup.customer);
        seen.card = lookup.card.clone().or(seen.card);
        seen.odoo.candidates.retain(|candidate| {
            let named = |value: &String| candidate.transaction.reference == *value;
            candidate.found_by == "checkout"
                || lookup.references.iter().any(|reference| named(&reference.value))
        });
        seen
    }

    fn decision(&self) -> Decision {
        let body = (!self.erased).then_some(self.body.as_slice());
        match plan(self.told(), &self.state, &self.settings, body) {
            Plan::Rest(verdict) => Decision::Rest(verdict),
            Plan::LookUp(lookup) => {
                let seen = self.look(&lookup);
                decide(self.told(), &self.state, &lookup, &seen, &self.settings)
            }
        }
    }

    pub(super) fn command(&self) -> Option<Command> {
        match self.decision() {
            Decision::Do(command, _) => Some(command),
            Decision::Rest(_) | Decision::Learn(_) => None,
        }
    }

    pub(super) fn decide(&self) -> String {
        match self.decision() {
            Decision::Rest(verdict) => verdict_text(&verdict),
            Decision::Do(command, _) => command_text(&command),
            Decision::Learn(checkout) => format!("learn {checkout}"),
        }
    }

    /// The event this case ends in, a booking carried out.
    pub(super) fn outcome(&self) -> Event {
        self.outcome_at(timestamp(NOON))
    }

    pub(super) fn outcome_at(&self, now: Timestamp) -> Event {
        let verdict = match self.decision() {
            Decision::Rest(verdict) => verdict,
            // Until what is taken in is booked.
            Decision::Learn(_) => Verdict::Pending(PendingReason::NotBookedYet),
            Decision::Do(command, _) => {
                let done = done(&command);
                crate::domain::decide::conclude(&command, done, None).unwrap()
            }
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

/// What stands in Odoo once a command that enters money was carried out.
pub(super) fn booking_of(command: &Command) -> Option<Booking> {
    let name = command.name();
    let (amount, date, transaction) = match command {
        Command::Book(book) => (book.amount, book.date, &name),
        // Odoo's own transaction keeps its reference.
        Command::Confirm(confirm) => {
            (confirm.amount, confirm.date, &confirm.candidate.transaction.reference)
        }
        Command::PayInvoice(pay) => (pay.amount, pay.date, &name),
        Command::MakeInvoice(_)
        | Command::Refund(_)
        | Command::Record(_)
        | Command::Cancel(_)
        | Command::Fail(_)
        | Command::Complete { .. } => {
            return None;
        }
    };
    Some(Booking { date: Some(date), ..booking(transaction, amount) })
}

/// What a command comes to when nothing is in its way.
pub(super) fn done(command: &Command) -> Outcome {
    match (booking_of(command), command) {
        (Some(booking), _) => Outcome::Booked(booking),
        (None, Command::Cancel(cancel)) => {
            Outcome::Canceled { transaction: cancel.reference.clone() }
        }
        (None, Command::MakeInvoice(_)) => Outcome::InvoiceMade { invoice: "/".to_owned() },
        (None, Command::Record(_)) => Outcome::Recorded(Recorded::Done(Done::default())),
        (None, Command::Fail(fail)) => Outcome::Failed { transaction: fail.reference.clone() },
        (None, Command::Refund(refund)) => {
            let refunded =
                Money::new(refund.after.minor + refund.amount.minor, refund.amount.currency);
            let paid = booking(refund.of[0].as_str(), refund.amount);
            Outcome::Refunded(refund_booking(&refund.name, refund.amount, refunded), paid)
        }
        (None, _) => Outcome::Again,
    }
}

fn accepted_text(accepted: Accepted) -> &'static str {
    if accepted == Accepted::default() { "" } else { " accepted" }
}

fn command_text(command: &Command) -> String {
    match command {
        Command::Book(book) => {
            let ids: Vec<String> = book.invoices.iter().map(|(id, _)| id.to_string()).collect();
            let invoices = if ids.is_empty() { "-".to_owned() } else { ids.join(" ") };
            let confirm = if book.confirm { " confirm" } else { "" };
            let accepted = accepted_text(book.accepted);
            let (order, amount) = (&book.order.name, book.amount.to_decimal());
            format!(
                "book {order} {amount} {} on {} invoices {invoices}{confirm}{accepted}",
                book.currency, book.date
            )
        }
        Command::Confirm(confirm) => {
            let accepted = accepted_text(confirm.accepted);
            let (reference, amount) =
                (&confirm.candidate.transaction.reference, confirm.amount.to_decimal());
            format!(
                "confirm {reference} {amount} {} on {}{accepted}",
                confirm.currency, confirm.date
            )
        }
        Command::Cancel(cancel) => format!("cancel {} {}", cancel.reference, cancel.state),
        Command::PayInvoice(pay) => {
            let (invoice, amount) =
                (pay.invoice.name.as_deref().unwrap_or("-"), pay.amount.to_decimal());
            format!("pay {invoice} {amount} {} on {}", pay.currency, pay.date)
        }
        Command::Refund(refund) => {
            let draft = if refund.draft_credit_note { " draft" } else { "" };
            let (name, amount) = (&refund.name, refund.amount.to_decimal());
            format!("refund {name} {amount} {} on {}{draft}", refund.currency, refund.date)
        }
        Command::Fail(fail) => format!("fail {} {}", fail.reference, fail.state),
        Command::MakeInvoice(make) => {
            let posted = if make.post { " posted" } else { "" };
            let amount = make.amount.to_decimal();
            format!("make {} {amount} {} on {}{posted}", command.name(), make.currency, make.date)
        }
        Command::Record(record) => record_text(record),
        Command::Complete { name } => format!("complete {name}"),
    }
}

fn record_text(record: &Record) -> String {
    let told = format!("record {} {}", record.name(), record.state());
    match record {
        Record::Dispute(dispute) => {
            let activities = dispute.activities.iter().map(|activity| match activity {
                Activity::Open { key, deadline, .. } => format!(" opens {key} due {deadline}"),
                Activity::Close { .. } => " closes".to_owned(),
            });
            told + &activities.collect::<String>()
        }
        Record::Subscription(subscription) => {
            let customer = subscription.customer.as_ref().and_then(|of| of.id.clone());
            format!("{told} renewals {} of {}", subscription.renewals, customer.unwrap_or_default())
        }
        _ => told,
    }
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
        Verdict::Booked(booking, ..) => format!("booked {}", booking.transaction),
        Verdict::Refunded(refund, _) => format!("refunded {}", refund.transaction),
        Verdict::InvoiceMade { invoice } => format!("made {invoice}"),
        Verdict::Registered(registration) => {
            format!("registered {} {}", registration.record, registration.state)
        }
        Verdict::Failed { transaction } => format!("failed {transaction}"),
        Verdict::Canceled { transaction } => format!("canceled {transaction}"),
        Verdict::Completed(booking) => format!("completed {}", booking.transaction),
    }
}
