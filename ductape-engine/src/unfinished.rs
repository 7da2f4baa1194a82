//! What a run left half done: what would undo it, and how it would go on.

use crate::backend::{Reader, Standing};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Entry, EntryStatus, Frozen};
use crate::prepare::{Prepared, prepare};
use ductape_core::{Compiler, Direction, Migration, Operation, Schema, Statement, Step};

/// A rollback that failed is gone on with by `down`, and by nothing else.
pub(crate) fn refuse_failed_rollback(entry: &Entry) -> Result<()> {
    if entry.status != EntryStatus::Failed || !entry.progress.down {
        return Ok(());
    }
    let reason = entry.progress.error.as_deref();
    let reason = reason.unwrap_or("no reason is recorded");
    Err(Error::of(
        ErrorKind::Mismatch,
        format!("its rollback failed half-way: {reason}"),
    )
    .tag(Some(&entry.tag))
    .hint(format!("go on with `ductape down {}`", entry.tag)))
}

/// The migration among the given ones that was edited since the entry was written.
pub(crate) fn edited_since<'m>(entry: &Entry, given: &'m [Migration]) -> Option<&'m Migration> {
    given.iter().find(|migration| {
        migration.tag() == Some(&entry.tag) && *migration.checksum() != entry.checksum
    })
}

/// How many operations an entry has come to, with the one that it is at, if it did anything of it.
async fn reached(reader: &mut dyn Reader, entry: &Entry, frozen: &Frozen) -> Result<usize> {
    let at = entry.steps_done as usize;
    let mut reached = 0;
    for (index, step) in frozen.steps.iter().enumerate().take(at + 1) {
        let mut done = index < at;
        if index == at && entry.progress.started {
            done = match reader.standing(step).await? {
                Standing::Before => false,
                Standing::Unknowable => return Err(undecided().tag(Some(&entry.tag))),
                _ => true,
            };
        }
        if done || index == at && entry.progress.cursor.is_some() {
            reached = reached.max(step.serves.end);
        }
    }
    Ok(reached)
}

/// The operations that undo what an unfinished entry has done, the last first.
///
/// # Errors
/// [`ErrorKind::Irreversible`] if one that was done has no way back, [`ErrorKind::Undecided`] if nothing
/// tells whether it was done.
pub(crate) async fn undo_of(
    reader: &mut dyn Reader,
    entry: &Entry,
    frozen: &Frozen,
) -> Result<Vec<Operation>> {
    let reached = reached(reader, entry, frozen).await?;
    let mut undo = Vec::new();
    for operation in frozen.operations.iter().take(reached).rev() {
        let Some(inverse) = &operation.inverse else {
            let describe = read_operation(&operation.operation)
                .map_or_else(String::new, |operation| operation.describe());
            return Err(Error::of(
                ErrorKind::Irreversible,
                format!("there is no way back from: {describe}"),
            )
            .tag(Some(&entry.tag))
            .hint("mend the cause and go on with `ductape up`"));
        };
        undo.extend(Migration::parse_operations(&inverse.to_string()).map_err(Error::from)?);
    }
    Ok(undo)
}

/// An unfinished entry prepared from its beginning as a migration says it; the schema at hand is
/// afterwards as it leaves it. What was done and has no way back is a raw statement: the model does
/// not know what it did.
async fn from_the_beginning(
    reader: &mut dyn Reader,
    compiler: &dyn Compiler,
    entry: &Entry,
    frozen: &Frozen,
    migration: &Migration,
    schema: &mut Schema,
) -> Result<Prepared> {
    let reached = reached(reader, entry, frozen).await?;
    let mut undo = Vec::new();
    for operation in frozen.operations.iter().take(reached).rev() {
        if let Some(inverse) = &operation.inverse {
            undo.extend(Migration::parse_operations(&inverse.to_string()).map_err(Error::from)?);
        }
    }
    for operation in &undo {
        if operation.apply(schema).is_err() {
            break;
        }
    }
    let up = migration.up();
    prepare(compiler, migration.clone(), up, Direction::Up, schema).map_err(|unprepared| {
        unprepared.into_error(compiler.capabilities().title, Some(&entry.tag))
    })
}

/// An unfinished entry as its edited migration would go on with it; the schema at hand is afterwards
/// as it leaves it.
///
/// # Errors
/// [`ErrorKind::Edited`] if the steps that were done are no longer what it begins with.
pub(crate) async fn as_edited(
    reader: &mut dyn Reader,
    compiler: &dyn Compiler,
    entry: &Entry,
    edited: &Migration,
    schema: &mut Schema,
) -> Result<Prepared> {
    let frozen = entry.frozen()?;
    let done = entry.steps_done as usize;
    let ready = from_the_beginning(reader, compiler, entry, &frozen, edited, schema).await?;
    let statements = |steps: &[Step]| -> Vec<Statement> {
        steps.iter().take(done).map(|s| s.shown().clone()).collect()
    };
    if statements(&ready.steps) == statements(&frozen.steps) {
        return Ok(ready);
    }
    Err(Error::of(
        ErrorKind::Edited,
        format!("it stopped half-way, and the {done} steps that are done are no longer what it begins with"),
    )
    .tag(Some(&entry.tag))
    .differences(crate::verify::edited(entry, edited).into_iter().collect())
    .hint(format!(
        "put back the operations that are done, or undo them with `ductape down {}`",
        entry.tag
    )))
}

/// An unfinished entry as `up` goes on with it, all its steps included; the schema at hand is
/// afterwards as it leaves it.
///
/// # Errors
/// If its rollback failed, its edit is not accepted, or its row is damaged.
pub(crate) async fn as_resumed(
    reader: &mut dyn Reader,
    compiler: &dyn Compiler,
    entry: &Entry,
    given: &[Migration],
    schema: &mut Schema,
) -> Result<Prepared> {
    refuse_failed_rollback(entry)?;
    if let Some(edited) = edited_since(entry, given) {
        return as_edited(reader, compiler, entry, edited, schema).await;
    }
    let frozen = entry.frozen()?;
    let migration = entry.migration()?;
    let mut ready =
        from_the_beginning(reader, compiler, entry, &frozen, &migration, schema).await?;
    // It goes on with the plan that was frozen, whatever is compiled from what is there now.
    ready.steps = frozen.steps;
    Ok(ready)
}

/// The way back of what an unfinished entry has done. What a half-done operation did not come to
/// needs no undoing.
pub(crate) fn as_undone(
    compiler: &dyn Compiler,
    entry: &Entry,
    undo: Vec<Operation>,
    schema: &mut Schema,
) -> Result<Prepared> {
    let mut sketch = schema.clone();
    let fitting: Vec<Operation> = undo
        .into_iter()
        .filter(|operation| operation.apply(&mut sketch).is_ok())
        .collect();
    let migration = entry.migration()?;
    prepare(compiler, migration, &fitting, Direction::Down, schema).map_err(|unprepared| {
        unprepared.into_error(compiler.capabilities().title, Some(&entry.tag))
    })
}

/// What nothing tells, a person must say.
pub(crate) fn undecided() -> Error {
    Error::of(
        ErrorKind::Undecided,
        "the statement was cut off, and nothing tells whether it ran",
    )
    .hint("look, and say it with `ductape repair --step done` or `--step undone`")
}

pub(crate) fn read_operation(value: &serde_json::Value) -> Option<Operation> {
    Migration::parse_operations(&format!("[{value}]"))
        .ok()?
        .into_iter()
        .next()
}
