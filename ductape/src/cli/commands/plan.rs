//! `plan`: the statements that would run. Changes nothing.

use crate::args;
use crate::backends;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::{Answer, Style, printable, printable_lines};
use ductape::core::{Reversibility, Tag};
use ductape::engine::{Extent, Plan, PlannedMigration, PlannedStatement, Rollback, plan_offline};

/// The plan on a database.
pub async fn run(context: &Context, asked: &args::Plan) -> Result<Answer, Failure> {
    let plan = if asked.down {
        let connected = context.connect().await?;
        let rollback = match (&asked.to, asked.count) {
            (Some(tag), _) => Rollback::To(tag.clone()),
            (None, count) => Rollback::Last(count.unwrap_or(1)),
        };
        connected.engine.plan_down(&rollback).await?
    } else {
        let source = context.source(&asked.files)?;
        let (files, connected) = context.both(&source, context.connect()).await?;
        let set = set_of(files)?;
        connected.engine.plan_all(&set, &extent(asked)).await?
    };
    answer(context, asked, &plan)
}

fn extent(asked: &args::Plan) -> Extent {
    match (&asked.to, asked.count) {
        (Some(tag), _) => Extent::To(tag.clone()),
        (None, Some(count)) => Extent::Count(count),
        (None, None) => Extent::All,
    }
}

/// The plan without a database, as if nothing were applied, or (on the way down) everything.
pub fn offline(context: &Context, asked: &args::Plan) -> Result<Answer, Failure> {
    let Some(backend) = asked.offline else {
        return Err(Failure::internal(
            "no database is named for a plan without one",
        ));
    };
    let compiler = backends::compiler(backend)?;
    let files = context.source(&asked.files)?.read()?;
    let place = match &asked.to {
        None => None,
        Some(tag) => Some(
            files
                .iter()
                .position(|file| file.migration.tag() == Some(tag))
                .ok_or_else(|| unknown(tag))?,
        ),
    };
    let mut migrations: Vec<_> = files.into_iter().map(|file| file.migration).collect();
    if !asked.down {
        let most = place.map(|place| place + 1).or(asked.count);
        migrations.truncate(most.unwrap_or(usize::MAX));
    }
    let mut plan = plan_offline(compiler, &migrations)?;
    if asked.down {
        plan.migrations.reverse();
        let all = plan.migrations.len();
        let most = place.map(|place| all - place - 1).or(asked.count);
        plan.migrations.truncate(most.unwrap_or(1));
        let no_way = |m: &&PlannedMigration| m.reversible == Reversibility::Irreversible;
        if let Some(migration) = plan.migrations.iter().find(no_way) {
            let why = migration.lost.join("; ");
            return Err(
                Failure::of(ductape::ErrorKind::Irreversible, why).tag(migration.tag.as_ref())
            );
        }
    }
    answer(context, asked, &plan)
}

fn unknown(tag: &Tag) -> Failure {
    Failure::usage(format!("{tag} is not among the given migrations"))
        .hint("see them with `ductape validate`")
}

fn answer(context: &Context, asked: &args::Plan, plan: &Plan) -> Result<Answer, Failure> {
    context.answer(plan, |style| {
        if plan.migrations.is_empty() {
            return if asked.sql { "" } else { "nothing to do\n" }.to_owned();
        }
        let mut text = String::new();
        for (index, migration) in plan.migrations.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&if asked.sql {
                sql(migration, asked.down)
            } else {
                described(migration, asked.down, style)
            });
        }
        text
    })
}

fn title(migration: &PlannedMigration) -> &str {
    migration
        .tag
        .as_ref()
        .map_or(migration.name.as_str(), Tag::as_str)
}

/// The statements alone.
fn sql(migration: &PlannedMigration, down: bool) -> String {
    let mut text = format!("-- {}\n", printable(title(migration)));
    for statement in statements(migration, down) {
        text.push_str(&format!("{};\n", printable_lines(&statement.statement)));
    }
    text
}

fn statements(migration: &PlannedMigration, down: bool) -> &[PlannedStatement] {
    if down { &migration.down } else { &migration.up }
}

/// The statements with their risks and the way back.
fn described(migration: &PlannedMigration, down: bool, style: Style) -> String {
    let reversible = migration.reversible.to_string();
    let mut text = format!(
        "{} ({reversible})\n",
        style.cyan(&printable(title(migration)))
    );
    for planned in &migration.risks {
        text.push_str(&format!(
            "  {}: {}: {}\n",
            style.yellow(&format!("risk {}", planned.risk.kind)),
            printable(&planned.operation),
            printable(&planned.risk.message),
        ));
    }
    for lost in &migration.lost {
        text.push_str(&format!(
            "  {}: {}\n",
            style.yellow("not brought back"),
            printable(lost)
        ));
    }
    text.push_str(&listed(statements(migration, down), style));
    let back = statements(migration, !down);
    if !back.is_empty() {
        text.push_str(&format!("  {}\n", style.dim("the way back:")));
        text.push_str(&listed(back, style));
    }
    text
}

fn listed(statements: &[PlannedStatement], style: Style) -> String {
    let mut text = String::new();
    for statement in statements {
        let lines = printable_lines(&statement.statement).replace('\n', "\n    ");
        text.push_str("    ");
        text.push_str(&lines);
        if !statement.transactional {
            text.push_str("  ");
            text.push_str(&style.dim("-- in no transaction"));
        }
        text.push('\n');
    }
    text
}
