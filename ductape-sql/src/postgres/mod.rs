//! PostgreSQL.
//!
//! The compiler is pure: the same operations give the same statements, and nothing is asked of a
//! server. Names stand without a schema; the session's `search_path` says where they live.

mod capabilities;
mod check;
mod compiler;
mod constraint;
mod convert;
mod counting;
mod defaults;
mod dialect;
mod effects;
mod enum_type;
mod family;
mod guard;
mod index;
mod keys_and_checks;
mod literal;
mod lost_rows;
mod modify_field;
mod native;
mod normal;
mod outlook;
mod raw;
mod respell;
mod restore;
mod table;
mod types;
mod update;
mod values;

pub use capabilities::CAPABILITIES;
pub use dialect::Postgres;

#[cfg(feature = "postgres")]
mod driver;

#[cfg(feature = "postgres")]
pub use driver::PostgresBackend;

#[cfg(test)]
mod tests;
