//! The way up: which migrations are pending, whether they can run, and running them.

use crate::at_hand::{Drifted, scope_of};
use crate::engine::Extent;
use crate::error::{Error, ErrorKind, Result};
use crate::matching::{as_operations, match_set};
use crate::prepare::{Prepared, Unprepared, forbid_loss, prepare, refuse_temporary};
use crate::run::{Run, check_guards};
use crate::set::MigrationSet;
use ductape_core::{Direction, Migration, Name, Operation, Schema, Tag};
use std::collections::BTreeSet;

/// The most units that are handed to a session at once: between two of these a run can be interrupted.
const CHUNK: usize = 64;
/// The same, counting those that change nothing but new and empty collections, which takes no time.
const QUICK_CHUNK: usize = 1024;

impl Run<'_> {
    pub(crate) async fn up(&mut self, set: &MigrationSet, extent: &Extent) -> Result<()> {
        self.finish_unfinished(set.migrations()).await?;
        let matched = match match_set(set, &self.entries) {
            Ok(matched) => matched,
            Err(error) => return Err(as_operations(error, set, self.reader()).await),
        };
        let pending = pending_of(set, &matched, extent, self.engine.options.out_of_order)?;
        let migrations: Vec<Migration> = {
            let mut tagged = Vec::with_capacity(pending.len());
            for migration in pending {
                let migration = match migration.tag() {
                    Some(_) => migration.clone(),
                    None => {
                        let last = tagged.last().and_then(Migration::tag).cloned();
                        self.tagged_after(migration.clone(), last.as_ref())
                    }
                };
                tagged.push(migration);
            }
            tagged
        };
        self.apply(migrations).await?;
        self.settle_record().await?;
        // Known to be complete, so that the next start is one query of one row.
        if match_set(set, &self.entries)?.iter().all(Option::is_some) {
            self.remember_complete(set).await?;
        }
        Ok(())
    }

    /// Applies migrations that have tags, in order.
    pub(crate) async fn apply(&mut self, migrations: Vec<Migration>) -> Result<()> {
        if migrations.is_empty() {
            return Ok(());
        }
        self.settle_record().await?;
        refuse_temporary(self.engine.backend.compiler(), &migrations)?;
        let scope = scope_of(migrations.iter().flat_map(|m| m.up()));
        let mut rest = migrations;
        while !rest.is_empty() {
            let at_hand = self.at_hand(&scope).await?;
            let drifted = at_hand.drifted();
            let mut schema = at_hand.schema;
            let live = schema.clone();
            let (prepared, left) = self.prepare_some(rest, &mut schema)?;
            rest = left;
            forbid_loss(&self.engine.options, &prepared)?;
            check_guards(self.reader(), &prepared, &live).await?;
            let again = self.execute(prepared, !rest.is_empty(), &drifted).await?;
            rest.splice(0..0, again);
        }
        Ok(())
    }

    /// Prepares as many as the model tells for sure: after a raw statement it may not know what is
    /// there, so what does not fit then is looked at again once the statement has run.
    fn prepare_some(
        &self,
        migrations: Vec<Migration>,
        schema: &mut Schema,
    ) -> Result<(Vec<Prepared>, Vec<Migration>)> {
        let compiler = self.engine.backend.compiler();
        let mut prepared: Vec<Prepared> = Vec::new();
        let mut refused: Option<Error> = None;
        let mut rest = migrations.into_iter();
        while let Some(migration) = rest.next() {
            let up = migration.up().to_vec();
            match prepare(compiler, migration.clone(), &up, Direction::Up, schema) {
                Ok(ready) => prepared.push(ready),
                Err(Unprepared::Misfit(_)) if prepared.iter().any(Prepared::is_open) => {
                    let mut left = vec![migration];
                    left.extend(rest);
                    return Ok((prepared, left));
                }
                Err(refusal @ Unprepared::Refused(_)) => {
                    // Every refusal is told at once, so the model goes on without this one.
                    let error = refusal.into_error(self.title(), migration.tag());
                    refused = Some(match refused {
                        None => error,
                        Some(mut first) => {
                            let more = error.details().message.clone();
                            let details = first.details_mut();
                            details.message = format!("{}; {more}", details.message);
                            first
                        }
                    });
                    for operation in &up {
                        if operation.apply(schema).is_err() {
                            break;
                        }
                    }
                }
                Err(misfit) => {
                    return Err(
                        refused.unwrap_or_else(|| misfit.into_error(self.title(), migration.tag()))
                    );
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None => Ok((prepared, Vec::new())),
        }
    }

    /// Runs prepared migrations in order: neighbours that can share transactions are handed to the
    /// session together. Gives back those whose preparation is no longer right, because a raw
    /// statement changed the catalog.
    async fn execute(
        &mut self,
        prepared: Vec<Prepared>,
        more: bool,
        drifted: &Drifted,
    ) -> Result<Vec<Migration>> {
        let mut waiting: Vec<Prepared> = Vec::new();
        let mut slow = 0;
        let mut empty = BTreeSet::new();
        let mut rest = prepared.into_iter();
        while let Some(mut ready) = rest.next() {
            self.check_interrupt()?;
            let open = ready.is_open();
            self.note_to_follow(&mut ready, drifted);
            let transactional = ready.is_transactional();
            let many = slow >= CHUNK || waiting.len() >= QUICK_CHUNK;
            if (open || !transactional || many) && !waiting.is_empty() {
                self.transact(std::mem::take(&mut waiting)).await?;
                slow = 0;
            }
            if transactional && !open {
                slow += usize::from(!is_quick(&ready, &mut empty));
                waiting.push(ready);
                continue;
            }
            // It may have put something into them.
            empty.clear();
            let mark = match open {
                true => self.session.catalog_mark().await?,
                false => None,
            };
            let only_raw = ready
                .resolved
                .iter()
                .all(|r| matches!(r.operation, Operation::Raw(_)));
            if transactional {
                self.transact_by_itself(ready).await?;
            } else {
                self.flush().await?;
                self.run_journaled(ready).await?;
            }
            if open {
                let unmoved =
                    only_raw && mark.is_some() && self.session.catalog_mark().await? == mark;
                if unmoved {
                    self.unsettled.followed = true;
                } else {
                    self.follow(drifted).await?;
                    if rest.len() > 0 || more {
                        return Ok(rest.map(|ready| ready.migration).collect());
                    }
                }
            }
        }
        if !waiting.is_empty() {
            self.transact(waiting).await?;
        }
        Ok(Vec::new())
    }
}

/// The pending migrations of a set that are meant, in order; `late` says whether those that are older
/// than the last applied one may be among them.
pub(crate) fn pending_of<'s>(
    set: &'s MigrationSet,
    matched: &[Option<Tag>],
    extent: &Extent,
    late: bool,
) -> Result<Vec<&'s Migration>> {
    let newest_applied = matched.iter().flatten().max();
    let mut pending = Vec::new();
    for (migration, applied) in set.migrations().iter().zip(matched) {
        if applied.is_none() {
            let is_late = migration.tag().is_some() && migration.tag() < newest_applied;
            if is_late && !late {
                return Err(out_of_order(migration, newest_applied));
            }
            pending.push(migration);
        }
        let enough = match extent {
            Extent::All => false,
            Extent::To(tag) => migration.tag() == Some(tag),
            Extent::Count(count) => pending.len() >= *count,
        };
        if enough {
            break;
        }
    }
    Ok(pending)
}

/// Whether a migration changes nothing but collections that are `empty`, to which it adds its own.
fn is_quick(ready: &Prepared, empty: &mut BTreeSet<Name>) -> bool {
    ready.resolved.iter().all(|resolved| {
        let collection = resolved.operation.collection();
        match &resolved.operation {
            Operation::CreateCollection(_) => {
                empty.extend(collection.cloned());
                true
            }
            Operation::AddField(_) | Operation::CreateIndex(_) => {
                collection.is_some_and(|name| empty.contains(name))
            }
            _ => false,
        }
    })
}

fn out_of_order(migration: &Migration, newest: Option<&Tag>) -> Error {
    Error::of(
        ErrorKind::OutOfOrder,
        format!(
            "it is pending, and older than {}, which is applied",
            newest.map_or("", Tag::as_str)
        ),
    )
    .tag(migration.tag())
    .hint("give it a later tag, or apply it all the same with --out-of-order")
}
