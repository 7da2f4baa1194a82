//! Indexes.

use crate::backends::ExpressionBuilder;
use crate::document::{Document, Part, part_of_document};
use ductape_core::Problems;
use ductape_core::schema::{Index, IndexKey, Method};
use serde_json::Value;

/// One key of an index in the making. A text is an ascending key over the field of that name.
#[derive(Debug, Clone)]
#[must_use = "a key does nothing until it is in an index"]
pub struct KeyBuilder {
    document: Document,
}

/// An ascending key over a field.
pub fn asc(field: impl Into<String>) -> KeyBuilder {
    KeyBuilder {
        document: Document::of("name", field.into()),
    }
}

/// A descending key over a field.
///
/// ```
/// use ductape_builder::{asc, desc, index};
/// let newest = index("idx_posts_newest", [asc("author_id"), desc("created_at")]).build()?;
/// assert!(newest.fields.iter().any(|key| key.descending));
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn desc(field: impl Into<String>) -> KeyBuilder {
    asc(field).descending()
}

/// A key over an expression.
///
/// ```
/// use ductape_builder::{expression, index};
/// let lower = index("idx_users_lower_email", [expression("lower(email)")]).unique().build()?;
/// assert_eq!(lower.expressions().count(), 1);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn expression(expression: impl Into<ExpressionBuilder>) -> KeyBuilder {
    KeyBuilder {
        document: Document::of("expression", expression.into()),
    }
}

impl KeyBuilder {
    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    /// Descending instead of ascending.
    pub fn descending(self) -> Self {
        self.with("order", "desc")
    }

    /// Only so many characters or bytes of the value count (MySQL, MariaDB).
    pub fn prefix(self, length: u32) -> Self {
        self.with("length", length)
    }

    /// Nulls stand before all values (PostgreSQL).
    pub fn nulls_first(self) -> Self {
        self.with("nulls", "first")
    }

    /// Nulls stand after all values (PostgreSQL).
    pub fn nulls_last(self) -> Self {
        self.with("nulls", "last")
    }

    /// The operator class (PostgreSQL).
    pub fn operator_class(self, class: impl Into<String>) -> Self {
        self.with("operatorClass", class.into())
    }

    /// The collation, by its name in the database.
    pub fn collation(self, collation: impl Into<String>) -> Self {
        self.with("collation", collation.into())
    }
}

impl From<&str> for KeyBuilder {
    fn from(field: &str) -> Self {
        asc(field)
    }
}

impl From<String> for KeyBuilder {
    fn from(field: String) -> Self {
        asc(field)
    }
}

impl From<IndexKey> for KeyBuilder {
    fn from(key: IndexKey) -> Self {
        Self {
            document: Document::from_part(serde_json::to_value(key).into()),
        }
    }
}

/// An index in the making.
#[derive(Debug, Clone)]
#[must_use = "an index does nothing until it is created"]
pub struct IndexBuilder {
    document: Document,
}

/// An index over fields or other keys, under a name.
///
/// ```
/// use ductape_builder::index;
/// let email = index("idx_users_email", ["email"]).unique().build()?;
/// assert!(email.unique);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn index(
    name: impl Into<String>,
    keys: impl IntoIterator<Item = impl Into<KeyBuilder>>,
) -> IndexBuilder {
    index_on(keys).name(name)
}

/// An index whose name is made from the collection and the fields when it is applied.
pub fn index_on(keys: impl IntoIterator<Item = impl Into<KeyBuilder>>) -> IndexBuilder {
    let keys = keys.into_iter().map(Into::<KeyBuilder>::into);
    IndexBuilder {
        document: Document::of("fields", Part::list(keys)),
    }
}

impl IndexBuilder {
    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    fn with_in(mut self, group: &str, key: &str, value: impl Into<Part>) -> Self {
        self.document.within(group, |group| group.set(key, value));
        self
    }

    /// Its name.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with("name", name.into())
    }

    /// No two rows share the keys.
    pub fn unique(self) -> Self {
        self.with("unique", true)
    }

    /// In a unique index, nulls count as equal (PostgreSQL 15).
    pub fn nulls_not_distinct(self) -> Self {
        self.with("nullsNotDistinct", true)
    }

    /// Only the rows for which this holds are in it.
    ///
    /// ```
    /// use ductape_builder::index;
    /// let live = index("idx_users_live", ["email"]).filter("deleted_at IS NULL").build()?;
    /// assert!(live.predicate.is_some());
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    pub fn filter(self, predicate: impl Into<ExpressionBuilder>) -> Self {
        self.with("where", predicate.into())
    }

    /// How it is built, where the database's usual way is not meant.
    pub fn method(self, method: Method) -> Self {
        self.with("method", method.word())
    }

    /// A storage or method option. Call it once for each.
    pub fn with_option(self, option: impl Into<String>, value: impl Into<Value>) -> Self {
        let option = option.into();
        self.with_in("with", &option, value.into())
    }

    /// Fields that are stored beside the keys.
    pub fn include(self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with("include", Part::texts(fields))
    }

    /// Kept, but not used by queries (MySQL, MariaDB, MongoDB).
    pub fn hidden(self) -> Self {
        self.with("hidden", true)
    }

    /// A note for people.
    pub fn comment(self, comment: impl Into<String>) -> Self {
        self.with("comment", comment.into())
    }

    /// Whether to build it without blocking writers; decided by the plan unless told.
    pub fn online(self, online: bool) -> Self {
        self.with("online", online)
    }

    /// Documents without the field are not in it (MongoDB).
    pub fn sparse(self) -> Self {
        self.with_in("mongo", "sparse", true)
    }

    /// Documents go so many seconds after the time in the field (MongoDB).
    pub fn expire_after_seconds(self, seconds: u64) -> Self {
        self.with_in("mongo", "expireAfterSeconds", seconds)
    }

    /// Only documents that match are in it (MongoDB).
    pub fn partial_filter_expression(self, document: impl Into<Value>) -> Self {
        self.with_in("mongo", "partialFilterExpression", document.into())
    }

    /// The collation document (MongoDB).
    pub fn mongo_collation(self, document: impl Into<Value>) -> Self {
        self.with_in("mongo", "collation", document.into())
    }

    /// It holds its keys alone (DynamoDB); every attribute is in it unless told otherwise.
    pub fn project_keys_only(self) -> Self {
        self.with_in("dynamo", "projection", "KEYS_ONLY")
    }

    /// It holds its keys and these attributes (DynamoDB).
    pub fn project(self, attributes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_in("dynamo", "projection", Part::texts(attributes))
    }

    /// Reads and writes a second, where capacity is provisioned (DynamoDB).
    pub fn capacity(self, reads: u64, writes: u64) -> Self {
        self.with_in("dynamo", "readCapacity", reads)
            .with_in("dynamo", "writeCapacity", writes)
    }

    /// The index as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn build(self) -> Result<Index, Problems> {
        Part::from(self).finish()
    }
}

impl From<Index> for IndexBuilder {
    fn from(index: Index) -> Self {
        Self {
            document: Document::from_part(serde_json::to_value(index).into()),
        }
    }
}

part_of_document!(KeyBuilder, IndexBuilder);
