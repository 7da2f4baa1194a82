//! `show`: one migration.

use super::status::state_word;
use crate::args::Show;
use crate::context::{Connected, Context};
use crate::failure::Failure;
use crate::files::{MigrationFile, set_of};
use crate::output::{Answer, printable, printable_lines};
use ductape::core::{Reversibility, Schema, resolve, way_back};
use ductape::engine::HistoryEntry;
use ductape::{ErrorKind, Migration, Tag};
use serde::Serialize;

/// The migration as in its file, and what is known of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'m> {
    #[serde(flatten)]
    migration: &'m Migration,
    checksum: &'m str,
    status: &'static str,
    applied_at: Option<&'m str>,
    reversible: Reversibility,
    /// Its file, or `ledger` where it is applied and its file is gone.
    source: String,
}

pub async fn run(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let source = context.source(&[])?;
    let read = if source.exists() {
        source.read()
    } else {
        Ok(Vec::new())
    };
    let connected = context.connect().await?;
    let history = connected.engine.history().await?;
    let entry = history.iter().find(|entry| entry.tag == show.tag);
    let files = match (read, entry) {
        (Ok(files), _) => files,
        // The ledger knows it; files that are wrong are not in the way.
        (Err(_), Some(_)) => Vec::new(),
        (Err(failure), None) => return Err(failure),
    };
    let file = files
        .iter()
        .find(|file| file.migration.tag() == Some(&show.tag));
    let migration = entry
        .map(|entry| &entry.migration)
        .or(file.map(|file| &file.migration))
        .ok_or_else(|| unknown(&show.tag))?;
    let shown = Shown {
        migration,
        checksum: migration.checksum().as_str(),
        status: status(&connected, &files, &show.tag).await?,
        applied_at: entry.map(|entry| entry.applied_at.as_str()),
        reversible: reversible(&connected, &history, &files, migration),
        source: file.map_or_else(
            || "ledger".to_owned(),
            |file| file.path.to_string_lossy().into_owned(),
        ),
    };
    context.answer(&shown, |_| text(&shown))
}

fn unknown(tag: &Tag) -> Failure {
    Failure::of(
        ErrorKind::Usage,
        format!("{tag} is neither applied nor among the files"),
    )
    .hint("see the tags with `ductape status` and `ductape history`")
}

async fn status(
    connected: &Connected,
    files: &[MigrationFile],
    tag: &Tag,
) -> Result<&'static str, Failure> {
    let status = connected.engine.status(&set_of(files.to_vec())?).await?;
    let found = status
        .migrations
        .iter()
        .find(|migration| migration.tag.as_ref() == Some(tag));
    Ok(found.map_or("pending", |migration| state_word(migration.state)))
}

/// How much its way back brings back, judged on what the migrations before it make.
fn reversible(
    connected: &Connected,
    history: &[HistoryEntry],
    files: &[MigrationFile],
    migration: &Migration,
) -> Reversibility {
    let backend = connected.backend.clone();
    let capabilities = backend.compiler().capabilities();
    let naming = capabilities.naming();
    let mut schema = Schema::new().of(capabilities.backend);
    let applied = history.iter().map(|entry| &entry.migration);
    let pending = files.iter().map(|file| &file.migration).filter(|pending| {
        !history
            .iter()
            .any(|entry| Some(&entry.tag) == pending.tag())
    });
    for before in applied
        .chain(pending)
        .take_while(|before| before.tag() != migration.tag())
    {
        // One that rests on what only the database has leaves the model as it is.
        let _ = resolve(before.up(), &mut schema, &naming);
    }
    match resolve(migration.up(), &mut schema, &naming) {
        Ok(resolved) if migration.written_down().is_some() => {
            let loses = resolved
                .iter()
                .filter_map(|resolved| resolved.inverse.as_ref().ok())
                .any(|inverse| !inverse.lost.is_empty());
            if loses {
                Reversibility::StructureOnly
            } else {
                Reversibility::Lossless
            }
        }
        Ok(resolved) => match way_back(&resolved) {
            Ok(inverse) => inverse.reversibility(),
            Err(_) => Reversibility::Irreversible,
        },
        Err(_) if migration.down().is_some() => Reversibility::StructureOnly,
        Err(_) => Reversibility::Irreversible,
    }
}

fn text(shown: &Shown<'_>) -> String {
    let migration = shown.migration;
    let tag = migration.tag().map_or("", |tag| tag.as_str());
    let mut text = format!("{tag}\n");
    let mut line = |what: &str, value: &str| {
        text.push_str(&format!("  {what:<12}{value}\n"));
    };
    if let Some(description) = migration.description() {
        line("description", &printable(description));
    }
    line("status", shown.status);
    if let Some(at) = shown.applied_at {
        line("applied at", at);
    }
    line("checksum", shown.checksum);
    line("reversible", &shown.reversible.to_string());
    line("source", &printable(&shown.source));
    for (what, operations) in [("up", Some(migration.up())), ("down", migration.down())] {
        let Some(operations) = operations else {
            continue;
        };
        text.push_str(&format!("  {what}\n"));
        if operations.is_empty() {
            text.push_str("    nothing\n");
        }
        for operation in operations {
            let described = printable_lines(&operation.describe()).replace('\n', "\n      ");
            text.push_str(&format!("    {described}\n"));
        }
    }
    text
}
