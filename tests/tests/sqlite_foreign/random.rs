//! Random tables in odd spellings: written anew and back, they mean what they meant.

use crate::reading::{complaints, read};
use crate::{Kept, connect, same, scratch, template};
use ductape_core::Migration;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// A name in one of SQLite's quotes; the number keeps columns apart.
fn name() -> impl Strategy<Value = (&'static str, u8, bool)> {
    (
        select(vec![
            "a",
            "Mixed Case",
            "select",
            "it's",
            "x\"y",
            "ünïcode",
            "1st",
        ]),
        0..4_u8,
        any::<bool>(),
    )
}

fn column(number: usize) -> impl Strategy<Value = (String, String)> {
    let quotes = name().prop_map(move |(name, quotes, upper)| {
        let name = format!("{name}{number}");
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.starts_with('1');
        let written = match quotes {
            0 if plain && upper => name.to_uppercase(),
            0 if plain => name.clone(),
            1 => format!("[{name}]"),
            2 => format!("`{name}`"),
            3 => format!("'{}'", name.replace('\'', "''")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        // How an expression names it: a text would be a text there.
        let used = match quotes {
            3 => format!("\"{}\"", name.replace('"', "\"\"")),
            _ => written.clone(),
        };
        (written, used)
    });
    let types = select(vec![
        "",
        "int",
        "INTEGER",
        "Text",
        "VARCHAR(20)",
        "nvarchar ( 30 )",
        "NUMERIC(8, 2)",
        "[my type]",
        "UNSIGNED BIG INT",
        "real",
        "BLOB",
        "Boolean",
        "\"quoted\" words (3)",
        "DATETIME",
        "any",
    ]);
    let clauses = prop::collection::vec(
        select(vec![
            "NOT NULL DEFAULT 1",
            "not null on conflict replace default 'x'",
            "DEFAULT -1.5",
            "default bare",
            "DEFAULT (1 + 2)",
            "DEFAULT CURRENT_TIMESTAMP",
            "COLLATE NOCASE",
            "collate \"RTRIM\"",
            "CHECK (@ <> 'no') -- why, (not)\n",
            "constraint c# check (length(@) < 100)",
            "UNIQUE",
            "unique on conflict ignore",
            "REFERENCES other",
            "REFERENCES other (id) ON DELETE SET NULL MATCH FULL",
            "references missing (x) on update cascade deferrable initially deferred",
            "NULL",
            "DEFAULT x'0aFF'",
            "DEFAULT \"double quoted\"",
            "/* a comment; */",
        ]),
        0..4,
    );
    (quotes, types, clauses).prop_map(move |((written, used), declared, clauses)| {
        let mut seen = Vec::new();
        let clauses: Vec<String> = clauses
            .into_iter()
            .filter(|clause| {
                // A second default or collation takes the place of the first, and says nothing new.
                let kind = clause
                    .split_whitespace()
                    .next()
                    .unwrap_or("")
                    .to_uppercase();
                let fresh = !seen.contains(&kind);
                seen.push(kind.clone());
                if clause.contains("NOT NULL") || clause.contains("not null") {
                    let first = !seen.contains(&"DEFAULT".to_owned());
                    seen.extend(["DEFAULT".to_owned(), "NULL".to_owned()]);
                    return fresh && first;
                }
                fresh
            })
            .map(|clause| clause.replace('@', &used).replace('#', &number.to_string()))
            .collect();
        (format!("{written} {declared} {}", clauses.join(" ")), used)
    })
}

fn table() -> impl Strategy<Value = String> {
    let columns = (column(0), column(1), column(2));
    let keys = select(vec![
        "",
        "",
        "PRIMARY KEY (0)",
        "primary key (1 collate nocase, 0 desc) on conflict fail",
        "UNIQUE (0, 2)",
        "CONSTRAINT [named one] UNIQUE (2 DESC, 1) ON CONFLICT REPLACE CHECK (1 IS NOT 2)",
        "CONSTRAINT f FOREIGN KEY (0, 1) REFERENCES pair ON DELETE CASCADE, CHECK (0 IS NOT 'never')",
        "FOREIGN KEY (2) REFERENCES t (1) ON UPDATE SET DEFAULT NOT DEFERRABLE",
    ]);
    let generated = select(vec![
        "",
        "",
        "g AS (coalesce(0, 1))",
        "g TEXT GENERATED ALWAYS AS (1 || ' , ') STORED NOT NULL",
    ]);
    let indexes = select(vec![
        "",
        "CREATE INDEX i1 ON t (0 DESC, 1 COLLATE RTRIM)",
        "create unique index [i 1] on T(2) where 1 is not null /* end */",
        "CREATE INDEX \"i\" ON t (lower(0), (1), length(2) DESC)",
        "CREATE INDEX i1 ON t ('g0')",
    ]);
    let row = select(vec![
        "",
        "INSERT OR IGNORE INTO t (0, 1, 2) VALUES (1, 'b', 2), (3, NULL, 'd')",
    ]);
    (columns, keys, generated, indexes, row).prop_map(|(columns, keys, generated, index, row)| {
        let ((a, b, c), generated) = (columns, generated);
        let used = [&a.1, &b.1, &c.1];
        // The digits 0, 1 and 2 stand for columns where they stand alone.
        let fill = |text: &str| -> String {
            let characters: Vec<char> = text.chars().collect();
            let mut quoted = false;
            let mut result = String::new();
            for (place, character) in characters.iter().enumerate() {
                quoted ^= *character == '\'';
                let near = |at: Option<usize>| {
                    at.and_then(|at| characters.get(at)).is_some_and(|c| {
                        c.is_alphanumeric()
                            || c == &' '
                                && text.contains("[i 1]")
                                && characters.get(place + 1) == Some(&']')
                    })
                };
                match character.to_digit(3) {
                    Some(digit)
                        if !quoted && !near(place.checked_sub(1)) && !near(Some(place + 1)) =>
                    {
                        result.push_str(used[digit as usize]);
                    }
                    _ => result.push(*character),
                }
            }
            result
        };
        let mut parts = vec![a.0.clone(), b.0.clone(), c.0.clone()];
        parts.extend(
            [fill(generated), fill(keys)]
                .into_iter()
                .filter(|part| !part.is_empty()),
        );
        let (before, values) = row.split_once(" VALUES").unwrap_or((row, ""));
        let row = match values {
            "" => String::new(),
            values => format!("{} VALUES{values}", fill(before)),
        };
        let index = match index.contains("'g0'") {
            true if generated.is_empty() => String::new(),
            _ => fill(&index.replace("'g0'", "g")),
        };
        format!(
            "create table T (\n  {}\n);\n{index};\n{row};",
            parts.join(" ,\n  ")
        )
    })
}

async fn anew(script: &str) -> Result<bool, TestCaseError> {
    let folder = scratch();
    let script = format!(
        "CREATE TABLE other (id INTEGER PRIMARY KEY);\nCREATE TABLE pair (a, b, PRIMARY KEY (a, b));\n{script}"
    );
    let Some(file) = template(folder.path(), &script).await else {
        // SQLite itself does not take it.
        return Ok(false);
    };
    let before = read(&file).await;
    let fail = |why: String| TestCaseError::fail(format!("{script}\n{why}"));
    let engine = connect(&file).await.engine();
    let text = r#"[{"type": "addField", "collection": "T", "field":
        {"name": "added", "type": "timestamp", "required": true, "default": {"now": true}}}]"#;
    let add = Migration::new(
        "add",
        None,
        Migration::parse_operations(text).unwrap(),
        None,
    )
    .unwrap();
    let done = engine
        .apply_new(&add)
        .await
        .map_err(|e| fail(format!("up: {e}")))?;
    let verification = engine.verify().await.unwrap();
    prop_assert!(verification.ok, "{script}\n{:#?}", verification.differences);
    engine
        .down(&done.migration)
        .await
        .map_err(|e| fail(format!("down: {e}")))?;
    let after = read(&file).await;
    same(&before, &after, Kept::Everything).map_err(fail)?;
    let complained = complaints(&file).await;
    prop_assert!(complained.is_empty(), "{script}\n{complained:?}");
    Ok(true)
}

#[test]
fn random_tables_written_anew_mean_what_they_meant() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cases = std::env::var("DUCTAPE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300);
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let (taken, refused) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    runner
        .run(&table(), |script| {
            let count = match runtime.block_on(anew(&script))? {
                true => &taken,
                false => &refused,
            };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    println!(
        "{} tables written anew, {} that SQLite does not take",
        taken.get(),
        refused.get()
    );
    assert!(
        taken.get() > refused.get(),
        "{} taken, {} not",
        taken.get(),
        refused.get()
    );
}
