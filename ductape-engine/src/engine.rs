//! Up, down and redo: the story, top to bottom, in the order in which it happens.

use crate::at_hand::{AtHand, Drifted, at_hand, scope_of};
use crate::backend::{Backend, Reader, Scope, Session, SessionError, Unit, UnitFailure, lock_lost};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{
    Entry, EntryQuery, EntryStatus, EntrySummary, HEAD_KEY, Head, LEDGER_FORMAT, LastApplied,
    LogLine, Progress, Put, action_word,
};
use crate::lock::{Actor, Patience};
use crate::observer::{Event, Observer};
use crate::prepare::{Prepared, Unprepared, prepare, refuse_temporary};
use crate::report::{Done, Report};
use crate::set::MigrationSet;
use crate::settle::Unsettled;
use ductape_core::difference::Difference;
use ductape_core::{Direction, Migration, Name, Operation, Schema, Tag};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The version that the ledger tells.
pub(crate) const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most units that are handed to a session at once: between two of these a run can be interrupted.
const CHUNK: usize = 64;

/// How an engine goes about its work.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How long it waits for the lock, and for how long it takes a lease.
    pub patience: Patience,
    /// Goes by the live schema where it is not as recorded, instead of refusing a way back.
    pub force: bool,
    /// Applies pending migrations that are older than the last applied one.
    pub out_of_order: bool,
    /// Refuses what loses data.
    pub forbid_data_loss: bool,
    /// Watches.
    pub observer: Option<Arc<dyn Observer>>,
    /// Set from outside to end a run between two statements.
    pub interrupt: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineOptions")
            .field("patience", &self.patience)
            .field("force", &self.force)
            .field("out_of_order", &self.out_of_order)
            .field("forbid_data_loss", &self.forbid_data_loss)
            .finish_non_exhaustive()
    }
}

/// Which of the pending migrations are applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Extent {
    /// Every one.
    #[default]
    All,
    /// Those up to and with this one.
    To(Tag),
    /// The first ones, so many.
    Count(usize),
}

/// Which of the applied migrations are rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollback {
    /// The last ones, so many.
    Last(usize),
    /// Every one after this one.
    To(Tag),
    /// These.
    Tags(Vec<Tag>),
}

/// Applies migrations and rolls them back.
#[derive(Clone)]
pub struct MigrationEngine {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: EngineOptions,
}

impl std::fmt::Debug for MigrationEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MigrationEngine")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl MigrationEngine {
    /// An engine for a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self::with_options(backend, EngineOptions::default())
    }

    /// An engine that goes about its work in this way.
    pub fn with_options(backend: Arc<dyn Backend>, options: EngineOptions) -> Self {
        Self { backend, options }
    }

    /// Its options, to be changed.
    pub fn options_mut(&mut self) -> &mut EngineOptions {
        &mut self.options
    }

    /// Applies one migration; one that is applied already is left as it is.
    ///
    /// # Errors
    /// Whatever [`MigrationEngine::up_all`] fails with.
    pub async fn up(&self, migration: &Migration) -> Result<Report> {
        self.up_all(&MigrationSet::new([migration.clone()])?).await
    }

    /// Applies what is pending of a set, in order, after finishing what an earlier run left half done.
    ///
    /// # Errors
    /// [`Error`] of many kinds; its report tells what was applied before it.
    pub async fn up_all(&self, set: &MigrationSet) -> Result<Report> {
        self.up_some(set, &Extent::All).await
    }

    /// Applies some of what is pending of a set, in order.
    ///
    /// # Errors
    /// Like [`MigrationEngine::up_all`]; [`ErrorKind::Usage`] for a tag that the set does not have.
    pub async fn up_some(&self, set: &MigrationSet, extent: &Extent) -> Result<Report> {
        if let Extent::To(tag) = extent
            && !set.migrations().iter().any(|m| m.tag() == Some(tag))
        {
            return Err(unknown_tag(tag, "the given migrations"));
        }
        if let Some(head) = self.backend.head().await?
            && head.complete.iter().any(|digest| digest == set.digest())
        {
            return Ok(Report::default());
        }
        set.validate()?;
        self.locked(async |run| run.up(set, extent).await).await
    }

    /// Always a new migration: gets a tag of its own, whatever was applied before under its name.
    ///
    /// # Errors
    /// Like [`MigrationEngine::up_all`].
    pub async fn apply_new(&self, migration: &Migration) -> Result<Done> {
        self.refuse_what_is_there(migration).await?;
        let report = self
            .locked(async |run| {
                run.finish_unfinished(&[]).await?;
                let migration = run.tagged(migration.clone());
                run.apply(vec![migration]).await
            })
            .await?;
        report
            .applied
            .into_iter()
            .next_back()
            .ok_or_else(|| Error::internal("a migration was applied and is not in the report"))
    }

    /// Rolls a migration back.
    ///
    /// # Errors
    /// [`Error`] of many kinds; its report tells what was rolled back before it.
    pub async fn down(&self, migration: &Migration) -> Result<Report> {
        self.locked(async |run| {
            let entry = run.entry_of(migration)?;
            match entry {
                Some(summary) => run.down(vec![summary.tag]).await,
                None => Err(not_applied(migration)),
            }
        })
        .await
    }

    /// Rolls back everything after a migration.
    ///
    /// # Errors
    /// Like [`MigrationEngine::down`].
    pub async fn down_to(&self, tag: &Tag) -> Result<Report> {
        self.roll_back(&Rollback::To(tag.clone())).await
    }

    /// Rolls back some of what was applied, the last first.
    ///
    /// # Errors
    /// Like [`MigrationEngine::down`]; [`ErrorKind::Usage`] for a tag that is not applied.
    pub async fn roll_back(&self, rollback: &Rollback) -> Result<Report> {
        // What is not there is refused, and nothing is done where nothing is applied, without the lock,
        // which would write.
        let entries = self.backend.read().await?.summaries().await?;
        if chosen(&entries, rollback)?.is_empty() {
            return Ok(Report::default());
        }
        self.locked(async |run| {
            let tags = chosen(&run.entries, rollback)?;
            run.down(tags).await
        })
        .await
    }

    /// Rolls back the last ones, so many, and applies them again from the ledger.
    ///
    /// # Errors
    /// Like [`MigrationEngine::down`] and [`MigrationEngine::up_all`].
    pub async fn redo(&self, count: usize) -> Result<Report> {
        self.locked(async |run| {
            let tags = chosen(&run.entries, &Rollback::Last(count))?;
            let entries = run.session.entries(&EntryQuery::Tags(tags.clone())).await?;
            let mut migrations = Vec::with_capacity(entries.len());
            for entry in &entries {
                migrations.push(entry.migration()?);
            }
            migrations.sort_by(|a, b| a.tag().cmp(&b.tag()));
            run.down(tags).await?;
            run.apply(migrations).await
        })
        .await
    }

    /// Takes the lock, does something under it, and lets go of it, also after a failure.
    pub(crate) async fn locked(
        &self,
        work: impl AsyncFnOnce(&mut Run<'_>) -> Result<()> + Send,
    ) -> Result<Report> {
        let actor = Actor::current();
        let mut session = self.backend.lock(&actor, &self.options.patience).await?;
        if let Some(observer) = &self.options.observer {
            observer.event(&Event::Locked);
        }
        let entries = match session.summaries().await {
            Ok(entries) => entries,
            Err(error) => {
                // What is told is why the ledger cannot be read.
                let _ = session.release().await;
                return Err(error);
            }
        };
        let mut run = Run {
            engine: self,
            actor,
            session,
            entries,
            report: Report::default(),
            head_cleared: false,
            unsettled: Unsettled::default(),
        };
        let mut outcome = work(&mut run).await;
        if outcome.is_ok() {
            outcome = run.settle_record().await;
        }
        if outcome.is_err() {
            run.keep_to_the_ledger().await;
        }
        let Run {
            session, report, ..
        } = run;
        let released = session.release().await;
        match (outcome, released) {
            (Err(error), _) => Err(error.after(report)),
            (Ok(()), Err(error)) => Err(Error::from(error).after(report)),
            (Ok(()), Ok(())) => Ok(report),
        }
    }
}

fn not_applied(migration: &Migration) -> Error {
    Error::of(
        ErrorKind::Mismatch,
        format!("the migration {:?} is not applied", migration.name()),
    )
    .tag(migration.tag())
    .hint("see with `ductape history` what is applied")
}

pub(crate) fn unknown_tag(tag: &Tag, among: &str) -> Error {
    Error::of(ErrorKind::Usage, format!("{tag} is not among {among}"))
        .hint("see the tags with `ductape status`")
}

/// A run under the lock.
pub(crate) struct Run<'e> {
    pub engine: &'e MigrationEngine,
    pub actor: Actor,
    pub session: Box<dyn Session>,
    /// The ledger's entries as they are now, in the order of application.
    pub entries: Vec<EntrySummary>,
    pub report: Report,
    head_cleared: bool,
    pub unsettled: Unsettled,
}

impl Run<'_> {
    /// The reading half of the session.
    pub fn reader(&mut self) -> &mut dyn Reader {
        self.session.as_mut()
    }

    fn title(&self) -> &'static str {
        self.engine.backend.compiler().capabilities().title
    }

    /// After a failure the ledger tells what was done: what was still to be committed may be lost.
    async fn keep_to_the_ledger(&mut self) {
        let flushed = self.session.flush().await;
        let (Ok(()), Ok(entries)) = (flushed, self.session.summaries().await) else {
            return;
        };
        let there: BTreeSet<&Tag> = entries.iter().map(|entry| &entry.tag).collect();
        let Report {
            applied,
            rolled_back,
        } = &mut self.report;
        applied.retain(|done| there.contains(&done.tag));
        rolled_back.retain(|done| {
            !there.contains(&done.tag) || applied.iter().any(|again| again.tag == done.tag)
        });
    }

    pub fn notify(&self, event: Event) {
        if let Some(observer) = &self.engine.options.observer {
            observer.event(&event);
        }
    }

    pub fn check_interrupt(&self) -> Result<()> {
        let interrupted = self
            .engine
            .options
            .interrupt
            .as_ref()
            .is_some_and(|flag| flag.load(Ordering::Relaxed));
        if interrupted {
            return Err(Error::of(
                ErrorKind::Interrupted,
                "interrupted between two statements; what was done is recorded",
            )
            .hint("`ductape up` goes on from there"));
        }
        Ok(())
    }

    // ---- up -------------------------------------------------------------------------------------

    async fn up(&mut self, set: &MigrationSet, extent: &Extent) -> Result<()> {
        self.finish_unfinished(set.migrations()).await?;
        let matched = match match_set(set, &self.entries) {
            Ok(matched) => matched,
            Err(error) => return Err(as_operations(error, set, self.reader()).await),
        };
        let mut pending = Vec::new();
        let mut newest_applied: Option<&Tag> = None;
        for tag in matched.iter().flatten() {
            newest_applied = newest_applied.max(Some(tag));
        }
        for (migration, applied) in set.migrations().iter().zip(&matched) {
            if applied.is_none() {
                let late = migration.tag().is_some() && migration.tag() < newest_applied;
                if late && !self.engine.options.out_of_order {
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

    async fn remember_complete(&mut self, set: &MigrationSet) -> Result<()> {
        let mut complete = Vec::new();
        if !self.head_cleared {
            // Through the session: where there is one connection, it has it.
            let rows = self.session.state_of(&[HEAD_KEY.to_owned()]).await?;
            complete = rows
                .first()
                .and_then(|(_, value)| serde_json::from_str::<Head>(value).ok())
                .map(|head| head.complete)
                .unwrap_or_default();
            complete.truncate(7);
        }
        complete.retain(|digest| digest != set.digest());
        complete.insert(0, set.digest().to_owned());
        let head = Head {
            complete,
            ..self.head_now()
        };
        let put = head_put(&head);
        self.session.record(&[put]).await?;
        Ok(())
    }

    fn head_now(&self) -> Head {
        Head {
            format: LEDGER_FORMAT,
            complete: Vec::new(),
            entries: self.entries.len() as u64,
            last: self.entries.last().map(|entry| LastApplied {
                tag: entry.tag.to_string(),
                name: entry.tag.name().to_owned(),
                applied_at: entry.applied_at.clone(),
            }),
        }
    }

    /// The write that clears what is known to be complete; once a run is enough.
    pub fn clear_head(&mut self) -> Option<Put> {
        if std::mem::replace(&mut self.head_cleared, true) {
            return None;
        }
        Some(head_put(&Head {
            format: LEDGER_FORMAT,
            ..Head::default()
        }))
    }

    /// Applies migrations that have tags, in order.
    async fn apply(&mut self, migrations: Vec<Migration>) -> Result<()> {
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
            self.forbid_loss(&prepared)?;
            self.check_guards(&prepared, &live).await?;
            let again = self.execute(prepared, !rest.is_empty(), &drifted).await?;
            rest.splice(0..0, again);
        }
        Ok(())
    }

    /// The schema at hand, and where it is not as recorded.
    pub async fn at_hand(&mut self, scope: &Scope) -> Result<AtHand> {
        let backend = self.engine.backend.clone();
        at_hand(self.reader(), backend.compiler(), scope, true).await
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

    fn forbid_loss(&self, prepared: &[Prepared]) -> Result<()> {
        if !self.engine.options.forbid_data_loss {
            return Ok(());
        }
        for ready in prepared {
            for resolved in &ready.resolved {
                let loss = resolved
                    .operation
                    .risks(&resolved.before)
                    .into_iter()
                    .find(|risk| risk.kind == ductape_core::RiskKind::DataLoss);
                if let Some(risk) = loss {
                    return Err(Error::of(
                        ErrorKind::Refused,
                        format!("it would lose data: {}", risk.message),
                    )
                    .tag(ready.tag())
                    .operation(resolved.operation.describe())
                    .hint("allow it with --allow-data-loss"));
                }
            }
        }
        Ok(())
    }

    /// Counts what stands in the way before anything is touched, where nothing that runs before can
    /// change the count.
    async fn check_guards(&mut self, prepared: &[Prepared], live: &Schema) -> Result<()> {
        let mut changed = BTreeSet::new();
        for ready in prepared {
            if ready.is_open() {
                return Ok(());
            }
            for (index, step) in ready.steps.iter().enumerate() {
                for guard in &step.guards {
                    let mut reads = std::iter::once(&guard.collection).chain(&guard.also);
                    if reads.any(|name| changed.contains(name) || live.collection(name).is_none()) {
                        continue;
                    }
                    let answer = self.session.check(guard).await?;
                    if answer.count > 0 {
                        return Err(guarded(ready, index, guard, &answer));
                    }
                }
                let serves = ready.resolved.get(step.serves.clone()).unwrap_or(&[]);
                changed.extend(
                    serves
                        .iter()
                        .filter_map(|resolved| resolved.operation.collection().cloned()),
                );
            }
        }
        Ok(())
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
        let mut rest = prepared.into_iter();
        while let Some(mut ready) = rest.next() {
            self.check_interrupt()?;
            let open = ready.is_open();
            self.note_to_follow(&mut ready, drifted);
            let transactional = ready.is_transactional();
            if (open || !transactional || waiting.len() >= CHUNK) && !waiting.is_empty() {
                self.transact(std::mem::take(&mut waiting)).await?;
            }
            if transactional && !open {
                waiting.push(ready);
                continue;
            }
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
                self.session.flush().await?;
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

    /// Runs a migration with raw statements, and commits it: what a database checks only then is a
    /// failure of this one, and takes no other one back.
    async fn transact_by_itself(&mut self, ready: Prepared) -> Result<()> {
        self.session.flush().await?;
        self.transact(vec![ready.clone()]).await?;
        match self.session.flush().await {
            Ok(()) => Ok(()),
            Err(SessionError::LockLost) => Err(lock_lost().tag(ready.tag())),
            Err(SessionError::Database(error)) => {
                let failure = UnitFailure::Database { step: None, error };
                Err(self.unit_failed(&ready, failure).await)
            }
        }
    }

    /// Runs migrations that each share one transaction with their ledger rows.
    async fn transact(&mut self, prepared: Vec<Prepared>) -> Result<()> {
        let started = Instant::now();
        let mut units = Vec::with_capacity(prepared.len());
        let mut summaries = Vec::with_capacity(prepared.len());
        let first = self.next_seq();
        for (index, ready) in prepared.iter().enumerate() {
            let mut puts = Vec::with_capacity(4);
            if index == 0 {
                puts.extend(self.clear_head());
            }
            let Some(tag) = ready.tag().cloned() else {
                return Err(Error::internal("a migration without a tag is about to run"));
            };
            self.notify(Event::Started {
                tag: tag.clone(),
                direction: ready.direction,
                resumed: false,
            });
            match ready.direction {
                Direction::Up => {
                    let seq = first + index as i64;
                    let entry = self.new_entry(ready, &tag, EntryStatus::Applied, seq);
                    summaries.push(Some(entry.summary()));
                    puts.push(Put::Insert(entry));
                }
                Direction::Down => {
                    let entry = self.entries.iter().rev().find(|entry| entry.tag == tag);
                    if let Some(entry) = entry {
                        puts.push(Put::Delete { seq: entry.seq });
                    }
                    summaries.push(None);
                }
            }
            puts.push(Put::Log(self.log_line(
                action_word(ready.direction),
                &tag,
                0,
                None,
            )));
            puts.extend(ready.record_puts());
            units.push(Unit {
                steps: ready.steps.clone(),
                puts,
            });
        }
        let (done, failure) = self.session.transact(&units).await;
        let each = started.elapsed().as_millis() as u64 / (done.max(1) as u64);
        for (ready, summary) in prepared.iter().zip(summaries).take(done) {
            self.finished(ready, summary, each);
        }
        match (failure, prepared.get(done)) {
            (None, _) => Ok(()),
            (Some(failure), Some(ready)) => Err(self.unit_failed(ready, failure).await),
            (Some(_), None) => Err(Error::internal("a unit failed that was not given")),
        }
    }

    /// Notes in memory that a migration is done.
    pub fn finished(&mut self, ready: &Prepared, summary: Option<EntrySummary>, duration_ms: u64) {
        let Some(tag) = ready.tag().cloned() else {
            return;
        };
        let mut migration = ready.migration.clone();
        if let (Direction::Up, Ok(back)) = (ready.direction, &ready.way_back) {
            migration = migration.with_derived_down(back.operations.clone());
        }
        let done = Done {
            tag: tag.clone(),
            name: migration.name().to_owned(),
            checksum: migration.checksum().clone(),
            duration_ms,
            statements: ready.steps.len(),
            migration,
        };
        match summary {
            Some(summary) => {
                let place = self
                    .entries
                    .binary_search_by_key(&summary.seq, |entry| entry.seq);
                match place.map(|place| self.entries.get_mut(place)) {
                    Ok(Some(entry)) => *entry = summary,
                    Ok(None) => {}
                    Err(place) => self.entries.insert(place, summary),
                }
                self.report.applied.push(done);
            }
            None => {
                let place = self.entries.iter().rposition(|entry| entry.tag == tag);
                place.map(|place| self.entries.remove(place));
                self.report.rolled_back.push(done);
            }
        }
        self.notify(Event::Finished {
            tag,
            direction: ready.direction,
            duration_ms,
        });
    }

    /// Tells why a unit failed, and logs it.
    async fn unit_failed(&mut self, ready: &Prepared, failure: UnitFailure) -> Error {
        let error = match failure {
            UnitFailure::LockLost => return lock_lost().tag(ready.tag()),
            UnitFailure::Unknown(error) => {
                let mut error = Error::from(error);
                error.details_mut().hint = Some(
                    "whether it was done is not known; `ductape status` tells, and `ductape up` goes on"
                        .to_owned(),
                );
                return error.tag(ready.tag());
            }
            UnitFailure::Guarded {
                step,
                guard,
                answer,
            } => match ready.steps.get(step).and_then(|s| s.guards.get(guard)) {
                Some(guard) => guarded(ready, step, guard, &answer),
                None => Error::internal("a guard failed that was not given"),
            },
            UnitFailure::Database { step, error } => {
                let shown = step
                    .and_then(|step| ready.steps.get(step))
                    .map(|step| step.shown().to_string());
                let mut result = Error::from(error).tag(ready.tag());
                if let Some(describe) = step.and_then(|step| ready.describe_step(step)) {
                    result = result.operation(describe);
                }
                let details = result.details_mut();
                details.statement = shown.or(details.statement.take());
                result
            }
        };
        if let Some(tag) = ready.tag().cloned() {
            let line = self.log_line("failure", &tag, 0, Some(error.details().message.clone()));
            // The failure is told either way; a log that cannot be written must not hide it.
            if let Err(problem) = self.session.record(&[Put::Log(line)]).await {
                tracing::warn!(%tag, ?problem, "the failure could not be logged");
            }
        }
        error
    }

    /// The place in the order of application that is free.
    pub fn next_seq(&self) -> i64 {
        self.entries.last().map_or(0, |entry| entry.seq) + 1
    }

    pub fn new_entry(&self, ready: &Prepared, tag: &Tag, status: EntryStatus, seq: i64) -> Entry {
        let migration = &ready.migration;
        Entry {
            seq,
            tag: tag.clone(),
            name: migration.name().to_owned(),
            description: migration.description().map(str::to_owned),
            checksum: migration.checksum().clone(),
            status,
            migration: migration.authored_json(),
            down: ready.down_json(),
            plan: None,
            progress: Progress::default(),
            steps_done: ready.steps.len() as u32,
            steps_total: ready.steps.len() as u32,
            applied_at: now(),
            duration_ms: 0,
            applied_by: self.actor.describe(),
            tool_version: TOOL_VERSION.to_owned(),
        }
    }

    pub fn log_line(
        &self,
        action: &str,
        tag: &Tag,
        duration_ms: u64,
        detail: Option<String>,
    ) -> LogLine {
        LogLine {
            at: now(),
            action: action.to_owned(),
            tag: tag.to_string(),
            actor: self.actor.describe(),
            host: self.actor.host.clone(),
            duration_ms,
            detail,
        }
    }

    // ---- which migration is which -----------------------------------------------------------------

    /// The entry of a migration: by its tag, or by name and checksum.
    fn entry_of(&self, migration: &Migration) -> Result<Option<EntrySummary>> {
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
    fn tagged(&self, migration: Migration) -> Migration {
        self.tagged_after(migration, None)
    }

    fn tagged_after(&self, migration: Migration, previous: Option<&Tag>) -> Migration {
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

    // ---- down -------------------------------------------------------------------------------------

    /// Rolls back migrations, given the last applied first.
    async fn down(&mut self, tags: Vec<Tag>) -> Result<()> {
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
            let operations = entry
                .way_back()?
                .map_err(|reason| Error::of(ErrorKind::Irreversible, reason).tag(Some(tag)))?;
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
                self.refuse_if_rested_on(&wanted, &schema).await?;
            }
            self.check_guards(&prepared, &before).await?;
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
            self.refuse_drift(operations, &differences, &entry.tag)?;
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
            self.session.flush().await?;
            self.run_journaled(ready).await?;
        }
        if open {
            self.follow(drifted).await?;
        }
        Ok(())
    }

    /// A live schema that is not what `up` left is drift: the way back would not lead back.
    fn refuse_drift(
        &self,
        operations: &[Operation],
        differences: &[Difference],
        tag: &Tag,
    ) -> Result<()> {
        if self.engine.options.force {
            return Ok(());
        }
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
    async fn refuse_if_rested_on(
        &mut self,
        wanted: &[(Entry, Vec<Operation>)],
        after: &Schema,
    ) -> Result<()> {
        let Some(first) = wanted.iter().map(|(entry, _)| entry.seq).min() else {
            return Ok(());
        };
        let going: BTreeSet<i64> = wanted.iter().map(|(entry, _)| entry.seq).collect();
        let later_stay = self
            .entries
            .iter()
            .any(|entry| entry.seq > first && !going.contains(&entry.seq));
        if !later_stay {
            return Ok(());
        }
        let mut later = self.session.entries(&EntryQuery::After(first)).await?;
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
}

/// The tags that a rollback chooses, the last applied first.
fn chosen(entries: &[EntrySummary], rollback: &Rollback) -> Result<Vec<Tag>> {
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

fn head_put(head: &Head) -> Put {
    Put::State {
        key: HEAD_KEY.to_owned(),
        value: serde_json::to_string(head).ok(),
    }
}

/// This moment, in RFC 3339.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Millisecond)
        .unwrap_or(now)
        .to_string()
}

fn guarded(
    ready: &Prepared,
    step: usize,
    guard: &ductape_core::compiler::Guard,
    answer: &crate::backend::GuardAnswer,
) -> Error {
    let error = crate::journal::in_the_way(guard, answer).tag(ready.tag());
    match ready.describe_step(step) {
        Some(describe) => error.operation(describe),
        None => error,
    }
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
