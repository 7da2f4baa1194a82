//! From resolved operations to PostgreSQL's statements.
//!
//! What a collection's users would wait for is done without keeping them waiting, unless the collection
//! is made in the same list: indexes are built `CONCURRENTLY`, constraints are added `NOT VALID` and
//! validated afterwards. Such a step stands alone, so the steps around it are transactions of their own.

use super::capabilities::CAPABILITIES;
use super::constraint::{
    add_constraint, add_not_valid, add_using_index, drop_constraint, key_index_concurrently,
    validate,
};
use super::dialect::{Postgres, sql};
use super::effects;
use super::enum_type::{create_type, owned_values, with_types_of};
use super::guard::{any_row, constraint_guards, index_duplicates, second_row};
use super::index::{create_index, drop_index};
use super::normal::normal_collection;
use super::table::{
    alter_table, column, comment_on_column, comment_on_index, comment_on_table, counts,
    create_table,
};
use ductape_core::capabilities::Capabilities;
use ductape_core::compiler::{Atomicity, Compiler, Context, Direction, Effect, Refusal, Step};
use ductape_core::operation::{AddConstraint, AddField, CreateIndex, DropConstraint, DropIndex};
use ductape_core::schema::{Constraint, DefaultValue, Rule};
use ductape_core::{Collection, Name, Operation, Resolved, Risk, RiskKind, Schema, Statement};
use std::collections::BTreeSet;

impl Compiler for Postgres {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn normalize(&self, collection: &Collection) -> Collection {
        normal_collection(collection)
    }

    fn compile(
        &self,
        operations: &[Resolved],
        context: &Context,
    ) -> Result<Vec<Step>, Vec<Refusal>> {
        let mut compilation = Compilation {
            operations,
            direction: context.direction,
            fresh: BTreeSet::new(),
            steps: Vec::with_capacity(operations.len()),
            refusals: Vec::new(),
        };
        for (at, resolved) in operations.iter().enumerate() {
            compilation.operation(at, resolved);
        }
        if compilation.refusals.is_empty() {
            Ok(compilation.steps)
        } else {
            Err(compilation.refusals)
        }
    }
}

pub(super) struct Compilation<'r> {
    pub(super) operations: &'r [Resolved],
    pub(super) direction: Direction,
    /// The collections that this list makes: nobody else uses them yet.
    fresh: BTreeSet<Name>,
    steps: Vec<Step>,
    refusals: Vec<Refusal>,
}

impl Compilation<'_> {
    pub(super) fn refuse(&mut self, at: usize, reason: impl Into<String>, hint: impl Into<String>) {
        if let Some(resolved) = self.operations.get(at) {
            self.refusals
                .push(Refusal::new(at, &resolved.operation, reason, hint));
        }
    }

    pub(super) fn step(&mut self, at: usize, statement: String) -> &mut Step {
        self.push(Step::statement(at..at + 1, Statement::Sql(statement)))
    }

    /// A step that stands alone: it waits for others, or works for long, without holding a lock that
    /// anybody would wait for.
    pub(super) fn alone(&mut self, at: usize, statement: String, effect: Effect) -> &mut Step {
        let mut step = Step::statement(at..at + 1, Statement::Sql(statement));
        step.atomicity = Atomicity::Alone;
        step.effects.push(effect);
        self.push(step)
    }

    pub(super) fn push(&mut self, step: Step) -> &mut Step {
        self.steps.push(step);
        let last = self.steps.len() - 1;
        // The vector was pushed to just now.
        #[allow(clippy::indexing_slicing, reason = "the vector is not empty")]
        &mut self.steps[last]
    }

    /// Whether nobody can be waiting for a collection: this list makes it, or drops it in the end.
    pub(super) fn nobody_waits(&self, at: usize, collection: &Name) -> bool {
        self.fresh.contains(collection)
            || self.operations.iter().skip(at).any(|later| {
                matches!(&later.operation, Operation::DropCollection(drop) if drop.name == *collection)
            })
    }

    fn operation(&mut self, at: usize, resolved: &Resolved) {
        match &resolved.operation {
            Operation::CreateCollection(create) => {
                if let Some(after) = resolved.after.collection(&create.name) {
                    self.create_collection(at, after);
                }
                self.fresh.insert(create.name.clone());
            }
            Operation::DropCollection(drop) => {
                if let Some(collection) = resolved.before.collection(&drop.name) {
                    self.drop_collection(at, collection);
                }
                self.fresh.remove(&drop.name);
            }
            Operation::AddField(add) => self.add_field(at, add),
            Operation::DropField(drop) => {
                let statement = alter_table(&drop.collection)
                    .words("DROP COLUMN ")
                    .name(&drop.field)
                    .finish();
                let owns = resolved
                    .before
                    .collection(&drop.collection)
                    .and_then(|collection| collection.field(&drop.field))
                    .is_some_and(|field| owned_values(field).is_some());
                let statement = match owns {
                    true => with_types_of(&drop.collection, &[&drop.field], &statement),
                    false => statement,
                };
                let effect = effects::field_gone(&drop.collection, &drop.field);
                self.step(at, statement).effects.push(effect);
            }
            Operation::CreateIndex(create) => self.create_index(at, create),
            Operation::DropIndex(drop) => self.drop_index(at, drop),
            Operation::AddConstraint(add) => self.add_constraint(at, add, &resolved.before),
            Operation::DropConstraint(drop) => self.drop_constraint(at, drop),
            _ => self.refuse(at, "not written yet", ""),
        }
    }

    fn create_collection(&mut self, at: usize, collection: &Collection) {
        for field in &collection.fields {
            if let Some(statement) = create_type(&collection.name, field) {
                self.step(at, statement);
            }
        }
        let effect = effects::collection_made(&collection.name);
        self.step(at, create_table(collection)).effects.push(effect);
        for index in &collection.indexes {
            if let Some(name) = &index.name {
                let statement = create_index(&collection.name, name, index, false);
                self.step(at, statement);
                if let Some(comment) = &index.comment {
                    self.step(at, comment_on_index(name, Some(comment)));
                }
            }
        }
        if let Some(comment) = &collection.comment {
            self.step(at, comment_on_table(&collection.name, Some(comment)));
        }
        for field in &collection.fields {
            if let Some(comment) = &field.comment {
                let statement = comment_on_column(&collection.name, &field.name, Some(comment));
                self.step(at, statement);
            }
        }
    }

    fn drop_collection(&mut self, at: usize, collection: &Collection) {
        let statement = sql().words("DROP TABLE ").name(&collection.name).finish();
        let owning: Vec<&Name> = collection
            .fields
            .iter()
            .filter(|field| owned_values(field).is_some())
            .map(|field| &field.name)
            .collect();
        let statement = match owning.as_slice() {
            [] => statement,
            owning => with_types_of(&collection.name, owning, &statement),
        };
        let effect = effects::collection_gone(&collection.name);
        self.step(at, statement).effects.push(effect);
    }

    fn add_field(&mut self, at: usize, add: &AddField) {
        let field = &add.field;
        if let Some(statement) = create_type(&add.collection, field) {
            self.step(at, statement);
        }
        let unfilled = field.required
            && field.default.is_none()
            && field.generated.is_none()
            && !field.auto_increment;
        let mut guards = Vec::new();
        let mut filled = field.clone();
        if unfilled && !self.fresh.contains(&add.collection) {
            if self.direction == Direction::Up {
                guards.push(any_row(&add.collection, &field.name));
            } else {
                // The rows get the type's neutral value; the field itself has no default.
                filled.default = Some(DefaultValue::Value(field.field_type.neutral_value()));
                if self.becomes_unique(at, add) {
                    guards.push(second_row(&add.collection, &field.name));
                }
            }
        }
        let text = alter_table(&add.collection).words("ADD COLUMN ");
        let statement = column(text, &add.collection, &filled).finish();
        let rewrites = counts(field)
            || field.generated.is_some()
            || matches!(
                field.default,
                Some(DefaultValue::Uuid | DefaultValue::Expression(_))
            );
        let fresh = self.fresh.contains(&add.collection);
        let step = self.step(at, statement);
        step.guards = guards;
        step.effects
            .push(effects::field_made(&add.collection, &field.name));
        if rewrites && !fresh {
            step.risks.push(Risk::new(
                RiskKind::TableRewrite,
                format!(
                    "PostgreSQL may write {} anew to fill {}, and others wait for it meanwhile (ACCESS EXCLUSIVE)",
                    add.collection, field.name
                ),
            ));
        }
        if filled.default != field.default {
            let statement = alter_table(&add.collection)
                .words("ALTER COLUMN ")
                .name(&field.name)
                .words(" DROP DEFAULT")
                .finish();
            self.step(at, statement);
        }
        if let Some(comment) = &field.comment {
            let statement = comment_on_column(&add.collection, &field.name, Some(comment));
            self.step(at, statement);
        }
    }

    /// Whether a later operation of this list makes the new field unique.
    fn becomes_unique(&self, at: usize, add: &AddField) -> bool {
        let only = std::slice::from_ref(&add.field.name);
        self.operations
            .iter()
            .skip(at)
            .any(|later| match &later.operation {
                Operation::AddConstraint(constraint) => {
                    constraint.collection == add.collection
                        && matches!(
                            constraint.constraint.rule,
                            Rule::PrimaryKey(_) | Rule::Unique(_)
                        )
                        && constraint.constraint.columns() == only
                }
                Operation::CreateIndex(index) => {
                    index.collection == add.collection
                        && index.index.unique
                        && index.index.predicate.is_none()
                        && matches!(index.index.fields.as_slice(), [key] if key.name() == Some(&add.field.name))
                }
                _ => false,
            })
    }

    fn create_index(&mut self, at: usize, create: &CreateIndex) {
        let (collection, index) = (&create.collection, &create.index);
        let Some(name) = &index.name else {
            return;
        };
        let fresh = self.nobody_waits(at, collection);
        let concurrently = !fresh && index.online != Some(false);
        let statement = create_index(collection, name, index, concurrently);
        let effect = effects::index_made(collection, name);
        let step = if concurrently {
            self.alone(at, statement, effect)
        } else {
            let step = self.step(at, statement);
            step.effects.push(effect);
            step
        };
        if index.unique && !fresh {
            step.guards.push(index_duplicates(collection, index));
        }
        if concurrently {
            step.risks.push(not_transactional(name));
        } else if !fresh {
            step.risks.push(Risk::new(
                RiskKind::BlockingLock,
                format!("writers of {collection} wait while the index {name} is built (SHARE)"),
            ));
        }
        if let Some(comment) = &index.comment {
            self.step(at, comment_on_index(name, Some(comment)));
        }
    }

    fn drop_index(&mut self, at: usize, drop: &DropIndex) {
        let concurrently = !self.nobody_waits(at, &drop.collection);
        let statement = drop_index(&drop.index, concurrently);
        let effect = effects::index_gone(&drop.collection, &drop.index);
        if concurrently {
            self.alone(at, statement, effect)
                .risks
                .push(not_transactional(&drop.index));
        } else {
            self.step(at, statement).effects.push(effect);
        }
    }

    fn add_constraint(&mut self, at: usize, add: &AddConstraint, before: &Schema) {
        let (name, constraint) = (&add.collection, &add.constraint);
        let (Some(collection), Some(called)) = (before.collection(name), &constraint.name) else {
            return;
        };
        if self.nobody_waits(at, name) {
            let effect = effects::constraint_made(name, called);
            self.step(at, add_constraint(name, constraint))
                .effects
                .push(effect);
            return;
        }
        let guards = constraint_guards(collection, constraint);
        match &constraint.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                let statement = key_index_concurrently(name, called, columns);
                let effect = effects::index_made(name, called);
                let step = self.alone(at, statement, effect);
                step.guards = guards;
                step.risks.push(not_transactional(called));
                let statement = add_using_index(name, called, constraint);
                let effect = effects::constraint_made(name, called);
                self.step(at, statement).effects.push(effect);
            }
            Rule::ForeignKey(..) | Rule::Check(_) => {
                self.add_and_validate(at, name, called, constraint, guards);
            }
        }
    }

    /// Adds a constraint without looking at the rows that are there, and looks at them afterwards.
    pub(super) fn add_and_validate(
        &mut self,
        at: usize,
        collection: &Name,
        name: &Name,
        constraint: &Constraint,
        guards: Vec<ductape_core::compiler::Guard>,
    ) {
        let step = self.step(at, add_not_valid(collection, constraint));
        step.guards = guards;
        step.effects
            .push(effects::constraint_made(collection, name));
        let effect = effects::constraint_validated(collection, name);
        self.alone(at, validate(collection, name), effect);
    }

    fn drop_constraint(&mut self, at: usize, drop: &DropConstraint) {
        let statement = drop_constraint(&drop.collection, &drop.constraint);
        let effect = effects::constraint_gone(&drop.collection, &drop.constraint);
        self.step(at, statement).effects.push(effect);
    }
}

fn not_transactional(name: &Name) -> Risk {
    Risk::new(
        RiskKind::NotTransactional,
        format!(
            "{name} is built or dropped without keeping writers waiting, outside a transaction"
        ),
    )
}
