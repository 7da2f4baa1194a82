//! What operations mean for a schema, and what their way back brings.

use super::*;

/// The schema of a SQLite database after these operations.
fn made(up: &str) -> Schema {
    let mut schema = Schema::new().of(BackendName::Sqlite);
    for operation in read(up).up() {
        operation.apply(&mut schema).unwrap();
    }
    schema
}

/// Applies an operation and its inverse; gives the schema between.
fn there_and_back(before: &Schema, operation: &Operation) -> Schema {
    let inverse = operation.inverse(before).unwrap();
    let mut schema = before.clone();
    operation.apply(&mut schema).unwrap();
    let between = schema.clone();
    for back in &inverse.operations {
        back.apply(&mut schema).unwrap();
    }
    assert_eq!(schema, *before, "{}", operation.describe());
    between
}

#[test]
fn made_names_are_the_prefix_the_collection_and_the_fields_and_stay() {
    let schema = made(
        r#"[{"type": "createCollection", "name": "u", "fields": [{"name": "id", "type": "integer", "primaryKey": true}]},
            {"type": "createCollection", "name": "t", "fields": [
                {"name": "id", "type": "integer", "primaryKey": true}, {"name": "b", "type": "integer", "unique": true}, {"name": "c", "type": "integer"}],
             "indexes": [{"fields": ["b", "c"]}],
             "constraints": [{"type": "foreignKey", "columns": ["c"], "references": {"table": "u", "columns": ["id"]}},
                             {"type": "check", "expression": "c > 0"}]}]"#,
    );
    let names = |schema: &Schema, collection: &str| {
        let collection = schema.collection(&name(collection)).unwrap();
        let mut names: Vec<String> = collection
            .constraints
            .iter()
            .filter_map(|c| c.name.as_ref())
            .map(ToString::to_string)
            .collect();
        names.extend(
            collection
                .indexes
                .iter()
                .filter_map(|i| i.name.as_ref())
                .map(ToString::to_string),
        );
        names
    };
    let there = ["ck_t", "fk_t_c", "pk_t_id", "uq_t_b", "idx_t_b_c"];
    assert_eq!(names(&schema, "t"), there);
    let mut renamed = schema.clone();
    for step in [
        r#"{"type": "renameField", "collection": "t", "from": "c", "to": "z"}"#,
        r#"{"type": "renameCollection", "from": "t", "to": "other"}"#,
    ] {
        operation(step).apply(&mut renamed).unwrap();
    }
    assert_eq!(names(&renamed, "other"), there);
    let drop =
        operation(r#"{"type": "dropConstraint", "collection": "other", "constraint": "fk_t_c"}"#);
    there_and_back(&renamed, &drop);
}

#[test]
fn timestamps_are_two_fields_and_an_own_one_is_the_same() {
    let plain = made(&table(r#"{"a": "integer"}"#, r#", "timestamps": true"#));
    let fields: Vec<String> = plain
        .collection(&name("t"))
        .unwrap()
        .fields
        .iter()
        .map(|f| serde_json::to_string(f).unwrap())
        .collect();
    assert_eq!(
        fields[1..],
        ["created_at", "updated_at"].map(|name| format!(
            r#"{{"name":"{name}","type":"timestamp","required":true,"default":{{"now":true}}}}"#
        ))
    );
    let own = made(&table(
        r#"{"a": "integer", "updated_at": {"type": "timestamp", "nullable": false, "default": {"now": true}}}"#,
        r#", "timestamps": true"#,
    ));
    assert_eq!(own, plain);
    for other in [
        r#""timestamp""#,
        r#"{"type": "timestamp", "required": true}"#,
        r#"{"type": "datetime", "required": true, "default": {"now": true}}"#,
    ] {
        let text = table(
            &format!(r#"{{"a": "integer", "updated_at": {other}}}"#),
            r#", "timestamps": true"#,
        );
        assert!(Migration::parse(&file(&text)).is_err(), "{other}");
    }
}

#[test]
fn if_not_exists_and_if_exists_in_every_situation() {
    let there = made(&table(ANY, ""));
    let create = |fields: &str, guard: bool| {
        operation(&format!(
            r#"{{"type": "createCollection", "name": "t", "fields": {fields}, "sqlOptions": {{"ifNotExists": {guard}}}}}"#
        ))
    };
    let drop = |guard: bool| {
        operation(&format!(
            r#"{{"type": "dropCollection", "name": "t", "ifExists": {guard}}}"#
        ))
    };
    let empty = Schema::new().of(BackendName::Sqlite);
    let kind = |operation: &Operation, schema: &Schema| {
        operation
            .inverse(schema)
            .map(|i| i.operations.len())
            .map_err(|error| match error {
                InverseError::Schema(error) => error.kind,
                other => panic!("{other}"),
            })
    };
    use SchemaErrorKind::{AlreadyExists, Missing};
    let another = r#"{"a": "text"}"#;
    for (operation, schema, wanted) in [
        (create(ANY, true), &empty, Ok(1)),
        (create(ANY, false), &empty, Ok(1)),
        (create(ANY, true), &there, Ok(0)),
        (
            create(ANY, false),
            &there,
            Err(AlreadyExists { same: true }),
        ),
        (
            create(another, true),
            &there,
            Err(AlreadyExists { same: false }),
        ),
        (
            create(another, false),
            &there,
            Err(AlreadyExists { same: false }),
        ),
        (drop(true), &there, Ok(1)),
        (drop(false), &there, Ok(1)),
        (drop(true), &empty, Ok(0)),
        (drop(false), &empty, Err(Missing)),
    ] {
        assert_eq!(kind(&operation, schema), wanted, "{}", operation.describe());
        if wanted.is_ok() {
            there_and_back(schema, &operation);
        }
    }
}

#[test]
fn cascade_takes_what_depends_along_and_the_way_back_brings_it_back() {
    let schema = made(
        r#"[{"type": "createCollection", "name": "t", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "parent", "type": "integer"}],
             "constraints": [{"type": "foreignKey", "columns": ["parent"], "references": {"table": "t", "columns": ["id"]}}]},
            {"type": "createCollection", "name": "u", "fields": {"t": "integer"},
             "constraints": [{"name": "k", "type": "foreignKey", "columns": ["t"], "references": {"table": "t", "columns": ["id"], "onDelete": "CASCADE"}}]},
            {"type": "restore", "backend": "sqlite", "definitions": [{"kind": "view", "name": "v", "definition": "SELECT id FROM t"}]}]"#,
    );
    let refused = operation(r#"{"type": "dropCollection", "name": "t"}"#)
        .inverse(&schema)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("foreign key k of u") && refused.contains("view v"),
        "{refused}"
    );
    let between = there_and_back(
        &schema,
        &operation(r#"{"type": "dropCollection", "name": "t", "cascade": true}"#),
    );
    assert!(
        between
            .collection(&name("u"))
            .unwrap()
            .constraints
            .is_empty()
    );
    assert_eq!(between.natives().count(), 0);
}

#[test]
fn foreign_keys_may_point_at_their_own_collection_and_go_in_a_circle() {
    let schema = made(
        r#"[{"type": "createCollection", "name": "a", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "b", "type": "integer"}]},
            {"type": "createCollection", "name": "b", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "a", "type": "integer"}],
             "constraints": [{"type": "foreignKey", "columns": ["a"], "references": {"table": "a", "columns": ["id"]}}]},
            {"type": "addConstraint", "collection": "a", "constraint": {"type": "foreignKey", "columns": ["b"], "references": {"table": "b", "columns": ["id"]}}}]"#,
    );
    there_and_back(
        &schema,
        &operation(r#"{"type": "dropCollection", "name": "a", "cascade": true}"#),
    );
    there_and_back(
        &schema,
        &operation(r#"{"type": "renameCollection", "from": "a", "to": "c"}"#),
    );
    there_and_back(
        &schema,
        &operation(r#"{"type": "renameField", "collection": "b", "from": "id", "to": "key"}"#),
    );
}

#[test]
fn how_good_a_way_back_is() {
    let schema = made(&table(
        r#"{"id": {"type": "integer", "primaryKey": true}, "a": {"type": "string", "length": 10}, "e": {"type": "enum", "enumValues": ["x", "y"]}}"#,
        r#", "sqlOptions": {"strict": true}, "comment": "c""#,
    ));
    use Reversibility::{Lossless, StructureOnly};
    for (text, wanted) in [
        (
            r#"{"type": "modifyField", "collection": "t", "field": "a", "changes": {"length": 20}}"#,
            Lossless,
        ),
        (
            r#"{"type": "modifyField", "collection": "t", "field": "a", "changes": {"length": 20}, "using": {"sqlite": "a || a"}}"#,
            StructureOnly,
        ),
        (
            r#"{"type": "modifyField", "collection": "t", "field": "a", "changes": {"type": "integer"}}"#,
            StructureOnly,
        ),
        (
            r#"{"type": "modifyField", "collection": "t", "field": "e", "changes": {"enumValues": ["x", "y", "z"]}}"#,
            Lossless,
        ),
        (
            r#"{"type": "modifyField", "collection": "t", "field": "e", "changes": {"type": "text"}}"#,
            Lossless,
        ),
        (
            r#"{"type": "modifyField", "collection": "t", "field": "a", "changes": {"unique": true}}"#,
            Lossless,
        ),
        (
            r#"{"type": "modifyCollection", "name": "t", "changes": {"comment": null, "sqlOptions": {"strict": null, "engine": "InnoDB"}, "mongoOptions": {"capped": true}}}"#,
            Lossless,
        ),
        (
            r#"{"type": "modifyCollection", "name": "t", "changes": {"sqlOptions": null}}"#,
            Lossless,
        ),
        (
            r#"{"type": "dropField", "collection": "t", "field": "a"}"#,
            StructureOnly,
        ),
        (r#"{"type": "dropCollection", "name": "t"}"#, StructureOnly),
        (
            r#"{"type": "addField", "collection": "t", "field": {"name": "n", "type": "integer", "unique": true}}"#,
            Lossless,
        ),
        (
            r#"{"type": "update", "collection": "t", "set": {"a": "x"}}"#,
            StructureOnly,
        ),
        (
            r#"{"type": "update", "collection": "t", "set": {"a": "x"}, "inverse": {"set": {"a": "y"}}}"#,
            Lossless,
        ),
        (
            r#"{"type": "raw", "backend": "sqlite", "statement": "a", "inverse": "b"}"#,
            Lossless,
        ),
        (
            r#"{"type": "raw", "backend": "postgresql", "statement": "a"}"#,
            Lossless,
        ),
    ] {
        let operation = operation(text);
        assert_eq!(
            operation.inverse(&schema).unwrap().reversibility(),
            wanted,
            "{text}"
        );
        there_and_back(&schema, &operation);
    }
    let raw =
        operation(r#"{"type": "raw", "backend": ["sqlite", "mysql"], "statement": "VACUUM"}"#);
    let irreversible = raw.inverse(&schema).unwrap_err().to_string();
    assert!(irreversible.contains("VACUUM"), "{irreversible}");
}

#[test]
fn an_unset_merge_takes_one_key_away_and_keeps_the_others() {
    let mut schema = made(&table(
        r#"{"a": "integer"}"#,
        r#", "mongoOptions": {"capped": true, "size": 5, "validator": {"x": {"y": null}}}"#,
    ));
    operation(r#"{"type": "modifyCollection", "name": "t", "changes": {"mongoOptions": {"size": null, "max": 7}}}"#)
        .apply(&mut schema)
        .unwrap();
    let wanted = made(&table(
        r#"{"a": "integer"}"#,
        r#", "mongoOptions": {"capped": true, "max": 7, "validator": {"x": {"y": null}}}"#,
    ));
    assert_eq!(schema, wanted);
}

#[test]
fn attributes_that_a_new_type_does_not_have_fall_and_come_back() {
    let schema = made(&table(
        r#"{"a": {"type": "string", "length": 10, "collation": "NOCASE", "native": {"postgresql": "citext"}, "comment": "kept"}, "n": {"type": "integer", "autoIncrement": true, "primaryKey": true}}"#,
        "",
    ));
    for (field, change, wanted) in [
        (
            "a",
            r#"{"type": "integer"}"#,
            r#"{"name":"a","type":"integer","comment":"kept"}"#,
        ),
        (
            "a",
            r#"{"type": "text"}"#,
            r#"{"name":"a","type":"text","comment":"kept","collation":"NOCASE"}"#,
        ),
        (
            "a",
            r#"{"length": 20}"#,
            r#"{"name":"a","type":"string","length":20,"comment":"kept","collation":"NOCASE","native":{"postgresql":"citext"}}"#,
        ),
        (
            "a",
            r#"{"length": null}"#,
            r#"{"name":"a","type":"string","comment":"kept","collation":"NOCASE","native":{"postgresql":"citext"}}"#,
        ),
        (
            "n",
            r#"{"type": "text"}"#,
            r#"{"name":"n","type":"text","required":true}"#,
        ),
    ] {
        let modify = operation(&format!(
            r#"{{"type": "modifyField", "collection": "t", "field": "{field}", "changes": {change}}}"#
        ));
        let between = there_and_back(&schema, &modify);
        let after = between
            .collection(&name("t"))
            .unwrap()
            .field(&name(field))
            .unwrap()
            .clone();
        assert_eq!(serde_json::to_string(&after).unwrap(), wanted);
    }
}

#[test]
fn a_unique_field_and_a_unique_index_over_it_are_two_things() {
    // The first builder example of the reference.
    let users = table(
        r#"[{"name": "id", "type": "uuid", "primaryKey": true}, {"name": "email", "type": "string", "length": 255, "unique": true}]"#,
        "",
    );
    let schema = made(&users);
    let index = operation(
        r#"{"type": "createIndex", "collection": "t", "index": {"name": "idx_users_email", "fields": [{"name": "email"}], "unique": true}}"#,
    );
    let both = there_and_back(&schema, &index);
    for step in [
        r#"{"type": "modifyField", "collection": "t", "field": "email", "changes": {"unique": false}}"#,
        r#"{"type": "dropConstraint", "collection": "t", "constraint": "uq_t_email"}"#,
        r#"{"type": "dropIndex", "collection": "t", "index": "idx_users_email"}"#,
        r#"{"type": "dropField", "collection": "t", "field": "email"}"#,
    ] {
        there_and_back(&both, &operation(step));
    }
}

#[test]
fn a_composite_key_is_in_the_order_of_its_fields() {
    let fields = r#"[{"name": "b", "type": "integer", "primaryKey": true}, {"name": "x", "type": "text"}, {"name": "a", "type": "integer", "primaryKey": true}]"#;
    let schema = made(&table(fields, ""));
    let collection = schema.collection(&name("t")).unwrap();
    assert_eq!(collection.key(), [name("b"), name("a")]);
    assert!(
        collection.field(&name("a")).unwrap().required
            && !collection.field(&name("x")).unwrap().required
    );
    let beside = made(&table(
        fields,
        r#", "constraints": [{"type": "primaryKey", "columns": ["b", "a"]}]"#,
    ));
    assert_eq!(beside, schema);
    let alone = made(&table(
        r#"{"b": "integer", "x": "text", "a": "integer"}"#,
        r#", "constraints": [{"type": "primaryKey", "columns": ["b", "a"]}]"#,
    ));
    assert_eq!(alone, schema);
}
