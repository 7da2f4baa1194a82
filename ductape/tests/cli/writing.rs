//! Commands that write files: init and new. And validate, which reads them.

use crate::support::{FIRST, SECOND, Sandbox, THIRD};
use serde_json::{Value, json};

#[test]
fn init_makes_what_is_needed_and_overwrites_nothing() {
    let sandbox = Sandbox::new();
    let made = sandbox
        .without_database(["init", "--json"])
        .succeeds()
        .document();
    assert_eq!(
        made["created"],
        json!(["ductape.toml", "migrations", "ductape.schema.json"])
    );
    assert_eq!(made["kept"], json!([]));
    let schema = std::fs::read_to_string(sandbox.at("ductape.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["properties"]["format"]["const"], 1);
    // What it wrote works as it stands.
    sandbox
        .without_database(["new", "first", "create users id:uuid:pk"])
        .succeeds();
    sandbox.without_database(["up"]).succeeds();
    assert!(sandbox.at("dev.db").exists());

    sandbox.write("ductape.toml", "[product]\nname = \"mine\"\n");
    let before = sandbox.bytes();
    let made = sandbox
        .without_database(["init", "--json"])
        .succeeds()
        .document();
    assert_eq!(made["created"], json!([]));
    assert_eq!(sandbox.bytes(), before);
}

fn made(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let ran = sandbox
        .without_database(["new"].iter().chain(arguments))
        .succeeds();
    let path = ran.stdout.trim();
    assert!(
        path.starts_with("migrations/") && path.ends_with(".json"),
        "{path}"
    );
    let text = std::fs::read_to_string(sandbox.at(path)).unwrap();
    assert!(text.ends_with("}\n"));
    sandbox.without_database(["validate", path]).succeeds();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn new_understands_every_short_form() {
    let field = |name: &str, more: Value| {
        let mut field = json!({ "name": name });
        for (key, value) in more.as_object().unwrap() {
            field[key] = value.clone();
        }
        field
    };
    let cases: Vec<(&str, Value)> = vec![
        (
            "create users id:uuid:pk email:string(255):required:unique",
            json!([{ "type": "createCollection", "name": "users", "fields": [
                field("id", json!({ "type": "uuid", "primaryKey": true })),
                field("email", json!({ "type": "string", "length": 255, "required": true, "unique": true })),
            ] }]),
        ),
        (
            "add users phone:string(20)",
            json!([{ "type": "addField", "collection": "users",
                     "field": field("phone", json!({ "type": "string", "length": 20 })) }]),
        ),
        (
            "drop users.old_column",
            json!([{ "type": "dropField", "collection": "users", "field": "old_column" }]),
        ),
        (
            "drop users",
            json!([{ "type": "dropCollection", "name": "users" }]),
        ),
        (
            "rename users.name full_name",
            json!([{ "type": "renameField", "collection": "users", "from": "name", "to": "full_name" }]),
        ),
        (
            "rename users people",
            json!([{ "type": "renameCollection", "from": "users", "to": "people" }]),
        ),
        (
            "index users(email):unique",
            json!([{ "type": "createIndex", "collection": "users",
                     "index": { "fields": [{ "name": "email" }], "unique": true } }]),
        ),
        (
            "index users(last, first desc):name=by_name",
            json!([{ "type": "createIndex", "collection": "users", "index": { "name": "by_name",
                     "fields": [{ "name": "last" }, { "name": "first", "order": "desc" }] } }]),
        ),
        (
            "create orders id:bigint:pk:auto total:decimal(10,2):default=0 state:enum(new, paid):default=new at:timestamp:default=now timestamps",
            json!([{ "type": "createCollection", "name": "orders", "timestamps": true, "fields": [
                field("id", json!({ "type": "bigint", "primaryKey": true, "autoIncrement": true })),
                field("total", json!({ "type": "decimal", "precision": 10, "scale": 2, "default": 0 })),
                field("state", json!({ "type": "enum", "enumValues": ["new", "paid"], "default": "new" })),
                field("at", json!({ "type": "timestamp", "default": { "now": true } })),
            ] }]),
        ),
        (
            "add users tags:array(string(20)) level:integer:default=3 vip:boolean:default=false at:time:default=12:30:00",
            json!([
                { "type": "addField", "collection": "users", "field":
                    field("tags", json!({ "type": "array", "items": { "type": "string", "length": 20 } })) },
                { "type": "addField", "collection": "users", "field": field("level", json!({ "type": "integer", "default": 3 })) },
                { "type": "addField", "collection": "users", "field": field("vip", json!({ "type": "boolean", "default": false })) },
                { "type": "addField", "collection": "users", "field": field("at", json!({ "type": "time", "default": "12:30:00" })) },
            ]),
        ),
    ];
    for (short, expected) in &cases {
        let sandbox = Sandbox::new();
        assert_eq!(
            &made(&sandbox, &["change", short])["up"],
            expected,
            "{short}"
        );
        let mut words = vec!["change"];
        words.extend(short.split(' ').filter(|_| !short.contains(", ")));
        if words.len() > 1 {
            let sandbox = Sandbox::new();
            assert_eq!(
                &made(&sandbox, &words)["up"],
                expected,
                "word by word: {short}"
            );
        }
    }
    let sandbox = Sandbox::new();
    let all = made(
        &sandbox,
        &["both", "create a id:uuid:pk", "index a(id)", "drop b"],
    );
    assert_eq!(all["up"].as_array().unwrap().len(), 3);
}

#[test]
fn new_says_which_word_does_not_fit() {
    let sandbox = Sandbox::new();
    for wrong in [
        "creat users id:uuid",
        "create",
        "add users",
        "add users phone",
        "add users phone:",
        "add users phone:strin",
        "add users phone:string(x)",
        "add users phone:string(20",
        "add users phone:integer(3)",
        "add users phone:string(20):uniqe",
        "rename users",
        "index users",
        "index users()",
        "index users(a b c)",
        "index users(a):big",
        "drop",
        "create users id:uuid:pk id:text",
        "create ductape_x id:uuid:pk",
        "add users a:integer:default=none",
        "add users a:decimal(99999999999,2)",
    ] {
        sandbox
            .without_database(["--json", "new", "x", wrong])
            .fails(2, "usage");
    }
    for name in [
        "",
        "a b",
        "a-b",
        "../x",
        "a/b",
        "x.json",
        "naïve!",
        "\u{1b}[31m",
        &"x".repeat(300),
    ] {
        sandbox
            .without_database(["--json", "new", name])
            .fails(2, "usage");
    }
    assert!(sandbox.bytes().is_empty(), "nothing was written");
}

#[test]
fn new_files_have_tags_in_order_also_within_one_second() {
    let sandbox = Sandbox::new();
    let tags: Vec<String> = ["c", "b", "a", "a"]
        .iter()
        .map(|name| {
            let ran = sandbox
                .without_database(["--json", "new", name, "drop t"])
                .succeeds();
            let document = ran.document();
            assert_eq!(
                document["path"],
                format!("migrations/{}.json", document["tag"].as_str().unwrap())
            );
            document["tag"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut sorted = tags.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(tags, sorted);
    sandbox.write("migrations/99990101_000000_far.json", "{}");
    let ran = sandbox.without_database(["--json", "new", "d"]).succeeds();
    assert!(ran.document()["tag"].as_str().unwrap() < "9999");
}

#[test]
fn new_without_operations_leaves_them_to_the_author() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .without_database(["new", "later", "--description", "with \"quotes\""])
        .succeeds();
    let text = std::fs::read_to_string(sandbox.at(ran.stdout.trim())).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&file["up"], &file["description"]),
        (&json!([]), &json!("with \"quotes\""))
    );
    let error = sandbox
        .without_database(["--json", "validate"])
        .fails(2, "invalid");
    assert_eq!(error["problems"][0]["path"], "up");
}

#[test]
fn validate_lists_the_files() {
    let sandbox = Sandbox::with_migrations();
    let valid = sandbox
        .without_database(["--json", "validate"])
        .succeeds()
        .document();
    assert_eq!(valid["ok"], true);
    assert_eq!(
        crate::support::tags(&valid["migrations"]),
        [FIRST, SECOND, THIRD]
    );
    sandbox
        .without_database(["validate", &format!("migrations/{SECOND}.json")])
        .succeeds();
}

#[test]
fn validate_for_a_database_lists_what_it_cannot_do() {
    let sandbox = Sandbox::with_migrations();
    sandbox
        .without_database(["--json", "validate", "--for", "sqlite"])
        .succeeds();
    for tag in ["20240105_000000_a", "20240106_000000_b"] {
        sandbox.migration(
            tag,
            json!([{ "type": "createIndex", "collection": "users",
            "index": { "name": &tag[16..], "fields": ["email"], "method": "gin" } }]),
        );
    }
    let error = sandbox
        .without_database(["--json", "validate", "--for", "sqlite"])
        .fails(6, "unsupported");
    let files: Vec<&str> = error["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "migrations/20240105_000000_a.json",
            "migrations/20240106_000000_b.json"
        ]
    );
    assert_eq!(error["problems"][0]["path"], "up[0]");
    sandbox.json(["up"]).fails(6, "unsupported");
    assert_eq!(
        sandbox.json(["status"]).document()["completed"],
        0,
        "nothing was touched"
    );
    sandbox
        .without_database(["--json", "validate", "--for", "oracle"])
        .fails(2, "usage");
    sandbox
        .without_database(["--json", "validate", "--for", "cassandra"])
        .fails(6, "unsupported");
}
