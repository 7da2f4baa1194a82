//! `init`: a commented configuration, the folder, and the JSON Schema. Overwrites nothing.

use crate::args::Init;
use crate::config::{FILE_NAME, FOLDER};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Answer, Cell, Style, table};
use serde::Serialize;
use std::fs;
use std::io::{ErrorKind as Io, Write};
use std::path::{Path, PathBuf};

/// The JSON Schema of a migration's file.
const SCHEMA: &str = "ductape.schema.json";

#[derive(Debug, Default, Serialize)]
struct Document {
    created: Vec<String>,
    kept: Vec<String>,
}

pub fn run(context: &Context, _: &Init) -> Result<Answer, Failure> {
    let config = context
        .global()
        .config
        .clone()
        .unwrap_or_else(|| FILE_NAME.into());
    let root = config.parent().unwrap_or(Path::new("")).to_owned();
    let folder = match context.global().migrations.as_slice() {
        [] => FOLDER.into(),
        [folder] => folder.clone(),
        _ => {
            return Err(Failure::usage(
                "init makes one folder, and several are given",
            ));
        }
    };
    let mut document = Document::default();
    let text = configuration(&root, &folder);
    document.note(&config, write_new(&config, &text)?);
    let folder = root.join(folder);
    document.note(&folder, make_folder(&folder)?);
    let schema = serde_json::to_string_pretty(&ductape::core::migration::json_schema())
        .map_err(|error| Failure::internal(format!("the JSON Schema is no JSON: {error}")))?;
    let path = root.join(SCHEMA);
    document.note(&path, write_new(&path, &(schema + "\n"))?);
    context.answer(&document, |style| document.text(style))
}

impl Document {
    fn note(&mut self, path: &Path, created: bool) {
        let list = if created {
            &mut self.created
        } else {
            &mut self.kept
        };
        list.push(path.to_string_lossy().into_owned());
    }

    fn text(&self, style: Style) -> String {
        let row = |word: &str, paint: fn(Style, &str) -> String, path: &String| {
            vec![Cell(word.to_owned(), Some(paint)), path.into()]
        };
        let created = self.created.iter().map(|p| row("created", Style::green, p));
        let kept = self.kept.iter().map(|p| row("kept", Style::dim, p));
        let rows: Vec<Vec<Cell>> = created.chain(kept).collect();
        table(&rows, style)
    }
}

/// Writes a file that is not there yet. Says whether it did.
pub fn write_new(path: &Path, text: &str) -> Result<bool, Failure> {
    let failed = |error: std::io::Error| {
        Failure::io(format!("{} cannot be written: {error}", path.display()))
    };
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == Io::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a file would be taken for a whole one.
        let _ = fs::remove_file(path);
        return Err(failed(error));
    }
    Ok(true)
}

/// Makes a folder that is not there yet. Says whether it did.
pub fn make_folder(folder: &Path) -> Result<bool, Failure> {
    if folder.is_dir() {
        return Ok(false);
    }
    fs::create_dir_all(folder).map_err(|error| {
        Failure::io(format!(
            "the folder {} cannot be made: {error}",
            folder.display()
        ))
    })?;
    Ok(true)
}

fn configuration(root: &Path, folder: &Path) -> String {
    let here = std::path::absolute(Path::new(".").join(root)).ok();
    let name = here.as_deref().and_then(Path::file_name).map_or_else(
        || "my-app".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let name = quoted(&name);
    let folder = quoted(&PathBuf::from(folder).to_string_lossy());
    format!(
        r#"# Ductape: https://github.com/ductape/ductape
# The files in the folder of migrations are checked and completed by an editor that knows their JSON
# Schema, {SCHEMA} beside this file.

[product]
name = {name}
migrations = {folder}

# A database, and where it is in each environment: `ductape --env dev --database main status`.
# With one database, or one environment, there is no need to name it; a default can be named, too:
# default = "main.dev"  (at the top of this file)
[databases.main.dev]
url = "sqlite://dev.db"

# [databases.main.prd]
# url = "postgres://app:${{DB_PASSWORD}}@db.internal/app"   # ${{NAME}} comes from the environment,
#                                                         # percent-encoded as in every URL
# protected = true        # what loses data needs --allow-data-loss, and a terminal asks first
# requires = "staging"    # refuses a migration that this environment has not applied as it is
"#
    )
}
