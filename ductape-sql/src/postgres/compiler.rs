//! From resolved operations to PostgreSQL's statements.
//!
//! What a collection's users would wait for is done without keeping them waiting, unless the collection
//! is made in the same list: indexes are built `CONCURRENTLY`, constraints are added `NOT VALID` and
//! validated afterwards. Such a step stands alone, so the steps around it are transactions of their own.

use super::capabilities::CAPABILITIES;
use super::counting::{self, Counting};
use super::defaults::default_text;
use super::dialect::{Postgres, sql};
use super::effects;
use super::enum_type::{create_type, owned_values, with_types_of};
use super::guard::{any_row, index_duplicates, second_row};
use super::index::{create_index, drop_index};
use super::native::{behind_columns, inherited_checks, inherited_fields};
use super::normal::normal_collection;
use super::outlook::Outlook;
use super::raw::look;
use super::respell::as_first_read;
use super::table::{
    alter_table, column, comment_on_column, comment_on_index, comment_on_table, counts,
    create_table,
};
use ductape_core::capabilities::Capabilities;
use ductape_core::compiler::{Atomicity, Compiler, Context, Direction, Effect, Refusal, Step};
use ductape_core::operation::{AddField, CreateIndex, DropField, DropIndex, Raw};
use ductape_core::schema::{DefaultValue, Field, PARTITIONING};
use ductape_core::{Collection, Name, Operation, Resolved, Risk, RiskKind, Schema, Statement};
use std::borrow::Cow;
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
            outlook: Outlook::of(operations),
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
    pub(super) outlook: Outlook<'r>,
    pub(super) direction: Direction,
    /// The collections that this list makes: nobody else uses them yet.
    pub(super) fresh: BTreeSet<Name>,
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
        self.push(Step::statement(
            at..at + 1,
            Statement::Sql(self.spelled(at, statement)),
        ))
    }

    /// What stands in a raw statement is its author's to spell.
    fn spelled(&self, at: usize, statement: String) -> String {
        let raw = self
            .operations
            .get(at)
            .is_some_and(|r| matches!(r.operation, Operation::Raw(_)));
        match as_first_read(&statement) {
            Cow::Owned(spelled) if !raw => spelled,
            _ => statement,
        }
    }

    /// A step that stands alone: it waits for others, or works for long, without holding a lock that
    /// anybody would wait for.
    pub(super) fn alone(&mut self, at: usize, statement: String, effect: Effect) -> &mut Step {
        let statement = self.spelled(at, statement);
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
        self.fresh.contains(collection) || self.falls_later(at, collection)
    }

    /// Whether an index or a constraint only stands aside while the type of a field changes: it falls before
    /// that in this list and returns after. Its collection is written anew, or locked, in between.
    pub(super) fn stands_aside(&self, at: usize) -> bool {
        let operation = self.operations.get(at).map(|r| &r.operation);
        let Some((collection, name, falls)) = operation.and_then(falls_or_comes) else {
            return false;
        };
        if !self.outlook.modifies(collection) {
            return false;
        }
        let counterpart = |other: &Operation| {
            falls_or_comes(other).is_some_and(|(_, called, fell)| called == name && fell != falls)
        };
        let mut modified = false;
        let mut met = |other: &Operation| {
            modified |= matches!(other, Operation::ModifyField(_));
            counterpart(other)
        };
        let about = self.outlook.about(collection);
        let found = match falls {
            true => about
                .filter(|(place, _)| *place > at)
                .any(|(_, other)| met(other)),
            false => about
                .rev()
                .filter(|(place, _)| *place < at)
                .any(|(_, other)| met(other)),
        };
        found && modified
    }

    fn operation(&mut self, at: usize, resolved: &Resolved) {
        let before = &resolved.before;
        self.check_family(at, resolved);
        match &resolved.operation {
            Operation::CreateCollection(create) => {
                if let Some(after) = resolved.after.collection(&create.name) {
                    self.check_collection(at, after, before);
                    self.create_collection(at, after, before);
                }
                self.fresh.insert(create.name.clone());
            }
            Operation::DropCollection(drop) => {
                if let Some(collection) = before.collection(&drop.name) {
                    self.drop_collection(at, collection);
                }
                self.fresh.remove(&drop.name);
            }
            Operation::RenameCollection(rename) => {
                self.check_relation_name(at, &rename.to, before, &rename.from);
                let statement = alter_table(&rename.from)
                    .words("RENAME TO ")
                    .name(&rename.to)
                    .finish();
                let effects = effects::collection_renamed(&rename.from, &rename.to);
                self.step(at, statement).effects.extend(effects);
                if self.fresh.remove(&rename.from) {
                    self.fresh.insert(rename.to.clone());
                }
            }
            Operation::ModifyCollection(modify) => {
                let collections = (
                    before.collection(&modify.name),
                    resolved.after.collection(&modify.name),
                );
                if let (Some(old), Some(new)) = collections {
                    self.modify_collection(at, old, new, before);
                }
            }
            Operation::AddField(add) => {
                self.check_field(at, &add.field);
                self.check_enum_type_name(at, &add.collection, &add.field, before);
                self.add_field(at, add);
            }
            Operation::DropField(drop) => self.drop_field(at, drop, before),
            Operation::RenameField(rename) => {
                self.check_name(at, &rename.to);
                let statement = alter_table(&rename.collection)
                    .words("RENAME COLUMN ")
                    .name(&rename.from)
                    .words(" TO ")
                    .name(&rename.to)
                    .finish();
                let effects = effects::field_renamed(&rename.collection, &rename.from, &rename.to);
                self.step(at, statement).effects.extend(effects);
            }
            Operation::ModifyField(modify) => self.modify_field(at, modify, resolved),
            Operation::CreateIndex(create) => {
                self.check_index(at, &create.collection, &create.index, before);
                self.create_index(at, create, before);
            }
            Operation::DropIndex(drop) => self.drop_index(at, drop, before),
            Operation::AddConstraint(add) => self.add_constraint(at, add, before),
            Operation::DropConstraint(drop) => self.drop_constraint(at, drop, before),
            Operation::Update(update) => self.update(at, update, before),
            Operation::Raw(raw) => self.raw(at, raw),
            Operation::Restore(restore) => self.restore(at, restore),
        }
    }

    fn modify_collection(
        &mut self,
        at: usize,
        old: &Collection,
        new: &Collection,
        schema: &Schema,
    ) {
        let comment =
            |collection: &Collection| collection.comment.clone().filter(|c| !c.is_empty());
        if comment(old) != comment(new) {
            let statement = comment_on_table(&new.name, comment(new).as_deref());
            self.step(at, statement);
        }
        let unlogged = new.options.sql.unlogged;
        if old.options.sql.unlogged == unlogged {
            return;
        }
        for constraint in &new.constraints {
            self.check_constraint(at, new, constraint, schema);
        }
        if unlogged
            && let Some((other, _)) = schema.foreign_keys_to(&new.name).find(|(other, _)| {
                schema
                    .collection(other)
                    .is_some_and(|other| !other.options.sql.unlogged)
            })
        {
            self.refuse(
                at,
                format!(
                    "a logged table cannot point at an unlogged one in PostgreSQL, and {other} does"
                ),
                format!("drop its foreign key, or make {other} unlogged first"),
            );
        }
        let statement = alter_table(&new.name)
            .words(if unlogged {
                "SET UNLOGGED"
            } else {
                "SET LOGGED"
            })
            .finish();
        self.step(at, statement).risks.push(Risk::new(
            RiskKind::TableRewrite,
            format!(
                "{} is written anew, and others can neither read nor write it meanwhile (ACCESS EXCLUSIVE)",
                new.name
            ),
        ));
    }

    fn drop_field(&mut self, at: usize, drop: &DropField, before: &Schema) {
        let statement = alter_table(&drop.collection)
            .words("DROP COLUMN ")
            .name(&drop.field)
            .finish();
        let owns = before
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

    fn raw(&mut self, at: usize, raw: &Raw) {
        let Some(text) = raw.statement.as_text() else {
            self.refuse(
                at,
                "PostgreSQL takes an SQL text, and this is a document",
                "write the statement as a text",
            );
            return;
        };
        let found = look(text);
        if let Some(words) = found.forbidden {
            self.refuse(
                at,
                format!("{words} would end the transaction that the statement stands in, or let go of the lock"),
                "leave it out; Ductape begins and ends transactions",
            );
            return;
        }
        let alone = match raw.transactional {
            Some(transactional) => !transactional,
            None => found.alone,
        };
        if alone && found.count > 1 {
            // PostgreSQL runs the statements of one text in one transaction.
            self.refuse(
                at,
                "one of these statements cannot stand in a transaction, and PostgreSQL runs several at once in one",
                "give it a raw operation of its own",
            );
            return;
        }
        let step = if alone {
            let step = self.alone(at, text.to_owned(), effects::anything());
            step.risks.push(Risk::new(
                RiskKind::NotTransactional,
                "the statement cannot stand in a transaction",
            ));
            step.atomicity.clone()
        } else {
            let step = self.step(at, text.to_owned());
            step.effects.push(effects::anything());
            step.atomicity.clone()
        };
        for reset in found.resets {
            self.step(at, reset).atomicity = step.clone();
        }
    }

    pub(super) fn create_type(&mut self, at: usize, collection: &Name, field: &Field) {
        for statement in create_type(collection, field).into_iter().flatten() {
            self.step(at, statement);
        }
    }

    fn create_collection(&mut self, at: usize, collection: &Collection, before: &Schema) {
        for field in &collection.fields {
            self.create_type(at, &collection.name, field);
        }
        let effect = effects::collection_made(&collection.name);
        // What comes back on it in the same list may have to be said now.
        let natives = self.outlook.restored(at);
        let behind = behind_columns(&collection.name, natives.clone());
        let inherited = inherited_fields(&collection.name, before, natives.clone());
        let checks = inherited_checks(collection, before, natives);
        let without_checks;
        let collection = if checks.is_empty() {
            collection
        } else {
            let mut own = collection.clone();
            own.constraints
                .retain(|constraint| !checks.contains(constraint));
            without_checks = own;
            &without_checks
        };
        let step = self.step(at, create_table(collection, &inherited, &behind));
        step.effects.push(effect);
        Self::not_kept(&collection.fields.iter().collect::<Vec<_>>(), step);
        self.alter_inherited(at, collection, &inherited);
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

    /// What a table says otherwise of the columns that it inherits.
    fn alter_inherited(&mut self, at: usize, collection: &Collection, inherited: &[Field]) {
        for theirs in inherited {
            let Some(field) = collection.field(&theirs.name) else {
                continue;
            };
            let alter = || {
                alter_table(&collection.name)
                    .words("ALTER COLUMN ")
                    .name(&field.name)
            };
            if field.default != theirs.default {
                let default = field.default.as_ref();
                let default = default.and_then(|d| default_text(d, &field.field_type));
                let statement = match default {
                    Some(default) => alter().words(" SET DEFAULT ").sql(&default).finish(),
                    None => alter().words(" DROP DEFAULT").finish(),
                };
                self.step(at, statement);
            }
            if field.required && !theirs.required {
                self.step(at, alter().words(" SET NOT NULL").finish());
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
        let field: &Field = &add.field;
        self.create_type(at, &add.collection, field);
        let unfilled = field.required
            && field.default.is_none()
            && field.generated.is_none()
            && counting::of(field) == Counting::No;
        let mut guards = Vec::new();
        let mut filled = field.clone();
        let operations = self.operations;
        let before = operations.get(at).map(|resolved| &resolved.before);
        let before = before.and_then(|before| before.collection(&add.collection));
        if unfilled
            && !self.fresh.contains(&add.collection)
            && let Some(before) = before
        {
            if !self.fills() {
                guards.push(any_row(before, &field.name));
            } else {
                // The rows get the type's neutral value; the field itself has no default.
                filled.default = Some(DefaultValue::Value(field.field_type.neutral_value()));
                if self.becomes_unique(at, add) {
                    guards.push(second_row(before, &field.name));
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
        Self::not_kept(&[field], step);
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
        let mut later = self
            .outlook
            .about(&add.collection)
            .skip_while(|(place, _)| *place <= at);
        later.any(|(_, later)| match later {
            Operation::AddConstraint(constraint) => {
                constraint.constraint.is_key() && constraint.constraint.columns() == only
            }
            Operation::CreateIndex(index) => {
                index.index.unique
                    && index.index.predicate.is_none()
                    && matches!(index.index.fields.as_slice(), [key] if key.name() == Some(&add.field.name))
            }
            _ => false,
        })
    }

    fn create_index(&mut self, at: usize, create: &CreateIndex, before: &Schema) {
        let (collection, index) = (&create.collection, &create.index);
        let Some(name) = &index.name else {
            return;
        };
        let aside = self.stands_aside(at);
        let fresh = aside || self.nobody_waits(at, collection);
        let concurrently =
            !fresh && index.online != Some(false) && !is_partitioned(before, collection);
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

    fn drop_index(&mut self, at: usize, drop: &DropIndex, before: &Schema) {
        let concurrently = !self.stands_aside(at)
            && !self.nobody_waits(at, &drop.collection)
            && !is_partitioned(before, &drop.collection);
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
}

/// The index or constraint of a collection that an operation takes away (true) or makes (false).
fn falls_or_comes(operation: &Operation) -> Option<(&Name, &Name, bool)> {
    match operation {
        Operation::DropIndex(drop) => Some((&drop.collection, &drop.index, true)),
        Operation::DropConstraint(drop) => Some((&drop.collection, &drop.constraint, true)),
        Operation::CreateIndex(create) => {
            Some((&create.collection, create.index.name.as_ref()?, false))
        }
        Operation::AddConstraint(add) => {
            Some((&add.collection, add.constraint.name.as_ref()?, false))
        }
        _ => None,
    }
}

/// Whether the rows of a collection lie in partitions: its indexes cannot be built concurrently.
pub(super) fn is_partitioned(schema: &Schema, collection: &Name) -> bool {
    schema
        .natives()
        .any(|native| native.kind == PARTITIONING && native.on.as_ref() == Some(collection))
}

pub(super) fn not_transactional(name: &Name) -> Risk {
    Risk::new(
        RiskKind::NotTransactional,
        format!(
            "{name} is built or dropped without keeping writers waiting, outside a transaction"
        ),
    )
}
