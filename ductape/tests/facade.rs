//! What the facade promises: calls are migrations, on any runtime, with any pool, also when many start
//! at once or one is dropped.
#![cfg(feature = "sqlite")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use ductape::prelude::*;
use ductape::sqlite::SqlitePool;
use std::future::{Future, IntoFuture};

fn file() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("app.db").display());
    (folder, url)
}

fn create(db: &Database) -> ductape::Call<ductape::core::operation::CreateCollection> {
    db.schema().create(
        "users",
        [uuid("id").primary_key(), string("name").length(50)],
    )
}

/// Every future of the facade can be sent to another thread. That this compiles is the test.
#[tokio::test]
async fn futures_can_be_sent() {
    fn sent<F: Future + Send + 'static>(future: F) -> F {
        future
    }
    let db = Database::connect("sqlite::memory:").await.unwrap();
    let made = sent(create(&db).into_future()).await.unwrap();
    sent(create(&db).plan()).await.unwrap_err();
    sent(db.update("users").set("name", "x").into_future())
        .await
        .unwrap();
    let engine = db.engine();
    let set = MigrationSet::new([made.migration.clone().into()]).unwrap();
    sent({
        let (engine, migration) = (engine.clone(), Migration::from(made.migration.clone()));
        async move { engine.down(&migration).await }
    })
    .await
    .unwrap();
    sent(async move {
        engine.up_all(&set).await?;
        engine.status(&set).await?;
        engine.history().await?;
        engine.plan_all(&set, &Default::default()).await?;
        engine.verify().await?;
        engine.redo(1).await
    })
    .await
    .unwrap();
    sent(ductape::testing::assert_reversible(
        Vec::new(),
        "sqlite::memory:",
    ))
    .await;
    sent(Database::connect("sqlite::memory:")).await.unwrap();
}

#[tokio::test]
async fn a_second_one_already_exists_and_tells_whether_it_is_the_same() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    create(&db).await.unwrap();
    let same = create(&db).await.unwrap_err();
    assert!(same.to_string().contains("already exists"), "{same}");
    assert!(matches!(same, Error::AlreadyExists { same: true, .. }));
    let other = db.schema().create("users", [uuid("id").primary_key()]);
    let other = other.await.unwrap_err();
    assert!(other.to_string().contains("already exists"), "{other}");
    assert!(matches!(other, Error::AlreadyExists { same: false, .. }));
    let nothing = create(&db).if_not_exists().await.unwrap();
    assert_eq!(nothing.statements, 0);
    assert_eq!(nothing.migration.down, Some(Vec::new()));
    assert_eq!(db.engine().history().await.unwrap().len(), 2);
}

/// Also for a table that Ductape did not make.
#[tokio::test]
async fn what_was_made_by_hand_already_exists_too() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    execute(&pool, "CREATE TABLE users (id TEXT)").await;
    let error = create(&Database::from_sqlite_pool(pool)).await.unwrap_err();
    assert!(
        matches!(error, Error::AlreadyExists { same: false, .. }),
        "{error}"
    );
}

async fn one_connection() -> SqlitePool {
    // Without the test: the pool itself closes a connection whose test is cut off, and opens another.
    sqlx::pool::PoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await
        .unwrap()
}

async fn execute(pool: &SqlitePool, text: &'static str) {
    use sqlx::Executor;
    pool.execute(text).await.unwrap();
}

async fn number(pool: &SqlitePool, text: &'static str) -> i64 {
    sqlx::query_scalar(text).fetch_one(pool).await.unwrap()
}

/// Three replicas start at once on one file: one makes it, two are told that it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn three_replicas_at_once() {
    let (_folder, url) = file();
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { create(&Database::connect(&url).await?).await })
        })
        .collect();
    let mut made = 0;
    for replica in replicas {
        match replica.await.unwrap() {
            Ok(_) => made += 1,
            Err(Error::AlreadyExists { same: true, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made, 1);
    let engine = Database::connect(&url).await.unwrap().engine();
    assert_eq!(engine.history().await.unwrap().len(), 1);
    assert!(engine.verify().await.unwrap().ok);
}

/// What is there already is told without the lock: also while another runner holds it.
#[tokio::test]
async fn late_replicas_do_not_wait_for_the_lock() {
    use ductape::engine::{Actor, EngineOptions, Patience};
    let (_folder, url) = file();
    let db = Database::connect(&url).await.unwrap();
    create(&db).await.unwrap();
    let held = db
        .backend()
        .lock(&Actor::current(), &Patience::default())
        .await
        .unwrap();
    let mut impatient = EngineOptions::default();
    impatient.patience.wait = std::time::Duration::ZERO;
    let late = Database::connect(&url)
        .await
        .unwrap()
        .with_options(impatient);
    let error = create(&late).await.unwrap_err();
    assert!(
        matches!(error, Error::AlreadyExists { same: true, .. }),
        "{error}"
    );
    let error = late.schema().drop("users").await.unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    held.release().await.unwrap();
}

/// A call that is dropped at any of its awaits leaves a database on which the next one works.
#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    use std::task::{Context, Poll, Waker};
    for polls in 0..40 {
        let pool = one_connection().await;
        let mut options = ductape::engine::EngineOptions::default();
        options.patience.lease = std::time::Duration::from_millis(50);
        let db = Database::from_sqlite_pool(pool.clone()).with_options(options);
        execute(&pool, "PRAGMA foreign_keys = OFF").await;
        let mut call = create(&db).into_future();
        let mut done = false;
        for _ in 0..polls {
            let poll = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if matches!(poll, Poll::Ready(Ok(_))) {
                done = true;
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        drop(call);
        // The one connection comes back without a transaction, and as it was.
        execute(&pool, "BEGIN; COMMIT").await;
        assert_eq!(
            number(&pool, "PRAGMA foreign_keys").await,
            0,
            "after {polls} polls"
        );
        let again = create(&db).if_not_exists().await.unwrap();
        assert!(!done || again.statements == 0);
        if done {
            return;
        }
    }
    panic!("the call never ended");
}

/// The program's pool has one connection, and it is free again after every call.
#[tokio::test]
async fn a_pool_is_handed_in_and_gets_its_connection_back() {
    let pool = one_connection().await;
    let db = Database::from_sqlite_pool(pool.clone());
    let users = create(&db).await.unwrap();
    execute(&pool, "INSERT INTO users (id, name) VALUES ('1', 'Ada')").await;
    db.update("users")
        .set("name", upper(field("name")))
        .await
        .unwrap();
    assert_eq!(
        number(&pool, "SELECT count(*) FROM users WHERE name = 'ADA'").await,
        1
    );
    assert_eq!(number(&pool, "PRAGMA foreign_keys").await, 1);
    db.engine().down(&users.migration).await.unwrap();
    assert_eq!(
        number(
            &pool,
            "SELECT count(*) FROM sqlite_schema WHERE name = 'users'"
        )
        .await,
        0
    );
}

/// A set that is complete, though not known to be, is looked up under the lock: with one connection,
/// that must not wait for a second one.
#[tokio::test]
async fn one_connection_is_enough() {
    let one = migration("one")
        .create_collection("one", [uuid("id").primary_key()])
        .build()
        .unwrap();
    let two = migration("two")
        .create_collection("two", [uuid("id").primary_key()])
        .build()
        .unwrap();
    let pool = one_connection().await;
    let databases = [
        Database::connect("sqlite::memory:").await.unwrap(),
        Database::from_sqlite_pool(pool),
    ];
    for db in databases {
        let engine = db.engine();
        let work = async {
            engine.up(&one).await.unwrap();
            engine.up(&two).await.unwrap();
            engine.up(&one).await.unwrap();
        };
        let limit = std::time::Duration::from_secs(5);
        tokio::time::timeout(limit, work).await.unwrap();
    }
}

#[tokio::test]
async fn a_way_back_that_leads_elsewhere_is_found() {
    let wrong = migration("wrong")
        .create_collection("a", [uuid("id").primary_key()])
        .create_collection("b", [uuid("id").primary_key()])
        .down(|down| down.drop_collection("a"))
        .build()
        .unwrap();
    let error = ductape::testing::reversible([wrong], "sqlite::memory:")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Drift(_)), "{error}");
    assert!(error.to_string().contains("\"b\" is left"), "{error}");
    let none = migration("none")
        .raw("sqlite", "CREATE TABLE c (id)")
        .build()
        .unwrap();
    let error = ductape::testing::reversible([none], "sqlite::memory:")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Irreversible(_)), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_at_once() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    let wrong = db.schema().create("", [integer("n").default("many")]);
    let error = wrong.await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("name") && text.contains("fields[0].default"),
        "{text}"
    );
    let reserved = db
        .schema()
        .create("ductape_mine", [integer("n")])
        .await
        .unwrap_err();
    assert!(matches!(reserved, Error::Invalid(_)), "{reserved}");
}

/// A temporary table ends with its session and cannot be tracked.
#[tokio::test]
async fn a_temporary_table_is_refused() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    let passing = create(&db).sql(sql_options().temporary());
    let error = passing.await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(db.engine().history().await.unwrap().is_empty());
}
