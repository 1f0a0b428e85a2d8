//! Which keys exist, what each may be, which one was probably meant, and how a variable's name
//! becomes a key.
//!
//! Not here: what a key means ([`super::schema`]), how a value is held to its kind
//! ([`super::kind`]). The list below is held to the schema by a test: a key the schema has and
//! this list lacks, or the reverse, fails it.

use super::kind::Kind;
use super::{ConfigError, ENV_PREFIX};
use crate::id::AccountName;

const DAY_S: i64 = 86_400;

const MINUTE_MS: i64 = 60_000;

const TEXT: Kind = Kind::Text { required: false };

const NEEDED: Kind = Kind::Text { required: true };

const fn words(of: &'static [&'static str]) -> Kind {
    Kind::Word { of, required: false }
}

/// Every key with what it may be, `*` standing for any account's name. Upper bounds keep every
/// sum and product of these numbers far from overflow.
pub(super) const KNOWN: &[(&str, Kind)] = &[
    ("nats.url", TEXT),
    ("nats.monitor_url", TEXT),
    ("nats.stream", TEXT),
    ("nats.credentials_file", TEXT),
    ("nats.replicas", Kind::Number(1, 5)),
    ("nats.max_bytes", Kind::Number(1, 1 << 50)),
    ("nats.max_age_days", Kind::Number(1, 3_650)),
    ("nats.accept_unproven_durability", Kind::Flag),
    ("ingress.listen", TEXT),
    ("ingress.admin_listen", TEXT),
    ("ingress.default_account", Kind::Account),
    ("ingress.publish_deadline_ms", Kind::Number(1, 10 * MINUTE_MS)),
    ("ingress.request_timeout_ms", Kind::Number(1, 10 * MINUTE_MS)),
    ("ingress.tolerance_s", Kind::Number(1, 7 * DAY_S)),
    ("ingress.late_policy", words(&["keep", "refuse"])),
    ("ingress.connections_max", Kind::Number(1, 1_000_000)),
    ("ingress.queue_max", Kind::Number(1, 1_000_000)),
    ("store.url", TEXT),
    ("store.password_file", TEXT),
    ("store.connections_max", Kind::Number(1, 1_000)),
    ("worker.admin_listen", TEXT),
    ("worker.batch", Kind::Number(1, 1_000)),
    ("worker.settle_concurrency", Kind::Number(1, 256)),
    ("worker.lease_s", Kind::Number(1, DAY_S)),
    ("worker.gap_check_s", Kind::Number(1, DAY_S)),
    ("worker.news_s", Kind::Number(1, DAY_S)),
    ("worker.mirror_s", Kind::Number(1, DAY_S)),
    ("worker.event_url", TEXT),
    ("retry.base_s", Kind::Number(1, DAY_S)),
    ("retry.factor", Kind::Number(1, 100)),
    ("retry.cap_s", Kind::Number(1, 30 * DAY_S)),
    ("retry.give_up_days", Kind::Number(1, 3_650)),
    ("accounts.*.environment", Kind::Word { of: &["test", "live"], required: true }),
    ("accounts.*.webhook_secrets", Kind::List),
    ("accounts.*.webhook_secret_files", Kind::List),
    ("accounts.*.mode", words(&["A", "B", "Hybrid"])),
    (
        "accounts.*.connector",
        words(&["shopify", "woocommerce", "vtex", "jumpseller", "generic", "custom"]),
    ),
    ("accounts.*.custom_field", TEXT),
    ("accounts.*.domain", TEXT),
    ("accounts.*.match_keys", Kind::List),
    ("accounts.*.reference_keys", Kind::List),
    ("accounts.*.book_from", Kind::Instant),
    ("accounts.*.quotations", words(&["leave", "confirm"])),
    ("accounts.*.without_invoice", words(&["book", "wait"])),
    ("accounts.*.uf", words(&["auto", "UF", "CLF"])),
    ("accounts.*.credit_notes", words(&["activity", "draft"])),
    ("accounts.*.lost_disputes", words(&["record", "book"])),
    ("accounts.*.subscription_invoices", words(&["never", "draft", "post"])),
    ("accounts.*.subscription_product", TEXT),
    ("accounts.*.cards", words(&["off", "archived", "active"])),
    ("accounts.*.customers", words(&["find", "create"])),
    ("accounts.*.payloads", words(&["hide", "show"])),
    ("accounts.*.odoo.url", NEEDED),
    ("accounts.*.odoo.database", NEEDED),
    ("accounts.*.odoo.login", TEXT),
    ("accounts.*.odoo.key", TEXT),
    ("accounts.*.odoo.key_file", TEXT),
    ("accounts.*.odoo.company_id", Kind::Number(1, i32::MAX as i64)),
    ("accounts.*.odoo.transport", words(&["auto", "jsonrpc", "json2"])),
    ("accounts.*.odoo.timeout_ms", Kind::Number(1, 10 * MINUTE_MS)),
    ("accounts.*.odoo.calls_max", Kind::Number(1, 64)),
    ("accounts.*.ventipay.url", TEXT),
    ("accounts.*.ventipay.key", TEXT),
    ("accounts.*.ventipay.key_file", TEXT),
    ("accounts.*.ventipay.timeout_ms", Kind::Number(1, 10 * MINUTE_MS)),
];

/// Lays one variable over the table: `CONCILIA_A__B__C=value` sets `a.b.c`. The value is read
/// as what that key may be; text, unless it is a flag, a number or a list.
pub(super) fn lay_over(
    table: &mut toml::Table,
    name: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let path = name[ENV_PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
    let parts: Vec<&str> = path.split('.').collect();
    let Some(kind) = kind_of(&parts) else {
        return Err(ConfigError(vec![unknown(&path, &format!("The variable {name}"))]));
    };
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
    here.insert((*last).to_owned(), kind.read(value));
    Ok(())
}

/// Holds every key and value to [`KNOWN`]: refuses what nobody reads, what is of another kind
/// and what is missing, each in one sentence that repeats no value.
pub(super) fn check(table: &mut toml::Table) -> Result<(), ConfigError> {
    let mut wrong = Vec::new();
    walk(table, &mut Vec::new(), &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(ConfigError(wrong)) }
}

fn walk<'a>(table: &'a mut toml::Table, path: &mut Vec<&'a str>, wrong: &mut Vec<String>) {
    for needed in required(path).filter(|needed| !table.contains_key(*needed)) {
        wrong.push(format!("{}.{needed} is missing.", path.join(".")));
    }
    for (key, value) in table.iter_mut() {
        path.push(key);
        let dotted = path.join(".");
        if let ["accounts", name] = path.as_slice()
            && let Err(error) = AccountName::parse(*name)
        {
            wrong.push(format!("{dotted}: {error}."));
        }
        if let Some(kind) = kind_of(path) {
            kind.normalize(value);
            if !kind.accepts(value) {
                wrong.push(format!("{dotted} must be {}.", kind.wanted()));
            }
        } else if !is_table(path) {
            wrong.push(unknown(&dotted, "The configuration"));
        } else if let toml::Value::Table(inner) = value {
            walk(inner, path, wrong);
        } else {
            wrong.push(format!("{dotted} must be a table."));
        }
        path.pop();
    }
}

fn matches(known: &str, path: &[&str]) -> bool {
    known.split('.').zip(path).all(|(k, p)| k == "*" || k == *p)
}

fn kind_of(path: &[&str]) -> Option<Kind> {
    let found = KNOWN
        .iter()
        .find(|(known, _)| known.split('.').count() == path.len() && matches(known, path));
    found.map(|(_, kind)| *kind)
}

/// What a key of an account's own table may be.
pub(super) fn of_account(key: &str) -> Option<Kind> {
    kind_of(&["accounts", "*", key])
}

fn is_table(path: &[&str]) -> bool {
    KNOWN.iter().any(|(known, _)| known.split('.').count() > path.len() && matches(known, path))
}

/// The last parts of the keys that the table at `path` must have.
fn required(path: &[&str]) -> impl Iterator<Item = &'static str> {
    let found: Vec<&str> = KNOWN
        .iter()
        .filter(|(known, kind)| {
            kind.is_required() && known.split('.').count() == path.len() + 1 && matches(known, path)
        })
        .filter_map(|(known, _)| known.rsplit('.').next())
        .collect();
    found.into_iter()
}

fn unknown(path: &str, who: &str) -> String {
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
    let tables =
        KNOWN.iter().filter_map(|(known, _)| known.rsplit_once('.').map(|(table, _)| table));
    let nearest = tables
        .chain(KNOWN.iter().map(|(known, _)| *known))
        .map(|known| spelled(&known))
        .min_by_key(|known| strsim::damerau_levenshtein(known, path))
        .unwrap_or_default();
    format!("{who} has an unknown key {path}; did you mean {nearest}?")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::load;
    use super::{KNOWN, Kind};

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
            sentence("[accounts.main]\nenvironment = \"test\"\nconector = \"shopify\""),
            "The configuration has an unknown key accounts.main.conector; did you mean accounts.main.connector?"
        );
        assert_eq!(
            sentence("[accounts.main]\nenvironment = \"test\"\n[accounts.main.oddo]\nurl = \"x\""),
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

    const ACCOUNT: &str = "[accounts.main]\nenvironment = \"test\"\n";

    #[test]
    fn a_value_of_another_kind_is_named_and_not_repeated() {
        for (text, expected) in [
            (
                "[accounts.main]\nenvironment = \"key_live_x\"",
                "accounts.main.environment must be \"test\" or \"live\".",
            ),
            ("[accounts.main]", "accounts.main.environment is missing."),
            ("[accounts]\nmain = \"whs_x\"", "accounts.main must be a table."),
            ("nats = \"x\"", "nats must be a table."),
            ("[accounts.MAIN]\nenvironment = \"test\"", "accounts.MAIN: account name"),
            ("[nats]\nreplicas = \"whs_x\"", "nats.replicas must be a whole number from 1 to 5."),
        ] {
            assert!(sentence(text).contains(expected), "{text}: {}", sentence(text));
        }
        for (text, expected) in [
            ("odoo = \"x\"", "accounts.main.odoo must be a table."),
            (
                "webhook_secrets = 12345",
                "accounts.main.webhook_secrets must be a list of texts, as in [\"one\", \"two\"].",
            ),
            (
                "[accounts.main.odoo]\nurl = \"http://o\"\ndatabase = \"d\"\nkey = 12345",
                "accounts.main.odoo.key must be text, in quotes.",
            ),
            ("[accounts.main.odoo]\nurl = \"http://o\"", "accounts.main.odoo.database is missing."),
        ] {
            assert_eq!(sentence(&format!("{ACCOUNT}{text}")), expected);
        }
    }

    /// Whatever is written to whatever key, no sentence repeats it and each names a key.
    #[test]
    fn no_wrong_value_of_any_key_is_repeated() {
        let values = [
            "\"hunter2\"",
            "[\"hunter2\"]",
            "[[\"hunter2\"]]",
            "{ environment = \"hunter2\" }",
            "74755",
            "-74755",
            "9223372036854775807",
            "747.55",
            "true",
            "1979-05-27",
            "1979-05-27T07:32:00Z",
        ];
        for (key, _) in KNOWN {
            for value in values {
                let text = format!("{} = {value}", key.replace('*', "main"));
                let Err(error) = load(&text, []) else { continue };
                let said = error.to_string();
                let shown = ["hunter2", "74755", "747.55", "9223372036854775807", "1979"];
                assert!(!shown.iter().any(|value| said.contains(value)), "{text}: {said}");
                assert!(!said.contains("does not read"), "{text}: {said}");
            }
        }
    }

    #[test]
    fn a_bare_text_is_a_list_of_one() {
        let text = format!(
            "{ACCOUNT}webhook_secrets = \"whs_a\"\nwebhook_secret_files = \"/f\"\nmatch_keys = \"external_id\""
        );
        let config = load(&text, []).unwrap();
        let account = config.accounts.values().next().unwrap();
        assert_eq!(account.webhook_secrets.len(), 1);
        assert_eq!(account.webhook_secrets[0].expose(), "whs_a");
        assert_eq!(account.webhook_secret_files, [std::path::PathBuf::from("/f")]);
        assert_eq!(account.match_keys, ["external_id"]);
    }

    #[test]
    fn an_instant_may_be_written_with_or_without_quotes() {
        for written in ["\"2026-12-01T00:00:00-03:00\"", "2026-12-01T00:00:00-03:00"] {
            let config = load(&format!("{ACCOUNT}book_from = {written}"), []).unwrap();
            let from = config.accounts.values().next().unwrap().book_from.unwrap();
            assert_eq!(from.to_string(), "2026-12-01T03:00:00Z");
        }
    }

    #[test]
    fn only_a_list_key_takes_a_list_from_a_variable() {
        let variables = [
            ("CONCILIA_ACCOUNTS__MAIN__ENVIRONMENT", "test"),
            ("CONCILIA_ACCOUNTS__MAIN__DOMAIN", "[[\"team_id\",\"=\",3]]"),
            ("CONCILIA_ACCOUNTS__MAIN__WEBHOOK_SECRETS", "[\"whs_a,b\"]"),
            ("CONCILIA_NATS__ACCEPT_UNPROVEN_DURABILITY", "true"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = load("", variables).unwrap();
        let account = config.accounts.values().next().unwrap();
        assert_eq!(account.domain.as_deref(), Some("[[\"team_id\",\"=\",3]]"));
        assert_eq!(account.webhook_secrets[0].expose(), "whs_a,b");
        assert!(config.nats.accept_unproven_durability);
    }

    fn leaves(value: &serde_json::Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(inner) => {
                for (key, value) in inner {
                    let dot = if path.is_empty() { "" } else { "." };
                    leaves(value, &format!("{path}{dot}{key}"), found);
                }
            }
            _ => {
                found.insert(path.replace("accounts.main.", "accounts.*."));
            }
        }
    }

    #[test]
    fn the_list_of_keys_is_that_of_the_schema() {
        let text = format!(
            "{ACCOUNT}[accounts.main.odoo]\nurl = \"http://o\"\ndatabase = \"d\"\n[accounts.main.ventipay]\n"
        );
        // JSON keeps keys without a value as null, which TOML leaves out.
        let whole = serde_json::to_value(load(&text, []).unwrap()).unwrap();
        let mut schema = BTreeSet::new();
        leaves(&whole, "", &mut schema);
        let listed: BTreeSet<String> = KNOWN.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(listed, schema);
        assert_eq!(listed.len(), KNOWN.len(), "a key is listed twice");
    }

    #[test]
    fn every_word_that_is_offered_is_read() {
        for (key, kind) in KNOWN {
            let Kind::Word { of, .. } = kind else { continue };
            for word in *of {
                let mut table: toml::Table = ACCOUNT.parse().unwrap();
                let path = key.replace('*', "main");
                let (holder, last) = path.rsplit_once('.').unwrap();
                let mut here = &mut table;
                for part in holder.split('.') {
                    here = here
                        .entry(part)
                        .or_insert_with(|| toml::Table::new().into())
                        .as_table_mut()
                        .unwrap();
                }
                if holder.ends_with("odoo") {
                    here.insert("url".to_owned(), "http://o".into());
                    here.insert("database".to_owned(), "d".into());
                }
                here.insert(last.to_owned(), (*word).into());
                let read: Result<super::super::Config, _> = table.try_into();
                assert!(read.is_ok(), "{key} = {word}");
            }
        }
    }
}
