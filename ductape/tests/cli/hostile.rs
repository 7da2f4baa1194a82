//! Input that nobody meant well: no panic, no hang, the right code, and nothing touched.
//!
//! The inputs are made by hand and by mutation of a migration that uses every key of the format. Each is
//! given to `validate` and to `up` on a database that has a ledger already.

mod harm;
mod words;

use crate::support::{Ran, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

const TAG: &str = "20250101_000000_hostile";

/// Every operation with every key of the format.
fn everything() -> Value {
    let field = json!({
        "name": "amount", "type": "decimal", "precision": 10, "scale": 2, "required": true,
        "unique": false, "default": "1.50", "comment": "c", "native": { "postgresql": "money" },
    });
    let key = json!({ "name": "email", "order": "desc", "length": 10, "nulls": "last",
        "operatorClass": "text_ops", "collation": "C" });
    json!({
        "format": 1, "tag": TAG, "name": "hostile", "description": "everything",
        "up": [
            { "type": "createCollection", "name": "h_a", "timestamps": true, "comment": "c", "allow": ["recordOnly"],
              "fields": [
                { "name": "id", "type": "bigint", "primaryKey": true, "autoIncrement": true },
                { "name": "email", "type": "string", "length": 20, "nullable": false, "collation": "NOCASE" },
                { "name": "state", "type": "enum", "enumValues": ["a", "b"], "default": "a" },
                { "name": "list", "type": "array", "items": { "type": "string", "length": 20 } },
                { "name": "half", "type": "integer", "generated": { "expression": "id / 2", "stored": true } },
                { "name": "at", "type": "timestamp", "default": { "now": true } },
                { "name": "key", "type": "uuid", "default": { "uuid": true } },
                { "name": "made", "type": "text", "default": { "expression": { "sqlite": "('x')" } } },
                field,
              ],
              "indexes": [{ "name": "h_i", "fields": [key], "unique": true, "nullsNotDistinct": true,
                "where": { "postgresql": "email <> ''" }, "method": "btree", "with": { "fillfactor": 70 },
                "include": ["state"], "hidden": false, "comment": "c", "online": true,
                "mongo": { "sparse": true, "expireAfterSeconds": 5, "partialFilterExpression": {}, "collation": {} },
                "dynamo": { "projection": ["state"], "readCapacity": 1, "writeCapacity": 1 } }],
              "constraints": [
                { "name": "h_u", "type": "unique", "columns": ["email"], "deferrable": "deferred" },
                { "name": "h_f", "type": "foreignKey", "columns": ["id"], "references":
                  { "table": "users", "columns": ["id"], "onDelete": "CASCADE", "onUpdate": "NO ACTION" } },
                { "name": "h_c", "type": "check", "expression": { "sqlite": "id > 0" } } ],
              "sqlOptions": { "ifNotExists": true, "temporary": false, "unlogged": false, "engine": "InnoDB",
                "charset": "utf8mb4", "collation": "c", "strict": false, "withoutRowid": false },
              "mongoOptions": { "capped": true, "size": 1, "max": 1, "validator": {}, "validationLevel": "strict",
                "validationAction": "error", "timeseries": { "timeField": "at" }, "collation": {},
                "clusteredIndex": {}, "shardKey": { "id": 1 } },
              "dynamoOptions": { "partitionKey": { "name": "id", "type": "N" }, "billingMode": "PAY_PER_REQUEST",
                "streamEnabled": true, "streamViewType": "KEYS_ONLY", "ttlAttribute": "at",
                "pointInTimeRecovery": true, "deletionProtection": false, "tags": { "a": "b" } },
              "cassandraOptions": { "partitionKey": ["id"], "clusteringColumns": ["email"],
                "clusteringOrder": [{ "column": "email", "order": "DESC" }], "defaultTTL": 1, "compaction": {}, "compression": {},
                "gcGraceSeconds": 1, "comment": "c", "static": ["state"] } },
            { "type": "addField", "collection": "h_a", "field": { "name": "b", "type": "binary", "length": 9 } },
            { "type": "modifyField", "collection": "h_a", "field": "email",
              "changes": { "type": "text", "default": null }, "using": { "sqlite": "email" } },
            { "type": "renameField", "collection": "h_a", "from": "b", "to": "c" },
            { "type": "dropField", "collection": "h_a", "field": "c" },
            { "type": "createIndex", "collection": "h_a", "index": { "fields": ["state", { "expression": "id" }] } },
            { "type": "dropIndex", "collection": "h_a", "index": "h_i" },
            { "type": "addConstraint", "collection": "h_a", "constraint":
              { "type": "unique", "columns": ["state"], "name": "h_u2" } },
            { "type": "dropConstraint", "collection": "h_a", "constraint": "h_u2" },
            { "type": "modifyCollection", "name": "h_a", "changes": { "comment": "d" } },
            { "type": "update", "collection": "h_a", "set": { "state": { "concat": [{ "field": "state" }, "x",
              { "cast": 1, "to": "text" }] } }, "where": { "and": [{ "id": { "gt": 1 } },
              { "or": [{ "email": null }, { "not": { "state": { "in": ["a"] } } }] }] },
              "inverse": { "set": { "state": "a" }, "where": { "id": 1 } } },
            { "type": "raw", "backend": ["postgresql", "mysql"], "statement": "SELECT 1", "inverse": "SELECT 1",
              "transactional": true },
            { "type": "restore", "backend": "postgresql", "definitions": [{ "kind": "view", "name": "v",
              "on": "h_a", "definition": "SELECT 1", "after": [] }] },
            { "type": "renameCollection", "from": "h_a", "to": "h_b" },
            { "type": "dropCollection", "name": "h_b", "cascade": true, "ifExists": true },
        ],
        "down": [{ "type": "dropCollection", "name": "h_b", "ifExists": true }],
    })
}

/// A sandbox with a ledger, and the bytes that must stay.
struct Target {
    sandbox: Sandbox,
    database: Vec<u8>,
}

impl Target {
    fn new() -> Self {
        let sandbox = Sandbox::applied();
        let database = std::fs::read(sandbox.at("app.db")).unwrap();
        Self { sandbox, database }
    }

    #[track_caller]
    fn untouched(&self, about: &str) {
        let now = std::fs::read(self.sandbox.at("app.db")).unwrap();
        assert!(now == self.database, "the database was touched: {about}");
        assert!(!self.sandbox.at("app.db-journal").exists(), "{about}");
    }

    /// A file that must be refused, by both commands, as `invalid` or (if it may be) as another kind
    /// that touches nothing.
    #[track_caller]
    fn refuses(&self, about: &str, bytes: &[u8]) {
        self.sandbox.write(&format!("migrations/{TAG}.json"), bytes);
        for command in ["validate", "up"] {
            let ran = self.sandbox.json([command]);
            assert_eq!(ran.code, Some(2), "{about}: {ran:#?}");
            ran.fails(2, "invalid");
            assert_eq!(ran.stdout, "", "{about}");
        }
        self.untouched(about);
    }

    /// A file that may be right or wrong, but is never a reason to break: whatever `validate` says is
    /// wrong, `up` refuses in the same words; and what fails touches nothing.
    #[track_caller]
    fn survives(&self, about: &str, bytes: &[u8]) {
        self.sandbox.write(&format!("migrations/{TAG}.json"), bytes);
        let valid = self.sandbox.json(["validate"]);
        let plan = self.sandbox.json(["plan"]);
        let dry = self.sandbox.json(["up", "--dry-run"]);
        told(about, &valid);
        told(about, &plan);
        told(about, &dry);
        if valid.code == Some(0) {
            assert_eq!(plan.code, dry.code, "{about}: {plan:#?} {dry:#?}");
        } else {
            assert_eq!(valid.code, Some(2), "{about}: {valid:#?}");
            assert_eq!(plan.stderr, valid.stderr, "{about}");
        }
        self.untouched(about);
        if plan.code != Some(0) {
            let up = self.sandbox.json(["up"]);
            told(about, &up);
            assert_ne!(
                up.code,
                Some(0),
                "{about}: what cannot be planned was applied"
            );
            self.same_catalog(about);
        }
    }

    /// A refused run took the lock and let go of it; nothing else may differ.
    #[track_caller]
    fn same_catalog(&self, about: &str) {
        let status = self.sandbox.json(["history"]).succeeds().document();
        assert_eq!(status.as_array().unwrap().len(), 3, "{about}");
        std::fs::write(self.sandbox.at("app.db"), &self.database).unwrap();
    }
}

/// It ended in one of the ways of the contract, and told it in one document.
#[track_caller]
fn told(about: &str, ran: &Ran) {
    match ran.code {
        Some(0) => drop(ran.document()),
        Some(code @ (1..=6)) => {
            let error: Value = serde_json::from_str(&ran.stderr)
                .unwrap_or_else(|error| panic!("{about}: {error}: {ran:#?}"));
            let kind = error["error"]["kind"].as_str().unwrap();
            assert_ne!(kind, "internal", "{about}: {ran:#?}");
            ran.fails(code, kind);
        }
        _ => panic!("{about}: {ran:#?}"),
    }
}

fn document(up: &Value) -> Vec<u8> {
    json!({ "format": 1, "tag": TAG, "up": up })
        .to_string()
        .into_bytes()
}

#[test]
fn the_model_for_the_mutations_is_read_as_it_is() {
    let target = Target::new();
    let path = target
        .sandbox
        .write(&format!("migrations/{TAG}.json"), everything().to_string());
    let _ = path;
    target.sandbox.json(["validate"]).succeeds();
    target.survives("everything", everything().to_string().as_bytes());
}

#[test]
fn bytes_that_are_no_migration() {
    let target = Target::new();
    let right = everything().to_string();
    let mut inputs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut add = |name: &str, bytes: &[u8]| {
        inputs.insert(name.to_owned(), bytes.to_owned());
    };
    for (name, text) in [
        ("nothing", ""),
        ("blank", " \t\r\n"),
        ("a BOM alone", "\u{feff}"),
        ("two BOMs", &format!("\u{feff}\u{feff}{right}")),
        ("null", "null"),
        ("true", "true"),
        ("a number", "1e999"),
        ("a large number", &"9".repeat(100_000)),
        ("a text", "\"x\""),
        ("a list", "[]"),
        ("an empty object", "{}"),
        ("an open object", "{"),
        ("an open text", "{\"format"),
        ("a comment", &format!("// c\n{right}")),
        ("a comma too many", &right.replacen("}", ",}", 1)),
        ("single quotes", &right.replace('"', "'")),
        ("two documents", &format!("{right}{right}")),
        ("something after it", &format!("{right}x")),
        ("a NUL after it", &format!("{right}\0")),
        (
            "a lone surrogate",
            &right.replacen("everything", "\\ud800", 1),
        ),
        (
            "a lone low surrogate",
            &right.replacen("everything", "\\udc00x", 1),
        ),
        ("a NUL in a name", &right.replacen("h_a", "h\\u0000a", 1)),
        (
            "a raw control character",
            &right.replacen("everything", "a\u{1}b", 1),
        ),
        (
            "an unknown escape",
            &right.replacen("everything", "\\x41", 1),
        ),
        ("NaN", &right.replacen("10", "NaN", 1)),
        ("Infinity", &right.replacen("10", "-Infinity", 1)),
        ("a leading zero", &right.replacen("10", "010", 1)),
        ("hexadecimal", &right.replacen("10", "0x10", 1)),
        ("yaml", "format: 1\nup: []\n"),
        ("toml", "format = 1\n"),
        ("sql", "CREATE TABLE t (a);"),
        ("html", "<html></html>"),
    ] {
        add(name, text.as_bytes());
    }
    add(
        "UTF-16",
        &right
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>(),
    );
    add(
        "Latin-1",
        &right
            .replacen("everything", "\u{1}", 1)
            .bytes()
            .map(|b| if b == 1 { 0xe9 } else { b })
            .collect::<Vec<u8>>(),
    );
    add("zeros", &[0; 4096]);
    add("ones", &[0xff; 4096]);
    add(
        "an overlong encoding",
        b"{\"format\": 1, \"tag\": \"\xc0\xaf\"}",
    );
    add("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03");
    for depth in [200, 10_000, 1_000_000] {
        add(&format!("{depth} lists deep"), "[".repeat(depth).as_bytes());
        add(
            &format!("{depth} objects deep"),
            "{\"a\":".repeat(depth).as_bytes(),
        );
        add(
            &format!("{depth} lists deep in a value"),
            right
                .replacen(
                    "\"everything\"",
                    &format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
                    1,
                )
                .as_bytes(),
        );
    }
    for part in 1..24 {
        let mut end = right.len() * part / 24;
        while !right.is_char_boundary(end) {
            end -= 1;
        }
        add(
            &format!("cut off after {part}/24"),
            &right.as_bytes()[..end],
        );
    }
    for (name, bytes) in &inputs {
        target.refuses(name, bytes);
    }
    assert!(inputs.len() > 60, "{}", inputs.len());
}

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                places(
                    inner,
                    &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A small generator, so that the same mutations are tried every time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

#[test]
fn a_wrong_type_in_every_place() {
    let target = Target::new();
    let right = everything();
    let mut all = Vec::new();
    places(&right, "", &mut all);
    let wrong: Vec<Value> = vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!("\u{0}"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "": {} }),
    ];
    let mut random = Random(7);
    for place in &all {
        let mut mutant = right.clone();
        *mutant.pointer_mut(place).unwrap() = wrong[random.below(wrong.len())].clone();
        let about = format!(
            "{place} = {}",
            mutant
                .pointer(place)
                .unwrap()
                .to_string()
                .chars()
                .take(40)
                .collect::<String>()
        );
        target.survives(&about, mutant.to_string().as_bytes());
    }
    assert!(all.len() > 200, "{}", all.len());
}

#[test]
fn keys_that_are_missing_unknown_or_twice() {
    let target = Target::new();
    let right = everything();
    let mut all = Vec::new();
    places(&right, "", &mut all);
    for (index, place) in all.iter().enumerate() {
        let Some((parent, key)) = place.rsplit_once('/') else {
            continue;
        };
        let mut mutant = right.clone();
        let Value::Object(map) = mutant.pointer_mut(parent).unwrap() else {
            continue;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        let value = map.remove(&key).unwrap();
        if index % 2 == 0 {
            map.insert(format!("{key}\u{200b}"), value.clone());
        }
        target.survives(&format!("without {place}"), mutant.to_string().as_bytes());
        if index % 4 == 0 {
            // A key twice, which no value of serde_json can hold.
            let mark = format!("mark{index}");
            let mut mutant = right.clone();
            mutant.pointer_mut(parent).unwrap()[&mark] = json!(0);
            let text = mutant.to_string();
            let twice = text.replacen(
                &format!("\"{mark}\":0"),
                &format!("{}:0", Value::from(key.as_str())),
                1,
            );
            target.refuses(&format!("twice {place}"), twice.as_bytes());
        }
    }
}

#[test]
fn bytes_changed_at_random() {
    let target = Target::new();
    let right = everything().to_string().into_bytes();
    let mut random = Random(42);
    for round in 0..150 {
        let mut mutant = right.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(mutant.len());
            match random.below(4) {
                0 => mutant[at] = u8::try_from(random.below(256)).unwrap(),
                1 => drop(mutant.remove(at)),
                2 => mutant.insert(at, b"{}[]\",:0-\\e\n\0"[random.below(13)]),
                _ => {
                    let end = (at + random.below(200)).min(mutant.len());
                    mutant.drain(at..end);
                }
            }
        }
        target.survives(&format!("round {round}"), &mutant);
    }
}
