//! Ductape on SQL databases. The compilers are pure and always there; the drivers come with features.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod ledger;
pub mod postgres;
pub mod sqlite;
mod writer;
