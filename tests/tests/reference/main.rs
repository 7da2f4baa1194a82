//! The examples of the system's reference in their Rust form, on every SQL database that the suites
//! know. What they say about environments is shown with two databases.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod calls;
mod engine;
mod practice;

use calls::*;
use engine::sql_options;
use engine::*;
use practice::*;

use ductape::engine::Rollback;
use ductape::prelude::*;
use ductape::{AppliedMigration, Database};
use ductape_core::Operation;
use ductape_tests::databases::{DATABASES, connect};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use std::path::Path;

/// What an example is given: databases of its own.
struct World<'w> {
    folder: &'w Path,
    url: fn(&Path, &str) -> String,
    name: &'static str,
    backend: BackendName,
}

impl World<'_> {
    async fn database(&self) -> Database {
        self.environment("").await
    }

    async fn environment(&self, environment: &str) -> Database {
        let url = (self.url)(self.folder, &format!("{}{environment}", self.name));
        connect(&url).await.unwrap()
    }
}

macro_rules! examples {
    ($($name:ident)*) => {
        const EXAMPLES: &[&str] = &[$(stringify!($name)),*];

        async fn run(example: &str, world: &World<'_>) -> Result<(), Error> {
            match example {
                $(stringify!($name) => $name(world).await,)*
                other => panic!("{other} is no example"),
            }
        }
    };
}

examples! {
    quick_example
    create_table
    add_field
    drop_field
    rename_field
    modify_field
    create_index
    drop_index
    add_constraint
    drop_table
    migration_builder
    batch_multiple_operations
    the_migration_engine
    field_types
    sql_options
    migration_history
    migration_status
    rollback_last
    rollback_to_a_point
    raw_operations
    small_migrations
    descriptive_names
    the_way_back_is_included
    data_migrations
    migration_helpers
    already_applied
    a_failed_migration
    environments_out_of_sync
}

const SQL: [BackendName; 4] = [
    BackendName::Postgresql,
    BackendName::Mysql,
    BackendName::Mariadb,
    BackendName::Sqlite,
];

fn main() {
    let mut trials = Vec::new();
    for database in DATABASES.iter().filter(|d| SQL.contains(&d.backend)) {
        for &name in EXAMPLES {
            let trial = move || -> Result<(), Failed> {
                let folder = tempfile::tempdir()?;
                let world = World {
                    folder: folder.path(),
                    url: database.url,
                    name,
                    backend: database.backend,
                };
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?
                    .block_on(run(name, &world))?;
                Ok(())
            };
            trials.push(Trial::test(format!("{}::{name}", database.name), trial));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn json_of(operations: &[Operation]) -> Value {
    serde_json::to_value(operations).unwrap()
}

fn down_of(migration: &AppliedMigration) -> Value {
    json_of(migration.down.as_deref().expect("a way back"))
}

fn named(name: &str) -> ductape_core::Name {
    ductape_core::Name::new(name).unwrap()
}

/// The collection as the live database shows it.
async fn live(db: &Database, name: &str) -> Result<ductape_core::Collection, Error> {
    let schema = db.engine().live_schema().await?;
    Ok(schema
        .collection(&named(name))
        .expect("the collection is there")
        .as_ref()
        .clone())
}

async fn field_names(db: &Database, name: &str) -> Result<Vec<String>, Error> {
    let fields = live(db, name).await?.fields;
    Ok(fields.iter().map(|field| field.name.to_string()).collect())
}
