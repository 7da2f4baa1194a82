use super::{Builds, DefinitionBuilder};
use crate::backends::Backend;
use crate::document::Document;
use crate::filters::{FilterBuilder, narrow};
use crate::values::ValueBuilder;
use ductape_core::operation::{ModifyField, Raw, Restore, Update};
use serde_json::Value;

/// What else can be said of a field that changes.
pub trait ModifyFieldOptions: Builds<Operation = ModifyField> {
    /// For one database, an expression that converts the data. Call it once for each database.
    ///
    /// ```
    /// use ductape_builder::prelude::*;
    /// use ductape_builder::{change, migration, types};
    ///
    /// let numbers = migration("numbers")
    ///     .modify_field("orders", "number", change().to_type(types::integer()))
    ///     .using("postgresql", "number::integer")
    ///     .build()?;
    /// # let _ = numbers;
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    #[must_use]
    fn using(self, backend: impl Into<Backend>, expression: impl Into<String>) -> Self {
        let (backend, expression) = (backend.into().into_word(), expression.into());
        self.edit(|modify| {
            modify.changed(|document| {
                document.within("using", |using| using.set(backend, expression));
            })
        })
    }
}

impl<B: Builds<Operation = ModifyField>> ModifyFieldOptions for B {}

fn set(document: &mut Document, field: String, value: ValueBuilder) {
    document.within("set", |set| set.set(field, value));
}

/// What an update does.
///
/// ```
/// use ductape_builder::prelude::*;
/// use ductape_builder::{concat, field, is_null, lit, migration};
///
/// let names = migration("fill_full_names")
///     .update("users")
///     .set("full_name", concat([field("first_name"), lit(" "), field("last_name")]))
///     .filter(is_null("full_name"))
///     .inverse(|back| back.set("full_name", lit(None::<&str>)))
///     .build()?;
/// assert_eq!(names.up().len(), 1);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub trait UpdateOptions: Builds<Operation = Update> {
    /// Sets a field to a value. Call it once for each field; a later value replaces an earlier one.
    #[must_use]
    fn set(self, field: impl Into<String>, value: impl Into<ValueBuilder>) -> Self {
        let (field, value) = (field.into(), value.into());
        self.edit(|update| update.changed(|document| set(document, field, value)))
    }

    /// The rows that it is for: every row unless told. Called again, both must hold.
    #[must_use]
    fn filter(self, filter: impl Into<FilterBuilder>) -> Self {
        let filter = filter.into();
        self.edit(|update| update.changed(|document| narrow(document, filter)))
    }

    /// What brings the data back; without it the way back leaves the data as it is.
    #[must_use]
    fn inverse(self, inverse: impl FnOnce(InverseBuilder) -> InverseBuilder) -> Self {
        let inverse = inverse(InverseBuilder {
            document: Document::new(),
        });
        self.edit(|update| update.with("inverse", inverse.document))
    }
}

impl<B: Builds<Operation = Update>> UpdateOptions for B {}

/// What brings the data of an update back, in the making.
#[derive(Debug, Clone)]
#[must_use = "it is the inverse of an update, and does nothing by itself"]
pub struct InverseBuilder {
    document: Document,
}

impl InverseBuilder {
    /// Sets a field to a value. Call it once for each field.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<ValueBuilder>) -> Self {
        set(&mut self.document, field.into(), value.into());
        self
    }

    /// The rows that it is for: every row unless told. Called again, both must hold.
    pub fn filter(mut self, filter: impl Into<FilterBuilder>) -> Self {
        narrow(&mut self.document, filter.into());
        self
    }
}

/// What else can be said of a raw statement.
///
/// ```
/// use ductape_builder::migration;
/// use ductape_builder::prelude::*;
///
/// let extension = migration("extension")
///     .raw("postgresql", "CREATE EXTENSION IF NOT EXISTS pgcrypto")
///     .inverse("DROP EXTENSION pgcrypto")
///     .raw(["mysql", "mariadb"], "ANALYZE TABLE users")
///     .inverse("ANALYZE TABLE users")
///     .transactional(false)
///     .build()?;
/// assert_eq!(extension.up().len(), 2);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub trait RawOptions: Builds<Operation = Raw> {
    /// The statement that undoes it; without it there is no way back.
    #[must_use]
    fn inverse(self, statement: impl Into<Value>) -> Self {
        self.edit(|raw| raw.with("inverse", statement.into()))
    }

    /// Whether it stands in a transaction; found out from the statement unless told.
    #[must_use]
    fn transactional(self, transactional: bool) -> Self {
        self.edit(|raw| raw.with("transactional", transactional))
    }
}

impl<B: Builds<Operation = Raw>> RawOptions for B {}

/// What else can be said of definitions that come back.
pub trait RestoreOptions: Builds<Operation = Restore> {
    /// A definition that it takes away first. Call it once for each.
    #[must_use]
    fn remove(self, definition: impl Into<DefinitionBuilder>) -> Self {
        let definition = definition.into();
        self.edit(|restore| restore.changed(|document| document.push("remove", definition)))
    }
}

impl<B: Builds<Operation = Restore>> RestoreOptions for B {}
