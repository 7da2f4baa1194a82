//! `status`: where each migration stands.

use crate::args;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::{Answer, Cell, Style, table};
use ductape::ErrorKind;
use ductape::engine::{MigrationState, Status};

pub async fn run(context: &Context, status: &args::Status) -> Result<Answer, Failure> {
    let source = context.source(&status.files)?;
    let (files, connected) = context.both(&source, context.connect()).await?;
    let found = connected.engine.status(&set_of(files)?).await?;
    let failure = if status.check { check(&found) } else { None };
    let answer = context.answer(&found, |style| text(&found, style))?;
    Ok(answer.failing(failure))
}

fn check(status: &Status) -> Option<Failure> {
    let edited = status
        .migrations
        .iter()
        .filter(|migration| migration.state == MigrationState::Edited)
        .count();
    if edited > 0 {
        let message = match edited {
            1 => "an applied migration was edited".to_owned(),
            count => format!("{count} applied migrations were edited"),
        };
        let hint = "see which with `ductape status`";
        return Some(Failure::of(ErrorKind::Edited, message).hint(hint));
    }
    (status.pending > 0).then(|| {
        let message = match status.pending {
            1 => "1 migration is pending".to_owned(),
            count => format!("{count} migrations are pending"),
        };
        Failure::of(ErrorKind::Pending, message).hint("apply with `ductape up`")
    })
}

pub fn state_word(state: MigrationState) -> &'static str {
    match state {
        MigrationState::Applied => "applied",
        MigrationState::Pending => "pending",
        MigrationState::Edited => "edited",
        MigrationState::Missing => "missing",
        MigrationState::OutOfOrder => "outOfOrder",
        MigrationState::Failed => "failed",
    }
}

fn paint(state: MigrationState) -> fn(Style, &str) -> String {
    match state {
        MigrationState::Applied => Style::green,
        MigrationState::Pending => Style::yellow,
        MigrationState::Missing => Style::dim,
        MigrationState::Edited | MigrationState::OutOfOrder | MigrationState::Failed => Style::red,
    }
}

fn text(status: &Status, style: Style) -> String {
    let mut rows = Vec::new();
    for migration in &status.migrations {
        let name = migration
            .tag
            .as_ref()
            .map_or_else(|| migration.name.clone(), |tag| tag.to_string());
        rows.push(vec![
            Cell(
                state_word(migration.state).to_owned(),
                Some(paint(migration.state)),
            ),
            name.into(),
            migration.detail.as_deref().unwrap_or("").into(),
        ]);
    }
    let mut text = table(&rows, style);
    text.push_str(&format!(
        "{} of {} applied, {} pending",
        status.completed, status.total, status.pending
    ));
    if let Some(last) = &status.last_applied {
        text.push_str(&format!("; the last: {} at {}", last.tag, last.applied_at));
    }
    text.push('\n');
    text
}
