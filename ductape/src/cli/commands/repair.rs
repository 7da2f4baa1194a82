//! `repair`: a person says what holds, and the ledger follows. Nothing is run.

use crate::args;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::{Answer, Cell, Style, printable, table};
use ductape::MigrationSet;
use ductape::engine::{Repair, RepairReport, Repaired};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(flatten)]
    report: RepairReport,
    dry_run: bool,
}

pub async fn run(context: &Context, asked: &args::Repair) -> Result<Answer, Failure> {
    let repairs = repairs(asked);
    if repairs.is_empty() {
        return Err(Failure::usage("nothing is said that would be repaired")
            .hint("say one of --accept, --forget, --mark-applied, --step and --to-live"));
    }
    let (set, connected) = if asked.accept.is_empty() && asked.mark_applied.is_empty() {
        let connected = context.connect_to(&asked.change).await?;
        (MigrationSet::new([])?, connected)
    } else {
        let source = context.source(&[])?;
        let connecting = context.connect_to(&asked.change);
        let (files, connected) = context.both(&source, connecting).await?;
        (set_of(files)?, connected)
    };
    let report = if asked.change.dry_run {
        RepairReport {
            repaired: repairs.iter().map(would).collect(),
        }
    } else {
        context.confirm(&connected.target, &asked.change)?;
        connected.engine.repair(&set, &repairs).await?
    };
    let document = Document {
        report,
        dry_run: asked.change.dry_run,
    };
    context.answer(&document, |style| text(&document, style))
}

fn repairs(asked: &args::Repair) -> Vec<Repair> {
    let accept = asked.accept.iter().cloned().map(Repair::Accept);
    let forget = asked.forget.iter().cloned().map(Repair::Forget);
    let mark = asked.mark_applied.iter().cloned().map(Repair::MarkApplied);
    let step = asked.step.iter().map(|step| Repair::Step {
        tag: step.tag.clone(),
        done: step.done,
    });
    let to_live = asked.to_live.then_some(Repair::ToLive);
    accept
        .chain(forget)
        .chain(mark)
        .chain(step)
        .chain(to_live)
        .collect()
}

/// What a repair would do, as far as that is known without doing it.
fn would(repair: &Repair) -> Repaired {
    let (action, tag, message) = match repair {
        Repair::Accept(tag) => ("accept", Some(tag), "it would be taken as its file has it"),
        Repair::Forget(tag) => ("forget", Some(tag), "its entry would be removed"),
        Repair::MarkApplied(tag) => ("markApplied", Some(tag), "it would count as applied"),
        Repair::Step { tag, done: true } => (
            "step",
            tag.as_ref(),
            "the statement in doubt would count as done",
        ),
        Repair::Step { tag, .. } => (
            "step",
            tag.as_ref(),
            "the statement in doubt would count as not done",
        ),
        _ => ("toLive", None, "the live schema would be the record"),
    };
    Repaired {
        action: action.to_owned(),
        tag: tag.cloned(),
        message: message.to_owned(),
    }
}

fn text(document: &Document, style: Style) -> String {
    let rows: Vec<Vec<Cell>> = document
        .report
        .repaired
        .iter()
        .map(|repaired| {
            let tag = repaired.tag.as_ref().map_or("", |tag| tag.as_str());
            vec![
                Cell(printable(&repaired.action), Some(Style::green)),
                tag.into(),
                repaired.message.as_str().into(),
            ]
        })
        .collect();
    table(&rows, style)
}
