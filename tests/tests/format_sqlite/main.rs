//! The sentences of the format that only a database can show, on SQLite.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod there_already;
mod updates;

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
