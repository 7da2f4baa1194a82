//! What the model cannot say, in a database's own words.

use crate::json::document;
use crate::name::Name;

document! {
    /// A definition in a database's own words: a trigger, a view, a policy, a constraint of a kind
    /// that the model has no word for, with everything that belongs to it.
    #[derive(Eq)]
    pub struct NativeDefinition = "a native definition" {
        required {
            /// What it is: `trigger`, `view`, `policy`, `constraint`, `index`, …
            "kind" => kind: String,
            /// Its name in the database.
            "name" => name: Name,
            /// The text that makes it, in the database's own language.
            "definition" => definition: String,
        }
        optional {
            /// The collection it stands on.
            "on" => on: Option<Name>,
            /// The definitions that must be there before it.
            "after" => after: Vec<Name>,
        }
    }
}

/// The kind of what belongs to a collection beside its shape: whose it is, who may do what, how it is stored.
pub const SETTINGS: &str = "settings";
/// The same for a field; it is named as that one.
pub const FIELD_SETTINGS: &str = "field settings";
/// The same for an index, also one that a constraint has; it is named as that one.
pub const INDEX_SETTINGS: &str = "index settings";
/// The kind of what says how a collection's rows are spread over partitions.
pub const PARTITIONING: &str = "partitioning";
/// The kind of what says which collection one has its fields from; it is named as that one.
pub const INHERITANCE: &str = "inheritance";
/// The kind of what holds a part of a collection's rows: it falls with the collection alone.
pub const PARTITION: &str = "partition";

impl NativeDefinition {
    /// Whether it says how something is that is there without it: it comes and goes with that, and is never
    /// in the way.
    pub fn is_settings(&self) -> bool {
        [SETTINGS, FIELD_SETTINGS, INDEX_SETTINGS, PARTITIONING].contains(&self.kind.as_str())
    }

    /// Whether it says how an index is, or that of a constraint.
    pub fn is_settings_of_index(&self, collection: &Name, index: &Name) -> bool {
        self.kind == INDEX_SETTINGS && self.on.as_ref() == Some(collection) && self.name == *index
    }

    /// Whether it says how a field is.
    pub fn is_settings_of(&self, collection: &Name, field: &Name) -> bool {
        self.kind == FIELD_SETTINGS && self.on.as_ref() == Some(collection) && self.name == *field
    }

    /// What tells it from others.
    pub(super) fn key(&self) -> (String, Name, Option<Name>) {
        (self.kind.clone(), self.name.clone(), self.on.clone())
    }

    /// Whether the other one is of the same kind and name on the same collection.
    pub fn is_named_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && self.on == other.on
    }
}
