//! `history`: what was applied, or all that ever happened.

use crate::args::History;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Answer, Cell, Style, table};
use crate::secrets::hide;

pub async fn run(context: &Context, history: &History) -> Result<Answer, Failure> {
    let connected = context.connect().await?;
    if history.log {
        log(context, &connected.engine).await
    } else {
        entries(context, &connected.engine).await
    }
}

fn heading(words: &[&str]) -> Vec<Cell> {
    words
        .iter()
        .map(|word| Cell((*word).to_owned(), Some(Style::dim)))
        .collect()
}

async fn entries(context: &Context, engine: &ductape::MigrationEngine) -> Result<Answer, Failure> {
    let entries = engine.history().await?;
    context.answer(&entries, |style| {
        if entries.is_empty() {
            return "nothing was applied\n".to_owned();
        }
        let mut rows = vec![heading(&[
            "seq",
            "tag",
            "applied at",
            "took",
            "by",
            "status",
        ])];
        for entry in &entries {
            rows.push(vec![
                entry.seq.into(),
                entry.tag.as_str().into(),
                entry.applied_at.as_str().into(),
                format!("{} ms", entry.duration_ms).into(),
                entry.applied_by.as_str().into(),
                entry.status.word().into(),
            ]);
        }
        table(&rows, style)
    })
}

async fn log(context: &Context, engine: &ductape::MigrationEngine) -> Result<Answer, Failure> {
    let mut lines = engine.log().await?;
    for line in &mut lines {
        line.detail = line.detail.as_deref().map(hide);
    }
    context.answer(&lines, |style| {
        if lines.is_empty() {
            return "nothing ever happened\n".to_owned();
        }
        let mut rows = vec![heading(&["at", "what", "tag", "took", "by", "detail"])];
        for line in &lines {
            rows.push(vec![
                line.at.as_str().into(),
                line.action.as_str().into(),
                line.tag.as_str().into(),
                format!("{} ms", line.duration_ms).into(),
                line.actor.as_str().into(),
                line.detail.as_deref().unwrap_or("").into(),
            ]);
        }
        table(&rows, style)
    })
}
