use super::create_collection::check_index;
use super::drop_index::without_key;
use super::{Allow, DropIndex, Naming, Operation, SchemaError, existing};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Index, Schema};
use std::sync::Arc;

document! {
    /// Makes an index.
    pub struct CreateIndex = "the operation createIndex" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The index.
            "index" => index: Arc<Index>,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl CreateIndex {
    /// Makes an index.
    pub fn new(collection: Name, index: impl Into<Arc<Index>>) -> Self {
        Self {
            collection,
            index: index.into(),
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
        if self.index.name.is_some() {
            return Ok(None);
        }
        let mut create = self.clone();
        let name = naming.fit(self.index.made_name(&self.collection));
        Arc::make_mut(&mut create.index).name = Some(name);
        create.check(before)?;
        Ok(Some(vec![create.into()]))
    }

    fn check<'s>(&self, schema: &'s Schema) -> Result<&'s Collection, SchemaError> {
        let collection = existing(schema, &self.collection)?;
        check_index(collection, &self.index)?;
        if let Some(name) = &self.index.name
            && let Some(there) = collection.index(name)
        {
            return Err(SchemaError::exists(
                *there == *Index::settled(&self.index, name),
                format!("the index {name:?} of {:?} already exists", self.collection),
            ));
        }
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let mut collection = self.check(schema)?.clone();
        let name = self
            .index
            .name
            .clone()
            .unwrap_or_else(|| self.index.made_name(&self.collection));
        collection.insert_index(Index::settled(&self.index, &name));
        schema.put(collection);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let name = self
            .index
            .name
            .clone()
            .unwrap_or_else(|| self.index.made_name(&self.collection));
        let mut back = DropIndex::new(self.collection.clone(), name);
        back.allow.clone_from(&self.allow);
        Ok(Inverse::lossless(without_key(
            before,
            || self.clone().into(),
            &self.collection,
            back.into(),
        )))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let keys: Vec<&str> = self
            .index
            .fields
            .iter()
            .map(|key| key.name().map_or("(expression)", Name::as_str))
            .collect();
        let unique = if self.index.unique { "unique " } else { "" };
        match &self.index.name {
            Some(name) => format!(
                "create {unique}index {name} on {} ({})",
                self.collection,
                keys.join(", ")
            ),
            None => format!(
                "create {unique}index on {} ({})",
                self.collection,
                keys.join(", ")
            ),
        }
    }
}
