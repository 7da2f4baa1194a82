//! What databases can do, as documented data.

use crate::backend_name::BackendName;
use crate::name::LengthUnit;
use crate::operation::Naming;
use serde::Serialize;

/// How a database does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Support {
    /// With a statement of its own.
    Native,
    /// By writing the table anew in one transaction.
    Rebuild,
    /// In batches, over the data.
    Batches,
    /// By copying the data; the operation must allow `copy`.
    Copy,
    /// The promise is kept in the record alone.
    Record,
    /// The promise is kept in the record alone; the operation must allow `recordOnly`.
    RecordOnly,
    /// Not at all.
    No,
}

impl Support {
    /// A word for a table.
    pub const fn word(self) -> &'static str {
        match self {
            Support::Native => "yes",
            Support::Rebuild => "rebuild",
            Support::Batches => "in batches",
            Support::Copy => "copy",
            Support::Record => "on record",
            Support::RecordOnly => "record only",
            Support::No => "no",
        }
    }
}

/// Within what the names of indexes are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NameScope {
    /// Within a schema (SQLite, PostgreSQL) or keyspace (Cassandra).
    Schema,
    /// Within a collection.
    Collection,
}

/// What one database can do. Compilers and planners read this; nobody asks for a database's name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The database.
    pub backend: BackendName,
    /// How people write its name.
    pub title: &'static str,
    /// The longest name in the given unit. A longer given name is refused; a longer made one is cut.
    pub name_limit: Option<(usize, LengthUnit)>,
    /// Whether names that differ only in the case of ASCII letters are one name.
    pub names_ignore_case: bool,
    /// Within what index names are unique: decides when a name is taken.
    pub index_names: NameScope,
    /// Whether schema changes and the ledger commit together. Where not, every step is journaled.
    pub transactional_changes: bool,
    /// Whether it gives expressions back in its own spelling (PostgreSQL does, SQLite keeps the text):
    /// then the spelling that it adopted is read back after a run and kept on record.
    pub respells_expressions: bool,
    /// The kinds of native definitions that stand on a field's type and keep it from changing: they fall
    /// before and return after. Where there are any, the database also writes the expressions over the field
    /// anew, so that these fall and return with them. Empty where a collection is made anew as a whole.
    pub held_by: &'static [&'static str],
    /// Whether the lock is a lease that ends by itself, instead of ending with a connection.
    pub lock_is_lease: bool,
    /// `renameCollection`.
    pub rename_collection: Support,
    /// `addField`.
    pub add_field: Support,
    /// `dropField`.
    pub drop_field: Support,
    /// `renameField`.
    pub rename_field: Support,
    /// `modifyField` with a new type.
    pub change_type: Support,
    /// `required`.
    pub not_null: Support,
    /// `default`.
    pub defaults: Support,
    /// `generated`.
    pub generated: Support,
    /// `createIndex` on a collection that exists.
    pub indexes: Support,
    /// An index that is `unique`, and `unique` fields.
    pub unique: Support,
    /// An index with `where`.
    pub partial_indexes: Support,
    /// An index over an `expression`.
    pub expression_indexes: Support,
    /// Foreign keys.
    pub foreign_keys: Support,
    /// Checks.
    pub checks: Support,
    /// Deferrable constraints.
    pub deferrable: Support,
    /// `autoIncrement`.
    pub auto_increment: Support,
    /// Comments.
    pub comments: Support,
    /// `update`.
    pub update: Support,
}

impl Capabilities {
    /// Starts from a database that can do nothing, of which a backend says what it can.
    pub const fn none(backend: BackendName, title: &'static str) -> Self {
        Self {
            backend,
            title,
            name_limit: None,
            names_ignore_case: false,
            index_names: NameScope::Collection,
            transactional_changes: false,
            respells_expressions: false,
            held_by: &[],
            lock_is_lease: true,
            rename_collection: Support::No,
            add_field: Support::No,
            drop_field: Support::No,
            rename_field: Support::No,
            change_type: Support::No,
            not_null: Support::Record,
            defaults: Support::Record,
            generated: Support::No,
            indexes: Support::No,
            unique: Support::RecordOnly,
            partial_indexes: Support::No,
            expression_indexes: Support::No,
            foreign_keys: Support::RecordOnly,
            checks: Support::RecordOnly,
            deferrable: Support::No,
            auto_increment: Support::RecordOnly,
            comments: Support::Record,
            update: Support::No,
        }
    }

    /// How operations are spelled out for this database.
    pub fn naming(&self) -> Naming {
        Naming {
            limit: self.name_limit,
            held_by: self.held_by,
        }
    }

    /// The rows of the table of what databases can do: a word and how it is done.
    pub fn rows(&self) -> Vec<(&'static str, &'static str)> {
        let yes = |yes| if yes { "yes" } else { "no" };
        vec![
            (
                "changes and ledger commit together",
                yes(self.transactional_changes),
            ),
            ("rename a collection", self.rename_collection.word()),
            ("add a field", self.add_field.word()),
            ("drop a field", self.drop_field.word()),
            ("rename a field", self.rename_field.word()),
            ("change a type", self.change_type.word()),
            ("required fields", self.not_null.word()),
            ("defaults", self.defaults.word()),
            ("generated fields", self.generated.word()),
            ("indexes", self.indexes.word()),
            ("unique", self.unique.word()),
            ("partial indexes", self.partial_indexes.word()),
            ("expression indexes", self.expression_indexes.word()),
            ("foreign keys", self.foreign_keys.word()),
            ("checks", self.checks.word()),
            ("auto increment", self.auto_increment.word()),
            ("comments", self.comments.word()),
            ("update", self.update.word()),
        ]
    }
}
