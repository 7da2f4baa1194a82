//! SQLite.

mod anew;
mod capabilities;
mod checks;
mod compiler;
mod convert;
mod dialect;
mod guards;
mod letters;
mod normal;
mod raw;
mod rebuild;
mod table;
mod text;
mod words;

#[cfg(feature = "sqlite")]
mod driver;

pub use capabilities::CAPABILITIES;
pub use dialect::Sqlite;
#[cfg(feature = "sqlite")]
pub use driver::SqliteBackend;
#[cfg(feature = "sqlite")]
pub use sqlx::SqlitePool;
