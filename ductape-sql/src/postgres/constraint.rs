//! How PostgreSQL writes constraints.

use super::dialect::sql;
use super::table::alter_table;
use crate::writer::Sql;
use ductape_core::schema::{Constraint, Deferrable, References, ReferentialAction, Rule};
use ductape_core::{BackendName, Name};

/// A constraint as it stands in `CREATE TABLE` and behind `ADD`.
pub(crate) fn table_constraint(text: Sql, constraint: &Constraint) -> Sql {
    let text = text.maybe(constraint.name.as_ref(), |text, name| {
        text.words("CONSTRAINT ").name(name).words(" ")
    });
    let text = match &constraint.rule {
        Rule::PrimaryKey(columns) => text.words("PRIMARY KEY (").names(columns).words(")"),
        Rule::Unique(columns) => text.words("UNIQUE (").names(columns).words(")"),
        Rule::Check(expression) => text
            .words("CHECK (")
            .sql(expression.text(BackendName::Postgresql).unwrap_or("TRUE"))
            .words(")"),
        Rule::ForeignKey(columns, references) => {
            let text = text.words("FOREIGN KEY (").names(columns).words(")");
            target(text, references)
        }
    };
    deferrable(text, constraint.deferrable)
}

fn target(text: Sql, references: &References) -> Sql {
    text.words(" REFERENCES ")
        .name(&references.table)
        .words(" (")
        .names(&references.columns)
        .words(")")
        .maybe(action(references.on_delete), |text, action| {
            text.words(" ON DELETE ").words(action)
        })
        .maybe(action(references.on_update), |text, action| {
            text.words(" ON UPDATE ").words(action)
        })
}

fn action(action: Option<ReferentialAction>) -> Option<&'static str> {
    match action {
        None | Some(ReferentialAction::NoAction) => None,
        Some(other) => Some(other.word()),
    }
}

fn deferrable(text: Sql, deferrable: Option<Deferrable>) -> Sql {
    match deferrable {
        None => text,
        Some(Deferrable::Immediate) => text.words(" DEFERRABLE INITIALLY IMMEDIATE"),
        Some(Deferrable::Deferred) => text.words(" DEFERRABLE INITIALLY DEFERRED"),
    }
}

/// `ADD CONSTRAINT`, with the rows that are there looked at.
pub(crate) fn add_constraint(collection: &Name, constraint: &Constraint) -> String {
    table_constraint(alter_table(collection).words("ADD "), constraint).finish()
}

/// `ADD CONSTRAINT`, with the rows that are there left for later.
pub(crate) fn add_not_valid(collection: &Name, constraint: &Constraint) -> String {
    table_constraint(alter_table(collection).words("ADD "), constraint)
        .words(" NOT VALID")
        .finish()
}

/// `VALIDATE CONSTRAINT`.
pub(crate) fn validate(collection: &Name, name: &Name) -> String {
    alter_table(collection)
        .words("VALIDATE CONSTRAINT ")
        .name(name)
        .finish()
}

/// The unique index that is to be a constraint, built without keeping writers waiting.
pub(crate) fn key_index_concurrently(collection: &Name, name: &Name, columns: &[Name]) -> String {
    sql()
        .words("CREATE UNIQUE INDEX CONCURRENTLY ")
        .name(name)
        .words(" ON ")
        .name(collection)
        .words(" (")
        .names(columns)
        .words(")")
        .finish()
}

/// `ADD CONSTRAINT … USING INDEX`, for a key whose index is there.
pub(crate) fn add_using_index(collection: &Name, name: &Name, constraint: &Constraint) -> String {
    let text = alter_table(collection)
        .words("ADD CONSTRAINT ")
        .name(name)
        .words(match constraint.rule {
            Rule::PrimaryKey(_) => " PRIMARY KEY USING INDEX ",
            _ => " UNIQUE USING INDEX ",
        })
        .name(name);
    deferrable(text, constraint.deferrable).finish()
}

/// `DROP CONSTRAINT`.
pub(crate) fn drop_constraint(collection: &Name, name: &Name) -> String {
    alter_table(collection)
        .words("DROP CONSTRAINT ")
        .name(name)
        .finish()
}
