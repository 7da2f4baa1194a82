//! Whole runs on a SQLite file, with its default journal and full durability.

use divan::Bencher;
use divan::counter::ItemsCount;
use ductape_benches::database::{Scratch, engine, up, wait};
use ductape_benches::workload;

fn main() {
    divan::main();
}

/// Small mixed migrations, all pending, on a new file.
#[divan::bench(args = [1, 100, 1_000], sample_count = 5, sample_size = 1)]
fn apply_pending(bencher: Bencher, count: usize) {
    let set = workload::set(&workload::mixed_files(count));
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(Scratch::new)
        .bench_values(|scratch| {
            assert_eq!(wait(up(&scratch.url(), &set)), count);
            scratch
        });
}

/// A start with nothing to do, after so many migrations.
#[divan::bench(args = [10, 50_000], sample_count = 50, sample_size = 1)]
fn start_with_nothing_to_do(bencher: Bencher, count: usize) {
    let (scratch, set) = applied(count);
    bencher.bench(|| assert_eq!(wait(up(&scratch.url(), &set)), 0));
}

/// Where the database stands, after so many migrations that are the whole set.
#[divan::bench(args = [10, 50_000], sample_count = 20, sample_size = 1)]
fn status_of_a_complete_set(bencher: Bencher, count: usize) {
    let (scratch, set) = applied(count);
    let url = scratch.url();
    bencher.bench(|| {
        let status = wait(async { engine(&url).await.status(&set).await });
        assert_eq!(status.expect("the status can be read").pending, 0);
    });
}

/// The same with one migration that is pending.
#[divan::bench(args = [10, 50_000], sample_count = 20, sample_size = 1)]
fn status_with_one_pending(bencher: Bencher, count: usize) {
    let (scratch, _) = applied(count);
    let set = workload::set(&workload::long_files(count + 1));
    let url = scratch.url();
    bencher.bench(|| {
        let status = wait(async { engine(&url).await.status(&set).await });
        assert_eq!(status.expect("the status can be read").pending, 1);
    });
}

/// One pending migration after so many.
#[divan::bench(args = [10, 50_000], sample_count = 5, sample_size = 1)]
fn apply_one_more(bencher: Bencher, count: usize) {
    let (scratch, _) = applied(count);
    let set = workload::set(&workload::long_files(count + 1));
    let file = scratch.file();
    bencher
        .with_inputs(|| {
            let copy = Scratch::new();
            std::fs::copy(&file, copy.file()).expect("the file can be copied");
            copy
        })
        .bench_values(|copy| {
            assert_eq!(wait(up(&copy.url(), &set)), 1);
            copy
        });
}

fn applied(count: usize) -> (Scratch, ductape::MigrationSet) {
    let scratch = Scratch::new();
    let set = workload::set(&workload::long_files(count));
    assert_eq!(wait(up(&scratch.url(), &set)), count);
    (scratch, set)
}
