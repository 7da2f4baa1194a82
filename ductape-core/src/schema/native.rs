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

impl NativeDefinition {
    /// What tells it from others.
    pub(super) fn key(&self) -> (String, Name, Option<Name>) {
        (self.kind.clone(), self.name.clone(), self.on.clone())
    }

    /// Whether the other one is of the same kind and name on the same collection.
    pub fn is_named_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && self.on == other.on
    }
}
