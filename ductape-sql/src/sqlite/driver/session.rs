//! A session: a connection that has the lock, and works.

use super::super::dialect::{Sqlite, sql};
use super::backend::Held;
use super::db_error::db_error;
use super::transaction::{Open, is_plain};
use crate::ledger::{LedgerNames, put_sql};
use async_trait::async_trait;
use ductape_core::Step;
use ductape_core::compiler::{Action, DataJob, Setting};
use ductape_engine::DbError;
use ductape_engine::backend::{Advance, Outcome, Session, SessionError, Unit, UnitFailure};
use ductape_engine::lease::LeaseRow;
use ductape_engine::ledger::Put;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many rows one batch of data work changes.
const BATCH: u32 = 5000;
/// The cursor after the last batch; a key's is a list of literals.
const END: &str = "end";

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
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, DbError> {
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

    pub(super) async fn rows(&mut self, text: String) -> Result<Vec<SqliteRow>, DbError> {
        if self.connection.is_none() {
            return Ok(Vec::new());
        }
        let connection = self.connection()?;
        sqlx::query(AssertSqlSafe(text))
            .fetch_all(connection)
            .await
            .map_err(|error| db_error(&error))
    }
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

    fn is_waiting(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.waiting)
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
