//! Names and values that try to be something else, through the facade on SQLite: they are kept as
//! they are, and nothing is injected. Looked at with SQLite's own eyes.
#![cfg(feature = "sqlite")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use ductape::prelude::*;
use ductape::sqlite::SqlitePool;
use sqlx::AssertSqlSafe;

/// Texts that have broken something somewhere.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "select",
        "ORDER",
        "primary key",
        "rowid",
        "null",
        "two words",
        " led and trailed ",
        "it's",
        "''",
        "\"",
        "\"\"quoted\"\"",
        "back`tick",
        "[brackets]",
        "semi;colon",
        "back\\slash",
        "line\nbreak\ttab",
        "-- comment",
        "/* comment */",
        "'); DROP TABLE witness; --",
        "\"); DROP TABLE witness; --",
        "x\" TEXT); DROP TABLE witness; CREATE TABLE \"y",
        "%s {} $1 ?1 :a @b",
        "MixedCase",
        "Größe",
        "e\u{301}combining",
        "emoji 🧾👩‍👩‍👧‍👦",
        "שלום",
        "\u{202e}rtl override",
        "zero\u{200d}width\u{200b}",
        "漢字",
        "a.b",
        "sqlite",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("long".repeat(200));
    all
}

/// A text as SQLite's literal, for looking. Not the way in which the project writes one.
fn literal(text: &str) -> String {
    let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CAST(X'{bytes}' AS TEXT)")
}

fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

async fn texts(pool: &SqlitePool, query: String) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn execute(pool: &SqlitePool, text: String) {
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(pool)
        .await
        .unwrap();
}

async fn database() -> (SqlitePool, Database) {
    let pool = sqlx::pool::PoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    execute(&pool, "CREATE TABLE witness (id TEXT)".to_owned()).await;
    (pool.clone(), Database::from_sqlite_pool(pool))
}

/// The tables that are there, Ductape's own left out.
async fn tables(pool: &SqlitePool) -> Vec<String> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'ductape\\_%' ESCAPE '\\' ORDER BY rowid";
    texts(pool, query.to_owned()).await
}

async fn columns(pool: &SqlitePool, table: &str) -> Vec<String> {
    texts(
        pool,
        format!("SELECT name FROM pragma_table_info({})", literal(table)),
    )
    .await
}

#[tokio::test]
async fn every_name_is_only_a_name() {
    for name in hostile() {
        let (pool, db) = database().await;
        let start = db.engine().live_schema().await.unwrap();
        let (schema, other) = (db.schema(), format!("{name}2"));
        let mut made = vec![
            schema
                .create(
                    &name,
                    [
                        integer("id").primary_key(),
                        string(&name).length(2000).default(&*name).comment(&name),
                        enumeration("choice", [name.as_str(), "other"]).default(&*name),
                    ],
                )
                .comment(&name)
                .index(index(format!("{name} index"), [&*name]))
                .await
                .unwrap(),
        ];
        assert_eq!(tables(&pool).await, ["witness", &*name], "{name:?}");
        assert_eq!(columns(&pool, &name).await, ["id", &*name, "choice"]);
        let indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        assert_eq!(
            texts(&pool, indexes.to_owned()).await,
            [format!("{name} index")]
        );

        // The defaults are the text itself, and the enumeration knows it.
        let table = identifier(&name);
        execute(&pool, format!("INSERT INTO {table} (id) VALUES (1)")).await;
        for column in [&*name, "choice"] {
            let query = format!("SELECT {} FROM {table}", identifier(column));
            assert_eq!(texts(&pool, query).await, [&*name]);
        }

        // Every other place where a name stands, a rebuild of the table among them.
        let unique_name = format!("{name} unique");
        made.push(schema.add_field(&name, text(&other)).await.unwrap());
        let update = db
            .update(&name)
            .set(&*other, concat([lit(&*name), field(&*name)]));
        made.push(update.filter(eq(&*name, &*name)).await.unwrap());
        let query = format!("SELECT {} FROM {table}", identifier(&other));
        assert_eq!(texts(&pool, query).await, [format!("{name}{name}")]);
        let rule = unique([&*other, &*name]).name(&unique_name);
        made.push(schema.add_constraint(&name, rule).await.unwrap());
        made.push(
            schema
                .modify_field(&name, &name, change().required().default("x"))
                .await
                .unwrap(),
        );
        made.push(
            schema
                .create(&other, [integer("id").primary_key(), integer(&name)])
                .constraint(
                    foreign_key([&*name])
                        .references(&*name, ["id"])
                        .name(format!("{name} key")),
                )
                .await
                .unwrap(),
        );
        made.push(
            schema
                .rename_field(&name, &other, format!("{name}3"))
                .await
                .unwrap(),
        );
        made.push(schema.rename(&other, format!("{name}4")).await.unwrap());
        assert_eq!(
            tables(&pool).await.len(),
            3,
            "{name:?}: the witness and two more"
        );
        assert_eq!(
            columns(&pool, &name).await,
            ["id", &*name, "choice", &*format!("{name}3")]
        );
        let keys = format!(
            "SELECT \"table\" FROM pragma_foreign_key_list({})",
            literal(&format!("{name}4"))
        );
        assert_eq!(texts(&pool, keys).await, [&*name]);
        let verified = db.engine().verify().await.unwrap();
        assert!(verified.ok, "{name:?}: {:#?}", verified.differences);

        for migration in made.iter().rev() {
            db.engine().down(&migration.migration).await.unwrap();
        }
        assert_eq!(db.engine().live_schema().await.unwrap(), start, "{name:?}");
        assert_eq!(tables(&pool).await, ["witness"]);
    }
}

/// A name with NUL, and one without a letter, are told; Ductape's own are kept.
#[tokio::test]
async fn what_is_no_name_is_refused() {
    let (pool, db) = database().await;
    for name in ["", "nul\0", "ductape_state"] {
        let error = db.schema().create(name, [integer("id")]).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{name:?}: {error}");
    }
    assert_eq!(tables(&pool).await, ["witness"]);
}
