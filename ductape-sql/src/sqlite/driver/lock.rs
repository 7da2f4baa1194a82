//! The lease in its row, and the ledger that is made before it.

use super::super::dialect::{Sqlite, sql};
use super::db_error::{db_error, is_busy, is_busy_code};
use super::session::SqliteSession;
use crate::ledger::{put_sql, read_head};
use ductape_engine::backend::Reader;
use ductape_engine::lease::{Decision, LeaseRow, LeaseWatch};
use ductape_engine::ledger::{HEAD_KEY, Head, LEDGER_FORMAT, LOCK_KEY, Put};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Patience};
use sqlx::Row;
use std::time::Instant;

/// Why the lock was not even looked at.
pub(super) enum Contention {
    Busy,
    Failed(Box<Error>),
}

impl Contention {
    pub(super) fn of(error: Error) -> Self {
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

impl SqliteSession {
    /// Whether there is a ledger: all of it, in a format that this version knows.
    pub(super) async fn find_ledger(&mut self) -> Result<bool, Error> {
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

    pub(super) async fn make_ledger(&mut self) -> Result<(), Error> {
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

    pub(super) async fn state_value(&mut self, key: &str) -> Result<Option<String>, DbError> {
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

    pub(super) async fn try_lock(
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

    pub(super) async fn lock_in_transaction(
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
}

pub(super) fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
