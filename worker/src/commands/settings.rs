//! `settings get` and `settings set`: how an account matches and books, by the configuration
//! and by what people changed since.
//!
//! A change is a fact in the account's stream, so every process sees it within a second. Not
//! here: which settings there are (`concilia_shared::config::settings`).

use std::collections::BTreeMap;

use concilia_shared::config::Account;
use concilia_shared::config::settings::SETTINGS;
use concilia_shared::id::AccountName;
use jiff::Timestamp;
use serde::Serialize;

use super::desk::{Desk, nearest};
use super::pause::record_in_account;
use super::people::{self, By};
use super::stop::{Done, Stop};
use crate::domain::account::{AccountState, DATABASE};
use crate::domain::event::{Event, SettingChange};
use crate::domain::settings::effective;
use crate::say::{Lang, timeline, when};

/// Examples of `get --help`.
pub const GET_EXAMPLES: &str = "Examples:
  concilia-worker settings get shop
  concilia-worker settings get shop connector --json";

/// Examples of `set --help`.
pub const SET_EXAMPLES: &str = "Examples:
  concilia-worker settings set shop mode=Hybrid --why \"the shop takes payments in Odoo too\"
  concilia-worker settings set shop connector=custom custom_field=x_shop_ref
  concilia-worker settings set shop domain=          # unset
  concilia-worker settings set shop database=0b2c…   # Odoo really moved to another database";

/// Longest name of a database, in characters: a UUID, or what somebody made of it.
const DATABASE_MAX: usize = 64;

/// What `get` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Get {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Only this setting.
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
}

/// What `set` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Set {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// What to set; `KEY=` unsets.
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = pair)]
    pub changes: Vec<(String, Option<String>)>,
    /// Why.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: Option<String>,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

fn pair(text: &str) -> Result<(String, Option<String>), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE, or KEY= to unset it")?;
    let value = value.trim();
    Ok((key.trim().to_owned(), (!value.is_empty()).then(|| value.to_owned())))
}

/// One setting, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Shown {
    setting: &'static str,
    value: Option<String>,
    /// `configuration` (the file, a variable or a default) or `log`.
    from: &'static str,
    /// Who set it last, if it comes from the log.
    by: Option<String>,
    /// When.
    at: Option<Timestamp>,
}

/// Prints an account's settings.
pub async fn get(desk: &mut Desk<'_>, options: &Get) -> Done {
    let (name, account) = configured(desk, &options.account).await?;
    let lang = desk.lang();
    let (settings, problems) = settings(desk, &name, &account).await?;
    let wanted = |setting: &&Shown| options.key.as_deref().is_none_or(|key| key == setting.setting);
    let settings: Vec<&Shown> = settings.iter().filter(wanted).collect();
    if let (Some(key), true) = (&options.key, settings.is_empty()) {
        return Err(Stop::Nothing(no_setting(key, lang)));
    }
    if desk.screen.is_json() {
        desk.screen.json(&settings)?;
        return Ok(());
    }
    let heading = lang.either(["setting", "value", "from"], ["ajuste", "valor", "de"]);
    desk.screen.table(&heading, settings.iter().map(|setting| columns(setting, lang)))?;
    for problem in problems {
        desk.screen.say(&match lang {
            Lang::En => format!("Left out, because it no longer fits the configuration: {problem}"),
            Lang::Es => format!("Omitido, porque ya no calza con la configuración: {problem}"),
        })?;
    }
    Ok(())
}

fn columns(setting: &Shown, lang: Lang) -> Vec<String> {
    let from = match (setting.at, &setting.by) {
        (Some(at), Some(by)) => format!("{by}, {}", when::moment(at)),
        (Some(at), None) => when::moment(at),
        (None, _) => lang.either("configuration", "configuración").to_owned(),
    };
    let value = setting.value.clone().unwrap_or_else(|| "-".to_owned());
    vec![setting.setting.to_owned(), value, from]
}

/// Checks the changes against what is set now, and appends them.
pub async fn set(desk: &mut Desk<'_>, options: &Set) -> Done {
    let (name, account) = configured(desk, &options.account).await?;
    let lang = desk.lang();
    let event = record_in_account(desk, &name, |state| {
        let changes = changes(&account, state, &options.changes, lang)?;
        if changes.is_empty() {
            let said = lang.either("It is set like that already.", "Ya está fijado así.");
            return Err(Stop::Nothing(said.to_owned()));
        }
        let (by, why) = (options.by.by.clone(), options.why.clone());
        Ok(Event::SettingsChanged { by, why, changes })
    })
    .await?;
    if desk.screen.is_json() {
        desk.screen.json(&event)?;
        return Ok(());
    }
    desk.screen.say(&timeline::sentence(&event, lang))?;
    desk.screen.say(&match lang {
        Lang::En => format!("What waits is tried with it at its next try, or now: `concilia-worker retry --account {name}`."),
        Lang::Es => format!("Lo que espera se intenta con esto en su próximo intento, o ahora: `concilia-worker retry --account {name}`."),
    })?;
    Ok(())
}

/// What differs from what is set now, if all of it fits together.
fn changes(
    account: &Account,
    state: &AccountState,
    asked: &[(String, Option<String>)],
    lang: Lang,
) -> Done<Vec<SettingChange>> {
    let (now, _) = effective(account, &state.overrides);
    // The last of two for one key counts.
    let asked: BTreeMap<&str, Option<&str>> =
        asked.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    if let Some(key) = asked.keys().find(|key| !SETTINGS.contains(key) && **key != DATABASE) {
        return Err(Stop::Refused(no_setting(key, lang)));
    }
    let settings = asked.iter().filter(|(key, _)| **key != DATABASE);
    let then = now
        .with_settings(settings.clone().map(|(key, value)| (*key, *value)))
        .map_err(|problems| Stop::Refused(problems.join(" ")))?;
    let mut changes: Vec<SettingChange> = settings
        .filter(|(key, _)| now.setting(key) != then.setting(key))
        .map(|(key, value)| SettingChange {
            key: (*key).to_owned(),
            from: now.setting(key),
            to: value.and_then(|_| then.setting(key)),
        })
        .collect();
    if let Some(to) = asked.get(DATABASE).filter(|to| **to != state.database.as_deref()) {
        if to.is_some_and(|to| to.len() > DATABASE_MAX || to.chars().any(char::is_whitespace)) {
            let said = lang.either(
                "database must be the database.uuid Odoo answers with, in one word.",
                "database debe ser el database.uuid que responde Odoo, en una palabra.",
            );
            return Err(Stop::Refused(said.to_owned()));
        }
        let (from, to) = (state.database.clone(), to.map(str::to_owned));
        changes.push(SettingChange { key: DATABASE.to_owned(), from, to });
    }
    Ok(changes)
}

fn no_setting(key: &str, lang: Lang) -> String {
    let all = SETTINGS.into_iter().chain([DATABASE]);
    let near = nearest(key, all, 1).join("");
    match lang {
        Lang::En => format!("There is no setting {key}; did you mean {near}?"),
        Lang::Es => format!("No hay un ajuste {key}; ¿quiso decir {near}?"),
    }
}

/// The account, if it is in the configuration: one that is only in the log has no settings.
async fn configured(desk: &Desk<'_>, name: &str) -> Done<(AccountName, Account)> {
    let name = desk.account(name).await?;
    match desk.config.accounts.get(&name) {
        Some(account) => Ok((name, account.clone())),
        None => Err(Stop::Refused(match desk.lang() {
            Lang::En => {
                format!("Account {name} is not in the configuration: add accounts.{name} first.")
            }
            Lang::Es => format!(
                "La cuenta {name} no está en la configuración: agregue accounts.{name} primero."
            ),
        })),
    }
}

/// Every setting as it is now, and what of the log no longer fits.
async fn settings(
    desk: &Desk<'_>,
    name: &AccountName,
    account: &Account,
) -> Done<(Vec<Shown>, Vec<String>)> {
    let history = desk.store.stream(&AccountState::stream(name)).await?;
    let mut state = AccountState::default();
    let mut last: BTreeMap<&str, (Option<String>, Timestamp)> = BTreeMap::new();
    for recorded in &history {
        state.apply(&recorded.event, recorded.recorded_at);
        match &recorded.event {
            Event::SettingsChanged { by, changes, .. } => {
                for change in changes {
                    last.insert(&change.key, (Some(by.clone()), recorded.recorded_at));
                }
            }
            Event::DatabaseSeen { .. } => {
                last.entry(DATABASE).or_insert((None, recorded.recorded_at));
            }
            _ => {}
        }
    }
    let (now, problems) = effective(account, &state.overrides);
    let setting = |key: &'static str| {
        let changed = last.get(key);
        let value = if key == DATABASE { state.database.clone() } else { now.setting(key) };
        Shown {
            setting: key,
            value,
            from: if changed.is_some() { "log" } else { "configuration" },
            by: changed.and_then(|(by, _)| by.clone()),
            at: changed.map(|(_, at)| *at),
        }
    };
    Ok((SETTINGS.into_iter().chain([DATABASE]).map(setting).collect(), problems))
}
