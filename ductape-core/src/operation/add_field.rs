use super::{AddConstraint, Allow, DropField, Naming, Operation, SchemaError, existing};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Constraint, Field, Rule, Schema};

document! {
    /// Adds a field to a collection.
    pub struct AddField = "the operation addField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field.
            "field" => field: Field,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl AddField {
    /// Adds a field.
    pub fn new(collection: Name, field: Field) -> Self {
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
        naming: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        self.check(before)?;
        if !self.field.unique && !self.field.primary_key {
            return Ok(None);
        }
        let mut add = self.clone();
        add.field.unique = false;
        add.field.primary_key = false;
        let mut operations = vec![Operation::from(add)];
        let mut after = before.clone();
        if let Some(add) = operations.first() {
            add.apply_spelled(&mut after)?;
        }
        let only = vec![self.field.name.clone()];
        let mut rules = Vec::new();
        if self.field.primary_key {
            rules.push(Rule::PrimaryKey(only.clone()));
        } else if self.field.unique {
            rules.push(Rule::Unique(only));
        }
        for rule in rules {
            let mut add = AddConstraint::new(self.collection.clone(), Constraint::new(rule));
            add.allow.clone_from(&self.allow);
            operations.extend(Operation::from(add).spell_out(&after, naming)?);
        }
        Ok(Some(operations))
    }

    fn check(&self, schema: &Schema) -> Result<(), SchemaError> {
        let collection = existing(schema, &self.collection)?;
        match collection.field(&self.field.name) {
            None => Ok(()),
            Some(field) => {
                let mut new = self.field.clone();
                new.unique = false;
                new.primary_key = false;
                Err(SchemaError::exists(
                    *field == new,
                    format!(
                        "the field {}.{} already exists",
                        self.collection, self.field.name
                    ),
                ))
            }
        }
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        self.check(schema)?;
        let mut collection = Collection::clone(existing(schema, &self.collection)?);
        collection.fields.push(self.field.clone());
        schema.put(collection);
        Ok(())
    }

    pub(super) fn inverse(&self, _: &Schema) -> Result<Inverse, Irreversible> {
        let mut back = DropField::new(self.collection.clone(), self.field.name.clone());
        back.allow.clone_from(&self.allow);
        Ok(Inverse::lossless(vec![back.into()]))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "add field {}.{} ({})",
            self.collection, self.field.name, self.field.field_type
        )
    }
}
