//! A migration: a tag, a name, and operations up and down.

mod checks;
#[cfg(feature = "json-schema")]
mod json_schema;
mod sketch;

#[cfg(feature = "json-schema")]
pub use json_schema::json_schema;
pub use sketch::Sketch;

use crate::checksum::Checksum;
use crate::json::{self, Node, Read, Reader};
use crate::operation::Operation;
use crate::problem::Problems;
use crate::tag::Tag;
use checks::{check_depth, check_operations, check_readable};
use serde::ser::SerializeMap;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::name::Name;
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
}
