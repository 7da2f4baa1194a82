//! Whether the database is where its history says, and the schema at hand.

use crate::at_hand::at_hand;
use crate::backend::Scope;
use crate::engine::MigrationEngine;
use crate::error::Result;
use crate::ledger::{Entry, EntryQuery, RECORD_PREFIX, read_record};
use crate::set::MigrationSet;
use crate::status::{MigrationState, MigrationStatus, status_from};
use crate::unfinished::read_operation;
use ductape_core::difference::{Difference, DifferenceKind};
use ductape_core::{Migration, Name, Operation, Schema};
use serde::Serialize;
use serde_json::Value;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether nothing differs.
    pub ok: bool,
    /// Where the database is not as recorded, and where migrations are not as their files have them.
    /// Each message ends with what would mend it.
    pub differences: Vec<Difference>,
    /// Collections that Ductape did not make: no difference.
    pub untracked: Vec<String>,
}

impl MigrationEngine {
    /// Compares the live schema with the schema on record. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn verify(&self) -> Result<Verification> {
        let mut reader = self.backend.read().await?;
        let compiler = self.backend.compiler();
        let at_hand = at_hand(reader.as_mut(), compiler, &Scope::All, true).await?;
        let recorded = reader.state(RECORD_PREFIX).await?;
        let mut names = std::collections::BTreeSet::new();
        for (key, value) in &recorded {
            names.insert(read_record(key, value)?.name);
        }
        let untracked = at_hand
            .schema
            .collections()
            .filter(|collection| !names.contains(&collection.name))
            .map(|collection| collection.name.to_string())
            .collect();
        let unfinished = reader.entries(&EntryQuery::Unfinished).await?;
        let mut differences = at_hand.differences;
        for difference in &mut differences {
            let about = difference.collection.as_ref();
            let left_by = unfinished.iter().find(|entry| touches(entry, about));
            match left_by {
                Some(entry) => difference.message.push_str(&format!(
                    "; {} touched it and is half done: first go on with it with `ductape up`, or undo it with `ductape down {}`",
                    entry.tag, entry.tag
                )),
                None => difference.message.push_str(
                    "; change the database by hand, or take it as the record with `ductape repair --to-live`",
                ),
            }
        }
        Ok(Verification {
            ok: differences.is_empty(),
            differences,
            untracked,
        })
    }

    /// Compares the live schema with the schema on record, and the applied migrations with those of a
    /// set. Changes nothing. A migration that is only pending is no difference.
    ///
    /// # Errors
    /// Like [`MigrationEngine::verify`].
    pub async fn verify_with(&self, set: &MigrationSet) -> Result<Verification> {
        let mut verification = self.verify().await?;
        let mut reader = self.backend.read().await?;
        let summaries = reader.summaries().await?;
        let status = status_from(reader.as_mut(), set, &summaries).await?;
        let entries = reader.entries(&EntryQuery::All).await?;
        let differences = &mut verification.differences;
        differences.extend(entries.iter().filter_map(damage));
        for (index, line) in status.migrations.iter().enumerate() {
            let file = set.migrations().get(index);
            let entry = entries
                .iter()
                .find(|entry| line.tag.as_ref() == Some(&entry.tag));
            differences.extend(against_file(line, entry, file));
        }
        verification.ok = differences.is_empty();
        Ok(verification)
    }

    /// The schema on record. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn recorded_schema(&self) -> Result<Schema> {
        let mut reader = self.backend.read().await?;
        let mut schema = Schema::new().of(self.backend.compiler().capabilities().backend);
        for (key, value) in reader.state(RECORD_PREFIX).await? {
            schema.put(read_record(&key, &value)?);
        }
        Ok(schema)
    }

    /// The live schema, in the normal form of its database. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached.
    pub async fn live_schema(&self) -> Result<Schema> {
        Ok(self.backend.read().await?.introspect(&Scope::All).await?)
    }
}

/// Whether an unfinished entry is about a collection: what differs there may be its own doing.
fn touches(entry: &Entry, collection: Option<&Name>) -> bool {
    // What cannot be read is told as damage.
    let Ok(frozen) = entry.frozen() else {
        return false;
    };
    frozen
        .operations
        .iter()
        .filter_map(|frozen| read_operation(&frozen.operation))
        .any(|operation| match (&operation, collection) {
            (Operation::RenameCollection(rename), Some(name)) if rename.to == *name => true,
            (operation, Some(name)) => operation.collection() == Some(name),
            // A trigger or a view: only a raw statement may have made it.
            (operation, None) => matches!(operation, Operation::Raw(_) | Operation::Restore(_)),
        })
}

/// A row of the ledger that cannot be read.
fn damage(entry: &Entry) -> Option<Difference> {
    let error = entry.migration().err()?;
    Some(Difference {
        kind: DifferenceKind::Damaged,
        collection: None,
        path: entry.tag.to_string(),
        recorded: Value::Null,
        live: Value::Null,
        message: format!(
            "{}: {}; restore the row from a backup, or take what its file says with `ductape repair --accept {}`",
            entry.tag,
            error.details().message,
            entry.tag
        ),
    })
}

/// How a migration in the ledger is not as its file has it, or a file not as the ledger.
fn against_file(
    line: &MigrationStatus,
    entry: Option<&Entry>,
    file: Option<&Migration>,
) -> Option<Difference> {
    let tag = line.tag.as_ref()?;
    let detail = line.detail.as_deref().unwrap_or("it was cut off");
    let (kind, message) = match line.state {
        MigrationState::Applied | MigrationState::Pending => return None,
        MigrationState::Edited => return edited(entry?, file?),
        MigrationState::Missing => (
            DifferenceKind::Missing,
            format!(
                "{tag} is applied, and has no file; what it said is shown by `ductape show {tag}`; bring the file back, or take its entry away with `ductape repair --forget {tag}`"
            ),
        ),
        MigrationState::OutOfOrder => (
            DifferenceKind::OutOfOrder,
            format!(
                "{tag} is pending, and older than the last applied one; apply it all the same with `ductape up --out-of-order`, or give it a later tag"
            ),
        ),
        MigrationState::Failed => (
            DifferenceKind::Failed,
            if entry.is_some_and(|entry| entry.progress.started) {
                format!(
                    "{tag} stopped half-way, {detail}; whether the statement under way ran is settled by `ductape up`, or where nothing tells by `ductape repair --step`"
                )
            } else {
                format!(
                    "{tag} stopped half-way, {detail}; go on with `ductape up`, or undo it with `ductape down {tag}`"
                )
            },
        ),
    };
    Some(Difference {
        kind,
        collection: None,
        path: tag.to_string(),
        recorded: entry.map_or(Value::Null, |entry| authored(&entry.migration)),
        live: file
            .filter(|file| Some(file.checksum()) != entry.map(|entry| &entry.checksum))
            .map_or(Value::Null, |file| operations(file.up())),
        message,
    })
}

/// How an edited migration is not what was applied, as operations.
pub(crate) fn edited(entry: &Entry, file: &Migration) -> Option<Difference> {
    let tag = &entry.tag;
    // What cannot be read is told as damage.
    let applied = entry.migration().ok()?;
    let (was, is) = unlike(applied.up(), file.up());
    let told = if was.is_empty() && is.is_empty() {
        "its written way back is another one than when it was applied".to_owned()
    } else {
        format!(
            "it was applied with {}, and its file has {}",
            described(was),
            described(is)
        )
    };
    Some(Difference {
        kind: DifferenceKind::Edited,
        collection: None,
        path: tag.to_string(),
        recorded: operations(was),
        live: operations(is),
        message: format!(
            "{tag}: {told}; put the file back and write the change as a new migration, or accept it with `ductape repair --accept {tag}`"
        ),
    })
}

/// What is left of two lists without what they begin and end with in common.
fn unlike<'o>(a: &'o [Operation], b: &'o [Operation]) -> (&'o [Operation], &'o [Operation]) {
    let begin = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(begin..).unwrap_or(&[]), b.get(begin..).unwrap_or(&[]));
    let end = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let until = |list: &'o [Operation]| list.get(..list.len() - end).unwrap_or(&[]);
    (until(a), until(b))
}

fn described(operations: &[Operation]) -> String {
    if operations.is_empty() {
        return "nothing in that place".to_owned();
    }
    let each: Vec<String> = operations.iter().map(Operation::describe).collect();
    format!("\"{}\"", each.join(", "))
}

fn operations(operations: &[Operation]) -> Value {
    serde_json::to_value(operations).unwrap_or(Value::Null)
}

fn authored(migration: &str) -> Value {
    serde_json::from_str::<Value>(migration)
        .ok()
        .and_then(|mut value| value.get_mut("up").map(Value::take))
        .unwrap_or(Value::Null)
}
