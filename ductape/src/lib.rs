//! One reversible schema migration for every database.
//!
//! A change is written once, as typed data. Ductape compiles it to the statements of the database at
//! hand, derives the exact way back, applies it under a lock, records it in the database itself, and
//! can tell whether the database is where its history says.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ductape::Error> {
//! use ductape::prelude::*;
//!
//! let db = Database::connect("sqlite::memory:").await?;
//!
//! let users = db.schema().create("users", [
//!     uuid("id").primary_key(),
//!     string("email").length(255).required().unique(),
//!     string("name").length(100),
//! ]).timestamps().await?;                                          // every call is a future with options
//! println!("{}", users.migration.tag);
//! let phone = db.schema().add_field("users", string("phone").length(20)).await?;
//! let email = db.schema().modify_field("users", "email", change().length(500).required()).await?;
//!
//! let posts = db.schema().create("posts", [uuid("id").primary_key(), uuid("author_id")]).await?;
//! let author = foreign_key(["author_id"]).references("users", ["id"]).on_delete(Cascade);
//! let key = db.schema().add_constraint("posts", author.name("fk_posts_author")).await?;
//!
//! for made in [key, posts, email, phone, users] {
//!     db.engine().down(&made.migration).await?;
//! }
//! assert!(db.engine().live_schema().await?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Several operations in one migration, which is applied once however often the program starts:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ductape::Error> {
//! # use ductape::prelude::*;
//! # let db = Database::connect("sqlite::memory:").await?;
//! let orders = migration("create_order_system")
//!     .description("Create orders and order_items tables")
//!     .create_collection("orders", [uuid("id").primary_key(), decimal("total", 10, 2)])
//!     .create_index("orders", index("idx_orders_total", ["total"]))
//!     .raw("postgresql", "CREATE EXTENSION IF NOT EXISTS pgcrypto")
//!     .build()?;
//! println!("{}", db.engine().plan(&orders).await?);                // the statements; nothing is changed
//! println!("{}", orders.compile(&ductape::Sqlite)?);               // the same with no database
//! assert_eq!(db.engine().up(&orders).await?.applied.len(), 1);
//! assert_eq!(db.engine().up(&orders).await?.applied.len(), 0);
//! # Ok(())
//! # }
//! ```

mod call;
mod compile;
mod database;
mod generate;
mod schema;
pub mod testing;

pub use call::{Applied, AppliedMigration, Call};
pub use compile::Compile;
pub use database::Database;
pub use ductape_builder as builder;
pub use ductape_core as core;
pub use ductape_core::{Migration, Tag};
#[cfg(feature = "dynamodb")]
pub use ductape_dynamo as dynamodb;
pub use ductape_engine as engine;
pub use ductape_engine::{Error, ErrorKind, MigrationEngine, MigrationSet};
pub use ductape_sql::postgres::Postgres;
pub use ductape_sql::sqlite;
pub use ductape_sql::sqlite::Sqlite;
pub use generate::GenerateTag;
pub use schema::SchemaCalls;

/// What a program that writes migrations needs.
///
/// ```
/// use ductape::prelude::*;
///
/// let tag = Tag::generate("create_users");
/// let users = migration("create_users")
///     .create_collection("users", [uuid("id").primary_key()])
///     .build()?
///     .with_tag(tag);
/// users.validate()?;
/// assert!(users.checksum().as_str().starts_with("v1:"));
/// # Ok::<(), Error>(())
/// ```
pub mod prelude {
    pub use crate::{Applied, Compile, Database, GenerateTag};
    pub use crate::{Error, Migration, MigrationEngine, MigrationSet, Tag};
    pub use ductape_builder::prelude::*;
}

/// The README's samples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
