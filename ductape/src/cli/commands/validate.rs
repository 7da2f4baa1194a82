//! `validate`: checks files alone.

use crate::args::Validate;
use crate::backends;
use crate::context::Context;
use crate::failure::{Failure, FileProblem};
use crate::files::MigrationFile;
use crate::output::{Answer, Cell, table};
use ductape::ErrorKind;
use ductape::core::{Compiler, Context as Compiling, Direction, Problem, Schema, resolve};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Document<'f> {
    ok: bool,
    migrations: Vec<Line<'f>>,
}

#[derive(Debug, Serialize)]
struct Line<'f> {
    file: String,
    tag: &'f str,
    name: &'f str,
    checksum: &'f str,
}

pub fn run(context: &Context, validate: &Validate) -> Result<Answer, Failure> {
    let compiler = validate.backend.map(backends::compiler).transpose()?;
    let files = context.source(&validate.files)?.read()?;
    if let Some(compiler) = compiler {
        let problems = refused(compiler, &files);
        if !problems.is_empty() {
            let title = compiler.capabilities().title;
            let what = format!("{title} cannot do all of this");
            return Err(Failure::of_files(ErrorKind::Unsupported, what, problems));
        }
    }
    let migrations = files.iter().map(line).collect();
    let document = Document {
        ok: true,
        migrations,
    };
    context.answer(&document, |style| {
        let rows: Vec<Vec<Cell>> = document
            .migrations
            .iter()
            .map(|line| vec!["ok".into(), line.file.as_str().into(), line.checksum.into()])
            .collect();
        match rows.len() {
            0 => "there are no migration files\n".to_owned(),
            _ => table(&rows, style),
        }
    })
}

fn line(file: &MigrationFile) -> Line<'_> {
    Line {
        file: file.path.to_string_lossy().into_owned(),
        tag: file.migration.tag().map_or("", |tag| tag.as_str()),
        name: file.migration.name(),
        checksum: file.migration.checksum().as_str(),
    }
}

/// Everything that a database cannot do, over all files. The schema is what the files themselves make;
/// an operation on what they do not make is left to `plan`, which asks the database.
fn refused(compiler: &dyn Compiler, files: &[MigrationFile]) -> Vec<FileProblem> {
    let naming = compiler.capabilities().naming();
    let mut schema = Schema::new().of(compiler.capabilities().backend);
    let mut problems = Vec::new();
    for file in files {
        let Ok(resolved) = resolve(file.migration.up(), &mut schema, &naming) else {
            continue;
        };
        let Err(refusals) = compiler.compile(&resolved, &Compiling::new(Direction::Up)) else {
            continue;
        };
        for refusal in refusals {
            let authored = resolved.get(refusal.operation).map_or(0, |r| r.authored);
            let problem = Problem::new(
                format!("up[{authored}]"),
                format!("{}: {}", refusal.describe, refusal.reason),
            )
            .hint(refusal.hint);
            problems.push(FileProblem::of(&file.path, problem));
        }
    }
    problems
}
