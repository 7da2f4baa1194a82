//! From resolved operations to SQLite's statements.

use super::anew::native_add;
use super::capabilities::CAPABILITIES;
use super::checks::{taken, taken_reason};
use super::dialect::{Sqlite, assigned, condition, number, sql};
use super::guards::Rows;
use super::normal::{normal_collection, with_recorded_names};
use super::rebuild::setting;
use super::table::{column, create_index, create_table, drop_index};
use ductape_core::capabilities::Capabilities;
use ductape_core::compiler::{
    Action, Atomicity, Compiler, Context, DataJob, Direction, Effect, Mark, Reconciled, Refusal,
    Step, Target, reconcile_by_normal_form,
};
use ductape_core::operation::{CreateIndex, Update};
use ductape_core::schema::{Field, FieldType, Index};
use ductape_core::{Collection, Name, Operation, Resolved, Schema, Statement};
use serde_json::json;

impl Compiler for Sqlite {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn normalize(&self, collection: &Collection) -> Collection {
        normal_collection(collection)
    }

    fn reconcile(&self, record: Option<&Collection>, live: Option<&Collection>) -> Reconciled {
        match (record, live) {
            (Some(record), Some(live)) => {
                let live = with_recorded_names(&self.normalize(record), live);
                reconcile_by_normal_form(self, Some(record), Some(&live))
            }
            (record, live) => reconcile_by_normal_form(self, record, live),
        }
    }

    fn compile(
        &self,
        operations: &[Resolved],
        context: &Context,
    ) -> Result<Vec<Step>, Vec<Refusal>> {
        let mut compilation = Compilation {
            operations,
            direction: context.direction,
            steps: Vec::with_capacity(operations.len()),
            refusals: Vec::new(),
        };
        let mut at = 0;
        while at < operations.len() {
            at = compilation.operation(at);
        }
        if compilation.refusals.is_empty() {
            Ok(compilation.steps)
        } else {
            Err(compilation.refusals)
        }
    }
}

/// A list of operations on its way to steps.
pub(super) struct Compilation<'r> {
    pub(super) operations: &'r [Resolved],
    pub(super) direction: Direction,
    steps: Vec<Step>,
    refusals: Vec<Refusal>,
}

impl<'r> Compilation<'r> {
    pub(super) fn refuse(&mut self, at: usize, reason: impl Into<String>, hint: impl Into<String>) {
        if let Some(resolved) = self.operations.get(at) {
            self.refusals
                .push(Refusal::new(at, &resolved.operation, reason, hint));
        }
    }

    pub(super) fn step(&mut self, at: usize, statement: String) -> &mut Step {
        self.push(Step::statement(at..at + 1, Statement::Sql(statement)))
    }

    pub(super) fn push(&mut self, step: Step) -> &mut Step {
        self.steps.push(step);
        let last = self.steps.len() - 1;
        // The vector was pushed to just now.
        #[allow(clippy::indexing_slicing, reason = "the vector is not empty")]
        &mut self.steps[last]
    }

    /// Compiles the operation at a place, and those after it that ride along; gives the next place.
    fn operation(&mut self, at: usize) -> usize {
        let operations = self.operations;
        let Some(resolved) = operations.get(at) else {
            return at + 1;
        };
        match &resolved.operation {
            Operation::CreateCollection(create) => {
                if let Some(after) = resolved.after.collection(&create.name) {
                    self.create(at, after, &resolved.before);
                }
            }
            Operation::DropCollection(drop) => {
                let step = self.step(at, sql().words("DROP TABLE ").name(&drop.name).finish());
                step.atomicity = Atomicity::Joins {
                    setting: Some(setting()),
                };
            }
            Operation::RenameCollection(rename) => {
                if taken(&resolved.before, &rename.to, Some(&rename.from)) {
                    self.refuse(at, taken_reason(&rename.to), "choose another name");
                }
                self.check_name(at, &rename.to);
                self.check_virtual(at, &resolved.before, &rename.from, &rename.from);
                let alike = rename
                    .from
                    .as_str()
                    .eq_ignore_ascii_case(rename.to.as_str());
                let between = Name::made("ductape_between", [&rename.to]);
                // A name that differs in case alone is taken, by the table itself.
                let names = match alike {
                    true => vec![&rename.from, &between, &rename.to],
                    false => vec![&rename.from, &rename.to],
                };
                for (from, to) in names.iter().zip(names.iter().skip(1)) {
                    let statement = sql()
                        .words("ALTER TABLE ")
                        .name(from)
                        .words(" RENAME TO ")
                        .name(to)
                        .finish();
                    self.step(at, statement);
                }
            }
            Operation::AddField(add) => {
                self.check_alike(at, &resolved.before, &add.collection, &add.field.name, None);
                self.check_field(at, &add.field);
                match native_add(add) {
                    true => {
                        let strict = resolved
                            .before
                            .collection(&add.collection)
                            .is_some_and(|c| c.options.sql.strict);
                        let text = sql()
                            .words("ALTER TABLE ")
                            .name(&add.collection)
                            .words(" ADD COLUMN ");
                        let required = add.field.required;
                        let text = column(text, &add.field, strict, required, None);
                        self.step(at, text.finish()).effects = vec![Effect::made(Target::Field {
                            collection: add.collection.clone(),
                            field: add.field.name.clone(),
                        })];
                    }
                    false => return self.rebuild_from(at, &add.collection),
                }
            }
            Operation::DropField(drop) => {
                let statement = sql()
                    .words("ALTER TABLE ")
                    .name(&drop.collection)
                    .words(" DROP COLUMN ")
                    .name(&drop.field)
                    .finish();
                self.step(at, statement);
            }
            Operation::RenameField(rename) => {
                let (name, before) = (&rename.collection, &resolved.before);
                self.check_alike(at, before, name, &rename.to, Some(&rename.from));
                self.check_virtual(at, before, name, &rename.from);
                let statement = sql()
                    .words("ALTER TABLE ")
                    .name(&rename.collection)
                    .words(" RENAME COLUMN ")
                    .name(&rename.from)
                    .words(" TO ")
                    .name(&rename.to)
                    .finish();
                self.step(at, statement);
            }
            Operation::CreateIndex(create) => self.create_index(at, create, &resolved.before),
            Operation::DropIndex(drop) => {
                self.step(at, drop_index(&drop.index));
            }
            Operation::Update(update) => self.update(at, update, &resolved.before),
            Operation::Raw(raw) => self.raw(at, raw),
            Operation::Restore(restore) => {
                for native in &restore.remove {
                    self.check_stale(at, native);
                    let statement = match native.kind.as_str() {
                        "trigger" => sql().words("DROP TRIGGER ").name(&native.name).finish(),
                        "view" => sql().words("DROP VIEW ").name(&native.name).finish(),
                        "index" => drop_index(&native.name),
                        "table" | "virtual table" => {
                            let reason = format!(
                                "the {} {} would go with its rows, which nothing brings back",
                                native.kind, native.name
                            );
                            self.refuse(at, reason, "drop it with raw first, if it may go");
                            continue;
                        }
                        kind => {
                            let reason = format!("SQLite has no {kind}");
                            self.refuse(at, reason, "write the statement with raw");
                            continue;
                        }
                    };
                    self.step(at, statement);
                }
                for native in &restore.definitions {
                    self.step(at, native.definition.clone());
                }
            }
            Operation::ModifyCollection(modify) => {
                let (before, after) = (
                    resolved.before.collection(&modify.name),
                    resolved.after.collection(&modify.name),
                );
                if let (Some(before), Some(after)) = (before, after)
                    && self.normalize_changes(before, after)
                {
                    return self.rebuild_from(at, &modify.name);
                }
            }
            Operation::ModifyField(modify) => return self.rebuild_from(at, &modify.collection),
            Operation::AddConstraint(add) => return self.rebuild_from(at, &add.collection),
            Operation::DropConstraint(drop) => return self.rebuild_from(at, &drop.collection),
        }
        at + 1
    }

    fn create(&mut self, at: usize, collection: &Collection, before: &Schema) {
        self.check_name(at, &collection.name);
        if taken(before, &collection.name, None) {
            self.refuse(at, taken_reason(&collection.name), "choose another name");
        }
        for (index, field) in collection.fields.iter().enumerate() {
            self.check_field(at, field);
            let same = |other: &&Field| {
                other
                    .name
                    .as_str()
                    .eq_ignore_ascii_case(field.name.as_str())
            };
            if collection
                .fields
                .iter()
                .take(index)
                .any(|other| same(&other))
            {
                self.refuse(
                    at,
                    format!("SQLite does not tell {} from a field before it", field.name),
                    "choose another name",
                );
            }
        }
        self.check_collection(at, collection);
        let statement = create_table(collection, None);
        let made = Target::Collection(collection.name.clone());
        self.step(at, statement).effects = vec![Effect::made(made)];
        for index in &collection.indexes {
            if let Some(name) = &index.name {
                self.check_index(at, index, name, before, &collection.name);
                self.index_step(at, &collection.name, name, index);
            }
        }
    }

    fn create_index(&mut self, at: usize, create: &CreateIndex, before: &Schema) {
        let Some(name) = &create.index.name else {
            return;
        };
        self.check_index(at, &create.index, name, before, &create.collection);
        let mut guards = Vec::new();
        if create.index.unique
            && let Some(collection) = before.collection(&create.collection)
        {
            guards.push(Rows::of(collection).against_index(&create.index));
        }
        self.index_step(at, &create.collection, name, &create.index)
            .guards = guards;
    }

    fn index_step(
        &mut self,
        at: usize,
        collection: &Name,
        name: &Name,
        index: &Index,
    ) -> &mut Step {
        let step = self.step(at, create_index(collection, name, index));
        step.effects = vec![Effect::made(Target::Index {
            collection: collection.clone(),
            index: name.clone(),
        })];
        step
    }

    fn update(&mut self, at: usize, update: &Update, before: &Schema) {
        let Some(collection) = before.collection(&update.collection) else {
            return;
        };
        let set: Vec<String> = update
            .set
            .iter()
            .map(|(name, value)| {
                let target = collection
                    .field(name)
                    .map_or(&FieldType::Text, |field| &field.field_type);
                sql()
                    .name(name)
                    .words(" = ")
                    .sql(&assigned(collection, target, value))
                    .finish()
            })
            .collect();
        let filter = condition(collection, &update.filter);
        let statement = sql()
            .words("UPDATE ")
            .name(&update.collection)
            .words(" SET ")
            .sql(&set.join(", "))
            .words(" WHERE ")
            .sql(&filter)
            .finish();
        // A batch goes along a key that the update itself leaves alone; without one it is one batch.
        let key: Vec<String> = match collection.key() {
            key if key.iter().any(|name| update.set.contains_key(name)) => Vec::new(),
            key => key.iter().map(|name| sql().name(name).finish()).collect(),
        };
        let work = json!({
            "table": sql().name(&update.collection).finish(),
            "set": set.join(", "),
            "filter": &filter,
            "key": key,
        });
        let mut step = Step::statement(at..at + 1, Statement::Sql(statement.clone()));
        step.action = Action::Data(Box::new(DataJob {
            collection: update.collection.clone(),
            statement: Statement::Sql(statement),
            work,
        }));
        step.effects.push(Effect {
            target: Target::Data {
                collection: update.collection.clone(),
            },
            before: Mark::Present,
            after: Mark::Present,
        });
        for (field, value) in &update.set {
            let mut divisors = Vec::new();
            value.divisors(&mut divisors);
            step.guards.extend(divisors.iter().map(|divisor| {
                let divisor = number(collection, divisor);
                Rows::of(collection).dividing_by_zero(field, &filter, &divisor)
            }));
        }
        self.push(step);
    }
}
