use super::create_collection::has_key;
use super::{
    AddField, Allow, DropConstraint, DropIndex, Naming, Operation, SchemaError, existing,
    without_natives,
};
use crate::expression::mentions_field;
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::{Collection, Constraint, Index, NativeDefinition, PARTITION, Rule, Schema};
use std::sync::Arc;

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
        let pointing = before
            .foreign_keys_to(&self.collection)
            .find(|(_, key)| self.falls_with(collection, key));
        if let Some((other, key)) = pointing {
            return Err(SchemaError::depended(format!(
                "the foreign key {} of {other} points at {}.{}",
                key.name.as_ref().map_or("", Name::as_str),
                self.collection,
                self.field
            ))
            .hint("drop the foreign key first"));
        }
        let mut operations = self.falling(before);
        if operations.is_empty() {
            return Ok(None);
        }
        operations.push(self.clone().into());
        Ok(Some(operations))
    }

    /// What falls before the field does.
    pub(super) fn falling(&self, before: &Schema) -> Vec<Operation> {
        let Some(collection) = before.collection(&self.collection) else {
            return Vec::new();
        };
        let indexes = collection
            .indexes
            .iter()
            .filter(|index| index.mentions(&self.field))
            .filter_map(|index| index.name.as_ref());
        let constraints = collection
            .constraints
            .iter()
            .filter(|constraint| {
                constraint.mentions(&self.field) || self.falls_with(collection, constraint)
            })
            .filter_map(|constraint| constraint.name.as_ref());
        let falling: Vec<&Name> = indexes.chain(constraints).collect();
        let settings = before.natives().filter(|native| {
            let of = |index: &&Name| native.is_settings_of_index(&self.collection, index);
            falling.iter().any(of)
        });
        let natives = self.natives(before).into_iter().chain(settings);
        let mut operations: Vec<Operation> = without_natives(before, natives).into_iter().collect();
        // Foreign keys fall before the keys and the unique indexes that they may point at.
        let (foreign_keys, others): (Vec<&Constraint>, Vec<&Constraint>) = collection
            .constraints
            .iter()
            .filter(|constraint| {
                constraint.mentions(&self.field) || self.falls_with(collection, constraint)
            })
            .partition(|constraint| matches!(constraint.rule, Rule::ForeignKey(..)));
        let drop_constraint = |constraint: &Constraint| {
            let name = constraint.name.clone()?;
            Some(DropConstraint::new(self.collection.clone(), name).into())
        };
        operations.extend(foreign_keys.into_iter().filter_map(drop_constraint));
        for index in &collection.indexes {
            if let Some(name) = &index.name
                && index.mentions(&self.field)
            {
                operations.push(DropIndex::new(self.collection.clone(), name.clone()).into());
            }
        }
        operations.extend(others.into_iter().filter_map(drop_constraint));
        operations
    }

    /// The native definitions that use the field, and those that come after them.
    fn natives<'s>(&self, before: &'s Schema) -> Vec<&'s Arc<NativeDefinition>> {
        let about: Vec<_> = before.natives_about(&self.collection).collect();
        before.natives_with_dependants(|native| {
            if native.is_settings() {
                return native.is_settings_of(&self.collection, &self.field);
            }
            native.kind != PARTITION
                && about.iter().any(|other| ***other == *native)
                && mentions_field(
                    &native.definition,
                    &self.collection,
                    &self.field,
                    native.on.as_ref(),
                )
        })
    }

    /// Whether a foreign key points at the field, or at a key that falls with it.
    fn falls_with(&self, collection: &Collection, key: &Constraint) -> bool {
        let Some(references) = key.references().filter(|r| r.table == self.collection) else {
            return false;
        };
        if references.columns.contains(&self.field) {
            return true;
        }
        // A unique index may include the field without having it among its keys.
        let includes = |index: &Index| index.unique && index.mentions(&self.field);
        if !collection.indexes.iter().any(includes) {
            return false;
        }
        let mut without = collection.clone();
        without.indexes.retain(|index| !index.mentions(&self.field));
        has_key(collection, &references.columns) && !has_key(&without, &references.columns)
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

#[cfg(test)]
mod tests {
    use super::super::Naming;
    use super::super::testing::{made, operation};

    #[test]
    fn a_foreign_key_falls_before_the_unique_index_that_it_points_at() {
        let schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer", "b": "integer"},
                 "indexes": [{"fields": ["b"], "unique": true}],
                 "constraints": [{"type": "foreignKey", "columns": ["a"],
                                  "references": {"table": "t", "columns": ["b"]}}]}]"#,
        );
        let drop = operation(r#"{"type": "dropField", "collection": "t", "field": "b"}"#);
        let spelled = drop.spell_out(&schema, &Naming::default());
        let mut schema = schema;
        for operation in spelled.into_iter().flatten() {
            assert_eq!(
                operation.apply(&mut schema),
                Ok(()),
                "{}",
                operation.describe()
            );
        }
    }

    #[test]
    fn an_index_that_only_includes_the_field_may_be_a_key_that_others_point_at() {
        let key = r#"{"type": "createCollection", "name": "t", "fields": {"a": "integer", "b": "integer", "c": "integer"},
                      "indexes": [{"fields": ["a"], "unique": true, "include": ["b"]}]}"#;
        let drop = operation(r#"{"type": "dropField", "collection": "t", "field": "b"}"#);
        let own = made(&format!(
            r#"[{key}, {{"type": "addConstraint", "collection": "t", "constraint": {{"type": "foreignKey",
                "columns": ["c"], "references": {{"table": "t", "columns": ["a"]}}}}}}]"#
        ));
        let falling = drop.spell_out(&own, &Naming::default());
        assert_eq!(falling.map(|falling| falling.len()), Ok(3));
        let other = made(&format!(
            r#"[{key}, {{"type": "createCollection", "name": "u", "fields": {{"c": "integer"}},
                "constraints": [{{"type": "foreignKey", "columns": ["c"], "references": {{"table": "t", "columns": ["a"]}}}}]}}]"#
        ));
        assert!(drop.spell_out(&other, &Naming::default()).is_err());
    }

    #[test]
    fn a_function_is_not_the_field_of_its_name() {
        let mut schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": [
                    {"name": "date", "type": "date"},
                    {"name": "d", "type": "date", "default": {"expression": "date('now')"}},
                    {"name": "e", "type": "date", "default": {"expression": "'now'::date"}}]}]"#,
        );
        let drop = operation(r#"{"type": "dropField", "collection": "t", "field": "date"}"#);
        assert_eq!(drop.apply(&mut schema), Ok(()));
    }
}
