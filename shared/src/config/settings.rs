//! The settings of an account that can be changed while it runs: which they are, how each reads
//! as one text, and an account with some of them changed.
//!
//! The configuration file gives the first values; what is changed later is a fact in the log.
//! Not here: what a setting means ([`super::schema`]), who may change it and when it takes
//! effect (the worker).

use super::keys;
use super::schema::Account;

/// The keys, in the order people read them.
pub const SETTINGS: [&str; 17] = [
    "mode",
    "connector",
    "custom_field",
    "domain",
    "match_keys",
    "reference_keys",
    "book_from",
    "quotations",
    "without_invoice",
    "uf",
    "credit_notes",
    "lost_disputes",
    "subscription_invoices",
    "subscription_product",
    "cards",
    "customers",
    "payloads",
];

/// Between the items of a list.
const COMMA: &str = ", ";

impl Account {
    /// A setting as text; `None` if it is not set, or no such setting exists.
    pub fn setting(&self, key: &str) -> Option<String> {
        if !SETTINGS.contains(&key) {
            return None;
        }
        let table = toml::Table::try_from(self).ok()?;
        Some(match table.get(key)? {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(items) => {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(COMMA)
            }
            other => other.to_string(),
        })
    }

    /// The account with these settings changed, the later of two winning; `None` unsets one.
    ///
    /// Errors: each problem in one sentence; then nothing is changed.
    pub fn with_settings<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, Vec<String>> {
        let mut table = toml::Table::try_from(self)
            .map_err(|_| vec!["The account cannot be written as TOML.".to_owned()])?;
        // Secrets would come back as three stars: only settings travel through the table.
        table.retain(|key, _| SETTINGS.contains(&key) || key == "environment");
        for (key, value) in changes {
            let Some(kind) = SETTINGS.contains(&key).then(|| keys::of_account(key)).flatten()
            else {
                return Err(vec![format!(
                    "There is no setting {key}; the settings are {}.",
                    SETTINGS.join(COMMA)
                )]);
            };
            let Some(value) = value else {
                table.remove(key);
                continue;
            };
            let mut parsed = kind.read(value);
            kind.normalize(&mut parsed);
            if !kind.accepts(&parsed) {
                return Err(vec![format!("{key} must be {}.", kind.wanted())]);
            }
            table.insert(key.to_owned(), parsed);
        }
        let read: Self = table
            .try_into()
            .map_err(|_: toml::de::Error| vec!["The settings do not read.".to_owned()])?;
        let account = Self {
            mode: read.mode,
            connector: read.connector,
            custom_field: read.custom_field,
            domain: read.domain,
            match_keys: read.match_keys,
            reference_keys: read.reference_keys,
            book_from: read.book_from,
            quotations: read.quotations,
            without_invoice: read.without_invoice,
            uf: read.uf,
            credit_notes: read.credit_notes,
            lost_disputes: read.lost_disputes,
            subscription_invoices: read.subscription_invoices,
            subscription_product: read.subscription_product,
            cards: read.cards,
            customers: read.customers,
            payloads: read.payloads,
            ..self.clone()
        };
        let wrong = account.settings_problems();
        if wrong.is_empty() { Ok(account) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Connector, Mode, load};

    fn account() -> Account {
        let text = "[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = \"whs_1\"\n\
                    book_from = \"2026-01-01T00:00:00Z\"";
        load(text, []).unwrap().accounts.into_values().next().unwrap()
    }

    #[test]
    fn every_setting_reads_as_the_text_that_sets_it() {
        let account = account();
        for key in SETTINGS {
            let text = account.setting(key);
            let again = account.with_settings([(key, text.as_deref())]).unwrap();
            assert_eq!(again.setting(key), text, "{key}");
        }
        assert_eq!(account.setting("mode").as_deref(), Some("B"));
        assert_eq!(account.setting("webhook_secrets"), None, "no secret is a setting");
    }

    #[test]
    fn a_change_keeps_everything_else_and_the_secrets() {
        let changes = [
            ("mode", Some("Hybrid")),
            ("connector", Some("custom")),
            ("custom_field", Some("x_shop")),
            ("match_keys", Some("external_id, metadata.n")),
            ("book_from", None),
        ];
        let account = self::account().with_settings(changes).unwrap();
        assert_eq!((account.mode, account.connector), (Mode::Hybrid, Connector::Custom));
        assert_eq!(account.match_keys, ["external_id", "metadata.n"]);
        assert_eq!(account.book_from, None);
        assert_eq!(account.webhook_secrets[0].expose(), "whs_1");
    }

    #[test]
    fn what_does_not_fit_is_refused_in_one_sentence() {
        let refused = |key: &str, value: &str| {
            account().with_settings([(key, Some(value))]).unwrap_err().join(" ")
        };
        assert!(refused("mode", "C").starts_with("mode must be"));
        assert!(refused("book_from", "yesterday").contains("book_from must be"));
        assert!(refused("connector", "custom").contains("needs custom_field"));
        assert!(refused("domain", "team = 3").contains("must be a JSON list"));
        assert!(refused("reference_keys", "").contains("reference_keys"));
        assert!(refused("environment", "live").contains("There is no setting environment"));
    }
}
