//! What verify tells, and what repair does about it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::{MigrationState, Repair, RepairReport};
use ductape::{ErrorKind, Migration, MigrationEngine, Tag};
use ductape_tests::file::{File, migration, set, state};

const USERS: &str = r#"{"type": "createCollection", "name": "users", "fields": {"id": {"type": "integer", "primaryKey": true}, "email": "string"}}"#;

fn users() -> Migration {
    migration(0, "users", &format!("[{USERS}]"))
}

fn age(kind: &str) -> Migration {
    let add = format!(
        r#"[{{"type": "addField", "collection": "users", "field": {{"name": "age", "type": "{kind}"}}}}]"#
    );
    migration(1, "age", &add)
}

fn index() -> Migration {
    let create = r#"[{"type": "createIndex", "collection": "users", "index": {"name": "idx_email", "fields": ["email"]}}]"#;
    migration(2, "index", create)
}

fn tag(migration: &Migration) -> Tag {
    migration.tag().unwrap().clone()
}

/// The words of the differences, and that each tells what mends it.
async fn told(engine: &MigrationEngine, given: &[&Migration]) -> Vec<String> {
    let verification = engine.verify_with(&set(given)).await.unwrap();
    assert_eq!(verification.ok, verification.differences.is_empty());
    for difference in &verification.differences {
        assert!(
            difference.message.contains("`ductape "),
            "{}",
            difference.message
        );
    }
    verification
        .differences
        .iter()
        .map(|difference| format!("{} {}", difference.kind, difference.path))
        .collect()
}

async fn repair(
    engine: &MigrationEngine,
    given: &[&Migration],
    repair: Repair,
) -> Result<RepairReport, ductape::Error> {
    let before = engine.log().await.unwrap().len();
    let report = engine.repair(&set(given), &[repair]).await?;
    let log = engine.log().await.unwrap();
    assert_eq!(log.len(), before + 1, "one line a repair");
    assert_eq!(log[before].action, "repair");
    assert_eq!(report.repaired.len(), 1);
    let detail = log[before].detail.as_ref().unwrap();
    assert!(detail.contains(&report.repaired[0].message), "{detail}");
    assert!(engine.lock_holder().await.unwrap().is_none());
    Ok(report)
}

async fn applied(given: &[&Migration]) -> (File, MigrationEngine) {
    let file = File::new();
    let engine = file.engine().await;
    engine.up_all(&set(given)).await.unwrap();
    assert!(told(&engine, given).await.is_empty());
    (file, engine)
}

// ---- edited -----------------------------------------------------------------------------------------

#[tokio::test]
async fn an_edit_is_told_as_operations_and_accepted_with_a_way_back_of_its_own() {
    let (file, engine) = applied(&[&users(), &age("integer"), &index()]).await;
    let given = [&users(), &age("text"), &index()];
    assert_eq!(told(&engine, &given).await, ["edited 20240115_143001_age"]);
    for error in [
        engine.up_all(&set(&given)).await.unwrap_err(),
        engine
            .plan_all(&set(&given), &Default::default())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Edited, "{error}");
        let difference = &error.details().differences[0];
        assert_eq!(difference.recorded[0]["field"]["type"], "integer");
        assert_eq!(difference.live[0]["field"]["type"], "text");
        assert!(
            difference.message.contains("add field users.age"),
            "{error}"
        );
    }
    let status = engine.status(&set(&given)).await.unwrap();
    assert_eq!(status.migrations[1].state, MigrationState::Edited);

    let schema = engine.live_schema().await.unwrap();
    repair(&engine, &given, Repair::Accept(tag(given[1])))
        .await
        .unwrap();
    assert!(told(&engine, &given).await.is_empty());
    assert!(
        engine
            .up_all(&set(&given))
            .await
            .unwrap()
            .applied
            .is_empty()
    );
    assert_eq!(
        engine.live_schema().await.unwrap(),
        schema,
        "nothing was run"
    );
    let entry = engine.show(&tag(given[1])).await.unwrap();
    assert_eq!(entry.checksum, *given[1].checksum());
    assert_eq!(
        serde_json::to_value(entry.migration.down().unwrap()).unwrap()[0]["type"],
        "dropField"
    );
    engine.down_to(&tag(&users())).await.unwrap();
    assert_eq!(
        engine.live_schema().await.unwrap(),
        applied(&[&users()]).await.1.live_schema().await.unwrap()
    );
    drop(file);
}

#[tokio::test]
async fn an_edit_whose_way_back_does_not_lead_back_is_accepted_without_one() {
    let (_file, engine) = applied(&[&users(), &age("integer")]).await;
    // The edited file makes what the database does not have.
    let other = r#"[{"type": "addField", "collection": "users", "field": {"name": "height", "type": "integer"}}]"#;
    let other = migration(1, "age", other);
    let given = [&users(), &other];
    let report = repair(&engine, &given, Repair::Accept(tag(&other)))
        .await
        .unwrap();
    let message = &report.repaired[0].message;
    assert!(message.contains("without a way back"), "{message}");
    let error = engine.down(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Irreversible, "{error}");
    assert!(error.to_string().contains("height"), "{error}");
}

#[tokio::test]
async fn accepting_what_is_the_same_or_unknown_changes_nothing() {
    let (_file, engine) = applied(&[&users()]).await;
    let given = set(&[&users(), &age("integer")]);
    let log = engine.log().await.unwrap();
    let before = state(&engine).await;
    let same = engine
        .repair(&given, &[Repair::Accept(tag(&users()))])
        .await
        .unwrap();
    assert!(same.repaired[0].message.contains("as it is in its file"));
    for unknown in [
        Repair::Accept(tag(&index())),
        Repair::Accept(tag(&age("integer"))),
        Repair::Forget(tag(&index())),
        Repair::MarkApplied(tag(&index())),
    ] {
        let error = engine.repair(&given, &[unknown]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    let doubt = Repair::Step {
        tag: None,
        done: true,
    };
    let error = engine.repair(&given, &[doubt]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    assert_eq!(state(&engine).await, before);
    assert_eq!(engine.log().await.unwrap(), log);
}

// ---- missing, out of order --------------------------------------------------------------------------

#[tokio::test]
async fn a_file_that_is_gone_is_told_and_never_blocks() {
    let (_file, engine) = applied(&[&users(), &age("integer")]).await;
    let given = [&users(), &index()];
    assert_eq!(
        told(&engine, &[&users()]).await,
        ["missing 20240115_143001_age"]
    );
    let status = engine.status(&set(&given)).await.unwrap();
    assert_eq!(status.migrations[2].state, MigrationState::Missing);
    engine.up_all(&set(&given)).await.unwrap();
    repair(&engine, &given, Repair::Forget(tag(&age("integer"))))
        .await
        .unwrap();
    assert!(
        told(&engine, &given).await.is_empty(),
        "the record still has the field"
    );
    assert_eq!(engine.history().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_older_one_is_told_refused_and_applied_when_it_is_allowed() {
    let (file, engine) = applied(&[&users(), &index()]).await;
    let given = [&users(), &age("integer"), &index()];
    assert_eq!(
        told(&engine, &given).await,
        ["outOfOrder 20240115_143001_age"]
    );
    let status = engine.status(&set(&given)).await.unwrap();
    assert_eq!(status.migrations[1].state, MigrationState::OutOfOrder);
    let error = engine.up_all(&set(&given)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfOrder, "{error}");
    assert!(
        error.to_string().contains("20240115_143002_index"),
        "{error}"
    );
    let allowed = file
        .engine_with(|options| options.out_of_order = true)
        .await;
    allowed.up_all(&set(&given)).await.unwrap();
    assert!(told(&engine, &given).await.is_empty());
    let order: Vec<String> = engine
        .history()
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(order, ["users", "index", "age"]);
    engine.down(&age("integer")).await.unwrap();
}

// ---- forget, mark applied ---------------------------------------------------------------------------

#[tokio::test]
async fn what_is_forgotten_is_pending_again_and_what_it_did_stays() {
    let (_file, engine) = applied(&[&users(), &index()]).await;
    let given = [&users(), &index()];
    let schema = engine.live_schema().await.unwrap();
    repair(&engine, &given, Repair::Forget(tag(&index())))
        .await
        .unwrap();
    assert_eq!(engine.live_schema().await.unwrap(), schema);
    assert!(engine.verify().await.unwrap().ok);
    let status = engine.status(&set(&given)).await.unwrap();
    assert_eq!((status.completed, status.pending), (1, 1));
    let error = engine.up_all(&set(&given)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    let report = repair(&engine, &given, Repair::MarkApplied(tag(&index())))
        .await
        .unwrap();
    // The record had kept the index: the way back is derived on the schema without it.
    assert!(
        !report.repaired[0].message.contains("no way back"),
        "{report:?}"
    );
    assert!(told(&engine, &given).await.is_empty());
    engine.down(&index()).await.unwrap();
    let (_other, unharmed) = applied(&[&users()]).await;
    assert_eq!(state(&engine).await, state(&unharmed).await);
}

#[tokio::test]
async fn what_is_marked_as_applied_is_on_record_and_can_be_rolled_back() {
    let (file, engine) = applied(&[&users()]).await;
    let given = [&users(), &age("integer"), &index()];
    file.sql("ALTER TABLE users ADD COLUMN age INTEGER").await;
    assert_eq!(told(&engine, &given).await, ["unexpected fields.age"]);
    repair(&engine, &given, Repair::MarkApplied(tag(given[1])))
        .await
        .unwrap();
    assert!(told(&engine, &given).await.is_empty());
    let again = engine
        .repair(&set(&given), &[Repair::MarkApplied(tag(given[1]))])
        .await
        .unwrap();
    assert_eq!(again.repaired[0].message, "it is applied already");
    let edited = set(&[&users(), &age("text")]);
    let refused = engine
        .repair(&edited, &[Repair::MarkApplied(tag(given[1]))])
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Edited);

    engine.up_all(&set(&given)).await.unwrap();
    let (_other, unharmed) = applied(&given).await;
    assert_eq!(state(&engine).await, state(&unharmed).await);
    engine.down_to(&tag(&users())).await.unwrap();
    unharmed.down_to(&tag(&users())).await.unwrap();
    assert_eq!(state(&engine).await, state(&unharmed).await);
}

#[tokio::test]
async fn what_other_hands_made_is_marked_with_a_way_back_if_it_can_be_told() {
    let there =
        "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), age INTEGER)";
    // One that only adds: the schema before it is the one without what it makes.
    let file = File::new();
    file.sql(there).await;
    let engine = file.engine().await;
    let added = age("integer");
    repair(&engine, &[&added], Repair::MarkApplied(tag(&added)))
        .await
        .unwrap();
    assert!(told(&engine, &[&added]).await.is_empty());
    engine.down(&added).await.unwrap();
    let live = engine.live_schema().await.unwrap();
    assert_eq!(live.collections().next().unwrap().fields.len(), 2);

    // One that changes: what was before it, nobody knows.
    let file = File::new();
    file.sql(there).await;
    let engine = file.engine().await;
    let rename =
        r#"[{"type": "renameField", "collection": "users", "from": "years", "to": "age"}]"#;
    let rename = migration(1, "rename", rename);
    let report = repair(&engine, &[&rename], Repair::MarkApplied(tag(&rename)))
        .await
        .unwrap();
    assert!(
        report.repaired[0].message.contains("no way back"),
        "{report:?}"
    );
    assert!(told(&engine, &[&rename]).await.is_empty());
    let error = engine.down(&rename).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Irreversible, "{error}");
    assert!(error.to_string().contains("--accept"), "{error}");
}

#[tokio::test]
async fn a_failed_one_that_was_finished_by_hand_can_be_marked_as_applied() {
    let file = File::new();
    let engine = file.engine().await;
    let raw = r#"{"type": "raw", "backend": "sqlite", "statement": "INSERT INTO nowhere VALUES (1)", "inverse": "DELETE FROM users", "transactional": false}"#;
    let add = r#"{"type": "addField", "collection": "users", "field": {"name": "age", "type": "integer"}}"#;
    let half = migration(0, "half", &format!("[{USERS}, {raw}, {add}]"));
    engine.up(&half).await.unwrap_err();
    assert_eq!(
        told(&engine, &[&half]).await.last().unwrap(),
        "failed 20240115_143000_half"
    );
    file.sql("ALTER TABLE users ADD COLUMN age INTEGER").await;
    repair(&engine, &[&half], Repair::MarkApplied(tag(&half)))
        .await
        .unwrap();
    assert!(told(&engine, &[&half]).await.is_empty());
    assert!(engine.up(&half).await.unwrap().applied.is_empty());
    engine.down(&half).await.unwrap();
    assert!(engine.live_schema().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failed_one_can_be_forgotten() {
    let file = File::new();
    let engine = file.engine().await;
    let raw = r#"{"type": "raw", "backend": "sqlite", "statement": "INSERT INTO nowhere VALUES (1)", "transactional": false}"#;
    let half = migration(0, "half", &format!("[{USERS}, {raw}]"));
    engine.up(&half).await.unwrap_err();
    repair(&engine, &[], Repair::Forget(tag(&half)))
        .await
        .unwrap();
    assert!(engine.history().await.unwrap().is_empty());
    assert_eq!(engine.verify().await.unwrap().untracked, ["users"]);
}

// ---- to live ----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_live_schema_is_taken_as_the_record() {
    let (file, engine) = applied(&[&users(), &index()]).await;
    let given = [&users(), &index()];
    file.sql("ALTER TABLE users ADD COLUMN by_hand TEXT; DROP INDEX idx_email; CREATE TABLE strange (id INTEGER)").await;
    assert_eq!(
        told(&engine, &given).await,
        ["unexpected fields.by_hand", "missing indexes.idx_email"]
    );
    assert_eq!(engine.verify().await.unwrap().untracked, ["strange"]);
    repair(&engine, &given, Repair::ToLive).await.unwrap();
    assert!(told(&engine, &given).await.is_empty());
    assert_eq!(engine.verify().await.unwrap().untracked, ["strange"]);
    let log = engine.log().await.unwrap().len();
    let again = engine
        .repair(&set(&given), &[Repair::ToLive])
        .await
        .unwrap();
    assert_eq!(
        again.repaired[0].message,
        "the record is what the database shows"
    );
    assert_eq!(engine.log().await.unwrap().len(), log);

    file.sql("DROP TABLE users").await;
    assert_eq!(told(&engine, &given).await, ["missing "]);
    repair(&engine, &given, Repair::ToLive).await.unwrap();
    assert!(told(&engine, &given).await.is_empty());
}

#[tokio::test]
async fn a_trigger_on_record_follows_the_live_one() {
    let made = "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END";
    let raw = format!(
        r#"[{{"type": "raw", "backend": "sqlite", "statement": "{made}", "inverse": "DROP TRIGGER t"}}]"#
    );
    let trigger = migration(1, "trigger", &raw);
    let given = [&users(), &trigger];
    let (file, engine) = applied(&given).await;
    file.sql("DROP TRIGGER t").await;
    assert_eq!(told(&engine, &given).await, ["missing trigger.t"]);
    repair(&engine, &given, Repair::ToLive).await.unwrap();
    assert!(told(&engine, &given).await.is_empty());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_replaced() {
    let (file, engine) = applied(&[&users()]).await;
    file.sql("UPDATE ductape_state SET value = 'rubbish' WHERE key = 'schema:users'")
        .await;
    for error in [
        engine.verify().await.unwrap_err(),
        engine.down(&users()).await.unwrap_err(),
        engine.up(&index()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        assert!(error.to_string().contains("repair --to-live"), "{error}");
    }
    repair(&engine, &[&users()], Repair::ToLive).await.unwrap();
    assert!(engine.verify().await.unwrap().ok);
    engine.down(&users()).await.unwrap();
}

// ---- what is known to be complete ---------------------------------------------------------------------

#[tokio::test]
async fn a_repair_clears_what_was_known_to_be_complete() {
    let (_file, engine) = applied(&[&users(), &index()]).await;
    let given = [&users(), &index()];
    assert_eq!(engine.status(&set(&given)).await.unwrap().pending, 0);
    repair(&engine, &given, Repair::Forget(tag(&index())))
        .await
        .unwrap();
    assert_eq!(engine.status(&set(&given)).await.unwrap().pending, 1);
}

#[tokio::test]
async fn a_report_is_camel_case_json() {
    let (_file, engine) = applied(&[&users()]).await;
    let report = repair(&engine, &[&users()], Repair::Forget(tag(&users())))
        .await
        .unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["repaired"][0]["action"], "forget");
    assert_eq!(json["repaired"][0]["tag"], "20240115_143000_users");
    assert!(json["repaired"][0]["message"].is_string());
}
