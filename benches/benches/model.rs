//! Reading, resolving and compiling, without a database.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use ductape::core::Schema;
use ductape::{Migration, Postgres};
use ductape_benches::workload;

/// The one that the program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Operations, resolved and compiled in one migration, on an empty schema.
#[divan::bench(args = [1_000, 10_000, 100_000], sample_count = 10, sample_size = 1)]
fn resolve_and_compile(bencher: Bencher, count: usize) {
    let operations = workload::read(&workload::mixed_operations("t", count));
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| workload::compile(&operations, &mut Schema::new()));
}

/// The same for PostgreSQL.
#[divan::bench(args = [1_000, 10_000, 100_000], sample_count = 10, sample_size = 1)]
fn resolve_and_compile_for_postgresql(bencher: Bencher, count: usize) {
    let operations = workload::read(&workload::mixed_operations("t", count));
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| workload::compile_for(&Postgres, &operations, &mut Schema::new()));
}

/// On SQLite with a schema of 1,000 tables at hand.
#[divan::bench(args = [1_000, 10_000, 100_000], sample_count = 10, sample_size = 1)]
fn resolve_and_compile_with_1000_tables(bencher: Bencher, count: usize) {
    let mut schema = Schema::new();
    let there: Vec<String> = (0..1000)
        .map(|place| workload::table(&format!("there{place}")))
        .collect();
    workload::compile(&workload::read(&there), &mut schema);
    let operations = workload::read(&workload::mixed_operations("t", count));
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| workload::compile(&operations, &mut schema.clone()));
}

/// A file of so many megabytes, with the limit raised.
#[divan::bench(args = [1, 10, 50], sample_count = 5, sample_size = 1)]
fn read_a_file_of_megabytes(bencher: Bencher, megabytes: usize) {
    let text = workload::large_file(megabytes * 1_000_000);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| Migration::parse_with_limit(&text, usize::MAX).expect("the file is valid"));
}

/// Small files, one after the other.
#[divan::bench(args = [1_000, 10_000], sample_count = 10, sample_size = 1)]
fn read_small_files(bencher: Bencher, count: usize) {
    let files = workload::mixed_files(count);
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| workload::migrations(&files));
}

/// A set of migrations that are read already.
#[divan::bench(args = [1_000, 50_000], sample_count = 10, sample_size = 1)]
fn make_a_set(bencher: Bencher, count: usize) {
    let migrations = workload::migrations(&workload::long_files(count));
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| migrations.clone())
        .bench_values(|migrations| {
            ductape::MigrationSet::new(migrations).expect("the migrations are a set")
        });
}
