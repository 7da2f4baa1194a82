//! Writing a table anew, for what SQLite's ALTER cannot do.
//!
//! The twelve steps of lang_altertable.html, section 7: with foreign keys off (which must stand before
//! the transaction), make the new table, copy the rows, drop the old one, give the new one its name,
//! and make indexes and triggers again. `legacy_alter_table` keeps views and foreign keys of others as
//! they are while the name changes hands.

use super::convert::{Conversion, fill, neutral};
use super::dialect::sql;
use super::table::{counting_key, create_index, create_table};
use ductape_core::compiler::Setting;
use ductape_core::schema::{FieldType, Rule};
use ductape_core::{Collection, Name, Schema};
use std::collections::BTreeMap;

/// What stands around a transaction in which a table is dropped: with foreign keys on, dropping a table
/// deletes its rows first, and what points at them follows.
pub(crate) fn setting() -> Setting {
    Setting {
        prologue: vec!["PRAGMA foreign_keys = OFF".to_owned()],
        epilogue: vec!["PRAGMA foreign_keys = ON".to_owned()],
    }
}

/// The statements that turn one table into another of the same name, keeping its rows.
///
/// `conversions` says how a field's values get to their new type; a field without one is copied, and a
/// field that was not there gets its default, or its neutral value.
pub(crate) fn rebuild(
    before: &Collection,
    after: &Collection,
    schema: &Schema,
    conversions: &BTreeMap<Name, Conversion>,
) -> Vec<String> {
    let new = Name::made("ductape_new", [&after.name]);
    let mut statements = vec![create_table(after, Some(&new))];

    let mut targets: Vec<&Name> = Vec::new();
    let mut sources = Vec::new();
    for field in &after.fields {
        if field.generated.is_some() {
            continue;
        }
        let source = match (before.field(&field.name), conversions.get(&field.name)) {
            (Some(old), _) if old.generated.is_some() && !conversions.contains_key(&field.name) => {
                Some(sql().name(&field.name).finish())
            }
            (Some(_), Some(conversion)) => Some(conversion.expression.clone()),
            (Some(_), None) => Some(sql().name(&field.name).finish()),
            (None, _) => fill(field).or_else(|| {
                (field.required && !field.auto_increment).then(|| neutral(&field.field_type))
            }),
        };
        if let Some(source) = source {
            targets.push(&field.name);
            sources.push(source);
        }
    }
    let rowid = keeps_rowid(before) && keeps_rowid(after);
    let copy = sql()
        .words("INSERT INTO ")
        .name(&new)
        .words(" (")
        .words_if(rowid, "_rowid_, ")
        .names(targets)
        .words(") SELECT ")
        .words_if(rowid, "_rowid_, ")
        .sql(&sources.join(", "))
        .words(" FROM ")
        .name(&before.name)
        .finish();
    statements.push(copy);

    if counting_key(before).is_some() && counting_key(after).is_some() {
        // The counter goes on where it was, also where the last rows are gone.
        statements.push(
            sql()
                .words("DELETE FROM sqlite_sequence WHERE name = ")
                .text(new.as_str())
                .finish(),
        );
        statements.push(
            sql()
                .words("INSERT INTO sqlite_sequence (name, seq) SELECT ")
                .text(new.as_str())
                .words(", seq FROM sqlite_sequence WHERE name = ")
                .text(before.name.as_str())
                .finish(),
        );
    }
    statements.push(sql().words("DROP TABLE ").name(&before.name).finish());
    statements.push("PRAGMA legacy_alter_table = ON".to_owned());
    statements.push(
        sql()
            .words("ALTER TABLE ")
            .name(&new)
            .words(" RENAME TO ")
            .name(&after.name)
            .finish(),
    );
    statements.push("PRAGMA legacy_alter_table = OFF".to_owned());
    for index in &after.indexes {
        if let Some(name) = &index.name {
            statements.push(create_index(&after.name, name, index));
        }
    }
    for native in schema.natives() {
        if native.kind == "trigger" && native.on.as_ref() == Some(&after.name) {
            statements.push(native.definition.clone());
        }
    }
    statements
}

/// Whether rows have a number of their own that is no field: it is kept, since others may rely on it.
fn keeps_rowid(collection: &Collection) -> bool {
    let aliased = collection.constraints.iter().any(|constraint| {
        matches!(&constraint.rule, Rule::PrimaryKey(columns) if columns.len() == 1
        && columns.iter().all(|name| collection.field(name).is_some_and(|field| {
            matches!(field.field_type, FieldType::Integer | FieldType::Bigint)
        })))
    });
    let named = collection
        .fields
        .iter()
        .any(|field| field.name.as_str().eq_ignore_ascii_case("_rowid_"));
    !collection.options.sql.without_rowid && !aliased && !named
}
