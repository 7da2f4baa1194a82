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
//! A partitioned table has a definition of the kind [`PARTITIONED`] on it, which is never dropped by
//! itself.

use super::dialect::sql;
use ductape_core::expression::tokens;
use ductape_core::schema::NativeDefinition;
use ductape_core::{Name, Schema};
use std::sync::Arc;

/// The kind of what says how a collection's rows are spread over partitions.
pub(crate) const PARTITIONED: &str = "partitioning";

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
        "constraint" => {
            let text = sql()
                .words("ALTER TABLE ")
                .name(on?)
                .words(" DROP CONSTRAINT ")
                .name(&native.name);
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

/// The definitions that must fall before the types of fields change, those that others stand on last.
pub(crate) fn falling(
    schema: &Schema,
    collection: &Name,
    fields: &[&Name],
) -> Vec<NativeDefinition> {
    let mut fall: Vec<Arc<NativeDefinition>> = schema
        .natives_about(collection)
        .filter(|native| {
            holds_types(&native.kind)
                && fields
                    .iter()
                    .any(|field| ductape_core::expression::mentions(&native.definition, field))
        })
        .cloned()
        .collect();
    loop {
        let above = schema
            .natives()
            .find(|native| {
                !fall.contains(native)
                    && native
                        .after
                        .iter()
                        .any(|name| fall.iter().any(|under| under.name == *name))
            })
            .cloned();
        match above {
            Some(native) => fall.push(native),
            None => break,
        }
    }
    let mut left: Vec<NativeDefinition> = fall.iter().map(|n| n.as_ref().clone()).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = left.iter().position(|native| {
            !left
                .iter()
                .any(|other| other != native && other.after.contains(&native.name))
        });
        ordered.push(left.remove(free.unwrap_or(0)));
    }
    ordered
}

/// Whether what is so called keeps a column's type from changing (sql-altertable).
fn holds_types(kind: &str) -> bool {
    matches!(
        kind,
        "view"
            | "materialized view"
            | "trigger"
            | "rule"
            | "policy"
            | "function"
            | "constraint"
            | "statistics"
    )
}
