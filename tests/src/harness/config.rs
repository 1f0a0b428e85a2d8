//! The configuration file of a system under test: one account for each connector, all in one
//! Odoo database, and short waits; where a test asks for them, further ones too: of the other
//! modes, of another company, of one shop among several.
//!
//! Not here: what a key means (`concilia_shared::config`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::odoo::seed::COMPANY;

/// The accounts: name, connector, and the `sale.order` field it looks in. The first is the
/// default one.
pub const ACCOUNTS: [(&str, &str, &str); 6] = [
    ("generic", "generic", "name"),
    ("shopify", "shopify", "client_order_ref"),
    ("woocommerce", "woocommerce", "client_order_ref"),
    ("vtex", "vtex", "client_order_ref"),
    ("jumpseller", "jumpseller", "origin"),
    ("custom", "custom", CUSTOM_FIELD),
];

/// An account beside the usual ones, in mode B: with a webhook secret and an API key of its own,
/// [`secret_of`] and [`key_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Further {
    /// Its name.
    pub name: &'static str,
    /// Its connector.
    pub connector: &'static str,
    /// The company it books into.
    pub company: i64,
    /// Its `domain`, if it has one.
    pub domain: Option<&'static str>,
}

/// Accounts of the other modes, where [`Settings::modes`] asks for them: name and mode. Each has
/// a webhook secret of its own, [`secret_of`].
pub const MODES: [(&str, &str); 2] = [("portal", "A"), ("hybrid", "Hybrid")];

/// The account that has no key to ask Ventipay with.
pub const WITHOUT_KEY: &str = "keyless";

/// The field the account `custom` looks in.
pub const CUSTOM_FIELD: &str = "x_shop_order";

/// The webhook secret the system starts with.
pub const WEBHOOK_SECRET: &str = "whs_end_to_end_first";

/// The webhook secret of an account: the usual ones share one, any other has its own.
pub fn secret_of(account: Option<&str>) -> String {
    match account {
        Some(own) if !is_usual(own) => format!("whs_of_{own}"),
        _ => WEBHOOK_SECRET.to_owned(),
    }
}

fn is_usual(account: &str) -> bool {
    account == WITHOUT_KEY || ACCOUNTS.iter().any(|(name, _, _)| *name == account)
}

/// The API key the worker asks Ventipay with for one of [`Settings::further`].
pub fn key_of(account: &str) -> String {
    format!("key_test_of_{account}")
}

/// The API key the worker asks Ventipay with.
pub const VENTIPAY_KEY: &str = "key_test_end_to_end";

/// Longest one call to Ventipay may take, in milliseconds.
pub const VENTIPAY_TIMEOUT_MS: u64 = 1_000;

/// The database of the simulated Odoo.
pub const DATABASE: &str = "sim";

/// What the file says; everything else is the default.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker's address and its monitoring address.
    pub nats: (String, String),
    /// `store.url`.
    pub store: String,
    /// Address of the simulated Odoo.
    pub odoo: String,
    /// How it is spoken to: `auto`, `jsonrpc`, `json2`.
    pub transport: &'static str,
    /// Where the bot's key is.
    pub odoo_key_file: PathBuf,
    /// Longest one call to Odoo may take, in milliseconds.
    pub odoo_timeout_ms: u64,
    /// Base address of the simulated Ventipay's API.
    pub ventipay: String,
    /// Files of the webhook secrets.
    pub webhook_secret_files: Vec<PathBuf>,
    /// Seconds a claim holds.
    pub lease_s: u64,
    /// The ingress's deadline for the broker, in milliseconds.
    pub publish_deadline_ms: u64,
    /// The wait before every retry, in seconds.
    pub retry_s: u64,
    /// How often each Odoo is asked what changed, in seconds.
    pub news_s: u64,
    /// Whether there are the accounts of [`MODES`] too.
    pub modes: bool,
    /// Accounts beside the usual ones.
    pub further: &'static [Further],
}

impl Settings {
    /// Writes the file.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, self.text())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "[nats]\nurl = {:?}\nmonitor_url = {:?}\nmax_bytes = 67_108_864\n\
             [ingress]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             default_account = {:?}\npublish_deadline_ms = {}\nrequest_timeout_ms = 2_000\n\
             [store]\nurl = {:?}\n\
             [worker]\nadmin_listen = \"127.0.0.1:0\"\nlease_s = {}\ngap_check_s = 1\nnews_s = {}\n\
             [retry]\nbase_s = {}\ncap_s = {}\n",
            self.nats.0,
            self.nats.1,
            ACCOUNTS[0].0,
            self.publish_deadline_ms,
            self.store,
            self.lease_s,
            self.news_s,
            self.retry_s,
            self.retry_s,
        );
        let shared = format!("webhook_secret_files = {:?}", self.webhook_secret_files);
        for (name, connector, _) in ACCOUNTS {
            self.account(&mut text, name, (connector, COMPANY), &shared);
            self.key(&mut text, VENTIPAY_KEY);
        }
        self.account(&mut text, WITHOUT_KEY, ("generic", COMPANY), &shared);
        for (name, mode) in MODES.iter().filter(|_| self.modes) {
            let own = format!("mode = {mode:?}\nwebhook_secrets = {:?}", secret_of(Some(name)));
            self.account(&mut text, name, ("generic", COMPANY), &own);
            self.key(&mut text, VENTIPAY_KEY);
        }
        for further in self.further {
            let mut own = format!("webhook_secrets = {:?}", secret_of(Some(further.name)));
            if let Some(domain) = further.domain {
                let _ = write!(own, "\ndomain = {domain:?}");
            }
            self.account(&mut text, further.name, (further.connector, further.company), &own);
            self.key(&mut text, &key_of(further.name));
        }
        text
    }

    fn key(&self, text: &mut String, key: &str) {
        let _ = writeln!(
            text,
            "ventipay = {{ url = {:?}, key = {key:?}, timeout_ms = {VENTIPAY_TIMEOUT_MS} }}",
            self.ventipay
        );
    }

    fn account(&self, text: &mut String, name: &str, (connector, company): (&str, i64), own: &str) {
        let _ = write!(
            text,
            "[accounts.{name}]\nenvironment = \"test\"\nconnector = {connector:?}\n{own}\n\
             odoo = {{ url = {:?}, database = {DATABASE:?}, company_id = {company}, transport = {:?}, key_file = {:?}, timeout_ms = {} }}\n",
            self.odoo,
            self.transport,
            self.odoo_key_file.display().to_string(),
            self.odoo_timeout_ms,
        );
        if connector == "custom" {
            let _ = writeln!(text, "custom_field = {CUSTOM_FIELD:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_valid_configuration() {
        let settings = Settings {
            nats: ("nats://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()),
            store: "sqlite:///x/concilia.db".to_owned(),
            odoo: "http://127.0.0.1:3".to_owned(),
            transport: "json2",
            odoo_key_file: "/x/key".into(),
            odoo_timeout_ms: 1_000,
            ventipay: "http://127.0.0.1:4/v1".to_owned(),
            webhook_secret_files: vec!["/x/1".into(), "/x/2".into()],
            lease_s: 3,
            publish_deadline_ms: 1_000,
            retry_s: 1,
            news_s: 15,
            modes: true,
            further: &[Further {
                name: "sur",
                connector: "shopify",
                company: 2,
                domain: Some(r#"[["team_id","=",3]]"#),
            }],
        };
        let config = concilia_shared::config::load(&settings.text(), []).unwrap();
        assert_eq!(config.accounts.len(), ACCOUNTS.len() + 1 + MODES.len() + 1);
        let further = config.accounts.values().find(|account| account.domain.is_some()).unwrap();
        assert_eq!(further.odoo.as_ref().unwrap().company_id, 2);
        assert_eq!(config.default_account().unwrap().as_str(), ACCOUNTS[0].0);
    }
}
