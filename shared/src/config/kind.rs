//! What a value may be on its own: its kind, its bounds, the words it may be.
//!
//! A value is held to its kind before it is deserialized, because a deserializer's message
//! quotes the value, and the value in the wrong place may be a secret. No sentence made here
//! repeats a value.
//!
//! Not here: which key has which kind ([`super::keys`]).

use jiff::Timestamp;

use crate::id::AccountName;

/// What the value of one key may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text. `true`: the key must be there if its table is.
    Text { required: bool },
    /// A list of texts; a bare text is a list of one.
    List,
    /// `true` or `false`.
    Flag,
    /// A whole number between these two, both included.
    Number(i64, i64),
    /// One of these words. `required` as above.
    Word { of: &'static [&'static str], required: bool },
    /// An instant, with its offset from UTC.
    Instant,
    /// The name of an account.
    Account,
}

impl Kind {
    /// Whether the table of the key is incomplete without it.
    pub(super) fn is_required(self) -> bool {
        matches!(self, Self::Text { required: true } | Self::Word { required: true, .. })
    }

    /// The value of a variable: text, unless this kind is something else and it reads as that.
    pub(super) fn read(self, text: &str) -> toml::Value {
        let parsed = || {
            let table = format!("v = {}", text.trim()).parse::<toml::Table>().ok();
            table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("v"))
        };
        let read = match self {
            Self::Flag => parsed().filter(toml::Value::is_bool),
            Self::Number(..) => parsed().filter(toml::Value::is_integer),
            Self::List => Some(parsed().filter(toml::Value::is_array).unwrap_or_else(|| {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::Array(items.map(|item| item.to_owned().into()).collect())
            })),
            _ => None,
        };
        read.unwrap_or_else(|| text.to_owned().into())
    }

    /// Writes a value that has two spellings in the one the schema reads.
    pub(super) fn normalize(self, value: &mut toml::Value) {
        match value {
            toml::Value::String(text) if self == Self::List => {
                *value = toml::Value::Array(vec![std::mem::take(text).into()]);
            }
            toml::Value::Datetime(instant) if self == Self::Instant => {
                *value = instant.to_string().into();
            }
            _ => {}
        }
    }

    /// Whether a normalized value is of this kind.
    pub(super) fn accepts(self, value: &toml::Value) -> bool {
        match self {
            Self::Text { .. } => value.is_str(),
            Self::List => {
                value.as_array().is_some_and(|items| items.iter().all(toml::Value::is_str))
            }
            Self::Flag => value.is_bool(),
            Self::Number(least, most) => {
                value.as_integer().is_some_and(|number| (least..=most).contains(&number))
            }
            Self::Word { of, .. } => value.as_str().is_some_and(|word| of.contains(&word)),
            Self::Instant => value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            Self::Account => value.as_str().is_some_and(|text| AccountName::parse(text).is_ok()),
        }
    }

    /// What is wanted, as it stands after "must be".
    pub(super) fn wanted(self) -> String {
        match self {
            Self::Text { .. } => "text, in quotes".to_owned(),
            Self::List => "a list of texts, as in [\"one\", \"two\"]".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Word { of, .. } => {
                let quoted: Vec<String> = of.iter().map(|word| format!("\"{word}\"")).collect();
                quoted.join(" or ")
            }
            Self::Instant => {
                "an instant with its offset, as in \"2026-12-01T00:00:00-03:00\"".to_owned()
            }
            Self::Account => "the name of an account: a-z, 0-9, - and _, at most 40".to_owned(),
        }
    }
}
