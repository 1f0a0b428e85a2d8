//! A log with one of everything, at fixed times, and a desk to ask it at.

use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use concilia_shared::config::{self, Config};
use concilia_shared::id::{AccountName, EventId, StreamId};
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_shared::signature::sign;
use concilia_shared::webhook::Webhook;
use concilia_worker::commands::cli::{Arguments, Command};
use concilia_worker::commands::desk::Desk;
use concilia_worker::commands::screen::Screen;
use concilia_worker::commands::stop::Stop;
use concilia_worker::domain::account::AccountState;
use concilia_worker::domain::event::{BookedInvoice, Booking, Event, Matched, System};
use concilia_worker::domain::interpret::interpret;
use concilia_worker::domain::reason::{ParkReason, PendingReason, RecordReason};
use concilia_worker::domain::state::{State, Status};
use concilia_worker::store::{self, Arrival, BrokerPosition, EventStore};
use jiff::{SignedDuration, Timestamp};

/// The secret the webhooks are signed with: the second of account main.
pub(crate) const SECRET: &str = "whs_current";

/// When it all happened: 09:00 in Chile.
pub(crate) const START: &str = "2026-01-05T12:00:00Z";

/// Accounts: `main` works, `shop` is paused, `tienda` has an outage.
pub(crate) fn config_text(store_url: &str) -> String {
    format!(
        r#"[store]
url = "{store_url}"
[accounts.main]
environment = "test"
webhook_secrets = ["whs_next", "{SECRET}"]
[accounts.main.odoo]
url = "http://odoo.example"
database = "prod"
key = "k"
[accounts.shop]
environment = "test"
webhook_secrets = ["whs_other"]
connector = "shopify"
[accounts.tienda]
environment = "live"
webhook_secrets = ["whs_tienda"]
mode = "Hybrid"
"#
    )
}

/// A log in a folder of its own.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn EventStore>,
}

/// What a command printed, and how it ended: `done`, or the exit code with its sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) end: String,
}

pub(crate) fn now() -> Timestamp {
    at(3 * 60)
}

/// Minutes after the start.
fn at(minute: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::parse(name).unwrap()
}

pub(crate) fn id(name: &str) -> EventId {
    EventId::parse(name).unwrap()
}

pub(crate) fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

fn clp(minor: i64) -> Money {
    Money::new(minor, Currency::Clp)
}

impl Home {
    /// A log without a fact.
    pub(crate) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("log.db").display());
        let config = config::load(&config_text(&url), []).unwrap();
        let store = store::open(&config.store).await.unwrap();
        Self { folder, config, store }
    }

    /// A log with one of everything.
    pub(crate) async fn full() -> Self {
        let home = Self::empty().await;
        home.fill().await;
        home
    }

    async fn fill(&self) {
        let telling = [
            ("main", paid("evt_1", "chk_1", 15_990)),
            ("main", paid("evt_2", "chk_2", 44_000)),
            ("main", paid("evt_3", "chk_3", 21_000)),
            (
                "main",
                "{\"id\":\"evt_4\",\"type\":\"mandate.activated\",\"live\":false,\"data\":{}}"
                    .to_owned(),
            ),
            ("main", "not JSON".to_owned()),
            ("shop", paid("evt_5", "chk_5", 9_900)),
            ("tienda", paid("evt_6", "chk_6", 1_000).replace("\"live\":false", "\"live\":true")),
            ("main", paid("evt_7", "chk_7", 5_000)),
            ("main", paid("evt_8", "chk_8", 700)),
        ];
        for (minute, (account, body)) in (0..).zip(telling) {
            self.tell(account, &body, at(minute)).await;
        }
        let unread = self.store.since(store::Cursor::default(), 100).await.unwrap();
        let unread = unread.iter().find(|it| it.stream.object().starts_with("unread-")).unwrap();
        let unread_id = id(unread.event.about());
        let problem = concilia_worker::domain::reason::Problem::NotJson;
        let facts = [
            ("main/checkout-chk_1", booked()),
            (
                "main/checkout-chk_2",
                parked(
                    "evt_2",
                    ParkReason::AmountMismatch {
                        paid: clp(44_000),
                        expected: "45000".to_owned(),
                        document: "S00015".to_owned(),
                    },
                ),
            ),
            (
                "main/checkout-chk_3",
                Event::Pended {
                    about: id("evt_3"),
                    reason: PendingReason::NoMatch { looked_for: vec!["1003".to_owned()] },
                    attempt: 3,
                    since: at(2),
                    due_at: at(185),
                },
            ),
            (
                "main/event-evt_4",
                Event::Recorded { about: id("evt_4"), reason: RecordReason::NothingToDo },
            ),
            ("main/checkout-chk_7", Event::Held { about: id("evt_7") }),
            (
                "main/checkout-chk_8",
                parked(
                    "evt_8",
                    ParkReason::CurrencyMismatch {
                        paid: clp(700),
                        expected: "USD".to_owned(),
                        document: "S00080".to_owned(),
                    },
                ),
            ),
            (
                unread.stream.as_str(),
                Event::Parked { about: unread_id, reason: ParkReason::Unreadable { problem } },
            ),
            (
                "shop/account",
                Event::AccountPaused { by: "ana".to_owned(), why: "closing the year".to_owned() },
            ),
            (
                "tienda/account",
                Event::OutageBegan { system: System::Odoo, reason: PendingReason::OdooUnavailable },
            ),
        ];
        let facts = facts.map(|(name, event)| (stream(name), event));
        self.store.record(&facts, false, at(20)).await.unwrap();
    }

    /// A webhook as it comes off the broker.
    pub(crate) async fn tell(&self, name: &str, body: &str, received_at: Timestamp) {
        let signature = sign(&Secret::new(SECRET), received_at.as_second(), body.as_bytes());
        let webhook = Webhook {
            account: account(name),
            signature,
            received_at,
            late_s: None,
            traceparent: None,
            body: body.as_bytes().to_vec(),
        };
        let (told, stream) = interpret(&webhook);
        let sequence = u64::try_from(received_at.as_second()).unwrap();
        let position = BrokerPosition { stream: "VENTIPAY@1".to_owned(), sequence };
        let arrival = Arrival { webhook, told, stream, position };
        self.store.admit(&[arrival], received_at).await.unwrap();
    }

    /// Runs a command as a person types it, three hours after the start.
    pub(crate) async fn ask(&self, line: &str) -> Said {
        let words = split(line);
        let arguments =
            Arguments::try_parse_from(std::iter::once("concilia-worker".to_owned()).chain(words));
        let Command::Desk(command) = arguments.unwrap().command else {
            panic!("{line} is not for the desk")
        };
        let mut out = Vec::new();
        let screen = Screen::new(&mut out, command.output());
        let mut desk =
            Desk { config: &self.config, store: self.store.as_ref(), now: now(), screen };
        let ended = command.run(&mut desk).await;
        Said { out: String::from_utf8(out).unwrap(), end: end(ended) }
    }

    /// Where an event rests.
    pub(crate) async fn status(&self, name: &str, event: &str) -> Status {
        let state = self.state(name).await;
        let told = state.told.into_iter().find(|told| told.webhook.event_id.as_str() == event);
        told.unwrap().status
    }

    pub(crate) async fn state(&self, name: &str) -> State {
        let history = self.store.stream(&stream(name)).await.unwrap();
        State::replay(history.iter().map(|recorded| &recorded.event))
    }

    /// The last fact of a stream.
    pub(crate) async fn last(&self, name: &str) -> Event {
        self.store.stream(&stream(name)).await.unwrap().pop().unwrap().event
    }

    pub(crate) async fn account_state(&self, name: &str) -> AccountState {
        let history = self.store.stream(&AccountState::stream(&account(name))).await.unwrap();
        let mut state = AccountState::default();
        for it in &history {
            state.apply(&it.event, it.recorded_at);
        }
        state
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn end(ended: Result<(), Stop>) -> String {
    match ended {
        Ok(()) => "done".to_owned(),
        Err(stop) => {
            let code = match &stop {
                Stop::Failed(_) => 1,
                Stop::Misused(_) => 2,
                Stop::Nothing(_) => 3,
                Stop::Refused(_) => 4,
                Stop::Differs(_) => 5,
            };
            format!("{code}: {}", stop.sentence())
        }
    }
}

/// Words by blanks; quotes keep some together.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (Vec::new(), false);
    for part in line.split('\'') {
        if quoted {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
        quoted = !quoted;
    }
    words
}

/// A body of `checkout.paid`.
pub(crate) fn paid(event: &str, checkout: &str, amount: i64) -> String {
    format!(
        "{{\"id\":\"{event}\",\"type\":\"checkout.paid\",\"live\":false,\"data\":{{\"object\":\"checkout\",\
         \"id\":\"{checkout}\",\"amount\":{amount},\"currency\":\"clp\",\"status\":\"paid\",\
         \"external_id\":\"1003\"}}}}"
    )
}

fn parked(event: &str, reason: ParkReason) -> Event {
    Event::Parked { about: id(event), reason }
}

fn booked() -> Event {
    Event::Booked {
        about: id("evt_1"),
        booking: Booking {
            transaction: "chk_1".to_owned(),
            payment: Some("PBNK1/2026/00003".to_owned()),
            amount: clp(15_990),
            date: Some("2026-01-05".parse().unwrap()),
            orders: vec!["S00001".to_owned()],
            invoices: vec![BookedInvoice {
                name: "FAC 000001".to_owned(),
                payment_state: "paid".to_owned(),
                residual: "0".to_owned(),
            }],
            credit: None,
        },
        matched: Some(Matched {
            path: "external_id".to_owned(),
            field: "client_order_ref".to_owned(),
            value: "1001".to_owned(),
        }),
        mode: Some(config::Mode::B),
    }
}
