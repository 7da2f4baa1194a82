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
    pending(rounds, 1000);
    long_history(rounds, history);
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Everything is pending, on a new file.
fn pending(rounds: usize, count: usize) {
    let work = Work::new(&Sqlite, &workload::mixed_files(count));
    let mut peers = all(&work);
    peers.push(Box::new(Refinery::new(&work, true)));
    let expected = {
        let scratch = Scratch::new();
        by_hand(&work, &scratch.file());
        tables(&scratch.file())
    };
    let on_new_file = |run: &dyn Fn(&Scratch)| {
        let scratch = Scratch::new();
        let time = timed(|| run(&scratch));
        assert_eq!(tables(&scratch.file()), expected);
        time
    };
    let mut contenders = vec![Contender::new("Ductape", || {
        on_new_file(&|scratch| assert_eq!(wait(up(&scratch.url(), &work.set)), count))
    })];
    for peer in &peers {
        contenders.push(Contender::new(peer.name(), || {
            on_new_file(&|scratch| peer.up(&scratch.file(), true))
        }));
    }
    contenders.push(Contender::new("by hand, one transaction", || {
        on_new_file(&|scratch| by_hand(&work, &scratch.file()))
    }));
    compare(&format!("{count} pending migrations"), rounds, contenders);
}

/// The statements alone, without a ledger.
fn by_hand(work: &Work, file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let text = format!("BEGIN;\n{}COMMIT;", work.sql.concat());
    connection.execute_batch(&text).unwrap();
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
