//! Reading JSON so that every error is told at once, each with its path.
//!
//! `serde` stops at the first error; a person who mends a migration file wants all of them. So a
//! text becomes a [`Node`] tree (which keeps the order of keys and notices a key written twice),
//! and types are read from it through a [`Reader`] that goes on after an error.

use crate::problem::Problem;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::fmt::{self, Write};

/// How many objects and lists a migration may have inside each other in its canonical form, which can
/// be deeper than its file. A text is read up to 128 levels, and what is kept must be read again.
pub const DEEPEST: usize = 100;

/// The most bytes that [`parse`] reads unless told otherwise: 16 MiB.
pub const DEFAULT_SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// A JSON value whose objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object; no key stands twice.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// What a person calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }

    /// The value of a key, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Object(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// How many objects and lists stand inside each other.
    pub fn depth(&self) -> usize {
        match self {
            Node::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Node::Object(entries) => 1 + entries.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The same value as `serde_json` holds it (keys sorted).
    pub fn to_value(&self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(b) => Value::Bool(*b),
            Node::Number(n) => Value::Number(n.clone()),
            Node::Text(t) => Value::String(t.clone()),
            Node::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Node::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(k, v)| (k.clone(), v.to_value()))
                    .collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
                let mut entries: Vec<(String, Node)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(key) = access.next_key::<String>()? {
                    let twice = if entries.len() < 8 {
                        entries.iter().any(|(k, _)| *k == key)
                    } else {
                        if seen.is_empty() {
                            seen.extend(entries.iter().map(|(k, _)| k.clone()));
                        }
                        !seen.insert(key.clone())
                    };
                    if twice {
                        return Err(serde::de::Error::custom(format!(
                            "the key {key:?} stands twice in one object"
                        )));
                    }
                    entries.push((key, access.next_value()?));
                }
                Ok(Node::Object(entries))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Parses a JSON text of at most `limit` bytes.
///
/// # Errors
/// One [`Problem`]: the text is longer than the limit, is not JSON (with line and column), or has a
/// key twice in one object.
pub fn parse(text: &str, limit: usize) -> Result<Node, Problem> {
    if text.len() > limit {
        return Err(Problem::new(
            "",
            format!(
                "the text is {} bytes long, and the limit is {limit}",
                text.len()
            ),
        )
        .hint("split the migration, or raise the limit"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| Problem::new("", format!("not valid JSON: {error}")))
}

/// Where a [`Reader`] stands, and what it found wrong so far.
#[derive(Debug, Default)]
pub struct Reader {
    path: String,
    problems: Vec<Problem>,
}

impl Reader {
    /// A reader at the root of a document.
    pub fn new() -> Self {
        Self::default()
    }

    /// The path of the value being read: `up[0].fields[2].name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Notes a problem at the current path.
    pub fn problem(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::new(&self.path, message));
    }

    /// Notes a problem with what to do about it.
    pub fn problem_with_hint(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.problems
            .push(Problem::new(&self.path, message).hint(hint));
    }

    /// Notes "expected …, found …" for the value at the current path.
    pub fn expected<T>(&mut self, what: &str, found: &Node) -> Option<T> {
        self.problem(format!("expected {what}, found {}", found.kind()));
        None
    }

    /// How many problems there are so far.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// All problems found.
    pub fn finish(self) -> Vec<Problem> {
        self.problems
    }

    /// Reads what stands below a key.
    pub fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Reads what stands at an index of a list.
    pub fn at<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        // Writing to a text does not fail.
        let _ = write!(self.path, "[{index}]");
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Opens an object and reports the keys that it should not have.
    pub fn object<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: &[&str],
    ) -> Option<&'n [(String, Node)]> {
        let Node::Object(entries) = node else {
            return self.expected(what, node);
        };
        self.refuse_other_keys(entries, what, keys);
        Some(entries)
    }

    /// Reports the keys that an object should not have.
    pub(crate) fn refuse_other_keys(
        &mut self,
        entries: &[(String, Node)],
        what: &str,
        keys: &[&str],
    ) {
        for (key, _) in entries {
            if !keys.contains(&key.as_str()) {
                let near = nearest(key, keys.iter().copied());
                let message = format!("unknown key {key:?} in {what}");
                self.within(key, |reader| match near {
                    Some(near) => {
                        reader.problem_with_hint(message, format!("did you mean {near:?}?"));
                    }
                    None => {
                        reader.problem_with_hint(message, format!("it knows: {}", keys.join(", ")))
                    }
                });
            }
        }
    }

    /// Reads a key that must be there.
    pub fn required<T: Read>(&mut self, entries: &[(String, Node)], key: &str) -> Option<T> {
        match entries.iter().find(|(k, _)| k == key) {
            Some((_, node)) => self.within(key, |reader| T::read(node, reader)),
            None => {
                self.problem(format!("the key {key:?} is missing"));
                None
            }
        }
    }

    /// Reads a key that may be absent. `None` if it was there and wrong.
    pub fn optional<T: Read + Default>(
        &mut self,
        entries: &[(String, Node)],
        key: &str,
    ) -> Option<T> {
        match entries.iter().find(|(k, _)| k == key) {
            Some((_, node)) => self.within(key, |reader| T::read(node, reader)),
            None => Some(T::default()),
        }
    }
}

/// The known word nearest to a mistyped one, if one is near.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    known
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, over at most the first 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(ca != *cb));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A type that is read from a [`Node`].
pub trait Read: Sized {
    /// Reads it; what is wrong goes to the reader, and then the result is `None`.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Bool(value) => Some(*value),
            other => reader.expected("true or false", other),
        }
    }
}

impl Read for String {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Text(text) if text.contains('\0') => {
                reader.problem("the text contains NUL, which no database stores");
                None
            }
            Node::Text(text) => Some(text.clone()),
            other => reader.expected("a text", other),
        }
    }
}

/// A number as a whole one, if it is: JSON does not tell 1.0 from 1.
fn whole(number: &Number) -> Option<i128> {
    /// Beyond it, a double no longer has every whole number: 2^53.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let from_float = || {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() <= MOST).then_some(float as i128)
    };
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
        .or_else(from_float)
}

macro_rules! whole_number {
    ($($t:ty),*) => {$(
        impl Read for $t {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                match node {
                    Node::Number(number) => {
                        let value = whole(number).and_then(|n| <$t>::try_from(n).ok());
                        if value.is_none() {
                            reader.problem(format!(
                                "{number} is not a whole number from {} to {}", <$t>::MIN, <$t>::MAX
                            ));
                        }
                        value
                    }
                    other => reader.expected("a whole number", other),
                }
            }
        }
    )*};
}
whole_number!(u32, u64, i64);

impl Read for Value {
    fn read(node: &Node, _: &mut Reader) -> Option<Self> {
        Some(node.to_value())
    }
}

impl<T: Read> Read for Option<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(Some)
    }
}

impl<T: Read> Read for Box<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(Box::new)
    }
}

impl<T: Read> Read for std::sync::Arc<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(Self::new)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::List(items) = node else {
            return reader.expected("a list", node);
        };
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| reader.at(index, |reader| T::read(item, reader)))
            .collect();
        read.into_iter().collect()
    }
}

impl<T: Read> Read for std::collections::BTreeMap<String, T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return reader.expected("an object", node);
        };
        let read: Vec<Option<(String, T)>> = entries
            .iter()
            .map(|(key, value)| {
                reader.within(key, |reader| {
                    T::read(value, reader).map(|value| (key.clone(), value))
                })
            })
            .collect();
        read.into_iter().collect()
    }
}

/// Whether a value is what an absent key stands for.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares a struct of the JSON format once: the Rust type, how it is read with all its errors, how
/// it is written, and its part of the JSON Schema all come from this one place.
///
/// An optional key that is absent means its type's default, and a default is not written.
macro_rules! document {
    (
        $(#[$meta:meta])*
        pub struct $name:ident = $what:literal {
            required { $( $(#[$rm:meta])* $rk:literal => $rf:ident : $rt:ty ),* $(,)? }
            optional { $( $(#[$om:meta])* $ok:literal => $of:ident : $ot:ty ),* $(,)? }
        }
    ) => {
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $( $(#[$rm])* #[serde(rename = $rk)] pub $rf: $rt, )*
            $(
                $(#[$om])*
                #[serde(rename = $ok, default, skip_serializing_if = "crate::json::is_default")]
                pub $of: $ot,
            )*
        }

        impl $name {
            /// The keys of this object in JSON.
            pub const KEYS: &'static [&'static str] = &[$($rk,)* $($ok,)*];

            pub(crate) fn read_entries(
                entries: &[(String, $crate::json::Node)],
                reader: &mut $crate::json::Reader,
            ) -> Option<Self> {
                $( let $rf = reader.required(entries, $rk); )*
                $( let $of = reader.optional(entries, $ok); )*
                let _ = (&entries, &reader);
                Some(Self { $( $rf: $rf?, )* $( $of: $of?, )* })
            }
        }

        impl $crate::json::Read for $name {
            fn read(node: &$crate::json::Node, reader: &mut $crate::json::Reader) -> Option<Self> {
                let entries = reader.object(node, $what, Self::KEYS)?;
                Self::read_entries(entries, reader)
            }
        }
    };
}
pub(crate) use document;

/// Declares an enum of plain words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident = $what:literal {
            $( $(#[$variant_meta:meta])* $word:literal => $variant:ident ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// All of them, in the order in which they are documented.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word in JSON.
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word ),* }
            }

            /// The value that a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $( $word => Some($name::$variant), )* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::json::Read for $name {
            fn read(node: &$crate::json::Node, reader: &mut $crate::json::Reader) -> Option<Self> {
                let $crate::json::Node::Text(word) = node else {
                    return reader.expected($what, node);
                };
                let found = Self::from_word(word);
                if found.is_none() {
                    let words = [$($word),*];
                    let hint = match $crate::json::nearest(word, words.iter().copied()) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("one of: {}", words.join(", ")),
                    };
                    reader.problem_with_hint(format!("{word:?} is not {}", $what), hint);
                }
                found
            }
        }
    };
}
pub(crate) use words;
