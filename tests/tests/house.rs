//! The README says what the data says, and looking changes nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::{Database, MigrationSet};
use ductape_core::Compiler;
use ductape_tests::cases::CASES;

#[test]
fn the_table_of_the_readme_is_that_of_the_capabilities() {
    let columns = [
        ductape::Sqlite.capabilities().rows(),
        ductape::Postgres.capabilities().rows(),
        ductape::dynamodb::CAPABILITIES.rows(),
    ];
    let readme = include_str!("../../README.md");
    let table = readme
        .split("<!-- capabilities:begin -->")
        .nth(1)
        .and_then(|rest| rest.split("<!-- capabilities:end -->").next())
        .unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let expected: Vec<Vec<&str>> = columns[0]
        .iter()
        .enumerate()
        .map(|(row, (what, _))| {
            let words = columns.iter().map(|column| column[row].1);
            std::iter::once(*what).chain(words).collect()
        })
        .collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn looking_at_no_file_makes_none_and_looking_at_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let url = format!("sqlite://{}", file.display());
    let case = CASES.first().unwrap();
    let set = MigrationSet::new((case.migrations)().unwrap()).unwrap();
    let engine = Database::connect(&url).await.unwrap().engine();
    let status = engine.status(&set).await.unwrap();
    assert_eq!((status.completed, status.pending), (0, set.len()));
    assert_eq!(
        engine
            .plan_all(&set, &Default::default())
            .await
            .unwrap()
            .migrations
            .len(),
        set.len()
    );
    assert!(engine.history().await.unwrap().is_empty());
    assert!(engine.verify().await.unwrap().ok);
    assert!(!file.exists(), "looking made a file");

    engine.up_all(&set).await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    assert_eq!(engine.status(&set).await.unwrap().completed, set.len());
    assert!(
        engine
            .plan_all(&set, &Default::default())
            .await
            .unwrap()
            .migrations
            .is_empty()
    );
    assert_eq!(engine.history().await.unwrap().len(), set.len());
    assert!(engine.verify().await.unwrap().ok);
    assert_eq!(
        std::fs::read(&file).unwrap(),
        bytes,
        "looking changed the file"
    );
}

#[tokio::test]
async fn an_edited_migration_is_refused_and_a_second_create_says_that_it_already_exists() {
    use ductape::builder::prelude::*;
    let db = Database::connect("sqlite::memory:").await.unwrap();
    let engine = db.engine();
    let create = |length| {
        migration("create_users")
            .create_collection("users", [string("id").length(length).primary_key()])
            .build()
            .unwrap()
    };
    engine.up(&create(10)).await.unwrap();
    assert!(engine.up(&create(10)).await.unwrap().applied.is_empty());
    let edited = engine.up(&create(20)).await.unwrap_err();
    assert_eq!(edited.kind(), ductape::ErrorKind::Edited, "{edited}");
    let again = engine.apply_new(&create(10)).await.unwrap_err();
    assert!(
        matches!(again, ductape::Error::AlreadyExists { same: true, .. }),
        "{again}"
    );
    assert!(again.to_string().contains("already exists"));
}
