//! From resolved operations to SQLite's statements.

use super::capabilities::CAPABILITIES;
use super::convert::{
    Conversion, any_row, cast, constraint_guard, conversion_of, duplicates, guard, nulls,
};
use super::dialect::{Sqlite, condition, normal_field, sql, value_expression};
use super::rebuild::{rebuild, setting};
use super::table::{column, counting_key, create_index, create_table, drop_index};
use super::words::{Words, is_required, rowid_alias};
use ductape_core::capabilities::Capabilities;
use ductape_core::compiler::{
    Action, Atomicity, Compiler, Context, DataJob, Direction, Effect, Guard, Mark, Reconciled,
    Refusal, Step, Target, reconcile_by_normal_form,
};
use ductape_core::expression::{Token, tokens};
use ductape_core::operation::{AddConstraint, AddField, CreateIndex, ModifyField, Raw, Update};
use ductape_core::schema::{
    Constraint, ConstraintType, DefaultValue, Field, FieldType, Index, IndexTarget, Method,
    NativeDefinition, Rule,
};
use ductape_core::{
    BackendName, Collection, Name, Operation, Resolved, Risk, RiskKind, Schema, Statement,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Compiler for Sqlite {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn normalize(&self, collection: &Collection) -> Collection {
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

/// The live collection with the names on record of the constraints that have none in the database. The
/// names that are made for them there follow the collection and its fields; those on record stay.
fn with_recorded_names(record: &Collection, live: &Collection) -> Collection {
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

struct Compilation<'r> {
    operations: &'r [Resolved],
    direction: Direction,
    steps: Vec<Step>,
    refusals: Vec<Refusal>,
}

impl Compilation<'_> {
    fn refuse(&mut self, at: usize, reason: impl Into<String>, hint: impl Into<String>) {
        if let Some(resolved) = self.operations.get(at) {
            self.refusals
                .push(Refusal::new(at, &resolved.operation, reason, hint));
        }
    }

    fn step(&mut self, at: usize, statement: String) -> &mut Step {
        self.push(Step::statement(at..at + 1, Statement::Sql(statement)))
    }

    fn push(&mut self, step: Step) -> &mut Step {
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
                let statement = sql()
                    .words("ALTER TABLE ")
                    .name(&rename.from)
                    .words(" RENAME TO ")
                    .name(&rename.to)
                    .finish();
                self.step(at, statement);
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
                        self.step(at, text.finish());
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

    /// SQLite has no case in names.
    fn check_alike(
        &mut self,
        at: usize,
        schema: &Schema,
        collection: &Name,
        name: &Name,
        besides: Option<&Name>,
    ) {
        let alike = schema.collection(collection).and_then(|collection| {
            collection.fields.iter().find(|field| {
                Some(&field.name) != besides
                    && field.name.as_str().eq_ignore_ascii_case(name.as_str())
            })
        });
        if let Some(field) = alike {
            self.refuse(
                at,
                format!(
                    "SQLite does not tell {name} from the field {} that is there",
                    field.name
                ),
                "choose another name",
            );
        }
    }

    /// A virtual table does not follow new names of what it stands on.
    fn check_virtual(&mut self, at: usize, schema: &Schema, collection: &Name, name: &Name) {
        let broken: Vec<String> = schema
            .natives()
            .filter(|native| {
                native.kind == "virtual table"
                    && native.after.contains(collection)
                    && names_it(&native.definition, name)
            })
            .map(|native| native.name.to_string())
            .collect();
        if !broken.is_empty() {
            self.refuse(
                at,
                format!(
                    "the virtual table {} names it, and would not follow",
                    broken.join(", ")
                ),
                "drop the virtual table with raw first, and make it again with the new name",
            );
        }
    }

    /// A definition that a renaming in the same migration changes is not known before it has run, where
    /// its words do not tell what they mean.
    fn check_stale(&mut self, at: usize, native: &NativeDefinition) {
        let renamed = self.operations.iter().take(at).find_map(|earlier| {
            let (about, from) = match &earlier.operation {
                Operation::RenameCollection(rename) => (&rename.from, &rename.from),
                Operation::RenameField(rename) => (&rename.collection, &rename.from),
                _ => return None,
            };
            let before = earlier.before.native(native)?;
            let after = earlier.after.native(native)?;
            let stands = earlier
                .before
                .natives_about(about)
                .any(|other| other == before);
            (stands && names_it(&before.definition, from) && before.definition == after.definition)
                .then(|| earlier.operation.describe())
        });
        if let Some(renamed) = renamed {
            self.refuse(
                at,
                format!(
                    "the {} {} has to fall and return, and how it reads after \"{renamed}\" is known only then",
                    native.kind, native.name
                ),
                "put the renaming in a migration of its own",
            );
        }
    }

    fn normalize_changes(&self, before: &Collection, after: &Collection) -> bool {
        Sqlite.normalize(before) != Sqlite.normalize(after)
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
        self.step(at, statement);
        for index in &collection.indexes {
            if let Some(name) = &index.name {
                self.check_index(at, index, name, before, &collection.name);
                self.step(at, create_index(&collection.name, name, index));
            }
        }
    }

    /// What SQLite cannot keep of a collection.
    fn check_collection(&mut self, at: usize, collection: &Collection) {
        let counting: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|field| field.auto_increment)
            .collect();
        for field in counting {
            let alone = collection.key() == std::slice::from_ref(&field.name);
            let integer = matches!(field.field_type, FieldType::Integer | FieldType::Bigint);
            let goes_next = self.operations.get(at + 1).is_some_and(|next| {
                matches!(&next.operation, Operation::DropField(drop) if drop.field == field.name)
            });
            if (!alone || !integer || collection.options.sql.without_rowid) && !goes_next {
                self.refuse(
                    at,
                    format!("{} can count by itself in SQLite only as an integer that alone is the primary key of a table with rowids", field.name),
                    "make it the primary key, of type integer",
                );
            }
        }
        if collection.options.sql.without_rowid && collection.primary_key().is_none() {
            self.refuse(at, "a table without rowids needs a primary key", "add one");
        }
        let foreign = |field: &&Field| {
            !STRICT_TYPES.contains(
                &Words::of(field, true)
                    .declared
                    .to_ascii_uppercase()
                    .as_str(),
            )
        };
        if collection.options.sql.strict
            && let Some(field) = collection.fields.iter().find(foreign)
        {
            self.refuse(
                at,
                format!(
                    "{} has a native type, and a strict table takes INT, INTEGER, REAL, TEXT, BLOB and ANY alone",
                    field.name
                ),
                "leave out strict, or the native type",
            );
        }
        for constraint in &collection.constraints {
            let name = constraint.name.as_ref().map_or("", Name::as_str);
            if constraint.deferrable.is_some()
                && constraint.constraint_type() != ConstraintType::ForeignKey
            {
                self.refuse(
                    at,
                    format!("only foreign keys can be deferred in SQLite, and {name} is none"),
                    "leave out deferrable",
                );
            }
            if let Rule::Check(expression) = &constraint.rule
                && expression.text(BackendName::Sqlite).is_none()
            {
                self.no_expression(at, &format!("the check {name}"));
            }
            if let Some(native) = constraint.native.get(&BackendName::Sqlite)
                && let Err(why) = ductape_core::expression::check(native)
            {
                self.refuse(
                    at,
                    format!("the own words of the constraint {name}: {why}"),
                    "write what follows the constraint's name in CREATE TABLE",
                );
            }
        }
    }

    fn no_expression(&mut self, at: usize, of: &str) {
        self.refuse(
            at,
            format!("{of} has no expression for SQLite"),
            "add one under \"sqlite\"",
        );
    }

    fn check_name(&mut self, at: usize, name: &Name) {
        let reserved = name
            .as_str()
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        if reserved {
            self.refuse(
                at,
                format!("SQLite keeps names that begin with sqlite_ for itself, and {name} does"),
                "choose another name",
            );
        }
    }

    fn check_field(&mut self, at: usize, field: &Field) {
        if let Some(DefaultValue::Expression(expression)) = &field.default
            && expression.text(BackendName::Sqlite).is_none()
        {
            self.no_expression(at, &format!("the default of {}", field.name));
        }
        if let Some(generated) = &field.generated
            && generated.expression.text(BackendName::Sqlite).is_none()
        {
            self.no_expression(at, &format!("the generated field {}", field.name));
        }
        if let Some(native) = field.native.get(&BackendName::Sqlite)
            && !is_type_words(native)
        {
            self.refuse(
                at,
                format!("{native:?} is no type that SQLite could take as it is"),
                "write words, with numbers in brackets if need be",
            );
        }
    }

    fn check_index(&mut self, at: usize, index: &Index, name: &Name, before: &Schema, own: &Name) {
        self.check_name(at, name);
        let other = before.collections_alike(name).next().is_some()
            || before.index_owners(name).any(|owner| owner != own);
        if other || own.as_str().eq_ignore_ascii_case(name.as_str()) {
            self.refuse(
                at,
                format!(
                    "the name {name} is taken: SQLite has one space of names for tables and indexes"
                ),
                "give the index another name",
            );
        }
        let mut cannot = |condition: bool, what: &str| {
            if condition {
                self.refuse(
                    at,
                    format!("SQLite's indexes have no {what}"),
                    "leave it out",
                );
            }
        };
        cannot(
            index.method.is_some_and(|method| method != Method::Btree),
            "other method than btree",
        );
        cannot(!index.with.is_empty(), "storage options");
        cannot(!index.include.is_empty(), "included fields");
        cannot(index.nulls_not_distinct, "way to make nulls equal");
        cannot(index.hidden, "way to be hidden");
        for key in &index.fields {
            cannot(key.length.is_some(), "prefix lengths");
            cannot(key.nulls.is_some(), "place for nulls");
            cannot(key.operator_class.is_some(), "operator classes");
        }
        if index
            .expressions()
            .any(|expression| expression.text(BackendName::Sqlite).is_none())
        {
            self.no_expression(at, &format!("the index {name}"));
        }
    }

    fn create_index(&mut self, at: usize, create: &CreateIndex, before: &Schema) {
        let Some(name) = &create.index.name else {
            return;
        };
        self.check_index(at, &create.index, name, before, &create.collection);
        let mut guards = Vec::new();
        if create.index.unique {
            guards.push(index_guard(&create.collection, &create.index));
        }
        let statement = create_index(&create.collection, name, &create.index);
        self.step(at, statement).guards = guards;
    }

    /// Writes a table anew, once for all neighbouring operations on it that need it.
    fn rebuild_from(&mut self, at: usize, name: &Name) -> usize {
        let operations = self.operations;
        let mut end = at;
        let mut retyped: Vec<&Name> = Vec::new();
        while let Some(resolved) = operations.get(end) {
            if resolved.operation.collection() != Some(name) || !self.needs_rebuild(resolved) {
                break;
            }
            // A field whose type changes twice goes through the type between, and one that is added
            // goes through the type in which it is filled.
            if let Operation::ModifyField(modify) = &resolved.operation
                && (modify.changes.field_type.is_some() || !modify.using.is_empty())
            {
                let new = operations.get(at).is_some_and(|first| {
                    first
                        .before
                        .collection(name)
                        .is_some_and(|collection| collection.field(&modify.field).is_none())
                });
                if new || retyped.contains(&&modify.field) {
                    break;
                }
                retyped.push(&modify.field);
            }
            // Rows are counted before the table is written anew, so a constraint over a field that comes
            // with it waits for the next time. A counting field and its key cannot be parted.
            if end > at
                && let Operation::AddConstraint(add) = &resolved.operation
                && operations.get(at).is_some_and(|first| {
                    over_new_field(
                        add,
                        first.before.collection(name).map(AsRef::as_ref),
                        &resolved.before,
                    )
                })
            {
                break;
            }
            end += 1;
        }
        let end = end.max(at + 1);
        let (Some(first), Some(last)) = (operations.get(at), operations.get(end - 1)) else {
            return end;
        };
        let (Some(before), Some(after)) =
            (first.before.collection(name), last.after.collection(name))
        else {
            return end;
        };
        let mut guards = Vec::new();
        let mut conversions = BTreeMap::new();
        let mut using: Vec<&Name> = Vec::new();
        for place in at..end {
            if let Some(resolved) = operations.get(place) {
                if let Operation::ModifyField(modify) = &resolved.operation
                    && modify.using.contains_key(&BackendName::Sqlite)
                {
                    using.push(&modify.field);
                }
                self.rebuild_part(place, resolved, before, &mut guards, &mut conversions);
            }
        }
        self.check_collection(end - 1, after);
        for native in last.after.natives() {
            if native.kind == "trigger" && native.on.as_ref() == Some(name) {
                self.check_stale(at, native);
            }
        }
        for field in &after.fields {
            let Some(old) = before.field(&field.name) else {
                continue;
            };
            if is_required(after, field)
                && !is_required(before, old)
                && !using.contains(&&field.name)
            {
                guards.push(nulls(before, &field.name));
            }
        }
        if Sqlite.normalize(before) == Sqlite.normalize(after) && conversions.is_empty() {
            // What changes stands in the record alone.
            return end;
        }
        let mut guards = Some(guards);
        for statement in rebuild(before, after, &last.after, &conversions) {
            let mut step = Step::statement(at..end, Statement::Sql(statement));
            step.atomicity = Atomicity::Joins {
                setting: Some(setting()),
            };
            if let Some(guards) = guards.take() {
                step.guards = guards;
                step.risks.push(Risk::new(
                    RiskKind::TableRewrite,
                    format!("SQLite writes {name} anew, and nobody else can write meanwhile"),
                ));
                if counting_key(before).is_some() && counting_key(after).is_none() {
                    step.risks.push(Risk::new(
                        RiskKind::NotRestored,
                        format!("how far {name} has counted is forgotten: on the way back it goes on after its largest key"),
                    ));
                }
            }
            self.push(step);
        }
        end
    }

    fn needs_rebuild(&self, resolved: &Resolved) -> bool {
        match &resolved.operation {
            Operation::ModifyField(_)
            | Operation::AddConstraint(_)
            | Operation::DropConstraint(_) => true,
            Operation::AddField(add) => !native_add(add),
            Operation::ModifyCollection(modify) => {
                match (
                    resolved.before.collection(&modify.name),
                    resolved.after.collection(&modify.name),
                ) {
                    (Some(before), Some(after)) => self.normalize_changes(before, after),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// What one operation of a rebuild asks of the rows.
    fn rebuild_part(
        &mut self,
        at: usize,
        resolved: &Resolved,
        before: &Collection,
        guards: &mut Vec<Guard>,
        conversions: &mut BTreeMap<Name, Conversion>,
    ) {
        match &resolved.operation {
            Operation::AddField(add) => {
                self.check_field(at, &add.field);
                let unfilled = add.field.required
                    && add.field.default.is_none()
                    && add.field.generated.is_none()
                    && !add.field.auto_increment;
                if unfilled && self.direction == Direction::Up {
                    guards.push(any_row(&before.name, &add.field.name));
                }
            }
            Operation::ModifyField(modify) => {
                self.modify(at, modify, resolved, before, guards, conversions);
            }
            Operation::AddConstraint(add) => {
                let counting = add
                    .constraint
                    .columns()
                    .iter()
                    .any(|column| before.field(column).is_none());
                // SQLite takes a foreign key back over the rows that were there under it.
                let returns = self.direction == Direction::Down
                    && matches!(add.constraint.rule, Rule::ForeignKey(..));
                if !counting && !returns {
                    guards.extend(constraint_guard(before, &add.constraint));
                }
            }
            _ => {}
        }
    }

    fn modify(
        &mut self,
        at: usize,
        modify: &ModifyField,
        resolved: &Resolved,
        before: &Collection,
        guards: &mut Vec<Guard>,
        conversions: &mut BTreeMap<Name, Conversion>,
    ) {
        let field = |schema: &Schema| {
            schema
                .collection(&modify.collection)
                .and_then(|collection| collection.field(&modify.field))
                .cloned()
        };
        let (Some(old), Some(new)) = (field(&resolved.before), field(&resolved.after)) else {
            return;
        };
        self.check_field(at, &new);
        let using = modify.using.get(&BackendName::Sqlite);
        if let Some(using) = using {
            if let Err(why) = ductape_core::expression::check(using) {
                self.refuse(at, format!("using: {why}"), "write one expression");
            }
            let expression = format!("({using})");
            if new.required {
                guards.push(guard(
                    &before.name,
                    &sql().name(&modify.field).finish(),
                    &format!("{expression} IS NULL"),
                    format!(
                        "rows for which using gives null in {}.{}",
                        before.name, new.name
                    ),
                    "give a value for every row",
                ));
            }
            conversions.insert(
                modify.field.clone(),
                Conversion {
                    expression,
                    obstacles: Vec::new(),
                },
            );
            return;
        }
        if before.field(&modify.field).is_none() {
            // Added just before, in the same go.
            let unfilled = new.required
                && new.default.is_none()
                && new.generated.is_none()
                && !new.auto_increment;
            if unfilled && self.direction == Direction::Up {
                guards.push(any_row(&before.name, &modify.field));
            }
            return;
        }
        if old.generated.is_some() || new.generated.is_some() {
            return;
        }
        if old.field_type == new.field_type {
            return;
        }
        match conversion_of(&old, &new) {
            Some(conversion) => {
                for (obstacle, what) in &conversion.obstacles {
                    guards.push(guard(
                        &before.name,
                        &sql().name(&modify.field).finish(),
                        obstacle,
                        format!("rows of {} with {what} in {}", before.name, modify.field),
                        "mend them with an update before it, or say with using how they convert",
                    ));
                }
                conversions.insert(modify.field.clone(), conversion);
            }
            // On the way back of what `using` converted, SQLite's own cast is what is left.
            None if self.direction == Direction::Down => {
                conversions.insert(modify.field.clone(), cast(&modify.field, &new.field_type));
            }
            None => self.refuse(
                at,
                format!("nothing turns {} into {}", old.field_type, new.field_type),
                "say with using how the values convert",
            ),
        }
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
                    .sql(&value_expression(collection, target, value))
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
            "filter": filter,
            "key": key,
        });
        let mut step = Step::statement(at..at + 1, Statement::Sql(statement.clone()));
        step.action = Action::Data(DataJob {
            collection: update.collection.clone(),
            statement: Statement::Sql(statement),
            work,
        });
        step.effects.push(Effect {
            target: Target::Data {
                collection: update.collection.clone(),
            },
            before: Mark::Present,
            after: Mark::Present,
        });
        self.push(step);
    }

    fn raw(&mut self, at: usize, raw: &Raw) {
        let Some(text) = raw.statement.as_text() else {
            self.refuse(
                at,
                "SQLite takes an SQL text, and this is a document",
                "write the statement as a text",
            );
            return;
        };
        let found = statements(text);
        if let Some(word) = found.ends_transaction {
            self.refuse(
                at,
                format!("{word} would begin or end the transaction that the statement stands in"),
                "leave it out; Ductape begins and ends transactions",
            );
            return;
        }
        let alone = match raw.transactional {
            Some(transactional) => !transactional,
            None => found.alone,
        };
        let step = self.step(at, text.to_owned());
        step.effects.push(Effect::of_raw(text));
        if alone {
            step.atomicity = Atomicity::Alone;
            step.risks.push(Risk::new(
                RiskKind::NotTransactional,
                "the statement cannot stand in a transaction",
            ));
        } else {
            // As any client runs it: with foreign keys on.
            step.atomicity = Atomicity::Joins {
                setting: Some(Default::default()),
            };
        }
    }
}

/// What the statements of a raw text are.
struct Found {
    ends_transaction: Option<&'static str>,
    alone: bool,
}

fn statements(text: &str) -> Found {
    const TRANSACTION: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    const ALONE: [&str; 3] = ["VACUUM", "ATTACH", "DETACH"];
    let mut found = Found {
        ends_transaction: None,
        alone: false,
    };
    let mut start = true;
    let mut trigger = false;
    let mut words = 0;
    for token in tokens(text) {
        if start {
            let is = |word: &&&str| token.is_word(word);
            if !trigger {
                found.ends_transaction = found
                    .ends_transaction
                    .or(TRANSACTION.iter().find(is).copied());
                found.alone |= ALONE.iter().any(|word| token.is_word(word));
            } else if token.is_word("END") {
                // The end of a trigger's body, and of its statement.
                trigger = false;
            }
            start = false;
            words = 0;
        }
        if token.is_symbol(";") {
            start = true;
        } else if matches!(token, Token::Word(_)) {
            words += 1;
            trigger |= words <= 3 && token.is_word("TRIGGER");
        }
    }
    found
}

/// Whether a constraint is over a field that the first schema does not have, or points at one of its own
/// collection; a key that counts aside.
fn over_new_field(add: &AddConstraint, first: Option<&Collection>, before: &Schema) -> bool {
    let Some(first) = first else {
        return false;
    };
    let counts = matches!(add.constraint.rule, Rule::PrimaryKey(_))
        && add.constraint.columns().iter().any(|column| {
            before
                .collection(&add.collection)
                .and_then(|collection| collection.field(column))
                .is_some_and(|field| field.auto_increment)
        });
    let own_target = add
        .constraint
        .references()
        .filter(|references| references.table == add.collection)
        .map_or(&[] as &[Name], |references| references.columns.as_slice());
    // So are the rowid and its other name: the rows bring it along.
    let counts = counts
        || matches!(add.constraint.rule, Rule::PrimaryKey(_))
            && before
                .collection(&add.collection)
                .is_some_and(|collection| {
                    let mut keyed = Collection::clone(collection);
                    keyed.insert_constraint(add.constraint.clone());
                    rowid_alias(&keyed).is_some()
                });
    !counts
        && add
            .constraint
            .columns()
            .iter()
            .chain(own_target)
            .any(|column| first.field(column).is_none())
}

/// Whether a field can be added without writing the table anew (lang_altertable.html, section 4).
fn native_add(add: &AddField) -> bool {
    let field = &add.field;
    let constant = match &field.default {
        None => true,
        Some(DefaultValue::Value(_)) => true,
        Some(_) => false,
    };
    let filled = match &field.default {
        Some(DefaultValue::Value(value)) => !value.is_null(),
        _ => false,
    };
    match &field.generated {
        Some(generated) => !generated.stored && !field.required,
        None => constant && (!field.required || filled) && !field.auto_increment,
    }
}

/// Whether a collection of another name differs from it only in the case of ASCII letters, or an index
/// or a view has it.
fn taken(schema: &Schema, name: &Name, besides: Option<&Name>) -> bool {
    schema
        .collections_alike(name)
        .any(|other| Some(&other.name) != besides && other.name != *name)
        || schema.index_owners(name).next().is_some()
        || schema.natives().any(|native| {
            matches!(native.kind.as_str(), "view" | "table")
                && native.name.as_str().eq_ignore_ascii_case(name.as_str())
        })
}

fn taken_reason(name: &Name) -> String {
    format!(
        "the name {name} is taken: SQLite has one space of names for tables, views and indexes, and no case in them"
    )
}

/// What a strict table takes (stricttables.html, 1).
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];

/// Whether a definition has a word that is this name, whatever its case.
fn names_it(definition: &str, name: &Name) -> bool {
    tokens(definition).any(|token| {
        let text = match token {
            Token::Text(quoted) => Some(quoted.trim_matches('\'').to_owned()),
            token => token.name(),
        };
        text.is_some_and(|text| text.eq_ignore_ascii_case(name.as_str()))
    })
}

/// Words and numbers in brackets, as a type is written; none at all is a type, too.
fn is_type_words(text: &str) -> bool {
    (text.is_empty() || ductape_core::expression::check(text).is_ok())
        && tokens(text).all(|token| {
            !matches!(token, Token::Symbol(_))
                || ["(", ")", ",", "-", "+"].iter().any(|s| token.is_symbol(s))
        })
}

fn index_guard(collection: &Name, index: &Index) -> Guard {
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
    duplicates(collection, &columns, predicate, &columns.join(", "))
}
