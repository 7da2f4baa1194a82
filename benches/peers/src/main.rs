//! Ductape beside its peers, in paired rounds. `BENCHMARKS.md` tells what the figures say.
//!
//! `cargo run --release -- sqlite|postgres [ROUNDS [HISTORY]]`: 7 rounds and a history of 50,000 migrations
//! unless said.

mod peers;
mod postgres;
#[path = "../../../tests/src/proxy.rs"]
#[allow(dead_code)]
mod proxy;

use ductape::core::compiler::Compiler;
use ductape::{MigrationSet, Sqlite};
use ductape_benches::compare::{Contender, compare};
use ductape_benches::database::{Scratch, engine, up, wait};
use ductape_benches::workload;
use peers::{Refinery, all};
use std::path::Path;
use std::time::{Duration, Instant};

/// The same migrations for everyone: as Ductape's set, and as the SQL that Ductape makes of them.
pub struct Work {
    set: MigrationSet,
    sql: Vec<String>,
}

impl Work {
    fn new(compiler: &dyn Compiler, files: &[String]) -> Self {
        let migrations = workload::migrations(files);
        Self {
            sql: workload::sql_for(compiler, &migrations),
            set: MigrationSet::new(migrations).unwrap(),
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().unwrap_or_default();
    let mut numbers = arguments.map(|text| text.parse().expect("a number"));
    let rounds = numbers.next().unwrap_or(7);
    let history = numbers.next().unwrap_or(50_000);
    match database.as_str() {
        "sqlite" => {}
        "postgres" => return postgres::measure(rounds, history),
        _ => panic!("sqlite or postgres, and not {database:?}"),
    }
    println!("SQLite {}", rusqlite::version());
    pending(
        rounds,
        "1000 pending migrations",
        &workload::mixed_files(1000),
        0,
    );
    let (files, tables) = tables_first(1000);
    let title = format!(
        "{} of 1000 pending, to tables that are there",
        1000 - tables
    );
    pending(rounds, &title, &files, tables);
    long_history(rounds, history);
}

/// The same migrations, all tables before all fields before all indexes; and how many the tables are.
fn tables_first(count: usize) -> (Vec<String>, usize) {
    let mixed = workload::mixed_operations("t", count);
    let sorted = (0..3).flat_map(|kind| mixed.iter().skip(kind).step_by(3));
    let files = sorted
        .enumerate()
        .map(|(place, operation)| workload::file(place, std::slice::from_ref(operation)))
        .collect();
    (files, count.div_ceil(3))
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// All but the first `there` are pending, on a file that has those already.
fn pending(rounds: usize, title: &str, files: &[String], there: usize) {
    let work = Work::new(&Sqlite, files);
    let first = Work::new(&Sqlite, &files[..there]);
    let with_grouped = |work: &Work| {
        let mut peers = all(work);
        peers.push(Box::new(Refinery::new(work, true)));
        peers
    };
    let (peers, firsts) = (with_grouped(&work), with_grouped(&first));
    let by_hand = |file: &Path, from: usize, to: usize| {
        let connection = rusqlite::Connection::open(file).unwrap();
        let text = format!("BEGIN;\n{}COMMIT;", work.sql[from..to].concat());
        connection.execute_batch(&text).unwrap();
    };
    let expected = {
        let scratch = Scratch::new();
        by_hand(&scratch.file(), 0, files.len());
        tables(&scratch.file())
    };
    let on_new_file = |first: &dyn Fn(&Scratch), run: &dyn Fn(&Scratch)| {
        let scratch = Scratch::new();
        if there > 0 {
            first(&scratch);
        }
        let time = timed(|| run(&scratch));
        assert_eq!(tables(&scratch.file()), expected);
        time
    };
    let own = |scratch: &Scratch, set: &MigrationSet, count: usize| {
        assert_eq!(wait(up(&scratch.url(), set)), count);
    };
    let mut contenders = vec![Contender::new("Ductape", || {
        on_new_file(&|scratch| own(scratch, &first.set, there), &|scratch| {
            own(scratch, &work.set, files.len() - there);
        })
    })];
    for (peer, first) in peers.iter().zip(&firsts) {
        contenders.push(Contender::new(peer.name(), || {
            on_new_file(&|scratch| first.up(&scratch.file(), false), &|scratch| {
                peer.up(&scratch.file(), true);
            })
        }));
    }
    contenders.push(Contender::new("by hand, one transaction", || {
        on_new_file(&|scratch| by_hand(&scratch.file(), 0, there), &|scratch| {
            by_hand(&scratch.file(), there, files.len());
        })
    }));
    compare(title, rounds, contenders);
}

/// What the migrations left behind.
fn tables(file: &Path) -> Vec<(String, String)> {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut query = connection
        .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE tbl_name GLOB 't[0-9]*' ORDER BY 1")
        .unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Everything is applied already.
fn long_history(rounds: usize, count: usize) {
    let mut files = workload::long_files(count + 1);
    let with_one_more = Work::new(&Sqlite, &files);
    files.pop();
    let work = Work::new(&Sqlite, &files);

    let peers = all(&work);
    let peers_with_one_more = all(&with_one_more);
    let scratches: Vec<Scratch> = peers
        .iter()
        .map(|peer| {
            let scratch = Scratch::new();
            let time = timed(|| peer.up(&scratch.file(), false));
            println!("{}: a history of {count} made in {time:.1?}", peer.name());
            scratch
        })
        .collect();
    let own = Scratch::new();
    let time = timed(|| assert_eq!(wait(up(&own.url(), &work.set)), count));
    println!("Ductape: a history of {count} made in {time:.1?}");
    let own = own.url();

    let mut contenders = vec![Contender::new("Ductape", || {
        timed(|| assert_eq!(wait(up(&own, &work.set)), 0))
    })];
    for (peer, scratch) in peers.iter().zip(&scratches) {
        contenders.push(Contender::new(peer.name(), || {
            timed(|| peer.up(&scratch.file(), true))
        }));
    }
    compare(
        &format!("a start with nothing to do, {count} applied"),
        rounds * 3,
        contenders,
    );

    for (title, work, peers, pending) in [
        ("nothing pending", &work, &peers, 0),
        ("one pending", &with_one_more, &peers_with_one_more, 1),
    ] {
        let mut contenders = vec![Contender::new("Ductape", || {
            timed(|| {
                let status = wait(async { engine(&own).await.status(&work.set).await });
                assert_eq!(status.unwrap().pending, pending);
            })
        })];
        for (peer, scratch) in peers.iter().zip(&scratches) {
            contenders.push(Contender::new(peer.name(), || {
                timed(|| assert_eq!(peer.pending(&scratch.file()), pending))
            }));
        }
        compare(
            &format!("status, {count} applied, {title}"),
            rounds * 3,
            contenders,
        );
    }
}
