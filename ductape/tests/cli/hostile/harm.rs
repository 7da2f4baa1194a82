//! Operations and statements that mean harm.

use super::*;

#[test]
fn operations_that_mean_harm() {
    let target = Target::new();
    let id = json!({ "name": "id", "type": "uuid", "primaryKey": true });
    let long = "x".repeat(100_000);
    let many: Vec<Value> = (0..5_000)
        .map(|i| json!({ "name": format!("f{i}"), "type": "integer" }))
        .collect();
    let same: Vec<Value> = (0..3).map(|_| id.clone()).collect();
    let mut nested = json!("x");
    for _ in 0..60 {
        nested = json!({ "concat": [nested, "y"] });
    }
    let mut filter = json!({ "id": 1 });
    for _ in 0..60 {
        filter = json!({ "not": filter });
    }
    let create = |name: &str| json!([{ "type": "createCollection", "name": name, "fields": [id] }]);
    let raw =
        |statement: &str| json!([{ "type": "raw", "backend": "sqlite", "statement": statement }]);
    let inputs = [
        ("a reserved name", create("ductape_migrations")),
        (
            "a reserved name, written otherwise",
            create("DUCTAPE_state"),
        ),
        ("a name of SQLite's own", create("sqlite_master")),
        (
            "a name that ends a quote",
            create("x\"; DROP TABLE users; --"),
        ),
        ("a name with quotes", create("`'\"[]\\")),
        ("a name of spaces", create("   ")),
        ("a name of a control character", create("\u{7}")),
        ("a name that is too long", create(&long)),
        ("emoji", create("👩‍👩‍👧‍👦")),
        ("right to left", create("\u{202e}x")),
        ("an empty name", create("")),
        ("a name taken in another case", create("USERS")),
        (
            "no fields",
            json!([{ "type": "createCollection", "name": "t", "fields": [] }]),
        ),
        (
            "thousands of fields",
            json!([{ "type": "createCollection", "name": "t", "fields": many }]),
        ),
        (
            "one field three times",
            json!([{ "type": "createCollection", "name": "t", "fields": same }]),
        ),
        (
            "a default that ends a quote",
            json!([{ "type": "createCollection", "name": "t", "fields": [id,
            { "name": "a", "type": "text", "default": "'); DROP TABLE users; --" }] }]),
        ),
        (
            "a default with NUL",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "text", "default": "a\u{0}b" } }]),
        ),
        (
            "an expression that ends the statement",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "text", "default": { "expression": "1); DROP TABLE users; --" } } }]),
        ),
        (
            "an expression with an open parenthesis",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "text", "default": { "expression": "(((((" } } }]),
        ),
        (
            "a native type that ends the statement",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "text", "native": { "sqlite": "TEXT); DROP TABLE users; --" } } }]),
        ),
        (
            "lengths without end",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "string", "length": u64::MAX } }]),
        ),
        (
            "a length of zero",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "string", "length": 0 } }]),
        ),
        (
            "a scale above the precision",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "decimal", "precision": 1, "scale": 9 } }]),
        ),
        (
            "values without end",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "enum", "enumValues": vec!["x"; 1000] } }]),
        ),
        (
            "an empty enum",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "enum", "enumValues": [] } }]),
        ),
        (
            "an impossible date",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "date", "default": "2024-02-31" } }]),
        ),
        (
            "a huge decimal",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "decimal", "default": "1e999999999" } }]),
        ),
        (
            "base64 that is none",
            json!([{ "type": "addField", "collection": "users",
            "field": { "name": "a", "type": "binary", "default": "%%%" } }]),
        ),
        (
            "a foreign key to itself by another name",
            json!([{ "type": "addConstraint", "collection": "users",
            "constraint": { "type": "foreignKey", "columns": ["id", "email"],
                "references": { "table": "users", "columns": ["id"] } } }]),
        ),
        (
            "a foreign key to nothing",
            json!([{ "type": "addConstraint", "collection": "users",
            "constraint": { "type": "foreignKey", "columns": ["id"],
                "references": { "table": "none", "columns": [] } } }]),
        ),
        (
            "a check that is no expression",
            json!([{ "type": "addConstraint", "collection": "users",
            "constraint": { "type": "check", "expression": ")" } }]),
        ),
        (
            "an index over nothing",
            json!([{ "type": "createIndex", "collection": "users", "index": { "fields": [] } }]),
        ),
        (
            "an index over the same field twice",
            json!([{ "type": "createIndex", "collection": "users",
            "index": { "fields": ["id", "id"] } }]),
        ),
        (
            "an index over what is not there",
            json!([{ "type": "createIndex", "collection": "users",
            "index": { "fields": ["none"] } }]),
        ),
        (
            "a rename to itself",
            json!([{ "type": "renameField", "collection": "users", "from": "id", "to": "id" }]),
        ),
        (
            "a rename of what is not there",
            json!([{ "type": "renameCollection", "from": "none", "to": "x" }]),
        ),
        (
            "a drop of the last field",
            json!([{ "type": "dropField", "collection": "posts", "field": "id" }]),
        ),
        (
            "a drop of what is not there",
            json!([{ "type": "dropIndex", "collection": "users", "index": "none" }]),
        ),
        (
            "changes of nothing",
            json!([{ "type": "modifyField", "collection": "users", "field": "id", "changes": {} }]),
        ),
        (
            "a change to every type at once",
            json!([{ "type": "modifyField", "collection": "users", "field": "id",
            "changes": { "type": "enum", "length": 3, "items": "text" } }]),
        ),
        (
            "an update of nothing",
            json!([{ "type": "update", "collection": "users", "set": {} }]),
        ),
        (
            "an update nested deeply",
            json!([{ "type": "update", "collection": "users", "set": { "email": nested } }]),
        ),
        (
            "a filter nested deeply",
            json!([{ "type": "update", "collection": "users", "set": { "email": "x" }, "where": filter }]),
        ),
        (
            "a division by zero",
            json!([{ "type": "update", "collection": "users",
            "set": { "email": { "divide": [1, 0] } } }]),
        ),
        (
            "a value with two meanings",
            json!([{ "type": "update", "collection": "users",
            "set": { "email": { "field": "id", "concat": [] } } }]),
        ),
        ("a statement that ends the transaction", raw("COMMIT")),
        ("one hidden behind a comment", raw("/* x */ ; COMMIT")),
        ("a rollback", raw("ROLLBACK")),
        ("an empty statement", raw("")),
        ("a statement of comments", raw("-- nothing")),
        ("a statement with NUL", raw("SELECT '\u{0}'")),
        ("a statement without end", raw("SELECT '")),
        (
            "raw on a database that does not exist",
            json!([{ "type": "raw", "backend": "oracle", "statement": "x" }]),
        ),
        (
            "raw on no database",
            json!([{ "type": "raw", "backend": [], "statement": "x" }]),
        ),
        (
            "raw with a document",
            json!([{ "type": "raw", "backend": "sqlite", "statement": { "drop": "x" } }]),
        ),
        (
            "a definition of nothing",
            json!([{ "type": "restore", "backend": "sqlite", "definitions": [{}] }]),
        ),
        (
            "a temporary collection",
            json!([{ "type": "createCollection", "name": "t", "fields": [id],
            "sqlOptions": { "temporary": true } }]),
        ),
        (
            "a thousand operations that contradict each other",
            Value::Array(vec![create("t")[0].clone(); 1000]),
        ),
    ];
    for (about, up) in &inputs {
        target.survives(about, &document(up));
    }
    assert!(inputs.len() > 50, "{}", inputs.len());
}

#[test]
fn statements_that_would_break_out_of_the_run_do_not() {
    for statement in [
        "COMMIT",
        "COMMIT; BEGIN",
        "ROLLBACK",
        "END",
        "; COMMIT",
        "/* x */ COMMIT",
        "-- x\nCOMMIT",
        "SELECT 1; COMMIT",
        "SAVEPOINT x; RELEASE x",
        "PRAGMA journal_mode = WAL",
        "ATTACH 'other.db' AS other",
        "DROP TABLE ductape_migrations",
        "DELETE FROM ductape_state",
        "UPDATE ductape_migrations SET tag = 'x'",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('x')",
        "VACUUM",
    ] {
        let target = Target::new();
        let up = json!([
            { "type": "createCollection", "name": "before", "fields": { "id": { "type": "uuid", "primaryKey": true } } },
            { "type": "raw", "backend": "sqlite", "statement": statement },
            { "type": "raw", "backend": "sqlite", "statement": "SELEKT" },
        ]);
        target
            .sandbox
            .write(&format!("migrations/{TAG}.json"), document(&up));
        let up = target.sandbox.json(["up", "--wait", "1"]);
        told(statement, &up);
        assert_ne!(up.code, Some(0), "{statement}");
        for command in ["status", "history", "verify", "plan", "down"] {
            told(
                statement,
                &target.sandbox.json([command, "--progress", "none"]),
            );
        }
    }
}
