//! Looking, at the schema and at the ledger.

use super::super::dialect::{Sqlite, sql};
use super::db_error::db_error;
use super::introspect::{SchemaRow, schema_of};
use super::session::SqliteSession;
use crate::ledger::{StateRows, damaged, entries_sql, log_sql, state_sql, summaries_sql};
use async_trait::async_trait;
use ductape_core::compiler::Guard;
use ductape_core::{Checksum, Name, Schema, Statement, Step, Tag};
use ductape_engine::backend::{GuardAnswer, Reader, Scope, Standing};
use ductape_engine::ledger::{Entry, EntryQuery, EntryStatus, EntrySummary, LogLine, Progress};
use ductape_engine::{DbError, Error, Holder};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeSet;

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

impl SqliteSession {
    /// The tables in which virtual tables keep what they know.
    pub(super) async fn shadow_tables(&mut self) -> Result<Vec<String>, DbError> {
        let query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";
        let rows = self.rows(query.into()).await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(|error| db_error(&error)))
            .collect()
    }

    pub(super) fn read_entry(row: &SqliteRow) -> Result<Entry, Error> {
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

    pub(super) fn read_summary(row: &SqliteRow) -> Result<EntrySummary, Error> {
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

pub(super) fn unreadable(column: &str, why: impl std::fmt::Display) -> String {
    format!("a row of the ledger cannot be read: column {column}: {why}")
}

pub(super) fn pairs(rows: &[SqliteRow]) -> Result<Vec<(String, String)>, DbError> {
    rows.iter()
        .map(|row| {
            let key = row.try_get(0).map_err(|error| db_error(&error))?;
            let value = row.try_get(1).map_err(|error| db_error(&error))?;
            Ok((key, value))
        })
        .collect()
}
