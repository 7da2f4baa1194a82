//! `down`: rolls back. It needs nothing but the ledger.

use super::report::{Lists, of_plan, of_run};
use crate::args::Down;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Answer;
use ductape::engine::Rollback;

pub async fn run(context: &Context, down: &Down) -> Result<Answer, Failure> {
    let mut connected = context.connect_to(&down.change).await?;
    connected.engine.options_mut().force = down.force;
    let rollback = match (&down.to, down.count) {
        (Some(tag), _) => Rollback::To(tag.clone()),
        (None, Some(count)) => Rollback::Last(count),
        (None, None) if down.tags.is_empty() => Rollback::Last(1),
        (None, None) => Rollback::Tags(down.tags.clone()),
    };
    if down.change.dry_run {
        let plan = connected.engine.dry_run_down(&rollback).await?;
        return of_plan(context, &connected, Lists::RolledBack, &plan).await;
    }
    context.confirm(&connected.target, &down.change)?;
    let report = connected.engine.roll_back(&rollback).await?;
    of_run(context, &connected, Lists::RolledBack, &report).await
}
