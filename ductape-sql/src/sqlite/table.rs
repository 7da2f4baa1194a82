//! How SQLite writes tables and indexes.

use super::dialect::{column_type, default_text, sql};
use crate::writer::Sql;
use ductape_core::schema::{
    Collection, Constraint, Deferrable, Field, FieldType, Index, IndexKey, IndexTarget, References,
    ReferentialAction, Rule,
};
use ductape_core::{BackendName, Name};

/// `CREATE TABLE`, under another name if one is given.
pub(crate) fn create_table(collection: &Collection, name: Option<&Name>) -> String {
    let strict = collection.options.sql.strict;
    let counting = counting_key(collection);
    let mut text = sql()
        .words(if collection.options.sql.temporary {
            "CREATE TEMPORARY TABLE "
        } else {
            "CREATE TABLE "
        })
        .name(name.unwrap_or(&collection.name))
        .words(" (\n  ");
    text = text.each(",\n  ", &collection.fields, |text, field| {
        let key = counting
            .filter(|(_, counted)| **counted == field.name)
            .map(|(key, _)| key);
        column(text, field, strict, key)
    });
    for constraint in &collection.constraints {
        if counting.is_some() && matches!(constraint.rule, Rule::PrimaryKey(_)) {
            continue;
        }
        text = table_constraint(text.words(",\n  "), constraint);
    }
    text = text.words("\n)");
    let without_rowid = collection.options.sql.without_rowid;
    text.words_if(strict, " STRICT")
        .words_if(strict && without_rowid, ",")
        .words_if(without_rowid, " WITHOUT ROWID")
        .finish()
}

/// The primary key of a single field that counts by itself: SQLite writes it at the column.
pub(crate) fn counting_key(collection: &Collection) -> Option<(&Constraint, &Name)> {
    let key = collection.primary_key()?;
    let [name] = key.columns() else {
        return None;
    };
    collection
        .field(name)
        .filter(|field| field.auto_increment)
        .map(|field| (key, &field.name))
}

/// A column definition.
pub(crate) fn column(mut text: Sql, field: &Field, strict: bool, key: Option<&Constraint>) -> Sql {
    text = text.name(&field.name);
    let declared = column_type(field, strict);
    if !declared.is_empty() {
        text = text.words(" ").sql(&declared);
    }
    if let Some(key) = key {
        text = text
            .maybe(key.name.as_ref(), |text, name| {
                text.words(" CONSTRAINT ").name(name)
            })
            .words(" PRIMARY KEY AUTOINCREMENT");
    }
    text = text.words_if(field.required, " NOT NULL");
    if let Some(default) = &field.default
        && let Some(default) = default_text(default, &field.field_type)
    {
        text = text.words(" DEFAULT ").sql(&default);
    }
    if let Some(collation) = &field.collation {
        text = match Name::new(collation) {
            Ok(collation) => text.words(" COLLATE ").name(&collation),
            Err(_) => text,
        };
    }
    if let FieldType::Enum { values } = &field.field_type {
        text = text
            .words(" CHECK (")
            .name(&field.name)
            .words(" IN (")
            .texts(values.iter().map(String::as_str))
            .words("))");
    }
    if let Some(generated) = &field.generated {
        text = text
            .words(" GENERATED ALWAYS AS (")
            .sql(
                generated
                    .expression
                    .text(BackendName::Sqlite)
                    .unwrap_or("NULL"),
            )
            .words(if generated.stored {
                ") STORED"
            } else {
                ") VIRTUAL"
            });
    }
    text
}

fn table_constraint(text: Sql, constraint: &Constraint) -> Sql {
    let text = text.maybe(constraint.name.as_ref(), |text, name| {
        text.words("CONSTRAINT ").name(name).words(" ")
    });
    match &constraint.rule {
        Rule::PrimaryKey(columns) => text.words("PRIMARY KEY (").names(columns).words(")"),
        Rule::Unique(columns) => text.words("UNIQUE (").names(columns).words(")"),
        Rule::Check(expression) => text
            .words("CHECK (")
            .sql(expression.text(BackendName::Sqlite).unwrap_or("TRUE"))
            .words(")"),
        Rule::ForeignKey(columns, references) => {
            let text = text.words("FOREIGN KEY (").names(columns).words(")");
            foreign_key(text, references, constraint.deferrable)
        }
    }
}

fn foreign_key(text: Sql, references: &References, deferrable: Option<Deferrable>) -> Sql {
    let text = text
        .words(" REFERENCES ")
        .name(&references.table)
        .words(" (")
        .names(&references.columns)
        .words(")")
        .maybe(action(references.on_delete), |text, action| {
            text.words(" ON DELETE ").words(action)
        })
        .maybe(action(references.on_update), |text, action| {
            text.words(" ON UPDATE ").words(action)
        });
    match deferrable {
        None => text,
        Some(Deferrable::Immediate) => text.words(" DEFERRABLE INITIALLY IMMEDIATE"),
        Some(Deferrable::Deferred) => text.words(" DEFERRABLE INITIALLY DEFERRED"),
    }
}

fn action(action: Option<ReferentialAction>) -> Option<&'static str> {
    match action {
        None | Some(ReferentialAction::NoAction) => None,
        Some(other) => Some(other.word()),
    }
}

/// `CREATE INDEX`.
pub(crate) fn create_index(collection: &Name, name: &Name, index: &Index) -> String {
    sql()
        .words(if index.unique {
            "CREATE UNIQUE INDEX "
        } else {
            "CREATE INDEX "
        })
        .name(name)
        .words(" ON ")
        .name(collection)
        .words(" (")
        .each(", ", &index.fields, index_key)
        .words(")")
        .maybe(
            index
                .predicate
                .as_ref()
                .and_then(|p| p.text(BackendName::Sqlite)),
            |text, predicate| text.words(" WHERE ").sql(predicate),
        )
        .finish()
}

fn index_key(text: Sql, key: &IndexKey) -> Sql {
    let text = match &key.target {
        IndexTarget::Field(name) => text.name(name),
        IndexTarget::Expression(expression) => text
            .words("(")
            .sql(expression.text(BackendName::Sqlite).unwrap_or("NULL"))
            .words(")"),
    };
    let collation = key.collation.as_ref().and_then(|c| Name::new(c).ok());
    text.maybe(collation, |text, collation| {
        text.words(" COLLATE ").name(&collation)
    })
    .words_if(key.descending, " DESC")
}

/// `DROP INDEX`.
pub(crate) fn drop_index(name: &Name) -> String {
    sql().words("DROP INDEX ").name(name).finish()
}
