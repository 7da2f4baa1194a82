use super::{AddConstraint, Allow, DropConstraint, Naming, Operation, SchemaError, existing};
use crate::backend_name::BackendName;
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Reader, document};
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::{Collection, Constraint, Field, FieldChanges, FieldType, Rule, Schema};
use std::collections::BTreeMap;

document! {
    /// Changes attributes of a field.
    pub struct ModifyField = "the operation modifyField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field's name.
            "field" => field: Name,
            /// The attributes that change; null takes one away.
            "changes" => changes: FieldChanges,
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
    pub fn new(collection: Name, field: Name, changes: FieldChanges) -> Self {
        Self {
            collection,
            field,
            changes,
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
            return Ok(None);
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
