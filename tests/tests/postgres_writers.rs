//! PostgreSQL with others at work: while a second program inserts and updates in a table of a million
//! rows, it gets an index, a check, a foreign key and a field that must not be null.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::Migration;
use ductape::builder::prelude::*;
use ductape_core::Problems;
use ductape_tests::scene::Scene;
use libtest_mimic::{Arguments, Failed, Trial};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many rows the table has.
const ROWS: u32 = 1_000_000;
/// The longest that a write may wait: what Ductape itself waits for a lock before it steps back.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

fn main() {
    if let Ok(url) = std::env::var("DUCTAPE_WRITER_URL") {
        let from = std::env::var("DUCTAPE_WRITER_FROM").unwrap();
        runtime().block_on(write(&url, from.parse().unwrap()));
        return;
    }
    let trials = vec![Trial::test("postgresql::nobody_waits_long", || {
        runtime().block_on(nobody_waits_long())
    })];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The second program: inserts rows with ids from a number on until its input ends, and prints how many writes there were and how long
/// the slowest took, in microseconds. A write that fails ends it with a panic.
async fn write(url: &str, from: u32) {
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        sender.send(()).unwrap();
    });
    let mut connection = PgConnection::connect(url).await.unwrap();
    let (mut writes, mut slowest) = (0_u32, Duration::ZERO);
    println!("writing");
    std::io::stdout().flush().unwrap();
    while ended.try_recv().is_err() {
        let id = from + writes;
        for text in [
            format!("INSERT INTO busy (id, kind, name) VALUES ({id}, 1, 'new')"),
            format!(
                "UPDATE busy SET name = 'changed' WHERE id = {}",
                id % ROWS + 1
            ),
        ] {
            let started = Instant::now();
            sqlx::raw_sql(AssertSqlSafe(text))
                .execute(&mut connection)
                .await
                .unwrap();
            slowest = slowest.max(started.elapsed());
            writes += 1;
        }
    }
    println!("{writes} {}", slowest.as_micros());
}

fn changes() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        migration("kinds")
            .create_collection("kinds", [integer("id").primary_key()])
            .raw("postgresql", "INSERT INTO kinds VALUES (1)")
            .inverse("DELETE FROM kinds")
            .build()?,
        migration("by_name")
            .create_index("busy", index("busy_by_name", ["name"]))
            .build()?,
        migration("of_a_kind")
            .add_constraint(
                "busy",
                foreign_key(["kind"])
                    .references("kinds", ["id"])
                    .name("busy_kind"),
            )
            .build()?,
        migration("positive")
            .add_constraint("busy", check("id > 0").name("busy_positive"))
            .build()?,
        migration("named")
            .modify_field("busy", "name", change().required())
            .build()?,
    ])
}

async fn nobody_waits_long() -> Result<(), Failed> {
    let mut scene = Scene::new().await;
    scene
        .run(&format!(
            "CREATE TABLE busy (id integer PRIMARY KEY, kind integer, name text);
             INSERT INTO busy SELECT n, 1, 'row ' || n FROM generate_series(1, {ROWS}) n"
        ))
        .await;

    let mut writers = Vec::new();
    for number in 1..=2_u32 {
        let mut writer = Command::new(std::env::current_exe()?)
            .env("DUCTAPE_WRITER_URL", &scene.url)
            .env("DUCTAPE_WRITER_FROM", (number * 100 * ROWS).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(writer.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line)?;
        assert_eq!(line, "writing\n");
        writers.push((writer, said));
    }
    let engine = scene.database().await.engine();
    let migrations = changes()?;
    for migration in &migrations {
        engine.up(migration).await?;
    }
    for migration in migrations.iter().rev() {
        engine.down(migration).await?;
    }
    for (mut writer, mut said) in writers {
        drop(writer.stdin.take());
        let mut line = String::new();
        said.read_line(&mut line)?;
        assert!(writer.wait()?.success(), "a write failed");
        let (writes, slowest) = line.trim().split_once(' ').unwrap();
        let slowest = Duration::from_micros(slowest.parse()?);
        println!("{writes} writes, the slowest {slowest:?}");
        assert!(writes.parse::<u32>()? > 100, "only {writes} writes");
        assert!(slowest < LOCK_TIMEOUT, "a write took {slowest:?}");
    }
    Ok(())
}
