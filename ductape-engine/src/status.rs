//! Status, history and single migrations: reading what the ledger says.

use crate::backend::Reader;
use crate::engine::MigrationEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Entry, EntryQuery, EntryStatus, EntrySummary, Head, LastApplied, LogLine};
use crate::lock::Holder;
use crate::set::MigrationSet;
use ductape_core::{Checksum, Migration, Tag};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MigrationState {
    /// Done.
    Applied,
    /// Not yet.
    Pending,
    /// Applied with other operations than it has now.
    Edited,
    /// Applied, and not in the given set.
    Missing,
    /// Pending, and older than the last applied of the given set.
    OutOfOrder,
    /// Stopped half-way.
    Failed,
}

/// One migration's state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MigrationStatus {
    /// Its tag; nothing if it gets one when it is applied.
    pub tag: Option<Tag>,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: MigrationState,
    /// Why, where there is more to say: the step at which it stopped, and the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A migration that is not applied yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PendingMigration {
    /// Its tag; nothing if it gets one when it is applied.
    pub tag: Option<Tag>,
    /// Its name.
    pub name: String,
}

/// Where a database stands against a set of migrations.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// How many migrations the set has.
    pub total: usize,
    /// How many of them are applied.
    pub completed: usize,
    /// How many of them are not.
    pub pending: usize,
    /// Those that are not.
    pub pending_migrations: Vec<PendingMigration>,
    /// The migration applied last, of the set or not.
    pub last_applied: Option<LastApplied>,
    /// Each one's state: the set's in order, then the missing ones.
    pub migrations: Vec<MigrationStatus>,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The order of application.
    pub seq: i64,
    /// The migration's tag.
    pub tag: Tag,
    /// Its name.
    pub name: String,
    /// The checksum of what was authored.
    pub checksum: Checksum,
    /// When it was applied, in RFC 3339.
    pub applied_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Who applied it.
    pub applied_by: String,
    /// `applied`, `running` or `failed`.
    pub status: EntryStatus,
    /// The migration, with the way back that was derived for it.
    pub migration: Migration,
}

impl HistoryEntry {
    fn of(entry: Entry) -> Result<Self> {
        Ok(Self {
            migration: entry.migration()?,
            seq: entry.seq,
            tag: entry.tag,
            name: entry.name,
            checksum: entry.checksum,
            applied_at: entry.applied_at,
            duration_ms: entry.duration_ms,
            applied_by: entry.applied_by,
            status: entry.status,
        })
    }
}

impl MigrationEngine {
    /// Where the database stands against a set. Changes nothing; works with a read-only account and
    /// on an empty database.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn status(&self, set: &MigrationSet) -> Result<Status> {
        if let Some(head) = self.backend.head().await?
            && let Some(applied) = applied_by_head(set, &head)
        {
            return Ok(first_applied(set, applied, head.last));
        }
        let mut reader = self.backend.read().await?;
        let entries = reader.summaries().await?;
        status_from(reader.as_mut(), set, &entries).await
    }

    /// The migration that was applied last. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn last_applied(&self) -> Result<Option<LastApplied>> {
        // A head that knows of a complete set was written after everything else.
        if let Some(head) = self.backend.head().await?
            && !head.complete.is_empty()
        {
            return Ok(head.last);
        }
        let entries = self.backend.read().await?.summaries().await?;
        Ok(LastApplied::among(&entries))
    }

    /// The ledger's entries, oldest first. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn history(&self) -> Result<Vec<HistoryEntry>> {
        let mut reader = self.backend.read().await?;
        let entries = reader.entries(&EntryQuery::All).await?;
        entries.into_iter().map(HistoryEntry::of).collect()
    }

    /// Every up, down, repair and failure that ever happened, oldest first. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached.
    pub async fn log(&self) -> Result<Vec<LogLine>> {
        Ok(self.backend.read().await?.log().await?)
    }

    /// One entry of the history. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if there is none of this tag.
    pub async fn show(&self, tag: &Tag) -> Result<HistoryEntry> {
        let mut reader = self.backend.read().await?;
        let entry = reader
            .entries(&EntryQuery::Tags(vec![tag.clone()]))
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| {
                Error::of(ErrorKind::Mismatch, format!("{tag} is not applied"))
                    .hint("see with `ductape history` what is applied")
            })?;
        HistoryEntry::of(entry)
    }

    /// Who holds the lock. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached.
    pub async fn lock_holder(&self) -> Result<Option<Holder>> {
        Ok(self.backend.read().await?.holder().await?)
    }
}

/// How many of the set's first migrations are applied, if the head tells that these are all that the
/// ledger has: then the others are pending.
fn applied_by_head(set: &MigrationSet, head: &Head) -> Option<usize> {
    let applied = usize::try_from(head.entries).ok()?;
    let is_complete = |digest: &str| head.complete.iter().any(|complete| complete == digest);
    if applied == set.len() {
        return is_complete(set.digest()).then_some(applied);
    }
    // One without a tag may be any of the applied ones.
    let tagged = set.migrations().iter().all(|m| m.tag().is_some());
    (tagged && is_complete(&set.digest_of_first(applied)?)).then_some(applied)
}

/// The status of a set whose first migrations are all that was ever applied.
fn first_applied(set: &MigrationSet, applied: usize, last_applied: Option<LastApplied>) -> Status {
    let pending = set.migrations().iter().skip(applied);
    let states = std::iter::repeat_n(MigrationState::Applied, applied)
        .chain(std::iter::repeat(MigrationState::Pending));
    Status {
        total: set.len(),
        completed: applied,
        pending: set.len() - applied,
        pending_migrations: pending
            .map(|migration| PendingMigration {
                tag: migration.tag().cloned(),
                name: migration.name().to_owned(),
            })
            .collect(),
        last_applied,
        migrations: set
            .migrations()
            .iter()
            .zip(states)
            .map(|(migration, state)| status_line(migration, state, None))
            .collect(),
    }
}

/// The status by the ledger's entries.
pub(crate) async fn status_from(
    reader: &mut dyn Reader,
    set: &MigrationSet,
    entries: &[EntrySummary],
) -> Result<Status> {
    let mut details = HashMap::new();
    if entries.iter().any(|e| e.status != EntryStatus::Applied) {
        for entry in reader.entries(&EntryQuery::Unfinished).await? {
            let why = entry
                .progress
                .error
                .clone()
                .unwrap_or_else(|| "it was cut off".to_owned());
            details.insert(
                entry.tag.clone(),
                format!(
                    "{} of {} steps are done: {why}",
                    entry.steps_done, entry.steps_total
                ),
            );
        }
    }
    Ok(status_of(set, entries, &details))
}

fn status_line(
    migration: &Migration,
    state: MigrationState,
    detail: Option<String>,
) -> MigrationStatus {
    MigrationStatus {
        tag: migration.tag().cloned(),
        name: migration.name().to_owned(),
        state,
        detail,
    }
}

fn status_of(
    set: &MigrationSet,
    entries: &[EntrySummary],
    details: &HashMap<Tag, String>,
) -> Status {
    let by_tag: HashMap<&Tag, &EntrySummary> =
        entries.iter().map(|entry| (&entry.tag, entry)).collect();
    let entry_of = |migration: &Migration| match migration.tag() {
        Some(tag) => by_tag.get(tag).copied(),
        None => {
            let named = || {
                entries
                    .iter()
                    .rev()
                    .filter(|e| e.tag.name() == migration.name())
            };
            named()
                .find(|entry| entry.checksum == *migration.checksum())
                .or_else(|| named().next())
        }
    };
    let found: Vec<Option<&EntrySummary>> = set.migrations().iter().map(entry_of).collect();
    let newest = found.iter().flatten().map(|entry| &entry.tag).max();
    let mut status = Status {
        total: set.len(),
        completed: 0,
        pending: 0,
        pending_migrations: Vec::new(),
        last_applied: LastApplied::among(entries),
        migrations: Vec::with_capacity(set.len()),
    };
    let mut in_set = HashSet::with_capacity(set.len());
    for (migration, entry) in set.migrations().iter().zip(&found) {
        let (state, detail) = match entry {
            Some(entry) => {
                in_set.insert(&entry.tag);
                if entry.status != EntryStatus::Applied {
                    (MigrationState::Failed, details.get(&entry.tag).cloned())
                } else if entry.checksum != *migration.checksum() {
                    (MigrationState::Edited, None)
                } else {
                    (MigrationState::Applied, None)
                }
            }
            None if migration.tag().is_some() && migration.tag() < newest => {
                (MigrationState::OutOfOrder, None)
            }
            None => (MigrationState::Pending, None),
        };
        match state {
            MigrationState::Applied | MigrationState::Edited => status.completed += 1,
            _ => {
                status.pending += 1;
                status.pending_migrations.push(PendingMigration {
                    tag: migration.tag().cloned(),
                    name: migration.name().to_owned(),
                });
            }
        }
        let mut line = status_line(migration, state, detail);
        if let Some(entry) = entry {
            line.tag = Some(entry.tag.clone());
        }
        status.migrations.push(line);
    }
    for entry in entries {
        if !in_set.contains(&entry.tag) {
            let failed = entry.status != EntryStatus::Applied;
            status.migrations.push(MigrationStatus {
                tag: Some(entry.tag.clone()),
                name: entry.tag.name().to_owned(),
                state: if failed {
                    MigrationState::Failed
                } else {
                    MigrationState::Missing
                },
                detail: details.get(&entry.tag).cloned(),
            });
        }
    }
    status
}
