//! Every change that the schema of a database has room for.

use ductape_core::{Collection, Migration, Name, Operation, Schema};
use serde_json::{Value, json};

fn operation(value: Value) -> Operation {
    let text = json!([value]).to_string();
    let mut operations =
        Migration::parse_operations(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
    operations.remove(0)
}

/// All changes of all collections.
pub fn all(schema: &Schema) -> Vec<Operation> {
    let mut changes = Vec::new();
    for collection in schema.collections() {
        of_collection(schema, collection, &mut changes);
        for field in &collection.fields {
            of_field(collection, field.name.as_str(), &mut changes);
        }
    }
    for native in schema.natives() {
        let name = &native.name;
        changes.push(json!({"type": "dropCollection", "name": name, "cascade": true}));
        changes.push(json!({"type": "addField", "collection": name, "field": {"name": "more", "type": "text"}}));
    }
    changes.into_iter().map(operation).collect()
}

fn of_collection(schema: &Schema, collection: &Collection, changes: &mut Vec<Value>) {
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
    for option in ["strict", "withoutRowid"] {
        changes.push(json!({"type": "modifyCollection", "name": name, "changes": {"sqlOptions": {option: true}}}));
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
        json!({"fields": [{"name": first, "order": "desc", "collation": "NOCASE"}], "unique": true}),
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

fn of_field(collection: &Collection, field: &str, changes: &mut Vec<Value>) {
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
        json!({"collation": "NOCASE"}),
        json!({"generated": {"expression": "1 + 1"}}),
        json!({"generated": null}),
        json!({"comment": "theirs"}),
        json!({"native": {"sqlite": "[odd] TYPE(3)"}}),
    ] {
        changes.push(
            json!({"type": "modifyField", "collection": name, "field": field, "changes": change}),
        );
    }
    changes.push(
        json!({"type": "modifyField", "collection": name, "field": field,
        "changes": {"type": "text"}, "using": {"sqlite": "'converted'"}}),
    );
}
