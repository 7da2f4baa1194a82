//! Plans: what `up` or `down` would run, with nothing changed.

use crate::at_hand::{at_hand, scope_of};
use crate::backend::Scope;
use crate::engine::{Extent, MigrationEngine, Rollback, as_operations, match_set, unknown_tag};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{EntryQuery, EntryStatus};
use crate::prepare::{Prepared, Unprepared, prepare, refuse_temporary};
use crate::set::MigrationSet;
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
    let mut planned = Vec::with_capacity(migrations.len());
    let mut open = false;
    for migration in migrations {
        let ready = prepare(
            compiler,
            migration.clone(),
            migration.up(),
            Direction::Up,
            schema,
        );
        let ready = match ready {
            Ok(ready) => ready,
            Err(Unprepared::Misfit(error)) if open => {
                planned.push(PlannedMigration::unknown(migration, &error));
                continue;
            }
            Err(unprepared) => {
                let title = compiler.capabilities().title;
                return Err(unprepared.into_error(title, migration.tag()));
            }
        };
        open |= ready.is_open();
        planned.push(PlannedMigration::of(compiler, &ready, schema)?);
    }
    Ok(Plan {
        backend: compiler.capabilities().backend,
        migrations: planned,
    })
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

    /// What `up` would run for a set. Changes nothing.
    ///
    /// # Errors
    /// Whatever `up` would refuse before it touches anything.
    pub async fn plan_all(&self, set: &MigrationSet, extent: &Extent) -> Result<Plan> {
        if let Extent::To(tag) = extent
            && !set.migrations().iter().any(|m| m.tag() == Some(tag))
        {
            return Err(unknown_tag(tag, "the given migrations"));
        }
        set.validate()?;
        let compiler = self.backend.compiler();
        let mut reader = self.backend.read().await?;
        let entries = reader.summaries().await?;
        let matched = match match_set(set, &entries) {
            Ok(matched) => matched,
            Err(error) => return Err(as_operations(error, set, reader.as_mut()).await),
        };
        let mut pending = Vec::new();
        for (migration, applied) in set.migrations().iter().zip(&matched) {
            if applied.is_none() {
                pending.push(migration.clone());
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
        refuse_temporary(compiler, &pending)?;
        let scope = scope_of(pending.iter().flat_map(|m| m.up()));
        let mut schema = at_hand(reader.as_mut(), compiler, &scope, true)
            .await?
            .schema;
        plan_on(compiler, &pending, &mut schema)
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
    /// Whatever `down` would refuse before it touches anything.
    pub async fn plan_down(&self, rollback: &Rollback) -> Result<Plan> {
        let compiler = self.backend.compiler();
        let mut reader = self.backend.read().await?;
        let mut entries = reader.entries(&EntryQuery::All).await?;
        entries.reverse();
        match rollback {
            Rollback::Last(count) => entries.truncate(*count),
            Rollback::To(tag) => {
                let place = entries
                    .iter()
                    .position(|entry| entry.tag == *tag)
                    .ok_or_else(|| unknown_tag(tag, "the applied migrations"))?;
                entries.truncate(place);
            }
            Rollback::Tags(tags) => entries.retain(|entry| tags.contains(&entry.tag)),
        }
        let mut schema = at_hand(reader.as_mut(), compiler, &Scope::All, true)
            .await?
            .schema;
        let mut planned = Vec::with_capacity(entries.len());
        for entry in &entries {
            let operations = entry.way_back()?.map_err(|reason| {
                Error::of(ErrorKind::Irreversible, reason).tag(Some(&entry.tag))
            })?;
            let ready = prepare(
                compiler,
                entry.migration()?,
                &operations,
                Direction::Down,
                &mut schema,
            )
            .map_err(|unprepared| {
                unprepared.into_error(compiler.capabilities().title, Some(&entry.tag))
            })?;
            let mut plan = PlannedMigration::of(compiler, &ready, &schema)?;
            // What would run stands under `down`, and what would bring it back under `up`.
            std::mem::swap(&mut plan.up, &mut plan.down);
            planned.push(plan);
        }
        Ok(Plan {
            backend: compiler.capabilities().backend,
            migrations: planned,
        })
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
