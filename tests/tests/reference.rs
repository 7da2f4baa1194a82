//! The examples of the system's reference in their Rust form, on every SQL database that the suites
//! know. What they say about environments is shown with two databases.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::Rollback;
use ductape::prelude::*;
use ductape::{AppliedMigration, Database};
use ductape_core::Operation;
use ductape_tests::databases::{DATABASES, connect};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use std::path::Path;

/// What an example is given: databases of its own.
struct World<'w> {
    folder: &'w Path,
    url: fn(&Path, &str) -> String,
    name: &'static str,
    backend: BackendName,
}

impl World<'_> {
    async fn database(&self) -> Database {
        self.environment("").await
    }

    async fn environment(&self, environment: &str) -> Database {
        let url = (self.url)(self.folder, &format!("{}{environment}", self.name));
        connect(&url).await.unwrap()
    }
}

macro_rules! examples {
    ($($name:ident)*) => {
        const EXAMPLES: &[&str] = &[$(stringify!($name)),*];

        async fn run(example: &str, world: &World<'_>) -> Result<(), Error> {
            match example {
                $(stringify!($name) => $name(world).await,)*
                other => panic!("{other} is no example"),
            }
        }
    };
}

examples! {
    quick_example
    create_table
    add_field
    drop_field
    rename_field
    modify_field
    create_index
    drop_index
    add_constraint
    drop_table
    migration_builder
    batch_multiple_operations
    the_migration_engine
    field_types
    sql_options
    migration_history
    migration_status
    rollback_last
    rollback_to_a_point
    raw_operations
    small_migrations
    descriptive_names
    the_way_back_is_included
    data_migrations
    migration_helpers
    already_applied
    a_failed_migration
    environments_out_of_sync
}

const SQL: [BackendName; 4] = [
    BackendName::Postgresql,
    BackendName::Mysql,
    BackendName::Mariadb,
    BackendName::Sqlite,
];

fn main() {
    let mut trials = Vec::new();
    for database in DATABASES.iter().filter(|d| SQL.contains(&d.backend)) {
        for &name in EXAMPLES {
            let trial = move || -> Result<(), Failed> {
                let folder = tempfile::tempdir()?;
                let world = World {
                    folder: folder.path(),
                    url: database.url,
                    name,
                    backend: database.backend,
                };
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?
                    .block_on(run(name, &world))?;
                Ok(())
            };
            trials.push(Trial::test(format!("{}::{name}", database.name), trial));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn json_of(operations: &[Operation]) -> Value {
    serde_json::to_value(operations).unwrap()
}

fn down_of(migration: &AppliedMigration) -> Value {
    json_of(migration.down.as_deref().expect("a way back"))
}

fn named(name: &str) -> ductape_core::Name {
    ductape_core::Name::new(name).unwrap()
}

/// The collection as the live database shows it.
async fn live(db: &Database, name: &str) -> Result<ductape_core::Collection, Error> {
    let schema = db.engine().live_schema().await?;
    Ok(schema
        .collection(&named(name))
        .expect("the collection is there")
        .as_ref()
        .clone())
}

async fn field_names(db: &Database, name: &str) -> Result<Vec<String>, Error> {
    let fields = live(db, name).await?.fields;
    Ok(fields.iter().map(|field| field.name.to_string()).collect())
}

/// The collections that the reference's single calls are about.
async fn with_users(world: &World<'_>) -> Result<Database, Error> {
    let db = world.database().await;
    db.schema()
        .create(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255),
                string("name").length(100),
                string("old_column").length(10),
            ],
        )
        .index(index("idx_users_old", ["old_column"]))
        .await?;
    Ok(db)
}

async fn quick_example(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    let result = db
        .schema()
        .create(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).required().unique(),
                string("name").length(100),
            ],
        )
        .timestamps()
        .await?;
    let tag = result.migration.tag.to_string();
    assert!(tag.ends_with("_create_users"), "{tag}");
    assert_eq!(
        field_names(&db, "users").await?,
        ["id", "email", "name", "created_at", "updated_at"]
    );
    // Tracked, and it can be replayed: elsewhere, or here after its way back.
    let elsewhere = world.environment("elsewhere").await;
    elsewhere.engine().up(&result.migration).await?;
    assert_eq!(
        elsewhere.engine().history().await?[0].tag,
        result.migration.tag
    );
    db.engine().down(&result.migration).await?;
    db.engine().up(&result.migration).await?;
    assert!(db.engine().verify().await?.ok);
    Ok(())
}

async fn create_table(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    let products = db
        .schema()
        .create(
            "products",
            [
                uuid("id").primary_key(),
                string("name").length(255).required(),
                decimal("price", 10, 2),
                integer("stock"),
                boolean("is_active").default(true),
                json("metadata"),
            ],
        )
        .timestamps()
        .await?;
    assert_eq!(
        json_of(products.migration.up()),
        json!([{
            "type": "createCollection",
            "name": "products",
            "fields": [
                { "name": "id", "type": "uuid", "primaryKey": true },
                { "name": "name", "type": "string", "length": 255, "required": true },
                { "name": "price", "type": "decimal", "precision": 10, "scale": 2 },
                { "name": "stock", "type": "integer" },
                { "name": "is_active", "type": "boolean", "default": true },
                { "name": "metadata", "type": "json" }
            ],
            "timestamps": true
        }])
    );
    assert_eq!(
        down_of(&products.migration),
        json!([{ "type": "dropCollection", "name": "products" }])
    );
    db.engine().down(&products.migration).await?;
    assert!(db.engine().live_schema().await?.is_empty());
    Ok(())
}

async fn add_field(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let added = db
        .schema()
        .add_field("users", string("phone").length(20))
        .await?;
    assert_eq!(
        json_of(added.migration.up()),
        json!([{
            "type": "addField",
            "collection": "users",
            "field": { "name": "phone", "type": "string", "length": 20 }
        }])
    );
    assert_eq!(
        down_of(&added.migration),
        json!([{ "type": "dropField", "collection": "users", "field": "phone" }])
    );
    let users = live(&db, "users").await?;
    let last = users.fields.last().map(|field| field.name.as_str());
    assert_eq!((users.fields.len(), last), (5, Some("phone")));
    Ok(())
}

async fn drop_field(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let before = live(&db, "users").await?;
    let dropped = db.schema().drop_field("users", "old_column").await?;
    assert_eq!(field_names(&db, "users").await?, ["id", "email", "name"]);
    assert!(live(&db, "users").await?.indexes.is_empty());
    db.engine().down(&dropped.migration).await?;
    assert_eq!(live(&db, "users").await?, before, "with its index");
    Ok(())
}

async fn rename_field(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let renamed = db
        .schema()
        .rename_field("users", "name", "full_name")
        .await?;
    assert!(
        field_names(&db, "users")
            .await?
            .contains(&"full_name".into())
    );
    assert_eq!(
        down_of(&renamed.migration),
        json!([{ "type": "renameField", "collection": "users", "from": "full_name", "to": "name" }])
    );
    Ok(())
}

async fn modify_field(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let before = live(&db, "users").await?;
    let modified = db
        .schema()
        .modify_field("users", "email", change().length(500).required())
        .await?;
    let users = live(&db, "users").await?;
    let email = users.fields.get(1).expect("the second field is email");
    assert!(email.required);
    assert_eq!(email.field_type.to_string(), "string(500)");
    db.engine().down(&modified.migration).await?;
    assert_eq!(live(&db, "users").await?, before);
    Ok(())
}

async fn create_index(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let made = db
        .schema()
        .create_index("users", index("idx_users_email", ["email"]).unique())
        .await?;
    let users = live(&db, "users").await?;
    let email = users.index(&named("idx_users_email"));
    assert!(email.is_some_and(|index| index.unique));
    assert_eq!(
        down_of(&made.migration),
        json!([{ "type": "dropIndex", "collection": "users", "index": "idx_users_email" }])
    );
    Ok(())
}

async fn drop_index(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let before = live(&db, "users").await?;
    let dropped = db.schema().drop_index("users", "idx_users_old").await?;
    assert!(live(&db, "users").await?.indexes.is_empty());
    db.engine().down(&dropped.migration).await?;
    assert_eq!(live(&db, "users").await?, before);
    Ok(())
}

async fn add_constraint(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    db.schema()
        .create("posts", [uuid("id").primary_key(), uuid("author_id")])
        .await?;
    let added = db
        .schema()
        .add_constraint(
            "posts",
            foreign_key(["author_id"])
                .references("users", ["id"])
                .on_delete(Cascade)
                .name("fk_posts_author"),
        )
        .await?;
    let posts = live(&db, "posts").await?;
    let key = posts.constraint(&named("fk_posts_author"));
    let references = key.and_then(|key| key.references()).expect("a foreign key");
    assert_eq!(references.table.as_str(), "users");
    assert_eq!(references.on_delete, Some(Cascade));
    assert_eq!(
        down_of(&added.migration),
        json!([{ "type": "dropConstraint", "collection": "posts", "constraint": "fk_posts_author" }])
    );
    Ok(())
}

async fn drop_table(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    db.schema()
        .create("old_table", [uuid("id").primary_key()])
        .await?;
    db.schema()
        .create("dependant", [uuid("id").primary_key(), uuid("old_id")])
        .constraint(foreign_key(["old_id"]).references("old_table", ["id"]))
        .await?;
    let before = db.engine().live_schema().await?;
    let refused = db.schema().drop("old_table").await.unwrap_err();
    assert!(refused.to_string().contains("dependant"), "{refused}");
    let dropped = db.schema().drop("old_table").cascade().await?;
    assert!(
        live(&db, "dependant")
            .await?
            .constraints
            .iter()
            .all(|c| c.references().is_none())
    );
    db.engine().down(&dropped.migration).await?;
    assert_eq!(db.engine().live_schema().await?, before);
    Ok(())
}

fn users_with_indexes() -> Result<Migration, Error> {
    Ok(migration("create_users_with_indexes")
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
        .build()?)
}

async fn migration_builder(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    let engine = MigrationEngine::new(db.backend());
    let users = users_with_indexes()?;
    engine.up(&users).await?;
    assert!(engine.verify().await?.ok);
    engine.down(&users).await?;
    assert!(engine.live_schema().await?.is_empty());
    engine.up(&users).await?;
    Ok(())
}

fn order_system() -> Result<Migration, Error> {
    Ok(migration("create_order_system")
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
        .build()?)
}

async fn batch_multiple_operations(world: &World<'_>) -> Result<(), Error> {
    let engine = world.database().await.engine();
    let report = engine.up(&order_system()?).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(engine.live_schema().await?.len(), 2);
    engine.down(&report.applied[0].migration).await?;
    assert!(engine.live_schema().await?.is_empty());
    Ok(())
}

async fn the_migration_engine(world: &World<'_>) -> Result<(), Error> {
    let engine = MigrationEngine::new(world.database().await.backend());
    let migrations = [
        users_with_indexes()?,
        order_system()?,
        migration("drop_items")
            .drop_collection("order_items")
            .build()?,
    ];
    let defined = MigrationSet::new(migrations.clone())?;
    engine.up(&migrations[0]).await?;
    engine.up(&migrations[1]).await?;
    assert_eq!(engine.history().await?.len(), 2);
    let status = engine.status(&defined).await?;
    assert_eq!((status.total, status.pending, status.completed), (3, 1, 2));
    engine.down(&migrations[1]).await?;
    assert_eq!(engine.history().await?.len(), 1);
    Ok(())
}

async fn field_types(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    let all = db
        .schema()
        .create(
            "everything",
            [
                integer("integer_field").primary_key(),
                bigint("bigint_field"),
                smallint("smallint_field"),
                float("float_field"),
                double("double_field"),
                decimal("decimal_field", 12, 3),
                string("string_field").length(40),
                text("text_field"),
                boolean("boolean_field"),
                date("date_field"),
                time("time_field"),
                datetime("datetime_field"),
                timestamp("timestamp_field"),
                json("json_field"),
                uuid("uuid_field"),
                enumeration("enum_field", ["a", "b"]),
                array("array_field", types::integer()),
                binary("binary_field").length(16),
                blob("blob_field"),
            ],
        )
        .await?;
    assert_eq!(live(&db, "everything").await?.fields.len(), 19);
    assert!(db.engine().verify().await?.ok);
    db.engine().down(&all.migration).await?;
    assert!(db.engine().live_schema().await?.is_empty());
    Ok(())
}

async fn sql_options(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    // The options as the reference has them, false ones among them.
    let written = Migration::parse(
        r#"{ "format": 1, "tag": "20240115_143052_create_users", "up": [{
            "type": "createCollection",
            "name": "users",
            "fields": { "id": { "type": "uuid", "primaryKey": true },
                        "email": { "type": "string", "required": true } },
            "sqlOptions": { "ifNotExists": true, "temporary": false, "unlogged": false } }] }"#,
    )?;
    let create = || {
        db.schema()
            .create(
                "users",
                [uuid("id").primary_key(), string("email").required()],
            )
            .if_not_exists()
    };
    let made = create().await?;
    assert_eq!(made.migration.checksum(), written.checksum());
    let again = create().await?;
    assert_eq!(again.statements, 0, "there and equal is nothing to do");

    db.schema()
        .create("orders", [uuid("id").primary_key(), uuid("user_id")])
        .await?;
    db.schema()
        .add_constraint(
            "orders",
            foreign_key(["user_id"])
                .references("users", ["id"])
                .on_delete(Cascade)
                .on_update(Cascade)
                .name("fk_orders_user"),
        )
        .await?;
    let orders = live(&db, "orders").await?;
    let key = orders.constraint(&named("fk_orders_user"));
    let references = key.and_then(|key| key.references()).expect("a foreign key");
    assert_eq!(
        (references.on_delete, references.on_update),
        (Some(Cascade), Some(Cascade))
    );
    Ok(())
}

async fn migration_history(world: &World<'_>) -> Result<(), Error> {
    let engine = with_users(world).await?.engine();
    let history = engine.history().await?;
    let [entry] = history.as_slice() else {
        panic!("one entry: {history:?}")
    };
    assert!(entry.tag.as_str().ends_with("_create_users"));
    assert_eq!(entry.name, "create_users");
    assert!(entry.applied_at.starts_with("20") && entry.applied_at.ends_with('Z'));
    assert_eq!(entry.checksum, *entry.migration.checksum());
    Ok(())
}

async fn migration_status(world: &World<'_>) -> Result<(), Error> {
    let engine = world.database().await.engine();
    let (first, second) = (users_with_indexes()?, order_system()?);
    engine.up(&first).await?;
    let status = engine.status(&MigrationSet::new([first, second])?).await?;
    assert_eq!((status.total, status.completed, status.pending), (2, 1, 1));
    let last = status.last_applied.expect("one was applied");
    assert_eq!(last.name, "create_users_with_indexes");
    let pending: Vec<_> = status
        .pending_migrations
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(pending, ["create_order_system"]);
    Ok(())
}

async fn rollback_last(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let last = db
        .schema()
        .add_field("users", string("phone").length(20))
        .await?;
    db.engine().down(&last.migration).await?;
    assert_eq!(db.engine().history().await?.len(), 1);
    assert!(!field_names(&db, "users").await?.contains(&"phone".into()));
    // Without knowing it, too.
    db.engine().roll_back(&Rollback::Last(1)).await?;
    assert!(db.engine().live_schema().await?.is_empty());
    Ok(())
}

async fn rollback_to_a_point(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let target = db
        .schema()
        .add_field("users", string("phone").length(20))
        .await?;
    let there = db.engine().live_schema().await?;
    for name in ["a", "b", "c"] {
        db.schema().add_field("users", text(name)).await?;
    }
    let engine = db.engine();
    let history = engine.history().await?;
    let target_index = history
        .iter()
        .position(|h| h.tag == target.migration.tag)
        .unwrap();
    for entry in history[target_index + 1..].iter().rev() {
        engine.down(&entry.migration).await?;
    }
    assert_eq!(engine.live_schema().await?, there);
    // The same in one call.
    db.schema().add_field("users", text("d")).await?;
    engine.down_to(&target.migration.tag).await?;
    assert_eq!(engine.live_schema().await?, there);
    Ok(())
}

async fn raw_operations(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    // The extension of the reference is not on every server; another statement stands for it.
    let custom = migration("custom_operation")
        .raw("postgresql", "CREATE SEQUENCE IF NOT EXISTS custom_numbers")
        .raw(
            "postgresql",
            "CREATE INDEX CONCURRENTLY idx_users_email ON users(email)",
        )
        .build()?;
    let report = db.engine().up(&custom).await?;
    let ran = if world.backend == BackendName::Postgresql {
        2
    } else {
        0
    };
    assert_eq!(report.applied[0].statements, ran);
    Ok(())
}

async fn small_migrations(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    db.schema()
        .create("users", [uuid("id").primary_key()])
        .await?;
    db.schema()
        .create("posts", [uuid("id").primary_key()])
        .await?;
    db.schema().add_field("users", string("avatar_url")).await?;
    let history = db.engine().history().await?;
    let names: Vec<_> = history.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        ["create_users", "create_posts", "add_avatar_url_to_users"]
    );
    let mut tags: Vec<_> = history.iter().map(|entry| &entry.tag).collect();
    tags.dedup();
    assert_eq!(tags.len(), 3);
    assert!(
        tags.is_sorted(),
        "tags are unique and in order, also within one second"
    );
    Ok(())
}

async fn descriptive_names(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let set = MigrationSet::new([
        migration("add_phone_and_address_to_users")
            .add_field("users", string("phone").length(20))
            .add_field("users", text("address"))
            .build()?,
        migration("create_order_fulfillment_tables")
            .create_collection(
                "orders",
                [uuid("id").primary_key(), date("due"), text("state")],
            )
            .create_collection("shipments", [uuid("id").primary_key()])
            .build()?,
        migration("add_composite_index_on_orders")
            .create_index("orders", index_on(["due", "id"]))
            .build()?,
    ])?;
    assert_eq!(db.engine().up_all(&set).await?.applied.len(), 3);
    assert!(db.engine().verify().await?.ok);
    Ok(())
}

async fn the_way_back_is_included(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let result = db.schema().add_field("users", string("phone")).await?;
    assert_eq!(
        down_of(&result.migration),
        json!([{ "type": "dropField", "collection": "users", "field": "phone" }])
    );
    // And the ledger has it, for who has only that.
    let entry = db.engine().show(&result.migration.tag).await?;
    assert_eq!(entry.migration.down(), result.migration.down.as_deref());
    Ok(())
}

/// A row, on any SQL database.
async fn insert(db: &Database, statement: &str) -> Result<(), Error> {
    db.schema().raw(SQL, statement).transactional(true).await?;
    Ok(())
}

/// Holds if every row does: a check over rows that do not is refused.
async fn every_row(db: &Database, collection: &str, condition: &str) -> Result<(), Error> {
    let check = check(condition).name("ck_every_row");
    let added = db.schema().add_constraint(collection, check).await?;
    db.engine().down(&added.migration).await?;
    Ok(())
}

async fn data_migrations(world: &World<'_>) -> Result<(), Error> {
    let db = world.database().await;
    db.schema()
        .create(
            "users",
            [
                integer("id").primary_key(),
                string("first_name").length(50),
                string("last_name").length(50),
            ],
        )
        .await?;
    insert(
        &db,
        "INSERT INTO users (id, first_name, last_name) VALUES (1, 'Ada', 'Lovelace'), (2, 'Ada', 'Lovelace'), (3, NULL, 'Lovelace')",
    )
    .await?;

    db.schema()
        .add_field("users", string("full_name").length(101))
        .await?;
    let moved = db
        .update("users")
        .set(
            "full_name",
            concat([field("first_name"), lit(" "), field("last_name")]),
        )
        .filter(is_null("full_name"))
        .await?;
    every_row(
        &db,
        "users",
        "full_name IS NOT NULL AND full_name = (CASE WHEN id < 3 THEN 'Ada Lovelace' ELSE ' Lovelace' END)",
    )
    .await?;
    let refused = every_row(&db, "users", "full_name = 'Ada Lovelace'")
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::Refused(_)),
        "the check checks: {refused}"
    );
    // Its way back leaves the data as it is, and goes on record.
    assert_eq!(down_of(&moved.migration), json!([]));
    db.schema().drop_field("users", "first_name").await?;
    db.schema().drop_field("users", "last_name").await?;
    assert_eq!(field_names(&db, "users").await?, ["id", "full_name"]);
    Ok(())
}

async fn migration_helpers(_: &World<'_>) -> Result<(), Error> {
    let tag = Tag::generate("create_users");
    assert_eq!(tag.as_str().len(), "20240115_143052_create_users".len());
    assert_eq!(tag.name(), "create_users");
    let users = users_with_indexes()?;
    users.validate()?;
    let checksum = users.checksum();
    assert!(checksum.as_str().starts_with("v1:"));
    assert_eq!(*checksum, *users_with_indexes()?.checksum());
    assert_ne!(checksum, order_system()?.checksum());
    Ok(())
}

async fn already_applied(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let error = db
        .schema()
        .create("users", [uuid("id").primary_key()])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert!(matches!(error, Error::AlreadyExists { same: false, .. }));
    assert_eq!(db.engine().history().await?.len(), 1);
    Ok(())
}

async fn a_failed_migration(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    insert(
        &db,
        "INSERT INTO users (id, email) VALUES ('6ad7fb0d-1ea6-4d2c-9c2a-111111111111', NULL)",
    )
    .await?;
    let before = db.engine().live_schema().await?;
    let strict = migration("strict_users")
        .add_field("users", string("phone").length(20))
        .modify_field("users", "email", change().required())
        .build()?;
    // Nothing was touched: the history shows what was applied, and this is not.
    let error = db.engine().up(&strict).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_eq!(db.engine().live_schema().await?, before);
    assert!(
        db.engine()
            .history()
            .await?
            .iter()
            .all(|entry| entry.name != "strict_users")
    );
    // Fixed by hand, run again.
    db.update("users")
        .set("email", "nobody@example.org")
        .filter(is_null("email"))
        .await?;
    assert_eq!(db.engine().up(&strict).await?.applied.len(), 1);
    assert!(db.engine().verify().await?.ok);
    Ok(())
}

async fn environments_out_of_sync(world: &World<'_>) -> Result<(), Error> {
    let all = MigrationSet::new([users_with_indexes()?, order_system()?])?;
    let (dev, prd) = (
        world.environment("dev").await,
        world.environment("prd").await,
    );
    dev.engine().up_all(&all).await?;
    prd.engine().up(&all.migrations()[0]).await?;
    let mut shown = Vec::new();
    for db in [&dev, &prd] {
        let status = db.engine().status(&all).await?;
        shown.push(format!("{}/{}", status.completed, status.total));
    }
    assert_eq!(shown, ["2/2", "1/2"]);
    // The other catches up.
    prd.engine().up_all(&all).await?;
    assert_eq!(
        prd.engine().live_schema().await?,
        dev.engine().live_schema().await?
    );
    Ok(())
}
