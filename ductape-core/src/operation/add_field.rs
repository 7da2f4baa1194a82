use super::{
    AddConstraint, Allow, DropField, ModifyField, Naming, Operation, SchemaError, existing,
};
use crate::expression::Expression;
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{
    Change, Collection, Constraint, DefaultValue, Field, FieldChanges, Rule, Schema,
};
use std::sync::Arc;

document! {
    /// Adds a field to a collection.
    pub struct AddField = "the operation addField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field.
            "field" => field: Arc<Field>,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl AddField {
    /// Adds a field.
    pub fn new(collection: Name, field: impl Into<Arc<Field>>) -> Self {
        Self {
            collection,
            field: field.into(),
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
        let field = Arc::make_mut(&mut add.field);
        field.unique = false;
        field.primary_key = false;
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
                let mut new = Field::clone(&self.field);
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

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let mut back = DropField::new(self.collection.clone(), self.field.name.clone());
        back.allow.clone_from(&self.allow);
        // Nothing can hang on the field yet. What only uses the same word (the END of a CASE, a field of
        // another collection in a view) would fall with it all the same: it stands aside and comes back.
        let mut mistaken = self.mistaken_fields(before);
        mistaken.append(&mut back.falling(before));
        let mut operations = Vec::with_capacity(1);
        let mut again = Vec::new();
        let mut schema = before.clone();
        if !mistaken.is_empty() && self.apply(&mut schema).is_ok() {
            for aside in mistaken {
                let mut undone = aside.inverse_spelled(&schema)?;
                if aside.apply_spelled(&mut schema).is_ok() {
                    operations.push(aside);
                    undone.operations.append(&mut again);
                    again = undone.operations;
                }
            }
        }
        operations.push(back.into());
        operations.append(&mut again);
        Ok(Inverse::lossless(operations))
    }

    /// Takes away the expressions of other fields that use the word.
    fn mistaken_fields(&self, before: &Schema) -> Vec<Operation> {
        let fields = before.collection(&self.collection).into_iter();
        fields
            .flat_map(|collection| &collection.fields)
            .filter_map(|field| {
                let uses = |expression: &Expression| expression.mentions(&self.field.name);
                let mut changes = FieldChanges::default();
                if field
                    .default
                    .as_ref()
                    .and_then(DefaultValue::expression)
                    .is_some_and(uses)
                {
                    changes.default = Change::Remove;
                }
                if field
                    .generated
                    .as_ref()
                    .is_some_and(|g| uses(&g.expression))
                {
                    changes.generated = Change::Remove;
                }
                (!changes.is_empty()).then(|| {
                    ModifyField::new(self.collection.clone(), field.name.clone(), changes).into()
                })
            })
            .collect()
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

#[cfg(test)]
mod tests {
    use super::super::testing::there_and_back;

    #[test]
    fn the_way_back_keeps_what_only_uses_the_same_word() {
        there_and_back(
            r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"},
                 "indexes": [{"fields": ["a"], "where": "a IS NOT NULL"}],
                 "constraints": [{"type": "check", "expression": "CASE WHEN a = 1 THEN 0 ELSE 1 END = 1"}]},
                {"type": "restore", "backend": "sqlite", "definitions": [
                    {"kind": "view", "name": "v", "definition": "SELECT t.a, u.end FROM t JOIN u"}]}]"#,
            r#"{"type": "addField", "collection": "t", "field": {"name": "end", "type": "date"}}"#,
        );
        there_and_back(
            r#"[{"type": "createCollection", "name": "t", "fields": [
                    {"name": "a", "type": "date"},
                    {"name": "d", "type": "date", "default": {"expression": "coalesce(NULL, 1)"}},
                    {"name": "g", "type": "integer", "generated": {"expression": "CASE WHEN a = 1 THEN 0 END"}}]}]"#,
            r#"{"type": "addField", "collection": "t", "field": {"name": "null", "type": "date", "unique": true}}"#,
        );
        there_and_back(
            r#"[{"type": "createCollection", "name": "t", "fields": [
                    {"name": "a", "type": "date"},
                    {"name": "g", "type": "integer", "generated": {"expression": "CASE WHEN a = 1 THEN 0 END"}}]}]"#,
            r#"{"type": "addField", "collection": "t", "field": {"name": "end", "type": "date"}}"#,
        );
    }
}
