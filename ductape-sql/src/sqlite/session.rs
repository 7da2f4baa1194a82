//! The connection to a SQLite file: looking, and working under the lock.

use super::dialect::{Sqlite, sql};
use super::introspect::{SchemaRow, schema_of};
use super::lent::Lent;
use super::statements::statements;
use crate::ledger::{
    LedgerNames, StateRows, damaged, entries_sql, log_sql, put_sql, puts_sql, read_head, state_sql,
    summaries_sql,
};
use async_trait::async_trait;
use ductape_core::compiler::{Action, DataJob, Guard, Setting, Target};
use ductape_core::{Checksum, Compiler, Name, Schema, Statement, Step, Tag};
use ductape_engine::backend::{
    Advance, Backend, GuardAnswer, Outcome, Reader, Scope, Session, SessionError, Standing, Unit,
    UnitFailure,
};
use ductape_engine::lease::{Decision, LeaseRow, LeaseWatch};
use ductape_engine::ledger::{
    Entry, EntryQuery, EntryStatus, EntrySummary, HEAD_KEY, Head, LEDGER_FORMAT, LOCK_KEY, LogLine,
    Progress, Put,
};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Holder, Patience};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How many rows one batch of data work changes.
const BATCH: u32 = 5000;
/// The cursor after the last batch; a key's is a list of literals.
const END: &str = "end";

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
    async fn connect(&self, write: bool) -> Result<Option<Held>, DbError> {
        self.connect_with(write, BUSY).await
    }

    /// The same; one of its own waits so long where another connection is at it.
    async fn connect_with(&self, write: bool, busy: Duration) -> Result<Option<Held>, DbError> {
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

    async fn open(&self, options: SqliteConnectOptions) -> Result<SqliteConnection, DbError> {
        options.connect().await.map_err(|error| {
            DbError::connection(format!(
                "the file {} cannot be opened: {}",
                self.options.get_filename().display(),
                reason(&error)
            ))
        })
    }

    async fn reader(&self, busy: Duration) -> Result<SqliteSession, Error> {
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
    async fn held(&self, seen: Option<Holder>, waited: Duration) -> Error {
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
const BUSY: Duration = Duration::from_secs(5);

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

fn db_error(error: &sqlx::Error) -> DbError {
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(|code| code.into_owned()));
    let message = reason(error);
    let would_break = ["error in view ", "error in trigger ", "error in index "]
        .iter()
        .any(|start| message.starts_with(start));
    // SQLITE_INTERRUPT (9): only `heed` does it.
    let broken_off = code.as_deref() == Some("9");
    let error = DbError::new(message)
        .busy(is_busy(error))
        .broken_off(broken_off)
        .code(code);
    match would_break {
        true => error.refused(
            "take what it names away with raw before it, and make it again afterwards in the new words",
        ),
        false => error,
    }
}

/// Whether another connection was at it: SQLITE_BUSY (5) and SQLITE_LOCKED (6), extended codes included.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    is_busy_code(code.as_deref())
}

fn is_busy_code(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Whether rows contradict a constraint: SQLITE_CONSTRAINT (19), extended codes included.
fn is_constraint(error: &DbError) -> bool {
    let code = error
        .code
        .as_deref()
        .and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 19)
}

/// A connection of its own, or the one of a database in memory.
pub(super) enum Held {
    Own(Box<SqliteConnection>),
    Memory(OwnedMutexGuard<Option<SqliteConnection>>),
    Lent(Lent),
}

impl Held {
    fn get(&mut self) -> Result<&mut SqliteConnection, DbError> {
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

/// Why the lock was not even looked at.
enum Contention {
    Busy,
    Failed(Box<Error>),
}

impl Contention {
    fn of(error: Error) -> Self {
        if is_busy_code(error.details().code.as_deref()) {
            Contention::Busy
        } else {
            Contention::Failed(Box::new(error))
        }
    }
}

impl From<sqlx::Error> for Contention {
    fn from(error: sqlx::Error) -> Self {
        if is_busy(&error) {
            Contention::Busy
        } else {
            Contention::Failed(Box::new(db_error(&error).into()))
        }
    }
}

impl From<DbError> for Contention {
    fn from(error: DbError) -> Self {
        Contention::of(error.into())
    }
}

/// A transaction that is open, and what stands around it.
pub(super) struct Open {
    setting: Setting,
    /// The lock's row as it is again if the transaction is rolled back.
    lease: LeaseRow,
    /// Whether units in it wait to be committed.
    waiting: bool,
}

/// A connection for looking or, with the lock, for working.
pub(super) struct SqliteSession {
    pub(super) connection: Option<Held>,
    pub(super) names: LedgerNames,
    pub(super) has_ledger: bool,
    pub(super) lease: LeaseRow,
    pub(super) open: Option<Open>,
    /// Whether it holds nothing that is to be let go of.
    pub(super) released: bool,
}

impl SqliteSession {
    fn connection(&mut self) -> Result<&mut SqliteConnection, DbError> {
        match &mut self.connection {
            Some(held) => held.get(),
            None => Err(DbError::connection("the file does not exist")),
        }
    }

    /// Runs a text, which may be several statements.
    pub(super) async fn execute(&mut self, text: &str) -> Result<(), DbError> {
        let connection = self.connection()?;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(|error| db_error(&error))
    }

    async fn rows(&mut self, text: String) -> Result<Vec<SqliteRow>, DbError> {
        if self.connection.is_none() {
            return Ok(Vec::new());
        }
        let connection = self.connection()?;
        sqlx::query(AssertSqlSafe(text))
            .fetch_all(connection)
            .await
            .map_err(|error| db_error(&error))
    }

    /// The tables in which virtual tables keep what they know.
    async fn shadow_tables(&mut self) -> Result<Vec<String>, DbError> {
        let query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";
        let rows = self.rows(query.into()).await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(|error| db_error(&error)))
            .collect()
    }

    /// Whether there is a ledger: all of it, in a format that this version knows.
    async fn find_ledger(&mut self) -> Result<bool, Error> {
        let names = [&self.names.migrations, &self.names.log, &self.names.state];
        let query = sql()
            .words("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN (")
            .texts(names.iter().map(|name| name.as_str()))
            .words(")")
            .finish();
        let all: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let rows = self.rows(query).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(
                row.try_get::<String, _>(0)
                    .map_err(|error| db_error(&error))?,
            );
        }
        if found.is_empty() {
            return Ok(false);
        }
        let gone: Vec<String> = all
            .into_iter()
            .filter(|name| !found.contains(name))
            .collect();
        if !gone.is_empty() {
            return Err(Error::of(
                ErrorKind::Mismatch,
                format!("a part of the ledger is gone: {}", gone.join(", ")),
            )
            .hint("restore it from a backup; or drop the rest of it, and say with `ductape repair --mark-applied` what is applied"));
        }
        self.has_ledger = true;
        if let Some(head) = self.state_value(HEAD_KEY).await? {
            read_head(&head)?;
        }
        Ok(true)
    }

    async fn make_ledger(&mut self) -> Result<(), Error> {
        if self.find_ledger().await? {
            return Ok(());
        }
        let text = sql()
            .words("CREATE TABLE ")
            .name(&self.names.migrations)
            .words(" (seq INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT, checksum TEXT NOT NULL, status TEXT NOT NULL, migration TEXT NOT NULL, down TEXT NOT NULL, plan TEXT, progress TEXT NOT NULL, steps_done INTEGER NOT NULL, steps_total INTEGER NOT NULL, applied_at TEXT NOT NULL, duration_ms INTEGER NOT NULL, applied_by TEXT NOT NULL, tool_version TEXT NOT NULL);\nCREATE TABLE ")
            .name(&self.names.log)
            .words(" (id INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, tag TEXT NOT NULL, actor TEXT NOT NULL, host TEXT NOT NULL, duration_ms INTEGER NOT NULL, detail TEXT);\nCREATE TABLE ")
            .name(&self.names.state)
            .words(" (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID")
            .finish();
        self.execute(&text).await?;
        let head = Head {
            format: LEDGER_FORMAT,
            ..Head::default()
        };
        let put = Put::State {
            key: HEAD_KEY.to_owned(),
            value: serde_json::to_string(&head).ok(),
        };
        let text = put_sql::<Sqlite>(&self.names, &put);
        self.execute(&text).await?;
        self.has_ledger = true;
        Ok(())
    }

    async fn state_value(&mut self, key: &str) -> Result<Option<String>, DbError> {
        let rows = self.state_of(&[key.to_owned()]).await?;
        Ok(rows.into_iter().next().map(|(_, value)| value))
    }

    pub(super) async fn read_lock(&mut self) -> Result<LeaseRow, DbError> {
        match self.state_value(LOCK_KEY).await? {
            None => Ok(LeaseRow::default()),
            Some(value) => serde_json::from_str(&value)
                .map_err(|error| DbError::new(format!("the lock's row cannot be read: {error}"))),
        }
    }

    pub(super) async fn write_lock(&mut self, row: &LeaseRow) -> Result<(), DbError> {
        let put = Put::State {
            key: LOCK_KEY.to_owned(),
            value: serde_json::to_string(row).ok(),
        };
        let text = put_sql::<Sqlite>(&self.names, &put);
        self.execute(&text).await
    }

    async fn try_lock(
        &mut self,
        actor: &Actor,
        patience: &Patience,
        watch: &mut LeaseWatch,
    ) -> Result<Decision, Contention> {
        self.execute("BEGIN IMMEDIATE").await?;
        let decision = self.lock_in_transaction(actor, patience, watch).await;
        match &decision {
            Ok(Decision::Take) => {
                self.execute("COMMIT").await?;
            }
            _ => self.execute("ROLLBACK").await?,
        }
        decision
    }

    async fn lock_in_transaction(
        &mut self,
        actor: &Actor,
        patience: &Patience,
        watch: &mut LeaseWatch,
    ) -> Result<Decision, Contention> {
        self.make_ledger().await.map_err(Contention::of)?;
        let row = self.read_lock().await?;
        let decision = watch.decide(&row, Instant::now());
        self.lease = row;
        if decision == Decision::Take {
            // From here on there may be something to let go of.
            self.released = false;
            let now = jiff_now();
            self.lease = self.lease.taken_by(actor, patience.lease, now);
            let mine = self.lease.clone();
            self.write_lock(&mine).await?;
        }
        Ok(decision)
    }

    /// Opens a transaction in a setting, unless one is open already, and shows that the lock is still
    /// held: the row is as it was left, and gives a sign of life.
    async fn begin(&mut self, setting: Option<&Setting>) -> Result<(), SessionError> {
        if let Some(open) = &self.open {
            match setting {
                Some(setting) if *setting != open.setting => self.commit().await?,
                _ => return Ok(()),
            }
        }
        let setting = setting.cloned().unwrap_or_default();
        let mut opening = setting.prologue.clone();
        opening.push("BEGIN IMMEDIATE".to_owned());
        // Known to be open before it is, so that one that is cut off here is cleaned up, too.
        self.open = Some(Open {
            setting,
            lease: self.lease.clone(),
            waiting: false,
        });
        for statement in &opening {
            if let Err(error) = self.execute(statement).await {
                self.abandon().await;
                return Err(error.into());
            }
        }
        let renewed = self.lease.renewed();
        match self.replace_lock(&renewed).await {
            Ok(true) => {
                self.lease = renewed;
                Ok(())
            }
            Ok(false) => {
                self.abandon().await;
                self.released = true;
                Err(SessionError::LockLost)
            }
            Err(error) => {
                self.abandon().await;
                Err(error.into())
            }
        }
    }

    /// Puts the lock's next row in the place of the one that this session left; false if it is not there.
    async fn replace_lock(&mut self, next: &LeaseRow) -> Result<bool, DbError> {
        let (Ok(mine), Ok(next)) = (
            serde_json::to_string(&self.lease),
            serde_json::to_string(next),
        ) else {
            return Err(DbError::new("the lock's row cannot be written"));
        };
        let text = sql()
            .words("UPDATE ")
            .name(&self.names.state)
            .words(" SET value = ")
            .text(&next)
            .words(" WHERE key = ")
            .text(LOCK_KEY)
            .words(" AND value = ")
            .text(&mine)
            .finish();
        let connection = self.connection()?;
        let done = sqlx::raw_sql(AssertSqlSafe(text))
            .execute(connection)
            .await
            .map_err(|error| db_error(&error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Commits the open transaction, if there is one.
    async fn commit(&mut self) -> Result<(), SessionError> {
        if self.open.is_none() {
            return Ok(());
        }
        if let Err(error) = self.execute("COMMIT").await {
            self.abandon().await;
            return Err(error.into());
        }
        self.close_setting().await
    }

    async fn close_setting(&mut self) -> Result<(), SessionError> {
        let epilogue = self.open.as_ref().map(|open| open.setting.epilogue.clone());
        for statement in epilogue.iter().flatten() {
            self.execute(statement).await?;
        }
        self.open = None;
        Ok(())
    }

    /// Rolls the open transaction back; an error on the way leaves nothing to be mended.
    pub(super) async fn abandon(&mut self) {
        let _ = self.execute("ROLLBACK").await;
        let _ = self.execute("PRAGMA legacy_alter_table = OFF").await;
        if let Some(open) = &self.open {
            self.lease = open.lease.clone();
        }
        let _ = self.close_setting().await;
        self.open = None;
    }

    /// Plain units of one setting in one savepoint; false, and nothing done, if any of it fails. Going
    /// through them one by one then tells which.
    ///
    /// SQLite copies the rest of a text for each statement in it, so the texts stay short.
    async fn together(&mut self, units: &[Unit]) -> Result<bool, UnitFailure> {
        const TEXT: usize = 8 * 1024;
        let setting = units.first().and_then(Unit::setting);
        self.begin(setting).await.map_err(unit_failure)?;
        let steps = statements(units.iter().flat_map(|unit| &unit.steps));
        let statements = steps.into_iter().chain(puts_sql::<Sqlite>(
            &self.names,
            units.iter().flat_map(|unit| &unit.puts),
        ));
        let mut text = String::from("SAVEPOINT ductape_units;\n");
        for statement in statements {
            if text.len() + statement.len() > TEXT {
                if let Err(error) = self.execute(&text).await {
                    return self
                        .back_to("ductape_units", setting, error)
                        .await
                        .map(|()| false);
                }
                text.clear();
            }
            text.push_str(&statement);
            text.push_str(";\n");
        }
        text.push_str("RELEASE ductape_units");
        match self.execute(&text).await {
            Ok(()) => Ok(true),
            Err(error) => self
                .back_to("ductape_units", setting, error)
                .await
                .map(|()| false),
        }
    }

    fn one_waits(&mut self) {
        if let Some(open) = &mut self.open {
            open.waiting = true;
        }
    }

    /// Goes back to a savepoint, so that what failed can be gone through one by one. Where the error ended
    /// the transaction itself (a full disk, say), what waited in it to be committed is gone with it, and
    /// the error is that of the run.
    async fn back_to(
        &mut self,
        savepoint: &str,
        setting: Option<&Setting>,
        error: DbError,
    ) -> Result<(), UnitFailure> {
        let back = format!("ROLLBACK TO {savepoint};\nRELEASE {savepoint}");
        if self.execute(&back).await.is_ok() {
            return Ok(());
        }
        let waiting = self.open.as_ref().is_some_and(|open| open.waiting);
        self.abandon().await;
        if waiting {
            return Err(UnitFailure::Database { step: None, error });
        }
        self.begin(setting).await.map_err(unit_failure)
    }

    /// One unit, in a savepoint.
    async fn unit(&mut self, unit: &Unit) -> Result<(), UnitFailure> {
        self.begin(unit.setting()).await.map_err(unit_failure)?;
        if is_plain(unit) {
            // Everything in one request; a failure is found by going through it one by one.
            let mut text = String::from("SAVEPOINT ductape_unit;\n");
            for statement in statements(&unit.steps) {
                text.push_str(&statement);
                text.push_str(";\n");
            }
            for put in &unit.puts {
                text.push_str(&put_sql::<Sqlite>(&self.names, put));
                text.push_str(";\n");
            }
            text.push_str("RELEASE ductape_unit");
            match self.execute(&text).await {
                Ok(()) => return Ok(()),
                Err(error) => self.back_to("ductape_unit", unit.setting(), error).await?,
            }
        }
        let one_by_one = self.one_by_one(unit).await;
        if one_by_one.is_err() {
            let back = self
                .execute("ROLLBACK TO ductape_unit;\nRELEASE ductape_unit;\nPRAGMA legacy_alter_table = OFF")
                .await;
            if back.is_err() {
                self.abandon().await;
            }
        }
        one_by_one
    }

    async fn one_by_one(&mut self, unit: &Unit) -> Result<(), UnitFailure> {
        let failed =
            |step: Option<usize>| move |error: DbError| UnitFailure::Database { step, error };
        self.execute("SAVEPOINT ductape_unit")
            .await
            .map_err(failed(None))?;
        for (index, step) in unit.steps.iter().enumerate() {
            for (number, guard) in step.guards.iter().enumerate() {
                let answer = self.check(guard).await.map_err(failed(Some(index)))?;
                if answer.count > 0 {
                    return Err(UnitFailure::Guarded {
                        step: index,
                        guard: number,
                        answer,
                    });
                }
            }
            let text = step.shown().to_string();
            if let Err(error) = self.execute(&text).await {
                // What no guard foresaw is counted by the database, and all the same refused.
                let error = match is_constraint(&error) && !is_raw(step) {
                    true => error.refused("mend the rows that it names with an update before it"),
                    false => error,
                };
                return Err(failed(Some(index))(error));
            }
        }
        for put in &unit.puts {
            let text = put_sql::<Sqlite>(&self.names, put);
            self.execute(&text).await.map_err(failed(None))?;
        }
        self.execute("RELEASE ductape_unit")
            .await
            .map_err(failed(None))
    }

    fn read_entry(row: &SqliteRow) -> Result<Entry, Error> {
        let text = |column: &str| -> Result<String, Error> {
            row.try_get(column).map_err(|error| {
                damaged(&format!(
                    "a row of the ledger cannot be read: column {column}: {error}"
                ))
            })
        };
        let number = |column: &str| -> Result<u64, Error> {
            let number: i64 = row
                .try_get(column)
                .map_err(|error| damaged(&unreadable(column, error)))?;
            number
                .try_into()
                .map_err(|_| damaged(&unreadable(column, number)))
        };
        let steps = |column: &str| -> Result<u32, Error> {
            let number = number(column)?;
            number
                .try_into()
                .map_err(|_| damaged(&unreadable(column, number)))
        };
        let maybe = |column: &str| -> Result<Option<String>, Error> {
            row.try_get(column).map_err(|error| {
                damaged(&format!(
                    "a row of the ledger cannot be read: column {column}: {error}"
                ))
            })
        };
        let summary = Self::read_summary(row)?;
        let progress: Progress = serde_json::from_str(&text("progress")?).map_err(|error| {
            damaged(&format!(
                "a row of the ledger cannot be read: progress: {error}"
            ))
        })?;
        Ok(Entry {
            seq: summary.seq,
            name: text("name")?,
            description: maybe("description")?,
            checksum: summary.checksum,
            status: summary.status,
            migration: text("migration")?,
            down: text("down")?,
            plan: maybe("plan")?,
            progress,
            steps_done: steps("steps_done")?,
            steps_total: steps("steps_total")?,
            applied_at: summary.applied_at,
            duration_ms: number("duration_ms")?,
            applied_by: text("applied_by")?,
            tool_version: text("tool_version")?,
            tag: summary.tag,
        })
    }

    fn read_summary(row: &SqliteRow) -> Result<EntrySummary, Error> {
        let text = |column: &str| -> Result<String, Error> {
            row.try_get(column).map_err(|error| {
                damaged(&format!(
                    "a row of the ledger cannot be read: column {column}: {error}"
                ))
            })
        };
        summary(
            row.try_get("seq").ok(),
            &text("tag")?,
            &text("checksum")?,
            &text("status")?,
            &text("applied_at")?,
        )
    }
}

/// A summary, written as [`SqliteSession::summaries`] asks for it.
fn read_summary_line(line: &str) -> Result<EntrySummary, Error> {
    let mut columns = line.splitn(5, '\u{1f}');
    let mut column = || columns.next().unwrap_or_default();
    let seq = column();
    summary(seq.parse().ok(), column(), column(), column(), column())
}

/// A summary from its columns.
fn summary(
    seq: Option<i64>,
    tag: &str,
    checksum: &str,
    status: &str,
    applied_at: &str,
) -> Result<EntrySummary, Error> {
    let tag: Tag = tag
        .parse()
        .map_err(|error| damaged(&format!("a row of the ledger cannot be read: {error}")))?;
    Ok(EntrySummary {
        seq: seq.ok_or_else(|| damaged(&format!("the ledger's place of {tag} is no number")))?,
        checksum: Checksum::from_text(checksum)
            .ok_or_else(|| damaged(&format!("the ledger's checksum of {tag} is none")))?,
        status: EntryStatus::from_word(status)
            .ok_or_else(|| damaged(&format!("the ledger's status of {tag} is none")))?,
        applied_at: applied_at.to_owned(),
        tag,
    })
}

fn unit_failure(error: SessionError) -> UnitFailure {
    match error {
        SessionError::LockLost => UnitFailure::LockLost,
        SessionError::Database(error) => UnitFailure::Database { step: None, error },
    }
}

fn unreadable(column: &str, why: impl std::fmt::Display) -> String {
    format!("a row of the ledger cannot be read: column {column}: {why}")
}

fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Whether nothing has to be looked at between the unit's statements.
fn is_plain(unit: &Unit) -> bool {
    unit.steps
        .iter()
        .all(|step| step.guards.is_empty() && !is_raw(step))
}

fn is_raw(step: &Step) -> bool {
    step.effects
        .iter()
        .any(|effect| effect.target == Target::Anything)
}

#[async_trait]
impl Reader for SqliteSession {
    async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError> {
        let rows = self
            .rows(
                "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL".into(),
            )
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let text = |index: usize| -> Result<String, DbError> {
                row.try_get(index).map_err(|error| db_error(&error))
            };
            found.push(SchemaRow {
                kind: text(0)?,
                name: text(1)?,
                table: text(2)?,
                text: text(3)?,
            });
        }
        let shadows = match found.iter().any(SchemaRow::is_virtual) {
            true => self.shadow_tables().await?,
            false => Vec::new(),
        };
        let own = [&self.names.migrations, &self.names.log, &self.names.state];
        let hidden: Vec<&str> = own
            .into_iter()
            .map(Name::as_str)
            .chain(shadows.iter().map(String::as_str))
            .collect();
        let all = schema_of(found, &hidden);
        let Scope::Only(names) = scope else {
            return Ok(all);
        };
        // What a view or a trigger about them names is looked at, too.
        let beside: BTreeSet<&Name> = names
            .iter()
            .flat_map(|name| all.natives_about(name))
            .flat_map(|native| native.after.iter().chain(&native.on))
            .collect();
        let mut some = Schema::new().of(ductape_core::BackendName::Sqlite);
        for collection in all.collections() {
            let near = names.contains(&collection.name)
                || beside.contains(&collection.name)
                // SQLite has no case in names, so a near one stands in the way.
                || names.iter().any(|name| name.as_str().eq_ignore_ascii_case(collection.name.as_str()))
                || collection
                    .constraints
                    .iter()
                    .filter_map(|constraint| constraint.references())
                    .any(|references| names.contains(&references.table))
                || all
                    .referencing(&collection.name)
                    .any(|other| names.contains(&other.name))
                || collection.indexes.iter().any(|index| {
                    index.name.as_ref().is_some_and(|name| names.contains(name))
                });
            if near {
                some.put(collection.clone());
            }
        }
        for native in all.natives() {
            some.put_native(native.clone());
        }
        Ok(some)
    }

    async fn catalog_mark(&mut self) -> Result<Option<String>, DbError> {
        let rows = self.rows("PRAGMA schema_version".into()).await?;
        Ok(rows
            .first()
            .and_then(|row| row.try_get::<i64, _>(0).ok())
            .map(|version| version.to_string()))
    }

    async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let text = entries_sql::<Sqlite>(&self.names, query);
        let rows = self.rows(text).await?;
        rows.iter().map(Self::read_entry).collect()
    }

    async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        // Each row goes from one thread to another, which costs more than all else: they go as one.
        let text = sql()
            .words("SELECT group_concat(seq || char(31) || tag || char(31) || checksum || char(31) || status || char(31) || applied_at, char(30)) FROM (")
            .sql(&summaries_sql::<Sqlite>(&self.names))
            .words(")")
            .finish();
        let rows = self.rows(text).await?;
        let all: Option<String> = match rows.first() {
            Some(row) => row.try_get(0).map_err(|error| db_error(&error))?,
            None => None,
        };
        let all = all.unwrap_or_default();
        let lines = all.split('\u{1e}').filter(|line| !line.is_empty());
        lines.map(read_summary_line).collect()
    }

    async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let text = state_sql::<Sqlite>(&self.names, &StateRows::Beginning(prefix));
        pairs(&self.rows(text).await?)
    }

    async fn state_of(&mut self, keys: &[String]) -> Result<Vec<(String, String)>, DbError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let text = state_sql::<Sqlite>(&self.names, &StateRows::Keyed(keys));
        pairs(&self.rows(text).await?)
    }

    async fn log(&mut self) -> Result<Vec<LogLine>, DbError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let text = log_sql::<Sqlite>(&self.names);
        let rows = self.rows(text).await?;
        rows.iter()
            .map(|row| {
                let line = || -> Result<LogLine, sqlx::Error> {
                    Ok(LogLine {
                        at: row.try_get(0)?,
                        action: row.try_get(1)?,
                        tag: row.try_get(2)?,
                        actor: row.try_get(3)?,
                        host: row.try_get(4)?,
                        duration_ms: row.try_get::<i64, _>(5)?.try_into().unwrap_or(0),
                        detail: row.try_get(6)?,
                    })
                };
                line().map_err(|error| db_error(&error))
            })
            .collect()
    }

    async fn holder(&mut self) -> Result<Option<Holder>, DbError> {
        Ok(self.read_lock().await?.holder())
    }

    async fn standing(&mut self, step: &Step) -> Result<Standing, DbError> {
        // What shares a transaction with its record was not done if it is not recorded.
        if step.is_transactional() {
            return Ok(Standing::Before);
        }
        let first = match step.shown() {
            Statement::Sql(text) => ductape_core::expression::tokens(text).next(),
            _ => None,
        };
        // VACUUM done twice is VACUUM done once.
        Ok(match first {
            Some(word) if word.is_word("VACUUM") => Standing::Before,
            _ => Standing::Unknowable,
        })
    }

    async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError> {
        let rows = self.rows(guard.question.to_string()).await?;
        let Some(row) = rows.first() else {
            return Ok(GuardAnswer {
                count: 0,
                examples: Vec::new(),
            });
        };
        let count: i64 = row.try_get(0).map_err(|error| db_error(&error))?;
        let examples: Option<String> = row.try_get(1).ok();
        Ok(GuardAnswer {
            count: count.try_into().unwrap_or(0),
            examples: examples.into_iter().collect(),
        })
    }
}

fn pairs(rows: &[SqliteRow]) -> Result<Vec<(String, String)>, DbError> {
    rows.iter()
        .map(|row| {
            let key = row.try_get(0).map_err(|error| db_error(&error))?;
            let value = row.try_get(1).map_err(|error| db_error(&error))?;
            Ok((key, value))
        })
        .collect()
}

#[async_trait]
impl Session for SqliteSession {
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>) {
        let mut done = 0;
        while let Some(rest @ [first, ..]) = units.get(done..) {
            let plain = rest
                .iter()
                .take_while(|unit| is_plain(unit) && unit.setting() == first.setting())
                .count();
            if plain > 1 {
                match self.together(rest.get(..plain).unwrap_or(&[])).await {
                    Ok(true) => {
                        self.one_waits();
                        done += plain;
                        continue;
                    }
                    Ok(false) => {}
                    Err(failure) => return (done, Some(failure)),
                }
            }
            for unit in rest.iter().take(plain.max(1)) {
                if let Err(failure) = self.unit(unit).await {
                    return (done, Some(failure));
                }
                self.one_waits();
                done += 1;
            }
        }
        (done, None)
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        self.commit().await
    }

    async fn run(&mut self, step: &Step) -> Outcome {
        if let Err(error) = self.flush().await {
            return outcome(error);
        }
        // The lock is shown to be held, as close to the statement as can be.
        if let Err(error) = self.begin(None).await {
            return outcome(error);
        }
        if let Err(error) = self.commit().await {
            return outcome(error);
        }
        let text = match &step.action {
            Action::Statement(statement) => statement.to_string(),
            Action::Data(_) => {
                return Outcome::NotApplied(DbError::new("data work is no statement"));
            }
        };
        match self.execute(&text).await {
            Ok(()) => Outcome::Applied,
            Err(error) => Outcome::NotApplied(error.statement(text)),
        }
    }

    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        self.begin(None).await?;
        let mut text = String::new();
        for put in puts {
            text.push_str(&put_sql::<Sqlite>(&self.names, put));
            text.push_str(";\n");
        }
        if let Err(error) = self.execute(&text).await {
            self.abandon().await;
            return Err(error.into());
        }
        self.commit().await
    }

    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        self.begin(Some(&Setting::default())).await?;
        match self.batch(seq, job, cursor).await {
            Ok(advance) => {
                self.commit().await?;
                Ok(advance)
            }
            Err(error) => {
                self.abandon().await;
                Err(error.into())
            }
        }
    }

    async fn heed(&mut self, break_off: Arc<AtomicBool>) {
        // Often enough for a person, and too seldom to be felt.
        const OPERATIONS: i32 = 100_000;
        let Ok(connection) = self.connection() else {
            return;
        };
        if let Ok(mut handle) = connection.lock_handle().await {
            handle.set_progress_handler(OPERATIONS, move || {
                !break_off.swap(false, Ordering::Relaxed)
            });
        }
    }

    async fn sleep(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn release(mut self: Box<Self>) -> Result<(), SessionError> {
        if self.released {
            return Ok(());
        }
        self.begin(None).await?;
        let next = self.lease.released();
        let replaced = self.replace_lock(&next).await;
        if !matches!(replaced, Ok(true)) {
            self.abandon().await;
            replaced?;
            return Err(SessionError::LockLost);
        }
        self.commit().await?;
        self.released = true;
        if let Some(Held::Own(connection)) = self.connection.take() {
            let _ = connection.close().await;
        }
        Ok(())
    }
}

fn outcome(error: SessionError) -> Outcome {
    match error {
        SessionError::LockLost => Outcome::LockLost,
        SessionError::Database(error) => Outcome::NotApplied(error),
    }
}

impl SqliteSession {
    /// One batch of an update, along the key, with its cursor in the entry.
    async fn batch(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, DbError> {
        if cursor == Some(END) {
            return Ok(Advance::Done { rows: 0 });
        }
        let text = |key: &str| {
            job.work
                .get(key)
                .and_then(|v| v.as_str())
                .unwrap_or("")
                .to_owned()
        };
        let (table, set, filter) = (text("table"), text("set"), text("filter"));
        let key: Vec<String> = job
            .work
            .get("key")
            .and_then(|key| key.as_array())
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        let mut conditions = vec![format!("({filter})")];
        if let Some(cursor) = cursor {
            conditions.push(format!("({}) > ({cursor})", key.join(", ")));
        }
        let mut next = None;
        if !key.is_empty() {
            let quoted: Vec<String> = key.iter().map(|name| format!("quote({name})")).collect();
            let query = format!(
                "SELECT {} FROM {table} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
                quoted.join(" || ', ' || "),
                conditions.join(" AND "),
                key.join(", "),
                BATCH - 1
            );
            let rows = self.rows(query).await?;
            next = rows
                .first()
                .and_then(|row| row.try_get::<String, _>(0).ok());
        }
        if let Some(next) = &next {
            conditions.push(format!("({}) <= ({next})", key.join(", ")));
        }
        let update = format!(
            "UPDATE {table} SET {set} WHERE {}",
            conditions.join(" AND ")
        );
        let connection = self.connection()?;
        let rows = sqlx::raw_sql(AssertSqlSafe(update))
            .execute(connection)
            .await
            .map_err(|error| db_error(&error))?
            .rows_affected();
        // The end is remembered, too: nothing else tells that the last batch was done.
        let remember = sql()
            .words("UPDATE ")
            .name(&self.names.migrations)
            .words(" SET progress = json_set(progress, '$.cursor', ")
            .text(next.as_deref().unwrap_or(END))
            .words(") WHERE seq = ")
            .number(seq)
            .finish();
        self.execute(&remember).await?;
        Ok(match next {
            Some(cursor) => Advance::More { cursor, rows },
            None => Advance::Done { rows },
        })
    }
}
