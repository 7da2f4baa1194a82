//! The databases that the suites run on: one line each.

use ductape::Database;
use ductape_core::BackendName;
use std::path::Path;

/// A database that the suites run on.
pub struct TestDatabase {
    /// Which one.
    pub backend: BackendName,
    /// The URL of a database of its own for one case, with a folder that is removed afterwards.
    pub url: fn(folder: &Path, case: &str) -> String,
}

/// Every database that the suites run on.
pub const DATABASES: &[TestDatabase] = &[TestDatabase {
    backend: BackendName::Sqlite,
    url: |folder, case| format!("sqlite://{}", folder.join(format!("{case}.db")).display()),
}];

/// Connects to a URL.
///
/// # Errors
/// What the database says.
pub async fn connect(url: &str) -> Result<Database, ductape::Error> {
    Database::connect(url).await
}
