use super::{
    Allow, CreateCollection, DropConstraint, Naming, Operation, Restore, SchemaError, existing,
    without_natives,
};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::Schema;

document! {
    /// Drops a collection with its data.
    pub struct DropCollection = "the operation dropCollection" {
        required {
            /// The collection.
            "name" => name: Name,
        }
        optional {
            /// Takes what depends on it along: foreign keys of others, views.
            "cascade" => cascade: bool,
            /// Not there is nothing to do.
            "ifExists" => if_exists: bool,
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl DropCollection {
    /// Drops a collection that nothing depends on.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            cascade: false,
            if_exists: false,
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.name)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        if self.if_exists && before.collection(&self.name).is_none() {
            return Ok(Some(Vec::new()));
        }
        existing(before, &self.name)?;
        let own = |on: &Option<Name>| on.as_ref() == Some(&self.name);
        let foreign_keys: Vec<_> = before.foreign_keys_to(&self.name).collect();
        let natives: Vec<_> = before.natives_about(&self.name).collect();
        if !self.cascade {
            let mut dependants: Vec<String> = foreign_keys
                .iter()
                .filter_map(|(collection, key)| {
                    let name = key.name.as_ref()?;
                    Some(format!("the foreign key {name} of {collection}"))
                })
                .collect();
            dependants.extend(
                natives
                    .iter()
                    .filter(|native| !own(&native.on))
                    .map(|native| format!("the {} {}", native.kind, native.name)),
            );
            if !dependants.is_empty() {
                return Err(SchemaError::depended(format!(
                    "others depend on the collection {:?}: {}",
                    self.name,
                    dependants.join(", ")
                ))
                .hint("drop them first, or take them along with cascade"));
            }
        }
        if foreign_keys.is_empty() && natives.is_empty() && !self.cascade && !self.if_exists {
            return Ok(None);
        }
        let mut operations: Vec<Operation> = without_natives(before, natives).into_iter().collect();
        for (collection, key) in foreign_keys {
            if let Some(name) = &key.name {
                operations.push(DropConstraint::new(collection.clone(), name.clone()).into());
            }
        }
        let mut drop = Self::new(self.name.clone());
        drop.allow.clone_from(&self.allow);
        operations.push(drop.into());
        Ok(Some(operations))
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        existing(schema, &self.name)?;
        let standing: Vec<_> = schema
            .natives()
            .filter(|native| native.on.as_ref() == Some(&self.name))
            .cloned()
            .collect();
        for native in standing {
            schema.remove_native(&native);
        }
        schema.remove(&self.name);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let Some(collection) = before.collection(&self.name) else {
            return Ok(Inverse::lossless(Vec::new()));
        };
        let mut operations: Vec<Operation> = vec![CreateCollection::of(collection).into()];
        if let Some(backend) = before.backend() {
            let definitions: Vec<_> = before
                .natives()
                .filter(|native| native.on.as_ref() == Some(&self.name))
                .map(|native| native.as_ref().clone())
                .collect();
            if !definitions.is_empty() {
                operations.push(
                    Restore {
                        backend,
                        definitions,
                        remove: Vec::new(),
                        allow: Vec::new(),
                    }
                    .into(),
                );
            }
        }
        Ok(Inverse::structure_only(
            operations,
            format!("the rows of {}", self.name),
        ))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        vec![Risk::new(
            RiskKind::DataLoss,
            format!(
                "every row of {} goes, and the way back does not bring them back",
                self.name
            ),
        )]
    }

    pub(super) fn describe(&self) -> String {
        format!("drop collection {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{made, operation};
    use super::super::{Naming, Operation};

    #[test]
    fn a_view_falls_before_the_one_that_it_comes_after() {
        let schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"}},
                {"type": "restore", "backend": "sqlite", "definitions": [
                    {"kind": "view", "name": "b", "definition": "SELECT a FROM t"},
                    {"kind": "view", "name": "c", "definition": "SELECT a FROM b, t", "after": ["b"]},
                    {"kind": "view", "name": "a", "definition": "SELECT a FROM c, t", "after": ["c"]}]}]"#,
        );
        let drop = operation(r#"{"type": "dropCollection", "name": "t", "cascade": true}"#);
        let spelled = drop.spell_out(&schema, &Naming::default());
        let removed: Vec<String> = spelled
            .iter()
            .flatten()
            .filter_map(|operation| match operation {
                Operation::Restore(restore) => Some(&restore.remove),
                _ => None,
            })
            .flatten()
            .map(|native| native.name.to_string())
            .collect();
        assert_eq!(removed, ["a", "c", "b"]);
    }
}
