//! An API key for the bot, written to a file and nowhere else.
//!
//! Odoo makes keys for oneself only, in a dialog. A momentary action of the administrator's makes
//! one for the bot. The key crosses the wire once, is written to a
//! file only its owner may read, and is neither logged nor reported.
//!
//! A key lives [`DAYS`] days on 18 and 19, the most Odoo lets an ordinary user have
//! (`res.groups.api_key_duration` of Internal User); 17 knows no end of keys. It is named after
//! its first eight characters, which Odoo keeps in the open too: so its end is found again. A
//! file that holds a working key is left alone until [`SOON_DAYS`] before that end; then a new
//! key takes its place, and the old one is taken away once the new one works.

use std::path::Path;

use concilia_shared::secret::Secret;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::records::{Records, Row, id, text};
use super::report::{Change, Repair, SetupReport};
use super::{SetupError, SetupRequest, momentary};
use crate::odoo::transport::{Endpoint, Rpc};

const STEP: &str = "the bot's API key";

/// Of the action that makes and takes away keys.
const ACTION_NAME: &str = "Concilia: key";

/// What our keys' names begin with. Version 2 of the set-up named all of them so, and they had
/// no end.
const KEY_NAME: &str = "Concilia";

/// Hexadecimal digits of a key on 17, 18 and 19.
const KEY_DIGITS: usize = 40;

/// How many of them Odoo keeps in the open.
const INDEX_DIGITS: usize = 8;

/// How long a key lives, in days, on 18 and 19.
pub const DAYS: i64 = 90;

/// How long before its end it is renewed, in days.
pub const SOON_DAYS: i64 = 14;

/// Writes a working key to `path`, unless one is there.
pub(super) async fn ensure_key(
    records: &Records<'_>,
    request: &SetupRequest,
    bot: i64,
    path: &Path,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let object = format!("API key of {} in {}", request.bot_login, path.display());
    let mut old = None;
    let change = match read_key(path).await? {
        None => Change::Created,
        Some(key) if will_work(records, request, bot, &key).await? => {
            let kept = keys(records, bot).await?;
            let ends = end_of(records.series, &key, &kept, request.now);
            let Some((repair, row)) = ends else {
                report.line(object, Change::Unchanged);
                return Ok(());
            };
            old = row;
            Change::of(vec![repair])
        }
        Some(_) => Change::of(vec![Repair::new(
            "is refused by Odoo",
            "replaced, Odoo refused the old one",
        )]),
    };
    if records.is_plan() {
        report.line(object, change);
        return Ok(());
    }
    // Before there is a key that could not be kept.
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(|source| file_error(path, source))?;
    }
    let key = make_key(records, bot).await?;
    write_key(path, &key).await.map_err(|source| file_error(path, source))?;
    if let Some(old) = old
        && works(records.rpc, request, &key).await?
    {
        forget(records, &[old]).await?;
    }
    report.line(object, change);
    Ok(())
}

/// Whether the key works that stands in the configuration itself.
pub(super) async fn look_at_configured(
    admin: &Rpc,
    request: &SetupRequest,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let object = format!("API key of {} in the configuration", request.bot_login);
    let todo = "Name a file instead (odoo.key_file) and run `concilia-worker odoo setup`.";
    match &request.bot_password {
        None => report.attention(object, "is missing", todo),
        Some(key) if works(admin, request, key).await? => report.line(object, Change::Unchanged),
        Some(_) => report.attention(object, "is refused by Odoo", todo),
    }
    Ok(())
}

/// Takes away every key of the bot's that the set-up made; answers how many there are.
pub(super) async fn remove_keys(records: &Records<'_>, bot: i64) -> Result<usize, SetupError> {
    let ours: Vec<i64> = keys(records, bot).await?.iter().map(id).collect();
    if !ours.is_empty() && !records.is_plan() {
        forget(records, &ours).await?;
    }
    Ok(ours.len())
}

/// The bot's keys that the set-up made.
async fn keys(records: &Records<'_>, bot: i64) -> Result<Vec<Row>, SetupError> {
    let domain = json!([["user_id", "=", bot], ["name", "=like", format!("{KEY_NAME}%")]]);
    let fields: &[&str] =
        if records.series >= 18 { &["name", "expiration_date"] } else { &["name"] };
    records.search(STEP, "res.users.apikeys", domain, fields).await
}

/// Why a key must be renewed, and which one it is in Odoo. `None`: it need not be, or it is one
/// a person made, who knows when it ends.
fn end_of(
    series: u64,
    key: &Secret,
    kept: &[Row],
    now: Timestamp,
) -> Option<(Repair, Option<i64>)> {
    if series < 18 {
        return None;
    }
    let name = name_of(key);
    let cure = format!("replaced by one of {DAYS} days");
    let Some(row) = kept.iter().find(|row| text(row, "name") == name) else {
        let mut endless = kept
            .iter()
            .filter(|row| text(row, "name") == KEY_NAME && text(row, "expiration_date").is_empty());
        let first = endless.next()?;
        // Of several nobody knows which one it is: none is taken away.
        let alone = endless.next().is_none().then(|| id(first));
        return Some((Repair::new("never ends", cure), alone));
    };
    let until: DateTime = match text(row, "expiration_date").replace(' ', "T").parse() {
        Ok(until) => until,
        Err(_) => return Some((Repair::new("never ends", cure), Some(id(row)))),
    };
    let soon = now.to_zoned(TimeZone::UTC).datetime().saturating_add(SOON_DAYS.days());
    let wrong = format!("ends on {}", until.date());
    (until < soon).then(|| (Repair::new(wrong, cure), Some(id(row))))
}

/// The name a key has in Odoo.
fn name_of(key: &Secret) -> String {
    format!("{KEY_NAME} {}", key.expose().get(..INDEX_DIGITS).unwrap_or_default())
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

async fn works(admin: &Rpc, request: &SetupRequest, key: &Secret) -> Result<bool, SetupError> {
    let login = request.bot_login.clone();
    let endpoint = Endpoint { login, key: key.clone(), ..admin.endpoint().clone() };
    let check = async { Rpc::new(endpoint)?.check_login().await };
    check.await.map_err(|source| SetupError::Call { step: STEP, source })
}

/// Whether a key works, or will once the bot is revived: in a plan an archived bot is still
/// asleep, and so are its keys.
async fn will_work(
    records: &Records<'_>,
    request: &SetupRequest,
    bot: i64,
    key: &Secret,
) -> Result<bool, SetupError> {
    if works(records.rpc, request, key).await? {
        return Ok(true);
    }
    let asleep = json!([["id", "=", bot], ["active", "=", false]]);
    if !records.is_plan() || records.search(STEP, "res.users", asleep, &["login"]).await?.is_empty()
    {
        return Ok(false);
    }
    let names = [name_of(key), KEY_NAME.to_owned()];
    let kept = keys(records, bot).await?;
    Ok(kept.iter().any(|row| names.iter().any(|name| text(row, "name") == name)))
}

async fn make_key(records: &Records<'_>, bot: i64) -> Result<Secret, SetupError> {
    let code = make_code(records.series, bot);
    let made = momentary::run(records, STEP, (ACTION_NAME, &code), json!({})).await?;
    let key = made.pointer("/infos/concilia/key").and_then(|key| key.as_str());
    match key {
        Some(key) if is_key(key) => Ok(Secret::new(key)),
        _ => Err(SetupError::Refused(
            "Odoo made no API key: make one by hand, as the bot, under Preferences, Account Security.".to_owned(),
        )),
    }
}

async fn forget(records: &Records<'_>, keys: &[i64]) -> Result<(), SetupError> {
    momentary::run(records, STEP, (ACTION_NAME, &forget_code(keys)), json!({})).await?;
    Ok(())
}

/// The text of the action that makes a key. 17 knows no end of keys.
fn make_code(series: u64, bot: i64) -> String {
    let expiry = if series >= 18 {
        format!(", datetime.datetime.now() + datetime.timedelta(days={DAYS})")
    } else {
        String::new()
    };
    format!(
        "keys = env['res.users.apikeys'].with_user({bot}).sudo()\n\
         key = keys._generate('rpc', '{KEY_NAME}'{expiry})\n\
         keys.search([('user_id', '=', {bot})], order='id desc', limit=1).write({{'name': '{KEY_NAME} ' + \
         key[:{INDEX_DIGITS}]}})\n\
         action = {{'type': 'ir.actions.act_window_close', 'infos': {{'concilia': {{'key': key}}}}}}"
    )
}

/// The text of the action that takes keys away.
fn forget_code(keys: &[i64]) -> String {
    format!(
        "env['res.users.apikeys'].browse({keys:?})._remove()\n\
         action = {{'type': 'ir.actions.act_window_close', 'infos': {{'concilia': {{}}}}}}"
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
    fn the_end_of_a_key_is_an_argument_from_18_on() {
        assert!(make_code(17, 6).contains("_generate('rpc', 'Concilia')\n"));
        assert!(
            make_code(18, 6)
                .contains("'Concilia', datetime.datetime.now() + datetime.timedelta(days=90))\n")
        );
    }

    fn kept(name: &str, until: &serde_json::Value) -> Row {
        serde_json::from_value(json!({"id": 4, "name": name, "expiration_date": until})).unwrap()
    }

    fn why(series: u64, kept: &[Row]) -> Option<(String, Option<i64>)> {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let found = end_of(series, &Secret::new(KEY), kept, now);
        found.map(|(repair, row)| (repair.wrong, row))
    }

    #[test]
    fn a_key_is_renewed_fourteen_days_before_it_ends() {
        let named = |until: &str| [kept("Concilia 01234567", &json!(until))];
        assert_eq!(why(19, &named("2026-12-08 12:00:00")), None);
        assert_eq!(
            why(19, &named("2026-12-08 11:59:59")),
            Some(("ends on 2026-12-08".to_owned(), Some(4)))
        );
        assert_eq!(why(17, &named("2026-12-08 11:59:59")), None);
        let another = [kept("Concilia ffffffff", &json!("2026-11-25 00:00:00"))];
        assert_eq!(why(18, &another), None, "another machine's key is none of ours");
    }

    #[test]
    fn a_key_without_end_is_replaced_and_taken_away_where_it_is_known() {
        let endless = kept("Concilia", &json!(false));
        let never = "never ends".to_owned();
        assert_eq!(why(18, std::slice::from_ref(&endless)), Some((never.clone(), Some(4))));
        assert_eq!(why(18, &[endless.clone(), endless]), Some((never, None)));
        assert_eq!(why(18, &[]), None, "a person made it");
    }
}
