//! `redo`: down, then up, from the ledger.

use super::report::{Lists, of_plan, of_run};
use crate::args::Redo;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Answer;
use ductape::engine::Rollback;

pub async fn run(context: &Context, redo: &Redo) -> Result<Answer, Failure> {
    let mut connected = context.connect_to(&redo.change).await?;
    connected.engine.options_mut().force = redo.force;
    if redo.change.dry_run {
        let rollback = Rollback::Last(redo.count);
        let plan = connected.engine.dry_run_down(&rollback).await?;
        return of_plan(context, &connected, Lists::Both, &plan).await;
    }
    context.confirm(&connected.target, &redo.change)?;
    let report = connected.engine.redo(redo.count).await?;
    of_run(context, &connected, Lists::Both, &report).await
}
