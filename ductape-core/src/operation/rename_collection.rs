use super::{Allow, Naming, Operation, SchemaError, existing, renamed_back};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Schema};
use std::sync::Arc;

document! {
    /// Gives a collection another name.
    pub struct RenameCollection = "the operation renameCollection" {
        required {
            /// Its name now.
            "from" => from: Name,
            /// Its name then.
            "to" => to: Name,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl RenameCollection {
    /// Gives a collection another name.
    pub fn new(from: Name, to: Name) -> Self {
        Self {
            from,
            to,
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.from)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        self.check(before).map(|()| None)
    }

    fn check(&self, schema: &Schema) -> Result<(), SchemaError> {
        existing(schema, &self.from)?;
        if self.from == self.to {
            return Err(SchemaError::invalid(format!(
                "the collection {:?} is called so already",
                self.from
            )));
        }
        if schema.collection(&self.to).is_some() {
            return Err(SchemaError::exists(
                false,
                format!("a collection {:?} already exists", self.to),
            ));
        }
        Ok(())
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        self.check(schema)?;
        let pointing: Vec<Arc<Collection>> = schema.referencing(&self.from).cloned().collect();
        for other in pointing {
            let mut other = Collection::clone(&other);
            self.follow(&mut other);
            schema.put(other);
        }
        if let Some(collection) = schema.remove(&self.from) {
            let mut collection = Collection::clone(&collection);
            collection.name = self.to.clone();
            self.follow(&mut collection);
            schema.put(collection);
        }
        schema.rename_in_natives(&self.from, &self.to);
        Ok(())
    }

    /// Follows the new name in foreign keys.
    fn follow(&self, collection: &mut Collection) {
        for constraint in &mut collection.constraints {
            constraint.rename_target(&self.from, &self.to);
        }
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let mut back = Self::new(self.to.clone(), self.from.clone());
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
        format!("rename collection {} to {}", self.from, self.to)
    }
}
