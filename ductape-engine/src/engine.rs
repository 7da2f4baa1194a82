//! The calls: each takes the lock, does its part in a [`Run`] under it, and lets go of it.

use crate::backend::Backend;
use crate::down::chosen;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{EntryQuery, TODO_PREFIX};
use crate::lock::{Actor, Patience};
use crate::observer::{Event, Observer};
use crate::report::{Done, Report};
use crate::run::Run;
use crate::set::MigrationSet;
use crate::settle::Unsettled;
use ductape_core::{Migration, Tag};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
    /// Set from outside to break off the statement under way, too, where the database can: it is taken
    /// back, and the run ends as interrupted.
    pub break_off: Option<Arc<AtomicBool>>,
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
        match self.backend.head().await {
            Ok(Some(head)) if head.complete.iter().any(|digest| digest == set.digest()) => {
                return Ok(Report::default());
            }
            // What cannot be looked at now is waited for with the lock.
            Err(error) if error.kind() != ErrorKind::Locked => return Err(error),
            _ => {}
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
        // which would write. What cannot be looked at now is waited for with the lock.
        if let Ok(mut reader) = self.backend.read().await
            && let Ok(entries) = reader.summaries().await
            && chosen(&entries, rollback)?.is_empty()
            && reader
                .state(TODO_PREFIX)
                .await
                .is_ok_and(|left| left.is_empty())
        {
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
        if let Some(break_off) = &self.options.break_off {
            session.heed(break_off.clone()).await;
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
            untold: Vec::new(),
        };
        let mut outcome = work(&mut run).await;
        if outcome.is_ok() {
            outcome = run.settle_record().await;
        }
        if outcome.is_ok() {
            outcome = run.flush().await;
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
