//! Killed at any moment, run again: catalog and ledger are those of the run that was not killed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::engine::{EngineOptions, Patience, Rollback};
use ductape::{Database, MigrationEngine, MigrationSet};
use ductape_core::{BackendName, Schema};
use ductape_tests::cases::{CASES, Case};
use ductape_tests::databases::{DATABASES, TestDatabase, connect};
use ductape_tests::instrumented::{Fuse, Killing};
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    if let Ok(moments) = std::env::var("DUCTAPE_CRASH_AFTER") {
        child(moments.parse().expect("a number"));
        return;
    }
    let mut trials = Vec::new();
    for database in DATABASES {
        for case in CASES {
            let chosen = database
                .crash
                .is_none_or(|cases| cases.contains(&case.name));
            if chosen && (case.only.is_empty() || case.only.contains(&database.backend)) {
                let name = format!("{}::{}", database.name, case.name);
                trials.push(Trial::test(name.clone(), move || {
                    every_moment(database, case, false)
                }));
                if database.backend == BackendName::Sqlite {
                    trials.push(Trial::test(format!("{name}::every_statement"), move || {
                        every_moment(database, case, true)
                    }));
                }
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn options() -> EngineOptions {
    let mut options = EngineOptions::default();
    options.patience = Patience {
        wait: Duration::from_secs(20),
        lease: Duration::from_millis(150),
    };
    options
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The child: all the way up and down again, with a fuse. Exits with 7 if it came to the end.
fn child(moments: usize) {
    let url = std::env::var("DUCTAPE_CRASH_URL").unwrap();
    let name = std::env::var("DUCTAPE_CRASH_CASE").unwrap();
    let down = std::env::var("DUCTAPE_CRASH_DOWN").is_ok();
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let set = MigrationSet::new((case.migrations)().unwrap()).unwrap();
    runtime().block_on(async {
        let backend = Killing {
            backend: connect(&url).await.unwrap().backend(),
            fuse: Fuse::new(moments),
            split: std::env::var("DUCTAPE_CRASH_SPLIT").is_ok(),
        };
        let engine = MigrationEngine::with_options(Arc::new(backend), options());
        if down {
            engine.roll_back(&Rollback::Last(set.len())).await.unwrap();
        } else {
            engine.up_all(&set).await.unwrap();
        }
    });
    std::process::exit(7);
}

/// What is compared: the catalog, the ledger without times, and what is on record of collections and
/// of definitions.
async fn state(database: &Database) -> (Schema, Vec<String>) {
    let engine = database.engine();
    let history = engine.history().await.unwrap();
    let ledger = history
        .iter()
        .map(|entry| {
            format!(
                "{} {} {} {:?} {}",
                entry.tag,
                entry.name,
                entry.checksum,
                entry.status,
                serde_json::to_string(&entry.migration).unwrap()
            )
        })
        .chain(record(database).await)
        .collect();
    (engine.live_schema().await.unwrap(), ledger)
}

/// The rows of the state, but for the lock and the head, which tell of runs.
async fn record(database: &Database) -> Vec<String> {
    let mut reader = database.backend().read().await.unwrap();
    let rows = reader.state("").await.unwrap();
    rows.into_iter()
        .filter(|(key, _)| !key.starts_with("lock") && key != "head")
        .map(|(key, value)| format!("{key} = {value}"))
        .collect()
}

/// What a run leaves that is not killed.
async fn unharmed(
    database: &TestDatabase,
    set: &MigrationSet,
    down: bool,
) -> Result<(Schema, Vec<String>), Failed> {
    let folder = tempfile::tempdir()?;
    let url = (database.url)(folder.path(), "b");
    let database = connect(&url).await?;
    let engine = database.engine_with(options());
    engine.up_all(set).await?;
    if down {
        engine.roll_back(&Rollback::Last(set.len())).await?;
    }
    Ok(state(&database).await)
}

/// How many statements the way up of a set has.
async fn statements(database: &TestDatabase, set: &MigrationSet) -> Result<usize, Failed> {
    let folder = tempfile::tempdir()?;
    let engine = connect(&(database.url)(folder.path(), "c")).await?.engine();
    let report = engine.up_all(set).await?;
    Ok(report.applied.iter().map(|done| done.statements).sum())
}

fn every_moment(database: &TestDatabase, case: &Case, split: bool) -> Result<(), Failed> {
    let runtime = runtime();
    let set = MigrationSet::new((case.migrations)()?)?;
    for down in [false, true] {
        let mut killed = 0;
        let unharmed = runtime.block_on(unharmed(database, &set, down))?;
        for moments in 0.. {
            let folder = tempfile::tempdir()?;
            let url = (database.url)(folder.path(), "a");
            if down {
                runtime.block_on(async {
                    connect(&url)
                        .await?
                        .engine_with(options())
                        .up_all(&set)
                        .await
                })?;
            }
            let mut command = Command::new(std::env::current_exe()?);
            command
                .env("DUCTAPE_CRASH_AFTER", moments.to_string())
                .env("DUCTAPE_CRASH_URL", &url)
                .env("DUCTAPE_CRASH_CASE", case.name);
            if down {
                command.env("DUCTAPE_CRASH_DOWN", "1");
            }
            if split {
                command.env("DUCTAPE_CRASH_SPLIT", "1");
            }
            let status = command.status()?;
            if status.code() == Some(7) {
                break;
            }
            assert!(
                status.code().is_none(),
                "the child failed instead of being killed: {status}"
            );
            killed += 1;
            runtime.block_on(async {
                let database = connect(&url).await.unwrap();
                let engine = database.engine_with(options());
                if down {
                    let left = engine.history().await.unwrap().len();
                    engine.roll_back(&Rollback::Last(left)).await.unwrap();
                } else {
                    engine.up_all(&set).await.unwrap();
                }
                assert_eq!(
                    state(&database).await,
                    unharmed,
                    "killed after {moments} moments"
                );
                assert!(engine.verify().await.unwrap().ok);
            });
        }
        // A kill around the lock and its release, and in between one after each statement.
        let statements = runtime.block_on(statements(database, &set))?;
        let least = if split { 4 + statements } else { 4 };
        assert!(
            killed >= least,
            "only {killed} moments: the fuse does not burn"
        );
    }
    Ok(())
}
