//! What is PostgreSQL's own: its lock, its batches, what stands alone, and whoever is in the way.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::builder::prelude::*;
use ductape::engine::backend::{Outcome, SessionError};
use ductape::engine::ledger::Put;
use ductape::engine::{Actor, EngineOptions, Event, Patience};
use ductape::{Database, ErrorKind, Migration};
use ductape_tests::scene::{Scene, run, set, table, tagged};
use sqlx::{Connection, PgConnection, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ADVISORY_LOCKS: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND granted AND d.datname = current_database()";

fn patience(wait: Duration) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.patience = Patience {
        wait,
        ..Patience::default()
    };
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_with_a_read_only_account_changes_nothing() {
    let mut scene = Scene::new().await;
    let role = format!("reader_{}", std::process::id());
    scene
        .run(&format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on"
        ))
        .await;
    let reader = scene.url.replacen("postgres@", &format!("{role}@"), 1);
    let catalog = "SELECT md5(string_agg(oid::text || xmin::text, ',' ORDER BY oid)) FROM pg_class";
    let before = scene.ask(catalog).await;
    let all = set([table(0, "a"), table(1, "b")]);

    let engine = Database::connect(&reader).await.unwrap().engine();
    let status = engine.status(&all).await.unwrap();
    assert_eq!((status.completed, status.pending), (0, 2));
    let plan = engine.plan_all(&all, &Default::default()).await.unwrap();
    assert_eq!(plan.migrations.len(), 2);
    assert!(engine.history().await.unwrap().is_empty());
    assert!(engine.verify().await.unwrap().ok);
    assert!(engine.lock_holder().await.unwrap().is_none());
    assert_eq!(scene.ask(catalog).await, before);

    scene.database().await.engine().up_all(&all).await.unwrap();
    scene
        .run(&format!(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    assert_eq!(engine.status(&all).await.unwrap().completed, 2);
    assert_eq!(engine.history().await.unwrap().len(), 2);
    let verification = engine.verify().await.unwrap();
    assert!(verification.ok, "{:?}", verification.differences);
    assert!(engine.up_all(&all).await.unwrap().applied.is_empty());
}

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

#[tokio::test]
async fn a_table_that_others_made_is_known_whatever_its_keys_are_called() {
    let mut scene = Scene::new().await;
    scene
        .run("CREATE TABLE t (id integer PRIMARY KEY, a varchar(20) UNIQUE)")
        .await;
    let engine = scene.database().await.engine();
    let fields = r#""fields": {"id": {"type": "integer", "primaryKey": true}, "a": {"type": "string", "length": 20, "unique": true}}"#;
    let migration = |name: &str, up: String| {
        let up = Migration::parse_operations(&up).unwrap();
        Migration::new(name, None, up, None).unwrap()
    };
    let create =
        |more: &str| format!(r#"{{"type": "createCollection", "name": "t", {fields}{more}}}"#);
    let guard = create(r#", "sqlOptions": {"ifNotExists": true}"#);
    let guarded = migration("guarded", format!("[{guard}]"));
    let report = engine.up(&guarded).await.unwrap();
    assert_eq!(report.applied.first().unwrap().statements, 0);
    let plain = migration("plain", format!("[{}]", create("")));
    match engine.up(&plain).await.unwrap_err() {
        ductape::Error::AlreadyExists { same, .. } => assert!(same),
        other => panic!("{other}"),
    }
    let other = create("").replace("20", "21");
    let told = engine
        .up(&migration("other", format!("[{other}]")))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("fields.a.length is 20 there") && !told.contains("_pkey"),
        "{told}"
    );
    // One that is dropped first is made with names of its own.
    let drop = r#"{"type": "dropCollection", "name": "t"}"#;
    let anew = migration("anew", format!("[{drop}, {}]", create("")));
    engine.up(&anew).await.unwrap();
    let names = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = 't'::regclass";
    assert_eq!(scene.ask(names).await, "pk_t_id,uq_t_a");
    engine.down(&anew).await.unwrap();
    assert_eq!(scene.ask(names).await, "t_a_key,t_pkey");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_the_url_holds_tables_and_ledger() {
    let mut scene = Scene::new().await;
    let url = format!("{}?schema=own%20%22one%22", scene.url);
    let engine = Database::connect(&url).await.unwrap().engine();
    let all = set([table(0, "a")]);
    engine.up_all(&all).await.unwrap();
    let there = "to_regclass('\"own \"\"one\"\"\".ductape_state') IS NOT NULL AND to_regclass('\"own \"\"one\"\"\".a') IS NOT NULL AND to_regclass('a') IS NULL";
    assert_eq!(scene.ask(there).await, "true");
    assert!(engine.verify().await.unwrap().ok);
    assert!(engine.up_all(&all).await.unwrap().applied.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_the_way_is_waited_for_without_keeping_others_waiting() {
    let mut scene = Scene::new().await;
    let engine = scene.database().await.engine();
    engine.up_all(&set([table(0, "a")])).await.unwrap();
    scene.run("BEGIN; SELECT * FROM a").await;
    let add = tagged(1, migration("add").add_field("a", integer("more")).build());
    let started = Instant::now();
    let applying = tokio::spawn(async move { engine.up(&add).await });
    // Others get at the table while the migration waits for its turn.
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let mut reads = 0;
    while started.elapsed() < Duration::from_secs(4) {
        run(
            &mut third,
            "SET statement_timeout = '2500ms'; SELECT * FROM a",
        )
        .await;
        reads += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reads > 3, "{reads}");
    assert!(!applying.is_finished());
    scene.run("COMMIT").await;
    assert_eq!(applying.await.unwrap().unwrap().applied.len(), 1);
}

/// A collection with rows, and an index on it in a migration of its own, which is built concurrently.
fn indexed() -> (Migration, Migration) {
    let index = tagged(
        1,
        migration("index_a")
            .create_index("a", index("idx_a_note", ["note"]))
            .build(),
    );
    (table(0, "a"), index)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_concurrently_while_fifteen_wait_for_the_lock() {
    let mut scene = Scene::new().await;
    let (made, index) = indexed();
    let engine = scene.database().await.engine();
    engine.up_all(&set([made.clone()])).await.unwrap();
    let all = set([made, index]);
    // The build waits for this one's snapshot, so that all others are there before it goes on.
    scene
        .run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM a")
        .await;
    let mut runners = Vec::new();
    for _ in 0..16 {
        let engine = scene
            .database()
            .await
            .engine_with(patience(Duration::from_secs(60)));
        let all = all.clone();
        runners.push(tokio::spawn(async move { engine.up_all(&all).await }));
    }
    let waiting = "SELECT count(*) >= 16 FROM pg_stat_activity WHERE application_name = 'ductape' AND datname = current_database()";
    // A transaction sees the activity of its beginning, so another one looks.
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let began = Instant::now();
    while !sqlx::query(waiting)
        .fetch_one(&mut third)
        .await
        .unwrap()
        .get::<bool, _>(0)
    {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    scene.run("COMMIT").await;
    let started = Instant::now();
    let mut applied = 0;
    for runner in runners {
        applied += runner.await.unwrap().unwrap().applied.len();
    }
    assert_eq!(applied, 1);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_build_lost_its_connection_is_cleaned_up_and_built_again() {
    let mut scene = Scene::new().await;
    let (made, index) = indexed();
    let engine = scene.database().await.engine();
    engine.up_all(&set([made.clone()])).await.unwrap();
    scene.run("BEGIN; INSERT INTO a VALUES (1, 'x')").await;
    let all = set([made, index]);
    let building = {
        let (engine, all) = (engine.clone(), all.clone());
        tokio::spawn(async move { engine.up_all(&all).await })
    };
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let find = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' AND datname = current_database()";
    let pid: i32 = loop {
        match sqlx::query(find).fetch_optional(&mut third).await.unwrap() {
            Some(row) => break row.get(0),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    run(&mut third, &format!("SELECT pg_terminate_backend({pid})")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let invalid = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = 'idx_a_note'::regclass";
    let shown: bool = sqlx::query(invalid)
        .fetch_one(&mut third)
        .await
        .unwrap()
        .get(0);
    assert!(shown, "it was cut off");
    scene.run("COMMIT").await;
    assert_eq!(building.await.unwrap().unwrap().applied.len(), 1);
    assert_eq!(
        scene
            .ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_a_note'::regclass")
            .await,
        "true"
    );
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lock_is_left_by_a_panic_or_a_cancelled_run() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let mut options = EngineOptions::default();
    options.observer = Some(Arc::new(|_: &Event| panic!("on purpose")));
    let engine = database.engine_with(options);
    let all = set([table(0, "a")]);
    let run = {
        let all = all.clone();
        tokio::spawn(async move { engine.up_all(&all).await })
    };
    assert!(run.await.unwrap_err().is_panic());
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;

    let slow = tagged(
        1,
        migration("slow")
            .raw("postgresql", "SELECT pg_sleep(3)")
            .inverse("SELECT 1")
            .build(),
    );
    let slow = set([table(0, "a"), slow]);
    let engine = database.engine();
    let cancelled = {
        let (engine, slow) = (database.engine(), slow.clone());
        tokio::spawn(async move { engine.up_all(&slow).await })
    };
    let sleeps = "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')";
    scene.until(sleeps).await;
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    // While the server still works for the one that is gone, nobody else gets in; then it ends.
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    engine.up_all(&slow).await.unwrap();
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_told_who_holds_the_lock() {
    let scene = Scene::new().await;
    let database = scene.database().await;
    let actor = Actor::current();
    let session = database
        .backend()
        .lock(&actor, &Patience::default())
        .await
        .unwrap();
    let holder = database.engine().lock_holder().await.unwrap().unwrap();
    assert_eq!((holder.owner, holder.lease_ms), (actor.owner.clone(), None));
    let engine = database.engine_with(patience(Duration::from_millis(300)));
    let error = engine.up(&table(0, "a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains(&actor.owner), "{error}");
    session.release().await.unwrap();
    assert!(database.engine().lock_holder().await.unwrap().is_none());
}

fn note(text: &str) -> Put {
    Put::State {
        key: "note".to_owned(),
        value: Some(text.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced_with_the_lock_unless_somebody_took_it() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let patience = Patience::default();
    let mut session = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND d.datname = current_database()";
    assert_eq!(scene.ask(end).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    // Looking is not writing: nothing is in doubt, and the lock comes back with the connection.
    assert!(session.state("note").await.is_err());
    assert!(session.state("note").await.unwrap().is_empty());
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "1");
    session.record(&[note("again")]).await.unwrap();

    assert_eq!(scene.ask(end).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    let second = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    assert!(session.state("note").await.is_err());
    let written = session.record(&[note("a zombie was here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    let kept = "SELECT value FROM ductape_state WHERE key = 'note'";
    assert_eq!(scene.ask(kept).await, "again");
    second.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_cannot_raise_the_fence_while_a_unit_is_open() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let patience = Patience::default();
    let mut session = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    // As a runner does that does not know of the first: the row is written without its lock.
    let raise = "UPDATE ductape_state SET value = replace(value, '\"fence\" : 1', '\"fence\" : 2') WHERE key = 'lock'";
    scene.run("SET lock_timeout = '300ms'").await;
    let step =
        ductape_core::Step::statement(0..0, ductape_core::Statement::sql("SELECT pg_sleep(1)"));
    let unit = ductape::engine::backend::Unit {
        steps: vec![step],
        puts: vec![note("done")],
    };
    let working = tokio::spawn(async move {
        let done = session.transact(std::slice::from_ref(&unit)).await;
        assert!(done.1.is_none(), "{done:?}");
        session
    });
    scene
        .until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND wait_event = 'PgSleep')")
        .await;
    let refused = sqlx::raw_sql(raise).execute(&mut scene.other).await;
    let code = refused.unwrap_err().into_database_error().unwrap();
    assert_eq!(code.code().as_deref(), Some("55P03"));
    let mut session = working.await.unwrap();
    scene.run(raise).await;
    let written = session.record(&[note("a zombie was here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    let vacuum = ductape_core::Step::statement(0..0, ductape_core::Statement::sql("VACUUM"));
    assert!(matches!(session.run(&vacuum).await, Outcome::LockLost));
    assert!(matches!(
        session.release().await,
        Err(SessionError::LockLost)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_can_be_taken_away() {
    let scene = Scene::new().await;
    let database = scene.database().await;
    let actor = Actor::current();
    let mut session = database
        .backend()
        .lock(&actor, &Patience::default())
        .await
        .unwrap();
    let holder = database.backend().force_release().await.unwrap().unwrap();
    assert_eq!(holder.owner, actor.owner);
    assert!(database.engine().lock_holder().await.unwrap().is_none());
    assert!(session.state("note").await.is_err());
    let written = session.record(&[note("still here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    database.engine().up(&table(0, "a")).await.unwrap();
}

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

/// Applies a migration, has its statement, which has this text, broken off, and gives how that ended.
async fn broken_off(scene: &mut Scene, migration: &Migration, text: &str) -> ductape::Error {
    let flag = Arc::new(AtomicBool::new(false));
    let mut options = EngineOptions::default();
    options.break_off = Some(flag.clone());
    let engine = scene.database().await.engine_with(options);
    let since = Instant::now();
    let later = async {
        scene.until(&format!("({}) > 0", running(text))).await;
        flag.store(true, Ordering::Relaxed);
    };
    let (outcome, ()) = tokio::join!(engine.up(migration), later);
    assert!(since.elapsed() < Duration::from_secs(30), "{outcome:?}");
    assert_eq!(scene.ask(&running(text)).await, "0");
    outcome.unwrap_err()
}

/// The query of how many sessions do something that has this text.
fn running(text: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{text}%'"
    )
}

#[tokio::test]
async fn a_statement_is_broken_off_on_the_server() {
    for transactional in [true, false] {
        let mut scene = Scene::new().await;
        let sleep = |seconds: u32| {
            let text = format!(
                r#"{{"format": 1, "tag": "20240101_000000_sleep", "up": [{{"type": "raw",
                "backend": "postgresql", "statement": "SELECT pg_sleep({seconds})",
                "transactional": {transactional}}}]}}"#
            );
            Migration::parse(&text).unwrap()
        };
        let error = broken_off(&mut scene, &sleep(60), "pg_sleep").await;
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
        // The lock is free and nothing is in doubt.
        let engine = scene.database().await.engine();
        engine.up(&sleep(0)).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_whose_building_is_broken_off_is_built_by_the_next_up() {
    let mut scene = Scene::new().await;
    let table = Migration::parse(
        r#"{"format": 1, "tag": "20240101_000000_t", "up": [{"type": "createCollection",
        "name": "t", "fields": [{"name": "a", "type": "integer"}]}]}"#,
    );
    let index = Migration::parse(
        r#"{"format": 1, "tag": "20240102_000000_i", "up": [{"type": "createIndex",
        "collection": "t", "index": {"name": "i", "fields": [{"name": "a"}]}}]}"#,
    );
    let index = index.unwrap();
    let engine = scene.database().await.engine();
    engine.up(&table.unwrap()).await.unwrap();
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    run(&mut third, "BEGIN; INSERT INTO t VALUES (1)").await;
    let error = broken_off(&mut scene, &index, "CREATE INDEX").await;
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
    run(&mut third, "COMMIT").await;
    engine.up(&index).await.unwrap();
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert_eq!(scene.ask(valid).await, "true");
}
