//! Journaled runs: what cannot share one transaction with the ledger is recorded step by step, and
//! a run that was killed or failed is taken up again from there.

use crate::backend::{Advance, Outcome, Standing, Unit, UnitFailure, lock_lost};
use crate::error::{DbError, Error, ErrorKind, Result};
use crate::ledger::{Entry, EntryQuery, EntryStatus, Frozen, Progress, Put, action_word};
use crate::observer::Event;
use crate::prepare::{Prepared, forbid_loss, row_puts};
use crate::run::Run;
use crate::unfinished::{
    as_edited, as_undone, edited_since, read_operation, refuse_failed_rollback, undecided, undo_of,
};
use ductape_core::compiler::{Action, Atomicity, Mark, Setting, Target};
use ductape_core::{Direction, Migration, Step};
use std::time::Instant;

impl Run<'_> {
    /// Runs a migration step by step: intent first, then each step.
    pub(crate) async fn run_journaled(&mut self, ready: Prepared) -> Result<()> {
        let Some(tag) = ready.tag().cloned() else {
            return Err(Error::internal("a migration without a tag is about to run"));
        };
        let frozen = ready.freeze();
        let mut puts: Vec<Put> = self.clear_head().into_iter().collect();
        let entry = match ready.direction {
            Direction::Up => {
                let mut entry = self.new_entry(&ready, &tag, EntryStatus::Running, self.next_seq());
                entry.steps_done = 0;
                entry.plan = serde_json::to_string(&frozen).ok();
                puts.push(Put::Insert(entry.clone()));
                entry
            }
            Direction::Down => {
                let mut entry = self.entry(&tag).await?;
                entry.status = EntryStatus::Running;
                entry.plan = serde_json::to_string(&frozen).ok();
                entry.progress = Progress {
                    down: true,
                    ..Progress::default()
                };
                entry.steps_done = 0;
                entry.steps_total = frozen.steps.len() as u32;
                puts.push(Put::Update(entry.clone()));
                entry
            }
        };
        self.session.record(&puts).await?;
        self.notify(Event::Started {
            tag,
            direction: ready.direction,
            resumed: false,
        });
        self.go_on(entry, frozen, ready).await
    }

    pub(crate) async fn entry(&mut self, tag: &ductape_core::Tag) -> Result<Entry> {
        self.session
            .entries(&EntryQuery::Tags(vec![tag.clone()]))
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| Error::internal(format!("the entry of {tag} is gone")))
    }

    /// Finishes what an earlier run left half done, in the direction in which it went.
    pub(crate) async fn finish_unfinished(&mut self, given: &[Migration]) -> Result<()> {
        let unfinished = self
            .entries
            .iter()
            .any(|entry| entry.status != EntryStatus::Applied);
        if !unfinished {
            return Ok(());
        }
        for mut entry in self.session.entries(&EntryQuery::Unfinished).await? {
            refuse_failed_rollback(&entry)?;
            let edited = edited_since(&entry, given);
            if let Some(edited) = edited {
                self.accept_edit(&mut entry, edited).await?;
            }
            self.resume(entry).await?;
        }
        Ok(())
    }

    /// Takes an unfinished entry up again.
    async fn resume(&mut self, mut entry: Entry) -> Result<()> {
        let frozen = entry.frozen()?;
        let direction = if entry.progress.down {
            Direction::Down
        } else {
            Direction::Up
        };
        self.notify(Event::Started {
            tag: entry.tag.clone(),
            direction,
            resumed: true,
        });
        entry.status = EntryStatus::Running;
        let ready = Prepared {
            migration: entry.migration()?,
            direction,
            resolved: Vec::new(),
            steps: frozen.steps.clone(),
            way_back: entry
                .way_back()?
                .map(ductape_core::Inverse::lossless)
                .map_err(|reason| ductape_core::Irreversible {
                    operation: String::new(),
                    reason,
                    what_to_supply: String::new(),
                }),
            rows: Vec::new(),
            followed: false,
        };
        self.go_on(entry, frozen, ready).await
    }

    /// Goes through the steps that are not done yet.
    async fn go_on(&mut self, mut entry: Entry, frozen: Frozen, ready: Prepared) -> Result<()> {
        let started = Instant::now();
        let total = frozen.steps.len();
        loop {
            let done = entry.steps_done as usize;
            let Some(step) = frozen.steps.get(done) else {
                break;
            };
            if let Err(interrupted) = self.check_interrupt() {
                self.session.flush().await?;
                return Err(interrupted.tag(Some(&entry.tag)));
            }
            let next = match (&step.action, &step.atomicity) {
                (Action::Data(_), _) => self.work(&mut entry, step).await.map(|()| done + 1),
                (Action::Statement(_), Atomicity::Alone) => {
                    self.stand_alone(&mut entry, step).await.map(|()| done + 1)
                }
                (Action::Statement(_), Atomicity::Joins { .. }) => {
                    self.together(&mut entry, &frozen.steps, done).await
                }
            };
            match next {
                Ok(next) => {
                    entry.steps_done = next as u32;
                    entry.progress.started = false;
                    entry.progress.cursor = None;
                    self.notify(Event::Step {
                        tag: entry.tag.clone(),
                        done: next,
                        total,
                    });
                }
                Err(error) => return Err(self.fail(&mut entry, &frozen, error).await),
            }
        }
        self.complete(entry, &frozen, &ready, started.elapsed().as_millis() as u64)
            .await
    }

    fn progress_put(entry: &Entry, steps_done: usize, progress: Progress) -> Put {
        Put::Progress {
            seq: entry.seq,
            status: EntryStatus::Running,
            steps_done: steps_done as u32,
            progress,
        }
    }

    /// Steps that share a transaction, with the record that they are done.
    async fn together(
        &mut self,
        entry: &mut Entry,
        steps: &[Step],
        from: usize,
    ) -> Result<usize, Failure> {
        let mut setting: Option<&Setting> = None;
        let count = steps
            .iter()
            .skip(from)
            .take_while(|step| match (&step.action, &step.atomicity) {
                (Action::Statement(_), Atomicity::Joins { setting: None }) => true,
                (Action::Statement(_), Atomicity::Joins { setting: Some(own) }) => {
                    *setting.get_or_insert(own) == own
                }
                _ => false,
            })
            .count();
        let to = from + count;
        let progress = Progress {
            down: entry.progress.down,
            ..Progress::default()
        };
        let unit = Unit {
            steps: steps.get(from..to).unwrap_or(&[]).to_vec(),
            puts: vec![Self::progress_put(entry, to, progress)],
        };
        let failure = self.session.transact(std::slice::from_ref(&unit)).await.1;
        match failure {
            None => {
                self.session.flush().await?;
                Ok(to)
            }
            Some(UnitFailure::LockLost) => Err(Failure::LockLost),
            Some(UnitFailure::Unknown(error)) => Err(Failure::Unknown(error)),
            Some(UnitFailure::Database { step, error }) => Err(Failure::Step {
                step: from + step.unwrap_or(count.saturating_sub(1)),
                error: error.into(),
            }),
            Some(UnitFailure::Guarded {
                step,
                guard,
                answer,
            }) => Err(
                match unit.steps.get(step).and_then(|s| s.guards.get(guard)) {
                    Some(guard) => Failure::Step {
                        step: from + step,
                        error: in_the_way(guard, &answer),
                    },
                    None => Failure::Step {
                        step: from + step,
                        error: Error::internal("a guard failed that was not given"),
                    },
                },
            ),
        }
    }

    /// A step that stands alone: the record that it starts, the step, the record that it is done.
    async fn stand_alone(&mut self, entry: &mut Entry, step: &Step) -> Result<(), Failure> {
        let done = entry.steps_done as usize;
        let was_started = entry.progress.started;
        let mut progress = Progress {
            down: entry.progress.down,
            started: true,
            ..Progress::default()
        };
        let mut run = true;
        if was_started {
            let mark = entry.progress.mark.clone();
            run = self.settle(step, done, mark.as_deref(), None).await?;
        } else {
            if step.is_raw() {
                progress.mark = self.session.catalog_mark().await?;
                entry.progress.mark.clone_from(&progress.mark);
            }
            self.session
                .record(&[Self::progress_put(entry, done, progress.clone())])
                .await?;
            entry.progress.started = true;
        }
        if run {
            self.ask(step, done).await?;
            let mut attempts = 0;
            loop {
                match self.session.run(step).await {
                    Outcome::Applied => break,
                    Outcome::LockLost => return Err(Failure::LockLost),
                    Outcome::NotApplied(error) => {
                        // Some databases refuse what is done already: look before believing it.
                        if self.session.standing(step).await? == Standing::After {
                            break;
                        }
                        return Err(Failure::Step {
                            step: done,
                            error: error.into(),
                        });
                    }
                    Outcome::Unknown(error) => {
                        attempts += 1;
                        let last = (attempts >= 3).then_some(error);
                        let mark = entry.progress.mark.clone();
                        if !self.settle(step, done, mark.as_deref(), last).await? {
                            break;
                        }
                    }
                }
            }
            self.wait_until_done(step, done).await?;
        }
        progress.started = false;
        progress.mark = None;
        self.session
            .record(&[Self::progress_put(entry, done + 1, progress)])
            .await?;
        Ok(())
    }

    /// A statement may answer before the database is done: an index that is still being built.
    async fn wait_until_done(&mut self, step: &Step, number: usize) -> Result<(), Failure> {
        if step.effects.is_empty() {
            return Ok(());
        }
        while self.session.standing(step).await? == Standing::InProgress {
            self.check_interrupt().map_err(|error| Failure::Step {
                step: number,
                error,
            })?;
            let interval = self.session.poll_interval();
            self.session.sleep(interval).await;
        }
        Ok(())
    }

    /// Settles by looking whether a step that was started must be run. `mark` is the catalog's before
    /// it, and `last` the error of the last attempt that is made.
    async fn settle(
        &mut self,
        step: &Step,
        number: usize,
        mark: Option<&str>,
        last: Option<DbError>,
    ) -> Result<bool, Failure> {
        loop {
            let standing = match self.session.standing(step).await? {
                Standing::Unknowable => {
                    let now = self.session.catalog_mark().await?;
                    by_the_mark(step, mark, now.as_deref())
                }
                standing => standing,
            };
            match standing {
                Standing::After => return Ok(false),
                Standing::Before => {
                    return match last {
                        Some(error) => Err(Failure::Step {
                            step: number,
                            error: error.into(),
                        }),
                        None => Ok(true),
                    };
                }
                Standing::InProgress => {
                    self.check_interrupt().map_err(|error| Failure::Step {
                        step: number,
                        error,
                    })?;
                    let interval = self.session.poll_interval();
                    self.session.sleep(interval).await;
                }
                Standing::Partial { clean } => {
                    for step in &clean {
                        match self.session.run(step).await {
                            Outcome::Applied => {}
                            Outcome::LockLost => return Err(Failure::LockLost),
                            Outcome::NotApplied(error) | Outcome::Unknown(error) => {
                                return Err(Failure::Step {
                                    step: number,
                                    error: error.into(),
                                });
                            }
                        }
                    }
                    return Ok(true);
                }
                Standing::Foreign { shows } => {
                    return Err(Failure::Step {
                        step: number,
                        error: Error::of(
                            ErrorKind::Drift,
                            format!("the database shows neither what was before the step nor what is after it: {shows}"),
                        )
                        .hint("somebody else was there; mend it, then run again"),
                    });
                }
                Standing::Unknowable => {
                    return Err(Failure::Step {
                        step: number,
                        error: undecided(),
                    });
                }
            }
        }
    }

    /// Asks whether rows stand in the way of a step.
    async fn ask(&mut self, step: &Step, number: usize) -> Result<(), Failure> {
        for guard in &step.guards {
            let answer = self.session.check(guard).await?;
            if answer.count > 0 {
                return Err(Failure::Step {
                    step: number,
                    error: in_the_way(guard, &answer),
                });
            }
        }
        Ok(())
    }

    /// Data work, batch by batch.
    async fn work(&mut self, entry: &mut Entry, step: &Step) -> Result<(), Failure> {
        let Action::Data(job) = &step.action else {
            return Ok(());
        };
        let done = entry.steps_done as usize;
        self.session.flush().await?;
        let mut cursor = entry.progress.cursor.clone();
        if cursor.is_none() {
            // Later the answer would be about rows that are done.
            self.ask(step, done).await?;
        }
        loop {
            self.check_interrupt()
                .map_err(|error| Failure::Step { step: done, error })?;
            let advance = self
                .session
                .advance(entry.seq, job, cursor.as_deref())
                .await?;
            let (rows, next) = match advance {
                Advance::More { cursor, rows } => (rows, Some(cursor)),
                Advance::Done { rows } => (rows, None),
            };
            self.notify(Event::Batch {
                tag: entry.tag.clone(),
                rows,
            });
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let progress = Progress {
            down: entry.progress.down,
            ..Progress::default()
        };
        self.session
            .record(&[Self::progress_put(entry, done + 1, progress)])
            .await?;
        Ok(())
    }

    /// Records that a journaled migration is done, with what the ledger will say of it from now on.
    async fn complete(
        &mut self,
        mut entry: Entry,
        frozen: &Frozen,
        ready: &Prepared,
        duration_ms: u64,
    ) -> Result<()> {
        let direction = ready.direction;
        let mut puts = Vec::new();
        let summary = match direction {
            Direction::Up => {
                entry.status = EntryStatus::Applied;
                entry.plan = None;
                entry.progress = Progress::default();
                entry.duration_ms = duration_ms;
                let summary = entry.summary();
                puts.push(Put::Update(entry.clone()));
                Some(summary)
            }
            Direction::Down => {
                puts.push(Put::Delete { seq: entry.seq });
                None
            }
        };
        puts.push(Put::Log(self.log_line(
            action_word(direction),
            &entry.tag,
            duration_ms,
            None,
        )));
        puts.extend(row_puts(&frozen.rows));
        self.session.record(&puts).await?;
        self.finished(ready, summary, duration_ms);
        self.tell();
        Ok(())
    }

    /// Records a failure: the entry keeps the step and the reason.
    async fn fail(&mut self, entry: &mut Entry, frozen: &Frozen, failure: Failure) -> Error {
        let (step, error) = match failure {
            Failure::LockLost => return lock_lost().tag(Some(&entry.tag)),
            Failure::Unknown(error) => return Error::from(error).tag(Some(&entry.tag)),
            Failure::Step { step, error } => (step, error),
        };
        let shown = frozen.steps.get(step).map(|step| step.shown().to_string());
        let describe = frozen
            .steps
            .get(step)
            .and_then(|step| frozen.operations.get(step.serves.start))
            .and_then(|operation| read_operation(&operation.operation))
            .map(|operation| operation.describe());
        let mut error = error.tag(Some(&entry.tag));
        if let Some(describe) = describe {
            error = error.operation(describe);
        }
        let details = error.details_mut();
        if details.statement.is_none() {
            details.statement = shown;
        }
        let mut progress = entry.progress.clone();
        // An index that was being built may be left in part: whoever goes on settles that first.
        let in_part = progress.started && self.is_in_part(frozen.steps.get(step)).await;
        if matches!(error, Error::Interrupted(_)) {
            // The database says that it took the statement back: it is not in doubt.
            if error.details().code.is_some() && progress.started && !in_part {
                progress.started = false;
                let put = Self::progress_put(entry, entry.steps_done as usize, progress);
                if let Err(problem) = self.session.record(&[put]).await {
                    tracing::warn!(tag = %entry.tag, ?problem, "what is not in doubt could not be recorded");
                }
            }
            return error;
        }
        // A statement in doubt stays in doubt; of every other one it is known that it was not done.
        progress.started =
            in_part || matches!(error, Error::Undecided(_)) && entry.progress.started;
        progress.error = Some(error.details().message.clone());
        let line = self.log_line(
            "failure",
            &entry.tag,
            0,
            Some(error.details().message.clone()),
        );
        // What was refused at its first step has left nothing that could be gone on with or undone.
        let untouched = matches!(error, Error::Refused(_))
            && entry.steps_done == 0
            && entry.progress.cursor.is_none()
            && !entry.progress.down
            && match frozen.steps.first() {
                Some(first) => self.leaves_nothing(first).await,
                None => true,
            };
        let put = match untouched {
            true => Put::Delete { seq: entry.seq },
            false => Put::Progress {
                seq: entry.seq,
                status: EntryStatus::Failed,
                steps_done: entry.steps_done,
                progress,
            },
        };
        let puts = [put, Put::Log(line)];
        if let Err(problem) = self.session.record(&puts).await {
            tracing::warn!(tag = %entry.tag, ?problem, "the failure could not be recorded");
        }
        let details = error.details_mut();
        if details.hint.is_none() && !untouched {
            details.hint = Some(format!(
                "{} of {} steps are done; mend the cause and run `ductape up` to go on, or `ductape down {}` to undo them",
                entry.steps_done, entry.steps_total, entry.tag
            ));
        }
        error
    }

    /// Whether a statement that failed has left something all the same.
    async fn is_in_part(&mut self, step: Option<&Step>) -> bool {
        match step {
            Some(step) if step.atomicity == Atomicity::Alone && !step.effects.is_empty() => {
                let standing = self.session.standing(step).await;
                matches!(
                    standing,
                    Ok(Standing::Partial { .. } | Standing::InProgress)
                )
            }
            _ => false,
        }
    }

    /// Whether nothing is there of a step that was not done; what it left in part is cleaned up.
    async fn leaves_nothing(&mut self, step: &Step) -> bool {
        match (&step.action, &step.atomicity) {
            // Batches of it may have been done.
            (Action::Data(_), _) => return false,
            // With its unit it was taken back.
            (_, Atomicity::Joins { .. }) => return true,
            (_, Atomicity::Alone) if step.effects.is_empty() => return false,
            (_, Atomicity::Alone) => {}
        }
        match self.session.standing(step).await {
            Ok(Standing::Before) => true,
            Ok(Standing::Partial { clean }) => {
                for step in &clean {
                    if !matches!(self.session.run(step).await, Outcome::Applied) {
                        return false;
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// Undoes the steps that an unfinished entry has done, or goes on with its rollback.
    pub(crate) async fn undo_unfinished(&mut self, entry: &Entry) -> Result<()> {
        if entry.progress.down {
            return self.resume(entry.clone()).await;
        }
        let frozen = entry.frozen()?;
        let undo = undo_of(self.reader(), entry, &frozen).await?;
        let scope = crate::at_hand::scope_of(&undo);
        let backend = self.engine.backend.clone();
        let at_hand =
            crate::at_hand::at_hand(self.reader(), backend.compiler(), &scope, true).await?;
        let mut schema = at_hand.schema;
        let ready = as_undone(backend.compiler(), entry, undo, &mut schema)?;
        forbid_loss(&self.engine.options, std::slice::from_ref(&ready))?;
        self.run_journaled(ready).await
    }

    /// Accepts an edited migration whose run failed, if the steps that were done are unchanged.
    pub(crate) async fn accept_edit(
        &mut self,
        entry: &mut Entry,
        edited: &Migration,
    ) -> Result<()> {
        let backend = self.engine.backend.clone();
        let compiler = backend.compiler();
        let scope = crate::backend::Scope::All;
        let mut schema = crate::at_hand::at_hand(self.reader(), compiler, &scope, true)
            .await?
            .schema;
        let ready = as_edited(self.reader(), compiler, entry, edited, &mut schema).await?;
        entry.checksum = edited.checksum().clone();
        entry.description = edited.description().map(str::to_owned);
        entry.migration = edited.authored_json();
        entry.down = ready.down_json();
        entry.plan = serde_json::to_string(&ready.freeze()).ok();
        entry.steps_total = ready.steps.len() as u32;
        entry.progress.error = None;
        self.session.record(&[Put::Update(entry.clone())]).await?;
        Ok(())
    }
}

/// Why a step was not done.
enum Failure {
    LockLost,
    Unknown(DbError),
    Step { step: usize, error: Error },
}

impl From<crate::backend::SessionError> for Failure {
    fn from(error: crate::backend::SessionError) -> Self {
        match error {
            crate::backend::SessionError::LockLost => Failure::LockLost,
            crate::backend::SessionError::Database(error) => Failure::Unknown(error),
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Failure::Unknown(error)
    }
}

/// What a guard counted, as an error.
pub(crate) fn in_the_way(
    guard: &ductape_core::compiler::Guard,
    answer: &crate::backend::GuardAnswer,
) -> Error {
    let examples = if answer.examples.is_empty() {
        String::new()
    } else {
        format!(", for instance {}", answer.examples.join(", "))
    };
    let told = match (answer.count, guard.rows.strip_prefix("rows")) {
        (1, Some(rest)) => format!("1 row{rest} stands in the way{examples}"),
        (count, _) => format!("{count} {} stand in the way{examples}", guard.rows),
    };
    Error::of(ErrorKind::Refused, told).hint(guard.hint.clone())
}

/// Where a raw step stands of which nothing is known but whether the catalog moved.
fn by_the_mark(step: &Step, before: Option<&str>, now: Option<&str>) -> Standing {
    let Some(effect) = step.effects.iter().find(|e| e.target == Target::Anything) else {
        return Standing::Unknowable;
    };
    match (&effect.before, &effect.after) {
        (Mark::Absent, Mark::Absent) => Standing::Before,
        (Mark::Absent, Mark::Present) if before.is_some() && before == now => Standing::Before,
        (Mark::Absent, Mark::Present) if before.is_some() => Standing::After,
        _ => Standing::Unknowable,
    }
}
