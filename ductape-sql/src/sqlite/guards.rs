//! Counting the rows that stand in the way, before anything is touched.

use super::dialect::sql;
use crate::writer::Sql;
use ductape_core::compiler::Guard;
use ductape_core::schema::{Constraint, FieldType, Index, IndexTarget, References, Rule};
use ductape_core::{BackendName, Collection, Name, Schema, Statement};
use std::collections::BTreeMap;

/// The rows of a collection, as they are or as they will be.
pub(crate) struct Rows<'c> {
    collection: &'c Collection,
    /// What stands after `FROM`.
    source: String,
}

impl<'c> Rows<'c> {
    /// As they are.
    pub fn of(collection: &'c Collection) -> Self {
        Self {
            collection,
            source: sql().name(&collection.name).finish(),
        }
    }

    /// As they will be once their values are converted.
    pub fn converted(collection: &'c Collection, values: &BTreeMap<&Name, &str>) -> Self {
        let source = sql()
            .words("(SELECT ")
            .each(", ", &collection.fields, |text, field| {
                match values.get(&field.name) {
                    Some(expression) => text
                        .words("(")
                        .sql(expression)
                        .words(") AS ")
                        .name(&field.name),
                    None => text.name(&field.name),
                }
            })
            .words(" FROM ")
            .name(&collection.name)
            .words(") AS ")
            .name(&collection.name)
            .finish();
        Self { collection, source }
    }

    /// Those for which a condition holds, with the values of a column as examples.
    pub fn with(&self, column: &str, condition: &str, rows: String, hint: &str) -> Guard {
        let from = sql()
            .words(" FROM ")
            .sql(&self.source)
            .words(" WHERE ")
            .sql(condition)
            .finish();
        let question = sql()
            .words("SELECT (SELECT count(*)")
            .sql(&from)
            .words("), (SELECT group_concat(example, ', ') FROM (SELECT substr(quote(")
            .sql(column)
            .words("), 1, 40) AS example")
            .sql(&from)
            .words(" LIMIT 3))")
            .finish();
        Guard {
            collection: self.collection.name.clone(),
            also: Vec::new(),
            question: Statement::sql(question),
            rows,
            hint: hint.to_owned(),
        }
    }

    /// Those that share the columns of a key.
    pub fn sharing(&self, columns: &[String], predicate: Option<&str>, what: &str) -> Guard {
        let list = columns.join(", ");
        let mut conditions: Vec<String> =
            columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
        if let Some(predicate) = predicate {
            conditions.push(format!("({predicate})"));
        }
        let groups = sql()
            .words(" FROM ")
            .sql(&self.source)
            .words(" WHERE ")
            .sql(&conditions.join(" AND "))
            .words(" GROUP BY ")
            .sql(&list)
            .words(" HAVING count(*) > 1")
            .finish();
        let shown: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
        let question = sql()
            .words("SELECT coalesce((SELECT sum(n) FROM (SELECT count(*) AS n")
            .sql(&groups)
            .words(")), 0), (SELECT group_concat(example, ', ') FROM (SELECT substr(")
            .sql(&shown.join(" || ' and ' || "))
            .words(", 1, 40) AS example")
            .sql(&groups)
            .words(" LIMIT 3))")
            .finish();
        let name = &self.collection.name;
        Guard {
            collection: name.clone(),
            also: Vec::new(),
            question: Statement::sql(question),
            rows: format!("rows of {name} that share a value of {what}"),
            hint: "make them differ with an update before it, or delete all but one".to_owned(),
        }
    }

    /// Those with null in a field.
    pub fn nulls(&self, field: &Name) -> Guard {
        let column = sql().name(field).finish();
        self.with(
            &example(self.collection),
            &format!("{column} IS NULL"),
            format!("rows with null in {}.{field}", self.collection.name),
            "give them a value with an update before it",
        )
    }

    /// Those of an update that would divide by zero to set a field.
    pub fn dividing_by_zero(&self, field: &Name, filter: &str, divisor: &str) -> Guard {
        self.with(
            &example(self.collection),
            &format!("({filter}) AND ({divisor}) = 0"),
            format!(
                "rows of {} where {field} would be divided by zero",
                self.collection.name
            ),
            "leave them out with where, or give them another divisor before it",
        )
    }

    /// Any at all.
    pub fn any(&self, field: &Name) -> Guard {
        self.with(
            &example(self.collection),
            "TRUE",
            format!(
                "rows of {}, which have no value for the required field {field},",
                self.collection.name
            ),
            "give the field a default, or add it nullable and fill it with an update",
        )
    }

    /// Those whose value an enum does not have.
    pub fn outside(&self, field: &Name, values: &[String]) -> Guard {
        let column = sql().name(field).finish();
        let condition = sql()
            .sql(&column)
            .words(" NOT IN (")
            .texts(values.iter().map(String::as_str))
            .words(")")
            .finish();
        self.with(
            &column,
            &condition,
            format!(
                "rows of {} with a value that the enum does not have in {field}",
                self.collection.name
            ),
            "mend them with an update before it",
        )
    }

    /// Those that stand in the way of a constraint; nothing where SQLite asks nothing.
    pub fn against(&self, constraint: &Constraint, schema: &Schema) -> Option<Guard> {
        match &constraint.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                Some(self.sharing(&self.collated(columns), None, &listed(columns)))
            }
            Rule::Check(expression) => {
                let text = expression.text(BackendName::Sqlite)?;
                Some(self.with(
                    &example(self.collection),
                    &format!("NOT ({text})"),
                    format!(
                        "rows of {} for which the check does not hold",
                        self.collection.name
                    ),
                    "mend them with an update before it",
                ))
            }
            Rule::ForeignKey(columns, references) => {
                let own = references.table == self.collection.name;
                let target = match own {
                    true => self.collection,
                    false => schema.collection(&references.table)?,
                };
                let known = references.columns.len() == columns.len()
                    && references.columns.iter().all(|c| target.field(c).is_some());
                known.then(|| self.orphans(columns, references))
            }
        }
    }

    /// Columns as a key compares them.
    fn collated(&self, columns: &[Name]) -> Vec<String> {
        columns
            .iter()
            .map(|column| {
                let collation = self
                    .collection
                    .field(column)
                    .and_then(|field| Name::new(field.collation.as_ref()?).ok());
                sql()
                    .name(column)
                    .maybe(collation, |text, collation| {
                        text.words(" COLLATE ").name(&collation)
                    })
                    .finish()
            })
            .collect()
    }

    fn orphans(&self, columns: &[Name], references: &References) -> Guard {
        let collection = &self.collection.name;
        let own = |text: Sql, name: &Name| text.name(collection).words(".").name(name);
        let conditions = sql()
            .each(" AND ", columns, |text, name| {
                own(text, name).words(" IS NOT NULL")
            })
            .words(" AND NOT EXISTS (SELECT 1 FROM ")
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
        let mut guard = self.with(
            &first,
            &conditions,
            format!(
                "rows of {collection} whose {} is in no row of {}",
                listed(columns),
                references.table
            ),
            "delete them, or give them a row to point at",
        );
        guard.also.push(references.table.clone());
        guard
    }

    /// Those that share a value of a unique index.
    pub fn against_index(&self, index: &Index) -> Guard {
        let columns: Vec<String> = index
            .fields
            .iter()
            .map(|key| {
                let text = match &key.target {
                    IndexTarget::Field(name) => sql().name(name),
                    IndexTarget::Expression(expression) => sql()
                        .words("(")
                        .sql(expression.text(BackendName::Sqlite).unwrap_or("NULL"))
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
            .and_then(|p| p.text(BackendName::Sqlite));
        self.sharing(&columns, predicate, &columns.join(", "))
    }

    /// Those that stand in the way of what the collection demands already of values that change.
    pub fn against_what_stays(&self, after: &'c Collection, changed: &[&Name]) -> Vec<Guard> {
        let later = Rows {
            collection: after,
            source: self.source.clone(),
        };
        let about = |names: &[Name]| names.iter().any(|name| changed.contains(&name));
        let there = |names: &[Name]| {
            names
                .iter()
                .all(|name| self.collection.field(name).is_some())
        };
        let mut guards = Vec::new();
        for constraint in &after.constraints {
            let touched = match &constraint.rule {
                Rule::Check(_) => changed.iter().any(|name| constraint.mentions(name)),
                Rule::ForeignKey(..) => false,
                Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                    about(columns) && there(columns)
                }
            };
            if touched {
                guards.extend(later.against(constraint, &Schema::new()));
            }
        }
        for index in after.indexes.iter().filter(|index| index.unique) {
            if changed.iter().any(|name| index.mentions(name)) {
                guards.push(later.against_index(index));
            }
        }
        for name in changed {
            if let Some(field) = after.field(name)
                && let FieldType::Enum { values } = &field.field_type
            {
                guards.push(later.outside(name, values));
            }
        }
        guards
    }
}

fn listed(names: &[Name]) -> String {
    names
        .iter()
        .map(Name::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What shows a row to people: its key, or its first field.
fn example(collection: &Collection) -> String {
    collection
        .key()
        .first()
        .or(collection.fields.first().map(|field| &field.name))
        .map_or_else(|| "NULL".to_owned(), |name| sql().name(name).finish())
}
