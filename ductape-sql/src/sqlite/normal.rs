//! What SQLite can hold of a collection and give back.

use super::dialect::normal_field;
use ductape_core::schema::{Constraint, Index, IndexTarget, Rule};
use ductape_core::{BackendName, Collection, Name};
use std::sync::Arc;

/// A collection as SQLite can hold it and give it back.
pub(super) fn normal_collection(collection: &Collection) -> Collection {
    let mut normal = Collection::new(collection.name.clone());
    let options = &collection.options.sql;
    if options.strict || options.without_rowid {
        let sql = &mut Arc::make_mut(&mut normal.options).sql;
        sql.strict = options.strict;
        sql.without_rowid = options.without_rowid;
    }
    normal.fields = collection
        .fields
        .iter()
        .map(|field| normal_field(collection, field))
        .collect();
    for index in &collection.indexes {
        normal.insert_index(normal_index(index));
    }
    for constraint in &collection.constraints {
        let mut constraint = constraint.clone();
        constraint
            .native
            .retain(|backend, _| *backend == BackendName::Sqlite);
        match &mut constraint.rule {
            Rule::Check(expression) => {
                if let Some(folded) = expression.folded(BackendName::Sqlite) {
                    *expression = folded;
                }
            }
            Rule::ForeignKey(_, references) => {
                for action in [&mut references.on_delete, &mut references.on_update] {
                    *action = action.filter(|a| a.word() != "NO ACTION");
                }
            }
            _ => {}
        }
        normal.insert_constraint(constraint);
    }
    normal
}

/// The live collection with the names on record of the constraints that have none in the database. The
/// names that are made for them there follow the collection and its fields; those on record stay.
pub(super) fn with_recorded_names(record: &Collection, live: &Collection) -> Collection {
    let mut named = live.clone();
    named.constraints.clear();
    for constraint in &live.constraints {
        let mut constraint = constraint.clone();
        let made = constraint.made_name(&live.name, 0);
        let unnamed = constraint
            .name
            .as_ref()
            .is_some_and(|name| name.as_str().starts_with(made.as_str()));
        let known = |name: &Option<Name>| name.as_ref().and_then(|name| record.constraint(name));
        if unnamed && known(&constraint.name).is_none() {
            let same = |other: &&Constraint| {
                other.rule == constraint.rule
                    && other.deferrable == constraint.deferrable
                    && other.native == constraint.native
                    && other.name.as_ref().is_some_and(|name| {
                        live.constraint(name).is_none() && named.constraint(name).is_none()
                    })
            };
            if let Some(recorded) = record.constraints.iter().find(same) {
                constraint.name.clone_from(&recorded.name);
            }
        }
        named.insert_constraint(constraint);
    }
    named
}

fn normal_index(index: &Index) -> Index {
    let mut normal = index.clone();
    normal.method = None;
    normal.comment = None;
    normal.mongo = Default::default();
    normal.dynamo = Default::default();
    if let Some(predicate) = &mut normal.predicate
        && let Some(folded) = predicate.folded(BackendName::Sqlite)
    {
        *predicate = folded;
    }
    for key in &mut normal.fields {
        if let IndexTarget::Expression(expression) = &mut key.target
            && let Some(folded) = expression.folded(BackendName::Sqlite)
        {
            *expression = folded;
        }
        key.collation = key
            .collation
            .as_ref()
            .map(|collation| collation.to_ascii_uppercase());
    }
    normal
}
