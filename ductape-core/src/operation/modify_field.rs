use super::{
    AddConstraint, Allow, DropConstraint, DropField, DropIndex, Naming, Operation, SchemaError,
    existing, without_natives,
};
use crate::backend_name::BackendName;
use crate::casts::{Going, without_casts};
use crate::expression::Expression;
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Reader, document};
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::{
    Collection, Constraint, Field, FieldChanges, FieldType, Index, IndexKey, IndexTarget,
    NativeDefinition, Rule, Schema,
};
use std::collections::BTreeMap;
use std::sync::Arc;

document! {
    /// Changes attributes of a field.
    pub struct ModifyField = "the operation modifyField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field's name.
            "field" => field: Name,
            /// The attributes that change; null takes one away.
            "changes" => changes: Box<FieldChanges>,
        }
        optional {
            /// For each database, an expression that converts the data.
            "using" => using: BTreeMap<BackendName, String>,
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl ModifyField {
    /// Changes attributes of a field.
    pub fn new(collection: Name, field: Name, changes: impl Into<Box<FieldChanges>>) -> Self {
        Self {
            collection,
            field,
            changes: changes.into(),
            using: BTreeMap::new(),
            allow: Vec::new(),
        }
    }

    /// Notes what cannot stand in a statement as an expression.
    pub(crate) fn check_using(&self, reader: &mut Reader) {
        reader.within("using", |reader| {
            for (backend, text) in &self.using {
                if let Err(why) = crate::expression::check(text) {
                    reader.within(backend.word(), |reader| reader.problem(why));
                }
            }
        });
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.collection)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        naming: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        let (collection, field) = self.target(before)?;
        let after = self.after(field)?;
        if self.changes.primary_key.is_none() && self.changes.unique.is_none() && after != *field {
            self.check_key(collection, &after)?;
            return self.with_what_falls(before, field, &after, naming);
        }
        let mut operations: Vec<Operation> = Vec::new();
        let mut schema = before.clone();
        let mut push = |operation: Operation, schema: &mut Schema| -> Result<(), SchemaError> {
            for operation in operation.spell_out(schema, naming)? {
                operation.apply_spelled(schema)?;
                operations.push(operation);
            }
            Ok(())
        };
        let only = std::slice::from_ref(&self.field);
        let with_rule = |rule: &dyn Fn(&Rule) -> bool| {
            collection
                .constraints
                .iter()
                .find(|c| rule(&c.rule) && c.columns() == only)
                .and_then(|c| c.name.clone())
        };
        let in_key = collection.key().contains(&self.field);
        if self.changes.primary_key == Some(false) && in_key {
            match with_rule(&|rule| matches!(rule, Rule::PrimaryKey(_))) {
                Some(name) => {
                    let drop = DropConstraint::new(self.collection.clone(), name);
                    push(drop.into(), &mut schema)?;
                }
                None => {
                    return Err(SchemaError::invalid(format!(
                        "{} is one of several fields of the primary key of {:?}",
                        self.field, self.collection
                    ))
                    .hint("drop the key with dropConstraint, and add the one you want"));
                }
            }
        }
        if self.changes.unique == Some(false)
            && let Some(name) = with_rule(&|rule| matches!(rule, Rule::Unique(_)))
        {
            push(
                DropConstraint::new(self.collection.clone(), name).into(),
                &mut schema,
            )?;
        }
        if after != *field {
            let mut modify = self.clone();
            modify.changes.primary_key = None;
            modify.changes.unique = None;
            push(modify.into(), &mut schema)?;
        }
        let mut add = |rule: Rule, schema: &mut Schema| {
            let mut add = AddConstraint::new(self.collection.clone(), Constraint::new(rule));
            add.allow.clone_from(&self.allow);
            push(add.into(), schema)
        };
        if self.changes.primary_key == Some(true) && !in_key {
            add(Rule::PrimaryKey(only.to_vec()), &mut schema)?;
        }
        if self.changes.unique == Some(true)
            && with_rule(&|rule| matches!(rule, Rule::Unique(_))).is_none()
        {
            add(Rule::Unique(only.to_vec()), &mut schema)?;
        }
        Ok(Some(operations))
    }

    /// What stands on the field and keeps it from changing falls before, and returns after, as it was:
    /// so it does on the way back, too, whatever the database made of it in between. Nothing if nothing
    /// has to fall.
    fn with_what_falls(
        &self,
        before: &Schema,
        field: &Field,
        after: &Field,
        naming: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        if naming.held_by.is_empty() {
            return Ok(None);
        }
        let falling = match (self.makes_anew(field, after), self.retypes(field, after)) {
            (true, _) => {
                DropField::new(self.collection.clone(), self.field.clone()).falling(before)
            }
            (false, true) => self.held(before, field, after, naming),
            (false, false) if field.auto_increment != after.auto_increment => {
                without_natives(before, self.settings(before))
                    .into_iter()
                    .collect()
            }
            (false, false) => return Ok(None),
        };
        let mut operations = Vec::new();
        let mut returning = Vec::new();
        let mut schema = before.clone();
        for falling in falling {
            for falling in falling.spell_out(&schema, naming)? {
                // What has no way back does not fall here: a definition, an index, a constraint and a
                // generated field have one.
                let back = falling.inverse_spelled(&schema).ok();
                falling.apply_spelled(&mut schema)?;
                operations.push(falling);
                returning.push(back.map(|back| back.operations).unwrap_or_default());
            }
        }
        if operations.is_empty() {
            return Ok(None);
        }
        operations.push(self.clone().into());
        operations.extend(returning.into_iter().rev().flatten().filter_map(|back| {
            // How the field was stored may not be for its new type.
            match back {
                Operation::Restore(mut restore) => {
                    restore
                        .definitions
                        .retain(|native| !native.is_settings_of(&self.collection, &self.field));
                    let empty = restore.definitions.is_empty() && restore.remove.is_empty();
                    (!empty).then(|| restore.into())
                }
                back => Some(back),
            }
        }));
        if let Some(going) = self.casts_that_go(field, after) {
            let returning = operations
                .iter()
                .position(|operation| matches!(operation, Operation::ModifyField(_)))
                .unwrap_or_default();
            for operation in operations.iter_mut().skip(returning) {
                map_texts(operation, &|text| without_casts(text, &going));
            }
        }
        Ok(Some(operations))
    }

    /// The casts that would keep what returns from fitting the new type: `status <> 'on'::the_enum` when the
    /// enum becomes a text, and the other way round.
    fn casts_that_go(&self, field: &Field, after: &Field) -> Option<Going<'_>> {
        let is_enum = |field: &Field| match &field.field_type {
            FieldType::Array { items } => matches!(**items, FieldType::Enum { .. }),
            other => matches!(other, FieldType::Enum { .. }),
        };
        let is_text =
            |field: &Field| matches!(field.field_type, FieldType::Text | FieldType::String { .. });
        let type_names = |field: &Field| {
            let native = field.native.values();
            native
                .map(|native| native.trim_end_matches("[]").to_owned())
                .collect::<Vec<_>>()
        };
        let made = Name::made(self.collection.as_str(), [&self.field]);
        if is_enum(field) && (is_enum(after) || is_text(after)) {
            let mut types = type_names(field);
            types.push(made.to_string());
            return Some(Going {
                types,
                only: None,
                instead: None,
            });
        }
        if is_text(field) && is_enum(after) {
            let quoted = format!("\"{}\"", made.as_str().replace('"', "\"\""));
            return Some(Going {
                types: vec!["text".to_owned(), "character varying".to_owned()],
                only: Some(&self.field),
                instead: Some(type_names(after).pop().unwrap_or(quoted)),
            });
        }
        None
    }

    /// Whether the field has to be dropped and added: another expression makes its values.
    fn makes_anew(&self, field: &Field, after: &Field) -> bool {
        after.generated.is_some()
            && (field.generated != after.generated || self.retypes(field, after))
    }

    /// Whether the type in the database is another one.
    fn retypes(&self, field: &Field, after: &Field) -> bool {
        !self.using.is_empty()
            || field.native != after.native
            || field.collation != after.collation
            || field.field_type != after.field_type && !grows(&field.field_type, &after.field_type)
    }

    fn settings<'s>(&self, before: &'s Schema) -> Option<&'s Arc<NativeDefinition>> {
        let mut natives = before.natives();
        natives.find(|native| native.is_settings_of(&self.collection, &self.field))
    }

    /// What keeps the field's type from changing, and what the database would write anew.
    fn held(
        &self,
        before: &Schema,
        field: &Field,
        after: &Field,
        naming: &Naming,
    ) -> Vec<Operation> {
        let Some(collection) = before.collection(&self.collection) else {
            return Vec::new();
        };
        // A field that is generated from this one takes along what stands on it.
        let derived: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|other| {
                other.name != self.field
                    && other
                        .generated
                        .as_ref()
                        .is_some_and(|generated| generated.expression.mentions(&self.field))
            })
            .collect();
        let about: Vec<_> = before.natives_about(&self.collection).collect();
        let holds = |native: &NativeDefinition| {
            native.is_settings_of(&self.collection, &self.field)
                || naming.held_by.contains(&native.kind.as_str())
                    && about.iter().any(|other| ***other == *native)
                    && crate::expression::mentions_field(
                        &native.definition,
                        &self.collection,
                        &self.field,
                        native.on.as_ref(),
                    )
        };
        let natives = before.natives_with_dependants(holds);
        let mut falling: Vec<Operation> = without_natives(before, natives).into_iter().collect();
        falling.extend(
            derived
                .iter()
                .map(|other| DropField::new(self.collection.clone(), other.name.clone()).into()),
        );
        // Of another length, or as another whole number, nothing is written anew but lists, into which the
        // server puts casts.
        let whole = |field: &Field| {
            matches!(
                field.field_type,
                FieldType::Smallint | FieldType::Integer | FieldType::Bigint
            )
        };
        let same_name = field.field_type.name() == after.field_type.name()
            && !matches!(
                field.field_type,
                FieldType::Enum { .. } | FieldType::Array { .. }
            );
        let alike = (same_name || whole(field) && whole(after))
            && field.native == after.native
            && field.collation == after.collation;
        let anew = |expression: &Expression| {
            expression.mentions(&self.field)
                && (!alike || expression.texts().any(|text| text.contains("ARRAY[")))
        };
        let goes_along = |mentions: &dyn Fn(&Field) -> bool| derived.iter().any(|f| mentions(f));
        // A key's own collation is forgotten once its field has it, too.
        let collates = |index: &Index| {
            let of_field = |key: &IndexKey| key.name() == Some(&self.field);
            field.collation != after.collation
                && index
                    .fields
                    .iter()
                    .any(|key| key.collation.is_some() && of_field(key))
        };
        for index in &collection.indexes {
            if let Some(name) = &index.name
                && (index.expressions().any(anew) || collates(index))
                && !goes_along(&|other| index.mentions(&other.name))
            {
                falling.push(DropIndex::new(self.collection.clone(), name.clone()).into());
            }
        }
        for constraint in &collection.constraints {
            if let (Some(name), Rule::Check(expression)) = (&constraint.name, &constraint.rule)
                && anew(expression)
                && !goes_along(&|other| constraint.mentions(&other.name))
            {
                falling.push(DropConstraint::new(self.collection.clone(), name.clone()).into());
            }
        }
        falling
    }

    fn target<'s>(&self, schema: &'s Schema) -> Result<(&'s Collection, &'s Field), SchemaError> {
        let collection = existing(schema, &self.collection)?;
        let field = collection.field(&self.field).ok_or_else(|| {
            SchemaError::missing(format!(
                "the field {}.{} does not exist",
                self.collection, self.field
            ))
        })?;
        Ok((collection, field))
    }

    /// The field after the changes.
    fn after(&self, field: &Field) -> Result<Field, SchemaError> {
        self.changes.apply_to(field).map_err(|wrong| {
            let sentences: Vec<String> = wrong
                .into_iter()
                .map(|(key, message)| format!("{key}: {message}"))
                .collect();
            let error = SchemaError::invalid(format!(
                "the changes of {}.{} do not fit: {}",
                self.collection,
                self.field,
                sentences.join("; ")
            ));
            if sentences.iter().any(|s| s.starts_with("default")) {
                error.hint("change the default too, or take it away with \"default\": null")
            } else {
                error
            }
        })
    }

    fn check_key(&self, collection: &Collection, after: &Field) -> Result<(), SchemaError> {
        if !after.required && collection.key().contains(&self.field) {
            return Err(SchemaError::invalid(format!(
                "{}.{} is in the primary key and cannot be nullable",
                self.collection, self.field
            )));
        }
        Ok(())
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let (collection, field) = self.target(schema)?;
        let after = self.after(field)?;
        self.check_key(collection, &after)?;
        let mut collection = collection.clone();
        if let Some(field) = collection.field_mut(&self.field) {
            *field = after;
        }
        schema.put(collection);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let Ok((_, field)) = self.target(before) else {
            return Ok(Inverse::lossless(Vec::new()));
        };
        let Ok(after) = self.after(field) else {
            return Ok(Inverse::lossless(Vec::new()));
        };
        let changes = FieldChanges::between(&after, field);
        if changes.is_empty() {
            return Ok(Inverse::lossless(Vec::new()));
        }
        let mut back = Self::new(self.collection.clone(), self.field.clone(), changes);
        back.allow.clone_from(&self.allow);
        let operations = vec![back.into()];
        Ok(if self.overwrites(field, &after) {
            Inverse::structure_only(
                operations,
                format!(
                    "the values of {}.{} from before it was generated",
                    self.collection, self.field
                ),
            )
        } else if !self.using.is_empty() {
            Inverse::structure_only(
                operations,
                format!(
                    "the values of {}.{} as they were before they were converted",
                    self.collection, self.field
                ),
            )
        } else if keeps_values(&field.field_type, &after.field_type) {
            Inverse::lossless(operations)
        } else {
            Inverse::structure_only(
                operations,
                format!(
                    "the values of {}.{} as they were written as {}",
                    self.collection, self.field, field.field_type
                ),
            )
        })
    }

    /// Whether the values give way to an expression.
    fn overwrites(&self, field: &Field, after: &Field) -> bool {
        field.generated.is_none() && after.generated.is_some()
    }

    pub(super) fn risks(&self, before: &Schema) -> Vec<Risk> {
        let overwritten = self.target(before).is_ok_and(|(_, field)| {
            self.after(field)
                .is_ok_and(|after| self.overwrites(field, &after))
        });
        if !overwritten {
            return Vec::new();
        }
        vec![Risk::new(
            RiskKind::DataLoss,
            format!(
                "every value of {}.{} gives way to a generated one, and the way back does not bring them back",
                self.collection, self.field
            ),
        )]
    }

    pub(super) fn describe(&self) -> String {
        let changes = serde_json::to_value(&self.changes).unwrap_or_default();
        let changes: Vec<String> = changes
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        format!(
            "modify field {}.{} ({})",
            self.collection,
            self.field,
            changes.join(", ")
        )
    }
}

/// Changes what an operation that brings something back says in the database's words.
fn map_texts(operation: &mut Operation, change: &dyn Fn(&str) -> String) {
    match operation {
        Operation::AddConstraint(add) => {
            if let Rule::Check(expression) = &mut Arc::make_mut(&mut add.constraint).rule {
                *expression = expression.mapped(change);
            }
        }
        Operation::CreateIndex(create) => {
            let index = Arc::make_mut(&mut create.index);
            if let Some(predicate) = &mut index.predicate {
                *predicate = predicate.mapped(change);
            }
            for key in &mut index.fields {
                if let IndexTarget::Expression(expression) = &mut key.target {
                    *expression = expression.mapped(change);
                }
            }
        }
        Operation::AddField(add) => {
            if let Some(generated) = &mut Arc::make_mut(&mut add.field).generated {
                generated.expression = generated.expression.mapped(change);
            }
        }
        Operation::Restore(restore) => {
            for native in &mut restore.definitions {
                native.definition = change(&native.definition);
            }
        }
        _ => {}
    }
}

/// Whether an enum only gets more values: its type stays.
fn grows(from: &FieldType, to: &FieldType) -> bool {
    match (from, to) {
        (FieldType::Enum { values: old }, FieldType::Enum { values: new }) => {
            let kept = new.iter().filter(|value| old.contains(value));
            new.len() > old.len() && kept.eq(old)
        }
        (FieldType::Array { items: old }, FieldType::Array { items: new }) => grows(old, new),
        _ => false,
    }
}

/// Whether every value that got through the conversion comes back from it as it was.
fn keeps_values(from: &FieldType, to: &FieldType) -> bool {
    use FieldType as T;
    let whole = |t: &T| matches!(t, T::Smallint | T::Integer | T::Bigint);
    let text = |t: &T| matches!(t, T::String { .. } | T::Text | T::Enum { .. });
    let bytes = |t: &T| matches!(t, T::Binary { .. } | T::Blob);
    if from.name() == to.name() || whole(from) && whole(to) || text(from) && text(to) {
        // A decimal that loses digits after the point is refused when it is counted.
        return true;
    }
    if bytes(from) && bytes(to) {
        return true;
    }
    match to {
        T::Text | T::String { .. } => whole(from) || matches!(from, T::Uuid | T::Date),
        T::Double => matches!(from, T::Float | T::Smallint | T::Integer),
        T::Decimal { .. } => whole(from),
        _ => false,
    }
}
