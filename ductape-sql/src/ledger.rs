//! The ledger as SQL.

use crate::writer::{Quoting, Sql};
use ductape_core::{Name, Tag};
use ductape_engine::ledger::{Entry, EntryQuery, Head, LEDGER_FORMAT, LogLine, Progress, Put};
use ductape_engine::{Error, ErrorKind};
#[cfg(feature = "sqlite")]
use std::collections::BTreeMap;

/// The names of the ledger's tables.
#[derive(Debug, Clone)]
pub(crate) struct LedgerNames {
    /// Where they live, if not where the session looks first.
    pub schema: Option<Name>,
    pub migrations: Name,
    pub log: Name,
    pub state: Name,
}

impl Default for LedgerNames {
    fn default() -> Self {
        Self {
            schema: None,
            migrations: Name::made("ductape_migrations", []),
            log: Name::made("ductape_log", []),
            state: Name::made("ductape_state", []),
        }
    }
}

impl LedgerNames {
    /// The ledger of a schema.
    #[cfg(feature = "postgres")]
    pub fn in_schema(schema: Option<Name>) -> Self {
        Self {
            schema,
            ..Self::default()
        }
    }

    /// A table's name, with the schema that it lives in.
    pub fn table(&self, text: Sql, table: &Name) -> Sql {
        let text = text.maybe(self.schema.as_ref(), |text, schema| {
            text.name(schema).words(".")
        });
        text.name(table)
    }
}

/// The columns of an entry, in the order of its values.
const ENTRY_COLUMNS: &str = "seq, tag, name, description, checksum, status, migration, down, plan, progress, steps_done, steps_total, applied_at, duration_ms, applied_by, tool_version";

/// The columns of a line of the log, in the order of its values.
const LOG_COLUMNS: &str = "at, action, tag, actor, host, duration_ms, detail";

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
        Put::Insert(entry) => inserts::<Q>(names, &[entry]),
        Put::Update(entry) => columns::<Q>(
            names
                .table(text.words("UPDATE "), &names.migrations)
                .words(" SET (")
                .words(ENTRY_COLUMNS)
                .words(") = ("),
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
        } => names
            .table(text.words("UPDATE "), &names.migrations)
            .words(" SET status = ")
            .text(status.word())
            .words(", steps_done = ")
            .number(*steps_done)
            .words(", progress = ")
            .text(&progress(how_far))
            .words(" WHERE seq = ")
            .number(*seq)
            .finish(),
        Put::Delete { seq } => names
            .table(text.words("DELETE FROM "), &names.migrations)
            .words(" WHERE seq = ")
            .number(*seq)
            .finish(),
        Put::Log(line) => logs::<Q>(names, &[line]),
        Put::State {
            key,
            value: Some(value),
        } => {
            let text = names
                .table(text.words("INSERT INTO "), &names.state)
                .words(" (key, value) VALUES (");
            state_values(text, key, value)
                .words(STATE_CONFLICT)
                .finish()
        }
        Put::State { key, value: None } => names
            .table(text.words("DELETE FROM "), &names.state)
            .words(" WHERE key = ")
            .text(key)
            .finish(),
    }
}

/// The entries that a query asks for, in the order of application.
pub(crate) fn entries_sql<Q: Quoting>(names: &LedgerNames, query: &EntryQuery) -> String {
    let text = Sql::new::<Q>().words("SELECT seq, tag, checksum, status, applied_at, name, description, migration, down, plan, progress, steps_done, steps_total, duration_ms, applied_by, tool_version FROM ");
    let text = names.table(text, &names.migrations);
    let text = match query {
        EntryQuery::All => text,
        EntryQuery::Tags(tags) if tags.is_empty() => text.words(" WHERE FALSE"),
        EntryQuery::Tags(tags) => text
            .words(" WHERE tag IN (")
            .texts(tags.iter().map(Tag::as_str))
            .words(")"),
        EntryQuery::Last(count) => names
            .table(
                text.words(" WHERE seq IN (SELECT seq FROM "),
                &names.migrations,
            )
            .words(" ORDER BY seq DESC LIMIT ")
            .number(i64::try_from(*count).unwrap_or(i64::MAX))
            .words(")"),
        EntryQuery::Unfinished => text.words(" WHERE status <> 'applied'"),
        EntryQuery::After(seq) => text.words(" WHERE seq > ").number(*seq),
    };
    text.words(" ORDER BY seq").finish()
}

/// Every entry's summary, in the order of application.
pub(crate) fn summaries_sql<Q: Quoting>(names: &LedgerNames) -> String {
    let text = Sql::new::<Q>().words("SELECT seq, tag, checksum, status, applied_at FROM ");
    names
        .table(text, &names.migrations)
        .words(" ORDER BY seq")
        .finish()
}

/// Which rows of the state.
pub(crate) enum StateRows<'k> {
    /// Those whose keys begin so.
    Beginning(&'k str),
    /// Those with these keys.
    Keyed(&'k [String]),
}

/// Rows of the state, sorted by key.
pub(crate) fn state_sql<Q: Quoting>(names: &LedgerNames, rows: &StateRows<'_>) -> String {
    let text = Sql::new::<Q>().words("SELECT key, value FROM ");
    let text = names.table(text, &names.state);
    match rows {
        StateRows::Beginning(prefix) => text
            .words(" WHERE substr(key, 1, ")
            .number(i64::try_from(prefix.chars().count()).unwrap_or(0))
            .words(") = ")
            .text(prefix),
        StateRows::Keyed([]) => text.words(" WHERE FALSE"),
        StateRows::Keyed(keys) => text
            .words(" WHERE key IN (")
            .texts(keys.iter().map(String::as_str))
            .words(")"),
    }
    .words(" ORDER BY key")
    .finish()
}

/// The log, oldest first.
pub(crate) fn log_sql<Q: Quoting>(names: &LedgerNames) -> String {
    let text =
        Sql::new::<Q>().words("SELECT at, action, tag, actor, host, duration_ms, detail FROM ");
    names.table(text, &names.log).words(" ORDER BY id").finish()
}

/// The head, read from its row.
pub(crate) fn read_head(value: &str) -> Result<Head, Error> {
    let head: Head = serde_json::from_str(value)
        .map_err(|error| damaged(&format!("the head of the ledger cannot be read: {error}")))?;
    if head.format > LEDGER_FORMAT {
        return Err(Error::of(
            ErrorKind::Mismatch,
            format!(
                "the ledger has format {}, and this version knows {LEDGER_FORMAT}",
                head.format
            ),
        )
        .hint("use the newer version of ductape that wrote it"));
    }
    Ok(head)
}

/// A row that cannot be read.
pub(crate) fn damaged(what: &str) -> Error {
    Error::of(ErrorKind::Mismatch, what)
        .hint("the row was changed by hand or is damaged; restore it from a backup")
}

/// How long it took; what is not known yet the database may know when it comes to it.
fn took<Q: Quoting>(text: Sql, duration_ms: u64) -> Sql {
    match Q::TOOK {
        Some(took) if duration_ms == 0 => text.words(took),
        _ => text.number(duration_ms),
    }
}

fn columns<Q: Quoting>(text: Sql, entry: &Entry) -> Sql {
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
    let text = optional(text, entry.plan.as_deref())
        .words(", ")
        .text(&progress(&entry.progress))
        .words(", ")
        .number(entry.steps_done)
        .words(", ")
        .number(entry.steps_total)
        .words(", ")
        .text(&entry.applied_at)
        .words(", ");
    let text = took::<Q>(text, entry.duration_ms);
    text.words(", ")
        .text(&entry.applied_by)
        .words(", ")
        .text(&entry.tool_version)
}

/// Lines of the log, in one statement.
fn logs<Q: Quoting>(names: &LedgerNames, lines: &[&LogLine]) -> String {
    names
        .table(Sql::new::<Q>().words("INSERT INTO "), &names.log)
        .words(" (")
        .words(LOG_COLUMNS)
        .words(") VALUES ")
        .each(", ", lines, |text, line| {
            log_values::<Q>(text.words("("), line).words(")")
        })
        .finish()
}

fn log_values<Q: Quoting>(text: Sql, line: &LogLine) -> Sql {
    let text = text
        .text(&line.at)
        .words(", ")
        .text(&line.action)
        .words(", ")
        .text(&line.tag)
        .words(", ")
        .text(&line.actor)
        .words(", ")
        .text(&line.host)
        .words(", ");
    let text = took::<Q>(text, line.duration_ms).words(", ");
    optional(text, line.detail.as_deref())
}

fn state_values(text: Sql, key: &str, value: &str) -> Sql {
    text.text(key).words(", ").text(value)
}

const STATE_CONFLICT: &str = ") ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// The writes that units have, with numbered places for their values: what a server can plan once. The names
/// are those by which [`values_of`] calls them.
#[cfg(feature = "postgres")]
pub(crate) fn plannable<Q: Quoting>(names: &LedgerNames) -> [(&'static str, String); 4] {
    let insert = |text: Sql, table, columns: &'static str, first: usize| {
        let places = (first..).take(columns.split(',').count());
        let places: Vec<String> = places.map(|place| format!("${place}")).collect();
        names
            .table(text.words("INSERT INTO "), table)
            .words(" (")
            .words(columns)
            .words(") VALUES (")
            .sql(&places.join(", "))
    };
    let entry = |text, first| insert(text, &names.migrations, ENTRY_COLUMNS, first).words(")");
    let log = |text, first| insert(text, &names.log, LOG_COLUMNS, first).words(")");
    let state = |text, first| insert(text, &names.state, "key, value", first).words(STATE_CONFLICT);
    let text = || Sql::new::<Q>();
    let (entries, logs) = (
        ENTRY_COLUMNS.split(',').count(),
        LOG_COLUMNS.split(',').count(),
    );
    let all = entry(text().words("WITH entry AS ("), 1).words("), line AS (");
    let all = state(log(all, 1 + entries).words(") "), 1 + entries + logs);
    [
        ("entry", entry(text(), 1).finish()),
        ("log", log(text(), 1).finish()),
        ("state", state(text(), 1).finish()),
        ("unit", all.finish()),
    ]
}

/// Which of the plannable writes the first of some writes are, how many of them, and their values. What most
/// units write is one statement: an entry, a line of the log and a row of the state.
#[cfg(feature = "postgres")]
pub(crate) fn values_of<Q: Quoting>(puts: &[Put]) -> Option<(&'static str, usize, String)> {
    let text = Sql::new::<Q>();
    Some(match puts {
        [
            Put::Insert(entry),
            Put::Log(line),
            Put::State {
                key,
                value: Some(value),
            },
            ..,
        ] => {
            let text = log_values::<Q>(columns::<Q>(text, entry).words(", "), line).words(", ");
            ("unit", 3, state_values(text, key, value).finish())
        }
        [Put::Insert(entry), ..] => ("entry", 1, columns::<Q>(text, entry).finish()),
        [Put::Log(line), ..] => ("log", 1, log_values::<Q>(text, line).finish()),
        [
            Put::State {
                key,
                value: Some(value),
            },
            ..,
        ] => ("state", 1, state_values(text, key, value).finish()),
        _ => return None,
    })
}

/// New entries, in one statement.
fn inserts<Q: Quoting>(names: &LedgerNames, entries: &[&Entry]) -> String {
    names
        .table(Sql::new::<Q>().words("INSERT INTO "), &names.migrations)
        .words(" (")
        .words(ENTRY_COLUMNS)
        .words(") VALUES ")
        .each(", ", entries, |text, entry| {
            columns::<Q>(text.words("("), entry).words(")")
        })
        .finish()
}

/// The writes of many units that happen together, as few statements: neighbouring new entries and lines
/// of the log in one, and of a row of the state the last write alone.
#[cfg(feature = "sqlite")]
pub(crate) fn puts_sql<'p, Q: Quoting>(
    names: &LedgerNames,
    puts: impl IntoIterator<Item = &'p Put>,
) -> Vec<String> {
    const ROWS: usize = 16;
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    let mut last_states: BTreeMap<&str, &Put> = BTreeMap::new();
    let mut others = Vec::new();
    for put in puts {
        match put {
            Put::Insert(entry) => entries.push(entry),
            Put::Log(line) => lines.push(line),
            Put::State { key, .. } => {
                last_states.insert(key, put);
            }
            other => others.push(other),
        }
    }
    // Entries that go make room for those that come.
    let mut statements: Vec<String> = others
        .into_iter()
        .chain(last_states.into_values())
        .map(|put| put_sql::<Q>(names, put))
        .collect();
    statements.extend(entries.chunks(ROWS).map(|some| inserts::<Q>(names, some)));
    statements.extend(lines.chunks(ROWS).map(|some| logs::<Q>(names, some)));
    statements
}
