//! Ctrl-C and SIGTERM.
#![cfg(unix)]

use crate::support::{FIRST, Ran, SECOND, Sandbox, end_of};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A statement that takes some seconds.
fn slow(rows: u64) -> String {
    format!(
        "CREATE TABLE slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < {rows}) SELECT count(*) AS c FROM n"
    )
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Starts `up`, waits until it tells of a migration, and sends a signal a moment later.
fn interrupted(sandbox: &Sandbox, name: &str, tag: &str) -> Ran {
    let mut child = sandbox
        .command([
            "--json",
            "--progress",
            "json",
            "up",
            "--url",
            "sqlite://app.db",
        ])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    loop {
        let before = told.len();
        assert!(lines.read_line(&mut told).unwrap() > 0, "{told}");
        if told[before..].contains("started") && told[before..].contains(tag) {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    signal(&child, name);
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        while lines.read_line(&mut rest).unwrap() > 0 {}
        rest
    });
    // An empty pipe in its place, for what is left to be read.
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it hangs");
        std::thread::sleep(Duration::from_millis(5));
    };
    let rest = rest.join().unwrap();
    let last = rest.lines().last().unwrap_or_default().to_owned();
    let mut stdout = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut stdout).unwrap();
    Ran {
        code: status.code(),
        stdout,
        stderr: last,
    }
}

#[test]
fn a_signal_ends_a_run_between_two_statements() {
    for name in ["-INT", "-TERM"] {
        let sandbox = Sandbox::new();
        sandbox.migration(FIRST, json!([
            { "type": "raw", "backend": "sqlite", "statement": slow(3_000_000), "transactional": false },
            { "type": "raw", "backend": "sqlite", "statement": "CREATE TABLE after (a)", "transactional": false },
        ]));
        sandbox.migration(
            SECOND,
            json!([{ "type": "createCollection", "name": "posts",
            "fields": { "id": { "type": "uuid", "primaryKey": true } } }]),
        );
        let ran = interrupted(&sandbox, name, FIRST);
        assert_eq!(ran.stdout, "");
        let error = ran.fails(130, "interrupted");
        assert!(
            error["hint"].as_str().unwrap().contains("ductape up"),
            "{error}"
        );
        let lock = sandbox.json(["lock", "status"]).succeeds().document();
        assert_eq!(lock["held"], false, "{name}");
        let up = sandbox.json(["up", "--wait", "0"]).succeeds().document();
        assert_eq!(up["lastApplied"]["tag"], SECOND, "{name}");
        assert_eq!(sandbox.json(["status"]).document()["completed"], 2);
        assert_eq!(sandbox.json(["verify"]).succeeds().document()["ok"], true);
    }
}

#[test]
fn a_statement_that_does_not_end_is_broken_off_after_ten_seconds() {
    for transactional in [true, false] {
        let sandbox = Sandbox::new();
        let raw = |statement: String| json!({ "type": "raw", "backend": "sqlite", "statement": statement, "transactional": transactional });
        let before = raw("CREATE TABLE before (a)".to_owned());
        sandbox.migration(FIRST, json!([before, raw(slow(100_000_000_000))]));
        let started = Instant::now();
        let ran = interrupted(&sandbox, "-INT", FIRST);
        let took = started.elapsed();
        let error = ran.fails(130, "interrupted");
        assert_eq!(error["tag"], FIRST);
        assert!(
            took > Duration::from_secs(10) && took < Duration::from_secs(20),
            "{took:?}"
        );
        let lock = sandbox.json(["lock", "status"]).succeeds().document();
        assert_eq!(lock["held"], false, "{lock}");
        let status = sandbox.json(["status"]).succeeds().document();
        assert_eq!(status["completed"], 0);
        // Nothing is in doubt: what the edited migration says is gone on with.
        sandbox.migration(FIRST, json!([before, raw(slow(10))]));
        let up = sandbox.json(["up", "--wait", "0"]).succeeds().document();
        assert_eq!(up["lastApplied"]["tag"], FIRST);
        assert_eq!(sandbox.json(["verify"]).succeeds().document()["ok"], true);
    }
}

#[test]
fn waiting_for_the_lock_is_interrupted_at_once() {
    let sandbox = Sandbox::applied();
    sandbox.sql(
        r#"UPDATE ductape_state SET value = '{"owner":"somebody:1","host":"elsewhere","since":"2026-01-01T00:00:00Z","nonce":7,"leaseMs":600000,"fence":9}' WHERE key = 'lock'"#,
    );
    let child = sandbox
        .command(["--json", "down", "--url", "sqlite://app.db"])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    signal(&child, "-INT");
    let ran = end_of(child);
    ran.fails(130, "interrupted");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(sandbox.json(["status"]).document()["completed"], 3);
}
