//! The world of the month: two accounts, an Odoo, a Ventipay, and the time that passes.
//!
//! What happens is a list of acts by time; between two of them the worker brings every stream to
//! rest that is due. Ventipay and the worker live by the same clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use concilia_shared::config::{self, Environment, Retry, Transport};
use concilia_shared::id::AccountName;
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_shared::webhook::Webhook;
use concilia_tests::odoo::fixtures::{self, Invoice, MadeOrder, NewOrder};
use concilia_tests::odoo::value::Value as Cell;
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions};
use concilia_tests::ventipay::{Families, Options as VentipayOptions, Paid, Pay, SimVentipay};
use concilia_worker::account::AccountShell;
use concilia_worker::clock::{Clock, ManualClock};
use concilia_worker::domain::interpret::interpret;
use concilia_worker::odoo::Odoo;
use concilia_worker::odoo::client::Client as OdooClient;
use concilia_worker::odoo::setup::{SetupRequest, setup};
use concilia_worker::odoo::transport::{Endpoint, Rpc};
use concilia_worker::settle::settle;
use concilia_worker::shell::Shell;
use concilia_worker::store::{self, Admission, Arrival, BrokerPosition, StoreError};
use concilia_worker::ventipay::{Client as VentipayClient, Ventipay};
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::expect::Expected;

/// When the month begins; the first of November in Chile.
pub(crate) const START: &str = "2026-11-01T03:00:00Z";

/// How long it lasts, and how long after it the worker still works: longer than anything is
/// late, shorter than it takes to give up.
const DAYS: i64 = 30;
const DAYS_AFTER: i64 = 5;

/// How far time goes at a step.
const STEP: SignedDuration = SignedDuration::from_hours(2);

/// Streams settled at once.
const AT_ONCE: usize = 4;

/// Longest one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

const VENTIPAY_KEY: &str = "key_test_month";

const BOT_KEY: &str = "a long random key of the bot's";

/// One of the two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    /// Test mode, company 1, Hybrid, asks Ventipay; two shops of different connectors.
    Tienda,
    /// Live mode, company 2, mode B, cannot ask Ventipay; one shop of two, known by its team.
    Outlet,
}

impl Account {
    pub(crate) const ALL: [Self; 2] = [Self::Tienda, Self::Outlet];

    pub(crate) fn name(self) -> AccountName {
        AccountName::parse(self.word()).unwrap()
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tienda => "tienda",
            Self::Outlet => "outlet",
        }
    }

    pub(crate) fn company(self) -> i64 {
        match self {
            Self::Tienda => 1,
            Self::Outlet => 2,
        }
    }

    pub(crate) fn is_live(self) -> bool {
        self == Self::Outlet
    }
}

/// Team of the outlet's own shop, and of another shop of its company.
pub(crate) const TEAM: i64 = 4;
pub(crate) const OTHER_TEAM: i64 = 5;

/// Something that happens at a time.
type Act = Box<dyn FnOnce(&mut Month) + Send>;

/// The month.
pub(crate) struct Month {
    pub shell: Arc<Shell>,
    pub odoo: SimOdoo,
    pub ventipay: SimVentipay,
    pub dice: StdRng,
    pub expected: Expected,
    clock: Arc<ManualClock>,
    acts: BTreeMap<(Timestamp, u64), Act>,
    arrivals: Vec<Arrival>,
    places: u64,
    planned: u64,
    _folder: tempfile::TempDir,
}

impl Month {
    pub(crate) async fn new(seed: u64) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let ventipay = SimVentipay::start(VentipayOptions::default()).await.unwrap();
        ventipay.set_clock(Some(start)).unwrap();
        let odoo = SimOdoo::start(SimOdooOptions::new(Series::V19)).await.unwrap();
        odoo.edit(|tx| fixtures::add_company(tx, Account::Outlet.company(), "Outlet SpA")).unwrap();
        for account in Account::ALL {
            set_up(&odoo, account, start).await;
        }
        assert!(odoo.add_key("concilia-bot", BOT_KEY), "setup makes the bot");
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("log.db").display());
        let settings = config::Store { url: Secret::new(&url), ..config::Store::default() };
        let accounts =
            Account::ALL.map(|account| (account.name(), shell_of(account, &odoo, &ventipay)));
        let shell = Shell {
            store: store::open(&settings).await.unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            call_max: SignedDuration::from_secs(20),
            schedule: Retry { base_s: 900, factor: 2, cap_s: 43_200, give_up_days: 90 },
            accounts: BTreeMap::from(accounts),
            due: tokio::sync::Notify::new(),
        };
        Self {
            shell: Arc::new(shell),
            odoo,
            ventipay,
            dice: StdRng::seed_from_u64(seed),
            expected: Expected::default(),
            clock,
            acts: BTreeMap::new(),
            arrivals: Vec::new(),
            places: 0,
            planned: 0,
            _folder: folder,
        }
    }

    /// Plans something; what is planned for one moment happens in the order it was planned.
    pub(crate) fn at(&mut self, at: Timestamp, act: impl FnOnce(&mut Self) + Send + 'static) {
        self.planned += 1;
        self.acts.insert((at, self.planned), Box::new(act));
    }

    /// Plans something so many hours from now.
    pub(crate) fn in_hours(&mut self, hours: i64, act: impl FnOnce(&mut Self) + Send + 'static) {
        self.at(self.now() + SignedDuration::from_hours(hours), act);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The month passes.
    pub(crate) async fn pass(&mut self) {
        let end = self.now() + SignedDuration::from_hours(24 * (DAYS + DAYS_AFTER));
        while self.now() < end {
            let now = self.now() + STEP;
            while let Some((at, _)) = self.acts.keys().next().copied().filter(|(at, _)| *at <= now)
            {
                // Each happens at its own moment.
                self.clock.set(at.max(self.now()));
                self.ventipay.set_clock(Some(self.now())).unwrap();
                let (_, act) = self.acts.pop_first().unwrap();
                act(self);
            }
            self.clock.set(now);
            self.ventipay.set_clock(Some(now)).unwrap();
            self.admit().await;
            self.work().await;
        }
        assert!(self.acts.is_empty(), "{} acts are later than the end", self.acts.len());
    }

    async fn admit(&mut self) {
        let arrivals = std::mem::take(&mut self.arrivals);
        for some in arrivals.chunks(200) {
            let admitted = self.shell.store.admit(some, self.now()).await.unwrap();
            for admission in admitted {
                *self.expected.admitted.entry(word(admission)).or_default() += 1;
            }
        }
    }

    /// Settles what is due.
    async fn work(&self) {
        loop {
            let now = self.now();
            let lease = now + SignedDuration::from_secs(60);
            let claims = self.shell.store.claim("month", now, lease, AT_ONCE).await.unwrap();
            if claims.is_empty() {
                return;
            }
            let mut settling = JoinSet::new();
            for claim in claims {
                let shell = Arc::clone(&self.shell);
                settling.spawn(async move {
                    let call_by = now + SignedDuration::from_secs(40);
                    match settle(&shell, &claim, call_by).await {
                        Ok(()) | Err(StoreError::Conflict) => {}
                        Err(error) => panic!("{}: {error}", claim.stream),
                    }
                });
            }
            while let Some(settled) = settling.join_next().await {
                settled.unwrap();
            }
        }
    }

    /// An event of Ventipay's arrives now, by so many seconds too late.
    pub(crate) fn arrives_late(&mut self, account: Account, event: &str, late_s: Option<i64>) {
        let body = self.ventipay.body(event).unwrap();
        self.body_arrives(account, body, late_s);
    }

    /// An event of Ventipay's arrives now.
    pub(crate) fn arrives(&mut self, account: Account, event: &str) {
        self.arrives_late(account, event, None);
    }

    /// Any signed body arrives now.
    pub(crate) fn body_arrives(&mut self, account: Account, body: Vec<u8>, late_s: Option<i64>) {
        let webhook = Webhook {
            account: account.name(),
            signature: "t=1,v1=x".to_owned(),
            received_at: self.now(),
            late_s,
            traceparent: None,
            body,
        };
        let (told, stream) = interpret(&webhook);
        self.places += 1;
        let position = BrokerPosition { stream: "S@1".to_owned(), sequence: self.places };
        self.arrivals.push(Arrival { webhook, told, stream, position });
    }

    /// An order of a shop of the account's company.
    pub(crate) fn order(
        &self,
        account: Account,
        total: Money,
        field: &str,
        key: &str,
    ) -> MadeOrder {
        self.order_of(account, total, field, key, |_| {})
    }

    /// The same, changed before it is made.
    pub(crate) fn order_of(
        &self,
        account: Account,
        total: Money,
        field: &str,
        key: &str,
        change: impl FnOnce(&mut NewOrder),
    ) -> MadeOrder {
        let mut new = NewOrder::pesos(0, "");
        new.total = json!(total.to_decimal());
        new.currency = Some(odoo_currency(total.currency).to_owned());
        new.company = Some(account.company());
        new.reference = None;
        match field {
            "client_order_ref" => new.reference = Some(key.to_owned()),
            other => drop(new.fields.insert(other.to_owned(), key.to_owned())),
        }
        change(&mut new);
        let made = self.odoo.add_order(&new);
        if account == Account::Outlet {
            self.team(made.id, TEAM);
        }
        made
    }

    pub(crate) fn team(&self, order: i64, team: i64) {
        let given = |tx: &mut concilia_tests::odoo::world::Tx<'_>| {
            tx.update("sale.order", order, |row| row.set("team_id", Cell::Ref(team)))
        };
        self.odoo.edit(given).unwrap();
    }

    /// A customer invoice that is posted: its name.
    pub(crate) fn customer_invoice(&self, account: Account, total: Money) -> String {
        let change = |new: &mut NewOrder| new.invoice = Invoice::Posted;
        let order = self.order_of(account, total, "client_order_ref", "-", change);
        let invoice = order.invoice.unwrap();
        self.odoo.look(|tx| tx.get("account.move", invoice).unwrap().text("name").to_owned())
    }

    /// Somebody pays; nobody is told.
    pub(crate) fn pay(&self, account: Account, amount: Money, field: &str, key: &str) -> Paid {
        self.pay_told_by(account, amount, field, key, Families::default())
    }

    pub(crate) fn pay_told_by(
        &self,
        account: Account,
        amount: Money,
        field: &str,
        key: &str,
        families: Families,
    ) -> Paid {
        let mut pay = Pay::clp(amount.minor).untold().told_by(families);
        pay.currency = amount.currency.code().to_ascii_lowercase();
        pay.live = account.is_live();
        pay = match field.strip_prefix("metadata.") {
            Some(field) => pay.with("metadata", json!({field: key})),
            None => pay.with(field, key),
        };
        self.ventipay.pay(&pay).unwrap()
    }

    /// The type of an event and what it tells of.
    pub(crate) fn told(&self, event: &str) -> (String, Value) {
        self.ventipay.told(event).unwrap()
    }
}

fn word(admission: Admission) -> &'static str {
    match admission {
        Admission::Appended => "appended",
        Admission::Duplicate => "duplicate",
        Admission::Conflict => "conflict",
    }
}

/// What Odoo calls a currency: `UF` is Ventipay's CLF.
pub(crate) fn odoo_currency(currency: Currency) -> &'static str {
    if currency == Currency::Clf { "UF" } else { currency.code() }
}

async fn set_up(odoo: &SimOdoo, account: Account, now: Timestamp) {
    let admin = Rpc::new(endpoint(odoo, "admin", "admin-key")).unwrap();
    let request = SetupRequest {
        company_id: account.company(),
        environment: if account.is_live() { Environment::Live } else { Environment::Test },
        bot_login: "concilia-bot".to_owned(),
        bot_password: None,
        bot_email: None,
        journal_code: None,
        bot_key_file: None,
        now,
    };
    setup(&admin, &request).await.unwrap();
}

fn endpoint(odoo: &SimOdoo, login: &str, key: &str) -> Endpoint {
    Endpoint {
        url: odoo.url(),
        database: odoo.database.clone(),
        login: login.to_owned(),
        key: Secret::new(key),
        transport: Transport::Json2,
        timeout: TIMEOUT,
    }
}

fn shell_of(account: Account, odoo: &SimOdoo, ventipay: &SimVentipay) -> AccountShell {
    let own = match account {
        Account::Tienda => {
            "environment = \"test\"\nmode = \"Hybrid\"\nconnector = \"generic\"\nbook_from = \"2026-11-01T03:00:00Z\"\n"
        }
        Account::Outlet => {
            "environment = \"live\"\nconnector = \"shopify\"\ndomain = '[[\"team_id\",\"=\",4]]'\n"
        }
    };
    let word = account.word();
    let mut text = format!(
        "[accounts.{word}]\n{own}[accounts.{word}.odoo]\nurl = {:?}\ndatabase = {:?}\ncompany_id = {}\n",
        odoo.url(),
        odoo.database,
        account.company(),
    );
    if account == Account::Tienda {
        let api = ventipay.api_url();
        let own = format!("[accounts.{word}.ventipay]\nurl = {api:?}\nkey = {VENTIPAY_KEY:?}\n");
        text.push_str(&own);
    }
    let config = config::load(&text, []).unwrap().accounts.into_values().next().unwrap();
    let client = OdooClient::new(endpoint(odoo, "concilia-bot", BOT_KEY), account.company());
    let client = client.unwrap().of_environment(config.environment);
    let asks = (account == Account::Tienda).then(|| {
        let key = Secret::new(VENTIPAY_KEY);
        let client = VentipayClient::new(&ventipay.api_url(), key, TIMEOUT).unwrap();
        Arc::new(client) as Arc<dyn Ventipay>
    });
    AccountShell::new(account.name(), config, Some(Arc::new(client) as Arc<dyn Odoo>), asks)
}
