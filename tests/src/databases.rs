//! The databases that the suites run on: one line each.
#![allow(clippy::panic, reason = "a test without its server has failed")]

use crate::servers;
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
pub const DATABASES: &[TestDatabase] = &[
    TestDatabase {
        backend: BackendName::Sqlite,
        url: |folder, case| format!("sqlite://{}", folder.join(format!("{case}.db")).display()),
    },
    TestDatabase {
        backend: BackendName::Postgresql,
        url: |folder, case| with_schema(&server(servers::postgres()), folder, case),
    },
    TestDatabase {
        backend: BackendName::Dynamodb,
        url: |folder, case| with_prefix(&server(servers::dynamodb()), folder, case),
    },
];

/// A server that a test needs and does not find is a failure that says how to start it.
fn server(found: Result<servers::Server, servers::ServerError>) -> String {
    match found {
        Ok(server) => server.url,
        Err(error) => panic!("{error:?}"),
    }
}

/// The URL with a prefix for its tables that no other case has.
fn with_prefix(url: &str, folder: &Path, case: &str) -> String {
    url.replacen("/?", &format!("/{}_{case}_?", word(folder)), 1)
}

/// The URL with a schema that no other case has; it is made with the ledger.
fn with_schema(url: &str, folder: &Path, case: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}schema={}_{case}", word(folder))
}

/// A word that is the folder's alone.
fn word(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |name| {
        name.to_string_lossy()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect()
    })
}

/// Connects to a URL.
///
/// # Errors
/// What the database says.
pub async fn connect(url: &str) -> Result<Database, ductape::Error> {
    Database::connect(url).await
}
