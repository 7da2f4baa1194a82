//! SQLite files to measure on.

use ductape::{Database, MigrationEngine, MigrationSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with a place for a SQLite file; both end with it. The folder is on the disk of the target
/// folder, or on that of `DUCTAPE_BENCH_DIR`: durability costs nothing in memory.
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = match std::env::var_os("DUCTAPE_BENCH_DIR") {
            Some(parent) => TempDir::new_in(parent),
            None => TempDir::new_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        };
        Self {
            folder: folder.expect("a folder for the databases can be made"),
        }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    /// Its URL for Ductape and sqlx.
    pub fn url(&self) -> String {
        url(&self.file())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// The URL of a SQLite file.
pub fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(future)
}

/// The engine for a SQLite file, from scratch.
pub async fn engine(url: &str) -> MigrationEngine {
    Database::connect(url)
        .await
        .expect("the file can be opened")
        .engine()
}

/// Applies what is pending, from scratch; gives how many that were.
pub async fn up(url: &str, set: &MigrationSet) -> usize {
    let report = engine(url).await.up_all(set).await;
    report.expect("the migrations can be applied").applied.len()
}
