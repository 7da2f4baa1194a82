//! Enum types that a field owns.
//!
//! A type is called after the collection and the field as they are when the field is made, and keeps
//! that name. So a statement about a field that is there already cannot name it: it asks the catalog,
//! in a `DO` block.

use super::capabilities::CAPABILITIES;
use super::dialect::sql;
use super::types::enum_values;
use ductape_core::schema::Field;
use ductape_core::{BackendName, Name};

/// The name that a field's enum type gets.
pub(crate) fn enum_type_name(collection: &Name, field: &Name) -> Name {
    let made = Name::made(collection.as_str(), [field]);
    CAPABILITIES.naming().fit(made)
}

/// The values of the type that a field owns, if it owns one.
pub(crate) fn owned_values(field: &Field) -> Option<&[String]> {
    if field.native.contains_key(&BackendName::Postgresql) {
        return None;
    }
    enum_values(&field.field_type)
}

/// `CREATE TYPE`, if the field owns one.
pub(crate) fn create_type(collection: &Name, field: &Field) -> Option<String> {
    let values = owned_values(field)?;
    Some(create_type_named(
        &enum_type_name(collection, &field.name),
        values,
    ))
}

pub(crate) fn create_type_named(name: &Name, values: &[String]) -> String {
    sql()
        .words("CREATE TYPE ")
        .name(name)
        .words(" AS ENUM (")
        .texts(values.iter().map(String::as_str))
        .words(")")
        .finish()
}

/// Does something to a collection that leaves the enum types of some fields behind, and then drops the
/// types that nothing uses any more.
pub(crate) fn with_types_of(collection: &Name, fields: &[&Name], statement: &str) -> String {
    let attributes = sql()
        .texts(fields.iter().map(|field| field.as_str()))
        .finish();
    let body = sql()
        .words("DECLARE\n  kinds oid[] := ARRAY(SELECT DISTINCT CASE WHEN t.typelem <> 0 AND t.typtype = 'b' THEN t.typelem ELSE t.oid END\n    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid\n    WHERE a.attrelid = ")
        .sql(&regclass(collection))
        .words(" AND NOT a.attisdropped AND a.attname IN (")
        .sql(&attributes)
        .words("));\n  kind oid;\nBEGIN\n  ")
        .sql(statement)
        .words(";\n  FOREACH kind IN ARRAY kinds LOOP\n    IF NOT EXISTS (SELECT FROM pg_depend d JOIN pg_type t ON t.oid = kind\n        WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n')\n        AND EXISTS (SELECT FROM pg_type WHERE oid = kind AND typtype = 'e') THEN\n      EXECUTE format('DROP TYPE %s', kind::regtype);\n    END IF;\n  END LOOP;\nEND")
        .finish();
    block(&body)
}

/// A collection as the catalog knows it.
pub(crate) fn regclass(collection: &Name) -> String {
    let quoted = sql().name(collection).finish();
    sql().text(&quoted).words("::regclass").finish()
}

/// A `DO` block. Its tag is one that the body does not have.
pub(crate) fn block(body: &str) -> String {
    let mut tag = "$do$".to_owned();
    while body.contains(&tag) {
        tag.insert_str(1, "_");
    }
    format!("DO {tag}\n{body}\n{tag}")
}
