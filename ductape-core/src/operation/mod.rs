//! The operations: one change to a schema each, as data.
//!
//! Every operation is a struct in a file of its own that answers five questions in this order:
//!
//! - `spell_out`: which operations it is with every name made and everything that hangs on it said;
//! - `apply`: validates, then changes the model;
//! - `inverse`: what undoes it, and what that cannot bring back;
//! - `risks`: what may hurt;
//! - `describe`: one line for people.
//!
//! `apply`, `inverse` and `risks` of a struct see a *spelled* operation; [`Operation::apply`] and
//! [`Operation::inverse`] take any.

mod add_constraint;
mod add_field;
mod create_collection;
mod create_index;
mod drop_collection;
mod drop_constraint;
mod drop_field;
mod drop_index;
mod error;
mod modify_collection;
mod modify_field;
mod raw;
mod rename_collection;
mod rename_field;
mod restore;
mod update;

pub use add_constraint::AddConstraint;
pub use add_field::AddField;
pub use create_collection::CreateCollection;
pub use create_index::CreateIndex;
pub use drop_collection::DropCollection;
pub use drop_constraint::DropConstraint;
pub use drop_field::DropField;
pub use drop_index::DropIndex;
pub use error::{SchemaError, SchemaErrorKind};
pub use modify_collection::{CollectionChanges, ModifyCollection};
pub use modify_field::ModifyField;
pub use raw::{Backends, Raw, RawStatement};
pub use rename_collection::RenameCollection;
pub use rename_field::RenameField;
pub use restore::Restore;
pub use update::{Update, UpdateInverse};

use crate::backend_name::BackendName;
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Node, Read, Reader, nearest, words};
use crate::name::{LengthUnit, Name};
use crate::risk::Risk;
use crate::schema::{Collection, Constraint, NativeDefinition, Schema};
use std::sync::Arc;

words! {
    /// What an operation may do that is refused without being asked for.
    pub enum Allow = "something that can be allowed" {
        /// Ductape may copy the data to a new field or collection, where the database has no statement
        /// for the change.
        "copy" => Copy,
        /// What the database cannot enforce is kept in the record alone.
        "recordOnly" => RecordOnly,
    }
}

/// How operations are spelled out for a database: how made names are cut, and what stands in the way of
/// a change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming {
    /// The longest name that the database takes, and what it counts; none if there is no limit.
    pub limit: Option<(usize, LengthUnit)>,
    /// The kinds of native definitions that keep the type of a field from changing
    /// ([`Capabilities::held_by`](crate::capabilities::Capabilities::held_by)).
    pub held_by: &'static [&'static str],
}

impl Naming {
    /// A made name as this database can hold it.
    pub fn fit(&self, name: Name) -> Name {
        match self.limit {
            Some((limit, unit)) => name.shortened(limit, unit),
            None => name,
        }
    }
}

macro_rules! operations {
    ($( $word:literal => $variant:ident ),* $(,)?) => {
        /// One change to a schema, as data.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(tag = "type")]
        #[allow(missing_docs, reason = "each is documented at its struct")]
        pub enum Operation {
            $( #[serde(rename = $word)] $variant($variant), )*
        }

        impl Operation {
            /// The words for the operations, in the order in which they are documented.
            pub const TYPES: &'static [&'static str] = &[$($word),*];

            /// The word for this operation in JSON.
            pub fn type_name(&self) -> &'static str {
                match self { $( Operation::$variant(_) => $word, )* }
            }

            fn spell_out_one(
                &self,
                before: &Schema,
                naming: &Naming,
            ) -> Result<Option<Vec<Operation>>, SchemaError> {
                match self { $( Operation::$variant(operation) => operation.spell_out(before, naming), )* }
            }

            /// Applies a spelled operation to the model.
            ///
            /// # Errors
            /// [`SchemaError`] if it does not fit the schema, which is then unchanged.
            pub fn apply_spelled(&self, schema: &mut Schema) -> Result<(), SchemaError> {
                match self { $( Operation::$variant(operation) => operation.apply(schema), )* }
            }

            /// What undoes a spelled operation.
            ///
            /// # Errors
            /// [`Irreversible`] if there is no way back.
            pub fn inverse_spelled(&self, before: &Schema) -> Result<Inverse, Irreversible> {
                match self { $( Operation::$variant(operation) => operation.inverse(before), )* }
            }

            /// What may hurt when it runs.
            pub fn risks(&self, before: &Schema) -> Vec<Risk> {
                match self { $( Operation::$variant(operation) => operation.risks(before), )* }
            }

            /// One line for people: `add field users.phone (string(20))`.
            pub fn describe(&self) -> String {
                match self { $( Operation::$variant(operation) => operation.describe(), )* }
            }

            /// What it allows.
            pub fn allow(&self) -> &[Allow] {
                match self { $( Operation::$variant(operation) => &operation.allow, )* }
            }

            /// The collection that it is about, if it is about one.
            pub fn collection(&self) -> Option<&Name> {
                match self { $( Operation::$variant(operation) => operation.subject(), )* }
            }

            fn read_type(word: &str, entries: &[(String, Node)], reader: &mut Reader) -> Option<Option<Self>> {
                match word {
                    $( $word => {
                        let known = [&["type"], $variant::KEYS].concat();
                        reader.refuse_other_keys(entries, concat!("the operation ", $word), &known);
                        Some($variant::read_entries(entries, reader).map(Operation::$variant))
                    } )*
                    _ => None,
                }
            }
        }

        $(
            impl From<$variant> for Operation {
                fn from(operation: $variant) -> Self {
                    Operation::$variant(operation)
                }
            }
        )*
    };
}

operations! {
    "createCollection" => CreateCollection,
    "dropCollection" => DropCollection,
    "renameCollection" => RenameCollection,
    "modifyCollection" => ModifyCollection,
    "addField" => AddField,
    "dropField" => DropField,
    "renameField" => RenameField,
    "modifyField" => ModifyField,
    "createIndex" => CreateIndex,
    "dropIndex" => DropIndex,
    "addConstraint" => AddConstraint,
    "dropConstraint" => DropConstraint,
    "update" => Update,
    "raw" => Raw,
    "restore" => Restore,
}

impl Read for Operation {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return reader.expected("an operation: an object with a type", node);
        };
        let Some((_, word)) = entries.iter().find(|(key, _)| key == "type") else {
            reader.problem_with_hint(
                "the key \"type\" is missing",
                format!("one of: {}", Operation::TYPES.join(", ")),
            );
            return None;
        };
        reader
            .within("type", |reader| match word {
                Node::Text(word) => {
                    if !Operation::TYPES.contains(&word.as_str()) {
                        let hint = match nearest(word, Operation::TYPES.iter().copied()) {
                            Some(near) => format!("did you mean {near:?}?"),
                            None => format!("one of: {}", Operation::TYPES.join(", ")),
                        };
                        reader.problem_with_hint(format!("{word:?} is no operation"), hint);
                        return None;
                    }
                    Some(word)
                }
                other => reader.expected("the type of an operation", other),
            })
            .and_then(|word| Operation::read_type(word, entries, reader).flatten())
    }
}

impl Operation {
    /// The operations that this one is, with every name made and everything that hangs on it said:
    /// dropping a field first drops the indexes and constraints on it. Empty if there is nothing to do.
    ///
    /// # Errors
    /// [`SchemaError`] if it does not fit the schema.
    pub fn spell_out(
        &self,
        before: &Schema,
        naming: &Naming,
    ) -> Result<Vec<Operation>, SchemaError> {
        Ok(match self.spell_out_one(before, naming)? {
            Some(operations) => operations,
            None => vec![self.clone()],
        })
    }

    /// Applies the operation to the model: validates, then changes it.
    ///
    /// # Errors
    /// [`SchemaError`] if it does not fit the schema, which is then unchanged.
    ///
    /// ```
    /// use ductape_core::{Name, Schema, operation::{DropCollection, Operation}};
    /// let mut schema = Schema::new();
    /// let drop = Operation::from(DropCollection::new(Name::new("users")?));
    /// assert!(drop.apply(&mut schema).is_err());
    /// # Ok::<(), ductape_core::NameError>(())
    /// ```
    pub fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let Some(operations) = self.spell_out_one(schema, &Naming::default())? else {
            return self.apply_spelled(schema);
        };
        // One by itself changes all or nothing, and a copy to go back to would cost more than it does.
        if let [only] = operations.as_slice() {
            return only.apply_spelled(schema);
        }
        let mut after = schema.clone();
        for operation in operations {
            operation.apply_spelled(&mut after)?;
        }
        *schema = after;
        Ok(())
    }

    /// What undoes the operation, with the schema as it is before it.
    ///
    /// # Errors
    /// [`InverseError`] if it does not fit the schema or has no way back.
    pub fn inverse(&self, before: &Schema) -> Result<Inverse, InverseError> {
        let mut schema = before.clone();
        let mut inverse = Inverse::lossless(Vec::new());
        for operation in self.spell_out(before, &Naming::default())? {
            let mut part = operation.inverse_spelled(&schema)?;
            operation.apply_spelled(&mut schema)?;
            part.operations.append(&mut inverse.operations);
            inverse.operations = part.operations;
            inverse.lost.append(&mut part.lost);
        }
        Ok(inverse)
    }

    /// The raw statement's databases, if it is one: it runs on these alone.
    pub fn runs_on(&self, backend: BackendName) -> bool {
        match self {
            Operation::Raw(raw) => raw.backend.contains(&backend),
            Operation::Restore(restore) => restore.backend == backend,
            _ => true,
        }
    }
}

/// Why there is no inverse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InverseError {
    /// The operation does not fit the schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The operation has no way back.
    #[error(transparent)]
    Irreversible(#[from] Irreversible),
}

/// The collection that an operation is about, or why it cannot be.
fn existing<'s>(schema: &'s Schema, name: &Name) -> Result<&'s Arc<Collection>, SchemaError> {
    schema.collection(name).ok_or_else(|| {
        let called_so =
            |native: &&Arc<NativeDefinition>| native.name == *name && !native.is_settings();
        match schema.natives().find(called_so) {
            Some(native) => SchemaError::depended(format!(
                "{name:?} is a {} in the database's own words, which Ductape leaves alone",
                native.kind
            ))
            .hint("change it with raw, which names its own way back"),
            None => SchemaError::missing(format!("the collection {name:?} does not exist")),
        }
    })
}

/// The name of a constraint to be added, made if it has none.
fn constraint_name(collection: &Collection, constraint: &Constraint, naming: &Naming) -> Name {
    if let Some(name) = &constraint.name {
        return name.clone();
    }
    let mut number = 0;
    loop {
        let name = naming.fit(constraint.made_name(&collection.name, number));
        let taken = collection.constraint(&name).is_some();
        let numbered = matches!(constraint.rule, crate::schema::Rule::Check(_));
        if !(taken && numbered) {
            return name;
        }
        number += 1;
    }
}

/// Native definitions as `restore` operations that take them away, each before those that it came after.
fn without_natives<'n>(
    schema: &Schema,
    natives: impl IntoIterator<Item = &'n Arc<NativeDefinition>>,
) -> Option<Operation> {
    let mut left: Vec<_> = natives.into_iter().map(|n| n.as_ref().clone()).collect();
    let mut remove = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = left.iter().position(|native| {
            let needs =
                |other: &NativeDefinition| other != native && other.after.contains(&native.name);
            !left.iter().any(needs)
        });
        remove.push(left.remove(free.unwrap_or(0)));
    }
    let backend = schema.backend()?;
    (!remove.is_empty()).then(|| {
        Operation::Restore(Restore {
            backend,
            definitions: Vec::new(),
            remove,
            allow: Vec::new(),
        })
    })
}

/// What says how an index is falls before it, where there is such a thing.
fn after_its_settings(
    schema: &Schema,
    collection: &Name,
    index: &Name,
    drop: impl FnOnce() -> Operation,
) -> Option<Vec<Operation>> {
    let settings = schema
        .natives()
        .find(|native| native.is_settings_of_index(collection, index));
    let fall = without_natives(schema, settings)?;
    Some(vec![fall, drop()])
}

/// A new name and the old one again, with the definitions that they leave in other words put back as
/// they were: which words of a definition mean what was renamed is a guess, made anew each time.
fn renamed_back(before: &Schema, there: Operation, back: Operation) -> Vec<Operation> {
    let mut operations = vec![back];
    let mut after = before.clone();
    let led_back = before.natives().next().is_some()
        && there.apply(&mut after).is_ok()
        && operations.iter().all(|back| back.apply(&mut after).is_ok());
    if !led_back {
        return operations;
    }
    let changed: Vec<_> = before
        .natives()
        .filter(|native| after.native(native) != Some(*native))
        .map(|native| native.as_ref().clone())
        .collect();
    if let (Some(backend), false) = (before.backend(), changed.is_empty()) {
        let mut restore = Restore::new(backend, changed.clone());
        restore.remove = changed
            .iter()
            .filter_map(|native| after.native(native))
            .map(|native| native.as_ref().clone())
            .collect();
        operations.push(restore.into());
    }
    operations
}

#[cfg(test)]
mod testing {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::Operation;
    use crate::{BackendName, Migration, Schema};

    /// The schema that operations written as JSON make.
    pub fn made(operations: &str) -> Schema {
        let mut schema = Schema::new().of(BackendName::Sqlite);
        for operation in Migration::parse_operations(operations).unwrap() {
            operation.apply(&mut schema).unwrap();
        }
        schema
    }

    pub fn operation(text: &str) -> Operation {
        let mut operations = Migration::parse_operations(&format!("[{text}]")).unwrap();
        operations.remove(0)
    }

    /// Applies the last operation and its inverse, and compares.
    pub fn there_and_back(before: &str, then: &str) {
        let before = made(before);
        let operation = operation(then);
        let inverse = operation.inverse(&before).unwrap();
        let mut schema = before.clone();
        operation.apply(&mut schema).unwrap();
        for back in &inverse.operations {
            back.apply(&mut schema).unwrap();
        }
        assert_eq!(schema, before);
    }
}
