use super::{Allow, Naming, Operation, SchemaError};
use crate::backend_name::BackendName;
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Node, Read, Reader, document};
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::Schema;
use serde_json::Value;

/// A statement in a database's own language: an SQL, CQL or PartiQL text, or a MongoDB command
/// document.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct RawStatement(Value);

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for RawStatement {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RawStatement".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A statement in a database's own language: an SQL, CQL or PartiQL text, or a MongoDB command document.",
            "anyOf": [{ "type": "string", "pattern": "\\S" }, { "type": "object", "minProperties": 1 }]
        })
    }
}

impl RawStatement {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Value::String(text.into()))
    }

    /// A command document.
    pub fn document(document: serde_json::Map<String, Value>) -> Self {
        Self(Value::Object(document))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The statement as JSON.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl Read for RawStatement {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Text(text) if text.trim().is_empty() => {
                reader.problem("a statement cannot be empty");
                None
            }
            Node::Text(_) => String::read(node, reader).map(RawStatement::text),
            Node::Object(entries) if !entries.is_empty() => Some(Self(node.to_value())),
            other => reader.expected("a statement: a text or a command document", other),
        }
    }
}

/// The databases that a raw statement runs on: a name or a list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backends(Vec<BackendName>);

impl Backends {
    /// These databases.
    pub fn new(names: impl IntoIterator<Item = BackendName>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Whether the database is one of them.
    pub fn contains(&self, name: &BackendName) -> bool {
        self.0.contains(name)
    }

    /// The names.
    pub fn names(&self) -> &[BackendName] {
        &self.0
    }
}

impl Read for Backends {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::List(names) if names.is_empty() => {
                reader.problem("at least one database is needed");
                None
            }
            Node::List(_) => {
                let names: Vec<BackendName> = Vec::read(node, reader)?;
                for (index, name) in names.iter().enumerate() {
                    if names.iter().take(index).any(|earlier| earlier == name) {
                        reader.at(index, |reader| {
                            reader.problem(format!("the database {name} stands twice"));
                        });
                    }
                }
                Some(Self(names))
            }
            _ => BackendName::read(node, reader).map(|name| Self(vec![name])),
        }
    }
}

impl serde::Serialize for Backends {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Backends {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Backends".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<BackendName>();
        schemars::json_schema!({
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }]
        })
    }
}

/// On MongoDB a statement is a document, and a text everywhere else.
#[cfg(feature = "json-schema")]
fn statement_rules() -> Value {
    let words = BackendName::ALL.iter().map(|name| name.word());
    let texts: Vec<&str> = words.filter(|word| *word != "mongodb").collect();
    let rule = |named: &[&str], kind: &str| {
        serde_json::json!({
            "if": { "properties": { "backend": {
                "anyOf": [{ "enum": named }, { "type": "array", "contains": { "enum": named } }]
            } } },
            "then": { "properties": { "statement": { "type": kind }, "inverse": { "type": kind } } }
        })
    };
    serde_json::json!([rule(&["mongodb"], "object"), rule(&texts, "string")])
}

document! {
    /// A statement in a database's own language. It runs on the named databases alone.
    #[cfg_attr(feature = "json-schema", schemars(extend("allOf" = statement_rules())))]
    pub struct Raw = "the operation raw" {
        required {
            /// The databases that it is for.
            "backend" => backend: Backends,
            /// The statement.
            "statement" => statement: RawStatement,
        }
        optional {
            /// The statement that undoes it; without it there is no way back.
            "inverse" => inverse: Option<RawStatement>,
            /// Whether it stands in a transaction; found out from the statement if absent.
            "transactional" => transactional: Option<bool>,
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl Raw {
    /// A statement for one database, without a way back.
    pub fn new(backend: BackendName, statement: RawStatement) -> Self {
        Self {
            backend: Backends::new([backend]),
            statement,
            inverse: None,
            transactional: None,
            allow: Vec::new(),
        }
    }

    /// Notes a statement that none of its databases could take for one.
    pub(crate) fn check(&self, reader: &mut Reader) {
        let both = [
            ("statement", Some(&self.statement)),
            ("inverse", self.inverse.as_ref()),
        ];
        for (key, statement) in both {
            let Some(statement) = statement else { continue };
            let is_text = statement.as_text().is_some();
            for backend in self.backend.names() {
                let what = match (backend, is_text) {
                    (BackendName::Mongodb, true) => "a command document",
                    (BackendName::Mongodb, false) | (_, true) => continue,
                    (_, false) => "a text",
                };
                reader.within(key, |reader| {
                    reader.problem(format!("a statement of {backend} is {what}"));
                });
            }
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        None
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        // On another database than the one at hand there is nothing to do.
        Ok(before
            .backend()
            .is_some_and(|backend| !self.backend.contains(&backend))
            .then(Vec::new))
    }

    pub(super) fn apply(&self, _: &mut Schema) -> Result<(), SchemaError> {
        Ok(())
    }

    pub(super) fn inverse(&self, _: &Schema) -> Result<Inverse, Irreversible> {
        match &self.inverse {
            Some(inverse) => Ok(Inverse::lossless(vec![
                Raw {
                    backend: self.backend.clone(),
                    statement: inverse.clone(),
                    inverse: Some(self.statement.clone()),
                    transactional: self.transactional,
                    allow: self.allow.clone(),
                }
                .into(),
            ])),
            None => Err(Irreversible {
                operation: self.describe(),
                reason: "nothing tells what a raw statement changed".to_owned(),
                what_to_supply: "its \"inverse\", or a \"down\" for the migration".to_owned(),
            }),
        }
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let names: Vec<&str> = self.backend.names().iter().map(|n| n.word()).collect();
        let statement = match self.statement.as_text() {
            Some(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            None => self.statement.as_value().to_string(),
        };
        let mut shown: String = statement.chars().take(60).collect();
        if shown.len() < statement.len() {
            shown.push('…');
        }
        format!("raw on {}: {shown}", names.join(", "))
    }
}
