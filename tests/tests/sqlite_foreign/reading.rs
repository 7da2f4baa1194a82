//! What a database is, read by the test's own means: the pragmas, and the words that they do not tell.

use ductape_core::expression::{Token, tokens};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything about a database: its shape, line by line, and its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// By the name of a table, view or trigger.
    pub shape: BTreeMap<String, Vec<String>>,
    /// By table and column, `rowid` included; every table's rows are in the order of their first column
    /// by name, so that a row stays together.
    pub rows: BTreeMap<String, Table>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// How far it has counted.
    pub counter: Option<i64>,
}

pub async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(false)
        .connect()
        .await
        .unwrap()
}

async fn query(connection: &mut SqliteConnection, text: String) -> Vec<Vec<Option<String>>> {
    let rows = sqlx::query(AssertSqlSafe(text.clone()))
        .fetch_all(connection)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    rows.iter()
        .map(|row| {
            (0..row.len())
                .map(|at| {
                    let value: Option<String> = row.try_get_unchecked(at).unwrap();
                    value
                })
                .collect()
        })
        .collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The words of a text in one spelling.
fn words(text: &str) -> Vec<String> {
    // The core's tokens do not know every name in brackets.
    let mut text = text.replace("[2nd]", "\"2nd\"");
    for number in 0..3 {
        text = text.replace(&format!("[1st{number}]"), &format!("\"1st{number}\""));
    }
    tokens(&text)
        .map(|token| match token {
            Token::Word(word) => word.to_lowercase(),
            Token::Quoted(_) => token.name().unwrap().to_lowercase(),
            other => other.source().to_owned(),
        })
        .collect()
}

/// What the pragmas do not tell of a table: its checks and generated columns, and how often it says what.
fn unsaid(text: &str) -> Vec<String> {
    let all = words(text);
    let mut found = Vec::new();
    for (place, word) in all.iter().enumerate() {
        let bracket = all.get(place + 1).is_some_and(|next| next == "(");
        if bracket && (word == "check" || word == "as") {
            let mut depth = 0;
            let inner: Vec<&str> = all[place + 1..]
                .iter()
                .take_while(|word| {
                    depth += i32::from(*word == "(") - i32::from(*word == ")");
                    depth > 0
                })
                .map(String::as_str)
                .collect();
            found.push(format!("{word} {}", inner[1..].join(" ")));
        }
    }
    for word in [
        "autoincrement",
        "strict",
        "without",
        "stored",
        "deferrable",
        "deferred",
        "match",
        "ignore",
        "replace",
        "fail",
        "rollback",
        "nocase",
        "rtrim",
    ] {
        // NOT DEFERRABLE says nothing.
        let often = (0..all.len())
            .filter(|at| all[*at] == word && (*at == 0 || all[at - 1] != "not"))
            .count();
        if often > 0 {
            found.push(format!("{word} {often} times"));
        }
    }
    found.sort();
    found
}

pub async fn read(file: &Path) -> Reading {
    let mut connection = open(file).await;
    let connection = &mut connection;
    let mut reading = Reading {
        shape: BTreeMap::new(),
        rows: BTreeMap::new(),
    };
    let all = query(
        connection,
        "SELECT s.type, s.name, s.tbl_name, s.sql, l.type FROM sqlite_schema AS s
         LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.name
         WHERE s.tbl_name NOT LIKE 'ductape_%' AND s.name NOT LIKE 'sqlite_%'"
            .to_owned(),
    )
    .await;
    for row in all {
        let [Some(kind), Some(name), Some(table), Some(sql), listed] = row.as_slice() else {
            panic!("{row:?}");
        };
        let mut lines = match kind.as_str() {
            "table" if listed.as_deref() == Some("shadow") => vec![format!("shadow {sql}")],
            "table" if listed.as_deref() == Some("virtual") => vec![format!("virtual {sql}")],
            "table" => table_lines(connection, name, sql).await,
            "index" => continue,
            other => vec![format!(
                "{other} on {}: {}",
                table.to_lowercase(),
                words(sql).join(" ")
            )],
        };
        lines.sort();
        reading.shape.insert(format!("{kind} {name}"), lines);
        if kind == "table" {
            let rows = table_rows(connection, name).await;
            reading.rows.insert(name.clone(), rows);
        }
    }
    reading
}

async fn table_lines(connection: &mut SqliteConnection, table: &str, sql: &str) -> Vec<String> {
    let mut lines = unsaid(sql);
    let about = literal(table);
    let columns = query(
        connection,
        format!("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({about})"),
    )
    .await;
    let keys = columns
        .iter()
        .filter(|c| c[4].as_deref() != Some("0"))
        .count();
    for column in columns {
        let text = |at: usize| column[at].clone().unwrap_or_default();
        // A column of a generated one says so in its type.
        let declared: String = text(1)
            .to_uppercase()
            .replace("GENERATED ALWAYS", "")
            .split_whitespace()
            .collect();
        let rowid = declared == "INTEGER" && text(4) == "1" && keys == 1;
        let not_null = text(2) == "1" && !rowid;
        let default = match &column[3] {
            None => "NULL".to_owned(),
            // A name is a text here.
            Some(text) if ["nobody", "bare"].contains(&text.as_str()) => format!("'{text}'"),
            Some(text) if text.starts_with('"') => text.replace('"', "'"),
            Some(text) if text.to_lowercase().contains("current_") || text.contains('(') => {
                words(text).join(" ").replace(['(', ')', ' '], "")
            }
            Some(text) => query(connection, format!("SELECT quote({text})")).await[0][0]
                .clone()
                .unwrap(),
        };
        lines.push(format!(
            "column {} {declared} required {not_null} default {default} key {} hidden {}",
            text(0),
            text(4),
            text(5)
        ));
    }
    let indexes = query(
        connection,
        format!("SELECT name, \"unique\", origin, partial FROM pragma_index_list({about})"),
    )
    .await;
    for index in indexes {
        let name = index[0].clone().unwrap();
        let keys = query(
            connection,
            format!("SELECT seqno, name, \"desc\", upper(coll), cid = -2 FROM pragma_index_xinfo({}) WHERE key", literal(&name)),
        )
        .await;
        let sql = query(
            connection,
            format!(
                "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = {}",
                literal(&name)
            ),
        )
        .await;
        // The key of a table without rowids is no index of its own.
        let own = match sql.first().and_then(|row| row[0].as_deref()) {
            None => String::new(),
            Some(sql) => {
                let words = words(sql);
                let after = words.iter().position(|word| word == "where");
                let expressions: Vec<&String> = words
                    .iter()
                    .filter(|w| {
                        !["(", ")", "if", "not", "exists", "desc", "asc", "collate"]
                            .contains(&w.as_str())
                    })
                    .collect();
                let any = keys.iter().any(|key| key[4].as_deref() == Some("1"));
                format!(
                    "{name} {:?} {:?}",
                    after.map(|at| words[at..].join(" ")),
                    any.then_some(expressions)
                )
            }
        };
        lines.push(format!("index {own} {:?} {keys:?}", &index[1..]));
    }
    let foreign = query(
        connection,
        format!("SELECT id, seq, lower(\"table\"), \"from\", \"to\", on_update, on_delete, match FROM pragma_foreign_key_list({about})"),
    )
    .await;
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in foreign {
        let text = |at: usize| row[at].clone().unwrap_or_default();
        let mut to = text(4).to_lowercase();
        if row[4].is_none() {
            let key = query(
                connection,
                format!(
                    "SELECT lower(name) FROM pragma_table_info({}) WHERE pk = {} + 1",
                    literal(&text(2)),
                    text(1)
                ),
            )
            .await;
            to = key
                .first()
                .and_then(|row| row[0].clone())
                .unwrap_or_default();
        }
        keys.entry(text(0)).or_default().push(format!(
            "{} -> {}.{to} {} {} {}",
            text(3).to_lowercase(),
            text(2),
            text(5),
            text(6),
            text(7)
        ));
    }
    for (_, mut parts) in keys {
        parts.sort();
        lines.push(format!("foreign key {parts:?}"));
    }
    lines
}

async fn table_rows(connection: &mut SqliteConnection, table: &str) -> Table {
    let columns = query(
        connection,
        format!(
            "SELECT name FROM pragma_table_xinfo({}) WHERE hidden <> 1 ORDER BY name",
            literal(table)
        ),
    )
    .await;
    let mut columns: Vec<String> = columns
        .into_iter()
        .map(|mut c| c.remove(0).unwrap())
        .collect();
    let with_rowid = query(
        connection,
        format!(
            "SELECT wr FROM pragma_table_list({}) WHERE schema = 'main'",
            literal(table)
        ),
    )
    .await[0][0]
        .as_deref()
        == Some("0");
    if with_rowid && !columns.iter().any(|name| name == "rowid") {
        columns.push("rowid".to_owned());
    }
    let list: Vec<String> = columns
        .iter()
        .map(|name| format!("quote({})", quoted(name)))
        .collect();
    let order: Vec<String> = (1..=columns.len()).rev().map(|n| n.to_string()).collect();
    let rows = query(
        connection,
        format!(
            "SELECT {} FROM {} ORDER BY {}",
            list.join(", "),
            quoted(table),
            order.join(", ")
        ),
    )
    .await;
    let counters = query(
        connection,
        "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'".to_owned(),
    )
    .await;
    let counter = match counters.is_empty() {
        true => None,
        false => query(
            connection,
            format!(
                "SELECT seq FROM sqlite_sequence WHERE name = {}",
                literal(table)
            ),
        )
        .await
        .first()
        .and_then(|row| row[0].as_deref()?.parse().ok()),
    };
    Table {
        columns,
        rows: rows
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
            .collect(),
        counter,
    }
}

/// What a database complains of itself: damage, and views and triggers that would not run.
pub async fn complaints(file: &Path) -> Vec<String> {
    let mut connection = open(file).await;
    let connection = &mut connection;
    let mut found: Vec<String> = query(connection, "PRAGMA integrity_check".to_owned())
        .await
        .into_iter()
        .flatten()
        .flatten()
        .filter(|line| line != "ok")
        .collect();
    let views = query(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'view'".to_owned(),
    )
    .await;
    for view in views.into_iter().flatten().flatten() {
        let text = format!("SELECT * FROM {} LIMIT 1", quoted(&view));
        if let Err(error) = sqlx::query(AssertSqlSafe(text))
            .fetch_all(&mut *connection)
            .await
        {
            found.push(format!("view {view}: {error}"));
        }
    }
    // Changing nothing compiles every trigger of the table.
    let tables = query(
        connection,
        "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN (SELECT name FROM pragma_table_list WHERE type = 'table')".to_owned(),
    )
    .await;
    for table in tables.into_iter().flatten().flatten() {
        let text = format!("EXPLAIN DELETE FROM {} WHERE 0", quoted(&table));
        if let Err(error) = sqlx::query(AssertSqlSafe(text))
            .fetch_all(&mut *connection)
            .await
        {
            found.push(format!("trigger on {table}: {error}"));
        }
    }
    found
}
