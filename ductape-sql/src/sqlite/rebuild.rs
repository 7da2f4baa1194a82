//! Writing a table anew, for what SQLite's ALTER cannot do.
//!
//! The twelve steps of lang_altertable.html, section 7: with foreign keys off (which must stand before
//! the transaction), make the new table, copy the rows, drop the old one, give the new one its name,
//! and make indexes and triggers again. `legacy_alter_table` keeps views and foreign keys of others as
//! they are while the name changes hands.

use super::convert::{Conversion, fill, neutral};
use super::dialect::sql;
use super::table::{counting_key, create_index, create_table};
use super::words::rowid_alias;
use ductape_core::compiler::Setting;
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
    let mut sources: Vec<String> = sources;
    let mut targets: Vec<Name> = targets.into_iter().cloned().collect();
    if let Some((target, source)) = rowids(before, after) {
        if let Some(place) = targets.iter().position(|name| *name == target) {
            targets.remove(place);
            sources.remove(place);
        }
        targets.insert(0, target);
        sources.insert(0, source);
    }
    let table = create_table(after, Some(&new));
    let copy = sql()
        // A clause of the table must not drop or replace rows on their way.
        .words(match table.contains("ON CONFLICT") {
            true => "INSERT OR ABORT INTO ",
            false => "INSERT INTO ",
        })
        .name(&new)
        .words(" (")
        .names(&targets)
        .words(") SELECT ")
        .sql(&sources.join(", "))
        .words(" FROM ")
        .name(&before.name)
        .finish();
    let mut statements = vec![table, copy];

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

/// Where the number of a row goes, and where it comes from: others may rely on it, also where it is no
/// field. A key that was dropped comes back with it.
fn rowids(before: &Collection, after: &Collection) -> Option<(Name, String)> {
    if before.options.sql.without_rowid || after.options.sql.without_rowid {
        return None;
    }
    let source = free_rowid(before)?;
    let target = match rowid_alias(after) {
        None => free_rowid(after)?,
        // It is copied as the field that it is.
        Some(alias) if before.field(alias).is_some() => return None,
        Some(alias) => alias.clone(),
    };
    Some((target, sql().name(&source).finish()))
}

/// Whether rows lose a number that is no field: it gives way to a key, or there is none any more.
pub(crate) fn renumbers(before: &Collection, after: &Collection) -> bool {
    let own = |collection: &Collection| {
        !collection.options.sql.without_rowid && rowid_alias(collection).is_none()
    };
    own(before) && !own(after)
}

/// A name of the rowid that no field has.
fn free_rowid(collection: &Collection) -> Option<Name> {
    ["_rowid_", "rowid", "oid"]
        .into_iter()
        .find(|word| {
            !collection
                .fields
                .iter()
                .any(|field| field.name.as_str().eq_ignore_ascii_case(word))
        })
        .map(|word| Name::made(word, []))
}
