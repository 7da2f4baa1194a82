//! A PostgreSQL database of its own, somebody else who is connected to it, and small migrations for it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot set up has failed"
)]

use crate::databases::create_database;
use crate::servers;
use ductape::builder::prelude::*;
use ductape::{Database, Migration, MigrationSet};
use ductape_core::Problems;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

static COUNTER: AtomicUsize = AtomicUsize::new(0);

/// A name for a database that no other test has.
pub fn database_name() -> String {
    let number = COUNTER.fetch_add(1, Ordering::SeqCst);
    format!("scene_{}_{number}", std::process::id())
}

/// A database of its own, and somebody else who is connected to it.
#[derive(Debug)]
pub struct Scene {
    /// Where the database is.
    pub url: String,
    /// The connection of somebody else.
    pub other: PgConnection,
}

impl Scene {
    /// An empty database on the tests' server.
    pub async fn new() -> Self {
        let server = servers::postgres().unwrap();
        let name = database_name();
        create_database(&server.url, &name);
        let (base, _) = server.url.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        let other = PgConnection::connect(&url).await.unwrap();
        Self { url, other }
    }

    /// The database, connected to anew.
    pub async fn database(&self) -> Database {
        Database::connect(&self.url).await.unwrap()
    }

    /// Somebody else runs a text.
    pub async fn run(&mut self, text: &str) {
        run(&mut self.other, text).await;
    }

    /// The first value of the first row of what somebody else asks, as text.
    pub async fn ask(&mut self, query: &str) -> String {
        ask(&mut self.other, query).await
    }

    /// Waits until a query says yes.
    pub async fn until(&mut self, query: &str) {
        until(&mut self.other, query).await;
    }
}

/// Runs a text of one or many statements.
pub async fn run(connection: &mut PgConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// The first value of the first row, as text.
pub async fn ask(connection: &mut PgConnection, query: &str) -> String {
    let query = format!("SELECT ({query})::text");
    let row = sqlx::raw_sql(AssertSqlSafe(query))
        .fetch_one(connection)
        .await
        .unwrap();
    row.try_get::<Option<String>, _>(0)
        .unwrap()
        .unwrap_or_default()
}

/// Waits until a query says yes.
pub async fn until(connection: &mut PgConnection, query: &str) {
    let started = Instant::now();
    while ask(connection, query).await != "true" {
        assert!(started.elapsed() < Duration::from_secs(20), "{query}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A migration with a tag that says its place.
pub fn tagged(number: usize, migration: Result<Migration, Problems>) -> Migration {
    let migration = migration.unwrap();
    let (minute, second) = (number / 60, number % 60);
    let tag = format!("20240115_14{minute:02}{second:02}_{}", migration.name());
    migration.with_tag(tag.parse().unwrap())
}

/// A migration that makes a table of a key and a note.
pub fn table(number: usize, name: &str) -> Migration {
    tagged(
        number,
        migration(format!("create_{name}"))
            .create_collection(name, [integer("id").primary_key(), string("note")])
            .build(),
    )
}

/// Migrations as a set.
pub fn set(migrations: impl IntoIterator<Item = Migration>) -> MigrationSet {
    MigrationSet::new(migrations).unwrap()
}
