//! Wrong command lines, and flags that contradict each other.

use crate::support::{FIRST, Sandbox};

#[test]
fn wrong_usage_ends_with_2_and_one_document() {
    let sandbox = Sandbox::applied();
    let before = sandbox.bytes();
    for wrong in [
        vec![],
        vec!["unknown"],
        vec!["upp"],
        vec!["up", "--bogus"],
        vec!["up", "--to"],
        vec!["up", "--to", "x"],
        vec!["up", "--to", FIRST, "--count", "1"],
        vec!["up", "--count", "0"],
        vec!["up", "--count", "-1"],
        vec!["up", "--count", "1.5"],
        vec!["up", "--count", "99999999999999999999999"],
        vec!["up", "--wait", "-1"],
        vec!["up", "--wait", "NaN"],
        vec!["up", "--wait", "inf"],
        vec!["up", "--wait", "1e300"],
        vec!["up", "--lease", "0"],
        vec!["up", "--to", "20300101_000000_none"],
        vec!["down", "x"],
        vec!["down", FIRST, "--count", "1"],
        vec!["down", FIRST, "--to", FIRST],
        vec!["down", "--to", FIRST, "--count", "1"],
        vec!["down", "--to", "20300101_000000_none"],
        vec!["down", "20300101_000000_none"],
        vec!["redo", "--count", "0"],
        vec!["plan", "--to", FIRST, "--count", "1"],
        vec!["plan", "--offline", "sqlite", "--url", "sqlite://x.db"],
        vec!["plan", "--offline", "nothing"],
        vec!["plan", "--to", "20300101_000000_none"],
        vec!["plan", "--down", "--to", "20300101_000000_none"],
        vec!["status", "--url", "sqlite://x.db", "--env", "dev"],
        vec!["status", "--url", "sqlite://x.db", "--database", "main"],
        vec!["status", "--env", "dev"],
        vec!["status", "--color", "sometimes"],
        vec!["status", "--progress", "loud"],
        vec!["status", "--max-file-size", "x"],
        vec!["status", "--max-file-size", "-1"],
        vec!["show"],
        vec!["show", "x"],
        vec!["show", "20300101_000000_none"],
        vec!["lock"],
        vec!["lock", "steal"],
        vec!["history", "--log", "--log"],
        vec!["status", "--url"],
        vec!["status", "--url", ""],
        vec!["status", "--url", "app.db"],
        vec!["status", "--url", "oracle://host/db"],
        vec!["status", "--url", "sqlite:"],
        vec!["status", "--url", "sqlite://"],
        vec!["status", "--url", "sqlite://app.db?mode=never"],
        vec!["status", "--url", "sqlite://app.db?bogus=1"],
        vec!["status", "--url", "sqlite://%ff.db"],
        vec!["status", "--url", "sqlite://%00.db"],
    ] {
        let ran = sandbox.json(wrong.clone());
        let error = ran.fails(2, "usage");
        assert_eq!(ran.stdout, "", "{wrong:?}");
        assert!(
            !error["message"].as_str().unwrap().starts_with("error"),
            "{error}"
        );
        let text = sandbox.run(&wrong).ends_with(2);
        assert!(text.stderr.starts_with("error: "), "{text:#?}");
    }
    assert_eq!(sandbox.bytes(), before);
}

#[test]
fn flags_stand_before_or_after_the_command() {
    let sandbox = Sandbox::applied();
    for arguments in [
        [
            "--json",
            "--url",
            "sqlite://app.db",
            "--migrations",
            "migrations",
            "--color",
            "never",
            "-v",
            "status",
        ],
        [
            "status",
            "--json",
            "--url",
            "sqlite://app.db",
            "--migrations",
            "migrations",
            "--color",
            "never",
            "-v",
        ],
        [
            "--url",
            "sqlite://app.db",
            "--json",
            "status",
            "-v",
            "--migrations",
            "migrations",
            "--color",
            "never",
        ],
    ] {
        let ran = sandbox.without_database(arguments).succeeds();
        assert_eq!(ran.document()["completed"], 3);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn help_and_version_are_answers() {
    let sandbox = Sandbox::new();
    let version = sandbox.without_database(["--version"]).succeeds();
    assert_eq!(
        version.stdout,
        concat!("ductape ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for command in [
        "init", "new", "validate", "plan", "up", "down", "redo", "status", "history", "show",
        "schema", "verify", "repair", "lock",
    ] {
        let help = sandbox.without_database([command, "--help"]).succeeds();
        assert!(help.stdout.contains("Usage: ductape"), "{command}");
        assert_eq!(help.stderr, "");
    }
    assert!(
        sandbox
            .without_database(["--help"])
            .succeeds()
            .stdout
            .contains("Roll back")
    );
}

#[test]
fn no_database_is_named() {
    let sandbox = Sandbox::with_migrations();
    for command in [
        "up", "down", "redo", "status", "history", "schema", "verify",
    ] {
        sandbox
            .without_database([command, "--json"])
            .fails(2, "usage");
    }
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::with_migrations();
    let odd = OsStr::from_bytes(b"\xff\xfe");
    for arguments in [
        [OsStr::new("up"), OsStr::new("--to"), odd],
        [OsStr::new("status"), OsStr::new("--url"), odd],
        [OsStr::new("status"), OsStr::new("--env"), odd],
        [OsStr::new("new"), OsStr::new("x"), odd],
        [OsStr::new("status"), OsStr::new("--migrations"), odd],
        [OsStr::new("status"), OsStr::new("--config"), odd],
        [odd, odd, odd],
    ] {
        sandbox.run(arguments).ends_with(2);
    }
    let odd_url = crate::support::finish(sandbox.command(["status"]).env("DUCTAPE_URL", odd));
    odd_url.ends_with(2);
}

#[test]
fn help_tells_the_short_forms_and_where_the_commands_are() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(["new", "--help"]).ends_with(0);
    assert!(
        help.stdout.contains("rename users.name full_name"),
        "{help:#?}"
    );
    for wrong in [vec![], vec!["lock"], vec!["frob"]] {
        let ran = sandbox.run(&wrong).ends_with(2);
        assert!(ran.stderr.contains("--help lists the commands"), "{ran:#?}");
    }
}

#[test]
fn a_database_that_is_not_there_yet_is_not_said_to_be_a_feature() {
    let sandbox = Sandbox::applied();
    for (arguments, code) in [
        (["plan", "--offline", "mysql"], 6),
        (["status", "--url", "mysql://root@host/app"], 2),
    ] {
        let ran = sandbox.run(arguments).ends_with(code);
        assert!(!ran.stderr.contains("feature"), "{ran:#?}");
    }
}
