//! SQLite.

mod capabilities;
mod compiler;
mod convert;
mod dialect;
mod rebuild;
mod table;

#[cfg(feature = "sqlite")]
//TODO mod create_table;
#[cfg(feature = "sqlite")]
//TODO mod introspect;
#[cfg(feature = "sqlite")]
//TODO mod session;

pub use capabilities::CAPABILITIES;
pub use dialect::Sqlite;
#[cfg(feature = "sqlite")]
//TODO pub use session::SqliteBackend;
