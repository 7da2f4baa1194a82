//! The way to a SQLite database: a file, a database in memory, or a pool of the program's own.

use super::super::dialect::{Sqlite, sql};
use super::db_error::{db_error, reason};
use super::lent::Lent;
use super::lock::Contention;
use super::session::SqliteSession;
use crate::ledger::{LedgerNames, read_head};
use async_trait::async_trait;
use ductape_core::Compiler;
use ductape_engine::backend::{Backend, Reader, Session};
use ductape_engine::lease::{Decision, LeaseRow, LeaseWatch};
use ductape_engine::ledger::{HEAD_KEY, Head};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Holder, Patience};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A SQLite database.
#[derive(Clone)]
pub struct SqliteBackend {
    options: SqliteConnectOptions,
    names: LedgerNames,
    /// The one connection of a database in memory, which ends with it.
    memory: Option<Arc<Mutex<Option<SqliteConnection>>>>,
    /// The pool that connections are borrowed from, if the program gave one.
    pool: Option<SqlitePool>,
}

impl std::fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteBackend")
            .field("file", &self.options.get_filename())
            .finish_non_exhaustive()
    }
}

impl SqliteBackend {
    /// The database of a URL: `sqlite://app.db` or `sqlite::memory:`. Nothing is opened or made yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if it is no such URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| {
                Error::of(ErrorKind::Usage, format!("this is no SQLite URL: {error}"))
                    .hint("write sqlite://FILE or sqlite::memory:")
            })?
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        // SQLite takes an empty name for a file that goes with its connection, and ends one at a NUL.
        let name = options.get_filename().as_os_str();
        if name.is_empty() || name.as_encoded_bytes().contains(&0) {
            return Err(Error::of(ErrorKind::Usage, "the URL names no file")
                .hint("write sqlite://FILE or sqlite::memory:"));
        }
        let memory = url.contains(":memory:") || url.contains("mode=memory");
        Ok(Self {
            options,
            names: LedgerNames::default(),
            memory: memory.then(|| Arc::new(Mutex::new(None))),
            pool: None,
        })
    }

    /// The database of a pool.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self {
            options: pool.connect_options().as_ref().clone(),
            names: LedgerNames::default(),
            memory: None,
            pool: Some(pool),
        }
    }

    /// A connection; nothing if it is for looking and the file is not there.
    pub(super) async fn connect(&self, write: bool) -> Result<Option<Held>, DbError> {
        self.connect_with(write, BUSY).await
    }

    /// The same; one of its own waits so long where another connection is at it.
    pub(super) async fn connect_with(
        &self,
        write: bool,
        busy: Duration,
    ) -> Result<Option<Held>, DbError> {
        if let Some(pool) = &self.pool {
            return Ok(Some(Held::Lent(Lent::from(pool, write).await?)));
        }
        if let Some(memory) = &self.memory {
            let mut slot = memory.clone().lock_owned().await;
            match slot.as_mut() {
                // A session that was dropped in its middle left its transaction open.
                Some(connection) => {
                    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
                }
                None => *slot = Some(self.open(self.options.clone()).await?),
            }
            return Ok(Some(Held::Memory(slot)));
        }
        if !write && !self.options.get_filename().exists() {
            return Ok(None);
        }
        let options = self.options.clone().busy_timeout(busy);
        let options = if write {
            options.create_if_missing(true)
        } else {
            options.read_only(true).create_if_missing(false)
        };
        Ok(Some(Held::Own(Box::new(self.open(options).await?))))
    }

    pub(super) async fn open(
        &self,
        options: SqliteConnectOptions,
    ) -> Result<SqliteConnection, DbError> {
        options.connect().await.map_err(|error| {
            DbError::connection(format!(
                "the file {} cannot be opened: {}",
                self.options.get_filename().display(),
                reason(&error)
            ))
        })
    }

    pub(super) async fn reader(&self, busy: Duration) -> Result<SqliteSession, Error> {
        let connection = self.connect_with(false, busy).await?;
        let mut reader = SqliteSession {
            connection,
            names: self.names.clone(),
            has_ledger: false,
            lease: LeaseRow::default(),
            open: None,
            released: true,
        };
        reader.find_ledger().await?;
        Ok(reader)
    }

    /// Why the lock was not got: somebody has it, or another program the file.
    pub(super) async fn held(&self, seen: Option<Holder>, waited: Duration) -> Error {
        let mut holder = seen;
        if holder.is_none()
            && let Ok(mut reader) = self.reader(Duration::from_millis(100)).await
        {
            holder = reader.holder().await.ok().flatten();
        }
        if holder.is_some() {
            return Error::locked(holder.as_ref(), waited);
        }
        let file = self.options.get_filename().display();
        let waited = waited.as_secs_f64();
        Error::of(
            ErrorKind::Locked,
            format!("another program is at the file {file}; waited {waited} s"),
        )
        .hint("wait for it to end; --wait says for how long")
    }
}

/// How long a connection waits where another one is at the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// A connection of its own, or the one of a database in memory.
pub(super) enum Held {
    Own(Box<SqliteConnection>),
    Memory(OwnedMutexGuard<Option<SqliteConnection>>),
    Lent(Lent),
}

impl Held {
    pub(super) fn get(&mut self) -> Result<&mut SqliteConnection, DbError> {
        match self {
            Held::Own(connection) => Ok(connection),
            Held::Memory(slot) => slot
                .as_mut()
                .ok_or_else(|| DbError::connection("the database in memory is gone")),
            Held::Lent(lent) => lent.get(),
        }
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    fn compiler(&self) -> &dyn Compiler {
        &Sqlite
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        let Some(mut held) = self.connect(false).await? else {
            return Ok(None);
        };
        let query = sql()
            .words("SELECT value FROM ")
            .name(&self.names.state)
            .words(" WHERE key = ")
            .text(HEAD_KEY)
            .finish();
        let connection = held.get()?;
        let row = sqlx::query(AssertSqlSafe(query))
            .fetch_optional(&mut *connection)
            .await;
        let value = match row {
            Ok(row) => row.and_then(|row| row.try_get::<String, _>(0).ok()),
            Err(error) if reason(&error).contains("no such table") => None,
            Err(error) => return Err(db_error(&error).into()),
        };
        if let Held::Own(connection) = held {
            let _ = connection.close().await;
        }
        value.map(|value| read_head(&value)).transpose()
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(self.reader(BUSY).await?))
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        let started = Instant::now();
        let mut watch = LeaseWatch::new();
        let mut holder = None;
        let mut pause = Duration::from_millis(5);
        loop {
            // No longer than what is left of the wait.
            let left = patience.wait.saturating_sub(started.elapsed()).min(BUSY);
            let mut session = SqliteSession {
                connection: self.connect_with(true, left).await?,
                names: self.names.clone(),
                has_ledger: false,
                lease: LeaseRow::default(),
                open: None,
                released: true,
            };
            let wait = match session.try_lock(actor, patience, &mut watch).await {
                Ok(Decision::Take) => {
                    let busy = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
                    session.execute(&busy).await?;
                    return Ok(Box::new(session));
                }
                Ok(Decision::Wait(wait)) => {
                    holder = session.lease.holder();
                    wait.min(pause)
                }
                Err(Contention::Busy) => pause,
                Err(Contention::Failed(error)) => return Err(*error),
            };
            // A database in memory has one connection: let it go while waiting.
            drop(session);
            if started.elapsed() >= patience.wait {
                return Err(self.held(holder, patience.wait).await);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        let mut session = SqliteSession {
            connection: self.connect(true).await?,
            names: self.names.clone(),
            has_ledger: false,
            lease: LeaseRow::default(),
            open: None,
            released: true,
        };
        session.execute("BEGIN IMMEDIATE").await?;
        session.make_ledger().await?;
        let row = session.read_lock().await?;
        let mut released = row.released();
        released.fence += 1;
        session.write_lock(&released).await?;
        session.execute("COMMIT").await?;
        Ok(row.holder())
    }
}
