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

#[path = "format/meaning.rs"]
mod meaning;
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

fn operation(text: &str) -> Operation {
    Migration::parse_operations(&format!("[{text}]"))
        .unwrap()
        .remove(0)
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
