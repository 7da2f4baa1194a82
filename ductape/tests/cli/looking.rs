//! Commands that look: status, plan, history, show, schema, verify, lock status.

use crate::support::{FIRST, SECOND, Sandbox, THIRD, create_users, tags};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn looking_makes_no_file_and_changes_none() {
    let sandbox = Sandbox::with_migrations();
    let before = sandbox.bytes();
    for command in ["status", "plan", "history", "schema", "verify"] {
        sandbox.json([command]).succeeds();
    }
    sandbox.json(["lock", "status"]).succeeds();
    sandbox.json(["up", "--dry-run"]).succeeds();
    sandbox.json(["show", FIRST]).succeeds();
    assert_eq!(
        sandbox.bytes(),
        before,
        "the database is made only by a command that writes"
    );
    let sandbox = Sandbox::applied();
    let before = sandbox.bytes();
    for command in ["status", "plan", "history", "schema", "verify"] {
        sandbox.json([command]).succeeds();
    }
    sandbox.json(["history", "--log"]).succeeds();
    sandbox.json(["schema", "--live"]).succeeds();
    sandbox.json(["down", "--dry-run"]).succeeds();
    sandbox.json(["redo", "--dry-run"]).succeeds();
    sandbox.json(["plan", "--down"]).succeeds();
    assert_eq!(sandbox.bytes(), before);
}

#[test]
fn status_counts_and_names_each_state() {
    let sandbox = Sandbox::with_migrations();
    let status = sandbox.json(["status"]).succeeds().document();
    assert_eq!(
        keys(&status),
        [
            "completed",
            "lastApplied",
            "migrations",
            "pending",
            "pendingMigrations",
            "total"
        ]
    );
    assert_eq!(
        (&status["total"], &status["pending"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(status["lastApplied"], Value::Null);
    assert_eq!(
        status["pendingMigrations"][0],
        json!({ "tag": FIRST, "name": "create_users" })
    );

    sandbox.run(["up", "--count", "1"]).succeeds();
    let status = sandbox.json(["status"]).succeeds().document();
    assert_eq!(
        (&status["completed"], &status["pending"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(keys(&status["lastApplied"]), ["appliedAt", "name", "tag"]);
    assert_eq!(status["lastApplied"]["tag"], FIRST);
    assert_eq!(
        status["migrations"][0],
        json!({ "tag": FIRST, "name": "create_users", "state": "applied" })
    );
    assert_eq!(status["migrations"][1]["state"], "pending");
}

#[test]
fn status_tells_edited_missing_and_out_of_order() {
    let sandbox = Sandbox::applied();
    sandbox.migration(SECOND, json!([create_users()]));
    std::fs::remove_file(sandbox.at(&format!("migrations/{THIRD}.json"))).unwrap();
    let early = "20240101_120000_early";
    sandbox.migration(
        early,
        json!([{ "type": "createCollection", "name": "tags",
        "fields": { "id": { "type": "uuid", "primaryKey": true } } }]),
    );
    // The edited one now contradicts the first file; with files that are wrong there is no status.
    sandbox.json(["status"]).fails(2, "invalid");
    sandbox.migration(
        SECOND,
        json!([{ "type": "addField", "collection": "users",
        "field": { "name": "phone", "type": "string", "length": 21 } }]),
    );
    let status = sandbox.json(["status"]).succeeds().document();
    let states: Vec<(&str, &str)> = status["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["tag"].as_str().unwrap(), m["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [
            (FIRST, "applied"),
            (early, "outOfOrder"),
            (SECOND, "edited"),
            (THIRD, "missing")
        ]
    );
    sandbox.json(["status", "--check"]).fails(4, "edited");
}

#[test]
fn check_ends_with_3_while_something_is_pending() {
    let sandbox = Sandbox::with_migrations();
    let ran = sandbox.json(["status", "--check"]);
    ran.fails(3, "pending");
    assert_eq!(
        ran.document()["pending"],
        3,
        "the status is told all the same"
    );
    sandbox.run(["up"]).succeeds();
    sandbox.json(["status", "--check"]).succeeds();
    // Missing never blocks.
    std::fs::remove_file(sandbox.at(&format!("migrations/{THIRD}.json"))).unwrap();
    sandbox.json(["status", "--check"]).succeeds();
}

#[test]
fn plan_has_the_statements_of_both_ways() {
    let sandbox = Sandbox::with_migrations();
    let plan = sandbox.json(["plan"]).succeeds().document();
    assert_eq!(keys(&plan), ["backend", "migrations"]);
    assert_eq!(plan["backend"], "sqlite");
    assert_eq!(tags(&plan["migrations"]), [FIRST, SECOND, THIRD]);
    let second = &plan["migrations"][1];
    for key in ["tag", "name", "reversible", "risks", "up", "down"] {
        assert!(second.get(key).is_some(), "{key}");
    }
    assert_eq!(second["reversible"], "lossless");
    assert_eq!(
        second["up"],
        json!([{ "statement": "ALTER TABLE \"users\" ADD COLUMN \"phone\" VARCHAR(20)", "transactional": true }])
    );
    assert_eq!(
        second["down"][0]["statement"],
        "ALTER TABLE \"users\" DROP COLUMN \"phone\""
    );
    let to = sandbox.json(["plan", "--to", SECOND]).succeeds().document();
    assert_eq!(tags(&to["migrations"]), [FIRST, SECOND]);
    let count = sandbox.json(["plan", "--count", "1"]).succeeds().document();
    assert_eq!(tags(&count["migrations"]), [FIRST]);
}

#[test]
fn plan_tells_of_risks() {
    let sandbox = Sandbox::applied();
    sandbox.migration(
        "20240104_000000_drop",
        json!([{ "type": "dropField", "collection": "users", "field": "phone" }]),
    );
    let plan = sandbox.json(["plan"]).succeeds().document();
    let planned = &plan["migrations"][0];
    assert_eq!(planned["reversible"], "structureOnly");
    assert_eq!(planned["risks"][0]["kind"], "dataLoss");
    assert_eq!(keys(&planned["risks"][0]), ["kind", "message", "operation"]);
}

#[test]
fn plan_down_shows_what_down_would_run() {
    let sandbox = Sandbox::applied();
    let plan = sandbox.json(["plan", "--down"]).succeeds().document();
    assert_eq!(tags(&plan["migrations"]), [THIRD]);
    assert_eq!(
        plan["migrations"][0]["down"][0]["statement"],
        "DROP TABLE \"posts\""
    );
    let plan = sandbox
        .json(["plan", "--down", "--to", FIRST])
        .succeeds()
        .document();
    assert_eq!(tags(&plan["migrations"]), [THIRD, SECOND]);
    let plan = sandbox
        .json(["plan", "--down", "--count", "2"])
        .succeeds()
        .document();
    assert_eq!(tags(&plan["migrations"]), [THIRD, SECOND]);
}

#[test]
fn plan_offline_asks_no_database() {
    let sandbox = Sandbox::with_migrations();
    let ran = sandbox
        .without_database(["--json", "plan", "--offline", "sqlite"])
        .succeeds();
    let online = sandbox.json(["plan"]).succeeds();
    assert_eq!(ran.document(), online.document());
    let down = sandbox
        .without_database([
            "plan",
            "--offline",
            "sqlite",
            "--json",
            "--down",
            "--to",
            FIRST,
        ])
        .succeeds();
    assert_eq!(tags(&down.document()["migrations"]), [THIRD, SECOND]);
    let last = sandbox
        .without_database(["plan", "--offline", "sqlite", "--json", "--down"])
        .succeeds();
    assert_eq!(tags(&last.document()["migrations"]), [THIRD]);
    let unknown = "20300101_000000_none";
    sandbox
        .without_database(["plan", "--offline", "sqlite", "--json", "--to", unknown])
        .fails(2, "usage");
}

#[test]
fn plan_as_sql_is_sql() {
    let sandbox = Sandbox::with_migrations();
    let text = sandbox.run(["plan", "--sql"]).succeeds().stdout;
    crate::support::sql(&sandbox.at("other.db"), &text);
    let text = sandbox.run([
        "plan",
        "--sql",
        "--offline",
        "sqlite",
        "--down",
        "--count",
        "3",
    ]);
    crate::support::sql(&sandbox.at("other.db"), &text.succeeds().stdout);
}

#[test]
fn history_has_the_entries_and_the_log_everything() {
    let sandbox = Sandbox::applied();
    let history = sandbox.json(["history"]).succeeds().document();
    assert_eq!(tags(&history), [FIRST, SECOND, THIRD]);
    assert_eq!(
        keys(&history[0]),
        [
            "appliedAt",
            "appliedBy",
            "checksum",
            "durationMs",
            "migration",
            "name",
            "seq",
            "status",
            "tag"
        ]
    );
    assert_eq!(history[1]["status"], "applied");
    assert!(
        history[1]["appliedBy"]
            .as_str()
            .unwrap()
            .starts_with("tester@")
    );
    assert_eq!(history[1]["migration"]["down"][0]["type"], "dropField");
    sandbox.run(["down"]).succeeds();
    assert_eq!(tags(&sandbox.json(["history"]).document()), [FIRST, SECOND]);
    let log = sandbox.json(["history", "--log"]).succeeds().document();
    let actions: Vec<&str> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["up", "up", "up", "down"]);
}

#[test]
fn show_tells_all_of_one_migration() {
    let sandbox = Sandbox::with_migrations();
    sandbox.run(["up", "--count", "1"]).succeeds();
    let shown = sandbox.json(["show", FIRST]).succeeds().document();
    for key in [
        "format",
        "tag",
        "name",
        "up",
        "down",
        "checksum",
        "status",
        "appliedAt",
        "reversible",
    ] {
        assert!(shown.get(key).is_some(), "{key}");
    }
    assert_eq!(
        (&shown["status"], &shown["reversible"]),
        (&json!("applied"), &json!("lossless"))
    );
    let shown = sandbox.json(["show", SECOND]).succeeds().document();
    assert_eq!(
        (&shown["status"], &shown["appliedAt"]),
        (&json!("pending"), &Value::Null)
    );
    std::fs::remove_dir_all(sandbox.at("migrations")).unwrap();
    let shown = sandbox.json(["show", FIRST]).succeeds().document();
    assert_eq!(
        (&shown["status"], &shown["source"]),
        (&json!("missing"), &json!("ledger"))
    );
    sandbox.json(["show", THIRD]).fails(2, "usage");
}

#[test]
fn show_tells_how_much_comes_back() {
    let sandbox = Sandbox::with_migrations();
    let drop = "20240104_000000_drop";
    let raw = "20240105_000000_raw";
    sandbox.migration(drop, json!([{ "type": "dropCollection", "name": "posts" }]));
    sandbox.migration(
        raw,
        json!([{ "type": "raw", "backend": "sqlite", "statement": "SELECT 1" }]),
    );
    for _ in ["pending", "applied"] {
        assert_eq!(
            sandbox.json(["show", drop]).document()["reversible"],
            "structureOnly"
        );
        assert_eq!(
            sandbox.json(["show", raw]).document()["reversible"],
            "irreversible"
        );
        sandbox.run(["up"]).succeeds();
    }
}

#[test]
fn schema_is_that_on_record_or_live() {
    let sandbox = Sandbox::applied();
    sandbox.sql("CREATE TABLE by_hand (a INTEGER)");
    let names = |document: &Value| -> Vec<String> {
        document["collections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&sandbox.json(["schema"]).succeeds().document()),
        ["posts", "users"]
    );
    let live = sandbox.json(["schema", "--live"]).succeeds().document();
    assert_eq!(names(&live), ["by_hand", "posts", "users"]);
    // Without --json it is JSON all the same.
    let text = sandbox.run(["schema", "--live"]).succeeds();
    assert_eq!(text.document(), live);
}

#[test]
fn a_collection_of_the_schema_is_an_operation_that_makes_it() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE users (id integer PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, at timestamp DEFAULT CURRENT_TIMESTAMP);
         CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (b, a));",
    );
    let live = sandbox.json(["schema", "--live"]).succeeds().document();
    let users = &live["collections"][1];
    assert_eq!(
        users["fields"],
        json!([
            { "name": "id", "type": "integer", "primaryKey": true },
            { "name": "email", "type": "string", "length": 255, "required": true, "unique": true },
            { "name": "at", "type": "timestamp", "default": { "now": true } },
        ])
    );
    assert_eq!(
        users["constraints"],
        json!([
            { "name": "pk_users_id", "type": "primaryKey", "columns": ["id"] },
            { "name": "uq_users_email", "type": "unique", "columns": ["email"] },
        ])
    );
    // The order of a key is not that of the fields: then only the constraint says it.
    assert_eq!(
        live["collections"][0]["constraints"][0]["columns"],
        json!(["b", "a"])
    );
    sandbox.migration("20240101_000000_again", live["collections"].clone());
    sandbox
        .without_database(["--url", "sqlite://other.db", "up"])
        .succeeds();
    let again = sandbox.without_database(["--url", "sqlite://other.db", "schema", "--live"]);
    assert_eq!(again.succeeds().document(), live);
    let error = sandbox.json(["up"]).fails(4, "alreadyExists");
    assert!(
        error["message"].as_str().unwrap().contains("just as"),
        "{error}"
    );
}

#[test]
fn verify_finds_differences() {
    let sandbox = Sandbox::applied();
    let found = sandbox.json(["verify"]).succeeds().document();
    assert_eq!(
        found,
        json!({ "ok": true, "differences": [], "untracked": [] })
    );
    sandbox.sql("CREATE TABLE by_hand (a INTEGER); ALTER TABLE users ADD COLUMN extra TEXT");
    let ran = sandbox.json(["verify"]);
    ran.fails(4, "drift");
    let found = ran.document();
    assert_eq!(
        (&found["ok"], &found["untracked"]),
        (&json!(false), &json!(["by_hand"]))
    );
    let difference = &found["differences"][0];
    for key in ["kind", "collection", "path", "recorded", "live", "message"] {
        assert!(difference.get(key).is_some(), "{key}");
    }
    assert_eq!(difference["collection"], "users");
}

#[test]
fn nobody_holds_the_lock_of_a_database_at_rest() {
    let sandbox = Sandbox::applied();
    let lock = sandbox.json(["lock", "status"]).succeeds().document();
    assert_eq!(
        lock,
        json!({ "held": false, "owner": null, "host": null, "since": null, "leaseMs": null })
    );
    let released = sandbox
        .json(["lock", "release", "--force"])
        .succeeds()
        .document();
    assert_eq!(released["released"], false);
    sandbox.json(["lock", "release"]).fails(2, "usage");
}
