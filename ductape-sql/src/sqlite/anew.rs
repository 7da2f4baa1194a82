//! The operations for which a table is written anew, and what they ask of its rows.

use super::compiler::Compilation;
use super::convert::{Conversion, cast, conversion_of};
use super::dialect::{Sqlite, sql};
use super::guards::Rows;
use super::rebuild::{rebuild, renumbers, setting};
use super::table::counting_key;
use super::words::{is_required, rowid_alias};
use ductape_core::compiler::{Atomicity, Compiler, Direction, Guard, Step};
use ductape_core::operation::{AddConstraint, AddField, ModifyField};
use ductape_core::schema::{DefaultValue, Rule};
use ductape_core::{
    BackendName, Collection, Name, Operation, Resolved, Risk, RiskKind, Schema, Statement,
};
use std::collections::BTreeMap;

impl<'r> Compilation<'r> {
    /// Writes a table anew, once for all neighbouring operations on it that need it.
    pub(super) fn rebuild_from(&mut self, at: usize, name: &Name) -> usize {
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
                guards.push(Rows::of(before).nulls(&field.name));
            }
        }
        guards.extend(guards_of_what_stays(before, after, &conversions));
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
                if renumbers(before, after) {
                    step.risks.push(Risk::new(
                        RiskKind::NotRestored,
                        format!("the rows of {name} lose their rowids, which are no field, and get new ones on the way back"),
                    ));
                }
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

    pub(super) fn needs_rebuild(&self, resolved: &Resolved) -> bool {
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
    pub(super) fn rebuild_part(
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
                    guards.push(Rows::of(before).any(&add.field.name));
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
                    let rows = Rows::of(before);
                    guards.extend(rows.against(&add.constraint, &resolved.before));
                }
            }
            _ => {}
        }
    }

    pub(super) fn modify(
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
                guards.push(Rows::of(before).with(
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
                guards.push(Rows::of(before).any(&modify.field));
            }
            return;
        }
        if old.generated.is_some() || new.generated.is_some() {
            return;
        }
        let strict = before.options.sql.strict;
        if old.field_type == new.field_type && (!strict || old.native == new.native) {
            return;
        }
        match conversion_of(&old, &new, strict) {
            Some(conversion) => {
                for (obstacle, what) in &conversion.obstacles {
                    guards.push(Rows::of(before).with(
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

    pub(super) fn normalize_changes(&self, before: &Collection, after: &Collection) -> bool {
        Sqlite.normalize(before) != Sqlite.normalize(after)
    }
}

/// What stands in the way of what a collection demands already, of values that will be others.
fn guards_of_what_stays(
    before: &Collection,
    after: &Collection,
    conversions: &BTreeMap<Name, Conversion>,
) -> Vec<Guard> {
    let mut values: BTreeMap<&Name, &str> = conversions
        .iter()
        .map(|(name, conversion)| (name, conversion.expression.as_str()))
        .collect();
    let mut changed = Vec::new();
    for field in &after.fields {
        let Some(old) = before.field(&field.name) else {
            continue;
        };
        if let Some(generated) = &field.generated
            && let Some(text) = generated.expression.text(BackendName::Sqlite)
        {
            values.insert(&field.name, text);
        }
        let converted = conversions
            .get(&field.name)
            .is_some_and(|conversion| conversion.changes(&field.name));
        let remade = field.generated.is_some()
            && (old.generated != field.generated || old.field_type != field.field_type);
        if converted || remade || old.collation != field.collation {
            changed.push(&field.name);
        }
    }
    match changed.is_empty() {
        true => Vec::new(),
        false => Rows::converted(before, &values).against_what_stays(after, &changed),
    }
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
pub(super) fn native_add(add: &AddField) -> bool {
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
