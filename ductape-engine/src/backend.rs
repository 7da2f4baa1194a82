//! What a database implements.
//!
//! [`Backend`] is the way in, [`Reader`] looks and changes nothing, and a [`Session`] has the lock:
//! there is no statement without a session, and no session without the lock.

use crate::error::{DbError, Error};
use crate::ledger::{Entry, EntryQuery, EntrySummary, Head, LogLine, Put};
use crate::lock::{Actor, Holder, Patience};
use async_trait::async_trait;
use ductape_core::compiler::{DataJob, Guard, Setting};
use ductape_core::{Compiler, Name, Schema, Step};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a request did.
#[derive(Debug)]
pub enum Outcome {
    /// It was applied.
    Applied,
    /// It was not applied.
    NotApplied(DbError),
    /// Nobody knows: a timeout, a lost connection. Settled by looking, never taken for failure.
    Unknown(DbError),
    /// The lock was lost; nothing was written.
    LockLost,
}

/// Where a step stands, as the catalog tells it.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It has not been done.
    Before,
    /// It has been done.
    After,
    /// The database is still at it.
    InProgress,
    /// It is done in part: these steps clean up, and then it is run again.
    Partial {
        /// What cleans up.
        clean: Vec<Step>,
    },
    /// The catalog shows something else than before and after: somebody else was there.
    Foreign {
        /// What it shows, for people.
        shows: String,
    },
    /// The catalog does not tell.
    Unknowable,
}

/// Which part of the catalog is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// These collections, and those whose foreign keys point at them or that they point at.
    Only(BTreeSet<Name>),
}

/// What a guard counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardAnswer {
    /// The rows in the way.
    pub count: u64,
    /// A few of them, for people.
    pub examples: Vec<String>,
}

/// Statements and ledger writes that happen together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The steps.
    pub steps: Vec<Step>,
    /// The ledger writes.
    pub puts: Vec<Put>,
}

impl Unit {
    /// What must stand around the unit's transaction, if its steps say.
    pub fn setting(&self) -> Option<&Setting> {
        self.steps.iter().find_map(|step| match &step.atomicity {
            ductape_core::compiler::Atomicity::Joins { setting } => setting.as_ref(),
            ductape_core::compiler::Atomicity::Alone => None,
        })
    }
}

/// Why a unit was not done.
#[derive(Debug)]
pub enum UnitFailure {
    /// The database refused a step, or (without one) the commit.
    Database {
        /// The step, if it was one.
        step: Option<usize>,
        /// What the database said.
        error: DbError,
    },
    /// Rows stand in the way of a step.
    Guarded {
        /// The step.
        step: usize,
        /// Which of its guards.
        guard: usize,
        /// What was counted.
        answer: GuardAnswer,
    },
    /// Nobody knows whether the unit was done; its ledger writes tell.
    Unknown(DbError),
    /// The lock was lost; nothing was written.
    LockLost,
}

/// Why a session could not do something.
#[derive(Debug)]
pub enum SessionError {
    /// The database refused, or was not reached.
    Database(DbError),
    /// The lock was lost; nothing was written.
    LockLost,
}

impl From<DbError> for SessionError {
    fn from(error: DbError) -> Self {
        SessionError::Database(error)
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Database(error) => error.into(),
            SessionError::LockLost => lock_lost(),
        }
    }
}

/// What a runner is told that lost its lock.
pub fn lock_lost() -> Error {
    Error::of(
        crate::error::ErrorKind::Locked,
        "the lock was lost to another runner; nothing more was written",
    )
    .hint("see with `ductape status` what the other runner did, and run again")
}

/// How far one batch of data work came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// There is more; the cursor says where to go on, and is recorded already.
    More {
        /// The cursor, in the backend's own words.
        cursor: String,
        /// How many rows this batch changed.
        rows: u64,
    },
    /// Nothing is left.
    Done {
        /// How many rows this batch changed.
        rows: u64,
    },
}

/// A database.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The compiler for it.
    fn compiler(&self) -> &dyn Compiler;

    /// What one row tells of the whole ledger; nothing if there is no ledger. One query of one row.
    async fn head(&self) -> Result<Option<Head>, Error>;

    /// A way to look. Nothing is changed, and nothing is made.
    async fn read(&self) -> Result<Box<dyn Reader>, Error>;

    /// Takes the lock, and makes the ledger where there is none.
    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error>;

    /// Takes the lock away from whoever holds it, and raises the fence. Says who held it.
    async fn force_release(&self) -> Result<Option<Holder>, Error>;
}

/// A way to look.
#[async_trait]
pub trait Reader: Send {
    /// The live schema, Ductape's own collections left out, each collection in normal form.
    async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError>;

    /// A text that changes whenever the catalog does; nothing if the database has no such thing.
    async fn catalog_mark(&mut self) -> Result<Option<String>, DbError>;

    /// Entries of the ledger, in the order of application. None if there is no ledger.
    async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error>;

    /// Every entry's summary, in the order of application.
    async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error>;

    /// Rows of the state whose keys begin so, sorted by key.
    async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError>;

    /// The rows of the state with these keys.
    async fn state_of(&mut self, keys: &[String]) -> Result<Vec<(String, String)>, DbError>;

    /// The log, oldest first.
    async fn log(&mut self) -> Result<Vec<LogLine>, DbError>;

    /// Who holds the lock.
    async fn holder(&mut self) -> Result<Option<Holder>, DbError>;

    /// Where a step stands.
    async fn standing(&mut self, step: &Step) -> Result<Standing, DbError>;

    /// Counts the rows that stand in the way.
    async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError>;
}

/// A session: it has the lock, and everything it writes is fenced.
///
/// Dropping a session lets go of what it holds as soon as it can; [`Session::release`] waits for it.
#[async_trait]
pub trait Session: Reader {
    /// Does units, each together with its ledger writes or not at all, up to the first that fails.
    /// Gives how many were done. They may become durable only with [`Session::flush`].
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>);

    /// Makes everything durable that was done.
    async fn flush(&mut self) -> Result<(), SessionError>;

    /// Whether something that was done is not durable yet.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Runs a step that stands alone.
    async fn run(&mut self, step: &Step) -> Outcome;

    /// Writes to the ledger, durably.
    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError>;

    /// Does one batch of data work and records the cursor with it.
    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError>;

    /// From now on breaks off the statement under way once the flag is set, and unsets it: the statement
    /// fails as [`DbError::broken_off`]. A database whose statements go on by themselves does nothing.
    ///
    /// [`DbError::broken_off`]: crate::DbError
    async fn heed(&mut self, break_off: Arc<AtomicBool>) {
        let _ = break_off;
    }

    /// How long to wait before asking again where a step stands that is in progress.
    fn poll_interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    /// Waits.
    async fn sleep(&mut self, duration: Duration);

    /// Lets go of the lock.
    async fn release(self: Box<Self>) -> Result<(), SessionError>;
}
