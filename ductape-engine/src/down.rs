//! The way down: which migrations are rolled back, whether they can be, and doing it.

use crate::at_hand::{AtHand, Drifted, scope_of};
use crate::backend::Reader;
use crate::engine::{Rollback, unknown_tag};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Entry, EntryQuery, EntryStatus, EntrySummary};
use crate::prepare::{Prepared, Unprepared, forbid_loss, prepare};
use crate::run::{Run, check_guards};
use ductape_core::difference::Difference;
use ductape_core::{Direction, Name, Operation, Schema, Tag};
use std::collections::{BTreeSet, HashMap};

impl Run<'_> {
    /// Rolls back migrations, given the last applied first.
    pub(crate) async fn down(&mut self, tags: Vec<Tag>) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        let mut entries: HashMap<Tag, Entry> = HashMap::new();
        for entry in self
            .session
            .entries(&EntryQuery::Tags(tags.clone()))
            .await?
        {
            entries.insert(entry.tag.clone(), entry);
        }
        // Everything that can be refused is refused before anything is touched.
        let mut wanted = Vec::with_capacity(tags.len());
        for tag in &tags {
            let Some(entry) = entries.remove(tag) else {
                return Err(unknown_tag(tag, "the applied migrations"));
            };
            let operations = way_back_of(&entry)?;
            wanted.push((entry, operations));
        }
        for (entry, _) in &wanted {
            if entry.status != EntryStatus::Applied {
                self.undo_unfinished(entry).await?;
            }
        }
        wanted.retain(|(entry, _)| entry.status == EntryStatus::Applied);
        if wanted.is_empty() {
            return Ok(());
        }
        self.settle_record().await?;
        let scope = scope_of(wanted.iter().flat_map(|(_, operations)| operations));
        let mut done = 0;
        while let Some(left) = wanted.get(done..).filter(|left| !left.is_empty()) {
            let at_hand = self.at_hand(&scope).await?;
            let drifted = at_hand.drifted();
            let before = at_hand.schema.clone();
            let (prepared, schema) = self.prepare_down(left, at_hand)?;
            if prepared.len() == left.len() {
                let entries = self.entries.clone();
                refuse_if_rested_on(self.reader(), &entries, &wanted, &schema).await?;
            }
            forbid_loss(&self.engine.options, &prepared)?;
            check_guards(self.reader(), &prepared, &before).await?;
            for ready in prepared {
                let open = ready.is_open();
                self.run_down(ready, &drifted).await?;
                done += 1;
                // What follows was prepared without knowing what the statement did.
                if open {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Prepares as many ways back as the model tells for sure, the first at least: what does not fit
    /// after a raw statement is looked at again once the statement has run.
    fn prepare_down(
        &self,
        wanted: &[(Entry, Vec<Operation>)],
        at_hand: AtHand,
    ) -> Result<(Vec<Prepared>, Schema)> {
        let AtHand {
            mut schema,
            differences,
            ..
        } = at_hand;
        let mut prepared: Vec<Prepared> = Vec::with_capacity(wanted.len());
        for (entry, operations) in wanted {
            let migration = entry.migration()?;
            if !self.engine.options.force {
                refuse_drift(operations, &differences, &entry.tag)?;
            }
            let compiler = self.engine.backend.compiler();
            match prepare(
                compiler,
                migration,
                operations,
                Direction::Down,
                &mut schema,
            ) {
                Ok(ready) => prepared.push(ready),
                Err(Unprepared::Misfit(_)) if prepared.iter().any(Prepared::is_open) => break,
                Err(unprepared) => {
                    return Err(unprepared.into_error(self.title(), Some(&entry.tag)));
                }
            }
        }
        Ok((prepared, schema))
    }

    async fn run_down(&mut self, mut ready: Prepared, drifted: &Drifted) -> Result<()> {
        self.check_interrupt()?;
        let open = ready.is_open();
        self.note_to_follow(&mut ready, drifted);
        if ready.is_transactional() && open {
            self.transact_by_itself(ready).await?;
        } else if ready.is_transactional() {
            self.transact(vec![ready]).await?;
        } else {
            self.flush().await?;
            self.run_journaled(ready).await?;
        }
        if open {
            self.follow(drifted).await?;
        }
        Ok(())
    }
}

/// A live schema that is not what `up` left is drift: the way back would not lead back.
pub(crate) fn refuse_drift(
    operations: &[Operation],
    differences: &[Difference],
    tag: &Tag,
) -> Result<()> {
    let about: Vec<Difference> = differences
        .iter()
        .filter(|difference| {
            operations.iter().any(|operation| {
                operation.collection() == difference.collection.as_ref()
                    && difference.collection.is_some()
            })
        })
        .cloned()
        .collect();
    if about.is_empty() {
        return Ok(());
    }
    Err(Error::of(
        ErrorKind::Drift,
        "the database is not as the migrations left it, so the way back would not lead back",
    )
    .tag(Some(tag))
    .differences(about)
    .hint("mend the difference, take the live schema as the record with `ductape repair --to-live`, or go by the live schema with --force"))
}

/// A migration on which a later one rests cannot go before it: the later ones' ways back must
/// still fit the schema without it.
pub(crate) async fn refuse_if_rested_on(
    reader: &mut dyn Reader,
    entries: &[EntrySummary],
    wanted: &[(Entry, Vec<Operation>)],
    after: &Schema,
) -> Result<()> {
    let Some(first) = wanted.iter().map(|(entry, _)| entry.seq).min() else {
        return Ok(());
    };
    let going: BTreeSet<i64> = wanted.iter().map(|(entry, _)| entry.seq).collect();
    let later_stay = entries
        .iter()
        .any(|entry| entry.seq > first && !going.contains(&entry.seq));
    if !later_stay {
        return Ok(());
    }
    let mut later = reader.entries(&EntryQuery::After(first)).await?;
    later.retain(|entry| !going.contains(&entry.seq));
    let mut schema = after.clone();
    schema.set_way_back(true);
    for entry in later.iter().rev() {
        let Ok(operations) = entry.way_back()? else {
            continue;
        };
        for operation in &operations {
            let about_what_is_read = operation
                .collection()
                .is_some_and(|name| touched_by(wanted, name));
            if !about_what_is_read {
                continue;
            }
            if let Err(error) = operation.apply(&mut schema) {
                let tag = wanted.first().map(|(entry, _)| &entry.tag);
                return Err(Error::of(
                    ErrorKind::Refused,
                    format!("{} rests on it: {error}", entry.tag),
                )
                .tag(tag)
                .hint(format!(
                    "roll {} back first, or everything after it with --to",
                    entry.tag
                )));
            }
        }
    }
    Ok(())
}

/// The way back of an entry. Of an unfinished one only what was done is undone, which is another
/// question.
pub(crate) fn way_back_of(entry: &Entry) -> Result<Vec<Operation>> {
    if entry.status != EntryStatus::Applied {
        return Ok(Vec::new());
    }
    entry
        .way_back()?
        .map_err(|reason| Error::of(ErrorKind::Irreversible, reason).tag(Some(&entry.tag)))
}

/// The tags that a rollback chooses, the last applied first.
pub(crate) fn chosen(entries: &[EntrySummary], rollback: &Rollback) -> Result<Vec<Tag>> {
    let newest_first = entries.iter().rev();
    let tags: Vec<Tag> = match rollback {
        Rollback::Last(count) => newest_first
            .take(*count)
            .map(|entry| entry.tag.clone())
            .collect(),
        Rollback::To(tag) => {
            if !entries.iter().any(|entry| entry.tag == *tag) {
                return Err(unknown_tag(tag, "the applied migrations"));
            }
            newest_first
                .take_while(|entry| entry.tag != *tag)
                .map(|entry| entry.tag.clone())
                .collect()
        }
        Rollback::Tags(tags) => {
            for tag in tags {
                if !entries.iter().any(|entry| entry.tag == *tag) {
                    return Err(unknown_tag(tag, "the applied migrations"));
                }
            }
            newest_first
                .filter(|entry| tags.contains(&entry.tag))
                .map(|entry| entry.tag.clone())
                .collect()
        }
    };
    Ok(tags)
}

fn touched_by(wanted: &[(Entry, Vec<Operation>)], name: &Name) -> bool {
    wanted.iter().any(|(_, operations)| {
        operations
            .iter()
            .any(|operation| operation.collection() == Some(name))
    })
}
