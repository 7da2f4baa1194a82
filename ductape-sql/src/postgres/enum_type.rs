//! Enum types that a field owns.
//!
//! A type is called after the collection and the field as they are when the field is made, and keeps
//! that name. So a statement about a field that is there already cannot name it: it asks the catalog,
//! in a `DO` block.
//!
//! A type that others made is not the field's own, and stands in the field's native words: it neither
//! comes nor goes with the field, but its values change with those of a field that alone has it.

use super::capabilities::CAPABILITIES;
use super::dialect::sql;
use super::types::{enum_values, server_spelling};
use ductape_core::compiler::Guard;
use ductape_core::schema::{Field, FieldType};
use ductape_core::{BackendName, Name, Statement};

/// The name that a field's enum type gets.
pub(crate) fn enum_type_name(collection: &Name, field: &Name) -> Name {
    let made = Name::made(collection.as_str(), [field]);
    CAPABILITIES.naming().fit(made)
}

/// Whether a field is of an enum type that others made.
pub(crate) fn is_of_theirs(field: &Field) -> bool {
    field.native.contains_key(&BackendName::Postgresql) && enum_values(&field.field_type).is_some()
}

/// The values of the type that a field owns, if it owns one.
pub(crate) fn owned_values(field: &Field) -> Option<&[String]> {
    if field.native.contains_key(&BackendName::Postgresql) {
        return None;
    }
    enum_values(&field.field_type)
}

/// What makes the field's type, if it owns one.
pub(crate) fn create_type(collection: &Name, field: &Field) -> Option<[String; 2]> {
    let values = owned_values(field)?;
    let name = enum_type_name(collection, &field.name);
    let create = sql()
        .words("CREATE TYPE ")
        .name(&name)
        .words(" AS ENUM (")
        .texts(values.iter().map(String::as_str))
        .words(")")
        .finish();
    Some([make_room(&name), create])
}

/// Frees the name of an enum type. A field that was renamed, or whose collection was, still owns the type
/// of its old name: the type takes the name that its field would give it now.
pub(crate) fn make_room(type_name: &Name) -> String {
    let quoted = sql().name(type_name).finish();
    let body = sql()
        .words("DECLARE\n  owners text[] := ARRAY(SELECT left(r.relname || '_' || a.attname, 63)\n    FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p')\n    JOIN pg_type t ON t.oid = to_regtype(")
        .text(&quoted)
        .words(") AND t.typtype = 'e' AND a.atttypid IN (t.oid, t.typarray)\n    WHERE NOT a.attisdropped AND a.attinhcount = 0);\nBEGIN\n  IF array_length(owners, 1) = 1 THEN\n    EXECUTE format(")
        .text("ALTER TYPE %s RENAME TO %I")
        .words(", ")
        .text(&quoted)
        .words(", owners[1]);\n  END IF;\nEND")
        .finish();
    block(&body)
}

/// What becomes of the enum type of a field that changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EnumChange {
    /// There is none.
    None,
    /// The field gets one.
    Made,
    /// The field has one no longer.
    Gone,
    /// Values come, each with the place that it gets; those that are there stay in their order.
    Grow(Vec<(String, Place)>),
    /// Another type takes its place, under its name.
    Replaced,
}

/// Where a new value stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Before(String),
    After(String),
}

/// What becomes of the enum type.
pub(crate) fn enum_change(old: &Field, new: &Field) -> EnumChange {
    if is_of_theirs(old) && is_of_theirs(new) {
        let spelled = |field: &Field| {
            let native = field.native.get(&BackendName::Postgresql)?;
            Some(server_spelling(native))
        };
        if spelled(old) != spelled(new) || old.field_type == new.field_type {
            return EnumChange::None;
        }
        return match (enum_values(&old.field_type), enum_values(&new.field_type)) {
            (Some(before), Some(after)) => values_change(old, new, before, after),
            _ => EnumChange::None,
        };
    }
    match (owned_values(old), owned_values(new)) {
        (None, None) => EnumChange::None,
        (None, Some(_)) => EnumChange::Made,
        (Some(_), None) => EnumChange::Gone,
        (Some(before), Some(after)) => values_change(old, new, before, after),
    }
}

fn values_change(old: &Field, new: &Field, before: &[String], after: &[String]) -> EnumChange {
    let kept: Vec<&String> = after.iter().filter(|v| before.contains(v)).collect();
    let grows = kept.iter().copied().eq(before)
        && after.len() > before.len()
        && old.field_type.name() == new.field_type.name();
    match grows {
        true => EnumChange::Grow(added(before, after)),
        false => EnumChange::Replaced,
    }
}

fn added(before: &[String], after: &[String]) -> Vec<(String, Place)> {
    let mut added = Vec::new();
    let mut previous: Option<&String> = None;
    for value in after {
        if !before.contains(value) {
            let place = match (previous, before.first()) {
                (Some(previous), _) => Place::After(previous.clone()),
                (None, Some(first)) => Place::Before(first.clone()),
                (None, None) => continue,
            };
            added.push((value.clone(), place));
        }
        previous = Some(value);
    }
    added
}

/// `ALTER TYPE … ADD VALUE` for each value.
pub(crate) fn grow(collection: &Name, field: &Name, added: &[(String, Place)]) -> String {
    let body = sql()
        .sql(&find_kind(collection, field))
        .each("", added, |text, (value, place)| {
            let clause = sql().words(" ADD VALUE IF NOT EXISTS ").text(value);
            let clause = match place {
                Place::Before(other) => clause.words(" BEFORE ").text(other),
                Place::After(other) => clause.words(" AFTER ").text(other),
            };
            text.words("  EXECUTE 'ALTER TYPE ' || kind || ")
                .text(&clause.finish())
                .words(";\n")
        })
        .words("END")
        .finish();
    block(&body)
}

/// An expression as the text, or the texts, that an enum is made from.
pub(crate) fn over_text(expression: &str, mark: &str) -> String {
    let text = format!("::text{mark}");
    match expression.strip_suffix(&text) {
        Some(inner) if ductape_core::expression::tokens(inner).count() == 1 => {
            expression.to_owned()
        }
        _ => format!("({expression}){text}"),
    }
}

/// What stands behind the name of the enum where a field has several of its values.
pub(crate) fn array_mark(field: &Field) -> &'static str {
    match field.field_type {
        FieldType::Array { .. } => "[]",
        _ => "",
    }
}

/// Gives a field's enum type other values: a new type takes the old one's name and place.
pub(crate) fn replace(collection: &Name, field: &Field, expression: &str) -> String {
    let values = enum_values(&field.field_type).unwrap_or(&[]);
    let make = sql()
        .words(" AS ENUM (")
        .texts(values.iter().map(String::as_str))
        .words(")")
        .finish();
    let mark = array_mark(field);
    let alter = sql()
        .words("ALTER TABLE ")
        .name(collection)
        .words(" ALTER COLUMN ")
        .name(&field.name)
        .words(" TYPE ")
        .finish();
    let using = sql()
        .words(mark)
        .words(" USING ")
        .sql(&over_text(expression, mark))
        .words("::")
        .finish();
    let mut text = sql()
        .sql(&find_kind_and_all(collection, &field.name))
        .words("  EXECUTE 'ALTER TYPE ' || kind || ' RENAME TO ductape_enum_before';\n")
        .words("  EXECUTE 'CREATE TYPE ' || kind || ")
        .text(&make)
        .words(";\n  EXECUTE format(")
        .text("COMMENT ON TYPE %s IS %L")
        .words(", kind, note);\n  EXECUTE format(")
        .text("ALTER TYPE %s OWNER TO %I")
        .words(", kind, owner);\n  EXECUTE ")
        .text(&alter)
        .words(" || kind || ")
        .text(&using)
        .words(" || kind");
    if !mark.is_empty() {
        text = text.words(" || ").text(mark);
    }
    block(
        &text
            .words(";\n  EXECUTE 'DROP TYPE ' || own_schema || '.ductape_enum_before';\nEND")
            .finish(),
    )
}

/// The beginning of a block: finds the name of the field's enum type, and the schema that it is in.
fn find_kind(collection: &Name, field: &Name) -> String {
    find(
        collection,
        field,
        "DECLARE\n  kind text;\n  own_schema text;\nBEGIN\n  SELECT t.oid::regtype, t.typnamespace::regnamespace INTO STRICT kind, own_schema\n    FROM pg_type t WHERE t.oid = ",
    )
}

/// The same, with what belongs to the type.
fn find_kind_and_all(collection: &Name, field: &Name) -> String {
    find(
        collection,
        field,
        "DECLARE\n  kind text;\n  own_schema text;\n  note text;\n  owner text;\nBEGIN\n  SELECT t.oid::regtype, t.typnamespace::regnamespace, obj_description(t.oid, 'pg_type'), pg_get_userbyid(t.typowner)\n    INTO STRICT kind, own_schema, note, owner FROM pg_type t WHERE t.oid = ",
    )
}

fn find(collection: &Name, field: &Name, beginning: &'static str) -> String {
    sql()
        .words(beginning)
        .sql(&kind_of(collection, field))
        .words(";\n")
        .finish()
}

/// The type of a field, or of its items.
fn kind_of(collection: &Name, field: &Name) -> String {
    sql()
        .words("(SELECT CASE WHEN c.typelem <> 0 THEN c.typelem ELSE c.oid END FROM pg_attribute a JOIN pg_type c ON c.oid = a.atttypid WHERE a.attrelid = ")
        .sql(&regclass(collection))
        .words(" AND a.attname = ")
        .text(field.as_str())
        .words(")")
        .finish()
}

/// Counts what else is of the field's enum type: it is then not the field's own to change.
pub(crate) fn shared(collection: &Name, field: &Name) -> Guard {
    let others = sql()
        .words(" FROM pg_type k CROSS JOIN LATERAL (SELECT o.attrelid::regclass || '.' || o.attname AS called FROM pg_attribute o JOIN pg_class r ON r.oid = o.attrelid WHERE o.atttypid IN (k.oid, k.typarray) AND NOT o.attisdropped AND o.attinhcount = 0 AND r.relkind IN ('r', 'p', 'f', 'c') AND NOT (o.attrelid = ")
        .sql(&regclass(collection))
        .words(" AND o.attname = ")
        .text(field.as_str())
        .words(") UNION SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (k.oid, k.typarray) AND d.deptype = 'n' AND d.classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_cast'::regclass, 'pg_operator'::regclass)) AS u WHERE k.oid = ")
        .sql(&kind_of(collection, field))
        .finish();
    let question = sql()
        .words("SELECT (SELECT count(*)")
        .sql(&others)
        .words("), (SELECT string_agg(u.called, ', ')")
        .sql(&others)
        .words(")")
        .finish();
    Guard {
        collection: collection.clone(),
        also: Vec::new(),
        question: Statement::sql(question),
        rows: format!("others that share the enum type of {collection}.{field}"),
        hint: "the type is not this field's own: change it with raw statements, for all of them"
            .to_owned(),
    }
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
        tag.insert(1, '_');
    }
    format!("DO {tag}\n{body}\n{tag}")
}
