//! `accounts`: every account, how it is set up, and whether it can work at this moment.

use jiff::Timestamp;
use serde::Serialize;

use super::desk::Desk;
use super::filter::Word;
use super::lists::Pager;
use super::stop::{Done, Stop};
use crate::domain::account::{AccountState, Outage, Pause};
use crate::domain::event::System;
use crate::domain::settings::effective;
use crate::say::{self, Lang, when};
use crate::views::filter::{Count, Filter};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker accounts
  concilia-worker accounts --lang es
  concilia-worker accounts --json | jq '.[] | select(.outages != [])'";

/// An account as it is now.
#[derive(Debug, Clone, Serialize)]
struct Standing {
    account: String,
    /// Whether it is in the configuration; else only the log knows it.
    configured: bool,
    /// `test` or `live`.
    environment: Option<String>,
    mode: Option<String>,
    connector: Option<String>,
    /// Address and database.
    odoo: Option<String>,
    paused: Option<Pause>,
    outages: Vec<Away>,
    pending: i64,
    parked: i64,
}

/// A system that does not answer usefully.
#[derive(Debug, Clone, Serialize)]
struct Away {
    system: System,
    since: Timestamp,
    sentence: String,
}

/// Prints the accounts.
pub async fn run(desk: &mut Desk<'_>) -> Done {
    desk.catch_up().await?;
    let lang = desk.lang();
    let words = [Word::Pending, Word::Received, Word::Parked];
    let statuses = words.iter().map(|word| word.word().to_owned()).collect();
    let filter = Filter { statuses, ..Filter::default() };
    let counts = Pager::new(desk, filter, &words).await?.all().await?;
    let mut accounts = Vec::new();
    for name in desk.accounts().await? {
        let (state, _) = desk.account_state(&name).await?;
        accounts.push(standing(desk, name.as_str(), state, &counts));
    }
    if desk.screen.is_json() {
        desk.screen.json(&accounts)?;
        return Ok(());
    }
    if accounts.is_empty() {
        let said = lang.either(
            "No account is configured: add one under accounts in the configuration.",
            "No hay cuentas configuradas: agregue una en accounts de la configuración.",
        );
        return Err(Stop::Nothing(said.to_owned()));
    }
    let heading = lang.either(
        ["account", "environment", "mode", "connector", "Odoo", "now", "pending", "parked"],
        ["cuenta", "ambiente", "modo", "conector", "Odoo", "ahora", "pendientes", "por revisar"],
    );
    desk.screen.table(&heading, accounts.iter().map(|account| columns(account, lang)))?;
    Ok(())
}

fn standing(desk: &Desk<'_>, name: &str, state: AccountState, counts: &[Count]) -> Standing {
    let lang = desk.lang();
    let config = desk.config.accounts.iter().find(|(known, _)| known.as_str() == name);
    let config = config.map(|(_, config)| effective(config, &state.overrides).0);
    let count = |parked: bool| {
        let of = |count: &&Count| {
            count.account == name && (count.status == Word::Parked.word()) == parked
        };
        counts.iter().filter(of).map(|count| count.events).sum()
    };
    let away = |(system, outage): (System, Outage)| Away {
        system,
        since: outage.since,
        sentence: say::pending(&outage.reason, lang),
    };
    Standing {
        account: name.to_owned(),
        configured: config.is_some(),
        environment: config
            .as_ref()
            .map(|config| if config.environment.is_live() { "live" } else { "test" }.to_owned()),
        mode: config.as_ref().and_then(|config| config.setting("mode")),
        connector: config.as_ref().and_then(|config| config.setting("connector")),
        odoo: config
            .and_then(|config| config.odoo)
            .map(|odoo| format!("{} ({})", odoo.url, odoo.database)),
        paused: state.paused,
        outages: state.outages.into_iter().map(away).collect(),
        pending: count(false),
        parked: count(true),
    }
}

fn columns(account: &Standing, lang: Lang) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        account.account.clone(),
        text(&account.environment),
        text(&account.mode),
        text(&account.connector),
        text(&account.odoo),
        now(account, lang),
        account.pending.to_string(),
        account.parked.to_string(),
    ]
}

/// What keeps it from working, if anything does.
fn now(account: &Standing, lang: Lang) -> String {
    let mut said = Vec::new();
    if !account.configured {
        let missing = crate::domain::reason::NotReady::NoAccount;
        let reason = crate::domain::reason::PendingReason::NotReady { why: missing };
        said.push(say::pending(&reason, lang));
    }
    if let Some(pause) = &account.paused {
        said.push(say::account::paused(&account.account, pause, lang));
    }
    for away in &account.outages {
        let since = when::moment(away.since);
        said.push(match lang {
            Lang::En => format!("Since {since}: {}", away.sentence),
            Lang::Es => format!("Desde {since}: {}", away.sentence),
        });
    }
    if said.is_empty() { lang.either("works", "funciona").to_owned() } else { said.join(" ") }
}
