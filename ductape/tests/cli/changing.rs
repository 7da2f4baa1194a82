//! Commands that change a database: up, down, redo.

use crate::support::{FIRST, SECOND, Sandbox, THIRD, tags};
use serde_json::{Value, json};

#[test]
fn up_applies_what_is_pending_and_then_nothing() {
    let sandbox = Sandbox::with_migrations();
    let up = sandbox.json(["up"]).succeeds();
    assert_eq!(
        up.stderr, "",
        "no progress with --json unless it is asked for"
    );
    let up = up.document();
    assert_eq!(tags(&up["applied"]), [FIRST, SECOND, THIRD]);
    assert_eq!(
        (&up["dryRun"], &up["lastApplied"]["tag"]),
        (&json!(false), &json!(THIRD))
    );
    let line = &up["applied"][1];
    assert_eq!(
        (&line["name"], &line["statements"]),
        (&json!("add_phone"), &json!(1))
    );
    assert!(line["checksum"].as_str().unwrap().starts_with("v1:"));
    assert!(line["durationMs"].is_u64());
    let again = sandbox.json(["up"]).succeeds().document();
    assert_eq!(
        (&again["applied"], &again["lastApplied"]["tag"]),
        (&json!([]), &json!(THIRD))
    );
}

#[test]
fn up_goes_as_far_as_it_is_told() {
    let sandbox = Sandbox::with_migrations();
    let up = sandbox
        .json(["up", "--to", SECOND, "--dry-run"])
        .succeeds()
        .document();
    assert_eq!(
        (tags(&up["applied"]), &up["dryRun"]),
        (vec![FIRST, SECOND], &json!(true))
    );
    assert!(!sandbox.at("app.db").exists());
    let up = sandbox.json(["up", "--to", SECOND]).succeeds().document();
    assert_eq!(tags(&up["applied"]), [FIRST, SECOND]);
    let up = sandbox.json(["up", "--count", "5"]).succeeds().document();
    assert_eq!(tags(&up["applied"]), [THIRD]);
}

#[test]
fn files_and_folders_can_be_named() {
    let sandbox = Sandbox::with_migrations();
    let file = |tag: &str| format!("migrations/{tag}.json");
    let up = sandbox.json(["up", &file(FIRST)]).succeeds().document();
    assert_eq!(tags(&up["applied"]), [FIRST]);
    let up = sandbox
        .json([
            "--migrations",
            &file(FIRST),
            "--migrations",
            &file(SECOND),
            "up",
        ])
        .succeeds()
        .document();
    assert_eq!(tags(&up["applied"]), [SECOND]);
    let up = sandbox
        .json([
            "up",
            "--migrations",
            &file(FIRST),
            &file(SECOND),
            &file(THIRD),
        ])
        .succeeds()
        .document();
    assert_eq!(tags(&up["applied"]), [THIRD]);
    std::fs::rename(sandbox.at("migrations"), sandbox.at("elsewhere")).unwrap();
    let status = sandbox
        .json(["--migrations", "elsewhere", "status"])
        .succeeds()
        .document();
    assert_eq!(status["completed"], 3);
}

#[test]
fn down_takes_the_last_the_last_ones_those_after_or_the_named() {
    let sandbox = Sandbox::applied();
    let down = sandbox.json(["down"]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]), [THIRD]);
    assert_eq!(
        (&down["dryRun"], &down["lastApplied"]["tag"]),
        (&json!(false), &json!(SECOND))
    );
    let down = sandbox.json(["down", "--count", "2"]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]), [SECOND, FIRST]);
    assert_eq!(down["lastApplied"], Value::Null);
    let down = sandbox.json(["down"]).succeeds().document();
    assert_eq!(down["rolledBack"], json!([]), "nothing to do is no failure");
    sandbox.run(["up"]).succeeds();
    let down = sandbox.json(["down", "--to", FIRST]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]), [THIRD, SECOND]);
    sandbox.run(["up"]).succeeds();
    let down = sandbox.json(["down", THIRD, FIRST]);
    down.fails(6, "refused");
    let down = sandbox.json(["down", SECOND]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]), [SECOND]);
}

#[test]
fn down_makes_no_database() {
    let sandbox = Sandbox::new();
    sandbox.json(["down"]).succeeds();
    assert!(sandbox.bytes().is_empty());
}

#[test]
fn down_needs_no_files() {
    let sandbox = Sandbox::applied();
    std::fs::remove_dir_all(sandbox.at("migrations")).unwrap();
    let down = sandbox.json(["down", "--count", "3"]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]), [THIRD, SECOND, FIRST]);
}

#[test]
fn redo_goes_down_and_up() {
    let sandbox = Sandbox::applied();
    let would = sandbox
        .json(["redo", "--count", "2", "--dry-run"])
        .succeeds()
        .document();
    assert_eq!(tags(&would["rolledBack"]), [THIRD, SECOND]);
    assert_eq!(tags(&would["applied"]), [SECOND, THIRD]);
    let redo = sandbox.json(["redo", "--count", "2"]).succeeds().document();
    assert_eq!(tags(&redo["rolledBack"]), [THIRD, SECOND]);
    assert_eq!(tags(&redo["applied"]), [SECOND, THIRD]);
    let log = sandbox.json(["history", "--log"]).document();
    assert_eq!(log.as_array().unwrap().len(), 7);
}

#[test]
fn an_edited_migration_is_refused() {
    let sandbox = Sandbox::applied();
    sandbox.migration(
        THIRD,
        json!([{ "type": "createCollection", "name": "posts",
        "fields": { "id": { "type": "bigint", "primaryKey": true } } }]),
    );
    let error = sandbox.json(["up"]).fails(4, "edited");
    assert_eq!(error["tag"], THIRD);
    sandbox.json(["plan"]).fails(4, "edited");
}

#[test]
fn what_is_older_than_the_last_applied_waits_for_leave() {
    let sandbox = Sandbox::applied();
    let early = "20230101_000000_early";
    sandbox.migration(
        early,
        json!([{ "type": "createCollection", "name": "early",
        "fields": { "id": { "type": "uuid", "primaryKey": true } } }]),
    );
    let error = sandbox.json(["up"]).fails(4, "outOfOrder");
    assert_eq!(error["tag"], early);
    let up = sandbox.json(["up", "--out-of-order"]).succeeds().document();
    assert_eq!(tags(&up["applied"]), [early]);
}

#[test]
fn a_change_by_hand_is_drift_on_the_way_down_and_force_goes_by_it() {
    let sandbox = Sandbox::applied();
    sandbox.sql("ALTER TABLE posts ADD COLUMN extra TEXT");
    let error = sandbox.json(["down"]).fails(4, "drift");
    assert_eq!(error["tag"], THIRD);
    assert_eq!(error["differences"][0]["collection"], "posts");
    sandbox.json(["down", "--force"]).succeeds();
}

#[test]
fn what_has_no_way_back_is_refused_before_anything_is_touched() {
    let sandbox = Sandbox::applied();
    let raw = "20240104_000000_raw";
    sandbox.migration(
        raw,
        json!([{ "type": "raw", "backend": "sqlite", "statement": "SELECT 1" }]),
    );
    sandbox.run(["up"]).succeeds();
    for command in [
        vec!["down", "--count", "2"],
        vec!["redo"],
        vec!["plan", "--down"],
    ] {
        let error = sandbox.json(command).fails(6, "irreversible");
        assert_eq!(error["tag"], raw);
    }
    sandbox
        .without_database(["--json", "plan", "--offline", "sqlite", "--down"])
        .fails(6, "irreversible");
    assert_eq!(sandbox.json(["status"]).document()["completed"], 4);
}

#[test]
fn a_failure_tells_what_was_done_before_it() {
    let sandbox = Sandbox::with_migrations();
    let bad = "20240104_000000_bad";
    sandbox.migration(
        bad,
        json!([{ "type": "raw", "backend": "sqlite", "statement": "SELEKT 1" }]),
    );
    let error = sandbox.json(["up"]).fails(1, "database");
    assert_eq!(
        (&error["tag"], &error["statement"]),
        (&json!(bad), &json!("SELEKT 1"))
    );
    assert_eq!(tags(&error["applied"]), [FIRST, SECOND, THIRD]);
    let status = sandbox.json(["status"]).document();
    assert_eq!(
        (&status["completed"], &status["pending"]),
        (&json!(3), &json!(1))
    );
    let log = sandbox.json(["history", "--log"]).document();
    assert_eq!(log[3]["action"], "failure");
}

#[test]
fn rows_in_the_way_are_counted_and_refused() {
    let sandbox = Sandbox::applied();
    sandbox.sql("INSERT INTO users (id, email) VALUES ('1', 'ann@example.org')");
    sandbox.migration(
        "20240104_000000_required",
        json!([{ "type": "modifyField",
        "collection": "users", "field": "phone", "changes": { "required": true } }]),
    );
    let error = sandbox.json(["up"]).fails(6, "refused");
    assert!(error["message"].as_str().unwrap().contains('1'), "{error}");
}

#[test]
fn what_is_there_already_is_told() {
    let sandbox = Sandbox::with_migrations();
    sandbox.sql("CREATE TABLE users (a INTEGER)");
    sandbox.json(["up"]).fails(4, "alreadyExists");
    let sandbox = Sandbox::new();
    sandbox.migration(
        "20240104_000000_gone",
        json!([{ "type": "dropCollection", "name": "none" }]),
    );
    sandbox.json(["up"]).fails(4, "mismatch");
}

#[test]
fn progress_is_told_as_it_is_asked_for() {
    let sandbox = Sandbox::with_migrations();
    let up = sandbox.json(["up", "--progress", "json"]).succeeds();
    up.document();
    let events: Vec<Value> = up
        .stderr
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let started: Vec<&str> = events
        .iter()
        .filter(|e| e["event"] == "started")
        .map(|e| e["tag"].as_str().unwrap())
        .collect();
    assert_eq!(started, [FIRST, SECOND, THIRD]);
    assert!(
        events
            .iter()
            .any(|e| e["event"] == "finished" && e["durationMs"].is_u64())
    );
    assert_eq!(
        sandbox
            .run(["down", "--progress", "none"])
            .succeeds()
            .stderr,
        ""
    );
    let plain = sandbox
        .json(["up", "--progress", "plain"])
        .succeeds()
        .stderr;
    assert_eq!(plain, format!("applying {THIRD}\n"));
}

#[test]
fn a_database_in_memory_works_for_as_long_as_a_command() {
    let sandbox = Sandbox::with_migrations();
    let up = sandbox
        .without_database(["--url", "sqlite::memory:", "--json", "up"])
        .succeeds()
        .document();
    assert_eq!(tags(&up["applied"]).len(), 3);
}

#[test]
fn the_journal_mode_is_left_as_it_is() {
    for mode in ["WAL", "DELETE"] {
        let sandbox = Sandbox::with_migrations();
        sandbox.sql(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (a)"));
        let marks =
            |sandbox: &Sandbox| std::fs::read(sandbox.at("app.db")).unwrap()[18..20].to_vec();
        let before = marks(&sandbox);
        sandbox.run(["up"]).succeeds();
        sandbox.run(["down"]).succeeds();
        assert_eq!(marks(&sandbox), before, "{mode}");
    }
}
