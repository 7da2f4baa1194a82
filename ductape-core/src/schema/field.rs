//! A field of a collection.

use crate::backend_name::BackendName;
use crate::expression::Expression;
use crate::json::{Node, Read, Reader, document, is_default};
use crate::name::Name;
use crate::schema::field_type::{FieldType, TYPE_KEYS, read_type, serialize_type};
use crate::schema::{DefaultValue, List};
use std::collections::BTreeMap;

document! {
    /// How a generated field comes about.
    pub struct Generated = "a generated field" {
        required {
            /// The expression that makes its value.
            "expression" => expression: Expression,
        }
        optional {
            /// Whether the value is stored when a row is written, instead of made when it is read.
            "stored" => stored: bool,
        }
    }
}

/// A field (a column, an attribute) of a collection.
///
/// `primary_key` and `unique` are ways to *write* a constraint beside a field; in the schema model
/// they are spelled out as constraints, and both are false.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type, with the type's attributes.
    pub field_type: FieldType,
    /// Part of the primary key (as written; a constraint in the model).
    pub primary_key: bool,
    /// Numbered by the database.
    pub auto_increment: bool,
    /// Never null.
    pub required: bool,
    /// No two rows share a value (as written; a constraint in the model).
    pub unique: bool,
    /// What it holds where nothing was given.
    pub default: Option<DefaultValue>,
    /// A note for people.
    pub comment: Option<String>,
    /// Made from other fields by the database.
    pub generated: Option<Generated>,
    /// The collation, by its name in the database.
    pub collation: Option<String>,
    /// The type in a database's own words, taken as it is.
    pub native: BTreeMap<BackendName, String>,
}

impl Field {
    /// A nullable field of a type, with nothing else said.
    pub fn new(name: Name, field_type: FieldType) -> Self {
        Self {
            name,
            field_type,
            primary_key: false,
            auto_increment: false,
            required: false,
            unique: false,
            default: None,
            comment: None,
            generated: None,
            collation: None,
            native: BTreeMap::new(),
        }
    }

    /// The expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.default
            .as_ref()
            .and_then(DefaultValue::expression)
            .into_iter()
            .chain(
                self.generated
                    .as_ref()
                    .map(|generated| &generated.expression),
            )
    }

    /// Changes every expression in it.
    pub(crate) fn map_expressions(&mut self, change: impl Fn(&Expression) -> Expression) {
        if let Some(DefaultValue::Expression(expression)) = &mut self.default {
            *expression = change(expression);
        }
        if let Some(generated) = &mut self.generated {
            generated.expression = change(&generated.expression);
        }
    }

    /// What contradicts itself in it: each a key and a sentence. Puts the default into its one form.
    pub(crate) fn check(&mut self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if let Some(default) = self.default.take() {
            match default.clone().canonical_for(&self.field_type) {
                Ok(canonical) => self.default = Some(canonical),
                Err(message) => {
                    self.default = Some(default);
                    wrong.push(("default", message));
                }
            }
        }
        if self.auto_increment
            && !matches!(
                self.field_type,
                FieldType::Integer | FieldType::Bigint | FieldType::Smallint
            )
        {
            wrong.push((
                "autoIncrement",
                format!(
                    "the type {} cannot count; whole numbers can",
                    self.field_type.name()
                ),
            ));
        }
        if self.auto_increment && self.default.is_some() {
            wrong.push((
                "default",
                "a field that counts by itself has no default".into(),
            ));
        }
        if self.generated.is_some() {
            if self.default.is_some() {
                wrong.push(("default", "a generated field has no default".into()));
            }
            if self.auto_increment {
                wrong.push((
                    "autoIncrement",
                    "a generated field cannot count by itself".into(),
                ));
            }
        }
        if self.collation.is_some()
            && !matches!(
                self.field_type,
                FieldType::String { .. } | FieldType::Text | FieldType::Enum { .. }
            )
        {
            wrong.push((
                "collation",
                format!(
                    "the type {} has no collation; texts do",
                    self.field_type.name()
                ),
            ));
        }
        wrong
    }
}

const FIELD_KEYS: [&str; 17] = [
    "name",
    TYPE_KEYS[0],
    TYPE_KEYS[1],
    TYPE_KEYS[2],
    TYPE_KEYS[3],
    TYPE_KEYS[4],
    TYPE_KEYS[5],
    "primaryKey",
    "autoIncrement",
    "required",
    "nullable",
    "unique",
    "default",
    "comment",
    "generated",
    "collation",
    "native",
];

/// Reads `required` or its opposite `nullable`; nothing if neither is written.
pub(crate) fn read_required(
    entries: &[(String, Node)],
    reader: &mut Reader,
) -> Option<Option<bool>> {
    let required: Option<bool> = reader.optional(entries, "required")?;
    let nullable: Option<bool> = reader.optional(entries, "nullable")?;
    match (required, nullable) {
        (Some(required), Some(nullable)) if required == nullable => {
            reader.within("nullable", |reader| {
                reader.problem("required and nullable contradict each other; one is enough");
            });
            None
        }
        (Some(required), _) => Some(Some(required)),
        (None, nullable) => Some(nullable.map(|nullable| !nullable)),
    }
}

impl Field {
    fn read_named(
        name: Option<Name>,
        entries: &[(String, Node)],
        reader: &mut Reader,
    ) -> Option<Self> {
        let field_type = read_type(entries, reader);
        let primary_key = reader.optional(entries, "primaryKey");
        let auto_increment = reader.optional(entries, "autoIncrement");
        let required = read_required(entries, reader);
        let unique = reader.optional(entries, "unique");
        let default = reader.optional(entries, "default");
        let comment = reader.optional(entries, "comment");
        let generated = reader.optional(entries, "generated");
        let collation = reader.optional(entries, "collation");
        let native = reader.optional(entries, "native");
        if primary_key == Some(true) && required == Some(Some(false)) {
            reader.problem("a field of the primary key cannot be nullable");
        }
        // What could be read is checked also beside what could not.
        let whole = primary_key.is_some()
            && auto_increment.is_some()
            && required.is_some()
            && unique.is_some()
            && default.is_some()
            && comment.is_some()
            && generated.is_some()
            && collation.is_some()
            && native.is_some();
        let primary_key = primary_key.unwrap_or_default();
        let mut field = Self {
            name: name?,
            field_type: field_type?,
            primary_key,
            auto_increment: auto_increment.unwrap_or_default(),
            // Being in the key says it already.
            required: required.flatten().unwrap_or(false) && !primary_key,
            unique: unique.unwrap_or_default(),
            default: default.unwrap_or_default(),
            comment: comment.unwrap_or_default(),
            generated: generated.unwrap_or_default(),
            collation: collation.unwrap_or_default(),
            native: native.unwrap_or_default(),
        };
        let wrong = field.check();
        for (key, message) in wrong {
            reader.within(key, |reader| reader.problem(message));
        }
        whole.then_some(field)
    }
}

impl Read for Field {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = reader.object(node, "a field", &FIELD_KEYS)?;
        let name = reader.required(entries, "name");
        Self::read_named(name, entries, reader)
    }
}

/// The fields of a collection: a list of fields, or a map of names to types or fields.
pub(crate) fn read_fields(node: &Node, reader: &mut Reader) -> Option<List<Field>> {
    let Node::Object(entries) = node else {
        return match node {
            Node::List(_) => List::read(node, reader),
            other => reader.expected("a list or a map of fields", other),
        };
    };
    let fields: Vec<Option<Field>> = entries
        .iter()
        .map(|(key, value)| {
            reader.within(key, |reader| {
                let name = Name::read(&Node::Text(key.clone()), reader);
                match value {
                    Node::Text(_) => {
                        let field_type = FieldType::read(value, reader)?;
                        Some(Field::new(name?, field_type))
                    }
                    value => {
                        let entries = reader.object(value, "a field", &FIELD_KEYS)?;
                        if let Some((_, written)) = entries.iter().find(|(k, _)| k == "name")
                            && *written != Node::Text(key.clone())
                        {
                            reader.within("name", |reader| {
                                reader.problem(format!("the field is already called {key:?}"));
                            });
                        }
                        Field::read_named(name, entries, reader)
                    }
                }
            })
        })
        .collect();
    fields.into_iter().collect()
}

impl serde::Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        serialize_type(&self.field_type, &mut map)?;
        for (key, value) in [
            ("primaryKey", self.primary_key),
            ("autoIncrement", self.auto_increment),
            ("required", self.required && !self.primary_key),
            ("unique", self.unique),
        ] {
            if value {
                map.serialize_entry(key, &true)?;
            }
        }
        if let Some(default) = &self.default {
            map.serialize_entry("default", default)?;
        }
        if let Some(comment) = &self.comment {
            map.serialize_entry("comment", comment)?;
        }
        if let Some(generated) = &self.generated {
            map.serialize_entry("generated", generated)?;
        }
        if let Some(collation) = &self.collation {
            map.serialize_entry("collation", collation)?;
        }
        if !is_default(&self.native) {
            map.serialize_entry("native", &self.native)?;
        }
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Field {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Field".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        use serde_json::json;
        let mut schema = attributes_schema(generator, false);
        schema.insert("required".into(), json!(["name", "type"]));
        if let Some(serde_json::Value::Array(rules)) = schema.get_mut("allOf") {
            let both = |a: bool, key: &str| {
                json!({ "not": {
                    "properties": { key: { "const": a }, "nullable": { "const": a } }, "required": [key, "nullable"]
                } })
            };
            rules.extend([
                both(true, "required"),
                both(false, "required"),
                both(true, "primaryKey"),
            ]);
            rules.push(json!({ "not": { "required": ["generated", "default"] } }));
        }
        schema
    }
}

/// The schema of a field's attributes; where they are changes, each may also be null.
#[cfg(feature = "json-schema")]
pub(crate) fn attributes_schema(
    generator: &mut schemars::SchemaGenerator,
    changes: bool,
) -> schemars::Schema {
    use serde_json::{Value, json};
    let mut properties = serde_json::Map::new();
    let mut put = |key: &str, schema: Value, description: &str| {
        let schema = if changes && key != "type" {
            json!({ "anyOf": [schema, { "type": "null" }], "description": description })
        } else {
            json!({ "allOf": [schema], "description": description })
        };
        properties.insert(key.to_owned(), schema);
    };
    if !changes {
        put(
            "name",
            json!(generator.subschema_for::<Name>()),
            "The field's name.",
        );
    }
    put(
        "type",
        json!(generator.subschema_for::<crate::schema::TypeName>()),
        "Its type.",
    );
    put(
        "length",
        json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        "Of string (characters) and binary (bytes).",
    );
    put(
        "precision",
        json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        "Of decimal: digits in all.",
    );
    put(
        "scale",
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        "Of decimal: digits after the point.",
    );
    put(
        "enumValues",
        json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true }),
        "Of enum: its values, in order.",
    );
    put(
        "items",
        json!(generator.subschema_for::<FieldType>()),
        "Of array: the type of its items.",
    );
    for (key, description) in [
        ("primaryKey", "Part of the primary key."),
        ("autoIncrement", "Numbered by the database."),
        ("required", "Never null."),
        ("nullable", "The opposite of required."),
        ("unique", "No two rows share a value."),
    ] {
        put(key, json!({ "type": "boolean" }), description);
    }
    put(
        "default",
        json!(generator.subschema_for::<DefaultValue>()),
        "What it holds where nothing was given.",
    );
    put("comment", json!({ "type": "string" }), "A note for people.");
    put(
        "generated",
        json!(generator.subschema_for::<Generated>()),
        "Made from other fields by the database.",
    );
    put(
        "collation",
        json!({ "type": "string" }),
        "The collation, by its name in the database.",
    );
    let backend = generator.subschema_for::<BackendName>();
    put(
        "native",
        json!({ "type": "object", "propertyNames": backend, "additionalProperties": { "type": "string" } }),
        "The type in a database's own words.",
    );
    let typed = |key: &str, value: Value, types: &[&str]| {
        json!({
            "if": { "properties": { key: value }, "required": [key] },
            "then": { "properties": { "type": { "enum": types } } }
        })
    };
    let mut rules = crate::schema::field_type::type_rules(changes);
    if let Value::Array(rules) = &mut rules {
        let whole = ["integer", "bigint", "smallint"];
        rules.push(typed("autoIncrement", json!({ "const": true }), &whole));
        let texts = ["string", "text", "enum"];
        rules.push(typed("collation", json!({ "type": "string" }), &texts));
    }
    let mut schema = schemars::json_schema!({
        "type": "object", "additionalProperties": false, "allOf": rules
    });
    schema.insert("properties".into(), Value::Object(properties));
    schema
}
