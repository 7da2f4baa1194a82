//! What the catalog answers, and what it means in the model.

use crate::postgres::defaults::{is_own_spelling, read_default, unwrapped};
use crate::postgres::dialect::sql;
use crate::postgres::enum_type::enum_type_name;
use crate::postgres::index::nulls_by_default;
use crate::postgres::types::{enum_values, read_type};
use ductape_core::schema::{
    Constraint, DefaultValue, Deferrable, Field, FieldType, Generated, Index, IndexKey,
    IndexTarget, Method, NativeDefinition, Nulls, References, ReferentialAction, Rule,
};
use ductape_core::{BackendName, Collection, Expression, Name};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct TableRow {
    pub id: i64,
    pub name: String,
    unlogged: bool,
    comment: Option<String>,
}

impl TableRow {
    pub fn collection(self, name: Name) -> Collection {
        let mut collection = Collection::new(name);
        collection.comment = self.comment;
        if self.unlogged {
            Arc::make_mut(&mut collection.options).sql.unlogged = true;
        }
        collection
    }
}

#[derive(Deserialize)]
pub(super) struct FieldRow {
    pub table: i64,
    name: String,
    #[serde(rename = "type")]
    formatted: String,
    required: bool,
    identity: bool,
    generated: bool,
    expression: Option<String>,
    collation: Option<String>,
    values: Option<Vec<String>>,
    /// The name of the enum type, if nothing but this column is of it and it says nothing that the column
    /// does not.
    own_type: Option<String>,
    serial: bool,
    comment: Option<String>,
}

impl FieldRow {
    pub fn field(self, collection: &Name) -> Option<Field> {
        let name = Name::new(&self.name).ok()?;
        let own = self.own_type.as_deref() == Some(enum_type_name(collection, &name).as_str());
        // The type of others has a name that only they know.
        let theirs = (!own).then(|| self.formatted.clone());
        let (field_type, native) = match self.values {
            Some(values) if self.formatted.ends_with("[]") => (
                FieldType::Array {
                    items: Box::new(FieldType::Enum { values }),
                },
                theirs,
            ),
            Some(values) => (FieldType::Enum { values }, theirs),
            None => read_type(&self.formatted),
        };
        let mut field = Field::new(name, field_type);
        if let Some(native) = native {
            field.native.insert(BackendName::Postgresql, native);
        }
        field.required = self.required;
        field.comment = self.comment;
        field.collation = self.collation;
        let counts = self.serial
            && self
                .expression
                .as_deref()
                .is_some_and(|expression| expression.starts_with("nextval("));
        field.auto_increment = self.identity || counts;
        if counts && let Some(serial) = serial(&self.formatted) {
            let serial = serial.to_owned();
            field.native.insert(BackendName::Postgresql, serial);
        }
        match self.expression {
            Some(expression) if self.generated => {
                field.generated = Some(Generated {
                    expression: expression_of(&expression),
                    stored: true,
                });
            }
            Some(expression) if !counts => {
                let default = read_default(&expression, &field.field_type);
                let native = !field.native.is_empty() || enum_values(&field.field_type).is_some();
                // Made again from the value, the default would be spelled otherwise.
                field.default = match native || is_own_spelling(&expression, &field.field_type) {
                    true => default,
                    false => default.map(|_| DefaultValue::Expression(expression_of(&expression))),
                };
            }
            _ => {}
        }
        Some(field)
    }
}

/// What counts with a sequence of its own, and was no identity, is called so.
fn serial(formatted: &str) -> Option<&'static str> {
    match formatted {
        "smallint" => Some("smallserial"),
        "integer" => Some("serial"),
        "bigint" => Some("bigserial"),
        _ => None,
    }
}

/// An expression as the server spells it, without the brackets that it puts around the whole.
fn expression_of(text: &str) -> Expression {
    Expression::new(unwrapped(text.trim()))
}

#[derive(Deserialize)]
pub(super) struct ConstraintRow {
    pub table: i64,
    name: String,
    kind: String,
    deferrable: bool,
    deferred: bool,
    validated: bool,
    inherited: bool,
    /// The table, where it is in another schema.
    elsewhere: Option<String>,
    columns: Option<Vec<String>>,
    target: Option<String>,
    target_here: Option<bool>,
    target_columns: Option<Vec<String>>,
    on_delete: Option<String>,
    on_update: Option<String>,
    /// It says what the model has no word for.
    special: Option<bool>,
    expression: Option<String>,
    definition: String,
    comment: Option<String>,
}

impl ConstraintRow {
    /// The constraint, if the model can say it.
    pub fn constraint(&self) -> Option<Constraint> {
        let said = self.validated
            && self.elsewhere.is_none()
            && !self.special.unwrap_or(false)
            && self.comment.is_none();
        if !said {
            return None;
        }
        let columns = || names(self.columns.as_deref());
        let rule = match self.kind.as_str() {
            "p" => Rule::PrimaryKey(columns()?),
            "u" => Rule::Unique(columns()?),
            "c" => Rule::Check(expression_of(self.expression.as_deref()?)),
            "f" if self.target_here == Some(true) => Rule::ForeignKey(
                columns()?,
                References {
                    table: Name::new(self.target.as_deref()?).ok()?,
                    columns: names(self.target_columns.as_deref())?,
                    on_delete: action(self.on_delete.as_deref()),
                    on_update: action(self.on_update.as_deref()),
                },
            ),
            _ => return None,
        };
        let mut constraint = Constraint::named(Name::new(&self.name).ok()?, rule);
        constraint.deferrable = match (self.deferrable, self.deferred) {
            (false, _) => None,
            (true, false) => Some(Deferrable::Immediate),
            (true, true) => Some(Deferrable::Deferred),
        };
        Some(constraint)
    }

    /// The constraint in the server's words.
    pub fn native(&self, on: Option<&Name>) -> Option<NativeDefinition> {
        if self.inherited {
            return None;
        }
        let name = Name::new(&self.name).ok()?;
        let table = match (&self.elsewhere, on) {
            (Some(elsewhere), _) => sql().sql(elsewhere),
            (None, Some(on)) => sql().name(on),
            (None, None) => return None,
        }
        .finish();
        let text = sql()
            .words("ALTER TABLE ")
            .sql(&table)
            .words(" ADD CONSTRAINT ")
            .name(&name)
            .words(" ")
            .sql(&self.definition)
            .maybe(self.comment.as_deref(), |text, comment| {
                text.words(";\nCOMMENT ON CONSTRAINT ")
                    .name(&name)
                    .words(" ON ")
                    .sql(&table)
                    .words(" IS ")
                    .text(comment)
            });
        Some(NativeDefinition {
            kind: "constraint".to_owned(),
            definition: text.finish(),
            on: match self.elsewhere {
                // It stands in another schema, and does not fall with what it points at.
                Some(_) => None,
                None => on.cloned(),
            },
            name: match &self.elsewhere {
                Some(elsewhere) => Name::new(format!("{elsewhere}.{name}")).ok()?,
                None => name,
            },
            after: Vec::new(),
        })
    }
}

fn names(texts: Option<&[String]>) -> Option<Vec<Name>> {
    texts?.iter().map(|text| Name::new(text).ok()).collect()
}

fn action(letter: Option<&str>) -> Option<ReferentialAction> {
    match letter? {
        "c" => Some(ReferentialAction::Cascade),
        "n" => Some(ReferentialAction::SetNull),
        "d" => Some(ReferentialAction::SetDefault),
        "r" => Some(ReferentialAction::Restrict),
        _ => None,
    }
}

#[derive(Deserialize)]
pub(super) struct IndexRow {
    pub table: i64,
    name: String,
    method: String,
    unique: bool,
    valid: bool,
    nulls_not_distinct: bool,
    predicate: Option<String>,
    options: Option<Vec<String>>,
    comment: Option<String>,
    definition: String,
    keys: Option<Vec<KeyRow>>,
    include: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeyRow {
    field: Option<String>,
    expression: Option<String>,
    descending: bool,
    nulls_first: bool,
    class: Option<String>,
    parameters: Option<Vec<String>>,
    collation: Option<String>,
}

impl KeyRow {
    fn key(&self, written: &str) -> Option<IndexKey> {
        let target = match (&self.field, &self.expression) {
            (Some(field), _) => IndexTarget::Field(Name::new(field).ok()?),
            (None, Some(expression)) => IndexTarget::Expression(expression_of(expression)),
            (None, None) => return None,
        };
        let mut key = IndexKey::new(target);
        key.descending = self.descending;
        let nulls = match self.nulls_first {
            true => Nulls::First,
            false => Nulls::Last,
        };
        key.nulls = Some(nulls).filter(|nulls| *nulls != nulls_by_default(self.descending));
        key.operator_class = match (&self.class, &self.parameters) {
            (Some(class), Some(parameters)) => Some(format!("{class} ({})", parameters.join(", "))),
            (class, _) => class.clone(),
        };
        // An expression may have its collation from the column; then the index does not write it.
        key.collation = self
            .collation
            .clone()
            .filter(|_| self.field.is_some() || written.contains(" COLLATE "));
        Some(key)
    }
}

impl IndexRow {
    /// The index, if it is one that queries may use.
    pub fn index(&self) -> Option<Index> {
        if !self.valid {
            return None;
        }
        let keys: Option<Vec<IndexKey>> = self
            .keys
            .iter()
            .flatten()
            .map(|key| key.key(&self.definition))
            .collect();
        let mut index = Index::new(keys?);
        index.name = Some(Name::new(&self.name).ok()?);
        index.unique = self.unique;
        index.nulls_not_distinct = self.nulls_not_distinct;
        index.predicate = self.predicate.as_deref().map(expression_of);
        index.method = match self.method.as_str() {
            "btree" => None,
            "hash" => Some(Method::Hash),
            "gin" => Some(Method::Gin),
            "gist" => Some(Method::Gist),
            "spgist" => Some(Method::Spgist),
            "brin" => Some(Method::Brin),
            _ => return None,
        };
        index.with = self
            .options
            .iter()
            .flatten()
            .filter_map(|option| option.split_once('='))
            .map(|(key, value)| (key.to_owned(), option_value(value)))
            .collect();
        if let Some(include) = &self.include {
            index.include = names(Some(include))?;
        }
        index.comment.clone_from(&self.comment);
        Some(index)
    }

    /// An index that the model cannot say: one of an extension's method, or one that is not valid.
    pub fn native(&self, on: &Name) -> Option<NativeDefinition> {
        let kind = if self.valid { "index" } else { "invalid index" };
        Some(NativeDefinition {
            kind: kind.to_owned(),
            name: Name::new(&self.name).ok()?,
            definition: self.definition.clone(),
            on: Some(on.clone()),
            after: Vec::new(),
        })
    }
}

/// A storage option's value: a number or a switch where it is one.
fn option_value(text: &str) -> Value {
    match text {
        "on" | "true" => Value::Bool(true),
        "off" | "false" => Value::Bool(false),
        text => serde_json::from_str(text)
            .ok()
            .filter(Value::is_number)
            .unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

#[derive(Deserialize)]
pub(super) struct NativeRow {
    kind: String,
    name: String,
    on: Option<String>,
    definition: String,
    after: Option<Vec<String>>,
}

impl NativeRow {
    pub fn native(self) -> Option<NativeDefinition> {
        Some(NativeDefinition {
            kind: self.kind,
            name: Name::new(&self.name).ok()?,
            definition: self.definition.trim().to_owned(),
            on: self.on.and_then(|on| Name::new(&on).ok()),
            after: names(self.after.as_deref()).unwrap_or_default(),
        })
    }
}
