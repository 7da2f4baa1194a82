//! `verify`: whether the database and the files are what is on record.

use crate::args::Verify;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::set_of;
use crate::output::{Answer, Style, printable};
use ductape::ErrorKind;
use ductape::core::difference::{Difference, DifferenceKind};
use ductape::engine::Verification;

pub async fn run(context: &Context, verify: &Verify) -> Result<Answer, Failure> {
    let source = context.source(&verify.files)?;
    // Files are compared where there are any: a rollback or a look needs only the ledger.
    let (set, connected) = if source.exists() {
        let (files, connected) = context.both(&source, context.connect()).await?;
        (Some(set_of(files)?), connected)
    } else {
        (None, context.connect().await?)
    };
    let found = match &set {
        Some(set) => connected.engine.verify_with(set).await?,
        None => connected.engine.verify().await?,
    };
    let failure = (!found.ok).then(|| {
        let message = match found.differences.len() {
            1 => "1 difference was found".to_owned(),
            count => format!("{count} differences were found"),
        };
        let edited = |d: &Difference| d.kind == DifferenceKind::Edited;
        let kind = if found.differences.iter().all(edited) {
            ErrorKind::Edited
        } else {
            ErrorKind::Drift
        };
        Failure::of(kind, message)
    });
    let answer = context.answer(&found, |style| text(&found, style))?;
    Ok(answer.failing(failure))
}

fn text(found: &Verification, style: Style) -> String {
    let mut text = String::new();
    for difference in &found.differences {
        let kind = style.red(&difference.kind.to_string());
        text.push_str(&format!("{kind}  {}\n", printable(&difference.message)));
    }
    if found.ok {
        text.push_str(&style.green("no differences"));
        text.push('\n');
    }
    if !found.untracked.is_empty() {
        let names: Vec<String> = found.untracked.iter().map(|name| printable(name)).collect();
        text.push_str(&format!("not made by Ductape: {}\n", names.join(", ")));
    }
    text
}
