//! The peers, each used as its own documentation has it: migrations embedded in the program, a connection
//! with SQLite's default journal and full durability, and its own way to apply and to tell.

use crate::Work;
use ductape_benches::database::{url, wait};
use sqlx::ConnectOptions;
use std::path::Path;
use std::sync::Arc;

/// A library that migrates.
pub trait Peer {
    fn name(&self) -> &'static str;

    /// Connects, applies what is pending, and closes. Not durable only where a long history is made
    /// ready before anything is measured.
    fn up(&self, file: &Path, durable: bool);

    /// Connects, tells how many migrations are pending, and closes.
    fn pending(&self, file: &Path) -> usize;
}

pub fn all(work: &Work) -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Sqlx::new(work)),
        Box::new(Refinery::new(work, false)),
        Box::new(Diesel::new(work)),
        Box::new(SeaOrm::new(work)),
    ]
}

fn sqlite_options(file: &Path, durable: bool) -> sqlx::sqlite::SqliteConnectOptions {
    use sqlx::sqlite::SqliteSynchronous::{Full, Off};
    sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .synchronous(if durable { Full } else { Off })
}

pub struct Sqlx {
    pub migrator: sqlx::migrate::Migrator,
}

impl Sqlx {
    pub fn new(work: &Work) -> Self {
        use sqlx::migrate::{Migration, MigrationType, Migrator};
        use sqlx::{AssertSqlSafe, SqlSafeStr};
        let migrations = work.sql.iter().enumerate().map(|(place, sql)| {
            Migration::new(
                place as i64 + 1,
                format!("change_{place}").into(),
                MigrationType::Simple,
                AssertSqlSafe(sql.clone()).into_sql_str(),
                false,
            )
        });
        Self {
            migrator: Migrator::with_migrations(migrations.collect()),
        }
    }
}

impl Sqlx {
    /// What `sqlx migrate info` does.
    pub async fn info(&self, connection: &mut impl sqlx::migrate::Migrate) -> usize {
        let table = "_sqlx_migrations";
        connection.ensure_migrations_table(table).await.unwrap();
        let applied = connection.list_applied_migrations(table).await.unwrap();
        let applied: std::collections::HashMap<_, _> =
            applied.into_iter().map(|m| (m.version, m)).collect();
        let pending =
            self.migrator
                .iter()
                .filter(|migration| match applied.get(&migration.version) {
                    Some(there) => there.checksum != migration.checksum,
                    None => true,
                });
        pending.count()
    }
}

impl Peer for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn up(&self, file: &Path, durable: bool) {
        use sqlx::Connection;
        wait(async {
            let mut connection = sqlite_options(file, durable).connect().await.unwrap();
            self.migrator
                .run_direct(None, &mut connection, false)
                .await
                .unwrap();
            connection.close().await.unwrap();
        });
    }

    fn pending(&self, file: &Path) -> usize {
        use sqlx::Connection;
        wait(async {
            let mut connection = sqlite_options(file, true).connect().await.unwrap();
            let pending = self.info(&mut connection).await;
            connection.close().await.unwrap();
            pending
        })
    }
}

pub struct Refinery {
    pub runner: refinery::Runner,
    grouped: bool,
}

impl Refinery {
    /// `grouped` puts all that is pending in one transaction, which it does not unless told.
    pub fn new(work: &Work, grouped: bool) -> Self {
        let migrations: Vec<refinery::Migration> = work
            .sql
            .iter()
            .enumerate()
            .map(|(place, sql)| {
                let name = format!("V{}__change_{place}", place + 1);
                refinery::Migration::unapplied(&name, sql).unwrap()
            })
            .collect();
        Self {
            runner: refinery::Runner::new(&migrations).set_grouped(grouped),
            grouped,
        }
    }

    fn open(file: &Path, durable: bool) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(file).unwrap();
        if !durable {
            connection
                .execute_batch("PRAGMA synchronous = OFF")
                .unwrap();
        }
        connection
    }
}

impl Refinery {
    pub fn pending_in(&self, connection: &mut impl refinery::Migrate) -> usize {
        let applied = self.runner.get_applied_migrations(connection).unwrap();
        let applied: std::collections::HashMap<_, _> =
            applied.into_iter().map(|m| (m.version(), m)).collect();
        let known = self.runner.get_migrations().iter();
        known
            .filter(|m| applied.get(&m.version()) != Some(m))
            .count()
    }
}

impl Peer for Refinery {
    fn name(&self) -> &'static str {
        if self.grouped {
            "refinery, grouped"
        } else {
            "refinery"
        }
    }

    fn up(&self, file: &Path, durable: bool) {
        let mut connection = Self::open(file, durable);
        self.runner.run(&mut connection).unwrap();
    }

    fn pending(&self, file: &Path) -> usize {
        let mut connection = Self::open(file, true);
        self.pending_in(&mut connection)
    }
}

/// As `embed_migrations!` makes them.
#[derive(Clone)]
pub struct Diesel {
    migrations: Arc<Vec<DieselMigration>>,
}

#[derive(Clone)]
pub struct DieselMigration {
    name: DieselName,
    sql: Arc<str>,
}

#[derive(Clone)]
pub struct DieselName(Arc<str>);

impl std::fmt::Display for DieselName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl diesel::migration::MigrationName for DieselName {
    fn version(&self) -> diesel::migration::MigrationVersion<'_> {
        let version = self.0.split('_').next().unwrap_or("");
        version.into()
    }
}

pub struct DieselMetadata;

impl diesel::migration::MigrationMetadata for DieselMetadata {}

impl<Db: diesel::backend::Backend> diesel::migration::Migration<Db> for DieselMigration {
    fn run(
        &self,
        connection: &mut dyn diesel::connection::BoxableConnection<Db>,
    ) -> diesel::migration::Result<()> {
        Ok(connection.batch_execute(&self.sql)?)
    }

    fn revert(
        &self,
        _: &mut dyn diesel::connection::BoxableConnection<Db>,
    ) -> diesel::migration::Result<()> {
        Ok(())
    }

    fn metadata(&self) -> &dyn diesel::migration::MigrationMetadata {
        &DieselMetadata
    }

    fn name(&self) -> &dyn diesel::migration::MigrationName {
        &self.name
    }
}

impl<Db: diesel::backend::Backend> diesel::migration::MigrationSource<Db> for Diesel {
    fn migrations(
        &self,
    ) -> diesel::migration::Result<Vec<Box<dyn diesel::migration::Migration<Db>>>> {
        Ok(self
            .migrations
            .iter()
            .map(|migration| Box::new(migration.clone()) as Box<_>)
            .collect())
    }
}

impl Diesel {
    pub fn new(work: &Work) -> Self {
        let migrations = work
            .sql
            .iter()
            .enumerate()
            .map(|(place, sql)| DieselMigration {
                name: DieselName(format!("{place:014}_change_{place}").into()),
                sql: sql.as_str().into(),
            });
        Self {
            migrations: Arc::new(migrations.collect()),
        }
    }

    fn open(file: &Path, durable: bool) -> diesel::SqliteConnection {
        use diesel::Connection;
        use diesel::connection::SimpleConnection;
        let mut connection = diesel::SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        if !durable {
            connection
                .batch_execute("PRAGMA synchronous = OFF")
                .unwrap();
        }
        connection
    }
}

impl Peer for Diesel {
    fn name(&self) -> &'static str {
        "diesel_migrations"
    }

    fn up(&self, file: &Path, durable: bool) {
        use diesel_migrations::MigrationHarness;
        let mut connection = Self::open(file, durable);
        connection.run_pending_migrations(self.clone()).unwrap();
    }

    fn pending(&self, file: &Path) -> usize {
        use diesel_migrations::MigrationHarness;
        let mut connection = Self::open(file, true);
        connection.pending_migrations(self.clone()).unwrap().len()
    }
}

pub struct SeaOrm {
    migrations: Arc<Vec<SeaOrmMigration>>,
}

/// The statements are given as text, which costs it less than its builder would.
#[derive(Clone)]
struct SeaOrmMigration {
    name: Arc<str>,
    sql: Arc<str>,
}

impl sea_orm_migration::MigrationName for SeaOrmMigration {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait::async_trait]
impl sea_orm_migration::MigrationTrait for SeaOrmMigration {
    async fn up(
        &self,
        manager: &sea_orm_migration::SchemaManager,
    ) -> Result<(), sea_orm_migration::DbErr> {
        use sea_orm_migration::sea_orm::ConnectionTrait;
        manager
            .get_connection()
            .execute_unprepared(&self.sql)
            .await?;
        Ok(())
    }
}

impl sea_orm_migration::MigratorTraitSelf for SeaOrm {
    fn migrations(&self) -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        self.migrations
            .iter()
            .map(|migration| Box::new(migration.clone()) as Box<_>)
            .collect()
    }
}

impl SeaOrm {
    pub fn new(work: &Work) -> Self {
        let migrations = work
            .sql
            .iter()
            .enumerate()
            .map(|(place, sql)| SeaOrmMigration {
                name: format!("m{place:014}_change").into(),
                sql: sql.as_str().into(),
            });
        Self {
            migrations: Arc::new(migrations.collect()),
        }
    }

    async fn open(file: &Path, durable: bool) -> sea_orm_migration::sea_orm::DatabaseConnection {
        use sqlx::sqlite::SqliteSynchronous::{Full, Off};
        let mut options =
            sea_orm_migration::sea_orm::ConnectOptions::new(format!("{}?mode=rwc", url(file)));
        options.max_connections(1).sqlx_logging(false);
        options.map_sqlx_sqlite_opts(move |options| {
            options.synchronous(if durable { Full } else { Off })
        });
        sea_orm_migration::sea_orm::Database::connect(options)
            .await
            .unwrap()
    }
}

impl Peer for SeaOrm {
    fn name(&self) -> &'static str {
        "sea-orm-migration"
    }

    fn up(&self, file: &Path, durable: bool) {
        use sea_orm_migration::MigratorTraitSelf;
        wait(async {
            let database = Self::open(file, durable).await;
            MigratorTraitSelf::up(self, &database, None).await.unwrap();
            database.close().await.unwrap();
        });
    }

    fn pending(&self, file: &Path) -> usize {
        use sea_orm_migration::MigratorTraitSelf;
        wait(async {
            let database = Self::open(file, true).await;
            let pending = self.get_pending_migrations(&database).await.unwrap().len();
            database.close().await.unwrap();
            pending
        })
    }
}
