//! Names of files and words on the command line.

use super::*;

#[test]
fn names_of_files_that_nobody_expects() {
    let target = Target::new();
    let right =
        json!({ "format": 1, "tag": TAG, "up": [{ "type": "dropCollection", "name": "posts" }] });
    for name in [
        "x.json",
        "20250101_000000_.json",
        "20251301_000000_a.json",
        "20250101_246060_a.json",
        "20250101_000000_hostile.JSON",
        "20250101_000000_hostile .json",
        " 20250101_000000_hostile.json",
        "20250101-000000-hostile.json",
        "20250101_000000_Hostile.json",
        "20250101_000000_hostile.json.json",
        "20250101_000000_hostile\n.json",
        "20250101_000000_hostile\u{1b}[31m.json",
        "20250101_000000_h\u{f6}stile.json",
        "-rf.json",
        "--json.json",
        "$(touch x).json",
        "%s%s%s%n.json",
        "con.json",
        "👻.json",
    ] {
        let path: PathBuf = target
            .sandbox
            .write(&format!("migrations/{name}"), right.to_string());
        for command in ["validate", "up", "status", "plan"] {
            let ran = target.sandbox.json([command]);
            ran.fails(2, "invalid");
            let text = target.sandbox.run([command]).ends_with(2);
            assert!(!text.stderr.contains('\u{1b}'), "{name}");
        }
        std::fs::remove_file(path).unwrap();
        target.untouched(name);
    }
}

#[test]
fn words_on_the_command_line_that_nobody_expects() {
    let target = Target::new();
    let long = "x".repeat(100_000);
    let words = [
        "",
        " ",
        "-",
        "--",
        "---",
        "-\u{7f}",
        "\u{1b}[31m",
        "../..",
        "/",
        "/dev/null",
        "/dev/zero",
        "/proc/self/mem",
        "*",
        "%s%n",
        "$(id)",
        "`id`",
        "'",
        "\"",
        "\\",
        "\n",
        "😀",
        "\u{202e}",
        "0",
        "-0",
        "1e9",
        "0x10",
        "18446744073709551616",
        "null",
        "true",
        "{}",
        "[]",
        "sqlite::memory:",
        "sqlite://app.db",
        &long,
        "20240101_000000_create_users\n",
        "99999999_999999_x",
        "00000000_000000_x",
        "sqlite://../../etc/passwd?mode=ro",
    ];
    for word in words {
        for arguments in [
            vec![word],
            vec!["up", "--to", word],
            vec!["up", "--count", word],
            vec!["up", "--wait", word],
            vec!["down", "--", word],
            vec!["show", "--", word],
            vec!["plan", "--offline", word],
            vec!["validate", "--for", word],
            vec!["validate", "--", word],
            vec!["status", "--url", word],
            vec!["status", "--env", word],
            vec!["status", "--config", word],
            vec!["status", "--migrations", word],
            vec!["status", "--max-file-size", word],
            vec!["status", "--color", word],
            vec!["--progress", word, "status"],
            vec!["new", "--", word, "create", word],
            vec!["new", "x", "--", "create", word, word],
            vec!["lock", word],
        ] {
            if arguments.contains(&"new") {
                // Writes files, but nowhere else than into the folder.
                let sandbox = Sandbox::new();
                let ran = sandbox.without_database(["--json"].iter().chain(&arguments));
                told(word, &ran);
                let stray = sandbox
                    .bytes()
                    .into_keys()
                    .find(|path| !path.starts_with(sandbox.at("migrations")));
                assert_eq!(stray, None, "{word}");
                continue;
            }
            let ran = target.sandbox.json(arguments.clone());
            told(&format!("{arguments:?}"), &ran);
        }
    }
    target.untouched("words");
}
