//! Units in one transaction, a savepoint each, fenced by the lease's row.

use super::super::dialect::{Sqlite, sql};
use super::db_error::{db_error, is_constraint};
use super::session::SqliteSession;
use super::statements::statements;
use crate::ledger::{put_sql, puts_sql};
use ductape_core::compiler::Setting;
use ductape_engine::DbError;
use ductape_engine::backend::{Reader, SessionError, Unit, UnitFailure};
use ductape_engine::lease::LeaseRow;
use ductape_engine::ledger::LOCK_KEY;
use sqlx::AssertSqlSafe;
use std::time::Instant;

/// A transaction that is open, and what stands around it.
pub(super) struct Open {
    pub(super) setting: Setting,
    /// The lock's row as it is again if the transaction is rolled back.
    pub(super) lease: LeaseRow,
    /// Whether units in it wait to be committed.
    pub(super) waiting: bool,
}

impl SqliteSession {
    /// Opens a transaction in a setting, unless one is open already, and shows that the lock is still
    /// held: the row is as it was left, and gives a sign of life.
    pub(super) async fn begin(&mut self, setting: Option<&Setting>) -> Result<(), SessionError> {
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
    pub(super) async fn replace_lock(&mut self, next: &LeaseRow) -> Result<bool, DbError> {
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
    pub(super) async fn commit(&mut self) -> Result<(), SessionError> {
        if self.open.is_none() {
            return Ok(());
        }
        if let Err(error) = self.execute("COMMIT").await {
            self.abandon().await;
            return Err(error.into());
        }
        self.close_setting().await
    }

    pub(super) async fn close_setting(&mut self) -> Result<(), SessionError> {
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
    pub(super) async fn together(&mut self, units: &[Unit]) -> Result<bool, UnitFailure> {
        const TEXT: usize = 8 * 1024;
        let setting = units.first().and_then(Unit::setting);
        self.begin(setting).await.map_err(unit_failure)?;
        let started = Instant::now();
        let mut texts = vec![String::from("SAVEPOINT ductape_units;\n")];
        fill(
            &mut texts,
            statements(units.iter().flat_map(|unit| &unit.steps)),
            TEXT,
        );
        let mut done = self.execute_all(&texts).await;
        if done.is_ok() {
            // What they took together is all that is known of each.
            let each = millis(started) / (units.len().max(1) as u64);
            let puts = units.iter().flat_map(|unit| &unit.puts);
            let puts: Vec<_> = puts.map(|put| put.lasting(each)).collect();
            let mut texts = vec![String::new()];
            let puts = puts_sql::<Sqlite>(&self.names, puts.iter().map(AsRef::as_ref));
            let release = std::iter::once("RELEASE ductape_units".to_owned());
            fill(&mut texts, puts.into_iter().chain(release), TEXT);
            done = self.execute_all(&texts).await;
        }
        match done {
            Ok(()) => Ok(true),
            Err(error) => self.back_to(setting, error).await.map(|()| false),
        }
    }

    async fn execute_all(&mut self, texts: &[String]) -> Result<(), DbError> {
        for text in texts {
            self.execute(text).await?;
        }
        Ok(())
    }

    pub(super) fn one_waits(&mut self) {
        if let Some(open) = &mut self.open {
            open.waiting = true;
        }
    }

    /// Goes back to a savepoint, so that what failed can be gone through one by one. Where the error ended
    /// the transaction itself (a full disk, say), what waited in it to be committed is gone with it, and
    /// the error is that of the run.
    async fn back_to(
        &mut self,
        setting: Option<&Setting>,
        error: DbError,
    ) -> Result<(), UnitFailure> {
        let back = "ROLLBACK TO ductape_units;\nRELEASE ductape_units";
        if self.execute(back).await.is_ok() {
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
    pub(super) async fn unit(&mut self, unit: &Unit) -> Result<(), UnitFailure> {
        // A failure is found by going through it one by one.
        if is_plain(unit) && self.together(std::slice::from_ref(unit)).await? {
            return Ok(());
        }
        self.begin(unit.setting()).await.map_err(unit_failure)?;
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

    pub(super) async fn one_by_one(&mut self, unit: &Unit) -> Result<(), UnitFailure> {
        let failed =
            |step: Option<usize>| move |error: DbError| UnitFailure::Database { step, error };
        let started = Instant::now();
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
                let error = match is_constraint(&error) && !step.is_raw() {
                    true => error.refused("mend the rows that it names with an update before it"),
                    false => error,
                };
                return Err(failed(Some(index))(error));
            }
        }
        let took = millis(started);
        for put in &unit.puts {
            let text = put_sql::<Sqlite>(&self.names, &put.lasting(took));
            self.execute(&text).await.map_err(failed(None))?;
        }
        self.execute("RELEASE ductape_unit")
            .await
            .map_err(failed(None))
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Puts statements into texts of at most so many bytes, as far as one statement allows.
fn fill(texts: &mut Vec<String>, statements: impl IntoIterator<Item = String>, most: usize) {
    for statement in statements {
        match texts.last_mut() {
            Some(text) if text.is_empty() || text.len() + statement.len() <= most => {
                text.push_str(&statement);
                text.push_str(";\n");
            }
            _ => texts.push(statement + ";\n"),
        }
    }
}

pub(super) fn unit_failure(error: SessionError) -> UnitFailure {
    match error {
        SessionError::LockLost => UnitFailure::LockLost,
        SessionError::Database(error) => UnitFailure::Database { step: None, error },
    }
}

/// Whether nothing has to be looked at between the unit's statements.
pub(super) fn is_plain(unit: &Unit) -> bool {
    unit.steps
        .iter()
        .all(|step| step.guards.is_empty() && !step.is_raw())
}
