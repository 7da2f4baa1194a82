//! What a step changes, as the catalog shows it.
//!
//! For whoever judges where a step stands: a collection, a field, an index and a constraint are `Absent`
//! or `Present` by their name in the session's schema; an index is present only if it is valid
//! (`pg_index.indisvalid`), and one that is there and not valid is done in part. A constraint that is to
//! be validated looks like `{"validated": false}` before and `{"validated": true}` after
//! (`pg_constraint.convalidated`), and a field whose enum grows like `{"enumValues": [...]}`; a part of the
//! new values is done in part, and running the step again completes it.

use ductape_core::Name;
use ductape_core::compiler::{Effect, Mark, Target};
use ductape_core::schema::NativeDefinition;
use serde_json::json;

fn gone(target: Target) -> Effect {
    Effect {
        target,
        before: Mark::Present,
        after: Mark::Absent,
    }
}

fn field(collection: &Name, field: &Name) -> Target {
    Target::Field {
        collection: collection.clone(),
        field: field.clone(),
    }
}

fn index(collection: &Name, index: &Name) -> Target {
    Target::Index {
        collection: collection.clone(),
        index: index.clone(),
    }
}

fn constraint(collection: &Name, constraint: &Name) -> Target {
    Target::Constraint {
        collection: collection.clone(),
        constraint: constraint.clone(),
    }
}

pub(crate) fn collection_made(name: &Name) -> Effect {
    Effect::made(Target::Collection(name.clone()))
}

pub(crate) fn collection_gone(name: &Name) -> Effect {
    gone(Target::Collection(name.clone()))
}

pub(crate) fn field_made(collection: &Name, name: &Name) -> Effect {
    Effect::made(field(collection, name))
}

pub(crate) fn field_gone(collection: &Name, name: &Name) -> Effect {
    gone(field(collection, name))
}

pub(crate) fn field_changed(collection: &Name, name: &Name) -> Effect {
    Effect {
        target: field(collection, name),
        before: Mark::Present,
        after: Mark::Present,
    }
}

/// The values of a field's enum, which the catalog shows in their order.
pub(crate) fn enum_grown(
    collection: &Name,
    name: &Name,
    before: &[String],
    after: &[String],
) -> Effect {
    Effect {
        target: field(collection, name),
        before: Mark::Like(json!({ "enumValues": before })),
        after: Mark::Like(json!({ "enumValues": after })),
    }
}

pub(crate) fn collection_renamed(from: &Name, to: &Name) -> [Effect; 2] {
    [collection_gone(from), collection_made(to)]
}

pub(crate) fn field_renamed(collection: &Name, from: &Name, to: &Name) -> [Effect; 2] {
    [field_gone(collection, from), field_made(collection, to)]
}

pub(crate) fn native_gone(native: &NativeDefinition) -> Effect {
    gone(native_target(native))
}

pub(crate) fn native_made(native: &NativeDefinition) -> Effect {
    Effect::made(native_target(native))
}

fn native_target(native: &NativeDefinition) -> Target {
    Target::Native {
        kind: native.kind.clone(),
        name: native.name.clone(),
        on: native.on.clone(),
    }
}

pub(crate) fn anything() -> Effect {
    Effect {
        target: Target::Anything,
        before: Mark::Present,
        after: Mark::Present,
    }
}

pub(crate) fn index_made(collection: &Name, name: &Name) -> Effect {
    Effect::made(index(collection, name))
}

pub(crate) fn index_gone(collection: &Name, name: &Name) -> Effect {
    gone(index(collection, name))
}

pub(crate) fn constraint_made(collection: &Name, name: &Name) -> Effect {
    Effect::made(constraint(collection, name))
}

/// What an effect is where rows may be in the way of the whole.
pub(crate) fn as_far_as_rows_allow(effect: Effect) -> Effect {
    Effect {
        after: Mark::AsFarAsRowsAllow,
        ..effect
    }
}

pub(crate) fn constraint_gone(collection: &Name, name: &Name) -> Effect {
    gone(constraint(collection, name))
}

pub(crate) fn constraint_validated(collection: &Name, name: &Name) -> Effect {
    Effect {
        target: constraint(collection, name),
        before: Mark::Like(json!({ "validated": false })),
        after: Mark::Like(json!({ "validated": true })),
    }
}
