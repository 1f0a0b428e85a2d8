//! Which keys exist, which one was probably meant, and how a variable's name becomes a key.
//!
//! Not here: what a key means ([`super::schema`]). The list below is held to the schema by a
//! test: a key the schema has and this list lacks, or the reverse, fails it.

use super::{ConfigError, ENV_PREFIX};

/// Every key, `*` standing for any account's name. Tables end with nothing.
pub(super) const KNOWN: &[&str] = &[
    "nats.url",
    "nats.monitor_url",
    "nats.stream",
    "nats.credentials_file",
    "nats.replicas",
    "nats.max_bytes",
    "nats.max_age_days",
    "nats.accept_unproven_durability",
    "ingress.listen",
    "ingress.admin_listen",
    "ingress.default_account",
    "ingress.publish_deadline_ms",
    "ingress.request_timeout_ms",
    "ingress.tolerance_s",
    "ingress.late_policy",
    "ingress.connections_max",
    "ingress.queue_max",
    "store.url",
    "store.connections_max",
    "worker.admin_listen",
    "worker.batch",
    "worker.settle_concurrency",
    "worker.lease_s",
    "worker.gap_check_s",
    "retry.base_s",
    "retry.factor",
    "retry.cap_s",
    "retry.give_up_days",
    "accounts.*.environment",
    "accounts.*.webhook_secrets",
    "accounts.*.webhook_secret_files",
    "accounts.*.mode",
    "accounts.*.connector",
    "accounts.*.custom_field",
    "accounts.*.domain",
    "accounts.*.match_keys",
    "accounts.*.book_from",
    "accounts.*.quotations",
    "accounts.*.without_invoice",
    "accounts.*.odoo.url",
    "accounts.*.odoo.database",
    "accounts.*.odoo.login",
    "accounts.*.odoo.key",
    "accounts.*.odoo.key_file",
    "accounts.*.odoo.company_id",
    "accounts.*.odoo.transport",
    "accounts.*.odoo.timeout_ms",
    "accounts.*.ventipay.url",
    "accounts.*.ventipay.key",
    "accounts.*.ventipay.key_file",
    "accounts.*.ventipay.timeout_ms",
];

/// Lays one variable over the table: `CONCILIA_A__B__C=value` sets `a.b.c`. The value is read
/// as TOML where it is a boolean, an integer or an array, else as text.
pub(super) fn lay_over(
    table: &mut toml::Table,
    name: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let path = name[ENV_PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
    let parts: Vec<&str> = path.split('.').collect();
    if !is_known(&parts) {
        return Err(unknown(&path, &format!("The variable {name}")));
    }
    let mut here = table;
    let (last, tables) = parts.split_last().unwrap_or((&"", &[]));
    for part in tables {
        let entry = here.entry((*part).to_owned()).or_insert_with(|| toml::Table::new().into());
        here = entry.as_table_mut().ok_or_else(|| {
            ConfigError(vec![format!(
                "The variable {name} names {path}, but {part} is not a table."
            )])
        })?;
    }
    here.insert((*last).to_owned(), read_value(last, value));
    Ok(())
}

fn read_value(key: &str, value: &str) -> toml::Value {
    // Secrets and names are text even when they look like numbers.
    let textual =
        ["key", "login", "database", "webhook_secrets"].contains(&key) && !value.starts_with('[');
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    match parsed {
        Some(value @ (toml::Value::Boolean(_) | toml::Value::Integer(_))) if !textual => value,
        Some(value @ toml::Value::Array(_)) => value,
        _ if is_list(key) => {
            let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
            toml::Value::Array(items.map(|item| item.to_owned().into()).collect())
        }
        _ => toml::Value::String(value.to_owned()),
    }
}

fn is_list(key: &str) -> bool {
    ["webhook_secrets", "webhook_secret_files", "match_keys"].contains(&key)
}

/// Refuses the first level of every key nobody reads.
pub(super) fn check_known(table: &toml::Table) -> Result<(), ConfigError> {
    let mut wrong = Vec::new();
    walk(table, &mut Vec::new(), &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(ConfigError(wrong)) }
}

fn walk<'a>(table: &'a toml::Table, path: &mut Vec<&'a str>, wrong: &mut Vec<String>) {
    for (key, value) in table {
        path.push(key);
        match value {
            toml::Value::Table(inner) if is_table(path) => walk(inner, path, wrong),
            _ if is_known(path) => {}
            _ => wrong.extend(unknown(&path.join("."), "The configuration").0),
        }
        path.pop();
    }
}

fn is_known(path: &[&str]) -> bool {
    KNOWN.iter().any(|known| {
        known.split('.').count() == path.len()
            && known.split('.').zip(path).all(|(k, p)| k == "*" || k == *p)
    })
}

fn is_table(path: &[&str]) -> bool {
    KNOWN.iter().any(|known| {
        known.split('.').count() > path.len()
            && known.split('.').zip(path).all(|(k, p)| k == "*" || k == *p)
    })
}

fn unknown(path: &str, who: &str) -> ConfigError {
    let parts: Vec<&str> = path.split('.').collect();
    let spelled = |known: &&str| {
        // Put the account's own name where the list has a star, so that only the misspelling counts.
        let named: Vec<&str> = known
            .split('.')
            .enumerate()
            .map(
                |(place, part)| {
                    if part == "*" { parts.get(place).copied().unwrap_or("NAME") } else { part }
                },
            )
            .collect();
        named.join(".")
    };
    // Tables are candidates too: a misspelled table is nearest to a table.
    let tables = KNOWN.iter().filter_map(|known| known.rsplit_once('.').map(|(table, _)| table));
    let nearest = tables
        .chain(KNOWN.iter().copied())
        .map(|known| spelled(&known))
        .min_by_key(|known| strsim::damerau_levenshtein(known, path))
        .unwrap_or_default();
    ConfigError(vec![format!("{who} has an unknown key {path}; did you mean {nearest}?")])
}

#[cfg(test)]
mod tests {
    use super::super::load;

    fn sentence(text: &str) -> String {
        load(text, []).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        assert_eq!(
            sentence("[nats]\nurll = \"nats://x\""),
            "The configuration has an unknown key nats.urll; did you mean nats.url?"
        );
        assert_eq!(
            sentence("[accounts.main]\nconector = \"shopify\""),
            "The configuration has an unknown key accounts.main.conector; did you mean accounts.main.connector?"
        );
        assert_eq!(
            sentence("[accounts.main.oddo]\nurl = \"x\""),
            "The configuration has an unknown key accounts.main.oddo; did you mean accounts.main.odoo?"
        );
    }

    #[test]
    fn an_unknown_variable_is_an_error_too() {
        let variables = [("CONCILIA_NATS__ULR".to_owned(), "nats://x".to_owned())];
        assert_eq!(
            load("", variables).unwrap_err().to_string(),
            "The variable CONCILIA_NATS__ULR has an unknown key nats.ulr; did you mean nats.url?"
        );
        let reserved = [("CONCILIA_LOG".to_owned(), "debug".to_owned())];
        assert!(load("", reserved).is_ok());
    }

    #[test]
    fn a_variable_wins_over_the_file_and_is_read_by_kind() {
        let variables = [
            ("CONCILIA_NATS__URL", "nats://10.0.0.1:4222"),
            ("CONCILIA_NATS__REPLICAS", "3"),
            ("CONCILIA_ACCOUNTS__SHOP_2__WEBHOOK_SECRETS", "whs_a, whs_b"),
            ("CONCILIA_ACCOUNTS__SHOP_2__ENVIRONMENT", "test"),
            ("CONCILIA_ACCOUNTS__SHOP_2__ODOO__KEY", "12345"),
            ("CONCILIA_ACCOUNTS__SHOP_2__ODOO__URL", "http://odoo"),
            ("CONCILIA_ACCOUNTS__SHOP_2__ODOO__DATABASE", "2026"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = load("[nats]\nurl = \"nats://file\"", variables).unwrap();
        assert_eq!((config.nats.url.as_str(), config.nats.replicas), ("nats://10.0.0.1:4222", 3));
        let (name, account) = config.accounts.first_key_value().unwrap();
        assert_eq!(name.as_str(), "shop_2");
        let secrets: Vec<&str> =
            account.webhook_secrets.iter().map(crate::secret::Secret::expose).collect();
        assert_eq!(secrets, ["whs_a", "whs_b"]);
        let odoo = account.odoo.as_ref().unwrap();
        assert_eq!(
            (odoo.key.as_ref().unwrap().expose(), odoo.database.as_str()),
            ("12345", "2026")
        );
    }
}
