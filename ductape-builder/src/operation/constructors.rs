use super::OperationBuilder;
use crate::backends::{Backend, Backends};
use crate::changes::ChangeBuilder;
use crate::constraint::ConstraintBuilder;
use crate::document::Part;
use crate::field::FieldSpec;
use crate::index::IndexBuilder;
use crate::operation::DefinitionBuilder;
use ductape_core::operation::{
    AddConstraint, AddField, CreateCollection, CreateIndex, DropCollection, DropConstraint,
    DropField, DropIndex, ModifyCollection, ModifyField, Raw, RenameCollection, RenameField,
    Restore, Update,
};
use serde_json::Value;

/// Makes a collection. See [`CreateCollectionOptions`](super::CreateCollectionOptions).
pub fn create_collection<const N: usize>(
    name: impl Into<String>,
    fields: [FieldSpec; N],
) -> OperationBuilder<CreateCollection> {
    OperationBuilder::new("createCollection")
        .with("name", name.into())
        .with("fields", Part::list(fields))
}

/// Drops a collection with its data. See [`DropCollectionOptions`](super::DropCollectionOptions).
pub fn drop_collection(name: impl Into<String>) -> OperationBuilder<DropCollection> {
    OperationBuilder::new("dropCollection").with("name", name.into())
}

/// Gives a collection another name.
pub fn rename_collection(
    from: impl Into<String>,
    to: impl Into<String>,
) -> OperationBuilder<RenameCollection> {
    OperationBuilder::new("renameCollection")
        .with("from", from.into())
        .with("to", to.into())
}

/// Changes a collection's comment or options. See
/// [`ModifyCollectionOptions`](super::ModifyCollectionOptions).
pub fn modify_collection(name: impl Into<String>) -> OperationBuilder<ModifyCollection> {
    OperationBuilder::new("modifyCollection")
        .with("name", name.into())
        .changed(|document| document.within("changes", |_| {}))
}

/// Adds a field to a collection.
pub fn add_field(collection: impl Into<String>, field: FieldSpec) -> OperationBuilder<AddField> {
    OperationBuilder::new("addField")
        .with("collection", collection.into())
        .with("field", field)
}

/// Drops a field with its values.
pub fn drop_field(
    collection: impl Into<String>,
    field: impl Into<String>,
) -> OperationBuilder<DropField> {
    OperationBuilder::new("dropField")
        .with("collection", collection.into())
        .with("field", field.into())
}

/// Gives a field another name.
pub fn rename_field(
    collection: impl Into<String>,
    from: impl Into<String>,
    to: impl Into<String>,
) -> OperationBuilder<RenameField> {
    OperationBuilder::new("renameField")
        .with("collection", collection.into())
        .with("from", from.into())
        .with("to", to.into())
}

/// Changes attributes of a field. See [`ModifyFieldOptions`](super::ModifyFieldOptions).
pub fn modify_field(
    collection: impl Into<String>,
    field: impl Into<String>,
    changes: impl Into<ChangeBuilder>,
) -> OperationBuilder<ModifyField> {
    OperationBuilder::new("modifyField")
        .with("collection", collection.into())
        .with("field", field.into())
        .with("changes", changes.into())
}

/// Makes an index.
pub fn create_index(
    collection: impl Into<String>,
    index: impl Into<IndexBuilder>,
) -> OperationBuilder<CreateIndex> {
    OperationBuilder::new("createIndex")
        .with("collection", collection.into())
        .with("index", index.into())
}

/// Drops an index.
pub fn drop_index(
    collection: impl Into<String>,
    index: impl Into<String>,
) -> OperationBuilder<DropIndex> {
    OperationBuilder::new("dropIndex")
        .with("collection", collection.into())
        .with("index", index.into())
}

/// Adds a constraint.
pub fn add_constraint<R>(
    collection: impl Into<String>,
    constraint: ConstraintBuilder<R>,
) -> OperationBuilder<AddConstraint> {
    OperationBuilder::new("addConstraint")
        .with("collection", collection.into())
        .with("constraint", constraint)
}

/// Drops a constraint.
pub fn drop_constraint(
    collection: impl Into<String>,
    constraint: impl Into<String>,
) -> OperationBuilder<DropConstraint> {
    OperationBuilder::new("dropConstraint")
        .with("collection", collection.into())
        .with("constraint", constraint.into())
}

/// Moves data, in batches. See [`UpdateOptions`](super::UpdateOptions).
pub fn update(collection: impl Into<String>) -> OperationBuilder<Update> {
    OperationBuilder::new("update")
        .with("collection", collection.into())
        .changed(|document| document.within("set", |_| {}))
}

/// A statement in a database's own language: a text, or for MongoDB a command document. See
/// [`RawOptions`](super::RawOptions).
pub fn raw(backend: impl Into<Backends>, statement: impl Into<Value>) -> OperationBuilder<Raw> {
    OperationBuilder::new("raw")
        .with("backend", backend.into())
        .with("statement", statement.into())
}

/// Brings native definitions back. See [`RestoreOptions`](super::RestoreOptions).
pub fn restore(
    backend: impl Into<Backend>,
    definitions: impl IntoIterator<Item = impl Into<DefinitionBuilder>>,
) -> OperationBuilder<Restore> {
    let definitions = definitions.into_iter().map(Into::<DefinitionBuilder>::into);
    OperationBuilder::new("restore")
        .with("backend", backend.into().into_word())
        .with("definitions", Part::list(definitions))
}
