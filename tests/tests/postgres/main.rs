//! What is PostgreSQL's own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod alone;
mod changes;
mod lock;
mod units;

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
