//! Changing a field: its type, its default, whether it may be null, how it counts, what it is made of.

use super::compiler::Compilation;
use super::convert::{Conversion, cast_over_text, conversion};
use super::defaults::default_text;
use super::dialect::sql;
use super::effects;
use super::enum_type::{
    self, EnumChange, Place, array_mark, enum_change, is_of_theirs, over_text, owned_values,
    with_types_of,
};
use super::guard::{example, guard, nulls};
use super::table::{alter_table, column, comment_on_column};
use super::types::{collation, enum_values, is_serial, server_spelling, stored_type};
use super::{constraint, counting};
use crate::writer::Sql;
use ductape_core::compiler::{Atomicity, Direction, Guard};
use ductape_core::operation::ModifyField;
use ductape_core::schema::{Constraint, Field, Rule};
use ductape_core::{BackendName, Collection, FieldType, Name, Resolved, Risk, RiskKind};

/// One change of one field.
pub(super) struct Modification<'m> {
    pub at: usize,
    pub modify: &'m ModifyField,
    /// The collection before.
    pub before: &'m Collection,
    /// The field before and after.
    pub old: &'m Field,
    pub new: &'m Field,
    /// Nobody can be waiting for the collection.
    pub unseen: bool,
}

impl Modification<'_> {
    pub(super) fn alter_column(&self) -> Sql {
        alter_table(&self.before.name)
            .words("ALTER COLUMN ")
            .name(&self.new.name)
            .words(" ")
    }

    fn using(&self) -> Option<&str> {
        self.modify
            .using
            .get(&BackendName::Postgresql)
            .map(String::as_str)
    }

    /// Whether the table is written anew, if the type changes at all.
    fn rewrites(&self) -> bool {
        rewrites(self.old, self.new) || self.using().is_some()
    }

    fn retypes(&self) -> bool {
        let spelled = |field: &Field| server_spelling(&stored_type(&self.before.name, field));
        spelled(self.old) != spelled(self.new)
            || enum_values(&self.old.field_type) != enum_values(&self.new.field_type)
            || collation(self.old) != collation(self.new)
            || self.using().is_some()
    }

    /// The values that come to the enum, if that is all that happens to the type.
    fn grows(&self) -> Option<Vec<(String, Place)>> {
        match enum_change(self.old, self.new) {
            EnumChange::Grow(added)
                if self.using().is_none()
                    && !self.unseen
                    && collation(self.old) == collation(self.new) =>
            {
                Some(added)
            }
            _ => None,
        }
    }

    fn default(&self, field: &Field) -> Option<String> {
        default_text(field.default.as_ref()?, &field.field_type)
    }
}

impl Compilation<'_> {
    pub(super) fn modify_field(&mut self, at: usize, modify: &ModifyField, resolved: &Resolved) {
        let (Some(before), Some(after)) = (
            resolved.before.collection(&modify.collection),
            resolved.after.collection(&modify.collection),
        ) else {
            return;
        };
        let (Some(old), Some(new)) = (before.field(&modify.field), after.field(&modify.field))
        else {
            return;
        };
        self.check_field(at, new);
        let change = Modification {
            at,
            modify,
            before,
            old,
            new,
            unseen: self.nobody_waits(at, &modify.collection),
        };
        if change.retypes()
            && let Some(after) = resolved.after.collection(&modify.collection)
        {
            self.check_keys_of(at, after, &modify.field, &resolved.after);
        }
        // The way back would not know the enum's values: the record has what the server shows.
        let native = |field: &Field| {
            let native = field.native.get(&BackendName::Postgresql)?;
            Some(server_spelling(native))
        };
        if enum_values(&old.field_type).is_some()
            && native(new).is_some()
            && native(new) != native(old)
            && self.direction == Direction::Up
        {
            self.refuse(
                at,
                format!("the values of the enum {} would be forgotten", old.name),
                "change its type to text first, and then to the type in PostgreSQL's own words",
            );
        }
        if let Some(using) = change.using()
            && let Err(why) = ductape_core::expression::check(using)
        {
            self.refuse(at, format!("using: {why}"), "write one expression");
            return;
        }
        let made = |field: &Field| {
            let generated = field.generated.as_ref()?;
            generated
                .expression
                .text(BackendName::Postgresql)
                .map(str::to_owned)
        };
        match (made(old), made(new)) {
            (old, Some(expression)) if old.as_deref() != Some(&expression) || change.retypes() => {
                self.make_anew(&change);
            }
            (Some(_), None) => {
                let statement = change.alter_column().words("DROP EXPRESSION").finish();
                self.step(at, statement);
                self.change_attributes(&change);
            }
            _ => self.change_attributes(&change),
        }
        if old.comment != new.comment {
            let comment = new.comment.as_deref().filter(|c| !c.is_empty());
            self.step(at, comment_on_column(&before.name, &new.name, comment));
        }
    }

    /// What is neither the expression nor the comment.
    fn change_attributes(&mut self, change: &Modification<'_>) {
        let (old, new, at) = (change.old, change.new, change.at);
        let counted = counting::of(old);
        let counts_on = counting::of(new);
        let retypes = change.retypes();
        let old_default = change.default(old);
        let new_default = change.default(new);
        if counted != counts_on {
            self.stop_counting(change, counted);
        }
        // A default of the old type may not be one of the new, and keeps an enum's type in use.
        let grows = change.grows();
        let dropped =
            old_default.is_some() && (retypes && grows.is_none() || new_default.is_none());
        match grows {
            None if retypes => self.retype(change, dropped),
            grows => {
                if dropped {
                    self.step(at, change.alter_column().words("DROP DEFAULT").finish());
                }
                if let Some(added) = grows {
                    self.grow(change, &added);
                }
            }
        }
        if let Some(default) = &new_default
            && (dropped || old_default.as_ref() != Some(default))
        {
            let statement = change
                .alter_column()
                .words("SET DEFAULT ")
                .sql(default)
                .finish();
            self.step(at, statement);
        }
        let required = |field: &Field| field.required || field.auto_increment;
        match (required(old), required(new)) {
            (false, true) => self.require(change, retypes && change.rewrites()),
            (true, false) => {
                self.step(at, change.alter_column().words("DROP NOT NULL").finish());
            }
            _ => {}
        }
        if counted != counts_on {
            self.start_counting(change, counts_on);
        }
    }

    /// No null from now on. The rows are looked at by a check that is validated without keeping anybody
    /// waiting; the server then takes its word for it (since version 12).
    fn require(&mut self, change: &Modification<'_>, just_rewritten: bool) {
        let (at, name) = (change.at, &change.before.name);
        let field = &change.new.name;
        let statement = change.alter_column().words("SET NOT NULL").finish();
        let guards = match change.using() {
            Some(_) => Vec::new(),
            None => vec![nulls(change.before, field)],
        };
        if change.unseen || just_rewritten {
            self.step(at, statement).guards = match change.unseen {
                true => Vec::new(),
                false => guards,
            };
            return;
        }
        let check = Name::made("ck", [name, field, &Name::made("not_null", [])]);
        let check = self.fitting(check);
        let expression = sql().name(field).words(" IS NOT NULL").finish();
        let constraint = Constraint::named(check.clone(), Rule::Check(expression.into()));
        self.add_and_validate(at, name, &check, &constraint, guards);
        self.step(at, statement);
        self.step(at, constraint::drop_constraint(name, &check));
    }

    /// The type changes, and what stands on it falls and returns.
    fn retype(&mut self, change: &Modification<'_>, drop_default: bool) {
        let at = change.at;
        let name = &change.before.name;
        let (old, new) = (change.old, change.new);
        let Some(conversion) = self.conversion(change) else {
            return;
        };
        let guards = conversion_guards(change, &conversion);
        let enum_change = enum_change(old, new);
        if drop_default {
            self.step(at, change.alter_column().words("DROP DEFAULT").finish());
        }
        let collation = collation(new);
        let to = |type_name: &str, expression: Option<&str>| {
            change
                .alter_column()
                .words("TYPE ")
                .sql(type_name)
                .maybe(collation.clone(), |text, collation| {
                    text.words(" COLLATE ").name(&collation)
                })
                .maybe(expression, |text, expression| {
                    text.words(" USING ").sql(expression)
                })
                .finish()
        };
        let column_type = stored_type(name, new);
        let old_name = sql().name(&old.name).finish();
        let values = conversion.expression.as_deref();
        // An enum's values come from their texts, whosever type it is.
        let into_enum = enum_values(&new.field_type).is_some().then(|| {
            let text = over_text(values.unwrap_or(&old_name), array_mark(new));
            format!("{text}::{column_type}")
        });
        let converted = to(&column_type, into_enum.as_deref().or(values));
        let (statement, also) = match enum_change {
            EnumChange::None => (converted, None),
            EnumChange::Made => {
                self.create_type(at, name, new);
                (converted, None)
            }
            EnumChange::Gone => (with_types_of(name, &[&old.name], &converted), None),
            EnumChange::Grow(_) | EnumChange::Replaced => {
                let statement = enum_type::replace(name, new, values.unwrap_or(&old_name));
                (statement, Some(enum_type::shared(name, &old.name)))
            }
        };
        let rewrites = change.rewrites();
        let step = self.step(at, statement);
        step.effects.push(effects::field_changed(name, &new.name));
        step.guards = guards;
        step.guards.extend(also.filter(|_| !change.unseen));
        if !change.unseen {
            step.risks.push(if rewrites {
                Risk::new(
                    RiskKind::TableRewrite,
                    format!("{name} is written anew, and others can neither read nor write it meanwhile (ACCESS EXCLUSIVE)"),
                )
            } else {
                Risk::new(
                    RiskKind::BlockingLock,
                    format!("others wait for {name} for a moment (ACCESS EXCLUSIVE); its rows are not written anew"),
                )
            });
        }
    }

    /// Values are added to the enum, in their places.
    fn grow(&mut self, change: &Modification<'_>, added: &[(String, Place)]) {
        let at = change.at;
        // A value that was added cannot be used before its transaction is over (sql-altertype).
        let used = change.new.default != change.old.default
            || self.outlook.comes_again(at, &change.before.name);
        let statement = enum_type::grow(&change.before.name, &change.old.name, added);
        let guard = enum_type::shared(&change.before.name, &change.old.name);
        let values = |field: &Field| enum_values(&field.field_type).unwrap_or(&[]).to_vec();
        let effect = effects::enum_grown(
            &change.before.name,
            &change.old.name,
            &values(change.old),
            &values(change.new),
        );
        let step = self.step(at, statement);
        step.effects.push(effect);
        step.guards.push(guard);
        if used {
            step.atomicity = Atomicity::Alone;
            step.risks.push(Risk::new(
                RiskKind::NotTransactional,
                "PostgreSQL lets nobody use a new value of an enum before its transaction is over",
            ));
        }
    }

    fn conversion(&mut self, change: &Modification<'_>) -> Option<Conversion> {
        let (old, new) = (change.old, change.new);
        if let Some(using) = change.using() {
            return Some(Conversion {
                expression: Some(format!("({using})")),
                obstacles: Vec::new(),
            });
        }
        let native = |field: &Field| {
            field
                .native
                .get(&BackendName::Postgresql)
                .is_some_and(|native| !is_serial(&server_spelling(native)))
                && !is_of_theirs(field)
        };
        if native(old) || native(new) {
            // Whether it can be converted only the server knows.
            let text = matches!(new.field_type, FieldType::String { .. } | FieldType::Text);
            return Some(Conversion {
                expression: (native(new) || !text).then(|| {
                    let to = stored_type(&change.before.name, new);
                    format!("{}::text::{to}", sql().name(&new.name).finish())
                }),
                obstacles: too_long(&new.name, &new.field_type),
            });
        }
        match conversion(&new.name, &old.field_type, &new.field_type) {
            Some(conversion) => Some(conversion),
            None if self.direction == Direction::Down => {
                Some(cast_over_text(&new.name, &new.field_type))
            }
            None => {
                self.refuse(
                    change.at,
                    format!("nothing turns {} into {}", old.field_type, new.field_type),
                    "say with using how the values convert",
                );
                None
            }
        }
    }

    /// The field is dropped and added: what it is made of cannot be changed (before version 17).
    fn make_anew(&mut self, change: &Modification<'_>) {
        let at = change.at;
        let name = &change.before.name;
        let statement = alter_table(name)
            .words("DROP COLUMN ")
            .name(&change.old.name)
            .finish();
        let statement = match owned_values(change.old) {
            Some(_) => with_types_of(name, &[&change.old.name], &statement),
            None => statement,
        };
        let step = self.step(at, statement);
        step.risks.push(Risk::new(
            RiskKind::TableRewrite,
            format!("{name} is written anew to fill {}", change.new.name),
        ));
        if change.old.generated.is_none() {
            step.risks.push(Risk::new(
                RiskKind::DataLoss,
                format!(
                    "every value of {name}.{} goes; it is generated from now on",
                    change.new.name
                ),
            ));
        }
        self.create_type(at, name, change.new);
        let text = alter_table(name).words("ADD COLUMN ");
        self.step(at, column(text, name, change.new).finish());
    }
}

/// Values whose text a string is too short for.
fn too_long(field: &Name, to: &FieldType) -> Vec<(String, String)> {
    let FieldType::String { length: Some(most) } = to else {
        return Vec::new();
    };
    let text = sql()
        .words("char_length(")
        .name(field)
        .words("::text) > ")
        .sql(&most.to_string());
    vec![(text.finish(), format!("more than {most} characters"))]
}

fn conversion_guards(change: &Modification<'_>, conversion: &Conversion) -> Vec<Guard> {
    if change.unseen {
        return Vec::new();
    }
    let name = &change.before.name;
    let shown = sql().name(&change.old.name).finish();
    let mut guards: Vec<Guard> = conversion
        .obstacles
        .iter()
        .map(|(obstacle, what)| {
            guard(
                name,
                &shown,
                obstacle,
                format!("rows of {name} with {what} in {}", change.old.name),
                "mend them with an update before it, or say with using how they convert",
            )
        })
        .collect();
    if let Some(using) = change.using()
        && change.new.required
    {
        guards.push(guard(
            name,
            &example(change.before),
            &format!("({using}) IS NULL"),
            format!(
                "rows for which using gives null in {name}.{}",
                change.new.name
            ),
            "give a value for every row",
        ));
    }
    guards
}

/// Whether the table is written anew: not where the new type keeps the old bytes as they are.
fn rewrites(old: &Field, new: &Field) -> bool {
    use ductape_core::FieldType as T;
    if !old.native.is_empty() || !new.native.is_empty() {
        return true;
    }
    match (&old.field_type, &new.field_type) {
        (T::String { .. } | T::Text, T::Text | T::String { length: None }) => false,
        (T::String { length: Some(old) }, T::String { length: Some(new) }) => new < old,
        (
            T::Decimal {
                precision: Some(p),
                scale: s,
            },
            T::Decimal {
                precision: Some(q),
                scale: t,
            },
        ) => q < p || s != t,
        (
            T::Decimal { .. },
            T::Decimal {
                precision: None, ..
            },
        ) => false,
        (old, new) => old != new,
    }
}
