//! Files that are wrong: each kind, all of them at once.

use crate::support::{FIRST, SECOND, Sandbox, create_users};
use serde_json::{Value, json};

/// The problems that `validate` and `up` find alike, as (file, path, message).
fn problems(sandbox: &Sandbox) -> Vec<(String, String, String)> {
    let of = |error: Value| {
        error["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                let text = |key: &str| p[key].as_str().unwrap().to_owned();
                (text("file"), text("path"), text("message"))
            })
            .collect::<Vec<_>>()
    };
    let before = sandbox.bytes();
    let validate = of(sandbox.json(["validate"]).fails(2, "invalid"));
    let up = of(sandbox.json(["up"]).fails(2, "invalid"));
    assert_eq!(validate, up);
    assert_eq!(sandbox.bytes(), before, "nothing was touched");
    validate
}

#[track_caller]
fn one(sandbox: &Sandbox, path: &str, message: &str) {
    let found = problems(sandbox);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].1, path, "{found:#?}");
    assert!(found[0].2.contains(message), "{found:#?}");
}

fn with_file(name: &str, bytes: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(&format!("migrations/{name}"), bytes);
    sandbox
}

const TAG: &str = "20240101_000000_a";
const NAME: &str = "20240101_000000_a.json";

#[test]
fn each_kind_of_bad_file_has_its_words() {
    one(&with_file(NAME, ""), "", "empty");
    one(&with_file(NAME, " \n"), "", "empty");
    one(&with_file(NAME, b"\xff\xfe{}"), "", "not UTF-8");
    one(
        &with_file(NAME, b"{\"format\": 1, \"tag\": \"\xc3\x28\"}"),
        "",
        "not UTF-8: the byte 22",
    );
    one(&with_file(NAME, "{"), "", "not valid JSON");
    one(&with_file(NAME, "{} {}"), "", "not valid JSON");
    one(&with_file(NAME, "[]"), "", "expected a migration");
    one(
        &with_file(NAME, "{\"format\": 2, \"x\": 1}"),
        "format",
        "this version reads 1",
    );
    let twice = format!("{{\"format\": 1, \"format\": 1, \"tag\": \"{TAG}\", \"up\": []}}");
    one(&with_file(NAME, twice), "", "stands twice");
    let right = json!({ "format": 1, "tag": TAG, "up": [create_users()] }).to_string();
    one(
        &with_file("other.json", &right),
        "tag",
        "must be called by its tag",
    );
    one(
        &with_file("20240101_000000_A.json", &right),
        "tag",
        "must be called by its tag",
    );
    with_file(NAME, format!("\u{feff}{}", right.replace(',', ",\r\n")))
        .json(["validate"])
        .succeeds();
}

#[test]
fn what_is_no_migration_may_stand_beside_them() {
    let sandbox = Sandbox::with_migrations();
    sandbox.write("migrations/README.md", "notes");
    sandbox.write("migrations/.gitkeep", "");
    sandbox.write("migrations/.hidden.json", "{");
    sandbox.write("migrations/older/x.json", "{");
    sandbox.json(["validate"]).succeeds();
    sandbox.json(["up"]).succeeds();
}

#[test]
fn missing_places_are_told() {
    let sandbox = Sandbox::new();
    one(&sandbox, "", "not there");
    for command in ["up", "status", "plan", "validate"] {
        sandbox.json([command, "none.json"]).fails(2, "invalid");
        sandbox
            .json([command, "--migrations", "none"])
            .fails(2, "invalid");
    }
    std::fs::create_dir(sandbox.at("migrations")).unwrap();
    sandbox.json(["up"]).succeeds();
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("migrations/a.json", "{");
    sandbox.document(
        FIRST,
        &json!({ "format": 1, "tag": FIRST, "extra": 0,
        "up": [{ "type": "createColection" }, { "type": "dropField", "collection": 3 }] }),
    );
    let found = problems(&sandbox);
    let paths: Vec<&str> = found.iter().map(|(_, path, _)| path.as_str()).collect();
    assert_eq!(paths.len(), 5, "{found:#?}");
    for path in ["", "extra", "up[0].type", "up[1].collection"] {
        assert!(paths.contains(&path), "{path}: {found:#?}");
    }
    let text = sandbox.run(["validate"]).ends_with(2).stderr;
    assert!(
        text.contains(&format!("migrations/{FIRST}.json: up[1].collection")),
        "{text}"
    );
}

#[test]
fn two_files_of_one_tag_are_told_with_both_paths() {
    let sandbox = Sandbox::with_migrations();
    let copy = format!("copy/{FIRST}.json");
    sandbox.write(
        &copy,
        std::fs::read(sandbox.at(&format!("migrations/{FIRST}.json"))).unwrap(),
    );
    let error = sandbox
        .json([
            "validate",
            "--migrations",
            "migrations",
            "--migrations",
            "copy",
        ])
        .fails(2, "invalid");
    let problem = &error["problems"][0];
    assert_eq!(problem["file"], copy);
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("migrations/2024")
    );
}

#[test]
fn files_that_contradict_each_other_are_told() {
    let sandbox = Sandbox::with_migrations();
    sandbox.migration("20240105_000000_again", json!([create_users()]));
    sandbox.migration(
        "20240106_000000_gone",
        json!([{ "type": "dropCollection", "name": "posts" }]),
    );
    sandbox.migration(
        "20240107_000000_lost",
        json!([
            { "type": "dropField", "collection": "users", "field": "phone" },
            { "type": "renameField", "collection": "posts", "from": "id", "to": "key" },
        ]),
    );
    let found = problems(&sandbox);
    let places: Vec<(&str, &str)> = found
        .iter()
        .map(|(f, p, _)| (f.as_str(), p.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("migrations/20240105_000000_again.json", "up[0]"),
            ("migrations/20240107_000000_lost.json", "up[1]"),
        ]
    );
}

#[test]
fn a_file_has_a_largest_size() {
    let sandbox = Sandbox::with_migrations();
    let error = sandbox
        .json(["validate", "--max-file-size", "100"])
        .fails(2, "invalid");
    assert!(error["message"].as_str().unwrap().contains("100 bytes"));
    let file = sandbox.at(&format!("migrations/{SECOND}.json"));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + &" ".repeat(17 << 20)).unwrap();
    one(&sandbox, "", "16777216 bytes");
    let limit = (18 << 20).to_string();
    sandbox
        .json(["validate", "--max-file-size", &limit])
        .succeeds();
    let large = sandbox.at(&format!("migrations/{SECOND}.json"));
    std::fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len(17 << 20)
        .unwrap();
    one(&sandbox, "", "16777216 bytes");
    std::fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    one(&sandbox, "", "16777216 bytes");
}

#[cfg(unix)]
#[test]
fn links_pipes_and_devices() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::with_migrations();
    symlink(
        "/dev/zero",
        sandbox.at("migrations/20240109_000000_zero.json"),
    )
    .unwrap();
    one(&sandbox, "", "not a regular file");
    std::fs::remove_file(sandbox.at("migrations/20240109_000000_zero.json")).unwrap();
    symlink(
        "nowhere",
        sandbox.at("migrations/20240109_000000_lost.json"),
    )
    .unwrap();
    one(&sandbox, "", "cannot be read");
    std::fs::remove_file(sandbox.at("migrations/20240109_000000_lost.json")).unwrap();
    let pipe = sandbox.at("migrations/20240109_000000_pipe.json");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    one(&sandbox, "", "not a regular file");
    std::fs::remove_file(&pipe).unwrap();
    let moved = sandbox.at("elsewhere.json");
    let path = sandbox.at(&format!("migrations/{FIRST}.json"));
    std::fs::rename(&path, &moved).unwrap();
    symlink(&moved, &path).unwrap();
    sandbox.json(["validate"]).succeeds();
}
