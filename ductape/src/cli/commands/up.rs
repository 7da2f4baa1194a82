//! `up`: applies what is pending.

use super::report::{Lists, of_plan, of_run};
use crate::args::Up;
use crate::context::{Connected, Context};
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::Answer;
use ductape::engine::Extent;
use ductape::{ErrorKind, MigrationSet};

pub async fn run(context: &Context, up: &Up) -> Result<Answer, Failure> {
    let source = context.source(&up.files)?;
    let (files, mut connected) = context
        .both(&source, context.connect_to(&up.change))
        .await?;
    let set = set_of(files)?;
    connected.engine.options_mut().out_of_order = up.out_of_order;
    let extent = match (&up.to, up.count) {
        (Some(tag), _) => Extent::To(tag.clone()),
        (None, Some(count)) => Extent::Count(count),
        (None, None) => Extent::All,
    };
    refuse_unproven(context, &connected, &set, &extent).await?;
    if up.change.dry_run {
        let plan = connected.engine.dry_run(&set, &extent).await?;
        return of_plan(context, &connected, Lists::Applied, &plan).await;
    }
    context.confirm(&connected.target, &up.change)?;
    let report = connected.engine.up_some(&set, &extent).await?;
    of_run(context, &connected, Lists::Applied, &report).await
}

/// An environment may require that another one has applied a migration before, just as it is now.
async fn refuse_unproven(
    context: &Context,
    connected: &Connected,
    set: &MigrationSet,
    extent: &Extent,
) -> Result<(), Failure> {
    let Some(required) = context.required_before(&connected.target).await? else {
        return Ok(());
    };
    let proven = required.engine.history().await?;
    let pending = connected.engine.status(set).await?.pending_migrations;
    let first = match extent {
        Extent::Count(count) => *count,
        _ => usize::MAX,
    };
    for pending in pending.iter().take(first) {
        let Some(tag) = &pending.tag else { continue };
        if matches!(extent, Extent::To(last) if tag > last) {
            break;
        }
        let same = set.migrations().iter().any(|migration| {
            migration.tag() == Some(tag)
                && proven
                    .iter()
                    .any(|entry| entry.tag == *tag && entry.checksum == *migration.checksum())
        });
        if !same {
            let env = &required.target.env;
            return Err(Failure::of(
                ErrorKind::Refused,
                format!("{env} has not applied it as it is, and must have before"),
            )
            .tag(Some(tag))
            .hint(format!("apply it first with `ductape --env {env} up`")));
        }
    }
    Ok(())
}
