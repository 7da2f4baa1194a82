//! What speaks to a server: reaching it, the lock, the ledger, the catalog, and doing what was compiled.
//!
//! A run is a [`session`]: [`connect`] and its neighbours find the server and the [`place`] in it, [`lock`]
//! makes it the only one, [`reader`] and [`introspect`] look, [`batch`] does units that share a transaction
//! with their record, and [`alone`] and [`data_work`] what stands outside of one.

mod address;
mod alone;
mod batch;
mod break_off;
mod client;
mod connect;
mod data_work;
mod introspect;
mod ledger_tables;
mod lock;
mod place;
mod planned;
mod reach;
mod reader;
mod refusal;
mod service;
mod session;
mod standing;

pub use connect::PostgresBackend;
