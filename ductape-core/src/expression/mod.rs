//! Expressions in a database's own words: defaults, checks, predicates, generated fields.
//!
//! Nobody parses them. They are cut into tokens, which is enough to compare two spellings of one
//! text, to see which fields are named, and to follow a renamed field.

mod names;
mod token;

use names::places;
pub use names::{mentions, mentions_field, rename};
pub(crate) use names::{rename_collection, rename_field};
pub use token::{Token, Tokens, check, is_plain, same, tokens};

use crate::backend_name::BackendName;
use crate::json::{Node, Read, Reader};
use crate::name::Name;
use std::collections::BTreeMap;

/// A text in a database's own language, or one text for each database.
///
/// It holds what was *authored* and, once a server has it, the spelling that this server *adopted*;
/// two expressions are equal if the adopted texts are, or else the authored ones. White space, the
/// case of bare words and the quotes around a name make no difference.
#[derive(Debug, Clone)]
pub struct Expression {
    authored: Texts,
    adopted: Option<String>,
}

#[derive(Debug, Clone)]
enum Texts {
    One(String),
    PerBackend(BTreeMap<BackendName, String>),
}

impl Expression {
    /// One text for every database.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            authored: Texts::One(text.into()),
            adopted: None,
        }
    }

    /// A text for each named database.
    pub fn per_backend(texts: BTreeMap<BackendName, String>) -> Self {
        Self {
            authored: Texts::PerBackend(texts),
            adopted: None,
        }
    }

    /// The text for a database: the adopted one, or else the authored one.
    pub fn text(&self, backend: BackendName) -> Option<&str> {
        if let Some(adopted) = &self.adopted {
            return Some(adopted);
        }
        self.authored(backend)
    }

    /// The text for a database as it was authored.
    pub fn authored(&self, backend: BackendName) -> Option<&str> {
        match &self.authored {
            Texts::One(text) => Some(text),
            Texts::PerBackend(texts) => texts.get(&backend).map(String::as_str),
        }
    }

    /// The spelling that the server at hand gave back, if it differs from the authored one.
    pub fn adopted(&self) -> Option<&str> {
        self.adopted.as_deref()
    }

    /// Takes the spelling that a server gave back.
    #[must_use]
    pub fn adopt(mut self, text: impl Into<String>) -> Self {
        self.adopted = Some(text.into());
        self
    }

    /// The expression as one backend has it: its text alone.
    #[must_use]
    pub fn folded(&self, backend: BackendName) -> Option<Self> {
        self.text(backend).map(Expression::new)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match &self.authored {
            Texts::One(text) => (Some(text.as_str()), None),
            Texts::PerBackend(texts) => (None, Some(texts.values().map(String::as_str))),
        };
        one.into_iter()
            .chain(many.into_iter().flatten())
            .chain(self.adopted.as_deref())
    }

    /// Whether any of the texts names this field.
    pub fn mentions(&self, name: &Name) -> bool {
        self.texts()
            .any(|text| places(text).any(|(token, _)| token.names(name.as_str())))
    }

    /// The same expression after a field got another name.
    #[must_use]
    pub fn renamed(&self, from: &Name, to: &Name) -> Self {
        self.mapped(|text| rename(text, from.as_str(), to.as_str()))
    }

    /// The same expression in other words.
    pub(crate) fn mapped(&self, change: impl Fn(&str) -> String) -> Self {
        Self {
            authored: match &self.authored {
                Texts::One(text) => Texts::One(change(text)),
                Texts::PerBackend(texts) => Texts::PerBackend(
                    texts
                        .iter()
                        .map(|(backend, text)| (*backend, change(text)))
                        .collect(),
                ),
            },
            adopted: self.adopted.as_deref().map(change),
        }
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Expression {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        if let (Some(mine), Some(theirs)) = (&self.adopted, &other.adopted) {
            return same(mine, theirs);
        }
        match (&self.authored, &other.authored) {
            (Texts::One(mine), Texts::One(theirs)) => same(mine, theirs),
            (Texts::PerBackend(mine), Texts::PerBackend(theirs)) => {
                mine.len() == theirs.len()
                    && mine
                        .iter()
                        .zip(theirs)
                        .all(|((a, x), (b, y))| a == b && same(x, y))
            }
            _ => false,
        }
    }
}

impl serde::Serialize for Expression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.authored {
            Texts::One(text) => serializer.serialize_str(text),
            Texts::PerBackend(texts) => serializer.collect_map(texts),
        }
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Expression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expression".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let backend = generator.subschema_for::<BackendName>();
        let text = serde_json::json!({ "type": "string", "pattern": "\\S" });
        schemars::json_schema!({
            "description": "A text in the database's own words, or one for each database.",
            "anyOf": [
                text,
                { "type": "object", "propertyNames": backend, "additionalProperties": text, "minProperties": 1 }
            ]
        })
    }
}

impl Read for Expression {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let written = |text: String, reader: &mut Reader| match check(&text) {
            Ok(()) => Some(text),
            Err(why) => {
                reader.problem(why);
                None
            }
        };
        match node {
            Node::Text(_) => {
                let text = String::read(node, reader)?;
                written(text, reader).map(Expression::new)
            }
            Node::Object(entries) if !entries.is_empty() => {
                let texts = BTreeMap::<BackendName, String>::read(node, reader)?;
                for (backend, text) in &texts {
                    reader.within(backend.word(), |reader| written(text.clone(), reader));
                }
                Some(Expression::per_backend(texts))
            }
            other => reader.expected("an expression: a text, or a text for each database", other),
        }
    }
}
