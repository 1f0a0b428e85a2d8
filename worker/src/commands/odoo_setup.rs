//! `odoo setup`, `odoo check`, `odoo remove`: what booking needs in Odoo, for each account's
//! company. Installed and safe to install again, looked over, or taken away.
//!
//! They need an administrator's login, which is used here and kept nowhere. What there is to
//! install, and what it is compared with, is [`crate::odoo::setup`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use concilia_shared::config::{Account, Config, Odoo};
use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;

use super::stop::{Done, Stop};
use super::{print, table};
use crate::clock::{Clock as _, SystemClock};
use crate::odoo::setup::{
    self, Change, KEY_DAYS, KEY_SOON_DAYS, SetupError, SetupReport, SetupRequest, check, plan,
    remove,
};
use crate::odoo::transport::{Endpoint, Rpc};
use crate::wire;

pub(super) const SETUP_EXAMPLES: &str = "Examples:
  CONCILIA_ODOO_ADMIN_PASSWORD=… concilia-worker odoo setup --config concilia.toml
  concilia-worker odoo setup --account shop --admin-password-file admin.key --journal BNK1
  concilia-worker odoo setup --plan --admin-password-file admin.key";

pub(super) const CHECK_EXAMPLES: &str = "Examples:
  concilia-worker odoo check --admin-password-file admin.key
  concilia-worker odoo check --account shop --admin-password-file admin.key || mail -s Odoo ops@example.com";

pub(super) const REMOVE_EXAMPLES: &str = "Examples:
  concilia-worker odoo remove --account shop --admin-password-file admin.key --plan
  concilia-worker odoo remove --account shop --admin-password-file admin.key --yes";

/// Variable that holds the administrator's password or API key: never an argument, which other
/// users of the machine could read.
const PASSWORD_VARIABLE: &str = "CONCILIA_ODOO_ADMIN_PASSWORD";

/// Where, and whose rights are used.
#[derive(Debug, clap::Args)]
pub struct Whom {
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
    /// Where the bot's API key is; else the account's `odoo.key_file`, if it has one.
    #[arg(long, value_name = "FILE")]
    bot_key_file: Option<PathBuf>,
}

/// `odoo setup`
#[derive(Debug, clap::Args)]
pub struct Setup {
    #[command(flatten)]
    whom: Whom,
    /// Code of the bank journal payments are entered in; else the company's first.
    #[arg(long, value_name = "CODE")]
    journal: Option<String>,
    /// E-mail address of the bot.
    #[arg(long, value_name = "ADDRESS")]
    bot_email: Option<String>,
    /// Only tells what would be created or changed. Exit code 5 if anything would.
    #[arg(long)]
    plan: bool,
}

/// `odoo check`
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    whom: Whom,
}

/// `odoo remove`
#[derive(Debug, clap::Args)]
pub struct Remove {
    #[command(flatten)]
    whom: Whom,
    /// Only tells what would be taken away.
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Takes it away.
    #[arg(long)]
    yes: bool,
}

/// One company of one database, and what is asked of it.
struct Target<'c> {
    name: &'c AccountName,
    odoo: &'c Odoo,
    admin: Rpc,
    request: SetupRequest,
}

/// Sets up every company once, however many accounts book into it, and prints what was done.
pub async fn set_up(config: &Config, options: &Setup) -> Done {
    let mut differs = false;
    for mut target in targets(config, &options.whom)? {
        target.request.journal_code.clone_from(&options.journal);
        target.request.bot_email.clone_from(&options.bot_email);
        if options.plan {
            let report = target.answer(plan(&target.admin, &target.request).await)?;
            differs |= !report.is_unchanged();
            show(&report, target.odoo, "would happen")?;
        } else {
            let report = target.answer(setup::setup(&target.admin, &target.request).await)?;
            show(&report, target.odoo, "done")?;
            print(&about_the_bot(&report, &target.request))?;
        }
    }
    answer(differs, "Nothing was changed: run it without --plan to do this.")
}

/// Prints what is not as it must be, one sentence each.
pub async fn look(config: &Config, options: &Check) -> Done {
    let mut found = 0;
    for target in targets(config, &options.whom)? {
        let report = target.answer(check(&target.admin, &target.request).await)?;
        let findings = report.findings();
        print(&heading(&report, target.odoo))?;
        if findings.is_empty() {
            print(&format!("All {} objects are as they must be.", report.lines.len()))?;
        }
        for finding in &findings {
            print(&format!("- {finding}"))?;
        }
        found += findings.len();
    }
    match found {
        0 => Ok(()),
        1 => Err(Stop::Differs("1 thing is not as it must be.".to_owned())),
        many => Err(Stop::Differs(format!("{many} things are not as they must be."))),
    }
}

/// Takes the set-up away, or tells what would be taken.
pub async fn take_away(config: &Config, options: &Remove) -> Done {
    if !options.plan && !options.yes {
        return Err(Stop::Refused(
            "This deletes Ventipay's menus, models and actions in Odoo and stops its booking. See what it \
             would take with --plan, then give --yes."
                .to_owned(),
        ));
    }
    let mut differs = false;
    for target in targets(config, &options.whom)? {
        let removal = remove(&target.admin, &target.request, options.plan).await;
        let report = target.answer(removal)?;
        differs |= options.plan && !report.is_unchanged();
        show(&report, target.odoo, if options.plan { "would happen" } else { "done" })?;
    }
    answer(differs, "Nothing was taken away: give --yes to do this.")
}

/// Done; or nothing was, and there would have been something to do.
fn answer(differs: bool, sentence: &str) -> Done {
    if differs { Err(Stop::Differs(sentence.to_owned())) } else { Ok(()) }
}

impl Target<'_> {
    /// What cannot be done is said with the account it is of.
    fn answer(&self, result: Result<SetupReport, SetupError>) -> Done<SetupReport> {
        let of = || format!("accounts.{}: {} ({})", self.name, self.odoo.url, self.odoo.database);
        Ok(result.with_context(of)?)
    }
}

/// Every company once, however many accounts book into it.
fn targets<'c>(config: &'c Config, whom: &Whom) -> anyhow::Result<Vec<Target<'c>>> {
    let password = admin_password(whom)?;
    let mut seen = BTreeSet::new();
    let mut targets = Vec::new();
    for (name, account, odoo) in chosen(config, whom)? {
        if seen.insert((odoo.url.clone(), odoo.database.clone(), odoo.company_id)) {
            let admin = Rpc::new(Endpoint::new(odoo, &whom.admin_login, password.clone()))?;
            let request = request(account, odoo, whom);
            targets.push(Target { name, odoo, admin, request });
        }
    }
    Ok(targets)
}

fn chosen<'a>(
    config: &'a Config,
    whom: &Whom,
) -> anyhow::Result<Vec<(&'a AccountName, &'a Account, &'a Odoo)>> {
    let wanted =
        |name: &AccountName| whom.account.as_deref().is_none_or(|only| only == name.as_str());
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

fn request(account: &Account, odoo: &Odoo, whom: &Whom) -> SetupRequest {
    SetupRequest {
        company_id: odoo.company_id,
        environment: account.environment,
        bot_login: odoo.login.clone(),
        // A bot that is made here gets the configured key as its password; one that exists
        // keeps what it has.
        bot_password: odoo.key.clone(),
        bot_email: None,
        journal_code: None,
        bot_key_file: whom.bot_key_file.clone().or_else(|| odoo.key_file.clone()),
        now: SystemClock.now(),
    }
}

fn admin_password(whom: &Whom) -> anyhow::Result<Secret> {
    let inline = std::env::var(PASSWORD_VARIABLE).ok().map(|text| Secret::new(&text));
    wire::secret(inline.as_ref(), whom.admin_password_file.as_deref())?
        .filter(|password| !password.is_empty())
        .with_context(|| {
            format!("Odoo's administrator is needed: set {PASSWORD_VARIABLE}, or give --admin-password-file")
        })
}

fn heading(report: &SetupReport, odoo: &Odoo) -> String {
    let (series, company) = (report.series, &report.company);
    format!("{} · {} · Odoo {series} · {company}", odoo.url, odoo.database)
}

fn show(report: &SetupReport, odoo: &Odoo, title: &str) -> anyhow::Result<()> {
    print(&heading(report, odoo))?;
    // A plan is read for what it would do; a run is a record of all there is.
    let all = !report.planned;
    let lines = report.lines.iter().filter(|line| all || line.change != Change::Unchanged);
    let rows: Vec<_> =
        lines.map(|line| vec![line.object.clone(), line.done(report.planned)]).collect();
    if !rows.is_empty() {
        print(&table(&["in Odoo", title], rows))?;
    }
    match (report.is_unchanged(), report.planned) {
        (false, _) => Ok(()),
        (true, true) => print("There is nothing to do."),
        (true, false) => print("Everything was as it must be."),
    }
}

/// What the bot may do, and how long its key lives.
fn about_the_bot(report: &SetupReport, request: &SetupRequest) -> String {
    let login = &request.bot_login;
    let life = if report.series >= 18 {
        format!(
            "A key made here lives {KEY_DAYS} days: `odoo check` tells {KEY_SOON_DAYS} days before its end, \
             `odoo setup` renews it."
        )
    } else {
        "Odoo 17 knows no end of keys: to renew one, delete the file and the key in Odoo, and run this again."
            .to_owned()
    };
    format!(
        "The bot {login} is an internal user in the group \"Concilia bot\", which only opens Concilia's server \
         actions: give it no other group. {life}"
    )
}
