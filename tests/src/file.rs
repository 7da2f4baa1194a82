//! A SQLite file in a folder of its own, which tests can also change by hand.
#![allow(clippy::panic, reason = "tests")]

use ductape::{Database, Migration, MigrationSet};
use ductape_core::Schema;
use ductape_engine::{EngineOptions, MigrationEngine, Patience};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::path::PathBuf;
use std::time::Duration;

/// A SQLite file in a folder of its own.
pub struct File {
    folder: tempfile::TempDir,
}

fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

impl Default for File {
    fn default() -> Self {
        Self::new()
    }
}

impl File {
    /// A file that does not exist yet.
    pub fn new() -> Self {
        Self {
            folder: must(tempfile::tempdir()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    /// The database.
    pub async fn database(&self) -> Database {
        must(Database::connect(&self.url()).await)
    }

    /// An engine that does not wait long for a lock.
    pub async fn engine(&self) -> MigrationEngine {
        self.engine_with(|_| {}).await
    }

    /// The same with other options.
    pub async fn engine_with(&self, change: impl FnOnce(&mut EngineOptions)) -> MigrationEngine {
        let mut options = EngineOptions::default();
        options.patience = Patience {
            wait: Duration::from_secs(2),
            lease: Duration::from_secs(15),
        };
        change(&mut options);
        self.database().await.engine_with(options)
    }

    /// Runs statements by hand.
    pub async fn sql(&self, text: &str) {
        let mut connection = self.connection().await;
        let text = AssertSqlSafe(text.to_owned());
        must(sqlx::raw_sql(text).execute(&mut connection).await);
    }

    /// The first column of what a question gives, as texts.
    pub async fn texts(&self, question: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let question = AssertSqlSafe(format!("SELECT CAST(c AS TEXT) FROM ({question})"));
        let rows = must(sqlx::query(question).fetch_all(&mut connection).await);
        rows.iter()
            .map(|row| must(row.try_get::<Option<String>, _>(0)).unwrap_or_default())
            .collect()
    }

    async fn connection(&self) -> SqliteConnection {
        must(
            SqliteConnectOptions::new()
                .filename(self.path())
                .create_if_missing(true)
                .connect()
                .await,
        )
    }
}

/// A migration of a day in 2024, from the JSON of its operations.
pub fn migration(second: u32, name: &str, up: &str) -> Migration {
    let tag = format!("20240115_1430{second:02}_{name}");
    must(Migration::parse(&format!(
        r#"{{"format": 1, "tag": "{tag}", "up": {up}}}"#
    )))
}

/// Migrations as a set.
pub fn set(migrations: &[&Migration]) -> MigrationSet {
    must(MigrationSet::new(migrations.iter().copied().cloned()))
}

/// What two runs are compared by: the catalog, and the ledger without times.
pub async fn state(engine: &MigrationEngine) -> (Schema, Vec<String>) {
    let history = must(engine.history().await);
    let ledger = history
        .iter()
        .map(|entry| {
            format!(
                "{} {} {} {:?} {}",
                entry.tag,
                entry.name,
                entry.checksum,
                entry.status,
                serde_json::to_string(&entry.migration).unwrap_or_default()
            )
        })
        .collect();
    (must(engine.live_schema().await), ledger)
}
