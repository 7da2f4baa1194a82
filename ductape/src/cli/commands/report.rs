//! What `up`, `down` and `redo` answer.

use crate::context::{Connected, Context};
use crate::failure::Failure;
use crate::output::{Answer, Cell, Style, table};
use ductape::engine::ledger::LastApplied;
use ductape::engine::{Done, Plan, PlannedMigration, Report};
use serde::Serialize;

/// What was done, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back: Option<Vec<Line>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Vec<Line>>,
    last_applied: Option<LastApplied>,
    dry_run: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    tag: String,
    name: String,
    checksum: Option<String>,
    duration_ms: u64,
    statements: usize,
}

/// Which lists an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    Applied,
    RolledBack,
    Both,
}

impl Lists {
    fn has_applied(self) -> bool {
        self != Lists::RolledBack
    }

    fn has_rolled_back(self) -> bool {
        self != Lists::Applied
    }
}

/// The answer of a run.
///
/// # Errors
/// If the database is no longer reached.
pub async fn of_run(
    context: &Context,
    connected: &Connected,
    lists: Lists,
    report: &Report,
) -> Result<Answer, Failure> {
    let lines = |done: &[Done]| done.iter().map(line_of_done).collect::<Vec<_>>();
    let changed = Changed {
        rolled_back: lists.has_rolled_back().then(|| lines(&report.rolled_back)),
        applied: lists.has_applied().then(|| lines(&report.applied)),
        last_applied: connected.engine.last_applied().await?,
        dry_run: false,
    };
    context.answer(&changed, |style| changed.text(style))
}

/// The answer of a run that only shows what it would do.
///
/// # Errors
/// If the database is no longer reached.
pub async fn of_plan(
    context: &Context,
    connected: &Connected,
    lists: Lists,
    plan: &Plan,
) -> Result<Answer, Failure> {
    let applied = plan.migrations.iter();
    let mut applied: Vec<Line> = applied.map(|m| line_of_plan(m, m.up.len())).collect();
    let rolled_back = plan.migrations.iter();
    let rolled_back = rolled_back.map(|m| line_of_plan(m, m.down.len())).collect();
    if lists == Lists::Both {
        // What goes last comes back first.
        applied.reverse();
    }
    let changed = Changed {
        rolled_back: lists.has_rolled_back().then_some(rolled_back),
        applied: lists.has_applied().then_some(applied),
        last_applied: connected.engine.last_applied().await?,
        dry_run: true,
    };
    context.answer(&changed, |style| {
        let mut text = changed.text(style);
        text.push_str("nothing was changed; `ductape plan` shows the statements\n");
        text
    })
}

fn line_of_done(done: &Done) -> Line {
    Line {
        tag: done.tag.to_string(),
        name: done.name.clone(),
        checksum: Some(done.checksum.to_string()),
        duration_ms: done.duration_ms,
        statements: done.statements,
    }
}

fn line_of_plan(planned: &PlannedMigration, statements: usize) -> Line {
    Line {
        tag: planned
            .tag
            .as_ref()
            .map_or_else(String::new, |tag| tag.to_string()),
        name: planned.name.clone(),
        checksum: Some(planned.checksum.to_string()),
        duration_ms: 0,
        statements,
    }
}

impl Changed {
    fn text(&self, style: Style) -> String {
        let did = |past: &str, future: &str| {
            if self.dry_run {
                format!("would {future}")
            } else {
                past.to_owned()
            }
        };
        let mut rows = Vec::new();
        for (lines, word) in [
            (&self.rolled_back, did("rolled back", "roll back")),
            (&self.applied, did("applied", "apply")),
        ] {
            for line in lines.iter().flatten() {
                let statements = match line.statements {
                    1 => "1 statement".to_owned(),
                    count => format!("{count} statements"),
                };
                let mut row: Vec<Cell> = vec![
                    Cell(word.clone(), Some(Style::green)),
                    line.tag.as_str().into(),
                    statements.into(),
                ];
                if !self.dry_run {
                    row.push(Cell(format!("{} ms", line.duration_ms), Some(Style::dim)));
                }
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return "nothing to do\n".to_owned();
        }
        table(&rows, style)
    }
}
