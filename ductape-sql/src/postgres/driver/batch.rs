//! Many units in one message: each is `BEGIN`, the settings, the fence, its steps, its ledger writes and
//! `COMMIT`. The server stops at the first statement that fails, and the commands completed tell which.
//!
//! Of a message, only the last commit waits for the disk. Commits get there in their order (wal-async-commit),
//! so that those before it are there, too, when the answer comes; nothing is told as done before that.

use super::super::Postgres;
use super::super::dialect::sql;
use super::client::{Answer, Broken, Client};
use super::lock::{FENCE_DOWN, Held};
use super::place::Place;
use crate::ledger::{LedgerNames, put_sql};
use ductape_core::expression::tokens;
use ductape_core::{Name, Step};
use ductape_engine::backend::{GuardAnswer, Unit, UnitFailure};
use ductape_engine::{DbError, ledger::Put};

/// The most units of a message, and its most bytes, as far as whole units allow.
const MOST_UNITS: usize = 256;
const MOST_BYTES: usize = 512 * 1024;

/// From how many units on the server plans what they have in common only once; that takes a round trip.
const WORTH_PLANNING: usize = 16;

/// What a statement of a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Opening,
    Fence,
    Guard {
        step: usize,
    },
    Step(usize),
    Ledger,
    Commit,
    /// A commit that does not wait for the disk.
    CommitLater,
}

impl Part {
    fn is_commit(self) -> bool {
        matches!(self, Part::Commit | Part::CommitLater)
    }
}

/// Why units were not all done.
#[derive(Debug)]
pub(super) enum Stopped {
    /// For a reason that the engine is told.
    Failed(UnitFailure),
    /// Somebody else was in the way; nothing of the unit is left.
    Contended(Option<usize>, DbError),
    /// The connection is gone; the ledger tells what was done.
    Lost(DbError),
}

/// Units on their way to the server.
pub(super) struct Batch<'s> {
    client: &'s mut Client,
    place: &'s Place,
    held: &'s Held,
    text: String,
    parts: Vec<Part>,
    units: usize,
    /// Whether the settings of units hold for the session by now.
    settled: bool,
    /// How many units are committed, and on disk.
    pub done: usize,
    /// Whether the last raw unit moved the catalog, told inside its transaction.
    pub moved: Option<bool>,
}

impl<'s> Batch<'s> {
    pub fn new(client: &'s mut Client, place: &'s Place, held: &'s Held) -> Self {
        Self {
            client,
            place,
            held,
            text: String::new(),
            parts: Vec::new(),
            units: 0,
            settled: false,
            done: 0,
            moved: None,
        }
    }

    /// Does units, up to the first that fails.
    pub async fn run(&mut self, units: &[Unit]) -> Result<(), Stopped> {
        if units.len() >= WORTH_PLANNING && !self.client.planned.is_ready() && self.keeps_session()
        {
            self.plan().await?;
        }
        for unit in units {
            self.unit(unit).await?;
            self.units += 1;
            if self.units >= MOST_UNITS || self.text.len() >= MOST_BYTES {
                self.send().await?;
            }
        }
        self.send().await?;
        Ok(())
    }

    async fn unit(&mut self, unit: &Unit) -> Result<(), Stopped> {
        let raw = unit.steps.iter().any(Step::is_raw);
        let later = !raw && self.keeps_session();
        if raw || unit.steps.iter().any(is_waited_for) {
            // Its message ends within it, and not with a commit.
            self.wait_for_the_disk();
        }
        self.add(Part::Opening, "BEGIN");
        self.settle();
        let fence = match self.client.planned.fence() {
            Some(fence) if later => fence,
            _ => self.held.fence_of_unit(self.place, later),
        };
        self.add(Part::Fence, &fence);
        let mut mark = None;
        if raw {
            self.add(Part::Opening, CATALOG_MARK);
            mark = self.ask().await?;
        }
        for (number, step) in unit.steps.iter().enumerate() {
            for (at, guard) in step.guards.iter().enumerate() {
                self.add(Part::Guard { step: number }, &guard.question.to_string());
                let answer = guard_answer(self.send().await?.last());
                if answer.count > 0 {
                    self.roll_back().await;
                    return Err(Stopped::Failed(UnitFailure::Guarded {
                        step: number,
                        guard: at,
                        answer,
                    }));
                }
            }
            let text = step.shown().to_string();
            let alone = raw || is_several(&text);
            if alone {
                self.send().await?;
            }
            self.add(Part::Step(number), &text);
            if alone {
                self.send().await?;
            }
        }
        if raw {
            if self.held.lease().is_some() {
                // Somebody else gets this session next.
                self.add(Part::Opening, "RESET SESSION AUTHORIZATION");
                self.add(Part::Opening, "RESET ALL");
            }
            // It may have changed the settings under which the ledger is written.
            self.add(Part::Opening, &self.place.settings());
            // Nor is sure what the session still has.
            self.settled = false;
            self.client.planned.forget();
            self.add(Part::Opening, CATALOG_MARK);
            let after = self.ask().await?;
            self.moved = Some(after != mark);
        }
        let mut puts = unit.puts.as_slice();
        while let Some(put) = puts.first() {
            let (text, count) = match self.client.planned.puts(puts) {
                Some(planned) => planned,
                None => (put_sql::<Postgres>(&self.place.names, put), 1),
            };
            self.add(Part::Ledger, &text);
            puts = puts.get(count..).unwrap_or(&[]);
        }
        let commit = match later {
            true => Part::CommitLater,
            false => Part::Commit,
        };
        self.add(commit, "COMMIT");
        Ok(())
    }

    /// Whether what is set and planned stays for the next transaction, and with nobody else.
    fn keeps_session(&self) -> bool {
        self.held.lease().is_none()
    }

    /// The settings that a unit runs under: once for all units where the session is kept, since setting a
    /// `search_path` costs as much as a small statement.
    fn settle(&mut self) {
        if !self.keeps_session() {
            self.add(Part::Opening, &self.place.settings());
        } else if !self.settled {
            self.add(Part::Opening, &self.place.lasting_settings());
            self.settled = true;
        }
    }

    /// In a message of its own: the server copies the whole message that planned a statement whenever that
    /// is called.
    async fn plan(&mut self) -> Result<(), Stopped> {
        for statement in self.client.planned.begin(self.place, self.held) {
            self.add(Part::Opening, &statement);
        }
        let planned = self.send().await;
        if planned.is_err() {
            self.client.planned.forget();
        }
        planned.map(drop)
    }

    fn add(&mut self, part: Part, statement: &str) {
        self.text.push_str(statement);
        // On a line of its own: a statement may end with a comment.
        self.text.push_str("\n;\n");
        self.parts.push(part);
    }

    /// Sends what is waiting; the first value of the last answer.
    async fn ask(&mut self) -> Result<Option<String>, Stopped> {
        let answers = self.send().await?;
        Ok(answers
            .last()
            .and_then(|answer| answer.first(0))
            .map(str::to_owned))
    }

    /// Sends what is waiting.
    async fn send(&mut self) -> Result<Vec<Answer>, Stopped> {
        if self.parts.is_empty() {
            return Ok(Vec::new());
        }
        self.wait_for_the_disk();
        let text = std::mem::take(&mut self.text);
        let parts = std::mem::take(&mut self.parts);
        self.units = 0;
        match self.client.ask(text).await {
            Ok(answers) => {
                self.done += commits(&parts);
                Ok(answers)
            }
            Err(broken) => {
                // A text of several statements goes by itself, so that it is the one at fault.
                let at = broken.answers.len().min(parts.len().saturating_sub(1));
                let before = parts.get(..at).unwrap_or(&[]);
                let part = parts.get(at).copied().unwrap_or(Part::Commit);
                Err(self.stopped(before, part, broken).await)
            }
        }
    }

    /// Makes the last commit of what is waiting one that waits for the disk.
    fn wait_for_the_disk(&mut self) {
        if let Some(last @ Part::CommitLater) = self.parts.last_mut() {
            *last = Part::Opening;
            self.text.truncate(self.text.len() - "COMMIT\n;\n".len());
            self.text
                .push_str("SET LOCAL synchronous_commit TO DEFAULT\n;\n");
            self.add(Part::Commit, "COMMIT");
        }
    }

    async fn stopped(&mut self, before: &[Part], part: Part, broken: Broken) -> Stopped {
        if broken.lost() {
            // What was committed later than the disk has it may be lost, too; the ledger tells.
            return Stopped::Lost(broken.error);
        }
        self.roll_back().await;
        if before.contains(&Part::CommitLater) {
            let flush = self.held.flush(self.place);
            if let Err(broken) = self.client.ask(flush).await {
                return Stopped::Lost(broken.error);
            }
        }
        self.done += commits(before);
        let step = match part {
            Part::Step(step) | Part::Guard { step } => Some(step),
            _ => None,
        };
        if part == Part::Fence && broken.error.code.as_deref() == Some(FENCE_DOWN) {
            return Stopped::Failed(UnitFailure::LockLost);
        }
        if broken.contended() {
            return Stopped::Contended(step, broken.error);
        }
        Stopped::Failed(UnitFailure::Database {
            step,
            error: broken.error,
        })
    }

    /// Rolls the unit back. Where that fails the connection is gone, and with it the transaction.
    async fn roll_back(&mut self) {
        let _ = self.client.ask("ROLLBACK".to_owned()).await;
    }
}

fn commits(parts: &[Part]) -> usize {
    parts.iter().filter(|part| part.is_commit()).count()
}

/// Whether the answer of a step, or of what is asked before it, is waited for within its unit.
fn is_waited_for(step: &Step) -> bool {
    !step.guards.is_empty() || is_several(&step.shown().to_string())
}

/// Whether a text may be several statements: a definition with its owner and its grants.
fn is_several(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches(';');
    let block = tokens(text).next().is_some_and(|word| word.is_word("DO"));
    !block && tokens(text).any(|token| token.is_symbol(";"))
}

/// What a guard's question answered: how many rows, and a few of them.
pub(super) fn guard_answer(answer: Option<&Answer>) -> GuardAnswer {
    let value = |column| answer.and_then(|answer| answer.first(column));
    GuardAnswer {
        count: value(0).and_then(|count| count.parse().ok()).unwrap_or(0),
        examples: value(1).map(str::to_owned).into_iter().collect(),
    }
}

/// A text that changes whenever a row of the catalog is made, changed or taken away: every version of a
/// row has the number of the transaction that wrote it. Rows of the system's own are left out.
pub(super) const CATALOG_MARK: &str = "SELECT md5(string_agg(part, ' ')) FROM (\
SELECT 'c' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) AS part FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't' \
UNION ALL SELECT 'a' || count(*) || ' ' || coalesce(sum(hashint8extended(attrelid::bigint << 32 | xmin::text::bigint, attnum)), 0) FROM pg_attribute WHERE attrelid >= 16384 \
UNION ALL SELECT 'd' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_attrdef \
UNION ALL SELECT 'k' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_constraint WHERE oid >= 16384 \
UNION ALL SELECT 'i' || count(*) || ' ' || coalesce(sum(hashint8extended(indexrelid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_index WHERE indexrelid >= 16384 \
UNION ALL SELECT 't' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_type WHERE oid >= 16384 \
UNION ALL SELECT 'e' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_enum \
UNION ALL SELECT 'g' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_trigger \
UNION ALL SELECT 'r' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_rewrite WHERE oid >= 16384 \
UNION ALL SELECT 'p' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_policy \
UNION ALL SELECT 'n' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_namespace \
UNION ALL SELECT 'm' || count(*) || ' ' || coalesce(sum(hashint8extended(objoid::bigint << 32 | xmin::text::bigint, objsubid)), 0) FROM pg_description WHERE objoid >= 16384 \
UNION ALL SELECT 'h' || count(*) || ' ' || coalesce(sum(hashint8extended(inhrelid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_inherits \
UNION ALL SELECT 'f' || count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint << 32 | xmin::text::bigint, 0)), 0) FROM pg_proc WHERE oid >= 16384\
) AS parts";

/// Whether a unit's writes are in the ledger, as an expression; nothing if they leave no trace there.
pub(super) fn trace(names: &LedgerNames, unit: &Unit) -> Option<String> {
    let of_entries = unit.puts.iter().find_map(|put| entry_trace(names, put));
    of_entries.or_else(|| unit.puts.iter().find_map(|put| state_trace(names, put)))
}

/// The trace of a write to an entry.
fn entry_trace(names: &LedgerNames, put: &Put) -> Option<String> {
    let text = sql().words("EXISTS (SELECT FROM ");
    let text = names.table(text, &names.migrations).words(" WHERE seq = ");
    let (seq, status, steps_done, progress) = match put {
        Put::Insert(entry) | Put::Update(entry) => {
            (entry.seq, entry.status, entry.steps_done, &entry.progress)
        }
        Put::Progress {
            seq,
            status,
            steps_done,
            progress,
        } => (*seq, *status, *steps_done, progress),
        Put::Delete { seq } => {
            return Some(format!("NOT {}", text.number(*seq).words(")").finish()));
        }
        Put::State { .. } | Put::Log(_) => return None,
    };
    let text = text
        .number(seq)
        .words(" AND status = ")
        .text(status.word())
        .words(" AND steps_done = ")
        .number(steps_done)
        .words(" AND progress = ")
        .text(&serde_json::to_string(progress).unwrap_or_default())
        .words(")");
    Some(text.finish())
}

/// The trace of a row of the state. It may have been there before; writing it again changes nothing.
fn state_trace(names: &LedgerNames, put: &Put) -> Option<String> {
    let Put::State { key, value } = put else {
        return None;
    };
    let text = sql().words("EXISTS (SELECT FROM ");
    let text = names
        .table(text, &names.state)
        .words(" WHERE key = ")
        .text(key);
    Some(match value {
        Some(value) => text.words(" AND value = ").text(value).words(")").finish(),
        None => format!("NOT {}", text.words(")").finish()),
    })
}

/// The name of an index as one drops it.
pub(super) fn index_name(place: &Place, index: &Name) -> String {
    let text = sql().maybe(place.schema.as_ref(), |text, schema| {
        text.name(schema).words(".")
    });
    text.name(index).finish()
}
