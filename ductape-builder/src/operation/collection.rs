use super::Builds;
use crate::constraint::ConstraintBuilder;
use crate::document::Document;
use crate::field::FieldSpec;
use crate::index::IndexBuilder;
use crate::options::{
    CassandraOptionsBuilder, DynamoOptionsBuilder, MongoOptionsBuilder, SqlOptionsBuilder,
};
use ductape_core::operation::{CreateCollection, DropCollection, ModifyCollection};
use serde_json::Value;

/// What else can be said of a collection that is made.
///
/// ```
/// use ductape_builder::prelude::*;
/// use ductape_builder::{check, index, migration, string, uuid};
///
/// let users = migration("create_users")
///     .create_collection("users", [uuid("id").primary_key(), string("email").length(255)])
///     .timestamps()
///     .comment("People who can sign in")
///     .index(index("idx_users_email", ["email"]))
///     .constraint(check("email LIKE '%@%'"))
///     .if_not_exists()
///     .build()?;
/// assert_eq!(users.up().len(), 1);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub trait CreateCollectionOptions: Builds<Operation = CreateCollection> {
    /// One more field.
    #[must_use]
    fn field(self, field: FieldSpec) -> Self {
        self.edit(|create| create.changed(|document| document.push("fields", field)))
    }

    /// More fields, from a list that the program made.
    ///
    /// ```
    /// use ductape_builder::prelude::*;
    /// use ductape_builder::{boolean, operation, uuid};
    ///
    /// let flags = ["is_admin", "is_active"];
    /// let users = operation::create_collection("users", [uuid("id").primary_key()])
    ///     .fields(flags.map(|name| boolean(name).required().erase()));
    /// assert!(users.build().is_ok());
    /// ```
    #[must_use]
    fn fields(self, fields: impl IntoIterator<Item = FieldSpec>) -> Self {
        self.edit(|create| {
            create.changed(|document| {
                for field in fields {
                    document.push("fields", field);
                }
            })
        })
    }

    /// Adds `created_at` and `updated_at`: required timestamps with the present as default.
    #[must_use]
    fn timestamps(self) -> Self {
        self.edit(|create| create.with("timestamps", true))
    }

    /// A note for people.
    #[must_use]
    fn comment(self, comment: impl Into<String>) -> Self {
        self.edit(|create| create.with("comment", comment.into()))
    }

    /// An index made with it. Call it once for each.
    #[must_use]
    fn index(self, index: impl Into<IndexBuilder>) -> Self {
        self.edit(|create| create.changed(|document| document.push("indexes", index.into())))
    }

    /// A constraint made with it. Call it once for each.
    #[must_use]
    fn constraint<R>(self, constraint: ConstraintBuilder<R>) -> Self {
        self.edit(|create| create.changed(|document| document.push("constraints", constraint)))
    }

    /// There and equal is nothing to do.
    #[must_use]
    fn if_not_exists(self) -> Self {
        self.sql(crate::sql_options().if_not_exists())
    }

    /// Options of SQL databases, beside those that are set already.
    #[must_use]
    fn sql(self, options: impl Into<SqlOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|create| create.changed(|document| merge(document, OptionGroup::Sql, options)))
    }

    /// Options of MongoDB, beside those that are set already.
    #[must_use]
    fn mongo(self, options: impl Into<MongoOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|create| create.changed(|document| merge(document, OptionGroup::Mongo, options)))
    }

    /// Options of DynamoDB, beside those that are set already.
    #[must_use]
    fn dynamo(self, options: impl Into<DynamoOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|create| create.changed(|document| merge(document, OptionGroup::Dynamo, options)))
    }

    /// Options of Cassandra, beside those that are set already.
    #[must_use]
    fn cassandra(self, options: impl Into<CassandraOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|create| {
            create.changed(|document| merge(document, OptionGroup::Cassandra, options))
        })
    }
}

impl<B: Builds<Operation = CreateCollection>> CreateCollectionOptions for B {}

/// What else can be said of a collection that is dropped.
pub trait DropCollectionOptions: Builds<Operation = DropCollection> {
    /// Takes what depends on it along: foreign keys of others, views.
    #[must_use]
    fn cascade(self) -> Self {
        self.edit(|drop| drop.with("cascade", true))
    }

    /// Not there is nothing to do.
    #[must_use]
    fn if_exists(self) -> Self {
        self.edit(|drop| drop.with("ifExists", true))
    }
}

impl<B: Builds<Operation = DropCollection>> DropCollectionOptions for B {}

/// A group of options that only some databases know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionGroup {
    /// Of SQL databases.
    Sql,
    /// Of MongoDB.
    Mongo,
    /// Of DynamoDB.
    Dynamo,
    /// Of Cassandra.
    Cassandra,
}

impl OptionGroup {
    fn key(self) -> &'static str {
        match self {
            OptionGroup::Sql => "sqlOptions",
            OptionGroup::Mongo => "mongoOptions",
            OptionGroup::Dynamo => "dynamoOptions",
            OptionGroup::Cassandra => "cassandraOptions",
        }
    }
}

fn merge(document: &mut Document, group: OptionGroup, options: Document) {
    document.within(group.key(), |there| there.merge(options));
}

/// What changes of a collection.
///
/// ```
/// use ductape_builder::operation::OptionGroup;
/// use ductape_builder::prelude::*;
/// use ductape_builder::{migration, mongo_options};
///
/// let relaxed = migration("relax_users")
///     .modify_collection("users")
///     .remove_comment()
///     .mongo(mongo_options().validation_level("moderate"))
///     .remove_option(OptionGroup::Mongo, "validator")
///     .build()?;
/// assert_eq!(relaxed.up().len(), 1);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub trait ModifyCollectionOptions: Builds<Operation = ModifyCollection> {
    /// A note for people.
    #[must_use]
    fn comment(self, comment: impl Into<String>) -> Self {
        let comment = comment.into();
        self.edit(|modify| changes(modify, |changes| changes.set("comment", comment)))
    }

    /// No note from now on.
    #[must_use]
    fn remove_comment(self) -> Self {
        self.edit(|modify| changes(modify, |changes| changes.set("comment", Value::Null)))
    }

    /// Options of SQL databases; those that are not named stay.
    #[must_use]
    fn sql(self, options: impl Into<SqlOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|modify| changes(modify, |changes| merge(changes, OptionGroup::Sql, options)))
    }

    /// Options of MongoDB; those that are not named stay.
    #[must_use]
    fn mongo(self, options: impl Into<MongoOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|modify| {
            changes(modify, |changes| {
                merge(changes, OptionGroup::Mongo, options)
            })
        })
    }

    /// Options of DynamoDB; those that are not named stay.
    #[must_use]
    fn dynamo(self, options: impl Into<DynamoOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|modify| {
            changes(modify, |changes| {
                merge(changes, OptionGroup::Dynamo, options)
            })
        })
    }

    /// Options of Cassandra; those that are not named stay.
    #[must_use]
    fn cassandra(self, options: impl Into<CassandraOptionsBuilder>) -> Self {
        let options = options.into().document;
        self.edit(|modify| {
            changes(modify, |changes| {
                merge(changes, OptionGroup::Cassandra, options);
            })
        })
    }

    /// Takes an option away, by its key in the format.
    #[must_use]
    fn remove_option(self, group: OptionGroup, option: impl Into<String>) -> Self {
        let option = option.into();
        self.edit(|modify| {
            changes(modify, |changes| {
                changes.within(group.key(), |options| options.set(&option, Value::Null));
            })
        })
    }
}

impl<B: Builds<Operation = ModifyCollection>> ModifyCollectionOptions for B {}

fn changes(
    modify: super::OperationBuilder<ModifyCollection>,
    change: impl FnOnce(&mut Document),
) -> super::OperationBuilder<ModifyCollection> {
    modify.changed(|document| document.within("changes", change))
}
