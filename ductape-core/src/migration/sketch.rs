//! What migrations themselves tell of a schema.

use crate::name::Name;
use crate::operation::{CreateCollection, DropConstraint, Operation, SchemaErrorKind};
use crate::problem::Problem;
use crate::schema::Schema;
use std::collections::BTreeSet;

/// What the given migrations themselves tell of a schema that is otherwise unknown: the collections
/// that they make, and those that they drop. What contradicts this is wrong without any database.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    known: Schema,
    gone: BTreeSet<Name>,
    /// Known collections that have foreign keys which are not: what they point at is not known.
    loose: BTreeSet<Name>,
}

impl Sketch {
    /// Follows an operation.
    ///
    /// # Errors
    /// What contradicts the operations before it.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Problem> {
        let subject = operation.collection();
        if let Some(subject) = subject
            && !matches!(operation, Operation::CreateCollection(_))
            && self.gone.contains(subject)
            && !tolerates_absence(operation)
        {
            return Err(Problem::new(
                "",
                format!(
                    "{}: the collection {subject:?} is gone by then",
                    operation.describe()
                ),
            ));
        }
        let known = subject.is_some_and(|subject| self.known.collection(subject).is_some());
        let outcome = match operation {
            Operation::CreateCollection(create) => {
                if let Some(gone) = points_at_gone(create, &self.gone) {
                    return Err(gone);
                }
                let mut create = create.clone();
                let name = create.name.clone();
                let all = create.constraints.len();
                create.constraints.retain(|constraint| {
                    constraint.references().is_none_or(|references| {
                        references.table == create.name
                            || self.known.collection(&references.table).is_some()
                    })
                });
                let loose = create.constraints.len() < all;
                let outcome = Operation::from(create).apply(&mut self.known);
                if outcome.is_ok() && loose {
                    self.loose.insert(name);
                }
                outcome
            }
            Operation::AddConstraint(add) if known => match add.constraint.references() {
                Some(references) if self.gone.contains(&references.table) => {
                    return Err(gone_target(&references.table));
                }
                Some(references) if self.known.collection(&references.table).is_none() => {
                    self.loose.insert(add.collection.clone());
                    Ok(())
                }
                _ => operation.apply(&mut self.known),
            },
            Operation::DropConstraint(drop) if self.may_have(drop) => Ok(()),
            Operation::RenameCollection(rename) => {
                let outcome = if known {
                    operation.apply(&mut self.known)
                } else if rename.from == rename.to || self.known.collection(&rename.to).is_some() {
                    return Err(Problem::new(
                        "",
                        format!("{}: that name is taken", operation.describe()),
                    ));
                } else {
                    Ok(())
                };
                if outcome.is_ok() {
                    self.gone.insert(rename.from.clone());
                    self.gone.remove(&rename.to);
                    if self.loose.remove(&rename.from) {
                        self.loose.insert(rename.to.clone());
                    }
                }
                outcome
            }
            Operation::Raw(_) | Operation::Restore(_) => {
                // A raw statement may do anything to what was known.
                *self = Self::default();
                Ok(())
            }
            Operation::DropCollection(drop) => {
                let outcome = if known {
                    operation.apply(&mut self.known)
                } else {
                    Ok(())
                };
                if outcome.is_ok() {
                    self.gone.insert(drop.name.clone());
                    self.loose.remove(&drop.name);
                }
                outcome
            }
            _ if known => operation.apply(&mut self.known),
            _ => Ok(()),
        };
        if let Operation::CreateCollection(create) = operation {
            self.gone.remove(&create.name);
        }
        outcome.map_err(|error| {
            let message = match error.kind {
                SchemaErrorKind::AlreadyExists { .. } | SchemaErrorKind::Missing => {
                    format!("{}: {}", operation.describe(), error.message)
                }
                _ => error.message.clone(),
            };
            let problem = Problem::new("", message);
            match error.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })
    }
}

impl Sketch {
    /// Whether a constraint that is not known may be one of the foreign keys that are not.
    fn may_have(&self, drop: &DropConstraint) -> bool {
        self.loose.contains(&drop.collection)
            && self
                .known
                .collection(&drop.collection)
                .is_some_and(|collection| collection.constraint(&drop.constraint).is_none())
    }
}

fn tolerates_absence(operation: &Operation) -> bool {
    matches!(operation, Operation::DropCollection(drop) if drop.if_exists)
}

fn gone_target(table: &Name) -> Problem {
    Problem::new(
        "",
        format!("the foreign key points at the collection {table:?}, which is gone by then"),
    )
}

fn points_at_gone(create: &CreateCollection, gone: &BTreeSet<Name>) -> Option<Problem> {
    create
        .constraints
        .iter()
        .filter_map(|constraint| Some(&constraint.references()?.table))
        .find(|table| **table != create.name && gone.contains(*table))
        .map(gone_target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::migration::Migration;
    use crate::problem::Problems;

    fn checked(up: &str) -> Result<(), Problems> {
        let up = Migration::parse_operations(up)?;
        Migration::new("checked", None, up, None).map(|_| ())
    }

    #[test]
    fn a_foreign_key_to_a_collection_that_is_not_known_can_be_dropped() {
        let key = r#"{"name": "k", "type": "foreignKey", "columns": ["a"], "references": {"table": "elsewhere", "columns": ["id"]}}"#;
        let rename = r#"{"type": "renameCollection", "from": "t", "to": "u"}"#;
        let drop = r#"{"type": "dropConstraint", "collection": "u", "constraint": "k"}"#;
        checked(&format!(
            r#"[{{"type": "createCollection", "name": "t", "fields": {{"a": "integer"}}, "constraints": [{key}]}},
                {rename}, {drop}]"#
        ))
        .unwrap();
        checked(&format!(
            r#"[{{"type": "createCollection", "name": "t", "fields": {{"a": "integer"}}}},
                {{"type": "addConstraint", "collection": "t", "constraint": {key}}}, {rename}, {drop}]"#
        ))
        .unwrap();
        let without = format!(
            r#"[{{"type": "createCollection", "name": "u", "fields": {{"a": "integer"}}}}, {drop}]"#
        );
        assert!(checked(&without).is_err());
    }

    #[test]
    fn a_new_collection_cannot_point_at_one_that_is_gone() {
        let create = |target: &str| {
            format!(
                r#"[{{"type": "dropCollection", "name": "{target}"}},
                    {{"type": "createCollection", "name": "t", "fields": {{"a": {{"type": "integer", "unique": true}}}},
                      "constraints": [{{"type": "foreignKey", "columns": ["a"],
                                        "references": {{"table": "{target}", "columns": ["a"]}}}}]}}]"#
            )
        };
        assert!(checked(&create("gone")).is_err());
        assert!(checked(&create("t")).is_ok());
    }
}
