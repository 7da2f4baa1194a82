//! Looking: the ledger, the catalog, guards. Nothing is changed, and nothing is made.

use super::super::Postgres;
use super::batch::{CATALOG_MARK, guard_answer};
use super::client::Answer;
use super::introspect;
use super::lock;
use super::refusal::asked;
use super::session::PostgresSession;
use super::standing;
use crate::ledger::{StateRows, damaged, entries_sql, log_sql, state_sql, summaries_sql};
use async_trait::async_trait;
use ductape_core::compiler::Guard;
use ductape_core::{Checksum, Schema, Step, Tag};
use ductape_engine::backend::{GuardAnswer, Reader, Scope, SessionError, Standing};
use ductape_engine::ledger::{
    Entry, EntryQuery, EntryStatus, EntrySummary, LogLine, Progress, TODO_PREFIX,
};
use ductape_engine::{DbError, Error, Holder};

impl PostgresSession {
    /// The rows of one query.
    async fn rows(&mut self, query: String) -> Result<Answer, DbError> {
        match self.ask(query).await {
            Ok(mut answers) => Ok(answers.pop().unwrap_or_default()),
            Err(SessionError::Database(error)) => Err(error),
            Err(SessionError::LockLost) => Err(DbError::connection(
                "the connection was lost, and with it the lock, to another runner",
            )),
        }
    }

    /// The answers of queries that see one moment of the database and change nothing, under the settings
    /// of a unit.
    pub(super) async fn look(&mut self, queries: &[String]) -> Result<Vec<Answer>, DbError> {
        let mut text = String::from("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n");
        text.push_str(&self.place.settings());
        // Compiling a question about the catalog of a thousand tables takes longer than answering it.
        text.push_str(", set_config('jit', 'off', true)");
        for query in queries {
            text.push_str(";\n");
            text.push_str(query);
        }
        text.push_str(";\nCOMMIT");
        let answers = match self.ask(text).await {
            Ok(answers) => answers,
            Err(error) => {
                if self.is_connected() {
                    let _ = self.ask("ROLLBACK".to_owned()).await;
                }
                return Err(match error {
                    SessionError::Database(error) => error,
                    SessionError::LockLost => DbError::connection(
                        "the connection was lost, and with it the lock, to another runner",
                    ),
                });
            }
        };
        Ok(answers.into_iter().skip(2).take(queries.len()).collect())
    }
}

/// A row of the ledger, read column by column.
struct LedgerRow<'r>(&'r [Option<String>]);

impl<'r> LedgerRow<'r> {
    fn maybe(&self, column: usize) -> Option<&'r str> {
        self.0.get(column)?.as_deref()
    }

    fn text(&self, column: usize) -> Result<&'r str, Error> {
        self.maybe(column).ok_or_else(|| {
            damaged(&format!(
                "a row of the ledger has nothing in column {column}"
            ))
        })
    }

    fn number<N: std::str::FromStr>(&self, column: usize) -> Result<N, Error> {
        self.text(column)?.parse().map_err(|_| {
            damaged(&format!(
                "a row of the ledger has no number in column {column}"
            ))
        })
    }

    fn summary(&self) -> Result<EntrySummary, Error> {
        let tag: Tag = self
            .text(1)?
            .parse()
            .map_err(|error| damaged(&format!("a tag of the ledger cannot be read: {error}")))?;
        Ok(EntrySummary {
            seq: self.number(0)?,
            checksum: Checksum::from_text(self.text(2)?.to_owned())
                .ok_or_else(|| damaged(&format!("the ledger's checksum of {tag} is none")))?,
            status: EntryStatus::from_word(self.text(3)?)
                .ok_or_else(|| damaged(&format!("the ledger's status of {tag} is none")))?,
            applied_at: self.text(4)?.to_owned(),
            tag,
        })
    }

    fn entry(&self) -> Result<Entry, Error> {
        let summary = self.summary()?;
        let progress: Progress = serde_json::from_str(self.text(10)?).map_err(|error| {
            damaged(&format!(
                "the ledger's progress of {} cannot be read: {error}",
                summary.tag
            ))
        })?;
        Ok(Entry {
            seq: summary.seq,
            tag: summary.tag,
            name: self.text(5)?.to_owned(),
            description: self.maybe(6).map(str::to_owned),
            checksum: summary.checksum,
            status: summary.status,
            migration: self.text(7)?.to_owned(),
            down: self.text(8)?.to_owned(),
            plan: self.maybe(9).map(str::to_owned),
            progress,
            steps_done: self.number(11)?,
            steps_total: self.number(12)?,
            applied_at: summary.applied_at,
            duration_ms: self.number(13)?,
            applied_by: self.text(14)?.to_owned(),
            tool_version: self.text(15)?.to_owned(),
        })
    }
}

pub(super) fn pairs(answer: Answer) -> Vec<(String, String)> {
    answer
        .rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            Some((row.next()??, row.next()??))
        })
        .collect()
}

#[async_trait]
impl Reader for PostgresSession {
    async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError> {
        introspect::introspect(self, scope).await
    }

    async fn catalog_mark(&mut self) -> Result<Option<String>, DbError> {
        // What a raw unit did was seen inside its transaction, where nobody else's changes show.
        if self.moved.take() == Some(false) && self.told_mark.is_some() {
            return Ok(self.told_mark.clone());
        }
        let answer = self.rows(CATALOG_MARK.to_owned()).await?;
        self.told_mark = answer.first(0).map(str::to_owned);
        Ok(self.told_mark.clone())
    }

    async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
        if !self.place.has_ledger {
            return Ok(Vec::new());
        }
        let text = entries_sql::<Postgres>(&self.place.names, query);
        let answer = self.rows(text).await?;
        answer
            .rows
            .iter()
            .map(|row| LedgerRow(row).entry())
            .collect()
    }

    async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error> {
        if !self.place.has_ledger {
            return Ok(Vec::new());
        }
        let answer = match self.told.summaries.take() {
            Some(told) => told,
            None => {
                let text = summaries_sql::<Postgres>(&self.place.names);
                self.rows(text).await?
            }
        };
        answer
            .rows
            .iter()
            .map(|row| LedgerRow(row).summary())
            .collect()
    }

    async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
        if !self.place.has_ledger {
            return Ok(Vec::new());
        }
        if prefix == TODO_PREFIX
            && let Some(told) = self.told.left_to_do.take()
        {
            return Ok(pairs(told));
        }
        let text = state_sql::<Postgres>(&self.place.names, &StateRows::Beginning(prefix));
        Ok(pairs(self.rows(text).await?))
    }

    async fn state_of(&mut self, keys: &[String]) -> Result<Vec<(String, String)>, DbError> {
        if !self.place.has_ledger || keys.is_empty() {
            return Ok(Vec::new());
        }
        let told: Option<Vec<_>> = keys
            .iter()
            .map(|key| Some((key, self.told.records.get(key)?.as_ref())))
            .collect();
        if let Some(told) = told {
            let there = told.into_iter();
            return Ok(there
                .filter_map(|(key, value)| Some((key.clone(), value?.clone())))
                .collect());
        }
        let text = state_sql::<Postgres>(&self.place.names, &StateRows::Keyed(keys));
        Ok(pairs(self.rows(text).await?))
    }

    async fn log(&mut self) -> Result<Vec<LogLine>, DbError> {
        if !self.place.has_ledger {
            return Ok(Vec::new());
        }
        let text = log_sql::<Postgres>(&self.place.names);
        let answer = self.rows(text).await?;
        answer
            .rows
            .iter()
            .map(|row| {
                let row = LedgerRow(row);
                let line = || -> Result<LogLine, Error> {
                    Ok(LogLine {
                        at: row.text(0)?.to_owned(),
                        action: row.text(1)?.to_owned(),
                        tag: row.text(2)?.to_owned(),
                        actor: row.text(3)?.to_owned(),
                        host: row.text(4)?.to_owned(),
                        duration_ms: row.number(5)?,
                        detail: row.maybe(6).map(str::to_owned),
                    })
                };
                line().map_err(|error| DbError::new(error.details().message.clone()))
            })
            .collect()
    }

    async fn holder(&mut self) -> Result<Option<Holder>, DbError> {
        let place = self.place.clone();
        match self.client().await {
            Ok(client) => lock::holder(client, &place).await,
            Err(SessionError::Database(error)) => Err(error),
            Err(SessionError::LockLost) => Ok(None),
        }
    }

    async fn standing(&mut self, step: &Step) -> Result<Standing, DbError> {
        standing::standing(self, step).await
    }

    async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError> {
        let answers = self.look(&[guard.question.to_string()]).await;
        let answers = answers.map_err(|error| asked(guard, error))?;
        Ok(guard_answer(answers.last()))
    }
}
