//! Options of a collection that only some databases know.

use crate::document::{Document, Part, part_of_document};
use ductape_core::schema::{
    CassandraOptions, ClusteringDirection, DynamoOptions, KeyType, MongoOptions, SqlOptions,
};
use serde_json::Value;

macro_rules! builder {
    ($(#[$meta:meta])* $builder:ident, $core:ident, $(#[$start_meta:meta])* $start:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        #[must_use = "options do nothing until a collection is given them"]
        pub struct $builder {
            pub(crate) document: Document,
        }

        $(#[$start_meta])*
        pub fn $start() -> $builder {
            $builder::default()
        }

        impl $builder {
            fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
                self.document.set(key, value);
                self
            }
        }

        impl From<$core> for $builder {
            fn from(options: $core) -> Self {
                Self {
                    document: Document::from_part(serde_json::to_value(options).into()),
                }
            }
        }

        part_of_document!($builder);
    };
}

macro_rules! flags {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self) -> Self {
            self.with($key, true)
        }
    )*};
}

macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self, text: impl Into<String>) -> Self {
            self.with($key, text.into())
        }
    )*};
}

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self, number: u64) -> Self {
            self.with($key, number)
        }
    )*};
}

macro_rules! documents {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self, document: impl Into<Value>) -> Self {
            self.with($key, document.into())
        }
    )*};
}

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.with($key, Part::texts(names))
        }
    )*};
}

builder! {
    /// Options of SQL databases in the making.
    SqlOptionsBuilder, SqlOptions,
    /// Options of SQL databases, of which none is set yet.
    sql_options
}

impl SqlOptionsBuilder {
    flags! {
        /// There and equal is nothing to do.
        if_not_exists "ifNotExists";
        /// Ends with its session.
        temporary "temporary";
        /// Not written to the log (PostgreSQL).
        unlogged "unlogged";
        /// Types are enforced (SQLite).
        strict "strict";
        /// Stored by its primary key (SQLite).
        without_rowid "withoutRowid";
    }

    texts! {
        /// The storage engine (MySQL, MariaDB).
        engine "engine";
        /// The character set (MySQL, MariaDB).
        charset "charset";
        /// The collation of texts.
        collation "collation";
    }
}

builder! {
    /// Options of MongoDB in the making.
    MongoOptionsBuilder, MongoOptions,
    /// Options of MongoDB, of which none is set yet.
    mongo_options
}

impl MongoOptionsBuilder {
    flags! {
        /// Of fixed size, the oldest documents going first.
        capped "capped";
    }

    numbers! {
        /// The size in bytes, if capped.
        size "size";
        /// The most documents, if capped.
        max "max";
    }

    texts! {
        /// `off`, `strict` or `moderate`.
        validation_level "validationLevel";
        /// `error`, `warn` or `errorAndLog`.
        validation_action "validationAction";
    }

    documents! {
        /// The validator document.
        validator "validator";
        /// The time-series document.
        timeseries "timeseries";
        /// The collation document.
        collation "collation";
        /// The clustered index document.
        clustered_index "clusteredIndex";
        /// The shard key document.
        shard_key "shardKey";
    }
}

builder! {
    /// Options of DynamoDB in the making.
    DynamoOptionsBuilder, DynamoOptions,
    /// Options of DynamoDB, of which none is set yet.
    ///
    /// ```
    /// use ductape_builder::{KeyType, dynamo_options, operation, secondary_index, string, timestamp};
    /// use ductape_builder::prelude::*;
    ///
    /// let users = operation::create_collection("users", [string("id"), timestamp("created_at")])
    ///     .dynamo(
    ///         dynamo_options()
    ///             .partition_key("id", KeyType::S)
    ///             .sort_key("created_at", KeyType::N)
    ///             .global_index(secondary_index("email-index").partition_key("email", KeyType::S)),
    ///     );
    /// assert!(users.build().is_ok());
    /// ```
    dynamo_options
}

fn key(name: impl Into<String>, key_type: KeyType) -> Document {
    let mut key = Document::of("name", name.into());
    key.set("type", key_type.word());
    key
}

impl DynamoOptionsBuilder {
    /// The partition key; the first field of the primary key unless told.
    pub fn partition_key(self, name: impl Into<String>, key_type: KeyType) -> Self {
        self.with("partitionKey", key(name, key_type))
    }

    /// The sort key; the second field of the primary key unless told.
    pub fn sort_key(self, name: impl Into<String>, key_type: KeyType) -> Self {
        self.with("sortKey", key(name, key_type))
    }

    /// Capacity is bought beforehand: so many reads and writes a second.
    pub fn provisioned(self, reads: u64, writes: u64) -> Self {
        self.with("billingMode", "PROVISIONED")
            .with("readCapacity", reads)
            .with("writeCapacity", writes)
    }

    /// Every request is paid for, as it is unless told.
    pub fn pay_per_request(self) -> Self {
        self.with("billingMode", "PAY_PER_REQUEST")
    }

    /// A global secondary index. Call it once for each.
    pub fn global_index(mut self, index: SecondaryIndexBuilder) -> Self {
        self.document.push("globalSecondaryIndexes", index);
        self
    }

    /// A local secondary index. Call it once for each.
    pub fn local_index(mut self, index: SecondaryIndexBuilder) -> Self {
        self.document.push("localSecondaryIndexes", index);
        self
    }

    /// Changes are streamed, and show this of each: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or
    /// `NEW_AND_OLD_IMAGES`.
    pub fn stream(self, view: impl Into<String>) -> Self {
        self.with("streamEnabled", true)
            .with("streamViewType", view.into())
    }

    texts! {
        /// The attribute with the time at which an item goes.
        ttl_attribute "ttlAttribute";
    }

    flags! {
        /// The table can be restored to a point in time.
        point_in_time_recovery "pointInTimeRecovery";
        /// The table refuses to be deleted.
        deletion_protection "deletionProtection";
    }

    /// A tag of the table. Call it once for each.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.document
            .within("tags", |tags| tags.set(key, value.into()));
        self
    }
}

/// A secondary index of DynamoDB in the making.
#[derive(Debug, Clone)]
#[must_use = "an index does nothing until it is in options"]
pub struct SecondaryIndexBuilder {
    document: Document,
}

/// A secondary index of DynamoDB by its name.
pub fn secondary_index(name: impl Into<String>) -> SecondaryIndexBuilder {
    SecondaryIndexBuilder {
        document: Document::of("name", name.into()),
    }
}

impl SecondaryIndexBuilder {
    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    /// Its partition key; a local index has the table's.
    pub fn partition_key(self, name: impl Into<String>, key_type: KeyType) -> Self {
        self.with("partitionKey", key(name, key_type))
    }

    /// Its sort key.
    pub fn sort_key(self, name: impl Into<String>, key_type: KeyType) -> Self {
        self.with("sortKey", key(name, key_type))
    }

    /// It holds its keys alone; every attribute is in it unless told.
    pub fn project_keys_only(self) -> Self {
        self.with("projection", "KEYS_ONLY")
    }

    /// It holds its keys and these attributes.
    pub fn project(self, attributes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with("projection", Part::texts(attributes))
    }

    /// Reads and writes a second, where capacity is provisioned.
    pub fn capacity(self, reads: u64, writes: u64) -> Self {
        self.with("readCapacity", reads)
            .with("writeCapacity", writes)
    }
}

part_of_document!(SecondaryIndexBuilder);

builder! {
    /// Options of Cassandra in the making.
    CassandraOptionsBuilder, CassandraOptions,
    /// Options of Cassandra, of which none is set yet.
    cassandra_options
}

impl CassandraOptionsBuilder {
    names! {
        /// The partition key; the first field of the primary key unless told.
        partition_key "partitionKey";
        /// The clustering columns; the rest of the primary key unless told.
        clustering_columns "clusteringColumns";
        /// The static columns.
        static_columns "static";
    }

    /// The order of a clustering column. Call it once for each.
    pub fn clustering_order(
        mut self,
        column: impl Into<String>,
        order: ClusteringDirection,
    ) -> Self {
        let mut entry = Document::of("column", column.into());
        entry.set("order", order.word());
        self.document.push("clusteringOrder", entry);
        self
    }

    numbers! {
        /// Seconds until a row goes.
        default_ttl "defaultTTL";
        /// Seconds for which a deletion is remembered.
        gc_grace_seconds "gcGraceSeconds";
    }

    documents! {
        /// The compaction options: an object with a `class`.
        compaction "compaction";
        /// The compression options.
        compression "compression";
    }

    texts! {
        /// The table's comment in Cassandra.
        comment "comment";
    }
}
