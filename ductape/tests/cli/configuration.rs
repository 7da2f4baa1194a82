//! `ductape.toml` and the environment.

use crate::support::{FIRST, Sandbox, finish, tags};

const CONFIG: &str = r#"
default = "main.dev"
[product]
name = "app"
migrations = "migrations"
[databases.main.dev]
url = "sqlite://dev.db"
[databases.main.prd]
url = "sqlite://${PLACE}/prd.db"
protected = true
requires = "dev"
[databases.other.dev]
url = "sqlite://other.db"
"#;

fn configured() -> Sandbox {
    let sandbox = Sandbox::with_migrations();
    sandbox.write("ductape.toml", CONFIG);
    sandbox
}

#[test]
fn a_database_goes_by_its_name() {
    let sandbox = configured();
    sandbox.without_database(["up", "--count", "1"]).succeeds();
    assert!(sandbox.at("dev.db").exists(), "the default");
    sandbox
        .without_database(["up", "--env", "dev", "--database", "other"])
        .succeeds();
    assert!(sandbox.at("other.db").exists());
    let completed = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = sandbox.command(arguments);
        command.arg("--json").envs(variables.iter().copied());
        finish(&mut command).succeeds().document()["completed"].clone()
    };
    assert_eq!(completed(&["status"], &[]), 1);
    assert_eq!(completed(&["status", "--database", "other"], &[]), 3);
    assert_eq!(completed(&["status"], &[("DUCTAPE_DATABASE", "other")]), 3);
    assert_eq!(
        completed(&["status"], &[("DUCTAPE_URL", "sqlite://other.db")]),
        3
    );
    assert_eq!(
        completed(
            &["status", "--database", "main"],
            &[("DUCTAPE_DATABASE", "other")]
        ),
        1
    );
    assert_eq!(
        completed(
            &["status", "--env", "dev"],
            &[("DUCTAPE_URL", "sqlite://other.db")]
        ),
        1
    );
    assert_eq!(
        completed(&["status"], &[("DUCTAPE_URL", "")]),
        1,
        "an empty one is none"
    );
    assert_eq!(
        completed(
            &["status", "--url", "sqlite://other.db"],
            &[("DUCTAPE_ENV", "x")]
        ),
        3
    );
}

#[test]
fn a_variable_that_is_not_there_is_named() {
    let sandbox = configured();
    let error = sandbox
        .without_database(["--json", "status", "--env", "prd"])
        .fails(2, "invalid");
    assert!(
        error["message"].as_str().unwrap().contains("\"PLACE\""),
        "{error}"
    );
    let mut command = sandbox.command(["--json", "status", "--env", "prd"]);
    finish(command.env("PLACE", ".")).succeeds();
}

#[test]
fn what_does_not_exist_is_told_with_what_does() {
    let sandbox = configured();
    let error = sandbox
        .without_database(["--json", "status", "--env", "none"])
        .fails(2, "usage");
    assert_eq!(error["hint"], "there are: dev, prd");
    let error = sandbox
        .without_database(["--json", "status", "--database", "none"])
        .fails(2, "usage");
    assert_eq!(error["hint"], "there are: main, other");
    sandbox.write("ductape.toml", CONFIG.replace("default = \"main.dev\"", ""));
    sandbox
        .without_database(["--json", "status"])
        .fails(2, "usage");
    sandbox
        .without_database(["--json", "status", "--database", "main"])
        .fails(2, "usage");
    sandbox
        .without_database(["--json", "status", "--database", "other"])
        .succeeds();
    sandbox.write("ductape.toml", "");
    sandbox
        .without_database(["--json", "status"])
        .fails(2, "invalid");
}

#[test]
fn another_configuration_can_be_named() {
    let sandbox = configured();
    std::fs::create_dir(sandbox.at("sub")).unwrap();
    std::fs::rename(sandbox.at("ductape.toml"), sandbox.at("sub/other.toml")).unwrap();
    std::fs::rename(sandbox.at("migrations"), sandbox.at("sub/migrations")).unwrap();
    let up = sandbox
        .without_database(["--config", "sub/other.toml", "up", "--json"])
        .succeeds();
    assert_eq!(
        tags(&up.document()["applied"]).len(),
        3,
        "the folder stands beside the configuration"
    );
    sandbox
        .without_database(["--config", "none.toml", "status", "--json"])
        .fails(2, "invalid");
}

#[test]
fn a_wrong_configuration_is_told() {
    for wrong in [
        "[",
        "x = 1",
        "[product]\nnam = \"x\"",
        "[product]\nname = 3",
        "product = 3",
        "databases = []",
        "[databases]\nmain = 3",
        "[databases.main]\ndev = \"sqlite://x.db\"",
        "[databases.main.dev]",
        "[databases.main.dev]\nurl = 3",
        "[databases.main.dev]\nurl = \"sqlite://${\"",
        "[databases.main.dev]\nurl = \"sqlite://${NONE}\"",
        "[databases.main.dev]\nurl = \"sqlite://x.db\"\nprotected = \"yes\"",
        "[databases.main.dev]\nurl = \"sqlite://x.db\"\npassword = \"hunter22\"",
        "default = 3\n[databases.main.dev]\nurl = \"sqlite://x.db\"",
        "[databases.main.dev]\nurl = \"sqlite://x.db\"\n[databases.main.dev]\nurl = \"y\"",
    ] {
        let sandbox = Sandbox::with_migrations();
        sandbox.write("ductape.toml", wrong);
        let before = sandbox.bytes();
        let error = sandbox
            .without_database(["--json", "up"])
            .fails(2, "invalid");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("ductape.toml: "), "{message}");
        assert!(!error.to_string().contains("hunter22"));
        assert_eq!(sandbox.bytes(), before);
    }
    let sandbox = Sandbox::with_migrations();
    sandbox.write("ductape.toml", b"\xff\xfe");
    sandbox
        .without_database(["--json", "up"])
        .fails(2, "invalid");
}

#[test]
fn an_environment_may_require_another_before_it() {
    let sandbox = configured();
    let up = |arguments: &[&str]| {
        let mut command = sandbox.command(["--json", "up", "--env", "prd"]);
        finish(command.args(arguments).env("PLACE", "."))
    };
    let error = up(&[]).fails(6, "refused");
    assert_eq!(error["tag"], FIRST);
    assert!(!sandbox.at("prd.db").exists());
    sandbox.without_database(["up", "--count", "1"]).succeeds();
    assert_eq!(
        tags(&up(&["--to", FIRST]).succeeds().document()["applied"]),
        [FIRST]
    );
    up(&[]).fails(6, "refused");
    sandbox.without_database(["up"]).succeeds();
    up(&["--dry-run"]).succeeds();
    up(&[]).succeeds();
}

#[test]
fn a_protected_environment_loses_no_data_without_leave() {
    let sandbox = configured();
    sandbox.write("ductape.toml", CONFIG.replace("requires = \"dev\"", ""));
    let up = |arguments: &[&str]| {
        let mut command = sandbox.command(["--json", "up", "--env", "prd"]);
        finish(command.args(arguments).env("PLACE", "."))
    };
    up(&[]).succeeds();
    sandbox.migration(
        "20240110_000000_drop",
        serde_json::json!([{ "type": "dropCollection", "name": "posts" }]),
    );
    up(&["--dry-run"]).fails(6, "refused");
    up(&[]).fails(6, "refused");
    up(&["--allow-data-loss"]).succeeds();
}

#[test]
fn the_default_names_a_database_an_environment_or_both() {
    let sandbox = configured();
    let said = |default: &str| {
        sandbox.write(
            "ductape.toml",
            CONFIG.replace("default = \"main.dev\"", default),
        );
        finish(
            sandbox
                .command(["--json", "up", "--dry-run"])
                .env("PLACE", "."),
        )
    };
    let of = |default: &str| {
        said(default).succeeds();
        finish(sandbox.command(["-v", "status"]).env("PLACE", "."))
            .succeeds()
            .stderr
    };
    assert!(of("default = \"other.dev\"").contains("other.dev"));
    assert!(of("default = \"other\"").contains("other.dev"));
    assert!(of("[default]\ndatabase = \"main\"\nenv = \"dev\"").contains("main.dev"));
    sandbox.write(
        "ductape.toml",
        CONFIG.replace("default = \"main.dev\"", "default = \"dev\""),
    );
    let status = finish(&mut sandbox.command(["-v", "status", "--database", "main"])).succeeds();
    assert!(status.stderr.contains("main.dev"), "{status:?}");
    said("default = \"nothing\"").fails(2, "invalid");
}

#[test]
fn nor_does_it_on_the_way_back() {
    let sandbox = configured();
    sandbox.write("ductape.toml", CONFIG.replace("requires = \"dev\"", ""));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(["--json", "--env", "prd"]);
        finish(command.args(arguments).env("PLACE", "."))
    };
    run(&["up"]).succeeds();
    // An index holds no data of its own.
    sandbox.migration(
        "20240110_000000_index",
        serde_json::json!([{ "type": "createIndex", "collection": "users", "index": { "fields": ["phone"] } }]),
    );
    run(&["up"]).succeeds();
    run(&["redo"]).succeeds();
    run(&["down"]).succeeds();
    for command in [
        &["down"] as &[_],
        &["down", "--dry-run"],
        &["redo"],
        &["redo", "--dry-run"],
        &["down", "--count", "2"],
    ] {
        let error = run(command).fails(6, "refused");
        assert!(
            error["hint"]
                .as_str()
                .unwrap()
                .contains("--allow-data-loss"),
            "{error}"
        );
    }
    let status = run(&["status"]).document();
    assert_eq!(status["completed"], 3, "nothing was touched");
    let down = run(&["down", "--allow-data-loss"]).succeeds().document();
    assert_eq!(tags(&down["rolledBack"]).len(), 1);
}
