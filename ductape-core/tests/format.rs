//! The JSON form of a migration, held against its description: what is read and as what, what is
//! refused and where, and what the checksum is over.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape_core::operation::{InverseError, Operation, SchemaErrorKind};
use ductape_core::{BackendName, Migration, Name, Reversibility, Schema};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[path = "format/tables.rs"]
mod tables;
use tables::{ACCEPTED, DEFAULTS, FORMS, REFUSED};

const TAG: &str = "20240115_143052_format";

/// A file with these operations.
fn file(up: &str) -> String {
    format!(r#"{{"format": 1, "tag": "{TAG}", "up": {up}}}"#)
}

fn read(up: &str) -> Migration {
    Migration::parse(&file(up)).unwrap_or_else(|problems| panic!("{up}\n{problems}"))
}

/// What is wrong with a text: each a path and a message.
fn wrong(text: &str) -> Vec<(String, String)> {
    match Migration::parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(problems) => problems
            .0
            .into_iter()
            .map(|p| {
                (
                    p.path,
                    format!("{} {}", p.message, p.hint.unwrap_or_default()),
                )
            })
            .collect(),
    }
}

/// The canonical form of a migration's `up`.
fn canonical(up: &str) -> Value {
    serde_json::to_value(read(up).up()).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The schema of a SQLite database after these operations.
fn made(up: &str) -> Schema {
    let mut schema = Schema::new().of(BackendName::Sqlite);
    for operation in read(up).up() {
        operation.apply(&mut schema).unwrap();
    }
    schema
}

fn operation(text: &str) -> Operation {
    Migration::parse_operations(&format!("[{text}]"))
        .unwrap()
        .remove(0)
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

/// `createCollection` of `t` with these fields and other keys.
fn table(fields: &str, rest: &str) -> String {
    format!(r#"[{{"type": "createCollection", "name": "t", "fields": {fields}{rest}}}]"#)
}

const ANY: &str =
    r#"{"id": {"type": "integer", "primaryKey": true}, "a": "integer", "b": "text", "c": "json"}"#;

#[test]
fn every_error_of_a_file_is_told_at_once_with_its_path() {
    let text = r#"{
        "format": 1, "tag": "20240115_143052_a", "name": "b", "description": 5, "extra": 0,
        "up": [
            {"type": "createCollection", "nmae": "t", "fields": [
                {"name": "", "type": "integr"},
                {"name": "x", "type": "integer", "length": 5, "default": "no"},
                {"type": "text", "primarykey": true}]},
            {"type": "dropColection"},
            {"type": "addField", "collection": "t", "field": {"name": "x", "type": "string", "length": "9", "comment": 1}},
            {"type": "createIndex", "collection": "t", "index": {"fields": []}},
            7,
            {"name": "t"}
        ],
        "down": [{"type": "dropField", "collection": "t"}]
    }"#;
    let mut paths: Vec<String> = wrong(text).into_iter().map(|(path, _)| path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "description",
            "down[0]",
            "extra",
            "name",
            "up[0]",
            "up[0].fields[0].name",
            "up[0].fields[0].type",
            "up[0].fields[1].length",
            "up[0].fields[2]",
            "up[0].fields[2].primarykey",
            "up[0].nmae",
            "up[1].type",
            "up[2].field.comment",
            "up[2].field.length",
            "up[3].index.fields",
            "up[4]",
            "up[5]",
        ]
    );
}

#[test]
fn errors_of_reading_do_not_hide_those_of_meaning() {
    let text = file(
        r#"[{"type": "createCollection", "name": "ductape_mine", "fields": {"a": "integer"}},
            {"type": "createCollection", "name": "t", "fields": {"a": "integer"}},
            {"type": "dropField", "collection": "t", "field": "b"},
            {"type": "dropCollection", "name": "t", "extra": true},
            {"type": "addField", "collection": "u", "field": {"name": "x", "type": "integer", "comment": 1, "default": "no"}},
            {"type": "addField", "collection": "u", "field": {"name": "Ductape_", "type": "integer"}}]"#,
    );
    let mut paths: Vec<String> = wrong(&text).into_iter().map(|(path, _)| path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "up[0]",
            "up[2]",
            "up[3].extra",
            "up[4].field.comment",
            "up[4].field.default",
            "up[5]"
        ]
    );
}

#[test]
fn everything_that_does_not_fit_in_one_collection_is_told() {
    let text = file(&table(
        r#"{"a": "integer"}"#,
        r#", "indexes": [{"fields": ["x"]}, {"fields": ["a", "y"]}],
            "constraints": [{"type": "unique", "columns": ["a", "z"]},
                            {"type": "foreignKey", "columns": ["w"], "references": {"table": "u", "columns": ["id"]}}]"#,
    ));
    let mut paths: Vec<String> = wrong(&text).into_iter().map(|(path, _)| path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "up[0].constraints[0].columns",
            "up[0].constraints[1].columns",
            "up[0].indexes[0].fields",
            "up[0].indexes[1].fields",
        ]
    );
}

#[test]
fn tags_and_names_agree() {
    let with = |tag: &str, rest: &str| {
        Migration::parse(&format!(
            r#"{{"format": 1, {tag} {rest} "up": [{{"type": "dropCollection", "name": "t"}}]}}"#
        ))
    };
    for (tag, rest, fits) in [
        (r#""tag": "20240115_143052_x","#, "", true),
        (r#""tag": "20240115_143052_x","#, r#""name": "x","#, true),
        (r#""tag": "20240115_143052_x","#, r#""name": "y","#, false),
        (r#""tag": "20240115_143052_x","#, r#""name": "","#, false),
        (
            r#""tag": "20240115_143052_Größe_2","#,
            r#""name": "Größe_2","#,
            true,
        ),
        (r#""tag": "20240230_143052_x","#, "", false),
        (r#""tag": "20240115_243052_x","#, "", false),
        (r#""tag": "20240115_143052_","#, "", false),
        (r#""tag": "20240115_143052_a-b","#, "", false),
        (r#""tag": "20240115_143052_a/../b","#, "", false),
        (r#""tag": "20240115-143052_x","#, "", false),
        (r#""tag": null,"#, "", false),
        (r#""tag": 20240115,"#, "", false),
        ("", r#""name": "x","#, false),
    ] {
        assert_eq!(with(tag, rest).is_ok(), fits, "{tag} {rest}");
    }
    assert_eq!(
        with(r#""tag": "20240115_143052_a_b","#, "").unwrap().name(),
        "a_b"
    );
}

#[test]
fn another_format_is_not_read_at_all() {
    for (format, fits) in [
        ("1", true),
        ("1.0", true),
        ("2", false),
        ("0", false),
        ("\"1\"", false),
        ("null", false),
    ] {
        let text = file(r#"[{"type": "dropCollection", "name": "t"}]"#).replacen(
            "\"format\": 1",
            &format!("\"format\": {format}"),
            1,
        );
        assert_eq!(Migration::parse(&text).is_ok(), fits, "{format}");
    }
    assert!(
        wrong(r#"{"tag": "20240115_143052_a", "up": [{"type": "dropCollection", "name": "t"}]}"#)
            [0]
        .1
        .contains("\"format\"")
    );
}

#[test]
fn every_form_has_one_canonical_form() {
    for (written, wanted) in FORMS {
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        assert_eq!(canonical(written), wanted);
        // What is written out is read as the same.
        let migration = read(written);
        let again = Migration::parse(&migration.to_json()).unwrap();
        assert_eq!(
            (&again, again.checksum()),
            (&migration, migration.checksum())
        );
    }
}

#[test]
fn the_checksum_is_over_the_canonical_form_of_what_was_authored() {
    let of = |text: &str| {
        let hex: String = Sha256::digest(text)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        format!("v1:{hex}")
    };
    let up = table(
        r#"{"price": {"type": "decimal", "precision": 10, "scale": 2, "nullable": false, "default": "1.50"}, "n": "double"}"#,
        r#", "timestamps": true"#,
    );
    let spelled = r#""up":[{"fields":[{"default":1.5,"name":"price","precision":10,"required":true,"scale":2,"type":"decimal"},{"name":"n","type":"double"}],"name":"t","timestamps":true,"type":"createCollection"}]"#;
    let text = |down: &str, about: &str| {
        format!(r#"{{"format": 1, "tag": "20240115_143052_a", {about} "up": {up}{down}}}"#)
    };
    let checksum = |text: &str| Migration::parse(text).unwrap().checksum().to_string();
    assert_eq!(checksum(&text("", "")), of(&format!("{{{spelled}}}")));
    assert_eq!(
        checksum(&text("", r#""description": "d", "name": "a","#)),
        checksum(&text("", ""))
    );
    assert_eq!(
        checksum(&text("", "").replace("143052_a", "143053_b")),
        checksum(&text("", ""))
    );
    let down = r#", "down": [{"name": "t", "type": "dropCollection"}]"#;
    let with_down = of(&format!(
        r#"{{"down":[{{"name":"t","type":"dropCollection"}}],{spelled}}}"#
    ));
    assert_eq!(checksum(&text(down, "")), with_down);
    assert_eq!(
        checksum(&text(r#", "down": []"#, "")),
        of(&format!(r#"{{"down":[],{spelled}}}"#))
    );
    // A way back that was derived is shown, and not counted.
    let plain = Migration::parse(&text("", "")).unwrap();
    let derived = plain.clone().with_derived_down(vec![operation(
        r#"{"type": "dropCollection", "name": "t"}"#,
    )]);
    assert_eq!(derived.checksum(), plain.checksum());
    assert!(derived.to_json().contains("\"down\""));
    assert!(!derived.authored_json().contains("\"down\""));
}

#[test]
fn an_empty_down_is_a_written_one() {
    let text = |down: &str| {
        format!(
            r#"{{"format": 1, "tag": "{TAG}", "up": [{{"type": "dropCollection", "name": "t"}}]{down}}}"#
        )
    };
    let empty = Migration::parse(&text(r#", "down": []"#)).unwrap();
    assert_eq!(empty.written_down().map(<[_]>::len), Some(0));
    assert_eq!(serde_json::to_value(&empty).unwrap()["down"], json!([]));
    let absent = Migration::parse(&text("")).unwrap();
    assert!(absent.written_down().is_none() && absent.down().is_none());
    assert!(Migration::parse(&text(r#", "down": null"#)).is_err());
}

#[test]
fn what_is_refused_is_told_where_and_why() {
    for (up, path, why) in REFUSED {
        let found = wrong(&file(up));
        assert!(
            found
                .iter()
                .any(|(p, message)| p == path && message.contains(why)),
            "{up}\nwanted {path}: {why}\nfound {found:#?}"
        );
        assert_eq!(found.len(), 1, "{up}\n{found:#?}");
    }
}

#[test]
fn everything_that_the_format_says_is_read_and_written_back() {
    for up in ACCEPTED {
        let migration = read(up);
        let again = Migration::parse(&migration.to_json()).unwrap();
        assert_eq!(again, migration);
        assert_eq!(again.checksum(), migration.checksum());
        // A ledger keeps the operations alone.
        let kept = serde_json::to_string(migration.up()).unwrap();
        assert_eq!(Migration::parse_operations(&kept).unwrap(), migration.up());
    }
}

#[test]
fn numbers_are_what_they_say() {
    let length = |n: &str| {
        table(
            &format!(r#"{{"a": {{"type": "string", "length": {n}}}}}"#),
            "",
        )
    };
    assert_eq!(canonical(&length("20.0")), canonical(&length("20")));
    assert_eq!(canonical(&length("2e1")), canonical(&length("20")));
    let default = |field_type: &str, value: &str| {
        let field_type = match field_type.starts_with('"') {
            true => field_type.to_owned(),
            false => format!("{field_type:?}"),
        };
        table(
            &format!(r#"{{"a": {{"type": {field_type}, "default": {value}}}}}"#),
            "",
        )
    };
    let kept = |field_type: &str, value: &str| {
        Migration::parse(&file(&default(field_type, value)))
            .ok()
            .map(|m| serde_json::to_value(m.up()).unwrap()[0]["fields"][0]["default"].to_string())
    };
    for (field_type, written, wanted) in DEFAULTS {
        assert_eq!(
            kept(field_type, written).as_deref(),
            *wanted,
            "{field_type} {written}"
        );
    }
}

#[test]
fn a_text_is_json_and_nothing_else() {
    let good = file(r#"[{"type": "dropCollection", "name": "t"}]"#);
    for text in [
        format!("\u{feff}{good}"),
        good.replace(", ", ",\r\n\t"),
        format!("\n{good}\r\n"),
        good.replace("\"t\"", r#""\ud83e\uddfe""#),
    ] {
        assert!(Migration::parse(&text).is_ok(), "{text}");
    }
    let operation = r#"{"type": "dropCollection", "name": "t"}"#;
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("{good}x"),
        format!("{good}{good}"),
        format!("// note\n{good}"),
        good.replace("\"up\"", "/* note */ \"up\""),
        good.replace('}', ",}"),
        good.replace('"', "'"),
        good.replace("\"t\"", r#""\ud83e""#),
        good.replace("\"t\"", "\"a\tb\""),
        good.replace("1,", "1e400,"),
        good.replace("1,", "01,"),
        good.replace("1,", "NaN,"),
        good.replace(
            operation,
            r#"{"type": "dropCollection", "name": "t", "name": "t"}"#,
        ),
        good.replacen('{', r#"{"format": 1, "#, 1),
        good[..good.len() - 1].to_owned(),
    ] {
        assert_eq!(wrong(&text).len(), 1, "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let deep = |depth: usize, open: &str, close: &str| {
        file(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"a": 1}}, "where": {}{{"a": 1}}{}}}]"#,
            open.repeat(depth),
            close.repeat(depth)
        ))
    };
    for (open, close) in [(r#"{"not": "#, "}"), (r#"{"and": ["#, "]}")] {
        assert_eq!(wrong(&deep(10_000, open, close)).len(), 1);
        // What is accepted can be kept and read again, although its canonical form is deeper.
        for depth in 1..130 {
            let Ok(migration) = Migration::parse(&deep(depth, open, close)) else {
                assert!(depth > 20, "{depth}");
                continue;
            };
            assert_eq!(
                Migration::parse(&migration.to_json()).as_ref(),
                Ok(&migration),
                "{depth}"
            );
        }
    }
    let mut accepted = 0;
    for depth in 1..130 {
        let text = deep(depth, r#"{"a": 1, "b": 1, "not": "#, "}");
        if let Ok(migration) = Migration::parse(&text) {
            accepted = depth;
            let kept = serde_json::to_string(migration.up()).unwrap();
            assert!(Migration::parse_operations(&kept).is_ok(), "{depth}");
        }
    }
    assert!(accepted > 20, "{accepted}");
    assert_eq!(wrong(&"[".repeat(100_000)).len(), 1);
    assert_eq!(wrong(&"{\"a\":".repeat(100_000)).len(), 1);
}

#[test]
fn a_filter_in_a_program_cannot_name_a_field_like_a_word() {
    use ductape_core::data::{Comparison, Filter, ValueExpression};
    use ductape_core::operation::Update;
    for word in ["and", "or", "not"] {
        for filter in [
            Filter::Compare(name(word), Comparison::Equal, json!(1)),
            Filter::Exists(name(word), false),
            Filter::Not(Box::new(Filter::In(name(word), vec![json!(1)]))),
        ] {
            let mut update = Update::new(
                name("t"),
                [(name("a"), ValueExpression::Value(json!(1)))].into(),
            );
            update.filter = filter;
            assert!(
                Migration::new("m", None, vec![update.into()], None).is_err(),
                "{word}"
            );
        }
    }
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
