//! One reversible schema migration for every database.
//!
//! A change is written once, as typed data. Ductape compiles it to the statements of the database at
//! hand, derives the exact way back, applies it under a lock, records it in the database itself, and
//! can tell whether the database is where its history says.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use ductape::prelude::*;
//!
//! let users = migration("create_users")
//!     .create_collection("users", [
//!         uuid("id").primary_key(),
//!         string("email").length(255).required().unique(),
//!     ])
//!     .build()?;
//! let db = Database::connect("sqlite::memory:").await?;
//! let report = db.engine().up(&users).await?;
//! assert_eq!(report.applied.len(), 1);
//! db.engine().down(&users).await?;
//! assert!(db.engine().history().await?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod database;

pub use database::Database;
pub use ductape_builder as builder;
pub use ductape_core as core;
pub use ductape_core::{Migration, Tag};
#[cfg(feature = "dynamodb")]
pub use ductape_dynamo as dynamodb;
pub use ductape_engine as engine;
pub use ductape_engine::{Error, ErrorKind, MigrationEngine, MigrationSet};
pub use ductape_sql::sqlite::Sqlite;

/// What a program that writes migrations needs.
pub mod prelude {
    pub use crate::{Database, Error, Migration, MigrationEngine, MigrationSet, Tag};
    pub use ductape_builder::prelude::*;
}
