//! Runs of many migrations at once on a SQLite file.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::{EngineOptions, Event, MigrationState, Rollback};
use ductape::{Database, Migration, MigrationEngine, MigrationSet};
use ductape_tests::generate::{Choice, Kind, Profile, choices, interpret};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

/// Makes a table each; that of the place which breaks has a check that SQLite refuses.
fn migrations(count: usize, breaks: Option<usize>) -> MigrationSet {
    let migrations = (0..count).map(|place| {
        let check = match breaks == Some(place) {
            true => {
                r#", "constraints": [{"type": "check", "expression": "no_such_function(a) > 0"}]"#
            }
            false => "",
        };
        Migration::parse(&format!(
            r#"{{"format": 1, "tag": "20240101_{:02}{:02}00_m{place}", "up": [
                {{"type": "createCollection", "name": "t{place}", "fields": {{"a": "integer"}}{check}}}]}}"#,
            place / 60,
            place % 60
        ))
        .unwrap()
    });
    MigrationSet::new(migrations).unwrap()
}

async fn engine(folder: &tempfile::TempDir) -> MigrationEngine {
    let url = format!("sqlite://{}", folder.path().join("app.db").display());
    Database::connect(&url).await.unwrap().engine()
}

/// A full disk may end the transaction that several batches share.
#[tokio::test]
async fn what_is_told_as_applied_is_in_the_ledger_wherever_the_disk_is_full() {
    // Tables of two kinds, so that they go in more than one batch.
    let set = MigrationSet::new((0..300).map(|place| {
        let name = format!("m{place}");
        let operation = match place % 3 {
            2 => format!(r#"{{"type": "addField", "collection": "old", "field": {{"name": "f{place}", "type": "text"}}}}"#),
            _ => format!(r#"{{"type": "createCollection", "name": "t{place}", "fields": {{"a": "integer"}}, "indexes": [{{"fields": ["a"]}}]}}"#),
        };
        let tag = format!("20240101_{:02}{:02}00_{name}", place / 60, place % 60);
        Migration::parse(&format!(r#"{{"format": 1, "tag": "{tag}", "up": [{operation}]}}"#)).unwrap()
    }))
    .unwrap();
    let mut failed = 0;
    for pages in (40..=640).step_by(40) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db");
        let mut made = SqliteConnection::connect_with(
            &SqliteConnectOptions::new()
                .filename(&file)
                .create_if_missing(true),
        )
        .await
        .unwrap();
        sqlx::raw_sql("CREATE TABLE old (a INTEGER)")
            .execute(&mut made)
            .await
            .unwrap();
        made.close().await.unwrap();
        let full = SqliteConnectOptions::new()
            .filename(&file)
            .pragma("max_page_count", pages.to_string())
            .pragma("cache_size", "10");
        let pool = SqlitePool::connect_with(full).await.unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut options = EngineOptions::default();
        options.observer = Some(Arc::new({
            let events = events.clone();
            move |event: &Event| {
                if let Event::Finished { tag, .. } = event {
                    events.lock().unwrap().push(tag.clone());
                }
            }
        }));
        let told = Database::from_sqlite_pool(pool.clone())
            .engine_with(options)
            .up_all(&set)
            .await;
        pool.close().await;
        let told = match &told {
            Ok(report) => report,
            Err(error) => {
                failed += 1;
                &error.details().done
            }
        };
        let told: Vec<_> = told.applied.iter().map(|done| done.tag.clone()).collect();
        let engine = engine(&folder).await;
        let entries = engine.history().await.unwrap_or_default();
        let kept: Vec<_> = entries.into_iter().map(|entry| entry.tag).collect();
        assert_eq!(told, kept, "{pages} pages");
        assert_eq!(*events.lock().unwrap(), kept, "{pages} pages");
        engine.up_all(&set).await.unwrap();
        assert!(engine.verify().await.unwrap().ok);
    }
    assert!(failed > 5, "{failed}");
}

#[tokio::test]
async fn of_many_at_once_those_before_the_one_that_fails_stay() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder).await;
    let error = engine.up_all(&migrations(100, Some(70))).await.unwrap_err();
    assert!(error.to_string().contains("no_such_function"), "{error}");
    assert_eq!(error.details().tag.as_ref().unwrap().name(), "m70");
    let applied: Vec<String> = engine
        .history()
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    let expected: Vec<String> = (0..70).map(|place| format!("m{place}")).collect();
    assert_eq!(applied, expected);
    assert_eq!(engine.live_schema().await.unwrap().len(), 70);
    let actions: Vec<String> = engine
        .log()
        .await
        .unwrap()
        .into_iter()
        .map(|line| line.action)
        .collect();
    assert_eq!(actions.len(), 71);
    assert_eq!(actions.last().unwrap(), "failure");
    // The mended one goes on from there.
    let report = engine.up_all(&migrations(100, None)).await.unwrap();
    assert_eq!(report.applied.len(), 30);
    let verified = engine.verify().await.unwrap();
    assert!(verified.ok, "{verified:?}");
}

#[tokio::test]
async fn what_the_head_tells_of_the_first_ones_is_what_the_entries_tell() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder).await;
    engine.up_all(&migrations(3, None)).await.unwrap();
    let states = async |set: &MigrationSet| -> Vec<MigrationState> {
        let status = engine.status(set).await.unwrap();
        status.migrations.iter().map(|line| line.state).collect()
    };
    use MigrationState::{Applied, Edited, Missing, Pending};
    assert_eq!(states(&migrations(3, None)).await, [Applied; 3]);
    let more = migrations(5, None);
    assert_eq!(
        states(&more).await,
        [Applied, Applied, Applied, Pending, Pending]
    );
    let status = engine.status(&more).await.unwrap();
    assert_eq!((status.total, status.completed, status.pending), (5, 3, 2));
    assert_eq!(status.pending_migrations[0].name, "m3");
    assert_eq!(status.last_applied.unwrap().name, "m2");
    assert_eq!(
        states(&migrations(2, None)).await,
        [Applied, Applied, Missing]
    );
    assert_eq!(
        states(&migrations(5, Some(1))).await,
        [Applied, Edited, Applied, Pending, Pending]
    );
    engine.roll_back(&Rollback::Last(1)).await.unwrap();
    assert_eq!(
        states(&migrations(3, None)).await,
        [Applied, Applied, Pending]
    );
}

/// A set of migrations, applied at once and one by one.
#[derive(Default)]
struct Both {
    /// How often SQLite changed the schema in either way.
    at_once: Cell<i64>,
    one_by_one: Cell<i64>,
    /// How many sets could be applied.
    applied: Cell<u32>,
}

/// What SQLite keeps of everything but the ledger.
async fn kept(file: &std::path::Path, changes: &Cell<i64>) -> Vec<(String, String, String)> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let version: i64 = sqlx::query_scalar("PRAGMA schema_version")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    changes.set(changes.get() + version);
    let checked: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(checked, "ok");
    let kept = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema \
        WHERE tbl_name NOT LIKE 'ductape%' ORDER BY type, name";
    sqlx::query_as(kept)
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

impl Both {
    async fn applies(&self, migrations: &[Migration]) -> Result<(), TestCaseError> {
        let folder = tempfile::tempdir().unwrap();
        // Nothing here is about what a power cut leaves.
        let engine = async |name: &str| {
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join(name))
                .create_if_missing(true)
                .synchronous(SqliteSynchronous::Off);
            let pool = SqlitePool::connect_with(options).await.unwrap();
            Database::from_sqlite_pool(pool).engine()
        };
        let set = |count: usize| MigrationSet::new(migrations[..count].to_vec()).unwrap();
        let a = engine("a.db").await;
        let at_once = a.up_all(&set(migrations.len())).await;
        let b = engine("b.db").await;
        for count in 1..=migrations.len() {
            if let Err(error) = b.up_all(&set(count)).await {
                let Err(at_once) = at_once else {
                    return Err(TestCaseError::fail(format!("only one by one: {error}")));
                };
                let tag = |error: &ductape::Error| error.details().tag.clone();
                prop_assert_eq!(tag(&at_once), tag(&error), "{} {}", at_once, error);
                return Ok(());
            }
        }
        if let Err(error) = at_once {
            return Err(TestCaseError::fail(format!("only at once: {error}")));
        }
        let at_once = kept(&folder.path().join("a.db"), &self.at_once).await;
        let one_by_one = kept(&folder.path().join("b.db"), &self.one_by_one).await;
        prop_assert_eq!(at_once, one_by_one);
        self.applied.set(self.applied.get() + 1);
        Ok(())
    }
}

#[test]
fn together_or_one_by_one_a_schema_is_the_same() {
    const CASES: u32 = 100;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let profile = Profile::sqlite();
    // Tables and what is added to them, most of it plain, and now and then something else.
    let additions = |choice: &mut Choice| {
        let number = choice.numbers.first().copied().unwrap_or(0);
        choice.kind = match (number % 8, choice.kind) {
            (0, kind) => kind,
            (1 | 2, _) | (_, Kind::CreateCollection) => Kind::CreateCollection,
            (3, _) | (_, Kind::CreateIndex) => Kind::CreateIndex,
            _ => Kind::AddField,
        };
        if number % 16 > 4 {
            choice.numbers.truncate(4);
        }
    };
    let migrations = choices(&profile, 2..16).prop_map(move |mut choices| {
        choices.iter_mut().for_each(additions);
        let operations = interpret(&profile, &choices).into_iter().enumerate();
        operations
            .filter_map(|(place, operation)| {
                let tag = format!("20240101_{place:06}_m{place}").parse().unwrap();
                let migration = Migration::new(format!("m{place}"), None, vec![operation], None);
                Some(migration.ok()?.with_tag(tag))
            })
            .collect::<Vec<_>>()
    });
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_iters: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let both = Both::default();
    runner
        .run(&migrations, |migrations| {
            runtime.block_on(both.applies(&migrations))
        })
        .unwrap();
    assert!(both.applied.get() > CASES / 2, "{}", both.applied.get());
    let (at_once, one_by_one) = (both.at_once.get(), both.one_by_one.get());
    println!("{at_once} changes of the schema at once, {one_by_one} one by one");
    // The ledger's own tables are among them.
    assert!(at_once * 100 < one_by_one * 95, "{at_once} of {one_by_one}");
}
