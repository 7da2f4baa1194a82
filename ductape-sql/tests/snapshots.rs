//! The statements of every operation on every SQL database, both ways, as text. No database is needed.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cases;

use cases::{Case, cases};
use ductape_core::{Compiler, Migration};
use ductape_engine::{ErrorKind, plan_offline};
use ductape_sql::postgres::Postgres;
use ductape_sql::sqlite::Sqlite;
use serde_json::Value;
use std::collections::BTreeSet;

/// The dialects, one line each.
const DIALECTS: &[(&str, &dyn Compiler)] = &[("sqlite", &Sqlite), ("postgresql", &Postgres)];

/// The statements of a case, or why there are none.
fn statements(compiler: &dyn Compiler, case: &Case) -> String {
    let migrations: Vec<Migration> = case
        .before
        .iter()
        .chain([&case.migration])
        .cloned()
        .collect();
    match plan_offline(compiler, &migrations) {
        Ok(mut plan) => {
            plan.migrations.drain(..case.before.len());
            plan.to_string()
        }
        Err(error) => {
            let refusals = [
                ErrorKind::AlreadyExists,
                ErrorKind::Mismatch,
                ErrorKind::Refused,
                ErrorKind::Unsupported,
            ];
            assert!(refusals.contains(&error.kind()), "{}: {error}", case.name);
            format!("{}: {error}", error.kind())
        }
    }
}

#[test]
fn statements_of_every_operation() {
    for (dialect, compiler) in DIALECTS {
        for case in cases() {
            let operations: Vec<_> = case.migration.up().iter().map(|o| o.describe()).collect();
            insta::with_settings!({
                description => operations.join("; "),
                omit_expression => true,
                prepend_module_to_snapshot => false,
            }, {
                insta::assert_snapshot!(
                    format!("{dialect}__{}", case.name),
                    statements(*compiler, &case)
                );
            });
        }
    }
}

/// Every text under some key of the migrations.
fn words(key: &str) -> BTreeSet<String> {
    fn collect(value: &Value, key: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    match value {
                        Value::String(word) if name == key => {
                            found.insert(word.clone());
                        }
                        other => collect(other, key, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, key, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for case in cases() {
        for migration in case.before.iter().chain([&case.migration]) {
            collect(&serde_json::to_value(migration).unwrap(), key, &mut found);
        }
    }
    found
}

/// Nothing of the format is left out of the list.
#[test]
fn the_list_covers_the_format() {
    let types = words("type");
    let all = "createCollection dropCollection renameCollection modifyCollection addField dropField \
        renameField modifyField createIndex dropIndex addConstraint dropConstraint update raw restore \
        integer bigint smallint float double decimal string text boolean date time datetime timestamp \
        json uuid enum array binary blob primaryKey unique foreignKey check";
    for word in all.split_whitespace() {
        assert!(types.contains(word), "no case has the type {word}");
    }
    // NO ACTION is what happens anyway, and is not written.
    let actions: BTreeSet<String> = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"]
        .map(String::from)
        .into();
    for key in ["onDelete", "onUpdate"] {
        assert_eq!(words(key), actions, "{key}");
    }
}
