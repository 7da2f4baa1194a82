//! Differences between two schemas, for people and programs.

use crate::json::words;
use crate::name::Name;
use crate::schema::{Collection, NativeDefinition, Schema};
use serde::Serialize;
use serde_json::Value;

words! {
    /// What kind of difference.
    pub enum DifferenceKind = "a kind of difference" {
        /// On record, and not in the database; or, of a migration, applied from a file that is gone.
        "missing" => Missing,
        /// In the database, and not on record.
        "unexpected" => Unexpected,
        /// In both, and not the same.
        "changed" => Changed,
        /// A migration that was applied with other operations than its file has now.
        "edited" => Edited,
        /// A migration that is pending, and older than the last applied one.
        "outOfOrder" => OutOfOrder,
        /// A migration that stopped half-way.
        "failed" => Failed,
        /// A row of the ledger that cannot be read.
        "damaged" => Damaged,
    }
}

/// A difference between the schema on record and the live one, or between an applied migration and its
/// file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The collection; nothing if it is about a migration.
    pub collection: Option<Name>,
    /// What of it: `fields.email.length`; empty for the collection itself. The tag of a migration.
    pub path: String,
    /// How it is on record; of a migration, the operations in the ledger.
    pub recorded: Value,
    /// How it is in the database; of a migration, the operations in its file.
    pub live: Value,
    /// The same in a sentence.
    pub message: String,
}

impl Difference {
    /// A collection that is on record and not in the database.
    pub fn missing_collection(record: &Collection) -> Self {
        Self {
            kind: DifferenceKind::Missing,
            collection: Some(record.name.clone()),
            path: String::new(),
            recorded: to_value(record),
            live: Value::Null,
            message: format!(
                "the collection {} is on record, and not in the database",
                record.name
            ),
        }
    }

    /// A native definition on record that is gone or other than it was.
    pub fn of_native(record: &NativeDefinition, live: Option<&NativeDefinition>) -> Option<Self> {
        if live == Some(record) {
            return None;
        }
        let collection = record.on.as_ref().unwrap_or(&record.name);
        let path = format!("{}.{}", record.kind, record.name);
        let live = live.map_or(Value::Null, to_value);
        Some(Self::new(collection, path, to_value(record), live))
    }

    fn new(collection: &Name, path: String, recorded: Value, live: Value) -> Self {
        let (kind, message) = match (&recorded, &live) {
            (recorded, Value::Null) => (
                DifferenceKind::Missing,
                format!("{collection}: {path} is on record ({recorded}), and not in the database"),
            ),
            (Value::Null, live) => (
                DifferenceKind::Unexpected,
                format!("{collection}: {path} is in the database ({live}), and not on record"),
            ),
            (recorded, live) => (
                DifferenceKind::Changed,
                format!("{collection}: {path} is {recorded} on record, and {live} in the database"),
            ),
        };
        Self {
            kind,
            collection: Some(collection.clone()),
            path,
            recorded,
            live,
            message,
        }
    }
}

fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Where a live collection is not as recorded. Both are in the normal form of the database.
pub fn between(record: &Collection, live: &Collection) -> Vec<Difference> {
    let mut found = Vec::new();
    let name = &record.name;
    let mut compare = |path: &str, recorded: Vec<(&Name, Value)>, live: Vec<(&Name, Value)>| {
        for (part, recorded_value) in &recorded {
            let other = live.iter().find(|(other, _)| other == part);
            match other {
                None => found.push(Difference::new(
                    name,
                    format!("{path}.{part}"),
                    recorded_value.clone(),
                    Value::Null,
                )),
                Some((_, live_value)) => {
                    let base = format!("{path}.{part}");
                    attributes(name, &base, recorded_value, live_value, &mut found);
                }
            }
        }
        for (part, live_value) in &live {
            if !recorded.iter().any(|(other, _)| other == part) {
                found.push(Difference::new(
                    name,
                    format!("{path}.{part}"),
                    Value::Null,
                    live_value.clone(),
                ));
            }
        }
    };
    compare(
        "fields",
        record
            .fields
            .iter()
            .map(|f| (&f.name, to_value(f)))
            .collect(),
        live.fields.iter().map(|f| (&f.name, to_value(f))).collect(),
    );
    compare(
        "indexes",
        record
            .indexes
            .iter()
            .filter_map(|i| Some((i.name.as_ref()?, to_value(i))))
            .collect(),
        live.indexes
            .iter()
            .filter_map(|i| Some((i.name.as_ref()?, to_value(i))))
            .collect(),
    );
    compare(
        "constraints",
        record
            .constraints
            .iter()
            .filter_map(|c| Some((c.name.as_ref()?, to_value(c))))
            .collect(),
        live.constraints
            .iter()
            .filter_map(|c| Some((c.name.as_ref()?, to_value(c))))
            .collect(),
    );
    if record.comment != live.comment {
        found.push(Difference::new(
            name,
            "comment".to_owned(),
            to_value(&record.comment),
            to_value(&live.comment),
        ));
    }
    if record.options != live.options {
        attributes(
            name,
            "options",
            &record.options.to_value(),
            &live.options.to_value(),
            &mut found,
        );
    }
    found
}

/// The differences of two objects, key by key.
fn attributes(
    collection: &Name,
    base: &str,
    recorded: &Value,
    live: &Value,
    found: &mut Vec<Difference>,
) {
    if recorded == live {
        return;
    }
    match (recorded, live) {
        (Value::Object(recorded), Value::Object(live)) => {
            let mut keys: Vec<&String> = recorded.keys().chain(live.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(key).cloned().unwrap_or(Value::Null)
                };
                let (a, b) = (of(recorded), of(live));
                if a != b {
                    found.push(Difference::new(collection, format!("{base}.{key}"), a, b));
                }
            }
        }
        (recorded, live) => found.push(Difference::new(
            collection,
            base.to_owned(),
            recorded.clone(),
            live.clone(),
        )),
    }
}

/// Where a live schema is not as recorded: collections on record only, and the differences of those in
/// both. A collection that is only live is nobody's business here.
pub fn between_schemas(record: &Schema, live: &Schema) -> Vec<Difference> {
    record
        .collections()
        .flat_map(|recorded| match live.collection(&recorded.name) {
            None => vec![Difference::missing_collection(recorded)],
            Some(live) if **live == **recorded => Vec::new(),
            Some(live) => between(recorded, live),
        })
        .collect()
}
