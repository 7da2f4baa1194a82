//! SQLite.

mod anew;
mod capabilities;
mod checks;
mod compiler;
mod convert;
mod dialect;
mod guards;
mod normal;
mod raw;
mod rebuild;
mod table;
mod text;
mod words;

#[cfg(feature = "sqlite")]
mod backend;
#[cfg(feature = "sqlite")]
mod create_index;
#[cfg(feature = "sqlite")]
mod create_table;
#[cfg(feature = "sqlite")]
mod db_error;
#[cfg(feature = "sqlite")]
mod dropped;
#[cfg(feature = "sqlite")]
mod introspect;
#[cfg(feature = "sqlite")]
mod lent;
mod letters;
#[cfg(feature = "sqlite")]
mod lock;
#[cfg(feature = "sqlite")]
mod reader;
#[cfg(feature = "sqlite")]
mod session;
#[cfg(feature = "sqlite")]
mod statements;
#[cfg(feature = "sqlite")]
mod transaction;

#[cfg(feature = "sqlite")]
pub use backend::SqliteBackend;
pub use capabilities::CAPABILITIES;
pub use dialect::Sqlite;
#[cfg(feature = "sqlite")]
pub use sqlx::SqlitePool;
