use super::create_collection::has_key;
use super::{
    AddConstraint, Allow, CreateIndex, DropConstraint, Naming, Operation, SchemaError,
    after_its_settings, existing,
};
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{Collection, Constraint, Schema};

document! {
    /// Drops an index.
    pub struct DropIndex = "the operation dropIndex" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The index's name.
            "index" => index: Name,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl DropIndex {
    /// Drops an index.
    pub fn new(collection: Name, index: Name) -> Self {
        Self {
            collection,
            index,
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
        let without = self.without(before)?;
        refuse_if_pointed_at(before, &without)?;
        Ok(after_its_settings(
            before,
            &self.collection,
            &self.index,
            || self.clone().into(),
        ))
    }

    fn without(&self, schema: &Schema) -> Result<Collection, SchemaError> {
        let mut collection = Collection::clone(existing(schema, &self.collection)?);
        if collection.index(&self.index).is_none() {
            return Err(SchemaError::missing(format!(
                "the index {:?} of {:?} does not exist",
                self.index, self.collection
            )));
        }
        collection
            .indexes
            .retain(|index| index.name.as_ref() != Some(&self.index));
        Ok(collection)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let without = self.without(schema)?;
        schema.put(without);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let index = before
            .collection(&self.collection)
            .and_then(|collection| collection.index(&self.index));
        let operations = index
            .map(|index| {
                let mut back = CreateIndex::new(self.collection.clone(), index.clone());
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
        format!("drop index {} on {}", self.index, self.collection)
    }
}

/// The way back of a new key. A foreign key that pointed at its fields before there was one, as other
/// hands can make it in some databases, stands aside and comes back.
pub(super) fn without_key(
    before: &Schema,
    key: impl FnOnce() -> Operation,
    collection: &Name,
    back: Operation,
) -> Vec<Operation> {
    let points = |c: &Constraint| c.references().is_some_and(|r| r.table == *collection);
    let pointed_at = before.referencing(collection).next().is_some()
        || before
            .collection(collection)
            .is_some_and(|own| own.constraints.iter().any(points));
    if !pointed_at {
        return vec![back];
    }
    let mut after = before.clone();
    let with = key()
        .apply_spelled(&mut after)
        .ok()
        .and_then(|()| after.collection(collection));
    let (Some(without), Some(with)) = (before.collection(collection), with) else {
        return vec![back];
    };
    let own = without
        .constraints
        .iter()
        .filter(|constraint| points(constraint))
        .map(|constraint| (collection, constraint));
    let mut aside = Vec::new();
    let mut again = Vec::new();
    for (other, constraint) in before.foreign_keys_to(collection).chain(own) {
        if let (Some(references), Some(name)) = (constraint.references(), &constraint.name)
            && !has_key(without, &references.columns)
            && has_key(with, &references.columns)
        {
            aside.push(DropConstraint::new(other.clone(), name.clone()).into());
            again.push(AddConstraint::new(other.clone(), constraint.clone()).into());
        }
    }
    aside.push(back);
    aside.append(&mut again);
    aside
}

/// Refuses to take a key away from under a foreign key.
pub(super) fn refuse_if_pointed_at(
    before: &Schema,
    without: &Collection,
) -> Result<(), SchemaError> {
    let own = without
        .constraints
        .iter()
        .filter(|c| c.references().is_some_and(|r| r.table == without.name))
        .map(|constraint| (&without.name, constraint));
    for (collection, key) in before.foreign_keys_to(&without.name).chain(own) {
        let Some(references) = key.references() else {
            continue;
        };
        let had = before
            .collection(&without.name)
            .is_some_and(|collection| has_key(collection, &references.columns));
        if had && !has_key(without, &references.columns) {
            return Err(SchemaError::depended(format!(
                "the foreign key {} of {collection} points at this key of {}",
                key.name.as_ref().map_or("", Name::as_str),
                without.name
            ))
            .hint("drop the foreign key first"));
        }
    }
    Ok(())
}
