use super::create_collection::{check_constraint, check_own_key};
use super::drop_index::without_key;
use super::{
    Allow, DropConstraint, ModifyField, Naming, Operation, SchemaError, constraint_name, existing,
};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Constraint, FieldChanges, Rule, Schema};
use std::sync::Arc;

document! {
    /// Adds a constraint.
    pub struct AddConstraint = "the operation addConstraint" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The constraint.
            "constraint" => constraint: Arc<Constraint>,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl AddConstraint {
    /// Adds a constraint.
    pub fn new(collection: Name, constraint: impl Into<Arc<Constraint>>) -> Self {
        Self {
            collection,
            constraint: constraint.into(),
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
        let collection = existing(before, &self.collection)?;
        let mut add = self.clone();
        Arc::make_mut(&mut add.constraint).name =
            Some(constraint_name(collection, &self.constraint, naming));
        add.check(before)?;
        let mut operations = Vec::new();
        if let Rule::PrimaryKey(columns) = &self.constraint.rule {
            for column in columns {
                if collection
                    .field(column)
                    .is_some_and(|field| !field.required)
                {
                    let changes = FieldChanges {
                        required: Some(true),
                        ..FieldChanges::default()
                    };
                    let modify = ModifyField::new(self.collection.clone(), column.clone(), changes);
                    operations.push(modify.into());
                }
            }
        }
        operations.push(add.into());
        Ok(Some(operations))
    }

    fn check<'s>(&self, schema: &'s Schema) -> Result<&'s Collection, SchemaError> {
        let collection = existing(schema, &self.collection)?;
        if let Some(name) = &self.constraint.name
            && let Some(there) = collection.constraint(name)
        {
            return Err(SchemaError::exists(
                *there == *self.constraint,
                format!(
                    "the constraint {name:?} of {:?} already exists",
                    self.collection
                ),
            ));
        }
        if matches!(self.constraint.rule, Rule::PrimaryKey(_))
            && let Some(key) = collection.primary_key()
        {
            return Err(SchemaError::exists(
                key.rule == self.constraint.rule,
                format!("{:?} already has a primary key", self.collection),
            )
            .hint("drop it first"));
        }
        check_constraint(collection, &self.constraint, schema)?;
        check_own_key(collection, &self.constraint, schema)?;
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let mut collection = self.check(schema)?.clone();
        if let Rule::PrimaryKey(columns) = &self.constraint.rule
            && let Some(field) = collection
                .fields
                .iter()
                .find(|field| columns.contains(&field.name) && !field.required)
        {
            return Err(SchemaError::invalid(format!(
                "{}.{} is nullable and cannot be in a primary key",
                self.collection, field.name
            )));
        }
        let mut constraint = self.constraint.clone();
        if constraint.name.is_none() {
            let name = constraint_name(&collection, &constraint, &Naming::default());
            Arc::make_mut(&mut constraint).name = Some(name);
        }
        collection.insert_constraint(constraint);
        schema.put(collection);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let name = self.constraint.name.clone().or_else(|| {
            let collection = before.collection(&self.collection)?;
            Some(constraint_name(
                collection,
                &self.constraint,
                &Naming::default(),
            ))
        });
        let operations = name.map(|name| {
            let mut back = DropConstraint::new(self.collection.clone(), name);
            back.allow.clone_from(&self.allow);
            without_key(
                before,
                || self.clone().into(),
                &self.collection,
                back.into(),
            )
        });
        Ok(Inverse::lossless(operations.unwrap_or_default()))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let kind = self.constraint.constraint_type();
        match &self.constraint.name {
            Some(name) => format!("add {kind} constraint {name} to {}", self.collection),
            None => format!("add {kind} constraint to {}", self.collection),
        }
    }
}
