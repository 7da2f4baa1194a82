//! Plans: what `up` or `down` would run, with nothing changed.

use crate::at_hand::{at_hand, scope_of};
use crate::backend::{Reader, Scope};
use crate::down::{chosen, refuse_drift, refuse_if_rested_on, way_back_of};
use crate::engine::{Extent, MigrationEngine, Rollback, unknown_tag};
use crate::error::{Error, Result};
use crate::ledger::{Entry, EntryQuery, EntryStatus};
use crate::matching::{as_operations, match_set};
use crate::prepare::{Prepared, Unprepared, forbid_loss, prepare, refuse_temporary};
use crate::run::check_guards;
use crate::set::MigrationSet;
use crate::unfinished::{as_resumed, as_undone, read_operation, refuse_failed_rollback, undo_of};
use crate::up::pending_of;
use ductape_core::{
    BackendName, Checksum, Compiler, Direction, Migration, Operation, Reversibility, Risk,
    RiskKind, Schema, Step, Tag,
};
use serde::Serialize;
use std::fmt;

/// What would run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The database that it is for.
    pub backend: BackendName,
    /// The migrations, in the order in which they would run.
    pub migrations: Vec<PlannedMigration>,
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedMigration {
    /// Its tag; nothing if it gets one when it is applied.
    pub tag: Option<Tag>,
    /// Its name.
    pub name: String,
    /// Its checksum.
    #[serde(skip)]
    pub checksum: Checksum,
    /// How much its way back brings back.
    pub reversible: Reversibility,
    /// What its way back does not bring back, or why there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What may hurt.
    pub risks: Vec<PlannedRisk>,
    /// The statements of the way up.
    pub up: Vec<PlannedStatement>,
    /// The statements of the way back.
    pub down: Vec<PlannedStatement>,
}

/// A risk of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRisk {
    /// What kind, and what happens.
    #[serde(flatten)]
    pub risk: Risk,
    /// The operation, as a person reads it.
    pub operation: String,
}

/// A statement of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStatement {
    /// Its text.
    pub statement: String,
    /// Whether it stands in a transaction.
    pub transactional: bool,
}

impl PlannedStatement {
    fn of(step: &Step) -> Self {
        Self {
            statement: step.shown().to_string(),
            transactional: step.is_transactional(),
        }
    }
}

impl PlannedMigration {
    /// A migration that rests on what a raw statement before it does, which nobody can foresee.
    fn unknown(migration: &Migration, why: &Error) -> Self {
        Self {
            tag: migration.tag().cloned(),
            name: migration.name().to_owned(),
            checksum: migration.checksum().clone(),
            reversible: Reversibility::StructureOnly,
            lost: Vec::new(),
            risks: vec![PlannedRisk {
                risk: Risk::new(
                    RiskKind::Unknown,
                    format!(
                        "it is planned once the raw statement before it has run; as it is now: {}",
                        why.details().message
                    ),
                ),
                operation: migration
                    .up()
                    .first()
                    .map_or_else(String::new, |o| o.describe()),
            }],
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// What is left to do of a rollback that was cut off. The schema is afterwards as it leaves it.
    fn rest_of_rollback(entry: &Entry, schema: &mut Schema) -> Result<Self> {
        let frozen = entry.frozen()?;
        for operation in &frozen.operations {
            // What was done already does not fit again.
            if let Some(operation) = read_operation(&operation.operation) {
                let _ = operation.apply(schema);
            }
        }
        let migration = entry.migration()?;
        Ok(Self {
            tag: Some(entry.tag.clone()),
            name: migration.name().to_owned(),
            checksum: entry.checksum.clone(),
            reversible: Reversibility::StructureOnly,
            lost: Vec::new(),
            risks: vec![PlannedRisk {
                risk: Risk::new(
                    RiskKind::Unknown,
                    "its rollback was cut off; these statements finish it",
                ),
                operation: "roll back".to_owned(),
            }],
            up: rest(&frozen.steps, entry),
            down: Vec::new(),
        })
    }

    fn of(compiler: &dyn Compiler, ready: &Prepared, after: &Schema) -> Result<Self> {
        let mut risks = Vec::new();
        for resolved in &ready.resolved {
            for risk in resolved.operation.risks(&resolved.before) {
                risks.push(PlannedRisk {
                    risk,
                    operation: resolved.operation.describe(),
                });
            }
        }
        for (index, step) in ready.steps.iter().enumerate() {
            for risk in &step.risks {
                risks.push(PlannedRisk {
                    risk: risk.clone(),
                    operation: ready.describe_step(index).unwrap_or_default(),
                });
            }
        }
        let (reversible, lost, down) = match &ready.way_back {
            Err(irreversible) => (
                Reversibility::Irreversible,
                vec![irreversible.to_string()],
                Vec::new(),
            ),
            Ok(inverse) => {
                let mut schema = after.clone();
                let back = prepare(
                    compiler,
                    ready.migration.clone(),
                    &inverse.operations,
                    Direction::Down,
                    &mut schema,
                )
                .map_err(|unprepared| {
                    unprepared.into_error(compiler.capabilities().title, ready.tag())
                })?;
                (
                    inverse.reversibility(),
                    inverse.lost.clone(),
                    back.steps.iter().map(PlannedStatement::of).collect(),
                )
            }
        };
        Ok(Self {
            tag: ready.migration.tag().cloned(),
            name: ready.migration.name().to_owned(),
            checksum: ready.migration.checksum().clone(),
            reversible,
            lost,
            risks,
            up: ready.steps.iter().map(PlannedStatement::of).collect(),
            down,
        })
    }
}

/// The plan of migrations without a database: the schema is what the earlier of them leave.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with everything that this database cannot do, and what does not fit.
///
/// [`ErrorKind::Unsupported`]: crate::ErrorKind::Unsupported
pub fn plan_offline(compiler: &dyn Compiler, migrations: &[Migration]) -> Result<Plan> {
    let mut schema = Schema::new().of(compiler.capabilities().backend);
    plan_on(compiler, migrations, &mut schema)
}

fn plan_on(compiler: &dyn Compiler, migrations: &[Migration], schema: &mut Schema) -> Result<Plan> {
    let mut planned = Planned::default();
    planned.pending(compiler, migrations, schema)?;
    Ok(planned.plan(compiler))
}

/// A plan in the making.
#[derive(Default)]
struct Planned {
    migrations: Vec<PlannedMigration>,
    prepared: Vec<Prepared>,
}

impl Planned {
    fn plan(self, compiler: &dyn Compiler) -> Plan {
        Plan {
            backend: compiler.capabilities().backend,
            migrations: self.migrations,
        }
    }

    fn pending<'m>(
        &mut self,
        compiler: &dyn Compiler,
        migrations: impl IntoIterator<Item = &'m Migration>,
        schema: &mut Schema,
    ) -> Result<()> {
        let mut open = self.prepared.iter().any(Prepared::is_open);
        for migration in migrations {
            let up = migration.up();
            let ready = match prepare(compiler, migration.clone(), up, Direction::Up, schema) {
                Ok(ready) => ready,
                Err(Unprepared::Misfit(error)) if open => {
                    self.migrations
                        .push(PlannedMigration::unknown(migration, &error));
                    continue;
                }
                Err(unprepared) => {
                    let title = compiler.capabilities().title;
                    return Err(unprepared.into_error(title, migration.tag()));
                }
            };
            open |= ready.is_open();
            self.migrations
                .push(PlannedMigration::of(compiler, &ready, schema)?);
            self.prepared.push(ready);
        }
        Ok(())
    }

    /// What `up` does before anything else: it goes on with what an earlier run left half done.
    async fn unfinished(
        &mut self,
        reader: &mut dyn Reader,
        compiler: &dyn Compiler,
        entry: &mut Entry,
        given: &[Migration],
        schema: &mut Schema,
    ) -> Result<()> {
        refuse_failed_rollback(entry)?;
        if entry.progress.down {
            let planned = PlannedMigration::rest_of_rollback(entry, schema)?;
            self.migrations.push(planned);
            return Ok(());
        }
        let ready = as_resumed(reader, compiler, entry, given, schema).await?;
        let mut planned = PlannedMigration::of(compiler, &ready, schema)?;
        planned.up = rest(&ready.steps, entry);
        entry.checksum = ready.migration.checksum().clone();
        self.migrations.push(planned);
        self.prepared.push(ready);
        Ok(())
    }
}

impl Planned {
    /// A way back: what would run stands under `down`, and what would bring it back under `up`.
    fn back(&mut self, compiler: &dyn Compiler, ready: Prepared, after: &Schema) -> Result<()> {
        let mut plan = PlannedMigration::of(compiler, &ready, after)?;
        std::mem::swap(&mut plan.up, &mut plan.down);
        self.migrations.push(plan);
        self.prepared.push(ready);
        Ok(())
    }
}

/// The statements that an entry has not come to.
fn rest(steps: &[Step], entry: &Entry) -> Vec<PlannedStatement> {
    steps
        .iter()
        .skip(entry.steps_done as usize)
        .map(PlannedStatement::of)
        .collect()
}

impl MigrationEngine {
    /// What `up` would run for one migration. Changes nothing.
    ///
    /// # Errors
    /// Whatever `up` would refuse before it touches anything.
    pub async fn plan(&self, migration: &Migration) -> Result<Plan> {
        self.plan_all(&MigrationSet::new([migration.clone()])?, &Extent::All)
            .await
    }

    /// What `up` would run for a set, beginning with what an earlier run left half done. Changes nothing.
    ///
    /// # Errors
    /// What the migrations, the ledger and the schema show that `up` would refuse. What rows stand in
    /// the way is not looked for, see [`MigrationEngine::dry_run`].
    pub async fn plan_all(&self, set: &MigrationSet, extent: &Extent) -> Result<Plan> {
        self.plan_pending(set, extent, false).await
    }

    /// The plan of `up` for a set, if nothing stands in its way. Changes nothing.
    ///
    /// # Errors
    /// Whatever `up` would refuse before it touches anything, rows that stand in the way among it.
    pub async fn dry_run(&self, set: &MigrationSet, extent: &Extent) -> Result<Plan> {
        self.plan_pending(set, extent, true).await
    }

    async fn plan_pending(
        &self,
        set: &MigrationSet,
        extent: &Extent,
        checked: bool,
    ) -> Result<Plan> {
        if let Extent::To(tag) = extent
            && !set.migrations().iter().any(|m| m.tag() == Some(tag))
        {
            return Err(unknown_tag(tag, "the given migrations"));
        }
        set.validate()?;
        let compiler = self.backend.compiler();
        let mut reader = self.backend.read().await?;
        let reader = reader.as_mut();
        let mut entries = reader.summaries().await?;
        let mut unfinished = Vec::new();
        if entries.iter().any(|e| e.status != EntryStatus::Applied) {
            unfinished = reader.entries(&EntryQuery::Unfinished).await?;
        }
        let mut planned = Planned::default();
        let mut carried = None;
        if !unfinished.is_empty() {
            let mut schema = at_hand(reader, compiler, &Scope::All, true).await?.schema;
            for entry in &mut unfinished {
                let given = set.migrations();
                planned
                    .unfinished(reader, compiler, entry, given, &mut schema)
                    .await?;
                entries.retain(|summary| summary.seq != entry.seq);
                if !entry.progress.down {
                    entries.push(entry.summary());
                }
            }
            carried = Some(schema);
        }
        let matched = match match_set(set, &entries) {
            Ok(matched) => matched,
            Err(error) => return Err(as_operations(error, set, reader).await),
        };
        let late = !checked || self.options.out_of_order;
        let pending = pending_of(set, &matched, extent, late)?;
        refuse_temporary(compiler, pending.iter().copied())?;
        let mut schema = match carried {
            Some(schema) => schema,
            None => {
                let scope = scope_of(pending.iter().flat_map(|m| m.up()));
                at_hand(reader, compiler, &scope, true).await?.schema
            }
        };
        let live = schema.clone();
        planned.pending(compiler, pending, &mut schema)?;
        if checked {
            forbid_loss(&self.options, &planned.prepared)?;
            if unfinished.is_empty() {
                check_guards(reader, &planned.prepared, &live).await?;
            }
        }
        Ok(planned.plan(compiler))
    }

    /// What [`MigrationEngine::apply_new`] would run. Changes nothing.
    ///
    /// # Errors
    /// Whatever `apply_new` would refuse before it touches anything.
    pub async fn plan_new(&self, migration: &Migration) -> Result<Plan> {
        let compiler = self.backend.compiler();
        refuse_temporary(compiler, [migration])?;
        let mut reader = self.backend.read().await?;
        let scope = scope_of(migration.up());
        let mut schema = at_hand(reader.as_mut(), compiler, &scope, true)
            .await?
            .schema;
        plan_on(compiler, std::slice::from_ref(migration), &mut schema)
    }

    /// Looks, before the lock is asked for, whether what a new migration makes is there already: of
    /// replicas that start together all but one need not queue up to be told so.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`].
    pub(crate) async fn refuse_what_is_there(&self, migration: &Migration) -> Result<()> {
        let makes = |operation: &Operation| matches!(operation, Operation::CreateCollection(_));
        if !migration.up().iter().any(makes) {
            return Ok(());
        }
        // What a run left half done may be undone yet: then the answer is known only under the lock.
        let entries = self.backend.read().await?.summaries().await?;
        if entries.iter().any(|e| e.status != EntryStatus::Applied) {
            return Ok(());
        }
        match self.plan_new(migration).await {
            Err(error @ Error::AlreadyExists { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// What `down` would run. Changes nothing.
    ///
    /// # Errors
    /// What the ledger and the model show that `down` would refuse. Whether the live schema and its
    /// rows allow it is asked by [`MigrationEngine::dry_run_down`].
    pub async fn plan_down(&self, rollback: &Rollback) -> Result<Plan> {
        self.plan_rollback(rollback, false).await
    }

    /// The plan of `down`, if nothing stands in its way. Changes nothing.
    ///
    /// # Errors
    /// Whatever `down` would refuse before it touches anything.
    pub async fn dry_run_down(&self, rollback: &Rollback) -> Result<Plan> {
        self.plan_rollback(rollback, true).await
    }

    async fn plan_rollback(&self, rollback: &Rollback, checked: bool) -> Result<Plan> {
        let compiler = self.backend.compiler();
        let mut reader = self.backend.read().await?;
        let reader = reader.as_mut();
        let summaries = reader.summaries().await?;
        let tags = chosen(&summaries, rollback)?;
        let mut entries = reader.entries(&EntryQuery::Tags(tags)).await?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
        let mut wanted = Vec::with_capacity(entries.len());
        for entry in entries {
            let operations = way_back_of(&entry)?;
            wanted.push((entry, operations));
        }
        let at_hand = at_hand(reader, compiler, &Scope::All, true).await?;
        let mut schema = at_hand.schema;
        let live = schema.clone();
        let mut planned = Planned::default();
        // What is unfinished goes first, as it does in `down`.
        let (applied, unfinished): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(entry, _)| entry.status == EntryStatus::Applied);
        for (entry, _) in &unfinished {
            if entry.progress.down {
                let mut plan = PlannedMigration::rest_of_rollback(entry, &mut schema)?;
                std::mem::swap(&mut plan.up, &mut plan.down);
                planned.migrations.push(plan);
                continue;
            }
            let undo = undo_of(reader, entry, &entry.frozen()?).await?;
            let ready = as_undone(compiler, entry, undo, &mut schema)?;
            planned.back(compiler, ready, &schema)?;
        }
        for (entry, operations) in &applied {
            if checked && !self.options.force {
                refuse_drift(operations, &at_hand.differences, &entry.tag)?;
            }
            let migration = entry.migration()?;
            let ready = prepare(
                compiler,
                migration,
                operations,
                Direction::Down,
                &mut schema,
            )
            .map_err(|unprepared| {
                unprepared.into_error(compiler.capabilities().title, Some(&entry.tag))
            })?;
            planned.back(compiler, ready, &schema)?;
        }
        if checked {
            refuse_if_rested_on(reader, &summaries, &applied, &schema).await?;
            forbid_loss(&self.options, &planned.prepared)?;
            if unfinished.is_empty() {
                check_guards(reader, &planned.prepared, &live).await?;
            }
        }
        Ok(planned.plan(compiler))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, migration) in self.migrations.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let tag = migration
                .tag
                .as_ref()
                .map_or(migration.name.as_str(), Tag::as_str);
            writeln!(f, "-- {tag} ({})", migration.reversible)?;
            for risk in &migration.risks {
                writeln!(f, "-- risk: {}: {}", risk.risk.kind, risk.risk.message)?;
            }
            for lost in &migration.lost {
                writeln!(f, "-- not brought back: {lost}")?;
            }
            for statement in &migration.up {
                writeln!(f, "{};", statement.statement)?;
            }
            match (migration.reversible, migration.down.is_empty()) {
                (Reversibility::Irreversible, _) => {}
                (_, false) => writeln!(f, "-- the way back")?,
                (_, true) => writeln!(f, "-- the way back: nothing to do")?,
            }
            for statement in &migration.down {
                writeln!(f, "{};", statement.statement)?;
            }
        }
        Ok(())
    }
}
