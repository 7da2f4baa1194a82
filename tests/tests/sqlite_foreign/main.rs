//! SQLite databases that others have lived in: every change that they have room for, up and down.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod random;
mod reading;

use ductape::{Database, Error, ErrorKind, Migration};
use ductape_core::{Operation, Reversibility, RiskKind};
use ductape_tests::walk;
use reading::{Reading, Table, complaints, open, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder for copies; in memory where there is one, since every copy is flushed many times.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A database that a script makes; nothing if SQLite does not take the script.
async fn template(folder: &Path, script: &str) -> Option<PathBuf> {
    let file = folder.join("template.db");
    let mut connection = open(&file).await;
    let made = sqlx::raw_sql(sqlx::AssertSqlSafe(script.to_owned()))
        .execute(&mut connection)
        .await;
    sqlx::Connection::close(connection).await.unwrap();
    made.is_ok().then_some(file)
}

async fn connect(file: &Path) -> Database {
    Database::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap()
}

/// What became of a change.
enum Outcome {
    There,
    ThereAndBack,
    /// Refused, in the plan or because of rows.
    Refused(Error),
    /// Applied, and its way back refused as it was foretold.
    OneWay(Error),
}

/// One change on a copy of the database, up and down.
async fn try_out(
    before: &Reading,
    template: &Path,
    operation: &Operation,
) -> Result<Outcome, String> {
    let file = template.with_file_name("copy.db");
    std::fs::copy(template, &file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let db = connect(&file).await;
    let engine = db.engine();
    let migration = match Migration::new("change", None, vec![operation.clone()], None) {
        Ok(migration) => migration,
        Err(problems) => {
            return Ok(Outcome::Refused(
                Error::from(problems).hint("it is told at once"),
            ));
        }
    };
    let plan = engine.plan(&migration).await;
    if std::fs::read(&file).unwrap() != bytes {
        return Err("the plan touched the file".to_owned());
    }
    let done = match engine.apply_new(&migration).await {
        Ok(done) => done,
        Err(error) => {
            if let Err(planned) = &plan
                && planned.kind() != error.kind()
            {
                return Err(format!("planned: {planned}\nthen: {error}"));
            }
            if !walk::is_refusal(&error) {
                return Err(format!("up {:?}: {error}", error.kind()));
            }
            return match same(before, &read(&file).await, Kept::Everything) {
                Ok(()) => Ok(Outcome::Refused(error)),
                Err(difference) => Err(format!("refused ({error}), and touched: {difference}")),
            };
        }
    };
    let plan = plan.map_err(|error| format!("done, and the plan was refused: {error}"))?;
    let planned = &plan.migrations[0];
    let complained = complaints(&file).await;
    if !complained.is_empty() {
        return Err(format!("after up: {complained:?}"));
    }
    let verification = engine.verify().await.unwrap();
    if !verification.ok {
        return Err(format!("after up: {:#?}", verification.differences));
    }
    if let Err(error) = engine.down(&done.migration).await {
        let foretold = planned.reversible != Reversibility::Lossless && walk::is_refusal(&error);
        return match foretold {
            true => Ok(Outcome::OneWay(error)),
            false => Err(format!(
                "down {:?} after {:?}: {error}",
                error.kind(),
                planned.reversible
            )),
        };
    }
    let forgets = planned
        .risks
        .iter()
        .any(|risk| risk.risk.kind == RiskKind::NotRestored);
    let kept = match (operation, planned.reversible) {
        (_, Reversibility::Lossless) if forgets => Kept::Rows,
        (_, Reversibility::Lossless) => Kept::Everything,
        (Operation::DropCollection(drop), _) => Kept::AllBut(drop.name.to_string(), None),
        (Operation::DropField(drop), _) => {
            Kept::AllBut(drop.collection.to_string(), Some(drop.field.to_string()))
        }
        (Operation::ModifyField(modify), _) => Kept::AllBut(
            modify.collection.to_string(),
            Some(modify.field.to_string()),
        ),
        _ => return Err(format!("nothing should be lost: {:?}", planned.lost)),
    };
    same(before, &read(&file).await, kept).map_err(|difference| {
        format!(
            "{difference}\nup {:#?}\ndown {:#?}",
            planned.up, planned.down
        )
    })?;
    let complained = complaints(&file).await;
    if !complained.is_empty() {
        return Err(format!("after down: {complained:?}"));
    }
    Ok(match planned.reversible {
        Reversibility::Lossless => Outcome::ThereAndBack,
        _ => Outcome::There,
    })
}

/// What has to be as it was.
enum Kept {
    Everything,
    /// All but how far tables have counted, and the numbers of rows that are no field.
    Rows,
    /// All but a table's rows, or one column of them.
    AllBut(String, Option<String>),
}

fn same(before: &Reading, after: &Reading, kept: Kept) -> Result<(), String> {
    for (name, lines) in &before.shape {
        match after.shape.get(name) {
            None => return Err(format!("{name} is gone")),
            Some(now) if now != lines => {
                let gone: Vec<_> = lines.iter().filter(|line| !now.contains(line)).collect();
                let new: Vec<_> = now.iter().filter(|line| !lines.contains(line)).collect();
                return Err(format!("{name}\n- {gone:#?}\n+ {new:#?}"));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = after
        .shape
        .keys()
        .find(|name| !before.shape.contains_key(*name))
    {
        return Err(format!("{name} is new"));
    }
    for (name, table) in &before.rows {
        let now = &after.rows[name];
        // It shows what another table holds.
        let shows = before.shape[&format!("table {name}")][0].starts_with("virtual");
        if shows && matches!(kept, Kept::AllBut(..)) {
            continue;
        }
        let (mut was, mut is) = (table.clone(), now.clone());
        match &kept {
            Kept::Everything => {}
            Kept::Rows => {
                (was.counter, is.counter) = (None, None);
                without(&mut was, "rowid");
                without(&mut is, "rowid");
            }
            Kept::AllBut(other, _) if other != name => {}
            Kept::AllBut(_, None) => continue,
            Kept::AllBut(_, Some(column)) => {
                (was.counter, is.counter) = (None, None);
                without(&mut was, column);
                without(&mut is, column);
            }
        }
        if was != is {
            return Err(format!("the rows of {name}\n- {was:?}\n+ {is:?}"));
        }
    }
    Ok(())
}

/// Leaves a column out, and what a generated column makes of it.
fn without(table: &mut Table, column: &str) {
    if let Some(place) = table.columns.iter().position(|name| name == column) {
        table.columns.remove(place);
        for row in &mut table.rows {
            row.remove(place);
        }
        table.rows.sort();
    }
}

async fn apply(engine: &ductape::MigrationEngine, operations: &str) -> Result<Migration, Error> {
    let operations = Migration::parse_operations(operations).unwrap();
    let migration = Migration::new("change", None, operations, None).unwrap();
    engine
        .apply_new(&migration)
        .await
        .map(|done| done.migration)
}

const WORDS: walk::Words = walk::Words {
    collation: "NOCASE",
    native: "[odd] TYPE(3)",
    options: &["strict", "withoutRowid"],
};

const TRIGGERED: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
    CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT);
    CREATE TRIGGER told AFTER UPDATE ON t BEGIN INSERT INTO log (what) VALUES (new.a || old.id); END;
    INSERT INTO t VALUES (1, 'x'), (5, 'y');";

#[tokio::test]
async fn a_trigger_follows_a_renaming_when_its_table_is_written_anew_in_the_same_migration() {
    let folder = scratch();
    let file = template(folder.path(), TRIGGERED).await.unwrap();
    let before = read(&file).await;
    let engine = connect(&file).await.engine();
    for rename in [
        r#"{"type": "renameCollection", "from": "t", "to": "u"}, {"type": "modifyField", "collection": "u", "field": "a", "changes": {"default": "z"}}"#,
        r#"{"type": "renameField", "collection": "t", "from": "a", "to": "b"}, {"type": "modifyField", "collection": "t", "field": "b", "changes": {"default": "z"}}"#,
    ] {
        let done = apply(&engine, &format!("[{rename}]")).await.unwrap();
        assert_eq!(complaints(&file).await, Vec::<String>::new());
        engine.down(&done).await.unwrap();
        same(&before, &read(&file).await, Kept::Everything).unwrap();
    }
    // `id` is a field of both tables: which one a word means, SQLite alone knows.
    let refused = apply(
        &engine,
        r#"[{"type": "renameField", "collection": "t", "from": "id", "to": "key"},
            {"type": "modifyField", "collection": "t", "field": "a", "changes": {"default": "z"}}]"#,
    )
    .await
    .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    assert!(refused.to_string().contains("told"), "{refused}");
    same(&before, &read(&file).await, Kept::Everything).unwrap();
}

async fn every_change(name: &str, script: &str) {
    let folder = scratch();
    let template = template(folder.path(), script).await.unwrap();
    let before = read(&template).await;
    let schema = connect(&template)
        .await
        .engine()
        .live_schema()
        .await
        .unwrap();
    let only = std::env::var("DUCTAPE_CHANGE").ok();
    let (mut there, mut back, mut refused, mut one_way) = (0, 0, 0, 0);
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut failures = Vec::new();
    for operation in walk::all(&schema, &WORDS) {
        let describe = operation.describe();
        if failures.len() > 400 {
            break;
        }
        if only.as_ref().is_some_and(|only| !describe.contains(only)) {
            continue;
        }
        let mut refuse = |error: Error, word: &str| {
            let entry = reasons
                .entry(format!("{word} {}", walk::reason(&error, &schema)))
                .or_insert((0, describe.clone()));
            entry.0 += 1;
        };
        match try_out(&before, &template, &operation).await {
            Ok(Outcome::ThereAndBack) => back += 1,
            Ok(Outcome::There) => there += 1,
            Ok(Outcome::Refused(error)) => {
                refused += 1;
                refuse(error, "up:");
            }
            Ok(Outcome::OneWay(error)) => {
                one_way += 1;
                refuse(error, "down:");
            }
            Err(failure) => failures.push(format!("== {describe}\n{failure}")),
        }
    }
    println!(
        "{name}: {back} changes there and back with everything, {there} with the shape, {one_way} one way as foretold, {refused} refused"
    );
    for (reason, (often, example)) in &reasons {
        println!("  {often:4} {reason}\n         such as: {example}");
    }
    assert!(
        failures.is_empty(),
        "{} of the changes of {name} failed\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        back > refused / 2,
        "{back} there and back, {refused} refused"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn every_change_of_a_database_with_everything_in_it() {
    every_change("lived in", include_str!("lived_in.sql")).await;
}

#[tokio::test(flavor = "current_thread")]
async fn every_change_of_the_shop_of_records() {
    every_change("chinook", include_str!("chinook.sql")).await;
}

#[tokio::test(flavor = "current_thread")]
async fn every_change_of_the_shop_of_films() {
    every_change("sakila", include_str!("sakila.sql")).await;
}
