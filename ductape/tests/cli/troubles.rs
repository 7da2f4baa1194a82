//! Databases that do not answer as they should.

use crate::support::{Sandbox, THIRD, on_file, sql};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_file_that_is_no_database() {
    let sandbox = Sandbox::with_migrations();
    sandbox.write(
        "app.db",
        "this is a letter to my aunt, and no database at all ".repeat(100),
    );
    let before = sandbox.bytes();
    for command in [
        "up", "down", "redo", "status", "history", "schema", "verify", "plan",
    ] {
        let ran = sandbox.json([command]);
        let error = serde_json::from_str::<serde_json::Value>(&ran.stderr).unwrap();
        let kind = error["error"]["kind"].as_str().unwrap().to_owned();
        assert!(
            ["database", "connection"].contains(&kind.as_str()),
            "{command}: {ran:#?}"
        );
        ran.fails(1, &kind);
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains("not a database"), "{command}: {message}");
    }
    assert_eq!(sandbox.bytes(), before);
}

#[test]
fn a_folder_and_a_place_that_is_not_there() {
    let sandbox = Sandbox::with_migrations();
    std::fs::create_dir(sandbox.at("folder")).unwrap();
    for command in ["up", "status"] {
        sandbox
            .without_database(["--json", command, "--url", "sqlite://folder"])
            .fails(1, "connection");
    }
    let error = sandbox
        .without_database(["--json", "up", "--url", "sqlite://none/app.db"])
        .fails(1, "connection");
    assert!(
        error["message"].as_str().unwrap().contains("none/app.db"),
        "{error}"
    );
}

/// Root may write whatever it likes, so a file is made read-only by SQLite's own means.
#[test]
fn a_database_that_is_read_only() {
    let sandbox = Sandbox::applied();
    let before = sandbox.bytes();
    let url = "sqlite://app.db?mode=ro";
    for command in ["status", "history", "plan", "schema", "verify"] {
        sandbox
            .without_database(["--json", command, "--url", url])
            .succeeds();
    }
    for command in ["down", "redo"] {
        let error = sandbox
            .without_database(["--json", command, "--url", url])
            .fails(1, "database");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("readonly") || message.contains("read-only"),
            "{message}"
        );
    }
    // Nothing is pending, so nothing is written.
    sandbox
        .without_database(["--json", "up", "--url", url])
        .succeeds();
    assert_eq!(sandbox.bytes(), before);
}

#[test]
fn another_program_has_the_file() {
    let sandbox = Sandbox::applied();
    let file = sandbox.at("app.db");
    let holder = std::thread::spawn({
        let file = file.clone();
        move || on_file(&file, "BEGIN EXCLUSIVE", Duration::from_secs(20))
    });
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    let error = sandbox.json(["down", "--wait", "1"]).fails(5, "locked");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert!(error["hint"].is_string());
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("another program"),
        "{error}"
    );
    let error = sandbox.json(["status"]).fails(5, "locked");
    assert!(error["hint"].is_string());
    // Who waits long enough comes through.
    sandbox.json(["up"]).succeeds();
    holder.join().unwrap();
    sandbox.json(["down", "--wait", "1"]).succeeds();
}

#[test]
fn who_holds_the_lock_is_told_also_in_the_middle_of_their_transaction() {
    let sandbox = Sandbox::applied();
    sandbox.sql(
        r#"UPDATE ductape_state SET value = '{"owner":"somebody:1","host":"elsewhere","since":"2026-01-01T00:00:00Z","nonce":7,"leaseMs":600000,"fence":9}' WHERE key = 'lock'"#,
    );
    let file = sandbox.at("app.db");
    let holder = std::thread::spawn(move || {
        on_file(
            &file,
            "BEGIN IMMEDIATE; CREATE TABLE theirs (a)",
            Duration::from_secs(6),
        );
    });
    std::thread::sleep(Duration::from_millis(500));
    for wait in ["0", "1"] {
        let started = Instant::now();
        let error = sandbox.json(["down", "--wait", wait]).fails(5, "locked");
        let took = started.elapsed();
        assert!(took < Duration::from_millis(2500), "{wait}: {took:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("somebody:1"), "{message}");
    }
    holder.join().unwrap();
}

#[test]
fn another_runner_has_the_lock() {
    let sandbox = Sandbox::applied();
    sandbox.sql(
        r#"UPDATE ductape_state SET value = '{"owner":"somebody:1","host":"elsewhere","since":"2026-01-01T00:00:00Z","nonce":7,"leaseMs":600000,"fence":9}' WHERE key = 'lock'"#,
    );
    let lock = sandbox.json(["lock", "status"]).succeeds().document();
    assert_eq!(
        lock,
        json!({ "held": true, "owner": "somebody:1", "host": "elsewhere",
                "since": "2026-01-01T00:00:00Z", "leaseMs": 600_000 })
    );
    let error = sandbox.json(["down", "--wait", "0.2"]).fails(5, "locked");
    let message = error["message"].as_str().unwrap();
    for part in ["somebody:1", "elsewhere", "2026-01-01T00:00:00Z"] {
        assert!(message.contains(part), "{message}");
    }
    sandbox.json(["status"]).succeeds();
    let released = sandbox
        .json(["lock", "release", "--force"])
        .succeeds()
        .document();
    assert_eq!(
        (&released["released"], &released["owner"]),
        (&json!(true), &json!("somebody:1"))
    );
    sandbox.json(["down", "--wait", "0"]).succeeds();
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let sandbox = Sandbox::applied();
    sandbox.sql(r#"UPDATE ductape_state SET value = '{"format":99}' WHERE key = 'head'"#);
    let before = sandbox.bytes();
    for command in ["up", "down", "redo", "status"] {
        let error = sandbox.json([command]).fails(4, "mismatch");
        assert!(error["message"].as_str().unwrap().contains("99"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("newer version"));
    }
    assert_eq!(sandbox.bytes(), before);
}

#[test]
fn a_ledger_that_is_damaged_is_told_and_not_made_worse() {
    for damage in [
        "UPDATE ductape_migrations SET migration = 'x' WHERE seq = 3",
        "UPDATE ductape_migrations SET migration = '' WHERE seq = 3",
        "UPDATE ductape_migrations SET down = '{' WHERE seq = 3",
        "UPDATE ductape_migrations SET down = '[{\"type\":\"none\"}]' WHERE seq = 3",
        "UPDATE ductape_migrations SET checksum = 'v1:00' WHERE seq = 3",
        "UPDATE ductape_migrations SET tag = 'x' WHERE seq = 3",
        "UPDATE ductape_migrations SET status = 'odd' WHERE seq = 3",
        "UPDATE ductape_migrations SET seq = 'text' WHERE seq = 3",
        "UPDATE ductape_state SET value = 'x' WHERE key = 'head'",
        "UPDATE ductape_state SET value = 'x' WHERE key = 'lock'",
        "UPDATE ductape_state SET value = 'x' WHERE key = 'schema:posts'",
        "UPDATE ductape_state SET value = NULL WHERE key = 'schema:posts'",
        "UPDATE ductape_state SET value = x'ff' WHERE key = 'schema:posts'",
        "DELETE FROM ductape_state",
        "DROP TABLE ductape_state",
        "DROP TABLE ductape_migrations",
        "DROP TABLE ductape_log",
        "ALTER TABLE ductape_migrations RENAME COLUMN tag TO label",
        "DROP TABLE ductape_state; CREATE VIEW ductape_state AS SELECT 1 AS key, 2 AS value",
    ] {
        let sandbox = Sandbox::applied();
        // Some damage is not even possible, which is fine too.
        let done = std::panic::catch_unwind(|| sql(&sandbox.at("app.db"), damage));
        if done.is_err() {
            continue;
        }
        for command in [
            "status", "history", "schema", "verify", "plan", "up", "down", "redo",
        ] {
            let ran = sandbox.json([command, "--progress", "none"]);
            match ran.code {
                Some(0) => drop(ran.document()),
                Some(code @ (1 | 4)) => {
                    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
                    let kind = error["error"]["kind"].as_str().unwrap();
                    assert_ne!(kind, "internal", "{damage}: {command}: {ran:#?}");
                    ran.fails(code, kind);
                }
                _ => panic!("{damage}: {command}: {ran:#?}"),
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let sandbox = Sandbox::applied();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = sandbox
        .command(["status", "--url", "sqlite://app.db"])
        .stdout(full)
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = sandbox.command(["show", THIRD]).stderr(full).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::applied();
    let mut child = sandbox
        .command(["schema", "--url", "sqlite://app.db"])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
