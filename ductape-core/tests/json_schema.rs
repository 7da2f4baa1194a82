//! The JSON Schema of a migration file, as it is published, held against what the reader takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape_core::Migration;
use serde_json::{Value, json};

#[allow(dead_code, reason = "what only the other test of the format uses")]
#[path = "format/tables.rs"]
mod tables;
use tables::{ACCEPTED, FORMS, REFUSED};

#[test]
fn the_schema_of_a_migration_file() {
    let schema = ductape_core::migration::json_schema();
    let text = serde_json::to_string_pretty(&schema).unwrap();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("migration_schema", text);
    });
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&ductape_core::migration::json_schema()).unwrap()
}

fn file(up: &str) -> Value {
    let up: Value = serde_json::from_str(up).unwrap_or_else(|error| panic!("{up}: {error}"));
    json!({ "format": 1, "tag": "20240115_143052_format", "up": up })
}

#[test]
fn it_takes_what_the_reader_takes() {
    let validator = validator();
    let forms = FORMS
        .iter()
        .flat_map(|(short, canonical)| [*short, *canonical]);
    let mut told = String::new();
    for up in forms.chain(ACCEPTED.iter().copied()) {
        let file = file(up);
        Migration::parse(&file.to_string()).unwrap_or_else(|problems| panic!("{up}\n{problems}"));
        for error in validator.iter_errors(&file) {
            told.push_str(&format!("{up}\n  {}: {error}\n", error.instance_path()));
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// What a JSON Schema has no words for: what stands twice among names, what is in the text of an
/// expression, and sums of numbers.
const BEYOND: &[&str] = &[
    "twice",
    "already called",
    "bracket",
    ";",
    "fit",
    "cannot reference",
];

/// So are operations that contradict each other or themselves: what is told of a whole operation.
fn is_beyond(path: &str, word: &str) -> bool {
    let of_an_operation = path.ends_with(']') && !path.contains('.') && word != "kept";
    of_an_operation || BEYOND.iter().any(|beyond| word.contains(beyond))
}

#[test]
fn it_refuses_what_the_reader_refuses() {
    let validator = validator();
    let mut told = String::new();
    for (up, path, word) in REFUSED {
        if validator.is_valid(&file(up)) && !is_beyond(path, word) {
            told.push_str(&format!("{path} ({word}): {up}\n"));
        }
    }
    assert!(told.is_empty(), "{told}");
    for file in [
        json!({}),
        json!([]),
        json!({ "format": 2, "tag": "20240115_143052_a", "up": [{ "type": "dropCollection", "name": "a" }] }),
        json!({ "format": 1, "up": [{ "type": "dropCollection", "name": "a" }] }),
        json!({ "format": 1, "tag": "a", "up": [{ "type": "dropCollection", "name": "a" }] }),
        json!({ "format": 1, "tag": "20240115_143052_a", "up": [] }),
        json!({ "format": 1, "tag": "20240115_143052_a", "up": [{ "name": "a" }] }),
        json!({ "format": 1, "tag": "20240115_143052_a", "up": [{ "type": "drop", "name": "a" }] }),
        json!({ "format": 1, "tag": "20240115_143052_a", "up": [{ "type": "dropCollection", "name": "a" }], "more": 1 }),
        json!({ "format": 1, "tag": "20240115_143052_a", "up": [{ "type": "dropCollection", "name": "a", "ifExists": null }] }),
    ] {
        assert!(!validator.is_valid(&file), "{file}");
        assert!(Migration::parse(&file.to_string()).is_err(), "{file}");
    }
}
