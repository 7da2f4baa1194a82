//! The reference's examples of the migration builder, and the JSON that they become.
#![allow(clippy::unwrap_used, reason = "tests")]

use ductape_builder::prelude::*;
use ductape_core::Migration;
use serde_json::json;

/// The migration as its file has it, after it was read back and found to be the same.
fn written(migration: &Migration) -> serde_json::Value {
    let tagged = migration.clone().with_tag(
        format!("20240115_143052_{}", migration.name())
            .parse()
            .unwrap(),
    );
    let read = Migration::parse(&tagged.to_json()).unwrap();
    assert_eq!(read, tagged);
    assert_eq!(read.checksum(), migration.checksum());
    serde_json::to_value(migration).unwrap()
}

#[test]
fn users_with_indexes() {
    let migration = migration("create_users_with_indexes")
        .description("Create users table with all indexes")
        .create_collection(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).unique(),
                string("name").length(100),
                enumeration("status", ["active", "inactive"]),
            ],
        )
        .create_index("users", index("idx_users_email", ["email"]).unique())
        .create_index("users", index("idx_users_status", ["status"]))
        .build()
        .unwrap();
    assert_eq!(
        written(&migration),
        json!({
            "format": 1,
            "name": "create_users_with_indexes",
            "description": "Create users table with all indexes",
            "up": [
                {
                    "type": "createCollection",
                    "name": "users",
                    "fields": [
                        { "name": "id", "type": "uuid", "primaryKey": true },
                        { "name": "email", "type": "string", "length": 255, "unique": true },
                        { "name": "name", "type": "string", "length": 100 },
                        { "name": "status", "type": "enum", "enumValues": ["active", "inactive"] }
                    ]
                },
                {
                    "type": "createIndex",
                    "collection": "users",
                    "index": {
                        "name": "idx_users_email", "fields": [{ "name": "email" }], "unique": true
                    }
                },
                {
                    "type": "createIndex",
                    "collection": "users",
                    "index": { "name": "idx_users_status", "fields": [{ "name": "status" }] }
                }
            ]
        })
    );
}

#[test]
fn several_operations_in_one_migration() {
    let migration = migration("create_order_system")
        .description("Create orders and order_items tables")
        .create_collection(
            "orders",
            [
                uuid("id").primary_key(),
                uuid("customer_id").required(),
                string("status").length(50),
                decimal("total", 10, 2),
            ],
        )
        .create_collection(
            "order_items",
            [
                uuid("id").primary_key(),
                uuid("order_id").required(),
                uuid("product_id").required(),
                integer("quantity"),
                decimal("unit_price", 10, 2),
            ],
        )
        .create_index("orders", index("idx_orders_customer", ["customer_id"]))
        .create_index("order_items", index("idx_order_items_order", ["order_id"]))
        .build()
        .unwrap();
    assert_eq!(
        written(&migration),
        json!({
            "format": 1,
            "name": "create_order_system",
            "description": "Create orders and order_items tables",
            "up": [
                {
                    "type": "createCollection",
                    "name": "orders",
                    "fields": [
                        { "name": "id", "type": "uuid", "primaryKey": true },
                        { "name": "customer_id", "type": "uuid", "required": true },
                        { "name": "status", "type": "string", "length": 50 },
                        { "name": "total", "type": "decimal", "precision": 10, "scale": 2 }
                    ]
                },
                {
                    "type": "createCollection",
                    "name": "order_items",
                    "fields": [
                        { "name": "id", "type": "uuid", "primaryKey": true },
                        { "name": "order_id", "type": "uuid", "required": true },
                        { "name": "product_id", "type": "uuid", "required": true },
                        { "name": "quantity", "type": "integer" },
                        { "name": "unit_price", "type": "decimal", "precision": 10, "scale": 2 }
                    ]
                },
                {
                    "type": "createIndex",
                    "collection": "orders",
                    "index": { "name": "idx_orders_customer", "fields": [{ "name": "customer_id" }] }
                },
                {
                    "type": "createIndex",
                    "collection": "order_items",
                    "index": { "name": "idx_order_items_order", "fields": [{ "name": "order_id" }] }
                }
            ]
        })
    );
}

#[test]
fn raw_operations() {
    let migration = migration("custom_operation")
        .raw("postgresql", "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"")
        .raw(
            "postgresql",
            "CREATE INDEX CONCURRENTLY idx_users_email ON users(email)",
        )
        .build()
        .unwrap();
    assert_eq!(
        written(&migration),
        json!({
            "format": 1,
            "name": "custom_operation",
            "up": [
                {
                    "type": "raw",
                    "backend": "postgresql",
                    "statement": "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\""
                },
                {
                    "type": "raw",
                    "backend": "postgresql",
                    "statement": "CREATE INDEX CONCURRENTLY idx_users_email ON users(email)"
                }
            ]
        })
    );
}

#[test]
fn options_of_each_database() {
    let migration = migration("create_everywhere")
        .create_collection(
            "users",
            [
                string("id").primary_key(),
                string("email"),
                timestamp("created_at"),
                timestamp("expires_at"),
            ],
        )
        .if_not_exists()
        .mongo(
            mongo_options()
                .validator(json!({ "$jsonSchema": { "bsonType": "object" } }))
                .validation_level("strict")
                .validation_action("error"),
        )
        .dynamo(
            dynamo_options()
                .partition_key("id", KeyType::S)
                .sort_key("created_at", KeyType::N)
                .pay_per_request()
                .global_index(secondary_index("email-index").partition_key("email", KeyType::S))
                .local_index(
                    secondary_index("created-index")
                        .sort_key("created_at", KeyType::N)
                        .project_keys_only(),
                )
                .stream("NEW_AND_OLD_IMAGES")
                .ttl_attribute("expires_at"),
        )
        .create_collection(
            "events",
            [
                uuid("id"),
                uuid("user_id"),
                timestamp("created_at"),
                json("data"),
            ],
        )
        .constraint(primary_key(["user_id", "created_at", "id"]))
        .cassandra(
            cassandra_options()
                .partition_key(["user_id"])
                .clustering_columns(["created_at", "id"])
                .clustering_order("created_at", ClusteringDirection::Desc)
                .clustering_order("id", ClusteringDirection::Asc)
                .default_ttl(86400)
                .compaction(json!({ "class": "LeveledCompactionStrategy" })),
        )
        .build()
        .unwrap();
    let written = written(&migration);
    let up = written.get("up").unwrap();
    assert_eq!(
        up.pointer("/0/sqlOptions").unwrap(),
        &json!({ "ifNotExists": true })
    );
    assert_eq!(
        up.pointer("/0/dynamoOptions").unwrap(),
        &json!({
            "partitionKey": { "name": "id", "type": "S" },
            "sortKey": { "name": "created_at", "type": "N" },
            "billingMode": "PAY_PER_REQUEST",
            "globalSecondaryIndexes": [
                { "name": "email-index", "partitionKey": { "name": "email", "type": "S" } }
            ],
            "localSecondaryIndexes": [{
                "name": "created-index",
                "sortKey": { "name": "created_at", "type": "N" },
                "projection": "KEYS_ONLY"
            }],
            "streamEnabled": true,
            "streamViewType": "NEW_AND_OLD_IMAGES",
            "ttlAttribute": "expires_at"
        })
    );
    assert_eq!(
        up.pointer("/1/cassandraOptions").unwrap(),
        &json!({
            "partitionKey": ["user_id"],
            "clusteringColumns": ["created_at", "id"],
            "clusteringOrder": [
                { "column": "created_at", "order": "DESC" },
                { "column": "id", "order": "ASC" }
            ],
            "defaultTTL": 86400,
            "compaction": { "class": "LeveledCompactionStrategy" }
        })
    );
}
