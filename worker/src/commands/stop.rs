//! How a command ends when it is not simply done, and the exit code that says so.
//!
//! The codes are a promise to scripts; they stand in `docs/commands.md` and in `--help`.

use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Stop {
    /// It could not: the database is away, a file is missing. Exit code 1.
    Failed(anyhow::Error),
    /// The command line asks for nothing that makes sense. Exit code 2.
    Misused(String),
    /// Nothing matched, or there was nothing to do. Exit code 3.
    Nothing(String),
    /// It may not be done; the sentence says what to do instead. Exit code 4.
    Refused(String),
    /// Something differs from how it must be, and was only looked at. Exit code 5.
    Differs(String),
}

/// What a command answers: done, or why not.
pub type Done<T = ()> = Result<T, Stop>;

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stop {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Misused(_) => 2,
            Self::Nothing(_) => 3,
            Self::Refused(_) => 4,
            Self::Differs(_) => 5,
        })
    }

    /// The sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Failed(error) => format!("{error:#}"),
            Self::Misused(said)
            | Self::Nothing(said)
            | Self::Refused(said)
            | Self::Differs(said) => said.clone(),
        }
    }
}
