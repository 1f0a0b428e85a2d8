//! A secret that cannot be printed by accident and is wiped when dropped.
//!
//! Not here: where secrets come from ([`crate::config`]).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A webhook secret, API key or password. `Debug` shows only that there is one; there is no
/// `Display`, and serialized it is three stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret, without the white space around it that files and forms add
    /// (`ventipay-api.md` section 2, default 8).
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The secret itself. Name it where it is used, keep it nowhere.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing but white space was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Secret(empty)" } else { "Secret(***)" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_secret() {
        let secret = Secret::new(" whs_hidden\n");
        assert_eq!(secret.expose(), "whs_hidden");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
