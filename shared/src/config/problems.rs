//! What may not stand together in a configuration, each in one sentence with the next step.
//!
//! Not here: what a value may be on its own ([`super::kind`]). No sentence repeats a value that
//! could be a secret in the wrong place.

use std::collections::BTreeMap;

use super::schema::{Account, Config, Connector, Environment, Odoo, Ventipay};
use crate::address;
use crate::id::AccountName;

/// Longest dotted path of a match key, in bytes.
const MATCH_KEY_BYTES_MAX: usize = 200;

impl Config {
    /// What is wrong with the values together, each in one sentence with the next step.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |right: bool, sentence: &str| {
            if !right {
                wrong.push(sentence.to_owned());
            }
        };
        check(self.retry.cap_s >= self.retry.base_s, "retry.cap_s must not be below retry.base_s.");
        let store = self.store.url.expose();
        check(
            ["sqlite:", "postgres:", "postgresql:"].iter().any(|start| store.starts_with(start)),
            "store.url must start with postgres:// or sqlite://.",
        );
        check(
            self.store.password_file.is_none() || takes_a_password(store),
            "store.password_file is for a postgres:// url that names a user and holds no password: \
             remove it, or write store.url = \"postgres://user@host/database\".",
        );
        if let Some(url) = &self.nats.monitor_url {
            check(is_http(url), "nats.monitor_url must start with http:// or https://.");
            check(!address::has_credentials(url), &credentials("nats.monitor_url"));
        }
        if let Some(name) = &self.ingress.default_account {
            check(
                self.accounts.contains_key(name),
                "ingress.default_account names none of the accounts.",
            );
        }
        wrong.extend(self.nats.addresses().err());
        for (name, account) in &self.accounts {
            let sentences = account.problems(self.worker.lease_s);
            wrong.extend(sentences.iter().map(|sentence| format!("accounts.{name}: {sentence}")));
        }
        wrong.extend(self.mixed_environments());
        wrong
    }

    /// Test and live in one company of one database: what was tried out would be booked.
    fn mixed_environments(&self) -> Vec<String> {
        let mut seen: BTreeMap<(String, &str, i64), (&AccountName, Environment)> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, account) in &self.accounts {
            let Some(odoo) = &account.odoo else { continue };
            let url = odoo.url.trim_end_matches('/').to_ascii_lowercase();
            let (other, environment) = *seen
                .entry((url, &odoo.database, odoo.company_id))
                .or_insert((name, account.environment));
            if environment != account.environment {
                wrong.push(format!(
                    "accounts.{other} and accounts.{name} book into one company of one Odoo \
                     database, but one is test and the other live: give the test account a \
                     database of its own."
                ));
            }
        }
        wrong
    }
}

impl Account {
    fn problems(&self, lease_s: u64) -> Vec<String> {
        let mut wrong = self.settings_problems();
        if self.calls_ms() > lease_s.saturating_mul(1_000) {
            wrong.push(
                "worker.lease_s must be at least twice odoo.timeout_ms plus ventipay.timeout_ms, \
                 so that a claim outlives the calls of a booking."
                    .to_owned(),
            );
        }
        if let Some(odoo) = &self.odoo {
            wrong.extend(odoo.problems());
        }
        if let Some(ventipay) = &self.ventipay {
            wrong.extend(ventipay.problems(self.environment));
        }
        wrong
    }

    /// What is wrong with the settings that can be changed while it runs
    /// ([`super::settings`]).
    pub(super) fn settings_problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |right: bool, sentence: &str| {
            if !right {
                wrong.push(sentence.to_owned());
            }
        };
        let is_custom = self.connector == Connector::Custom;
        check(
            !is_custom || self.custom_field.is_some(),
            "connector custom needs custom_field, the sale.order field to look in.",
        );
        check(
            is_custom || self.custom_field.is_none(),
            "custom_field is read by connector custom only: set connector = \"custom\" or remove it.",
        );
        check(
            self.custom_field.as_deref().is_none_or(is_field_name),
            "custom_field is not an Odoo field name (a-z, 0-9, _).",
        );
        let is_list = |text: &str| serde_json::from_str::<Vec<serde_json::Value>>(text).is_ok();
        check(
            self.domain.as_deref().is_none_or(is_list),
            "domain must be a JSON list, as in [[\"team_id\", \"=\", 3]].",
        );
        for (name, paths) in
            [("match_keys", &self.match_keys), ("reference_keys", &self.reference_keys)]
        {
            check(!paths.is_empty(), &format!("{name} must name at least one payload path."));
            check(
                paths.iter().all(|key| is_payload_path(key)),
                &format!(
                    "{name} must be paths as in metadata.order_id: parts of letters, digits, - \
                     and _ with dots between."
                ),
            );
            check(
                !paths.iter().any(|key| key == "data" || key.starts_with("data.")),
                &format!("{name} are relative to data: leave out the \"data.\" at the start."),
            );
        }
        wrong
    }

    /// Longest the calls of one booking may take together, in milliseconds: two of Odoo's, one
    /// of Ventipay's.
    fn calls_ms(&self) -> u64 {
        let odoo = self.odoo.as_ref().map_or(0, |odoo| odoo.timeout_ms);
        let ventipay = self.ventipay.as_ref().map_or(0, |ventipay| ventipay.timeout_ms);
        odoo.saturating_mul(2).saturating_add(ventipay)
    }
}

impl Odoo {
    fn problems(&self) -> Vec<String> {
        let checks = [
            (
                is_http(&self.url),
                "odoo.url must start with https:// (or http:// in a private network).".to_owned(),
            ),
            (!address::has_credentials(&self.url), credentials("odoo.url")),
            (
                self.key.is_none() || self.key_file.is_none(),
                "give odoo.key or odoo.key_file, not both.".to_owned(),
            ),
        ];
        checks.into_iter().filter(|(right, _)| !right).map(|(_, sentence)| sentence).collect()
    }
}

impl Ventipay {
    fn problems(&self, environment: Environment) -> Vec<String> {
        let prefix = environment.key_prefix();
        let checks = [
            (is_http(&self.url), "ventipay.url must start with https://.".to_owned()),
            (!address::has_credentials(&self.url), credentials("ventipay.url")),
            (
                self.key.is_none() || self.key_file.is_none(),
                "give ventipay.key or ventipay.key_file, not both.".to_owned(),
            ),
            (
                self.key.as_ref().is_none_or(|key| key.expose().starts_with(prefix)),
                format!(
                    "environment and ventipay.key disagree: a key of this environment starts with {prefix}."
                ),
            ),
        ];
        checks.into_iter().filter(|(right, _)| !right).map(|(_, sentence)| sentence).collect()
    }
}

/// `postgres://user@host/…`: a user, and room for a password.
fn takes_a_password(store: &str) -> bool {
    let Some((scheme, rest)) = store.split_once("://") else { return false };
    let user = rest.rsplit_once('@').map(|(user, _)| user);
    scheme.starts_with("postgres")
        && user.is_some_and(|user| !user.is_empty() && !user.contains(':'))
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn credentials(key: &str) -> String {
    format!("{key} must hold no user and password (nothing before an @).")
}

fn is_payload_path(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    text.len() <= MATCH_KEY_BYTES_MAX && text.split('.').all(is_part)
}

fn is_field_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::load;

    const ACCOUNT: &str = "[accounts.main]\nenvironment = \"test\"\n";

    fn problems(extra: &str) -> String {
        load(&format!("{ACCOUNT}{extra}"), []).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_a_valid_configuration() {
        let config = load("", []).unwrap();
        assert_eq!((config.retry.base_s, config.retry.cap_s), (15, 3_600));
        assert!(config.default_account().is_none());
    }

    #[test]
    fn the_only_account_is_the_default_one() {
        let config = load(ACCOUNT, []).unwrap();
        assert_eq!(config.default_account().unwrap().as_str(), "main");
        let two = format!("{ACCOUNT}[accounts.other]\nenvironment = \"live\"\n");
        assert!(load(&two, []).unwrap().default_account().is_none());
    }

    #[test]
    fn values_that_contradict_each_other_are_named() {
        assert!(problems("connector = \"custom\"").contains("needs custom_field"));
        assert!(problems("custom_field = \"x'); drop\"").contains("not an Odoo field name"));
        assert!(problems("domain = \"team_id = 3\"").contains("must be a JSON list"));
        assert!(problems("[accounts.main.ventipay]\nkey = \"key_live_1\"").contains("disagree"));
        assert!(problems("custom_field = \"x_order\"").contains("read by connector custom only"));
        assert!(
            problems("connector = \"jumpseller\"\ncustom_field = \"x_order\"")
                .contains("read by connector custom only")
        );
    }

    #[test]
    fn a_password_file_is_for_a_postgres_url_without_password() {
        let with =
            |url: &str| load(&format!("[store]\nurl = \"{url}\"\npassword_file = \"/run/p\""), []);
        for good in ["postgres://u@h/d", "postgresql://u@h:5432/d?sslmode=require"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["postgres://u:hidden@h/d", "postgres://h/d", "postgres://@h/d", "sqlite://u@x"]
        {
            let said = with(bad).unwrap_err().to_string();
            assert!(said.contains("store.password_file") && !said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn a_lease_outlives_two_odoo_calls_and_one_of_ventipay() {
        const ODOO: &str = "[accounts.main.odoo]\nurl = \"http://o\"\ndatabase = \"d\"\n";
        let with = |odoo_ms: u32, ventipay_ms: u32| {
            let text = format!(
                "{ACCOUNT}{ODOO}timeout_ms = {odoo_ms}\n[accounts.main.ventipay]\ntimeout_ms = {ventipay_ms}"
            );
            load(&text, []).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(with(60_000, 60_000), Ok(()), "180 s by default");
        let said = with(60_000, 60_001).unwrap_err();
        assert!(said.contains("worker.lease_s must be at least twice odoo.timeout_ms"), "{said}");
        assert!(with(90_001, 1).is_err());
    }

    #[test]
    fn match_keys_are_paths_below_data() {
        for bad in ["", "a..b", ".a", "a.", "a b", "metadata.ñ", "$.a", "data.external_id", "data"]
        {
            let said = problems(&format!("match_keys = [\"external_id\", {bad:?}]"));
            assert!(said.contains("accounts.main: match_keys"), "{bad}: {said}");
        }
        assert!(problems("match_keys = [\"data.a\"]").contains("relative to data"));
        assert!(
            load(&format!("{ACCOUNT}match_keys = [\"metadata.Order-id_2\", \"database\"]"), [])
                .is_ok()
        );
    }

    #[test]
    fn numbers_have_an_upper_bound_that_is_named() {
        for (key, most) in [
            ("retry.give_up_days", 3_650),
            ("retry.cap_s", 2_592_000),
            ("retry.base_s", 86_400),
            ("retry.factor", 100),
            ("worker.lease_s", 86_400),
            ("worker.gap_check_s", 86_400),
            ("worker.batch", 1_000),
            ("worker.settle_concurrency", 256),
            ("ingress.tolerance_s", 604_800),
            ("ingress.publish_deadline_ms", 600_000),
            ("ingress.request_timeout_ms", 600_000),
            ("nats.max_age_days", 3_650),
            ("store.connections_max", 1_000),
        ] {
            let said = |number: i64| {
                let read = load(&format!("{key} = {number}"), []);
                read.err().map(|error| error.to_string()).unwrap_or_default()
            };
            let expected = format!("{key} must be a whole number from 1 to {most}.");
            assert_eq!((said(most + 1), said(0)), (expected.clone(), expected.clone()));
            assert!(!said(most).contains(&expected), "{}", said(most));
        }
    }

    #[test]
    fn no_account_of_test_books_where_one_of_live_does() {
        let two = |database: &str, environment: &str| {
            let text = format!(
                "[accounts.a]\nenvironment = \"live\"\n[accounts.a.odoo]\nurl = \"https://o\"\ndatabase = \"d\"\n\
                 [accounts.b]\nenvironment = {environment:?}\n[accounts.b.odoo]\nurl = \"https://O/\"\ndatabase = {database:?}\n"
            );
            load(&text, []).map(|_| ()).map_err(|error| error.0)
        };
        let said = two("d", "test").unwrap_err();
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("accounts.a and accounts.b book into one company"), "{said:?}");
        assert_eq!((two("other", "test"), two("d", "live")), (Ok(()), Ok(())));
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_shown() {
        for (text, expected) in [
            (
                "[accounts.main.odoo]\nurl = \"https://u:hidden@o\"\ndatabase = \"d\"",
                "accounts.main: odoo.url must hold no user and password (nothing before an @).",
            ),
            (
                "[accounts.main.ventipay]\nurl = \"https://hidden@v\"",
                "accounts.main: ventipay.url must hold no user and password (nothing before an @).",
            ),
            (
                "[nats]\nmonitor_url = \"http://u:hidden@n:8222\"",
                "nats.monitor_url must hold no user and password (nothing before an @).",
            ),
            (
                "[nats]\nurl = \"http://u:hidden@n\"",
                "nats.url is not an address; write nats://host:4222 or tls://host:4222, several of \
                 one cluster with commas between.",
            ),
        ] {
            assert_eq!(problems(text), expected);
        }
    }

    #[test]
    fn the_credentials_of_the_broker_are_kept_and_not_shown() {
        let config =
            load("[nats]\nurl = \"nats://u:hidden@host:4222,nats://u:hidden@b\"", []).unwrap();
        assert_eq!(
            config.nats.addresses().unwrap(),
            ["nats://u:hidden@host:4222", "nats://u:hidden@b"]
        );
        for shown in [format!("{config:?}"), super::super::show(&config).unwrap()] {
            assert!(shown.contains("nats://***@host:4222,nats://***@b"), "{shown}");
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }

    #[test]
    fn a_syntax_error_does_not_quote_the_file() {
        let error = load("[accounts.main]\nwebhook_secrets = [\"whs_hidden\"", []).unwrap_err();
        let expected = "The configuration file is not valid TOML: look at line 2.";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn debug_of_the_whole_shows_no_secret() {
        let text = format!(
            "{ACCOUNT}webhook_secrets = [\"whs_hidden\"]\n[accounts.main.ventipay]\nkey = \"key_test_hidden\"\n\
             [store]\nurl = \"postgres://u:hidden@h/d\"\n"
        );
        let config = load(&text, []).unwrap();
        assert!(!format!("{config:?}").contains("hidden"));
        let shown = super::super::show(&config).unwrap();
        assert!(
            !shown.contains("hidden") && shown.contains("webhook_secrets = [\"***\"]"),
            "{shown}"
        );
    }
}
