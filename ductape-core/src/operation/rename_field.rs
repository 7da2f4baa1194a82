use super::{Allow, Naming, Operation, SchemaError, existing, renamed_back};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Options, Schema};
use std::sync::Arc;

document! {
    /// Gives a field another name; indexes, constraints, expressions and foreign keys follow.
    pub struct RenameField = "the operation renameField" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The field's name now.
            "from" => from: Name,
            /// The field's name then.
            "to" => to: Name,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl RenameField {
    /// Gives a field another name.
    pub fn new(collection: Name, from: Name, to: Name) -> Self {
        Self {
            collection,
            from,
            to,
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
        self.check(before).map(|_| None)
    }

    fn check<'s>(&self, schema: &'s Schema) -> Result<&'s Arc<Collection>, SchemaError> {
        let collection = existing(schema, &self.collection)?;
        if collection.field(&self.from).is_none() {
            return Err(SchemaError::missing(format!(
                "the field {}.{} does not exist",
                self.collection, self.from
            )));
        }
        if self.from == self.to {
            return Err(SchemaError::invalid(format!(
                "the field {}.{} is called so already",
                self.collection, self.from
            )));
        }
        if collection.field(&self.to).is_some() {
            return Err(SchemaError::exists(
                false,
                format!("a field {}.{} already exists", self.collection, self.to),
            ));
        }
        // Were the new name in a text or an option already, the way back could not tell the two apart.
        let back = Self::new(self.collection.clone(), self.to.clone(), self.from.clone());
        if back.renamed(&self.renamed(collection)) != **collection {
            return Err(SchemaError::invalid(format!(
                "an expression or an option of {:?} uses the word {:?} already, and not for the field {:?}",
                self.collection, self.to, self.from
            ))
            .hint("take what uses it away first, and add it again after the renaming"));
        }
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let collection = self.renamed(self.check(schema)?);
        let pointing: Vec<Arc<Collection>> =
            schema.referencing(&self.collection).cloned().collect();
        for other in pointing {
            let mut other = Collection::clone(&other);
            self.follow(&mut other);
            schema.put(other);
        }
        schema.put(collection);
        schema.rename_field_in_natives(&self.collection, &self.from, &self.to);
        Ok(())
    }

    /// The collection with the new name.
    fn renamed(&self, collection: &Collection) -> Collection {
        let mut collection = collection.clone();
        let (from, to) = (&self.from, &self.to);
        for field in &mut collection.fields {
            if field.name == *from {
                field.name = to.clone();
            }
            field.map_expressions(|expression| expression.renamed(from, to));
        }
        for index in &mut collection.indexes {
            index.rename_field(from, to);
        }
        for constraint in &mut collection.constraints {
            constraint.rename_field(from, to);
        }
        self.follow(&mut collection);
        if *collection.options != Options::default() {
            Arc::make_mut(&mut collection.options).rename_field(from, to);
        }
        collection
    }

    /// Follows the new name in foreign keys that point at the field.
    fn follow(&self, collection: &mut Collection) {
        for constraint in &mut collection.constraints {
            constraint.rename_target_field(&self.collection, &self.from, &self.to);
        }
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let mut back = Self::new(self.collection.clone(), self.to.clone(), self.from.clone());
        back.allow.clone_from(&self.allow);
        Ok(Inverse::lossless(renamed_back(
            before,
            self.clone().into(),
            back.into(),
        )))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "rename field {}.{} to {}",
            self.collection, self.from, self.to
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::SchemaErrorKind;
    use super::super::testing::{made, operation, there_and_back};

    #[test]
    fn a_new_name_that_an_expression_uses_already_is_refused() {
        for (field, check) in [("a", "b > other"), ("b", "b > other")] {
            let mut schema = made(&format!(
                r#"[{{"type": "createCollection", "name": "t", "fields": {{"a": "integer", "b": "integer"}},
                     "constraints": [{{"type": "check", "expression": "{check}"}}]}}]"#
            ));
            let rename = operation(&format!(
                r#"{{"type": "renameField", "collection": "t", "from": "{field}", "to": "other"}}"#
            ));
            let refused = rename.apply(&mut schema).map_err(|error| error.kind);
            assert_eq!(refused, Err(SchemaErrorKind::Invalid), "{field}");
        }
    }

    #[test]
    fn a_new_name_that_the_options_use_already_is_refused() {
        let mut schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"},
                 "dynamoOptions": {"ttlAttribute": "gone"}}]"#,
        );
        let rename =
            operation(r#"{"type": "renameField", "collection": "t", "from": "a", "to": "gone"}"#);
        let refused = rename.apply(&mut schema).map_err(|error| error.kind);
        assert_eq!(refused, Err(SchemaErrorKind::Invalid));
    }

    #[test]
    fn another_case_and_the_name_of_a_function_are_no_obstacle() {
        let before = r#"[{"type": "createCollection", "name": "t", "fields": {"a": "text"},
                          "constraints": [{"type": "check", "expression": "lower(a) = 'x'"}]}]"#;
        for to in ["A", "lower"] {
            there_and_back(
                before,
                &format!(
                    r#"{{"type": "renameField", "collection": "t", "from": "a", "to": "{to}"}}"#
                ),
            );
        }
    }
}
