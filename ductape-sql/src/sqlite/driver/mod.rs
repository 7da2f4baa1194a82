//! What speaks to a file: opening it, the lock, the ledger, the catalog, and doing what was compiled.
//!
//! A run is a [`session`] of a [`backend`]: [`lock`] makes it the only one, [`reader`] looks, [`introspect`]
//! reads the schema from the texts that SQLite keeps ([`create_table`], [`create_index`]), and [`transaction`]
//! does units together with their record, a savepoint each.

mod backend;
mod create_index;
mod create_table;
mod db_error;
mod dropped;
mod introspect;
mod lent;
mod lock;
mod reader;
mod session;
mod statements;
mod transaction;

pub use backend::SqliteBackend;
