//! What Odoo says when it says no, in the words that were recorded (`odoo-api.md` 8).
//!
//! Not here: the envelope a transport puts around it (`jsonrpc`, `json2`).

use super::fields::Series;
use super::value::Id;

/// Python's name of an exception, as `data.name` gives it.
pub mod names {
    /// Wrong password or key.
    pub const ACCESS_DENIED: &str = "odoo.exceptions.AccessDenied";
    /// No rights.
    pub const ACCESS: &str = "odoo.exceptions.AccessError";
    /// The record is not there.
    pub const MISSING: &str = "odoo.exceptions.MissingError";
    /// Odoo refuses, in a sentence.
    pub const USER: &str = "odoo.exceptions.UserError";
    /// A constraint refuses.
    pub const VALIDATION: &str = "odoo.exceptions.ValidationError";
    /// A Python error.
    pub const VALUE: &str = "builtins.ValueError";
    /// An attribute that is not there.
    pub const ATTRIBUTE: &str = "builtins.AttributeError";
    /// Wrong arguments.
    pub const TYPE: &str = "builtins.TypeError";
}

/// An exception that reaches the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooError {
    /// Python's name of it.
    pub name: &'static str,
    /// Its text.
    pub message: String,
}

/// What stops a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raise {
    /// An exception of Odoo or Python.
    Odoo(OdooError),
    /// PostgreSQL refuses. Odoo runs a call again that met a serialization failure.
    Postgres(PostgresError),
}

/// A refusal of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresError {
    /// The five letters, `23505`.
    pub code: String,
    /// PostgreSQL's text, with its detail.
    pub message: String,
    /// The sentence Odoo has for the constraint, if it has one.
    pub sentence: Option<&'static str>,
}

/// What most functions of the simulator return.
pub type Outcome<T> = Result<T, Raise>;

/// Odoo repeats a call that failed so (`odoo-api-2.md` 1.2).
pub const RUN_AGAIN: [&str; 3] = ["40001", "40P01", "55P03"];
/// Classes of errors no statement is to blame for: connection, resources, operator, system.
/// psycopg2 makes `OperationalError`s of them, which `safe_eval` lets through.
const WEATHER_CLASSES: [&str; 4] = ["08", "53", "57", "58"];
/// `in_failed_sql_transaction`: an earlier error was swallowed.
const ABORTED: &str = "25P02";
/// `unique_violation`.
pub const UNIQUE_VIOLATION: &str = "23505";

impl OdooError {
    /// An exception of that name.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

impl PostgresError {
    /// Whether `book.py` raises it again instead of answering for the item.
    pub fn leaves_the_action(&self) -> bool {
        let class = self.code.get(..2).unwrap_or_default();
        RUN_AGAIN.contains(&self.code.as_str())
            || WEATHER_CLASSES.contains(&class)
            || self.code == ABORTED
    }

    /// psycopg2's name of it, for what is no constraint.
    fn name(&self) -> &'static str {
        match self.code.as_str() {
            "57014" => "psycopg2.errors.QueryCanceled",
            "40P01" => "psycopg2.errors.DeadlockDetected",
            "55P03" => "psycopg2.errors.LockNotAvailable",
            ABORTED => "psycopg2.errors.InFailedSqlTransaction",
            "40001" => "psycopg2.errors.SerializationFailure",
            _ => "psycopg2.OperationalError",
        }
    }
}

impl Raise {
    /// Any exception.
    pub fn odoo(name: &'static str, message: impl Into<String>) -> Self {
        Self::Odoo(OdooError::new(name, message))
    }

    /// `UserError`.
    pub fn user(message: impl Into<String>) -> Self {
        Self::odoo(names::USER, message)
    }

    /// `ValidationError`.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::odoo(names::VALIDATION, message)
    }

    /// `ValueError`.
    pub fn value(message: impl Into<String>) -> Self {
        Self::odoo(names::VALUE, message)
    }

    /// The record was deleted, or never was.
    pub fn missing(model: &str, ids: &[Id], uid: Id) -> Self {
        let list = match ids {
            [id] => format!("{id},"),
            ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        Self::odoo(
            names::MISSING,
            format!(
                "Record does not exist or has been deleted.\n(Record: {model}({list}), User: {uid})"
            ),
        )
    }

    /// A row both write: one of them must start over.
    pub fn serialization() -> Self {
        Self::Postgres(PostgresError {
            code: "40001".to_owned(),
            message: "could not serialize access due to concurrent update\n".to_owned(),
            sentence: None,
        })
    }

    /// `create` or `write` was given a field the model does not have.
    pub fn unknown_field(series: Series, model: &str, field: &str) -> Self {
        match series {
            Series::V19 => Self::value(format!("Invalid field '{field}' in '{model}'")),
            _ => Self::value(format!("Invalid field '{field}' on model '{model}'")),
        }
    }

    /// `read` was asked for a field the model does not have.
    pub fn unknown_field_read(series: Series, model: &str, field: &str) -> Self {
        match series {
            Series::V19 => Self::value(format!("Invalid field '{field}' on '{model}'")),
            _ => Self::value(format!("Invalid field '{field}' on model '{model}'")),
        }
    }

    /// A domain names a field the model does not have.
    pub fn unknown_field_domain(series: Series, model: &str, field: &str, leaf: &str) -> Self {
        let place = if series == Series::V19 { "condition" } else { "leaf" };
        Self::value(format!("Invalid field {model}.{field} in {place} {leaf}"))
    }

    /// What an exception of a server action's text looks like outside (`safe_eval` wraps
    /// everything but Odoo's own exceptions).
    #[must_use]
    pub fn out_of_action(self, series: Series, code: &str) -> Self {
        let (class, text) = match &self {
            Self::Postgres(error) if error.code == UNIQUE_VIOLATION => {
                ("UniqueViolation", &error.message)
            }
            Self::Postgres(error) => ("OperationalError", &error.message),
            Self::Odoo(error) if error.name.starts_with("odoo.exceptions.") => return self,
            Self::Odoo(error) => (error.name.trim_start_matches("builtins."), &error.message),
        };
        let code = python_repr(code.trim());
        let message = if series == Series::V17 {
            let module = if matches!(self, Self::Postgres(_)) { "psycopg2.errors." } else { "" };
            format!("<class '{module}{class}'>: \"{text}\" while evaluating\n{code}")
        } else {
            format!("{class}({}) while evaluating\n{code}", python_repr(text))
        };
        Self::value(message)
    }

    /// What reaches a caller from outside: constraints become sentences.
    pub fn to_odoo(self) -> OdooError {
        match self {
            Self::Odoo(error) => error,
            Self::Postgres(error) if error.code == UNIQUE_VIOLATION => OdooError::new(
                names::VALIDATION,
                format!(
                    "The operation cannot be completed: {}",
                    error.sentence.unwrap_or(&error.message)
                ),
            ),
            Self::Postgres(error) => OdooError::new(error.name(), error.message),
        }
    }
}

/// `repr()` of a text.
pub fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            letter if letter == quote => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out.push(quote);
    out
}
