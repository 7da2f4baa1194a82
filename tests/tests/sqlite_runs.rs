//! Runs of many migrations at once on a SQLite file.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::{MigrationState, Rollback};
use ductape::{Database, Migration, MigrationEngine, MigrationSet};

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
