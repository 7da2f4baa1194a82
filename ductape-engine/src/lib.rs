//! The engine of Ductape: applies migrations and rolls them back, under a lock, with a ledger in the
//! database itself and a journal where statements cannot share a transaction. It knows no database:
//! what differs is read from capabilities and asked of the traits in [`backend`].

mod at_hand;
pub mod backend;
mod down;
mod engine;
mod error;
mod journal;
pub mod lease;
pub mod ledger;
mod lock;
mod matching;
mod observer;
mod plan;
mod prepare;
mod repair;
mod report;
mod run;
mod set;
mod settle;
mod status;
mod unfinished;
mod up;
mod verify;

pub use backend::{Backend, Reader, Session};
pub use engine::{EngineOptions, Extent, MigrationEngine, Rollback};
pub use error::{DbError, Details, Error, ErrorKind, Result};
pub use lock::{Actor, Holder, Patience};
pub use observer::{Event, Observer};
pub use plan::{Plan, PlannedMigration, PlannedRisk, PlannedStatement, plan_offline};
pub use repair::{Repair, RepairReport, Repaired};
pub use report::{Done, Report};
pub use set::MigrationSet;
pub use status::{HistoryEntry, MigrationState, MigrationStatus, PendingMigration, Status};
pub use verify::Verification;
