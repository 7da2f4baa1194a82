//! A ledger that was damaged, put back, taken away, or written by a newer version: it is told, and
//! nothing is guessed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::{Repair, Rollback};
use ductape::{Error, ErrorKind, Migration, MigrationEngine};
use ductape_tests::file::{File, migration, set, state};

fn three() -> [Migration; 3] {
    let users = r#"[{"type": "createCollection", "name": "users", "fields": {"id": {"type": "integer", "primaryKey": true}, "email": "string"}}]"#;
    let age = r#"[{"type": "addField", "collection": "users", "field": {"name": "age", "type": "integer"}}]"#;
    let index = r#"[{"type": "createIndex", "collection": "users", "index": {"name": "idx_email", "fields": ["email"]}}]"#;
    [
        migration(0, "users", users),
        migration(1, "age", age),
        migration(2, "index", index),
    ]
}

async fn applied(given: &[&Migration]) -> (File, MigrationEngine) {
    let file = File::new();
    let engine = file.engine().await;
    engine.up_all(&set(given)).await.unwrap();
    (file, engine)
}

/// The catalog and all of the ledger but the lock, as they are.
async fn everything(file: &File) -> Vec<String> {
    let mut all = file
        .texts("SELECT coalesce(sql, '') AS c FROM sqlite_schema ORDER BY name")
        .await;
    let columns = file
        .texts("SELECT 'quote(' || name || ')' AS c FROM pragma_table_info('ductape_migrations')")
        .await
        .join(" || ',' || ");
    all.extend(
        file.texts(&format!(
            "SELECT {columns} AS c FROM ductape_migrations ORDER BY seq"
        ))
        .await,
    );
    all.extend(
        file.texts("SELECT key || value AS c FROM ductape_state WHERE key NOT IN ('lock', 'head') ORDER BY key")
            .await,
    );
    all
}

#[tokio::test]
async fn the_history_says_how_long_each_migration_took() {
    let slow = r#"[{"type": "raw", "backend": "sqlite", "statement":
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n"}]"#;
    let index = r#"[{"type": "createIndex", "collection": "large", "index": {"name": "by_n", "fields": ["n", "m"]}}]"#;
    let large = r#"[{"type": "createCollection", "name": "large", "fields": {"n": "text", "m": "integer"}}]"#;
    let [slow, index] = [migration(4, "slow", slow), migration(5, "index_it", index)];
    let (file, engine) = applied(&[&migration(3, "large", large), &slow]).await;
    file.sql(
        "INSERT INTO large WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) \
         SELECT hex(randomblob(20)), i FROM n",
    )
    .await;
    engine.up(&index).await.unwrap();
    let history = engine.history().await.unwrap();
    let log = engine.log().await.unwrap();
    for (name, at_least) in [("slow", 20), ("index_it", 20)] {
        let entry = history.iter().find(|entry| entry.name == name).unwrap();
        assert!(
            entry.duration_ms >= at_least,
            "{name}: {}",
            entry.duration_ms
        );
        let line = log.iter().find(|line| line.tag == entry.tag.to_string());
        assert_eq!(line.unwrap().duration_ms, entry.duration_ms);
    }
}

/// Every call that goes by the second entry.
async fn every_call(engine: &MigrationEngine) -> Vec<(&'static str, Result<(), Error>)> {
    let [a, b, c] = three();
    vec![
        ("history", engine.history().await.map(drop)),
        ("show", engine.show(b.tag().unwrap()).await.map(drop)),
        ("down", engine.roll_back(&Rollback::Last(2)).await.map(drop)),
        ("down_to", engine.down_to(a.tag().unwrap()).await.map(drop)),
        ("redo", engine.redo(2).await.map(drop)),
        (
            "plan_down",
            engine.plan_down(&Rollback::Last(2)).await.map(drop),
        ),
        (
            "down c and b",
            engine
                .roll_back(&Rollback::Tags(
                    [b, c].map(|m| m.tag().unwrap().clone()).to_vec(),
                ))
                .await
                .map(drop),
        ),
    ]
}

#[tokio::test]
async fn each_damaged_column_is_told_and_nothing_is_done_by_it() {
    let [a, b, c] = three();
    let damages = [
        ("tag", "'rubbish'"),
        ("tag", "'20240115_143001_other'"),
        ("name", "'rubbish'"),
        ("description", "'rubbish'"),
        ("checksum", "'rubbish'"),
        (
            "checksum",
            "'v1:0000000000000000000000000000000000000000000000000000000000000000'",
        ),
        ("status", "'rubbish'"),
        ("migration", "'rubbish'"),
        ("migration", "'{}'"),
        (
            "migration",
            "(SELECT migration FROM ductape_migrations WHERE seq = 1)",
        ),
        ("migration", "replace(migration, 'age', 'agx')"),
        ("down", "'rubbish'"),
        ("down", "'[{\"type\": \"dropField\"}]'"),
        ("down", "'{}'"),
        ("progress", "'rubbish'"),
        ("steps_done", "'rubbish'"),
        ("steps_done", "-1"),
        ("steps_total", "x'00'"),
        ("applied_at", "'rubbish'"),
        ("duration_ms", "'rubbish'"),
        ("duration_ms", "-1"),
        ("applied_by", "x'00ff'"),
        ("tool_version", "x'00ff'"),
    ];
    for (column, value) in damages {
        let (file, engine) = applied(&[&a, &b, &c]).await;
        file.sql(&format!(
            "UPDATE ductape_migrations SET {column} = {value} WHERE seq = 2"
        ))
        .await;
        let before = everything(&file).await;
        for (call, outcome) in every_call(&engine).await {
            let told = format!("{column} = {value}: {call}");
            let error = outcome.expect_err(&told);
            let found = column == "tag"
                || error.kind() == ErrorKind::Mismatch && error.details().hint.is_some();
            assert!(found, "{told}: {error}");
        }
        assert_eq!(everything(&file).await, before, "{column} = {value}");
        assert!(engine.lock_holder().await.unwrap().is_none(), "{column}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_told_by_verify_and_mended_from_its_file() {
    let [a, b, c] = three();
    let given = set(&[&a, &b, &c]);
    for damage in ["migration = 'rubbish'", "down = 'rubbish'", "down = '{}'"] {
        let (file, engine) = applied(&[&a, &b, &c]).await;
        file.sql(&format!(
            "UPDATE ductape_migrations SET {damage} WHERE seq = 2"
        ))
        .await;
        let verification = engine.verify_with(&given).await.unwrap();
        let kinds: Vec<&str> = verification
            .differences
            .iter()
            .map(|d| d.kind.word())
            .collect();
        assert_eq!(kinds, ["damaged"], "{damage}");
        let message = &verification.differences[0].message;
        assert!(
            message.contains("--accept 20240115_143001_age"),
            "{message}"
        );
        let accept = [Repair::Accept(b.tag().unwrap().clone())];
        engine.repair(&given, &accept).await.unwrap();
        assert!(engine.verify_with(&given).await.unwrap().ok, "{damage}");
        assert_eq!(engine.history().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_newer_ledger_is_left_alone() {
    let [a, b, _] = three();
    let (file, engine) = applied(&[&a]).await;
    file.sql("UPDATE ductape_state SET value = json_set(value, '$.format', 2) WHERE key = 'head'")
        .await;
    let before = everything(&file).await;
    let given = set(&[&a, &b]);
    for error in [
        engine.up_all(&given).await.unwrap_err(),
        engine.down(&a).await.unwrap_err(),
        engine.status(&given).await.unwrap_err(),
        engine.history().await.map(drop).unwrap_err(),
        engine.verify().await.map(drop).unwrap_err(),
        engine
            .plan_all(&given, &Default::default())
            .await
            .map(drop)
            .unwrap_err(),
        engine
            .repair(&given, &[Repair::ToLive])
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        assert!(error.to_string().contains("format 2"), "{error}");
        assert!(error.to_string().contains("newer version"), "{error}");
    }
    assert_eq!(everything(&file).await, before);
}

#[tokio::test]
async fn a_damaged_head_is_told() {
    let [a, b, _] = three();
    let (file, engine) = applied(&[&a]).await;
    file.sql("UPDATE ductape_state SET value = 'rubbish' WHERE key = 'head'")
        .await;
    for error in [
        engine.up_all(&set(&[&a, &b])).await.unwrap_err(),
        engine.status(&set(&[&a])).await.unwrap_err(),
        engine.down(&a).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    }
}

#[tokio::test]
async fn a_table_of_the_ledger_that_is_gone_is_told() {
    let [a, b, _] = three();
    let given = set(&[&a, &b]);
    for table in ["ductape_migrations", "ductape_state", "ductape_log"] {
        let (file, engine) = applied(&[&a]).await;
        file.sql(&format!("DROP TABLE {table}")).await;
        for error in [
            engine.up_all(&given).await.unwrap_err(),
            engine.down(&a).await.unwrap_err(),
            engine.history().await.map(drop).unwrap_err(),
            engine.verify().await.map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{table}: {error}");
            assert!(error.to_string().contains(table), "{error}");
            assert!(error.details().hint.is_some());
        }
        // What is known to be complete is told by the one row of the state alone.
        let other = set(&[&b]);
        let error = engine.status(&other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{table}: {error}");
        let left = file
            .texts("SELECT name AS c FROM sqlite_schema WHERE name GLOB 'ductape_*'")
            .await;
        assert_eq!(left.len(), 2, "nothing was made in its place");
    }
}

#[tokio::test]
async fn without_any_ledger_what_is_there_is_nobodys() {
    let [a, b, _] = three();
    let (file, engine) = applied(&[&a]).await;
    file.sql("DROP TABLE ductape_migrations; DROP TABLE ductape_state; DROP TABLE ductape_log")
        .await;
    let given = set(&[&a, &b]);
    assert_eq!(engine.status(&given).await.unwrap().pending, 2);
    assert_eq!(engine.verify().await.unwrap().untracked, ["users"]);
    let error = engine.up_all(&given).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    // Said to be applied, all is as before.
    engine
        .repair(&given, &[Repair::MarkApplied(a.tag().unwrap().clone())])
        .await
        .unwrap();
    engine.up_all(&given).await.unwrap();
    let (_other, unharmed) = applied(&[&a, &b]).await;
    assert_eq!(state(&engine).await, state(&unharmed).await);
}

#[tokio::test]
async fn an_older_backup_that_is_put_back_is_gone_on_from() {
    let [a, b, c] = three();
    let (file, engine) = applied(&[&a, &b]).await;
    let backup = std::fs::read(file.path()).unwrap();
    let given = set(&[&a, &b, &c]);
    engine.up_all(&given).await.unwrap();
    let after = state(&engine).await;
    assert_eq!(engine.status(&given).await.unwrap().pending, 0);
    std::fs::write(file.path(), &backup).unwrap();
    assert_eq!(engine.status(&given).await.unwrap().pending, 1);
    assert!(engine.verify().await.unwrap().ok);
    assert_eq!(engine.up_all(&given).await.unwrap().applied.len(), 1);
    assert_eq!(state(&engine).await, after);
}

#[tokio::test]
async fn an_older_ledger_beside_a_newer_schema_is_told_and_mended() {
    let [a, b, c] = three();
    let given = set(&[&a, &b, &c]);
    let (file, engine) = applied(&[&a, &b]).await;
    file.sql("CREATE TABLE kept_m AS SELECT * FROM ductape_migrations; CREATE TABLE kept_s AS SELECT * FROM ductape_state").await;
    engine.up_all(&given).await.unwrap();
    file.sql("DELETE FROM ductape_migrations; INSERT INTO ductape_migrations SELECT * FROM kept_m; DELETE FROM ductape_state; INSERT INTO ductape_state SELECT * FROM kept_s; DROP TABLE kept_m; DROP TABLE kept_s").await;
    assert_eq!(engine.status(&given).await.unwrap().pending, 1);
    assert!(!engine.verify_with(&given).await.unwrap().ok);
    let error = engine.up_all(&given).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    engine
        .repair(&given, &[Repair::MarkApplied(c.tag().unwrap().clone())])
        .await
        .unwrap();
    assert!(engine.verify_with(&given).await.unwrap().ok);
    let (_other, unharmed) = applied(&[&a, &b, &c]).await;
    assert_eq!(state(&engine).await, state(&unharmed).await);
}
