use super::{
    AddField, Allow, DropConstraint, DropIndex, Naming, Operation, SchemaError, existing,
    without_natives,
};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::{Collection, Constraint, Rule, Schema};

document! {
    /// Drops a field with its values, and first the indexes and constraints over it.
    pub struct DropField = "the operation dropField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field's name.
            "field" => field: Name,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl DropField {
    /// Drops a field.
    pub fn new(collection: Name, field: Name) -> Self {
        Self {
            collection,
            field,
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.collection)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        let collection = self.check(before)?;
        let mut operations = Vec::new();
        for (other, key) in pointing_at(before, &self.collection, &self.field) {
            return Err(SchemaError::depended(format!(
                "the foreign key {} of {other} points at {}.{}",
                key.name.as_ref().map_or("", Name::as_str),
                self.collection,
                self.field
            ))
            .hint("drop the foreign key first"));
        }
        let natives = before
            .natives_about(&self.collection)
            .filter(|native| crate::expression::mentions(&native.definition, &self.field));
        operations.extend(without_natives(before, natives));
        for index in &collection.indexes {
            if let Some(name) = &index.name
                && index.mentions(&self.field)
            {
                operations.push(DropIndex::new(self.collection.clone(), name.clone()).into());
            }
        }
        // Foreign keys fall before the keys that they may point at.
        let mut falling: Vec<&Constraint> = collection
            .constraints
            .iter()
            .filter(|constraint| {
                constraint.mentions(&self.field)
                    || constraint.references().is_some_and(|references| {
                        references.table == self.collection
                            && references.columns.contains(&self.field)
                    })
            })
            .collect();
        falling.sort_by_key(|constraint| !matches!(constraint.rule, Rule::ForeignKey(..)));
        for constraint in falling {
            if let Some(name) = &constraint.name {
                operations.push(DropConstraint::new(self.collection.clone(), name.clone()).into());
            }
        }
        if operations.is_empty() {
            return Ok(None);
        }
        operations.push(self.clone().into());
        Ok(Some(operations))
    }

    fn check<'s>(&self, schema: &'s Schema) -> Result<&'s Collection, SchemaError> {
        let collection = existing(schema, &self.collection)?;
        if collection.field(&self.field).is_none() {
            return Err(SchemaError::missing(format!(
                "the field {}.{} does not exist",
                self.collection, self.field
            )));
        }
        if collection.fields.len() == 1 {
            return Err(SchemaError::invalid(format!(
                "{}.{} is the collection's only field",
                self.collection, self.field
            ))
            .hint("drop the collection, or add another field first"));
        }
        if let Some(generated) = collection.fields.iter().find(|field| {
            field.name != self.field && field.expressions().any(|e| e.mentions(&self.field))
        }) {
            return Err(SchemaError::depended(format!(
                "the field {}.{} is made from {}",
                self.collection, generated.name, self.field
            ))
            .hint("drop that field first"));
        }
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let mut collection = self.check(schema)?.clone();
        let standing = collection
            .indexes
            .iter()
            .filter(|index| index.mentions(&self.field))
            .filter_map(|index| index.name.as_ref())
            .chain(
                collection
                    .constraints
                    .iter()
                    .filter(|constraint| constraint.mentions(&self.field))
                    .filter_map(|constraint| constraint.name.as_ref()),
            )
            .next();
        if let Some(name) = standing {
            return Err(SchemaError::depended(format!(
                "{name} still stands on the field {}.{}",
                self.collection, self.field
            )));
        }
        collection.fields.retain(|field| field.name != self.field);
        schema.put(collection);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let field = before
            .collection(&self.collection)
            .and_then(|collection| collection.field(&self.field))
            .cloned();
        let Some(field) = field else {
            return Ok(Inverse::lossless(Vec::new()));
        };
        let generated = field.generated.is_some();
        let mut lost = format!("the values of {}.{}", self.collection, self.field);
        if field.required && field.default.is_none() && !field.auto_increment && !generated {
            lost.push_str(&format!(
                ": rows get {} instead",
                field.field_type.neutral_value()
            ));
        }
        let mut back = AddField::new(self.collection.clone(), field);
        back.allow.clone_from(&self.allow);
        let operations = vec![back.into()];
        Ok(if generated {
            Inverse::lossless(operations)
        } else {
            Inverse::structure_only(operations, lost)
        })
    }

    pub(super) fn risks(&self, before: &Schema) -> Vec<Risk> {
        let generated = before
            .collection(&self.collection)
            .and_then(|collection| collection.field(&self.field))
            .is_some_and(|field| field.generated.is_some());
        if generated {
            return Vec::new();
        }
        vec![Risk::new(
            RiskKind::DataLoss,
            format!(
                "every value of {}.{} goes, and the way back does not bring them back",
                self.collection, self.field
            ),
        )]
    }

    pub(super) fn describe(&self) -> String {
        format!("drop field {}.{}", self.collection, self.field)
    }
}

/// The foreign keys of other collections that point at a field.
pub(super) fn pointing_at<'s>(
    schema: &'s Schema,
    collection: &'s Name,
    field: &'s Name,
) -> impl Iterator<Item = (&'s Name, &'s Constraint)> {
    schema
        .foreign_keys_to(collection)
        .filter(move |(_, constraint)| {
            constraint
                .references()
                .is_some_and(|references| references.columns.contains(field))
        })
}
