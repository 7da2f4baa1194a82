//! A migration: a tag, a name, and operations up and down.

use crate::checksum::Checksum;
use crate::data::Filter;
use crate::json::{self, Node, Read, Reader};
use crate::name::Name;
use crate::operation::{CreateCollection, DropConstraint, Operation, SchemaErrorKind};
use crate::problem::{Problem, Problems};
use crate::schema::Schema;
use crate::tag::Tag;
use serde::ser::SerializeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The format of migrations that this library reads and writes.
pub const FORMAT: u32 = 1;

/// One reversible change of a schema, as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    tag: Option<Tag>,
    name: String,
    description: Option<String>,
    /// Shared: sets, reports and plans hold the same migration.
    up: Arc<[Operation]>,
    written_down: Option<Vec<Operation>>,
    derived_down: Option<Vec<Operation>>,
    checksum: Checksum,
}

impl Migration {
    /// A migration without a tag: it gets one when it is first applied.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn new(
        name: impl Into<String>,
        description: Option<String>,
        up: Vec<Operation>,
        down: Option<Vec<Operation>>,
    ) -> Result<Self, Problems> {
        let migration = Self::assemble(None, name.into(), description, up, down);
        migration.validate()?;
        // Values in the one form in which a file's reader has them, so that the checksum is the same.
        let Self {
            name,
            description,
            up,
            written_down,
            ..
        } = migration;
        let down = written_down.map(as_read);
        Ok(Self::assemble(
            None,
            name,
            description,
            as_read(up.to_vec()),
            down,
        ))
    }

    fn assemble(
        tag: Option<Tag>,
        name: String,
        description: Option<String>,
        up: Vec<Operation>,
        down: Option<Vec<Operation>>,
    ) -> Self {
        let checksum = Checksum::of(&up, down.as_deref());
        Self {
            tag,
            name,
            description,
            up: up.into(),
            written_down: down,
            derived_down: None,
            checksum,
        }
    }

    /// Reads a migration from the JSON of its file, of at most [`json::DEFAULT_SIZE_LIMIT`] bytes.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    ///
    /// ```
    /// use ductape_core::Migration;
    /// let text = r#"{"format": 1, "tag": "20240115_143052_drop_old", "name": "drop_old",
    ///                "up": [{"type": "dropCollection", "name": "old"}]}"#;
    /// assert_eq!(Migration::parse(text)?.up().len(), 1);
    /// let wrong = r#"{"format": 1, "tag": "x", "up": [{"type": "dropColection"}], "extra": 0}"#;
    /// assert_eq!(Migration::parse(wrong).unwrap_err().0.len(), 3);
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Problems> {
        Self::parse_with_limit(text, json::DEFAULT_SIZE_LIMIT)
    }

    /// Like [`Migration::parse`], with another limit in bytes.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn parse_with_limit(text: &str, limit: usize) -> Result<Self, Problems> {
        let node = json::parse(text, limit)?;
        let mut reader = Reader::new();
        let migration = Self::read_file(&node, &mut reader);
        // The canonical form is at most three times as deep as what was written.
        if let Some(migration) = &migration
            && node.depth() > json::DEEPEST / 3
        {
            for (key, operations) in migration.parts() {
                check_depth(key, &as_node(operations), &mut reader);
            }
        }
        let problems = reader.finish();
        match migration {
            Some(migration) if problems.is_empty() => Ok(migration),
            _ => Err(Problems(problems)),
        }
    }

    /// Reads the operations that a ledger keeps.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse_operations(text: &str) -> Result<Vec<Operation>, Problems> {
        let node = json::parse(text, usize::MAX)?;
        let mut reader = Reader::new();
        let operations = Vec::read(&node, &mut reader);
        let problems = reader.finish();
        operations
            .filter(|_| problems.is_empty())
            .ok_or(Problems(problems))
    }

    fn read_file(node: &Node, reader: &mut Reader) -> Option<Self> {
        const KEYS: [&str; 6] = ["format", "tag", "name", "description", "up", "down"];
        let Node::Object(entries) = node else {
            return reader.expected("a migration: an object with format, tag and up", node);
        };
        if let Some(format) = reader.required::<i64>(entries, "format")
            && format != i64::from(FORMAT)
        {
            reader.within("format", |reader| {
                reader.problem_with_hint(
                    format!("the format is {format}, and this version reads {FORMAT}"),
                    "use the version of ductape that wrote the file",
                );
            });
            return None;
        }
        reader.object(node, "a migration", &KEYS);
        let tag: Option<Tag> = reader.required(entries, "tag");
        let name: Option<Option<String>> = reader.optional(entries, "name");
        let description = reader.optional(entries, "description");
        let up: Option<Vec<Operation>> = reader.required(entries, "up");
        let down: Option<Option<Vec<Operation>>> = reader.optional(entries, "down");
        if reader.count() > 0 {
            check_readable(node, reader);
        } else {
            for (key, operations) in [("up", up.as_ref()), ("down", down.iter().flatten().next())] {
                check_operations(key, operations.into_iter().flatten().map(Some), reader);
            }
        }
        if up.as_ref().is_some_and(Vec::is_empty) {
            reader.within("up", |reader| {
                reader.problem("at least one operation is needed")
            });
        }
        let tag = tag?;
        let name = match name? {
            None => tag.name().to_owned(),
            Some(name) => {
                if name != tag.name() {
                    reader.within("name", |reader| {
                        reader.problem_with_hint(
                            format!("the tag ends in {:?}, and the name is {name:?}", tag.name()),
                            "make them the same, or leave the name out",
                        );
                    });
                }
                name
            }
        };
        Some(Self::assemble(Some(tag), name, description?, up?, down?))
    }

    /// The same migration with a tag. Its name becomes that of the tag.
    #[must_use]
    pub fn with_tag(mut self, tag: Tag) -> Self {
        self.name = tag.name().to_owned();
        self.tag = Some(tag);
        self
    }

    /// The same migration with the way back that was derived for it; a written one stays.
    #[must_use]
    pub fn with_derived_down(mut self, down: Vec<Operation>) -> Self {
        self.derived_down = Some(down);
        self
    }

    /// Its tag, if it has one already.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The operations that it applies.
    pub fn up(&self) -> &[Operation] {
        &self.up
    }

    /// The operations that undo it: as written, or as derived when it was applied. Nothing if it has
    /// not been applied and none are written.
    pub fn down(&self) -> Option<&[Operation]> {
        self.written_down
            .as_deref()
            .or(self.derived_down.as_deref())
    }

    /// The way back that its author wrote.
    pub fn written_down(&self) -> Option<&[Operation]> {
        self.written_down.as_deref()
    }

    /// The checksum of what was authored: the operations and a written way back.
    pub fn checksum(&self) -> &Checksum {
        &self.checksum
    }

    /// Checks everything that can be checked without a database.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut reader = Reader::new();
        if self.up.is_empty() {
            reader.within("up", |reader| {
                reader.problem("at least one operation is needed")
            });
        }
        if self.name.is_empty() {
            reader.within("name", |reader| reader.problem("a migration needs a name"));
        } else if !self.name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            reader.within("name", |reader| {
                reader.problem_with_hint(
                    format!(
                        "{:?} has other characters than letters, digits and _",
                        self.name
                    ),
                    "a name becomes part of the tag and of the file's name",
                );
            });
        }
        // What a file's reader finds, a program's migration is held against, too.
        for (key, operations) in self.parts() {
            let node = as_node(operations);
            check_depth(key, &node, &mut reader);
            reader.within(key, |reader| {
                Vec::<Operation>::read(&node, reader);
            });
        }
        if reader.count() == 0 {
            for (key, operations) in self.parts() {
                check_operations(key, operations.iter().map(Some), &mut reader);
            }
        }
        match reader.finish() {
            problems if problems.is_empty() => Ok(()),
            problems => Err(Problems(problems)),
        }
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, &[Operation])> {
        std::iter::once(("up", &*self.up))
            .chain(self.written_down.as_deref().map(|down| ("down", down)))
    }

    /// The migration as it was authored, for the ledger: without a derived way back.
    pub fn authored_json(&self) -> String {
        struct Authored<'m>(&'m Migration);
        impl serde::Serialize for Authored<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize_with(self.0.written_down(), serializer)
            }
        }
        serde_json::to_string(&Authored(self)).unwrap_or_default()
    }

    /// The migration as the text of its file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Operations as they are once they went through JSON.
fn as_read(operations: Vec<Operation>) -> Vec<Operation> {
    Vec::read(&as_node(&operations), &mut Reader::new()).unwrap_or(operations)
}

fn as_node(operations: &[Operation]) -> Node {
    serde_json::to_value(operations)
        .and_then(serde_json::from_value)
        .unwrap_or(Node::Null)
}

/// Notes operations that could not be read again once they are kept.
fn check_depth(key: &str, operations: &Node, reader: &mut Reader) {
    if operations.depth() >= json::DEEPEST {
        reader.within(key, |reader| {
            reader.problem_with_hint(
                format!(
                    "more than {} objects and lists inside each other",
                    json::DEEPEST
                ),
                "write it flatter",
            );
        });
    }
}

/// Checks the operations of a file as far as they can be read, so that one that cannot hides nothing
/// that is wrong with the others.
fn check_readable(file: &Node, reader: &mut Reader) {
    for key in ["up", "down"] {
        let Some(Node::List(nodes)) = file.get(key) else {
            continue;
        };
        let operations: Vec<Option<Operation>> = nodes.iter().map(readable).collect();
        check_operations(key, operations.iter().map(Option::as_ref), reader);
    }
}

/// An operation, if nothing is wrong with how it is written.
fn readable(node: &Node) -> Option<Operation> {
    let mut reader = Reader::new();
    Operation::read(node, &mut reader).filter(|_| reader.count() == 0)
}

/// Checks operations beyond how they are written; those that are not known are `None`.
fn check_operations<'o>(
    key: &str,
    operations: impl Iterator<Item = Option<&'o Operation>>,
    reader: &mut Reader,
) {
    let mut sketch = (key == "up").then(Sketch::default);
    reader.within(key, |reader| {
        for (index, operation) in operations.enumerate() {
            reader.at(index, |reader| match operation {
                Some(operation) => check_operation(operation, sketch.as_mut(), reader),
                // What follows may rest on what it would have done.
                None => sketch = None,
            });
        }
    });
}

fn check_operation(operation: &Operation, sketch: Option<&mut Sketch>, reader: &mut Reader) {
    let before = reader.count();
    check_names(operation, reader);
    check_words(operation, reader);
    if reader.count() > before {
        return;
    }
    if let Some(Err(problem)) = sketch.map(|sketch| sketch.apply(operation)) {
        match problem.hint {
            Some(hint) => reader.problem_with_hint(problem.message, hint),
            None => reader.problem(problem.message),
        }
    }
}

/// What an operation says in other languages than JSON.
fn check_words(operation: &Operation, reader: &mut Reader) {
    match operation {
        Operation::Raw(raw) => raw.check(reader),
        Operation::ModifyField(modify) => modify.check_using(reader),
        Operation::Update(update) => {
            let mut fields = Vec::new();
            update.filter.fields(&mut fields);
            if let Some(inverse) = &update.inverse {
                inverse.filter.fields(&mut fields);
            }
            for field in fields {
                if Filter::WORDS.contains(&field.as_str()) {
                    reader.problem_with_hint(
                        format!("a filter cannot be about a field called {field:?}"),
                        "and, or and not join filters; use raw, or rename the field",
                    );
                }
            }
        }
        _ => {}
    }
}

/// Names that are kept for Ductape.
fn check_names(operation: &Operation, reader: &mut Reader) {
    let mut names: Vec<&Name> = operation.collection().into_iter().collect();
    match operation {
        Operation::CreateCollection(create) => {
            names.extend(create.fields.iter().map(|field| &field.name));
            names.extend(create.indexes.iter().filter_map(|i| i.name.as_ref()));
            names.extend(create.constraints.iter().filter_map(|c| c.name.as_ref()));
            names.extend(
                create
                    .constraints
                    .iter()
                    .filter_map(|c| c.references().map(|r| &r.table)),
            );
        }
        Operation::RenameCollection(rename) => names.push(&rename.to),
        Operation::AddField(add) => names.push(&add.field.name),
        Operation::RenameField(rename) => names.push(&rename.to),
        Operation::CreateIndex(create) => names.extend(&create.index.name),
        Operation::AddConstraint(add) => {
            names.extend(&add.constraint.name);
            names.extend(add.constraint.references().map(|r| &r.table));
        }
        _ => {}
    }
    for name in names {
        if name.is_reserved() {
            reader.problem_with_hint(
                format!("the name {name:?} is kept for Ductape itself"),
                "names that begin with ductape_ are its own",
            );
        }
    }
}

/// What the given migrations themselves tell of a schema that is otherwise unknown: the collections
/// that they make, and those that they drop. What contradicts this is wrong without any database.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    known: Schema,
    gone: BTreeSet<Name>,
    /// Known collections that have foreign keys which are not: what they point at is not known.
    loose: BTreeSet<Name>,
}

impl Sketch {
    /// Follows an operation.
    ///
    /// # Errors
    /// What contradicts the operations before it.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Problem> {
        let subject = operation.collection();
        if let Some(subject) = subject
            && !matches!(operation, Operation::CreateCollection(_))
            && self.gone.contains(subject)
            && !tolerates_absence(operation)
        {
            return Err(Problem::new(
                "",
                format!(
                    "{}: the collection {subject:?} is gone by then",
                    operation.describe()
                ),
            ));
        }
        let known = subject.is_some_and(|subject| self.known.collection(subject).is_some());
        let outcome = match operation {
            Operation::CreateCollection(create) => {
                if let Some(gone) = points_at_gone(create, &self.gone) {
                    return Err(gone);
                }
                let mut create = create.clone();
                let name = create.name.clone();
                let all = create.constraints.len();
                create.constraints.retain(|constraint| {
                    constraint.references().is_none_or(|references| {
                        references.table == create.name
                            || self.known.collection(&references.table).is_some()
                    })
                });
                let loose = create.constraints.len() < all;
                let outcome = Operation::from(create).apply(&mut self.known);
                if outcome.is_ok() && loose {
                    self.loose.insert(name);
                }
                outcome
            }
            Operation::AddConstraint(add) if known => match add.constraint.references() {
                Some(references) if self.gone.contains(&references.table) => {
                    return Err(gone_target(&references.table));
                }
                Some(references) if self.known.collection(&references.table).is_none() => {
                    self.loose.insert(add.collection.clone());
                    Ok(())
                }
                _ => operation.apply(&mut self.known),
            },
            Operation::DropConstraint(drop) if self.may_have(drop) => Ok(()),
            Operation::RenameCollection(rename) => {
                let outcome = if known {
                    operation.apply(&mut self.known)
                } else if rename.from == rename.to || self.known.collection(&rename.to).is_some() {
                    return Err(Problem::new(
                        "",
                        format!("{}: that name is taken", operation.describe()),
                    ));
                } else {
                    Ok(())
                };
                if outcome.is_ok() {
                    self.gone.insert(rename.from.clone());
                    self.gone.remove(&rename.to);
                    if self.loose.remove(&rename.from) {
                        self.loose.insert(rename.to.clone());
                    }
                }
                outcome
            }
            Operation::Raw(_) | Operation::Restore(_) => {
                // A raw statement may do anything to what was known.
                *self = Self::default();
                Ok(())
            }
            Operation::DropCollection(drop) => {
                let outcome = if known {
                    operation.apply(&mut self.known)
                } else {
                    Ok(())
                };
                if outcome.is_ok() {
                    self.gone.insert(drop.name.clone());
                    self.loose.remove(&drop.name);
                }
                outcome
            }
            _ if known => operation.apply(&mut self.known),
            _ => Ok(()),
        };
        if let Operation::CreateCollection(create) = operation {
            self.gone.remove(&create.name);
        }
        outcome.map_err(|error| {
            let message = match error.kind {
                SchemaErrorKind::AlreadyExists { .. } | SchemaErrorKind::Missing => {
                    format!("{}: {}", operation.describe(), error.message)
                }
                _ => error.message.clone(),
            };
            let problem = Problem::new("", message);
            match error.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })
    }
}

impl Sketch {
    /// Whether a constraint that is not known may be one of the foreign keys that are not.
    fn may_have(&self, drop: &DropConstraint) -> bool {
        self.loose.contains(&drop.collection)
            && self
                .known
                .collection(&drop.collection)
                .is_some_and(|collection| collection.constraint(&drop.constraint).is_none())
    }
}

fn tolerates_absence(operation: &Operation) -> bool {
    matches!(operation, Operation::DropCollection(drop) if drop.if_exists)
}

fn gone_target(table: &Name) -> Problem {
    Problem::new(
        "",
        format!("the foreign key points at the collection {table:?}, which is gone by then"),
    )
}

fn points_at_gone(create: &CreateCollection, gone: &BTreeSet<Name>) -> Option<Problem> {
    create
        .constraints
        .iter()
        .filter_map(|constraint| Some(&constraint.references()?.table))
        .find(|table| **table != create.name && gone.contains(*table))
        .map(gone_target)
}

impl serde::Serialize for Migration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_with(self.down(), serializer)
    }
}

impl Migration {
    fn serialize_with<S: serde::Serializer>(
        &self,
        down: Option<&[Operation]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", &FORMAT)?;
        if let Some(tag) = &self.tag {
            map.serialize_entry("tag", tag)?;
        }
        map.serialize_entry("name", &self.name)?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        map.serialize_entry("up", &*self.up)?;
        if let Some(down) = down {
            map.serialize_entry("down", down)?;
        }
        map.end()
    }
}

/// The JSON Schema of a migration file, made from the types.
#[cfg(feature = "json-schema")]
pub fn json_schema() -> serde_json::Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let operations = generator.subschema_for::<Vec<Operation>>();
    let tag = generator.subschema_for::<Tag>();
    let mut definitions = generator.take_definitions(true);
    for (name, definition) in &mut definitions {
        // In changes null takes away; everywhere else what is not said is left out.
        if !name.ends_with("Changes") {
            without_null(definition);
        }
    }
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ductape migration",
        "type": "object",
        "properties": {
            "format": { "const": FORMAT, "description": "The format of the file." },
            "tag": tag,
            "name": { "type": "string", "description": "The name that the tag ends in." },
            "description": { "type": "string" },
            "up": { "allOf": [operations, { "minItems": 1 }] },
            "down": operations
        },
        "required": ["format", "tag", "up"],
        "additionalProperties": false,
        "$defs": definitions
    })
}

/// Takes null away from what may be left out, which is not the same to a reader.
#[cfg(feature = "json-schema")]
fn without_null(schema: &mut serde_json::Value) {
    use serde_json::Value;
    let null = Value::from("null");
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type")
                && types.len() == 2
            {
                types.retain(|word| *word != null);
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf")
                && choices.len() == 2
            {
                choices.retain(|choice| choice.get("type") != Some(&null));
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::operation::AddField;
    use crate::schema::{DefaultValue, Field, FieldType};

    #[test]
    fn values_are_put_into_their_one_form_in_a_program_as_in_a_file() {
        let decimal = FieldType::Decimal {
            precision: Some(10),
            scale: Some(2),
        };
        let mut field = Field::new(Name::new("price").unwrap(), decimal);
        field.default = Some(DefaultValue::Value(serde_json::json!("1.50")));
        let add = AddField::new(Name::new("items").unwrap(), field);
        let program = Migration::new("add_price", None, vec![add.into()], None).unwrap();
        let tag: Tag = "20240115_143052_add_price".parse().unwrap();
        let program = program.with_tag(tag);
        let file = Migration::parse(&program.to_json()).unwrap();
        assert_eq!(file.checksum(), program.checksum());
        assert_eq!(file, program);
    }

    fn checked(up: &str) -> Result<(), Problems> {
        let up = Migration::parse_operations(up)?;
        Migration::new("checked", None, up, None).map(|_| ())
    }

    #[test]
    fn a_foreign_key_to_a_collection_that_is_not_known_can_be_dropped() {
        let key = r#"{"name": "k", "type": "foreignKey", "columns": ["a"], "references": {"table": "elsewhere", "columns": ["id"]}}"#;
        let rename = r#"{"type": "renameCollection", "from": "t", "to": "u"}"#;
        let drop = r#"{"type": "dropConstraint", "collection": "u", "constraint": "k"}"#;
        checked(&format!(
            r#"[{{"type": "createCollection", "name": "t", "fields": {{"a": "integer"}}, "constraints": [{key}]}},
                {rename}, {drop}]"#
        ))
        .unwrap();
        checked(&format!(
            r#"[{{"type": "createCollection", "name": "t", "fields": {{"a": "integer"}}}},
                {{"type": "addConstraint", "collection": "t", "constraint": {key}}}, {rename}, {drop}]"#
        ))
        .unwrap();
        let without = format!(
            r#"[{{"type": "createCollection", "name": "u", "fields": {{"a": "integer"}}}}, {drop}]"#
        );
        assert!(checked(&without).is_err());
    }

    #[test]
    fn a_new_collection_cannot_point_at_one_that_is_gone() {
        let create = |target: &str| {
            format!(
                r#"[{{"type": "dropCollection", "name": "{target}"}},
                    {{"type": "createCollection", "name": "t", "fields": {{"a": {{"type": "integer", "unique": true}}}},
                      "constraints": [{{"type": "foreignKey", "columns": ["a"],
                                        "references": {{"table": "{target}", "columns": ["a"]}}}}]}}]"#
            )
        };
        assert!(checked(&create("gone")).is_err());
        assert!(checked(&create("t")).is_ok());
    }
}
