//! What a field holds where nothing was given.

use crate::expression::Expression;
use crate::json::{Node, Read, Reader};
use crate::schema::FieldType;
use serde_json::Value;

/// The default of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// A value of the field's type.
    Value(Value),
    /// The moment at which the row is written: `{"now": true}`.
    Now,
    /// A random UUID for each row: `{"uuid": true}`.
    Uuid,
    /// An expression in the database's own words: `{"expression": "…"}`.
    Expression(Expression),
}

impl DefaultValue {
    /// Checks that the default suits a type, and puts a value into its one form.
    ///
    /// # Errors
    /// Why it does not suit.
    pub fn canonical_for(self, field_type: &FieldType) -> Result<Self, String> {
        match self {
            DefaultValue::Value(value) => field_type.value(&value).map(DefaultValue::Value),
            DefaultValue::Now => match field_type {
                FieldType::Date | FieldType::Time | FieldType::Datetime | FieldType::Timestamp => {
                    Ok(DefaultValue::Now)
                }
                other => Err(format!("{other} has no \"now\"; dates and times do")),
            },
            DefaultValue::Uuid => match field_type {
                FieldType::Uuid => Ok(DefaultValue::Uuid),
                other => Err(format!("{other} holds no made UUID; the type uuid does")),
            },
            expression => Ok(expression),
        }
    }

    /// The expression, if it is one.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            DefaultValue::Expression(expression) => Some(expression),
            _ => None,
        }
    }
}

/// The words that an object with one key may be instead of a value.
const WORDS: [&str; 4] = ["now", "uuid", "expression", "value"];

impl Read for DefaultValue {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let word = match node {
            Node::Object(entries) => match entries.as_slice() {
                [(key, value)] if WORDS.contains(&key.as_str()) => Some((key.as_str(), value)),
                _ => None,
            },
            _ => None,
        };
        match word {
            None => Some(DefaultValue::Value(node.to_value())),
            Some(("now", Node::Bool(true))) => Some(DefaultValue::Now),
            Some(("uuid", Node::Bool(true))) => Some(DefaultValue::Uuid),
            Some(("expression", text)) => reader.within("expression", |reader| {
                Expression::read(text, reader).map(DefaultValue::Expression)
            }),
            Some(("value", value)) => Some(DefaultValue::Value(value.to_value())),
            Some((key, other)) => reader.within(key, |reader| reader.expected("true", other)),
        }
    }
}

impl serde::Serialize for DefaultValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let (key, value) = match self {
            DefaultValue::Value(value) => {
                let mistaken = value.is_null()
                    || value.as_object().is_some_and(|object| {
                        object.len() == 1 && object.keys().all(|k| WORDS.contains(&k.as_str()))
                    });
                if !mistaken {
                    return value.serialize(serializer);
                }
                ("value", value)
            }
            DefaultValue::Now => ("now", &Value::Bool(true)),
            DefaultValue::Uuid => ("uuid", &Value::Bool(true)),
            DefaultValue::Expression(expression) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("expression", expression)?;
                return map.end();
            }
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, value)?;
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for DefaultValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DefaultValue".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let expression = generator.subschema_for::<Expression>();
        let alone = |key: &str, value: serde_json::Value| {
            serde_json::json!({
                "if": { "type": "object", "required": [key], "maxProperties": 1 },
                "then": { "properties": { key: value } }
            })
        };
        schemars::json_schema!({
            "description": "A JSON value of the field's type, {\"now\": true}, {\"uuid\": true}, {\"expression\": …}, or {\"value\": …} where a value would be mistaken for one of these.",
            "allOf": [
                alone("now", serde_json::json!({ "const": true })),
                alone("uuid", serde_json::json!({ "const": true })),
                alone("expression", serde_json::json!(expression))
            ]
        })
    }
}
