//! The nineteen types of fields.

use crate::json::{Node, Read, Reader, words};
use crate::value;
use serde_json::Value;
use std::fmt;

words! {
    /// The word for a type, without its attributes.
    pub enum TypeName = "a field type" {
        /// Whole number of 32 bits.
        "integer" => Integer,
        /// Whole number of 64 bits.
        "bigint" => Bigint,
        /// Whole number of 16 bits.
        "smallint" => Smallint,
        /// Floating point, 32 bits.
        "float" => Float,
        /// Floating point, 64 bits.
        "double" => Double,
        /// Exact decimal.
        "decimal" => Decimal,
        /// Text of limited length.
        "string" => String,
        /// Text of any length.
        "text" => Text,
        /// True or false.
        "boolean" => Boolean,
        /// A day.
        "date" => Date,
        /// A time of day.
        "time" => Time,
        /// A day and a time of day, in no time zone.
        "datetime" => Datetime,
        /// A moment.
        "timestamp" => Timestamp,
        /// A JSON document.
        "json" => Json,
        /// A UUID.
        "uuid" => Uuid,
        /// One of a list of words.
        "enum" => Enum,
        /// A list of values of one type.
        "array" => Array,
        /// Bytes of limited length.
        "binary" => Binary,
        /// Bytes of any length.
        "blob" => Blob,
    }
}

/// A field's type with the attributes that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are documented at TypeName")]
pub enum FieldType {
    Integer,
    Bigint,
    Smallint,
    Float,
    Double,
    /// `precision` digits in all, `scale` of them after the point.
    Decimal {
        precision: Option<u32>,
        scale: Option<u32>,
    },
    /// At most `length` characters.
    String {
        length: Option<u32>,
    },
    Text,
    Boolean,
    Date,
    Time,
    Datetime,
    Timestamp,
    Json,
    Uuid,
    /// One of `values`, in their order.
    Enum {
        values: Vec<String>,
    },
    Array {
        items: Box<FieldType>,
    },
    /// At most `length` bytes.
    Binary {
        length: Option<u32>,
    },
    Blob,
}

/// The attributes of a type as JSON writes them beside `type`; each is absent where it is not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TypeAttributes {
    /// `length`, of `string` (characters) and `binary` (bytes).
    pub length: Option<u32>,
    /// `precision`, of `decimal` (digits).
    pub precision: Option<u32>,
    /// `scale`, of `decimal` (digits after the point).
    pub scale: Option<u32>,
    /// `enumValues`, of `enum`.
    pub enum_values: Option<Vec<String>>,
    /// `items`, of `array`.
    pub items: Option<Box<FieldType>>,
}

impl TypeAttributes {
    fn written(&self) -> [(&'static str, bool); 5] {
        [
            ("length", self.length.is_some()),
            ("precision", self.precision.is_some()),
            ("scale", self.scale.is_some()),
            ("enumValues", self.enum_values.is_some()),
            ("items", self.items.is_some()),
        ]
    }

    /// Keeps those that the type has.
    #[must_use]
    pub fn only_those_of(mut self, name: TypeName) -> Self {
        let has = name.attributes();
        if !has.contains(&"length") {
            self.length = None;
        }
        if !has.contains(&"precision") {
            self.precision = None;
            self.scale = None;
        }
        if !has.contains(&"enumValues") {
            self.enum_values = None;
        }
        if !has.contains(&"items") {
            self.items = None;
        }
        self
    }
}

impl TypeName {
    /// The attributes that this type has.
    pub fn attributes(self) -> &'static [&'static str] {
        match self {
            TypeName::String | TypeName::Binary => &["length"],
            TypeName::Decimal => &["precision", "scale"],
            TypeName::Enum => &["enumValues"],
            TypeName::Array => &["items"],
            _ => &[],
        }
    }
}

impl FieldType {
    /// The word for the type.
    pub fn name(&self) -> TypeName {
        match self {
            FieldType::Integer => TypeName::Integer,
            FieldType::Bigint => TypeName::Bigint,
            FieldType::Smallint => TypeName::Smallint,
            FieldType::Float => TypeName::Float,
            FieldType::Double => TypeName::Double,
            FieldType::Decimal { .. } => TypeName::Decimal,
            FieldType::String { .. } => TypeName::String,
            FieldType::Text => TypeName::Text,
            FieldType::Boolean => TypeName::Boolean,
            FieldType::Date => TypeName::Date,
            FieldType::Time => TypeName::Time,
            FieldType::Datetime => TypeName::Datetime,
            FieldType::Timestamp => TypeName::Timestamp,
            FieldType::Json => TypeName::Json,
            FieldType::Uuid => TypeName::Uuid,
            FieldType::Enum { .. } => TypeName::Enum,
            FieldType::Array { .. } => TypeName::Array,
            FieldType::Binary { .. } => TypeName::Binary,
            FieldType::Blob => TypeName::Blob,
        }
    }

    /// Its attributes.
    pub fn attributes(&self) -> TypeAttributes {
        let mut attributes = TypeAttributes::default();
        match self {
            FieldType::Decimal { precision, scale } => {
                attributes.precision = *precision;
                attributes.scale = *scale;
            }
            FieldType::String { length } | FieldType::Binary { length } => {
                attributes.length = *length;
            }
            FieldType::Enum { values } => attributes.enum_values = Some(values.clone()),
            FieldType::Array { items } => attributes.items = Some(items.clone()),
            _ => {}
        }
        attributes
    }

    /// Puts a type together from its word and attributes.
    ///
    /// # Errors
    /// Every attribute that the type does not have or that makes no sense, each with the key it
    /// belongs to and what is wrong.
    pub fn from_parts(
        name: TypeName,
        attributes: TypeAttributes,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        for (key, written) in attributes.written() {
            if written && !name.attributes().contains(&key) {
                wrong.push((key, format!("the type {name} has no {key}")));
            }
        }
        if attributes.length == Some(0) {
            wrong.push(("length", "a length of 0 holds nothing".to_owned()));
        }
        if name == TypeName::Decimal {
            match (attributes.precision, attributes.scale) {
                (Some(0), _) => wrong.push(("precision", "a precision of 0 holds nothing".into())),
                (Some(p), _) if p > 1000 => wrong.push((
                    "precision",
                    format!("{p} digits are more than any database holds (1000)"),
                )),
                (Some(p), Some(s)) if s > p => wrong.push((
                    "scale",
                    format!("{s} digits after the point do not fit in {p} in all"),
                )),
                (None, Some(_)) => {
                    wrong.push(("scale", "a scale needs a precision beside it".into()));
                }
                _ => {}
            }
        }
        if name == TypeName::Enum {
            match &attributes.enum_values {
                None => wrong.push(("enumValues", "an enum needs its values".into())),
                Some(values) if values.is_empty() => {
                    wrong.push(("enumValues", "an enum needs at least one value".into()));
                }
                Some(values) => {
                    let mut seen = std::collections::HashSet::new();
                    for value in values {
                        if !seen.insert(value) {
                            wrong.push(("enumValues", format!("the value {value:?} stands twice")));
                        }
                    }
                }
            }
        }
        if name == TypeName::Array && attributes.items.is_none() {
            wrong.push(("items", "an array needs the type of its items".into()));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(match (name, attributes) {
            (TypeName::Integer, _) => FieldType::Integer,
            (TypeName::Bigint, _) => FieldType::Bigint,
            (TypeName::Smallint, _) => FieldType::Smallint,
            (TypeName::Float, _) => FieldType::Float,
            (TypeName::Double, _) => FieldType::Double,
            (TypeName::Decimal, a) => FieldType::Decimal {
                precision: a.precision,
                // A precision without a scale means none after the point, in every SQL dialect.
                scale: a.scale.filter(|scale| *scale != 0),
            },
            (TypeName::String, a) => FieldType::String { length: a.length },
            (TypeName::Text, _) => FieldType::Text,
            (TypeName::Boolean, _) => FieldType::Boolean,
            (TypeName::Date, _) => FieldType::Date,
            (TypeName::Time, _) => FieldType::Time,
            (TypeName::Datetime, _) => FieldType::Datetime,
            (TypeName::Timestamp, _) => FieldType::Timestamp,
            (TypeName::Json, _) => FieldType::Json,
            (TypeName::Uuid, _) => FieldType::Uuid,
            (TypeName::Enum, a) => FieldType::Enum {
                values: a.enum_values.unwrap_or_default(),
            },
            (TypeName::Array, a) => FieldType::Array {
                items: a.items.unwrap_or_else(|| Box::new(FieldType::Text)),
            },
            (TypeName::Binary, a) => FieldType::Binary { length: a.length },
            (TypeName::Blob, _) => FieldType::Blob,
        })
    }

    /// The value in the one form in which it is kept, if it is a value of this type.
    ///
    /// # Errors
    /// What a value of this type looks like, as a sentence.
    pub fn value(&self, value: &Value) -> Result<Value, String> {
        value::canonical(self, value)
    }

    /// The value of this type that stands for nothing in particular: 0, the empty text, false,
    /// 1970-01-01, the nil UUID, the first enum value, an empty list or object.
    pub fn neutral_value(&self) -> Value {
        value::neutral(self)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().word())?;
        match self {
            FieldType::Decimal {
                precision: Some(precision),
                scale,
            } => write!(f, "({precision},{})", scale.unwrap_or(0)),
            FieldType::String { length: Some(n) } | FieldType::Binary { length: Some(n) } => {
                write!(f, "({n})")
            }
            FieldType::Enum { values } => write!(f, "({})", values.join(", ")),
            FieldType::Array { items } => write!(f, " of {items}"),
            _ => Ok(()),
        }
    }
}

/// The keys that say a type.
pub(crate) const TYPE_KEYS: [&str; 6] = [
    "type",
    "length",
    "precision",
    "scale",
    "enumValues",
    "items",
];

/// Reads `type` and its attributes out of an object that may have other keys.
pub(crate) fn read_type(entries: &[(String, Node)], reader: &mut Reader) -> Option<FieldType> {
    let name = reader.required::<TypeName>(entries, "type");
    let length = reader.optional(entries, "length");
    let precision = reader.optional(entries, "precision");
    let scale = reader.optional(entries, "scale");
    let enum_values = reader.optional(entries, "enumValues");
    let items = reader.optional(entries, "items");
    let attributes = TypeAttributes {
        length: length?,
        precision: precision?,
        scale: scale?,
        enum_values: enum_values?,
        items: items?,
    };
    match FieldType::from_parts(name?, attributes) {
        Ok(field_type) => Some(field_type),
        Err(wrong) => {
            for (key, message) in wrong {
                reader.within(key, |reader| reader.problem(message));
            }
            None
        }
    }
}

impl Read for FieldType {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Text(_) => {
                let name = TypeName::read(node, reader)?;
                match FieldType::from_parts(name, TypeAttributes::default()) {
                    Ok(field_type) => Some(field_type),
                    Err(wrong) => {
                        for (_, message) in wrong {
                            reader
                                .problem_with_hint(message, "write it as an object: {\"type\": …}");
                        }
                        None
                    }
                }
            }
            node => {
                let entries = reader.object(node, "a type", &TYPE_KEYS)?;
                read_type(entries, reader)
            }
        }
    }
}

impl serde::Serialize for FieldType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attributes = self.attributes();
        if attributes == TypeAttributes::default() {
            return serializer.serialize_str(self.name().word());
        }
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        serialize_type(self, &mut map)?;
        map.end()
    }
}

/// Writes `type` and the attributes that it has.
pub(crate) fn serialize_type<M: serde::ser::SerializeMap>(
    field_type: &FieldType,
    map: &mut M,
) -> Result<(), M::Error> {
    map.serialize_entry("type", &field_type.name())?;
    match field_type {
        FieldType::Decimal { precision, scale } => {
            if let Some(precision) = precision {
                map.serialize_entry("precision", precision)?;
            }
            if let Some(scale) = scale {
                map.serialize_entry("scale", scale)?;
            }
        }
        FieldType::String { length } | FieldType::Binary { length } => {
            if let Some(length) = length {
                map.serialize_entry("length", length)?;
            }
        }
        FieldType::Enum { values } => map.serialize_entry("enumValues", values)?,
        FieldType::Array { items } => map.serialize_entry("items", items)?,
        _ => {}
    }
    Ok(())
}

/// Which attributes a type has, and which it needs, as rules of a JSON Schema. Of changes the type may be
/// unsaid, and null takes an attribute away from any type.
#[cfg(feature = "json-schema")]
pub(crate) fn type_rules(changes: bool) -> serde_json::Value {
    use serde_json::json;
    let only = |key: &str, types: &[&str]| {
        let there = match changes {
            true => {
                json!({ "properties": { key: { "not": { "type": "null" } } }, "required": [key] })
            }
            false => json!({ "required": [key] }),
        };
        json!({ "if": there, "then": { "properties": { "type": { "enum": types } } } })
    };
    let needs = |word: &str, key: &str| {
        json!({
            "if": { "properties": { "type": { "const": word } }, "required": ["type"] },
            "then": { "required": [key] }
        })
    };
    let mut rules = vec![
        only("length", &["string", "binary"]),
        only("precision", &["decimal"]),
        only("scale", &["decimal"]),
        only("enumValues", &["enum"]),
        only("items", &["array"]),
        needs("enum", "enumValues"),
        needs("array", "items"),
    ];
    if !changes {
        rules.push(
            json!({ "if": { "required": ["scale"] }, "then": { "required": ["precision"] } }),
        );
    }
    json!(rules)
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for FieldType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldType".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<TypeName>();
        let items = generator.subschema_for::<FieldType>();
        let alone = serde_json::json!({ "not": { "enum": ["enum", "array"] } });
        let rules = type_rules(false);
        schemars::json_schema!({
            "description": "A type by its word, or with its attributes.",
            "anyOf": [
                { "allOf": [name, alone] },
                {
                    "type": "object",
                    "properties": {
                        "type": name,
                        "length": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                        "precision": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                        "scale": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                        "enumValues": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true },
                        "items": items
                    },
                    "required": ["type"],
                    "additionalProperties": false,
                    "allOf": rules
                }
            ]
        })
    }
}
