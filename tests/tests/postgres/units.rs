//! Migrations that share a message, each in a transaction of its own.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_inside_a_batch_is_told_of_the_right_migration() {
    let mut scene = Scene::new().await;
    // Nothing that the model knows of: only the server can refuse it.
    scene.run("CREATE TYPE c_state AS (x integer)").await;
    let failing = tagged(
        2,
        migration("create_c")
            .create_collection("d", [integer("id").primary_key()])
            .create_collection(
                "c",
                [integer("id").primary_key(), enumeration("state", ["on"])],
            )
            .build(),
    );
    let all = set([table(0, "a"), table(1, "b"), failing, table(3, "e")]);
    let engine = scene.database().await.engine();
    let error = engine.up_all(&all).await.unwrap_err();
    let details = error.details();
    assert_eq!(details.tag.as_ref().unwrap().name(), "create_c");
    assert_eq!(details.code.as_deref(), Some("42710"));
    let statement = details.statement.as_deref().unwrap();
    assert!(statement.starts_with("CREATE TYPE"), "{statement}");
    assert_eq!(details.done.applied.len(), 2);
    assert_eq!(engine.history().await.unwrap().len(), 2);
    assert_eq!(scene.ask("to_regclass('d')").await, "");
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "0", "no lock is left");

    scene.run("DROP TYPE c_state").await;
    assert_eq!(engine.up_all(&all).await.unwrap().applied.len(), 2);
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_foreign_key_fails_when_its_migration_commits() {
    let mut scene = Scene::new().await;
    let tables = tagged(
        0,
        migration("tables")
            .create_collection("parents", [integer("id").primary_key()])
            .create_collection("children", [integer("id").primary_key(), integer("parent")])
            .add_constraint(
                "children",
                foreign_key(["parent"])
                    .references("parents", ["id"])
                    .deferrable(ductape_core::schema::Deferrable::Deferred),
            )
            .build(),
    );
    let orphan = tagged(
        1,
        migration("orphan")
            .raw("postgresql", "INSERT INTO children VALUES (1, 7)")
            .build(),
    );
    let engine = scene.database().await.engine();
    let all = set([tables, orphan, table(2, "later")]);
    let error = engine.up_all(&all).await.unwrap_err();
    assert_eq!(error.details().tag.as_ref().unwrap().name(), "orphan");
    assert_eq!(error.details().code.as_deref(), Some("23503"));
    assert_eq!(error.details().done.applied.len(), 1);
    assert_eq!(scene.ask("SELECT count(*) FROM children").await, "0");
    assert_eq!(engine.history().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_raw_statement_sets_does_not_reach_the_next_migration() {
    let mut scene = Scene::new().await;
    let raw = tagged(
        0,
        migration("settings")
            .raw(
                "postgresql",
                "CREATE SCHEMA elsewhere; SET search_path = elsewhere; SET standard_conforming_strings = off; SET lock_timeout = '1ms'",
            )
            .inverse("DROP SCHEMA elsewhere")
            .build(),
    );
    let engine = scene.database().await.engine();
    let quoted = tagged(
        2,
        migration("quoted")
            .create_collection(
                "q",
                [integer("id").primary_key(), string("s").default("\\'); --")],
            )
            .build(),
    );
    let all = set([raw, table(1, "a"), quoted]);
    engine.up_all(&all).await.unwrap();
    assert_eq!(scene.ask("to_regclass('public.a')").await, "a");
    assert_eq!(scene.ask("to_regclass('elsewhere.a')").await, "");
    assert!(engine.verify().await.unwrap().ok);
}

/// Only the server knows that a type has no order; by then the intent is on record.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_at_its_first_step_leaves_no_entry() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TABLE places (id integer PRIMARY KEY, spot point)")
        .await;
    let index_of_points = tagged(
        0,
        migration("index_of_points")
            .create_index("places", index("idx_spot", ["spot"]))
            .build(),
    );
    let engine = scene.database().await.engine();
    let error = engine.up(&index_of_points).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(engine.history().await.unwrap().is_empty());
    let log = engine.log().await.unwrap();
    assert_eq!(log.last().unwrap().action, "failure");
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test]
async fn the_history_says_how_long_each_migration_took() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE FUNCTION slowly() RETURNS integer LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN 1; END'")
        .await;
    scene
        .run("CREATE TABLE there (id integer); INSERT INTO there VALUES (1)")
        .await;
    let slow = migration("slow").add_field("there", integer("n").default_expression("slowly()"));
    // They share a message, and each is timed by itself.
    let engine = scene.database().await.engine();
    let all = set([
        table(0, "quick"),
        tagged(1, slow.build()),
        table(2, "quick_again"),
    ]);
    engine.up_all(&all).await.unwrap();
    let history = engine.history().await.unwrap();
    let log = engine.log().await.unwrap();
    let took: Vec<u64> = history.iter().map(|entry| entry.duration_ms).collect();
    let logged: Vec<u64> = log.iter().map(|line| line.duration_ms).collect();
    for each in [took, logged] {
        let [quick, slow, again] = each.as_slice() else {
            panic!("{each:?}");
        };
        assert!(*slow >= 300 && quick < slow && again < slow, "{each:?}");
    }
}
