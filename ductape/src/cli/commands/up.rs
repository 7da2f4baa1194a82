//! `up`: applies what is pending.

use super::report::{Lists, of_plan, of_run};
use crate::args::Up;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::Answer;
use ductape::engine::Extent;

pub async fn run(context: &Context, up: &Up) -> Result<Answer, Failure> {
    let source = context.source(&up.files)?;
    let (files, mut connected) = context
        .both(&source, context.connect_to(&up.change))
        .await?;
    let set = set_of(&files)?;
    connected.engine.options_mut().out_of_order = up.out_of_order;
    let extent = match (&up.to, up.count) {
        (Some(tag), _) => Extent::To(tag.clone()),
        (None, Some(count)) => Extent::Count(count),
        (None, None) => Extent::All,
    };
    if up.change.dry_run {
        let plan = connected.engine.plan_all(&set, &extent).await?;
        return of_plan(context, &connected, Lists::Applied, &plan).await;
    }
    context.confirm(&connected.target, &up.change)?;
    let report = connected.engine.up_some(&set, &extent).await?;
    of_run(context, &connected, Lists::Applied, &report).await
}
