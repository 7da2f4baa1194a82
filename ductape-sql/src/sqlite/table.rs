//! How SQLite writes tables and indexes.

use super::dialect::{default_text, sql};
use super::words::{Words, is_required, words_at_column};
use crate::writer::Sql;
use ductape_core::schema::{
    Collection, Constraint, Deferrable, Field, FieldType, Index, IndexKey, IndexTarget, References,
    ReferentialAction, Rule,
};
use ductape_core::{BackendName, Name};

/// `CREATE TABLE`, under another name if one is given.
pub(crate) fn create_table(collection: &Collection, name: Option<&Name>) -> String {
    let strict = collection.options.sql.strict;
    let at_column = key_at_column(collection);
    let mut text = sql()
        .words(if collection.options.sql.temporary {
            "CREATE TEMPORARY TABLE "
        } else {
            "CREATE TABLE "
        })
        .name(name.unwrap_or(&collection.name))
        .words(" (\n  ");
    text = text.each(",\n  ", &collection.fields, |text, field| {
        let key = at_column.filter(|key| key.columns().contains(&field.name));
        column(text, field, strict, is_required(collection, field), key)
    });
    for constraint in &collection.constraints {
        if at_column.is_some() && matches!(constraint.rule, Rule::PrimaryKey(_)) {
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

/// The primary key, where it is written at its column.
fn key_at_column(collection: &Collection) -> Option<&Constraint> {
    collection
        .primary_key()
        .filter(|key| words_at_column(key).is_some())
        .or_else(|| counting_key(collection).map(|(key, _)| key))
}

/// A column definition.
pub(crate) fn column(
    mut text: Sql,
    field: &Field,
    strict: bool,
    required: bool,
    key: Option<&Constraint>,
) -> Sql {
    text = text.name(&field.name);
    let words = Words::of(field, strict);
    if !words.declared.is_empty() {
        text = text.words(" ").sql(&words.declared);
    }
    if let Some(key) = key {
        text = text
            .maybe(key.name.as_ref(), |text, name| {
                text.words(" CONSTRAINT ").name(name)
            })
            .words(" ")
            .sql(words_at_column(key).unwrap_or("PRIMARY KEY AUTOINCREMENT"));
    }
    if required {
        text = text
            .words(" NOT NULL")
            .maybe(words.not_null.as_ref(), |text, word| {
                text.words(" ON CONFLICT ").sql(word)
            });
    }
    if let Some(default) = &field.default
        && let Some(default) = default_text(default, &field.field_type)
    {
        text = text.words(" DEFAULT ").sql(&default);
    }
    if let Some(collation) = field.collation.as_ref().or(words.collation.as_ref()) {
        text = match Name::new(collation) {
            Ok(collation) => text.words(" COLLATE ").name(&collation),
            Err(_) => text,
        };
    }
    if let FieldType::Enum { values } = &field.field_type
        && !field.native.contains_key(&BackendName::Sqlite)
    {
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
    if let Some(native) = constraint.native.get(&BackendName::Sqlite) {
        return text.sql(native);
    }
    match &constraint.rule {
        Rule::PrimaryKey(columns) => text.words("PRIMARY KEY (").names(columns).words(")"),
        Rule::Unique(columns) => text.words("UNIQUE (").names(columns).words(")"),
        Rule::Check(expression) => text
            .words("CHECK (")
            .sql(expression.text(BackendName::Sqlite).unwrap_or("TRUE"))
            .words(")"),
        Rule::ForeignKey(columns, references) => {
            let text = text.words("FOREIGN KEY (").names(columns).words(")");
            deferred(foreign_key(text, references), constraint.deferrable)
        }
    }
}

/// A foreign key, from `REFERENCES` on, but for when it is checked.
pub(crate) fn foreign_key(text: Sql, references: &References) -> Sql {
    let mut text = text.words(" REFERENCES ").name(&references.table);
    if !references.columns.is_empty() {
        text = text.words(" (").names(&references.columns).words(")");
    }
    text.maybe(action(references.on_delete), |text, action| {
        text.words(" ON DELETE ").words(action)
    })
    .maybe(action(references.on_update), |text, action| {
        text.words(" ON UPDATE ").words(action)
    })
}

/// When a foreign key is checked.
pub(crate) fn deferred(text: Sql, deferrable: Option<Deferrable>) -> Sql {
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
