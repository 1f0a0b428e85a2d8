//! Wiring: from the checked configuration to a [`Shell`] with its real ports.
//!
//! Secrets in files are read here. Not here: what the ports do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::config::{self, Account, Config};
use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;
use jiff::SignedDuration;

use crate::account::AccountShell;
use crate::clock::{Clock, SystemClock};
use crate::odoo::Odoo;
use crate::odoo::client::Client as OdooClient;
use crate::odoo::host::{Guarded, Host};
use crate::odoo::transport::Endpoint;
use crate::shell::Shell;
use crate::store::{self, EventStore, StoreError};
use crate::ventipay::{Client as VentipayClient, Ventipay};

/// Longest wait for a place among the calls of a host: after it the event is put off, so that
/// no claim runs out while it queues.
const PLACE_WAIT: Duration = Duration::from_secs(2);

/// Reads the configuration file, if one is given, lays the environment over it and checks it.
pub fn load_config(file: Option<&Path>) -> anyhow::Result<Config> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("The configuration file {} cannot be read", file.display()))?,
        None => String::new(),
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(config::load(&text, variables)?)
}

/// Opens the store, or says in one sentence what to look at.
pub async fn store(config: &config::Store) -> anyhow::Result<Arc<dyn EventStore>> {
    store::open(config).await.map_err(|error| match error {
        StoreError::Unavailable(why) => anyhow::anyhow!(
            "The database does not answer ({why}): check store.url, and that the database runs."
        ),
        other => other.into(),
    })
}

/// Opens the store and makes every account's ports.
pub async fn shell(config: &Config) -> anyhow::Result<Shell> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hosts = hosts(config);
    let accounts = config
        .accounts
        .iter()
        .map(|(name, account)| Ok((name.clone(), account_shell(name, account, &hosts, &clock)?)))
        .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    Ok(Shell {
        store: store(&config.store).await?,
        clock,
        schedule: config.retry.clone(),
        call_max: call_max(config),
        accounts,
        due: tokio::sync::Notify::new(),
    })
}

/// The longest one call to an Odoo takes.
fn call_max(config: &Config) -> SignedDuration {
    let odoo =
        config.accounts.values().filter_map(|account| Some(account.odoo.as_ref()?.timeout_ms));
    let longest_ms = odoo.max().unwrap_or_default();
    SignedDuration::from_millis(i64::try_from(longest_ms).unwrap_or(i64::MAX))
}

/// One for each address, whatever its databases; the lowest limit of its accounts counts.
fn hosts(config: &Config) -> BTreeMap<String, Arc<Host>> {
    let mut limits: BTreeMap<String, usize> = BTreeMap::new();
    for odoo in config.accounts.values().filter_map(|account| account.odoo.as_ref()) {
        let limit = limits.entry(address(odoo)).or_insert(odoo.calls_max);
        *limit = (*limit).min(odoo.calls_max);
    }
    limits.into_iter().map(|(address, limit)| (address, Arc::new(Host::new(limit)))).collect()
}

fn address(odoo: &config::Odoo) -> String {
    odoo.url.trim_end_matches('/').to_ascii_lowercase()
}

fn account_shell(
    name: &AccountName,
    account: &Account,
    hosts: &BTreeMap<String, Arc<Host>>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<AccountShell> {
    let odoo = match &account.odoo {
        None => None,
        Some(odoo) => {
            let key = secret(odoo.key.as_ref(), odoo.key_file.as_deref())
                .with_context(|| format!("accounts.{name}.odoo.key"))?
                .with_context(|| format!("accounts.{name}.odoo has neither key nor key_file"))?;
            let endpoint = Endpoint::new(odoo, &odoo.login, key);
            let client =
                OdooClient::new(endpoint, odoo.company_id)?.of_environment(account.environment);
            let host = hosts.get(&address(odoo)).context("every address has a host")?;
            let (client, host) = (Arc::new(client), Arc::clone(host));
            let guarded = Guarded::new(client, host, Arc::clone(clock), PLACE_WAIT);
            Some(Arc::new(guarded) as Arc<dyn Odoo>)
        }
    };
    let ventipay = ventipay(name, account)?;
    Ok(AccountShell::new(name.clone(), account.clone(), odoo, ventipay))
}

fn ventipay(name: &AccountName, account: &Account) -> anyhow::Result<Option<Arc<dyn Ventipay>>> {
    let Some(ventipay) = &account.ventipay else { return Ok(None) };
    let Some(key) = secret(ventipay.key.as_ref(), ventipay.key_file.as_deref())
        .with_context(|| format!("accounts.{name}.ventipay.key"))?
    else {
        return Ok(None);
    };
    anyhow::ensure!(
        key.expose().starts_with(account.environment.key_prefix()),
        "accounts.{name}: environment and ventipay key disagree: a key of this environment starts with {}",
        account.environment.key_prefix()
    );
    let timeout = Duration::from_millis(ventipay.timeout_ms);
    let client =
        VentipayClient::new(&ventipay.url, key, timeout).context("making the HTTP client")?;
    Ok(Some(Arc::new(client)))
}

/// A secret given inline or in a file.
pub fn secret(inline: Option<&Secret>, file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match (inline, file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("the secret file {} cannot be read", file.display()))?;
            Ok(Some(Secret::new(&text)))
        }
        (None, None) => Ok(None),
    }
}
