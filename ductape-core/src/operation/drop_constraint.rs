use super::drop_index::refuse_if_pointed_at;
use super::{
    AddConstraint, Allow, Naming, Operation, SchemaError, after_its_settings, existing,
    without_natives,
};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Schema};

document! {
    /// Drops a constraint.
    pub struct DropConstraint = "the operation dropConstraint" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The constraint's name.
            "constraint" => constraint: Name,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl DropConstraint {
    /// Drops a constraint.
    pub fn new(collection: Name, constraint: Name) -> Self {
        Self {
            collection,
            constraint,
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
        let collection = existing(before, &self.collection)?;
        if collection.constraint(&self.constraint).is_none() {
            // The model has no words for some constraints; they go as they are.
            let native = before.natives_with_dependants(|native| {
                native.kind == "constraint"
                    && native.name == self.constraint
                    && native.on.as_ref() == Some(&self.collection)
            });
            if let Some(gone) = without_natives(before, native) {
                return Ok(Some(vec![gone]));
            }
        }
        let without = self.without(before)?;
        refuse_if_pointed_at(before, &without)?;
        Ok(after_its_settings(
            before,
            &self.collection,
            &self.constraint,
            || self.clone().into(),
        ))
    }

    fn without(&self, schema: &Schema) -> Result<Collection, SchemaError> {
        let mut collection = Collection::clone(existing(schema, &self.collection)?);
        if collection.constraint(&self.constraint).is_none() {
            return Err(SchemaError::missing(format!(
                "the constraint {:?} of {:?} does not exist",
                self.constraint, self.collection
            )));
        }
        collection
            .constraints
            .retain(|constraint| constraint.name.as_ref() != Some(&self.constraint));
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let without = self.without(schema)?;
        schema.put(without);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let constraint = before
            .collection(&self.collection)
            .and_then(|collection| collection.constraint(&self.constraint));
        let operations = constraint
            .map(|constraint| {
                let mut back = AddConstraint::new(self.collection.clone(), constraint.clone());
                back.allow.clone_from(&self.allow);
                back.into()
            })
            .into_iter()
            .collect();
        Ok(Inverse::lossless(operations))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        format!("drop constraint {} of {}", self.constraint, self.collection)
    }
}
