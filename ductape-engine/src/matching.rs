//! Which migration is which: by tag, or by name and checksum.

use crate::backend::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{EntryQuery, EntrySummary};
use crate::run::Run;
use crate::set::MigrationSet;
use ductape_core::{Migration, Tag};
use std::collections::HashMap;

impl Run<'_> {
    /// The entry of a migration: by its tag, or by name and checksum.
    pub(crate) fn entry_of(&self, migration: &Migration) -> Result<Option<EntrySummary>> {
        Ok(match migration.tag() {
            Some(tag) => self.entries.iter().find(|entry| entry.tag == *tag).cloned(),
            None => self
                .entries
                .iter()
                .rev()
                .find(|entry| {
                    entry.tag.name() == migration.name() && entry.checksum == *migration.checksum()
                })
                .cloned(),
        })
    }

    /// A migration with a tag: its own, or the next one.
    pub(crate) fn tagged(&self, migration: Migration) -> Migration {
        self.tagged_after(migration, None)
    }

    pub(crate) fn tagged_after(&self, migration: Migration, previous: Option<&Tag>) -> Migration {
        let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
        let now = now.with().subsec_nanosecond(0).build().unwrap_or(now);
        // A tag from the far future, made by hand, must not drag all later ones along.
        let soon = now.checked_add(jiff::Span::new().days(1)).unwrap_or(now);
        let latest = self
            .entries
            .iter()
            .map(|entry| &entry.tag)
            .chain(previous)
            .filter(|tag| tag.moment() < soon)
            .max_by_key(|tag| tag.moment())
            .filter(|tag| tag.moment() >= now);
        let tag = Tag::after(latest, now, migration.name());
        migration.with_tag(tag)
    }
}

/// For each migration of a set, the tag of its entry.
///
/// # Errors
/// [`ErrorKind::Edited`] for one whose operations are not those that were applied.
pub(crate) fn match_set(set: &MigrationSet, entries: &[EntrySummary]) -> Result<Vec<Option<Tag>>> {
    let by_tag: HashMap<&Tag, &EntrySummary> =
        entries.iter().map(|entry| (&entry.tag, entry)).collect();
    let mut by_name: HashMap<&str, Vec<&EntrySummary>> = HashMap::new();
    if set.migrations().iter().any(|m| m.tag().is_none()) {
        for entry in entries {
            by_name.entry(entry.tag.name()).or_default().push(entry);
        }
    }
    set.migrations()
        .iter()
        .map(|migration| match migration.tag() {
            Some(tag) => match by_tag.get(tag) {
                Some(entry) if entry.checksum != *migration.checksum() => {
                    Err(edited(migration, tag))
                }
                Some(entry) => Ok(Some(entry.tag.clone())),
                None => Ok(None),
            },
            None => {
                let named = by_name
                    .get(migration.name())
                    .map_or(&[] as &[_], Vec::as_slice);
                match named
                    .iter()
                    .rev()
                    .find(|e| e.checksum == *migration.checksum())
                {
                    Some(entry) => Ok(Some(entry.tag.clone())),
                    None => match named.last() {
                        Some(entry) => Err(edited(migration, &entry.tag)),
                        None => Ok(None),
                    },
                }
            }
        })
        .collect()
}

/// An error of an edited migration, with the difference as operations.
pub(crate) async fn as_operations(
    error: Error,
    set: &MigrationSet,
    reader: &mut dyn Reader,
) -> Error {
    let (ErrorKind::Edited, Some(tag)) = (error.kind(), error.details().tag.clone()) else {
        return error;
    };
    let Some(file) = set.of_tag(&tag) else {
        return error;
    };
    match reader.entries(&EntryQuery::Tags(vec![tag])).await {
        Err(damaged) => damaged,
        Ok(entries) => {
            let differences = entries
                .first()
                .and_then(|entry| crate::verify::edited(entry, file));
            error.differences(differences.into_iter().collect())
        }
    }
}

fn edited(migration: &Migration, tag: &Tag) -> Error {
    Error::of(
        ErrorKind::Edited,
        format!("{:?} was applied with other operations than it has now", migration.name()),
    )
    .tag(Some(tag))
    .hint("write the change as a new migration; or, if only the text changed, accept it with `ductape repair --accept`")
}
