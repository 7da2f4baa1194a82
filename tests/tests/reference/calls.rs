//! Its single calls.

use super::*;

/// The collections that the reference's single calls are about.
pub(super) async fn with_users(world: &World<'_>) -> Result<Database, Error> {
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

pub(super) async fn quick_example(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn create_table(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn add_field(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn drop_field(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let before = live(&db, "users").await?;
    let dropped = db.schema().drop_field("users", "old_column").await?;
    assert_eq!(field_names(&db, "users").await?, ["id", "email", "name"]);
    assert!(live(&db, "users").await?.indexes.is_empty());
    db.engine().down(&dropped.migration).await?;
    assert_eq!(live(&db, "users").await?, before, "with its index");
    Ok(())
}

pub(super) async fn rename_field(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn modify_field(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn create_index(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn drop_index(world: &World<'_>) -> Result<(), Error> {
    let db = with_users(world).await?;
    let before = live(&db, "users").await?;
    let dropped = db.schema().drop_index("users", "idx_users_old").await?;
    assert!(live(&db, "users").await?.indexes.is_empty());
    db.engine().down(&dropped.migration).await?;
    assert_eq!(live(&db, "users").await?, before);
    Ok(())
}

pub(super) async fn add_constraint(world: &World<'_>) -> Result<(), Error> {
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

pub(super) async fn drop_table(world: &World<'_>) -> Result<(), Error> {
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
