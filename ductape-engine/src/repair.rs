//! Repair: when the ledger, the files and the database do not agree, a person says what holds, and
//! the ledger follows. Nothing is run.

use crate::backend::Scope;
use crate::engine::{MigrationEngine, unknown_tag};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{
    Entry, EntryQuery, EntryStatus, EntrySummary, LogLine, NATIVE_PREFIX, Progress, Put,
    RECORD_PREFIX, native_key, read_native, read_record, record_key, record_value,
};
use crate::prepare::{Prepared, prepare, row_puts};
use crate::run::{Run, now};
use crate::set::MigrationSet;
use ductape_core::{Direction, Irreversible, Migration, Name, Operation, Schema, Tag};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a person says that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// The edited migration is right: what its file says becomes the ledger's, and its way back is
    /// derived anew.
    Accept(Tag),
    /// The migration is not to count as applied; what it did stays.
    Forget(Tag),
    /// The migration is done already; the record follows.
    MarkApplied(Tag),
    /// Whether the statement in doubt ran.
    Step {
        /// The migration; nothing if only one is in doubt.
        tag: Option<Tag>,
        /// Whether it ran.
        done: bool,
    },
    /// The live schema is right: it becomes the schema on record.
    ToLive,
}

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairReport {
    /// What was repaired, in order.
    pub repaired: Vec<Repaired>,
}

/// One thing that was repaired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// `accept`, `forget`, `markApplied`, `step` or `toLive`.
    pub action: String,
    /// The migration, if it was one.
    pub tag: Option<Tag>,
    /// What was done, in a sentence.
    pub message: String,
}

impl MigrationEngine {
    /// Makes the ledger follow what a person says, one repair after the other, each as a whole, under
    /// the lock and with a line in the log. Runs nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a tag that is not there; [`ErrorKind::Edited`] for an edit that cannot
    /// be accepted; [`ErrorKind::Mismatch`] if there is nothing that the repair could be about.
    pub async fn repair(&self, set: &MigrationSet, repairs: &[Repair]) -> Result<RepairReport> {
        let mut report = RepairReport::default();
        let repaired = &mut report.repaired;
        self.locked(async |run| {
            for repair in repairs {
                repaired.push(run.repair(set, repair).await?);
            }
            Ok(())
        })
        .await?;
        Ok(report)
    }
}

impl Run<'_> {
    async fn repair(&mut self, set: &MigrationSet, repair: &Repair) -> Result<Repaired> {
        match repair {
            Repair::Accept(tag) => self.accept(set, tag).await,
            Repair::Forget(tag) => self.forget(tag).await,
            Repair::MarkApplied(tag) => self.mark_applied(set, tag).await,
            Repair::Step { tag, done } => self.decide_step(tag.as_ref(), *done).await,
            Repair::ToLive => self.record_live().await,
        }
    }

    /// Writes a repair with its line in the log, and clears what was known to be complete.
    async fn put_repair(
        &mut self,
        action: &str,
        tag: Option<&Tag>,
        message: String,
        puts: Vec<Put>,
    ) -> Result<Repaired> {
        let mut all: Vec<Put> = self.clear_head().into_iter().collect();
        all.extend(puts);
        all.push(Put::Log(LogLine {
            at: now(),
            action: "repair".to_owned(),
            tag: tag.map_or_else(String::new, Tag::to_string),
            actor: self.actor.describe(),
            host: self.actor.host.clone(),
            duration_ms: 0,
            detail: Some(format!("{action}: {message}")),
        }));
        self.session.record(&all).await?;
        Ok(repaired(action, tag, message))
    }

    fn summary_of(&self, tag: &Tag) -> Result<EntrySummary> {
        self.entries
            .iter()
            .find(|entry| entry.tag == *tag)
            .cloned()
            .ok_or_else(|| unknown_tag(tag, "the applied migrations"))
    }

    // ---- accept -----------------------------------------------------------------------------------

    async fn accept(&mut self, set: &MigrationSet, tag: &Tag) -> Result<Repaired> {
        let given = given(set, tag)?;
        self.summary_of(tag)?;
        let mut entry = self.entry(tag).await?;
        if entry.checksum == *given.checksum() && entry.migration().is_ok() {
            let message = "it is in the ledger as it is in its file".to_owned();
            return Ok(repaired("accept", Some(tag), message));
        }
        let message = if entry.status == EntryStatus::Applied {
            let down = self.way_back_on_record(&entry, &given).await?;
            let message = match &down {
                Ok(_) => "what its file says is in the ledger now, with its way back".to_owned(),
                Err(why) => {
                    format!("what its file says is in the ledger now, without a way back: {why}")
                }
            };
            entry.name = given.name().to_owned();
            entry.description = given.description().map(str::to_owned);
            entry.checksum = given.checksum().clone();
            entry.migration = given.authored_json();
            entry.down = down_text(down);
            message
        } else {
            // A run that stopped half-way has its own conditions for an edit.
            self.accept_edit(&mut entry, &given).await?;
            "what its file says is in the ledger now; `ductape up` goes on with it".to_owned()
        };
        let puts = vec![Put::Update(entry.clone())];
        let repaired = self.put_repair("accept", Some(tag), message, puts).await?;
        for summary in &mut self.entries {
            if summary.tag == *tag {
                *summary = entry.summary();
            }
        }
        Ok(repaired)
    }

    /// The way back of an applied migration as it is now, derived on the schema before it, which is
    /// that of the record with the later ones and itself taken back.
    async fn way_back_on_record(
        &mut self,
        entry: &Entry,
        given: &Migration,
    ) -> Result<Result<Vec<Operation>, String>> {
        if let Some(written) = given.written_down() {
            return Ok(Ok(written.to_vec()));
        }
        let mut schema = self.at_hand(&Scope::All).await?.schema;
        let later = self.session.entries(&EntryQuery::After(entry.seq)).await?;
        for later in later.iter().rev() {
            if let Err(why) = take_back(later, &mut schema) {
                return Ok(Err(why));
            }
        }
        let after = schema.clone();
        if let Err(why) = take_back(entry, &mut schema) {
            return Ok(Err(why));
        }
        let ready = match self.prepare_given(given, &mut schema) {
            Ok(ready) => ready,
            Err(error) => return Ok(Err(error.details().message.clone())),
        };
        Ok(match ready.way_back {
            Err(irreversible) => Err(irreversible.to_string()),
            Ok(inverse) => {
                let mut sketch = after;
                match apply_all(&inverse.operations, &mut sketch) {
                    Ok(()) => Ok(inverse.operations),
                    Err(why) => Err(format!(
                        "it does not lead back from the schema on record ({why})"
                    )),
                }
            }
        })
    }

    fn prepare_given(&self, given: &Migration, schema: &mut Schema) -> Result<Prepared> {
        let compiler = self.engine.backend.compiler();
        prepare(compiler, given.clone(), given.up(), Direction::Up, schema)
            .map_err(|unprepared| unprepared.into_error(compiler.capabilities().title, given.tag()))
    }

    // ---- forget -----------------------------------------------------------------------------------

    async fn forget(&mut self, tag: &Tag) -> Result<Repaired> {
        let summary = self.summary_of(tag)?;
        let message = match summary.status {
            EntryStatus::Applied => {
                "its entry is gone, and what it did is still there; the schema on record stays"
            }
            EntryStatus::Running | EntryStatus::Failed => {
                "its unfinished entry is gone, and what it did is still there; `ductape verify` tells what that is"
            }
        };
        let puts = vec![Put::Delete { seq: summary.seq }];
        let repaired = self
            .put_repair("forget", Some(tag), message.to_owned(), puts)
            .await?;
        self.entries.retain(|entry| entry.tag != *tag);
        Ok(repaired)
    }

    // ---- mark applied -----------------------------------------------------------------------------

    async fn mark_applied(&mut self, set: &MigrationSet, tag: &Tag) -> Result<Repaired> {
        let given = given(set, tag)?;
        let Some(summary) = self.entries.iter().find(|entry| entry.tag == *tag).cloned() else {
            return self.insert_applied(given, tag).await;
        };
        if summary.checksum != *given.checksum() {
            return Err(Error::of(
                ErrorKind::Edited,
                "it is in the ledger with other operations than its file has",
            )
            .tag(Some(tag))
            .hint(format!(
                "accept the edit first: `ductape repair --accept {tag}`"
            )));
        }
        if summary.status == EntryStatus::Applied {
            let message = "it is applied already".to_owned();
            return Ok(repaired("markApplied", Some(tag), message));
        }
        self.finish_entry(tag).await
    }

    /// An entry of a migration that is done without Ductape, with the record as it leaves it.
    async fn insert_applied(&mut self, given: Migration, tag: &Tag) -> Result<Repaired> {
        let recorded = self.recorded_schema().await?;
        let there = self.at_hand(&Scope::All).await?.schema;
        let follows = "it counts as applied, and the record follows; nothing was run".to_owned();
        let (ready, message) = match self.prepare_recorded(&given, recorded) {
            Ok(ready) => (ready, follows),
            // What it makes is there already, on record or by other hands.
            Err(error) => {
                match self.prepare_recorded(&given, without_what_it_makes(&given, &there)) {
                    Ok(ready) => (ready, follows),
                    Err(_) => {
                        let why = &error.details().message;
                        let message = format!(
                            "it counts as applied, and the record is what the database shows; it has no way back of its own, for on record it does not fit: {why}"
                        );
                        (prepared_as_live(given, &there, why), message)
                    }
                }
            }
        };
        let mut entry = self.new_entry(&ready, tag, EntryStatus::Applied, self.next_seq());
        entry.steps_done = 0;
        entry.steps_total = 0;
        let summary = entry.summary();
        let mut puts = vec![Put::Insert(entry)];
        puts.extend(ready.record_puts());
        let repaired = self
            .put_repair("markApplied", Some(tag), message, puts)
            .await?;
        self.entries.push(summary);
        Ok(repaired)
    }

    async fn recorded_schema(&mut self) -> Result<Schema> {
        let mut schema = Schema::new().of(self.engine.backend.compiler().capabilities().backend);
        for (key, value) in self.session.state(RECORD_PREFIX).await? {
            schema.put(read_record(&key, &value)?);
        }
        for (key, value) in self.session.state(NATIVE_PREFIX).await? {
            schema.put_native(read_native(&key, &value)?);
        }
        Ok(schema)
    }

    /// A migration that is only put on record: with the native definitions as it leaves them.
    fn prepare_recorded(&self, given: &Migration, before: Schema) -> Result<Prepared> {
        let mut after = before.clone();
        let mut ready = self.prepare_given(given, &mut after)?;
        ready.rows.extend(changed_natives(&before, &after));
        Ok(ready)
    }

    /// An unfinished entry that a person finished by hand.
    async fn finish_entry(&mut self, tag: &Tag) -> Result<Repaired> {
        let mut entry = self.entry(tag).await?;
        if entry.progress.down {
            return Err(Error::of(
                ErrorKind::Mismatch,
                "it stopped half-way on the way down, so it cannot count as applied",
            )
            .tag(Some(tag))
            .hint(format!(
                "go on with `ductape down {tag}`, or forget it with `ductape repair --forget {tag}`"
            )));
        }
        let frozen = entry.frozen()?;
        entry.status = EntryStatus::Applied;
        entry.plan = None;
        entry.progress = Progress::default();
        entry.steps_done = entry.steps_total;
        let summary = entry.summary();
        let mut puts = vec![Put::Update(entry)];
        puts.extend(row_puts(&frozen.rows));
        let message = "it counts as applied in full; nothing was run".to_owned();
        let repaired = self
            .put_repair("markApplied", Some(tag), message, puts)
            .await?;
        for known in &mut self.entries {
            if known.tag == *tag {
                *known = summary.clone();
            }
        }
        Ok(repaired)
    }

    // ---- a statement in doubt ---------------------------------------------------------------------

    async fn decide_step(&mut self, tag: Option<&Tag>, done: bool) -> Result<Repaired> {
        let mut unfinished = self.session.entries(&EntryQuery::Unfinished).await?;
        unfinished
            .retain(|entry| entry.progress.started && tag.is_none_or(|tag| entry.tag == *tag));
        let mut entries = unfinished.into_iter();
        let Some(mut entry) = entries.next() else {
            return Err(Error::of(ErrorKind::Mismatch, "no statement is in doubt")
                .tag(tag)
                .hint("see with `ductape status` where each migration stands"));
        };
        if let Some(other) = entries.next() {
            return Err(Error::of(
                ErrorKind::Usage,
                format!("statements of {} and {} are in doubt", entry.tag, other.tag),
            )
            .hint("say of which migration"));
        }
        let frozen = entry.frozen()?;
        let statement = frozen
            .steps
            .get(entry.steps_done as usize)
            .map_or_else(String::new, |step| step.shown().to_string());
        let ran = if done { "ran" } else { "did not run" };
        if done {
            entry.steps_done += 1;
        }
        let way = if entry.progress.down { "down" } else { "up" };
        entry.progress.started = false;
        entry.progress.cursor = None;
        entry.progress.error = Some(format!(
            "the statement in doubt {ran}, as a repair said; `ductape {way}` goes on"
        ));
        let puts = vec![Put::Progress {
            seq: entry.seq,
            status: entry.status,
            steps_done: entry.steps_done,
            progress: entry.progress.clone(),
        }];
        let message = format!("it is settled that it {ran}: {statement}");
        self.put_repair("step", Some(&entry.tag), message, puts)
            .await
    }

    // ---- to live ----------------------------------------------------------------------------------

    async fn record_live(&mut self) -> Result<Repaired> {
        let backend = self.engine.backend.clone();
        let compiler = backend.compiler();
        let live = self.session.introspect(&Scope::All).await?;
        let mut puts = Vec::new();
        let mut names = Vec::new();
        for (key, value) in self.session.state(RECORD_PREFIX).await? {
            let name = key.strip_prefix(RECORD_PREFIX).unwrap_or(&key).to_owned();
            // A record that cannot be read is replaced like one that is wrong.
            let record = read_record(&key, &value).ok();
            let shown = live
                .collections()
                .find(|collection| collection.name.as_str() == name);
            let reconciled = compiler.reconcile(record.as_ref(), shown.map(|c| c.as_ref()));
            if record.is_some() && reconciled.differences.is_empty() {
                continue;
            }
            puts.push(Put::State {
                key,
                value: reconciled.collection.as_ref().map(record_value),
            });
            names.push(name);
        }
        for (key, value) in self.session.state(NATIVE_PREFIX).await? {
            let record = read_native(&key, &value).ok();
            let shown = live.natives().find(|native| native_key(native) == key);
            if record.is_some() && record.as_ref() == shown.map(|native| &**native) {
                continue;
            }
            names.push(key.strip_prefix(NATIVE_PREFIX).unwrap_or(&key).to_owned());
            puts.push(Put::State {
                key,
                value: shown.and_then(|native| serde_json::to_string(&**native).ok()),
            });
        }
        let message = if names.is_empty() {
            "the record is what the database shows".to_owned()
        } else {
            format!(
                "the record is now what the database shows of {}",
                names.join(", ")
            )
        };
        if puts.is_empty() {
            return Ok(repaired("toLive", None, message));
        }
        self.put_repair("toLive", None, message, puts).await
    }
}

fn repaired(action: &str, tag: Option<&Tag>, message: String) -> Repaired {
    Repaired {
        action: action.to_owned(),
        tag: tag.cloned(),
        message,
    }
}

fn given(set: &MigrationSet, tag: &Tag) -> Result<Migration> {
    set.of_tag(tag)
        .map(|migration| migration.clone().with_tag(tag.clone()))
        .ok_or_else(|| unknown_tag(tag, "the given migrations"))
}

/// A schema before a migration that only adds to it; of every other one it cannot be told.
fn without_what_it_makes(given: &Migration, there: &Schema) -> Schema {
    let mut before = there.clone();
    for operation in given.up().iter().rev() {
        let (Operation::CreateCollection(_)
        | Operation::AddField(_)
        | Operation::CreateIndex(_)
        | Operation::AddConstraint(_)) = operation
        else {
            return there.clone();
        };
        let back = operation.inverse_spelled(&before);
        for operation in back.iter().flat_map(|back| &back.operations) {
            // What is not there needs no taking away.
            let _ = operation.apply(&mut before);
        }
    }
    before
}

/// A migration whose way back cannot be derived: what it is about goes on record as it is live.
fn prepared_as_live(given: Migration, there: &Schema, why: &str) -> Prepared {
    let names: BTreeSet<Name> = given.up().iter().flat_map(names_of).collect();
    let rows = names
        .into_iter()
        .map(|name| {
            let value = there.collection(&name).map(|c| record_value(c));
            (record_key(&name), value)
        })
        .collect();
    let way_back = match given.written_down() {
        Some(written) => Ok(ductape_core::Inverse::lossless(written.to_vec())),
        None => Err(Irreversible {
            operation: "a migration that was marked as applied".to_owned(),
            reason: why.to_owned(),
            what_to_supply: "a `down` in its file, and accept it with `ductape repair --accept`"
                .to_owned(),
        }),
    };
    Prepared {
        migration: given,
        direction: Direction::Up,
        resolved: Vec::new(),
        steps: Vec::new(),
        way_back,
        rows,
        followed: false,
    }
}

/// Takes an entry back on the model alone.
fn take_back(entry: &Entry, schema: &mut Schema) -> Result<(), String> {
    let operations = entry
        .way_back()
        .map_err(|error| error.details().message.clone())??;
    apply_all(&operations, schema).map_err(|why| {
        format!(
            "the way back of {} does not fit the schema on record ({why})",
            entry.tag
        )
    })
}

fn apply_all(operations: &[Operation], schema: &mut Schema) -> Result<(), String> {
    for operation in operations {
        operation.apply(schema).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn down_text(down: Result<Vec<Operation>, String>) -> String {
    let value = match down {
        Ok(operations) => serde_json::to_value(operations).unwrap_or_default(),
        Err(why) => serde_json::Value::String(format!("no way back is known: {why}")),
    };
    value.to_string()
}

/// The rows of native definitions that a migration makes, changes or takes away.
fn changed_natives(before: &Schema, after: &Schema) -> Vec<(String, Option<String>)> {
    let mut gone: BTreeSet<String> = before.natives().map(|native| native_key(native)).collect();
    let mut rows = Vec::new();
    for native in after.natives() {
        let key = native_key(native);
        gone.remove(&key);
        if before.native(native) != Some(native) {
            rows.push((key, serde_json::to_string(&**native).ok()));
        }
    }
    rows.extend(gone.into_iter().map(|key| (key, None)));
    rows
}

fn names_of(operation: &Operation) -> Vec<Name> {
    let mut names: Vec<Name> = operation.collection().cloned().into_iter().collect();
    if let Operation::RenameCollection(rename) = operation {
        names.push(rename.to.clone());
    }
    names
}
