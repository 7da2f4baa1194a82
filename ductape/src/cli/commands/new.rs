//! `new`: writes a new migration's file.

use super::init::{make_folder, write_new};
use super::short_form;
use crate::args::New;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::Source;
use crate::output::{Answer, printable, tell_aside};
use ductape::{ErrorKind, Migration, Tag};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize)]
struct Document<'n> {
    path: &'n str,
    tag: &'n Tag,
    name: &'n str,
}

/// The longest name: a file's name has 255 bytes at most, and the tag and `.json` need some of them.
const LONGEST_NAME: usize = 200;

pub fn run(context: &Context, new: &New) -> Result<Answer, Failure> {
    check_name(&new.name)?;
    let operations = short_form::operations(&new.operations)?;
    let folder = folder(&context.source(&[])?)?;
    let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
    let mut tag = Tag::after(latest(&folder).as_ref(), now, &new.name);
    make_folder(&folder)?;
    loop {
        let text = text(&tag, new, &operations)?;
        let path = folder.join(format!("{tag}.json"));
        if write_new(&path, &text)? {
            let shown = path.to_string_lossy();
            let document = Document {
                path: &shown,
                tag: &tag,
                name: tag.name(),
            };
            if operations.is_empty() && !context.json() {
                // It is an aside: nobody fails because it cannot be told.
                let _ = tell_aside("it has no operations yet: fill `up` before the next command");
            }
            return context.answer(&document, |_| printable(&shown));
        }
        // Somebody made one of the same name within the same second.
        tag = Tag::after(Some(&tag), now, &new.name);
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() {
        return Err(Failure::usage("a migration needs a name"));
    }
    if name.len() > LONGEST_NAME {
        return Err(Failure::usage(format!(
            "the name has {} bytes, and a file's name leaves {LONGEST_NAME}",
            name.len()
        )));
    }
    if name.chars().all(fits) {
        return Ok(());
    }
    let mended: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    Err(Failure::usage(format!(
        "the name {name:?} has other characters than letters, digits and _"
    ))
    .hint(format!(
        "it becomes part of the file's name; {mended:?} would do"
    )))
}

fn folder(source: &Source) -> Result<PathBuf, Failure> {
    match source.places.as_slice() {
        [folder] if folder.is_file() => Err(Failure::usage(format!(
            "{} is a file, and a folder is needed for the new one",
            folder.display()
        ))),
        [folder] => Ok(folder.clone()),
        _ => Err(Failure::usage(
            "one folder is needed for the new file, and several are given",
        )),
    }
}

/// The last tag among the files' names, which the new one comes after. One from the far future, made
/// by hand, must not drag all later ones along.
fn latest(folder: &Path) -> Option<Tag> {
    let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
    let soon = now.checked_add(jiff::Span::new().days(1)).unwrap_or(now);
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".json")?.parse::<Tag>().ok()
        })
        .filter(|tag| tag.moment() < soon)
        .max()
}

/// The text of the file. One without operations is left for its author to fill.
fn text(tag: &Tag, new: &New, operations: &[serde_json::Value]) -> Result<String, Failure> {
    if operations.is_empty() {
        let name = serde_json::Value::from(tag.name());
        let description = new.description.as_ref().map_or_else(String::new, |text| {
            format!(
                "  \"description\": {},\n",
                serde_json::Value::from(text.as_str())
            )
        });
        return Ok(format!(
            "{{\n  \"format\": 1,\n  \"tag\": \"{tag}\",\n  \"name\": {name},\n{description}  \"up\": []\n}}\n"
        ));
    }
    let mut document = json!({ "format": 1, "tag": tag, "name": tag.name(), "up": operations });
    if let (Some(description), Some(object)) = (&new.description, document.as_object_mut()) {
        object.insert("description".into(), description.as_str().into());
    }
    let migration = Migration::parse(&document.to_string()).map_err(|problems| {
        Failure::of(ErrorKind::Usage, problems.to_string())
            .hint("see the short forms with `ductape new --help`")
    })?;
    Ok(migration.to_json())
}
