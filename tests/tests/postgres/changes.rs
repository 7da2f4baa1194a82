//! Changes with rows, views and keys in their way.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_type_changes_under_a_view_which_comes_back_with_all_that_belongs_to_it() {
    let mut scene = Scene::new().await;
    let made = tagged(
        0,
        migration("orders")
            .create_collection(
                "orders",
                [
                    integer("id").primary_key(),
                    string("status").length(20).default("new"),
                ],
            )
            .build(),
    );
    let engine = scene.database().await.engine();
    engine.up(&made).await.unwrap();
    let role = format!("viewer_{}", std::process::id());
    scene
        .run(&format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role}; INSERT INTO orders VALUES (1, 'new'), (2, 'paid'); \
             CREATE VIEW open_orders AS SELECT id, status FROM orders WHERE id > 0; \
             COMMENT ON VIEW open_orders IS 'kept'; GRANT SELECT ON open_orders TO {role}; \
             CREATE VIEW on_top AS SELECT count(*) AS n FROM open_orders"
        ))
        .await;
    let belongs = "SELECT string_agg(relname || ' ' || pg_get_viewdef(oid) || coalesce(relacl::text, '') || coalesce(obj_description(oid), ''), ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace";
    let before = scene.ask(belongs).await;
    let live = engine.live_schema().await.unwrap();

    let retyped = tagged(
        1,
        migration("retype")
            .modify_field(
                "orders",
                "status",
                change().to_type(ductape_core::FieldType::Enum {
                    values: vec!["new".to_owned(), "paid".to_owned()],
                }),
            )
            .build(),
    );
    engine.up(&retyped).await.unwrap();
    let kind = "SELECT typtype FROM pg_type t JOIN pg_attribute a ON a.atttypid = t.oid WHERE a.attrelid = 'orders'::regclass AND attname = 'status'";
    assert_eq!(scene.ask(kind).await, "e");
    assert!(scene.ask(belongs).await.contains("kept"));
    assert!(scene.ask(belongs).await.contains(&role));
    assert!(engine.verify().await.unwrap().ok);

    engine.down(&retyped).await.unwrap();
    assert_eq!(scene.ask(belongs).await, before);
    assert_eq!(engine.live_schema().await.unwrap(), live);
    assert_eq!(
        scene
            .ask("SELECT count(*) FROM pg_type WHERE typtype = 'e'")
            .await,
        "0"
    );

    // A view that does not fit the new type: everything is as before, and the view is named.
    scene
        .run("CREATE VIEW stubborn AS SELECT coalesce(status, 'none') AS s FROM orders")
        .await;
    let error = engine.up(&retyped).await.unwrap_err();
    assert!(error.to_string().contains("stubborn"), "{error}");
    assert_eq!(scene.ask("SELECT count(*) FROM stubborn").await, "2");
    assert_eq!(scene.ask(kind).await, "b");
}

/// The rows that a key pointed at are gone for good: it comes back for those to come, and goes like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_came_back_as_far_as_rows_allow_is_on_record_so_and_can_go() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TABLE parents (id integer PRIMARY KEY); CREATE TABLE children (id integer PRIMARY KEY, parent integer); \
              INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1)")
        .await;
    let points = migration("points").add_constraint(
        "children",
        foreign_key(["parent"])
            .references("parents", ["id"])
            .name("fk_parent"),
    );
    let gone = migration("gone").drop_collection("parents").cascade();
    let [points, gone] = [tagged(0, points.build()), tagged(1, gone.build())];
    let both = set([points, gone.clone()]);
    let engine = scene.database().await.engine();
    engine.up_all(&both).await.unwrap();
    engine.down(&gone).await.unwrap();
    let valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'fk_parent'";
    assert_eq!(scene.ask(valid).await, "false");
    assert!(engine.verify().await.unwrap().ok);
    // There and back again, and then all of it, first in one go with the migration that made the key.
    engine.up_all(&both).await.unwrap();
    let last = ductape::engine::Rollback::Last(2);
    engine.roll_back(&last).await.unwrap();
    let there = "SELECT count(*) FROM pg_constraint WHERE conname = 'fk_parent'";
    assert_eq!(scene.ask(there).await, "0");
    let verification = engine.verify().await.unwrap();
    assert!(verification.ok, "{:#?}", verification.differences);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_would_be_divided_by_zero_are_counted_beforehand() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TABLE t (id integer PRIMARY KEY, n integer, d numeric); INSERT INTO t VALUES (1, 6, 4), (2, 6, 0), (3, 6, NULL)")
        .await;
    let update = |filter: &str| {
        let up = format!(
            r#"[{{"type": "update", "collection": "t", "where": {filter}, "set": {{"n": {{"divide": [{{"field": "n"}}, {{"field": "d"}}]}}}}}}]"#
        );
        Migration::new(
            "divide",
            None,
            Migration::parse_operations(&up).unwrap(),
            None,
        )
        .unwrap()
    };
    let engine = scene.database().await.engine();
    let error = engine.up(&update("{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(
        error.to_string().contains(
            "1 row of t where n would be divided by zero stands in the way, for instance 2"
        ),
        "{error}"
    );
    engine.up(&update(r#"{"d": {"ne": 0}}"#)).await.unwrap();
    let rows = "SELECT string_agg(coalesce(n::text, '-'), ' ' ORDER BY id) FROM t";
    assert_eq!(scene.ask(rows).await, "1 6 6");
}

/// The server forgets a key's own collation once its field has it, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_keeps_its_own_collation_when_its_field_gets_the_same() {
    let mut scene = Scene::new().await;
    scene
        .run(
            "CREATE TABLE t (name varchar(20)); CREATE INDEX plain ON t (name COLLATE \"C\"); \
             CREATE INDEX made ON t (lower(name) COLLATE \"C\"); CREATE INDEX other ON t (lower(name))",
        )
        .await;
    let definitions = "SELECT string_agg(pg_get_indexdef(indexrelid), '; ' ORDER BY indexrelid::regclass::text) \
        FROM pg_index WHERE indrelid = 't'::regclass";
    let before = scene.ask(definitions).await;
    let db = scene.database().await;
    let modified = db
        .schema()
        .modify_field("t", "name", change().collation("C"))
        .await
        .unwrap();
    assert!(db.engine().verify().await.unwrap().ok);
    db.engine().down(&modified.migration).await.unwrap();
    assert_eq!(scene.ask(definitions).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_compare_is_refused_before_anything_is_touched() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TABLE notes (id integer PRIMARY KEY, payload json)")
        .await;
    let database = scene.database().await;
    let unique = change().unique();
    let error = database
        .schema()
        .modify_field("notes", "payload", unique)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(database.engine().log().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_enum_of_others_comes_back_from_one_of_ours() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TYPE status AS ENUM ('open', 'closed'); CREATE TABLE orders (id integer PRIMARY KEY, status status); \
              INSERT INTO orders VALUES (1, 'open')")
        .await;
    let db = scene.database().await;
    let ours = change().to_type(types::enumeration(["open", "closed"]));
    let modified = db
        .schema()
        .modify_field("orders", "status", ours)
        .await
        .unwrap();
    let kind = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'status'";
    assert_eq!(scene.ask(kind).await, "orders_status");
    db.engine().down(&modified.migration).await.unwrap();
    assert_eq!(scene.ask(kind).await, "status");
    assert_eq!(scene.ask("SELECT status FROM orders").await, "open");
}

/// Types of extensions tell of such a text as of an error of their own.
#[tokio::test]
async fn a_text_that_is_no_value_of_an_extensions_type_is_a_refusal() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE EXTENSION hstore; CREATE TABLE t (id integer PRIMARY KEY, h text); INSERT INTO t VALUES (1, 'no pairs')")
        .await;
    let db = scene.database().await;
    let into = change().native("postgresql", "hstore");
    let error = db.schema().modify_field("t", "h", into).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(scene.ask("SELECT h FROM t").await, "no pairs");
}

/// Tables, indexes, keys and views have one space of names.
#[tokio::test]
async fn a_name_that_a_view_an_index_or_a_key_has_is_refused_before_anything_is_touched() {
    let mut scene = Scene::new().await;
    scene
        .run(
            "CREATE TABLE t (id integer CONSTRAINT t_key PRIMARY KEY, a integer); \
             CREATE INDEX t_a ON t (a); CREATE VIEW v AS SELECT a FROM t",
        )
        .await;
    let database = scene.database().await;
    for (name, what) in [("v", "a view"), ("t_a", "an index"), ("t_key", "a key")] {
        let migration = Migration::parse(&format!(
            r#"{{"format": 1, "tag": "20240101_000000_taken", "up": [
                {{"type": "addField", "collection": "t", "field": {{"name": "b", "type": "integer"}}}},
                {{"type": "createCollection", "name": "{name}", "fields": {{"a": "integer"}}}}]}}"#
        ))
        .unwrap();
        let error = database.engine().up(&migration).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let told = format!("the name {name} is taken by {what}");
        assert!(error.to_string().contains(&told), "{error}");
        assert!(database.engine().log().await.unwrap().is_empty());
    }
}
