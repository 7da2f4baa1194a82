//! A collection of the schema model.

use crate::backend_name::BackendName;
use crate::expression::Expression;
use crate::json::is_default;
use crate::name::Name;
use crate::schema::{Constraint, DefaultValue, Field, Index, IndexTarget, List, Options, Rule};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A collection: a table, or whatever the database calls it.
///
/// In the model everything is spelled out: keys and unique fields are constraints, every index and
/// constraint has its name, and a field of the primary key says that it is required.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name.
    pub name: Name,
    /// Its fields, in the order in which they were made. The order is not part of equality.
    pub fields: List<Field>,
    /// Its indexes, sorted by name.
    pub indexes: List<Index>,
    /// Its constraints, sorted by name.
    pub constraints: List<Constraint>,
    /// A note for people.
    pub comment: Option<String>,
    /// Options that only some databases know.
    pub options: Arc<Options>,
}

impl Collection {
    /// A collection without fields.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            fields: List::new(),
            indexes: List::new(),
            constraints: List::new(),
            comment: None,
            options: Options::none(),
        }
    }

    /// A field by its name.
    pub fn field(&self, name: &Name) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == *name)
    }

    pub(crate) fn field_mut(&mut self, name: &Name) -> Option<&mut Field> {
        self.fields.find_mut(|field| field.name == *name)
    }

    /// An index by its name.
    pub fn index(&self, name: &Name) -> Option<&Index> {
        self.indexes
            .iter()
            .find(|index| index.name.as_ref() == Some(name))
    }

    /// A constraint by its name.
    pub fn constraint(&self, name: &Name) -> Option<&Constraint> {
        self.constraints
            .iter()
            .find(|constraint| constraint.name.as_ref() == Some(name))
    }

    /// The constraint that is the primary key.
    pub fn primary_key(&self) -> Option<&Constraint> {
        self.constraints
            .iter()
            .find(|constraint| matches!(constraint.rule, Rule::PrimaryKey(_)))
    }

    /// The fields of the primary key, in order.
    pub fn key(&self) -> &[Name] {
        self.primary_key().map_or(&[], Constraint::columns)
    }

    /// Whether a field is made unique by itself, by a constraint or an index without a predicate.
    pub fn is_unique(&self, field: &Name) -> bool {
        let alone = std::slice::from_ref(field);
        self.constraints.iter().any(|constraint| {
            matches!(constraint.rule, Rule::Unique(_) | Rule::PrimaryKey(_))
                && constraint.columns() == alone
        }) || self.indexes.iter().any(|index| {
            index.unique
                && index.predicate.is_none()
                && index.fields.len() == 1
                && index.fields.iter().all(|key| key.name() == Some(field))
        })
    }

    /// Puts an index in its place by name.
    pub fn insert_index(&mut self, index: impl Into<Arc<Index>>) {
        let index = index.into();
        let place = self
            .indexes
            .partition_point(|other| other.name < index.name);
        self.indexes.insert(place, index);
    }

    /// Puts a constraint in its place by name.
    pub fn insert_constraint(&mut self, constraint: impl Into<Arc<Constraint>>) {
        let constraint = constraint.into();
        let place = self
            .constraints
            .partition_point(|other| other.name < constraint.name);
        self.constraints.insert(place, constraint);
    }

    /// Every expression in it, each with its place: `fields.total.default`, `fields.total.generated`,
    /// `indexes.by_day.fields.0`, `indexes.by_day.where`, `constraints.positive.expression`.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &Expression)> {
        let fields = self.fields.iter().flat_map(|field| {
            let default = field.default.as_ref().and_then(DefaultValue::expression);
            let generated = field.generated.as_ref().map(|g| &g.expression);
            let at = |expression, what| (format!("fields.{}.{what}", field.name), expression);
            let default = default.map(|expression| at(expression, "default"));
            default
                .into_iter()
                .chain(generated.map(|expression| at(expression, "generated")))
        });
        let indexes = self.indexes.iter().flat_map(|index| {
            let name = index.name.as_ref().map_or("", Name::as_str);
            let keys = index
                .fields
                .iter()
                .enumerate()
                .filter_map(move |(number, key)| match &key.target {
                    IndexTarget::Expression(expression) => {
                        Some((format!("indexes.{name}.fields.{number}"), expression))
                    }
                    IndexTarget::Field(_) => None,
                });
            let predicate = index.predicate.as_ref();
            keys.chain(predicate.map(|expression| (format!("indexes.{name}.where"), expression)))
        });
        let checks = self.constraints.iter().filter_map(|constraint| {
            let name = constraint.name.as_ref().map_or("", Name::as_str);
            match &constraint.rule {
                Rule::Check(expression) => {
                    Some((format!("constraints.{name}.expression"), expression))
                }
                _ => None,
            }
        });
        fields.chain(indexes).chain(checks)
    }

    /// The text of each expression that the given database has one for, by its place.
    pub fn spellings(&self, backend: BackendName) -> BTreeMap<String, String> {
        self.expressions()
            .filter_map(|(place, expression)| Some((place, expression.text(backend)?.to_owned())))
            .collect()
    }

    /// The spellings that a server adopted, by their places.
    pub fn adopted(&self) -> BTreeMap<String, String> {
        self.expressions()
            .filter_map(|(place, expression)| Some((place, expression.adopted()?.to_owned())))
            .collect()
    }

    /// The collection with the spellings that a server adopted for its expressions, each by its
    /// place; see [`Collection::expressions`].
    #[must_use]
    pub fn adopting(mut self, spellings: &BTreeMap<String, String>) -> Self {
        let adopt = |place: String, expression: &mut Expression| {
            if let Some(text) = spellings.get(&place) {
                *expression = expression.clone().adopt(text.as_str());
            }
        };
        for field in &mut self.fields {
            if let Some(DefaultValue::Expression(expression)) = &mut field.default {
                adopt(format!("fields.{}.default", field.name), expression);
            }
            if let Some(generated) = &mut field.generated {
                adopt(
                    format!("fields.{}.generated", field.name),
                    &mut generated.expression,
                );
            }
        }
        for index in &mut self.indexes {
            let name = index.name.as_ref().map_or("", Name::as_str);
            for (number, key) in index.fields.iter_mut().enumerate() {
                if let IndexTarget::Expression(expression) = &mut key.target {
                    adopt(format!("indexes.{name}.fields.{number}"), expression);
                }
            }
            if let Some(predicate) = &mut index.predicate {
                adopt(format!("indexes.{name}.where"), predicate);
            }
        }
        for constraint in &mut self.constraints {
            let name = constraint.name.as_ref().map_or("", Name::as_str);
            if let Rule::Check(expression) = &mut constraint.rule {
                adopt(format!("constraints.{name}.expression"), expression);
            }
        }
        self
    }

    /// The collection as `createCollection` writes it: a key of one field and unique fields whose
    /// constraints have made names are said at the field.
    #[must_use]
    pub fn written(&self) -> Self {
        let mut written = self.clone();
        let mut spelled = List::new();
        let key = self.key();
        for (number, constraint) in self.constraints.iter().enumerate() {
            let made = constraint.name.as_ref() == Some(&constraint.made_name(&self.name, number))
                && constraint.deferrable.is_none();
            match &constraint.rule {
                Rule::PrimaryKey(columns) if made && self.in_field_order(columns) => {
                    for field in &mut written.fields {
                        if columns.contains(&field.name) {
                            field.primary_key = true;
                            field.required = false;
                        }
                    }
                }
                // A field that alone is the key says nothing by being unique, too.
                Rule::Unique(columns) if made && columns.len() == 1 && columns != key => {
                    for field in &mut written.fields {
                        field.unique |= columns.contains(&field.name);
                    }
                }
                _ => spelled.push(constraint.clone()),
            }
        }
        written.constraints = spelled;
        written
    }

    fn in_field_order(&self, columns: &[Name]) -> bool {
        self.fields
            .iter()
            .map(|field| &field.name)
            .filter(|name| columns.contains(name))
            .eq(columns)
    }
}

impl PartialEq for Collection {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.fields.len() == other.fields.len()
            && self
                .fields
                .iter()
                .zip(&other.fields)
                .all(|(mine, same_place)| {
                    mine == same_place || other.field(&mine.name) == Some(mine)
                })
            && self.indexes == other.indexes
            && self.constraints == other.constraints
            && self.comment == other.comment
            && self.options == other.options
    }
}

impl serde::Serialize for Collection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("fields", &self.fields)?;
        if let Some(comment) = &self.comment {
            map.serialize_entry("comment", comment)?;
        }
        if !is_default(&self.indexes) {
            map.serialize_entry("indexes", &self.indexes)?;
        }
        if !is_default(&self.constraints) {
            map.serialize_entry("constraints", &self.constraints)?;
        }
        self.options.serialize(&mut map)?;
        map.end()
    }
}
