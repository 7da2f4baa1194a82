//! Every operation, every attribute, and every mistake that is told when a migration is built.
#![allow(clippy::unwrap_used, reason = "tests")]

use ductape_builder::prelude::*;
use ductape_core::schema::Nulls;
use ductape_core::{Migration, Problems};
use serde_json::{Value, json};

/// The first operation of a migration as JSON, after it was read back and found to be the same.
fn first(migration: Result<Migration, Problems>) -> Value {
    let migration = migration.unwrap();
    let text = serde_json::to_string(migration.up()).unwrap();
    assert_eq!(Migration::parse_operations(&text).unwrap(), migration.up());
    serde_json::to_value(migration.up().first().unwrap()).unwrap()
}

fn paths(problems: Result<Migration, Problems>) -> Vec<String> {
    let problems = problems.unwrap_err();
    problems.0.into_iter().map(|problem| problem.path).collect()
}

#[test]
fn every_type_of_field() {
    let create = operation::create_collection(
        "everything",
        [
            bigint("a_bigint").auto_increment().primary_key(),
            integer("an_integer").default(7),
            smallint("a_smallint"),
            float("a_float").default(0.5),
            double("a_double"),
            decimal("a_decimal", 10, 0),
            unbounded_decimal("an_amount"),
            string("a_string")
                .length(20)
                .collation("C")
                .comment("short"),
            text("a_text")
                .native("postgresql", "citext")
                .native(BackendName::Mysql, "TEXT"),
            boolean("a_boolean").default(true).required(),
            date("a_date").default_now(),
            time("a_time").default("14:30:52"),
            datetime("a_datetime").nullable(),
            timestamp("a_timestamp").default_now(),
            json("a_json").default(json!({ "now": true })),
            uuid("a_uuid").default_uuid().unique(),
            enumeration("an_enumeration", ["a", "b"]).default("a"),
            array("an_array", types::string(5)),
            binary("a_binary").length(16),
            blob("a_blob"),
            integer("a_sum")
                .generated("an_integer + a_smallint")
                .stored(),
            string("a_name").length(9).generated("a_string").length(8),
            integer("a_number").default_expression(per_backend([("sqlite", "1 + 1")])),
        ],
    );
    assert_eq!(
        first(migration("everything").operation(create).build())
            .get("fields")
            .unwrap(),
        &json!([
            { "name": "a_bigint", "type": "bigint", "primaryKey": true, "autoIncrement": true },
            { "name": "an_integer", "type": "integer", "default": 7 },
            { "name": "a_smallint", "type": "smallint" },
            { "name": "a_float", "type": "float", "default": 0.5 },
            { "name": "a_double", "type": "double" },
            { "name": "a_decimal", "type": "decimal", "precision": 10 },
            { "name": "an_amount", "type": "decimal" },
            { "name": "a_string", "type": "string", "length": 20, "comment": "short", "collation": "C" },
            { "name": "a_text", "type": "text", "native": { "postgresql": "citext", "mysql": "TEXT" } },
            { "name": "a_boolean", "type": "boolean", "required": true, "default": true },
            { "name": "a_date", "type": "date", "default": { "now": true } },
            { "name": "a_time", "type": "time", "default": "14:30:52" },
            { "name": "a_datetime", "type": "datetime" },
            { "name": "a_timestamp", "type": "timestamp", "default": { "now": true } },
            { "name": "a_json", "type": "json", "default": { "value": { "now": true } } },
            { "name": "a_uuid", "type": "uuid", "unique": true, "default": { "uuid": true } },
            { "name": "an_enumeration", "type": "enum", "enumValues": ["a", "b"], "default": "a" },
            { "name": "an_array", "type": "array", "items": { "type": "string", "length": 5 } },
            { "name": "a_binary", "type": "binary", "length": 16 },
            { "name": "a_blob", "type": "blob" },
            {
                "name": "a_sum", "type": "integer",
                "generated": { "expression": "an_integer + a_smallint", "stored": true }
            },
            {
                "name": "a_name", "type": "string", "length": 8,
                "generated": { "expression": "a_string" }
            },
            { "name": "a_number", "type": "integer", "default": { "expression": { "sqlite": "1 + 1" } } }
        ])
    );
}

#[test]
fn collections() {
    let create = migration("m")
        .create_collection("users", [uuid("id")])
        .field(string("email").length(255))
        .timestamps()
        .comment("People")
        .index(index_on(["email"]))
        .constraint(primary_key(["id"]))
        .constraint(unique(["email"]).deferrable(Deferrable::Deferred))
        .sql(sql_options().engine("InnoDB"))
        .if_not_exists()
        .allow(Allow::Copy)
        .allow(Allow::RecordOnly)
        .build();
    assert_eq!(
        first(create),
        json!({
            "type": "createCollection",
            "name": "users",
            "fields": [
                { "name": "id", "type": "uuid" },
                { "name": "email", "type": "string", "length": 255 }
            ],
            "timestamps": true,
            "comment": "People",
            "indexes": [{ "fields": [{ "name": "email" }] }],
            "constraints": [
                { "type": "primaryKey", "columns": ["id"] },
                { "type": "unique", "columns": ["email"], "deferrable": "deferred" }
            ],
            "sqlOptions": { "ifNotExists": true, "engine": "InnoDB" },
            "allow": ["copy", "recordOnly"]
        })
    );
    assert_eq!(
        first(
            migration("m")
                .drop_collection("old")
                .cascade()
                .if_exists()
                .build()
        ),
        json!({ "type": "dropCollection", "name": "old", "cascade": true, "ifExists": true })
    );
    assert_eq!(
        first(migration("m").rename_collection("a", "b").build()),
        json!({ "type": "renameCollection", "from": "a", "to": "b" })
    );
    let modify = migration("m")
        .modify_collection("users")
        .comment("People")
        .mongo(mongo_options().validation_level("moderate"))
        .dynamo(dynamo_options().deletion_protection())
        .remove_option(OptionGroup::Mongo, "validator")
        .build();
    assert_eq!(
        first(modify),
        json!({
            "type": "modifyCollection",
            "name": "users",
            "changes": {
                "comment": "People",
                "mongoOptions": { "validationLevel": "moderate", "validator": null },
                "dynamoOptions": { "deletionProtection": true }
            }
        })
    );
}

#[test]
fn fields() {
    assert_eq!(
        first(
            migration("m")
                .add_field("users", string("phone").length(20))
                .build()
        ),
        json!({
            "type": "addField",
            "collection": "users",
            "field": { "name": "phone", "type": "string", "length": 20 }
        })
    );
    assert_eq!(
        first(migration("m").drop_field("users", "phone").build()),
        json!({ "type": "dropField", "collection": "users", "field": "phone" })
    );
    assert_eq!(
        first(
            migration("m")
                .rename_field("users", "name", "full_name")
                .build()
        ),
        json!({ "type": "renameField", "collection": "users", "from": "name", "to": "full_name" })
    );
    let modify = migration("m")
        .modify_field(
            "users",
            "email",
            change()
                .to_type(types::string(500))
                .required()
                .not_unique()
                .remove_default()
                .comment("where they read")
                .generated_stored("lower(name)")
                .native("mysql", "VARCHAR(500)"),
        )
        .using("postgresql", "email::varchar(500)")
        .using("mysql", "email")
        .build();
    assert_eq!(
        first(modify),
        json!({
            "type": "modifyField",
            "collection": "users",
            "field": "email",
            "changes": {
                "type": "string",
                "length": 500,
                "required": true,
                "unique": false,
                "default": null,
                "comment": "where they read",
                "generated": { "expression": "lower(name)", "stored": true },
                "native": { "mysql": "VARCHAR(500)" }
            },
            "using": { "mysql": "email", "postgresql": "email::varchar(500)" }
        })
    );
}

#[test]
fn indexes_and_constraints() {
    let create = migration("m")
        .create_index(
            "users",
            index(
                "idx",
                [
                    asc("email").prefix(10).collation("C"),
                    desc("age").nulls_last().operator_class("int4_ops"),
                    expression("lower(name)"),
                ],
            )
            .unique()
            .nulls_not_distinct()
            .filter(per_backend([("postgresql", "age > 0")]))
            .method(Method::Btree)
            .with_option("fillfactor", 70)
            .include(["phone"])
            .hidden()
            .comment("fast")
            .online(false)
            .sparse()
            .expire_after_seconds(60)
            .project(["phone"])
            .capacity(1, 2),
        )
        .build();
    assert_eq!(
        first(create),
        json!({
            "type": "createIndex",
            "collection": "users",
            "index": {
                "name": "idx",
                "fields": [
                    { "name": "email", "length": 10, "collation": "C" },
                    { "name": "age", "order": "desc", "nulls": "last", "operatorClass": "int4_ops" },
                    { "expression": "lower(name)" }
                ],
                "unique": true,
                "nullsNotDistinct": true,
                "hidden": true,
                "where": { "postgresql": "age > 0" },
                "method": "btree",
                "with": { "fillfactor": 70 },
                "include": ["phone"],
                "comment": "fast",
                "online": false,
                "mongo": { "sparse": true, "expireAfterSeconds": 60 },
                "dynamo": { "projection": ["phone"], "readCapacity": 1, "writeCapacity": 2 }
            }
        })
    );
    assert_eq!(
        first(migration("m").drop_index("users", "idx").build()),
        json!({ "type": "dropIndex", "collection": "users", "index": "idx" })
    );
    let add = migration("m")
        .add_constraint(
            "posts",
            foreign_key(["author_id"])
                .references("users", ["id"])
                .on_delete(Cascade)
                .on_update(SetNull)
                .deferrable(Deferrable::Immediate)
                .name("fk_posts_author"),
        )
        .allow(Allow::RecordOnly)
        .build();
    assert_eq!(
        first(add),
        json!({
            "type": "addConstraint",
            "collection": "posts",
            "constraint": {
                "name": "fk_posts_author",
                "type": "foreignKey",
                "columns": ["author_id"],
                "references": {
                    "table": "users", "columns": ["id"], "onDelete": "CASCADE", "onUpdate": "SET NULL"
                },
                "deferrable": "immediate"
            },
            "allow": ["recordOnly"]
        })
    );
    assert_eq!(
        first(
            migration("m")
                .drop_constraint("posts", "fk_posts_author")
                .build()
        ),
        json!({ "type": "dropConstraint", "collection": "posts", "constraint": "fk_posts_author" })
    );
}

#[test]
fn data() {
    let update = migration("m")
        .update("users")
        .set(
            "full_name",
            concat([field("first_name"), lit(" "), upper(field("last_name"))]),
        )
        .set(
            "nick",
            coalesce([trim(field("nick")), lower(field("email"))]),
        )
        .set(
            "cents",
            multiply(add(field("price"), 1), divide(subtract(9, field("x")), 2)),
        )
        .set("text", cast(field("n"), types::string(9)))
        .set("settings", lit(json!({ "field": "no field" })))
        .set("at", now())
        .set("id", new_uuid())
        .filter(is_null("full_name"))
        .filter(or([
            and([
                eq("a", 1),
                ne("a", 2),
                gt("b", 3),
                gte("b", 4),
                lt("c", 5),
                lte("c", 6),
            ]),
            not(one_of("status", ["x", "y"])),
            exists("z"),
        ]))
        .inverse(|back| {
            back.set("full_name", lit(Value::Null))
                .filter(is_not_null("id"))
        })
        .build();
    assert_eq!(
        first(update),
        json!({
            "type": "update",
            "collection": "users",
            "set": {
                "full_name": { "concat": [{ "field": "first_name" }, " ", { "upper": { "field": "last_name" } }] },
                "nick": { "coalesce": [{ "trim": { "field": "nick" } }, { "lower": { "field": "email" } }] },
                "cents": { "multiply": [
                    { "add": [{ "field": "price" }, 1] },
                    { "divide": [{ "subtract": [9, { "field": "x" }] }, 2] }
                ] },
                "text": { "cast": { "field": "n" }, "to": { "type": "string", "length": 9 } },
                "settings": { "value": { "field": "no field" } },
                "at": { "now": true },
                "id": { "uuid": true }
            },
            "where": { "and": [
                { "full_name": null },
                { "or": [
                    { "and": [
                        { "a": 1 }, { "a": { "ne": 2 } }, { "b": { "gt": 3 } },
                        { "b": { "gte": 4 } }, { "c": { "lt": 5 } }, { "c": { "lte": 6 } }
                    ] },
                    { "not": { "status": { "in": ["x", "y"] } } },
                    { "z": { "exists": true } }
                ] }
            ] },
            "inverse": { "set": { "full_name": null }, "where": { "id": { "exists": true } } }
        })
    );
}

#[test]
fn native_statements() {
    let raw = migration("m")
        .raw(["mysql", "mariadb"], "OPTIMIZE TABLE users")
        .inverse("OPTIMIZE TABLE users")
        .transactional(false)
        .build();
    assert_eq!(
        first(raw),
        json!({
            "type": "raw",
            "backend": ["mysql", "mariadb"],
            "statement": "OPTIMIZE TABLE users",
            "inverse": "OPTIMIZE TABLE users",
            "transactional": false
        })
    );
    let shard = json!({ "shardCollection": "app.users", "key": { "id": "hashed" } });
    assert_eq!(
        first(
            migration("m")
                .raw(BackendName::Mongodb, shard.clone())
                .build()
        ),
        json!({ "type": "raw", "backend": "mongodb", "statement": shard })
    );
    let restore = migration("m")
        .restore(
            "postgresql",
            [definition("view", "v", "CREATE VIEW v AS SELECT 1")
                .on("users")
                .after(["w"])],
        )
        .remove(definition("view", "w", "CREATE VIEW w AS SELECT 1"))
        .build();
    assert_eq!(
        first(restore),
        json!({
            "type": "restore",
            "backend": "postgresql",
            "definitions": [{
                "kind": "view", "name": "v", "definition": "CREATE VIEW v AS SELECT 1",
                "on": "users", "after": ["w"]
            }],
            "remove": [{ "kind": "view", "name": "w", "definition": "CREATE VIEW w AS SELECT 1" }]
        })
    );
}

#[test]
fn a_tag_and_a_way_back() {
    let migration = migration("x")
        .tag("20240115_143052_x")
        .drop_field("users", "phone")
        .down(|down| down.add_field("users", string("phone").length(20)))
        .build()
        .unwrap();
    assert_eq!(migration.tag().unwrap().as_str(), "20240115_143052_x");
    assert_eq!(migration.written_down().unwrap().len(), 1);
    assert_eq!(Migration::parse(&migration.to_json()).unwrap(), migration);

    let nothing = ductape_builder::migration("x")
        .drop_field("users", "phone")
        .down(|down| down)
        .build()
        .unwrap();
    assert_eq!(nothing.written_down().unwrap().len(), 0);
}

#[test]
fn the_canonical_form_is_that_of_a_file() {
    let built = migration("m")
        .tag("20240115_143052_m")
        .create_collection(
            "t",
            [
                uuid("id").primary_key().required(),
                decimal("n", 5, 0),
                timestamp("at").default("2024-01-15T14:30:52+00:00"),
            ],
        )
        .update("t")
        .set("n", 1)
        .filter(eq("at", Value::Null))
        .build()
        .unwrap();
    let read = Migration::parse(&built.to_json()).unwrap();
    assert_eq!(built, read);
    assert_eq!(built.checksum(), read.checksum());
}

#[test]
fn core_values_go_on_as_builders() {
    let field = string("email").length(9).required().build().unwrap();
    let spec = FieldSpec::from(field.clone()).unique();
    assert_eq!(spec.clone().build().unwrap(), spec.build().unwrap());
    let index = index("i", [desc("email").nulls_first()]).build().unwrap();
    assert_eq!(index.fields.first().unwrap().nulls, Some(Nulls::First));
    let check = check("a > 0").build().unwrap();
    let operations = migration("m")
        .create_index("t", index.clone())
        .add_constraint("t", ConstraintBuilder::from(check))
        .add_field("t", field.into())
        .build()
        .unwrap();
    let again = migration("m")
        .operations(operations.up().iter().cloned())
        .build()
        .unwrap();
    assert_eq!(again.up(), operations.up());
}

#[test]
fn every_mistake_is_told_with_its_path() {
    let wrong = migration("not a name")
        .tag("yesterday")
        .create_collection(
            "",
            [
                integer("n").default("many"),
                string("").length(0),
                text("t").native("postgres", "citext"),
            ],
        )
        .add_constraint("t", foreign_key(["a", "b"]).references("", ["id"]))
        .raw("oracle", " ")
        .update("t")
        .update("t")
        .set("", 1)
        .filter(and([gt("a", Value::Null), eq("or", 1)]))
        .modify_field("t", "f", change())
        .modify_collection("t")
        .remove_option(OptionGroup::Sql, "engin")
        .down(|down| down.drop_collection("a\0b"))
        .build();
    let mut found = paths(wrong);
    found.sort();
    assert_eq!(
        found,
        [
            "down[0].name",
            "name",
            "tag",
            "up[0].fields[0].default",
            "up[0].fields[1].length",
            "up[0].fields[1].name",
            "up[0].fields[2].native.postgres",
            "up[0].name",
            "up[1].constraint.references.table",
            "up[2].backend",
            "up[2].statement",
            "up[3].set",
            "up[4].set.",
            "up[4].where.and[0].a.gt",
            "up[4].where.and[1].or",
            "up[5].changes",
            "up[6].changes.sqlOptions.engin",
        ]
    );
    let name_and_tag = migration("b")
        .tag("20240115_143052_a")
        .drop_collection("t")
        .build();
    assert_eq!(paths(name_and_tag), ["tag"]);
    let reserved = migration("m").drop_collection("ductape_migrations").build();
    assert_eq!(paths(reserved), ["up[0]"]);
}

/// What a facade does: a call that is an operation and something else beside it.
struct Call<T> {
    operation: OperationBuilder<T>,
}

impl<T: operation::IsOperation> Builds for Call<T> {
    type Operation = T;

    fn edit(self, change: impl FnOnce(OperationBuilder<T>) -> OperationBuilder<T>) -> Self {
        Self {
            operation: change(self.operation),
        }
    }
}

#[test]
fn the_options_of_an_operation_work_wherever_it_is_built() {
    let call = Call {
        operation: operation::create_collection("users", [uuid("id").primary_key()]),
    };
    let call = call.timestamps().allow(Allow::Copy);
    assert_eq!(
        call.operation.build().unwrap(),
        operation::create_collection("users", [uuid("id").primary_key()])
            .timestamps()
            .allow(Allow::Copy)
            .build()
            .unwrap()
    );
}

#[test]
fn builders_go_from_thread_to_thread() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<FieldSpec>();
    check::<IndexBuilder>();
    check::<ConstraintBuilder>();
    check::<ChangeBuilder>();
    check::<ValueBuilder>();
    check::<FilterBuilder>();
    check::<OperationBuilder<ductape_core::Operation>>();
    check::<MigrationBuilder>();
}

#[test]
fn an_enumeration_from_an_empty_list_is_told() {
    let none: Vec<String> = Vec::new();
    let wrong = migration("m")
        .add_field("t", enumeration("e", none))
        .build();
    assert_eq!(paths(wrong), ["up[0].field.enumValues"]);
}
