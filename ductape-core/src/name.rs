//! Names of collections, fields, indexes and constraints.

use crate::json::{Node, Read, Reader};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Names that begin so are kept for Ductape's own collections.
pub const RESERVED_PREFIX: &str = "ductape_";

/// A name that some database can hold: any text, not empty, without NUL.
///
/// Validated once, on the way in; a dialect quotes it on the way out. How long a name may be differs
/// from database to database, so the length is checked when a migration is planned for one.
///
/// ```
/// use ductape_core::Name;
/// assert!(Name::new("users").is_ok());
/// assert!(Name::new("order \"items\" 🧾").is_ok());
/// assert!(Name::new("").is_err());
/// assert!(Name::new("a\0b").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A name: any text, not empty, without NUL. Those that begin with ductape_ are kept for Ductape.",
            "type": "string",
            "minLength": 1,
            "pattern": "^[^\\u0000]*$",
            "not": { "pattern": "^[Dd][Uu][Cc][Tt][Aa][Pp][Ee]_" }
        })
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// The text contains the NUL character, which ends texts in most databases.
    #[error("a name cannot contain NUL")]
    Nul,
}

impl Name {
    /// Validates a name.
    ///
    /// # Errors
    /// [`NameError`] for an empty text and for one with NUL.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
        let text = text.as_ref();
        if text.is_empty() {
            Err(NameError::Empty)
        } else if text.contains('\0') {
            Err(NameError::Nul)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// A name made of a prefix and other names: `idx_users_email`.
    pub fn made<'n>(prefix: &str, parts: impl IntoIterator<Item = &'n Name>) -> Self {
        let mut text = String::with_capacity(prefix.len() + 24);
        text.push_str(prefix);
        for part in parts {
            text.push('_');
            text.push_str(&part.0);
        }
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is one of those kept for Ductape itself.
    pub fn is_reserved(&self) -> bool {
        self.0
            .get(..RESERVED_PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
    }

    /// The name cut to `limit` bytes (or characters), its end replaced by eight hexadecimal digits of
    /// its SHA-256. The same long name is always cut in the same way, and two long names that differ
    /// stay different.
    #[must_use]
    pub fn shortened(&self, limit: usize, unit: LengthUnit) -> Self {
        if unit.measure(&self.0) <= limit {
            return self.clone();
        }
        let mut hash = String::with_capacity(9);
        hash.push('_');
        for byte in Sha256::digest(self.0.as_bytes()).iter().take(4) {
            hash.push_str(&format!("{byte:02x}"));
        }
        let room = limit.saturating_sub(hash.len());
        let mut kept = String::with_capacity(limit);
        for character in self.0.chars() {
            let mut next = [0; 4];
            let next = character.encode_utf8(&mut next);
            if unit.measure(&kept) + unit.measure(next) > room {
                break;
            }
            kept.push(character);
        }
        kept.push_str(&hash);
        Self(kept.into())
    }
}

/// What a database counts when it limits the length of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// Bytes of UTF-8 (PostgreSQL, MongoDB).
    Bytes,
    /// Characters (MySQL, MariaDB).
    Characters,
}

impl LengthUnit {
    /// The length of a text in this unit.
    pub fn measure(self, text: &str) -> usize {
        match self {
            LengthUnit::Bytes => text.len(),
            LengthUnit::Characters => text.chars().count(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;
    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Name::new(text).map_err(serde::de::Error::custom)
    }
}

impl Read for Name {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Text(text) = node else {
            return reader.expected("a name", node);
        };
        match Name::new(text) {
            Ok(name) => Some(name),
            Err(error) => {
                reader.problem(error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_made_name_that_is_too_long_is_cut_the_same_way_every_time() {
        let name = Name::new("é".repeat(60)).unwrap();
        let cut = name.shortened(63, LengthUnit::Bytes);
        assert!(cut.as_str().len() <= 63, "{cut}");
        assert_eq!(cut, name.shortened(63, LengthUnit::Bytes));
        let other = Name::new(format!("{}x", "é".repeat(60))).unwrap();
        assert_ne!(cut, other.shortened(63, LengthUnit::Bytes));
        assert_eq!(name.shortened(60, LengthUnit::Characters), name);
    }

    #[test]
    fn reserved_names_are_seen_in_any_case() {
        assert!(Name::new("Ductape_state").unwrap().is_reserved());
        assert!(!Name::new("ductape").unwrap().is_reserved());
        assert!(!Name::new("éééééééé").unwrap().is_reserved());
    }
}
