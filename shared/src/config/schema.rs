//! Every configuration key: its meaning, unit, default and bounds.
//!
//! Not here: how keys are found and overridden (`keys.rs`), what a value may be on its own
//! (`kind.rs`), what may not stand together (`problems.rs`). Adding a key: a field here with
//! its doc comment, a line in `keys::KNOWN` with its kind and bounds, and, where it can
//! contradict another, a sentence in `Config::problems`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address;
use crate::broker;
use crate::id::AccountName;
use crate::secret::Secret;

/// The whole configuration.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The broker.
    pub nats: Nats,
    /// `concilia-ingress`.
    pub ingress: Ingress,
    /// The event store.
    pub store: Store,
    /// `concilia-worker`.
    pub worker: Worker,
    /// When a Pending event is tried again.
    pub retry: Retry,
    /// The Ventipay accounts, by name.
    pub accounts: BTreeMap<AccountName, Account>,
}

/// `[nats]`: the broker. `Debug` and serialization show no credentials of its addresses.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nats {
    /// Server address, `nats://host:port` or `tls://host:port`; several of one cluster with
    /// commas between. May hold credentials; see [`Nats::addresses`].
    #[serde(serialize_with = "address::serialize_redacted")]
    pub url: String,
    /// The server's monitoring address (`http://host:8222`): proves that it syncs always. Holds
    /// no credentials.
    #[serde(serialize_with = "address::serialize_redacted_option")]
    pub monitor_url: Option<String>,
    /// Name of the stream.
    pub stream: String,
    /// A NATS credentials file.
    pub credentials_file: Option<PathBuf>,
    /// Copies of the stream: 1 on one server, 3 in production.
    pub replicas: usize,
    /// Most bytes the stream may hold; full means 503, never silent deletion.
    pub max_bytes: i64,
    /// Days a webhook stays in the broker.
    pub max_age_days: u64,
    /// Start although the broker may lose what it acknowledged. Never in production.
    pub accept_unproven_durability: bool,
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            monitor_url: None,
            stream: broker::STREAM.to_owned(),
            credentials_file: None,
            replicas: 1,
            max_bytes: 4 * 1024 * 1024 * 1024,
            max_age_days: 90,
            accept_unproven_durability: false,
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("url", &address::redacted(&self.url))
            .field("monitor_url", &self.monitor_url.as_deref().map(address::redacted))
            .field("stream", &self.stream)
            .field("credentials_file", &self.credentials_file)
            .field("replicas", &self.replicas)
            .field("max_bytes", &self.max_bytes)
            .field("max_age_days", &self.max_age_days)
            .field("accept_unproven_durability", &self.accept_unproven_durability)
            .finish()
    }
}

impl Nats {
    /// The broker's addresses, one each; with their credentials, so they are not to be shown.
    /// Errors: a sentence that repeats nothing of the address.
    pub fn addresses(&self) -> Result<Vec<String>, String> {
        address::nats(&self.url)
    }
}

/// `[ingress]`: the HTTP side.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingress {
    /// Where webhooks are received.
    pub listen: String,
    /// Where health and metrics are served; not public.
    pub admin_listen: String,
    /// The account of `POST /ventipay/webhook`. With one account configured, that one.
    pub default_account: Option<AccountName>,
    /// Longest wait for the broker's synced acknowledgement, in milliseconds; then 503.
    pub publish_deadline_ms: u64,
    /// Longest a client may take to send its request, in milliseconds; then 408.
    pub request_timeout_ms: u64,
    /// How far `t` of the signature may be from now, in seconds, in either direction.
    pub tolerance_s: i64,
    /// What becomes of a genuine but stale webhook.
    pub late_policy: LatePolicy,
    /// Most connections open at once.
    pub connections_max: usize,
    /// Most webhooks waiting for the broker at once; more are answered 503.
    pub queue_max: usize,
}

impl Default for Ingress {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: "127.0.0.1:9080".to_owned(),
            default_account: None,
            publish_deadline_ms: 3_000,
            request_timeout_ms: 10_000,
            tolerance_s: 300,
            late_policy: LatePolicy::Keep,
            connections_max: 4_096,
            queue_max: 2_048,
        }
    }
}

/// What becomes of a genuine but stale webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LatePolicy {
    /// Kept and marked late: a provider's resend may carry its first timestamp.
    Keep,
    /// Refused with 401.
    Refuse,
}

/// `[store]`: the event store.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `postgres://…` or `sqlite://path`. May hold a password.
    pub url: Secret,
    /// A file that holds PostgreSQL's password, where the url holds none.
    pub password_file: Option<PathBuf>,
    /// Most connections of one process.
    pub connections_max: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: Secret::new("sqlite://concilia.db"), password_file: None, connections_max: 8 }
    }
}

/// `[worker]`: how the worker goes about its work.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Where health and metrics are served; not public.
    pub admin_listen: String,
    /// Most messages taken from the broker at once.
    pub batch: usize,
    /// Streams settled at once by one process.
    pub settle_concurrency: usize,
    /// How long a claim on a stream holds, in seconds: at least two Odoo calls and one Ventipay
    /// call, each at its longest.
    pub lease_s: u64,
    /// How often gaps below the consumer's ack floor are looked for, in seconds.
    pub gap_check_s: u64,
    /// How often each Odoo is asked what changed, in seconds, so that what waits for an order
    /// or an invoice goes on early.
    pub news_s: u64,
    /// How often each Odoo is shown what the log holds anew (events and checkouts, for people),
    /// in seconds; it waits while there is something to book.
    pub mirror_s: u64,
    /// Where an event is shown in the console, for the link beside it in Odoo; `{event}` stands
    /// for its id.
    pub event_url: Option<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            admin_listen: "127.0.0.1:9081".to_owned(),
            batch: 200,
            settle_concurrency: 4,
            lease_s: 180,
            gap_check_s: 60,
            news_s: 15,
            mirror_s: 10,
            event_url: None,
        }
    }
}

/// `[retry]`: when a Pending event is tried again; see the worker's `retry` module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Wait after the first attempt, in seconds, before jitter.
    pub base_s: u64,
    /// Each further wait is this many times the last.
    pub factor: u64,
    /// Longest wait, in seconds.
    pub cap_s: u64,
    /// Days after which a Pending event is parked.
    pub give_up_days: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { base_s: 15, factor: 2, cap_s: 3_600, give_up_days: 30 }
    }
}

/// `[accounts.NAME]`: one Ventipay merchant account in one environment, tied to one Odoo
/// database and company.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `test` or `live`; the payload's `live` and the API key must agree with it.
    pub environment: Environment,
    /// Webhook secrets (`whs_…`), any of which may have signed: two while one is rotated.
    #[serde(default)]
    pub webhook_secrets: Vec<Secret>,
    /// Files that each hold one webhook secret; read at start and on SIGHUP.
    #[serde(default)]
    pub webhook_secret_files: Vec<PathBuf>,
    /// How events are matched.
    #[serde(default)]
    pub mode: Mode,
    /// Where Mode B looks on `sale.order`.
    #[serde(default)]
    pub connector: Connector,
    /// The `sale.order` field of connector `custom`.
    pub custom_field: Option<String>,
    /// An Odoo domain, as JSON text, that keeps two shops apart.
    pub domain: Option<String>,
    /// Payload paths tried in order for the order's key.
    #[serde(default = "default_match_keys")]
    pub match_keys: Vec<String>,
    /// Payload paths tried in order for the reference of Odoo's transaction (modes A, Hybrid).
    #[serde(default = "default_reference_keys")]
    pub reference_keys: Vec<String>,
    /// What was paid before this instant is recorded and never booked.
    pub book_from: Option<Timestamp>,
    /// What becomes of a draft quotation that is paid.
    #[serde(default)]
    pub quotations: QuotationPolicy,
    /// What becomes of a payment whose order has no invoice.
    #[serde(default)]
    pub without_invoice: CreditPolicy,
    /// Which of Odoo's two currencies Ventipay's CLF is (`odoo-api-2.md` 2).
    #[serde(default)]
    pub uf: UfPolicy,
    /// What becomes of the credit note of a refund. None is ever posted by us.
    #[serde(default)]
    pub credit_notes: CreditNotePolicy,
    /// What becomes of a dispute that is lost.
    #[serde(default)]
    pub lost_disputes: DisputePolicy,
    /// What becomes of a paid invoice of a subscription of which Odoo has none.
    #[serde(default)]
    pub subscription_invoices: InvoicePolicy,
    /// Internal reference of the product an invoice is made with, where one is made.
    pub subscription_product: Option<String>,
    /// What becomes of a card a customer enrolled.
    #[serde(default)]
    pub cards: CardPolicy,
    /// What becomes of a customer Odoo does not know.
    #[serde(default)]
    pub customers: CustomerPolicy,
    /// Whether payloads are shown on the events in Odoo: they hold personal data.
    #[serde(default)]
    pub payloads: PayloadPolicy,
    /// The Odoo database it books into.
    pub odoo: Option<Odoo>,
    /// Ventipay's API, for re-reading money facts before booking.
    pub ventipay: Option<Ventipay>,
}

/// The match keys of `design.md`: the official WooCommerce and PrestaShop plugins send no
/// `external_id` (`ventipay-api.md` section 8).
fn default_match_keys() -> Vec<String> {
    [
        "external_id",
        "metadata.wp_order_id",
        "metadata.ps_order_id",
        "metadata.increment_id",
        "metadata.order_id",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// `external_id` is where a checkout made for a transaction of Odoo's carries its reference
/// (`ventipay-api.md` 6.1); the other two are where integrations of others put it.
fn default_reference_keys() -> Vec<String> {
    ["external_id", "metadata.odoo_ref", "metadata.reference"].map(str::to_owned).to_vec()
}

/// Test or live: never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Keys `key_test_…`, payloads with `live: false`.
    Test,
    /// Keys `key_live_…`, payloads with `live: true`.
    Live,
}

/// How events are matched with Odoo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Mode {
    /// Odoo's own checkout: the `payment.transaction` is found and confirmed.
    A,
    /// External shop: a `sale.order` is found and its payment booked.
    #[default]
    B,
    /// A, and B where Odoo has no transaction; never both.
    Hybrid,
}

impl Mode {
    /// Whether a transaction of Odoo's own making is looked for.
    pub fn looks_for_transactions(self) -> bool {
        self != Self::B
    }

    /// Whether an order of an external shop is looked for.
    pub fn looks_for_orders(self) -> bool {
        self != Self::A
    }

    /// The word, as it is configured.
    pub fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::Hybrid => "Hybrid",
        }
    }
}

/// Where Mode B looks on `sale.order`; `design.md`, Words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Connector {
    /// `client_order_ref`.
    Shopify,
    /// `client_order_ref`.
    Woocommerce,
    /// `client_order_ref`.
    Vtex,
    /// `origin`.
    Jumpseller,
    /// `name`, then `client_order_ref`, then `origin`.
    #[default]
    Generic,
    /// The field named by `custom_field`.
    Custom,
}

/// What becomes of a draft quotation that is paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotationPolicy {
    /// Left as it is: confirming moves stock behind the connector's back.
    #[default]
    Leave,
    /// Confirmed when it is paid.
    Confirm,
}

/// What becomes of a payment whose order has no posted invoice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditPolicy {
    /// Booked as a credit of the customer, linked to the order.
    #[default]
    Book,
    /// Pending until the order has a posted invoice.
    Wait,
}

/// Which of Odoo's two currencies for the Unidad de Fomento an account's documents are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum UfPolicy {
    /// Whichever of the two the document at hand is in.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// `UF` of `l10n_cl`: active, two decimals.
    #[serde(rename = "UF")]
    Uf,
    /// `CLF` of the base: inactive until somebody activates it, four decimals.
    #[serde(rename = "CLF")]
    Clf,
}

/// What becomes of the credit note ("nota de crédito") of a refund.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditNotePolicy {
    /// An activity asks the accounting managers to issue it.
    #[default]
    Activity,
    /// A draft is made where an invoice is posted; posting it is a person's.
    Draft,
}

/// What becomes of a dispute that is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DisputePolicy {
    /// It is shown, with an activity; nothing is booked.
    #[default]
    Record,
    /// What was taken back is booked as a refund of the payment.
    Book,
}

/// What becomes of a paid invoice of a subscription of which Odoo has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InvoicePolicy {
    /// Somebody makes it; the payment waits for it.
    #[default]
    Never,
    /// A draft is made; the payment waits until somebody posts it.
    Draft,
    /// It is made, posted and paid.
    Post,
}

/// What becomes of a card a customer enrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CardPolicy {
    /// Nothing.
    Off,
    /// A token that is archived: Odoo would offer it in the portal, and paying with it would
    /// lead nowhere (`odoo-api.md` 4).
    #[default]
    Archived,
    /// A token that Odoo offers.
    Active,
}

/// What becomes of a customer Odoo does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerPolicy {
    /// Nothing is made; what needs the customer waits.
    #[default]
    Find,
    /// A contact is made.
    Create,
}

/// Whether payloads are shown on the events in Odoo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadPolicy {
    /// They stay in the log.
    #[default]
    Hide,
    /// They are shown to who may see the events.
    Show,
}

/// `[accounts.NAME.odoo]`: one Odoo database and company.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Odoo {
    /// Base address, `https://shop.odoo.com`.
    pub url: String,
    /// Database name.
    pub database: String,
    /// The bot's login.
    #[serde(default = "default_login")]
    pub login: String,
    /// The bot's API key (or password, JSON-RPC only).
    pub key: Option<Secret>,
    /// A file that holds the key.
    pub key_file: Option<PathBuf>,
    /// The company booked into.
    #[serde(default = "default_company_id")]
    pub company_id: i64,
    /// Which API is spoken.
    #[serde(default)]
    pub transport: Transport,
    /// Longest one call may take, in milliseconds.
    #[serde(default = "default_odoo_timeout_ms")]
    pub timeout_ms: u64,
    /// Most calls at once to this address, by one process, all accounts together (the lowest
    /// of theirs counts): more callers gain nothing (`odoo-api-2.md` section 8).
    #[serde(default = "default_odoo_calls_max")]
    pub calls_max: usize,
}

fn default_login() -> String {
    "concilia-bot".to_owned()
}

fn default_company_id() -> i64 {
    1
}

fn default_odoo_timeout_ms() -> u64 {
    60_000
}

fn default_odoo_calls_max() -> usize {
    4
}

/// Which of Odoo's APIs is spoken; `odoo-api.md` section 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The server is asked: JSON-2 from 19 on, else JSON-RPC.
    #[default]
    Auto,
    /// `/jsonrpc`: 17 to 19.
    Jsonrpc,
    /// `/json/2`: 19 and later; needs an API key.
    Json2,
}

/// `[accounts.NAME.ventipay]`: Ventipay's API.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ventipay {
    /// Base address.
    #[serde(default = "default_ventipay_url")]
    pub url: String,
    /// API key (`key_test_…` or `key_live_…`).
    pub key: Option<Secret>,
    /// A file that holds the key.
    pub key_file: Option<PathBuf>,
    /// Longest one call may take, in milliseconds.
    #[serde(default = "default_ventipay_timeout_ms")]
    pub timeout_ms: u64,
}

/// `ventipay-api.md` section 3.2.
fn default_ventipay_url() -> String {
    "https://api.ventipay.com/v1".to_owned()
}

fn default_ventipay_timeout_ms() -> u64 {
    20_000
}

impl Environment {
    /// What `live` must say in payloads of this environment.
    pub fn is_live(self) -> bool {
        self == Self::Live
    }

    /// How its API keys start (`ventipay-api.md` section 3.1).
    pub fn key_prefix(self) -> &'static str {
        match self {
            Self::Test => "key_test_",
            Self::Live => "key_live_",
        }
    }
}

impl Connector {
    /// The `sale.order` fields tried in order. `custom` is the field of [`Self::Custom`].
    pub fn fields(self, custom: Option<&str>) -> Vec<String> {
        match self {
            Self::Shopify | Self::Woocommerce | Self::Vtex => vec!["client_order_ref".to_owned()],
            Self::Jumpseller => vec!["origin".to_owned()],
            Self::Generic => ["name", "client_order_ref", "origin"].map(str::to_owned).to_vec(),
            Self::Custom => custom.map(str::to_owned).into_iter().collect(),
        }
    }
}

impl Config {
    /// The account of `POST /ventipay/webhook`.
    pub fn default_account(&self) -> Option<&AccountName> {
        match &self.ingress.default_account {
            Some(name) => Some(name),
            None if self.accounts.len() == 1 => self.accounts.keys().next(),
            None => None,
        }
    }
}
