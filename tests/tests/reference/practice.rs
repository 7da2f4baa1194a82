//! Its advice, and what it says of trouble.

use super::*;

pub(super) async fn raw_operations(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn small_migrations(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn descriptive_names(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn the_way_back_is_included(world: &World<'_>) -> Result<(), Error> {
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
pub(super) async fn insert(db: &Database, statement: &str) -> Result<(), Error> {
    db.schema().raw(SQL, statement).transactional(true).await?;
    Ok(())
}

/// Holds if every row does: a check over rows that do not is refused.
pub(super) async fn every_row(
    db: &Database,
    collection: &str,
    condition: &str,
) -> Result<(), Error> {
    let check = check(condition).name("ck_every_row");
    let added = db.schema().add_constraint(collection, check).await?;
    db.engine().down(&added.migration).await?;
    Ok(())
}

pub(super) async fn data_migrations(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn migration_helpers(_: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn already_applied(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn a_failed_migration(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn environments_out_of_sync(world: &World<'_>) -> Result<(), Error> {
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
