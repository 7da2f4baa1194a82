//! No password, token or key is ever told.

use crate::support::{Sandbox, finish};

#[test]
fn a_password_never_shows() {
    let sandbox = Sandbox::with_migrations();
    let secret = "hunt%65r2-S3cret";
    let decoded = "hunter2-S3cret";
    let urls = [
        format!("oracle://app:{secret}@db.internal/app"),
        format!("oracle://app:{secret}@db.internal/app?sslmode=no"),
        format!("oracle://db.internal/app?password={secret}&x=1"),
        format!("oracle://db.internal/app?x=1&sslkeysecret={secret}"),
        format!("sqlite://app:{secret}@/none/app.db?mode=bogus"),
        format!("sqlite://none/app.db?password={secret}"),
        format!("sqlite://app.db?key={secret}"),
        format!("app:{secret}@host"),
        format!("postgres://app:{secret}@db.internal/app"),
        format!("postgres://app:p@ss/{secret}?x@db.internal/app"),
    ];
    let config = |url: &str| format!("[databases.main.dev]\nurl = '{url}'\n");
    for url in &urls {
        let runs = [
            sandbox.command(["status", "--json", "--url", url]),
            sandbox.command(["-v", "status", "--url", url]),
            sandbox.command(["-v", "up", url]),
            sandbox.command(["-v", "--json", "down", url]),
            sandbox.command(["--json", "status", &format!("--uri={url}")]),
            sandbox.command(["status", &format!("--color={url}")]),
            sandbox.command(["--json", url]),
            sandbox.command(["new", "x", url]),
            sandbox.command(["--json", "up", "--to", url]),
            sandbox.command(["validate", url]),
            sandbox.command(["--config", url, "status"]),
            sandbox.command(["--migrations", url, "status", "--url", "sqlite://app.db"]),
            sandbox.command(["--env", url, "--json", "status"]),
        ];
        let mut runs = Vec::from(runs);
        let mut by_variable = sandbox.command(["-v", "status"]);
        by_variable.env("DUCTAPE_URL", url);
        runs.push(by_variable);
        sandbox.write("c.toml", config(url));
        runs.push(sandbox.command(["-v", "--config", "c.toml", "status"]));
        runs.push(sandbox.command(["--json", "--config", "c.toml", "up"]));
        let hidden = url.replace(secret, "${DB_PASSWORD}");
        sandbox.write("v.toml", config(&hidden));
        for value in [secret, decoded] {
            let mut expanded = sandbox.command(["-v", "--config", "v.toml", "status"]);
            expanded.env("DB_PASSWORD", value);
            runs.push(expanded);
        }
        for mut run in runs {
            let ran = finish(&mut run);
            for secret in [secret, decoded, "S3cret"] {
                assert!(
                    !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                    "{run:?} told it: {ran:#?}"
                );
            }
        }
    }
}

#[test]
fn what_looks_like_a_password_in_a_configuration_is_not_quoted() {
    let sandbox = Sandbox::with_migrations();
    for wrong in [
        "[databases.main.dev]\nurl = postgres://app:S3cret@host/app",
        "[databases.main.dev]\nurl = \"postgres://app:S3cret@host/app",
        "[databases.main.dev]\nurl = [\"postgres://app:S3cret@host/app\"]",
        "[databases.main]\ndev = \"postgres://app:S3cret@host/app\"",
        "databases = \"S3cret\"",
        "default = \"S3cret\"\n[databases.main.dev]\nurl = 1",
    ] {
        sandbox.write("ductape.toml", wrong);
        for arguments in [["--json", "up"], ["-v", "up"]] {
            let ran = sandbox.without_database(arguments).ends_with(2);
            assert!(!ran.stderr.contains("S3cret"), "{ran:#?}");
        }
    }
}
