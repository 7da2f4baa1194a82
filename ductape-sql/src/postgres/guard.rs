//! What stands in the way of a change, counted.
//!
//! A question gives one row: how many rows are in the way, and up to three of them as one text.

use super::dialect::sql;
use crate::writer::Sql;
use ductape_core::compiler::Guard;
use ductape_core::schema::{Constraint, Index, IndexTarget, References, Rule};
use ductape_core::{BackendName, Collection, Name, Statement};

/// Counts the rows for which a condition holds, with an expression of each as example.
pub(crate) fn guard(
    collection: &Name,
    example: &str,
    condition: &str,
    rows: String,
    hint: &str,
) -> Guard {
    let from = sql()
        .words(" FROM ")
        .name(collection)
        .words(" WHERE ")
        .sql(condition)
        .finish();
    Guard {
        collection: collection.clone(),
        also: Vec::new(),
        question: question("count(*)", &from, example),
        rows,
        hint: hint.to_owned(),
    }
}

fn question(count: &str, from: &str, example: &str) -> Statement {
    let text = sql()
        .words("SELECT (SELECT ")
        .sql(count)
        .sql(from)
        .words("), (SELECT string_agg(example, ', ') FROM (SELECT left(coalesce((")
        .sql(example)
        .words(")::text, 'NULL'), 40) AS example")
        .sql(from)
        .words(" LIMIT 3) AS examples)");
    Statement::sql(text.finish())
}

/// What shows a row to people: its key, or its first field.
pub(crate) fn example(collection: &Collection) -> String {
    collection
        .key()
        .first()
        .or(collection.fields.first().map(|field| &field.name))
        .map_or_else(|| "NULL".to_owned(), |name| sql().name(name).finish())
}

/// Rows with null in a field.
pub(crate) fn nulls(collection: &Collection, field: &Name) -> Guard {
    guard(
        &collection.name,
        &example(collection),
        &sql().name(field).words(" IS NULL").finish(),
        format!("rows with null in {}.{field}", collection.name),
        "give them a value with an update before it",
    )
}

/// Rows of an update that would divide by zero to set a field.
pub(crate) fn dividing_by_zero(
    collection: &Collection,
    field: &Name,
    filter: &str,
    divisor: &str,
) -> Guard {
    guard(
        &collection.name,
        &example(collection),
        &format!("({filter}) AND ({divisor}) = 0"),
        format!(
            "rows of {} where {field} would be divided by zero",
            collection.name
        ),
        "leave them out with where, or give them another divisor before it",
    )
}

/// Any row at all.
pub(crate) fn any_row(collection: &Collection, field: &Name) -> Guard {
    guard(
        &collection.name,
        &example(collection),
        "TRUE",
        format!(
            "rows of {}, which have no value for the required field {field},",
            collection.name
        ),
        "give the field a default, or add it nullable and fill it with an update",
    )
}

/// Rows beyond the first, which cannot all get the same neutral value.
pub(crate) fn second_row(collection: &Collection, field: &Name) -> Guard {
    let name = &collection.name;
    let from = sql().words(" FROM ").name(name).finish();
    Guard {
        collection: name.clone(),
        also: Vec::new(),
        question: question("greatest(count(*) - 1, 0)", &from, &example(collection)),
        rows: format!(
            "rows of {name} besides the first: the unique field {field} was dropped with its values, and"
        ),
        hint: "nothing tells them apart; write a down for the migration".to_owned(),
    }
}

/// Rows that share the values of a key.
pub(crate) fn duplicates(
    collection: &Name,
    keys: &[String],
    predicate: Option<&str>,
    nulls_are_equal: bool,
    what: &str,
) -> Guard {
    let list = keys.join(", ");
    let mut conditions: Vec<String> = Vec::new();
    if !nulls_are_equal {
        conditions.extend(keys.iter().map(|key| format!("{key} IS NOT NULL")));
    }
    conditions.extend(predicate.map(|predicate| format!("({predicate})")));
    if conditions.is_empty() {
        conditions.push("TRUE".to_owned());
    }
    let groups = sql()
        .words(" FROM (SELECT count(*) AS n, concat_ws(' and ', ")
        .sql(&list)
        .words(") AS shared FROM ")
        .name(collection)
        .words(" WHERE ")
        .sql(&conditions.join(" AND "))
        .words(" GROUP BY ")
        .sql(&list)
        .words(" HAVING count(*) > 1) AS shared")
        .finish();
    Guard {
        collection: collection.clone(),
        also: Vec::new(),
        question: question("coalesce(sum(n), 0)::bigint", &groups, "shared.shared"),
        rows: format!("rows of {collection} that share a value of {what}"),
        hint: "make them differ with an update before it, or delete all but one".to_owned(),
    }
}

/// Rows that share the key of an index.
pub(crate) fn index_duplicates(collection: &Name, index: &Index) -> Guard {
    let keys: Vec<String> = index
        .fields
        .iter()
        .map(|key| {
            let text = match &key.target {
                IndexTarget::Field(name) => sql().name(name),
                IndexTarget::Expression(expression) => sql()
                    .words("(")
                    .sql(expression.text(BackendName::Postgresql).unwrap_or("NULL"))
                    .words(")"),
            };
            let collation = key.collation.as_ref().and_then(|c| Name::new(c).ok());
            text.maybe(collation, |text, collation| {
                text.words(" COLLATE ").name(&collation)
            })
            .finish()
        })
        .collect();
    let predicate = index
        .predicate
        .as_ref()
        .and_then(|p| p.text(BackendName::Postgresql));
    duplicates(
        collection,
        &keys,
        predicate,
        index.nulls_not_distinct,
        &keys.join(", "),
    )
}

/// What stands in the way of a constraint.
pub(crate) fn constraint_guards(collection: &Collection, constraint: &Constraint) -> Vec<Guard> {
    let listed = |names: &[Name]| {
        names
            .iter()
            .map(Name::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let keys = |columns: &[Name]| {
        let quoted: Vec<String> = columns.iter().map(|c| sql().name(c).finish()).collect();
        duplicates(&collection.name, &quoted, None, false, &listed(columns))
    };
    match &constraint.rule {
        Rule::PrimaryKey(columns) => {
            let nullable = |name: &&Name| collection.field(name).is_some_and(|f| !f.required);
            let mut guards: Vec<Guard> = columns
                .iter()
                .filter(nullable)
                .map(|name| nulls(collection, name))
                .collect();
            guards.push(keys(columns));
            guards
        }
        Rule::Unique(columns) => vec![keys(columns)],
        Rule::Check(expression) => expression
            .text(BackendName::Postgresql)
            .map(|text| {
                guard(
                    &collection.name,
                    &example(collection),
                    &format!("NOT ({text})"),
                    format!(
                        "rows of {} for which the check does not hold",
                        collection.name
                    ),
                    "mend them with an update before it",
                )
            })
            .into_iter()
            .collect(),
        Rule::ForeignKey(columns, references) => vec![orphans(
            &collection.name,
            columns,
            references,
            &listed(columns),
        )],
    }
}

fn orphans(collection: &Name, columns: &[Name], references: &References, listed: &str) -> Guard {
    let own = |text: Sql, name: &Name| text.name(collection).words(".").name(name);
    let condition = sql()
        .each(" AND ", columns, |text, name| {
            own(text, name).words(" IS NOT NULL")
        })
        .words(" AND NOT EXISTS (SELECT FROM ")
        .name(&references.table)
        .words(" AS target WHERE ")
        .each(
            " AND ",
            columns.iter().zip(&references.columns),
            |text, (mine, theirs)| own(text.words("target.").name(theirs).words(" = "), mine),
        )
        .words(")")
        .finish();
    let first = columns
        .first()
        .map_or_else(String::new, |c| sql().name(c).finish());
    let mut guard = guard(
        collection,
        &first,
        &condition,
        format!(
            "rows of {collection} whose {listed} is in no row of {}",
            references.table
        ),
        "delete them, or give them a row to point at",
    );
    guard.also.push(references.table.clone());
    guard
}
