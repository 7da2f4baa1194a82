//! What the model cannot say, taken away and brought back in PostgreSQL's own words.
//!
//! A native definition is a bundle: its text is every statement that makes it as it was (with owner,
//! grants, comment and options), with `;` between them, and is run as one text. Its `kind` is the word
//! that `DROP` takes, in small letters (`view`, `materialized view`, `trigger`, `rule`, `policy`,
//! `statistics`, `sequence`, `function`, …), or `constraint` for one that the model has no word for.
//! `name` is as `DROP` takes it without quotes; for a `function` or `procedure` it has the argument types
//! behind it: `f(integer, text)`. `on` is the collection that it stands on, and `after` names the
//! definitions that must be there before it.
//!
//! A view of another schema is named with it (`reports.sales`), and its definition says how to write that.
//!
//! A partitioned table has a definition of the kind [`PARTITIONING`] on it, which is never dropped by
//! itself, and which is said where the table is made; so is one that inherits columns (`inheritance`).
//!
//! [`PARTITIONING`]: ductape_core::schema::PARTITIONING

use super::dialect::sql;
use ductape_core::expression::tokens;
use ductape_core::schema::{Constraint, Field, INHERITANCE, NativeDefinition, PARTITIONING, Rule};
use ductape_core::{Collection, Name, Schema};

/// The statement that takes a definition away; nothing if its kind is none that PostgreSQL drops.
pub(crate) fn drop_native(native: &NativeDefinition) -> Option<String> {
    let on = native.on.as_ref();
    let text = match native.kind.as_str() {
        "view" => sql().words("DROP VIEW "),
        "materialized view" => sql().words("DROP MATERIALIZED VIEW "),
        "foreign table" => sql().words("DROP FOREIGN TABLE "),
        "table" => sql().words("DROP TABLE "),
        "sequence" => sql().words("DROP SEQUENCE "),
        "statistics" => sql().words("DROP STATISTICS "),
        "index" => sql().words("DROP INDEX "),
        "type" => sql().words("DROP TYPE "),
        "domain" => sql().words("DROP DOMAIN "),
        "extension" => sql().words("DROP EXTENSION "),
        kind @ ("function" | "procedure" | "aggregate") => {
            return Some(drop_routine(kind, &native.name));
        }
        "trigger" => sql().words("DROP TRIGGER "),
        "rule" => sql().words("DROP RULE "),
        "policy" => sql().words("DROP POLICY "),
        "partition" => sql().words("DROP TABLE "),
        "publication" => {
            let text = sql()
                .words("ALTER PUBLICATION ")
                .name(&native.name)
                .words(" DROP TABLE ONLY ")
                .name(on?);
            return Some(text.finish());
        }
        // Its definition names the table that it stands on, which may be a partition or in another schema.
        "constraint" => {
            let (table, constraint) = native.definition.split_once(" ADD CONSTRAINT ")?;
            let constraint = Name::new(tokens(constraint).next()?.name()?).ok()?;
            let text = sql()
                .sql(table)
                .words(" DROP CONSTRAINT ")
                .name(&constraint);
            return Some(text.finish());
        }
        _ => return None,
    };
    let text = match elsewhere(native) {
        Some((schema, name)) => text.name(&schema).words(".").name(&name),
        None => text.name(&native.name),
    };
    Some(match native.kind.as_str() {
        "trigger" | "rule" | "policy" => text.words(" ON ").name(on?).finish(),
        _ => text.finish(),
    })
}

/// The schema and the name of a view that is in another schema, as its definition spells them.
fn elsewhere(native: &NativeDefinition) -> Option<(Name, Name)> {
    if !matches!(native.kind.as_str(), "view" | "materialized view") {
        return None;
    }
    let mut words = tokens(&native.definition).skip_while(|token| !token.is_word("VIEW"));
    words.next()?;
    let schema = Name::new(words.next()?.name()?).ok()?;
    words.next().filter(|token| token.is_symbol("."))?;
    let name = Name::new(words.next()?.name()?).ok()?;
    let called = [schema.as_str(), name.as_str()].join(".");
    (called == native.name.as_str()).then_some((schema, name))
}

/// The argument types are the server's own words.
fn drop_routine(kind: &str, name: &Name) -> String {
    let text = sql().words(match kind {
        "procedure" => "DROP PROCEDURE ",
        "aggregate" => "DROP AGGREGATE ",
        _ => "DROP FUNCTION ",
    });
    match name.as_str().split_once('(') {
        Some((called, arguments)) => match Name::new(called) {
            Ok(called) => text.name(&called).words("(").sql(arguments).finish(),
            Err(_) => text.name(name).finish(),
        },
        None => text.name(name).finish(),
    }
}

/// What stands behind the columns of a table that is made, because of what comes back on it in the same
/// list: `INHERITS (…)` and `PARTITION BY …`.
pub(crate) fn behind_columns<'n>(
    on: &Name,
    natives: impl Iterator<Item = &'n NativeDefinition> + Clone,
) -> String {
    let own = natives.filter(|native| native.on.as_ref() == Some(on));
    let parents: Vec<&str> = own
        .clone()
        .filter(|native| inherits(native))
        .filter_map(|native| {
            let (_, parent) = native.definition.split_once(" INHERITS (")?;
            parent.strip_suffix(')')
        })
        .collect();
    let mut text = String::new();
    if !parents.is_empty() {
        text.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    for native in own.filter(|native| native.kind == PARTITIONING) {
        text.push_str(&format!(" {}", native.definition));
    }
    text
}

/// The fields that a table has from what it inherits, as they are there.
pub(crate) fn inherited_fields<'n>(
    on: &Name,
    schema: &Schema,
    natives: impl Iterator<Item = &'n NativeDefinition>,
) -> Vec<Field> {
    natives
        .filter(|native| native.on.as_ref() == Some(on) && inherits(native))
        .filter_map(|native| schema.collection(&native.name))
        .flat_map(|parent| parent.fields.iter().cloned())
        .collect()
}

/// The checks that a table has from what it inherits.
pub(crate) fn inherited_checks<'n>(
    collection: &Collection,
    schema: &Schema,
    natives: impl Iterator<Item = &'n NativeDefinition>,
) -> Vec<Constraint> {
    let parents: Vec<&Name> = natives
        .filter(|native| native.on.as_ref() == Some(&collection.name) && inherits(native))
        .map(|native| &native.name)
        .collect();
    collection
        .constraints
        .iter()
        .filter(|constraint| {
            matches!(constraint.rule, Rule::Check(_))
                && parents.iter().any(|parent| {
                    schema
                        .collection(parent)
                        .is_some_and(|parent| parent.constraints.iter().any(|c| c == *constraint))
                })
        })
        .cloned()
        .collect()
}

/// Whether a definition is one of a table that inherits columns, and is made with it.
fn inherits(native: &NativeDefinition) -> bool {
    native.kind == INHERITANCE && native.definition.starts_with("CREATE TABLE ")
}

/// Whether a definition is said where its table is made.
pub(crate) fn is_said_before(native: &NativeDefinition) -> bool {
    native.kind == PARTITIONING || inherits(native)
}
