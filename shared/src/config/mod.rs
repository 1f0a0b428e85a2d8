//! Configuration: one TOML file, overridden by environment variables, read into one checked
//! value by both processes.
//!
//! Pure: the text and the variables are parameters; reading files is the caller's, secrets
//! in files included ([`Account::webhook_secret_files`]). An unknown key is an error that
//! names the nearest known one; see [`load`].
//!
//! Read next: [`schema`] for every key, its default and its meaning.

pub mod schema;

mod keys;

mod kind;

mod problems;

pub mod settings;

use std::collections::BTreeMap;

pub use schema::{
    Account, CardPolicy, Config, Connector, CreditNotePolicy, CreditPolicy, CustomerPolicy,
    DisputePolicy, Environment, Ingress, InvoicePolicy, LatePolicy, Mode, Nats, Odoo,
    PayloadPolicy, QuotationPolicy, Retry, Store, Transport, UfPolicy, Ventipay, Worker,
};

/// Prefix of every variable: `CONCILIA_NATS__URL` is `nats.url`,
/// `CONCILIA_ACCOUNTS__MAIN__ODOO__URL` is `accounts.main.odoo.url`.
pub const ENV_PREFIX: &str = "CONCILIA_";

/// Variables with the prefix that are not configuration keys: read by the command line.
pub const ENV_RESERVED: [&str; 7] = [
    "CONCILIA_CONFIG",
    "CONCILIA_LOG",
    "CONCILIA_CRASH_AT",
    "CONCILIA_LOG_FORMAT",
    "CONCILIA_LANG",
    "CONCILIA_ODOO_ADMIN_LOGIN",
    "CONCILIA_ODOO_ADMIN_PASSWORD",
];

/// Everything found wrong, each in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads `text` (TOML, may be empty), lays the variables over it, and checks the whole.
pub fn load(
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // Neither the snippet nor the message: they could show a secret.
        let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| {
            before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1)
        });
        ConfigError(vec![format!("The configuration file is not valid TOML: look at line {line}.")])
    })?;
    let overrides: BTreeMap<String, String> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(ENV_PREFIX) && !ENV_RESERVED.contains(&name.as_str()))
        .collect();
    for (name, value) in overrides {
        keys::lay_over(&mut table, &name, &value)?;
    }
    keys::check(&mut table)?;
    // Every value was held to its kind above; a message of the deserializer's own would quote one.
    let config: Config = table.try_into().map_err(|_: toml::de::Error| {
        ConfigError(vec![
            "The configuration does not read; compare it with the example.".to_owned(),
        ])
    })?;
    let wrong = config.problems();
    if wrong.is_empty() { Ok(config) } else { Err(ConfigError(wrong)) }
}

/// The whole as TOML, defaults included, secrets as three stars.
pub fn show(config: &Config) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(config)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_is_in_the_example_and_every_line_of_the_example_is_a_key_we_know_commented_or_not()
    {
        let lines = include_str!("../../../.env.example").lines();
        let variables: Vec<(String, String)> = lines
            .filter_map(|line| line.trim_start_matches('#').split_once('='))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            // The example's custom_field is for whoever makes its connector custom.
            .map(|(name, value)| {
                (name, if name.ends_with("__CONNECTOR") { "custom" } else { value })
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let named: BTreeSet<String> = variables.iter().map(|(name, _)| name.clone()).collect();
        let all = keys::KNOWN.iter().map(|(key, _)| {
            format!("{ENV_PREFIX}{}", key.replace('*', "main").replace('.', "__").to_uppercase())
        });
        let missing: Vec<String> = all.filter(|name| !named.contains(name)).collect();
        assert!(missing.is_empty(), "not explained: {missing:?}");
        // A key and its file are each other's alternative.
        for alternative in ["__KEY", "__KEY_FILE"] {
            let chosen = variables.iter().filter(|(name, _)| !name.ends_with(alternative)).cloned();
            let config = load("", chosen).unwrap();
            assert!(config.accounts.values().all(|account| account.book_from.is_some()));
        }
    }
}
