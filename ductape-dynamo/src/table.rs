//! What DynamoDB knows of a table: its key, and its global secondary indexes.

use ductape_core::schema::{FieldType, Index, KeyAttribute, KeyType, Projection};
use ductape_core::{Collection, Name};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The key of a table or an index: attributes with their types, the partition key first.
pub(crate) type Key = Vec<(Name, KeyType)>;

/// The type that a field has as a key; nothing if it cannot be one.
pub(crate) fn key_type(field_type: &FieldType) -> Option<KeyType> {
    match field_type {
        FieldType::Integer
        | FieldType::Bigint
        | FieldType::Smallint
        | FieldType::Float
        | FieldType::Double
        | FieldType::Decimal { .. } => Some(KeyType::N),
        FieldType::String { .. }
        | FieldType::Text
        | FieldType::Date
        | FieldType::Time
        | FieldType::Datetime
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Enum { .. } => Some(KeyType::S),
        FieldType::Binary { .. } | FieldType::Blob => Some(KeyType::B),
        FieldType::Boolean | FieldType::Json | FieldType::Array { .. } => None,
    }
}

/// The one type that stands for all those that a key cannot tell apart.
pub(crate) fn folded_type(key_type: KeyType) -> FieldType {
    match key_type {
        KeyType::S => FieldType::Text,
        KeyType::N => FieldType::Decimal {
            precision: None,
            scale: None,
        },
        KeyType::B => FieldType::Blob,
    }
}

/// The names of the key's attributes: from the options, or from the primary key.
pub(crate) fn key_names(collection: &Collection) -> Vec<Name> {
    let options = &collection.options.dynamo;
    let written = |key: &Option<KeyAttribute>| key.as_ref().map(|key| key.name.clone());
    match written(&options.partition_key) {
        Some(partition) => std::iter::once(partition)
            .chain(written(&options.sort_key))
            .collect(),
        None => collection.key().to_vec(),
    }
}

fn typed<'n>(collection: &Collection, names: impl IntoIterator<Item = &'n Name>) -> Key {
    names
        .into_iter()
        .filter_map(|name| {
            let field = collection.field(name)?;
            Some((name.clone(), key_type(&field.field_type)?))
        })
        .collect()
}

/// The key of a collection's table.
pub(crate) fn key(collection: &Collection) -> Key {
    typed(collection, &key_names(collection))
}

/// The key of an index.
pub(crate) fn index_key(collection: &Collection, index: &Index) -> Key {
    typed(collection, index.fields.iter().filter_map(|key| key.name()))
}

/// What an index holds, in one form.
pub(crate) fn projection(index: &Index) -> Projection {
    let mut names = match &index.dynamo.projection {
        Projection::All if index.include.is_empty() => return Projection::All,
        Projection::KeysOnly if index.include.is_empty() => return Projection::KeysOnly,
        Projection::All | Projection::KeysOnly => Vec::new(),
        Projection::Include(names) => names.clone(),
    };
    names.extend(index.include.iter().cloned());
    names.sort();
    names.dedup();
    Projection::Include(names)
}

/// An index as DynamoDB shows it, for comparing.
pub(crate) fn index_shape(key: &Key, projection: &Projection) -> Value {
    json!({ "key": key, "projection": projection })
}

/// A table as DynamoDB shows it, for comparing.
pub(crate) fn table_shape(key: &Key, indexes: BTreeMap<String, Value>) -> Value {
    json!({ "key": key, "indexes": indexes })
}

/// A collection's table as DynamoDB will show it.
pub(crate) fn shape_of(collection: &Collection) -> Value {
    let indexes = collection
        .indexes
        .iter()
        .filter_map(|index| {
            Some((
                index.name.as_ref()?.to_string(),
                shape_of_index(collection, index),
            ))
        })
        .collect();
    table_shape(&key(collection), indexes)
}

/// A collection's index as DynamoDB will show it.
pub(crate) fn shape_of_index(collection: &Collection, index: &Index) -> Value {
    index_shape(&index_key(collection, index), &projection(index))
}

/// `KeySchema`, as the API has it.
pub(crate) fn key_schema(key: &Key) -> Value {
    key.iter()
        .zip(["HASH", "RANGE"])
        .map(|((name, _), kind)| json!({ "AttributeName": name, "KeyType": kind }))
        .collect()
}

/// `AttributeDefinitions`, as the API has it: exactly the attributes of these keys.
pub(crate) fn attribute_definitions<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Value {
    let attributes: BTreeMap<&Name, KeyType> = keys
        .into_iter()
        .flatten()
        .map(|(name, key_type)| (name, *key_type))
        .collect();
    attributes
        .into_iter()
        .map(|(name, key_type)| json!({ "AttributeName": name, "AttributeType": key_type }))
        .collect()
}

/// An index, as `CreateTable` and `UpdateTable` take it.
pub(crate) fn index_input(collection: &Collection, index: &Index) -> Value {
    let mut kept = Map::new();
    match projection(index) {
        Projection::All => {
            kept.insert("ProjectionType".into(), json!("ALL"));
        }
        Projection::KeysOnly => {
            kept.insert("ProjectionType".into(), json!("KEYS_ONLY"));
        }
        Projection::Include(names) => {
            kept.insert("ProjectionType".into(), json!("INCLUDE"));
            kept.insert("NonKeyAttributes".into(), json!(names));
        }
    }
    json!({
        "IndexName": index.name,
        "KeySchema": key_schema(&index_key(collection, index)),
        "Projection": kept,
    })
}

/// A value of a field as the API has it: `{"S": "…"}`.
pub(crate) fn attribute(field_type: &FieldType, value: &Value) -> Value {
    match (field_type, value) {
        (_, Value::Null) => json!({ "NULL": true }),
        (FieldType::Array { items }, Value::Array(list)) => {
            json!({ "L": list.iter().map(|item| attribute(items, item)).collect::<Vec<_>>() })
        }
        (FieldType::Binary { .. } | FieldType::Blob, Value::String(text)) => json!({ "B": text }),
        (FieldType::Decimal { .. }, Value::String(text)) => json!({ "N": text }),
        (_, Value::Bool(value)) => json!({ "BOOL": value }),
        (_, Value::Number(number)) => json!({ "N": number.to_string() }),
        (_, Value::String(text)) => json!({ "S": text }),
        (_, Value::Array(list)) => {
            json!({ "L": list.iter().map(|item| attribute(&FieldType::Json, item)).collect::<Vec<_>>() })
        }
        (_, Value::Object(map)) => {
            let map: Map<String, Value> = map
                .iter()
                .map(|(name, value)| (name.clone(), attribute(&FieldType::Json, value)))
                .collect();
            json!({ "M": map })
        }
    }
}
