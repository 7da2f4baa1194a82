//! Constraints: primary keys, unique keys, foreign keys and checks.

use crate::backend_name::BackendName;
use crate::expression::{self, Expression};
use crate::json::{Node, Read, Reader, document, is_default, words};
use crate::name::Name;
use std::collections::BTreeMap;

words! {
    /// What happens to rows that point at a row which goes or changes.
    pub enum ReferentialAction = "a referential action" {
        /// They go or change too.
        "CASCADE" => Cascade,
        /// Their fields become null.
        "SET NULL" => SetNull,
        /// Their fields become their defaults.
        "SET DEFAULT" => SetDefault,
        /// It is refused at once.
        "RESTRICT" => Restrict,
        /// It is refused when the statement (or, deferred, the transaction) ends.
        "NO ACTION" => NoAction,
    }
}

words! {
    /// When a deferrable constraint is checked.
    pub enum Deferrable = "\"immediate\" or \"deferred\"" {
        /// After each statement, unless the transaction asks otherwise.
        "immediate" => Immediate,
        /// When the transaction ends.
        "deferred" => Deferred,
    }
}

words! {
    /// The word for a kind of constraint.
    pub enum ConstraintType = "a constraint type" {
        /// A primary key.
        "primaryKey" => PrimaryKey,
        /// A unique key.
        "unique" => Unique,
        /// A foreign key.
        "foreignKey" => ForeignKey,
        /// A check.
        "check" => Check,
    }
}

document! {
    /// What a foreign key points at.
    pub struct References = "what a foreign key references" {
        required {
            /// The collection it points at.
            "table" => table: Name,
            /// The fields it points at, in the order of its own.
            "columns" => columns: Vec<Name>,
        }
        optional {
            /// What happens when the row it points at is deleted; `NO ACTION` if absent.
            "onDelete" => on_delete: Option<ReferentialAction>,
            /// What happens when the key it points at changes; `NO ACTION` if absent.
            "onUpdate" => on_update: Option<ReferentialAction>,
        }
    }
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// These fields, in this order, tell one row from every other, and are never null.
    PrimaryKey(Vec<Name>),
    /// No two rows share these fields.
    Unique(Vec<Name>),
    /// These fields are those of a row elsewhere, or null.
    ForeignKey(Vec<Name>, References),
    /// This holds for every row.
    Check(Expression),
}

/// A constraint of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Its name; made from the collection and the fields if absent.
    pub name: Option<Name>,
    /// What it demands.
    pub rule: Rule,
    /// Whether and when its check can wait.
    pub deferrable: Option<Deferrable>,
    /// The constraint in a database's own words, without its name, where the model cannot say all of it.
    pub native: BTreeMap<BackendName, String>,
}

impl Constraint {
    /// A constraint with nothing else said.
    pub fn new(rule: Rule) -> Self {
        Self {
            name: None,
            rule,
            deferrable: None,
            native: BTreeMap::new(),
        }
    }

    /// A constraint with a name.
    pub fn named(name: Name, rule: Rule) -> Self {
        Self {
            name: Some(name),
            rule,
            deferrable: None,
            native: BTreeMap::new(),
        }
    }

    /// The word for its kind.
    pub fn constraint_type(&self) -> ConstraintType {
        match &self.rule {
            Rule::PrimaryKey(_) => ConstraintType::PrimaryKey,
            Rule::Unique(_) => ConstraintType::Unique,
            Rule::ForeignKey(..) => ConstraintType::ForeignKey,
            Rule::Check(_) => ConstraintType::Check,
        }
    }

    /// Whether it is a primary key or unique: what a foreign key can point at, and what has an index.
    pub fn is_key(&self) -> bool {
        matches!(self.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
    }

    /// Its own fields; a check has none.
    pub fn columns(&self) -> &[Name] {
        match &self.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) | Rule::ForeignKey(columns, _) => {
                columns
            }
            Rule::Check(_) => &[],
        }
    }

    /// What it points at, if it is a foreign key.
    pub fn references(&self) -> Option<&References> {
        match &self.rule {
            Rule::ForeignKey(_, references) => Some(references),
            _ => None,
        }
    }

    /// Whether it is over a field of its own collection in any way.
    pub fn mentions(&self, field: &Name) -> bool {
        match &self.rule {
            Rule::Check(expression) => expression.mentions(field),
            _ => self.columns().contains(field),
        }
    }

    /// The name that is made where none is given. Checks of one collection are told apart by
    /// `number`.
    pub fn made_name(&self, collection: &Name, number: usize) -> Name {
        let prefix = match &self.rule {
            Rule::PrimaryKey(_) => "pk",
            Rule::Unique(_) => "uq",
            Rule::ForeignKey(..) => "fk",
            Rule::Check(_) => {
                let plain = Name::made("ck", [collection]);
                return if number == 0 {
                    plain
                } else {
                    Name::made(plain.as_str(), [&Name::made(&number.to_string(), [])])
                };
            }
        };
        Name::made(prefix, std::iter::once(collection).chain(self.columns()))
    }

    /// Follows a renamed field of its own collection.
    pub(crate) fn rename_field(&mut self, from: &Name, to: &Name) {
        match &mut self.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) | Rule::ForeignKey(columns, _) => {
                rename_in(columns, from, to);
            }
            Rule::Check(expression) => *expression = expression.renamed(from, to),
        }
        self.rename_native(|own, target| {
            (
                expression::rename(own, from.as_str(), to.as_str()),
                target.to_owned(),
            )
        });
    }

    /// Follows a renamed field of the collection that it points at.
    pub(crate) fn rename_target_field(&mut self, collection: &Name, from: &Name, to: &Name) {
        if let Rule::ForeignKey(_, references) = &mut self.rule
            && references.table == *collection
        {
            rename_in(&mut references.columns, from, to);
            self.rename_native(|own, target| {
                let (table, fields) = target.split_at(target.find('(').unwrap_or(target.len()));
                let fields = expression::rename(fields, from.as_str(), to.as_str());
                (own.to_owned(), format!("{table}{fields}"))
            });
        }
    }

    /// Follows the new name of the collection that it points at.
    pub(crate) fn rename_target(&mut self, from: &Name, to: &Name) {
        if let Rule::ForeignKey(_, references) = &mut self.rule
            && references.table == *from
        {
            references.table = to.clone();
            self.rename_native(|own, target| {
                let (table, fields) = target.split_at(target.find('(').unwrap_or(target.len()));
                let table = expression::rename(table, from.as_str(), to.as_str());
                (own.to_owned(), format!("{table}{fields}"))
            });
        }
    }

    /// Changes the words before and after `REFERENCES`, where there are any.
    fn rename_native(&mut self, change: impl Fn(&str, &str) -> (String, String)) {
        const WORD: &str = " REFERENCES ";
        for text in self.native.values_mut() {
            *text = match text.split_once(WORD) {
                Some((own, target)) => {
                    let (own, target) = change(own, target);
                    format!("{own}{WORD}{target}")
                }
                None => change(text, "").0,
            };
        }
    }
}

/// Replaces a name in a list of names.
pub(crate) fn rename_in(names: &mut [Name], from: &Name, to: &Name) {
    for name in names {
        if name == from {
            *name = to.clone();
        }
    }
}

const CONSTRAINT_KEYS: [&str; 7] = [
    "name",
    "type",
    "columns",
    "references",
    "expression",
    "deferrable",
    "native",
];

impl Read for Constraint {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = reader.object(node, "a constraint", &CONSTRAINT_KEYS)?;
        let name = reader.optional(entries, "name");
        let kind = reader.required::<ConstraintType>(entries, "type");
        let deferrable = reader.optional(entries, "deferrable");
        let native: Option<BTreeMap<BackendName, String>> = reader.optional(entries, "native");
        let own_words = native.as_ref().is_some_and(|native| !native.is_empty());
        let kind = kind?;
        let wanted: &[&str] = match kind {
            ConstraintType::PrimaryKey | ConstraintType::Unique => &["columns"],
            ConstraintType::ForeignKey => &["columns", "references"],
            ConstraintType::Check => &["expression"],
        };
        for key in ["columns", "references", "expression"] {
            if !wanted.contains(&key) && entries.iter().any(|(k, _)| k == key) {
                reader.within(key, |reader| {
                    reader.problem(format!("a constraint of type {kind} has no {key}"));
                });
            }
        }
        let columns = |reader: &mut Reader| -> Option<Vec<Name>> {
            let columns: Vec<Name> = reader.required(entries, "columns")?;
            reader.within("columns", |reader| check_columns(&columns, reader));
            Some(columns)
        };
        let rule = match kind {
            ConstraintType::PrimaryKey => Rule::PrimaryKey(columns(reader)?),
            ConstraintType::Unique => Rule::Unique(columns(reader)?),
            ConstraintType::ForeignKey => {
                let columns = columns(reader);
                let references: Option<References> = reader.required(entries, "references");
                let (columns, mut references) = (columns?, references?);
                for action in [&mut references.on_delete, &mut references.on_update] {
                    *action = action.filter(|action| *action != ReferentialAction::NoAction);
                }
                // In its own words, a foreign key may point at a key that is not there.
                let unsaid = own_words && references.columns.is_empty();
                reader.within("references", |reader| {
                    reader.within("columns", |reader| {
                        if unsaid {
                            return;
                        }
                        check_columns(&references.columns, reader);
                        if references.columns.len() != columns.len() {
                            reader.problem(format!(
                                "{} columns cannot reference {}",
                                columns.len(),
                                references.columns.len()
                            ));
                        }
                    });
                });
                Rule::ForeignKey(columns, references)
            }
            ConstraintType::Check => Rule::Check(reader.required(entries, "expression")?),
        };
        Some(Self {
            name: name?,
            rule,
            deferrable: deferrable?,
            native: native?,
        })
    }
}

fn check_columns(columns: &[Name], reader: &mut Reader) {
    if columns.is_empty() {
        reader.problem("at least one column is needed");
    }
    for (index, column) in columns.iter().enumerate() {
        if columns.iter().take(index).any(|earlier| earlier == column) {
            reader.at(index, |reader| {
                reader.problem(format!("the column {column:?} stands twice"));
            });
        }
    }
}

impl serde::Serialize for Constraint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("type", &self.constraint_type())?;
        match &self.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                map.serialize_entry("columns", columns)?;
            }
            Rule::ForeignKey(columns, references) => {
                map.serialize_entry("columns", columns)?;
                map.serialize_entry("references", references)?;
            }
            Rule::Check(expression) => map.serialize_entry("expression", expression)?,
        }
        if let Some(deferrable) = &self.deferrable {
            map.serialize_entry("deferrable", deferrable)?;
        }
        if !is_default(&self.native) {
            map.serialize_entry("native", &self.native)?;
        }
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Constraint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Constraint".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<Name>();
        let kind = generator.subschema_for::<ConstraintType>();
        let columns = generator.subschema_for::<Vec<Name>>();
        let references = generator.subschema_for::<References>();
        let expression = generator.subschema_for::<Expression>();
        let deferrable = generator.subschema_for::<Deferrable>();
        let backend = generator.subschema_for::<BackendName>();
        let columns =
            serde_json::json!({ "allOf": [columns, { "minItems": 1, "uniqueItems": true }] });
        let only = |kind: &[&str], keys: &[&str]| {
            let mut properties = serde_json::Map::new();
            for key in ["columns", "references", "expression"] {
                if !keys.contains(&key) {
                    properties.insert(key.to_owned(), false.into());
                }
            }
            serde_json::json!({
                "if": { "properties": { "type": { "enum": kind } }, "required": ["type"] },
                "then": { "properties": properties, "required": keys }
            })
        };
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "name": name,
                "type": kind,
                "columns": columns,
                "references": references,
                "expression": expression,
                "deferrable": deferrable,
                "native": { "type": "object", "propertyNames": backend, "additionalProperties": { "type": "string" } }
            },
            "required": ["type"],
            "additionalProperties": false,
            "allOf": [
                only(&["primaryKey", "unique"], &["columns"]),
                only(&["foreignKey"], &["columns", "references"]),
                only(&["check"], &["expression"])
            ]
        })
    }
}
