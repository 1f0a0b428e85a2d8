//! `odoo setup`: puts what booking needs into Odoo, once, with an administrator's rights.
//!
//! Safe to run any number of times: every object stands under an external id of the module
//! `concilia` (`noupdate`), is found there again, and is rewritten only where it differs from
//! what booking needs. What a person may choose otherwise (another journal or account, a name)
//! is left alone. A run that was cut off between making an object and naming it leaves an
//! unused object behind, never a second one in use.
//!
//! One description, three readers: [`setup`] carries the steps out, [`plan`] runs the same ones
//! with nothing sent, [`check`] calls what they would change a finding. [`remove()`] undoes them.
//!
//! In the order of the steps: `checks`, `provider`, `accounting`, `people`, `server_actions`,
//! `bot_key`, `own` (models, rights, menus; what they are: `models`), `others`. Not here:
//! running the actions ([`super::client`]).

use std::path::PathBuf;

use concilia_shared::config::Environment;
use concilia_shared::secret::Secret;

use super::classify::RpcError;
use super::transport::Rpc;

mod accounting;
mod bot_key;
mod checks;
mod models;
mod momentary;
mod others;
mod own;
mod people;
mod provider;
mod records;
mod remove;
mod report;
mod server_actions;

pub use bot_key::{DAYS as KEY_DAYS, SOON_DAYS as KEY_SOON_DAYS};
pub use remove::remove;
pub use report::{Change, Repair, ReportLine, SetupReport};

use jiff::Timestamp;

use records::{Mode, Records};

/// Version of what is put into Odoo, kept there as the parameter `concilia.setup_version`. An
/// older program refuses to work on what a newer one has set up.
pub const SETUP_VERSION: u32 = 3;

/// What to set up, for one account.
#[derive(Debug, Clone)]
pub struct SetupRequest {
    /// The company that is booked into.
    pub company_id: i64,
    /// Decides the provider's state: `test` or `enabled`.
    pub environment: Environment,
    /// The bot's login.
    pub bot_login: String,
    /// The bot's password, if one is wanted; else a long random one that nobody learns.
    pub bot_password: Option<Secret>,
    /// The bot's e-mail address. Without one Odoo 17 and 18 refuse messages by it
    /// (`odoo-api-2.md` 1.1).
    pub bot_email: Option<String>,
    /// Code of the bank journal; else the company's first bank journal, or the one in use.
    pub journal_code: Option<String>,
    /// Where to write a new API key for the bot, if it is to get one.
    pub bot_key_file: Option<PathBuf>,
    /// The moment of the run: what a key's end is compared with.
    pub now: Timestamp,
}

/// Why the set-up stopped. What was done until then stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Something must be put right first: one sentence with the next step.
    #[error("{0}")]
    Refused(String),
    /// Odoo did not do what was asked.
    #[error("{step}: {source}")]
    Call {
        /// What was being set up.
        step: &'static str,
        /// Why not.
        source: RpcError,
    },
    /// The key file.
    #[error("the key file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Sets up one company of the database `admin` is connected to.
pub async fn setup(admin: &Rpc, request: &SetupRequest) -> Result<SetupReport, SetupError> {
    run(admin, request, Mode::Apply).await
}

/// What [`setup`] would do. Writes nothing, in Odoo or elsewhere.
pub async fn plan(admin: &Rpc, request: &SetupRequest) -> Result<SetupReport, SetupError> {
    run(admin, request, Mode::Plan).await
}

/// What is not as it must be: [`SetupReport::findings`] of a plan, and whether a key that stands
/// in the configuration works. What stops the set-up is a finding too. Writes nothing.
pub async fn check(admin: &Rpc, request: &SetupRequest) -> Result<SetupReport, SetupError> {
    let ground = checks::check(admin, request).await?;
    let mut report = SetupReport::new(ground.series, &ground.company, true);
    match steps(admin, request, Mode::Plan, &ground, &mut report).await {
        Ok(()) => {}
        Err(SetupError::Refused(why)) => report.attention("the set-up", "stops here", why),
        Err(other) => return Err(other),
    }
    if request.bot_key_file.is_none() {
        bot_key::look_at_configured(admin, request, &mut report).await?;
    }
    Ok(report)
}

async fn run(admin: &Rpc, request: &SetupRequest, mode: Mode) -> Result<SetupReport, SetupError> {
    let ground = checks::check(admin, request).await?;
    let mut report = SetupReport::new(ground.series, &ground.company, mode == Mode::Plan);
    steps(admin, request, mode, &ground, &mut report).await?;
    Ok(report)
}

async fn steps(
    admin: &Rpc,
    request: &SetupRequest,
    mode: Mode,
    ground: &checks::Ground,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let mut records = Records::load(admin, request.company_id, ground.series, mode).await?;
    let provider = provider::ensure_provider(&mut records, request, report).await?;
    provider::ensure_method(&mut records, provider, report).await?;
    let account = accounting::ensure_clearing_account(&mut records, report).await?;
    let used = accounting::ensure_lines(&mut records, request, provider, account, report).await?;
    others::look_at_books(&records, used, report).await?;
    others::look_at_cron(&records, report).await?;
    let group = people::ensure_group(&mut records, report).await?;
    let bot = people::ensure_bot(&mut records, request, group, report).await?;
    people::close_group(&mut records, group, bot, report).await?;
    server_actions::ensure_actions(&mut records, group, report).await?;
    if let Some(path) = &request.bot_key_file {
        bot_key::ensure_key(&records, request, bot, path, report).await?;
    }
    own::ensure(&mut records, report).await?;
    checks::write_version(&mut records, ground.version, report).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_sentences_and_hold_no_secret() {
        let error = SetupError::Call {
            step: "the payment provider",
            source: RpcError::Denied { detail: "Access Denied".to_owned() },
        };
        assert_eq!(error.to_string(), "the payment provider: Odoo refused: Access Denied");
        let request = SetupRequest {
            company_id: 1,
            environment: Environment::Test,
            bot_login: "bot".to_owned(),
            bot_password: Some(Secret::new("hidden")),
            bot_email: None,
            journal_code: None,
            bot_key_file: None,
            now: Timestamp::UNIX_EPOCH,
        };
        assert!(!format!("{request:?}").contains("hidden"));
    }
}
