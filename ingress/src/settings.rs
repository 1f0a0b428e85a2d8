//! Where the configuration comes from: the file, the variables, the secret files; read at
//! start and again on SIGHUP.
//!
//! Not here: what a key means (`concilia_shared::config::schema`).

use std::path::PathBuf;

use concilia_shared::config::{self, Config};

use crate::accounts::Accounts;

/// Where to read. Kept, so that it can be read again.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The TOML file; `None` reads variables only.
    pub file: Option<PathBuf>,
}

/// One reading of everything.
#[derive(Debug)]
pub struct Settings {
    /// The checked configuration.
    pub config: Config,
    /// Its accounts, with the secrets of their files.
    pub accounts: Accounts,
}

/// Everything wrong with the configuration, a sentence a line.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used:\n{0}")]
pub struct SettingsError(String);

impl Source {
    /// Reads everything anew, or says everything that is wrong with it.
    pub fn read(&self) -> Result<Settings, SettingsError> {
        let text = match &self.file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                SettingsError(format!("{} cannot be read: {error}.", path.display()))
            })?,
        };
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let config =
            config::load(&text, variables).map_err(|error| SettingsError(error.to_string()))?;
        let accounts = Accounts::load(&config).map_err(|wrong| SettingsError(wrong.join("\n")))?;
        Ok(Settings { config, accounts })
    }
}
