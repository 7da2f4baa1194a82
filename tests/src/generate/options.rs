//! The options of a collection, of every database.

use super::OptionsOf;
use super::draw::{Draw, FIELDS, OTHERS, name};
use ductape_core::schema::{
    CassandraOptions, ClusteringDirection, ClusteringOrder, DynamoOptions, KeyAttribute, KeyType,
    MongoOptions, Options, Projection, SecondaryIndex, SqlOptions,
};
use ductape_core::{Collection, Name};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Draw<'_> {
    pub(super) fn options(&mut self, collection: &Collection) -> Options {
        let mut options = Options::default();
        match self.profile.options {
            OptionsOf::Nobody => {}
            OptionsOf::Sqlite => options.sql.without_rowid = self.once_in(5),
            OptionsOf::Everybody => {
                if self.once_in(4) {
                    options.sql = self.sql_options();
                }
                if self.once_in(6) {
                    options.mongo = self.mongo_options();
                }
                if self.once_in(6) {
                    options.dynamo = self.dynamo_options(collection);
                }
                if self.once_in(6) {
                    options.cassandra = self.cassandra_options(collection);
                }
            }
        }
        options
    }

    pub(super) fn sql_options(&mut self) -> SqlOptions {
        SqlOptions {
            if_not_exists: self.once_in(5),
            temporary: self.once_in(5),
            unlogged: self.once_in(5),
            engine: self.maybe(3, |_| Some("InnoDB".to_owned())),
            charset: self.maybe(3, |_| Some("utf8mb4".to_owned())),
            collation: self.maybe(3, |_| Some("utf8mb4_bin".to_owned())),
            strict: self.once_in(4),
            without_rowid: self.once_in(4),
        }
    }

    pub(super) fn mongo_options(&mut self) -> MongoOptions {
        MongoOptions {
            capped: self.once_in(3),
            size: self.maybe(2, |draw| Some(1 << draw.below(60))),
            max: self.maybe(3, |_| Some(u64::MAX)),
            validator: self.maybe(2, |draw| draw.document().filter(|value| !value.is_null())),
            validation_level: self.maybe(3, |_| Some("moderate".to_owned())),
            validation_action: self.maybe(3, |_| Some("warn".to_owned())),
            timeseries: self.maybe(4, |draw| draw.document().filter(Value::is_object)),
            collation: self.maybe(4, |_| Some(json!({ "locale": "de", "strength": 2 }))),
            clustered_index: self.maybe(4, |draw| draw.document().filter(Value::is_object)),
            shard_key: self.maybe(4, |_| Some(json!({ "a": 1, "b": -1, "c": "hashed" }))),
        }
    }

    /// A JSON value as options hold it.
    pub(super) fn document(&mut self) -> Option<Value> {
        self.of(&[
            json!({ "a": { "$gt": 0.1 } }),
            json!({}),
            json!({ "a": null, "b": [null, { "c": {} }], "": 1e300 }),
            json!(null),
            json!([1, -0.5, u64::MAX, i64::MIN]),
        ])
        .cloned()
    }

    pub(super) fn attribute(&mut self, collection: &Collection) -> Option<KeyAttribute> {
        Some(KeyAttribute {
            name: self.of(&collection.fields)?.name.clone(),
            key_type: self.maybe(2, |draw| draw.of(KeyType::ALL).copied()),
        })
    }

    pub(super) fn secondary(&mut self, collection: &Collection) -> Option<SecondaryIndex> {
        Some(SecondaryIndex {
            name: name(self.of(OTHERS)?),
            partition_key: self.attribute(collection),
            sort_key: self.maybe(2, |draw| draw.attribute(collection)),
            projection: self.projection(collection),
            read_capacity: self.maybe(3, |_| Some(5)),
            write_capacity: None,
        })
    }

    pub(super) fn projection(&mut self, collection: &Collection) -> Projection {
        match self.below(3) {
            0 => Projection::All,
            1 => Projection::KeysOnly,
            _ => Projection::Include(self.some_fields(collection, 3)),
        }
    }

    pub(super) fn dynamo_options(&mut self, collection: &Collection) -> DynamoOptions {
        let mut tags = BTreeMap::new();
        if self.once_in(3) {
            tags.insert("team \"x\"".to_owned(), "🚀".to_owned());
        }
        DynamoOptions {
            partition_key: self.maybe(2, |draw| draw.attribute(collection)),
            sort_key: self.maybe(3, |draw| draw.attribute(collection)),
            billing_mode: self.maybe(3, |_| Some("PROVISIONED".to_owned())),
            read_capacity: self.maybe(3, |_| Some(5)),
            write_capacity: self.maybe(3, |_| Some(6)),
            global_secondary_indexes: self
                .maybe(2, |draw| draw.secondary(collection))
                .into_iter()
                .collect(),
            local_secondary_indexes: self
                .maybe(3, |draw| draw.secondary(collection))
                .into_iter()
                .collect(),
            stream_enabled: self.once_in(3),
            stream_view_type: self.maybe(4, |_| Some("NEW_IMAGE".to_owned())),
            ttl_attribute: self.maybe(2, |draw| draw.field_or_other(collection)),
            point_in_time_recovery: self.once_in(3),
            deletion_protection: self.once_in(3),
            tags,
        }
    }

    pub(super) fn cassandra_options(&mut self, collection: &Collection) -> CassandraOptions {
        let mut settings = BTreeMap::new();
        settings.insert("class".to_owned(), json!("LeveledCompactionStrategy"));
        settings.insert("enabled".to_owned(), json!(null));
        let order = self.of(&collection.fields).map(|field| ClusteringOrder {
            column: field.name.clone(),
            order: ClusteringDirection::Desc,
        });
        CassandraOptions {
            partition_key: self.some_fields(collection, 2),
            clustering_columns: self.some_fields(collection, 2),
            clustering_order: order.into_iter().filter(|_| self.once_in(2)).collect(),
            default_ttl: self.maybe(3, |_| Some(86_400)),
            compaction: self.maybe(2, |_| Some(settings.clone())),
            compression: self.maybe(3, |_| Some(BTreeMap::new())),
            gc_grace_seconds: self.maybe(3, |_| Some(0)),
            comment: self.comment(),
            static_columns: self.some_fields(collection, 1),
        }
    }

    /// A field, or the name of something that is none (any more).
    pub(super) fn field_or_other(&mut self, collection: &Collection) -> Option<Name> {
        if self.once_in(3) {
            return self.of(FIELDS).map(|text| name(text));
        }
        self.of(&collection.fields).map(|field| field.name.clone())
    }
}
