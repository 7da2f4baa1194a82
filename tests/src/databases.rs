//! The databases that the suites run on: one line each.
#![allow(clippy::panic, reason = "a test without its server has failed")]

use crate::servers;
use ductape::Database;
use ductape_core::BackendName;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use std::path::Path;
use std::str::FromStr;

/// A database that the suites run on.
pub struct TestDatabase {
    /// What its trials are called by.
    pub name: &'static str,
    /// Which one.
    pub backend: BackendName,
    /// Whether its lock lasts for a lease after its holder was killed.
    pub lock_is_lease: bool,
    /// The cases whose runs are killed at every moment; nothing for all of them.
    pub crash: Option<&'static [&'static str]>,
    /// The URL of a database of its own for one case, with a folder that is removed afterwards.
    pub url: fn(folder: &Path, case: &str) -> String,
}

/// Every database that the suites run on.
pub const DATABASES: &[TestDatabase] = &[
    TestDatabase {
        name: "sqlite",
        backend: BackendName::Sqlite,
        lock_is_lease: true,
        crash: None,
        url: |folder, case| format!("sqlite://{}", folder.join(format!("{case}.db")).display()),
    },
    TestDatabase {
        name: "postgresql",
        backend: BackendName::Postgresql,
        lock_is_lease: false,
        crash: None,
        url: |folder, case| with_schema(&server(servers::postgres()), folder, case),
    },
    TestDatabase {
        name: "pgbouncer",
        backend: BackendName::Postgresql,
        lock_is_lease: true,
        // Each moment takes a database of its own.
        crash: Some(&["create_add_index", "update_in_the_middle", "raw_between"]),
        url: |folder, case| database_of(&server(servers::pgbouncer()), folder, case),
    },
    TestDatabase {
        name: "dynamodb",
        backend: BackendName::Dynamodb,
        lock_is_lease: true,
        crash: None,
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

/// The URL of a database that no other case has. Where each transaction is in another session, no
/// `search_path` can be set for what stands outside one.
fn database_of(url: &str, folder: &Path, case: &str) -> String {
    let name = format!("{}_{case}", word(folder)).to_lowercase();
    let (base, _) = url.rsplit_once('/').unwrap_or((url, ""));
    create_database(url, &name);
    format!("{base}/{name}")
}

/// Makes a database, from wherever it is called.
pub fn create_database(url: &str, name: &str) {
    let (url, statement) = (url.to_owned(), format!("CREATE DATABASE {name}"));
    let made = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(sqlx::Error::Io)?
            .block_on(async {
                // A pooler refuses this start-up parameter.
                let options = PgConnectOptions::from_str(&url)?.extra_float_digits(None);
                let mut connection = options.connect().await?;
                sqlx::raw_sql(AssertSqlSafe(statement))
                    .execute(&mut connection)
                    .await
            })
    })
    .join();
    match made {
        Ok(Ok(_)) => {}
        other => panic!("{name} was not made: {other:?}"),
    }
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
