//! The JSON form in the making.
//!
//! Every builder of this crate writes the form that a migration file has, and core's reader turns it
//! into operations. So there is one set of rules, one canonical form and one spelling of paths,
//! whether a migration comes from a file or from a program.

use ductape_core::json::{Node, Read, Reader};
use ductape_core::{Problem, Problems};
use serde_json::Value;

/// A value of the form, with what was seen to be wrong in it while it was written. The paths of the
/// problems are relative to it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) node: Node,
    pub(crate) problems: Vec<Problem>,
}

impl Part {
    /// A value with nothing wrong in it so far.
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            problems: Vec::new(),
        }
    }

    /// A list of parts.
    pub(crate) fn list(items: impl IntoIterator<Item = impl Into<Part>>) -> Self {
        let mut nodes = Vec::new();
        let mut problems = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let item = item.into();
            problems.extend(below(&format!("[{index}]"), item.problems));
            nodes.push(item.node);
        }
        Self {
            node: Node::List(nodes),
            problems,
        }
    }

    /// A list of names or other texts.
    pub(crate) fn texts(items: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::list(items.into_iter().map(Into::<String>::into))
    }

    /// Reads it as core does, below the reader's path.
    pub(crate) fn read<T: Read>(&self, reader: &mut Reader) -> Option<T> {
        let value = T::read(&self.node, reader);
        for problem in &self.problems {
            let report = |reader: &mut Reader| match &problem.hint {
                Some(hint) => reader.problem_with_hint(&problem.message, hint),
                None => reader.problem(&problem.message),
            };
            if problem.path.is_empty() {
                report(reader);
            } else {
                reader.within(&problem.path, report);
            }
        }
        value
    }

    /// Reads it on its own.
    pub(crate) fn finish<T: Read>(&self) -> Result<T, Problems> {
        let mut reader = Reader::new();
        let value = self.read(&mut reader);
        match (value, reader.finish()) {
            (Some(value), problems) if problems.is_empty() => Ok(value),
            (_, problems) => Err(Problems(problems)),
        }
    }
}

/// Puts paths below another one.
fn below(prefix: &str, problems: Vec<Problem>) -> impl Iterator<Item = Problem> {
    problems.into_iter().map(move |mut problem| {
        let dot = if problem.path.is_empty() || problem.path.starts_with('[') {
            ""
        } else {
            "."
        };
        problem.path = format!("{prefix}{dot}{}", problem.path);
        problem
    })
}

impl From<bool> for Part {
    fn from(value: bool) -> Self {
        Self::new(Node::Bool(value))
    }
}

impl From<u32> for Part {
    fn from(value: u32) -> Self {
        Self::new(Node::Number(value.into()))
    }
}

impl From<u64> for Part {
    fn from(value: u64) -> Self {
        Self::new(Node::Number(value.into()))
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::new(Node::Text(text.to_owned()))
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::new(Node::Text(text))
    }
}

impl From<Value> for Part {
    fn from(value: Value) -> Self {
        Self::new(node(value))
    }
}

impl From<serde_json::Result<Value>> for Part {
    /// A core value as it writes itself; what cannot be written is null, which the reader refuses.
    fn from(written: serde_json::Result<Value>) -> Self {
        written.unwrap_or_default().into()
    }
}

impl From<Document> for Part {
    fn from(document: Document) -> Self {
        Self {
            node: Node::Object(document.entries),
            problems: document.problems,
        }
    }
}

fn node(value: Value) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => Node::Number(number),
        Value::String(text) => Node::Text(text),
        Value::Array(items) => Node::List(items.into_iter().map(node).collect()),
        Value::Object(entries) => Node::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key, node(value)))
                .collect(),
        ),
    }
}

/// An object of the form, whose keys are set one by one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    entries: Vec<(String, Node)>,
    problems: Vec<Problem>,
}

impl Document {
    /// An object without keys.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An object with one key.
    pub(crate) fn of(key: impl Into<String>, value: impl Into<Part>) -> Self {
        let mut document = Self::new();
        document.set(key, value);
        document
    }

    /// The object that a value is; one without keys for any other value.
    pub(crate) fn from_part(part: Part) -> Self {
        Self {
            entries: match part.node {
                Node::Object(entries) => entries,
                _ => Vec::new(),
            },
            problems: part.problems,
        }
    }

    /// Sets a key, in place of what it was.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Into<Part>) {
        let key = key.into();
        let value = value.into();
        self.take(&key);
        self.problems.extend(below(&key, value.problems));
        self.entries.push((key, value.node));
    }

    /// Takes a key out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Part> {
        let position = self.entries.iter().position(|(known, _)| known == key)?;
        let (_, node) = self.entries.remove(position);
        let mut part = Part::new(node);
        let problems = std::mem::take(&mut self.problems);
        for mut problem in problems {
            match problem.path.strip_prefix(key).map(str::to_owned) {
                Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => {
                    problem.path = rest.strip_prefix('.').unwrap_or(&rest).to_owned();
                    part.problems.push(problem);
                }
                _ => self.problems.push(problem),
            }
        }
        Some(part)
    }

    /// Adds to the list under a key.
    pub(crate) fn push(&mut self, key: &str, item: impl Into<Part>) {
        let item = item.into();
        let mut list = self
            .take(key)
            .unwrap_or_else(|| Part::new(Node::List(Vec::new())));
        if let Node::List(items) = &mut list.node {
            let index = items.len();
            items.push(item.node);
            list.problems
                .extend(below(&format!("[{index}]"), item.problems));
        }
        self.set(key, list);
    }

    /// Changes the object under a key, made if it is not there.
    pub(crate) fn within(&mut self, key: &str, change: impl FnOnce(&mut Document)) {
        let mut inner = self.take(key).map(Document::from_part).unwrap_or_default();
        change(&mut inner);
        self.set(key, inner);
    }

    /// Notes what is wrong with it.
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Sets every key of another object.
    pub(crate) fn merge(&mut self, other: Document) {
        for (key, node) in other.entries {
            self.set(key, Part::new(node));
        }
        self.problems.extend(other.problems);
    }
}

/// Lets a builder that is a document in itself be a part of another.
macro_rules! part_of_document {
    ($($(<$generic:ident>)? $builder:ty),* $(,)?) => {$(
        impl $(<$generic>)? From<$builder> for $crate::document::Part {
            fn from(builder: $builder) -> Self {
                builder.document.into()
            }
        }
    )*};
}
pub(crate) use part_of_document;
