//! What a database is, read by PostgreSQL's own means: its dump, its rows, and a mark of its catalog.

use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The statements that make a schema, without their order, and the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub shape: BTreeSet<String>,
    /// The rows of each table as objects, sorted.
    pub rows: BTreeMap<String, Vec<serde_json::Map<String, serde_json::Value>>>,
    /// The tables that hold parts of others' rows, with these others.
    pub parts: BTreeSet<(String, String)>,
    /// What shows other tables' rows.
    pub views: BTreeSet<String>,
    /// The names of columns that are made from others.
    pub generated: BTreeSet<String>,
}

impl Reading {
    /// Takes what holds for new rows alone for what holds for all, where it once did.
    pub fn take_as_valid(&mut self, before: &Self) {
        for part in std::mem::take(&mut self.shape) {
            let valid = part.replace(" NOT VALID", "");
            let once = before.shape.contains(&valid);
            self.shape.insert(if once { valid } else { part });
        }
    }
}

pub async fn run(connection: &mut PgConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
}

pub async fn ask(connection: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query(AssertSqlSafe(query.to_owned()))
        .fetch_all(connection)
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"))
        .iter()
        .map(|row| {
            row.try_get::<Option<String>, _>(0)
                .unwrap()
                .unwrap_or_default()
        })
        .collect()
}

/// Changes with every committed change of the catalog and of the rows, Ductape's own tables left out.
pub async fn mark(connection: &mut PgConnection) -> Vec<String> {
    let mut marks = Vec::new();
    for (catalog, relation) in [
        ("pg_class", "c.oid"),
        ("pg_attribute", "c.attrelid"),
        ("pg_attrdef", "c.adrelid"),
        ("pg_constraint", "c.conrelid"),
        ("pg_index", "c.indrelid"),
        ("pg_trigger", "c.tgrelid"),
        ("pg_rewrite", "c.ev_class"),
        ("pg_policy", "c.polrelid"),
        ("pg_type", "c.typrelid"),
        ("pg_enum", "0"),
        ("pg_statistic_ext", "c.stxrelid"),
        ("pg_sequence", "c.seqrelid"),
        ("pg_description", "c.objoid"),
    ] {
        marks.push(format!(
            "SELECT '{catalog} ' || coalesce(md5(string_agg(c.xmin::text || c.ctid::text, ',' ORDER BY c.ctid)), '') FROM {catalog} c \
             WHERE c.tableoid::regclass::text <> '' AND NOT EXISTS (SELECT FROM pg_class o LEFT JOIN pg_index i ON i.indexrelid = o.oid LEFT JOIN pg_class t ON t.oid = i.indrelid \
             WHERE o.oid = {relation} AND (o.relname LIKE '%ductape\\_%' OR t.relname LIKE 'ductape\\_%' OR o.relnamespace = 'pg_toast'::regnamespace))\
             {}",
            match catalog {
                "pg_type" => " AND c.typname NOT LIKE '%ductape\\_%'",
                _ => "",
            }
        ));
    }
    ask(connection, &marks.join(" UNION ALL ")).await
}

/// The definitions, line by line where only the lines' order may differ.
fn shape(dump: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = dump
        .lines()
        .filter(|line| !line.starts_with('\\') && !line.starts_with("SE"))
        .collect();
    lines
        .join("\n")
        .split("\n--\n")
        .filter(|part| !part.trim().is_empty() && !part.starts_with("-- "))
        .map(|part| {
            let part = part.trim();
            if !part.starts_with("CREATE TABLE") && !part.starts_with("CREATE UNLOGGED") {
                return part.to_owned();
            }
            // Where a column stands is not said.
            let mut lines: Vec<&str> = part.lines().map(|l| l.trim_end_matches(',')).collect();
            lines.sort_unstable();
            lines.join("\n")
        })
        .collect()
}

pub async fn read(connection: &mut PgConnection, url: &str) -> Reading {
    let dump = Command::new("pg_dump")
        .args(["--schema-only", "--exclude-table=ductape_*", url])
        .output()
        .unwrap();
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    let tables = ask(
        connection,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relname NOT LIKE 'ductape\\_%' \
         AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)",
    )
    .await;
    let views = ask(
        connection,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'm'",
    )
    .await;
    let parts = ask(
        connection,
        "SELECT relid::regclass || ' ' || pg_partition_root(relid)::regclass FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND NOT c.relispartition",
    )
    .await;
    let generated = ask(
        connection,
        "SELECT DISTINCT attname::text FROM pg_attribute WHERE attgenerated <> ''",
    )
    .await;
    let mut rows = BTreeMap::new();
    for table in tables {
        let text = format!("SELECT to_jsonb(t)::text FROM ONLY {table} AS t ORDER BY 1");
        let found = ask(connection, &text).await;
        let found = found
            .iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        rows.insert(table, found);
    }
    Reading {
        shape: shape(&String::from_utf8(dump.stdout).unwrap()),
        rows,
        parts: parts
            .iter()
            .filter_map(|part| part.split_once(' '))
            .map(|(part, whole)| (part.to_owned(), whole.to_owned()))
            .collect(),
        views: views.into_iter().collect(),
        generated: generated.into_iter().collect(),
    }
}
