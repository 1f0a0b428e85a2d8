//! Which accounts are received for, and the secrets of each: one value, replaced as a whole
//! when the configuration is read again.
//!
//! Not here: when it is read ([`crate::settings`]), nor what a signature is
//! (`concilia_shared::signature`).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use concilia_shared::config::{Account, Config};
use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;

/// Most secrets of one account. A rotation needs two; every request that does not verify
/// costs one HMAC for each.
pub const SECRETS_MAX: usize = 8;

/// Longest secret file read, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 4_096;

/// The accounts of one configuration.
#[derive(Debug, Default)]
pub struct Accounts {
    default: Option<AccountName>,
    secrets: BTreeMap<AccountName, Arc<[Secret]>>,
}

/// Why a path leads to no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAccount {
    /// It names none, and there is no default one.
    NoDefault,
    /// It names one that is not configured.
    Unknown,
}

impl Accounts {
    /// Takes the accounts out of a configuration and reads their secret files. Answers every
    /// problem in one sentence, naming files, never what is in them.
    pub fn load(config: &Config) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let mut secrets = BTreeMap::new();
        for (name, account) in &config.accounts {
            match secrets_of(account) {
                Ok(found) => drop(secrets.insert(name.clone(), found.into())),
                Err(sentences) => wrong.extend(
                    sentences.iter().map(|sentence| format!("accounts.{name}: {sentence}")),
                ),
            }
        }
        if wrong.is_empty() {
            let default = config.default_account().cloned();
            Ok(Self { default, secrets })
        } else {
            Err(wrong)
        }
    }

    /// The account a path leads to; `None` stands for the path without one.
    pub fn resolve(&self, named: Option<&str>) -> Result<AccountName, NoAccount> {
        let name = match named {
            None => self.default.clone().ok_or(NoAccount::NoDefault)?,
            Some(text) => AccountName::parse(text).map_err(|_| NoAccount::Unknown)?,
        };
        if self.secrets.contains_key(&name) { Ok(name) } else { Err(NoAccount::Unknown) }
    }

    /// The active secrets of an account; none, when it is not configured.
    pub fn secrets(&self, name: &AccountName) -> Arc<[Secret]> {
        self.secrets.get(name).cloned().unwrap_or_default()
    }

    /// What an operator should know about them, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        if self.secrets.is_empty() {
            return vec![
                "no account is configured: every webhook is answered 404; add [accounts.NAME]"
                    .to_owned(),
            ];
        }
        self.secrets
            .iter()
            .filter(|(_, secrets)| secrets.is_empty())
            .map(|(name, _)| {
                format!(
                    "account {name} has no webhook secret: every webhook for it is answered 401; \
                     set accounts.{name}.webhook_secrets or webhook_secret_files"
                )
            })
            .collect()
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

fn secrets_of(account: &Account) -> Result<Vec<Secret>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut secrets = account.webhook_secrets.clone();
    if secrets.iter().any(Secret::is_empty) {
        wrong.push("a webhook secret is empty; remove it from webhook_secrets.".to_owned());
    }
    for path in &account.webhook_secret_files {
        match read_secret(path) {
            Ok(secret) if secret.is_empty() => {
                wrong.push(format!("the secret file {} is empty.", path.display()));
            }
            Ok(secret) => secrets.push(secret),
            Err(error) => {
                wrong.push(format!("the secret file {} cannot be read: {error}.", path.display()));
            }
        }
    }
    if secrets.len() > SECRETS_MAX {
        wrong.push(format!(
            "there are {} webhook secrets, at most {SECRETS_MAX} may be active; remove the old ones.",
            secrets.len()
        ));
    }
    if wrong.is_empty() { Ok(secrets) } else { Err(wrong) }
}

fn read_secret(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    let read =
        std::fs::File::open(path)?.take(SECRET_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > SECRET_FILE_BYTES_MAX {
        return Err(io::Error::other("it is too long for a secret"));
    }
    Ok(Secret::new(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Accounts, Vec<String>> {
        Accounts::load(&concilia_shared::config::load(text, []).unwrap())
    }

    #[test]
    fn secrets_come_from_the_list_and_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, " whs_from_file\n").unwrap();
        let accounts = load(&format!(
            "[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = [\"whs_inline\"]\n\
             webhook_secret_files = [{:?}]",
            file.display().to_string()
        ))
        .unwrap();
        let main = accounts.resolve(None).unwrap();
        let secrets: Vec<String> =
            accounts.secrets(&main).iter().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(secrets, ["whs_inline", "whs_from_file"]);
        assert!(accounts.warnings().is_empty());
    }

    #[test]
    fn a_path_leads_to_an_account_or_says_why_not() {
        let two = "[accounts.a]\nenvironment = \"test\"\n[accounts.b]\nenvironment = \"test\"\n";
        let accounts = load(two).unwrap();
        assert_eq!(accounts.resolve(None), Err(NoAccount::NoDefault));
        assert_eq!(accounts.resolve(Some("b")).unwrap().as_str(), "b");
        for bad in ["c", "", "B", "a/b", "../a", "ñ"] {
            assert_eq!(accounts.resolve(Some(bad)), Err(NoAccount::Unknown), "{bad}");
        }
        assert_eq!(accounts.warnings().len(), 2, "neither has a secret");
        assert_eq!(Accounts::default().warnings().len(), 1);
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let long = folder.path().join("long");
        std::fs::write(&long, "x".repeat(5_000)).unwrap();
        let files =
            [empty, long, folder.path().join("absent")].map(|path| path.display().to_string());
        let sentences = load(&format!(
            "[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = [\"whs_hidden\", \" \"]\n\
             webhook_secret_files = {files:?}"
        ))
        .unwrap_err();
        assert_eq!(sentences.len(), 4, "{sentences:?}");
        assert!(!sentences.join("").contains("whs_hidden"));
        let many = vec!["whs_x"; SECRETS_MAX + 1];
        let text = format!("[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = {many:?}");
        assert!(load(&text).unwrap_err()[0].contains("at most 8"));
    }
}
