//! Every change that the schema of a database has room for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test cannot write has failed"
)]

use ductape::{Error, ErrorKind};
use ductape_core::{Collection, Migration, Name, Operation, Schema};
use serde_json::{Value, json};

fn operation(value: Value) -> Operation {
    let text = json!([value]).to_string();
    let mut operations =
        Migration::parse_operations(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
    operations.remove(0)
}

/// What the changes say in a database's own words.
#[derive(Debug)]
pub struct Words {
    /// A collation.
    pub collation: &'static str,
    /// A type that the model has no word for.
    pub native: &'static str,
    /// Options of a collection.
    pub options: &'static [&'static str],
}

/// All changes of all collections.
pub fn all(schema: &Schema, words: &Words) -> Vec<Operation> {
    let mut changes = Vec::new();
    for collection in schema.collections() {
        of_collection(schema, collection, words, &mut changes);
        for field in &collection.fields {
            of_field(schema, collection, field.name.as_str(), words, &mut changes);
        }
    }
    for native in schema.natives() {
        let name = &native.name;
        changes.push(json!({"type": "dropCollection", "name": name, "cascade": true}));
        changes.push(json!({"type": "addField", "collection": name, "field": {"name": "more", "type": "text"}}));
    }
    changes.into_iter().map(operation).collect()
}

fn of_collection(
    schema: &Schema,
    collection: &Collection,
    words: &Words,
    changes: &mut Vec<Value>,
) {
    let name = &collection.name;
    changes.push(json!({"type": "dropCollection", "name": name}));
    changes.push(json!({"type": "dropCollection", "name": name, "cascade": true}));
    for to in [
        format!("{name}_new"),
        "new \"[name]".to_owned(),
        name.as_str().to_uppercase(),
    ] {
        if to != name.as_str() {
            changes.push(json!({"type": "renameCollection", "from": name, "to": to}));
        }
    }
    changes
        .push(json!({"type": "modifyCollection", "name": name, "changes": {"comment": "theirs"}}));
    for option in words.options {
        changes.push(json!({"type": "modifyCollection", "name": name, "changes": {"sqlOptions": {*option: true}}}));
    }
    let first = &collection.fields.first().unwrap().name;
    let mut add_field = |field: Value| {
        changes.push(json!({"type": "addField", "collection": name, "field": field}));
    };
    add_field(json!({"name": "added", "type": "text"}));
    add_field(json!({"name": "added", "type": "integer", "required": true, "default": 7}));
    add_field(json!({"name": "added", "type": "string", "length": 20, "required": true}));
    add_field(
        json!({"name": "added", "type": "timestamp", "required": true, "default": {"now": true}}),
    );
    add_field(json!({"name": "added", "type": "enum", "enumValues": ["a", "b"], "default": "a"}));
    add_field(json!({"name": "added", "type": "uuid", "unique": true}));
    add_field(
        json!({"name": "added", "type": "integer", "generated": {"expression": "1 + 1", "stored": true}}),
    );
    add_field(json!({"name": first.as_str().to_uppercase() + "", "type": "text"}));
    let mut add_index = |index: Value| {
        changes.push(json!({"type": "createIndex", "collection": name, "index": index}));
    };
    add_index(json!({"fields": [first]}));
    add_index(
        json!({"fields": [{"name": first, "order": "desc", "collation": words.collation}], "unique": true}),
    );
    add_index(
        json!({"name": "by expression", "fields": [{"expression": "1 + length('x')"}, first], "where": "1 = 1"}),
    );
    let mut add_constraint = |constraint: Value| {
        changes
            .push(json!({"type": "addConstraint", "collection": name, "constraint": constraint}));
    };
    add_constraint(json!({"type": "check", "expression": "1 < 2"}));
    add_constraint(json!({"type": "check", "expression": "1 > 2"}));
    add_constraint(json!({"type": "unique", "columns": [first]}));
    add_constraint(json!({"type": "primaryKey", "columns": [first]}));
    let other = schema
        .collections()
        .find(|other| other.name != *name && other.key().len() == 1);
    if let Some(other) = other {
        add_constraint(
            json!({"type": "foreignKey", "columns": [first], "deferrable": "deferred",
            "references": {"table": other.name, "columns": other.key(), "onDelete": "SET NULL"}}),
        );
    }
    for index in &collection.indexes {
        changes.push(json!({"type": "dropIndex", "collection": name, "index": index.name}));
    }
    for constraint in &collection.constraints {
        changes.push(
            json!({"type": "dropConstraint", "collection": name, "constraint": constraint.name}),
        );
    }
}

fn of_field(
    schema: &Schema,
    collection: &Collection,
    field: &str,
    words: &Words,
    changes: &mut Vec<Value>,
) {
    let backend = schema.backend().unwrap().to_string();
    let name = &collection.name;
    changes.push(json!({"type": "dropField", "collection": name, "field": field}));
    for to in [
        format!("{field}_new"),
        "new \"[name]".to_owned(),
        field.to_uppercase(),
    ] {
        if to != field {
            changes
                .push(json!({"type": "renameField", "collection": name, "from": field, "to": to}));
        }
    }
    let there = collection.field(&Name::new(field).unwrap()).unwrap();
    for change in [
        json!({"type": "integer"}),
        json!({"type": "bigint"}),
        json!({"type": "double"}),
        json!({"type": "decimal", "precision": 12, "scale": 3}),
        json!({"type": "text"}),
        json!({"type": "string", "length": 300}),
        json!({"type": "string", "length": 2}),
        json!({"type": "boolean"}),
        json!({"type": "datetime"}),
        json!({"type": "blob"}),
        json!({"type": "json"}),
        json!({"type": "enum", "enumValues": ["open", "closed"]}),
        json!({"length": 99}),
        json!({"required": !there.required}),
        json!({"default": null}),
        json!({"default": {"expression": "1 + 1"}}),
        json!({"unique": true}),
        json!({"unique": false}),
        json!({"primaryKey": false}),
        json!({"autoIncrement": !there.auto_increment}),
        json!({"collation": words.collation}),
        json!({"generated": {"expression": "1 + 1"}}),
        json!({"generated": null}),
        json!({"comment": "theirs"}),
        json!({"native": {&*backend: words.native}}),
    ] {
        changes.push(
            json!({"type": "modifyField", "collection": name, "field": field, "changes": change}),
        );
    }
    changes.push(
        json!({"type": "modifyField", "collection": name, "field": field,
        "changes": {"type": "text"}, "using": {&*backend: "'converted'"}}),
    );
}

/// Whether an error says no in time, and what to do instead.
pub fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Refused
            | ErrorKind::Unsupported
            | ErrorKind::Irreversible
            | ErrorKind::Mismatch
            | ErrorKind::AlreadyExists
            | ErrorKind::Invalid
    ) && error.details().hint.is_some()
}

/// A message with every name in it left out, so that the same reason is one.
pub fn reason(error: &Error, schema: &Schema) -> String {
    let mut names: Vec<String> = schema
        .collections()
        .flat_map(|collection| {
            let fields = collection.fields.iter().map(|field| field.name.to_string());
            let constraints = collection
                .constraints
                .iter()
                .flat_map(|c| c.name.iter().map(ToString::to_string));
            let indexes = collection
                .indexes
                .iter()
                .flat_map(|i| i.name.iter().map(ToString::to_string));
            fields
                .chain(constraints)
                .chain(indexes)
                .chain([collection.name.to_string()])
                .collect::<Vec<_>>()
        })
        .chain(schema.natives().map(|native| native.name.to_string()))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let message = error.details().message.clone();
    let message = message
        .split(" stand in the way")
        .next()
        .unwrap_or_default();
    let parts: Vec<String> = message
        .split_inclusive([' ', '.', ',', ':', ';', '(', ')', '"'])
        .map(|word| {
            let bare = word.trim_end_matches([' ', '.', ',', ':', ';', '(', ')', '"']);
            match names.iter().any(|name| name == bare) || bare.parse::<f64>().is_ok() {
                true => word.replace(bare, "…"),
                false => word.to_owned(),
            }
        })
        .collect();
    format!(
        "{}: {}",
        error.kind(),
        parts.concat().chars().take(150).collect::<String>()
    )
}
