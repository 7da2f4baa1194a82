//! Repair: each way to say what holds.

use crate::support::{FIRST, SECOND, Sandbox, THIRD, create_users};
use serde_json::json;

#[test]
fn nothing_said_is_wrong_usage() {
    let sandbox = Sandbox::applied();
    let before = sandbox.bytes();
    sandbox.json(["repair"]).fails(2, "usage");
    sandbox
        .json(["repair", "--step", "maybe"])
        .fails(2, "usage");
    sandbox
        .json(["repair", "--step", "x=done"])
        .fails(2, "usage");
    sandbox.json(["repair", "--accept", "x"]).fails(2, "usage");
    assert_eq!(sandbox.bytes(), before);
    for arguments in [
        ["repair", "--accept", "20300101_000000_none"],
        ["repair", "--forget", "20300101_000000_none"],
        ["repair", "--mark-applied", "20300101_000000_none"],
    ] {
        sandbox.json(arguments).fails(2, "usage");
    }
    sandbox
        .json(["repair", "--step", "done"])
        .fails(4, "mismatch");
}

#[test]
fn an_edit_is_accepted() {
    let sandbox = Sandbox::applied();
    sandbox.document(
        SECOND,
        &json!({ "format": 1, "tag": SECOND, "down": [],
        "up": [{ "type": "addField", "collection": "users",
                 "field": { "name": "phone", "type": "string", "length": 20 } }] }),
    );
    sandbox.json(["up"]).fails(4, "edited");
    let before = sandbox.bytes();
    let would = sandbox
        .json(["repair", "--accept", SECOND, "--dry-run"])
        .succeeds()
        .document();
    assert_eq!(
        (&would["dryRun"], &would["repaired"][0]["action"]),
        (&json!(true), &json!("accept"))
    );
    assert_eq!(sandbox.bytes(), before);
    let done = sandbox
        .json(["repair", "--accept", SECOND])
        .succeeds()
        .document();
    let line = &done["repaired"][0];
    assert_eq!(
        (&line["action"], &line["tag"]),
        (&json!("accept"), &json!(SECOND))
    );
    assert!(line["message"].is_string());
    assert_eq!(done["dryRun"], false);
    sandbox.json(["up"]).succeeds();
    sandbox.json(["status", "--check"]).succeeds();
    let log = sandbox.json(["history", "--log"]).document();
    assert_eq!(log[3]["action"], "repair");
}

#[test]
fn an_entry_is_forgotten_and_marked_again() {
    let sandbox = Sandbox::applied();
    sandbox.json(["repair", "--forget", THIRD]).succeeds();
    assert_eq!(sandbox.json(["status"]).document()["pending"], 1);
    sandbox.json(["up"]).fails(4, "alreadyExists");
    let done = sandbox
        .json(["repair", "--mark-applied", THIRD])
        .succeeds()
        .document();
    assert_eq!(done["repaired"][0]["action"], "markApplied");
    assert_eq!(sandbox.json(["status"]).document()["pending"], 0);
    let done = sandbox
        .json(["repair", "--forget", SECOND, "--forget", FIRST])
        .succeeds();
    assert_eq!(done.document()["repaired"].as_array().unwrap().len(), 2);
}

#[test]
fn the_live_schema_is_taken_as_the_record() {
    let sandbox = Sandbox::applied();
    sandbox.sql("ALTER TABLE posts ADD COLUMN extra TEXT");
    sandbox.json(["verify"]).fails(4, "drift");
    sandbox.json(["repair", "--to-live"]).succeeds();
    sandbox.json(["verify"]).succeeds();
    sandbox.run(["repair", "--to-live"]).succeeds();
}

#[test]
fn verify_compares_files_too() {
    let sandbox = Sandbox::applied();
    sandbox.migration(
        THIRD,
        json!([{ "type": "createCollection", "name": "posts",
        "fields": { "id": { "type": "bigint", "primaryKey": true } } }]),
    );
    let ran = sandbox.json(["verify"]);
    ran.fails(4, "edited");
    let found = ran.document();
    assert_eq!(found["ok"], false);
    assert!(
        found["differences"][0]["message"]
            .as_str()
            .unwrap()
            .contains(THIRD),
        "{found}"
    );
    std::fs::remove_dir_all(sandbox.at("migrations")).unwrap();
    sandbox.json(["verify"]).succeeds();
}

#[cfg(unix)]
#[test]
fn a_statement_in_doubt_is_settled() {
    for (word, expected) in [("done", 2), ("undone", 1)] {
        let sandbox = Sandbox::new();
        let slow = "INSERT INTO users (id, email) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
            SELECT i + 1 FROM n WHERE i < 100000000000) SELECT count(*), 'x' FROM n";
        sandbox.migration(FIRST, json!([create_users()]));
        sandbox.migration(SECOND, json!([
            { "type": "raw", "backend": "sqlite", "statement": slow, "transactional": false, "inverse": "SELECT 1" }]));
        let mut child = sandbox
            .command(["up", "--lease", "1", "--url", "sqlite://app.db"])
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_secs(1));
        child.kill().unwrap();
        child.wait().unwrap();
        let error = sandbox.json(["up"]).fails(4, "undecided");
        assert_eq!(error["tag"], SECOND);
        assert!(
            error["hint"].as_str().unwrap().contains("--step"),
            "{error}"
        );
        let status = sandbox.json(["status"]).document();
        assert_eq!(status["migrations"][1]["state"], "failed");
        let named = format!("{SECOND}={word}");
        let step = if word == "done" { word } else { &named };
        sandbox.json(["repair", "--step", step]).succeeds();
        if word == "done" {
            sandbox.json(["up"]).succeeds();
        } else {
            sandbox.json(["down"]).succeeds();
        }
        assert_eq!(sandbox.json(["status"]).document()["completed"], expected);
    }
}
