//! Its builder, its engine, and the history.

use super::*;

pub(super) fn users_with_indexes() -> Result<Migration, Error> {
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

pub(super) async fn migration_builder(world: &World<'_>) -> Result<(), Error> {
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

pub(super) fn order_system() -> Result<Migration, Error> {
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

pub(super) async fn batch_multiple_operations(world: &World<'_>) -> Result<(), Error> {
    let engine = world.database().await.engine();
    let report = engine.up(&order_system()?).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(engine.live_schema().await?.len(), 2);
    engine.down(&report.applied[0].migration).await?;
    assert!(engine.live_schema().await?.is_empty());
    Ok(())
}

pub(super) async fn the_migration_engine(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn field_types(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn sql_options(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn migration_history(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn migration_status(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn rollback_last(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn rollback_to_a_point(world: &World<'_>) -> Result<(), Error> {
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
