//! Migration files: read, bounded in size, and checked; everything wrong with all of them at once.

use crate::failure::{Failure, FileProblem};
use ductape::core::Problem;
use ductape::core::migration::Sketch;
use ductape::{ErrorKind, Migration, MigrationSet};
use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind as Io, Read};
use std::path::{Path, PathBuf};

/// Where the migrations are.
#[derive(Debug, Clone)]
pub struct Source {
    /// Folders and files.
    pub places: Vec<PathBuf>,
    /// The most bytes that one may have.
    pub limit: usize,
    /// Whether the places were named, or are where migrations are by default.
    pub named: bool,
}

/// A migration and its file.
#[derive(Debug, Clone)]
pub struct MigrationFile {
    pub path: PathBuf,
    pub migration: Migration,
}

impl Source {
    /// Whether there is anything there at all.
    pub fn exists(&self) -> bool {
        self.named || self.places.iter().any(|place| place.exists())
    }

    /// Reads the migrations, in the order of their tags.
    ///
    /// # Errors
    /// Everything that is wrong with each file, and where they contradict each other.
    pub fn read(&self) -> Result<Vec<MigrationFile>, Failure> {
        let (paths, mut problems) = self.paths();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            match read(&path, self.limit) {
                Ok(migration) => files.push(MigrationFile { path, migration }),
                Err(found) => {
                    problems.extend(found.into_iter().map(|p| FileProblem::of(&path, p)));
                }
            }
        }
        files.sort_by(|a, b| a.migration.tag().cmp(&b.migration.tag()));
        problems.extend(twice(&files));
        // Contradictions only where each file by itself is right: the rest would follow from that.
        if problems.is_empty() {
            problems = contradictions(&files);
        }
        if problems.is_empty() {
            return Ok(files);
        }
        Err(Failure::of_files(
            ErrorKind::Invalid,
            match problems.len() {
                1 => "a problem in the migration files".to_owned(),
                count => format!("{count} problems in the migration files"),
            },
            problems,
        ))
    }

    fn paths(&self) -> (Vec<PathBuf>, Vec<FileProblem>) {
        let mut paths = Vec::new();
        let mut problems = Vec::new();
        for place in &self.places {
            match fs::metadata(place) {
                Ok(metadata) if metadata.is_dir() => match in_folder(place) {
                    Ok(found) => paths.extend(found),
                    Err(error) => problems.push(FileProblem::new(
                        place,
                        format!("the folder cannot be read: {error}"),
                    )),
                },
                Ok(_) => paths.push(place.clone()),
                Err(error) if error.kind() == Io::NotFound => {
                    let problem = Problem::new("", "it is not there");
                    let hint = if self.named {
                        "mend the path"
                    } else {
                        "make it with `ductape init`, or say with --migrations where they are"
                    };
                    problems.push(FileProblem::of(place, problem.hint(hint)));
                }
                Err(error) => problems.push(FileProblem::new(
                    place,
                    format!("it cannot be read: {error}"),
                )),
            }
        }
        (paths, problems)
    }
}

/// The JSON files of a folder, sorted. Others may stand beside them, and hidden ones too.
fn in_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let json = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if json && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path, limit: usize) -> Result<Migration, Vec<Problem>> {
    let one = |message: String| vec![Problem::new("", message)];
    let unreadable = |error: std::io::Error| one(format!("it cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(one("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| {
            let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            file.take(most).read_to_end(&mut bytes)
        })
        .map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(vec![
            Problem::new(
                "",
                format!("it has more than {limit} bytes, which is the limit"),
            )
            .hint("split the migration, or raise the limit with --max-file-size"),
        ]);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        one(format!(
            "it is not UTF-8: the byte {} is the first that is not",
            error.utf8_error().valid_up_to()
        ))
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(one("it is empty".to_owned()));
    }
    let migration = Migration::parse_with_limit(&text, limit).map_err(|problems| problems.0)?;
    match misnamed(path, &migration) {
        Some(problem) => Err(vec![problem]),
        None => Ok(migration),
    }
}

/// A file is called by its tag.
fn misnamed(path: &Path, migration: &Migration) -> Option<Problem> {
    let expected = format!("{}.json", migration.tag()?);
    let name = path.file_name()?.to_string_lossy();
    (name != expected.as_str()).then(|| {
        Problem::new(
            "tag",
            format!("the file must be called by its tag: {expected}"),
        )
        .hint("rename the file, or mend the tag")
    })
}

fn twice(files: &[MigrationFile]) -> Vec<FileProblem> {
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for file in files {
        if let Some(first) = seen.insert(file.migration.tag(), &file.path) {
            problems.push(FileProblem::of(
                &file.path,
                Problem::new("tag", format!("{} has the same tag", first.display()))
                    .hint("give one of them another time"),
            ));
        }
    }
    problems
}

/// Where the files contradict each other, without any database: the first of each file.
fn contradictions(files: &[MigrationFile]) -> Vec<FileProblem> {
    let mut sketch = Sketch::default();
    let mut problems = Vec::new();
    for file in files {
        for (index, operation) in file.migration.up().iter().enumerate() {
            if let Err(mut problem) = sketch.apply(operation) {
                problem.path = format!("up[{index}]");
                problems.push(FileProblem::of(&file.path, problem));
                break;
            }
        }
    }
    problems
}

/// The set of the files' migrations.
///
/// # Errors
/// If they are no set, which reading them has made sure of.
pub fn set_of(files: Vec<MigrationFile>) -> Result<MigrationSet, Failure> {
    let migrations = files.into_iter().map(|file| file.migration);
    Ok(MigrationSet::new(migrations)?)
}
