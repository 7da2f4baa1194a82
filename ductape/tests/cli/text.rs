//! Answers for people.

use crate::support::{FIRST, Ran, SECOND, Sandbox, create_users, finish};
use serde_json::json;

/// A run's output with what differs from run to run taken out.
fn shown(ran: &Ran) -> String {
    let mut text = String::new();
    for (name, output) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !output.is_empty() {
            text.push_str(&format!("--- {name}\n{}", redacted(output)));
        }
    }
    format!("{text}--- code {}", ran.code.unwrap_or(-1))
}

/// What stands where times and durations stood.
const REDACTED: [&str; 2] = ["[moment]", "[duration]"];

fn redacted(text: &str) -> String {
    let host = host_name();
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words: Vec<String> = Vec::new();
        let mut last_number = false;
        for word in line.split(' ') {
            let moment = word.len() > 19 && word.as_bytes()[10] == b'T' && word.contains(':');
            let made = word.starts_with("migrations/20") && !word.contains("/2024");
            if moment {
                words.push("[moment]".to_owned());
            } else if made {
                words.push(format!("migrations/[now]{}", &word[26..]));
            } else if word == "ms" && last_number {
                words.pop();
                words.push("[duration]".to_owned());
            } else {
                words.push(word.replace(&host, "[host]"));
            }
            last_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        }
        let heading = line.starts_with("seq ") || line.starts_with("at ");
        let changed = heading || words.iter().any(|word| REDACTED.contains(&word.as_str()));
        if changed {
            // What stands after it is aligned by its length.
            words.retain(|word| !word.is_empty());
        }
        lines.push(words.join(" ").trim_end().to_owned() + "\n");
    }
    lines.concat()
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

macro_rules! shows {
    ($name:literal, $ran:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, shown(&$ran));
        });
    };
}

#[test]
fn the_whole_story() {
    let sandbox = Sandbox::new();
    shows!("init", sandbox.without_database(["init"]));
    shows!("init_again", sandbox.without_database(["init"]));
    shows!(
        "new",
        sandbox.without_database(["new", "first", "create a id:uuid:pk"])
    );
    let sandbox = Sandbox::with_migrations();
    shows!("validate", sandbox.run(["validate"]));
    shows!("status_pending", sandbox.run(["status"]));
    shows!("plan", sandbox.run(["plan"]));
    shows!("plan_sql", sandbox.run(["plan", "--sql"]));
    shows!("up_dry_run", sandbox.run(["up", "--dry-run"]));
    shows!("up", sandbox.run(["up"]));
    shows!("up_again", sandbox.run(["up"]));
    shows!("plan_nothing", sandbox.run(["plan"]));
    shows!("status", sandbox.run(["status"]));
    shows!("history", sandbox.run(["history"]));
    shows!("show", sandbox.run(["show", FIRST]));
    shows!("plan_down", sandbox.run(["plan", "--down"]));
    shows!("redo", sandbox.run(["redo"]));
    shows!("down", sandbox.run(["down", "--count", "2"]));
    shows!("status_check", sandbox.run(["status", "--check"]));
    shows!("log", sandbox.run(["history", "--log"]));
    shows!("schema", sandbox.run(["schema"]));
    shows!("verify", sandbox.run(["verify"]));
    shows!("lock_status", sandbox.run(["lock", "status"]));
}

#[test]
fn failures_teach() {
    let sandbox = Sandbox::applied();
    shows!("misuse", sandbox.run(["up", "--bogus"]));
    shows!(
        "contradiction",
        sandbox.run(["up", "--count", "1", "--to", FIRST])
    );
    shows!("no_database", sandbox.without_database(["up"]));
    shows!("not_there", sandbox.run(["down", "20300101_000000_none"]));
    sandbox.sql("ALTER TABLE posts ADD COLUMN extra TEXT");
    shows!("verify_differs", sandbox.run(["verify"]));
    shows!("drift", sandbox.run(["down"]));
    sandbox.migration(
        SECOND,
        json!([{ "type": "dropField", "collection": "users", "field": "email" }]),
    );
    shows!("edited", sandbox.run(["up"]));
    shows!("status_edited", sandbox.run(["status"]));
    sandbox.migration("20240105_000000_again", json!([create_users()]));
    sandbox.write("migrations/x.json", "{\"format\": 1, \"tagg\": 1}");
    shows!("bad_files", sandbox.run(["up"]));
    let sandbox = Sandbox::with_migrations();
    sandbox.migration(
        "20240104_000000_bad",
        json!([
        { "type": "raw", "backend": "sqlite", "statement": "SELEKT 1" }]),
    );
    shows!("database_refuses", sandbox.run(["up"]));
    sandbox.write(
        "app.db",
        "no database at all, but long enough to be looked at".repeat(50),
    );
    shows!("no_database_at_all", sandbox.run(["status"]));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let sandbox = Sandbox::applied();
    let coloured = |arguments: &[&str], no_color: &str| {
        let mut command = sandbox.command(arguments);
        command
            .env("DUCTAPE_URL", "sqlite://app.db")
            .env("NO_COLOR", no_color);
        let ran = finish(&mut command);
        ran.stdout.contains('\u{1b}') || ran.stderr.contains('\u{1b}')
    };
    assert!(!coloured(&["status"], ""), "no terminal");
    assert!(!coloured(&["status", "--color", "never"], ""));
    assert!(coloured(&["status", "--color", "always"], ""));
    assert!(
        coloured(&["status", "--color", "always"], "1"),
        "said on the command line"
    );
    assert!(coloured(
        &["--color", "always", "show", "20300101_000000_none"],
        ""
    ));
    assert!(!coloured(&["--color", "always", "--json", "status"], ""));
}

#[test]
fn names_cannot_play_with_the_terminal() {
    let sandbox = Sandbox::new();
    let name = "a\u{1b}[31mb\u{202e}c\rd\ne";
    sandbox.migration(
        FIRST,
        json!([{ "type": "createCollection", "name": name,
        "fields": { "id": { "type": "uuid", "primaryKey": true }, name: "text" } }]),
    );
    let up = ["status", "plan", "up", "verify", "history", "show", "down"];
    for command in up {
        let mut arguments = vec![command, "--color", "never"];
        if command == "show" {
            arguments.push(FIRST);
        }
        let ran = sandbox.run(arguments).succeeds();
        for output in [&ran.stdout, &ran.stderr] {
            assert!(!output.contains(['\u{1b}', '\u{202e}', '\r']), "{ran:#?}");
        }
    }
}

#[test]
fn more_is_told_with_v() {
    let sandbox = Sandbox::with_migrations();
    let ran = sandbox.run(["-v", "status"]).succeeds();
    assert!(
        ran.stderr.contains("the database is sqlite://app.db"),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("3 migration files were read"));
    assert_eq!(ran.stdout, sandbox.run(["status"]).stdout);
}
