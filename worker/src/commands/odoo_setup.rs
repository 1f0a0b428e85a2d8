//! `odoo setup`: installs in Odoo what booking needs, for each account's company; safe to run
//! again. Needs an administrator's login, which is used here and kept nowhere.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use concilia_shared::config::{Account, Config, Odoo};
use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;

use super::{print, table};
use crate::clock::{Clock as _, SystemClock};
use crate::odoo::setup::{SetupReport, SetupRequest, setup};
use crate::odoo::transport::{Endpoint, Rpc};
use crate::wire;

/// Variable that holds the administrator's password or API key: never an argument, which other
/// users of the machine could read.
const PASSWORD_VARIABLE: &str = "CONCILIA_ODOO_ADMIN_PASSWORD";

/// Whose rights are used, and what is chosen.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  CONCILIA_ODOO_ADMIN_PASSWORD=… concilia-worker odoo setup --config concilia.toml\n  \
                        concilia-worker odoo setup --account shop --admin-password-file admin.key --journal BNK1"
)]
pub struct Options {
    /// Only this account; else all that have an Odoo.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// An administrator's login. The password or API key is read from the variable
    /// `CONCILIA_ODOO_ADMIN_PASSWORD`, or from --admin-password-file.
    #[arg(
        long,
        env = "CONCILIA_ODOO_ADMIN_LOGIN",
        hide_env_values = true,
        default_value = "admin",
        value_name = "LOGIN"
    )]
    admin_login: String,
    /// A file that holds the administrator's password or API key.
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// Code of the bank journal payments are entered in; else the company's first.
    #[arg(long, value_name = "CODE")]
    journal: Option<String>,
    /// E-mail address of the bot.
    #[arg(long, value_name = "ADDRESS")]
    bot_email: Option<String>,
    /// Where to write a new API key for the bot; else the account's `odoo.key_file`, if it has one.
    #[arg(long, value_name = "FILE")]
    bot_key_file: Option<PathBuf>,
}

/// Sets up every company once, however many accounts book into it, and prints what was done.
pub async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let password = admin_password(options)?;
    let mut done = BTreeSet::new();
    for (name, account, odoo) in chosen(config, options)? {
        if done.insert((odoo.url.clone(), odoo.database.clone(), odoo.company_id)) {
            let report = one(account, odoo, options, &password)
                .await
                .with_context(|| format!("accounts.{name}: {} ({})", odoo.url, odoo.database))?;
            show(&report, odoo)?;
        }
    }
    Ok(())
}

fn chosen<'a>(
    config: &'a Config,
    options: &Options,
) -> anyhow::Result<Vec<(&'a AccountName, &'a Account, &'a Odoo)>> {
    let wanted =
        |name: &AccountName| options.account.as_deref().is_none_or(|only| only == name.as_str());
    let chosen: Vec<_> = config
        .accounts
        .iter()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, account)| Some((name, account, account.odoo.as_ref()?)))
        .collect();
    anyhow::ensure!(
        !chosen.is_empty(),
        "No account has an Odoo to set up; set accounts.NAME.odoo.url and database."
    );
    Ok(chosen)
}

async fn one(
    account: &Account,
    odoo: &Odoo,
    options: &Options,
    password: &Secret,
) -> anyhow::Result<SetupReport> {
    let admin = Rpc::new(Endpoint::new(odoo, &options.admin_login, password.clone()))?;
    let request = SetupRequest {
        company_id: odoo.company_id,
        environment: account.environment,
        bot_login: odoo.login.clone(),
        // A bot that is made here gets the configured key as its password; one that exists
        // keeps what it has.
        bot_password: odoo.key.clone(),
        bot_email: options.bot_email.clone(),
        journal_code: options.journal.clone(),
        bot_key_file: options.bot_key_file.clone().or_else(|| odoo.key_file.clone()),
        now: SystemClock.now(),
    };
    Ok(setup(&admin, &request).await?)
}

fn admin_password(options: &Options) -> anyhow::Result<Secret> {
    let inline = std::env::var(PASSWORD_VARIABLE).ok().map(|text| Secret::new(&text));
    wire::secret(inline.as_ref(), options.admin_password_file.as_deref())?
        .filter(|password| !password.is_empty())
        .with_context(|| {
            format!("Odoo's administrator is needed: set {PASSWORD_VARIABLE}, or give --admin-password-file")
        })
}

fn show(report: &SetupReport, odoo: &Odoo) -> anyhow::Result<()> {
    let rows = report.lines.iter().map(|line| vec![line.object.clone(), line.change.to_string()]);
    let (series, company) = (report.series, &report.company);
    print(&format!("{} · {} · Odoo {series} · {company}", odoo.url, odoo.database))?;
    print(&table(&["in Odoo", "done"], rows))?;
    if report.is_unchanged() {
        print("Everything was as it must be.")?;
    }
    Ok(())
}
