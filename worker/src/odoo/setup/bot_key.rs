//! An API key for the bot, written to a file and nowhere else.
//!
//! Odoo makes keys for oneself only, in a dialog. A server action of the administrator's makes
//! one for the bot; it lives for the one call. The key crosses the wire once, is written to a
//! file only its owner may read, and is neither logged nor reported.
//! A file that already holds a working key is left alone.

use std::path::Path;

use concilia_shared::secret::Secret;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::records::{Records, id};
use super::report::{Change, SetupReport};
use super::{SetupError, SetupRequest};
use crate::odoo::transport::{Args, Endpoint, Rpc};

const ACTIONS: &str = "ir.actions.server";
const STEP: &str = "the bot's API key";

/// Of the action that makes the key. It carries the administrators' group.
const ACTION_NAME: &str = "Concilia: key";

/// Hexadecimal digits of a key on 17, 18 and 19.
const KEY_DIGITS: usize = 40;

/// Writes a working key to `path`, unless one is there.
pub(super) async fn ensure_key(
    records: &mut Records<'_>,
    request: &SetupRequest,
    bot: i64,
    path: &Path,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let object = format!("API key of {} in {}", request.bot_login, path.display());
    let change = match read_key(path).await? {
        None => Change::Created,
        Some(key) => {
            if works(records, request, key).await? {
                report.line(object, Change::Unchanged);
                return Ok(());
            }
            Change::Fixed("Odoo refused the one that was there".to_owned())
        }
    };
    // Before there is a key that could not be kept.
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(|source| file_error(path, source))?;
    }
    let key = make_key(records, bot).await?;
    write_key(path, &key).await.map_err(|source| file_error(path, source))?;
    report.line(object, change);
    Ok(())
}

/// The key in the file, if there is a file. A file that holds something else is not ours.
async fn read_key(path: &Path) -> Result<Option<Secret>, SetupError> {
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => Secret::new(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(file_error(path, source)),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if is_key(text.expose()) {
        return Ok(Some(text));
    }
    Err(SetupError::Refused(format!(
        "The file {} holds something that is no API key of Odoo's: name another file, or remove it.",
        path.display()
    )))
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn works(
    records: &Records<'_>,
    request: &SetupRequest,
    key: Secret,
) -> Result<bool, SetupError> {
    let endpoint =
        Endpoint { login: request.bot_login.clone(), key, ..records.rpc.endpoint().clone() };
    let check = async { Rpc::new(endpoint)?.check_login().await };
    check.await.map_err(|source| SetupError::Call { step: STEP, source })
}

/// Makes the action, runs it, deletes it whatever came of it.
async fn make_key(records: &Records<'_>, bot: i64) -> Result<Secret, SetupError> {
    let domain = json!([["name", "=", ACTION_NAME]]);
    for row in records.search(STEP, ACTIONS, domain, &["name"]).await? {
        records.unlink(STEP, ACTIONS, id(&row)).await?;
    }
    let of_model = records.model_id(STEP, "res.users").await?;
    let administrators = records.base_group("group_system")?;
    let values = json!({
        "name": ACTION_NAME, "model_id": of_model, "state": "code", "code": code(records.series, bot),
        records.groups_field(): [[6, 0, [administrators]]],
    });
    let action = records.create(STEP, ACTIONS, values).await?;
    let args = Args::on(&[action]).context("active_model", "res.users");
    let made = records.call(STEP, ACTIONS, "run", args).await;
    records.unlink(STEP, ACTIONS, action).await?;
    let made = made?;
    let key = made.pointer("/infos/concilia/key").and_then(|key| key.as_str());
    match key {
        Some(key) if is_key(key) => Ok(Secret::new(key)),
        _ => Err(SetupError::Refused(
            "Odoo made no API key: make one by hand, as the bot, under Preferences, Account Security.".to_owned(),
        )),
    }
}

/// The action's text. 17 knows no expiry; from 18 on, none is asked for with superuser's rights.
fn code(series: u64, bot: i64) -> String {
    let expiry = if series >= 18 { ", False" } else { "" };
    format!(
        "keys = env['res.users.apikeys'].with_user({bot}).sudo()\n\
         key = keys._generate('rpc', 'Concilia'{expiry})\n\
         action = {{'type': 'ir.actions.act_window_close', 'infos': {{'concilia': {{'key': key}}}}}}"
    )
}

/// Writes beside it and moves it there: the file is never half a key, nor anybody else's to read.
async fn write_key(path: &Path, key: &Secret) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = match options.open(&beside).await {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            tokio::fs::remove_file(&beside).await?;
            options.open(&beside).await?
        }
        other => other?,
    };
    file.write_all(format!("{}\n", key.expose()).as_bytes()).await?;
    file.sync_all().await?;
    tokio::fs::rename(&beside, path).await
}

fn file_error(path: &Path, source: std::io::Error) -> SetupError {
    SetupError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

    #[tokio::test]
    async fn the_file_holds_the_key_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.key");
        for _ in 0..2 {
            write_key(&path, &Secret::new(KEY)).await.unwrap();
        }
        assert_eq!(read_key(&path).await.unwrap().unwrap().expose(), KEY);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_no_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        assert!(read_key(&path).await.unwrap().is_none());
        std::fs::write(&path, "dear diary").unwrap();
        let error = read_key(&path).await.unwrap_err();
        assert!(error.to_string().contains("no API key"), "{error}");
        assert!(!error.to_string().contains("diary"), "{error}");
    }

    #[test]
    fn the_expiry_is_an_argument_from_18_on() {
        assert!(code(17, 6).contains("_generate('rpc', 'Concilia')\n"));
        assert!(code(18, 6).contains("_generate('rpc', 'Concilia', False)\n"));
    }
}
