//! Tables that inherit, and tables in partitions: what PostgreSQL lets nobody change in them.

use super::compiler::Compilation;
use ductape_core::expression::mentions;
use ductape_core::schema::{
    Constraint, Field, INHERITANCE, Index, IndexTarget, PARTITIONING, Rule,
};
use ductape_core::{BackendName, Name, Operation, Resolved, Schema};

impl Compilation<'_> {
    pub(super) fn check_family(&mut self, at: usize, resolved: &Resolved) {
        let before = &resolved.before;
        match &resolved.operation {
            Operation::DropField(drop) => {
                self.check_inherited(at, &drop.collection, &drop.field, before);
                self.check_partition_key(at, &drop.collection, &drop.field, before);
            }
            Operation::RenameField(rename) => {
                self.check_inherited(at, &rename.collection, &rename.from, before);
            }
            Operation::ModifyField(modify) => {
                let field = |schema: &Schema| {
                    let collection = schema.collection(&modify.collection)?;
                    collection.field(&modify.field).cloned()
                };
                if field(before).is_some_and(|old| {
                    field(&resolved.after).is_some_and(|new| is_another(&old, &new))
                }) || !modify.using.is_empty()
                {
                    self.check_inherited(at, &modify.collection, &modify.field, before);
                    self.check_partition_key(at, &modify.collection, &modify.field, before);
                }
            }
            Operation::DropConstraint(drop) => {
                let inherits = parents(before, &drop.collection).find(|parent| {
                    before
                        .collection(parent)
                        .and_then(|parent| parent.constraint(&drop.constraint))
                        .is_some_and(|constraint| matches!(constraint.rule, Rule::Check(_)))
                });
                if let Some(parent) = inherits.cloned() {
                    self.refuse(
                        at,
                        format!(
                            "{} has the check {} from {parent}, which it inherits from",
                            drop.collection, drop.constraint
                        ),
                        format!("drop it from {parent}"),
                    );
                }
            }
            Operation::AddConstraint(add) => {
                self.check_key_of_partitioned(at, &add.collection, &add.constraint, before);
            }
            Operation::CreateIndex(create) if create.index.unique => {
                self.check_unique_of_partitioned(at, &create.collection, &create.index, before);
            }
            Operation::ModifyCollection(modify) => {
                let unlogged = |schema: &Schema| {
                    schema
                        .collection(&modify.name)
                        .is_some_and(|collection| collection.options.sql.unlogged)
                };
                if unlogged(before) != unlogged(&resolved.after)
                    && partition_key(before, &modify.name).is_some()
                {
                    self.refuse(
                        at,
                        format!(
                            "{} has no rows of its own, but partitions that have",
                            modify.name
                        ),
                        "say with raw statements which partitions are to be unlogged",
                    );
                }
            }
            _ => {}
        }
    }

    fn check_inherited(&mut self, at: usize, collection: &Name, field: &Name, before: &Schema) {
        let parent = parents(before, collection).find(|parent| {
            before
                .collection(parent)
                .is_some_and(|parent| parent.field(field).is_some())
        });
        if let Some(parent) = parent.cloned() {
            self.refuse(
                at,
                format!("{collection} has the field {field} from {parent}, which it inherits from"),
                format!("change it in {parent}; PostgreSQL changes both"),
            );
        }
    }

    fn check_partition_key(&mut self, at: usize, collection: &Name, field: &Name, before: &Schema) {
        if partition_key(before, collection).is_some_and(|key| mentions(key, field)) {
            self.refuse(
                at,
                format!("the rows of {collection} are spread over partitions by {field}"),
                "make another collection that is partitioned otherwise, and move the rows with raw statements",
            );
        }
    }

    fn check_key_of_partitioned(
        &mut self,
        at: usize,
        collection: &Name,
        constraint: &Constraint,
        before: &Schema,
    ) {
        if let Rule::PrimaryKey(columns) | Rule::Unique(columns) = &constraint.rule {
            self.check_has_partition_key(
                at,
                collection,
                &columns.iter().collect::<Vec<_>>(),
                before,
            );
        }
    }

    fn check_unique_of_partitioned(
        &mut self,
        at: usize,
        collection: &Name,
        index: &Index,
        before: &Schema,
    ) {
        let columns: Vec<&Name> = index
            .fields
            .iter()
            .filter_map(|key| match &key.target {
                IndexTarget::Field(name) => Some(name),
                IndexTarget::Expression(_) => None,
            })
            .collect();
        self.check_has_partition_key(at, collection, &columns, before);
    }

    fn check_has_partition_key(
        &mut self,
        at: usize,
        collection: &Name,
        columns: &[&Name],
        before: &Schema,
    ) {
        let (Some(key), Some(there)) = (
            partition_key(before, collection),
            before.collection(collection),
        ) else {
            return;
        };
        let missing = there
            .fields
            .iter()
            .find(|field| mentions(key, &field.name) && !columns.contains(&&field.name));
        if let Some(field) = missing {
            self.refuse(
                at,
                format!(
                    "what is unique in {collection} must have {} in it: its rows are spread over partitions by that",
                    field.name
                ),
                format!("add {} to its fields", field.name),
            );
        }
    }
}

/// The collections that one inherits from.
fn parents<'s>(schema: &'s Schema, collection: &'s Name) -> impl Iterator<Item = &'s Name> {
    schema
        .natives()
        .filter(move |native| native.kind == INHERITANCE && native.on.as_ref() == Some(collection))
        .map(|native| &native.name)
}

/// How a collection's rows are spread over partitions, in the server's words.
fn partition_key<'s>(schema: &'s Schema, collection: &Name) -> Option<&'s str> {
    schema
        .natives()
        .find(|native| native.kind == PARTITIONING && native.on.as_ref() == Some(collection))
        .map(|native| native.definition.as_str())
}

/// Whether the column is another one, and not only its default or whether it may be null.
fn is_another(old: &Field, new: &Field) -> bool {
    let native = |field: &Field| field.native.get(&BackendName::Postgresql).cloned();
    old.field_type != new.field_type
        || old.collation != new.collation
        || old.generated != new.generated
        || native(old) != native(new)
}
