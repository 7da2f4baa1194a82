//! The ledger as SQL.

use crate::writer::{Quoting, Sql};
use ductape_core::Name;
use ductape_engine::ledger::{Entry, LogLine, Progress, Put};

/// The names of the ledger's tables.
#[derive(Debug, Clone)]
pub(crate) struct LedgerNames {
    pub migrations: Name,
    pub log: Name,
    pub state: Name,
}

impl Default for LedgerNames {
    fn default() -> Self {
        Self {
            migrations: Name::made("ductape_migrations", []),
            log: Name::made("ductape_log", []),
            state: Name::made("ductape_state", []),
        }
    }
}

fn optional(text: Sql, value: Option<&str>) -> Sql {
    match value {
        Some(value) => text.text(value),
        None => text.words("NULL"),
    }
}

fn progress(progress: &Progress) -> String {
    serde_json::to_string(progress).unwrap_or_default()
}

/// A ledger write as a statement.
pub(crate) fn put_sql<Q: Quoting>(names: &LedgerNames, put: &Put) -> String {
    let text = Sql::new::<Q>();
    match put {
        Put::Insert(entry) => columns(
            text.words("INSERT INTO ")
                .name(&names.migrations)
                .words(" (seq, tag, name, description, checksum, status, migration, down, plan, progress, steps_done, steps_total, applied_at, duration_ms, applied_by, tool_version) VALUES ("),
            entry,
        )
        .words(")")
        .finish(),
        Put::Update(entry) => columns(
            text.words("UPDATE ")
                .name(&names.migrations)
                .words(" SET (seq, tag, name, description, checksum, status, migration, down, plan, progress, steps_done, steps_total, applied_at, duration_ms, applied_by, tool_version) = ("),
            entry,
        )
        .words(") WHERE seq = ")
        .number(entry.seq)
        .finish(),
        Put::Progress {
            seq,
            status,
            steps_done,
            progress: how_far,
        } => text
            .words("UPDATE ")
            .name(&names.migrations)
            .words(" SET status = ")
            .text(status.word())
            .words(", steps_done = ")
            .number(*steps_done)
            .words(", progress = ")
            .text(&progress(how_far))
            .words(" WHERE seq = ")
            .number(*seq)
            .finish(),
        Put::Delete { seq } => text
            .words("DELETE FROM ")
            .name(&names.migrations)
            .words(" WHERE seq = ")
            .number(*seq)
            .finish(),
        Put::Log(line) => log(text, names, line),
        Put::State {
            key,
            value: Some(value),
        } => text
            .words("INSERT INTO ")
            .name(&names.state)
            .words(" (key, value) VALUES (")
            .text(key)
            .words(", ")
            .text(value)
            .words(") ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .finish(),
        Put::State { key, value: None } => text
            .words("DELETE FROM ")
            .name(&names.state)
            .words(" WHERE key = ")
            .text(key)
            .finish(),
    }
}

fn columns(text: Sql, entry: &Entry) -> Sql {
    let text = text
        .number(entry.seq)
        .words(", ")
        .text(entry.tag.as_str())
        .words(", ")
        .text(&entry.name)
        .words(", ");
    let text = optional(text, entry.description.as_deref())
        .words(", ")
        .text(entry.checksum.as_str())
        .words(", ")
        .text(entry.status.word())
        .words(", ")
        .text(&entry.migration)
        .words(", ")
        .text(&entry.down)
        .words(", ");
    optional(text, entry.plan.as_deref())
        .words(", ")
        .text(&progress(&entry.progress))
        .words(", ")
        .number(entry.steps_done)
        .words(", ")
        .number(entry.steps_total)
        .words(", ")
        .text(&entry.applied_at)
        .words(", ")
        .number(entry.duration_ms)
        .words(", ")
        .text(&entry.applied_by)
        .words(", ")
        .text(&entry.tool_version)
}

fn log(text: Sql, names: &LedgerNames, line: &LogLine) -> String {
    let text = text
        .words("INSERT INTO ")
        .name(&names.log)
        .words(" (at, action, tag, actor, host, duration_ms, detail) VALUES (")
        .text(&line.at)
        .words(", ")
        .text(&line.action)
        .words(", ")
        .text(&line.tag)
        .words(", ")
        .text(&line.actor)
        .words(", ")
        .text(&line.host)
        .words(", ")
        .number(line.duration_ms)
        .words(", ");
    optional(text, line.detail.as_deref()).words(")").finish()
}
