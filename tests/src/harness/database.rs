//! The database of the log in an end-to-end test, SQLite or PostgreSQL, with a way to set it
//! back to an older copy, as a restored backup would.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::postgres::Postgres;

/// Which database holds the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Embedded.
    Sqlite,
    /// A server of its own.
    Postgres,
}

/// The database of one system.
#[derive(Debug)]
pub enum Database {
    /// The folder that holds nothing but the SQLite files.
    Sqlite {
        /// That folder.
        folder: PathBuf,
    },
    /// A database of this process's cluster.
    Postgres {
        /// Its name.
        name: String,
        /// `store.url`.
        url: String,
    },
}

impl Database {
    /// A fresh one; files go below `folder`.
    pub async fn start(kind: StoreKind, folder: &Path) -> anyhow::Result<Self> {
        match kind {
            StoreKind::Sqlite => {
                let folder = folder.join("log");
                std::fs::create_dir(&folder)?;
                Ok(Self::Sqlite { folder })
            }
            StoreKind::Postgres => {
                let cluster = tokio::task::spawn_blocking(Postgres::shared).await??;
                let url = cluster.fresh_database().await?;
                let name = url.rsplit('/').next().context("the url ends in a name")?.to_owned();
                Ok(Self::Postgres { name, url })
            }
        }
    }

    /// `store.url`.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite://{}", folder.join("concilia.db").display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// Keeps a copy of what it holds now. Nobody may be connected.
    pub async fn back_up(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { folder } => copy_files(folder, &folder.with_extension("backup")),
            Self::Postgres { name, .. } => {
                let copy = format!("create database {name}_backup template {name}");
                Postgres::shared()?.execute("postgres", copy).await
            }
        }
    }

    /// Loses everything. Nobody may be connected.
    pub async fn lose(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { folder } => {
                std::fs::remove_dir_all(folder)?;
                Ok(std::fs::create_dir(folder)?)
            }
            Self::Postgres { name, .. } => {
                let cluster = Postgres::shared()?;
                for statement in [
                    format!("drop database {name} with (force)"),
                    format!("create database {name}"),
                ] {
                    cluster.execute("postgres", statement).await?;
                }
                Ok(())
            }
        }
    }

    /// Sets it back to the copy; what was committed since is lost. Nobody may be connected.
    pub async fn restore(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { folder } => {
                std::fs::remove_dir_all(folder)?;
                copy_files(&folder.with_extension("backup"), folder)
            }
            Self::Postgres { name, .. } => {
                let cluster = Postgres::shared()?;
                for statement in [
                    format!("drop database {name} with (force)"),
                    format!("create database {name} template {name}_backup"),
                ] {
                    cluster.execute("postgres", statement).await?;
                }
                Ok(())
            }
        }
    }
}

/// Copies every file of a folder into a new one.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
