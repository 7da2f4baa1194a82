//! PostgreSQL where no session is kept: behind a pooler in transaction mode, and without advisory locks.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::builder::prelude::*;
use ductape::engine::backend::{Session, SessionError, Unit};
use ductape::engine::ledger::Put;
use ductape::engine::{Actor, EngineOptions, Patience};
use ductape::{Database, ErrorKind};
use ductape_core::{Statement, Step};
use ductape_tests::databases::create_database;
use ductape_tests::scene::{ask, database_name, run, set, table, tagged, until};
use ductape_tests::servers::{self, Server};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;
use std::time::Duration;

const LEASE: Duration = Duration::from_millis(600);

/// A database of its own, reached through the pooler and past it.
struct Scene {
    pooled: String,
    direct: String,
    other: PgConnection,
    _server: Server,
}

impl Scene {
    async fn new() -> Self {
        Self::behind(servers::pgbouncer().unwrap()).await
    }

    async fn behind(server: Server) -> Self {
        let mut through = pooled_connection(&server.url).await;
        let name = database_name();
        create_database(&server.url, &name);
        let port = ask(&mut through, "inet_server_port()").await;
        let (base, _) = server.url.rsplit_once('/').unwrap();
        let direct = format!("postgres://postgres@127.0.0.1:{port}/{name}");
        let other = PgConnection::connect(&direct).await.unwrap();
        let pooled = format!("{base}/{name}");
        // Several transactions at once make the pool open several sessions.
        let mut several = Vec::new();
        for _ in 0..4 {
            let mut through = pooled_connection(&pooled).await;
            run(&mut through, "BEGIN").await;
            several.push(through);
        }
        for through in &mut several {
            run(through, "COMMIT").await;
        }
        Self {
            pooled,
            direct,
            other,
            _server: server,
        }
    }

    async fn ask(&mut self, query: &str) -> String {
        ask(&mut self.other, query).await
    }

    async fn until(&mut self, query: &str) {
        until(&mut self.other, query).await;
    }
}

async fn pooled_connection(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).unwrap();
    // A pooler refuses this start-up parameter.
    options.extra_float_digits(None).connect().await.unwrap()
}

async fn connect(url: &str) -> Database {
    Database::connect(url).await.unwrap()
}

fn patience(wait: Duration) -> Patience {
    Patience { wait, lease: LEASE }
}

fn options(wait: Duration) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.patience = patience(wait);
    options
}

async fn lock(url: &str) -> Box<dyn Session> {
    let patience = patience(Duration::from_secs(20));
    connect(url)
        .await
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap()
}

fn note(text: &str) -> Put {
    Put::State {
        key: "note".to_owned(),
        value: Some(text.to_owned()),
    }
}

/// A unit that takes its time.
fn slow(seconds: f64) -> Unit {
    let text = format!("SELECT pg_sleep({seconds})");
    Unit {
        steps: vec![Step::statement(0..0, Statement::sql(text))],
        puts: vec![note("slow")],
    }
}

const ADVISORY_LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_taken_and_no_session_is_left_with_a_lock() {
    let mut scene = Scene::new().await;
    let session = lock(&scene.pooled).await;
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "0");
    let engine = connect(&scene.pooled).await.engine();
    let holder = engine.lock_holder().await.unwrap().unwrap();
    assert_eq!(holder.lease_ms, Some(LEASE.as_millis() as u64));
    session.release().await.unwrap();
    assert!(engine.lock_holder().await.unwrap().is_none());
    let left = "SELECT count(*) FROM ductape_state WHERE key = 'lock:heartbeat'";
    assert_eq!(scene.ask(left).await, "0");

    let all = set([table(0, "a"), table(1, "b")]);
    engine.up_all(&all).await.unwrap();
    assert_eq!(engine.status(&all).await.unwrap().completed, 2);
    assert!(engine.verify().await.unwrap().ok);
    assert_eq!(
        engine
            .plan_all(&all, &Default::default())
            .await
            .unwrap()
            .migrations
            .len(),
        0
    );
    engine
        .roll_back(&ductape::engine::Rollback::Last(2))
        .await
        .unwrap();
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_passes_over_start_up_parameters_is_noticed() {
    let server = servers::LENIENT_PGBOUNCER.shared().unwrap();
    let mut scene = Scene::behind(server).await;
    let session = lock(&scene.pooled).await;
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "0");
    let engine = connect(&scene.direct).await.engine();
    let holder = engine.lock_holder().await.unwrap().unwrap();
    assert!(holder.lease_ms.is_some());
    session.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_behind_the_pooler_and_past_it_keep_each_other_out() {
    let scene = Scene::new().await;
    for (first, second) in [
        (&scene.direct, &scene.pooled),
        (&scene.pooled, &scene.direct),
        (&scene.pooled, &scene.pooled),
    ] {
        let mut session = lock(first).await;
        let waiting = connect(second)
            .await
            .engine_with(options(LEASE * 3))
            .up(&table(0, "a"))
            .await;
        assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Locked);
        // It was not taken away by the waiting.
        session.record(&[note("still mine")]).await.unwrap();
        session.release().await.unwrap();
        let engine = connect(second).await.engine();
        assert_eq!(engine.up(&table(0, "a")).await.unwrap().applied.len(), 1);
        engine.down(&table(0, "a")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_lasts_longer_than_a_lease_keeps_the_lock() {
    let scene = Scene::new().await;
    let mut session = lock(&scene.pooled).await;
    let working = tokio::spawn(async move {
        let (done, failure) = session.transact(&[slow(LEASE.as_secs_f64() * 4.0)]).await;
        assert!(failure.is_none(), "{failure:?}");
        session.record(&[note("after")]).await.unwrap();
        session.release().await.unwrap();
        done
    });
    tokio::time::sleep(LEASE / 2).await;
    for url in [&scene.pooled, &scene.direct] {
        let waiting = connect(url)
            .await
            .engine_with(options(LEASE * 3 / 2))
            .up(&table(0, "a"))
            .await;
        assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Locked);
    }
    assert_eq!(working.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_can_be_taken_away_and_is_let_go_of_when_its_session_is_dropped() {
    let mut scene = Scene::new().await;
    let mut session = lock(&scene.pooled).await;
    let database = connect(&scene.pooled).await;
    assert!(database.backend().force_release().await.unwrap().is_some());
    let written = session.record(&[note("a zombie was here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    assert!(matches!(
        session.release().await,
        Err(SessionError::LockLost)
    ));

    let session = lock(&scene.pooled).await;
    drop(session);
    scene
        .until("SELECT value::json ->> 'owner' IS NULL FROM ductape_state WHERE key = 'lock'")
        .await;
    assert_eq!(
        scene
            .ask("SELECT count(*) FROM ductape_state WHERE key = 'note'")
            .await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_whose_session_is_ended_is_done_again() {
    let mut scene = Scene::new().await;
    let session = lock(&scene.pooled).await;
    let working = tokio::spawn(async move {
        let mut session = session;
        let (done, failure) = session.transact(&[slow(1.0)]).await;
        assert!(failure.is_none(), "{failure:?}");
        session.release().await.unwrap();
        done
    });
    let sleeping = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    scene.until(sleeping).await;
    scene
        .ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
        .await;
    assert_eq!(working.await.unwrap(), 1);
    let kept = "SELECT value FROM ductape_state WHERE key = 'note'";
    assert_eq!(scene.ask(kept).await, "slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_concurrently_where_names_mean_the_right_schema() {
    let mut scene = Scene::new().await;
    let index = tagged(
        1,
        migration("index_a")
            .create_index("a", index("idx_a_note", ["note"]))
            .build(),
    );
    let all = set([table(0, "a")]);
    let more = set([table(0, "a"), index]);
    let engine = connect(&scene.pooled).await.engine();
    engine.up_all(&all).await.unwrap();
    assert_eq!(engine.up_all(&more).await.unwrap().applied.len(), 1);
    assert_eq!(
        scene
            .ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_a_note'::regclass")
            .await,
        "true"
    );
    assert!(engine.verify().await.unwrap().ok);

    let elsewhere = format!("{}?schema=elsewhere", scene.pooled);
    let engine = connect(&elsewhere).await.engine();
    engine.up_all(&all).await.unwrap();
    let error = engine.up_all(&more).await.unwrap_err();
    assert!(error.to_string().contains("search_path"), "{error}");
    assert_eq!(scene.ask("to_regclass('elsewhere.idx_a_note')").await, "");
    // Past the pooler it goes on.
    let past = format!("{}?schema=elsewhere", scene.direct);
    let engine = connect(&past).await.engine();
    assert_eq!(engine.up_all(&more).await.unwrap().applied.len(), 1);
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_raw_statement_sets_stays_behind_in_no_session_of_the_pool() {
    let scene = Scene::new().await;
    let raw = tagged(
        0,
        migration("settings")
            .raw(
                "postgresql",
                "CREATE SCHEMA elsewhere; SET search_path = elsewhere; SET work_mem = '7MB'",
            )
            .inverse("DROP SCHEMA elsewhere")
            .build(),
    );
    let engine = connect(&scene.pooled).await.engine();
    engine.up_all(&set([raw, table(1, "a")])).await.unwrap();
    assert!(engine.verify().await.unwrap().ok);
    let mut through = pooled_connection(&scene.pooled).await;
    let mut sessions = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let query = "pg_backend_pid() || ' ' || current_setting('search_path') || ' ' || current_setting('work_mem')";
        sessions.insert(ask(&mut through, query).await);
    }
    assert!(sessions.len() > 1, "{sessions:?}");
    for session in sessions {
        assert!(session.ends_with(r#" "$user", public 4MB"#), "{session}");
    }
}

/// An engine that is compatible, but for this one function.
async fn without_advisory_locks(scene: &mut Scene, instead: &str) {
    run(
        &mut scene.other,
        &format!(
            "SET allow_system_table_mods = on; ALTER FUNCTION pg_catalog.pg_try_advisory_lock(bigint) RENAME TO hidden; {instead}"
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_advisory_locks_has_a_lease() {
    for instead in [
        "",
        // It says yes to everybody.
        "CREATE FUNCTION pg_catalog.pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    ] {
        let mut scene = Scene::new().await;
        without_advisory_locks(&mut scene, instead).await;
        let session = lock(&scene.direct).await;
        let engine = connect(&scene.direct).await.engine_with(options(LEASE * 2));
        let holder = engine.lock_holder().await.unwrap().unwrap();
        assert!(holder.lease_ms.is_some());
        let waiting = engine.up(&table(0, "a")).await;
        assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Locked);
        session.release().await.unwrap();
        engine.up(&table(0, "a")).await.unwrap();
        assert!(engine.verify().await.unwrap().ok);
    }
}
