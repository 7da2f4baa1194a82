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
mod address;
#[cfg(feature = "postgres")]
mod alone;
#[cfg(feature = "postgres")]
mod batch;
#[cfg(feature = "postgres")]
mod break_off;
#[cfg(feature = "postgres")]
mod client;
#[cfg(feature = "postgres")]
mod connect;
#[cfg(feature = "postgres")]
mod data_work;
#[cfg(feature = "postgres")]
mod introspect;
#[cfg(feature = "postgres")]
mod ledger_tables;
#[cfg(feature = "postgres")]
mod lock;
#[cfg(feature = "postgres")]
mod place;
#[cfg(feature = "postgres")]
mod planned;
#[cfg(feature = "postgres")]
mod reach;
#[cfg(feature = "postgres")]
mod reader;
#[cfg(feature = "postgres")]
mod refusal;
#[cfg(feature = "postgres")]
mod service;
#[cfg(feature = "postgres")]
mod session;
#[cfg(feature = "postgres")]
mod standing;

#[cfg(feature = "postgres")]
pub use connect::PostgresBackend;

#[cfg(test)]
mod tests;
