//! A run under the lock: what it knows, and units that share one transaction with their ledger rows.

use crate::at_hand::{AtHand, at_hand};
use crate::backend::{Reader, Scope, Session, SessionError, Unit, UnitFailure, lock_lost};
use crate::engine::MigrationEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{
    Entry, EntryStatus, EntrySummary, HEAD_KEY, Head, LEDGER_FORMAT, LastApplied, LogLine,
    Progress, Put, action_word,
};
use crate::lock::Actor;
use crate::observer::Event;
use crate::prepare::Prepared;
use crate::report::{Done, Report};
use crate::set::MigrationSet;
use crate::settle::Unsettled;
use ductape_core::compiler::Guard;
use ductape_core::{Direction, Name, Operation, Schema, Tag};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The version that the ledger tells.
const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A run under the lock.
pub(crate) struct Run<'e> {
    pub engine: &'e MigrationEngine,
    pub actor: Actor,
    pub session: Box<dyn Session>,
    /// The ledger's entries as they are now, in the order of application.
    pub entries: Vec<EntrySummary>,
    pub report: Report,
    /// Whether it is forgotten which sets are complete; once a run is enough.
    pub head_cleared: bool,
    pub unsettled: Unsettled,
    /// What is done, and told once it is durable.
    pub untold: Vec<Event>,
}

impl Run<'_> {
    /// The reading half of the session.
    pub fn reader(&mut self) -> &mut dyn Reader {
        self.session.as_mut()
    }

    pub(crate) fn title(&self) -> &'static str {
        self.engine.backend.compiler().capabilities().title
    }

    /// After a failure the ledger tells what was done: what was still to be committed may be lost.
    pub(crate) async fn keep_to_the_ledger(&mut self) {
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
        let is_gone =
            |tag: &Tag| !there.contains(tag) || applied.iter().any(|again| again.tag == *tag);
        rolled_back.retain(|done| is_gone(&done.tag));
        self.untold.retain(|event| match event {
            Event::Finished { tag, direction, .. } => match direction {
                Direction::Up => there.contains(tag),
                Direction::Down => is_gone(tag),
            },
            _ => true,
        });
        self.tell();
    }

    /// Makes everything durable that was done, and tells it.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.session.flush().await?;
        self.tell();
        Ok(())
    }

    /// Tells what is done, unless it may still be lost. After a failure the ledger tells first what is; see
    /// [`Run::keep_to_the_ledger`].
    pub(crate) fn tell(&mut self) {
        if !self.session.is_waiting() {
            for event in std::mem::take(&mut self.untold) {
                self.notify(event);
            }
        }
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

    pub(crate) async fn remember_complete(&mut self, set: &MigrationSet) -> Result<()> {
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
            last: LastApplied::among(&self.entries),
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

    /// The schema at hand, and where it is not as recorded.
    pub async fn at_hand(&mut self, scope: &Scope) -> Result<AtHand> {
        let backend = self.engine.backend.clone();
        at_hand(self.reader(), backend.compiler(), scope, true).await
    }

    /// Runs a migration with raw statements, and commits it: what a database checks only then is a
    /// failure of this one, and takes no other one back.
    pub(crate) async fn transact_by_itself(&mut self, ready: Prepared) -> Result<()> {
        self.flush().await?;
        self.transact(vec![ready.clone()]).await?;
        match self.session.flush().await {
            Ok(()) => {
                self.tell();
                Ok(())
            }
            Err(SessionError::LockLost) => Err(lock_lost().tag(ready.tag())),
            Err(SessionError::Database(error)) => {
                let failure = UnitFailure::Database { step: None, error };
                Err(self.unit_failed(&ready, failure).await)
            }
        }
    }

    /// Runs migrations that each share one transaction with their ledger rows.
    pub(crate) async fn transact(&mut self, prepared: Vec<Prepared>) -> Result<()> {
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
            (None, _) => {
                self.tell();
                Ok(())
            }
            (Some(failure), Some(ready)) => Err(self.unit_failed(ready, failure).await),
            (Some(_), None) => Err(Error::internal("a unit failed that was not given")),
        }
    }

    /// Notes in memory that a migration is done; it is told with [`Run::tell`].
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
        self.untold.push(Event::Finished {
            tag,
            direction: ready.direction,
            duration_ms,
        });
    }

    /// Tells why a unit failed, and logs it.
    pub(crate) async fn unit_failed(&mut self, ready: &Prepared, failure: UnitFailure) -> Error {
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
}

/// Counts what stands in the way before anything is touched, where nothing that runs before can
/// change the count.
pub(crate) async fn check_guards(
    reader: &mut dyn Reader,
    prepared: &[Prepared],
    live: &Schema,
) -> Result<()> {
    let mut changed = Changed::default();
    for ready in prepared {
        if ready.is_open() {
            return Ok(());
        }
        for (index, step) in ready.steps.iter().enumerate() {
            for guard in &step.guards {
                if changed.decides(guard, live) {
                    continue;
                }
                let answer = reader.check(guard).await?;
                if answer.count > 0 {
                    return Err(guarded(ready, index, guard, &answer));
                }
            }
            let serves = ready.resolved.get(step.serves.clone()).unwrap_or(&[]);
            for resolved in serves {
                changed.by(&resolved.operation);
            }
        }
    }
    Ok(())
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

pub(crate) fn guarded(
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

/// What steps have changed before a guard is asked.
#[derive(Default)]
struct Changed {
    /// The collections whose rows or names may be others.
    collections: BTreeSet<Name>,
    /// The fields that are not there yet.
    added: Vec<(Name, Name)>,
}

impl Changed {
    fn by(&mut self, operation: &Operation) {
        match operation {
            Operation::AddField(add) => {
                self.added
                    .push((add.collection.clone(), add.field.name.clone()));
            }
            // They leave the rows as they are.
            Operation::CreateIndex(_)
            | Operation::DropIndex(_)
            | Operation::AddConstraint(_)
            | Operation::DropConstraint(_)
            | Operation::ModifyCollection(_) => {}
            other => self.collections.extend(other.collection().cloned()),
        }
    }

    /// Whether the answer to a guard's question may be another one after these changes.
    fn decides(&self, guard: &Guard, live: &Schema) -> bool {
        let mut reads = std::iter::once(&guard.collection).chain(&guard.also);
        let question = guard.question.to_string();
        reads.any(|name| {
            let asks = |(collection, field): &(Name, Name)| {
                let plain = ductape_core::expression::is_plain(field.as_str());
                collection == name && (!plain || question.contains(field.as_str()))
            };
            self.collections.contains(name)
                || live.collection(name).is_none()
                || self.added.iter().any(asks)
        })
    }
}
