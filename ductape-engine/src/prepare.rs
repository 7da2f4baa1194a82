//! Preparing a migration: resolved, compiled, and with what the ledger will say of it.

use crate::at_hand::touched;
use crate::engine::EngineOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Frozen, FrozenOperation, Put, record_key, record_value, respell_key};
use ductape_core::compiler::{Action, Atomicity};
use ductape_core::operation::{CreateCollection, Naming};
use ductape_core::operation::{SchemaError, SchemaErrorKind};
use ductape_core::schema::Constraint;
use ductape_core::{
    Collection, Compiler, Context, Direction, Inverse, Irreversible, Migration, Name, Operation,
    Refusal, ResolveError, Resolved, RiskKind, Schema, Step, Tag, resolve, way_back,
};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A migration, ready to run one way.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub migration: Migration,
    pub direction: Direction,
    pub resolved: Vec<Resolved>,
    pub steps: Vec<Step>,
    /// What undoes it (on the way up), or why nothing does.
    pub way_back: Result<Inverse, Irreversible>,
    /// The rows of the state when it is done: the collections that it may change, and what is left to
    /// do to the record.
    pub rows: Vec<(String, Option<String>)>,
    /// Whether the record must follow what it did, because the model alone does not tell.
    pub followed: bool,
}

/// Why a migration could not be prepared.
#[derive(Debug)]
pub(crate) enum Unprepared {
    /// An operation does not fit the schema.
    Misfit(Error),
    /// The database cannot do some operations.
    Refused(Vec<Refusal>),
}

impl Unprepared {
    pub fn into_error(self, title: &str, tag: Option<&Tag>) -> Error {
        match self {
            Unprepared::Misfit(error) => error.tag(tag),
            Unprepared::Refused(refusals) => Error::unsupported(title, &refusals).tag(tag),
        }
    }
}

/// Prepares the operations of one way; the schema is afterwards as they leave it.
pub(crate) fn prepare(
    compiler: &dyn Compiler,
    migration: Migration,
    operations: &[Operation],
    direction: Direction,
    schema: &mut Schema,
) -> Result<Prepared, Unprepared> {
    let before = schema.clone();
    let naming = compiler.capabilities().naming();
    let mut operations = Cow::Borrowed(operations);
    if direction == Direction::Up {
        adopt(compiler, &mut operations, schema);
    }
    schema.set_way_back(direction == Direction::Down);
    let resolved = resolve(&operations, schema, &naming);
    schema.set_way_back(false);
    let resolved = resolved.map_err(|e| Unprepared::Misfit(misfit(e)))?;
    let steps = compiler
        .compile(&resolved, &Context::new(direction))
        .map_err(|refusals| {
            *schema = before.clone();
            Unprepared::Refused(refusals)
        })?;
    let way_back = match migration.written_down() {
        Some(written) if direction == Direction::Up => Ok(written_way_back(written, &resolved)),
        _ => way_back(&resolved),
    };
    let mut rows = Vec::new();
    for name in touched(&resolved) {
        let collection = schema.collection(&name);
        rows.push((record_key(&name), collection.map(|c| record_value(c))));
        if compiler.capabilities().respells_expressions
            && collection.is_some_and(|c| c.expressions().next().is_some())
        {
            rows.push((respell_key(&name), Some(String::new())));
        }
    }
    let followed = resolved
        .iter()
        .any(|r| matches!(r.operation, Operation::Raw(_) | Operation::Restore(_)))
        || resolved.iter().any(|r| {
            let collection = r.operation.collection();
            collection.is_some_and(|name| r.before.has_heirs(name))
        })
        || steps.iter().any(Step::is_open)
        || !before.natives().eq(schema.natives());
    Ok(Prepared {
        migration,
        direction,
        resolved,
        steps,
        way_back,
        rows,
        followed,
    })
}

/// What a migration makes may be there already. Where this database cannot tell the two apart, or only
/// names differ that nobody gave, it is the same: the schema and the operations then say it alike.
fn adopt(compiler: &dyn Compiler, operations: &mut Cow<'_, [Operation]>, schema: &mut Schema) {
    let naming = compiler.capabilities().naming();
    for place in 0..operations.len() {
        let Some((earlier, [Operation::CreateCollection(create), ..])) =
            operations.split_at_checked(place)
        else {
            continue;
        };
        // What is there by then is another one, if any is.
        if earlier
            .iter()
            .any(|earlier| may_touch(earlier, &create.name))
        {
            continue;
        }
        let (Some(existing), Ok(made)) = (
            schema.collection(&create.name).cloned(),
            create.made(schema, &naming),
        ) else {
            continue;
        };
        if *existing == made {
            continue;
        }
        let alike = named_as(&made, &existing, &naming);
        let mut spelled = CreateCollection::of(&alike);
        spelled.allow.clone_from(&create.allow);
        Arc::make_mut(&mut spelled.options).sql.if_not_exists = create.options.sql.if_not_exists;
        if let Some(operation) = operations.to_mut().get_mut(place) {
            *operation = spelled.into();
        }
        if compiler.normalize(&alike) == compiler.normalize(&existing) {
            schema.put(alike);
        }
    }
}

/// Whether a collection may be another one after an operation.
fn may_touch(operation: &Operation, collection: &Name) -> bool {
    match operation {
        Operation::Raw(_) | Operation::Restore(_) => true,
        Operation::RenameCollection(rename) if rename.to == *collection => true,
        operation => operation.collection() == Some(collection),
    }
}

/// A collection with the names of the existing one for constraints and indexes that were given none.
fn named_as(made: &Collection, existing: &Collection, naming: &Naming) -> Collection {
    let mut alike = made.clone();
    let mut constraints: Vec<Constraint> = alike.constraints.iter().cloned().collect();
    for constraint in &mut constraints {
        let nobody_gave = (0..3).any(|number| {
            let name = naming.fit(constraint.made_name(&made.name, number));
            constraint.name.as_ref() == Some(&name)
        });
        let there = existing.constraints.iter().find(|there| {
            there.rule == constraint.rule && there.deferrable == constraint.deferrable
        });
        if let (true, Some(there)) = (nobody_gave, there) {
            constraint.name.clone_from(&there.name);
        }
    }
    constraints.sort_by(|a, b| a.name.cmp(&b.name));
    alike.constraints = constraints.into();
    alike
}

/// Refuses a temporary collection: it ends with its session, and a ledger that still had it would not
/// tell the truth.
pub(crate) fn refuse_temporary<'m>(
    compiler: &dyn Compiler,
    migrations: impl IntoIterator<Item = &'m Migration>,
) -> Result<()> {
    if !compiler.capabilities().backend.takes_sql_options() {
        return Ok(());
    }
    for migration in migrations {
        for operation in migration.up() {
            if let Operation::CreateCollection(create) = operation
                && create.options.sql.temporary
            {
                return Err(Error::of(
                    ErrorKind::Refused,
                    "a temporary collection ends with its session and cannot be tracked",
                )
                .tag(migration.tag())
                .operation(operation.describe())
                .hint("leave out temporary, or make it where it is used"));
            }
        }
    }
    Ok(())
}

/// Refuses what loses data, where that is forbidden.
pub(crate) fn forbid_loss(options: &EngineOptions, prepared: &[Prepared]) -> Result<()> {
    if !options.forbid_data_loss {
        return Ok(());
    }
    for ready in prepared {
        for resolved in &ready.resolved {
            let risks = resolved.operation.risks(&resolved.before);
            let loss = risks.iter().find(|risk| risk.kind == RiskKind::DataLoss);
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

/// A written way back is used as it is. It loses what the derived one would lose, unless nothing could
/// be derived.
fn written_way_back(written: &[Operation], resolved: &[Resolved]) -> Inverse {
    let mut back = Inverse::lossless(written.to_vec());
    for inverse in resolved.iter().filter_map(|r| r.inverse.as_ref().ok()) {
        back.lost.extend(inverse.lost.iter().cloned());
    }
    back
}

/// An operation that does not fit the database at hand, as an error.
fn misfit(error: ResolveError) -> Error {
    let ResolveError {
        describe,
        error: SchemaError {
            kind,
            message,
            hint,
        },
        ..
    } = error;
    let mut result = match kind {
        SchemaErrorKind::AlreadyExists { same } => {
            let mut error = Error::of(ErrorKind::AlreadyExists, message);
            if let Error::AlreadyExists { same: told, .. } = &mut error {
                *told = same;
            }
            error
        }
        SchemaErrorKind::Depended => Error::of(ErrorKind::Refused, message),
        _ => Error::of(ErrorKind::Mismatch, message),
    };
    result.details_mut().hint =
        hint.or_else(|| Some("see the schema at hand with `ductape schema --live`".to_owned()));
    result.operation(describe)
}

impl Prepared {
    pub fn tag(&self) -> Option<&Tag> {
        self.migration.tag()
    }

    /// Whether all of it can share one transaction with the ledger.
    pub fn is_transactional(&self) -> bool {
        let mut setting = None;
        self.steps
            .iter()
            .all(|step| match (&step.action, &step.atomicity) {
                (Action::Data(_), _) | (_, Atomicity::Alone) => false,
                (_, Atomicity::Joins { setting: None }) => true,
                (_, Atomicity::Joins { setting: Some(own) }) => *setting.get_or_insert(own) == own,
            })
    }

    /// Whether the model is open after it until the catalog's mark tells: after raw statements, where native
    /// definitions follow a new name or another type, which they do in the database's own way, and where
    /// something comes back as far as rows allow.
    pub fn is_open(&self) -> bool {
        let step = self.steps.iter().any(Step::is_open);
        step || self.resolved.iter().any(|r| match &r.operation {
            Operation::Raw(_) | Operation::Restore(_) => true,
            Operation::RenameCollection(rename) => {
                r.before.natives_about(&rename.from).next().is_some()
            }
            Operation::RenameField(rename) => {
                r.before.natives_about(&rename.collection).next().is_some()
            }
            Operation::ModifyField(modify) => {
                r.before.natives_about(&modify.collection).next().is_some()
            }
            _ => false,
        })
    }

    /// The way back as the ledger keeps it: operations, or the reason why there is none.
    pub fn down_json(&self) -> String {
        let value = match &self.way_back {
            Ok(inverse) => serde_json::to_value(&inverse.operations).unwrap_or_default(),
            Err(irreversible) => Value::String(irreversible.to_string()),
        };
        value.to_string()
    }

    /// The writes that put the changed collections on record.
    pub fn record_puts(&self) -> Vec<Put> {
        row_puts(&self.rows)
    }

    /// The plan as the ledger freezes it.
    pub fn freeze(&self) -> Frozen {
        let value = |operations: &[Operation]| serde_json::to_value(operations).unwrap_or_default();
        Frozen {
            operations: self
                .resolved
                .iter()
                .map(|resolved| FrozenOperation {
                    operation: serde_json::to_value(&resolved.operation).unwrap_or_default(),
                    inverse: resolved
                        .inverse
                        .as_ref()
                        .ok()
                        .map(|inverse| value(&inverse.operations)),
                })
                .collect(),
            steps: self.steps.clone(),
            rows: self.rows.clone(),
        }
    }

    /// What a step does, for people.
    pub fn describe_step(&self, step: usize) -> Option<String> {
        let serves = self.steps.get(step)?.serves.start;
        Some(self.resolved.get(serves)?.operation.describe())
    }
}

/// The writes of rows of the state.
pub(crate) fn row_puts(rows: &[(String, Option<String>)]) -> Vec<Put> {
    rows.iter()
        .map(|(key, value)| Put::State {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}
