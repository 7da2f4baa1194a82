//! Items and their attributes.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use ductape_core::value::{base64_decode, base64_encode};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text as an attribute.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number as an attribute.
pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A text of an item.
pub(crate) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// A number of an item.
pub(crate) fn number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// An attribute from the API's JSON; nothing if it is none.
pub(crate) fn from_json(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "S" => s(value.as_str()?),
        "N" => n(value.as_str()?),
        "B" => AttributeValue::B(Blob::new(base64_decode(value.as_str()?)?)),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(
            value
                .as_array()?
                .iter()
                .map(from_json)
                .collect::<Option<_>>()?,
        ),
        "M" => AttributeValue::M(
            value
                .as_object()?
                .iter()
                .map(|(name, value)| Some((name.clone(), from_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// A key as the API's JSON: texts, numbers and bytes.
pub(crate) fn key_to_json(key: &Item) -> Value {
    let map: Map<String, Value> = key
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                AttributeValue::S(text) => json!({ "S": text }),
                AttributeValue::N(number) => json!({ "N": number }),
                AttributeValue::B(bytes) => json!({ "B": base64_encode(bytes.as_ref()) }),
                _ => return None,
            };
            Some((name.clone(), value))
        })
        .collect();
    Value::Object(map)
}

/// A key from the API's JSON.
pub(crate) fn key_from_json(text: &str) -> Option<Item> {
    let value: Value = serde_json::from_str(text).ok()?;
    value
        .as_object()?
        .iter()
        .map(|(name, value)| Some((name.clone(), from_json(value)?)))
        .collect()
}
