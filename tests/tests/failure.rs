//! A run that failed, and was not killed: it is told, gone on with, undone, or edited.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::engine::{EngineOptions, MigrationState, Repair, Rollback};
use ductape::{ErrorKind, Migration, MigrationEngine};
use ductape_tests::file::{File, migration, set, state};
use ductape_tests::instrumented::Doubtful;
use std::sync::Arc;

const MAKE: &str = r#"{"type": "createCollection", "name": "users", "fields": {"id": {"type": "integer", "primaryKey": true}}}"#;
const NOTE: &str =
    r#"{"type": "addField", "collection": "users", "field": {"name": "note", "type": "text"}}"#;

fn outside(statement: &str) -> String {
    format!(
        r#"{{"type": "raw", "backend": "sqlite", "statement": "{statement}", "inverse": "DELETE FROM elsewhere", "transactional": false}}"#
    )
}

/// Its second of three steps fails as long as there is no table `elsewhere`.
fn failing() -> Migration {
    let raw = outside("INSERT INTO elsewhere VALUES (1)");
    migration(0, "failing", &format!("[{MAKE}, {raw}, {NOTE}]"))
}

async fn failed() -> (File, MigrationEngine) {
    let file = File::new();
    let engine = file.engine().await;
    let error = engine.up(&failing()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    let details = error.details();
    assert!(details.message.contains("elsewhere"), "{error}");
    assert_eq!(
        details.statement.as_deref(),
        Some("INSERT INTO elsewhere VALUES (1)")
    );
    assert!(details.hint.as_ref().unwrap().contains("1 of 3"), "{error}");
    (file, engine)
}

#[tokio::test]
async fn a_failure_is_told_with_its_step_and_its_reason() {
    let (_file, engine) = failed().await;
    let status = engine.status(&set(&[&failing()])).await.unwrap();
    assert_eq!((status.completed, status.pending), (0, 1));
    assert_eq!(status.migrations[0].state, MigrationState::Failed);
    let detail = status.migrations[0].detail.as_ref().unwrap();
    assert!(
        detail.contains("1 of 3") && detail.contains("elsewhere"),
        "{detail}"
    );
    let log = engine.log().await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].action, "failure");
    assert!(engine.lock_holder().await.unwrap().is_none());
    let verification = engine.verify_with(&set(&[&failing()])).await.unwrap();
    let told = verification
        .differences
        .iter()
        .find(|d| d.kind.word() == "failed");
    assert!(told.unwrap().message.contains("ductape up"));
}

#[tokio::test]
async fn up_goes_on_where_it_failed() {
    let (file, engine) = failed().await;
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    let report = engine.up(&failing()).await.unwrap();
    assert_eq!(report.applied.len(), 1);
    assert_eq!(file.texts("SELECT id AS c FROM elsewhere").await, ["1"]);

    let unharmed = File::new();
    unharmed.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    unharmed.engine().await.up(&failing()).await.unwrap();
    assert_eq!(state(&engine).await, state(&unharmed.engine().await).await);
    assert!(engine.verify().await.unwrap().ok);
    engine.down(&failing()).await.unwrap();
    assert!(engine.history().await.unwrap().is_empty());
}

#[tokio::test]
async fn down_undoes_the_steps_that_were_done() {
    let (file, engine) = failed().await;
    let report = engine.down(&failing()).await.unwrap();
    assert_eq!(report.rolled_back.len(), 1);
    assert!(engine.history().await.unwrap().is_empty());
    assert!(engine.live_schema().await.unwrap().is_empty());
    assert!(engine.verify().await.unwrap().ok);
    let actions: Vec<String> = engine
        .log()
        .await
        .unwrap()
        .into_iter()
        .map(|l| l.action)
        .collect();
    assert_eq!(actions, ["failure", "down"]);
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    engine.up(&failing()).await.unwrap();
}

#[tokio::test]
async fn down_that_fails_half_way_is_gone_on_with() {
    let file = File::new();
    let engine = file.engine().await;
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    engine.up(&failing()).await.unwrap();
    file.sql("DROP TABLE elsewhere").await;
    let error = engine.down(&failing()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    let up = engine.up(&failing()).await.unwrap_err();
    assert_eq!(up.kind(), ErrorKind::Mismatch, "{up}");
    assert!(up.details().hint.as_ref().unwrap().contains("ductape down"));
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    engine.down(&failing()).await.unwrap();
    assert!(engine.history().await.unwrap().is_empty());
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test]
async fn an_edit_is_taken_if_the_steps_that_are_done_are_unchanged() {
    let (file, engine) = failed().await;
    let raw = outside("DELETE FROM users");
    let mended = migration(0, "failing", &format!("[{MAKE}, {raw}, {NOTE}]"));
    let report = engine.up(&mended).await.unwrap();
    assert_eq!(report.applied[0].checksum, *mended.checksum());
    let history = engine.history().await.unwrap();
    assert_eq!(history[0].migration.up(), mended.up());
    assert!(engine.verify_with(&set(&[&mended])).await.unwrap().ok);
    drop(file);
}

#[tokio::test]
async fn an_edit_of_what_is_done_is_refused_with_the_difference_as_operations() {
    let (_file, engine) = failed().await;
    let other = MAKE.replace("\"users\"", "\"people\"");
    let edited = migration(0, "failing", &format!("[{other}]"));
    let error = engine.up(&edited).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Edited, "{error}");
    let difference = &error.details().differences[0];
    assert_eq!(difference.recorded[0]["type"], "createCollection");
    assert_eq!(difference.live[0]["name"], "people");
    assert_eq!(difference.recorded[1]["type"], "raw");
    // The same through repair, and nothing has changed.
    let tag = failing().tag().unwrap().clone();
    let accept = [Repair::Accept(tag)];
    let error = engine.repair(&set(&[&edited]), &accept).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Edited, "{error}");
    assert_eq!(
        engine.history().await.unwrap()[0].checksum,
        *failing().checksum()
    );
}

#[tokio::test]
async fn a_commit_that_fails_is_a_failure_of_its_migration_and_the_lock_is_let_go_of() {
    let file = File::new();
    file.sql("CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)").await;
    let engine = file.engine().await;
    let orphan = r#"{"type": "raw", "backend": "sqlite", "statement": "INSERT INTO children VALUES (1, 99)", "inverse": "DELETE FROM children"}"#;
    let make = migration(0, "make", &format!("[{MAKE}]"));
    let orphan = migration(1, "orphan", &format!("[{orphan}]"));
    let error = engine.up_all(&set(&[&make, &orphan])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    assert!(engine.lock_holder().await.unwrap().is_none());
    let told: Vec<String> = error
        .details()
        .done
        .applied
        .iter()
        .map(|d| d.name.clone())
        .collect();
    let done: Vec<String> = engine
        .history()
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(
        told, done,
        "the report tells what was done, and nothing else"
    );
    assert!(file.texts("SELECT id AS c FROM children").await.is_empty());
}

/// The same, with nothing that could undo its raw statement, and a step after it that has no way back.
fn one_way() -> Migration {
    let raw = |statement: &str| {
        format!(
            r#"{{"type": "raw", "backend": "sqlite", "statement": "{statement}", "transactional": false}}"#
        )
    };
    let (done, failing) = (
        raw("INSERT INTO done VALUES (1)"),
        raw("SELECT * FROM elsewhere"),
    );
    migration(
        0,
        "failing",
        &format!("[{MAKE}, {done}, {failing}, {NOTE}]"),
    )
}

async fn failed_on_one_way(script: &str) -> (File, MigrationEngine) {
    let file = File::new();
    let engine = file.engine().await;
    file.sql(script).await;
    let error = engine.up(&one_way()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    (file, engine)
}

#[tokio::test]
async fn down_asks_for_no_way_back_from_what_was_not_done() {
    let (_file, engine) = failed_on_one_way("").await;
    let tags = Rollback::Tags(vec![one_way().tag().unwrap().clone()]);
    let plan = engine.plan_down(&tags).await.unwrap();
    assert_eq!(plan.migrations[0].down[0].statement, "DROP TABLE \"users\"");
    engine.dry_run_down(&tags).await.unwrap();
    engine.down(&one_way()).await.unwrap();
    assert!(engine.live_schema().await.unwrap().is_empty());
    // What was done is another matter.
    let (_file, engine) = failed_on_one_way("CREATE TABLE done (id INTEGER)").await;
    let error = engine.down(&one_way()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Irreversible, "{error}");
    let planned = engine.plan_down(&tags).await.unwrap_err();
    assert_eq!(planned.kind(), ErrorKind::Irreversible, "{planned}");
}

#[tokio::test]
async fn an_edit_is_taken_also_if_what_is_done_has_no_way_back() {
    let (file, engine) = failed_on_one_way("CREATE TABLE done (id INTEGER)").await;
    let mut up = one_way().up().to_vec();
    up.remove(2);
    let up = serde_json::to_string(&up).unwrap();
    let mended = migration(0, "failing", &up);
    let plan = engine.plan(&mended).await.unwrap();
    assert_eq!(plan.migrations[0].up.len(), 1, "{plan}");
    engine.up(&mended).await.unwrap();
    assert_eq!(file.texts("SELECT id AS c FROM done").await, ["1"]);
    assert!(engine.verify_with(&set(&[&mended])).await.unwrap().ok);
}

#[tokio::test]
async fn a_plan_begins_with_what_was_left_half_done() {
    let (file, engine) = failed().await;
    let later = migration(
        1,
        "later",
        &format!("[{}]", NOTE.replace("\"note\"", "\"more\"")),
    );
    let given = set(&[&failing(), &later]);
    for plan in [
        engine.plan_all(&given, &Default::default()).await.unwrap(),
        engine.dry_run(&given, &Default::default()).await.unwrap(),
    ] {
        let names: Vec<&str> = plan.migrations.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["failing", "later"]);
        let up: Vec<&str> = plan.migrations[0]
            .up
            .iter()
            .map(|s| s.statement.as_str())
            .collect();
        assert_eq!(
            up,
            [
                "INSERT INTO elsewhere VALUES (1)",
                "ALTER TABLE \"users\" ADD COLUMN \"note\" TEXT"
            ],
            "the table is there already"
        );
        assert_eq!(plan.migrations[0].down.len(), 3, "{plan}");
    }
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    assert_eq!(engine.up_all(&given).await.unwrap().applied.len(), 2);
    // So it does with a rollback that was cut off by an error.
    file.sql("DROP TABLE elsewhere").await;
    engine.down(&later).await.unwrap();
    engine.down(&failing()).await.unwrap_err();
    let refused = engine.plan_all(&given, &Default::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Mismatch);
    let tags = Rollback::Last(1);
    let plan = engine.plan_down(&tags).await.unwrap();
    let down: Vec<&str> = plan.migrations[0]
        .down
        .iter()
        .map(|s| s.statement.as_str())
        .collect();
    assert_eq!(down, ["DELETE FROM elsewhere", "DROP TABLE \"users\""]);
}

#[tokio::test]
async fn what_a_failure_left_is_not_told_as_a_change_by_hand() {
    let (_file, engine) = failed().await;
    let verification = engine.verify_with(&set(&[&failing()])).await.unwrap();
    assert!(!verification.ok);
    for difference in &verification.differences {
        assert!(!difference.message.contains("--to-live"), "{difference:?}");
        assert!(difference.message.contains("ductape up"), "{difference:?}");
    }
    let failed = verification
        .differences
        .iter()
        .find(|d| d.kind.word() == "failed");
    assert!(
        failed.unwrap().live.is_null(),
        "the file is as the ledger has it"
    );
}

// ---- what a dry run refuses -----------------------------------------------------------------------

#[tokio::test]
async fn a_dry_run_refuses_what_the_run_would() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, c] = three();
    let all = set(&[&a, &b, &c]);
    engine.up_all(&all).await.unwrap();
    file.sql("INSERT INTO users (id) VALUES (1)").await;
    let required = r#"{"type": "modifyField", "collection": "users", "field": "note", "changes": {"required": true}}"#;
    let required = migration(3, "required", &format!("[{required}]"));
    let given = set(&[&a, &b, &c, &required]);
    engine.plan_all(&given, &Default::default()).await.unwrap();
    let error = engine
        .dry_run(&given, &Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(
        engine.up_all(&given).await.unwrap_err().kind(),
        error.kind()
    );

    let rested_on = Rollback::Tags(vec![b.tag().unwrap().clone()]);
    let error = engine.dry_run_down(&rested_on).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let unknown = Rollback::Tags(vec![required.tag().unwrap().clone()]);
    let error = engine.dry_run_down(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");

    let late = migration(0, "late", &format!("[{}]", MAKE.replace("users", "late")));
    let given = set(&[&late, &a, &b, &c]);
    engine.plan_all(&given, &Default::default()).await.unwrap();
    let error = engine
        .dry_run(&given, &Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfOrder, "{error}");

    file.sql("ALTER TABLE users ADD COLUMN extra TEXT").await;
    let error = engine.dry_run_down(&Rollback::Last(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Drift, "{error}");
    let forced = file.engine_with(|options| options.force = true).await;
    forced.dry_run_down(&Rollback::Last(1)).await.unwrap();
}

// ---- a statement in doubt -----------------------------------------------------------------------

/// A run whose raw statement outside a transaction got no answer.
async fn in_doubt(ran: bool) -> (File, MigrationEngine) {
    let file = File::new();
    file.sql("CREATE TABLE elsewhere (id INTEGER)").await;
    let backend = Doubtful {
        backend: file.database().await.backend(),
        ran,
    };
    let engine = MigrationEngine::with_options(Arc::new(backend), EngineOptions::default());
    let error = engine.up(&failing()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undecided, "{error}");
    let rows = file.texts("SELECT id AS c FROM elsewhere").await;
    assert_eq!(rows.len(), usize::from(ran));
    let engine = file.engine().await;
    (file, engine)
}

#[tokio::test]
async fn nothing_goes_on_past_a_statement_in_doubt() {
    for ran in [true, false] {
        let (file, engine) = in_doubt(ran).await;
        let before = state(&engine).await;
        for error in [
            engine.up(&failing()).await.unwrap_err(),
            engine.down(&failing()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Undecided, "{error}");
            assert!(
                error
                    .details()
                    .hint
                    .as_ref()
                    .unwrap()
                    .contains("repair --step")
            );
        }
        assert_eq!(state(&engine).await, before);
        assert_eq!(
            file.texts("SELECT id AS c FROM elsewhere").await.len(),
            usize::from(ran)
        );
    }
}

#[tokio::test]
async fn what_is_said_of_a_statement_in_doubt_is_gone_by() {
    for (ran, down) in [(true, false), (false, false), (true, true), (false, true)] {
        let (file, engine) = in_doubt(ran).await;
        let step = [Repair::Step {
            tag: None,
            done: ran,
        }];
        let given = set(&[&failing()]);
        let report = engine.repair(&given, &step).await.unwrap();
        assert_eq!(report.repaired[0].action, "step");
        assert!(report.repaired[0].message.contains("INSERT INTO elsewhere"));
        let rows = if down {
            engine.down(&failing()).await.unwrap();
            assert!(engine.history().await.unwrap().is_empty());
            0
        } else {
            engine.up(&failing()).await.unwrap();
            let unharmed = File::new();
            unharmed.sql("CREATE TABLE elsewhere (id INTEGER)").await;
            unharmed.engine().await.up(&failing()).await.unwrap();
            assert_eq!(state(&engine).await, state(&unharmed.engine().await).await);
            1
        };
        let found = file.texts("SELECT id AS c FROM elsewhere").await;
        assert_eq!(found.len(), rows, "ran: {ran}, down: {down}");
        assert!(engine.verify().await.unwrap().ok);
        let again = engine.repair(&given, &step).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Mismatch, "{again}");
    }
}

// ---- the way down ---------------------------------------------------------------------------------

fn three() -> [Migration; 3] {
    let index = r#"{"type": "createIndex", "collection": "users", "index": {"name": "idx_note", "fields": ["note"]}}"#;
    [
        migration(0, "make", &format!("[{MAKE}]")),
        migration(1, "note", &format!("[{NOTE}]")),
        migration(2, "index", &format!("[{index}]")),
    ]
}

#[tokio::test]
async fn redo_takes_back_and_applies_again_from_the_ledger() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, c] = three();
    engine.up_all(&set(&[&a, &b, &c])).await.unwrap();
    let before = state(&engine).await;
    let report = engine.redo(2).await.unwrap();
    let tags = |done: &[ductape::engine::Done]| -> Vec<String> {
        done.iter().map(|d| d.name.clone()).collect()
    };
    assert_eq!(tags(&report.rolled_back), ["index", "note"]);
    assert_eq!(tags(&report.applied), ["note", "index"]);
    assert_eq!(state(&engine).await, before);
}

#[tokio::test]
async fn drift_on_the_way_down_is_shown_from_both_sides_and_force_goes_by_the_live_schema() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, _] = three();
    engine.up_all(&set(&[&a, &b])).await.unwrap();
    file.sql("ALTER TABLE users DROP COLUMN note; ALTER TABLE users ADD COLUMN note INTEGER")
        .await;
    let before = state(&engine).await;
    let error = engine.down(&b).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Drift, "{error}");
    let difference = &error.details().differences[0];
    assert_eq!(difference.path, "fields.note.type");
    assert_eq!(
        (&difference.recorded, &difference.live),
        (&"text".into(), &"integer".into())
    );
    assert_eq!(state(&engine).await, before, "nothing was touched");
    let forced = file.engine_with(|options| options.force = true).await;
    forced.down(&b).await.unwrap();
    let live = engine.live_schema().await.unwrap();
    let users = live.collections().next().unwrap();
    assert_eq!(users.fields.len(), 1);
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test]
async fn everything_after_a_tag_goes_and_nothing_else() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, c] = three();
    engine.up_all(&set(&[&a, &b, &c])).await.unwrap();
    let report = engine.down_to(a.tag().unwrap()).await.unwrap();
    assert_eq!(report.rolled_back.len(), 2);
    assert_eq!(engine.history().await.unwrap().len(), 1);
    let unknown = engine.down_to(c.tag().unwrap()).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn what_later_ones_rest_on_does_not_go_before_them() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, c] = three();
    engine.up_all(&set(&[&a, &b, &c])).await.unwrap();
    let before = state(&engine).await;
    for below in [&a, &b] {
        let tags = Rollback::Tags(vec![below.tag().unwrap().clone()]);
        let error = engine.roll_back(&tags).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains("_index rests on it"), "{error}");
        assert_eq!(state(&engine).await, before);
    }
    let tags = [&b, &c].map(|m| m.tag().unwrap().clone()).to_vec();
    engine.roll_back(&Rollback::Tags(tags)).await.unwrap();
    assert_eq!(engine.history().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_later_one_that_rests_on_nothing_may_stay() {
    let file = File::new();
    let engine = file.engine().await;
    let [a, b, _] = three();
    let other = migration(
        3,
        "other",
        &format!("[{}]", MAKE.replace("users", "others")),
    );
    engine.up_all(&set(&[&a, &b, &other])).await.unwrap();
    let tags = Rollback::Tags(vec![b.tag().unwrap().clone()]);
    engine.roll_back(&tags).await.unwrap();
    let names: Vec<String> = engine
        .history()
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(names, ["make", "other"]);
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test]
async fn a_history_entry_alone_is_enough_to_go_back() {
    let file = File::new();
    let [a, b, c] = three();
    file.engine()
        .await
        .up_all(&set(&[&a, &b, &c]))
        .await
        .unwrap();
    let engine = file.engine().await;
    let history = engine.history().await.unwrap();
    for entry in history.iter().rev() {
        engine.down(&entry.migration).await.unwrap();
    }
    assert!(engine.live_schema().await.unwrap().is_empty());
    let gone = engine.down(&history[0].migration).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Mismatch);
}
