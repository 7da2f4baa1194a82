//! The operations one by one, outside a migration.
//!
//! Each constructor here gives an [`OperationBuilder`] of one core operation; what else can be said
//! of that operation comes from the option traits of this module, which also work on a
//! [`MigrationBuilder`](crate::MigrationBuilder) just after the operation.

mod collection;
mod constructors;
mod data;
mod definition;

pub use collection::{
    CreateCollectionOptions, DropCollectionOptions, ModifyCollectionOptions, OptionGroup,
};
pub use constructors::*;
pub use data::{InverseBuilder, ModifyFieldOptions, RawOptions, RestoreOptions, UpdateOptions};
pub use definition::{DefinitionBuilder, definition};

use crate::document::{Document, Part};
use ductape_core::operation::{Allow, Operation};
use ductape_core::{Problems, operation as core};
use std::marker::PhantomData;

/// An operation of core, or [`Operation`] for one of which only the program knows which.
pub trait IsOperation: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! operations {
    ($($operation:ty),* $(,)?) => {$(
        impl sealed::Sealed for $operation {}
        impl IsOperation for $operation {}
    )*};
}

operations!(
    core::CreateCollection,
    core::DropCollection,
    core::RenameCollection,
    core::ModifyCollection,
    core::AddField,
    core::DropField,
    core::RenameField,
    core::ModifyField,
    core::CreateIndex,
    core::DropIndex,
    core::AddConstraint,
    core::DropConstraint,
    core::Update,
    core::Raw,
    core::Restore,
    Operation,
);

/// An operation in the making; `T` is the core operation that it becomes.
///
/// ```
/// use ductape_builder::operation;
/// use ductape_builder::prelude::*;
///
/// let drop = operation::drop_collection("old_table").cascade().build()?;
/// assert_eq!(drop.describe(), "drop collection old_table");
/// assert!(operation::drop_collection("").build().is_err());
/// # Ok::<(), ductape_core::Problems>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "an operation does nothing until it is in a migration"]
pub struct OperationBuilder<T> {
    document: Document,
    operation: PhantomData<fn() -> T>,
}

impl<T> OperationBuilder<T> {
    pub(crate) fn new(word: &str) -> Self {
        Self::from_document(Document::of("type", word))
    }

    pub(crate) fn from_document(document: Document) -> Self {
        Self {
            document,
            operation: PhantomData,
        }
    }

    pub(crate) fn into_document(self) -> Document {
        self.document
    }

    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    fn changed(mut self, change: impl FnOnce(&mut Document)) -> Self {
        change(&mut self.document);
        self
    }

    /// The operation without the compiler's knowledge of which it is: to keep several in one list.
    pub fn erase(self) -> OperationBuilder<Operation> {
        OperationBuilder::from_document(self.document)
    }

    /// The operation as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path in the operation.
    pub fn build(self) -> Result<Operation, Problems> {
        Part::from(self.document).finish()
    }
}

impl<T: Into<Operation>> From<T> for OperationBuilder<T> {
    /// An operation of core, to go on with or to put beside others.
    fn from(operation: T) -> Self {
        let operation: Operation = operation.into();
        Self::from_document(Document::from_part(serde_json::to_value(operation).into()))
    }
}

/// Whatever an operation is being written in: its own builder, or a migration whose last operation it
/// is. What else can be said of the operation comes from the option traits.
pub trait Builds: Sized {
    /// The operation.
    type Operation: IsOperation;

    /// Changes the operation.
    #[must_use]
    fn edit(
        self,
        change: impl FnOnce(OperationBuilder<Self::Operation>) -> OperationBuilder<Self::Operation>,
    ) -> Self;

    /// Permits what is refused unless it is asked for. Call it once for each.
    ///
    /// ```
    /// use ductape_builder::{Allow, foreign_key, operation};
    /// use ductape_builder::prelude::*;
    ///
    /// let key = foreign_key(["author_id"]).references("users", ["id"]);
    /// let add = operation::add_constraint("posts", key).allow(Allow::RecordOnly).build()?;
    /// assert_eq!(add.allow(), [Allow::RecordOnly]);
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    #[must_use]
    fn allow(self, allow: Allow) -> Self {
        self.edit(|operation| operation.changed(|document| document.push("allow", allow.word())))
    }
}

impl<T: IsOperation> Builds for OperationBuilder<T> {
    type Operation = T;

    fn edit(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }
}
