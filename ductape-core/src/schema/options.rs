//! Options of a collection that only some databases know.

use crate::json::{Node, Reader, document, words};
use crate::name::Name;
use crate::schema::index::Projection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

document! {
    /// Options of SQL databases.
    #[derive(Default)]
    pub struct SqlOptions = "SQL options" {
        required {}
        optional {
            /// There and equal is nothing to do.
            "ifNotExists" => if_not_exists: bool,
            /// Ends with its session.
            "temporary" => temporary: bool,
            /// Not written to the log (PostgreSQL).
            "unlogged" => unlogged: bool,
            /// The storage engine (MySQL, MariaDB).
            "engine" => engine: Option<String>,
            /// The character set (MySQL, MariaDB).
            "charset" => charset: Option<String>,
            /// The collation of texts.
            "collation" => collation: Option<String>,
            /// Types are enforced (SQLite).
            "strict" => strict: bool,
            /// Stored by its primary key (SQLite).
            "withoutRowid" => without_rowid: bool,
        }
    }
}

document! {
    /// Options of MongoDB.
    #[derive(Default)]
    pub struct MongoOptions = "MongoDB options" {
        required {}
        optional {
            /// Of fixed size, the oldest documents going first.
            "capped" => capped: bool,
            /// The size in bytes, if capped.
            "size" => size: Option<u64>,
            /// The most documents, if capped.
            "max" => max: Option<u64>,
            /// The validator document.
            "validator" => validator: Option<Value>,
            /// `off`, `strict` or `moderate`.
            "validationLevel" => validation_level: Option<String>,
            /// `error`, `warn` or `errorAndLog`.
            "validationAction" => validation_action: Option<String>,
            /// The time-series document.
            "timeseries" => timeseries: Option<Value>,
            /// The collation document.
            "collation" => collation: Option<Value>,
            /// The clustered index document.
            "clusteredIndex" => clustered_index: Option<Value>,
            /// The shard key document.
            "shardKey" => shard_key: Option<Value>,
        }
    }
}

words! {
    /// The type of a key attribute in DynamoDB.
    pub enum KeyType = "a key type: S, N or B" {
        /// Text.
        "S" => S,
        /// Number.
        "N" => N,
        /// Bytes.
        "B" => B,
    }
}

document! {
    /// A key attribute in DynamoDB.
    pub struct KeyAttribute = "a key attribute" {
        required {
            /// The attribute.
            "name" => name: Name,
        }
        optional {
            /// Its type; taken from the field if absent.
            "type" => key_type: Option<KeyType>,
        }
    }
}

document! {
    /// A secondary index written in DynamoDB's own options.
    pub struct SecondaryIndex = "a secondary index" {
        required {
            /// Its name.
            "name" => name: Name,
        }
        optional {
            /// Its partition key; a local index has the table's.
            "partitionKey" => partition_key: Option<KeyAttribute>,
            /// Its sort key.
            "sortKey" => sort_key: Option<KeyAttribute>,
            /// The attributes that it holds.
            "projection" => projection: Projection,
            /// Reads a second, where capacity is provisioned.
            "readCapacity" => read_capacity: Option<u64>,
            /// Writes a second, where capacity is provisioned.
            "writeCapacity" => write_capacity: Option<u64>,
        }
    }
}

document! {
    /// Options of DynamoDB.
    #[derive(Default)]
    pub struct DynamoOptions = "DynamoDB options" {
        required {}
        optional {
            /// The partition key; the first field of the primary key if absent.
            "partitionKey" => partition_key: Option<KeyAttribute>,
            /// The sort key; the second field of the primary key if absent.
            "sortKey" => sort_key: Option<KeyAttribute>,
            /// `PAY_PER_REQUEST` (if absent) or `PROVISIONED`.
            "billingMode" => billing_mode: Option<String>,
            /// Reads a second, if provisioned.
            "readCapacity" => read_capacity: Option<u64>,
            /// Writes a second, if provisioned.
            "writeCapacity" => write_capacity: Option<u64>,
            /// Global secondary indexes.
            "globalSecondaryIndexes" => global_secondary_indexes: Vec<SecondaryIndex>,
            /// Local secondary indexes.
            "localSecondaryIndexes" => local_secondary_indexes: Vec<SecondaryIndex>,
            /// Whether changes are streamed.
            "streamEnabled" => stream_enabled: bool,
            /// What a stream shows of a change.
            "streamViewType" => stream_view_type: Option<String>,
            /// The attribute with the time at which an item goes.
            "ttlAttribute" => ttl_attribute: Option<Name>,
            /// Whether the table can be restored to a point in time.
            "pointInTimeRecovery" => point_in_time_recovery: bool,
            /// Whether the table refuses to be deleted.
            "deletionProtection" => deletion_protection: bool,
            /// Tags of the table.
            "tags" => tags: BTreeMap<String, String>,
        }
    }
}

words! {
    /// The order of a clustering column in Cassandra.
    pub enum ClusteringDirection = "ASC or DESC" {
        /// Ascending.
        "ASC" => Asc,
        /// Descending.
        "DESC" => Desc,
    }
}

document! {
    /// The order of one clustering column.
    pub struct ClusteringOrder = "a clustering order" {
        required {
            /// The column.
            "column" => column: Name,
            /// Its order.
            "order" => order: ClusteringDirection,
        }
        optional {}
    }
}

document! {
    /// Options of Cassandra.
    #[derive(Default)]
    pub struct CassandraOptions = "Cassandra options" {
        required {}
        optional {
            /// The partition key; the first field of the primary key if absent.
            "partitionKey" => partition_key: Vec<Name>,
            /// The clustering columns; the rest of the primary key if absent.
            "clusteringColumns" => clustering_columns: Vec<Name>,
            /// Their order.
            "clusteringOrder" => clustering_order: Vec<ClusteringOrder>,
            /// Seconds until a row goes.
            "defaultTTL" => default_ttl: Option<u64>,
            /// The compaction options.
            "compaction" => compaction: Option<BTreeMap<String, Value>>,
            /// The compression options.
            "compression" => compression: Option<BTreeMap<String, Value>>,
            /// Seconds for which a deletion is remembered.
            "gcGraceSeconds" => gc_grace_seconds: Option<u64>,
            /// The table's comment in Cassandra.
            "comment" => comment: Option<String>,
            /// Static columns.
            "static" => static_columns: Vec<Name>,
        }
    }
}

/// The four groups of options of a collection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Of SQL databases.
    pub sql: SqlOptions,
    /// Of MongoDB.
    pub mongo: MongoOptions,
    /// Of DynamoDB.
    pub dynamo: DynamoOptions,
    /// Of Cassandra.
    pub cassandra: CassandraOptions,
}

/// The keys of the option groups, as a collection has them.
pub(crate) const OPTION_KEYS: [&str; 4] = [
    "sqlOptions",
    "mongoOptions",
    "dynamoOptions",
    "cassandraOptions",
];

impl Options {
    /// No options. Nearly every collection has none, and all of those share one value.
    pub(crate) fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<Options>> = LazyLock::new(Arc::default);
        NONE.clone()
    }

    pub(crate) fn read_shared(
        entries: &[(String, Node)],
        reader: &mut Reader,
    ) -> Option<Arc<Self>> {
        let is_option = |(key, _): &(String, Node)| OPTION_KEYS.contains(&key.as_str());
        match entries.iter().any(is_option) {
            true => Self::read(entries, reader).map(Arc::new),
            false => Some(Self::none()),
        }
    }

    pub(crate) fn read(entries: &[(String, Node)], reader: &mut Reader) -> Option<Self> {
        let sql = reader.optional(entries, "sqlOptions");
        let mut mongo: Option<MongoOptions> = reader.optional(entries, "mongoOptions");
        // Null takes an option away where it is changed, so it is none where it is made.
        if let Some(mongo) = &mut mongo {
            for value in [
                &mut mongo.validator,
                &mut mongo.timeseries,
                &mut mongo.collation,
                &mut mongo.clustered_index,
                &mut mongo.shard_key,
            ] {
                value.take_if(|value| value.is_null());
            }
        }
        let dynamo = reader.optional(entries, "dynamoOptions");
        let cassandra = reader.optional(entries, "cassandraOptions");
        Some(Self {
            sql: sql?,
            mongo: mongo?,
            dynamo: dynamo?,
            cassandra: cassandra?,
        })
    }

    pub(crate) fn serialize<M: serde::ser::SerializeMap>(
        &self,
        map: &mut M,
    ) -> Result<(), M::Error> {
        if self.sql != SqlOptions::default() {
            map.serialize_entry("sqlOptions", &self.sql)?;
        }
        if self.mongo != MongoOptions::default() {
            map.serialize_entry("mongoOptions", &self.mongo)?;
        }
        if self.dynamo != DynamoOptions::default() {
            map.serialize_entry("dynamoOptions", &self.dynamo)?;
        }
        if self.cassandra != CassandraOptions::default() {
            map.serialize_entry("cassandraOptions", &self.cassandra)?;
        }
        Ok(())
    }

    /// The options as one JSON object of groups, for merging and comparing key by key.
    pub fn to_value(&self) -> Value {
        let mut groups = serde_json::Map::new();
        for (key, value) in [
            ("sqlOptions", serde_json::to_value(&self.sql)),
            ("mongoOptions", serde_json::to_value(&self.mongo)),
            ("dynamoOptions", serde_json::to_value(&self.dynamo)),
            ("cassandraOptions", serde_json::to_value(&self.cassandra)),
        ] {
            if let Ok(Value::Object(group)) = value
                && !group.is_empty()
            {
                groups.insert(key.to_owned(), Value::Object(group));
            }
        }
        Value::Object(groups)
    }

    /// Follows a renamed field.
    pub(crate) fn rename_field(&mut self, from: &Name, to: &Name) {
        let rename = |name: &mut Name| {
            if name == from {
                *name = to.clone();
            }
        };
        let dynamo = &mut self.dynamo;
        let indexes = dynamo
            .global_secondary_indexes
            .iter_mut()
            .chain(&mut dynamo.local_secondary_indexes);
        for index in indexes {
            for key in index.partition_key.iter_mut().chain(&mut index.sort_key) {
                rename(&mut key.name);
            }
            if let Projection::Include(names) = &mut index.projection {
                names.iter_mut().for_each(rename);
            }
        }
        for key in dynamo.partition_key.iter_mut().chain(&mut dynamo.sort_key) {
            rename(&mut key.name);
        }
        dynamo.ttl_attribute.iter_mut().for_each(rename);
        let cassandra = &mut self.cassandra;
        cassandra.partition_key.iter_mut().for_each(rename);
        cassandra.clustering_columns.iter_mut().for_each(rename);
        cassandra.static_columns.iter_mut().for_each(rename);
        for order in &mut cassandra.clustering_order {
            rename(&mut order.column);
        }
    }
}
