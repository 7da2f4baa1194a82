//! For the tests of programs that have migrations.

use crate::compile::Compile;
use crate::database::Database;
use ductape_core::difference::between_schemas;
use ductape_core::{Compiler, Migration, Schema};
use ductape_engine::{Error, ErrorKind, MigrationEngine, MigrationSet};

/// The statements of migrations on a database, both ways, as a text for a snapshot (insta's
/// `assert_snapshot!`, for instance). No database is needed.
///
/// ```
/// use ductape::prelude::*;
/// use ductape::{Sqlite, testing};
///
/// let users = migration("create_users")
///     .create_collection("users", [integer("id").primary_key()])
///     .build()?;
/// insta::assert_snapshot!(testing::statements(&[users], &Sqlite)?, @r#"
/// -- create_users (lossless)
/// CREATE TABLE "users" (
///   "id" INTEGER NOT NULL,
///   CONSTRAINT "pk_users_id" PRIMARY KEY ("id")
/// );
/// -- the way back
/// DROP TABLE "users";
/// "#);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Like [`Compile::compile`].
pub fn statements(migrations: &[Migration], compiler: &dyn Compiler) -> Result<String, Error> {
    migrations.compile(compiler).map(|plan| plan.to_string())
}

/// Takes migrations there, back and there again on a real database, one after the other, and fails
/// unless every way back leads exactly to where it began. In the end all of them are rolled back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ductape::Error> {
/// use ductape::prelude::*;
/// use ductape::testing::assert_reversible;
///
/// let create = migration("create_users")
///     .create_collection("users", [uuid("id").primary_key()])
///     .build()?;
/// let phone = migration("add_phone").add_field("users", string("phone").length(20)).build()?;
/// assert_reversible([create, phone], "sqlite::memory:").await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// When [`reversible`] fails, with what it says.
#[allow(clippy::panic, reason = "an assertion, for tests")]
pub async fn assert_reversible(migrations: impl IntoIterator<Item = Migration>, url: &str) {
    if let Err(error) = reversible(migrations, url).await {
        panic!("{error}");
    }
}

/// What [`assert_reversible`] asserts, as a result.
///
/// # Errors
/// [`ErrorKind::Drift`] where a way back leads elsewhere, with the differences; whatever `up` and
/// `down` fail with, [`ErrorKind::Irreversible`] among it.
pub async fn reversible(
    migrations: impl IntoIterator<Item = Migration>,
    url: &str,
) -> Result<(), Error> {
    let set = MigrationSet::new(migrations)?;
    set.validate()?;
    let engine = Database::connect(url).await?.engine();
    let start = engine.live_schema().await?;
    for migration in set.migrations() {
        let before = engine.live_schema().await?;
        engine.up(migration).await?;
        let after = engine.live_schema().await?;
        engine.down(migration).await?;
        expect(&engine, migration, "its way back leads elsewhere", &before).await?;
        engine.up(migration).await?;
        expect(&engine, migration, "applied again it differs", &after).await?;
    }
    for migration in set.migrations().iter().rev() {
        engine.down(migration).await?;
    }
    match set.migrations().first() {
        None => Ok(()),
        Some(first) => expect(&engine, first, "rolled back with all others", &start).await,
    }
}

/// Holds the live schema against the one that must be there.
async fn expect(
    engine: &MigrationEngine,
    migration: &Migration,
    what: &str,
    expected: &Schema,
) -> Result<(), Error> {
    let live = engine.live_schema().await?;
    if live == *expected {
        return Ok(());
    }
    let mut message = format!("the migration {:?}: {what}", migration.name());
    for left in live.collections() {
        if expected.collection(&left.name).is_none() {
            message.push_str(&format!("; the collection {:?} is left", left.name));
        }
    }
    for left in live.natives() {
        if expected.native(left).is_none() {
            message.push_str(&format!("; the {} {:?} is left", left.kind, left.name));
        }
    }
    for gone in expected.natives() {
        if live.native(gone).is_none() {
            message.push_str(&format!("; the {} {:?} is gone", gone.kind, gone.name));
        }
    }
    Err(Error::of(ErrorKind::Drift, message)
        .tag(migration.tag())
        .differences(between_schemas(expected, &live)))
}
