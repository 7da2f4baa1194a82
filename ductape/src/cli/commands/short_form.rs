//! Operations given short: `create users id:uuid:pk email:string(255):required:unique`.
//!
//! A short form is read word by word, so that it may stand in one argument or in several. What each
//! word may be is clear from those before it: a field has a `:`, and an operation begins with its verb.

use crate::failure::Failure;
use ductape::core::json::nearest;
use serde_json::{Map, Value, json};

const VERBS: [&str; 5] = ["create", "add", "drop", "rename", "index"];

/// The operations of a command line, as in a migration's file.
///
/// # Errors
/// The first word that does not fit, and what would.
pub fn operations(arguments: &[String]) -> Result<Vec<Value>, Failure> {
    let words: Vec<&str> = arguments.iter().flat_map(|text| words(text)).collect();
    let mut words = Words { rest: &words };
    let mut operations = Vec::new();
    while let Some(verb) = words.next() {
        match verb {
            "create" => operations.push(create(&mut words)?),
            "add" => add(&mut words, &mut operations)?,
            "drop" => operations.push(drop(&mut words)?),
            "rename" => operations.push(rename(&mut words)?),
            "index" => operations.push(index(&mut words)?),
            other => return Err(unknown_verb(other)),
        }
    }
    Ok(operations)
}

/// The words of a text; what stands in parentheses belongs together.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c.is_whitespace() && depth == 0
    })
    .filter(|word| !word.is_empty())
    .collect()
}

struct Words<'w> {
    rest: &'w [&'w str],
}

impl<'w> Words<'w> {
    fn next(&mut self) -> Option<&'w str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn next_if(&mut self, fits: impl Fn(&str) -> bool) -> Option<&'w str> {
        let first = self.rest.first().filter(|word| fits(word))?;
        self.rest = self.rest.get(1..).unwrap_or(&[]);
        Some(first)
    }

    fn needed(&mut self, after: &str, what: &str) -> Result<&'w str, Failure> {
        self.next()
            .ok_or_else(|| misfit(format!("after `{after}`, {what} is missing")))
    }
}

fn misfit(message: String) -> Failure {
    Failure::usage(message).hint("see the short forms with `ductape new --help`")
}

fn unknown_verb(word: &str) -> Failure {
    let message = format!("{word:?} is no operation");
    match nearest(word, VERBS.into_iter()) {
        Some(near) => Failure::usage(message).hint(format!("did you mean {near:?}?")),
        None => Failure::usage(message).hint(format!(
            "an operation begins with one of: {}",
            VERBS.join(", ")
        )),
    }
}

fn create(words: &mut Words<'_>) -> Result<Value, Failure> {
    let name = words.needed("create", "the collection's name")?;
    let mut fields = Vec::new();
    let mut timestamps = false;
    loop {
        if let Some(text) = words.next_if(|word| word.contains(':')) {
            fields.push(field(text)?);
        } else if words.next_if(|word| word == "timestamps").is_some() {
            timestamps = true;
        } else {
            break;
        }
    }
    let mut operation = json!({ "type": "createCollection", "name": name, "fields": fields });
    if timestamps && let Some(operation) = operation.as_object_mut() {
        operation.insert("timestamps".into(), true.into());
    }
    Ok(operation)
}

fn add(words: &mut Words<'_>, operations: &mut Vec<Value>) -> Result<(), Failure> {
    let collection = words.needed("add", "the collection's name")?;
    let first = words.needed("add", "a field (name:type)")?;
    let mut text = Some(first);
    while let Some(field_text) = text {
        operations.push(json!({
            "type": "addField", "collection": collection, "field": field(field_text)?,
        }));
        text = words.next_if(|word| word.contains(':'));
    }
    Ok(())
}

fn drop(words: &mut Words<'_>) -> Result<Value, Failure> {
    let what = words.needed("drop", "a collection, or collection.field")?;
    Ok(match what.split_once('.') {
        Some((collection, field)) => {
            json!({ "type": "dropField", "collection": collection, "field": field })
        }
        None => json!({ "type": "dropCollection", "name": what }),
    })
}

fn rename(words: &mut Words<'_>) -> Result<Value, Failure> {
    let from = words.needed("rename", "a collection, or collection.field")?;
    let to = words.needed("rename", "the new name")?;
    Ok(match from.split_once('.') {
        Some((collection, field)) => {
            json!({ "type": "renameField", "collection": collection, "from": field, "to": to })
        }
        None => json!({ "type": "renameCollection", "from": from, "to": to }),
    })
}

/// `users(email, name desc):unique:name=idx_of_mine`
fn index(words: &mut Words<'_>) -> Result<Value, Failure> {
    let text = words.needed("index", "collection(fields)")?;
    let wrong = || misfit(format!("{text:?} is no index: write collection(field, …)"));
    let (collection, rest) = text.split_once('(').ok_or_else(wrong)?;
    let (keys, modifiers) = rest.rsplit_once(')').ok_or_else(wrong)?;
    let mut fields = Vec::new();
    for key in keys.split(',') {
        let parts: Vec<&str> = key.split_whitespace().collect();
        fields.push(match parts.as_slice() {
            [name] => json!(name),
            [name, order @ ("asc" | "desc")] => json!({ "name": name, "order": order }),
            _ => return Err(wrong()),
        });
    }
    let mut index = Map::new();
    index.insert("fields".into(), fields.into());
    if !modifiers.is_empty() {
        for modifier in modifiers.strip_prefix(':').ok_or_else(wrong)?.split(':') {
            match modifier.split_once('=') {
                None if modifier == "unique" => index.insert("unique".into(), true.into()),
                Some(("name", name)) => index.insert("name".into(), name.into()),
                _ => {
                    return Err(misfit(format!(
                        "{modifier:?} says nothing of an index; `unique` and `name=…` do"
                    )));
                }
            };
        }
    }
    Ok(json!({ "type": "createIndex", "collection": collection, "index": index }))
}

/// `email:string(255):required:unique:default=none`
fn field(text: &str) -> Result<Value, Failure> {
    let (name, rest) = text
        .split_once(':')
        .ok_or_else(|| misfit(format!("{text:?} is no field: write name:type")))?;
    let mut parts = parts(rest);
    let of_type = parts.next().unwrap_or_default();
    let mut field = Map::new();
    field.insert("name".into(), name.into());
    field_type(text, of_type, &mut field)?;
    for modifier in parts {
        let (key, value) = match modifier.split_once('=') {
            Some(("default", value)) => ("default", default(of_type, value)),
            Some(("comment", value)) => ("comment", value.into()),
            _ => match modifier {
                "pk" => ("primaryKey", true.into()),
                "required" => ("required", true.into()),
                "nullable" => ("nullable", true.into()),
                "unique" => ("unique", true.into()),
                "auto" => ("autoIncrement", true.into()),
                other => {
                    return Err(misfit(format!(
                        "{other:?} says nothing of a field ({text}); one of: pk, required, nullable, \
                         unique, auto, default=…, comment=…"
                    )));
                }
            },
        };
        field.insert(key.into(), value);
    }
    Ok(field.into())
}

/// What stands between colons; a default takes the rest, for it may have colons of its own.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.starts_with("default=") || text.starts_with("comment=") {
            rest = None;
            return Some(text);
        }
        let mut depth = 0_usize;
        let end = text.find(|c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ':' && depth == 0
        });
        match end {
            Some(end) => {
                let (part, after) = text.split_at(end);
                rest = after.get(1..);
                Some(part)
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

/// `string(255)`, `decimal(10,2)`, `enum(new,paid)`, `array(integer)`
fn field_type(field: &str, text: &str, to: &mut Map<String, Value>) -> Result<(), Failure> {
    let wrong = |why: &str| misfit(format!("{text:?} is no type ({field}): {why}"));
    let (name, inner) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let inner = rest
                .strip_suffix(')')
                .ok_or_else(|| wrong("a `)` is missing"))?;
            (name, Some(inner))
        }
    };
    to.insert("type".into(), name.into());
    let Some(inner) = inner else { return Ok(()) };
    let number = |text: &str| {
        let number: u32 = text
            .trim()
            .parse()
            .map_err(|_| wrong(&format!("{text:?} is no whole number")))?;
        Ok::<Value, Failure>(number.into())
    };
    match name {
        "decimal" => {
            let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
            to.insert("precision".into(), number(precision)?);
            to.insert("scale".into(), number(scale)?);
        }
        "enum" => {
            let values: Vec<&str> = inner.split(',').map(str::trim).collect();
            to.insert("enumValues".into(), json!(values));
        }
        "array" => {
            let mut items = Map::new();
            field_type(field, inner.trim(), &mut items)?;
            to.insert("items".into(), items.into());
        }
        "string" | "binary" => {
            to.insert("length".into(), number(inner)?);
        }
        _ => {
            return Err(wrong(
                "only string, binary, decimal, enum and array take something in parentheses",
            ));
        }
    }
    Ok(())
}

/// A default as JSON has it: numbers and booleans where the type has them, otherwise a text.
fn default(of_type: &str, text: &str) -> Value {
    let made = match text {
        "now" => Some(json!({ "now": true })),
        "uuid" => Some(json!({ "uuid": true })),
        _ => None,
    };
    let name = of_type.split('(').next().unwrap_or(of_type);
    match name {
        "date" | "time" | "datetime" | "timestamp" | "uuid" if made.is_some() => {
            made.unwrap_or_default()
        }
        "string" | "text" | "enum" | "date" | "time" | "datetime" | "timestamp" | "uuid"
        | "binary" | "blob" => text.into(),
        _ => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}
