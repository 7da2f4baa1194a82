//! What `modifyField` changes of a field.

use crate::backend_name::BackendName;
use crate::json::{Node, Read, Reader, is_default};
use crate::schema::field::read_required;
use crate::schema::{DefaultValue, Field, FieldType, Generated, TypeAttributes, TypeName};
use std::collections::BTreeMap;

/// What happens to one attribute.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It gets this value.
    Set(T),
    /// It is taken away.
    Remove,
}

impl<T> Change<T> {
    fn apply(self, to: &mut Option<T>) {
        match self {
            Change::Keep => {}
            Change::Set(value) => *to = Some(value),
            Change::Remove => *to = None,
        }
    }
}

impl<T: Clone + PartialEq> Change<T> {
    /// The change that leads from one value to another.
    fn between(from: &Option<T>, to: &Option<T>) -> Self {
        match to {
            to if from == to => Change::Keep,
            Some(value) => Change::Set(value.clone()),
            None => Change::Remove,
        }
    }
}

impl<T: Read> Read for Change<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Null => Some(Change::Remove),
            node => T::read(node, reader).map(Change::Set),
        }
    }
}

impl<T: serde::Serialize> serde::Serialize for Change<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Change::Set(value) => value.serialize(serializer),
            Change::Keep | Change::Remove => serializer.serialize_none(),
        }
    }
}

/// The attributes of a field that change. What is not named stays; attributes that a new type does
/// not have fall.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(
    missing_docs,
    reason = "each is the attribute of Field of the same name"
)]
pub struct FieldChanges {
    pub field_type: Option<TypeName>,
    pub length: Change<u32>,
    pub precision: Change<u32>,
    pub scale: Change<u32>,
    pub enum_values: Change<Vec<String>>,
    pub items: Change<Box<FieldType>>,
    pub primary_key: Option<bool>,
    pub auto_increment: Option<bool>,
    pub required: Option<bool>,
    pub unique: Option<bool>,
    pub default: Change<DefaultValue>,
    pub comment: Change<String>,
    pub generated: Change<Generated>,
    pub collation: Change<String>,
    pub native: Change<BTreeMap<BackendName, String>>,
}

impl FieldChanges {
    /// The field after the changes; `primary_key` and `unique` are not looked at, since they are
    /// constraints.
    ///
    /// # Errors
    /// What does not fit together, each with the key it belongs to.
    pub fn apply_to(&self, field: &Field) -> Result<Field, Vec<(&'static str, String)>> {
        let changes = self.clone();
        let mut field = field.clone();
        let mut attributes = field.field_type.attributes();
        let name = match changes.field_type {
            Some(name) => {
                attributes = attributes.only_those_of(name);
                field.native = BTreeMap::new();
                if !matches!(name, TypeName::String | TypeName::Text | TypeName::Enum) {
                    field.collation = None;
                }
                if !matches!(
                    name,
                    TypeName::Integer | TypeName::Bigint | TypeName::Smallint
                ) {
                    field.auto_increment = false;
                }
                name
            }
            None => field.field_type.name(),
        };
        changes.length.apply(&mut attributes.length);
        if matches!(changes.precision, Change::Remove) && matches!(changes.scale, Change::Keep) {
            attributes.scale = None;
        }
        changes.precision.apply(&mut attributes.precision);
        changes.scale.apply(&mut attributes.scale);
        changes.enum_values.apply(&mut attributes.enum_values);
        changes.items.apply(&mut attributes.items);
        field.field_type = FieldType::from_parts(name, attributes)?;
        field.auto_increment = changes.auto_increment.unwrap_or(field.auto_increment);
        field.required = changes.required.unwrap_or(field.required);
        changes.default.apply(&mut field.default);
        changes.comment.apply(&mut field.comment);
        changes.generated.apply(&mut field.generated);
        changes.collation.apply(&mut field.collation);
        match changes.native {
            Change::Keep => {}
            Change::Set(native) => field.native = native,
            Change::Remove => field.native = BTreeMap::new(),
        }
        match field.check() {
            wrong if wrong.is_empty() => Ok(field),
            wrong => Err(wrong),
        }
    }

    /// The changes that lead from one field to another, names and constraints aside.
    pub fn between(from: &Field, to: &Field) -> Self {
        let mut changes = Self::default();
        let name = to.field_type.name();
        let mut base = from.clone();
        let mut attributes = from.field_type.attributes();
        // A native type can only be taken away by naming a type, or by removing it.
        if from.field_type.name() != name {
            changes.field_type = Some(name);
            attributes = attributes.only_those_of(name);
            base.native = BTreeMap::new();
            if !matches!(name, TypeName::String | TypeName::Text | TypeName::Enum) {
                base.collation = None;
            }
            if !matches!(
                name,
                TypeName::Integer | TypeName::Bigint | TypeName::Smallint
            ) {
                base.auto_increment = false;
            }
        }
        let TypeAttributes {
            length,
            precision,
            scale,
            enum_values,
            items,
        } = to.field_type.attributes();
        changes.length = Change::between(&attributes.length, &length);
        changes.precision = Change::between(&attributes.precision, &precision);
        changes.scale = Change::between(&attributes.scale, &scale);
        changes.enum_values = Change::between(&attributes.enum_values, &enum_values);
        changes.items = Change::between(&attributes.items, &items);
        let flag = |from: bool, to: bool| (from != to).then_some(to);
        changes.auto_increment = flag(base.auto_increment, to.auto_increment);
        changes.required = flag(base.required, to.required);
        changes.default = Change::between(&base.default, &to.default);
        changes.comment = Change::between(&base.comment, &to.comment);
        changes.generated = Change::between(&base.generated, &to.generated);
        changes.collation = Change::between(&base.collation, &to.collation);
        changes.native = match &to.native {
            native if *native == base.native => Change::Keep,
            native if native.is_empty() => Change::Remove,
            native => Change::Set(native.clone()),
        };
        changes
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const CHANGE_KEYS: [&str; 16] = [
    "type",
    "length",
    "precision",
    "scale",
    "enumValues",
    "items",
    "primaryKey",
    "autoIncrement",
    "required",
    "nullable",
    "unique",
    "default",
    "comment",
    "generated",
    "collation",
    "native",
];

impl Read for FieldChanges {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = reader.object(node, "the changes of a field", &CHANGE_KEYS)?;
        if entries.is_empty() {
            reader.problem("at least one change is needed");
        }
        // `null` takes a flag away: it is false then.
        let flags: Vec<(String, Node)> = entries
            .iter()
            .map(|(key, value)| {
                let value = match value {
                    Node::Null => Node::Bool(key == "nullable"),
                    value => value.clone(),
                };
                (key.clone(), value)
            })
            .collect();
        let field_type = reader.optional(entries, "type");
        let length = reader.optional(entries, "length");
        let precision = reader.optional(entries, "precision");
        let scale = reader.optional(entries, "scale");
        let enum_values = reader.optional(entries, "enumValues");
        let items = reader.optional(entries, "items");
        let primary_key = reader.optional(&flags, "primaryKey");
        let auto_increment = reader.optional(&flags, "autoIncrement");
        let required = read_required(&flags, reader);
        let unique = reader.optional(&flags, "unique");
        let default = reader.optional(entries, "default");
        let comment = reader.optional(entries, "comment");
        let generated = reader.optional(entries, "generated");
        let collation = reader.optional(entries, "collation");
        let native = reader.optional(entries, "native");
        let mut changes = Self {
            field_type: field_type?,
            length: length?,
            precision: precision?,
            scale: scale?,
            enum_values: enum_values?,
            items: items?,
            primary_key: primary_key?,
            auto_increment: auto_increment?,
            required: required?,
            unique: unique?,
            default: default?,
            comment: comment?,
            generated: generated?,
            collation: collation?,
            native: native?,
        };
        // What a named type does not have can be said without knowing the field.
        if let Some(name) = changes.field_type {
            let has = name.attributes();
            for (key, set) in [
                ("length", matches!(changes.length, Change::Set(_))),
                ("precision", matches!(changes.precision, Change::Set(_))),
                ("scale", matches!(changes.scale, Change::Set(_))),
                ("enumValues", matches!(changes.enum_values, Change::Set(_))),
                ("items", matches!(changes.items, Change::Set(_))),
            ] {
                if set && !has.contains(&key) {
                    reader.within(key, |reader| {
                        reader.problem(format!("the type {name} has no {key}"));
                    });
                }
            }
        }
        if changes.scale == Change::Set(0) {
            changes.scale = Change::Remove;
        }
        Some(changes)
    }
}

impl serde::Serialize for FieldChanges {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        macro_rules! entry {
            ($key:literal, $value:expr) => {
                if !is_default($value) {
                    map.serialize_entry($key, $value)?;
                }
            };
        }
        entry!("type", &self.field_type);
        entry!("length", &self.length);
        entry!("precision", &self.precision);
        entry!("scale", &self.scale);
        entry!("enumValues", &self.enum_values);
        entry!("items", &self.items);
        entry!("primaryKey", &self.primary_key);
        entry!("autoIncrement", &self.auto_increment);
        entry!("required", &self.required);
        entry!("unique", &self.unique);
        entry!("default", &self.default);
        entry!("comment", &self.comment);
        entry!("generated", &self.generated);
        entry!("collation", &self.collation);
        entry!("native", &self.native);
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for FieldChanges {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldChanges".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = crate::schema::field::attributes_schema(generator, true);
        schema.insert("minProperties".into(), 1.into());
        schema
    }
}
