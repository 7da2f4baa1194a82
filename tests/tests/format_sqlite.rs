//! The sentences of the format that only a database can show, on SQLite.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::{Database, Error, ErrorKind, Migration, MigrationEngine};
use ductape_core::{Reversibility, RiskKind};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Base {
    folder: tempfile::TempDir,
    engine: MigrationEngine,
}

impl Base {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let engine = Database::connect(&url).await.unwrap().engine();
        Self { folder, engine }
    }

    /// A database after these operations.
    async fn after(up: &str) -> Self {
        let base = Self::new().await;
        base.up(up).await.unwrap();
        base
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    async fn up(&self, up: &str) -> Result<Migration, Error> {
        let migration = migration(up, "");
        self.engine
            .apply_new(&migration)
            .await
            .map(|done| done.migration)
    }

    async fn open(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("sqlite://{}", self.file().display()))
            .await
            .unwrap()
    }

    async fn sql(&self, text: &str) {
        let mut connection = self.open().await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// The first column of a query, as texts; null is `-`.
    async fn ask(&self, query: &str) -> Vec<String> {
        let mut connection = self.open().await;
        let rows = sqlx::query(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .map(|row| {
                row.get::<Option<String>, _>(0)
                    .unwrap_or_else(|| "-".to_owned())
            })
            .collect()
    }

    /// Applies operations and takes them back; the live schema is what it was.
    async fn there_and_back(&self, up: &str) {
        let before = self.engine.live_schema().await.unwrap();
        let done = self
            .up(up)
            .await
            .unwrap_or_else(|error| panic!("{up}\n{error}"));
        assert!(self.engine.verify().await.unwrap().ok, "{up}");
        self.engine
            .down(&done)
            .await
            .unwrap_or_else(|error| panic!("down of {up}\n{error}"));
        assert_eq!(self.engine.live_schema().await.unwrap(), before, "{up}");
    }
}

/// A migration without a tag, under a name of its own.
fn migration(up: &str, down: &str) -> Migration {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let up = Migration::parse_operations(up).unwrap();
    let down = (!down.is_empty()).then(|| Migration::parse_operations(down).unwrap());
    Migration::new(format!("format_{number}"), None, up, down)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

const T: &str = r#"[{"type": "createCollection", "name": "t", "fields": {
    "id": {"type": "integer", "primaryKey": true}, "a": "integer", "b": "text", "big": "bigint", "price": "decimal", "at": "timestamp", "u": "uuid"}}]"#;

#[tokio::test]
async fn an_update_sets_every_kind_of_value() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a, b, big) VALUES (1, 7, ' Hé ', 9007199254740993), (2, -7, NULL, NULL)").await;
    for (field, value, wanted) in [
        ("b", r#""x'y""#, ["x'y", "x'y"]),
        ("b", r#"{"value": "z"}"#, ["z", "z"]),
        ("b", "null", ["-", "-"]),
        ("b", r#"{"concat": []}"#, ["", ""]),
        (
            "b",
            r#"{"concat": [{"field": "a"}, "-", {"field": "u"}]}"#,
            ["7-", "-7-"],
        ),
        ("b", r#"{"coalesce": []}"#, ["-", "-"]),
        ("b", r#"{"coalesce": [{"field": "u"}]}"#, ["-", "-"]),
        (
            "b",
            r#"{"coalesce": [{"field": "u"}, {"cast": {"field": "a"}, "to": "text"}]}"#,
            ["7", "-7"],
        ),
        (
            "b",
            r#"{"upper": {"trim": {"lower": " aB "}}}"#,
            ["AB", "AB"],
        ),
        ("b", r#"{"lower": null}"#, ["-", "-"]),
        ("a", r#"{"add": [{"field": "id"}, 1]}"#, ["2", "3"]),
        (
            "a",
            r#"{"subtract": [{"field": "id"}, {"multiply": [2, {"field": "id"}]}]}"#,
            ["-1", "-2"],
        ),
        (
            "a",
            r#"{"divide": [7, {"multiply": [{"field": "id"}, 2]}]}"#,
            ["3", "1"],
        ),
        ("a", r#"{"divide": [-7, 2]}"#, ["-3", "-3"]),
        (
            "a",
            r#"{"add": [{"divide": [1, 2]}, {"divide": [1, 2]}]}"#,
            ["1", "1"],
        ),
        ("a", r#"{"add": [{"field": "u"}, 1]}"#, ["-", "-"]),
        ("price", r#"{"divide": [1, 4]}"#, ["0.25", "0.25"]),
        (
            "big",
            r#"{"divide": [{"coalesce": [{"field": "big"}, 9007199254740993]}, 1]}"#,
            ["9007199254740993", "9007199254740993"],
        ),
        (
            "big",
            r#"{"divide": [{"divide": [9007199254740993, 3]}, {"divide": [{"field": "id"}, {"field": "id"}]}]}"#,
            ["3002399751580331", "3002399751580331"],
        ),
        (
            "big",
            r#"{"divide": [-9007199254740993, 2]}"#,
            ["-4503599627370496", "-4503599627370496"],
        ),
    ] {
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"{field}": {value}}}}}]"#
        ))
        .await
        .unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(
            base.ask(&format!("SELECT CAST({field} AS TEXT) FROM t ORDER BY id"))
                .await,
            wanted,
            "{value}"
        );
    }
    base.up(r#"[{"type": "update", "collection": "t", "set": {"u": {"uuid": true}, "at": {"now": true}}}]"#).await.unwrap();
    assert_eq!(
        base.ask(
            "SELECT CAST(count(DISTINCT u) AS TEXT) FROM t WHERE length(u) = 36 AND at IS NOT NULL"
        )
        .await,
        ["2"]
    );
}

#[tokio::test]
async fn a_filter_picks_the_rows_that_it_says() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a, b) VALUES (1, 1, 'x'), (2, 2, NULL), (3, NULL, 'y')")
        .await;
    for (filter, wanted) in [
        ("{}", "1,2,3"),
        (r#"{"a": 1}"#, "1"),
        (r#"{"a": null}"#, "3"),
        (r#"{"a": {"eq": null}}"#, "3"),
        (r#"{"a": {"ne": null}}"#, "1,2"),
        (r#"{"a": {"ne": 1}}"#, "2"),
        (r#"{"a": {"gt": 1}}"#, "2"),
        (r#"{"a": {"gte": 1, "lt": 2}}"#, "1"),
        (r#"{"a": {"lte": 2}, "b": "x"}"#, "1"),
        (r#"{"a": {"in": [2, 9]}}"#, "2"),
        (r#"{"a": {"in": [2, null]}}"#, "2,3"),
        (r#"{"a": {"in": []}}"#, ""),
        (r#"{"b": {"exists": false}}"#, "2"),
        (r#"{"b": {"exists": true}}"#, "1,3"),
        (r#"{"or": [{"a": 1}, {"b": "y"}]}"#, "1,3"),
        (r#"{"or": []}"#, ""),
        (r#"{"and": []}"#, "1,2,3"),
        (
            r#"{"and": [{"or": [{"a": 1}, {"a": 2}]}, {"not": {"b": "x"}}]}"#,
            "2",
        ),
        (r#"{"not": {"a": 1}}"#, "2,3"),
        (r#"{"not": {"not": {"a": 1}}}"#, "1"),
        (r#"{"not": {"a": {"ne": 1}}}"#, "1,3"),
    ] {
        base.sql("UPDATE t SET price = 0").await;
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"price": 1}}, "where": {filter}}}]"#
        ))
        .await
        .unwrap_or_else(|error| panic!("{filter}: {error}"));
        let found = base
            .ask("SELECT CAST(id AS TEXT) FROM t WHERE price = 1 ORDER BY id")
            .await;
        assert_eq!(found.join(","), wanted, "{filter}");
    }
}

#[tokio::test]
async fn an_update_without_inverse_leaves_the_data_and_one_with_it_brings_it_back() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a) VALUES (1, 5), (2, 6)")
        .await;
    let bare =
        r#"[{"type": "update", "collection": "t", "set": {"a": {"add": [{"field": "a"}, 1]}}}]"#;
    let plan = base.engine.plan(&migration(bare, "")).await.unwrap();
    let planned = &plan.migrations[0];
    assert_eq!(planned.reversible, Reversibility::StructureOnly);
    assert!(
        planned
            .risks
            .iter()
            .any(|risk| risk.risk.kind == RiskKind::NotRestored)
    );
    let done = base.up(bare).await.unwrap();
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(a AS TEXT) FROM t ORDER BY id").await,
        ["6", "7"]
    );
    let with = r#"[{"type": "update", "collection": "t", "set": {"a": {"add": [{"field": "a"}, 1]}},
                   "inverse": {"set": {"a": {"subtract": [{"field": "a"}, 1]}}, "where": {"id": 1}}}]"#;
    let done = base.up(with).await.unwrap();
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(a AS TEXT) FROM t ORDER BY id").await,
        ["6", "8"]
    );
}

#[tokio::test]
async fn a_dropped_required_field_comes_back_neutral_or_is_refused() {
    for (field_type, neutral) in [
        (r#""integer""#, "0"),
        (r#""string""#, ""),
        (r#""boolean""#, "0"),
        (r#""date""#, "1970-01-01"),
        (r#""uuid""#, "00000000-0000-0000-0000-000000000000"),
        (r#""enum", "enumValues": ["first", "second"]"#, "first"),
        (r#""json""#, "{}"),
        (r#""array", "items": "integer""#, "[]"),
        (r#""blob""#, ""),
    ] {
        let base = Base::after(&format!(
            r#"[{{"type": "createCollection", "name": "t", "fields": {{"id": {{"type": "integer", "primaryKey": true}}}}}},
                {{"type": "addField", "collection": "t", "field": {{"name": "f", "type": {field_type}, "required": true}}}}]"#
        ))
        .await;
        base.sql(&format!(
            "INSERT INTO t (id, f) VALUES (1, {0}), (2, {0})",
            match field_type {
                r#""json""# => "'{\"a\": 1}'",
                r#""array", "items": "integer""# => "'[1]'",
                r#""enum", "enumValues": ["first", "second"]"# => "'second'",
                _ => "1",
            }
        ))
        .await;
        let drop = r#"[{"type": "dropField", "collection": "t", "field": "f"}]"#;
        let plan = base.engine.plan(&migration(drop, "")).await.unwrap();
        assert!(
            plan.migrations[0]
                .lost
                .iter()
                .any(|lost| lost.contains("instead")),
            "{:?}",
            plan.migrations[0].lost
        );
        base.there_and_back(drop).await;
        assert_eq!(
            base.ask("SELECT DISTINCT CAST(f AS TEXT) FROM t").await,
            [neutral],
            "{field_type}"
        );
    }
    let base = Base::after(
        r#"[{"type": "createCollection", "name": "t", "fields": {"id": {"type": "integer", "primaryKey": true}, "f": {"type": "text", "required": true, "unique": true}}}]"#,
    )
    .await;
    base.sql("INSERT INTO t (id, f) VALUES (1, 'a'), (2, 'b')")
        .await;
    let done = base
        .up(r#"[{"type": "dropField", "collection": "t", "field": "f"}]"#)
        .await
        .unwrap();
    let error = base.engine.down(&done).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    base.sql("DELETE FROM t WHERE id = 2").await;
    base.engine.down(&done).await.unwrap();
}

#[tokio::test]
async fn only_operations_that_run_here_count() {
    let base = Base::after(T).await;
    let elsewhere = r#"[{"type": "raw", "backend": ["postgresql", "mysql"], "statement": "COMMIT"},
                        {"type": "raw", "backend": "mongodb", "statement": {"drop": "t"}},
                        {"type": "restore", "backend": "postgresql", "definitions": [{"kind": "view", "name": "v", "definition": "x"}]},
                        {"type": "addField", "collection": "t", "field": {"name": "n", "type": "integer"}}]"#;
    let plan = base.engine.plan(&migration(elsewhere, "")).await.unwrap();
    assert_eq!(plan.migrations[0].reversible, Reversibility::Lossless);
    base.there_and_back(elsewhere).await;

    let here = r#"[{"type": "addField", "collection": "t", "field": {"name": "n", "type": "integer"}},
                   {"type": "raw", "backend": ["postgresql", "sqlite"], "statement": "INSERT INTO t (id) VALUES (77)"}]"#;
    assert_eq!(
        base.engine
            .plan(&migration(here, ""))
            .await
            .unwrap()
            .migrations[0]
            .reversible,
        Reversibility::Irreversible
    );
    let done = base.up(here).await.unwrap();
    let error = base.engine.down(&done).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Irreversible);
    assert!(
        format!("{error} {:?}", error.details()).contains("VALUES (77)"),
        "{error}"
    );
    assert_eq!(
        base.ask("SELECT CAST(count(n) AS TEXT) FROM t").await,
        ["0"]
    );
}

#[tokio::test]
async fn a_written_way_back_is_used_as_it_is() {
    let base = Base::after(T).await;
    let up = r#"[{"type": "addField", "collection": "t", "field": {"name": "n", "type": "integer"}},
                 {"type": "raw", "backend": "sqlite", "statement": "INSERT INTO t (id) VALUES (77)"}]"#;
    let down = r#"[{"type": "dropField", "collection": "t", "field": "n"}, {"type": "raw", "backend": "sqlite", "statement": "DELETE FROM t"}]"#;
    let done = base
        .engine
        .apply_new(&migration(up, down))
        .await
        .unwrap()
        .migration;
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(count(*) AS TEXT) FROM t").await,
        ["0"]
    );
    // Nothing to do is also a way back.
    let done = base
        .engine
        .apply_new(&migration(up, "[]"))
        .await
        .unwrap()
        .migration;
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(count(*) AS TEXT) FROM t WHERE n IS NULL")
            .await,
        ["1"]
    );
}

#[tokio::test]
async fn a_statement_that_ends_the_transaction_is_refused() {
    let base = Base::after(T).await;
    for statement in [
        "COMMIT",
        "  commit;",
        "INSERT INTO t (id) VALUES (1); COMMIT; SELECT 1",
        "/* x */ END TRANSACTION",
        "-- a\nROLLBACK",
        "BEGIN",
    ] {
        let up = format!(
            r#"[{{"type": "raw", "backend": "sqlite", "statement": {}}}]"#,
            serde_json::to_string(statement).unwrap()
        );
        let error = base.up(&up).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Unsupported | ErrorKind::Invalid | ErrorKind::Refused
            ),
            "{statement}: {error}"
        );
    }
    assert_eq!(
        base.ask("SELECT CAST(count(*) AS TEXT) FROM t").await,
        ["0"]
    );
    base.up(r#"[{"type": "raw", "backend": "sqlite", "statement": "VACUUM"}]"#)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_there_already_is_nothing_to_do_or_told() {
    let base = Base::after(T).await;
    let create = |name: &str, fields: &str, guard: bool| {
        format!(
            r#"[{{"type": "createCollection", "name": "{name}", "fields": {fields}, "sqlOptions": {{"ifNotExists": {guard}}}}}]"#
        )
    };
    let same = T
        .split_once(r#""fields": "#)
        .unwrap()
        .1
        .strip_suffix("}]")
        .unwrap()
        .to_owned();
    for (up, wanted) in [
        (create("t", &same, true), Ok(())),
        (create("t", &same, false), Err(ErrorKind::AlreadyExists)),
        (
            create("t", r#"{"a": "text"}"#, true),
            Err(ErrorKind::AlreadyExists),
        ),
        (create("n", r#"{"a": "text"}"#, true), Ok(())),
        (
            r#"[{"type": "dropCollection", "name": "none", "ifExists": true}]"#.to_owned(),
            Ok(()),
        ),
        (
            r#"[{"type": "dropCollection", "name": "none"}]"#.to_owned(),
            Err(ErrorKind::Mismatch),
        ),
        (
            r#"[{"type": "dropCollection", "name": "t", "ifExists": true}]"#.to_owned(),
            Ok(()),
        ),
    ] {
        match wanted {
            Ok(()) => base.there_and_back(&up).await,
            Err(kind) => assert_eq!(
                base.up(&up).await.map(|_| ()).map_err(|error| error.kind()),
                Err(kind),
                "{up}"
            ),
        }
    }
}

#[tokio::test]
async fn what_others_made_is_the_same_in_small_letters_and_without_names() {
    let base = Base::after(T).await;
    let id = r#""id": {"type": "integer", "primaryKey": true}"#;
    for (table, fields) in [
        ("id integer primary key", format!("{{{id}}}")),
        ("id integer primary key, a varchar (20) not null unique", format!(r#"{{{id}, "a": {{"type": "string", "length": 20, "required": true, "unique": true}}}}"#)),
        ("a timestamp default current_timestamp, b boolean default 1", r#"{"a": {"type": "timestamp", "default": {"now": true}}, "b": {"type": "boolean", "default": true}}"#.to_owned()),
        ("a decimal(10, 2), b bigint, c Datetime", r#"{"a": {"type": "decimal", "precision": 10, "scale": 2}, "b": "bigint", "c": "datetime"}"#.to_owned()),
        // What SQLite cannot hold is no difference.
        ("a json_text", r#"{"a": {"type": "array", "items": "integer", "comment": "c"}}"#.to_owned()),
    ] {
        base.sql(&format!("DROP TABLE IF EXISTS o; CREATE TABLE o ({table})")).await;
        let create = |guard: bool| {
            format!(r#"[{{"type": "createCollection", "name": "o", "fields": {fields}, "sqlOptions": {{"ifNotExists": {guard}}}}}]"#)
        };
        base.there_and_back(&create(true)).await;
        match base.up(&create(false)).await.unwrap_err() {
            Error::AlreadyExists { same, .. } => assert!(same, "{table}"),
            other => panic!("{table}: {other}"),
        }
    }
    base.sql("DROP TABLE o; CREATE TABLE o (id integer primary key, a text, b text)")
        .await;
    let other = format!(
        r#"[{{"type": "createCollection", "name": "o", "fields": {{{id}, "a": "uuid", "c": "text"}}}}]"#
    );
    let error = base.up(&other).await.unwrap_err().to_string();
    for told in ["fields.a.type is \"text\" there", "no fields.c", "fields.b"] {
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn words_that_others_use_for_types_are_understood_and_kept() {
    let base = Base::after(T).await;
    base.sql("CREATE TABLE o (id INTEGER PRIMARY KEY, a bool DEFAULT 0, b JSON, c TIMESTAMPTZ, d datetime(6), e int8, f nvarchar(5))").await;
    let live = base.engine.live_schema().await.unwrap();
    let table = live.collections().find(|c| c.name.as_str() == "o").unwrap();
    let types: Vec<String> = table
        .fields
        .iter()
        .map(|field| field.field_type.name().to_string())
        .collect();
    assert_eq!(
        types,
        [
            "integer",
            "boolean",
            "json",
            "timestamp",
            "datetime",
            "bigint",
            "string"
        ]
    );
    base.sql("INSERT INTO o (id) VALUES (1)").await;
    base.there_and_back(r#"[{"type": "update", "collection": "o", "set": {"a": true, "b": {"value": {"x": 1}}, "c": "2024-01-15T14:30:52Z"}}]"#).await;
    assert_eq!(base.ask("SELECT b FROM o").await, [r#"{"x":1}"#]);
    // A table that is written anew keeps the words.
    base.up(r#"[{"type": "modifyField", "collection": "o", "field": "f", "changes": {"required": true}, "using": {"sqlite": "coalesce(f, '')"}}]"#)
        .await
        .unwrap();
    let types = base.ask("SELECT type FROM pragma_table_info('o')").await;
    assert_eq!(
        types,
        [
            "INTEGER",
            "bool",
            "JSON",
            "TIMESTAMPTZ",
            "datetime(6)",
            "int8",
            "nvarchar(5)"
        ]
    );
}

#[tokio::test]
async fn letters_and_truths_are_as_on_other_databases() {
    let base = Base::after(r#"[{"type": "createCollection", "name": "t", "fields": {
        "id": {"type": "integer", "primaryKey": true}, "a": "text", "b": "text", "n": "integer", "t": "boolean",
        "d": {"type": "decimal", "precision": 10, "scale": 2}}}]"#).await;
    base.sql("INSERT INTO t (id, a, n, t) VALUES (1, 'ÖDÖN é', 5, 1), (2, 'Straße ΑΒΓ Дом 日本 İ', 0, 0), (3, NULL, NULL, NULL), (4, 'Plain', 7, 1)").await;
    let set = async |field: &str, value: &str| {
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"{field}": {value}}}}}]"#
        ))
        .await
        .unwrap();
        base.ask(&format!("SELECT CAST({field} AS TEXT) FROM t ORDER BY id"))
            .await
    };
    assert_eq!(
        set("b", r#"{"lower": {"field": "a"}}"#).await,
        ["ödön é", "straße αβγ дом 日本 İ", "-", "plain"]
    );
    assert_eq!(
        set("b", r#"{"upper": {"field": "a"}}"#).await,
        ["ÖDÖN É", "STRAßE ΑΒΓ ДОМ 日本 İ", "-", "PLAIN"]
    );
    assert_eq!(
        set("b", r#"{"upper": {"concat": [{"field": "a"}, "é'"]}}"#).await,
        ["ÖDÖN ÉÉ'", "STRAßE ΑΒΓ ДОМ 日本 İÉ'", "É'", "PLAINÉ'"]
    );
    assert_eq!(
        set("b", r#"{"lower": {"field": "n"}}"#).await,
        ["5", "0", "-", "7"]
    );
    assert_eq!(
        set("b", r#"{"concat": [{"field": "t"}, true]}"#).await,
        ["truetrue", "falsetrue", "true", "truetrue"]
    );
    assert_eq!(
        set("b", r#"{"cast": {"field": "t"}, "to": "text"}"#).await,
        ["true", "false", "-", "true"]
    );
    assert_eq!(
        set("t", r#"{"cast": {"field": "n"}, "to": "boolean"}"#).await,
        ["1", "0", "-", "1"]
    );
    assert_eq!(
        set(
            "t",
            r#"{"cast": {"coalesce": [{"field": "b"}, "off"]}, "to": "boolean"}"#
        )
        .await,
        ["1", "0", "0", "1"]
    );
    // A decimal keeps the digits that it is declared with.
    assert_eq!(
        set("d", r#"{"divide": [{"field": "n"}, 3]}"#).await,
        ["1.67", "0", "-", "2.33"]
    );
    // A cast rounds; what is divided and stored in a whole number is cut off.
    assert_eq!(
        set("n", r#"{"cast": {"field": "d"}, "to": "integer"}"#).await,
        ["2", "0", "-", "2"]
    );
    assert_eq!(
        set("n", r#"{"divide": [8, 3]}"#).await,
        ["2", "2", "2", "2"]
    );
    let divide = |filter: &str| {
        format!(
            r#"[{{"type": "update", "collection": "t", "where": {filter}, "set": {{"n": {{"add": [1, {{"divide": [6, {{"field": "d"}}]}}]}}}}}}]"#
        )
    };
    let error = base.up(&divide("{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(
        error.to_string().contains(
            "1 row of t where n would be divided by zero stands in the way, for instance 2"
        ),
        "{error}"
    );
    base.up(&divide(r#"{"d": {"ne": 0}}"#)).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(n AS TEXT) FROM t ORDER BY id").await,
        ["4", "2", "2", "3"]
    );
}

#[tokio::test]
async fn every_shape_of_the_model_comes_and_goes() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a, b) VALUES (1, 1, 'x'), (2, 2, NULL)")
        .await;
    base.sql("CREATE VIEW v AS SELECT id, a FROM t").await;
    for up in [
        // A circle of foreign keys, made in one migration.
        r#"[{"type": "createCollection", "name": "l", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "r", "type": "integer"}]},
            {"type": "createCollection", "name": "r", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "l", "type": "integer"}],
             "constraints": [{"type": "foreignKey", "columns": ["l"], "references": {"table": "l", "columns": ["id"]}}]},
            {"type": "addConstraint", "collection": "l", "constraint": {"type": "foreignKey", "columns": ["r"], "references": {"table": "r", "columns": ["id"]}}}]"#,
        // One that points at its own collection.
        r#"[{"type": "createCollection", "name": "tree", "fields": [{"name": "id", "type": "integer", "primaryKey": true}, {"name": "parent", "type": "integer"}],
             "constraints": [{"type": "foreignKey", "columns": ["parent"], "references": {"table": "tree", "columns": ["id"], "onDelete": "CASCADE"}}]}]"#,
        // The first builder example of the reference.
        r#"[{"type": "createCollection", "name": "users", "fields": [{"name": "id", "type": "uuid", "primaryKey": true},
               {"name": "email", "type": "string", "length": 255, "unique": true}, {"name": "status", "type": "enum", "enumValues": ["active", "inactive"]}]},
            {"type": "createIndex", "collection": "users", "index": {"name": "idx_users_email", "fields": [{"name": "email"}], "unique": true}},
            {"type": "createIndex", "collection": "users", "index": {"name": "idx_users_status", "fields": [{"name": "status"}]}}]"#,
        // Made names stay what they are.
        r#"[{"type": "createCollection", "name": "n", "fields": [{"name": "a", "type": "integer", "primaryKey": true}, {"name": "b", "type": "integer", "primaryKey": true}, {"name": "c", "type": "integer", "unique": true}], "indexes": [{"fields": ["b", "c"]}]},
            {"type": "renameField", "collection": "n", "from": "c", "to": "z"}, {"type": "renameCollection", "from": "n", "to": "m"},
            {"type": "dropConstraint", "collection": "m", "constraint": "uq_n_c"}, {"type": "dropIndex", "collection": "m", "index": "idx_n_b_c"}, {"type": "dropConstraint", "collection": "m", "constraint": "pk_n_a_b"}]"#,
        r#"[{"type": "createCollection", "name": "x", "fields": {"a": "integer"}, "timestamps": true}]"#,
        r#"[{"type": "modifyField", "collection": "t", "field": "a", "changes": {"unique": true, "required": true, "default": 5}}]"#,
        r#"[{"type": "modifyField", "collection": "t", "field": "b", "changes": {"type": "string", "length": 9, "comment": "c"}}]"#,
        r#"[{"type": "modifyCollection", "name": "t", "changes": {"comment": "c", "mongoOptions": {"capped": true}}}]"#,
        r#"[{"type": "dropCollection", "name": "t", "cascade": true}]"#,
        r#"[{"type": "restore", "backend": "sqlite", "definitions": [
             {"kind": "view", "name": "w", "definition": "CREATE VIEW w AS SELECT * FROM q", "after": ["q"]},
             {"kind": "view", "name": "q", "definition": "CREATE VIEW q AS SELECT id FROM t"},
             {"kind": "trigger", "name": "g", "on": "t", "definition": "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t (id) SELECT max(id) + 1 FROM w WHERE 0; END", "after": ["w"]}]}]"#,
    ] {
        base.there_and_back(up).await;
    }
    assert_eq!(
        base.ask("SELECT CAST(count(*) AS TEXT) FROM v").await,
        ["0"],
        "the rows of a dropped collection do not come back"
    );
}

#[tokio::test]
async fn what_would_lose_data_is_counted_and_refused() {
    let base = Base::after(
        r#"[{"type": "createCollection", "name": "t", "fields": {"id": {"type": "integer", "primaryKey": true}, "s": {"type": "string", "length": 20}, "d": "text", "e": {"type": "enum", "enumValues": ["a", "b"]}, "n": "text"}}]"#,
    )
    .await;
    base.sql("INSERT INTO t VALUES (1, 'long text', 'same', 'b', NULL), (2, 'x', 'same', 'a', '7'), (3, NULL, 'other', NULL, 'seven')").await;
    for (field, changes, count) in [
        ("s", r#"{"length": 3}"#, "1"),
        ("e", r#"{"enumValues": ["a"]}"#, "1"),
        ("n", r#"{"required": true}"#, "1"),
        ("n", r#"{"type": "integer"}"#, "1"),
        ("d", r#"{"unique": true}"#, "2"),
    ] {
        let modify = |using: &str| {
            format!(
                r#"[{{"type": "modifyField", "collection": "t", "field": "{field}", "changes": {changes}{using}}}]"#
            )
        };
        let error = base.up(&modify("")).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Refused,
            "{field} {changes}: {error}"
        );
        assert!(error.to_string().contains(count), "{error}");
    }
    base.up(r#"[{"type": "modifyField", "collection": "t", "field": "s", "changes": {"length": 3}, "using": {"sqlite": "substr(s, 1, 3)"}}]"#).await.unwrap();
    base.up(r#"[{"type": "update", "collection": "t", "set": {"e": "a"}, "where": {"e": "b"}},
               {"type": "modifyField", "collection": "t", "field": "e", "changes": {"enumValues": ["a"]}}]"#).await.unwrap();
    assert_eq!(
        base.ask("SELECT s FROM t ORDER BY id").await,
        ["lon", "x", "-"]
    );
}

#[tokio::test]
async fn a_nullable_unique_field_allows_several_nulls() {
    let base = Base::after(r#"[{"type": "createCollection", "name": "t", "fields": {"id": {"type": "integer", "primaryKey": true}, "u": {"type": "text", "unique": true}}}]"#).await;
    base.sql("INSERT INTO t (id) VALUES (1), (2)").await;
    base.there_and_back(r#"[{"type": "modifyField", "collection": "t", "field": "u", "changes": {"unique": false}}]"#).await;
}

#[tokio::test]
async fn a_long_name_is_a_name() {
    let base = Base::new().await;
    let long = "n".repeat(5000);
    base.there_and_back(&format!(r#"[{{"type": "createCollection", "name": "{long}", "fields": {{"{long}": {{"type": "integer", "unique": true}}}}}}]"#)).await;
}
