//! Tags: which migration is which.

use crate::json::{Node, Read, Reader};
use jiff::civil::DateTime;
use std::fmt;
use std::sync::Arc;

/// A migration's tag: `20240115_143052_create_users`.
///
/// The time is in UTC; tags in the order of their texts are in the order of time.
///
/// ```
/// use ductape_core::Tag;
/// let tag: Tag = "20240115_143052_create_users".parse()?;
/// assert_eq!(tag.name(), "create_users");
/// assert!("create_users".parse::<Tag>().is_err());
/// # Ok::<(), ductape_core::TagError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Tag(Arc<str>);

/// Why a text is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no tag: {why}; a tag looks like 20240115_143052_create_users")]
pub struct TagError {
    text: String,
    why: &'static str,
}

/// The bytes of `20240115_143052_`.
const PREFIX: usize = 16;

impl Tag {
    /// The tag of a migration made at a moment (UTC) under a name. Characters that a tag cannot hold
    /// become `_`.
    pub fn at(moment: DateTime, name: &str) -> Self {
        let name: String = name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let name = if name.is_empty() { "migration" } else { &name };
        Self(format!("{}_{name}", moment.strftime("%Y%m%d_%H%M%S")).into())
    }

    /// The first tag of this name that comes after another: at `now`, or a second after the other one
    /// if that is later. So tags made within one second are unique and keep their order.
    pub fn after(previous: Option<&Tag>, now: DateTime, name: &str) -> Self {
        let next = previous.and_then(|previous| {
            previous
                .moment()
                .checked_add(jiff::Span::new().seconds(1))
                .ok()
        });
        Self::at(next.map_or(now, |next| next.max(now)), name)
    }

    /// The name that the tag ends in.
    pub fn name(&self) -> &str {
        self.0.get(PREFIX..).unwrap_or("")
    }

    /// The moment in the tag, in UTC.
    pub fn moment(&self) -> DateTime {
        let digits = self.0.get(..PREFIX - 1).unwrap_or("");
        DateTime::strptime("%Y%m%d_%H%M%S", digits).unwrap_or(DateTime::MIN)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let error = |why| TagError {
            text: text.chars().take(100).collect(),
            why,
        };
        let bytes = text.as_bytes();
        let digits_and_bars = bytes.len() >= PREFIX
            && bytes
                .iter()
                .take(PREFIX)
                .enumerate()
                .all(|(index, byte)| match index {
                    8 | 15 => *byte == b'_',
                    _ => byte.is_ascii_digit(),
                });
        if !digits_and_bars {
            return Err(error("it does not begin with a date and a time"));
        }
        let digits = text.get(..PREFIX - 1).unwrap_or("");
        if DateTime::strptime("%Y%m%d_%H%M%S", digits).is_err() {
            return Err(error("its date and time do not exist"));
        }
        let name = text.get(PREFIX..).unwrap_or("");
        if name.is_empty() {
            return Err(error("it has no name"));
        }
        if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(error(
                "its name has other characters than letters, digits and _",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Read for Tag {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Text(text) = node else {
            return reader.expected("a tag", node);
        };
        match text.parse() {
            Ok(tag) => Some(tag),
            Err(error) => {
                let error: TagError = error;
                reader.problem(error.to_string());
                None
            }
        }
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Tag {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tag".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]{8}_[0-9]{6}_[\\p{L}\\p{N}_]+$"
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tags_made_within_one_second_are_unique_and_keep_their_order() {
        let now = jiff::civil::date(2024, 1, 15).at(14, 30, 52, 0);
        let first = Tag::after(None, now, "b");
        let second = Tag::after(Some(&first), now, "a");
        assert_eq!(first.as_str(), "20240115_143052_b");
        assert_eq!(second.as_str(), "20240115_143053_a");
        assert!(first < second);
    }

    #[test]
    fn what_is_no_tag_is_told_why() {
        for (text, why) in [
            ("", "begin"),
            ("20241301_000000_x", "exist"),
            ("20240115_143052_", "no name"),
            ("20240115_143052_a b", "characters"),
            ("20240115_143052_a\0", "characters"),
        ] {
            let error = text.parse::<Tag>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
